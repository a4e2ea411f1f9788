//! What the metrics page shows, put together from shared readings.

use std::time::Duration;

use model::alarms::AlarmEvent;
use model::deploy::AliasChange;
use model::metrics::{
    ConcurrencyLimits, Cost, Figures, Mark, MarkKind, MetricsPage, Name, Range, Scope, Span, Starts, Window,
};
use model::overview::{AlarmState, Reading, Series, Traffic};
use model::problem::Problem;
use model::rotation::{PastOutcome, PastRotation};
use model::time::Timestamp;

use super::catalog::Set;
use super::store::{Found, Key, Time, figures};
use super::{limits, starts};
use crate::kept::Kept;
use crate::kept_by::KeptBy;
use crate::portal::Portal;

/// For a range longer than this the log is too long to be searched for starts.
const STARTS_UP_TO_MS: i64 = 24 * 3_600_000;
/// So many ranges' starts are kept.
const MOST_STARTS: usize = 8;
/// An alias has so many versions in the list at most.
const MOST_VERSIONS: usize = 20;

/// The readings behind the page, besides the figures.
pub(crate) struct Readings {
    limits: Kept<ConcurrencyLimits>,
    /// The log is searched once a minute for each, whoever looks.
    starts: KeptBy<(Scope, Time), Starts>,
}

impl Readings {
    pub(crate) fn new() -> Self {
        let every = Duration::from_secs(60);
        Self { limits: Kept::every(every), starts: KeptBy::new(MOST_STARTS, every) }
    }
}

impl Portal {
    /// What the metrics page shows. Answers within about 5 seconds; its parts carry their own problems.
    ///
    /// # Errors
    /// `Invalid` for a range that can't be, or a version that is no number.
    pub async fn metrics_page(&self, range: Range, scope: Scope) -> Result<MetricsPage, Problem> {
        check(&scope)?;
        let now = self.now();
        let time = Time::of(range, now)?;
        let window = Window::of(range, now)?;
        let key = Key { set: Set::All, scope: scope.clone(), time };
        let clock = self.clock();
        let (found, limits, starts, versions, changes, rotations, alarms) = futures::join!(
            self.figures.get(&key),
            self.metrics.limits.get(clock, || limits::read(self.clients.lambda.clone(), self.shared_stack())),
            self.starts(&scope, time, window),
            self.versions_reading(),
            self.alias_changes(),
            self.rotations(),
            self.alarm_events(),
        );
        let Found { table, next } = found;
        let at = table.at;
        let figures = Reading {
            value: table.value.map(|table| figures(Set::All, &table, window.periods(), at)),
            at,
            problem: table.problem,
        };
        let shown = figures.value.as_ref().map_or(window, |figures| figures.window);
        let marks = marks(
            shown,
            changes.value.as_deref().unwrap_or_default(),
            rotations.value.as_deref().unwrap_or_default(),
            &alarms,
        );
        let versions = versions.value.unwrap_or_default().into_iter().map(|version| version.version);
        Ok(MetricsPage {
            now: self.now(),
            range,
            scope,
            figures,
            next,
            starts,
            limits,
            marks,
            versions: versions.take(MOST_VERSIONS).collect(),
            cost: self.figures.cost(),
        })
    }

    /// What asking CloudWatch for figures has cost this month, as far as this portal knows.
    pub fn metrics_cost(&self) -> Cost {
        self.figures.cost()
    }

    async fn starts(&self, scope: &Scope, time: Time, window: Window) -> Option<Reading<Starts>> {
        if window.to.0 - window.from.0 > STARTS_UP_TO_MS + window.period_ms() {
            return None;
        }
        // Not shared between an hour and three: the log is searched for as much as is shown.
        let time = match time {
            Time::Last(_) => Time::Fixed(Window {
                to: Timestamp(window.to.0 - window.from.0),
                from: Timestamp(0),
                ..window
            }),
            fixed @ Time::Fixed(_) => fixed,
        };
        let kept = self.metrics.starts.of(&(scope.clone(), time));
        let group = format!("/aws/lambda/{}", self.stack().function);
        let read = || starts::read(self.clients.logs.clone(), group, scope.clone(), window);
        Some(kept.get(self.clock(), read).await)
    }
}

/// A version is a number; what comes from an address in the browser is looked at first.
fn check(scope: &Scope) -> Result<(), Problem> {
    use model::problem::ProblemKind;
    match scope {
        Scope::Version(version)
            if version.is_empty()
                || version.len() > 18
                || !version.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Err(Problem::new(ProblemKind::Invalid, "A version is a number, for example 12."))
        }
        Scope::Version(_) | Scope::Alias => Ok(()),
    }
}

