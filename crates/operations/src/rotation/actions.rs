//! The operations on the secret's rotation.
//!
//! Each is safe to repeat: a rotation has an id that the caller may choose, and the same id is the
//! same rotation; a label is moved away from where it was seen, so the second of two moves is refused.
//! Of several rotations at once AWS lets one begin; the others are told whose it is.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::types::RotationRulesType;
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::rotation::{
    Begun, LabelMove, RehearseRotation, RepairRotation, Repaired, RotateSecret, Scheduled, SecretDetail,
    SetRotationSchedule, is_id, token,
};
use model::tokens::Scope;

use super::probe;
use super::repair::Login;
use super::schedule::{Schedule, window};
use crate::aws::problem;
use crate::perform::Operation;
use crate::portal::Portal;

impl Operation for RotateSecret {
    const NAME: &'static str = "RotateSecret";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Rotate;
    type Output = Begun;

    async fn run(&self, portal: &Portal, actor: &Actor) -> Result<Begun, Problem> {
        let token = portal.token(self.id.as_deref(), actor)?;
        let secret = portal.secret_now().await?;
        if secret.versions.iter().any(|version| version.id == token) {
            return Ok(Begun { token });
        }
        let preflight = portal.preflight_of(secret.clone()).await;
        if !preflight.ready {
            return Err(Problem::new(ProblemKind::Conflict, preflight.verdict)
                .with_next("The checks on the page say what to do."));
        }
        // A rotation takes seconds: somebody else's may have begun and ended since.
        let now = portal.secret_now().await?;
        if now.versions != secret.versions {
            return Err(in_the_way(&now).unwrap_or_else(|| {
                let whose = now.current().and_then(|version| version.started_by.clone());
                let by = whose.map(|name| format!(" by {name}")).unwrap_or_default();
                let message = format!("The secret was rotated{by} a moment ago.");
                Problem::new(ProblemKind::Conflict, message).with_next("Look at the page again.")
            }));
        }
        portal.begin(&token, true, None).await
    }
}

impl Operation for RehearseRotation {
    const NAME: &'static str = "RehearseRotation";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Rotate;
    type Output = Begun;

    async fn run(&self, portal: &Portal, actor: &Actor) -> Result<Begun, Problem> {
        let token = portal.token(self.id.as_deref(), actor)?;
        let secret = portal.secret_now().await?;
        if !secret.rotation_enabled {
            return Err(Problem::new(
                ProblemKind::Conflict,
                "Rotation is switched off, and a rehearsal would switch it on.",
            )
            .with_next("Set a schedule first."));
        }
        if let Some(problem) =
            in_the_way(&secret).filter(|_| secret.versions.iter().all(|version| version.id != token))
        {
            return Err(problem);
        }
        portal.begin(&token, false, None).await
    }
}

impl Operation for SetRotationSchedule {
    const NAME: &'static str = "SetRotationSchedule";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Rotate;
    type Output = Scheduled;

    async fn run(&self, portal: &Portal, actor: &Actor) -> Result<Scheduled, Problem> {
        let Some(text) = self.schedule.as_deref().map(str::trim) else {
            // Switched off in the middle, a rotation could not end.
            if let Some(problem) = in_the_way(&portal.secret_now().await?) {
                return Err(problem);
            }
            portal.cancel().await?;
            return Ok(Scheduled { next_runs: Vec::new() });
        };
        let schedule = Schedule::read(text)?;
        let rules = RotationRulesType::builder()
            .schedule_expression(text)
            .set_duration(window(self.window_hours, &schedule)?)
            .build();
        let secret = portal.secret_now().await?;
        if let Some(problem) = in_the_way(&secret) {
            return Err(problem);
        }
        // AWS has no call that sets a schedule and does nothing else: this one rehearses, too.
        portal.begin(&portal.token(None, actor)?, false, Some(rules)).await?;
        Ok(Scheduled { next_runs: portal.secret_now().await?.next_runs })
    }
}

impl Operation for RepairRotation {
    const NAME: &'static str = "RepairRotation";
    const NEEDS: Role = Role::Operator;
    const SCOPE: Scope = Scope::Rotate;
    type Output = Repaired;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Repaired, Problem> {
        let name = &portal.stack().secret_id;
        if self.confirm.trim() != name {
            let message = "What was typed is not the secret's name.";
            return Err(Problem::new(ProblemKind::Invalid, message).with_next(format!("Type {name}.")));
        }
        let (secret, plan) = portal.repair_now(&self.token).await?;
        let Some(plan) = plan else {
            let message = "There is nothing to repair: no rotation is left half done.";
            return Err(Problem::new(ProblemKind::Conflict, message).with_next("Look at the page again."));
        };
        if plan.token != self.token || !same(&plan.moves, &self.moves) {
            // The plan that was shown came of logins that were tried a while ago: the next one must not.
            portal.forget_secret().await;
            let message = "Things have changed since the plan was shown, so nothing was done.";
            return Err(Problem::new(ProblemKind::Conflict, message).with_next("Look at the new plan."));
        }
        if plan.moves.is_empty() {
            return Err(Problem::new(ProblemKind::Conflict, plan.happened).with_next(plan.outcome));
        }
        for step in &plan.moves {
            portal.move_label(&secret, step).await?;
        }
        portal.forget_secret().await;
        if let [LabelMove { to: None, from, .. }] = plan.moves.as_slice() {
            portal.look_after(&secret, from).await?;
        }
        Ok(Repaired { moves: plan.moves })
    }
}

