//! What has to be looked at: a decision from what was read, and nothing else.

use model::overview::{AlarmState, Function, HealthVerdict, Overview, Secret};
use model::time::Timestamp;

use crate::components::attention::{Matter, gravest_first, unread};
use crate::components::status::Tone;
use crate::components::words::overdue;

/// All of it, the gravest first.
pub fn matters(overview: &Overview, now: Timestamp) -> Vec<Matter> {
    let mut matters = Vec::new();
    let mut add = |region, tone, words: String| matters.push(Matter { words, tone, region });
    health(overview, &mut add);
    alarms(overview, &mut add);
    if let Some(function) = &overview.function.value {
        function_matters(function, &mut add);
    }
    if let Some(secret) = &overview.secret.value {
        secret_matters(secret, now, &mut add);
    }
    if overview.traffic.value.as_ref().is_some_and(|traffic| traffic.throttles.whole > Some(0.0)) {
        add("#traffic", Tone::Warn, "Requests were throttled".to_owned());
    }
    unread("#health", "Health", &overview.health, &mut add);
    unread("#function", "Function", &overview.function, &mut add);
    unread("#secret", "Secret", &overview.secret, &mut add);
    unread("#alarms", "Alarms", &overview.alarms, &mut add);
    unread("#traffic", "Traffic", &overview.traffic, &mut add);
    unread("/secret#history", "Rotations", &overview.rotations, &mut add);
    gravest_first(matters)
}

/// How many they are.
pub fn headline(count: usize) -> String {
    match count {
        0 => "Nothing needs attention".to_owned(),
        1 => "1 thing needs attention".to_owned(),
        _ => format!("{count} things need attention"),
    }
}

fn health(overview: &Overview, add: &mut impl FnMut(&'static str, Tone, String)) {
    let Some(health) = &overview.health.value else { return };
    match health.verdict {
        HealthVerdict::Healthy => {}
        HealthVerdict::Unhealthy => add("#health", Tone::Bad, "The API can't do its work".to_owned()),
        HealthVerdict::Unreachable => add("#health", Tone::Bad, "The API does not answer".to_owned()),
    }
    if health.status.as_ref().is_some_and(|status| !status.database.reachable) {
        add("#database", Tone::Bad, "The database is out of reach".to_owned());
    }
}

fn alarms(overview: &Overview, add: &mut impl FnMut(&'static str, Tone, String)) {
    let firing = overview.alarms.value.iter().flatten().filter(|alarm| alarm.state == AlarmState::Alarm);
    for alarm in firing {
        add("#alarms", Tone::Bad, format!("Alarm {}", alarm.name));
    }
}

fn function_matters(function: &Function, add: &mut impl FnMut(&'static str, Tone, String)) {
    if function.state == "Failed" {
        add("#function", Tone::Bad, "The function has failed".to_owned());
    }
    if function.last_update == "Failed" {
        add("#function", Tone::Bad, "The function's last update failed".to_owned());
    }
}

fn secret_matters(secret: &Secret, now: Timestamp, add: &mut impl FnMut(&'static str, Tone, String)) {
    if overdue(secret.rotation_enabled, secret.next_rotation, now).is_some() {
        add("#secret", Tone::Bad, "Rotation is overdue".to_owned());
    }
    if secret.pending_version.is_some() {
        add("#secret", Tone::Warn, "A rotation is in progress or was left half done".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::overview::sample;
    use model::overview::Reading;
    use model::problem::{Problem, ProblemKind};

    fn words(overview: &Overview) -> Vec<String> {
        matters(overview, overview.now).into_iter().map(|matter| matter.words).collect()
    }

    #[test]
    fn a_healthy_stack_needs_none() {
        assert_eq!(words(&sample::healthy()), Vec::<String>::new());
    }

    #[test]
    fn the_gravest_comes_first() {
        assert_eq!(
            words(&sample::troubled()),
            [
                "The API can't do its work",
                "The database is out of reach",
                "Alarm learninghub-api-errors",
                "Rotation is overdue",
                "A rotation is in progress or was left half done",
                "Requests were throttled",
                "Traffic could not be read",
            ]
        );
    }

    #[test]
    fn what_could_not_be_read_is_no_silence() {
        let mut overview = sample::healthy();
        overview.alarms = Reading::missing(Problem::new(ProblemKind::Forbidden, "No."), overview.now);
        assert_eq!(words(&overview), ["Alarms could not be read"]);
    }
}
