//! Which address leads where, and through which layers.

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use leptos::prelude::provide_context;
use model::problem::{Problem, ProblemKind};
use tower_http::limit::RequestBodyLimitLayer;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};
use tower_sessions_sqlx_store::SqliteStore;

use super::answer::Failure;
use super::frame::Frame;
use super::session::{self, Visitor, Way};
use super::{
    App, accounts, alarms, api, assets, bearer, charts, deploys, errors, events, limits, logs, overview,
    prometheus, requests, secret, security, sign_in, telemetry, tokens,
};
use crate::calls::Caller;
use crate::pages::overview::OverviewPage;

/// The portal's router.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(guarded(&app))
        .merge(uploads(&app))
        .merge(streams(&app))
        .merge(open(&app))
        .layer(axum::middleware::from_fn_with_state(app.clone(), security::headers))
        .layer(from_fn_with_state(app.clone(), prometheus::count))
        .layer(from_fn_with_state(app.clone(), telemetry::log_requests))
        .with_state(app)
}

/// What needs neither a session nor a place among the requests at work.
fn open(app: &App) -> Router<App> {
    let mut open = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/pkg/{*path}", get(assets::file));
    for path in app.assets.icons() {
        open = open.route(path, get(assets::file));
    }
    open
}

fn guarded(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(overview_page))
        .route("/sign-in", get(sign_in::form).post(sign_in::by_password))
        .route("/sign-in/link/{token}", get(sign_in::link).post(sign_in::by_link))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/secret", get(secret::page))
        .route("/secret/fragment", get(secret::fragment))
        .route("/secret/rotate", post(secret::rotate))
        .route("/secret/rehearse", post(secret::rehearse))
        .route("/secret/repair", post(secret::repair))
        .route("/secret/schedule", post(secret::schedule))
        .route("/tokens", get(tokens::page).post(tokens::create))
        .route("/tokens/revoke", post(tokens::revoke))
        .route("/charts", get(charts::page))
        .route("/charts/fragment", get(charts::fragment))
        .route("/charts/table", get(charts::table))
        .route("/charts/figures.csv", get(charts::file))
        .route("/deploys", get(deploys::page))
        .route("/deploys/fragment", get(deploys::fragment))
        .route("/deploys/new", get(deploys::new::form))
        .route("/deploys/check", post(deploys::new::check))
        .route("/deploys/edit", post(deploys::new::edit))
        .route("/deploys/start", post(deploys::new::start))
        .route("/deploys/pause", post(deploys::forms::pause))
        .route("/deploys/resume", post(deploys::forms::resume))
        .route("/deploys/requests", post(deploys::forms::requests))
        .route("/deploys/promote", post(deploys::forms::promote))
        .route("/deploys/rollback", post(deploys::forms::roll_back))
        .route("/deploys/prune", post(deploys::forms::prune))
        .route("/deploys/integration", post(deploys::forms::integration))
        .route("/deploys/api", post(deploys::forms::api))
        .route("/errors", get(errors::page))
        .route("/logs", get(logs::page))
        .route("/requests", get(requests::form))
        .route("/requests/{id}", get(requests::page))
        .route("/alarms", get(alarms::page))
        .route("/alarms/fragment", get(alarms::fragment))
        .route("/alarms/preview", post(alarms::preview))
        .route("/alarms/apply", post(alarms::apply))
        .route("/api/calls/{name}", post(call))
        .route("/metrics", get(prometheus::scrape))
        .merge(api::routes())
        .fallback(missing)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(app.clone(), session::guard))
        .layer(sessions(app))
        .layer(from_fn_with_state(app.clone(), session::take_back_whole))
        .layer(from_fn(bearer::alone))
        .layer(RequestBodyLimitLayer::new(app.limits.body))
        .layer(from_fn_with_state(app.clone(), security::same_origin))
        .layer(from_fn_with_state(app.clone(), limits::detached))
        .layer(from_fn_with_state(app.clone(), one_name))
}

/// Where a zip may be sent.
const UPLOAD: &str = "/deploys/upload";
const UPLOAD_API: &str = "/api/v1/deploys/uploads";

/// Whether an address takes an upload.
pub fn takes_upload(path: &str) -> bool {
    [UPLOAD, UPLOAD_API].contains(&path)
}

/// What takes far more than the others. Whose it is is known before the body is read, which the
/// handlers do themselves, within limits of their own.
fn uploads(app: &App) -> Router<App> {
    Router::new()
        .route(UPLOAD, post(deploys::upload::form).get(async || Redirect::to("/deploys/new")))
        .route(UPLOAD_API, post(deploys::upload::api))
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(app.limits.upload_body))
        .layer(from_fn_with_state(app.clone(), session::guard))
        .layer(sessions(app))
        .layer(from_fn_with_state(app.clone(), session::take_back_whole))
        .layer(from_fn(bearer::alone))
        .layer(from_fn_with_state(app.clone(), security::same_origin))
}

