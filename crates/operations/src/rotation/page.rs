//! What the secret's page shows, put together from shared readings: however many people look, AWS is
//! asked in the readings' own rhythm.

use std::sync::Arc;
use std::time::Duration;

use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::rotation::{
    PastRotation, Preflight, RepairPlan, Rotation, RotationState, SecretDetail, SecretPage, SecretUser,
    Strategy,
};
use model::time::Timestamp;
use tokio::sync::Mutex;

use super::history::History;
use super::preflight::{ApiFunction, Facts, RotationFunction, preflight};
use super::repair::{Probe, REFUSED_MS, plan};
use super::timeline::{Place, Seen, rotation};
use super::{detail, facts, history, log, probe};
use crate::kept::{Kept, Wait};
use crate::portal::Portal;

/// So many rotations are followed at once; the one asked for longest ago is forgotten first.
const MOST_FOLLOWED: usize = 16;
/// Lambda's own default, where the rotation function can't be read.
const DEFAULT_TIMEOUT_SECONDS: u32 = 60;
/// How long charts wait for the rotations they mark.
const CHARTS_TIME: Duration = Duration::from_millis(4_500);
/// How long a page waits for logins to be tried.
const PROBE_TIME: Duration = Duration::from_secs(4);

/// Logins that were tried.
struct Tried {
    /// The labels as they were.
    of: String,
    at: Timestamp,
    good_for_ms: i64,
    probe: Probe,
}

/// A rotation that is followed: its id, and what the function wrote about it.
type Followed = (String, Arc<Kept<Vec<log::Line>>>);

/// The readings behind the page.
pub(crate) struct Readings {
    secret: Kept<SecretDetail>,
    function: Kept<Option<RotationFunction>>,
    api: Kept<ApiFunction>,
    redeploy: Kept<Option<String>>,
    history: Kept<History>,
    users: Kept<Vec<SecretUser>>,
    logs: Mutex<Vec<Followed>>,
    probe: Mutex<Option<Tried>>,
}

impl Readings {
    pub(crate) fn new() -> Self {
        Self {
            // A running rotation takes a few seconds, and its page wants to show the steps.
            secret: Kept::every(Duration::from_millis(900)),
            function: Kept::every(Duration::from_secs(15)),
            api: Kept::every(Duration::from_secs(30)),
            redeploy: Kept::every(Duration::from_secs(5)),
            // CloudTrail is minutes behind, and takes two calls a second.
            history: Kept::every(Duration::from_secs(30)).unhurried(history::WHOLE_TIME),
            users: Kept::every(Duration::from_secs(120)),
            logs: Mutex::new(Vec::new()),
            probe: Mutex::new(None),
        }
    }
}

impl Portal {
    /// What the secret's page shows: of the rotation with the id `watch`, or of the newest. Never
    /// fails as a whole; each part carries its own problem.
    pub async fn secret_page(&self, watch: Option<&str>) -> SecretPage {
        // Boxed, because it holds the futures of a dozen calls.
        Box::pin(self.put_together(watch)).await
    }

    async fn put_together(&self, watch: Option<&str>) -> SecretPage {
        // What does not depend on the secret is read meanwhile: where AWS hangs, its time passes at once.
        self.readings.api.prepare(self.clock(), || self.api());
        self.readings.redeploy.prepare(self.clock(), || self.redeploy());
        let secret = self.secret_reading().await;
        let rotation = self.followed(&secret, watch, Wait::Briefly).await;
        let state = self.newest_state(&secret, &rotation, watch, Wait::Briefly).await;
        let (preflight, repair, history, users) = futures::join!(
            self.checked(secret.clone(), state, strategy_of(&rotation), Wait::Briefly),
            self.repair_reading(&secret, state),
            self.history(&secret),
            self.users(&secret),
        );
        let preflight = Reading { value: Some(preflight), at: secret.at, problem: None };
        SecretPage { now: self.now(), secret, rotation, repair, preflight, history, users }
    }

    /// Rotations of the past, for charts: read twice a minute for all.
    pub(crate) async fn rotations(&self) -> Reading<Vec<PastRotation>> {
        let reading = async {
            let secret = self.secret_reading().await;
            self.history(&secret).await
        };
        // Two readings, one after the other; whoever waits for them waits for others' as well.
        tokio::time::timeout(CHARTS_TIME, reading).await.unwrap_or_else(|_| {
            let message = "The rotations could not be read in time.";
            Reading::missing(Problem::new(ProblemKind::TimedOut, message), self.now())
        })
    }

