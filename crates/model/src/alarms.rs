//! Alarms: those of the stack with their state and past, the set the stack should have, who is told, and
//! the settings that observability needs; and what can be done to them.
//!
//! What is recommended is decided by a function of what is there (`operations::alarms`), so the page, the
//! preview and the operation say the same.

use serde::{Deserialize, Serialize};

use crate::overview::{AlarmState, Reading};
use crate::problem::{Problem, ProblemKind};
use crate::time::Timestamp;

/// The page. Each part is read on its own and fails on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmsPage {
    /// When it was put together: ages are counted from here.
    pub now: Timestamp,
    /// The stack's alarms, the firing ones first.
    pub alarms: Reading<Vec<StackAlarm>>,
    /// The set the stack should have, and what of it there is.
    pub set: Reading<Vec<SetItem>>,
    /// The topics that the alarms name, and those there are to choose from.
    pub topics: Reading<Vec<Topic>>,
    /// What happened to the alarms, the newest first.
    pub history: Reading<Vec<AlarmEvent>>,
    /// The settings that observability needs.
    pub settings: Reading<Settings>,
}

/// An alarm of the stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StackAlarm {
    /// How it is set up.
    pub rule: AlarmRule,
    /// Its state.
    pub state: AlarmState,
    /// CloudWatch's reason.
    pub reason: Option<String>,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Whether its actions are carried out.
    pub actions_enabled: bool,
    /// Whom it tells when it fires: ARNs.
    pub actions: Vec<String>,
    /// Whether anybody is told.
    pub told: Told,
    /// What of it the portal does not know how to set up (an expression, an anomaly detector): such an
    /// alarm is shown and never changed.
    pub foreign: bool,
}

/// How an alarm is set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlarmRule {
    /// Its name.
    pub name: String,
    /// What is measured, for example `AWS/Lambda`.
    pub namespace: String,
    /// And `Errors`.
    pub metric: String,
    /// Names and values, in order of the names.
    pub dimensions: Vec<(String, String)>,
    /// For example `Sum` or `p95`.
    pub statistic: String,
    /// A period's length in seconds.
    pub period: u32,
    /// How many periods are looked at.
    pub periods: u32,
    /// How many of them must be beyond the threshold.
    pub needed: u32,
    /// CloudWatch's name of the comparison, for example `GreaterThanThreshold`.
    pub comparison: String,
    /// What a period's value is compared with.
    pub threshold: f64,
    /// What a period without data counts as: `missing`, `ignore`, `breaching` or `notBreaching`.
    pub missing: String,
    /// Of a percentile: `evaluate` or `ignore` where there are too few values for one.
    pub few: Option<String>,
    /// The unit that values must have to count; none for any.
    pub unit: Option<String>,
}

impl AlarmRule {
    /// From where on it fires: `> 0`.
    pub fn threshold_words(&self) -> String {
        let sign = match self.comparison.as_str() {
            "GreaterThanThreshold" => ">",
            "GreaterThanOrEqualToThreshold" => ">=",
            "LessThanThreshold" => "<",
            "LessThanOrEqualToThreshold" => "<=",
            other => other,
        };
        format!("{sign} {}", self.threshold)
    }

    /// How many periods must be beyond it, of how many.
    pub fn periods_words(&self) -> String {
        format!("{} of {}", self.needed, self.periods)
    }

    /// What a period without data counts as: `is fine`.
    pub fn missing_words(&self) -> &'static str {
        match self.missing.as_str() {
            "notBreaching" => "is fine",
            "breaching" => "is beyond it",
            "ignore" => "changes nothing",
            _ => "is not known",
        }
    }

    /// When it fires.
    pub fn words(&self) -> String {
        let few = match self.few.as_deref() {
            Some("ignore") => "; too few values for a percentile change nothing",
            _ => "",
        };
        format!(
            "{} of {} over {} s {}, {} periods; a period without data {}{few}",
            self.statistic,
            self.metric,
            self.period,
            self.threshold_words(),
            self.periods_words(),
            self.missing_words()
        )
    }
}

/// Whether anybody is told when an alarm fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Told {
    /// So many subscribers have confirmed.
    Subscribers(u32),
    /// It has no action.
    NoAction,
    /// Its actions are switched off.
    SwitchedOff,
    /// The topic it names is not there.
    NoTopic,
    /// Nobody has subscribed to its topic.
    Nobody,
    /// So many have subscribed, and none has confirmed.
    Unconfirmed(u32),
    /// It does something else than to tell a topic.
    Other,
    /// The topic could not be read.
    Unknown,
}

