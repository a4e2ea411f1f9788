//! Changes of the alias, from CloudTrail's event history: 90 days, a few minutes behind.
//!
//! CloudTrail knows the portal's role, and not the person; the person, and why, are in the note that
//! the change wrote on the alias, which is in the event. So a change by the aws CLI is told from a
//! portal's, too.
//!
//! Where the alias's own note does not say since when it is as it is, or which version had the requests
//! before, the history often does ([`told`]).

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use model::deploy::{AliasChange, FunctionVersion, Live};
use model::problem::{Problem, ProblemKind};
use model::rollout::{Note, Outcome, Phase};
use model::stack::Stack;
use model::time::Timestamp;
use serde_json::Value;

use crate::aws::{problem, timestamp};

/// How far back.
const BACK_MS: i64 = 90 * 86_400_000;
/// The newest changes of all aliases of the account; a rollout makes four or so.
const MOST: i32 = 50;
/// What Lambda calls a change of an alias in CloudTrail.
const EVENT: &str = "UpdateAlias20150331";

/// Reads the changes of the stack's alias, the newest first.
pub(super) async fn read(trail: &Client, stack: &Stack, now: Timestamp) -> Result<Vec<AliasChange>, Problem> {
    let attribute = LookupAttribute::builder()
        .attribute_key(LookupAttributeKey::EventName)
        .attribute_value(EVENT)
        .build()
        .map_err(|_| Problem::new(ProblemKind::Internal, "A lookup could not be made."))?;
    let page = trail
        .lookup_events()
        .lookup_attributes(attribute)
        .start_time(DateTime::from_millis(now.0 - BACK_MS))
        .max_results(MOST)
        .send()
        .await
        .map_err(|error| problem("look up changes of the alias", "cloudtrail:LookupEvents", &error))?;
    // The newest come first, and several may be of the same second: their order is all there is to go by.
    Ok(put_together(page.events().iter().rev().filter_map(|event| change(event, stack)).collect()))
}

/// What was said of a roll back, which leads from the version that was no good.
const ROLLED_BACK: &str = "Rolled back";

/// Says of what has the requests what only the history knows: since when, by whom, and what was before. A
/// history that does not end with that version is behind, and says nothing.
pub(super) fn told(live: &mut Live, changes: &[AliasChange]) {
    if changes.first().is_none_or(|last| last.to != live.version) {
        return;
    }
    // Changes that gave this version the requests, the newest first.
    let mut came = changes.iter().filter(|change| {
        change.to == live.version && change.from.as_ref().is_some_and(|from| *from != live.version)
    });
    let Some(last) = came.next() else { return };
    if live.since.is_none() {
        (live.since, live.by) = (Some(last.at), Some(last.by.clone()));
    }
    if live.previous.is_none() {
        let mut forward = std::iter::once(last).chain(came).filter(|change| change.what != ROLLED_BACK);
        live.previous = forward.next().and_then(|change| change.from.clone());
    }
}

/// Says of the version to go back to that it is kept; or, where it is gone, that there is none.
pub(super) fn keep_previous(live: &mut Live, versions: &mut [FunctionVersion]) {
    let Some(previous) = &live.previous else { return };
    match versions.iter_mut().find(|version| version.version == *previous) {
        Some(version) if version.kept.is_none() => {
            version.kept = Some("it is the one to go back to".to_owned());
        }
        Some(_) => {}
        None => live.previous = None,
    }
}

/// What an event says: where the alias pointed afterwards, and the note it had.
struct Told {
    at: Timestamp,
    caller: String,
    version: String,
    weight: Option<(String, f64)>,
    note: Option<Note>,
}

