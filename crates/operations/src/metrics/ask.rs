//! One call of GetMetricData, with all pages of its answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::config::Builder;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{MetricDataQuery, MetricDataResult, ScanBy, StatusCode};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::meter::Spent;
use crate::aws::problem;

/// An answer of 100,800 points has so many pages at most in practice; more are not waited for.
const MOST_PAGES: u64 = 8;
/// How long all pages may take together. The store's readers wait a little longer.
const LIMIT: Duration = Duration::from_millis(4_300);

/// What CloudWatch answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// By the query's id.
    pub(super) results: HashMap<String, Given>,
    /// What it said beside the figures, once each.
    pub(super) messages: BTreeSet<String>,
}

/// What was given for a query.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Values by the start of their period, in milliseconds.
    pub(super) values: BTreeMap<i64, f64>,
    /// Why that is not all.
    pub(super) lacks: Option<Lack>,
}

/// Why values are missing that CloudWatch may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    /// It gave a part.
    Part,
    /// It may not be read.
    Forbidden,
    /// It failed at it.
    Failed,
}

/// Asks, and says what it cost, however it ended.
pub(super) async fn ask(
    client: &Client,
    queries: Vec<MetricDataQuery>,
    (from, to): (Timestamp, Timestamp),
) -> (Result<Answer, Problem>, Spent) {
    let until = Instant::now() + LIMIT;
    let mut spent = Spent::default();
    let mut answer = Answer::default();
    let (ids, metrics) = (ids(&queries), queries.len() as u64);
    let mut token = None;
    loop {
        spent = spent.plus(Spent { calls: 1, metrics });
        let call = client
            .get_metric_data()
            .start_time(DateTime::from_millis(from.0))
            .end_time(DateTime::from_millis(to.0))
            .scan_by(ScanBy::TimestampDescending)
            .set_metric_data_queries(Some(queries.clone()))
            .set_next_token(token.take())
            .customize()
            // Each attempt is paid for; the store tries again in its own rhythm.
            .config_override(Builder::new().retry_config(RetryConfig::disabled()))
            .send();
        let page = match timeout_at(until, call).await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) if spent.calls == 1 => {
                return (Err(problem("read the metrics", "cloudwatch:GetMetricData", &error)), spent);
            }
            Err(_) if spent.calls == 1 => {
                let message = "CloudWatch did not answer in time to read the metrics.";
                return (Err(Problem::new(ProblemKind::TimedOut, message)), spent);
            }
            // What is there is shown, and what is missing is said.
            Ok(Err(_)) | Err(_) => break,
        };
        let messages = page.messages().iter().filter_map(|message| message.value());
        answer.messages.extend(messages.map(str::to_owned));
        token = page.next_token().map(str::to_owned);
        for result in page.metric_data_results.unwrap_or_default() {
            answer.add(result);
        }
        if token.is_none() {
            answer.settle(&ids, Lack::Failed);
            return (Ok(answer), spent);
        }
        if spent.calls == MOST_PAGES {
            break;
        }
    }
    answer.settle(&ids, Lack::Part);
    for given in answer.results.values_mut() {
        given.lacks.get_or_insert(Lack::Part);
    }
    (Ok(answer), spent)
}

fn ids(queries: &[MetricDataQuery]) -> Vec<String> {
    queries.iter().filter_map(|query| query.id().map(str::to_owned)).collect()
}

impl Answer {
    /// Adds a page's part of a query's values.
    fn add(&mut self, result: MetricDataResult) {
        let Some(id) = result.id.clone() else { return };
        let given = self.results.entry(id).or_default();
        let times = result.timestamps().iter().map(|time| time.secs().saturating_mul(1_000));
        given.values.extend(times.zip(result.values().iter().copied()));
        given.lacks = match result.status_code() {
            // A page that is not the last one of its query says so, and the last one that it is.
            None | Some(StatusCode::Complete) => None,
            Some(StatusCode::Forbidden) => Some(Lack::Forbidden),
            Some(StatusCode::InternalError) => Some(Lack::Failed),
            Some(_) => Some(Lack::Part),
        };
    }

    /// What was asked for and is not there at all lacks something, too.
    fn settle(&mut self, ids: &[String], lack: Lack) {
        for id in ids {
            self.results
                .entry(id.clone())
                .or_insert_with(|| Given { values: BTreeMap::new(), lacks: Some(lack) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(id: &str, status: StatusCode, data: &[(i64, f64)]) -> MetricDataResult {
        let mut builder = MetricDataResult::builder().id(id).status_code(status);
        for (minute, value) in data {
            builder = builder.timestamps(DateTime::from_secs(minute * 60)).values(*value);
        }
        builder.build()
    }

    #[test]
    fn pages_are_put_together() {
        let mut answer = Answer::default();
        answer.add(result("a", StatusCode::PartialData, &[(2, 3.0)]));
        answer.add(result("a", StatusCode::Complete, &[(1, 2.0)]));
        answer.add(result("b", StatusCode::Forbidden, &[]));
        answer.settle(&["a".to_owned(), "b".to_owned(), "c".to_owned()], Lack::Failed);
        let a = &answer.results["a"];
        assert_eq!(
            a.values.iter().map(|(at, value)| (*at, *value)).collect::<Vec<_>>(),
            [(60_000, 2.0), (120_000, 3.0)]
        );
        assert_eq!(a.lacks, None);
        assert_eq!(answer.results["b"].lacks, Some(Lack::Forbidden));
        assert_eq!(answer.results["c"].lacks, Some(Lack::Failed));
    }

    #[test]
    fn no_status_is_no_lack_and_a_part_is_one() {
        let mut answer = Answer::default();
        answer.add(result("a", StatusCode::PartialData, &[(1, 2.0)]));
        answer.add(MetricDataResult::builder().id("b").build());
        assert_eq!(answer.results["a"].lacks, Some(Lack::Part));
        assert_eq!(answer.results["b"].lacks, None);
    }
}
