//! What the alarms' page shows, put together from shared readings.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::types::MetricAlarm;
use model::alarms::{AlarmEvent, AlarmsPage, SetItem, Settings, StackAlarm, Thresholds, Topic};
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use super::set::{Stands, plan};
use super::{history, raw, settings, stack_alarm, topics};
use crate::aws::problem;
use crate::kept::Kept;
use crate::portal::{Clients, Portal};

/// The readings behind the page. Alarms are evaluated once a minute.
pub(crate) struct Readings {
    watched: Kept<Watched>,
    topics: Kept<Vec<Topic>>,
    history: Kept<Vec<AlarmEvent>>,
    settings: Kept<Settings>,
}

impl Readings {
    pub(crate) fn new() -> Self {
        Self {
            watched: Kept::every(Duration::from_secs(15)),
            topics: Kept::every(Duration::from_secs(15)),
            history: Kept::every(Duration::from_secs(30)),
            settings: Kept::every(Duration::from_secs(30)),
        }
    }
}

/// The alarms, and what the set depends on.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) raw: Vec<MetricAlarm>,
    pub(super) alarms: Vec<StackAlarm>,
    pub(super) rotation: Option<String>,
    pub(super) timeout_seconds: Option<u32>,
}

impl Watched {
    /// The set, with alarms that fire from there on.
    pub(super) fn set(&self, stack: &Stack, thresholds: Thresholds) -> Vec<SetItem> {
        let (timeout_seconds, rotation) = (self.timeout_seconds, self.rotation.as_deref());
        plan(&self.alarms, &Stands { stack, timeout_seconds, rotation, thresholds })
    }

    fn topics(&self) -> Vec<String> {
        let actions = self.alarms.iter().flat_map(|alarm| &alarm.actions);
        actions.filter(|action| topics::is_topic(action)).cloned().collect()
    }
}

/// Reads the alarms, the firing ones first, and what the set depends on. What it depends on may be missing.
pub(super) async fn watched(clients: Clients, stack: Arc<Stack>) -> Result<Watched, Problem> {
    let rotation = rotation_function(&clients, &stack).await.unwrap_or_default();
    let configuration = clients.lambda.get_function_configuration().function_name(&stack.function);
    let (raw, facts) = futures::join!(
        raw(&clients.cloudwatch, &stack, rotation.as_deref()),
        configuration.qualifier(&stack.alias).send(),
    );
    let raw = raw?;
    let timeout_seconds =
        facts.ok().and_then(|facts| facts.timeout()).and_then(|limit| limit.try_into().ok());
    let mut alarms: Vec<StackAlarm> = raw.iter().map(stack_alarm).collect();
    alarms.sort_by(|a, b| (a.state, &a.rule.name).cmp(&(b.state, &b.rule.name)));
    Ok(Watched { raw, alarms, rotation, timeout_seconds })
}

/// The rotation function's name, without a qualifier; none where the secret has none.
pub(super) async fn rotation_function(clients: &Clients, stack: &Stack) -> Result<Option<String>, Problem> {
    let secret = clients
        .secrets
        .describe_secret()
        .secret_id(&stack.secret_id)
        .send()
        .await
        .map_err(|error| problem("describe the secret", "secretsmanager:DescribeSecret", &error))?;
    let name = |arn: &str| arn.split(":function:").nth(1)?.split(':').next().map(str::to_owned);
    Ok(secret.rotation_lambda_arn().and_then(name))
}

impl Portal {
    /// What the alarms' page shows. Never fails as a whole; each part carries its own problem.
    pub async fn alarms_page(&self) -> AlarmsPage {
        let (clock, readings) = (self.clock(), &self.alarms_page);
        let parts = || (self.clients.clone(), self.shared_stack());
        let (mut watched, settings) = futures::join!(
            self.watched(),
            readings.settings.get(clock, || {
                let (clients, stack) = parts();
                async move { settings::read(&clients, &stack).await.map(|held| held.settings) }
            }),
        );
        let (topics, history) = match &watched.value {
            Some(known) => self.about(known).await,
            // While AWS hangs, one wait after the other would be more than a page has.
            None => {
                let unknown = Problem::new(
                    ProblemKind::Upstream,
                    "It is not known whose: the alarms could not be read.",
                );
                let problem = watched.problem.clone().unwrap_or(unknown);
                (Reading::missing(problem.clone(), watched.at), Reading::missing(problem, watched.at))
            }
        };
        let known = topics.value.as_deref();
        for alarm in watched.value.iter_mut().flat_map(|watched| &mut watched.alarms) {
            alarm.told = topics::told(alarm, known);
        }
        let Reading { value, at, problem } = watched;
        let set = value.as_ref().map(|watched| watched.set(self.stack(), Thresholds::default()));
        AlarmsPage {
            now: self.now(),
            alarms: Reading { value: value.map(|watched| watched.alarms), at, problem: problem.clone() },
            set: Reading { value: set, at, problem },
            topics,
            history,
            settings,
        }
    }

    /// Whom the alarms tell, and what happened to them.
    async fn about(&self, known: &Watched) -> (Reading<Vec<Topic>>, Reading<Vec<AlarmEvent>>) {
        let (clock, readings) = (self.clock(), &self.alarms_page);
        let arns = known.topics();
        let names: Vec<String> = known.alarms.iter().map(|alarm| alarm.rule.name.clone()).collect();
        futures::join!(
            readings.topics.get(clock, || {
                let sns = self.clients.sns.clone();
                async move { topics::read(&sns, arns).await }
            }),
            self.history_of(names),
        )
    }

    async fn watched(&self) -> Reading<Watched> {
        let read = || watched(self.clients.clone(), self.shared_stack());
        self.alarms_page.watched.get(self.clock(), read).await
    }

    async fn history_of(&self, names: Vec<String>) -> Reading<Vec<AlarmEvent>> {
        let cloudwatch = self.clients.cloudwatch.clone();
        let read = || async move { history::read(&cloudwatch, &names).await };
        self.alarms_page.history.get(self.clock(), read).await
    }

    /// What happened to the stack's alarms, for whoever marks it; nothing where that can't be read.
    pub(crate) async fn alarm_events(&self) -> Vec<AlarmEvent> {
        let Some(known) = self.watched().await.value else { return Vec::new() };
        let names = known.alarms.iter().map(|alarm| alarm.rule.name.clone()).collect();
        self.history_of(names).await.value.unwrap_or_default()
    }

    /// Has what a change of this page changes read anew by the next who looks.
    pub(super) fn forget_alarms(&self) {
        let Readings { watched, topics, history, settings } = &self.alarms_page;
        watched.forget();
        topics.forget();
        history.forget();
        settings.forget();
        self.forget_alarm_states();
    }
}