    /// The secret, read now.
    pub(crate) async fn secret_now(&self) -> Result<SecretDetail, Problem> {
        detail::read(self.clients.secrets.clone(), self.shared_stack(), self.now()).await
    }

    /// The rotation function's log group, where there is one that can be read.
    pub(crate) async fn rotation_log_group(&self) -> Option<String> {
        let secret = self.secret_reading().await.value?;
        let function = self.function_reading(Some(&secret), Wait::Briefly).await;
        function.value.flatten().map(|function| function.log_group)
    }

    /// Whether a rotation would go through, looked at now.
    pub(super) async fn preflight_of(&self, secret: SecretDetail) -> Preflight {
        self.readings.redeploy.forget();
        let secret = Reading::fresh(secret, self.now());
        let rotation = self.followed(&secret, None, Wait::Long).await;
        let state = self.newest_state(&secret, &rotation, None, Wait::Long).await;
        self.checked(secret, state, strategy_of(&rotation), Wait::Long).await
    }

    /// The plan for a repair, with logins tried now.
    pub(super) async fn repair_now(
        &self,
        token: &str,
    ) -> Result<(SecretDetail, Option<RepairPlan>), Problem> {
        let secret = self.secret_now().await?;
        // Another rotation than was asked about: no login is tried for it.
        if secret.pending().is_none_or(|version| version.id != token) {
            return Ok((secret, None));
        }
        self.stands_still(&secret).await?;
        let needs_logins = secret.pending().is_some_and(|version| version.has_value);
        let tried = if needs_logins { probe::ask(&self.clients.lambda, &secret).await } else { not_needed() };
        // Secrets Manager may have attempted it anew while the logins were tried.
        let after = self.secret_now().await?;
        self.stands_still(&after).await?;
        if after.versions != secret.versions {
            return Err(Problem::new(
                ProblemKind::Conflict,
                "Labels have moved meanwhile, so nothing was done.",
            )
            .with_next("Look at the new plan."));
        }
        let plan = plan(&secret, &tried);
        Ok((secret, plan))
    }

    /// That no rotation is at work, as far as the log tells; where it can't be read, that is not known.
    async fn stands_still(&self, secret: &SecretDetail) -> Result<(), Problem> {
        let reading = Reading::fresh(secret.clone(), self.now());
        let rotation = self.followed(&reading, None, Wait::Long).await;
        if let Some(problem) = rotation.problem {
            return Err(problem);
        }
        match rotation.value.flatten().map(|rotation| rotation.state) {
            Some(RotationState::Running) => {
                Err(Problem::new(ProblemKind::Conflict, "The rotation is still running.")
                    .with_next("Wait until it has ended or stands still."))
            }
            _ => Ok(()),
        }
    }

    /// Has everything about the secret read anew by the next who looks.
    pub(super) async fn forget_secret(&self) {
        let readings = &self.readings;
        readings.secret.forget();
        readings.redeploy.forget();
        self.secret.forget();
        readings.probe.lock().await.take();
    }

    async fn secret_reading(&self) -> Reading<SecretDetail> {
        let read = || detail::read(self.clients.secrets.clone(), self.shared_stack(), self.now());
        self.readings.secret.get(self.clock(), read).await
    }

    async fn function_reading(
        &self,
        secret: Option<&SecretDetail>,
        wait: Wait,
    ) -> Reading<Option<RotationFunction>> {
        let Some(secret) = secret else {
            let problem =
                Problem::new(ProblemKind::Upstream, "The secret, which names it, could not be read.");
            return Reading::missing(problem, self.now());
        };
        let named = secret.rotation_function.clone().map(|function| (function, secret.arn.clone()));
        let lambda = self.clients.lambda.clone();
        let read = || async {
            match named {
                None => Ok(None),
                Some((function, arn)) => facts::rotation_function(lambda, function, arn).await.map(Some),
            }
        };
        self.readings.function.get_waiting(wait, self.clock(), read).await
    }

