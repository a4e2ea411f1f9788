//! The HTTP API in front: where it leads, and whether it deploys its changes by itself.

use leptos::prelude::*;
use model::deploy::{ApiFront, Integration, IntegrationChange, IntegrationTarget};
use model::overview::Reading;

use super::{Act, Acting};
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::facts::{Fact, Facts};
use crate::components::form::{Field, FieldText};
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, Tone};

/// The stage's state, each integration, and what can be put right.
pub fn region(reading: Reading<ApiFront>, acting: Acting, now: Now) -> AnyView {
    let freshness = Freshness::from(&reading);
    view! {
        <Card id="front" heading="HTTP API" freshness now>
            {value_or_none(reading, move |front| body(front, acting))}
        </Card>
    }
    .into_any()
}

fn body(front: ApiFront, acting: Acting) -> AnyView {
    let ApiFront { stage, auto_deploy, deployment, last_message, integrations } = front;
    let auto = match auto_deploy {
        true => (Tone::Good, "Deploys its changes by itself"),
        false => (Tone::Plain, "Waits to be deployed"),
    };
    // One after the other: each has to be seen before it is done.
    let offered = integrations.iter().find(|integration| integration.change.is_some()).cloned();
    let none = integrations.is_empty();
    view! {
        <Facts>
            <Fact name="Stage"><code>{stage}</code></Fact>
            <Fact name="Changes of the API"><StatusBadge tone=auto.0 label=auto.1/></Fact>
            <Fact name="Deployment"><code>{deployment.unwrap_or_else(|| "none".to_owned())}</code></Fact>
            {last_message.map(|message| view! { <Fact name="Last message">{message}</Fact> })}
        </Facts>
        {none.then(|| view! {
            <Notice tone=Tone::Warn message="No integration of this API leads to the function, so no request reaches it."/>
        })}
        <ul class="checks">{integrations.into_iter().map(integration).collect_view()}</ul>
        {offered.and_then(|integration| point(integration, acting))}
        {(!auto_deploy && acting.may()).then(|| deploy(acting))}
    }
    .into_any()
}

fn integration(integration: Integration) -> AnyView {
    let Integration { id, uri, target, permitted, .. } = integration;
    let (tone, word, explained) = match &target {
        IntegrationTarget::Alias => (Tone::Good, "To the alias", None),
        IntegrationTarget::Unqualified => (
            Tone::Warn,
            "Past the alias",
            Some("It names the function without the alias: whatever was uploaded last has all requests, so there is no canary, and no roll back in an instant.".to_owned()),
        ),
        IntegrationTarget::Other(name) => {
            (Tone::Warn, "Elsewhere", Some(format!("It names {name}: rollouts do not reach it.")))
        }
    };
    let permission = match permitted {
        Some(true) => None,
        Some(false) => Some((
            Tone::Bad,
            "The function's policy does not let the API in: every request is answered with 500.",
        )),
        None => Some((Tone::Unknown, "Whether the API is let in could not be read.")),
    };
    view! {
        <li class="checks__item">
            <StatusBadge tone label=word/>
            <div class="checks__text">
                <p class="checks__title">"Integration " <code>{id}</code></p>
                <p class="checks__evidence"><code>{short(&uri)}</code></p>
                {explained.map(|words| view! { <p>{words}</p> })}
                {permission.map(|(tone, words)| view! { <Notice tone message=words/> })}
            </div>
        </li>
    }
    .into_any()
}

/// The part of an address that tells one from another.
fn short(uri: &str) -> String {
    let after = uri.find("functions/").and_then(|at| uri.get(at + "functions/".len()..));
    after.unwrap_or(uri).trim_end_matches("/invocations").to_owned()
}

/// The change, before it is made, and the form that makes it.
fn point(integration: Integration, acting: Acting) -> Option<AnyView> {
    let IntegrationChange { from, to, permission } = integration.change?;
    let id = integration.id;
    if !acting.may() {
        return None;
    }
    let (here, there) = (short(&from), short(&to));
    let form = format!("point-{id}");
    Some(
        view! {
            <form id=form class="form form--second" method="post" action="/deploys/integration" data-hold="">
                <h3>"Lead it to the alias"</h3>
                <ol class="list list--steps">
                    {permission.map(|permission| view! {
                        <li>"First the permission is added, so that no request fails in between: " <code>{permission}</code></li>
                    })}
                    <li>"Then integration " <code>{id.clone()}</code> " leads from " <code>{here}</code> " to " <code>{there}</code> "."</li>
                </ol>
                <input type="hidden" name="integration" value=id/>
                <input type="hidden" name="from" value=from/>
                {acting.proof_field(Act::Point)}
                <button class="button button--primary" type="submit" disabled=!acting.proof.is_possible()>"Lead it to the alias"</button>
            </form>
        }
        .into_any(),
    )
}

fn deploy(acting: Acting) -> impl IntoView {
    let why = FieldText {
        id: "deploy-api-description",
        name: "description",
        label: "Description (may be left empty)",
        kind: "text",
        autocomplete: "off",
        optional: true,
        ..FieldText::default()
    };
    view! {
        <form id="deploy-api" class="form form--second form--narrow" method="post" action="/deploys/api" data-hold="">
            <p>"This stage serves the API as it was deployed last. New code needs no deployment of the API; changed routes and integrations do."</p>
            <Field text=why/>
            {acting.proof_field(Act::DeployApi)}
            <button class="button" type="submit" disabled=!acting.proof.is_possible()>"Deploy API"</button>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn an_address_is_told_by_its_end() {
        let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:api:live/invocations";
        assert_eq!(short(uri), "arn:aws:lambda:eu-west-1:1:function:api:live");
        assert_eq!(
            short("arn:aws:lambda:eu-west-1:1:function:api"),
            "arn:aws:lambda:eu-west-1:1:function:api"
        );
    }
}
