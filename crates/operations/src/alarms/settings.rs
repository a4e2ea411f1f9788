//! The settings that observability needs: read, and held against what is wanted.

use aws_sdk_apigatewayv2::operation::get_stage::GetStageOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::TracingMode;
use model::alarms::{
    Change, FunctionLogging, LEVELS, LogGroup, RETENTIONS, SetFunctionLogging, SetLogRetention,
    SetStageLogging, Settings, StageLogging,
};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use super::page::rotation_function;
use crate::aws::problem;
use crate::portal::Clients;

/// The recommended access log: what lookups and the split of errors read. What callers can choose comes
/// last, so that no user agent can forge a status. At most 1,024 characters (AWS).
pub(super) const FORMAT: &str = concat!(
    r#"{"requestId":"$context.requestId","time":"$context.requestTimeEpoch","ip":"$context.identity.sourceIp","#,
    r#""routeKey":"$context.routeKey","status":"$context.status","latency":"$context.responseLatency","#,
    r#""integrationLatency":"$context.integration.latency","integrationStatus":"$context.integration.status","#,
    r#""lambdaStatus":"$context.integration.integrationStatus","integrationError":"$context.integrationErrorMessage","#,
    r#""integrationRequestId":"$context.integration.requestId","error":"$context.error.message","#,
    r#""errorType":"$context.error.responseType","authorizerError":"$context.authorizer.error","#,
    r#""sub":"$context.authorizer.claims.sub","responseLength":"$context.responseLength","stage":"$context.stage","#,
    r#""method":"$context.httpMethod","path":"$context.path","userAgent":"$context.identity.userAgent"}"#
);
/// Where a new access log goes: CloudWatch Logs needs no policy of its own for groups of this prefix.
const VENDED: &str = "/aws/vendedlogs/";

/// The settings, and what a change of them needs besides.
pub(super) struct Held {
    pub(super) settings: Settings,
    pub(super) stage: GetStageOutput,
    /// What a log group's ARN begins with.
    pub(super) groups_arn: String,
}

/// Reads them.
pub(super) async fn read(clients: &Clients, stack: &Stack) -> Result<Held, Problem> {
    let rotation = rotation_function(clients, stack);
    let stage = clients.gateway.get_stage().api_id(&stack.api_id).stage_name(&stack.stage).send();
    let (latest, live, rotation, stage) = futures::join!(
        configuration(clients, &stack.function, None),
        configuration(clients, &stack.function, Some(&stack.alias)),
        rotation,
        stage,
    );
    let (latest, live) = (latest?, live?);
    let stage = stage.map_err(|error| problem("read the stage", "apigateway:GET", &error))?;
    let arn: Vec<&str> = latest.function_arn().unwrap_or_default().split(':').collect();
    let (partition, account) = (arn.get(1).unwrap_or(&"aws"), arn.get(4).copied().unwrap_or_default());
    let groups_arn = format!("arn:{partition}:logs:{}:{account}:log-group:", stack.region);
    let mut functions = vec![function(&latest, Some(&live))];
    let mut groups = vec![(group_of(&latest), "the function".to_owned())];
    if let Some(name) = rotation? {
        let facts = configuration(clients, &name, None).await?;
        functions.push(function(&facts, None));
        groups.push((group_of(&facts), "the rotation function".to_owned()));
    }
    let destination = stage.access_log_settings().and_then(|settings| settings.destination_arn());
    groups.extend(destination.and_then(group_in).map(|name| (name, "the access log".to_owned())));
    let groups =
        futures::future::try_join_all(groups.into_iter().map(|(name, of)| group(clients, name, of))).await?;
    Ok(Held { settings: Settings { groups, functions, stage: stage_of(&stage, stack) }, stage, groups_arn })
}

pub(super) async fn configuration(
    clients: &Clients,
    function: &str,
    qualifier: Option<&str>,
) -> Result<GetFunctionConfigurationOutput, Problem> {
    let request = clients.lambda.get_function_configuration().function_name(function);
    request.set_qualifier(qualifier.map(str::to_owned)).send().await.map_err(|error| {
        problem(&format!("read the function {function}"), "lambda:GetFunctionConfiguration", &error)
    })
}

async fn group(clients: &Clients, name: String, of: String) -> Result<LogGroup, Problem> {
    let page = clients.logs.describe_log_groups().log_group_name_prefix(&name).send().await;
    let page = page.map_err(|error| problem("describe the log groups", "logs:DescribeLogGroups", &error))?;
    let found = page.log_groups().iter().find(|group| group.log_group_name() == Some(name.as_str()));
    let unsigned = |number: i32| number.try_into().ok();
    Ok(LogGroup {
        days: found.and_then(|group| group.retention_in_days()).and_then(unsigned),
        there: found.is_some(),
        bytes: found
            .and_then(|group| group.stored_bytes())
            .and_then(|bytes| bytes.try_into().ok())
            .unwrap_or(0),
        name,
        of,
    })
}