    /// The rotation that is shown.
    async fn followed(
        &self,
        secret: &Reading<SecretDetail>,
        watch: Option<&str>,
        wait: Wait,
    ) -> Reading<Option<Rotation>> {
        let Some(detail) = &secret.value else {
            let problem = secret.problem.clone();
            return Reading { value: None, at: secret.at, problem };
        };
        let newest = || detail.pending().or_else(|| detail.current()).map(|version| version.id.as_str());
        let Some(token) = watch.or_else(newest) else { return Reading::fresh(None, secret.at) };
        let function = self.function_reading(Some(detail), wait).await;
        let known = function.value.flatten();
        let timeout_seconds = known.as_ref().map_or(DEFAULT_TIMEOUT_SECONDS, |known| known.timeout_seconds);
        let version = detail.versions.iter().find(|version| version.id == token);
        let lines = match &known {
            Some(known) => {
                let created = version.and_then(|version| version.created);
                self.lines(&known.log_group, token, created, wait).await
            }
            None => Reading { value: Some(Vec::new()), at: secret.at, problem: function.problem },
        };
        let place = match version {
            Some(version) if version.has("AWSPENDING") && !version.has("AWSCURRENT") => Place::Pending,
            Some(version) if version.has("AWSCURRENT") || version.has("AWSPREVIOUS") => Place::Current,
            _ => Place::Gone,
        };
        let written = lines.value.unwrap_or_default();
        // The value a secret was made with is no rotation's; and of an id that nobody knows there is
        // nothing to show.
        let rotated = detail.rotated.is_some() || place == Place::Pending || !written.is_empty();
        let shown = (rotated && (version.is_some() || !written.is_empty())).then(|| {
            rotation(&Seen {
                token,
                place,
                has_value: version.is_some_and(|version| version.has_value),
                lines: &written,
                changed: detail.changed,
                timeout_seconds,
                now: self.now(),
            })
        });
        Reading {
            value: Some(shown),
            at: secret.at,
            problem: lines.problem.or_else(|| secret.problem.clone()),
        }
    }

    /// How the newest rotation stands, which is not always the one that is shown.
    async fn newest_state(
        &self,
        secret: &Reading<SecretDetail>,
        shown: &Reading<Option<Rotation>>,
        watch: Option<&str>,
        wait: Wait,
    ) -> Option<RotationState> {
        let pending = secret.value.as_ref()?.pending()?.id.clone();
        let of = |reading: &Reading<Option<Rotation>>| {
            reading.value.as_ref()?.as_ref().map(|rotation| rotation.state)
        };
        if watch.is_none_or(|watch| watch == pending) {
            return of(shown);
        }
        of(&Box::pin(self.followed(secret, None, wait)).await)
    }

    async fn lines(
        &self,
        group: &str,
        token: &str,
        created: Option<Timestamp>,
        wait: Wait,
    ) -> Reading<Vec<log::Line>> {
        let kept = {
            let mut logs = self.readings.logs.lock().await;
            let found = logs.iter().position(|(followed, _)| followed == token);
            let (_, kept) = match found {
                Some(index) => logs.remove(index),
                None => {
                    if logs.len() >= MOST_FOLLOWED {
                        logs.remove(0);
                    }
                    // CloudWatch takes five such calls a second from the whole account.
                    (token.to_owned(), Arc::new(Kept::every(Duration::from_secs(1))))
                }
            };
            // The one asked for last stands last.
            logs.push((token.to_owned(), Arc::clone(&kept)));
            kept
        };
        let read = || {
            let (group, token) = (group.to_owned(), token.to_owned());
            log::read(self.clients.logs.clone(), log::Wanted { group, token, created, now: self.now() })
        };
        kept.get_waiting(wait, self.clock(), read).await
    }

