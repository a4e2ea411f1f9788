//! The secret that the function logs in with; never its value.

use leptos::prelude::*;
use model::overview::{Reading, Secret};
use model::time::{Timestamp, in_words};

use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, Tone, next_rotation};
use crate::components::words;

/// Age, rotation, and what is pending.
pub fn region(reading: Reading<Secret>, now: Now) -> impl IntoView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="secret" heading="Secret" freshness now>
            {value_or_none(reading, move |secret| body(secret, now))}
        </Card>
    }
}

fn body(secret: Secret, now: Now) -> impl IntoView {
    let (changed, rotated) = (secret.changed, secret.rotated);
    let version = secret.current_version.clone().unwrap_or_else(|| "none".to_owned());
    let pending = secret.pending_version.clone().map(|version| {
        let short = words::short_id(&version);
        view! {
            <Notice tone=Tone::Warn
                message=format!("Version {short} is pending: a rotation is in progress, or was left half done.")/>
        }
    });
    view! {
        <p class="lead">
            <span class="lead__label">"Age "</span>
            {move || changed.map_or_else(|| "not known".to_owned(), |at| in_words(at.age_seconds(now.get())))}
        </p>
        {pending}
        <Facts>
            <Fact name="Rotation">{move || rotation_badge(&secret, now.get())}</Fact>
            <Fact name="Last rotated">
                {match rotated {
                    Some(at) => leptos::either::Either::Left(view! { <Age at now/> }),
                    None => leptos::either::Either::Right("never"),
                }}
            </Fact>
            <Fact name="Current version"><code title=version.clone()>{words::short_id(&version)}</code></Fact>
        </Facts>
        <p><a href="/secret">"Rotate, repair or schedule"</a></p>
    }
}

fn rotation_badge(secret: &Secret, now: Timestamp) -> impl IntoView + use<> {
    let (tone, label) = rotation(secret, now);
    view! { <StatusBadge tone label/> }
}

/// When the secret is rotated next, and whether that is as it should be.
fn rotation(secret: &Secret, now: Timestamp) -> (Tone, String) {
    next_rotation(secret.rotation_enabled, secret.next_rotation, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::overview::sample;

    #[test]
    fn a_next_rotation_in_the_past_is_failing() {
        let overview = sample::troubled();
        let secret = overview.secret.value.unwrap();
        assert_eq!(rotation(&secret, overview.now), (Tone::Bad, "Failing: 2 h 5 min overdue".to_owned()));
        let before = Timestamp(secret.next_rotation.unwrap().0 - 7_200_000);
        assert_eq!(rotation(&secret, before), (Tone::Good, "Next in 2 h".to_owned()));
        let off = Secret { rotation_enabled: false, ..secret };
        assert_eq!(rotation(&off, overview.now), (Tone::Plain, "Off".to_owned()));
    }
}
