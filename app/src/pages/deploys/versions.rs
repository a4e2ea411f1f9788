//! The published versions, and which of them may go.

use leptos::prelude::*;
use model::deploy::{FunctionVersion, Live};
use model::overview::Reading;

use super::{Act, Acting};
use crate::components::age::Age;
use crate::components::card::{Card, Freshness, Now, value_or_none};
use crate::components::id::Id;
use crate::components::table::{Cell, Table};

const COLUMNS: [&str; 7] = ["Version", "Description", "Size", "Code", "Published", "Named by", "Kept"];
const DEPLOY: &str = "Deploy";

/// The newest first, each with a way to deploy it.
pub fn region(
    reading: Reading<Vec<FunctionVersion>>,
    live: Option<&Live>,
    acting: Acting,
    now: Now,
) -> AnyView {
    let freshness = Freshness::from(&reading);
    let live = live.map(|live| live.version.clone());
    view! {
        <Card id="versions" heading="Versions" freshness now>
            {value_or_none(reading, move |versions| match versions.is_empty() {
                true => view! { <p class="empty">"No version is published yet: a deploy publishes one."</p> }.into_any(),
                false => table(versions, live.as_deref(), acting, now),
            })}
        </Card>
    }
    .into_any()
}

/// A table of its own kind: the last column holds links.
fn table(versions: Vec<FunctionVersion>, live: Option<&str>, acting: Acting, now: Now) -> AnyView {
    let columns = COLUMNS.into_iter().chain(acting.may().then_some(DEPLOY));
    let headings = columns.map(|column| view! { <th role="columnheader" scope="col">{column}</th> });
    let rows = versions.into_iter().map(|version| row(version, live, acting, now));
    view! {
        <table class="table table--versions" role="table">
            <caption class="unseen">"Versions of the function"</caption>
            <thead role="rowgroup"><tr role="row">{headings.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows.collect_view()}</tbody>
        </table>
    }
    .into_any()
}

fn row(version: FunctionVersion, live: Option<&str>, acting: Acting, now: Now) -> impl IntoView + use<> {
    let FunctionVersion { version, description, size, code_sha256, published, aliases, kept } = version;
    let here = live == Some(version.as_str());
    let labels = aliases.into_iter().map(|name| {
        view! { <li class="label" class:label--current=here>{name}</li> }
    });
    let cells: [AnyView; COLUMNS.len()] = [
        version.clone().into_any(),
        description.unwrap_or_else(|| "none".to_owned()).into_any(),
        megabytes(size).into_any(),
        view! { <Id id=code_sha256/> }.into_any(),
        published.map_or_else(|| "not known".into_any(), |at| view! { <Age at now/> }.into_any()),
        view! { <ul class="labels">{labels.collect_view()}</ul> }.into_any(),
        kept.unwrap_or_else(|| "no: it may go".to_owned()).into_any(),
    ];
    let cells = cells.into_iter().zip(COLUMNS).map(|(cell, column)| {
        view! { <td role="cell" data-column=column><div>{cell}</div></td> }
    });
    let deploy = acting.may().then(|| {
        let link = match here {
            true => view! { <span class="empty">"has the requests"</span> }.into_any(),
            false => {
                let address = format!("/deploys/new?version={version}");
                let name = format!("Deploy version {version}");
                view! { <a href=address aria-label=name>"Deploy this version"</a> }.into_any()
            }
        };
        view! { <td role="cell" data-column=DEPLOY><div>{link}</div></td> }
    });
    view! { <tr role="row">{cells.collect_view()}{deploy}</tr> }
}

/// What would go, and the form that deletes exactly that. Nothing where nothing may go.
pub fn prune(reading: Reading<Vec<FunctionVersion>>, acting: Acting, now: Now) -> Option<AnyView> {
    let old: Vec<FunctionVersion> =
        reading.value?.into_iter().filter(|version| version.kept.is_none()).collect();
    if old.is_empty() || !acting.may() {
        return None;
    }
    let numbers: Vec<String> = old.iter().map(|version| version.version.clone()).collect();
    let size = megabytes(old.iter().map(|version| version.size).sum());
    let words = match old.len() {
        1 => format!("Prune 1 old version ({size})"),
        count => format!("Prune {count} old versions ({size})"),
    };
    let label = format!("Delete {}", if old.len() == 1 { "this version" } else { "these versions" });
    let rows = old.into_iter().map(|version| {
        vec![
            Cell::Text(version.version),
            Cell::Text(version.description.unwrap_or_else(|| "none".to_owned())),
            Cell::Text(megabytes(version.size)),
            version.published.map_or_else(|| Cell::Text("not known".to_owned()), |at| Cell::Age(at, None)),
        ]
    });
    Some(
        view! {
            <section id="prune" class="card" aria-label="Prune" tabindex="-1">
                <div class="card__body">
                    <details class="fold" data-hold="">
                        <summary>{words}</summary>
                        <p>"No alias names them, they are not the newest, and none is the one to go back to. Deleted, they can't be gone back to."</p>
                        <Table caption="Versions that would go" columns=&["Version", "Description", "Size", "Published"] rows=rows.collect() now/>
                        <form class="form form--narrow" method="post" action="/deploys/prune">
                            <input type="hidden" name="versions" value=numbers.join(",")/>
                            {acting.proof_field(Act::Prune)}
                            <button class="button button--danger" type="submit" disabled=!acting.proof.is_possible()>{label}</button>
                        </form>
                    </details>
                </div>
            </section>
        }
        .into_any(),
    )
}

/// A size in bytes for people: `4.1 MB`, `310 kB`.
pub fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        let table =
            [(0, "0 kB"), (1, "1 kB"), (310_400, "311 kB"), (4_120_000, "4.1 MB"), (52_428_800, "52.4 MB")];
        for (bytes, words) in table {
            assert_eq!(megabytes(bytes), words);
        }
    }
}
