//! Rotation: `RotateSecret`, `CancelRotateSecret`, and what a secret keeps of it. The work itself is
//! done in [`worker`], when it is due in [`schedule`].
//!
//! `RotateSecret` puts `AWSPENDING` on the new version (its token), without a value, in the same step
//! in which it writes the configuration, then answers; the function is invoked afterwards. What is to
//! be done is kept as a [`Job`] in the state, so a sandbox that was killed goes on with it.
//!
//! As AWS documents it:
//! - a rotation is refused while `AWSPENDING` is on another version than `AWSCURRENT`;
//! - `RotateImmediately: false` runs testSecret only, on an `AWSPENDING` version that is made for it
//!   and removed afterwards;
//! - a rotation that fails is attempted again "multiple times", and leaves `AWSPENDING` where it was;
//! - a new version that somebody else makes in the meantime abandons the rotation: `AWSPENDING` is
//!   taken away and `RotationAbandoned` recorded;
//! - `CancelRotateSecret` turns rotation off and ends a rotation that runs, labels left as they are.
//!
//! Assumed, as AWS does not say:
//! - the version of a rehearsal has the value of `AWSCURRENT`, as a testSecret reads a value;
//! - "multiple times" is three attempts, five and fifteen minutes after a failure, and once more a
//!   series of three in every window of the schedule while it hangs;
//! - the same token again, while its rotation hangs and nothing is running, attempts it anew at once:
//!   it is the same rotation. A token that became a version is answered and nothing is done;
//! - a rotation that the end of the sandbox cut short begins again with its first step a few seconds
//!   after the next start, which the protocol allows at any point, and counts as an attempt.

mod cron;
pub mod schedule;
pub mod worker;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use self::schedule::{Rules, Window};
use super::state::{DAY_MS, Secret, Version, seconds};
use super::{ById, SecretsManager, checks, labels};
use crate::aws::{AwsError, Reply};
use crate::context::Context;
use crate::services::lambda::Principal;

/// Who invokes a rotation function.
const SERVICE: &str = "secretsmanager.amazonaws.com";

/// How a secret is rotated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rotation {
    /// False after `CancelRotateSecret`; the rest is kept for whoever turns it on again.
    pub enabled: bool,
    /// The function.
    pub lambda_arn: String,
    /// The schedule.
    pub rules: Rules,
    /// The window that `NextRotationDate` names; it stays in the past while rotation fails.
    pub next: Option<Window>,
    /// When the schedule acts next: `next`, and after a failure the window behind it.
    pub wakes_ms: Option<i64>,
}

/// A rotation, or the rehearsal of one, that is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The version it makes.
    pub token: String,
    /// Only testSecret.
    pub rehearsal: bool,
    /// How many attempts were begun.
    pub attempts: u32,
    /// When the next one begins.
    pub due_ms: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Rotate {
    secret_id: String,
    client_request_token: Option<String>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda_arn: Option<String>,
    rotation_rules: Option<Rules>,
    rotate_immediately: Option<bool>,
}

/// What a `RotateSecret` comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// A new version is made.
    New,
    /// The same call again: its rotation is pending still.
    Again,
    /// The same call again: its version is there.
    Done,
}

