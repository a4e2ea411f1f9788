//! Driving a rollout: a look at AWS, a decision ([`next_step`]), one step; again and again.
//!
//! Every portal process does this all the time. While no rollout is under way it costs one call in
//! [`IDLE`]; while another portal drives, two in [`BESIDE`]. Which one drives is a tag with a time (a
//! lease), so that two don't do the same work; that they can't do harm is the alias's revision, which
//! each change names: of two that act at once, one is refused.
//!
//! A step is an operation like any other: it passes through [`Portal::perform`], in the name of whoever
//! started the rollout, and stands in the audit log.

use std::time::Duration;

use model::deploy::{GateReport, SmokeAnswer, Verdict};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::rollout::{Note, Outcome, Phase, Settled, Underway};
use model::time::Timestamp;
use model::tokens::Scope;
use serde::Serialize;
use tokio::sync::{Mutex, Notify};

use super::aws::{Alias, Change, Source};
use super::details::{Details, Lease};
use super::gate::judge;
use super::next_step::{Candidate, Latest, Seen, Step, next_step, share};
use super::staged::Staged;
use super::{aws, figures, smoke};
use crate::perform::Operation;
use crate::portal::Portal;

/// How often it is looked whether there is something to drive.
const IDLE: Duration = Duration::from_secs(15);
/// How often it is looked whether the portal that drives is still there.
const BESIDE: Duration = Duration::from_secs(10);
/// How often a rollout is looked at while it is prepared, and while it is watched.
const PREPARING: Duration = Duration::from_secs(1);
const WATCHING: Duration = Duration::from_secs(5);
/// How often figures are read: CloudWatch takes money for each (USD 0.01 per 1,000), 17 at a time.
pub(super) const FIGURES_MS: i64 = 10_000;
/// How often a portal says that it still drives, and after what silence another takes over.
const HEARTBEAT_MS: i64 = 15_000;
pub(super) const SILENT_MS: i64 = 45_000;
/// So many requests of the portal's own are sent at a time.
const FILL_AT_ONCE: u32 = 5;
/// After a failure it is tried again after the usual time, doubled each time up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a portal process keeps of rollouts: nothing that another could not find out for itself, but
/// the bytes of an upload.
pub(crate) struct Memory {
    pub(super) state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) staged: Staged,
    /// The rollout whose code this portal has uploaded.
    uploaded: Option<String>,
    /// The rollout, and how its new version answered.
    pub(super) smoke: Option<(String, SmokeAnswer)>,
    /// The rollout and its share, and what the figures said.
    pub(super) gate: Option<(String, Phase, GateReport)>,
    /// What could not be done.
    pub(super) trouble: Option<(String, Problem)>,
    /// Whether this portal drives.
    pub(super) drives: bool,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), wake: Notify::new() }
    }
}

/// How soon to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nothing is under way.
    Idle,
    /// Another portal drives.
    Beside,
    /// Something was done: look again at once.
    Now,
    /// It is being prepared.
    Preparing,
    /// It is being watched.
    Watching,
}

impl Pace {
    fn pause(self) -> Duration {
        match self {
            Self::Idle => IDLE,
            Self::Beside => BESIDE,
            Self::Now => Duration::from_millis(100),
            Self::Preparing => PREPARING,
            Self::Watching => WATCHING,
        }
    }
}

/// A step that was decided on: what is written into the audit log, and what is needed to take it.
#[derive(Debug, Serialize)]
struct AdvanceRollout {
    rollout: String,
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip)]
    alias: Alias,
    #[serde(skip)]
    note: Underway,
    #[serde(skip)]
    details: Option<Details>,
    #[serde(skip)]
    decided: Step,
}

impl Portal {
    /// Drives rollouts until the future is dropped. Never fails: what can't be done is in the log and
    /// on the page, and is tried again.
    pub async fn drive_rollouts(&self) {
        let mut failures = 0_u32;
        loop {
            let pause = match self.drive_once().await {
                Ok(pace) => {
                    failures = 0;
                    pace.pause()
                }
                Err(problem) => {
                    tracing::warn!(%problem, "a rollout could not be driven on");
                    failures = failures.saturating_add(1);
                    self.jittered(WATCHING.saturating_mul(1 << failures.min(4)).min(LONGEST_PAUSE))
                }
            };
            // Whoever begins something here does not wait for the next look.
            let _ = tokio::time::timeout(pause, self.rollouts.wake.notified()).await;
        }
    }

    /// Has the driver look now.
    pub(super) fn wake_driver(&self) {
        self.rollouts.wake.notify_one();
    }

    /// Half of it to all of it, so that portals that failed together don't try together.
    fn jittered(&self, pause: Duration) -> Duration {
        let mut byte = [0_u8; 1];
        self.fill_random(&mut byte);
        pause / 2 + pause.mul_f64(f64::from(byte[0]) / 512.0)
    }

