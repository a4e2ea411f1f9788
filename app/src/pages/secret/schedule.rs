//! When the secret is rotated by itself, and with what.

use leptos::prelude::*;
use model::overview::Reading;
use model::rotation::SecretDetail;
use model::time::Timestamp;

use super::timeline::age_or;
use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::status::{StatusBadge, next_rotation};
use crate::components::words;

/// The schedule, its next times, and the parts a rotation needs.
pub fn region(reading: Reading<SecretDetail>, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="schedule" heading="Schedule" freshness now>
            {value_or_none(reading, move |secret| body(secret, now))}
        </Card>
    }
    .into_any()
}

fn body(secret: SecretDetail, now: Now) -> impl IntoView {
    let (enabled, next) = (secret.rotation_enabled, secret.next_rotation);
    let badge = move || {
        let (tone, label) = next_rotation(enabled, next, now.get());
        view! { <StatusBadge tone label/> }
    };
    let schedule = secret.schedule.unwrap_or_else(|| "none".to_owned());
    let expression = in_plain_words(&schedule);
    let function = secret.rotation_function.as_deref().map_or("none", last_part).to_owned();
    view! {
        <p class="lead lead--badge">{badge}</p>
        <Facts>
            <Fact name="Expression"><code>{schedule}</code>{expression}</Fact>
            <Fact name="Begins">{window(secret.window.as_deref())}</Fact>
            <Fact name="Last rotated">{age_or(secret.rotated, now, "never")}</Fact>
            <Fact name="Rotation function"><code title=secret.rotation_function>{function}</code></Fact>
            <Fact name="Encrypted with">{secret.kms_key.unwrap_or_else(|| "Secrets Manager's own key".to_owned())}</Fact>
        </Facts>
        {runs(secret.next_runs, now)}
    }
}

fn runs(runs: Vec<Timestamp>, now: Now) -> Option<impl IntoView> {
    let items = runs.iter().map(|at| {
        let at = *at;
        view! { <li><span>{words::utc(at)}</span><Age at now/></li> }
    });
    (!runs.is_empty()).then(|| {
        view! {
            <div>
                <h3>"Next times"</h3>
                <ol class="runs">{items.collect_view()}</ol>
            </div>
        }
    })
}

/// A rate as people say it; a cron expression speaks for itself, with the next times below.
fn in_plain_words(schedule: &str) -> Option<String> {
    let rate = schedule.strip_prefix("rate(")?.strip_suffix(')')?;
    Some(match rate.split_once(' ')? {
        ("1", unit) => format!(" every {unit}"),
        _ => format!(" every {rate}"),
    })
}

/// How long after the scheduled time a rotation may begin (AWS, rotation windows: without a duration
/// the window ends after an hour for a schedule in hours, else with the day).
fn window(window: Option<&str>) -> String {
    match window.and_then(|window| window.strip_suffix('h')) {
        Some(hours) => format!("at the time named, or up to {hours} h later"),
        None => "at the time named or later that day; on a schedule in hours, up to 1 h later".to_owned(),
    }
}

/// A function's name out of its ARN.
fn last_part(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_said_in_words() {
        let table = [
            ("rate(30 days)", Some(" every 30 days")),
            ("rate(1 day)", Some(" every day")),
            ("rate(12 hours)", Some(" every 12 hours")),
            ("cron(0 4 ? * SUN *)", None),
            ("none", None),
        ];
        for (schedule, words) in table {
            assert_eq!(in_plain_words(schedule).as_deref(), words, "{schedule}");
        }
        assert_eq!(window(Some("3h")), "at the time named, or up to 3 h later");
        assert_eq!(last_part("arn:aws:lambda:eu-west-1:1:function:rotate"), "rotate");
    }
}
