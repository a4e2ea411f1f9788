//! What rotates: one task that looks for secrets whose rotation is due, and one more for each that is
//! under way; never two for one secret.
//!
//! An attempt invokes the function step by step, as `secretsmanager.amazonaws.com` on behalf of the
//! secret, and stops at the first error. Before every step it looks whether the rotation is still
//! wanted: somebody may have cancelled or abandoned it. It has succeeded when `AWSCURRENT` is on its
//! version after finishSecret, whatever the function says. That an attempt began is written before the
//! first invocation and its end after the last, so that a kill in between costs an attempt and never
//! the rotation.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Job, SERVICE, end_rehearsal, stage_rehearsal};
use crate::aws::AwsError;
use crate::context::lock;
use crate::services::lambda::{Invocation, Lambda, Principal};
use crate::services::secretsmanager::state::Secret;
use crate::services::secretsmanager::{SecretsManager, labels};

/// How often it looks for what is due.
const TICK: Duration = Duration::from_millis(250);
/// After each failure but the last, how long until the next attempt.
const PAUSES_MS: [i64; 2] = [5 * 60_000, 15 * 60_000];
/// A rotation that was cut begins again this long after the start.
const RESUMES_MS: i64 = 5_000;
/// The steps of a rotation.
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Done,
    /// Nobody wants it any more.
    Dropped,
    Failed(String),
}

impl SecretsManager {
    /// Begins to rotate with the functions of `lambda`, until `stop` is cancelled. Must be called
    /// inside a Tokio runtime, once; a second call changes nothing.
    pub fn rotate_with(self: &Arc<Self>, lambda: Arc<Lambda>, stop: CancellationToken) {
        if self.lambda.set(lambda.clone()).is_err() {
            return;
        }
        if let Err(error) = self.resume() {
            tracing::error!(%error, "rotations that were cut are not resumed");
        }
        tokio::spawn(self.clone().watch(lambda, stop));
    }

    /// Whether a rotation of this secret is running.
    pub(super) fn is_busy(&self, arn: &str) -> bool {
        lock(&self.busy).contains(arn)
    }

