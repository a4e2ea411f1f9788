//! Whether callers get what they came for, and the database as the function sees it.

use leptos::prelude::*;
use model::overview::{Health, HealthVerdict, Reading};
use model::time::in_words;

use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, StatusMark, Tone};
use crate::components::words;

/// The verdict, large, and what to do next.
pub fn region(reading: Reading<Health>, now: Now, status_url: String) -> impl IntoView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="health" heading="Health" freshness now>
            {value_or_none(reading, move |health| verdict(health, &status_url))}
        </Card>
    }
}

/// The database, as `/status` sees it.
pub fn database_region(reading: Reading<Health>, now: Now) -> impl IntoView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="database" heading="Database" freshness now>
            {value_or_none(reading, database)}
        </Card>
    }
}

fn verdict(health: Health, status_url: &str) -> impl IntoView + use<> {
    let (tone, word) = match health.verdict {
        HealthVerdict::Healthy => (Tone::Good, "Healthy"),
        HealthVerdict::Unhealthy => (Tone::Bad, "Unhealthy"),
        HealthVerdict::Unreachable => (Tone::Bad, "Unreachable"),
    };
    let next = next_step(&health, status_url);
    let status = health.status;
    let answered = status.as_ref().map(|status| {
        let start = if status.function.cold_start { "cold start" } else { "warm" };
        format!("version {}, {start}", status.function.version)
    });
    view! {
        <div class=format!("verdict verdict--{}", tone.name())>
            <StatusMark tone/>
            <div>
                <p class="verdict__word">{word}</p>
                <p class="verdict__why">{health.summary}</p>
            </div>
        </div>
        {next.map(|next| view! { <p class="next"><strong>"Next: "</strong>{next}</p> })}
        <Facts>
            <Fact name="Latency">{words::millis(health.latency_ms)}</Fact>
            <Fact name="HTTP status">
                {health.http_status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())}
            </Fact>
            <Fact name="Answered by">{answered.unwrap_or_else(|| "not the function".to_owned())}</Fact>
            <Fact name="Request id">
                <code>{status.map_or_else(|| "none".to_owned(), |status| status.request_id)}</code>
            </Fact>
        </Facts>
    }
}

/// What to do about it; none where all is well.
fn next_step(health: &Health, status_url: &str) -> Option<String> {
    match (health.verdict, &health.status) {
        (HealthVerdict::Healthy, _) => None,
        (HealthVerdict::Unreachable, _) => {
            Some(format!("see whether the API's stage is deployed and whether {status_url} is its address."))
        }
        (HealthVerdict::Unhealthy, Some(status)) if !status.database.reachable => {
            Some("see that SQL Server runs and that the function's security group may reach it.".to_owned())
        }
        (HealthVerdict::Unhealthy, Some(status)) if status.secret.is_none() => Some(
            "see that the function's role may read the secret, and that the secret has a current version."
                .to_owned(),
        ),
        (HealthVerdict::Unhealthy, Some(status)) => {
            Some(format!("look for request {} in the function's log.", status.request_id))
        }
        (HealthVerdict::Unhealthy, None) => Some(gateway_next(health.http_status).to_owned()),
    }
}

/// What to do when it was not the function that answered.
fn gateway_next(http_status: Option<u16>) -> &'static str {
    match http_status {
        Some(404) => "see that the API has a route GET /status, and that the address names the stage.",
        Some(401 | 403) => "see that the route GET /status has no authorizer: it is meant to be public.",
        Some(429) => "see the throttle settings of the stage: a rate or burst of 0 refuses every call.",
        _ => "look at the function's log and concurrency, and whether the API may invoke the alias.",
    }
}

fn database(health: Health) -> impl IntoView {
    match health.status {
        None => leptos::either::Either::Left(view! {
            <p class="lead lead--badge"><StatusBadge tone=Tone::Unknown label="Not known"/></p>
            <p class="empty">"The function did not answer, so nothing is known of the database."</p>
        }),
        Some(status) => {
            let database = status.database;
            let (tone, word) =
                if database.reachable { (Tone::Good, "Reachable") } else { (Tone::Bad, "Out of reach") };
            let latency = database.latency_ms.map_or_else(|| "no answer".to_owned(), words::millis);
            let login = status.secret.map_or_else(
                || "could not be read".to_owned(),
                |secret| format!("{}, {} old", secret.version, in_words(secret.age_seconds)),
            );
            leptos::either::Either::Right(view! {
                <p class="lead lead--badge"><StatusBadge tone label=word/></p>
                {database.reason.map(|reason| view! { <Notice tone message=reason/> })}
                <Facts>
                    <Fact name="Query round trip">{latency}</Fact>
                    <Fact name="Secret version">{login}</Fact>
                    <Fact name="Seen by">{format!("{}, version {}", status.function.name, status.function.version)}</Fact>
                </Facts>
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::overview::sample;

    #[test]
    fn each_kind_of_trouble_has_a_next_step() {
        let healthy = sample::healthy().health.value.unwrap();
        let troubled = sample::troubled().health.value.unwrap();
        let step = |health: &Health| next_step(health, "https://api.example/status").unwrap_or_default();
        assert_eq!(step(&healthy), "");
        assert!(step(&troubled).contains("SQL Server"));
        let mut secret = troubled.clone();
        let status = secret.status.as_mut().unwrap();
        (status.database.reachable, status.secret) = (true, None);
        assert!(step(&secret).contains("role may read the secret"));
        let gateway =
            |http_status| Health { status: None, http_status: Some(http_status), ..troubled.clone() };
        let table = [(404, "route"), (401, "authorizer"), (429, "throttle"), (500, "log"), (503, "log")];
        for (http_status, words) in table {
            assert!(step(&gateway(http_status)).contains(words), "{http_status}");
        }
        let gone = Health { verdict: HealthVerdict::Unreachable, ..gateway(500) };
        assert!(step(&gone).contains("https://api.example/status"));
    }
}
