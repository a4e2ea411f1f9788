//! What the deploys' page shows, put together from shared readings.

use std::sync::Arc;
use std::time::Duration;

use model::deploy::{
    AliasChange, ApiFront, DeploysPage, Driver, FunctionVersion, Live, Rollout, RolloutState, RolloutStep,
    RolloutStepState,
};
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::rollout::{Note, Outcome, Phase, Settled, Underway};
use model::stack::Stack;

use super::aws::{self, Alias};
use super::details::{Details, Lease};
use super::drive::{Memory, SILENT_MS};
use super::{api, history, read};
use crate::kept::Kept;
use crate::portal::{Clock, Portal};

/// The readings behind the page.
pub(crate) struct Readings {
    live: Kept<Live>,
    rollout: Kept<Option<Rollout>>,
    versions: Kept<Vec<FunctionVersion>>,
    api: Kept<ApiFront>,
    history: Kept<Vec<AliasChange>>,
}

impl Readings {
    pub(crate) fn new() -> Self {
        Self {
            live: Kept::every(Duration::from_secs(5)),
            // A rollout's page follows it; each look costs two calls, for all who look.
            rollout: Kept::every(Duration::from_millis(1_500)),
            versions: Kept::every(Duration::from_secs(15)),
            api: Kept::every(Duration::from_secs(30)),
            // CloudTrail is minutes behind, and takes two calls a second.
            history: Kept::every(Duration::from_secs(30)),
        }
    }
}

impl Portal {
    /// What the deploys' page shows. Never fails as a whole; each part carries its own problem.
    pub async fn deploys_page(&self) -> DeploysPage {
        let (clock, readings) = (self.clock(), &self.deploys);
        // Each in a future of its own, which owns what it needs and outlives an impatient caller.
        let parts = || (self.clients.lambda.clone(), self.shared_stack());
        let gateway = self.clients.gateway.clone();
        let (mut live, rollout, mut versions, api, history) = futures::join!(
            readings.live.get(clock, || {
                let (lambda, stack) = parts();
                async move { read::live(&lambda, &stack).await }
            }),
            self.rollout_reading(),
            self.versions_reading(),
            readings.api.get(clock, || {
                let (lambda, stack) = parts();
                async move { api::read(&gateway, &lambda, &stack).await }
            }),
            self.alias_changes(),
        );
        if let (Some(live), Some(changes)) = (&mut live.value, &history.value) {
            history::told(live, changes);
        }
        if let (Some(live), Some(versions)) = (&mut live.value, &mut versions.value) {
            history::keep_previous(live, versions);
        }
        DeploysPage { now: self.now(), live, rollout, versions, api, history }
    }

    /// The function's versions, the newest first.
    pub(crate) async fn versions_reading(&self) -> Reading<Vec<FunctionVersion>> {
        let (lambda, stack) = (self.clients.lambda.clone(), self.shared_stack());
        let read = || async move { read::versions(&lambda, &stack).await };
        self.deploys.versions.get(self.clock(), read).await
    }

    /// The changes of the alias, the newest first.
    pub(crate) async fn alias_changes(&self) -> Reading<Vec<AliasChange>> {
        let (trail, stack, now) = (self.clients.trail.clone(), self.shared_stack(), self.now());
        let read = || async move { history::read(&trail, &stack, now).await };
        self.deploys.history.get(self.clock(), read).await
    }

    /// The published versions read anew, with the reason why each is kept.
    pub(super) async fn versions_now(&self) -> Result<Vec<FunctionVersion>, Problem> {
        let (lambda, stack) = (&self.clients.lambda, self.stack());
        let (versions, live, history) =
            futures::join!(read::versions(lambda, stack), read::live(lambda, stack), self.alias_changes());
        let (mut versions, mut live) = (versions?, live?);
        // Without the history only the alias's own note says what there is to go back to.
        history::told(&mut live, &history.value.unwrap_or_default());
        history::keep_previous(&mut live, &mut versions);
        Ok(versions)
    }