    async fn watch(self: Arc<Self>, lambda: Arc<Lambda>, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            for arn in self.due().unwrap_or_else(|error| {
                tracing::error!(%error, "the schedule can't be written");
                Vec::new()
            }) {
                lock(&self.busy).insert(arn.clone());
                let (manager, lambda, stop) = (self.clone(), lambda.clone(), stop.clone());
                tasks.spawn(async move {
                    // Cut by the end of the sandbox, it stays as it was begun, and is resumed.
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = manager.attempt(&lambda, &arn) => {}
                    }
                    lock(&manager.busy).remove(&arn);
                    manager.wake.notify_one();
                });
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Lets what an earlier sandbox began wait for a moment: the world around it is only starting.
    fn resume(&self) -> Result<(), AwsError> {
        let soon = self.context.now_ms() + RESUMES_MS;
        let begun = |secret: &Secret| secret.job.as_ref().is_some_and(|job| job.due_ms < soon);
        if !self.state.read(|state| state.all(i64::MIN).any(begun)) {
            return Ok(());
        }
        self.state.change(|state| {
            state.all_mut().filter_map(|secret| secret.job.as_mut()).for_each(|job| {
                job.due_ms = job.due_ms.max(soon);
            });
            Ok(())
        })
    }

    /// The secrets with a rotation to begin now; those whose schedule has come are given one.
    fn due(&self) -> Result<Vec<String>, AwsError> {
        let now = self.context.now_ms();
        let scheduled = |secret: &Secret| secret.deleted_ms.is_none() && is_scheduled(secret, now);
        if self.state.read(|state| state.all(now).any(scheduled)) {
            self.state.change(|state| {
                for secret in state.all_mut().filter(|secret| scheduled(secret)) {
                    begin_scheduled(secret, self.context.random.uuid(), now)?;
                }
                Ok(())
            })?;
        }
        let busy = lock(&self.busy).clone();
        Ok(self.state.read(|state| {
            state
                .all(now)
                .filter(|secret| secret.deleted_ms.is_none() && !busy.contains(&secret.arn))
                .filter(|secret| secret.job.as_ref().is_some_and(|job| job.due_ms <= now))
                .map(|secret| secret.arn.clone())
                .collect()
        }))
    }

    async fn attempt(&self, lambda: &Lambda, arn: &str) {
        let begun = match self.begin(arn) {
            Ok(Some(begun)) => begun,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, arn, "a rotation can't begin");
                return;
            }
        };
        let (job, function) = begun;
        self.service_event(if job.rehearsal { "TestRotationStarted" } else { "RotationStarted" }, arn, None);
        let ended = self.steps(lambda, arn, &job, &function).await;
        tracing::info!(arn, token = job.token, attempt = job.attempts, ?ended, "an attempt to rotate ended");
        match self.end(arn, &job, &ended) {
            Ok(true) => self.tell_end(arn, job.rehearsal, ended),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, arn, "the end of a rotation can't be written"),
        }
    }

    /// Counts the attempt. None where there is nothing to do after all.
    fn begin(&self, arn: &str) -> Result<Option<(Job, String)>, AwsError> {
        let now = self.context.now_ms();
        self.state.change(|state| {
            let Ok(secret) = state.find_mut(arn, now) else { return Ok(None) };
            let (Some(mut job), Some(rotation)) = (secret.job.take(), &secret.rotation) else {
                return Ok(None);
            };
            let function = rotation.lambda_arn.clone();
            let stands = secret.labels.holder(labels::PENDING) == Some(job.token.as_str())
                || secret.labels.holder(labels::CURRENT) == Some(job.token.as_str());
            // Somebody has put the labels right; or it was cut at every attempt.
            if !stands || usize::try_from(job.attempts).is_ok_and(|begun| begun > PAUSES_MS.len()) {
                return Ok(None);
            }
            if job.rehearsal && secret.version(&job.token).is_none() {
                stage_rehearsal(secret, &job.token, now);
            }
            job.attempts += 1;
            secret.job = Some(job.clone());
            Ok(Some((job, function)))
        })
    }

    async fn steps(&self, lambda: &Lambda, arn: &str, job: &Job, function: &str) -> Ended {
        let steps = if job.rehearsal { &STEPS[2..3] } else { &STEPS[..] };
        let rotation_token = self.context.random.uuid();
        for step in steps {
            if !self.is_wanted(arn, job) {
                return Ended::Dropped;
            }
            if !job.rehearsal && self.is_current(arn, &job.token) {
                // All of it was done by an attempt whose end was lost.
                return Ended::Done;
            }
            let event = json!({
                "Step": step, "SecretId": arn, "ClientRequestToken": job.token, "RotationToken": rotation_token,
            });
            let invocation = Invocation {
                function: function.to_owned(),
                qualifier: None,
                payload: event.to_string().into(),
                principal: Some(Principal { service: SERVICE.to_owned(), source_arn: arn.to_owned() }),
                trace: None,
            };
            match lambda.invoke(invocation).await {
                Err(error) => {
                    return Ended::Failed(format!(
                        "Rotation failed in step {step}: the Lambda function {function} could not be invoked \
                         ({}).",
                        error.code
                    ));
                }
                Ok(invoked) if invoked.function_error.is_some() => {
                    return Ended::Failed(format!(
                        "Rotation failed in step {step}: the Lambda function {function} returned an error."
                    ));
                }
                Ok(_) => {}
            }
        }
        if !self.is_wanted(arn, job) {
            return Ended::Dropped;
        }
        if !job.rehearsal && !self.is_current(arn, &job.token) {
            return Ended::Failed(format!(
                "Rotation failed in step finishSecret: the version {} does not have the staging label {}.",
                job.token,
                labels::CURRENT
            ));
        }
        Ended::Done
    }

    fn is_wanted(&self, arn: &str, job: &Job) -> bool {
        let now = self.context.now_ms();
        self.state.read(|state| {
            state.find(arn, now).is_ok_and(|secret| {
                secret.deleted_ms.is_none() && secret.job.as_ref().is_some_and(|held| held.token == job.token)
            })
        })
    }

    fn is_current(&self, arn: &str, token: &str) -> bool {
        let now = self.context.now_ms();
        self.state.read(|state| {
            state.find(arn, now).is_ok_and(|secret| secret.labels.holder(labels::CURRENT) == Some(token))
        })
    }

    /// Writes the end of an attempt. False where nobody waits for it any more.
    fn end(&self, arn: &str, job: &Job, ended: &Ended) -> Result<bool, AwsError> {
        let now = self.context.now_ms();
        self.state.change(|state| {
            let Ok(secret) = state.find_mut(arn, now) else { return Ok(false) };
            if job.rehearsal {
                end_rehearsal(secret, &job.token);
            }
            if secret.job.as_ref().is_none_or(|held| held.token != job.token) {
                return Ok(false);
            }
            secret.job = None;
            match ended {
                Ended::Dropped => return Ok(false),
                Ended::Done if job.rehearsal => {}
                Ended::Done => {
                    secret.last_rotated_ms = Some(now);
                    secret.changed_ms = now;
                    if let Some(rotation) = secret.rotation.as_mut().filter(|rotation| rotation.enabled) {
                        rotation.plan(&self.context);
                    }
                }
                Ended::Failed(_) if job.rehearsal => {}
                Ended::Failed(_) => secret.job = again(job, now),
            }
            Ok(true)
        })
    }

    fn tell_end(&self, arn: &str, rehearsal: bool, ended: Ended) {
        let (name, error) = match (ended, rehearsal) {
            (Ended::Dropped, _) => return,
            (Ended::Done, false) => ("RotationSucceeded", None),
            (Ended::Done, true) => ("TestRotationSucceeded", None),
            (Ended::Failed(why), false) => ("RotationFailed", Some(why)),
            (Ended::Failed(why), true) => ("TestRotationFailed", Some(why)),
        };
        self.service_event(name, arn, error);
    }
}

