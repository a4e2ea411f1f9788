//! `/charts`: the metrics page, the tables and files behind its charts, and what its script asks for.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use model::metrics::{MetricsPage, Range, Scope, Span};
use model::problem::{Problem, ProblemKind};

use super::App;
use super::answer::{Failure, status_of};
use super::frame::{Frame, render};
use crate::pages::charts::address::{Address, Asked, Wrong};
use crate::pages::charts::{MetricsScreen, Refused, TableScreen, csv, fragment as view, groups, script};

/// How long the page is waited for: its parts have limits of their own, and are read side by side.
const PAGE_TIME: Duration = Duration::from_secs(9);
/// The cookie in which the browser says where its reader is. It says nothing else, and opens nothing.
const ZONE_COOKIE: &str = "lockkeeper-tz";

/// The figures of a range, within a time limit.
///
/// # Errors
/// `Invalid` for a range that can't be; `TimedOut`.
pub async fn metrics_page(app: &App, range: Range, scope: Scope) -> Result<MetricsPage, Problem> {
    let page = tokio::time::timeout(PAGE_TIME, Box::pin(app.portal.metrics_page(range, scope)));
    page.await.unwrap_or_else(|_| {
        Err(Problem::new(ProblemKind::TimedOut, "The metrics could not be put together in time.")
            .with_next("Try again; if it stays so, see whether AWS can be reached from here."))
    })
}

/// A field that can't be read, as a problem.
pub fn problem(wrong: Wrong) -> Problem {
    Problem::new(ProblemKind::Invalid, wrong.why)
        .with_next(format!("Change the field \u{201c}{}\u{201d}.", wrong.field))
}

/// With the reader's own time zone, where the address names none.
fn at_home(mut asked: Asked, headers: &HeaderMap) -> Asked {
    if asked.tz.is_empty() {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|cookies| cookies.split("; ")).filter_map(|pair| pair.split_once('='));
        let zone = pairs.find(|(name, _)| *name == ZONE_COOKIE).map(|(_, zone)| zone.to_owned());
        asked.tz = zone.filter(|zone| zone.parse::<chrono_tz::Tz>().is_ok()).unwrap_or_default();
    }
    asked
}

/// What to show in place of what can't be read.
fn last_hour() -> Address {
    Address { range: Range::Last(Span::Hour), scope: Scope::Alias, zone: chrono_tz::Tz::UTC }
}

/// `GET /charts`
pub async fn page(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let asked = at_home(asked, &headers);
    let (address, refused) = match asked.address() {
        Ok(address) => (address, None),
        Err(wrong) => (last_hour(), Some(Refused { asked: asked.clone(), wrong })),
    };
    let mut refusal = refused.as_ref().map(|refused| problem(refused.wrong));
    let page = match metrics_page(&app, address.range, address.scope.clone()).await {
        // What can't be is shown beside what can: the form keeps what was typed.
        Err(problem) if problem.kind == ProblemKind::Invalid => {
            let wrong = Wrong { field: "from", why: "See above." };
            let refused = Refused { asked, wrong };
            return match metrics_page(&app, last_hour().range, Scope::Alias).await {
                Ok(page) => shown(frame, page, last_hour(), Some(refused), Some(problem)),
                Err(problem) => Failure::page(frame, problem).into_response(),
            };
        }
        page => page,
    };
    match page {
        Ok(page) => shown(frame, page, address, refused, refusal.take()),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

fn shown(
    frame: Frame,
    page: MetricsPage,
    address: Address,
    refused: Option<Refused>,
    problem: Option<Problem>,
) -> Response {
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| status_of(problem.kind));
    let frame = match problem {
        None => frame.reloading_from(MetricsScreen::RELOAD_SECONDS, address.page()),
        Some(_) => frame,
    };
    let screen = MetricsScreen { page, address, refused, problem };
    let title = screen.title();
    frame.with_script(script()).page(status, title, move || screen.view())
}

/// `GET /charts/fragment`
pub async fn fragment(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let read = async {
        let address = at_home(asked, &headers).address().map_err(problem)?;
        let page = metrics_page(&app, address.range, address.scope.clone()).await?;
        Ok((page, address))
    };
    match read.await {
        Ok((page, address)) => Html(render(move || view(page, &address))).into_response(),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// The chart that an address names.
fn chart(asked: &Asked) -> Result<&'static str, Problem> {
    let known = groups::IDS.into_iter().find(|id| *id == asked.chart);
    known.ok_or_else(|| Problem::new(ProblemKind::NotFound, "There is no such chart."))
}

/// `GET /charts/table`
pub async fn table(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let read = async {
        let chart = chart(&asked)?;
        let address = at_home(asked, &headers).address().map_err(problem)?;
        let page = metrics_page(&app, address.range, address.scope.clone()).await?;
        Ok(TableScreen { page, address, chart })
    };
    match read.await {
        Ok(screen) => frame.page(StatusCode::OK, TableScreen::TITLE, move || screen.view()),
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// `GET /charts/figures.csv`
pub async fn file(
    State(app): State<App>,
    frame: Frame,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let read = async {
        let chart = if asked.chart.is_empty() { None } else { Some(chart(&asked)?) };
        let address = at_home(asked, &headers).address().map_err(problem)?;
        let page = metrics_page(&app, address.range, address.scope.clone()).await?;
        written(&page, &address, chart)
    };
    match read.await {
        Ok(response) => response,
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// The file, or why there is none.
///
/// # Errors
/// What kept the figures from being read.
pub fn written(page: &MetricsPage, address: &Address, chart: Option<&str>) -> Result<Response, Problem> {
    let Some(text) = csv(page, address, chart) else {
        let nothing = || Problem::new(ProblemKind::Internal, "There are no figures yet.");
        return Err(page.figures.problem.clone().unwrap_or_else(nothing));
    };
    let name = format!("attachment; filename=\"lockkeeper-{}.csv\"", chart.unwrap_or("figures"));
    let headers =
        [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, text).into_response())
}
