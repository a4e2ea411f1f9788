//! What has to be looked at on the deploys' page: a decision from what was read, and nothing else.

use model::deploy::{DeploysPage, Driver, IntegrationTarget, Rollout, RolloutState, Verdict};

use super::running;
use crate::components::attention::{Matter, gravest_first, unread};
use crate::components::status::Tone;

/// All of it, the gravest first. `drives` is whether this portal drives rollouts.
pub fn matters(page: &DeploysPage, drives: bool) -> Vec<Matter> {
    let mut matters = Vec::new();
    let mut add = |region, tone, words: String| matters.push(Matter { words, tone, region });
    let rollout = page.rollout.value.as_ref().and_then(Option::as_ref);
    if let Some(rollout) = rollout {
        if let Some((tone, words)) = standing(rollout) {
            add("#rollout", tone, words);
        }
        if matches!(rollout.driver, Driver::Nobody { .. }) {
            let words = if drives { "No portal drives it yet" } else { "No portal drives it" };
            add("#rollout", Tone::Warn, words.to_owned());
        }
        if rollout.trouble.is_some() && !rollout.state.is_over() {
            add("#rollout", Tone::Warn, "Its next step can't be taken".to_owned());
        }
    }
    if let Some((version, _)) = page.live.value.as_ref().and_then(|live| live.weight.as_ref())
        && running(page).is_none()
    {
        add(
            "#live-version",
            Tone::Warn,
            format!("Version {version} has a share, and no rollout is under way"),
        );
    }
    for integration in page.api.value.iter().flat_map(|api| &api.integrations) {
        if integration.permitted == Some(false) {
            add("#front", Tone::Bad, "The API may not call what it leads to".to_owned());
        }
        if integration.target != IntegrationTarget::Alias {
            add("#front", Tone::Warn, "The API leads past the alias".to_owned());
        }
    }
    unread("#live-version", "What has the requests", &page.live, &mut add);
    unread("#rollout", "The rollout", &page.rollout, &mut add);
    unread("#versions", "The versions", &page.versions, &mut add);
    unread("#front", "The HTTP API", &page.api, &mut add);
    unread("#history", "The history", &page.history, &mut add);
    gravest_first(matters)
}

fn standing(rollout: &Rollout) -> Option<(Tone, String)> {
    let failing = rollout.gate.as_ref().is_some_and(|gate| gate.verdict == Verdict::Fail);
    let new = rollout.new.as_ref().map_or("The new code".to_owned(), |new| format!("Version {new}"));
    let percent = rollout.percent;
    match rollout.state {
        RolloutState::Watching | RolloutState::Paused if failing => {
            Some((Tone::Bad, format!("{new} does worse than it may")))
        }
        RolloutState::Preparing => Some((Tone::Plain, "A rollout is under way: preparing".to_owned())),
        RolloutState::Watching => {
            Some((Tone::Plain, format!("A rollout is under way: {new} has {percent} %")))
        }
        RolloutState::Paused => Some((Tone::Warn, format!("A rollout is paused: {new} has {percent} %"))),
        RolloutState::RolledBack => Some((Tone::Warn, format!("{new} was taken back"))),
        RolloutState::Stopped => Some((Tone::Warn, format!("{new} was stopped before it had a request"))),
        RolloutState::Overtaken => Some((Tone::Warn, "A rollout ended by somebody else's change".to_owned())),
        RolloutState::Promoted => None,
    }
}

/// The bar's first words with their tone and link, and the other matters.
pub fn headline(matters: &mut Vec<Matter>) -> (String, Tone, Option<&'static str>) {
    if matters.is_empty() {
        return ("Nothing needs attention".to_owned(), Tone::Good, None);
    }
    let Matter { words, tone, region } = matters.remove(0);
    (words, tone, Some(region))
}

#[cfg(test)]
mod tests {
    use model::overview::Reading;
    use model::problem::{Problem, ProblemKind};

    use super::*;
    use crate::pages::deploys::sample;

    fn first(page: &DeploysPage) -> (String, Tone) {
        let mut matters = matters(page, true);
        let (words, tone, _) = headline(&mut matters);
        (words, tone)
    }

    #[test]
    fn the_gravest_is_said_first() {
        let mut failing = sample::watching();
        sample::rollout_of(&mut failing).gate = Some(sample::gate(Verdict::Fail));
        let mut nobody = sample::watching();
        sample::rollout_of(&mut nobody).driver = Driver::Nobody { heard: None };
        let mut unread = sample::settled();
        unread.history = Reading::missing(Problem::new(ProblemKind::Forbidden, "No."), sample::NOW);
        let table = [
            (sample::settled(), Tone::Good, "Nothing needs attention"),
            (sample::watching(), Tone::Plain, "A rollout is under way: Version 8 has 10 %"),
            (failing, Tone::Bad, "Version 8 does worse than it may"),
            (nobody, Tone::Warn, "No portal drives it yet"),
            (sample::taken_back(), Tone::Warn, "Version 8 was taken back"),
            (sample::past_the_alias(), Tone::Bad, "The API may not call what it leads to"),
            (unread, Tone::Warn, "The history could not be read"),
        ];
        for (page, tone, words) in table {
            assert_eq!(first(&page), (words.to_owned(), tone));
        }
    }

    #[test]
    fn a_share_without_a_rollout_is_somebody_elses_doing() {
        let mut page = sample::settled();
        page.live.value.as_mut().unwrap().weight = Some(("8".to_owned(), 0.2));
        assert_eq!(first(&page).0, "Version 8 has a share, and no rollout is under way");
    }
}