fn group_of(facts: &GetFunctionConfigurationOutput) -> String {
    let own = facts.logging_config().and_then(|config| config.log_group()).map(str::to_owned);
    own.unwrap_or_else(|| format!("/aws/lambda/{}", facts.function_name().unwrap_or_default()))
}

/// The log group's name in a destination's ARN.
fn group_in(arn: &str) -> Option<String> {
    let name = arn.split_once(":log-group:")?.1;
    Some(name.trim_end_matches(":*").to_owned())
}

/// How a function logs; with the version that has the requests, what that does otherwise.
fn function(
    facts: &GetFunctionConfigurationOutput,
    live: Option<&GetFunctionConfigurationOutput>,
) -> FunctionLogging {
    let here = logging(facts);
    let live = live.filter(|live| logging(live) != here).map(|live| {
        let (format, level, tracing) = logging(live);
        let version = live.version().unwrap_or("?");
        format!("Version {version} logs {} {} tracing.", how(&format, level.as_deref()), with(tracing))
    });
    let (format, level, tracing) = here;
    FunctionLogging {
        function: facts.function_name().unwrap_or_default().to_owned(),
        format,
        level,
        tracing,
        live,
        revision: facts.revision_id().unwrap_or_default().to_owned(),
    }
}

fn logging(facts: &GetFunctionConfigurationOutput) -> (String, Option<String>, bool) {
    let config = facts.logging_config();
    let format = config.and_then(|config| config.log_format()).map_or("Text", |format| format.as_str());
    let level =
        config.and_then(|config| config.application_log_level()).map(|level| level.as_str().to_owned());
    let tracing = facts.tracing_config().and_then(|tracing| tracing.mode()) == Some(&TracingMode::Active);
    (format.to_owned(), level, tracing)
}

fn how(format: &str, level: Option<&str>) -> String {
    match level {
        Some(level) => format!("{format} from {level} on"),
        None => format.to_owned(),
    }
}

fn with(tracing: bool) -> &'static str {
    if tracing { "with" } else { "without" }
}

fn stage_of(stage: &GetStageOutput, stack: &Stack) -> StageLogging {
    let log = stage.access_log_settings();
    let format = log.and_then(|log| log.format()).filter(|format| !format.is_empty()).map(str::to_owned);
    StageLogging {
        stage: stack.stage.clone(),
        destination: log.and_then(|log| log.destination_arn()).and_then(group_in),
        lacks: format.as_deref().map(lacks).unwrap_or_default(),
        format,
        detailed_metrics: stage
            .default_route_settings()
            .and_then(|held| held.detailed_metrics_enabled())
            .unwrap_or(false),
    }
}

/// The variables of a format, without `$context.`.
fn variables(format: &str) -> Vec<&str> {
    let end = |rest: &str| {
        rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len())
    };
    format.split("$context.").skip(1).map(|rest| &rest[..end(rest)]).collect()
}

/// The recommended variables that a format has not.
fn lacks(format: &str) -> Vec<String> {
    let held = variables(format);
    variables(FORMAT).into_iter().filter(|name| !held.contains(name)).map(str::to_owned).collect()
}

/// What a change would do: the changes and what should be known before.
pub(super) type Plan = (Vec<Change>, Vec<String>);

fn change(what: &str, from: Option<String>, to: String) -> Option<Change> {
    (from.as_ref() != Some(&to)).then(|| Change { what: what.to_owned(), from, to })
}

fn days(days: Option<u32>) -> String {
    match days {
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
        None => "for ever".to_owned(),
    }
}

/// Holds a wanted retention against the group.
pub(super) fn retention(held: &Settings, wanted: &SetLogRetention) -> Result<Plan, Problem> {
    let Some(group) = held.groups.iter().find(|group| group.name == wanted.group) else {
        let message = format!("{} is no log group of this stack.", wanted.group);
        return Err(Problem::new(ProblemKind::NotFound, message));
    };
    if let Some(odd) = wanted.days.filter(|days| !RETENTIONS.contains(days)) {
        let message =
            format!("CloudWatch Logs keeps events for certain numbers of days only; {odd} is none.");
        return Err(Problem::new(ProblemKind::Invalid, message).with_next("14, 30, 90 and 365 are some."));
    }
    let from = group.there.then(|| days(group.days));
    let changes = change(&format!("Events of {} are kept", group.name), from, days(wanted.days));
    let shorter = wanted.days.is_some_and(|new| group.days.is_none_or(|old| new < old));
    let mut warnings = Vec::new();
    if changes.is_some() && group.there && shorter {
        warnings.push(format!("Events older than {} are deleted, for good.", days(wanted.days)));
    }
    if !group.there {
        warnings.push("The group is not there yet: it is created.".to_owned());
    }
    Ok((changes.into_iter().collect(), warnings))
}

