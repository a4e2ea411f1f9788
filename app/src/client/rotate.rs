//! `lockkeeper rotate`: begins a rotation of the secret, and watches it if it is told to.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use model::rotation::{Begun, RotateSecret, Rotation, RotationState, Step, StepState};

use super::api::{Api, Pace};
use super::output::Output;
use super::retry::Repeat;
use super::stop::{Exit, Stop};
use super::{Connection, Tools, connect, new_id};
use crate::components::words;

/// What `rotate` can be told.
#[derive(Args)]
pub struct Arguments {
    /// Wait until it has ended, and tell each step; ends with 1 when it failed.
    #[arg(long)]
    watch: bool,
    /// With --watch: how many seconds to wait at most. The rotation goes on afterwards.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400), requires = "watch")]
    timeout: u64,
    /// Where the portal is.
    #[command(flatten)]
    pub connection: Connection,
}

/// Begins it. The id is of our own choice, so that a request that is sent again is the same rotation.
///
/// # Errors
/// `Conflict` when something is in the way; `Failed` when it was watched and did not end well.
pub async fn run(arguments: Arguments, tools: &Tools) -> Result<(), Stop> {
    let api = connect(&arguments.connection, tools)?;
    let output = arguments.connection.output();
    let operation = RotateSecret { id: Some(new_id(tools)) };
    let begun: Begun = api.post("/api/v1/secret/rotations", &operation, Repeat::Safe).await?;
    if !arguments.watch {
        return output.result(&begun, || format!("Begun: {}", begun.token));
    }
    output.tell(&format!("begun: {}", begun.token));
    let rotation = watch(&api, &begun.token, Duration::from_secs(arguments.timeout), output).await?;
    output.result(&rotation, || rotation.summary.clone())?;
    match rotation.state {
        RotationState::Done => Ok(()),
        _ => Err(why(&rotation)),
    }
}

async fn watch(api: &Api, token: &str, limit: Duration, output: Output) -> Result<Rotation, Stop> {
    let pace = Pace { every: Duration::from_secs(1), limit, unseen: Duration::from_secs(30) };
    let mut told = BTreeMap::new();
    let path = format!("/api/v1/secret/rotations/{token}");
    api.poll(&path, pace, |rotation: Rotation| {
        news(&rotation, &mut told).iter().for_each(|line| output.tell(line));
        match rotation.state {
            RotationState::Running => ControlFlow::Continue(()),
            _ => ControlFlow::Break(rotation),
        }
    })
    .await
}

/// What is new since the last look, a line for each step that stands otherwise.
fn news(rotation: &Rotation, told: &mut BTreeMap<Step, StepState>) -> Vec<String> {
    let mut lines = Vec::new();
    for progress in &rotation.steps {
        let waits = progress.state == StepState::Waiting;
        if waits || told.insert(progress.step, progress.state) == Some(progress.state) {
            continue;
        }
        let state = match progress.state {
            StepState::Waiting | StepState::Running => "at work",
            StepState::Done => "done",
            StepState::Failed => "failed",
            StepState::Silent => "has not ended",
        };
        let took = progress.duration_ms.map(|ms| format!(" ({})", words::millis(ms))).unwrap_or_default();
        lines.push(format!("{:12}  {state}{took}", progress.step.name()));
    }
    lines
}

/// Why a rotation that has ended did not end well.
fn why(rotation: &Rotation) -> Stop {
    let trouble = rotation.steps.iter().find_map(|step| step.trouble.as_ref());
    match trouble {
        Some(trouble) => Stop::new(Exit::Failed, trouble.what.clone()).with_next(trouble.next.clone()),
        None => Stop::new(Exit::Failed, rotation.summary.clone())
            .with_next("The portal's page of the secret says more."),
    }
}

#[cfg(test)]
mod tests {
    use model::rotation::StepProgress;

    use super::*;

    fn rotation(states: [StepState; 2]) -> Rotation {
        let steps = [Step::CreateSecret, Step::SetSecret].into_iter().zip(states);
        let steps = steps.map(|(step, state)| StepProgress {
            step,
            state,
            began: None,
            duration_ms: (state == StepState::Done).then_some(84.0),
            attempts: 1,
            trouble: None,
        });
        Rotation {
            token: "t".to_owned(),
            started_by: None,
            rehearsal: false,
            state: RotationState::Running,
            summary: "At work.".to_owned(),
            started: None,
            ended: None,
            strategy: None,
            steps: steps.collect(),
        }
    }

    #[test]
    fn each_step_is_told_once_for_each_state() {
        use StepState::{Done, Running, Waiting};
        let mut told = BTreeMap::new();
        assert_eq!(news(&rotation([Running, Waiting]), &mut told), ["createSecret  at work"]);
        assert!(news(&rotation([Running, Waiting]), &mut told).is_empty());
        let both = news(&rotation([Done, Running]), &mut told);
        assert_eq!(both, ["createSecret  done (84 ms)", "setSecret     at work"]);
    }
}
