//! What the page and the checks before a deploy are put together from.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionConfiguration;
use model::deploy::{Code, Deploy, FunctionVersion, Live};
use model::problem::{Problem, ProblemKind};
use model::rollout::{Note, Settled};
use model::stack::Stack;
use model::time::Timestamp;

use super::aws::{self, Alias, Source};
use super::details::Object;
use super::package::inspect;
use super::preflight::{CodeFacts, Concurrency, Facts, FunctionFacts};
use crate::aws::problem;
use crate::function::modified;
use crate::portal::Portal;

/// Versions are listed 50 at a time; a function with more than 1,000 of them has another problem.
const MOST_PAGES: usize = 20;
/// The newest so many versions are kept when old ones are pruned.
pub(super) const KEPT: usize = 5;
/// Over so long the invocations at once are looked at.
const LATELY_MS: i64 = 15 * 60 * 1_000;

/// What the alias points at.
pub(super) async fn live(lambda: &Client, stack: &Stack) -> Result<Live, Problem> {
    let alias = aws::alias(lambda, stack).await?;
    let facts = aws::configuration(lambda, stack, Some(&alias.pointing.version)).await?;
    let settled = match &alias.note {
        Note::Settled(settled) => Some(settled),
        _ => None,
    };
    // A note that tells of another version is older than what somebody did from outside.
    let current = settled.filter(|settled| settled.live == alias.pointing.version);
    Ok(Live {
        function: stack.function.clone(),
        alias: stack.alias.clone(),
        code_sha256: facts.code_sha256().map(str::to_owned),
        description: facts.description().filter(|text| !text.is_empty()).map(str::to_owned),
        architecture: architecture(facts.architectures()),
        since: current.map(|settled| settled.since),
        by: current.map(|settled| settled.by.clone()),
        outcome: settled.map(|settled| settled.how),
        why: settled.and_then(|settled| settled.why.clone()),
        previous: previous(&alias),
        version: alias.pointing.version,
        weight: alias.pointing.weight,
        revision: alias.revision,
    })
}

/// The version to go back to: the one that the last promotion replaced.
fn previous(alias: &Alias) -> Option<String> {
    match &alias.note {
        Note::Settled(Settled { live, other: Some(other), how, .. })
            if *live == alias.pointing.version && *how == model::rollout::Outcome::Promoted =>
        {
            Some(other.clone())
        }
        _ => None,
    }
}

fn architecture(all: &[aws_sdk_lambda::types::Architecture]) -> String {
    all.first().map_or("x86_64", |architecture| architecture.as_str()).to_owned()
}

/// The published versions, the newest first, with the reason why each is kept.
pub(super) async fn versions(lambda: &Client, stack: &Stack) -> Result<Vec<FunctionVersion>, Problem> {
    let (aliases, alias) = futures::join!(aliases(lambda, stack), aws::alias(lambda, stack));
    let (aliases, alias) = (aliases?, alias?);
    let mut pages = lambda
        .list_versions_by_function()
        .function_name(&stack.function)
        .max_items(50)
        .into_paginator()
        .send();
    let (mut versions, mut read) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        if read == MOST_PAGES {
            return Err(Problem::new(ProblemKind::Invalid, "The function has more than 1,000 versions."));
        }
        read += 1;
        let page =
            page.map_err(|error| problem("list the versions", "lambda:ListVersionsByFunction", &error))?;
        versions.extend(page.versions().iter().filter_map(|version| shown(version, &aliases)));
    }
    versions.sort_by_key(|version| std::cmp::Reverse(number(&version.version)));
    keep(&mut versions, &alias);
    Ok(versions)
}

fn number(version: &str) -> u64 {
    version.parse().unwrap_or_default()
}

fn shown(
    version: &FunctionConfiguration,
    aliases: &BTreeMap<String, Vec<String>>,
) -> Option<FunctionVersion> {
    let name = version.version().filter(|name| *name != "$LATEST")?;
    Some(FunctionVersion {
        version: name.to_owned(),
        description: version.description().filter(|text| !text.is_empty()).map(str::to_owned),
        size: u64::try_from(version.code_size()).unwrap_or_default(),
        code_sha256: version.code_sha256().unwrap_or_default().to_owned(),
        published: version.last_modified().and_then(modified),
        aliases: aliases.get(name).cloned().unwrap_or_default(),
        kept: None,
    })
}

