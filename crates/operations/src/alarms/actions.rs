//! What can be done about alarms and about what is logged. Each is safe to repeat: it writes what is to be,
//! and says what differs beforehand; with `seen`, only what was shown is done.

use std::time::Duration;

use aws_sdk_apigatewayv2::types::{AccessLogSettings, RouteSettings};
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, StandardUnit, Statistic};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::types::{
    ApplicationLogLevel, LastUpdateStatus, LogFormat, LoggingConfig, TracingConfig, TracingMode,
};
use model::alarms::{
    Change, ChangePreview, Changed, PutAlarms, SetFunctionLogging, SetLogRetention, SetStageLogging,
};
use model::people::{Actor, Role};
use model::problem::{Problem, ProblemKind};
use model::rollout::Note;

use super::page::{Watched, watched};
use super::puts::{Put, puts, seen_of, still};
use super::settings::{self, FORMAT, Held, Plan};
use super::topics;
use crate::aws::problem;
use crate::perform::Operation;
use crate::portal::Portal;

/// How long a change of a function's configuration is waited for; the request has only seconds more.
const SETTLE: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(200);

/// What is to be done, with what was looked at for it.
struct Looked {
    watched: Watched,
    puts: Vec<(Put, Change)>,
    preview: ChangePreview,
}

fn preview<T: serde::Serialize>((changes, warnings): Plan, of: &T) -> ChangePreview {
    let seen = seen_of(&(of, &changes));
    ChangePreview { changes, warnings, seen }
}

impl Portal {
    /// What [`PutAlarms`] would change. Changes nothing.
    ///
    /// # Errors
    /// `Invalid` for thresholds out of bounds or what is no topic, `NotFound` for a topic that is not there;
    /// what AWS says.
    pub async fn preview_alarms(&self, wanted: &PutAlarms) -> Result<ChangePreview, Problem> {
        Box::pin(self.look_at_alarms(wanted)).await.map(|looked| looked.preview)
    }

    /// What [`SetLogRetention`] would change. Changes nothing.
    ///
    /// # Errors
    /// As the operation's.
    pub async fn preview_retention(&self, wanted: &SetLogRetention) -> Result<ChangePreview, Problem> {
        let held = Box::pin(settings::read(&self.clients, self.stack())).await?;
        Ok(preview(settings::retention(&held.settings, wanted)?, &wanted.group))
    }

    /// What [`SetFunctionLogging`] would change. Changes nothing.
    ///
    /// # Errors
    /// As the operation's.
    pub async fn preview_function_logging(
        &self,
        wanted: &SetFunctionLogging,
    ) -> Result<ChangePreview, Problem> {
        let held = Box::pin(settings::read(&self.clients, self.stack())).await?;
        let plan = settings::function_logging(&held.settings, wanted, &self.stack().function)?;
        Ok(preview(plan, &wanted.function))
    }

    /// What [`SetStageLogging`] would change. Changes nothing.
    ///
    /// # Errors
    /// What AWS says.
    pub async fn preview_stage_logging(&self, wanted: &SetStageLogging) -> Result<ChangePreview, Problem> {
        let held = Box::pin(settings::read(&self.clients, self.stack())).await?;
        let plan = settings::stage_logging(&held.settings, wanted, &self.stack().api_id);
        Ok(preview(plan, &held.settings.stage.stage))
    }

    async fn look_at_alarms(&self, wanted: &PutAlarms) -> Result<Looked, Problem> {
        wanted.thresholds.check()?;
        let topic = wanted.topic.as_deref().map(str::trim).filter(|topic| !topic.is_empty());
        if let Some(topic) = topic {
            topics::check(topic, self.stack())?;
        }
        let watched = watched(self.clients.clone(), self.shared_stack()).await?;
        let items = watched.set(self.stack(), wanted.thresholds);
        let puts = puts(&items, &watched.alarms, &wanted.kinds, topic)?;
        let mut warnings = Vec::new();
        if let Some(topic) = topic {
            let state = topics::state(&self.clients.sns, topic).await;
            warnings.extend(topics::warning(topic, &state)?);
        }
        if puts.iter().any(|(put, _)| put.actions.is_empty()) {
            warnings.push(
                "Without a topic nobody is told when they fire; they are seen on this page only.".to_owned(),
            );
        }
        let written: Vec<&Put> = puts.iter().map(|(put, _)| put).collect();
        let changes = puts.iter().map(|(_, change)| change.clone()).collect();
        let preview = ChangePreview { changes, warnings, seen: seen_of(&written) };
        Ok(Looked { watched, puts, preview })
    }

    /// That no other alarm has the name: writing one would replace it.
    async fn name_is_free(&self, name: &str) -> Result<(), Problem> {
        let found = self
            .clients
            .cloudwatch
            .describe_alarms()
            .alarm_names(name)
            .send()
            .await
            .map_err(|error| problem("describe the alarms", "cloudwatch:DescribeAlarms", &error))?;
        if found.metric_alarms().is_empty() && found.composite_alarms().is_empty() {
            return Ok(());
        }
        let message = format!("An alarm named {name} watches something else, so nothing was done.");
        Err(Problem::new(ProblemKind::Conflict, message).with_next("Rename that one first."))
    }

