//! The calls of a redeploy: what is read, and the few that change something. Each that changes the
//! alias names the revision that was seen, so of two portals that act at once one is refused, and what
//! somebody else did in between is not overwritten.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, LastUpdateStatus, State};
use model::problem::{Problem, ProblemKind};
use model::rollout::Note;
use model::stack::Stack;

use super::details::{Lease, Object};
use super::next_step::{Candidate, Latest, Pointing, Update};
use crate::aws::problem;

/// 50 MB over a slow line. An attempt is made once: the second would only take as long.
const UPLOAD_TIME: Duration = Duration::from_secs(120);
/// API Gateway gives up after 30 s.
pub(super) const INVOKE_TIME: Duration = Duration::from_secs(30);

/// The alias as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alias {
    /// The function's ARN, without a qualifier.
    pub(super) function_arn: String,
    pub(super) pointing: Pointing,
    pub(super) revision: String,
    pub(super) note: Note,
}

/// What an alias is to point at, and its note.
pub(super) struct Change<'a> {
    pub(super) version: &'a str,
    pub(super) weight: Option<(&'a str, f64)>,
    pub(super) note: String,
}

pub(super) async fn alias(lambda: &Client, stack: &Stack) -> Result<Alias, Problem> {
    let answer = lambda.get_alias().function_name(&stack.function).name(&stack.alias).send().await.map_err(
        |error| {
            let what = format!("read the alias {} of {}", stack.alias, stack.function);
            problem(&what, "lambda:GetAlias", &error)
        },
    )?;
    Ok(read(&answer))
}

fn read(answer: &GetAliasOutput) -> Alias {
    let arn = answer.alias_arn().unwrap_or_default();
    let weights = answer.routing_config().and_then(|config| config.additional_version_weights());
    Alias {
        function_arn: arn.rsplit_once(':').map_or(arn, |(function, _)| function).to_owned(),
        pointing: Pointing {
            version: answer.function_version().unwrap_or_default().to_owned(),
            weight: weights.into_iter().flatten().next().map(|(version, share)| (version.clone(), *share)),
        },
        revision: answer.revision_id().unwrap_or_default().to_owned(),
        note: Note::read(answer.description().unwrap_or_default()),
    }
}

/// Changes the alias, unless it was changed since it was read.
///
/// When the answer is lost and the SDK asks again, the second call is refused because of the first:
/// then it is looked whether the alias is as it was to be.
pub(super) async fn change(
    lambda: &Client,
    stack: &Stack,
    seen: &Alias,
    change: &Change<'_>,
) -> Result<(), Problem> {
    let weights = change.weight.map(|(version, share)| (version.to_owned(), share)).into_iter().collect();
    let answer = lambda
        .update_alias()
        .function_name(&stack.function)
        .name(&stack.alias)
        .revision_id(&seen.revision)
        .function_version(change.version)
        .description(&change.note)
        // An empty list takes the weights away; without one they would stay.
        .routing_config(
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build(),
        )
        .send()
        .await;
    let Err(error) = answer else { return Ok(()) };
    let now = alias(lambda, stack).await;
    if now.is_ok_and(|now| is_done(&now, change)) {
        return Ok(());
    }
    if error.code() == Some("PreconditionFailedException") {
        let message = "The alias was changed by somebody else a moment ago, so nothing was done.";
        return Err(Problem::new(ProblemKind::Conflict, message).with_next("Look at the page again."));
    }
    Err(problem(&format!("change the alias {}", stack.alias), "lambda:UpdateAlias", &error))
}

fn is_done(now: &Alias, change: &Change<'_>) -> bool {
    let weight = now.pointing.weight.as_ref().map(|(version, share)| (version.as_str(), *share));
    now.note == Note::read(&change.note) && now.pointing.version == change.version && weight == change.weight
}

/// The tags of the function.
pub(super) async fn tags(lambda: &Client, arn: &str) -> Result<HashMap<String, String>, Problem> {
    let answer = lambda.list_tags().resource(arn).send().await;
    answer
        .map(|answer| answer.tags.unwrap_or_default())
        .map_err(|error| problem("read the function's tags", "lambda:ListTags", &error))
}

pub(super) async fn tag(lambda: &Client, arn: &str, tags: HashMap<String, String>) -> Result<(), Problem> {
    let answer = lambda.tag_resource().resource(arn).set_tags(Some(tags)).send().await;
    answer.map(drop).map_err(|error| problem("tag the function", "lambda:TagResource", &error))
}

pub(super) async fn take_lease(lambda: &Client, arn: &str, lease: &Lease) -> Result<(), Problem> {
    tag(lambda, arn, HashMap::from([lease.tag()])).await
}

pub(super) async fn configuration(
    lambda: &Client,
    stack: &Stack,
    qualifier: Option<&str>,
) -> Result<GetFunctionConfigurationOutput, Problem> {
    let answer = lambda
        .get_function_configuration()
        .function_name(&stack.function)
        .set_qualifier(qualifier.map(str::to_owned))
        .send()
        .await;
    answer.map_err(|error| {
        let which = qualifier.map(|version| format!("version {version} of ")).unwrap_or_default();
        problem(&format!("read {which}{}", stack.function), "lambda:GetFunctionConfiguration", &error)
    })
}