/// Says of each version why it is kept: versions are the newest first.
fn keep(versions: &mut [FunctionVersion], alias: &Alias) {
    let previous = previous(alias);
    let underway = match &alias.note {
        Note::Underway(note) => vec![Some(note.old.clone()), note.new.clone()],
        _ => Vec::new(),
    };
    for (index, version) in versions.iter_mut().enumerate() {
        let is = |other: &Option<String>| other.as_deref() == Some(version.version.as_str());
        version.kept = match version.aliases.as_slice() {
            [first, ..] => Some(format!("the alias {first} names it")),
            [] if underway.iter().any(is) => Some("a rollout is under way with it".to_owned()),
            [] if is(&previous) => Some("it is the one to go back to".to_owned()),
            [] if index < KEPT => Some(format!("it is one of the newest {KEPT}")),
            [] => None,
        };
    }
}

/// The aliases that name a version, by its number.
async fn aliases(lambda: &Client, stack: &Stack) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let mut pages =
        lambda.list_aliases().function_name(&stack.function).max_items(50).into_paginator().send();
    let (mut named, mut read) = (BTreeMap::<String, Vec<String>>::new(), 0);
    while let Some(page) = pages.next().await {
        if read == MOST_PAGES {
            return Err(Problem::new(ProblemKind::Invalid, "The function has more than 1,000 aliases."));
        }
        read += 1;
        let page = page.map_err(|error| problem("list the aliases", "lambda:ListAliases", &error))?;
        for alias in page.aliases() {
            let weights = alias.routing_config().and_then(|config| config.additional_version_weights());
            let extra = weights.into_iter().flatten().map(|(version, _)| version.as_str());
            for version in alias.function_version().into_iter().chain(extra) {
                named
                    .entry(version.to_owned())
                    .or_default()
                    .push(alias.name().unwrap_or_default().to_owned());
            }
        }
    }
    Ok(named)
}

/// What a deploy needs to be checked and begun.
pub(super) struct Ready {
    pub(super) alias: Alias,
    pub(super) facts: Facts,
    /// The new code's hash and the revision it replaces; none for a version that is there.
    pub(super) sha256: Option<String>,
    pub(super) revision: Option<String>,
}

impl Portal {
    /// Reads all that is looked at before a deploy.
    ///
    /// # Errors
    /// Only where the alias can't be read: without it there is nothing to say.
    pub(super) async fn ready(&self, deploy: &Deploy) -> Result<Ready, Problem> {
        let (lambda, stack) = (&self.clients.lambda, self.stack());
        let alias = aws::alias(lambda, stack).await?;
        let (code, live, latest, secret, concurrency, front) = futures::join!(
            self.code_facts(&deploy.code),
            aws::configuration(lambda, stack, Some(&alias.pointing.version)),
            aws::configuration(lambda, stack, None),
            self.secret_now(),
            self.concurrency(),
            super::api::read(&self.clients.gateway, lambda, stack),
        );
        let alarms = crate::alarms::read(self.clients.cloudwatch.clone(), self.shared_stack()).await;
        let sha256 = match &code {
            CodeFacts::Uploaded { sha256, .. } | CodeFacts::Object(Ok(sha256)) => Some(sha256.clone()),
            _ => None,
        };
        let revision = latest.as_ref().ok().and_then(|facts| facts.revision_id().map(str::to_owned));
        let function = latest.map(|facts| FunctionFacts {
            architecture: architecture(facts.architectures()),
            runtime: facts.runtime().map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
            update: aws::latest(&facts).update,
            state: facts.state().map_or("Active", |state| state.as_str()).to_owned(),
        });
        let facts = Facts {
            code,
            live: live.map(|facts| facts.code_sha256().unwrap_or_default().to_owned()),
            function,
            pointing: alias.pointing.clone(),
            note: alias.note.clone(),
            rotation: secret.map(|secret| secret.pending().map(|version| version.id.clone())),
            alarms,
            concurrency,
            past_the_alias: front.map(|front| {
                let past = front.integrations.into_iter().filter(|one| one.change.is_some());
                past.map(|one| one.id).collect()
            }),
            strategy: deploy.strategy.clone(),
            despite_alarms: deploy.despite_alarms,
        };
        Ok(Ready { alias, facts, sha256, revision })
    }

