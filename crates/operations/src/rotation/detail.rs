//! The secret as AWS describes it: its description, and the list of the versions that have a value.
//!
//! Both are needed: the description names every version with a label, the list only those with a
//! value. The difference tells a rotation that died before its first step from one that died later.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use model::problem::Problem;
use model::rotation::{SecretDetail, SecretVersion, starter};
use model::stack::Stack;
use model::time::Timestamp;

use super::schedule::Schedule;
use crate::aws::{problem, timestamp};

/// AWS keeps about 100 versions; with 100 on a page, this is all of them.
const MOST_PAGES: usize = 3;
/// How many of the schedule's next times are shown.
const RUNS: usize = 3;

/// Reads both.
pub(crate) async fn read(
    secrets: Client,
    stack: Arc<Stack>,
    now: Timestamp,
) -> Result<SecretDetail, Problem> {
    let (described, valued) = futures::try_join!(describe(&secrets, &stack), valued(&secrets, &stack))?;
    Ok(put_together(described, &valued, now))
}

async fn describe(secrets: &Client, stack: &Stack) -> Result<DescribeSecretOutput, Problem> {
    secrets.describe_secret().secret_id(&stack.secret_id).send().await.map_err(|error| {
        problem(&format!("describe the secret {}", stack.secret_id), "secretsmanager:DescribeSecret", &error)
    })
}

/// The versions that have a value, and since when.
async fn valued(secrets: &Client, stack: &Stack) -> Result<HashMap<String, Option<Timestamp>>, Problem> {
    let mut valued = HashMap::new();
    let mut next = None;
    for _ in 0..MOST_PAGES {
        let list = secrets.list_secret_version_ids().secret_id(&stack.secret_id).set_next_token(next);
        let page = list.max_results(100).send().await.map_err(|error| {
            let what = format!("list the versions of the secret {}", stack.secret_id);
            problem(&what, "secretsmanager:ListSecretVersionIds", &error)
        })?;
        for version in page.versions() {
            if let Some(id) = version.version_id() {
                valued.insert(id.to_owned(), version.created_date().map(timestamp));
            }
        }
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(valued)
}

fn put_together(
    described: DescribeSecretOutput,
    valued: &HashMap<String, Option<Timestamp>>,
    now: Timestamp,
) -> SecretDetail {
    let rules = described.rotation_rules();
    let schedule = rules.and_then(|rules| {
        let days = || rules.automatically_after_days().map(|days| format!("rate({days} days)"));
        rules.schedule_expression().map(str::to_owned).or_else(days)
    });
    let enabled = described.rotation_enabled().unwrap_or(false);
    let next_rotation = described.next_rotation_date().map(timestamp).filter(|_| enabled);
    let rotated = described.last_rotated_date().map(timestamp);
    let labels: BTreeMap<_, _> = described.version_ids_to_stages().into_iter().flatten().collect();
    let mut versions: Vec<SecretVersion> = labels
        .into_iter()
        .map(|(id, labels)| SecretVersion {
            created: valued.get(id).copied().flatten(),
            has_value: valued.contains_key(id),
            started_by: starter(id).map(str::to_owned),
            id: id.clone(),
            labels: labels.clone(),
        })
        .collect();
    let rank = |version: &SecretVersion| {
        ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"].iter().position(|label| version.has(label)).unwrap_or(3)
    };
    versions.sort_by_key(rank);
    SecretDetail {
        next_runs: next_runs(schedule.as_deref().filter(|_| enabled), next_rotation, rotated, now),
        name: described.name().unwrap_or_default().to_owned(),
        arn: described.arn().unwrap_or_default().to_owned(),
        kms_key: described.kms_key_id().map(str::to_owned),
        created: described.created_date().map(timestamp),
        changed: described.last_changed_date().map(timestamp),
        rotated,
        next_rotation,
        rotation_enabled: enabled,
        rotation_function: described.rotation_lambda_arn().map(str::to_owned),
        window: rules.and_then(|rules| rules.duration()).map(str::to_owned),
        schedule,
        versions,
    }
}

/// The first one is AWS's own word, if it is in the future: the end of the window in which it will
/// rotate; what follows is the schedule's.
fn next_runs(
    schedule: Option<&str>,
    next: Option<Timestamp>,
    rotated: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Timestamp> {
    let Some(schedule) = schedule.and_then(|text| Schedule::read(text).ok()) else {
        return next.into_iter().filter(|next| *next > now).collect();
    };
    match (&schedule, next) {
        (Schedule::Rate(hours), Some(next)) if next > now => {
            let every = hours * 3_600_000;
            (0..).take(RUNS).map(|number: i64| Timestamp(next.0 + number * every)).collect()
        }
        _ => schedule.next_runs(now, rotated, RUNS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn the_next_times_begin_with_aws_s_own() {
        let now = Timestamp(1_795_618_800_000);
        let day = |days: i64| Timestamp(now.0 + days * DAY);
        let rate = Some("rate(30 days)");
        assert_eq!(next_runs(rate, Some(day(3)), Some(day(-27)), now), [day(3), day(33), day(63)]);
        assert_eq!(next_runs(rate, Some(day(-1)), Some(day(-31)), now), [now, day(30), day(60)]);
        assert_eq!(next_runs(None, Some(day(3)), None, now), [day(3)]);
        assert_eq!(next_runs(Some("cron(0 4 ? * SUN *)"), None, None, now).len(), 3);
    }

    #[test]
    fn a_version_without_a_value_is_told_from_one_with() {
        let described = DescribeSecretOutput::builder()
            .name("learninghub/sqlserver")
            .rotation_enabled(true)
            .version_ids_to_stages("one", vec!["AWSPREVIOUS".to_owned()])
            .version_ids_to_stages("two", vec!["AWSCURRENT".to_owned()])
            .version_ids_to_stages("0123456789abcdef0123456789abcdef-anna", vec!["AWSPENDING".to_owned()])
            .build();
        let valued = HashMap::from([("one".to_owned(), None), ("two".to_owned(), Some(Timestamp(5)))]);
        let detail = put_together(described, &valued, Timestamp(10));
        let seen: Vec<_> =
            detail.versions.iter().map(|version| (version.has_value, version.created)).collect();
        assert_eq!(seen, [(true, Some(Timestamp(5))), (false, None), (true, None)]);
        assert_eq!(detail.current().map(|version| version.id.as_str()), Some("two"));
        let pending = detail.pending().unwrap();
        assert_eq!((pending.has_value, pending.started_by.as_deref()), (false, Some("anna")));
    }
}