    fn api(&self) -> impl Future<Output = Result<ApiFunction, Problem>> + Send + 'static {
        facts::api_function(self.clients.lambda.clone(), self.shared_stack())
    }

    fn redeploy(&self) -> impl Future<Output = Result<Option<String>, Problem>> + Send + 'static {
        facts::redeploy(self.clients.lambda.clone(), self.shared_stack())
    }

    async fn checked(
        &self,
        secret: Reading<SecretDetail>,
        newest: Option<RotationState>,
        last: Option<Strategy>,
        wait: Wait,
    ) -> Preflight {
        let (readings, clock) = (&self.readings, self.clock());
        let (function, api, redeploy) = futures::join!(
            self.function_reading(secret.value.as_ref(), wait),
            readings.api.get_waiting(wait, clock, || self.api()),
            readings.redeploy.get_waiting(wait, clock, || self.redeploy()),
        );
        let told = function.value.as_ref().and_then(|function| function.as_ref()?.strategy);
        let facts = Facts {
            secret: known(secret),
            newest,
            function: known(function),
            strategy: told.or(last),
            api: known(api),
            redeploy: known(redeploy),
            now: self.now(),
        };
        preflight(&facts)
    }

    async fn repair_reading(
        &self,
        secret: &Reading<SecretDetail>,
        newest: Option<RotationState>,
    ) -> Reading<Option<RepairPlan>> {
        let Some(detail) = &secret.value else {
            return Reading { value: None, at: secret.at, problem: secret.problem.clone() };
        };
        let Some(pending) = detail.pending().filter(|_| newest == Some(RotationState::HalfDone)) else {
            return Reading::fresh(None, secret.at);
        };
        let tried = match (pending.has_value, &secret.problem) {
            (false, _) => not_needed(),
            (true, None) => self.kept_probe(detail).await,
            // What is known of the labels is old: a login would prove nothing about the present ones.
            (true, Some(_)) => Probe::unknown("the labels could not be read just now."),
        };
        Reading { value: Some(plan(detail, &tried)), at: secret.at, problem: secret.problem.clone() }
    }

    /// The logins as they were tried last, while no label has moved: for ten minutes where one was refused,
    /// as each refusal counts towards a lock, and for seconds where only something was in the way.
    async fn kept_probe(&self, secret: &SecretDetail) -> Probe {
        let labels: Vec<_> = secret.versions.iter().map(|version| (&version.id, &version.labels)).collect();
        let of = format!("{labels:?}");
        let mut tried = self.readings.probe.lock().await;
        let now = self.now();
        if let Some(last) = tried.as_ref().filter(|last| last.of == of)
            && (0..last.good_for_ms).contains(&now.0.saturating_sub(last.at.0))
        {
            return last.probe.clone();
        }
        let asking = probe::ask(&self.clients.lambda, secret);
        let probe = tokio::time::timeout(PROBE_TIME, asking).await;
        // The function goes on after this has given up: its logins count as refused.
        let good_for_ms = probe.as_ref().map_or(REFUSED_MS, Probe::good_for_ms);
        let probe = probe.unwrap_or_else(|_| Probe::unknown("there was no answer in time."));
        *tried = Some(Tried { of, at: self.now(), good_for_ms, probe: probe.clone() });
        probe
    }

    async fn history(&self, secret: &Reading<SecretDetail>) -> Reading<Vec<PastRotation>> {
        let Some(arn) = secret.value.as_ref().map(|detail| detail.arn.clone()) else {
            return Reading { value: None, at: secret.at, problem: secret.problem.clone() };
        };
        let read = || history::read(self.clients.trail.clone(), arn, self.now());
        let Reading { value, at, problem } = self.readings.history.get(self.clock(), read).await;
        let (past, partial) = value.map(|History { past, partial }| (past, partial)).unzip();
        Reading { value: past, at, problem: problem.or(partial.flatten()) }
    }

    async fn users(&self, secret: &Reading<SecretDetail>) -> Reading<Vec<SecretUser>> {
        let Some(arn) = secret.value.as_ref().map(|detail| detail.arn.clone()) else {
            return Reading { value: None, at: secret.at, problem: secret.problem.clone() };
        };
        let read = || facts::users(self.clients.lambda.clone(), self.shared_stack(), arn);
        self.readings.users.get(self.clock(), read).await
    }
}

/// How the password was changed in the rotation that is shown.
fn strategy_of(shown: &Reading<Option<Rotation>>) -> Option<Strategy> {
    shown.value.as_ref()?.as_ref()?.strategy
}

fn not_needed() -> Probe {
    Probe::unknown("that was not needed.")
}

/// A reading's value, or why there is none. One that is old because AWS did not answer proves nothing.
fn known<T>(reading: Reading<T>) -> Result<T, Problem> {
    match (reading.value, reading.problem) {
        (Some(value), None) => Ok(value),
        (_, Some(problem)) => Err(problem),
        (None, None) => Err(Problem::new(ProblemKind::Upstream, "Nothing could be read.")),
    }
}
