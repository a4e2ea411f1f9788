//! `GET /status`: whether the API can do its work. Public, for people, load balancers and the
//! portal: 200 when a query was answered, else 503, both with the same body.

use std::time::Duration;

use lambda_http::http::header::{CACHE_CONTROL, RETRY_AFTER};
use lambda_http::http::{HeaderValue, StatusCode};
use model::status::{DatabaseStatus, FunctionStatus, SecretStatus, Status, Verdict};
use tokio::time::{Instant, timeout_at};

use crate::api::{Api, log_unavailable, millis};
use crate::caller::Needs;
use crate::problem::retry_after;
use crate::report::Cause;
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Docs, Route};
use crate::sql::Statement;

/// Whoever asks for the status waits no longer: a database that needs more is not well.
const LONGEST: Duration = Duration::from_millis(4_500);

/// `GET /status`.
pub const STATUS: Route = Route {
    method: "GET",
    path: "/status",
    needs: Needs::Nothing,
    docs: Docs {
        summary: "Whether the API can do its work.",
        query: &[],
        condition: None,
        body: None,
        answers: &[
            (200, Some("Status"), "It can."),
            (503, Some("Status"), "It can't: the database or the secret is out of reach."),
        ],
        problems: &[],
    },
    handle: status,
};

fn status<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        // The query string is not looked at: whoever probes may add what keeps caches away.
        let statement = Statement::new("SELECT 1 AS answer");
        let latest = request.deadline.checked_sub(Duration::from_millis(50)).unwrap_or(request.deadline);
        let deadline = latest.min(Instant::now() + LONGEST);
        let read = api.database.read(&statement, &request.meter, deadline);
        let (latency, failed, after) = match timeout_at(deadline, read).await {
            Ok(Ok(answer)) => (Some(answer.took), None, None),
            Ok(Err(error)) => (None, Some((log_unavailable(&error), error.cause())), error.retry_after()),
            Err(_) if api.database.secret().await.is_none() => {
                (None, Some(("the database secret could not be read in time", Cause::Secret)), None)
            }
            Err(_) => (None, Some(("the database did not answer in time", Cause::Sql)), None),
        };
        let body = Status {
            status: if latency.is_some() { Verdict::Ok } else { Verdict::Unavailable },
            function: FunctionStatus {
                name: api.config.function_name.clone(),
                version: api.config.function_version.clone(),
                cold_start: request.cold_start,
            },
            database: DatabaseStatus {
                reachable: latency.is_some(),
                latency_ms: latency.map(millis),
                reason: failed.map(|(reason, _)| reason.to_owned()),
            },
            secret: secret(api).await,
            request_id: request.request_id.clone(),
        };
        let response = match latency {
            Some(_) => response::json(StatusCode::OK, &body),
            None => {
                let after = after.unwrap_or(Duration::from_secs(2));
                let mut response = response::json(StatusCode::SERVICE_UNAVAILABLE, &body);
                // For the line in the log: this answer is no problem, and has no other way to say so.
                if let Some((_, cause)) = failed {
                    response.extensions_mut().insert(cause);
                }
                response::with_header(response, RETRY_AFTER, retry_after(after))
            }
        };
        Ok(response::with_header(response, CACHE_CONTROL, HeaderValue::from_static("no-store")))
    })
}

async fn secret(api: &Api) -> Option<SecretStatus> {
    let secret = api.database.secret().await?;
    let age = (api.clock)() - secret.created?;
    Some(SecretStatus {
        version: secret.version_prefix().to_owned(),
        // The service's clock may be a little ahead of this one.
        age_seconds: u64::try_from(age.num_seconds()).unwrap_or(0),
    })
}
