//! Traces for a collector that speaks OTLP over HTTP: a span for each request and what is done in it.
//!
//! Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names the collector;
//! the other variables of OpenTelemetry's specification (`OTEL_SERVICE_NAME`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, ...) are read by its library. What a span holds is
//! what the log line of it holds: no header, no body, no query. A collector that is slow or gone costs
//! spans and nothing else: the queue is bounded, and a request never waits for it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::config::ConfigError;

/// Where the collector is.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// How long a batch may take, and how long the last one may at the end.
const LIMIT: Duration = Duration::from_secs(5);

/// The traces of this process; nothing where no collector is configured.
pub struct Traces {
    provider: Option<SdkTracerProvider>,
}

impl Traces {
    /// Starts sending, where a collector is configured. Needs a runtime.
    ///
    /// # Errors
    /// When the variables are not understood.
    pub(super) fn start(lookup: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name| lookup(name).is_some_and(|value| !value.trim().is_empty());
        if !set(ENDPOINT) && !set(TRACES_ENDPOINT) {
            return Ok(Self { provider: None });
        }
        let refused = |why: String| ConfigError { variable: ENDPOINT, why };
        let client = reqwest::Client::builder()
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let client = Client { client, runtime: tokio::runtime::Handle::current() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        let resource = match lookup("OTEL_SERVICE_NAME") {
            Some(_) => Resource::builder().build(),
            None => Resource::builder().with_service_name("lockkeeper").build(),
        };
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource);
        Ok(Self { provider: Some(provider.build()) })
    }

    /// What turns the log's spans into traces.
    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let tracer = self.provider.as_ref()?.tracer("lockkeeper");
        Some(tracing_opentelemetry::layer().with_tracer(tracer))
    }

    /// Sends what is left.
    pub async fn end(self) {
        let Some(provider) = self.provider else { return };
        // It blocks until the last batch is sent or its time is over.
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LIMIT)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Sends batches, which the library does from a thread of its own, on the portal's runtime.
#[derive(Debug, Clone)]
struct Client {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?.error_for_status()?;
            let status = answer.status();
            Ok::<_, HttpError>((status, answer.bytes().await?))
        });
        let (status, body) = sending.await??;
        Ok(http::Response::builder().status(status).body(body)?)
    }
}