impl SecretsManager {
    pub(super) fn rotate(&self, input: Rotate) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        let token = checks::token(input.client_request_token)?;
        if let Some(arn) = &input.rotation_lambda_arn {
            checks::length("rotationLambdaARN", arn, 0, 2048)?;
        }
        let rules = input.rotation_rules;
        rules.as_ref().map_or(Ok(()), Rules::check)?;
        let rehearsal = input.rotate_immediately == Some(false);
        let given = input.rotation_lambda_arn.filter(|arn| !arn.is_empty());
        let (arn, function) = self.read(&input.secret_id, |secret| {
            start(secret, &token, rehearsal)?;
            let held = secret.rotation.as_ref().map(|rotation| rotation.lambda_arn.clone());
            Ok((secret.arn.clone(), given.or(held).ok_or_else(no_function)?))
        })?;
        self.may_invoke(&function, &arn)?;
        let busy = self.is_busy(&arn);
        self.change(&arn, |secret, now| {
            let start = start(secret, &token, rehearsal)?;
            configure(secret, function, rules, &self.context);
            let job = Job { token: token.clone(), rehearsal, attempts: 0, due_ms: now };
            let under_way = busy && secret.job.as_ref().is_some_and(|job| job.due_ms <= now);
            match start {
                Start::Done => {}
                Start::Again if under_way => {}
                Start::Again => secret.job = Some(job),
                Start::New => {
                    secret.labels.begin_rotation(&token)?;
                    if rehearsal {
                        stage_rehearsal(secret, &token, now);
                    }
                    secret.job = Some(job);
                }
            }
            Ok(Reply::json(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": token})))
        })
    }

    /// May be repeated: a rotation that is off stays off.
    pub(super) fn cancel_rotation(&self, input: &ById) -> Result<Reply, AwsError> {
        checks::secret_id(&input.secret_id)?;
        self.change(&input.secret_id, |secret, _| {
            let mut reply = json!({"ARN": secret.arn, "Name": secret.name});
            let rotation = secret.rotation.as_mut().ok_or_else(no_function)?;
            (rotation.enabled, rotation.next, rotation.wakes_ms) = (false, None, None);
            if let Some(job) = secret.job.take() {
                if job.rehearsal {
                    end_rehearsal(secret, &job.token);
                }
                reply["VersionId"] = job.token.into();
            }
            Ok(Reply::json(reply))
        })
    }

    /// Checks that the function is there and lets Secrets Manager invoke it for this secret. AWS gives
    /// one answer for both.
    fn may_invoke(&self, function: &str, secret: &str) -> Result<(), AwsError> {
        let principal = Principal { service: SERVICE.to_owned(), source_arn: secret.to_owned() };
        let allowed = self.lambda.get().is_some_and(|lambda| lambda.may_invoke(function, &principal));
        if allowed {
            return Ok(());
        }
        Err(AwsError::new(
            "AccessDeniedException",
            format!(
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy \
                 grants access to the principal {SERVICE}."
            ),
        ))
    }
}

impl Secret {
    /// What `DescribeSecret` and `ListSecrets` say of the rotation. A secret that never had one says
    /// nothing.
    pub(super) fn described_rotation(&self, out: &mut Map<String, Json>) {
        if let Some(at) = self.last_rotated_ms {
            out.insert("LastRotatedDate".into(), seconds(at));
        }
        let Some(rotation) = &self.rotation else { return };
        out.insert("RotationEnabled".into(), rotation.enabled.into());
        out.insert("RotationLambdaARN".into(), rotation.lambda_arn.clone().into());
        let mut rules = json!(rotation.rules);
        if let Some(next) = rotation.next {
            out.insert("NextRotationDate".into(), seconds(next.closes_ms));
            // AWS: calculated from the schedule after every rotation.
            if let (None, Some(last)) = (rotation.rules.automatically_after_days, self.last_rotated_ms) {
                rules["AutomaticallyAfterDays"] = ((next.closes_ms - last) / DAY_MS).max(1).into();
            }
        }
        out.insert("RotationRules".into(), rules);
    }