    /// Looks once, and takes one step if there is one to take.
    ///
    /// # Errors
    /// What AWS, or the audit log, refused. The next look begins anew.
    pub async fn drive_once(&self) -> Result<Pace, Problem> {
        let alias = aws::alias(&self.clients.lambda, self.stack()).await?;
        let Note::Underway(note) = alias.note.clone() else {
            let mut state = self.rollouts.state.lock().await;
            (state.drives, state.trouble) = (false, None);
            return Ok(Pace::Idle);
        };
        let outcome = Box::pin(self.drive_on(alias, &note)).await;
        let trouble = outcome.as_ref().err().map(|problem| (note.rollout.clone(), problem.clone()));
        self.rollouts.state.lock().await.trouble = trouble;
        outcome
    }

    async fn drive_on(&self, alias: Alias, note: &Underway) -> Result<Pace, Problem> {
        let lambda = &self.clients.lambda;
        let tags = aws::tags(lambda, &alias.function_arn).await?;
        if let Some(pace) = self.hold_lease(&alias.function_arn, Lease::read(&tags)).await? {
            return Ok(pace);
        }
        let details = Details::read(&tags, &note.rollout);
        let facts = self.facts(note, details.as_ref()).await?;
        let decided = next_step(&facts.seen(note, details.as_ref(), &alias, self.now()));
        let pace = match note.phase {
            Phase::Prepare | Phase::Smoke => Pace::Preparing,
            Phase::Shift(_) => Pace::Watching,
        };
        match decided {
            Step::Wait(why) => {
                tracing::debug!(rollout = note.rollout, why, "a rollout waits");
                Ok(pace)
            }
            Step::Fill => {
                if let Some(details) = &details {
                    self.send_requests(note, details, FILL_AT_ONCE).await?;
                }
                Ok(pace)
            }
            decided => {
                let step = step(note, details, alias, decided);
                tracing::info!(rollout = note.rollout, step = step.step, why = step.why, "a rollout goes on");
                let actor = Actor { name: note.by.clone(), role: Role::Operator, address: None, token: None };
                self.perform(&actor, &step).await?;
                Ok(Pace::Now)
            }
        }
    }

    /// Whether this portal is the one that drives; a pace where it is not, or not yet.
    async fn hold_lease(&self, arn: &str, lease: Option<Lease>) -> Result<Option<Pace>, Problem> {
        let now = self.now();
        let mine = Lease { portal: self.id().to_owned(), heard: now };
        let age = lease.as_ref().map(|lease| now.0 - lease.heard.0);
        let held = lease.is_some_and(|lease| lease.portal == mine.portal);
        // A time in the future is a clock that is wrong, and no reason to wait for it.
        let fresh = |limit: i64| age.is_some_and(|age| (-limit..limit).contains(&age));
        self.rollouts.state.lock().await.drives = held;
        if held && fresh(HEARTBEAT_MS) {
            return Ok(None);
        }
        if !held && fresh(SILENT_MS) {
            return Ok(Some(Pace::Beside));
        }
        aws::take_lease(&self.clients.lambda, arn, &mine).await?;
        // Another may have taken it in the same moment: the next look tells whose it is.
        Ok(if held { None } else { Some(Pace::Now) })
    }

    async fn facts(&self, note: &Underway, details: Option<&Details>) -> Result<Facts, Problem> {
        let (lambda, stack) = (&self.clients.lambda, self.stack());
        let mut facts = Facts::default();
        {
            let mut state = self.rollouts.state.lock().await;
            let of_this = |rollout: &String| *rollout == note.rollout;
            facts.uploaded = state.uploaded.as_ref().is_some_and(of_this);
            facts.smoke = state
                .smoke
                .as_ref()
                .filter(|(rollout, _)| of_this(rollout))
                .map(|(_, answer)| answer.clone());
            let code = details.and_then(|details| details.code.as_ref());
            facts.has_code = code.is_some_and(|code| {
                code.object.is_some() || state.staged.get(&code.sha256, self.now()).is_some()
            });
        }
        match note.phase {
            Phase::Prepare => {
                facts.latest = Some(aws::latest(&aws::configuration(lambda, stack, None).await?));
            }
            Phase::Smoke => {
                if let Some(new) = &note.new {
                    facts.candidate = Some(aws::candidate(lambda, stack, new).await?);
                }
                facts.rotating = self.is_rotating().await?;
            }
            Phase::Shift(_) => {
                facts.gate = self.gate(note, details).await;
                facts.rotating = self.is_rotating().await?;
            }
        }
        Ok(facts)
    }

    async fn is_rotating(&self) -> Result<bool, Problem> {
        Ok(self.secret_now().await?.pending().is_some())
    }

