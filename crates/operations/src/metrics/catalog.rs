//! Which figure is which metric.
//!
//! API figures by stage, function figures by alias: what callers of this stack meet. A version's are
//! those of its calls through the alias (`ExecutedVersion`). `4xx` and `5xx` are the names that HTTP
//! APIs use; a REST API's are others.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use model::metrics::{Name, Scope};
use model::stack::Stack;

/// Which figures somebody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Set {
    /// Those of the overview: fewer, as each is paid for.
    Overview,
    /// All.
    All,
}

impl Set {
    /// The figures in it, in the order in which they are asked for.
    pub(super) fn names(self) -> &'static [Name] {
        match self {
            Self::Overview => {
                &[Name::Requests, Name::ServerErrors, Name::ClientErrors, Name::Throttles, Name::DurationP95]
            }
            Self::All => &Name::ALL,
        }
    }
}

/// Where a metric is found.
enum Source {
    /// `AWS/ApiGateway`, by API and stage.
    Api,
    /// `AWS/Lambda`, by function and alias, or by the version besides.
    Function,
    /// The function's own, by its name, or by its name and version.
    Own,
}

/// Namespace, metric and statistic.
fn metric(name: Name) -> (Source, &'static str, &'static str) {
    match name {
        Name::Requests => (Source::Api, "Count", "Sum"),
        Name::ClientErrors => (Source::Api, "4xx", "Sum"),
        Name::ServerErrors => (Source::Api, "5xx", "Sum"),
        Name::LatencyP50 => (Source::Api, "Latency", "p50"),
        Name::LatencyP95 => (Source::Api, "Latency", "p95"),
        Name::LatencyP99 => (Source::Api, "Latency", "p99"),
        Name::IntegrationLatencyP50 => (Source::Api, "IntegrationLatency", "p50"),
        Name::IntegrationLatencyP95 => (Source::Api, "IntegrationLatency", "p95"),
        Name::IntegrationLatencyP99 => (Source::Api, "IntegrationLatency", "p99"),
        Name::Invocations => (Source::Function, "Invocations", "Sum"),
        Name::FunctionErrors => (Source::Function, "Errors", "Sum"),
        Name::Throttles => (Source::Function, "Throttles", "Sum"),
        Name::DurationP50 => (Source::Function, "Duration", "p50"),
        Name::DurationP95 => (Source::Function, "Duration", "p95"),
        Name::DurationP99 => (Source::Function, "Duration", "p99"),
        Name::DurationMax => (Source::Function, "Duration", "Maximum"),
        Name::Concurrency => (Source::Function, "ConcurrentExecutions", "Maximum"),
        Name::ColdStarts => (Source::Own, "ColdStart", "Sum"),
    }
}

/// The query of a figure, under an id of the caller's. A wrong unit would give nothing, so none is named.
pub(super) fn query(
    id: String,
    name: Name,
    scope: &Scope,
    stack: &Stack,
    own_namespace: &str,
    period: u32,
) -> MetricDataQuery {
    let (source, metric_name, stat) = metric(name);
    let function = || ("FunctionName", stack.function.clone());
    let (namespace, mut dimensions) = match source {
        Source::Api => {
            let stage = ("Stage", stack.stage.clone());
            ("AWS/ApiGateway", vec![("ApiId", stack.api_id.clone()), stage])
        }
        Source::Function => {
            let resource = format!("{}:{}", stack.function, stack.alias);
            ("AWS/Lambda", vec![function(), ("Resource", resource)])
        }
        Source::Own => (own_namespace, vec![function()]),
    };
    if let (Source::Function, Scope::Version(version)) = (&source, scope) {
        dimensions.push(("ExecutedVersion", version.clone()));
    }
    let dimensions =
        dimensions.into_iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
    let metric = Metric::builder()
        .namespace(namespace)
        .metric_name(metric_name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let period = i32::try_from(period).unwrap_or(i32::MAX);
    let stat = MetricStat::builder().metric(metric).period(period).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}