/// The overview's traffic: the last hour, out of the figures that the metrics page has if somebody looks
/// at it, else out of fewer of its own.
pub(crate) async fn overview_traffic(portal: &Portal) -> Reading<Traffic> {
    let of = |set| Key { set, scope: Scope::Alias, time: Time::Last(Span::ThreeHours) };
    let all = of(Set::All);
    let (set, Found { table, .. }) = match portal.figures.peek(&all) {
        Some(found) => (Set::All, found),
        None => (Set::Overview, portal.figures.get(&of(Set::Overview)).await),
    };
    let at = table.at;
    let hour = |table| traffic(&figures(set, &table, 60, at));
    Reading { value: table.value.map(hour), at, problem: table.problem }
}

fn traffic(figures: &Figures) -> Traffic {
    let series = |name: Name| match figures.line(name) {
        Some(line) => Series { points: line.points.clone(), whole: line.whole },
        None => Series { points: vec![None; figures.window.periods()], whole: None },
    };
    Traffic {
        start: figures.window.from,
        period_seconds: figures.window.period_seconds,
        requests: series(Name::Requests),
        errors: series(Name::ServerErrors),
        client_errors: series(Name::ClientErrors),
        throttles: series(Name::Throttles),
        duration_p95: series(Name::DurationP95),
    }
}

/// What happened in a window, the oldest first.
fn marks(
    window: Window,
    changes: &[AliasChange],
    rotations: &[PastRotation],
    alarms: &[AlarmEvent],
) -> Vec<Mark> {
    let changes = changes.iter().map(|change| Mark {
        at: change.at,
        kind: MarkKind::Deploy,
        label: match &change.weight {
            Some((version, share)) => format!("version {version} has {:.0} %", share * 100.0),
            None if change.from.as_ref() == Some(&change.to) => format!("version {} alone", change.to),
            None => format!("version {} live", change.to),
        },
    });
    let rotations = rotations.iter().map(|rotation| Mark {
        at: rotation.started,
        kind: MarkKind::Rotation,
        label: match rotation.outcome {
            PastOutcome::Open => "rotation begun",
            PastOutcome::Succeeded => "secret rotated",
            PastOutcome::Failed => "rotation failed",
            PastOutcome::Abandoned => "rotation abandoned",
        }
        .to_owned(),
    });
    let alarms = alarms.iter().filter_map(|event| {
        // That there are too few data is no news on a chart that shows them.
        let what = match event.state? {
            AlarmState::Alarm => "in alarm",
            AlarmState::Ok => "well again",
            AlarmState::InsufficientData => return None,
        };
        Some(Mark { at: event.at, kind: MarkKind::Alarm, label: format!("{} {what}", event.alarm) })
    });
    let inside = |mark: &Mark| mark.at >= window.from && mark.at < window.to;
    let mut marks: Vec<Mark> = changes.chain(rotations).chain(alarms).filter(inside).collect();
    marks.sort_by_key(|mark| mark.at);
    marks
}

#[cfg(test)]
mod tests {
    use model::problem::ProblemKind;

    use super::*;

    #[test]
    fn what_happened_is_marked_where_it_did() {
        let window = Window { from: Timestamp(1_000), to: Timestamp(61_000), period_seconds: 60 };
        let change = |at: i64, from: Option<&str>, to: &str, weight: Option<(&str, f64)>| AliasChange {
            at: Timestamp(at),
            by: "admin@example.com".to_owned(),
            by_portal: true,
            what: String::new(),
            from: from.map(str::to_owned),
            to: to.to_owned(),
            weight: weight.map(|(version, share)| (version.to_owned(), share)),
            why: None,
        };
        let rotation = PastRotation {
            token: None,
            started_by: None,
            started: Timestamp(2_000),
            ended: None,
            outcome: PastOutcome::Failed,
            error: None,
        };
        let changes = [
            change(61_000, Some("2"), "3", None),
            change(5_000, Some("1"), "2", None),
            change(4_000, Some("1"), "1", None),
            change(3_000, Some("1"), "1", Some(("2", 0.1))),
            change(999, None, "1", None),
        ];
        let event = |at: i64, state: Option<AlarmState>| AlarmEvent {
            at: Timestamp(at),
            alarm: "errors".to_owned(),
            what: String::new(),
            state,
            why: None,
        };
        let alarms = [
            event(3_500, Some(AlarmState::Alarm)),
            event(3_600, Some(AlarmState::InsufficientData)),
            event(3_700, None),
            event(70_000, Some(AlarmState::Ok)),
        ];
        let labels: Vec<String> =
            marks(window, &changes, &[rotation], &alarms).into_iter().map(|mark| mark.label).collect();
        let expected =
            ["rotation failed", "version 2 has 10 %", "errors in alarm", "version 1 alone", "version 2 live"];
        assert_eq!(labels, expected);
    }

    #[test]
    fn a_version_is_a_number() {
        for (version, taken) in [("12", true), ("", false), ("$LATEST", false), ("1 ", false), ("-1", false)]
        {
            let checked = check(&Scope::Version(version.to_owned()));
            assert_eq!(
                checked.map_err(|problem| problem.kind),
                match taken {
                    true => Ok(()),
                    false => Err(ProblemKind::Invalid),
                }
            );
        }
    }
}