pub(super) fn latest(facts: &GetFunctionConfigurationOutput) -> Latest {
    let reason = || {
        let code = facts.last_update_status_reason_code().map(|code| code.as_str());
        let parts: Vec<_> = [code, facts.last_update_status_reason()].into_iter().flatten().collect();
        if parts.is_empty() { "it gives no reason.".to_owned() } else { parts.join(": ") }
    };
    Latest {
        sha256: facts.code_sha256().unwrap_or_default().to_owned(),
        revision: facts.revision_id().unwrap_or_default().to_owned(),
        update: match facts.last_update_status() {
            Some(LastUpdateStatus::InProgress) => Update::InProgress,
            Some(LastUpdateStatus::Failed) => Update::Failed(reason()),
            _ => Update::Successful,
        },
    }
}

/// How a published version stands.
pub(super) async fn candidate(lambda: &Client, stack: &Stack, version: &str) -> Result<Candidate, Problem> {
    let facts = match configuration(lambda, stack, Some(version)).await {
        Ok(facts) => facts,
        Err(problem) if problem.kind == ProblemKind::NotFound => return Ok(Candidate::Gone),
        Err(problem) => return Err(problem),
    };
    let code = facts.state_reason_code().map(|code| code.as_str());
    let parts: Vec<_> = [code, facts.state_reason()].into_iter().flatten().collect();
    Ok(match facts.state() {
        Some(State::Pending) => Candidate::Pending,
        Some(State::Failed) => Candidate::Failed(parts.join(": ")),
        _ => Candidate::Ready,
    })
}

/// Code for `UpdateFunctionCode`.
pub(super) enum Source<'a> {
    Zip(&'a [u8]),
    Object(&'a Object),
}

/// Gives the function other code, if `$LATEST` still has that revision; with `dry`, only asks whether
/// it would be taken. The new code's SHA-256 in base64, as Lambda counts it.
pub(super) async fn update_code(
    lambda: &Client,
    stack: &Stack,
    source: &Source<'_>,
    revision: Option<&str>,
    dry: bool,
) -> Result<String, Problem> {
    let request = lambda
        .update_function_code()
        .function_name(&stack.function)
        .set_revision_id(revision.map(str::to_owned))
        .dry_run(dry);
    let request = match source {
        Source::Zip(zip) => request.zip_file(Blob::new(*zip)),
        Source::Object(object) => request
            .s3_bucket(&object.bucket)
            .s3_key(&object.key)
            .set_s3_object_version(object.version.clone()),
    };
    let limits = TimeoutConfig::builder()
        .operation_timeout(UPLOAD_TIME)
        .operation_attempt_timeout(UPLOAD_TIME)
        .build();
    let patience = aws_sdk_lambda::config::Builder::new().timeout_config(limits);
    let answer = request.customize().config_override(patience).send().await;
    answer.map(|answer| answer.code_sha256.unwrap_or_default()).map_err(|error| refused(&error))
}

/// What Lambda says to code, in words where they help.
fn refused<E, R>(error: &aws_sdk_lambda::error::SdkError<E, R>) -> Problem
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug,
{
    let said = error.message().unwrap_or_default().trim_end_matches('.').to_owned();
    match error.code() {
        Some("PreconditionFailedException") => {
            let message = "The function was changed by somebody else a moment ago, so nothing was done.";
            Problem::new(ProblemKind::Conflict, message).with_next("Look at the page again.")
        }
        Some("ResourceConflictException") => {
            Problem::new(ProblemKind::Conflict, "Another update of the function is in progress.")
                .with_next("Try again when it is over.")
        }
        Some(
            "InvalidParameterValueException" | "CodeStorageExceededException" | "InvalidZipFileException",
        ) => Problem::new(ProblemKind::Invalid, format!("Lambda does not take this code: {said}.")),
        _ => problem("give the function new code", "lambda:UpdateFunctionCode", error),
    }
}

/// Publishes `$LATEST`, if it is the code with that hash. Published already, it is that version.
pub(super) async fn publish(
    lambda: &Client,
    stack: &Stack,
    sha256: &str,
    description: &str,
) -> Result<String, Problem> {
    let answer = lambda
        .publish_version()
        .function_name(&stack.function)
        .code_sha256(sha256)
        .description(description)
        .send()
        .await;
    let answer = answer.map_err(|error| match error.code() {
        Some("InvalidParameterValueException") => {
            let message = "The function was changed from outside before its code was published.";
            Problem::new(ProblemKind::Conflict, message)
        }
        _ => problem("publish a version", "lambda:PublishVersion", &error),
    })?;
    answer.version.ok_or_else(|| Problem::new(ProblemKind::Upstream, "Lambda did not name the new version."))
}