impl Told {
    /// Whether somebody is told, as far as can be known from here.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Subscribers(_) | Self::Other)
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Subscribers(1) => "1 confirmed subscriber".to_owned(),
            Self::Subscribers(count) => format!("{count} confirmed subscribers"),
            Self::NoAction => "nobody: it has no action".to_owned(),
            Self::SwitchedOff => "nobody: its actions are switched off".to_owned(),
            Self::NoTopic => "nobody: its topic does not exist".to_owned(),
            Self::Nobody => "nobody: its topic has no subscription".to_owned(),
            Self::Unconfirmed(1) => "nobody: the one subscription is not confirmed".to_owned(),
            Self::Unconfirmed(count) => format!("nobody: none of {count} subscriptions is confirmed"),
            Self::Other => "an action that is no topic".to_owned(),
            Self::Unknown => "not known: the topic could not be read".to_owned(),
        }
    }
}

/// A topic that alarms can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Topic {
    /// Its ARN.
    pub arn: String,
    /// Whether an alarm of the stack names it.
    pub named: bool,
    /// What is known of it; none where it was not asked for.
    pub state: Option<TopicState>,
}

/// What is known of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TopicState {
    /// It is there, and so many subscriptions are confirmed, and so many not.
    There {
        /// Confirmed.
        confirmed: u32,
        /// Not confirmed yet.
        pending: u32,
    },
    /// There is none.
    Missing,
    /// It could not be read.
    Unknown(String),
}

/// Something that happened to an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AlarmEvent {
    /// When.
    pub at: Timestamp,
    /// Which alarm.
    pub alarm: String,
    /// What, in CloudWatch's words.
    pub what: String,
    /// The new state, where it was a change of it.
    pub state: Option<AlarmState>,
    /// CloudWatch's reason, where there is one.
    pub why: Option<String>,
}

/// The alarms a stack should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AlarmKind {
    /// The function's errors.
    Errors,
    /// Calls that Lambda refused for want of concurrency.
    Throttles,
    /// The function's 95th percentile against its time limit.
    Duration,
    /// The API's answers from 500.
    Api5xx,
    /// The rotation function's errors.
    Rotation,
}

impl AlarmKind {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Errors, Self::Throttles, Self::Duration, Self::Api5xx, Self::Rotation];

    /// As it is written in JSON and in forms.
    pub fn name(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Throttles => "throttles",
            Self::Duration => "duration",
            Self::Api5xx => "api5xx",
            Self::Rotation => "rotation",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Errors => "Errors of the function",
            Self::Throttles => "Throttled calls",
            Self::Duration => "Duration near the time limit",
            Self::Api5xx => "Answers from 500",
            Self::Rotation => "Rotation failed",
        }
    }

    /// What it tells, and what not.
    pub fn covers(self) -> &'static str {
        match self {
            Self::Errors => {
                "Calls that crashed, ran out of time or returned an error to Lambda. An answer with a status from 500 is none: that is the API's alarm."
            }
            Self::Throttles => {
                "Calls that Lambda refused because the function ran as often as it may at once."
            }
            Self::Duration => {
                "95 of 100 calls in a minute came close to the time limit. A minute with few calls says nothing and is left out."
            }
            Self::Api5xx => {
                "Answers from 500 of any origin: the gateway, Lambda, or the function's own code."
            }
            Self::Rotation => {
                "AWS has no metric of rotations: these are errors of the rotation function, so a step that failed. It does not tell of a rotation that never began, because the schedule is off, Secrets Manager may not call the function, or the function is gone; the secret's page does."
            }
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// From where on the alarms of the set fire. Each within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Thresholds {
    /// More errors in a minute than this. 0 to 1,000.
    pub errors: u32,
    /// More throttled calls in a minute than this. 0 to 1,000.
    pub throttles: u32,
    /// So many per cent of the time limit. 10 to 95.
    pub duration_percent: u32,
    /// More answers from 500 in a minute than this. 0 to 1,000.
    pub api5xx: u32,
}

impl Default for Thresholds {
    /// The first one of each is told; a duration from 80 % of the time limit on.
    fn default() -> Self {
        Self { errors: 0, throttles: 0, duration_percent: 80, api5xx: 0 }
    }
}

impl Thresholds {
    /// That each is within its bounds.
    ///
    /// # Errors
    /// `Invalid`, with the first that is not.
    pub fn check(&self) -> Result<(), Problem> {
        let table = [
            ("errors", self.errors, 0..=1_000),
            ("throttled calls", self.throttles, 0..=1_000),
            ("per cent of the time limit", self.duration_percent, 10..=95),
            ("answers from 500", self.api5xx, 0..=1_000),
        ];
        match table.into_iter().find(|(_, value, bounds)| !bounds.contains(value)) {
            None => Ok(()),
            Some((what, value, bounds)) => {
                let message = format!(
                    "The number of {what} is {} to {}; {value} is not.",
                    bounds.start(),
                    bounds.end()
                );
                Err(Problem::new(ProblemKind::Invalid, message))
            }
        }
    }
}