    async fn code_facts(&self, code: &Code) -> CodeFacts {
        let (lambda, stack) = (&self.clients.lambda, self.stack());
        match code {
            Code::Upload { sha256 } => {
                let staged = self.rollouts.state.lock().await.staged.get(sha256, self.now());
                let Some(zip) = staged else {
                    let message = "The zip is not here: uploads are kept for a quarter of an hour, by the portal they went to.";
                    let problem = Problem::new(ProblemKind::NotFound, message).with_next("Upload it again.");
                    return CodeFacts::Missing(problem);
                };
                // Seconds of work for a large zip: not where everybody else's requests are served.
                let package = tokio::task::spawn_blocking(move || inspect(&zip)).await;
                match package {
                    Ok(package) => CodeFacts::Uploaded { sha256: sha256.clone(), package },
                    Err(error) => {
                        tracing::error!(%error, "a zip could not be looked into");
                        CodeFacts::Missing(Problem::new(
                            ProblemKind::Internal,
                            "The zip could not be looked into.",
                        ))
                    }
                }
            }
            Code::S3 { bucket, key, version } => {
                let object = Object { bucket: bucket.clone(), key: key.clone(), version: version.clone() };
                let outcome = match object.check() {
                    Ok(()) => aws::update_code(lambda, stack, &Source::Object(&object), None, true).await,
                    Err(problem) => Err(problem),
                };
                CodeFacts::Object(outcome)
            }
            Code::Version { version } => {
                let facts = aws::configuration(lambda, stack, Some(version)).await;
                let sha256 = facts.map(|facts| facts.code_sha256().unwrap_or_default().to_owned());
                CodeFacts::Version { number: version.clone(), sha256 }
            }
        }
    }

    /// How many invocations may run at once, and did lately.
    async fn concurrency(&self) -> Result<Concurrency, Problem> {
        let (lambda, stack) = (&self.clients.lambda, self.stack());
        let reserved =
            lambda.get_function_concurrency().function_name(&stack.function).send().await.map_err(
                |error| problem("read the reserved concurrency", "lambda:GetFunctionConcurrency", &error),
            )?;
        let unsigned = |number: i32| u32::try_from(number).unwrap_or_default();
        let (limit, is_reserved) = match reserved.reserved_concurrent_executions() {
            Some(reserved) => (unsigned(reserved), true),
            None => {
                let account = lambda.get_account_settings().send().await.map_err(|error| {
                    problem("read the account's concurrency", "lambda:GetAccountSettings", &error)
                })?;
                let limit =
                    account.account_limit().and_then(|limit| limit.unreserved_concurrent_executions());
                (limit.map(unsigned).unwrap_or_default(), false)
            }
        };
        let used = self.most_at_once().await?;
        Ok(Concurrency { limit, reserved: is_reserved, used })
    }

    async fn most_at_once(&self) -> Result<Option<u32>, Problem> {
        let now = self.now();
        let answer = self
            .clients
            .cloudwatch
            .get_metric_statistics()
            .namespace("AWS/Lambda")
            .metric_name("ConcurrentExecutions")
            .dimensions(
                aws_sdk_cloudwatch::types::Dimension::builder()
                    .name("FunctionName")
                    .value(&self.stack().function)
                    .build(),
            )
            .start_time(DateTime::from_millis(now.0 - LATELY_MS))
            .end_time(DateTime::from_millis(now.0))
            .period(60)
            .statistics(aws_sdk_cloudwatch::types::Statistic::Maximum)
            .send()
            .await
            .map_err(|error| {
                problem("read how many invocations ran at once", "cloudwatch:GetMetricStatistics", &error)
            })?;
        let most = answer.datapoints().iter().filter_map(|point| point.maximum()).reduce(f64::max);
        Ok(most.map(|most| most.round().max(0.0) as u32))
    }

    /// Keeps a zip for the deploy that is to come.
    ///
    /// # Errors
    /// `Invalid` when it is empty or larger than Lambda takes directly (50 MB).
    pub async fn keep_upload(&self, zip: Vec<u8>) -> Result<model::deploy::Uploaded, Problem> {
        let now: Timestamp = self.now();
        self.rollouts.state.lock().await.staged.keep(zip, now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::next_step::Pointing;
    use super::*;

    fn version(number: u32, aliases: &[&str]) -> FunctionVersion {
        FunctionVersion {
            version: number.to_string(),
            description: None,
            size: 1,
            code_sha256: String::new(),
            published: None,
            aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
            kept: None,
        }
    }

    #[test]
    fn what_somebody_may_need_is_kept() {
        let alias = |note: &str| Alias {
            function_arn: String::new(),
            pointing: Pointing { version: "2".to_owned(), weight: None },
            revision: String::new(),
            note: Note::read(note),
        };
        let kept = |note: &str| {
            let mut versions: Vec<_> = (1..=9).rev().map(|number| version(number, &[])).collect();
            versions[7].aliases = vec!["live".to_owned()];
            keep(&mut versions, &alias(note));
            let may_go = versions.iter().filter(|version| version.kept.is_none());
            may_go.map(|version| version.version.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(kept(""), "4 3 1");
        assert_eq!(kept("lockkeeper how=promoted live=2 other=1 since=1 by=a"), "4 3");
        // Told of another version than the alias has: from before somebody's change by hand.
        assert_eq!(kept("lockkeeper how=promoted live=3 other=1 since=1 by=a"), "4 3 1");
        assert_eq!(kept("lockkeeper rollout=r phase=smoke old=2 new=4 since=1 by=a"), "3 1");
    }
}