    /// What the new version's figures say: read anew when they are [`FIGURES_MS`] old.
    async fn gate(&self, note: &Underway, details: Option<&Details>) -> Option<GateReport> {
        let (Some(new), Some(details)) = (&note.new, details) else { return None };
        let now = self.now();
        if let Some((rollout, phase, report)) = &self.rollouts.state.lock().await.gate
            && *rollout == note.rollout
            && *phase == note.phase
            && (0..FIGURES_MS).contains(&(now.0 - report.at.0))
        {
            return Some(report.clone());
        }
        let versions = (new.as_str(), note.old.as_str());
        let report = match figures::read(
            &self.clients.cloudwatch,
            &self.figures,
            self.stack(),
            versions,
            note.since,
            now,
        )
        .await
        {
            Ok(figures) => judge(&figures, &details.gates),
            Err(problem) => GateReport {
                verdict: Verdict::Unknown,
                evidence: format!("{} It stays where it is.", problem.message),
                new: Default::default(),
                old: Default::default(),
                at: now,
            },
        };
        let kept = (note.rollout.clone(), note.phase, report.clone());
        self.rollouts.state.lock().await.gate = Some(kept);
        Some(report)
    }

    /// Sends requests of the portal's own to the new version; how many passed.
    pub(super) async fn send_requests(
        &self,
        note: &Underway,
        details: &Details,
        count: u32,
    ) -> Result<u32, Problem> {
        let Some(new) = &note.new else { return Ok(0) };
        let mut passed = 0;
        for _ in 0..count {
            let id = self.new_id();
            let (lambda, stack) = (&self.clients.lambda, self.stack());
            let answer = smoke::ask(lambda, stack, new, &details.smoke, &id, self.now()).await?;
            passed += u32::from(answer.passed);
        }
        Ok(passed)
    }
}

/// What a look found, kept while it is decided on.
#[derive(Default)]
struct Facts {
    latest: Option<Latest>,
    candidate: Option<Candidate>,
    has_code: bool,
    uploaded: bool,
    rotating: bool,
    smoke: Option<SmokeAnswer>,
    gate: Option<GateReport>,
}

impl Facts {
    fn seen<'a>(
        &'a self,
        note: &'a Underway,
        details: Option<&'a Details>,
        alias: &'a Alias,
        now: Timestamp,
    ) -> Seen<'a> {
        Seen {
            note,
            details,
            alias: &alias.pointing,
            latest: self.latest.as_ref(),
            candidate: self.candidate.as_ref(),
            has_code: self.has_code,
            uploaded: self.uploaded,
            rotating: self.rotating,
            smoke: self.smoke.as_ref(),
            gate: self.gate.as_ref(),
            now,
        }
    }
}

/// A step as it is performed.
fn step(note: &Underway, details: Option<Details>, alias: Alias, decided: Step) -> AdvanceRollout {
    let percent = match &decided {
        Step::Shift(number) => details
            .as_ref()
            .and_then(|details| details.strategy.shifts().get(*number).map(|shift| shift.percent)),
        Step::Promote => Some(100),
        Step::End(Outcome::RolledBack, _) => Some(0),
        _ => None,
    };
    let (name, why) = match &decided {
        Step::Wait(why) => ("wait", Some(why.clone())),
        Step::Fill => ("send requests", None),
        Step::Upload => ("upload the code", None),
        Step::Publish => ("publish a version", None),
        Step::Ask => ("ask it once", None),
        Step::Shift(_) => ("give it a share", None),
        Step::Promote => ("promote", None),
        Step::End(Outcome::RolledBack, why) => ("roll back", Some(why.clone())),
        Step::End(_, why) => ("end", Some(why.clone())),
    };
    AdvanceRollout {
        rollout: note.rollout.clone(),
        step: name,
        version: note.new.clone(),
        percent,
        why,
        alias,
        note: note.clone(),
        details,
        decided,
    }
}

impl Operation for AdvanceRollout {
    const NAME: &'static str = "AdvanceRollout";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = ();

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<(), Problem> {
        match (&self.decided, &self.details) {
            (Step::End(how, why), _) => portal.end_rollout(&self.alias, &self.note, *how, Some(why)).await,
            (Step::Promote, _) => portal.promote(&self.alias, &self.note).await,
            (Step::Upload, Some(details)) => {
                let outcome = portal.upload(details).await;
                // Code that Lambda does not take is not taken the next time either.
                if let Err(problem) = &outcome
                    && problem.kind == ProblemKind::Invalid
                {
                    let why = Some(problem.message.as_str());
                    portal.end_rollout(&self.alias, &self.note, Outcome::Stopped, why).await?;
                }
                outcome
            }
            (Step::Publish, Some(details)) => portal.publish(&self.alias, &self.note, details).await,
            (Step::Ask, Some(details)) => portal.ask(&self.note, details).await,
            (Step::Shift(number), Some(details)) => {
                portal.shift(&self.alias, &self.note, details, *number).await
            }
            (Step::Wait(_) | Step::Fill, _) | (_, None) => Ok(()),
        }
    }
}

