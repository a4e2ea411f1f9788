//! The alarms a stack should have, what of them there is, and the form that leads to the change's preview.

use leptos::prelude::*;
use model::alarms::{AlarmKind, SetItem, StackAlarm, Thresholds, Topic, TopicState};
use model::overview::Reading;

use super::Acting;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::form::{Field, FieldText};
use crate::components::status::{StatusBadge, Tone};

/// Each alarm of the set; below them, for whoever may, the form.
pub fn region(
    reading: Reading<Vec<SetItem>>,
    alarms: &Reading<Vec<StackAlarm>>,
    topics: &Reading<Vec<Topic>>,
    acting: Acting,
    now: Now,
) -> AnyView {
    let freshness = Freshness::from(&reading);
    let topics = topics.value.clone().unwrap_or_default();
    let told = alarms.value.iter().flatten().flat_map(|alarm| alarm.actions.clone()).next();
    view! {
        <Card id="set" heading="What should be watched" freshness now>
            {value_or_none(reading, move |items| {
                let form = acting.may().then(|| form(&items, &topics, told));
                view! {
                    <ul class="checks">{items.into_iter().map(item).collect_view()}</ul>
                    {form}
                }
            })}
        </Card>
    }
    .into_any()
}

fn item(item: SetItem) -> impl IntoView {
    let (tone, word) = match (&item.existing, item.differences.is_empty()) {
        (Some(_), true) => (Tone::Good, "There"),
        (Some(_), false) => (Tone::Warn, "Differs"),
        (None, _) if item.impossible.is_some() => (Tone::Unknown, "Not possible"),
        (None, _) => (Tone::Warn, "Missing"),
    };
    let words = item.wanted.words();
    let differences = item.differences.into_iter().map(|one| {
        view! { <li>{one.what} ": " {one.is} ", recommended " {one.should}</li> }
    });
    view! {
        <li class="checks__item">
            <StatusBadge tone label=word/>
            <div class="checks__text">
                <p class="checks__title">{item.kind.title()} {item.existing.map(|name| view! { ": " <code>{name}</code> })}</p>
                <p class="checks__evidence">{item.kind.covers()}</p>
                <p class="checks__evidence">{words}</p>
                <ul class="list">{differences.collect_view()}</ul>
                {item.impossible.map(|why| view! { <p class="why">{why}</p> })}
            </div>
        </li>
    }
}

fn form(items: &[SetItem], topics: &[Topic], told: Option<String>) -> impl IntoView + use<> {
    let Thresholds { errors, throttles, duration_percent, api5xx } = Thresholds::default();
    let field = |id, label, value: u32| FieldText {
        id,
        name: id,
        label,
        kind: "number",
        autocomplete: "off",
        value: value.to_string(),
        ..FieldText::default()
    };
    let topic = FieldText {
        id: "topic",
        name: "topic",
        label: "SNS topic to tell besides (ARN; may be left empty)",
        kind: "text",
        autocomplete: "off",
        value: told.unwrap_or_default(),
        suggestions: Some("topics"),
        explained_by: Some("topic-hint"),
        optional: true,
        ..FieldText::default()
    };
    let boxes = items.iter().map(|item| {
        let checked = item.impossible.is_none() && (item.existing.is_none() || !item.differences.is_empty());
        kind_box(item.kind, checked, item.impossible.is_some())
    });
    let known: Vec<_> =
        topics.iter().map(|topic| view! { <option value=topic.arn.clone()></option> }).collect();
    let named = topics.iter().filter(|topic| topic.named).map(topic_line).collect_view();
    view! {
        <form id="put-alarms" class="form form--second" method="post" action="/alarms/preview" data-hold="">
            <input type="hidden" name="what" value="alarms"/>
            <fieldset class="choices">
                <legend>"Create or change"</legend>
                {boxes.collect_view()}
            </fieldset>
            <div class="alarms__thresholds">
                <Field text=field("errors_above", "Errors in a minute above (0 to 1,000)", errors)/>
                <Field text=field("throttles_above", "Throttled calls in a minute above (0 to 1,000)", throttles)/>
                <Field text=field("duration_percent", "Duration from % of the time limit (10 to 95)", duration_percent)/>
                <Field text=field("api5xx_above", "Answers from 500 in a minute above (0 to 1,000)", api5xx)/>
            </div>
            <Field text=topic/>
            <datalist id="topics">{known}</datalist>
            <p class="hint" id="topic-hint">"Whom an alarm tells already stays. A topic tells only subscribers who have confirmed."</p>
            <ul class="list">{named}</ul>
            <button class="button" type="submit">"Preview"</button>
        </form>
    }
}

fn kind_box(kind: AlarmKind, checked: bool, disabled: bool) -> impl IntoView {
    let id = format!("kind-{}", kind.name());
    view! {
        <p class="choice">
            <input id=id.clone() type="checkbox" name=kind.name() value="yes" checked=checked disabled=disabled/>
            <label for=id>{kind.title()}</label>
        </p>
    }
}

fn topic_line(topic: &Topic) -> impl IntoView + use<> {
    let words = match &topic.state {
        Some(TopicState::There { confirmed, pending }) => {
            format!("{confirmed} confirmed, {pending} not confirmed")
        }
        Some(TopicState::Missing) => "does not exist".to_owned(),
        Some(TopicState::Unknown(why)) => why.clone(),
        None => "not looked at".to_owned(),
    };
    view! { <li><code>{topic.arn.clone()}</code> ": " {words}</li> }
}
