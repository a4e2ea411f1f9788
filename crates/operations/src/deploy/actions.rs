//! The operations on rollouts and versions.
//!
//! Each is safe to repeat. A rollout has an id that the caller may choose, and the same id is the same
//! rollout; what moves the alias names what it was seen at, so the second of two is refused.

use model::check::CheckOutcome;
use model::deploy::{
    Code, Deploy, DeployPreview, PauseRollout, Promote, PruneVersions, Pruned, ResumeRollout, RollBack,
    SendRequests, Sent, Started,
};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::rollout::{Note, Outcome, Phase, Settled, Underway};
use model::rotation::is_id;
use model::tokens::Scope;

use super::aws::{self, Alias};
use super::details::{self, Details, NewCode, Object};
use super::preflight::preflight;
use crate::aws::problem;
use crate::perform::Operation;
use crate::portal::Portal;

/// The most requests that are sent at once on somebody's word.
const MOST_REQUESTS: u32 = 100;
/// The most versions that are deleted at once.
const MOST_PRUNED: usize = 100;

impl Portal {
    /// What a deploy would find. Changes nothing.
    ///
    /// # Errors
    /// `Invalid` for what could not be kept or asked; what AWS says where the alias can't be read.
    pub async fn preview_deploy(&self, deploy: &Deploy) -> Result<DeployPreview, Problem> {
        details::check(deploy)?;
        let ready = Box::pin(self.ready(deploy)).await?;
        Ok(DeployPreview {
            preflight: preflight(&ready.facts),
            live: ready.alias.pointing.version,
            strategy: deploy.strategy.words(),
        })
    }

    /// The alias, if the rollout with this id is under way on it.
    async fn underway(&self, rollout: &str) -> Result<(Alias, Underway), Problem> {
        let alias = aws::alias(&self.clients.lambda, self.stack()).await?;
        let note = match &alias.note {
            Note::Underway(note) if note.rollout == rollout => note.clone(),
            Note::Settled(Settled { rollout: Some(last), .. }) if last == rollout => {
                return Err(Problem::new(ProblemKind::Conflict, "That rollout is over.")
                    .with_next("Look at the page again."));
            }
            _ => {
                return Err(Problem::new(ProblemKind::NotFound, "That rollout is not under way.")
                    .with_next("Look at the page again."));
            }
        };
        Ok((alias, note))
    }

    /// Writes a rollout's details into the tags. Where that fails, and the answer was not only lost,
    /// the rollout is ended at once; where that fails too, whoever drives ends it.
    async fn write_down(&self, arn: &str, note: &Underway, details: &Details) -> Result<(), Problem> {
        let lambda = &self.clients.lambda;
        let Err(problem) = aws::tag(lambda, arn, details.tags()).await else { return Ok(()) };
        let tags = aws::tags(lambda, arn).await;
        if tags.is_ok_and(|tags| Details::read(&tags, &note.rollout).as_ref() == Some(details)) {
            return Ok(());
        }
        if let Ok((alias, note)) = self.underway(&note.rollout).await {
            let why = Some("What to do could not be written down.");
            let _ = self.end_rollout(&alias, &note, Outcome::Stopped, why).await;
        }
        Err(problem)
    }

    async fn note_down(&self, alias: &Alias, note: &Underway) -> Result<(), Problem> {
        let weight = alias.pointing.weight.as_ref().map(|(version, share)| (version.as_str(), *share));
        self.change_alias(alias, &alias.pointing.version, weight, note.to_string()).await?;
        self.wake_driver();
        Ok(())
    }
}

impl Operation for Deploy {
    const NAME: &'static str = "Deploy";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = Started;

    /// Checks, writes down on the alias that the rollout has begun, and what it is in the function's
    /// tags. From there on any portal drives it. A crash between the two is seen: a rollout without
    /// its tags ends by itself.
    async fn run(&self, portal: &Portal, actor: &Actor) -> Result<Started, Problem> {
        details::check(self)?;
        let rollout = match &self.id {
            Some(id) if !is_id(id) => {
                let message = "The id must be 32 hexadecimal digits in lower case.";
                return Err(Problem::new(ProblemKind::Invalid, message));
            }
            Some(id) => id.clone(),
            None => portal.new_id(),
        };
        let ready = Box::pin(portal.ready(self)).await?;
        let known = match &ready.alias.note {
            Note::Underway(note) => Some(note.rollout.as_str()),
            Note::Settled(settled) => settled.rollout.as_deref(),
            Note::Other(_) => None,
        };
        if known == Some(rollout.as_str()) {
            return Ok(Started { rollout });
        }
        let checked = preflight(&ready.facts);
        if !checked.ready {
            return Err(refusal(&checked, &ready.alias));
        }
        let code = code_of(&self.code, ready.sha256.as_deref(), ready.revision.as_deref())?;
        let details = Details::of(&rollout, self, code);
        let (phase, new) = match &self.code {
            Code::Version { version } => (Phase::Smoke, Some(version.clone())),
            Code::Upload { .. } | Code::S3 { .. } => (Phase::Prepare, None),
        };
        let note = Underway {
            rollout: rollout.clone(),
            phase,
            old: ready.alias.pointing.version.clone(),
            new,
            since: portal.now(),
            paused: false,
            by: actor.name.clone(),
        };
        portal.change_alias(&ready.alias, &note.old, None, note.to_string()).await.map_err(lost_race)?;
        portal.write_down(&ready.alias.function_arn, &note, &details).await?;
        portal.wake_driver();
        Ok(Started { rollout })
    }
}

