//! The API's function, for tests of deploys: the same library and handler as `src/bin/api.rs`, and what
//! `misbehave.json` beside it in the task root says is to go wrong. So one program gives many zips, good
//! ones (without that file) and bad ones, each with a hash of its own. It is not packaged.
//!
//! | member of the file | what happens |
//! |---|---|
//! | `error_share`, 0 to 1 | that share of an environment's requests is answered with 500, evenly: the first one after half of the way, so that one out of twenty does not fail its first request |
//! | `delay_ms` | every answer takes so much longer, in the function's own measure too |
//! | `status`, 500 or 503 | `GET /status` is answered so, everything else well |
//! | `init`: `"crash"` | the process exits with 1 before it asks for its first event |

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use api_function::api::Api;
use api_function::config::Config;
use api_function::event;
use api_function::problem::{Kind, Problem};
use api_function::telemetry;
use api_function::time::{Clock, Random, system_clock};
use lambda_http::lambda_runtime::Runtime;
use lambda_http::request::LambdaRequest;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Adapter, Error, LambdaEvent, Request, service_fn};
use serde::Deserialize;
use serde_json::Value;

/// What is to go wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Faults {
    error_share: f64,
    delay_ms: u64,
    status: Option<u16>,
    init: Option<Init>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Init {
    Crash,
}

impl Faults {
    /// Reads the file in the task root; without one nothing goes wrong.
    fn read() -> Result<Self, String> {
        let root = std::env::var("LAMBDA_TASK_ROOT").map_err(|error| format!("LAMBDA_TASK_ROOT: {error}"))?;
        let path = Path::new(&root).join("misbehave.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let faults: Self =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        match faults.status {
            None | Some(500 | 503) if (0.0..=1.0).contains(&faults.error_share) => Ok(faults),
            _ => Err(format!("{}: a status of 500 or 503, a share from 0 to 1", path.display())),
        }
    }

    /// What the environment's request with this number, from 0 on, is refused with.
    fn refusal(&self, number: u64, path: &str) -> Option<Problem> {
        let on_purpose =
            |kind| Some(Problem::new(kind, "On purpose.").with_context("misbehaving on purpose"));
        // What a path begins with depends on the stage.
        match self.status {
            Some(500) if path.ends_with("/status") => return on_purpose(Kind::Internal),
            Some(_) if path.ends_with("/status") => return on_purpose(Kind::Unavailable),
            _ => {}
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody makes 2^52 requests")]
        let errors_by = |number: u64| (number as f64 * self.error_share + 0.5).floor();
        if errors_by(number + 1) > errors_by(number) { on_purpose(Kind::Internal) } else { None }
    }
}

/// Answers events, some of them as they should not be.
struct Misbehaving {
    api: Api,
    faults: Faults,
    requests: AtomicU64,
    /// Whether the clock's next reading is to take its time.
    slow: Arc<AtomicBool>,
}

impl Misbehaving {
    fn new(config: Config, faults: Faults) -> Self {
        let slow = Arc::new(AtomicBool::new(false));
        let clock = slow_clock(slow.clone(), Duration::from_millis(faults.delay_ms));
        let api = Api::new(config, clock, Random::from_os());
        Self { api, faults, requests: AtomicU64::new(0), slow }
    }

    async fn handle(&self, event: LambdaEvent<LambdaRequest>) -> Result<Value, Error> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.slow.store(true, Ordering::Relaxed);
        let path = match &event.payload {
            LambdaRequest::ApiGatewayV2(request) => request.raw_path.clone().unwrap_or_default(),
            _ => String::new(),
        };
        let Some(problem) = self.faults.refusal(number, &path) else {
            return Ok(serde_json::to_value(event::handle(&self.api, event).await?)?);
        };
        let mut problem = Some(problem);
        let adapter = Adapter::from(service_fn(|request: Request| {
            let problem = problem.take();
            async move {
                match problem {
                    Some(problem) => Ok(self.api.refuse(request, problem).await),
                    None => Err("an event is one request"),
                }
            }
        }));
        Ok(serde_json::to_value(adapter.oneshot(event).await?)?)
    }
}

/// The machine's clock, whose next reading after `slow` was set takes longer. The API reads it when a
/// request begins and has begun to measure by then, so the delay is in its own figures; and one request
/// is served at a time, so nothing else waits for the thread.
fn slow_clock(slow: Arc<AtomicBool>, delay: Duration) -> Clock {
    let clock = system_clock();
    Arc::new(move || {
        if slow.swap(false, Ordering::Relaxed) {
            std::thread::sleep(delay);
        }
        clock()
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (config, faults) = match (Config::from_env(), Faults::read()) {
        (Ok(config), Ok(faults)) => (config, faults),
        (Err(error), _) => return failed(&error.to_string()),
        (_, Err(error)) => return failed(&error),
    };
    let subscriber = telemetry::subscriber(config.log_level, std::io::stdout);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        return failed("no log");
    }
    if let Some(Init::Crash) = faults.init {
        return failed("crashing on purpose");
    }
    let function = Misbehaving::new(config, faults);
    function.api.warm_up().await;
    match Runtime::new(service_fn(|event| function.handle(event))).run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    println!("{why}");
    ExitCode::FAILURE
}