/// Holds how a function is to log against how it does.
pub(super) fn function_logging(
    held: &Settings,
    wanted: &SetFunctionLogging,
    api: &str,
) -> Result<Plan, Problem> {
    let invalid = |message: &str| Err(Problem::new(ProblemKind::Invalid, message));
    let Some(function) = held.functions.iter().find(|function| function.function == wanted.function) else {
        let message = format!("{} is no function of this stack.", wanted.function);
        return Err(Problem::new(ProblemKind::NotFound, message));
    };
    match (wanted.format.as_str(), wanted.level.as_deref()) {
        ("JSON", None) | ("Text", None) => {}
        ("JSON", Some(level)) if LEVELS.contains(&level) => {}
        ("Text", Some(_)) => return invalid("A level goes with the format JSON only."),
        ("JSON", Some(_)) => return invalid("The level is TRACE, DEBUG, INFO, WARN, ERROR or FATAL."),
        _ => return invalid("The format is JSON or Text."),
    }
    let level = wanted.level.clone().or_else(|| function.level.clone().filter(|_| wanted.format == "JSON"));
    let name = &function.function;
    let logs = change(
        &format!("{name} logs"),
        Some(how(&function.format, function.level.as_deref())),
        how(&wanted.format, level.as_deref()),
    );
    let on = |tracing: bool| if tracing { "traced" } else { "not traced" }.to_owned();
    let traced = change(&format!("Calls of {name} are"), Some(on(function.tracing)), on(wanted.tracing));
    let mut warnings = Vec::new();
    if traced.is_some() && wanted.tracing {
        warnings.push(
            "The function's role needs xray:PutTraceSegments and xray:PutTelemetryRecords; without them Lambda refuses this."
                .to_owned(),
        );
    }
    let changes: Vec<Change> = logs.into_iter().chain(traced).collect();
    if !changes.is_empty() && name == api {
        warnings.push(
            "The version that has the requests keeps what it was published with: this has an effect with the next deploy of new code."
                .to_owned(),
        );
    }
    Ok((changes, warnings))
}

/// Holds how the stage is to log against how it does.
pub(super) fn stage_logging(held: &Settings, wanted: &SetStageLogging, api_id: &str) -> Plan {
    let stage = &held.stage;
    let mut warnings = Vec::new();
    let log = wanted.access_log.then(|| {
        let to = format!("{}: {FORMAT}", destination(stage, api_id));
        let from = stage.destination.as_ref().zip(stage.format.as_ref());
        change(
            &format!("The access log of {} goes to", stage.stage),
            Some(from.map_or("nowhere".to_owned(), |(group, format)| format!("{group}: {format}"))),
            to,
        )
    });
    let kept = |kept: bool| if kept { "of each route too" } else { "of the stage only" }.to_owned();
    let metrics =
        change("Figures are kept", Some(kept(stage.detailed_metrics)), kept(wanted.detailed_metrics));
    if metrics.is_some() && wanted.detailed_metrics {
        warnings.push(
            "Each route's figures are metrics of their own, and CloudWatch charges for each.".to_owned(),
        );
    }
    (log.flatten().into_iter().chain(metrics).collect(), warnings)
}