    /// The rollout with this id: under way, or the last one.
    ///
    /// # Errors
    /// `NotFound` when it is neither; what AWS says where the alias can't be read.
    pub async fn rollout(&self, id: &str) -> Result<Rollout, Problem> {
        let reading = self.rollout_reading().await;
        match (reading.value.flatten(), reading.problem) {
            (Some(rollout), _) if rollout.id == id => Ok(rollout),
            (_, Some(problem)) => Err(problem),
            (..) => Err(Problem::new(ProblemKind::NotFound, "Nothing is known of that rollout.")
                .with_next("The history tells of rollouts before the last one.")),
        }
    }

    /// Has what a change of the alias changes read anew by the next who looks.
    pub(super) fn forget_deploys(&self) {
        let Readings { live, rollout, versions, api, history } = &self.deploys;
        live.forget();
        rollout.forget();
        versions.forget();
        api.forget();
        history.forget();
        self.forget_function();
    }

    async fn rollout_reading(&self) -> Reading<Option<Rollout>> {
        let look = Look {
            lambda: self.clients.lambda.clone(),
            stack: self.shared_stack(),
            memory: Arc::clone(&self.rollouts),
            portal: self.id().to_owned(),
            clock: Clock::clone(self.clock()),
        };
        self.deploys.rollout.get(self.clock(), || async move { look.rollout().await }).await
    }
}

/// A look at the rollout, with what is needed for it.
struct Look {
    lambda: aws_sdk_lambda::Client,
    stack: Arc<Stack>,
    memory: Arc<Memory>,
    portal: String,
    clock: Clock,
}

impl Look {
    async fn rollout(&self) -> Result<Option<Rollout>, Problem> {
        let alias = aws::alias(&self.lambda, &self.stack).await?;
        match &alias.note {
            Note::Other(_) => Ok(None),
            Note::Settled(settled) => Ok(self.over(settled).await),
            Note::Underway(note) => {
                let tags = aws::tags(&self.lambda, &alias.function_arn).await?;
                let details = Details::read(&tags, &note.rollout);
                Ok(Some(self.under_way(&alias, note, details.as_ref(), Lease::read(&tags)).await))
            }
        }
    }

    async fn under_way(
        &self,
        alias: &Alias,
        note: &Underway,
        details: Option<&Details>,
        lease: Option<Lease>,
    ) -> Rollout {
        let state = self.memory.state.lock().await;
        let of_this = |rollout: &String| *rollout == note.rollout;
        let gate = state.gate.as_ref().filter(|(rollout, phase, _)| of_this(rollout) && *phase == note.phase);
        let share = alias.pointing.weight.as_ref().map_or(0.0, |(_, share)| *share);
        let seconds = match (note.phase, details) {
            (Phase::Shift(number), Some(details)) => {
                details.strategy.shifts().get(number).map(|shift| i64::from(shift.seconds))
            }
            _ => None,
        };
        let rollout_state = match note.phase {
            _ if note.paused => RolloutState::Paused,
            Phase::Prepare | Phase::Smoke => RolloutState::Preparing,
            Phase::Shift(_) => RolloutState::Watching,
        };
        let driver = self.driver(lease, state.drives);
        Rollout {
            id: note.rollout.clone(),
            by: note.by.clone(),
            state: rollout_state,
            summary: summary(note, share, &driver),
            old: note.old.clone(),
            new: note.new.clone(),
            strategy: details.map(|details| details.strategy.clone()),
            description: details.map(|details| details.description.clone()).filter(|text| !text.is_empty()),
            steps: steps(note, details),
            percent: (share * 100.0).round().clamp(0.0, 100.0) as u8,
            since: note.since,
            until: seconds.map(|seconds| model::time::Timestamp(note.since.0 + seconds * 1_000)),
            gate: gate.map(|(_, _, report)| report.clone()),
            driver,
            smoke: state
                .smoke
                .as_ref()
                .filter(|(rollout, _)| of_this(rollout))
                .map(|(_, answer)| answer.clone()),
            trouble: state.trouble.as_ref().filter(|(rollout, _)| of_this(rollout)).map(|(_, problem)| {
                match &problem.next {
                    Some(next) => format!("{} {next}", problem.message),
                    None => problem.message.clone(),
                }
            }),
        }
    }

