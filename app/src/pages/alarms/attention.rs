//! What has to be looked at on the alarms' page: a decision from what was read, and nothing else.

use model::alarms::AlarmsPage;
use model::overview::AlarmState;

use crate::components::attention::{Matter, gravest_first, unread};
use crate::components::status::Tone;

/// All of it, the gravest first.
pub fn matters(page: &AlarmsPage) -> Vec<Matter> {
    let mut matters = Vec::new();
    let mut add = |region, tone, words: String| matters.push(Matter { words, tone, region });
    for alarm in page.alarms.value.iter().flatten() {
        if alarm.state == AlarmState::Alarm {
            add("#alarms", Tone::Bad, format!("{} fires", alarm.rule.name));
        }
    }
    let alarms = page.alarms.value.as_deref().unwrap_or_default();
    let silent = alarms.iter().filter(|alarm| !alarm.told.is_told()).count();
    match silent {
        0 => {}
        1 => add("#alarms", Tone::Warn, "1 alarm tells nobody".to_owned()),
        count => add("#alarms", Tone::Warn, format!("{count} alarms tell nobody")),
    }
    let set = page.set.value.as_deref().unwrap_or_default();
    let missing = set.iter().filter(|item| item.existing.is_none()).count();
    if missing > 0 {
        add("#set", Tone::Warn, format!("{missing} of {} recommended alarms missing", set.len()));
    }
    let odd = set.iter().filter(|item| !item.differences.is_empty()).count();
    if odd > 0 {
        add("#set", Tone::Plain, format!("{odd} of {} differ from the recommendation", set.len()));
    }
    if let Some(settings) = &page.settings.value {
        if settings.groups.iter().any(|group| group.there && group.days.is_none()) {
            add("#settings", Tone::Warn, "Logs are kept for ever".to_owned());
        }
        if settings.functions.iter().any(|function| function.format != "JSON") {
            add("#settings", Tone::Warn, "A function does not log as JSON".to_owned());
        }
        if settings.functions.iter().any(|function| !function.tracing) {
            add("#settings", Tone::Plain, "A function is not traced".to_owned());
        }
        if settings.stage.format.is_none() {
            add("#settings", Tone::Warn, "The stage writes no access log".to_owned());
        }
    }
    unread("#alarms", "The alarms", &page.alarms, &mut add);
    unread("#set", "Who is told", &page.topics, &mut add);
    unread("#settings", "The settings", &page.settings, &mut add);
    unread("#history", "The history", &page.history, &mut add);
    gravest_first(matters)
}

/// The bar's first words.
pub fn headline(page: &AlarmsPage, nothing: bool) -> String {
    match &page.alarms.value {
        Some(_) if nothing => "Nothing needs attention".to_owned(),
        Some(alarms) => match alarms.iter().filter(|alarm| alarm.state == AlarmState::Alarm).count() {
            0 => "No alarm fires".to_owned(),
            1 => "1 alarm fires".to_owned(),
            count => format!("{count} alarms fire"),
        },
        None => "Whether an alarm fires is not known".to_owned(),
    }
}
