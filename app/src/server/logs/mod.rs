//! `/logs`: search, and a line with what stands around it. [`tail`] is what follows.

pub mod tail;

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::log_filter::{LogFilter, LogGroup, LogLevel, LogPage};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use operations::LinePlace;
use serde::Deserialize;

use super::App;
use super::answer::{Failure, status_of};
use super::frame::Frame;
use crate::pages::logs::{Found, LogsScreen, RANGES, TAIL_SCRIPT, length_of};

/// How long a search is waited for.
const TIME: Duration = Duration::from_secs(9);
/// No field of a filter is longer, in bytes: a pattern has 1,024 characters at most.
const LONGEST: usize = 200;

/// What may stand behind `/logs?`.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct Wanted {
    group: Option<String>,
    text: Option<String>,
    level: Option<String>,
    route: Option<String>,
    version: Option<String>,
    range: Option<String>,
    /// Milliseconds since 1970.
    from: Option<i64>,
    to: Option<i64>,
    /// A line, by its time and id.
    at: Option<i64>,
    line: Option<String>,
}

fn invalid(message: &str) -> Problem {
    Problem::new(ProblemKind::Invalid, message)
}

impl Wanted {
    /// Which lines.
    ///
    /// # Errors
    /// `Invalid`, by the field's name.
    pub fn filter(&self) -> Result<LogFilter, Problem> {
        let given = |value: &Option<String>| {
            value.as_ref().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let fields = [&self.text, &self.route, &self.version];
        if fields.into_iter().flatten().any(|text| text.len() > LONGEST || text.contains(char::is_control)) {
            return Err(invalid("Text, route and version have at most 200 bytes and no control characters."));
        }
        let group = match given(&self.group) {
            None => LogGroup::default(),
            Some(name) => LogGroup::of(&name)
                .ok_or_else(|| invalid("The log is one of function, access and rotation."))?,
        };
        let level = given(&self.level)
            .map(|name| LogLevel::of(&name).ok_or_else(|| invalid("The level is one of TRACE to FATAL.")))
            .transpose()?;
        Ok(LogFilter {
            group,
            text: given(&self.text),
            level,
            route: given(&self.route),
            version: given(&self.version),
        })
    }

    /// Of which time; the last hour where nothing is said.
    fn time(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        match (self.range.as_deref().filter(|range| !range.is_empty()), self.from, self.to) {
            (range, None, None) => {
                let range = range.unwrap_or(RANGES[1].0);
                let length = length_of(range)
                    .ok_or_else(|| invalid("A range is one of 5m, 1h, 3h, 12h, 1d and 7d."))?;
                // A little ahead, as clocks differ.
                Ok((Timestamp(now.0 - length), Timestamp(now.0 + 60_000)))
            }
            (None, Some(from), Some(to)) if 0 <= from && from <= to => Ok((Timestamp(from), Timestamp(to))),
            _ => Err(invalid(
                "A time is a range, or a from and, not before it, a to: milliseconds since 1970.",
            )),
        }
    }

    /// The line that is wanted, if one is.
    fn place(&self) -> Result<Option<LinePlace>, Problem> {
        match (self.at, &self.line) {
            (None, None) => Ok(None),
            (Some(at), Some(id)) if at >= 0 && is_id(id) => {
                Ok(Some(LinePlace { at: Timestamp(at), id: id.clone() }))
            }
            _ => Err(invalid("A line is named by at, milliseconds since 1970, and line, its id.")),
        }
    }
}

/// Whether a text may be a line's id.
fn is_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A page of lines, within a time limit.
///
/// # Errors
/// `Invalid` for what can't be searched for; `TimedOut`; what AWS says.
pub async fn log_page(app: &App, wanted: &Wanted) -> Result<LogPage, Problem> {
    let filter = wanted.filter()?;
    let (from, to) = wanted.time((app.clock)())?;
    within(app.portal.log_page(&filter, from, to)).await
}

async fn within<T>(search: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout(TIME, Box::pin(search)).await.unwrap_or_else(|_| {
        Err(Problem::new(ProblemKind::TimedOut, "The log was not searched in time.")
            .with_next("Name a shorter time, or a text that fewer lines have."))
    })
}

/// `GET /logs`
pub async fn page(State(app): State<App>, Query(wanted): Query<Wanted>, frame: Frame) -> Response {
    let filter = match wanted.filter() {
        Ok(filter) => filter,
        Err(problem) => return Failure::page(frame, problem).into_response(),
    };
    let found = async {
        match wanted.place()? {
            Some(line) => within(app.portal.log_place(filter.group, &line)).await.map(Found::Place),
            None => log_page(&app, &wanted).await.map(Found::Lines),
        }
    };
    let (status, found) = match found.await {
        Ok(found) => (StatusCode::OK, found),
        Err(problem) => (status_of(problem.kind), Found::Problem(problem)),
    };
    let screen = LogsScreen { filter, range: wanted.range.clone(), found };
    frame.with_script(TAIL_SCRIPT).page(status, "Logs", move || screen.view())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_time_or_line_is_refused() {
        let wanted = Wanted::default();
        let now = Timestamp(10_000_000);
        assert_eq!(wanted.filter(), Ok(LogFilter::default()));
        assert_eq!(wanted.time(now), Ok((Timestamp(6_400_000), Timestamp(10_060_000))));
        assert_eq!(wanted.place(), Ok(None));
        let empty = Wanted { level: Some(String::new()), text: Some("  ".to_owned()), ..wanted.clone() };
        assert_eq!(empty.filter(), Ok(LogFilter::default()));
        let text = |text: &str| Some(text.to_owned());
        for wrong in [
            Wanted { group: text("secret"), ..wanted.clone() },
            Wanted { level: text("LOUD"), ..wanted.clone() },
            Wanted { text: Some("x".repeat(201)), ..wanted.clone() },
            Wanted { route: text("a\nb"), ..wanted.clone() },
        ] {
            assert!(wrong.filter().is_err(), "{wrong:?}");
        }
        for wrong in [
            Wanted { range: text("2h"), ..wanted.clone() },
            Wanted { range: text("1h"), from: Some(1), to: Some(2), ..wanted.clone() },
            Wanted { from: Some(2), to: Some(1), ..wanted.clone() },
            Wanted { from: Some(2), ..wanted.clone() },
        ] {
            assert!(wrong.time(now).is_err(), "{wrong:?}");
        }
        for wrong in [
            Wanted { at: Some(1), ..wanted.clone() },
            Wanted { at: Some(1), line: text("a b"), ..wanted.clone() },
            Wanted { at: Some(-1), line: text("1"), ..wanted.clone() },
        ] {
            assert!(wrong.place().is_err(), "{wrong:?}");
        }
    }
}
