//! An alarm: how it is set up, checked, kept and shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::errors::{PLAIN, unsupported};
use super::evaluation::{Comparison, Gap, Rule, State, least_samples};
use super::input::{
    DimensionInput, Dimensions, dimensions, dimensions_out, metric_name, namespace, seconds, unit,
};
use super::pending::Metric;
use super::statistic::{Statistic, Unusable};
use crate::aws::AwsError;

/// AWS: actions of a state, tags of an alarm, characters of a description.
const MOST_ACTIONS: usize = 5;
const MOST_TAGS: usize = 50;
const LONGEST_DESCRIPTION: usize = 1_024;
/// AWS: how far an alarm may look back, seconds: a day, or a week from a period of an hour on.
const LONGEST_LOOK: i64 = 86_400;
const LONGEST_HOURLY_LOOK: i64 = 604_800;

/// PutMetricAlarm's input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct AlarmInput {
    pub(super) alarm_name: Option<String>,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(rename = "OKActions")]
    ok_actions: Option<Vec<String>>,
    alarm_actions: Option<Vec<String>>,
    insufficient_data_actions: Option<Vec<String>>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    dimensions: Option<Vec<DimensionInput>>,
    period: Option<i64>,
    unit: Option<String>,
    evaluation_periods: Option<i64>,
    datapoints_to_alarm: Option<i64>,
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
    tags: Option<Vec<Tag>>,
    metrics: Option<Value>,
    threshold_metric_id: Option<Value>,
    evaluation_window: Option<Value>,
    warm_up_configuration: Option<Value>,
    evaluation_criteria: Option<Value>,
    evaluation_interval: Option<Value>,
    action_configuration: Option<Value>,
}

/// A tag as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Tag {
    key: Option<String>,
    value: Option<String>,
}

/// Checks tags. AWS: keys of 1 to 128 characters that do not begin with `aws:`, values of up to 256.
///
/// # Errors
/// What `refuse` makes of a message.
pub(super) fn check_tags(
    tags: Vec<Tag>,
    refuse: impl Fn(String) -> AwsError,
) -> Result<BTreeMap<String, String>, AwsError> {
    let mut checked = BTreeMap::new();
    for tag in tags {
        let (Some(key), Some(value)) = (tag.key, tag.value) else {
            return Err(refuse("A tag needs a Key and a Value.".to_owned()));
        };
        if key.is_empty() || key.chars().count() > 128 || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(refuse(format!("The tag key {key} is invalid.")));
        }
        if value.chars().count() > 256 {
            return Err(refuse(format!("The value of the tag {key} is longer than 256 characters.")));
        }
        if checked.insert(key.clone(), value).is_some() {
            return Err(refuse(format!("The tag key {key} is given more than once.")));
        }
    }
    Ok(checked)
}

/// More tags than an alarm may have.
pub(super) fn too_many_tags(tags: &BTreeMap<String, String>) -> bool {
    tags.len() > MOST_TAGS
}

/// What an alarm's owner set up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub(super) description: Option<String>,
    pub(super) actions_enabled: bool,
    pub(super) ok_actions: Vec<String>,
    pub(super) alarm_actions: Vec<String>,
    pub(super) insufficient_data_actions: Vec<String>,
    pub(super) namespace: String,
    pub(super) metric_name: String,
    pub(super) dimensions: Dimensions,
    pub(super) statistic: Option<String>,
    pub(super) extended_statistic: Option<String>,
    pub(super) period: i64,
    pub(super) unit: Option<String>,
    pub(super) evaluation_periods: i64,
    pub(super) datapoints_to_alarm: Option<i64>,
    pub(super) threshold: f64,
    pub(super) comparison_operator: String,
    pub(super) treat_missing_data: Option<String>,
    pub(super) evaluate_low_sample_count_percentile: Option<String>,
}

/// An alarm and its state. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarm {
    pub(super) name: String,
    pub(super) configuration: Configuration,
    pub(super) tags: BTreeMap<String, String>,
    /// When it was last set up.
    pub(super) configured: i64,
    pub(super) state: State,
    pub(super) reason: String,
    pub(super) reason_data: Option<String>,
    /// When the state was last set, be it to the same.
    pub(super) updated: i64,
    /// When the state last became another.
    pub(super) transitioned: i64,
}