    /// Writes an alarm. What is not decided here stays as it is.
    async fn put_alarm(&self, put: &Put, held: Option<&MetricAlarm>) -> Result<(), Problem> {
        let rule = &put.rule;
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let dimensions = rule.dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let mut request = self
            .clients
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(&rule.name)
            .set_alarm_description(held.and_then(|held| held.alarm_description().map(str::to_owned)))
            .actions_enabled(held.and_then(|held| held.actions_enabled()).unwrap_or(true))
            .set_alarm_actions(Some(put.actions.clone()))
            .set_ok_actions(held.map(|held| held.ok_actions().to_vec()))
            .set_insufficient_data_actions(held.map(|held| held.insufficient_data_actions().to_vec()))
            .namespace(&rule.namespace)
            .metric_name(&rule.metric)
            .set_dimensions(Some(dimensions.collect()))
            .set_unit(rule.unit.as_deref().map(StandardUnit::from))
            .period(number(rule.period))
            .evaluation_periods(number(rule.periods))
            .datapoints_to_alarm(number(rule.needed))
            .comparison_operator(ComparisonOperator::from(rule.comparison.as_str()))
            .threshold(rule.threshold)
            .treat_missing_data(&rule.missing);
        request = match &rule.few {
            Some(few) => {
                request.extended_statistic(&rule.statistic).evaluate_low_sample_count_percentile(few)
            }
            None => request.statistic(Statistic::from(rule.statistic.as_str())),
        };
        let what = format!("put the alarm {}", rule.name);
        request.send().await.map(drop).map_err(|error| problem(&what, "cloudwatch:PutMetricAlarm", &error))
    }

