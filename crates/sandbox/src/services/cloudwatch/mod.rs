//! CloudWatch: metrics and alarms.
//!
//! The other services hand their figures over with [`CloudWatch::record`], callers from outside with
//! PutMetricData or embedded in log events, which CloudWatch Logs reads and hands over with
//! [`CloudWatch::record_embedded`]; all end in one store (`store`), which keeps how often each value
//! occurred in each minute. GetMetricData (`get`), GetMetricStatistics (`statistics`) and the alarms read it
//! back through the same aggregates (`statistic`), so that they can't disagree.
//!
//! Figures can be read as soon as they are recorded. On AWS they take a minute or two; a reader that
//! copes with AWS copes with this.
//!
//! Alarms watch one metric and a fixed threshold. What their points mean is a pure function
//! (`evaluation`), why they are in a state is put in AWS's words (`reason`), and what became of them
//! is recorded (`book`) for DescribeAlarmHistory to read (`history`). An action that is a topic is carried
//! out by SNS. Metric math, Metrics Insights, anomaly
//! detection, composite alarms and dashboards are refused by name.

mod alarm;
mod alarms;
mod book;
mod embedded;
mod errors;
mod evaluation;
mod get;
mod history;
mod input;
mod list;
mod pending;
mod period;
mod put;
mod reason;
mod statistic;
mod statistics;
mod store;
mod tables;

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use self::alarm::{Alarm, Configuration};
use self::alarms::Alarms;
use self::book::Transition;
pub use self::embedded::{Embedded, Figure};
use self::evaluation::{Point, Rule, Verdict, judge};
use self::pending::{Metric, Sample, floor};
use self::reason::Facts;
use self::statistic::{Aggregate, Statistic};
use self::store::Store;
use self::tables::Span;
use crate::aws::{AwsError, Call, Protocol, Reply, Service};
use crate::context::Context;
use crate::services::sns::Sns;

/// How often what waits in memory is written.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// The names of timestamp members in answers.
const TIMESTAMPS: &[&str] = &[
    "AlarmConfigurationUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "Timestamp",
    "Timestamps",
];

/// One value of a metric, as a service of AWS's own records it.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// For example `AWS/Lambda`.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// Names and values, in any order.
    pub dimensions: Vec<(String, String)>,
    /// The value, in `unit`.
    pub value: f64,
    /// CloudWatch's unit, for example `Count` or `Milliseconds`.
    pub unit: &'static str,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// Metrics and alarms.
pub struct CloudWatch {
    context: Arc<Context>,
    store: Arc<Store>,
    alarms: Alarms,
    topics: OnceLock<Arc<Sns>>,
    /// The thread that writes what waits in memory ends when this is dropped.
    _writer: Sender<()>,
}