impl AlarmInput {
    /// Checks all that AWS checks: the configuration and the tags.
    ///
    /// # Errors
    /// `ValidationError`, or `SandboxUnsupported` for alarms on anything but one metric and a fixed
    /// threshold.
    pub(super) fn check(self) -> Result<(Configuration, BTreeMap<String, String>), AwsError> {
        for (member, given) in [
            ("Metrics", &self.metrics),
            ("ThresholdMetricId", &self.threshold_metric_id),
            ("EvaluationWindow", &self.evaluation_window),
            ("WarmUpConfiguration", &self.warm_up_configuration),
            ("EvaluationCriteria", &self.evaluation_criteria),
            ("EvaluationInterval", &self.evaluation_interval),
            ("ActionConfiguration", &self.action_configuration),
        ] {
            if given.is_some() {
                return Err(unsupported("PutMetricAlarm", member));
            }
        }
        if self.alarm_description.as_deref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            return Err(PLAIN.invalid("The parameter AlarmDescription is longer than 1024 characters."));
        }
        let tags = check_tags(self.tags.unwrap_or_default(), |message| PLAIN.invalid(message))?;
        if too_many_tags(&tags) {
            return Err(PLAIN.invalid("An alarm can have at most 50 tags."));
        }
        let period = check_period(self.period)?;
        let (evaluation_periods, datapoints_to_alarm) =
            check_counts(period, self.evaluation_periods, self.datapoints_to_alarm)?;
        check_statistic(self.statistic.as_deref(), self.extended_statistic.as_deref())?;
        let comparison_operator = check_comparison(self.comparison_operator)?;
        if Gap::parse(self.treat_missing_data.as_deref()).is_none() {
            let value = self.treat_missing_data.unwrap_or_default();
            return Err(PLAIN.value("TreatMissingData", value));
        }
        check_low_samples(
            self.evaluate_low_sample_count_percentile.as_deref(),
            self.extended_statistic.as_deref(),
        )?;
        let configuration = Configuration {
            description: self.alarm_description,
            actions_enabled: self.actions_enabled.unwrap_or(true),
            ok_actions: check_actions(self.ok_actions, "OKActions")?,
            alarm_actions: check_actions(self.alarm_actions, "AlarmActions")?,
            insufficient_data_actions: check_actions(
                self.insufficient_data_actions,
                "InsufficientDataActions",
            )?,
            namespace: namespace(self.namespace.as_deref(), "", PLAIN)?,
            metric_name: metric_name(self.metric_name.as_deref(), "", PLAIN)?,
            dimensions: dimensions(self.dimensions.as_deref(), "", PLAIN)?,
            statistic: self.statistic,
            extended_statistic: self.extended_statistic,
            period,
            unit: unit(self.unit.as_deref(), "", PLAIN)?.map(str::to_owned),
            evaluation_periods,
            datapoints_to_alarm,
            threshold: self.threshold.ok_or_else(|| PLAIN.missing("Threshold"))?,
            comparison_operator,
            treat_missing_data: self.treat_missing_data,
            evaluate_low_sample_count_percentile: self.evaluate_low_sample_count_percentile,
        };
        Ok((configuration, tags))
    }
}

/// AWS: 10, 20, 30 or a multiple of 60.
fn check_period(period: Option<i64>) -> Result<i64, AwsError> {
    match period {
        None => Err(PLAIN.missing("Period")),
        Some(period) if [10, 20, 30].contains(&period) || (period > 0 && period % 60 == 0) => Ok(period),
        Some(_) => Err(PLAIN.invalid("Period must be 10, 20, 30 or a multiple of 60")),
    }
}

fn check_counts(
    period: i64,
    periods: Option<i64>,
    needed: Option<i64>,
) -> Result<(i64, Option<i64>), AwsError> {
    let periods = periods.ok_or_else(|| PLAIN.missing("EvaluationPeriods"))?;
    if periods < 1 {
        return Err(PLAIN.value("EvaluationPeriods", periods));
    }
    let longest = if period < 3_600 { LONGEST_LOOK } else { LONGEST_HOURLY_LOOK };
    if periods.saturating_mul(period) > longest {
        return Err(PLAIN.invalid(format!(
            "Metrics cannot be checked across more than {longest} seconds (EvaluationPeriods * Period must be <= {longest})"
        )));
    }
    match needed {
        Some(needed) if !(1..=periods).contains(&needed) => {
            Err(PLAIN.invalid("DatapointsToAlarm must be at least 1 and at most EvaluationPeriods."))
        }
        needed => Ok((periods, needed)),
    }
}

fn check_statistic(basic: Option<&str>, extended: Option<&str>) -> Result<(), AwsError> {
    let (name, text, is_basic) = match (basic, extended) {
        (Some(text), None) => ("Statistic", text, true),
        (None, Some(text)) => ("ExtendedStatistic", text, false),
        _ => {
            return Err(PLAIN.combination("Exactly one of Statistic and ExtendedStatistic must be specified"));
        }
    };
    match Statistic::parse(text) {
        Ok(statistic) if statistic.is_basic() == is_basic => Ok(()),
        Err(Unusable::Unsupported) if !is_basic => {
            Err(unsupported("PutMetricAlarm", format_args!("the statistic {text}")))
        }
        _ => Err(PLAIN.value(name, text)),
    }
}