/// Why a deploy does not begin: the checks' own words, and of another rollout, whose it is.
fn refusal(checked: &model::check::Preflight, alias: &Alias) -> Problem {
    let kind = match &alias.note {
        Note::Underway(_) => ProblemKind::Conflict,
        _ if checked.checks.iter().any(|check| {
            check.outcome == CheckOutcome::Fail && ["package", "architecture"].contains(&check.id.as_str())
        }) =>
        {
            ProblemKind::Invalid
        }
        _ => ProblemKind::Conflict,
    };
    let failed = checked.checks.iter().filter(|check| check.outcome == CheckOutcome::Fail);
    let words: Vec<_> = failed.clone().map(|check| check.evidence.as_str()).collect();
    let fixes: Vec<_> = failed.filter_map(|check| check.fix.as_deref()).collect();
    let problem = Problem::new(kind, words.join(" "));
    if fixes.is_empty() { problem } else { problem.with_next(fixes.join(" ")) }
}

/// Of several that begin at once, one does.
fn lost_race(problem: Problem) -> Problem {
    if problem.kind != ProblemKind::Conflict {
        return problem;
    }
    Problem::new(ProblemKind::Conflict, "Somebody else changed the alias in the same moment.")
        .with_next("Look at the page again: it may be another rollout.")
}

fn code_of(code: &Code, sha256: Option<&str>, revision: Option<&str>) -> Result<Option<NewCode>, Problem> {
    let object = match code {
        Code::Version { .. } => return Ok(None),
        Code::Upload { .. } => None,
        Code::S3 { bucket, key, version } => {
            Some(Object { bucket: bucket.clone(), key: key.clone(), version: version.clone() })
        }
    };
    let (Some(sha256), Some(revision)) = (sha256, revision) else {
        let message = "The function could not be read, so nothing was begun.";
        return Err(Problem::new(ProblemKind::Upstream, message).with_next("Try again."));
    };
    Ok(Some(NewCode { sha256: sha256.to_owned(), object, replaces: revision.to_owned() }))
}

impl Operation for PauseRollout {
    const NAME: &'static str = "PauseRollout";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = ();

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<(), Problem> {
        let (alias, note) = portal.underway(&self.rollout).await?;
        if note.paused {
            return Ok(());
        }
        portal.note_down(&alias, &Underway { paused: true, ..note }).await
    }
}

impl Operation for ResumeRollout {
    const NAME: &'static str = "ResumeRollout";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = ();

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<(), Problem> {
        let (alias, note) = portal.underway(&self.rollout).await?;
        if !note.paused {
            return Ok(());
        }
        portal.note_down(&alias, &Underway { paused: false, since: portal.now(), ..note }).await
    }
}

impl Operation for Promote {
    const NAME: &'static str = "Promote";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = ();

    async fn run(&self, portal: &Portal, actor: &Actor) -> Result<(), Problem> {
        let (alias, note) = portal.underway(&self.rollout).await?;
        if !matches!(note.phase, Phase::Shift(_)) {
            let message = "The new version has not been asked yet, so it can't have all requests.";
            return Err(Problem::new(ProblemKind::Conflict, message).with_next("Wait for its first answer."));
        }
        still_ours(&alias, &note)?;
        portal.promote(&alias, &Underway { by: actor.name.clone(), ..note }).await
    }
}

/// That nobody has changed the alias from outside.
fn still_ours(alias: &Alias, note: &Underway) -> Result<(), Problem> {
    let named = alias.pointing.weight.as_ref().map(|(version, _)| version);
    if alias.pointing.version == note.old && named == note.new.as_ref() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Conflict, "The alias was changed from outside, so nothing was done.")
        .with_next("Look at the page again."))
}

impl Operation for RollBack {
    const NAME: &'static str = "RollBack";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = ();