/// What is answered for minutes, as it happens: neither a body in memory nor a place among the requests at
/// work, but bounds of its own ([`logs::tail`], [`events`]).
fn streams(app: &App) -> Router<App> {
    Router::new()
        .route("/events", get(events::listen))
        .route(crate::pages::logs::TAIL, get(logs::tail::html))
        .route("/api/v1/logs/tail", get(logs::tail::json))
        .method_not_allowed_fallback(not_allowed)
        .layer(RequestBodyLimitLayer::new(app.limits.body))
        .layer(from_fn_with_state(app.clone(), session::guard))
        .layer(sessions(app))
        .layer(from_fn_with_state(app.clone(), session::take_back_whole))
        .layer(from_fn(bearer::alone))
        .layer(from_fn_with_state(app.clone(), security::same_origin))
}

/// The session cookie. Its record lives as long as the longest sign-in; whether somebody is signed
/// in is decided elsewhere ([`session`]), and in the record nothing changes after the sign-in.
fn sessions(app: &App) -> SessionManagerLayer<SqliteStore> {
    let https = app.public_url.is_https();
    let life = tower_sessions::cookie::time::Duration::milliseconds(accounts::SIGNED_IN_MS);
    SessionManagerLayer::new(SqliteStore::new(app.accounts.pool().clone()))
        .with_name(session::cookie_name(https))
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(life))
}

/// `GET /`
async fn overview_page(State(app): State<App>, frame: Frame) -> Response {
    match overview(&app).await {
        Ok(overview) => {
            let page = OverviewPage { overview: (*overview).clone() };
            frame
                .reloading(OverviewPage::RELOAD_SECONDS)
                .page(StatusCode::OK, "Overview", move || page.view())
        }
        Err(problem) => Failure::page(frame, problem).into_response(),
    }
}

/// `POST /api/calls/...`: the server functions. They answer every problem with 500; the status that
/// belongs to it is set here.
async fn call(State(app): State<App>, request: Request) -> Response {
    let json = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    let visitor = request.extensions().get::<Visitor>().cloned();
    let sign_in = visitor.and_then(|visitor| match visitor.way {
        Way::SignIn(sign_in) => Some(sign_in),
        Way::Token(_) => None,
    });
    let (true, Some(sign_in)) = (json, sign_in) else {
        let problem = Problem::new(ProblemKind::Invalid, "A call is JSON.");
        return Failure::call(problem).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response();
    };
    let most = app.limits.body;
    let context = move || provide_context(Caller { app: app.clone(), sign_in: sign_in.clone() });
    let response = leptos_axum::handle_server_fns_with_context(context, request).await.into_response();
    if response.status().is_success() {
        return response;
    }
    let body = to_bytes(response.into_body(), most).await.unwrap_or_default();
    let problem = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Problem::new(ProblemKind::NotFound, "There is no such call."));
    Failure::call(problem).into_response()
}

async fn missing(State(app): State<App>, request: Request) -> Response {
    let problem = Problem::new(ProblemKind::NotFound, "There is nothing at this address.");
    Failure::of(&request, &app, problem).into_response()
}

async fn not_allowed(State(app): State<App>, request: Request) -> Response {
    let problem = Problem::new(ProblemKind::Invalid, "This address does not take that kind of request.");
    Failure::of(&request, &app, problem).with_status(StatusCode::METHOD_NOT_ALLOWED).into_response()
}

/// `GET /readyz`: whether requests can be answered, which without the database they can't.
async fn ready(State(app): State<App>) -> Response {
    match app.accounts.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response(),
    }
}

/// In the sandbox `localhost` and `127.0.0.1` lead to the same portal but are different origins with
/// different cookies: everybody is sent to the one in the public URL, but for who comes with a token.
/// Not elsewhere: there a proxy may change the host.
async fn one_name(State(app): State<App>, request: Request, next: Next) -> Response {
    let host = |headers: &HeaderMap| {
        headers.get(header::HOST).and_then(|host| host.to_str().ok().map(str::to_owned))
    };
    let other = host(request.headers()).is_some_and(|host| host != app.public_url.authority());
    let reads = request.method() == axum::http::Method::GET;
    if app.sandbox && other && reads && !bearer::carries(&request) {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return Redirect::temporary(&format!("{}{path}", app.public_url)).into_response();
    }
    next.run(request).await
}