impl Portal {
    async fn upload(&self, details: &Details) -> Result<(), Problem> {
        let Some(code) = &details.code else { return Ok(()) };
        let staged = self.rollouts.state.lock().await.staged.get(&code.sha256, self.now());
        let source = match (&code.object, &staged) {
            (Some(object), _) => Source::Object(object),
            (None, Some(zip)) => Source::Zip(zip),
            (None, None) => return Err(lost()),
        };
        let (lambda, stack, replaces) = (&self.clients.lambda, self.stack(), Some(code.replaces.as_str()));
        aws::update_code(lambda, stack, &source, replaces, true).await?;
        // From here on it may have been done, whatever the answer: what became of it is seen next.
        self.rollouts.state.lock().await.uploaded = Some(details.rollout.clone());
        aws::update_code(lambda, stack, &source, replaces, false).await.map(drop)
    }

    async fn publish(&self, alias: &Alias, note: &Underway, details: &Details) -> Result<(), Problem> {
        let Some(code) = &details.code else { return Ok(()) };
        let description = details.version_description(&note.by);
        let version = aws::publish(&self.clients.lambda, self.stack(), &code.sha256, &description).await?;
        let next = Underway { phase: Phase::Smoke, new: Some(version), since: self.now(), ..note.clone() };
        self.change_alias(alias, &note.old, None, next.to_string()).await?;
        self.rollouts.state.lock().await.staged.forget(&code.sha256);
        Ok(())
    }

    async fn ask(&self, note: &Underway, details: &Details) -> Result<(), Problem> {
        let Some(new) = &note.new else { return Ok(()) };
        let (lambda, stack) = (&self.clients.lambda, self.stack());
        let answer = smoke::ask(lambda, stack, new, &details.smoke, &self.new_id(), self.now()).await?;
        tracing::info!(
            rollout = note.rollout,
            version = new,
            summary = answer.summary,
            "a new version was asked"
        );
        self.rollouts.state.lock().await.smoke = Some((note.rollout.clone(), answer));
        Ok(())
    }

    async fn shift(
        &self,
        alias: &Alias,
        note: &Underway,
        details: &Details,
        number: usize,
    ) -> Result<(), Problem> {
        let phase = Phase::Shift(number);
        let weight = note.new.as_deref().zip(share(details, phase));
        let next = Underway { phase, since: self.now(), ..note.clone() };
        self.change_alias(alias, &note.old, weight, next.to_string()).await
    }

    pub(super) async fn promote(&self, alias: &Alias, note: &Underway) -> Result<(), Problem> {
        let Some(new) = &note.new else {
            return Err(Problem::new(ProblemKind::Conflict, "There is no new version yet."));
        };
        let settled = self.settled(note, Outcome::Promoted, new, &note.old, None);
        self.change_alias(alias, new, None, settled.to_string()).await
    }

    /// Ends a rollout. Only a roll back moves requests; else the alias stays as it points.
    pub(super) async fn end_rollout(
        &self,
        alias: &Alias,
        note: &Underway,
        how: Outcome,
        why: Option<&str>,
    ) -> Result<(), Problem> {
        let pointing = &alias.pointing;
        let (version, weight) = match how {
            Outcome::RolledBack => (note.old.as_str(), None),
            _ => {
                let weight = pointing.weight.as_ref().map(|(version, share)| (version.as_str(), *share));
                (pointing.version.as_str(), weight)
            }
        };
        let other = note.new.as_deref().filter(|new| *new != version).unwrap_or_default();
        let settled = self.settled(note, how, version, other, why);
        self.change_alias(alias, version, weight, settled.to_string()).await
    }

    fn settled(&self, note: &Underway, how: Outcome, live: &str, other: &str, why: Option<&str>) -> Settled {
        Settled {
            how,
            live: live.to_owned(),
            other: Some(other.to_owned()).filter(|other| !other.is_empty()),
            since: self.now(),
            by: note.by.clone(),
            rollout: Some(note.rollout.clone()),
            why: why.map(str::to_owned),
        }
    }

    pub(super) async fn change_alias(
        &self,
        seen: &Alias,
        version: &str,
        weight: Option<(&str, f64)>,
        note: String,
    ) -> Result<(), Problem> {
        let change = Change { version, weight, note };
        let outcome = aws::change(&self.clients.lambda, self.stack(), seen, &change).await;
        self.forget_deploys();
        outcome
    }
}

fn lost() -> Problem {
    Problem::new(ProblemKind::Conflict, "The uploaded zip is no longer there.").with_next("Upload it again.")
}