fn check_comparison(operator: Option<String>) -> Result<String, AwsError> {
    let operator = operator.ok_or_else(|| PLAIN.missing("ComparisonOperator"))?;
    let anomaly =
        ["LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"];
    if anomaly.contains(&operator.as_str()) {
        return Err(unsupported("PutMetricAlarm", format_args!("the operator {operator}")));
    }
    match Comparison::parse(&operator) {
        Some(_) => Ok(operator),
        None => Err(PLAIN.value("ComparisonOperator", operator)),
    }
}

fn check_low_samples(treatment: Option<&str>, extended: Option<&str>) -> Result<(), AwsError> {
    let percentile = extended.is_some_and(|text| text.starts_with('p'));
    match treatment {
        None => Ok(()),
        Some("evaluate" | "ignore") if percentile => Ok(()),
        Some("evaluate" | "ignore") => {
            Err(PLAIN.combination("EvaluateLowSampleCountPercentile goes with a percentile only."))
        }
        Some(other) => Err(PLAIN.value("EvaluateLowSampleCountPercentile", other)),
    }
}

fn check_actions(actions: Option<Vec<String>>, place: &str) -> Result<Vec<String>, AwsError> {
    let actions = actions.unwrap_or_default();
    if actions.len() > MOST_ACTIONS {
        return Err(PLAIN
            .invalid(format!("The collection {place} must not have a size greater than {MOST_ACTIONS}.")));
    }
    for action in &actions {
        if !action.starts_with("arn:") || action.splitn(6, ':').count() < 6 || action.len() > 1_024 {
            return Err(PLAIN.invalid(format!("Invalid arn syntax: {action}")));
        }
    }
    Ok(actions)
}

impl Configuration {
    /// What is watched.
    pub(super) fn metric(&self) -> Metric {
        Metric {
            namespace: self.namespace.clone(),
            name: self.metric_name.clone(),
            dimensions: self.dimensions.clone(),
        }
    }

    /// The name of the statistic that is compared.
    pub(super) fn stat(&self) -> &str {
        self.statistic.as_deref().or(self.extended_statistic.as_deref()).unwrap_or_default()
    }

    /// What decides over the state, and the statistic compared. None only where the file that holds
    /// the alarm was changed by hand.
    pub(super) fn rule(&self) -> Option<(Rule, Statistic)> {
        let statistic = Statistic::parse(self.stat()).ok()?;
        let ignores_few = self.evaluate_low_sample_count_percentile.as_deref() == Some("ignore");
        let rule = Rule {
            periods: usize::try_from(self.evaluation_periods).ok()?,
            needed: usize::try_from(self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)).ok()?,
            comparison: Comparison::parse(&self.comparison_operator)?,
            threshold: self.threshold,
            missing: Gap::parse(self.treat_missing_data.as_deref())?,
            least_samples: match statistic {
                Statistic::Percentile(share) if ignores_few => least_samples(share),
                _ => 0.0,
            },
        };
        Some((rule, statistic))
    }

    /// The actions of a state.
    pub(super) fn actions(&self, state: State) -> &[String] {
        match state {
            State::Ok => &self.ok_actions,
            State::Alarm => &self.alarm_actions,
            State::InsufficientData => &self.insufficient_data_actions,
        }
    }
}

impl Alarm {
    /// The alarm as DescribeAlarms shows it.
    pub(super) fn show(&self, arn: String) -> Value {
        let of = &self.configuration;
        let mut shown = Map::new();
        let members = [
            ("AlarmName", json!(self.name)),
            ("AlarmArn", json!(arn)),
            ("AlarmDescription", json!(of.description)),
            ("AlarmConfigurationUpdatedTimestamp", seconds(self.configured)),
            ("ActionsEnabled", json!(of.actions_enabled)),
            ("OKActions", json!(of.ok_actions)),
            ("AlarmActions", json!(of.alarm_actions)),
            ("InsufficientDataActions", json!(of.insufficient_data_actions)),
            ("StateValue", json!(self.state.name())),
            ("StateReason", json!(self.reason)),
            ("StateReasonData", json!(self.reason_data)),
            ("StateUpdatedTimestamp", seconds(self.updated)),
            ("StateTransitionedTimestamp", seconds(self.transitioned)),
            ("MetricName", json!(of.metric_name)),
            ("Namespace", json!(of.namespace)),
            ("Statistic", json!(of.statistic)),
            ("ExtendedStatistic", json!(of.extended_statistic)),
            ("Dimensions", dimensions_out(&of.dimensions)),
            ("Period", json!(of.period)),
            ("Unit", json!(of.unit)),
            ("EvaluationPeriods", json!(of.evaluation_periods)),
            ("DatapointsToAlarm", json!(of.datapoints_to_alarm)),
            ("Threshold", json!(of.threshold)),
            ("ComparisonOperator", json!(of.comparison_operator)),
            ("TreatMissingData", json!(of.treat_missing_data)),
            ("EvaluateLowSampleCountPercentile", json!(of.evaluate_low_sample_count_percentile)),
        ];
        // What is not set is left out; AWS sends no nulls.
        shown.extend(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.to_owned(), value)),
        );
        shown.into()
    }
}
