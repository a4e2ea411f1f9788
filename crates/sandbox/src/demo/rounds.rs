//! Rotations of the demo world's secret, one after the other, with any strategy: for those who look
//! whether anybody notices.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use aws_sdk_lambda::types::Environment;

use super::rotation::amend;
use super::stack::Builder;
use super::{FUNCTION, MASTER_SECRET_ID, ROTATION_FUNCTION, SECRET_ID, authority};
use crate::Sandbox;
use crate::tds::RefusedLogin;

/// How long a rotation may take, all attempts that are asked for together.
const LIMIT: Duration = Duration::from_secs(120);
/// How often is looked how far it is.
const LOOK: Duration = Duration::from_millis(20);
/// How often idle environments are ended: some calls find a warm one, and some a cold one.
const CHILL: Duration = Duration::from_millis(300);
/// How long is waited for the last line of the rotation function's log.
const LAST_LINE: Duration = Duration::from_secs(10);
/// The error of a login that failed, for whatever reason the client is not told.
const LOGIN_FAILED: i32 = 18456;
/// What the API's function calls itself when it logs in.
const API_PROGRAM: &str = "learninghub-api";

/// Whose password is changed, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The login its own.
    Single,
    /// The superuser that of the one login.
    SingleBySuperuser,
    /// The superuser those of two logins by turns.
    Alternating,
}

impl Strategy {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Single, Self::SingleBySuperuser, Self::Alternating];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single user",
            Self::SingleBySuperuser => "single user, by a superuser",
            Self::Alternating => "alternating users",
        }
    }
}

/// A rotation that has come to its end.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The version's id.
    pub token: String,
    /// When it was asked for, in milliseconds since 1970.
    pub from_ms: i64,
    /// When its version was the current one.
    pub to_ms: i64,
}

/// Rotates the secret of a demo world that was built with a rotation function.
pub struct Rotations<'a> {
    sandbox: &'a Sandbox,
    stack: Builder,
    made: u32,
}

impl<'a> Rotations<'a> {
    /// Nothing is rotated yet.
    ///
    /// # Errors
    /// When the sandbox's certificate can't be read.
    pub async fn of(sandbox: &'a Sandbox) -> Result<Self> {
        let stack = Builder::new(sandbox, authority(sandbox)?).await;
        Ok(Self { sandbox, stack, made: 0 })
    }

    /// Configures the secret and the function for a strategy.
    ///
    /// # Errors
    /// When a call is refused.
    pub async fn use_strategy(&self, strategy: Strategy) -> Result<()> {
        let master = self.stack.secrets.describe_secret().secret_id(MASTER_SECRET_ID).send().await?;
        let master = master.arn().context("a secret without an ARN")?;
        amend(self.sandbox, SECRET_ID, |value| {
            let Some(members) = value.as_object_mut() else { return };
            members.remove("masterarn");
            if strategy != Strategy::Single {
                members.insert("masterarn".to_owned(), master.into());
            }
        })?;
        let (lambda, name) = (&self.stack.lambda, ROTATION_FUNCTION);
        let held = lambda.get_function_configuration().function_name(name).send().await?;
        let mut variables = held.environment().and_then(|held| held.variables()).cloned().unwrap_or_default();
        let wanted = if strategy == Strategy::SingleBySuperuser { "single" } else { "auto" };
        variables.insert("ROTATION_STRATEGY".to_owned(), wanted.to_owned());
        let environment = Environment::builder().set_variables(Some(variables)).build();
        lambda.update_function_configuration().function_name(name).environment(environment).send().await?;
        self.stack.settled(name, "$LATEST").await
    }

    /// An id for the next rotation, of the form the portal gives them.
    pub fn next_token(&mut self) -> String {
        self.made += 1;
        format!("{:032x}-callers", self.made)
    }