fn change(event: &Event, stack: &Stack) -> Option<Told> {
    let at = timestamp(event.event_time()?);
    let inner: Value = serde_json::from_str(event.cloud_trail_event()?).ok()?;
    let (parameters, answer) = (&inner["requestParameters"], &inner["responseElements"]);
    let function = parameters["functionName"].as_str()?;
    let ours = function == stack.function
        || function.rsplit_once(":function:").is_some_and(|(_, name)| name == stack.function);
    if !ours || parameters["name"] != stack.alias.as_str() || inner.get("errorCode").is_some() {
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // The answer has all of the alias; what was asked for has only what was to change.
    let version = text(&answer["functionVersion"]).or_else(|| text(&parameters["functionVersion"]))?;
    let weights = |value: &Value| {
        let weights = value["routingConfig"]["additionalVersionWeights"].as_object()?;
        weights.iter().next().and_then(|(version, share)| Some((version.clone(), share.as_f64()?)))
    };
    let weight = weights(answer).or_else(|| weights(parameters).filter(|_| answer.is_null()));
    let caller = text(&inner["userIdentity"]["arn"])
        .map(|arn| arn.rsplit(['/', ':']).next().unwrap_or_default().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| event.username().map(str::to_owned));
    Some(Told {
        at,
        caller: caller.unwrap_or_else(|| "somebody".to_owned()),
        version,
        weight,
        // Only a change that wrote a note is the note's own: another leaves an older one in place.
        note: text(&parameters["description"]).map(|text| Note::read(&text)),
    })
}

/// Names what each change did, by what the alias was before it. Of those of one second the earlier ones
/// stand first.
fn put_together(mut events: Vec<Told>) -> Vec<AliasChange> {
    events.sort_by_key(|event| event.at);
    let mut changes: Vec<AliasChange> = Vec::new();
    let mut before: Option<(String, Option<(String, f64)>)> = None;
    let mut rollout: Option<String> = None;
    for event in events {
        let from = before.as_ref().map(|(version, _)| version.clone());
        let moved = before
            .as_ref()
            .is_none_or(|(version, weight)| *version != event.version || *weight != event.weight);
        before = Some((event.version.clone(), event.weight.clone()));
        let note = event.note.filter(|note| !matches!(note, Note::Other(_)));
        let by_portal = note.is_some();
        let (what, by, why) = match note {
            Some(Note::Settled(settled)) => {
                let what = match settled.how {
                    Outcome::Promoted => "Promoted",
                    Outcome::RolledBack => ROLLED_BACK,
                    Outcome::Stopped => "Stopped before it had requests",
                    Outcome::Overtaken => "Given up: changed from outside",
                };
                (what.to_owned(), settled.by, settled.why)
            }
            Some(Note::Underway(note)) => {
                // A version that is there needs no upload: its rollout begins with the first request. Of
                // the oldest event nobody knows what came before.
                let begins = from.is_some() && rollout.as_ref() != Some(&note.rollout);
                let what = match note.phase {
                    _ if note.paused => "Paused".to_owned(),
                    Phase::Prepare => "Begun".to_owned(),
                    Phase::Smoke if begins => {
                        format!("Begun with version {}", note.new.as_deref().unwrap_or("unknown"))
                    }
                    Phase::Smoke => "Published, to be asked".to_owned(),
                    Phase::Shift(_) => share(event.weight.as_ref()),
                };
                rollout = Some(note.rollout);
                (what, note.by, None)
            }
            Some(Note::Other(_)) | None if !moved => continue,
            Some(Note::Other(_)) | None => {
                let what = match &event.weight {
                    Some(_) => share(event.weight.as_ref()),
                    None => format!("Pointed at version {}", event.version),
                };
                (what, event.caller, None)
            }
        };
        changes.push(AliasChange {
            at: event.at,
            by,
            by_portal,
            what,
            from,
            to: event.version,
            weight: event.weight,
            why,
        });
    }
    changes.reverse();
    changes
}

fn share(weight: Option<&(String, f64)>) -> String {
    match weight {
        Some((version, share)) => format!("Version {version} has {:.0} %", share * 100.0),
        None => "No share".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: i64, version: &str, weight: Option<(&str, f64)>, note: Option<&str>) -> Told {
        Told {
            at: Timestamp(at * 1_000),
            caller: "cli-user".to_owned(),
            version: version.to_owned(),
            weight: weight.map(|(version, share)| (version.to_owned(), share)),
            note: note.map(Note::read),
        }
    }

    #[test]
    fn changes_have_a_name_a_before_and_a_who() {
        let note = |rest: &str| format!("lockkeeper {rest} since=1 by=ada");
        let changes = put_together(vec![
            event(50, "9", None, None),
            event(40, "7", None, Some(&format!("{} why=5 %", note("how=rolled-back live=7 other=8")))),
            event(30, "7", Some(("8", 0.1)), Some(&note("rollout=r phase=shift0 old=7 new=8"))),
            event(10, "7", None, Some(&note("rollout=r phase=prepare old=7"))),
            event(20, "7", None, Some(&note("rollout=r phase=smoke old=7 new=8"))),
            event(45, "7", None, Some(&note("rollout=s phase=smoke old=7 new=6"))),
            // A description changed by hand, which moves nothing.
            event(60, "9", None, Some("production")),
        ]);
        let short: Vec<_> = changes
            .iter()
            .map(|change| {
                (change.what.as_str(), change.by.as_str(), change.from.as_deref(), change.to.as_str())
            })
            .collect();
        assert_eq!(
            short,
            [
                ("Pointed at version 9", "cli-user", Some("7"), "9"),
                ("Begun with version 6", "ada", Some("7"), "7"),
                ("Rolled back", "ada", Some("7"), "7"),
                ("Version 8 has 10 %", "ada", Some("7"), "7"),
                ("Published, to be asked", "ada", Some("7"), "7"),
                ("Begun", "ada", None, "7"),
            ]
        );
        assert_eq!(changes[2].why.as_deref(), Some("5 %"));
    }

    #[test]
    fn the_history_knows_what_the_alias_does_not_say() {
        let change = |at: i64, from: &str, to: &str, what: &str| AliasChange {
            at: Timestamp(at),
            by: format!("by {at}"),
            by_portal: true,
            what: what.to_owned(),
            from: Some(from.to_owned()).filter(|from| !from.is_empty()),
            to: to.to_owned(),
            weight: None,
            why: None,
        };
        let (to_7, begun) = (change(1, "6", "7", "Promoted"), change(2, "7", "7", "Begun"));
        let (to_8, back) = (change(3, "7", "8", "Promoted"), change(4, "8", "7", "Rolled back"));
        // The changes, the version that has the requests; since when, and what was before.
        type Case<'a> = (&'a [&'a AliasChange], &'a str, Option<i64>, Option<&'a str>);
        let table: [Case<'_>; 7] = [
            (&[], "7", None, None),
            (&[&to_7], "7", Some(1), Some("6")),
            // A rollout has begun since.
            (&[&begun, &to_7], "7", Some(1), Some("6")),
            // CloudTrail is minutes behind.
            (&[&to_7], "8", None, None),
            (&[&begun], "7", None, None),
            // Back at 7: 8 was no good, and before 7 there was 6.
            (&[&back, &to_8, &begun, &to_7], "7", Some(4), Some("6")),
            (&[&back, &to_8], "7", Some(4), None),
        ];
        for (changes, version, since, previous) in table {
            let changes: Vec<_> = changes.iter().map(|change| (*change).clone()).collect();
            let mut live = live(version);
            told(&mut live, &changes);
            assert_eq!(
                (live.since.map(|at| at.0), live.previous.as_deref()),
                (since, previous),
                "{changes:?}"
            );
            assert_eq!(live.by, since.map(|at| format!("by {at}")));
        }
        // What the alias says itself counts for more.
        let mut noted = Live { since: Some(Timestamp(9)), previous: Some("5".to_owned()), ..live("7") };
        told(&mut noted, &[to_7]);
        assert_eq!((noted.since, noted.previous.as_deref()), (Some(Timestamp(9)), Some("5")));
    }

    #[test]
    fn the_version_to_go_back_to_is_kept_and_one_that_is_gone_is_none() {
        let version = |number: &str, kept: Option<&str>| FunctionVersion {
            version: number.to_owned(),
            description: None,
            size: 1,
            code_sha256: String::new(),
            published: None,
            aliases: Vec::new(),
            kept: kept.map(str::to_owned),
        };
        let mut versions = [version("6", Some("it is new")), version("2", None)];
        for (previous, still, kept) in
            [("6", Some("6"), None), ("1", None, None), ("2", Some("2"), Some("it is the one to go back to"))]
        {
            let mut live = Live { previous: Some(previous.to_owned()), ..live("7") };
            keep_previous(&mut live, &mut versions);
            assert_eq!((live.previous.as_deref(), versions[1].kept.as_deref()), (still, kept), "{previous}");
        }
    }

    fn live(version: &str) -> Live {
        Live {
            function: "f".to_owned(),
            alias: "live".to_owned(),
            version: version.to_owned(),
            weight: None,
            code_sha256: None,
            description: None,
            architecture: "x86_64".to_owned(),
            since: None,
            by: None,
            outcome: None,
            why: None,
            previous: None,
            revision: "r".to_owned(),
        }
    }
}