    fn driver(&self, lease: Option<Lease>, drives: bool) -> Driver {
        let Some(lease) = lease else { return Driver::Nobody { heard: None } };
        let silent = (self.clock)().0 - lease.heard.0 >= SILENT_MS;
        match lease.portal == self.portal {
            true if drives && !silent => Driver::This,
            false if !silent => Driver::Another { heard: lease.heard },
            _ => Driver::Nobody { heard: Some(lease.heard) },
        }
    }

    /// The last rollout; none where the last change was none.
    async fn over(&self, settled: &Settled) -> Option<Rollout> {
        let id = settled.rollout.clone()?;
        let state = self.memory.state.lock().await;
        let (rollout_state, words) = match settled.how {
            Outcome::Promoted => (RolloutState::Promoted, "has all requests"),
            Outcome::RolledBack => (RolloutState::RolledBack, "was taken back"),
            Outcome::Stopped => (RolloutState::Stopped, "never had a request"),
            Outcome::Overtaken => (RolloutState::Overtaken, "was left as somebody else set it"),
        };
        let promoted = settled.how == Outcome::Promoted;
        let (old, new) = match promoted {
            true => (settled.other.clone().unwrap_or_default(), Some(settled.live.clone())),
            false => (settled.live.clone(), settled.other.clone()),
        };
        let which = new.as_ref().map_or("The new code".to_owned(), |new| format!("Version {new}"));
        let why = settled.why.as_ref().map(|why| format!(" {why}")).unwrap_or_default();
        let smoke = state.smoke.as_ref().filter(|(rollout, _)| *rollout == id);
        let gate = state.gate.as_ref().filter(|(rollout, ..)| *rollout == id);
        Some(Rollout {
            summary: format!("{which} {words}.{why}"),
            by: settled.by.clone(),
            state: rollout_state,
            old,
            new,
            strategy: None,
            description: None,
            steps: Vec::new(),
            percent: if promoted { 100 } else { 0 },
            since: settled.since,
            until: None,
            gate: gate.map(|(_, _, report)| report.clone()),
            driver: Driver::NotNeeded,
            smoke: smoke.map(|(_, answer)| answer.clone()),
            trouble: None,
            id,
        })
    }
}

fn summary(note: &Underway, share: f64, driver: &Driver) -> String {
    let new = note.new.as_ref().map_or("The new code".to_owned(), |new| format!("Version {new}"));
    let stands = match note.phase {
        Phase::Prepare => format!("{new} is being uploaded and published; no request goes to it."),
        Phase::Smoke => format!("{new} is asked for the first time; no other request goes to it."),
        Phase::Shift(_) => format!("{new} has {:.0} % of the requests and is watched.", share * 100.0),
    };
    let paused = if note.paused { " It is paused there." } else { "" };
    let driven = match driver {
        Driver::Nobody { .. } => {
            " No portal drives it at the moment: one that runs takes over within a minute; or promote it, or roll it back."
        }
        _ => "",
    };
    format!("{stands}{paused}{driven}")
}

fn steps(note: &Underway, details: Option<&Details>) -> Vec<RolloutStep> {
    let at = match note.phase {
        Phase::Prepare => 0,
        Phase::Smoke => 1,
        Phase::Shift(number) => 2 + number,
    };
    let shifts = details.map(|details| details.strategy.shifts()).unwrap_or_default();
    let smoke = details.map(|details| format!("{} {}", details.smoke.method, details.smoke.path));
    let mut titles = vec![("Upload and publish".to_owned(), None), ("Ask it once".to_owned(), smoke)];
    titles.extend(
        shifts.iter().map(|shift| (format!("{} % of the requests", shift.percent), Some(shift.to_string()))),
    );
    titles.push(("All requests".to_owned(), None));
    titles
        .into_iter()
        .enumerate()
        .map(|(index, (title, detail))| RolloutStep {
            title,
            detail,
            state: match index.cmp(&at) {
                std::cmp::Ordering::Less => RolloutStepState::Done,
                std::cmp::Ordering::Equal => RolloutStepState::Running,
                std::cmp::Ordering::Greater => RolloutStepState::Waiting,
            },
        })
        .collect()
}
