//! The secret that the function logs in with, and its rotation: what is shown of it, and what can be
//! done to it. Never its value, which the portal has no right to read.
//!
//! Everything shown is derived from what AWS holds (version stages, the rotation function's log,
//! CloudTrail's events): two portals show the same, and one that was killed has forgotten nothing.

use serde::{Deserialize, Serialize};

pub use crate::check::{Check, CheckOutcome, Preflight};
use crate::overview::Reading;
use crate::time::Timestamp;

/// The secret's page. Each part is read on its own and fails on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SecretPage {
    /// When it was put together: ages are counted from here.
    pub now: Timestamp,
    /// The secret as AWS describes it.
    pub secret: Reading<SecretDetail>,
    /// The rotation that is shown: the one asked for, else the one in progress or left half done,
    /// else the last one.
    pub rotation: Reading<Option<Rotation>>,
    /// What to do about a rotation that was left half done; none where nothing is.
    pub repair: Reading<Option<RepairPlan>>,
    /// Whether a rotation would go through.
    pub preflight: Reading<Preflight>,
    /// Rotations of the past, the newest first.
    pub history: Reading<Vec<PastRotation>>,
    /// The functions that name the secret in their environment.
    pub users: Reading<Vec<SecretUser>>,
}

/// The secret as AWS describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretDetail {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The key it is encrypted with; none for Secrets Manager's own.
    pub kms_key: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When anything of it last changed.
    pub changed: Option<Timestamp>,
    /// When it was last rotated.
    pub rotated: Option<Timestamp>,
    /// When it is to be rotated next; in the past when rotation is failing.
    pub next_rotation: Option<Timestamp>,
    /// Whether rotation is switched on.
    pub rotation_enabled: bool,
    /// The ARN of the rotation function.
    pub rotation_function: Option<String>,
    /// The schedule: `rate(30 days)` or `cron(0 4 ? * SUN *)`, in UTC.
    pub schedule: Option<String>,
    /// How long after the scheduled time the rotation may begin, for example `3h`.
    pub window: Option<String>,
    /// The next times the schedule names, at most three.
    pub next_runs: Vec<Timestamp>,
    /// Versions that have a label, the current one first.
    pub versions: Vec<SecretVersion>,
}

impl SecretDetail {
    /// The version labelled `AWSCURRENT`.
    pub fn current(&self) -> Option<&SecretVersion> {
        self.labelled("AWSCURRENT")
    }

    /// The version labelled `AWSPREVIOUS`.
    pub fn previous(&self) -> Option<&SecretVersion> {
        self.labelled("AWSPREVIOUS")
    }

    /// The version that a rotation in progress, or one that was left half done, holds as `AWSPENDING`.
    /// On the same version as `AWSCURRENT` the label means that the rotation is done.
    pub fn pending(&self) -> Option<&SecretVersion> {
        self.labelled("AWSPENDING").filter(|version| !version.has("AWSCURRENT"))
    }

    fn labelled(&self, label: &str) -> Option<&SecretVersion> {
        self.versions.iter().find(|version| version.has(label))
    }
}

/// A version of the secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretVersion {
    /// Its id.
    pub id: String,
    /// Its version stages.
    pub labels: Vec<String>,
    /// When it got its value; none while it has none.
    pub created: Option<Timestamp>,
    /// Whether it has a value: one without was left behind before the rotation's first step was done.
    pub has_value: bool,
    /// Who started the rotation that made it, where its id says so.
    pub started_by: Option<String>,
}

impl SecretVersion {
    /// Whether it has a label.
    pub fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|held| held == label)
    }
}

/// A function that names the secret in its environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SecretUser {
    /// The function's name.
    pub function: String,
    /// The variable that names the secret.
    pub variable: String,
}

/// How the password is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Strategy {
    /// One login, whose password is changed.
    SingleUser,
    /// Two logins that take turns: the one in use is never touched.
    AlternatingUsers,
}

/// The four steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Step {
    /// A new password is put into the secret, as AWSPENDING.
    CreateSecret,
    /// The database is told.
    SetSecret,
    /// The new login is tried.
    TestSecret,
    /// The new version becomes AWSCURRENT.
    FinishSecret,
}

impl Step {
    /// All four.
    pub const ALL: [Self; 4] = [Self::CreateSecret, Self::SetSecret, Self::TestSecret, Self::FinishSecret];

    /// As Secrets Manager writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
        }
    }

    /// What it does, in a few words.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::CreateSecret => "Make a new password and keep it as AWSPENDING",
            Self::SetSecret => "Give the login in SQL Server the new password",
            Self::TestSecret => "Log in with the new password and run a query",
            Self::FinishSecret => "Make the new version AWSCURRENT",
        }
    }
}

/// A rotation, or a rehearsal of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rotation {
    /// Its id: the request's token and the new version's id.
    pub token: String,
    /// Who started it, where the id says so.
    pub started_by: Option<String>,
    /// Whether only the login was tried.
    pub rehearsal: bool,
    /// How it stands.
    pub state: RotationState,
    /// One sentence that says so.
    pub summary: String,
    /// When its first step began.
    pub started: Option<Timestamp>,
    /// When its last step ended.
    pub ended: Option<Timestamp>,
    /// How the password is changed, as the rotation function said.
    pub strategy: Option<Strategy>,
    /// The four steps; of a rehearsal, the one.
    pub steps: Vec<StepProgress>,
}

/// How a rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RotationState {
    /// At work.
    Running,
    /// Done.
    Done,
    /// Stopped at a step, which is named; its AWSPENDING is in the way of the next one.
    HalfDone,
    /// Failed, and nothing of it is left behind.
    Failed,
}