impl CloudWatch {
    /// Opens the state of the service in the context's folder, and starts the thread that writes
    /// recorded values twice a second. It ends with the service.
    ///
    /// # Errors
    /// When the state can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let store = Store::open(context.clone())?;
        let alarms = Alarms::open(context.clone())?;
        let writer = start_writer(store.clone())?;
        Ok(Arc::new(Self { context, store, alarms, topics: OnceLock::new(), _writer: writer }))
    }

    /// Has the alarms' actions that are topics carried out. Without it every action fails.
    pub fn tell(&self, topics: Arc<Sns>) {
        if self.topics.set(topics).is_err() {
            tracing::warn!("the alarms have their topics already");
        }
    }

    /// Carries an action out; why not, where that fails.
    fn act(&self, action: &str, subject: &str, text: &str) -> Result<(), String> {
        match self.topics.get().filter(|_| action.split(':').nth(2) == Some("sns")) {
            Some(topics) => topics.publish(action, Some(subject), text).map_err(|error| error.message),
            None => Err("the sandbox has no such service".to_owned()),
        }
    }

    /// Records values of AWS's own services. Never fails its caller: what can't be kept is logged.
    /// Takes microseconds per value and does not touch the disk, save when 50,000 minutes of series
    /// wait to be written.
    pub fn record(&self, data: &[Datum]) {
        let (fit, unfit): (Vec<&Datum>, Vec<&Datum>) = data.iter().partition(|datum| datum.value.is_finite());
        for datum in unfit {
            tracing::warn!(namespace = datum.namespace, name = datum.name, "a value that is no number");
        }
        self.store.record(fit.into_iter().map(|datum| {
            let mut dimensions = datum.dimensions.clone();
            dimensions.sort();
            let mut aggregate = Aggregate::default();
            aggregate.add(datum.value, 1.0);
            Sample {
                metric: Metric { namespace: datum.namespace.clone(), name: datum.name.clone(), dimensions },
                unit: datum.unit,
                at: datum.at.timestamp_millis(),
                high_resolution: false,
                aggregate,
            }
        }));
    }

    /// Records metrics that were read out of a log event: all of them, or none where PutMetricData
    /// would refuse one. Does not touch the disk, as [`CloudWatch::record`] does not.
    ///
    /// # Errors
    /// PutMetricData's refusals.
    pub fn record_embedded(&self, embedded: &Embedded) -> Result<(), AwsError> {
        self.store.record(embedded::samples(embedded, self.context.now_ms())?);
        Ok(())
    }

    /// Evaluates every alarm as of the context's clock; the sandbox calls this every few seconds.
    /// Repeating it without new data or time changes nothing. Reads the disk: call it where blocking
    /// for some milliseconds does no harm.
    pub fn evaluate_alarms(&self) {
        let alarms: Vec<Alarm> = self.alarms.book.read(|book| book.alarms.values().cloned().collect());
        for alarm in alarms {
            if let Err(error) = self.evaluate(&alarm) {
                tracing::warn!(alarm = alarm.name, %error, "an alarm can't be evaluated");
            }
        }
    }

    fn evaluate(&self, alarm: &Alarm) -> Result<(), AwsError> {
        let of = &alarm.configuration;
        let Some((rule, statistic)) = of.rule() else {
            return Err(AwsError::internal("its configuration can't be read"));
        };
        let now = self.context.now_ms();
        let points = self.alarm_points(of, &rule, statistic, now.div_euclid(1000))?;
        let Verdict::Is { state, used, filled } = judge(&rule, &points) else { return Ok(()) };
        if state == alarm.state {
            return Ok(());
        }
        let facts = Facts {
            now,
            statistic: of.stat(),
            unit: of.unit.as_deref(),
            period: of.period,
            threshold: of.threshold,
        };
        let given = of.datapoints_to_alarm.is_some();
        let transition = Transition {
            to: state,
            reason: reason::reason(&rule, given, state, &used, filled),
            reason_data: Some(reason::data(&facts, &used)),
        };
        self.alarms.book.change(|book| {
            // Somebody may have set up or set the alarm meanwhile: the next evaluation sees to it.
            if book.alarms.get(&alarm.name) == Some(alarm) {
                book.transition(now, &alarm.name, &transition, &|action, subject, text| {
                    self.act(action, subject, text)
                });
            }
            Ok(())
        })
    }

    /// The alarm's evaluation range, oldest first. It ends with the last whole minute (the last
    /// whole ten seconds where the period is shorter), as AWS's does, whatever the period.
    fn alarm_points(
        &self,
        of: &Configuration,
        rule: &Rule,
        statistic: Statistic,
        now: i64,
    ) -> Result<Vec<Option<Point>>, AwsError> {
        let range = rule.range();
        let to = floor(now, if of.period < 60 { 10 } else { 60 });
        let length = i64::try_from(range).unwrap_or(i64::MAX).saturating_mul(of.period);
        let from = to.saturating_sub(length);
        let span = Span { from, to, period: of.period, values: statistic.needs_values() };
        let mut points = vec![None; range];
        self.store.periods(&of.metric(), of.unit.as_deref(), span, |start, aggregate| {
            let place = usize::try_from((start - from) / of.period).ok().and_then(|n| points.get_mut(n));
            if let (Some(place), Some(value)) = (place, aggregate.statistic(statistic)) {
                *place = Some(Point { start, value, samples: aggregate.count });
            }
        })?;
        Ok(points)
    }

    /// Answers a call. Reads and writes the disk.
    fn answer(&self, call: &Call) -> Result<Reply, AwsError> {
        let now = self.context.now_ms();
        match call.operation.as_str() {
            "PutMetricData" => put::put_metric_data(&self.store, now, call),
            "GetMetricData" => get::get_metric_data(&self.store, now, call),
            "GetMetricStatistics" => statistics::get_metric_statistics(&self.store, now, call),
            "ListMetrics" => list::list_metrics(&self.store, now, call),
            "PutMetricAlarm" => self.alarms.put(call),
            "DescribeAlarms" => self.alarms.describe(call),
            "DescribeAlarmsForMetric" => self.alarms.describe_for_metric(call),
            "DescribeAlarmHistory" => self.alarms.history(call),
            "DeleteAlarms" => self.alarms.delete(call),
            "SetAlarmState" => {
                self.alarms.set_state(call, &|action, subject, text| self.act(action, subject, text))
            }
            "EnableAlarmActions" => self.alarms.enable_actions(call, true),
            "DisableAlarmActions" => self.alarms.enable_actions(call, false),
            "TagResource" => self.alarms.tag(call),
            "UntagResource" => self.alarms.untag(call),
            "ListTagsForResource" => self.alarms.list_tags(call),
            other => Err(AwsError::unsupported(format_args!("cloudwatch {other}"))),
        }
    }
}

impl Drop for CloudWatch {
    fn drop(&mut self) {
        if let Err(error) = self.store.flush() {
            tracing::warn!(%error, "the last metrics can't be written");
        }
    }
}

#[async_trait]
impl Service for CloudWatch {
    fn signing_name(&self) -> &'static str {
        "monitoring"
    }

    fn protocol(&self) -> Protocol {
        Protocol::RpcV2Cbor { timestamps: TIMESTAMPS }
    }

    fn throttled(&self) -> AwsError {
        AwsError::new("Throttling", "Rate exceeded")
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        let answer = tokio::task::spawn_blocking(move || self.answer(&call)).await;
        match answer {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                tracing::debug!(%error, "cloudwatch refused");
                errors::reply(error)
            }
            Err(error) => Err(AwsError::internal(format!("the call broke off: {error}"))),
        }
    }
}

/// Starts the thread that writes and tidies. It ends when the sender it returns is dropped.
fn start_writer(store: Arc<Store>) -> io::Result<Sender<()>> {
    let (sender, stop) = mpsc::channel();
    std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        while stop.recv_timeout(FLUSH_EVERY) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = store.flush().and_then(|()| store.tidy()) {
                tracing::warn!(%error, "metrics can't be written; they wait in memory");
            }
        }
    })?;
    Ok(sender)
}