    /// Makes a log group, if it is not there.
    async fn make_group(&self, name: &str) -> Result<(), Problem> {
        match self.clients.logs.create_log_group().log_group_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("ResourceAlreadyExistsException") => Ok(()),
            Err(error) => {
                Err(problem(&format!("create the log group {name}"), "logs:CreateLogGroup", &error))
            }
        }
    }

    /// A rollout publishes what the function is then: its configuration must not change under it.
    async fn no_rollout(&self) -> Result<(), Problem> {
        let stack = self.stack();
        let alias =
            self.clients.lambda.get_alias().function_name(&stack.function).name(&stack.alias).send().await;
        let alias = alias.map_err(|error| problem("read the alias", "lambda:GetAlias", &error))?;
        match Note::read(alias.description().unwrap_or_default()) {
            Note::Underway(note) => {
                let message = format!("A redeploy by {} is under way.", note.by);
                Err(Problem::new(ProblemKind::Conflict, message).with_next("Wait for its end."))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the end of an update. One that takes longer goes on.
    async fn function_settled(&self, function: &str) -> Result<(), Problem> {
        let settled = async {
            loop {
                let facts = settings::configuration(&self.clients, function, None).await?;
                match facts.last_update_status() {
                    Some(LastUpdateStatus::InProgress) => tokio::time::sleep(LOOK).await,
                    Some(LastUpdateStatus::Failed) => {
                        let why = facts.last_update_status_reason().unwrap_or("it says not why");
                        let message = format!("Lambda could not change {function}: {why}");
                        return Err(Problem::new(ProblemKind::Upstream, message));
                    }
                    _ => return Ok(()),
                }
            }
        };
        tokio::time::timeout(SETTLE, settled).await.unwrap_or(Ok(()))
    }
}

impl Operation for PutAlarms {
    const NAME: &'static str = "PutAlarms";
    const NEEDS: Role = Role::Operator;
    type Output = Changed;

    /// A crash between two alarms leaves the first one written: the next run writes what is left.
    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Changed, Problem> {
        let Looked { watched, puts, preview } = Box::pin(portal.look_at_alarms(self)).await?;
        still(self.seen.as_ref(), &preview.seen)?;
        for (put, _) in puts.iter().filter(|(put, _)| !put.there) {
            portal.name_is_free(&put.rule.name).await?;
        }
        for (put, _) in &puts {
            let held = watched.raw.iter().find(|held| held.alarm_name() == Some(put.rule.name.as_str()));
            let outcome = portal.put_alarm(put, held).await;
            portal.forget_alarms();
            outcome?;
        }
        Ok(Changed { changes: preview.changes })
    }
}

impl Operation for SetLogRetention {
    const NAME: &'static str = "SetLogRetention";
    const NEEDS: Role = Role::Operator;
    type Output = Changed;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Changed, Problem> {
        let preview = portal.preview_retention(self).await?;
        still(self.seen.as_ref(), &preview.seen)?;
        if preview.changes.is_empty() {
            return Ok(Changed { changes: preview.changes });
        }
        portal.make_group(&self.group).await?;
        let logs = &portal.clients.logs;
        let what = format!("set the retention of {}", self.group);
        let outcome = match self.days.and_then(|days| i32::try_from(days).ok()) {
            Some(days) => {
                let put = logs.put_retention_policy().log_group_name(&self.group).retention_in_days(days);
                put.send().await.map(drop).map_err(|error| problem(&what, "logs:PutRetentionPolicy", &error))
            }
            None => {
                let delete = logs.delete_retention_policy().log_group_name(&self.group);
                delete
                    .send()
                    .await
                    .map(drop)
                    .map_err(|error| problem(&what, "logs:DeleteRetentionPolicy", &error))
            }
        };
        portal.forget_alarms();
        outcome.map(|()| Changed { changes: preview.changes })
    }
}

impl Operation for SetFunctionLogging {
    const NAME: &'static str = "SetFunctionLogging";
    const NEEDS: Role = Role::Operator;
    type Output = Changed;

    /// Names the revision that was seen, so that nothing of what somebody else changes is overwritten.
    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Changed, Problem> {
        let preview = portal.preview_function_logging(self).await?;
        still(self.seen.as_ref(), &preview.seen)?;
        if preview.changes.is_empty() {
            return Ok(Changed { changes: preview.changes });
        }
        if self.function == portal.stack().function {
            portal.no_rollout().await?;
        }
        let facts = settings::configuration(&portal.clients, &self.function, None).await?;
        let json = self.format == "JSON";
        let held = facts.logging_config();
        // What is not said would be set back to its default.
        let level = self.level.as_deref().map(ApplicationLogLevel::from);
        let logging = LoggingConfig::builder()
            .log_format(if json { LogFormat::Json } else { LogFormat::Text })
            .set_log_group(held.and_then(|held| held.log_group()).map(str::to_owned))
            .set_application_log_level(
                level
                    .or_else(|| held.and_then(|held| held.application_log_level()).cloned())
                    .filter(|_| json),
            )
            .set_system_log_level(held.and_then(|held| held.system_log_level()).cloned().filter(|_| json));
        let mode = if self.tracing { TracingMode::Active } else { TracingMode::PassThrough };
        let updated = portal
            .clients
            .lambda
            .update_function_configuration()
            .function_name(&self.function)
            .set_revision_id(facts.revision_id().map(str::to_owned))
            .logging_config(logging.build())
            .tracing_config(TracingConfig::builder().mode(mode).build())
            .send()
            .await;
        portal.forget_alarms();
        match updated {
            Ok(_) => {
                portal.function_settled(&self.function).await.map(|()| Changed { changes: preview.changes })
            }
            Err(error) => Err(match error.code() {
                Some("PreconditionFailedException" | "ResourceConflictException") => Problem::new(
                    ProblemKind::Conflict,
                    format!("{} is being changed by somebody else, so nothing was done.", self.function),
                )
                .with_next("Try again in a moment."),
                _ => problem(
                    &format!("change {}", self.function),
                    "lambda:UpdateFunctionConfiguration",
                    &error,
                ),
            }),
        }
    }
}

impl Operation for SetStageLogging {
    const NAME: &'static str = "SetStageLogging";
    const NEEDS: Role = Role::Operator;
    type Output = Changed;

    async fn run(&self, portal: &Portal, _: &Actor) -> Result<Changed, Problem> {
        let held = Box::pin(settings::read(&portal.clients, portal.stack())).await?;
        let stack = portal.stack();
        let plan = settings::stage_logging(&held.settings, self, &stack.api_id);
        let preview = preview(plan, &held.settings.stage.stage);
        still(self.seen.as_ref(), &preview.seen)?;
        if preview.changes.is_empty() {
            return Ok(Changed { changes: preview.changes });
        }
        let log = match self.access_log {
            true => {
                let group = settings::destination(&held.settings.stage, &stack.api_id);
                portal.make_group(&group).await?;
                let arn = format!("{}{group}", held.groups_arn);
                Some(AccessLogSettings::builder().destination_arn(arn).format(FORMAT).build())
            }
            false => None,
        };
        let updated = portal
            .clients
            .gateway
            .update_stage()
            .api_id(&stack.api_id)
            .stage_name(&stack.stage)
            .set_access_log_settings(log)
            .default_route_settings(routes(&held, self.detailed_metrics))
            .send()
            .await;
        portal.forget_alarms();
        let updated = updated.map_err(|error| problem("change the stage", "apigateway:PATCH", &error))?;
        let now = updated.default_route_settings();
        let closed = |settings: Option<&RouteSettings>| {
            settings.and_then(|held| held.throttling_burst_limit()) == Some(0)
        };
        if closed(now) && !closed(held.stage.default_route_settings()) {
            let message = "API Gateway has set the stage's throttle to 0: every call is refused now.";
            return Err(Problem::new(ProblemKind::Upstream, message).with_next(
                "Set the stage's rate and burst limit, or take them off, in API Gateway at once.",
            ));
        }
        Ok(Changed { changes: preview.changes })
    }
}

/// The default settings of routes are replaced as a whole: what they say of throttles goes along.
fn routes(held: &Held, detailed: bool) -> RouteSettings {
    let before = held.stage.default_route_settings();
    RouteSettings::builder()
        .detailed_metrics_enabled(detailed)
        .set_throttling_burst_limit(before.and_then(|before| before.throttling_burst_limit()))
        .set_throttling_rate_limit(before.and_then(|before| before.throttling_rate_limit()))
        .build()
}