    /// After somebody made the version `made`: a rotation that hangs on another one is abandoned, and
    /// what replaced the value counts as a rotation for a schedule that counts from the last. Returns
    /// whether a rotation was abandoned.
    ///
    /// `AWSPENDING` goes in any case, but from the version made: it would be in the way of the next
    /// rotation.
    pub(super) fn made_by_hand(&mut self, made: &str, before: &labels::Labels, context: &Context) -> bool {
        let hung = before.pending().is_some_and(|token| token != made);
        if before.pending() == Some(made) {
            // The rotation's own value.
            return false;
        }
        if self.labels.holder(labels::CURRENT) == Some(made)
            && let Some(rotation) = self.rotation.as_mut().filter(|rotation| rotation.enabled)
            && rotation.rules.counts_from_last()
        {
            rotation.plan(context);
        }
        if hung {
            self.job = None;
        }
        // Also where it had stayed on the version that was current: nothing hangs there.
        if self.labels.pending().is_some_and(|token| token != made) {
            self.labels.end_pending();
        }
        hung
    }
}

impl Rotation {
    /// Sets the next window, counted from now.
    fn plan(&mut self, context: &Context) {
        self.next = self.rules.next(context.now());
        self.wakes_ms = self.next.map(|window| window.opens_ms);
    }
}

/// What `RotateSecret` with this token means for a secret in this state.
fn start(secret: &Secret, token: &str, rehearsal: bool) -> Result<Start, AwsError> {
    let job = secret.job.as_ref().filter(|job| job.token == token);
    let same = job.map_or(!rehearsal, |job| job.rehearsal == rehearsal);
    match secret.labels.pending() {
        Some(pending) if pending == token && same => Ok(Start::Again),
        Some(_) => secret.labels.no_rotation_hangs().map(|()| Start::New),
        None if secret.version(token).is_none() => Ok(Start::New),
        None if secret.labels.any_on(token) => Ok(Start::Done),
        None => Err(AwsError::new(
            "InvalidRequestException",
            format!("You can't use ClientRequestToken {token} because that value is already in use."),
        )),
    }
}

fn configure(secret: &mut Secret, function: String, rules: Option<Rules>, context: &Context) {
    let rotation = secret.rotation.get_or_insert_default();
    let planned = rotation.enabled && rules.as_ref().is_none_or(|rules| *rules == rotation.rules);
    rotation.enabled = true;
    rotation.lambda_arn = function;
    if let Some(rules) = rules {
        rotation.rules = rules;
    }
    if !planned {
        rotation.plan(context);
    }
}

/// Gives the version of a rehearsal the current value. It takes no part in the count of versions, as
/// it goes again.
fn stage_rehearsal(secret: &mut Secret, token: &str, now: i64) {
    let current = secret.labels.holder(labels::CURRENT).and_then(|id| secret.version(id));
    if let Some(value) = current.map(|version| version.value.clone()) {
        secret.versions.push(Version { id: token.to_owned(), created_ms: now, accessed_ms: None, value });
    }
}

/// Takes the version of a rehearsal away, unless somebody has given it a label.
fn end_rehearsal(secret: &mut Secret, token: &str) {
    if secret.labels.pending() == Some(token) {
        secret.labels.end_pending();
    }
    if !secret.labels.any_on(token) {
        secret.versions.retain(|version| version.id != token);
    }
}

fn no_function() -> AwsError {
    AwsError::new(
        "InvalidRequestException",
        "No Lambda rotation function ARN is associated with this secret.",
    )
}

#[cfg(test)]
mod tests {
    use super::super::state::Value;
    use super::*;

    #[test]
    fn a_token_says_whether_a_rotation_is_a_new_one() {
        let held = |pending: Option<&str>, job: Option<(&str, bool)>| {
            let mut secret = Secret::default();
            let value = || Value::Text("x".into());
            for id in ["a", "b"] {
                secret.add_version(id, value(), &[], 0).unwrap();
            }
            secret.versions.push(Version {
                id: "c".into(),
                created_ms: 0,
                accessed_ms: None,
                value: value(),
            });
            if let Some(pending) = pending {
                secret.labels.begin_rotation(pending).unwrap();
            }
            secret.job =
                job.map(|(token, rehearsal)| Job { token: token.into(), rehearsal, attempts: 1, due_ms: 0 });
            secret
        };
        let hangs = Err("InvalidRequestException");
        for (pending, job, token, rehearsal, expected) in [
            (None, None, "n", false, Ok(Start::New)),
            (None, None, "n", true, Ok(Start::New)),
            (Some("b"), None, "n", false, Ok(Start::New)),
            (Some("p"), None, "n", false, hangs),
            (Some("p"), None, "p", false, Ok(Start::Again)),
            (Some("p"), Some(("p", false)), "p", false, Ok(Start::Again)),
            (Some("p"), None, "p", true, hangs),
            (Some("p"), Some(("p", false)), "p", true, hangs),
            (Some("p"), Some(("p", true)), "p", true, Ok(Start::Again)),
            (Some("p"), Some(("p", true)), "p", false, hangs),
            (None, None, "b", false, Ok(Start::Done)),
            (None, None, "a", false, Ok(Start::Done)),
            (None, None, "c", false, Err("InvalidRequestException")),
        ] {
            let found = start(&held(pending, job), token, rehearsal).map_err(|error| error.code);
            assert_eq!(found, expected.map_err(str::to_owned), "{pending:?} {job:?} {token} {rehearsal}");
        }
    }
}