/// Whether the schedule wants a rotation of this secret now.
fn is_scheduled(secret: &Secret, now: i64) -> bool {
    secret.job.is_none()
        && secret
            .rotation
            .as_ref()
            .is_some_and(|rotation| rotation.enabled && rotation.wakes_ms.is_some_and(|at| at <= now))
}

/// Begins the rotation of a window: a new one, or one that hangs once more.
fn begin_scheduled(secret: &mut Secret, token: String, now: i64) -> Result<(), AwsError> {
    let token = secret.labels.pending().map_or(token, str::to_owned);
    secret.labels.begin_rotation(&token)?;
    secret.job = Some(Job { token, rehearsal: false, attempts: 0, due_ms: now });
    if let (Some(rotation), Some(time)) = (&mut secret.rotation, DateTime::from_timestamp_millis(now)) {
        rotation.wakes_ms = rotation.rules.next(time).map(|window| window.opens_ms);
    }
    Ok(())
}

/// The next attempt after a failed one, where there is to be another.
fn again(job: &Job, now: i64) -> Option<Job> {
    let failed = usize::try_from(job.attempts).ok()?.checked_sub(1)?;
    Some(Job { due_ms: now + PAUSES_MS.get(failed)?, ..job.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_rotation_is_attempted_three_times() {
        let job = |attempts| Job { token: "t".into(), rehearsal: false, attempts, due_ms: 0 };
        let due = |attempts| again(&job(attempts), 1_000).map(|job| job.due_ms);
        assert_eq!([1, 2, 3].map(due), [Some(301_000), Some(901_000), None]);
    }
}