/// A step of a rotation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepProgress {
    /// Which.
    pub step: Step,
    /// How it stands.
    pub state: StepState,
    /// When it began last.
    pub began: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// How often it was begun: more than once when Secrets Manager tried again.
    pub attempts: u32,
    /// What went wrong, in plain words, and what to do.
    pub trouble: Option<Trouble>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// At work.
    Running,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Begun, and never ended: the function was stopped, or waits for what does not answer.
    Silent,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Trouble {
    /// The rotation function's name for it, for example `wrong_password`.
    pub cause: String,
    /// What it means.
    pub what: String,
    /// What the function said.
    pub said: Option<String>,
    /// What to do next.
    pub next: String,
}

/// What to do about a rotation that was left half done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepairPlan {
    /// The rotation's id.
    pub token: String,
    /// What happened, in plain words.
    pub happened: String,
    /// What was found out by logging in, one sentence for each version tried.
    pub evidence: Vec<String>,
    /// What will be so afterwards; where nothing can be done from here, what a person has to do.
    pub outcome: String,
    /// The labels to move, in this order. Empty when nothing can be done from here, or not yet.
    pub moves: Vec<LabelMove>,
}

/// A label and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LabelMove {
    /// The version stage.
    pub label: String,
    /// The version that has it now.
    pub from: String,
    /// The version that gets it; none when it is only taken away.
    pub to: Option<String>,
    /// Why.
    pub why: String,
}

/// A rotation of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PastRotation {
    /// Its id, where the events have it.
    pub token: Option<String>,
    /// Who started it; none for the schedule, and where the id does not say.
    pub started_by: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; none while no end is on record.
    pub ended: Option<Timestamp>,
    /// How.
    pub outcome: PastOutcome,
    /// What went wrong, in CloudTrail's words.
    pub error: Option<String>,
}

/// How a rotation of the past ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PastOutcome {
    /// No end is on record.
    Open,
    /// The secret was rotated.
    Succeeded,
    /// A step failed.
    Failed,
    /// Somebody put another value meanwhile.
    Abandoned,
}

/// Rotates the secret now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateSecret {
    /// 32 hexadecimal digits of the caller's own choice, so that a repeated request is the same
    /// rotation; none for a new one.
    #[serde(default)]
    pub id: Option<String>,
}

/// Tries the rotation's last login again (`testSecret`), and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RehearseRotation {
    /// As in [`RotateSecret`].
    #[serde(default)]
    pub id: Option<String>,
}

/// Puts a rotation right that was left half done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepairRotation {
    /// The rotation's id, as the plan has it.
    pub token: String,
    /// The moves, as the plan has them: if the plan is another by now, nothing is done.
    pub moves: Vec<LabelMove>,
    /// The secret's name, typed in. Whatever was typed, for one a password into the wrong field, is not
    /// written down.
    #[serde(skip_serializing)]
    pub confirm: String,
}

/// Sets when the secret is rotated by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetRotationSchedule {
    /// `rate(30 days)`, `rate(12 hours)` or `cron(0 4 ? * SUN *)`, in UTC; none switches rotation off,
    /// and must be said.
    #[serde(deserialize_with = "said")]
    pub schedule: Option<String>,
    /// For how many hours after the scheduled time a rotation may begin.
    #[serde(default)]
    pub window_hours: Option<u32>,
}

/// A member that may be null, and must be there: serde takes a missing one for null else.
fn said<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(input)
}

/// What was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Begun {
    /// The rotation's id, to follow it by.
    pub token: String,
}

/// What was done to labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Repaired {
    /// The moves that were made.
    pub moves: Vec<LabelMove>,
}

/// When the secret is rotated from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scheduled {
    /// The next times, at most three; empty when rotation is off.
    pub next_runs: Vec<Timestamp>,
}

/// The most characters of a person's name in a rotation's id: the id has 64 at most (AWS, `RotateSecret`,
/// `ClientRequestToken`), 33 of them are the number and the hyphen.
const MOST_OF_A_NAME: usize = 31;

/// A rotation's id: 32 hexadecimal digits, and who started it. It becomes the new version's id, so
/// whoever looks at the secret sees who is rotating it, and nothing has to be kept anywhere else.
/// Takes the digits and the account's e-mail address, of which the part before the `@` is used.
pub fn token(digits: &str, name: &str) -> String {
    let local = name.split('@').next().unwrap_or_default();
    let plain: String = local
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' })
        .take(MOST_OF_A_NAME)
        .collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { digits.to_owned() } else { format!("{digits}-{plain}") }
}

/// Who started the rotation with this id; none for an id that was not made by [`token`].
pub fn starter(token: &str) -> Option<&str> {
    let (digits, name) = token.split_at_checked(32)?;
    let name = name.strip_prefix('-')?;
    (is_id(digits) && !name.is_empty()).then_some(name)
}

/// Whether `id` is 32 hexadecimal digits in lower case.
pub fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_token_says_who() {
        let table = [
            ("anna@example.com", Some("anna")),
            ("Anna.Maria+night@example.com", Some("anna.maria-night")),
            ("漢字@example.com", None),
            ("a-very-long-name-that-goes-on-and-on@x", Some("a-very-long-name-that-goes-on-a")),
            ("", None),
        ];
        for (email, name) in table {
            let token = token(DIGITS, email);
            assert_eq!(starter(&token), name, "{token}");
            assert!((32..=64).contains(&token.len()), "{token}");
        }
    }

    #[test]
    fn other_ids_name_nobody() {
        for id in ["", "0f8b2c3e-1a2b-4c3d-8e9f-0123456789ab", DIGITS, "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE"]
        {
            assert_eq!(starter(id), None, "{id}");
        }
    }
}