/// An alarm of the set, and what of it there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetItem {
    /// Which.
    pub kind: AlarmKind,
    /// As it should be.
    pub wanted: AlarmRule,
    /// The alarm that there is, by its name.
    pub existing: Option<String>,
    /// How that differs: nothing where there is none, and where it does not.
    pub differences: Vec<Difference>,
    /// Why it can't be had here, where it can't.
    pub impossible: Option<String>,
}

/// A value that is another than it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Difference {
    /// Of what.
    pub what: String,
    /// As it is.
    pub is: String,
    /// As it should be.
    pub should: String,
}

/// Creates alarms of the set, and changes those that differ. An alarm that is as it should be is left
/// alone, but for a topic that it does not tell yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PutAlarms {
    /// Which.
    pub kinds: Vec<AlarmKind>,
    /// From where on they fire.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// The ARN of the topic they are to tell besides whom they tell; none leaves their actions as they are.
    #[serde(default)]
    pub topic: Option<String>,
    /// What the preview answered: where it would be another by now, nothing is done. None for whoever does
    /// not mind.
    #[serde(default)]
    pub seen: Option<String>,
}

/// What an operation of this page would change: asked before it, changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangePreview {
    /// What would be changed, in its order; nothing where all is as it is to be.
    pub changes: Vec<Change>,
    /// What should be known before.
    pub warnings: Vec<String>,
    /// To name it by: the operation's `seen`.
    pub seen: String,
}

/// A change of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Change {
    /// What is changed.
    pub what: String,
    /// From this; none where it is new.
    pub from: Option<String>,
    /// To this.
    pub to: String,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Changed {
    /// In its order.
    pub changes: Vec<Change>,
}

/// The settings that observability needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// The log groups: of the function, of the rotation function, of the access log.
    pub groups: Vec<LogGroup>,
    /// The API's function, and the rotation function.
    pub functions: Vec<FunctionLogging>,
    /// The stage.
    pub stage: StageLogging,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub of: String,
    /// For how many days events are kept; none for ever.
    pub days: Option<u32>,
    /// Whether it is there. Lambda makes its own with the first event.
    pub there: bool,
    /// How much is in it, in bytes.
    pub bytes: u64,
}

/// The retentions that CloudWatch Logs allows, in days (AWS, "PutRetentionPolicy").
pub const RETENTIONS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// How a function logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FunctionLogging {
    /// Its name.
    pub function: String,
    /// `JSON` or `Text`.
    pub format: String,
    /// The least grave level that is logged; none with `Text`.
    pub level: Option<String>,
    /// Whether its calls are traced.
    pub tracing: bool,
    /// The version that has the requests and logs otherwise than this, and how: until the next deploy.
    pub live: Option<String>,
    /// The revision of its configuration.
    pub revision: String,
}

/// The levels that a function can log at, the most talkative first.
pub const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// How a stage logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageLogging {
    /// Its name.
    pub stage: String,
    /// Where the access log goes; none where there is none.
    pub destination: Option<String>,
    /// Its format.
    pub format: Option<String>,
    /// Variables that are worth having and not in it.
    pub lacks: Vec<String>,
    /// Whether figures are kept for each route.
    pub detailed_metrics: bool,
}

/// Sets for how many days a log group's events are kept. What is older goes, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetLogRetention {
    /// One of the stack's groups.
    pub group: String,
    /// One of [`RETENTIONS`]; none for ever.
    pub days: Option<u32>,
    /// What the preview answered.
    #[serde(default)]
    pub seen: Option<String>,
}

/// Sets how a function logs and whether it is traced. The version that has the requests keeps what it was
/// published with until the next deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetFunctionLogging {
    /// One of the stack's functions.
    pub function: String,
    /// `JSON` or `Text`.
    pub format: String,
    /// The least grave level that is logged, with JSON.
    #[serde(default)]
    pub level: Option<String>,
    /// Whether its calls are traced.
    pub tracing: bool,
    /// What the preview answered.
    #[serde(default)]
    pub seen: Option<String>,
}

/// Sets whether the stage writes an access log, in the format that lookups read, and keeps figures for
/// each route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetStageLogging {
    /// Whether the access log is to have the recommended format; false leaves it as it is.
    pub access_log: bool,
    /// Whether figures are to be kept for each route.
    pub detailed_metrics: bool,
    /// What the preview answered.
    #[serde(default)]
    pub seen: Option<String>,
}
