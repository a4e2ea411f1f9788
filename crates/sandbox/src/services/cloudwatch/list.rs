//! ListMetrics: which metrics there are.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::errors::{MODELLED, unsupported};
use super::input::{Dimensions, dimensions_out, metric_name, namespace, position, token};
use super::pending::Metric;
use super::store::Store;
use crate::aws::{AwsError, Call, Reply};

/// AWS: metrics of an answer.
const MOST: usize = 500;
/// AWS: metrics without data for two weeks are not listed.
const TWO_WEEKS: i64 = 14 * 24 * 3_600_000;
const THREE_HOURS: i64 = 3 * 3_600_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Input {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Filter>>,
    next_token: Option<String>,
    recently_active: Option<String>,
    include_linked_accounts: Option<bool>,
    owning_account: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Filter {
    name: Option<String>,
    value: Option<String>,
}

/// Lists metrics in order of namespace, name and dimensions. A metric can be found at once; AWS may
/// take a quarter of an hour.
///
/// # Errors
/// `InvalidParameterValue` for filters AWS does not take and for a token that is not one.
pub(super) fn list_metrics(store: &Store, now: i64, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = call.parse()?;
    if input.include_linked_accounts == Some(true) || input.owning_account.is_some() {
        return Err(unsupported("ListMetrics", "linked accounts"));
    }
    let of_namespace = input.namespace.as_deref().map(|n| namespace(Some(n), "", MODELLED)).transpose()?;
    let of_name = input.metric_name.as_deref().map(|n| metric_name(Some(n), "", MODELLED)).transpose()?;
    let filters = input.dimensions.unwrap_or_default();
    if filters.len() > 10 {
        return Err(MODELLED.invalid("The collection Dimensions must not have a size greater than 10."));
    }
    for (n, filter) in filters.iter().enumerate() {
        if filter.name.as_deref().is_none_or(str::is_empty) {
            return Err(MODELLED.missing(format_args!("Dimensions.member.{}.Name", n + 1)));
        }
    }
    let since = match input.recently_active.as_deref() {
        None => now - TWO_WEEKS,
        Some("PT3H") => now - THREE_HOURS,
        Some(other) => return Err(MODELLED.value("RecentlyActive", other)),
    };
    let after: Option<Metric> = input
        .next_token
        .as_deref()
        .map(|token| {
            position::<(String, String, Dimensions)>(token)
                .map(|(namespace, name, dimensions)| Metric { namespace, name, dimensions })
                .map_err(|_| MODELLED.value("NextToken", token))
        })
        .transpose()?;
    let wanted = |metric: &Metric| {
        after.as_ref().is_none_or(|after| order(metric) > order(after))
            && filters.iter().all(|filter| {
                metric.dimensions.iter().any(|(name, value)| {
                    filter.name.as_ref() == Some(name) && filter.value.as_ref().is_none_or(|v| v == value)
                })
            })
    };
    // One more than an answer takes tells whether there is another.
    let mut found = store.metrics(of_namespace.as_deref(), of_name.as_deref(), since, MOST + 1, wanted)?;
    let more = found.len() > MOST;
    found.truncate(MOST);
    let mut answer = Map::new();
    answer.insert("Metrics".to_owned(), found.iter().map(metric_out).collect());
    if let (true, Some(last)) = (more, found.last()) {
        answer.insert("NextToken".to_owned(), token(&(&last.namespace, &last.name, &last.dimensions)).into());
    }
    Ok(Reply::json(Value::Object(answer)))
}

/// The order in which the store lists: dimensions by their text.
fn order(metric: &Metric) -> (&str, &str, String) {
    (&metric.namespace, &metric.name, json!(metric.dimensions).to_string())
}

fn metric_out(metric: &Metric) -> Value {
    json!({
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": dimensions_out(&metric.dimensions),
    })
}