    async fn run(&self, portal: &Portal, actor: &Actor) -> Result<(), Problem> {
        let alias = aws::alias(&portal.clients.lambda, portal.stack()).await?;
        let changed = || {
            Err(Problem::new(ProblemKind::Conflict, "The alias is elsewhere by now, so nothing was done.")
                .with_next("Look at the page again."))
        };
        if self.why.as_ref().is_some_and(|why| why.len() > 500) {
            return Err(Problem::new(ProblemKind::Invalid, "The reason is longer than 500 bytes."));
        }
        let why = self.why.as_deref().map(str::trim).filter(|why| !why.is_empty());
        if let Note::Underway(note) = &alias.note {
            if self.to != note.old || note.new.as_ref().is_some_and(|new| *new != self.from) {
                return changed();
            }
            let how = match note.phase {
                Phase::Shift(_) => Outcome::RolledBack,
                Phase::Prepare | Phase::Smoke => Outcome::Stopped,
            };
            let note = Underway { by: actor.name.clone(), ..note.clone() };
            return portal.end_rollout(&alias, &note, how, Some(why.unwrap_or("By hand."))).await;
        }
        let pointing = &alias.pointing;
        let canary = pointing.weight.as_ref().is_some_and(|(version, _)| *version == self.from);
        let by_hand = canary && pointing.version == self.to;
        if !(by_hand || (pointing.version == self.from && pointing.weight.is_none())) {
            return changed();
        }
        if self.to == self.from {
            return Err(Problem::new(ProblemKind::Invalid, "That version has all requests already."));
        }
        match aws::candidate(&portal.clients.lambda, portal.stack(), &self.to).await? {
            super::next_step::Candidate::Gone => {
                let message = format!("Version {} is no longer there.", self.to);
                return Err(Problem::new(ProblemKind::NotFound, message).with_next("Deploy it again."));
            }
            super::next_step::Candidate::Failed(reason) => {
                let message = format!("Version {} can't be started: {reason}", self.to);
                return Err(Problem::new(ProblemKind::Conflict, message).with_next("Choose another version."));
            }
            _ => {}
        }
        let settled = Settled {
            how: Outcome::RolledBack,
            live: self.to.clone(),
            other: Some(self.from.clone()),
            since: portal.now(),
            by: actor.name.clone(),
            rollout: None,
            why: Some(why.unwrap_or("By hand.").to_owned()),
        };
        portal.change_alias(&alias, &self.to, None, settled.to_string()).await
    }
}

impl Operation for SendRequests {
    const NAME: &'static str = "SendRequests";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = Sent;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Sent, Problem> {
        if !(1..=MOST_REQUESTS).contains(&self.count) {
            let message = format!("The number of requests is 1 to {MOST_REQUESTS}.");
            return Err(Problem::new(ProblemKind::Invalid, message));
        }
        let (alias, note) = portal.underway(&self.rollout).await?;
        let tags = aws::tags(&portal.clients.lambda, &alias.function_arn).await?;
        let details = Details::read(&tags, &note.rollout);
        let Some(details) = details.filter(|_| matches!(note.phase, Phase::Shift(_))) else {
            let message = "Requests are sent while the new version has a share; it has none now.";
            return Err(Problem::new(ProblemKind::Conflict, message));
        };
        if !["GET", "HEAD"].contains(&details.smoke.method.as_str()) {
            let message = "The rollout's smoke request changes something, so it is sent only once.";
            return Err(Problem::new(ProblemKind::Conflict, message));
        }
        let passed = portal.send_requests(&note, &details, self.count).await?;
        Ok(Sent { passed, failed: self.count - passed })
    }
}

impl Operation for PruneVersions {
    const NAME: &'static str = "PruneVersions";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Deploy;
    type Output = Pruned;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Pruned, Problem> {
        if self.versions.is_empty() || self.versions.len() > MOST_PRUNED {
            let message = format!("The number of versions is 1 to {MOST_PRUNED}.");
            return Err(Problem::new(ProblemKind::Invalid, message));
        }
        let (lambda, stack) = (&portal.clients.lambda, portal.stack());
        let there = portal.versions_now().await?;
        for wanted in &self.versions {
            match there.iter().find(|version| version.version == *wanted) {
                Some(version) => {
                    if let Some(why) = &version.kept {
                        let message = format!("Version {wanted} is kept: {why}. Nothing was deleted.");
                        return Err(
                            Problem::new(ProblemKind::Conflict, message).with_next("Look at the page again.")
                        );
                    }
                }
                // Deleted by an earlier attempt, whose answer was lost.
                None if wanted.parse::<u64>().is_ok() => {}
                None => {
                    let message = format!("{wanted:?} is no version's number.");
                    return Err(Problem::new(ProblemKind::Invalid, message));
                }
            }
        }
        for wanted in &self.versions {
            let answer =
                lambda.delete_function().function_name(&stack.function).qualifier(wanted).send().await;
            match answer {
                Ok(_) => {}
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|error| error.is_resource_not_found_exception()) => {}
                // Also where an alias has come to name it: Lambda refuses that itself.
                Err(error) => {
                    portal.forget_deploys();
                    return Err(problem(
                        &format!("delete version {wanted}"),
                        "lambda:DeleteFunction",
                        &error,
                    ));
                }
            }
        }
        portal.forget_deploys();
        Ok(Pruned { versions: self.versions.clone() })
    }
}