/// Where the access log goes, or is to go.
pub(super) fn destination(stage: &StageLogging, api_id: &str) -> String {
    stage.destination.clone().unwrap_or_else(|| format!("{VENDED}{api_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let group =
            |name: &str, days, there| LogGroup { name: name.into(), of: "x".into(), days, there, bytes: 5 };
        let function = |name: &str, format: &str, level: Option<&str>| FunctionLogging {
            function: name.into(),
            format: format.into(),
            level: level.map(str::to_owned),
            tracing: false,
            live: None,
            revision: "r".into(),
        };
        Settings {
            groups: vec![group("/a", Some(30), true), group("/b", None, true), group("/c", None, false)],
            functions: vec![function("api", "Text", None), function("rotator", "JSON", Some("INFO"))],
            stage: StageLogging {
                stage: "$default".into(),
                destination: None,
                format: None,
                lacks: Vec::new(),
                detailed_metrics: false,
            },
        }
    }

    #[test]
    fn the_recommended_format_is_one_that_aws_takes() {
        assert!(FORMAT.len() <= 1_024, "{}", FORMAT.len());
        assert!(FORMAT.contains("$context.requestId") && !FORMAT.contains('\n'));
        let worth = [
            "requestId",
            "requestTimeEpoch",
            "identity.sourceIp",
            "identity.userAgent",
            "routeKey",
            "path",
            "httpMethod",
            "status",
            "responseLatency",
            "integration.latency",
            "integration.status",
            "integration.integrationStatus",
            "integrationErrorMessage",
            "integration.requestId",
            "error.message",
            "error.responseType",
            "authorizer.error",
            "authorizer.claims.sub",
            "responseLength",
            "stage",
        ];
        let held = variables(FORMAT);
        assert!(worth.iter().all(|name| held.contains(name)), "{held:?}");
        assert_eq!(held.len(), worth.len());
        assert_eq!(lacks(FORMAT), Vec::<String>::new());
        assert!(lacks("$context.requestId $context.statuses").contains(&"status".to_owned()));
    }

    #[test]
    fn retentions() {
        let wanted = |group: &str, days| SetLogRetention { group: group.to_owned(), days, seen: None };
        let table = [
            (wanted("/a", Some(30)), None, 0),
            (wanted("/a", Some(90)), Some(("30 days", "90 days")), 0),
            (wanted("/a", Some(14)), Some(("30 days", "14 days")), 1),
            (wanted("/a", None), Some(("30 days", "for ever")), 0),
            (wanted("/b", Some(365)), Some(("for ever", "365 days")), 1),
        ];
        for (wanted, expected, warned) in table {
            let (changes, warnings) = retention(&settings(), &wanted).unwrap();
            let found = changes.first().map(|one| (one.from.as_deref().unwrap(), one.to.as_str()));
            assert_eq!((found, warnings.len()), (expected, warned), "{wanted:?} {warnings:?}");
        }
        let (changes, warnings) = retention(&settings(), &wanted("/c", Some(14))).unwrap();
        assert_eq!((changes[0].from.as_deref(), warnings.len()), (None, 1));
        assert_eq!(retention(&settings(), &wanted("/a", Some(2))).unwrap_err().kind, ProblemKind::Invalid);
        assert_eq!(retention(&settings(), &wanted("/z", None)).unwrap_err().kind, ProblemKind::NotFound);
    }

    #[test]
    fn functions_logging() {
        let wanted = |function: &str, format: &str, level: Option<&str>, tracing| SetFunctionLogging {
            function: function.to_owned(),
            format: format.to_owned(),
            level: level.map(str::to_owned),
            tracing,
            seen: None,
        };
        let plan = |wanted| function_logging(&settings(), &wanted, "api");
        let (changes, warnings) = plan(wanted("api", "JSON", Some("INFO"), true)).unwrap();
        let words: Vec<_> =
            changes.iter().map(|one| (one.from.as_deref().unwrap(), one.to.as_str())).collect();
        assert_eq!(words, [("Text", "JSON from INFO on"), ("not traced", "traced")]);
        assert!(warnings.iter().any(|words| words.contains("next deploy")), "{warnings:?}");
        let (changes, warnings) = plan(wanted("rotator", "JSON", Some("DEBUG"), false)).unwrap();
        assert_eq!((changes.len(), warnings.len()), (1, 0));
        assert_eq!(plan(wanted("rotator", "JSON", None, false)).unwrap().0, []);
        for odd in [
            wanted("rotator", "XML", None, false),
            wanted("rotator", "Text", Some("INFO"), false),
            wanted("rotator", "JSON", Some("LOUD"), false),
            wanted("other", "JSON", None, false),
        ] {
            assert!(plan(odd).is_err());
        }
    }

    #[test]
    fn the_stages_logging() {
        let plan = |access_log, detailed_metrics| {
            let wanted = SetStageLogging { access_log, detailed_metrics, seen: None };
            stage_logging(&settings(), &wanted, "abc")
        };
        assert_eq!(plan(false, false), (Vec::new(), Vec::new()));
        let (changes, warnings) = plan(true, true);
        assert_eq!((changes.len(), warnings.len()), (2, 1));
        assert_eq!(changes[0].from.as_deref(), Some("nowhere"));
        assert!(changes[0].to.starts_with("/aws/vendedlogs/abc: {"), "{}", changes[0].to);
    }
}
