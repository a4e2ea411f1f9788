//! `/errors`: who is to blame for the errors of a period. Only looks, so a sign-in is enough.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::blame::Errors;
use model::overview::Reading;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use operations::Period;
use serde::Deserialize;

use super::App;
use super::answer::Failure;
use super::frame::Frame;
use crate::pages::errors::{ErrorsScreen, PERIODS};
use crate::pages::requests::STILL_SCRIPT;

/// How long the reading is waited for; it goes on without whoever waits.
const TIME: Duration = Duration::from_secs(8);
/// No period is longer: the lines of one are read at once.
const LONGEST_MS: i64 = 7 * 86_400_000;

/// What may stand behind `/errors?`: a range, or from and to in milliseconds since 1970.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    range: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
}

impl Wanted {
    /// The period, its name and its address. The last hour where nothing is named.
    ///
    /// # Errors
    /// `Invalid` for a range that is none.
    fn period(&self) -> Result<(Period, Option<&'static str>, String), Problem> {
        match (self.range.as_deref(), self.from, self.to) {
            (range, None, None) => {
                let wanted = range.unwrap_or(PERIODS[0].0);
                let known = PERIODS.into_iter().find(|(name, ..)| *name == wanted);
                let (name, _, length) = known.ok_or_else(|| {
                    Problem::new(ProblemKind::Invalid, "A range is one of 1h, 3h, 12h and 1d.")
                })?;
                Ok((Period::Last(length), Some(name), format!("/errors?range={name}")))
            }
            (None, Some(from), Some(to)) if 0 <= from && from < to && to - from <= LONGEST_MS => {
                let period = Period::Between(Timestamp(from), Timestamp(to));
                Ok((period, None, format!("/errors?from={from}&to={to}")))
            }
            _ => {
                let message = "A period is a range, or a from and, at most 7 days behind it, a to: milliseconds since 1970.";
                Err(Problem::new(ProblemKind::Invalid, message))
            }
        }
    }
}

/// The errors of what is wanted, within a time limit.
///
/// # Errors
/// `Invalid` for a period that is none; `TimedOut`.
pub async fn errors(app: &App, wanted: &Wanted) -> Result<Reading<Errors>, Problem> {
    let (period, ..) = wanted.period()?;
    let read = tokio::time::timeout(TIME, Box::pin(app.portal.errors(period))).await;
    read.unwrap_or_else(|_| {
        Err(Problem::new(ProblemKind::TimedOut, "The errors were not put together in time.")
            .with_next("Try again: the reading goes on."))
    })
}

/// `GET /errors`
pub async fn page(State(app): State<App>, Query(wanted): Query<Wanted>, frame: Frame) -> Response {
    let shown = async {
        let (_, period, address) = wanted.period()?;
        Ok::<_, Problem>((errors(&app, &wanted).await?, period, address))
    };
    match shown.await {
        Ok((errors, period, address)) => {
            let screen = ErrorsScreen { errors, now: (app.clock)(), period, address };
            frame.with_script(STILL_SCRIPT).page(StatusCode::OK, "Errors", move || screen.view())
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_named_or_bounded() {
        let wanted = |range: Option<&str>, from, to| Wanted { range: range.map(str::to_owned), from, to };
        let period = |wanted: Wanted| wanted.period().ok().map(|(period, name, _)| (period, name));
        assert_eq!(period(wanted(None, None, None)), Some((Period::Last(3_600_000), Some("1h"))));
        assert_eq!(period(wanted(Some("1d"), None, None)), Some((Period::Last(86_400_000), Some("1d"))));
        let between = Period::Between(Timestamp(5), Timestamp(9));
        assert_eq!(period(wanted(None, Some(5), Some(9))), Some((between, None)));
        for wrong in [
            wanted(Some("2h"), None, None),
            wanted(Some("1h"), Some(5), Some(9)),
            wanted(None, Some(9), Some(5)),
            wanted(None, Some(-1), Some(5)),
            wanted(None, Some(0), Some(LONGEST_MS + 1)),
            wanted(None, Some(5), None),
        ] {
            assert_eq!(period(wrong), None);
        }
    }
}