/// Moves are compared by what they do: reasons are words, and may be worded anew.
fn same(one: &[LabelMove], other: &[LabelMove]) -> bool {
    let bare = |moves: &[LabelMove]| -> Vec<_> {
        moves.iter().map(|step| (step.label.clone(), step.from.clone(), step.to.clone())).collect()
    };
    bare(one) == bare(other)
}

/// The rotation that AWSPENDING tells of, as a reason why another can't begin.
fn in_the_way(secret: &SecretDetail) -> Option<Problem> {
    let pending = secret.pending()?;
    let whose = pending.started_by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    let short: String = pending.id.chars().take(8).collect();
    let message = format!("Another rotation{whose} is in progress or was left half done (version {short}).");
    Some(Problem::new(ProblemKind::Conflict, message).with_next("Wait for it, or repair it."))
}

impl Portal {
    fn token(&self, id: Option<&str>, actor: &Actor) -> Result<String, Problem> {
        match id {
            Some(id) if !is_id(id) => {
                Err(Problem::new(ProblemKind::Invalid, "The id must be 32 hexadecimal digits in lower case."))
            }
            Some(id) => Ok(token(id, &actor.name)),
            None => Ok(token(&self.new_id(), &actor.name)),
        }
    }

    async fn begin(
        &self,
        token: &str,
        at_once: bool,
        rules: Option<RotationRulesType>,
    ) -> Result<Begun, Problem> {
        let answer = self
            .clients
            .secrets
            .rotate_secret()
            .secret_id(&self.stack().secret_id)
            .client_request_token(token)
            .rotate_immediately(at_once)
            .set_rotation_rules(rules)
            .send()
            .await;
        self.forget_secret().await;
        let Err(error) = answer else { return Ok(Begun { token: token.to_owned() }) };
        // The answer may be lost and the rotation begun; or somebody was faster: AWS has let one begin.
        if let Ok(now) = self.secret_now().await {
            if now.versions.iter().any(|version| version.id == token) {
                return Ok(Begun { token: token.to_owned() });
            }
            if error.code() == Some("InvalidRequestException")
                && let Some(problem) = in_the_way(&now)
            {
                return Err(problem);
            }
        }
        Err(problem("begin the rotation", "secretsmanager:RotateSecret", &error))
    }

    async fn cancel(&self) -> Result<(), Problem> {
        let answer =
            self.clients.secrets.cancel_rotate_secret().secret_id(&self.stack().secret_id).send().await;
        self.forget_secret().await;
        answer
            .map(drop)
            .map_err(|error| problem("switch the rotation off", "secretsmanager:CancelRotateSecret", &error))
    }

    /// Looks at the login once more when AWSPENDING was taken off and nothing else was done. Secrets Manager
    /// may have attempted the rotation anew at that very moment, and the rotation function altered a login
    /// that is in use and found its label still there: then no label would lead to the password any more.
    /// Each of the two looks after it has changed something, so that one of them sees the other.
    async fn look_after(&self, secret: &SecretDetail, version: &str) -> Result<(), Problem> {
        let probe = probe::ask(&self.clients.lambda, secret).await;
        if probe.current != Login::Refused("wrong_password".to_owned()) {
            return Ok(());
        }
        let back = self.clients.secrets.update_secret_version_stage().secret_id(&secret.arn);
        let back = back.version_stage("AWSPENDING").move_to_version_id(version).send().await;
        self.forget_secret().await;
        back.map_err(|error| {
            let what = format!("put AWSPENDING back on the version {version}, which alone may log in");
            problem(&what, "secretsmanager:UpdateSecretVersionStage", &error)
        })?;
        let message = "The rotation was attempted anew at that moment and has changed the password, so AWSPENDING is back where it was.";
        Err(Problem::new(ProblemKind::Conflict, message).with_next("Look at the new plan."))
    }

    /// Moves one label. When the answer is lost and the SDK asks again, the second call is refused,
    /// as the label is no longer where it is to be moved from: then it is looked where it is.
    async fn move_label(&self, secret: &SecretDetail, step: &LabelMove) -> Result<(), Problem> {
        let answer = self
            .clients
            .secrets
            .update_secret_version_stage()
            .secret_id(&secret.arn)
            .version_stage(&step.label)
            .remove_from_version_id(&step.from)
            .set_move_to_version_id(step.to.clone())
            .send()
            .await;
        let Err(error) = answer else { return Ok(()) };
        let now = self.secret_now().await?;
        let holder =
            now.versions.iter().find(|version| version.has(&step.label)).map(|version| version.id.as_str());
        if holder == step.to.as_deref() && holder != Some(step.from.as_str()) {
            return Ok(());
        }
        self.forget_secret().await;
        Err(problem(
            &format!("move the label {}", step.label),
            "secretsmanager:UpdateSecretVersionStage",
            &error,
        ))
    }
}