    /// Asks for the rotation with this id, or for another attempt of it while it hangs.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn ask(&self, token: &str) -> Result<()> {
        self.stack.secrets.rotate_secret().secret_id(SECRET_ID).client_request_token(token).send().await?;
        Ok(())
    }

    /// Rotates, and meanwhile ends the idle environments of the API's function again and again, so that
    /// there are cold starts at every moment of it.
    ///
    /// # Errors
    /// When it is refused, or does not come to its end in time.
    pub async fn rotate(&mut self) -> Result<Rotated> {
        let token = self.next_token();
        let from_ms = self.sandbox.context().now_ms();
        self.ask(&token).await?;
        let finished = async {
            while !self.is_over(&token).await? {
                tokio::time::sleep(LOOK).await;
            }
            anyhow::Ok(())
        };
        tokio::select! {
            ended = tokio::time::timeout(LIMIT, finished) => ended.context("the rotation does not end")??,
            () = self.chill() => {}
        }
        Ok(Rotated { token, from_ms, to_ms: self.sandbox.context().now_ms() })
    }

    /// Lets some time pass without a rotation, but for that as a rotation is: with cold starts.
    pub async fn rest(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.chill() => {}
        }
    }

    /// Ends the idle environments of the API's function again and again.
    async fn chill(&self) {
        loop {
            self.sandbox.functions().end_idle(FUNCTION);
            tokio::time::sleep(CHILL).await;
        }
    }

    /// The steps of these rotations, each with the milliseconds it took, as the rotation function's log
    /// has them.
    ///
    /// # Errors
    /// When the log can't be read, or does not tell of all steps in time.
    pub async fn steps(&self, rotations: &[Rotated]) -> Result<Vec<(String, f64)>> {
        let from_ms = rotations.first().map_or(0, |first| first.from_ms);
        let whole = async {
            loop {
                let steps = self.logged_steps(from_ms).await?;
                if steps.len() >= rotations.len() * 4 {
                    return Ok(steps);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(LAST_LINE, whole).await {
            Ok(steps) => steps,
            Err(_) => bail!("the log of the rotation function lacks steps"),
        }
    }

    async fn logged_steps(&self, from_ms: i64) -> Result<Vec<(String, f64)>> {
        let mut pages = self
            .stack
            .logs
            .filter_log_events()
            .log_group_name(format!("/aws/lambda/{ROTATION_FUNCTION}"))
            .filter_pattern(r#"{ $.event = "rotation_step_ended" }"#)
            .start_time(from_ms)
            .into_paginator()
            .send();
        let mut steps = Vec::new();
        while let Some(page) = pages.next().await {
            for event in page?.events() {
                let line: serde_json::Value = serde_json::from_str(event.message().unwrap_or_default())?;
                let step = line["step"].as_str().context("a line without its step")?;
                steps
                    .push((step.to_owned(), line["durationMs"].as_f64().context("a step without its time")?));
            }
        }
        Ok(steps)
    }

    /// Whether the version is current and AWSPENDING on no other.
    ///
    /// # Errors
    /// When the secret can't be read.
    pub async fn is_over(&self, token: &str) -> Result<bool> {
        let held = self.stack.secrets.describe_secret().secret_id(SECRET_ID).send().await?;
        let versions = held.version_ids_to_stages().into_iter().flatten();
        let on = |label: &str| {
            let mut holders = versions.clone().filter(|(_, labels)| labels.iter().any(|held| held == label));
            holders.next().map(|(id, _)| id.as_str())
        };
        Ok(on("AWSCURRENT") == Some(token) && on("AWSPENDING").is_none_or(|id| id == token))
    }
}

/// The most failed logins that one environment of the API's function made from one rotation's beginning
/// to the next one's.
pub fn most_failed_logins(refused: &[RefusedLogin], rotations: &[Rotated]) -> usize {
    let mut counts = std::collections::HashMap::<_, usize>::new();
    for login in refused.iter().filter(|login| is_failed_login(login)) {
        let rotation = rotations.iter().rposition(|rotation| rotation.from_ms <= login.at_ms);
        *counts.entry((rotation, &login.host)).or_default() += 1;
    }
    counts.into_values().max().unwrap_or_default()
}

/// Whether it is a failed login of the API's function.
pub fn is_failed_login(refused: &RefusedLogin) -> bool {
    refused.application == API_PROGRAM && refused.number == LOGIN_FAILED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_logins_are_counted_by_environment_and_rotation() {
        let rotated = |from_ms| Rotated { token: String::new(), from_ms, to_ms: from_ms + 5 };
        let refused = |at_ms, host: &str, application: &str, number| RefusedLogin {
            at_ms,
            number,
            login: "learninghub_app".to_owned(),
            application: application.to_owned(),
            host: host.to_owned(),
        };
        let api = |at_ms, host| refused(at_ms, host, API_PROGRAM, LOGIN_FAILED);
        let rotations = [rotated(10), rotated(20)];
        assert_eq!(most_failed_logins(&[], &rotations), 0);
        assert_eq!(most_failed_logins(&[api(11, "a"), api(12, "b"), api(21, "a")], &rotations), 1);
        assert_eq!(most_failed_logins(&[api(11, "a"), api(19, "a"), api(20, "a")], &rotations), 2);
        let others = [
            api(11, "a"),
            refused(12, "a", "lockkeeper-rotation", LOGIN_FAILED),
            refused(13, "a", API_PROGRAM, 18486),
        ];
        assert_eq!(most_failed_logins(&others, &rotations), 1);
    }
}
