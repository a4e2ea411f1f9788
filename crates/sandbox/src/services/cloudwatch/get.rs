//! GetMetricData: statistics of many metrics at once, in pages.
//!
//! Periods are aligned to the clock (multiples of the period since 1970), and a value's timestamp
//! is the beginning of its period. The request's beginning is rounded down to a whole period; its
//! end is not, so the last period may hold only the minutes before the end.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::errors::{PLAIN, bad_token, unsupported};
use super::input::{
    DimensionInput, Timestamp, dimensions, metric_name, namespace, position, seconds, token, unit,
};
use super::pending::{Metric, floor};
use super::period::{is_kept, period};
use super::statistic::{Statistic, Unusable};
use super::store::Store;
use super::tables::Span;
use crate::aws::{AwsError, Call, Reply};

/// AWS: queries of a call, and data points of an answer.
const MOST_QUERIES: usize = 500;
const MOST_POINTS: usize = 100_800;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Input {
    metric_data_queries: Option<Vec<QueryInput>>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    next_token: Option<String>,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
    label_options: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct QueryInput {
    id: Option<String>,
    metric_stat: Option<MetricStat>,
    expression: Option<Value>,
    label: Option<String>,
    return_data: Option<bool>,
    period: Option<i64>,
    account_id: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct MetricStat {
    metric: Option<MetricInput>,
    period: Option<i64>,
    stat: Option<String>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct MetricInput {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<DimensionInput>>,
}

/// A checked query.
struct Query {
    id: String,
    label: Option<String>,
    metric: Metric,
    stat: String,
    statistic: Statistic,
    unit: Option<&'static str>,
    period: i64,
    returned: bool,
}

/// Where the next page goes on: with which of the returned queries, after which timestamp of it,
/// and of which request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    query: usize,
    after: Option<i64>,
    request: String,
}

/// Answers a page of the statistics asked for. `now` is in milliseconds since 1970.
///
/// # Errors
/// `ValidationError` for what AWS does not take, `InvalidNextToken`, and `SandboxUnsupported` for
/// expressions, other accounts and dynamic labels.
pub(super) fn get_metric_data(store: &Store, now: i64, call: &Call) -> Result<Reply, AwsError> {
    let input: Input = call.parse()?;
    if input.label_options.is_some() {
        return Err(unsupported("GetMetricData", "LabelOptions"));
    }
    let start = input.start_time.ok_or_else(|| PLAIN.missing("StartTime"))?.0;
    let end = input.end_time.ok_or_else(|| PLAIN.missing("EndTime"))?.0;
    if start >= end {
        return Err(PLAIN.invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let descending = match input.scan_by.as_deref() {
        None | Some("TimestampDescending") => true,
        Some("TimestampAscending") => false,
        Some(other) => return Err(PLAIN.value("ScanBy", other)),
    };
    let most = match input.max_datapoints.map(usize::try_from) {
        None => MOST_POINTS,
        Some(Ok(most)) if (1..=MOST_POINTS).contains(&most) => most,
        _ => return Err(PLAIN.invalid("The parameter MaxDatapoints must be between 1 and 100800.")),
    };
    let queries = check_queries(input.metric_data_queries)?;
    let labels = labels(&queries);
    let request = fingerprint(call);
    let from = match input.next_token.as_deref().map(position::<Position>).transpose()? {
        None => Position { query: 0, after: None, request },
        Some(position) if position.request == request => position,
        Some(_) => return Err(bad_token()),
    };
    let returned = queries.iter().zip(labels).filter(|(query, _)| query.returned);
    let mut page = Page { from, descending, left: most, next: None };
    let mut results = Vec::new();
    for (n, (query, label)) in returned.enumerate() {
        let (points, complete) = page.of(n, || points(store, query, (start, end, now), descending))?;
        let (times, values): (Vec<Value>, Vec<f64>) =
            points.into_iter().map(|(time, value)| (seconds(time * 1000), value)).unzip();
        results.push(json!({
            "Id": query.id,
            "Label": label,
            "Timestamps": times,
            "Values": values,
            "StatusCode": if complete { "Complete" } else { "PartialData" },
        }));
    }
    let mut answer = Map::new();
    answer.insert("MetricDataResults".to_owned(), results.into());
    answer.insert("Messages".to_owned(), json!([]));
    if let Some(next) = page.next {
        answer.insert("NextToken".to_owned(), token(&next).into());
    }
    Ok(Reply::json(Value::Object(answer)))
}

/// What tells this request from others, whichever page of it is asked for.
fn fingerprint(call: &Call) -> String {
    let mut input = call.input.clone();
    if let Some(members) = input.as_object_mut() {
        members.remove("NextToken");
        members.remove("MaxDatapoints");
    }
    Sha256::digest(input.to_string()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// How much of an answer is still free, and where the next one goes on. Every page names every
/// query: those of earlier pages as complete and empty, those it does not reach as partial.
struct Page {
    from: Position,
    descending: bool,
    left: usize,
    next: Option<Position>,
}

type Points = Vec<(i64, f64)>;

impl Page {
    fn of(
        &mut self,
        query: usize,
        points: impl FnOnce() -> Result<Points, AwsError>,
    ) -> Result<(Points, bool), AwsError> {
        if query < self.from.query {
            return Ok((Vec::new(), true));
        }
        if self.left == 0 {
            self.next.get_or_insert(Position { query, after: None, request: self.from.request.clone() });
            return Ok((Vec::new(), false));
        }
        let mut points = points()?;
        if query == self.from.query
            && let Some(after) = self.from.after
        {
            points.retain(|(time, _)| if self.descending { *time < after } else { *time > after });
        }
        let complete = points.len() <= self.left;
        points.truncate(self.left);
        self.left -= points.len();
        if !complete {
            let after = points.last().map(|(time, _)| *time);
            self.next = Some(Position { query, after, request: self.from.request.clone() });
        }
        Ok((points, complete))
    }
}

/// The data points of a query: beginning of the period in seconds since 1970, and value.
fn points(
    store: &Store,
    query: &Query,
    (start, end, now): (i64, i64, i64),
    descending: bool,
) -> Result<Points, AwsError> {
    let start = start.div_euclid(1000);
    if !is_kept(query.period, now.div_euclid(1000) - start) {
        return Ok(Vec::new());
    }
    let span = Span {
        from: floor(start, query.period),
        to: (end + 999).div_euclid(1000),
        period: query.period,
        values: query.statistic.needs_values(),
    };
    let mut points = Vec::new();
    store.periods(&query.metric, query.unit, span, |time, aggregate| {
        points.extend(aggregate.statistic(query.statistic).map(|value| (time, value)));
    })?;
    if descending {
        points.reverse();
    }
    Ok(points)
}

fn check_queries(queries: Option<Vec<QueryInput>>) -> Result<Vec<Query>, AwsError> {
    let queries = queries.filter(|q| !q.is_empty()).ok_or_else(|| PLAIN.missing("MetricDataQueries"))?;
    if queries.len() > MOST_QUERIES {
        return Err(PLAIN.invalid(format!(
            "The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
        )));
    }
    let mut checked: Vec<Query> = Vec::with_capacity(queries.len());
    for (n, query) in queries.into_iter().enumerate() {
        let query = check_query(query, &format!("MetricDataQueries.member.{}.", n + 1))?;
        if checked.iter().any(|known| known.id == query.id) {
            return Err(PLAIN.invalid("The values for parameter id in MetricDataQueries are not unique."));
        }
        checked.push(query);
    }
    Ok(checked)
}

fn check_query(query: QueryInput, place: &str) -> Result<Query, AwsError> {
    let id = query.id.ok_or_else(|| PLAIN.missing(format_args!("{place}Id")))?;
    if !is_id(&id) {
        return Err(PLAIN.value(format_args!("{place}Id"), &id));
    }
    if query.account_id.is_some() {
        return Err(unsupported("GetMetricData", "AccountId"));
    }
    let stat = match (query.metric_stat, query.expression) {
        (Some(stat), None) => stat,
        (None, Some(_)) => return Err(unsupported("GetMetricData", "Expression")),
        (Some(_), Some(_)) => {
            return Err(PLAIN.combination(format!(
                "The parameters {place}MetricStat and {place}Expression are mutually exclusive and you have specified both."
            )));
        }
        (None, None) => return Err(PLAIN.missing(format_args!("{place}MetricStat"))),
    };
    if query.period.is_some() {
        return Err(PLAIN.combination(format!("The parameter {place}Period goes with an Expression only.")));
    }
    if query.label.as_deref().is_some_and(|label| label.contains("${")) {
        return Err(unsupported("GetMetricData", "dynamic labels"));
    }
    let place = format!("{place}MetricStat.");
    let metric = stat.metric.ok_or_else(|| PLAIN.missing(format_args!("{place}Metric")))?;
    let in_metric = format!("{place}Metric.");
    let metric = Metric {
        namespace: namespace(metric.namespace.as_deref(), &in_metric, PLAIN)?,
        name: metric_name(metric.metric_name.as_deref(), &in_metric, PLAIN)?,
        dimensions: dimensions(metric.dimensions.as_deref(), &in_metric, PLAIN)?,
    };
    let text = stat.stat.ok_or_else(|| PLAIN.missing(format_args!("{place}Stat")))?;
    let statistic = Statistic::parse(&text).map_err(|reason| match reason {
        Unusable::Unsupported => unsupported("GetMetricData", format_args!("the statistic {text}")),
        Unusable::Unknown => PLAIN.value(format_args!("{place}Stat"), &text),
    })?;
    Ok(Query {
        id,
        label: query.label,
        metric,
        stat: text,
        statistic,
        unit: unit(stat.unit.as_deref(), &place, PLAIN)?,
        period: period(stat.period, &place, PLAIN)?,
        returned: query.return_data.unwrap_or(true),
    })
}

/// AWS: letters, digits and underscores, and a small letter first; up to 255 characters.
fn is_id(id: &str) -> bool {
    id.len() <= 255
        && id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The labels of the answers. Where none was given AWS makes one up, in a way it does not publish:
/// the metric's name, and in front of it what tells queries of one name apart. Here that is the
/// values of the dimensions, and behind it the statistic if the values alone do not do it.
fn labels(queries: &[Query]) -> Vec<String> {
    let with_values = |query: &Query| {
        let values = query.metric.dimensions.iter().map(|(_, value)| value.as_str());
        values.chain([query.metric.name.as_str()]).collect::<Vec<_>>().join(" ")
    };
    let shared = |query: &Query, text: &dyn Fn(&Query) -> String| {
        queries.iter().filter(|other| other.label.is_none() && text(other) == text(query)).count() > 1
    };
    let label = |query: &Query| {
        let name = |query: &Query| query.metric.name.clone();
        match &query.label {
            Some(label) => label.clone(),
            None if !shared(query, &name) => name(query),
            None if !shared(query, &with_values) => with_values(query),
            None => format!("{} {}", with_values(query), query.stat),
        }
    };
    queries.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_take_up_where_the_last_one_ended() {
        let all = [vec![(3, 0.3), (2, 0.2), (1, 0.1)], vec![], vec![(9, 0.9)]];
        let mut from = Position { query: 0, after: None, request: "r".into() };
        let mut pages = Vec::new();
        loop {
            let mut page = Page { from: from.clone(), descending: true, left: 2, next: None };
            let results: Vec<(Points, bool)> = all
                .iter()
                .enumerate()
                .map(|(n, points)| page.of(n, || Ok(points.clone())).unwrap())
                .collect();
            pages.push(results);
            match page.next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(
            pages,
            [
                vec![(vec![(3, 0.3), (2, 0.2)], false), (vec![], false), (vec![], false)],
                vec![(vec![(1, 0.1)], true), (vec![], true), (vec![(9, 0.9)], true)],
            ]
        );
    }

    #[test]
    fn ids() {
        for good in ["a", "m1", "errorRate_5"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "M1", "1m", "_m", "m-1", "m 1", "é"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
