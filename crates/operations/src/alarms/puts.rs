//! What is to be written so that alarms are as they should be. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::alarms::{AlarmKind, AlarmRule, Change, SetItem, StackAlarm};
use model::problem::{Problem, ProblemKind};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// AWS: an alarm has at most this many actions for a state.
const MOST_ACTIONS: usize = 5;

/// An alarm to write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Put {
    /// As it is to be, under the name it has.
    pub(super) rule: AlarmRule,
    /// Whether it is there.
    pub(super) there: bool,
    /// Whom it is to tell.
    pub(super) actions: Vec<String>,
}

/// The alarms of these kinds that have to be written, with what that changes.
pub(super) fn puts(
    items: &[SetItem],
    existing: &[StackAlarm],
    kinds: &[AlarmKind],
    topic: Option<&str>,
) -> Result<Vec<(Put, Change)>, Problem> {
    let invalid = |message: String| Problem::new(ProblemKind::Invalid, message);
    if kinds.is_empty() {
        return Err(invalid("No alarm was chosen.".to_owned()).with_next("Choose one or more."));
    }
    let mut written = Vec::new();
    for item in items.iter().filter(|item| kinds.contains(&item.kind)) {
        if let Some(why) = &item.impossible {
            return Err(invalid(format!("{}: {why}", item.kind.title())));
        }
        let held = item.existing.as_ref().and_then(|name| existing.iter().find(|one| one.rule.name == *name));
        let mut actions = held.map(|held| held.actions.clone()).unwrap_or_default();
        let new_topic = topic.filter(|topic| !actions.iter().any(|action| action == topic));
        actions.extend(new_topic.map(str::to_owned));
        if actions.len() > MOST_ACTIONS {
            let name = &item.wanted.name;
            return Err(invalid(format!("{name} has {MOST_ACTIONS} actions already, which is the most.")));
        }
        if held.is_some() && item.differences.is_empty() && new_topic.is_none() {
            continue;
        }
        let rule = match held {
            // It keeps its name, and what else it watches by.
            Some(held) => AlarmRule {
                name: held.rule.name.clone(),
                dimensions: held.rule.dimensions.clone(),
                ..item.wanted.clone()
            },
            None => item.wanted.clone(),
        };
        let change = change(&rule, item, held, new_topic, &actions);
        written.push((Put { rule, there: held.is_some(), actions }, change));
    }
    Ok(written)
}

fn change(
    rule: &AlarmRule,
    item: &SetItem,
    held: Option<&StackAlarm>,
    new_topic: Option<&str>,
    actions: &[String],
) -> Change {
    let Some(held) = held else {
        let tells = if actions.is_empty() { "nobody".to_owned() } else { actions.join(", ") };
        let to = format!("{}; tells {tells}", rule.words());
        return Change { what: format!("Create {}", rule.name), from: None, to };
    };
    let (mut from, mut to): (Vec<String>, Vec<String>) = item
        .differences
        .iter()
        .map(|one| (format!("{}: {}", one.what, one.is), format!("{}: {}", one.what, one.should)))
        .unzip();
    if new_topic.is_some() {
        let before = if held.actions.is_empty() { "nobody".to_owned() } else { held.actions.join(", ") };
        from.push(format!("tells {before}"));
        to.push(format!("tells {}", actions.join(", ")));
    }
    Change { what: format!("Change {}", rule.name), from: Some(from.join("; ")), to: to.join("; ") }
}

/// A name for what a preview has shown, so that an operation can tell whether it is still the same.
pub(super) fn seen_of<T: Serialize>(what: &T) -> String {
    let text = serde_json::to_vec(what).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..12])
}

/// That what was shown is what would be done.
pub(super) fn still(seen: Option<&String>, now: &str) -> Result<(), Problem> {
    if seen.is_none_or(|seen| seen == now) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Conflict, "It is not as it was shown any more, so nothing was done.")
        .with_next("Look at the preview again."))
}

#[cfg(test)]
mod tests {
    use super::super::set::plan;
    use super::super::set::tests::{alarm, stack, stands};
    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:ops";

    #[test]
    fn only_what_differs_is_written() {
        let stack = stack();
        let bare = plan(&[], &stands(&stack));
        let (errors, throttles) = (bare[0].wanted.clone(), bare[1].wanted.clone());
        let odd = AlarmRule { name: "mine".into(), threshold: 5.0, ..throttles };
        let existing = [alarm(errors, &[]), alarm(odd, &["arn:aws:sns:eu-west-1:1:old"])];
        let items = plan(&existing, &stands(&stack));
        let short = |kinds: &[AlarmKind], topic| {
            let found = puts(&items, &existing, kinds, topic).unwrap();
            found
                .into_iter()
                .map(|(put, change)| (put.there, change.what, change.from, change.to))
                .collect::<Vec<_>>()
        };
        assert_eq!(short(&[AlarmKind::Errors], None), []);
        let told = short(&[AlarmKind::Errors], Some(TOPIC));
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].1.as_str(), told[0].2.as_deref()), ("Change api-errors", Some("tells nobody")));
        assert_eq!(told[0].3, format!("tells {TOPIC}"));
        let changed = short(&[AlarmKind::Throttles], None);
        assert_eq!(
            changed,
            [(
                true,
                "Change mine".to_owned(),
                Some("threshold: > 5".to_owned()),
                "threshold: > 0".to_owned()
            )]
        );
        let both = puts(&items, &existing, &[AlarmKind::Throttles], Some(TOPIC)).unwrap();
        assert_eq!(both[0].0.actions, ["arn:aws:sns:eu-west-1:1:old", TOPIC], "those it tells stay");
        let created = short(&[AlarmKind::Rotation], None);
        assert!(created[0].3.ends_with("tells nobody") && !created[0].0, "{created:?}");
    }

    #[test]
    fn what_can_not_be_written_says_why() {
        let stack = stack();
        let items = plan(&[], &super::super::set::Stands { rotation: None, ..stands(&stack) });
        let refused = |kinds: &[AlarmKind]| puts(&items, &[], kinds, None).unwrap_err().message;
        assert!(refused(&[]).contains("No alarm"));
        assert!(refused(&[AlarmKind::Rotation]).contains("no rotation function"));
        let full = alarm(items[0].wanted.clone(), &["a", "b", "c", "d", "e"]);
        let existing = [full];
        let items = plan(&existing, &stands(&stack));
        let many = puts(&items, &existing, &[AlarmKind::Errors], Some(TOPIC)).unwrap_err();
        assert!(many.message.contains("5 actions"), "{many:?}");
    }

    #[test]
    fn what_was_shown_is_known_again() {
        let one = seen_of(&("a", 1));
        assert!(still(None, &one).is_ok() && still(Some(&one), &seen_of(&("a", 1))).is_ok());
        assert_eq!(still(Some(&one), &seen_of(&("a", 2))).unwrap_err().kind, ProblemKind::Conflict);
    }
}
