//! The form of a new deploy. It works without JavaScript; with it an upload shows how far it is.
//! What does not belong to the choice made is hidden by the style sheet alone.

use leptos::prelude::*;
use model::deploy::{FunctionVersion, PRESETS, Strategy};

use super::{LARGEST_ZIP, Typed, Wrong, versions::megabytes};
use crate::components::form::{Field, FieldText, FormProblem};

/// The form's page.
pub struct NewDeploy {
    /// What stands in its fields.
    pub typed: Typed,
    /// What has to be mended.
    pub wrong: Option<Wrong>,
    /// The versions there are; empty where they could not be read.
    pub versions: Vec<FunctionVersion>,
}

impl NewDeploy {
    /// The document's title.
    pub fn title(&self) -> &'static str {
        if self.wrong.is_some() { "Error: New deploy" } else { "New deploy" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { typed, wrong, versions } = self;
        let problem = wrong.clone().map(|Wrong { field, problem }| view! { <FormProblem problem field/> });
        let field = wrong.and_then(|wrong| wrong.field);
        view! {
            <p class="crumb"><a href="/deploys">"Deploys"</a></p>
            <div class="page-head"><h1>"New deploy"</h1></div>
            <form
                id="new-deploy" class="deploy-form" method="post" action="/deploys/upload"
                enctype="multipart/form-data" data-most=LARGEST_ZIP
            >
                {problem}
                <input type="hidden" name="id" value=typed.id.clone()/>
                <div class="deploy-form__parts">
                    <section class="card" aria-labelledby="code-heading">
                        <header class="card__head"><h2 id="code-heading">"New code"</h2></header>
                        <div class="card__body">{code(&typed, &versions, field)}</div>
                    </section>
                    <section class="card" aria-labelledby="how-heading">
                        <header class="card__head"><h2 id="how-heading">"How it gets its requests"</h2></header>
                        <div class="card__body">{how(&typed, field)}</div>
                    </section>
                </div>
                <div class="buttons">
                    <button class="button button--primary" type="submit">"Check"</button>
                    <a class="button button--quiet" href="/deploys">"Leave it"</a>
                    <span class="hint">"Nothing is changed yet: next you see what is in the way, and what would be done."</span>
                </div>
                {progress()}
            </form>
        }
    }
}

/// Shown by the script while a zip is on its way.
fn progress() -> impl IntoView {
    view! {
        <div class="upload" data-upload="box" hidden>
            <label for="upload-progress" data-upload="name">"Uploading"</label>
            <progress id="upload-progress" max="100" value="0"></progress>
            <button class="button button--quiet" type="button" data-upload="cancel">"Cancel"</button>
        </div>
        <div class="upload__words" role="status" data-upload="words"></div>
    }
}

fn text(
    id: &'static str,
    name: &'static str,
    label: &'static str,
    value: &str,
    wrong: Option<&str>,
) -> FieldText {
    FieldText {
        id,
        name,
        label,
        kind: "text",
        autocomplete: "off",
        value: value.to_owned(),
        wrong: (wrong == Some(id)).then_some("This has to be mended."),
        optional: true,
        ..FieldText::default()
    }
}

fn code(typed: &Typed, versions: &[FunctionVersion], wrong: Option<&'static str>) -> impl IntoView + use<> {
    let source = |id, value: &'static str, label| choice(id, "source", value, label, typed.source == value);
    let kept = (!typed.upload.is_empty()).then(|| {
        let size = typed.upload_size.parse().map(megabytes).unwrap_or_default();
        let name = if typed.upload_name.is_empty() { "A zip".to_owned() } else { typed.upload_name.clone() };
        view! { <p class="hint" id="zip-kept">{format!("{name} ({size}) is uploaded. Choose another only to replace it.")}</p> }
    });
    let zip_wrong =
        (wrong == Some("zip")).then(|| view! { <p class="field__error" id="zip-error">"Choose a zip."</p> });
    let object = FieldText {
        explained_by: Some("object-hint"),
        ..text(
            "object-version",
            "object_version",
            "Version of the object (may be left empty)",
            &typed.object_version,
            wrong,
        )
    };
    let commit = FieldText {
        explained_by: Some("commit-hint"),
        ..text("commit", "commit", "Commit (may be left empty)", &typed.commit, wrong)
    };
    let described_by = if wrong == Some("zip") { "zip-error zip-hint" } else { "zip-hint" };
    view! {
        <fieldset class="choices">
            <legend>"Where it is"</legend>
            <div class="source">
                {source("source-upload", "upload", "A zip on this computer")}
                <div class="source__fields">
                    <div class="field" class:field--wrong=wrong == Some("zip")>
                        <label for="zip">"Zip"</label>
                        {zip_wrong}
                        <input id="zip" name="zip" type="file" accept=".zip,application/zip" aria-describedby=described_by/>
                        <p class="hint" id="zip-hint">"At most 50 MB, and within 4 minutes. Larger ones go through S3."</p>
                        {kept}
                    </div>
                    <input type="hidden" name="upload" value=typed.upload.clone()/>
                    <input type="hidden" name="upload_name" value=typed.upload_name.clone()/>
                    <input type="hidden" name="upload_size" value=typed.upload_size.clone()/>
                </div>
            </div>
            <div class="source">
                {source("source-s3", "s3", "An object in S3")}
                <div class="source__fields">
                    <Field text=text("bucket", "bucket", "Bucket", &typed.bucket, wrong)/>
                    <Field text=text("key", "key", "Key", &typed.key, wrong)/>
                    <div>
                        <Field text=object/>
                        <p class="hint" id="object-hint">"Left empty, it is the newest at that moment."</p>
                    </div>
                </div>
            </div>
            <div class="source">
                {source("source-version", "version", "A version that is there")}
                <div class="source__fields">{version(typed, versions, wrong)}</div>
            </div>
        </fieldset>
        <Field text=text("description", "description", "Description (at most 150 bytes)", &typed.description, wrong)/>
        <div>
            <Field text=commit/>
            <p class="hint" id="commit-hint">"Both stand in the version's description, for whoever has to go back."</p>
        </div>
    }
}

fn version(typed: &Typed, versions: &[FunctionVersion], wrong: Option<&'static str>) -> AnyView {
    if versions.is_empty() {
        return view! { <Field text=text("version", "version", "Number of the version", &typed.version, wrong)/> }.into_any();
    }
    let options = versions.iter().map(|version| {
        let description = version.description.as_deref().unwrap_or("no description");
        let named = if version.aliases.is_empty() {
            String::new()
        } else {
            format!(" [{}]", version.aliases.join(", "))
        };
        let words = format!("{}{named}: {description}", version.version);
        let selected = version.version == typed.version;
        view! { <option value=version.version.clone() selected=selected>{words}</option> }
    });
    let unchosen = !versions.iter().any(|version| version.version == typed.version);
    view! {
        <div class="field" class:field--wrong=wrong == Some("version")>
            <label for="version">"Version"</label>
            <select id="version" name="version">
                <option value="" selected=unchosen>"Choose one"</option>
                {options.collect_view()}
            </select>
        </div>
    }
    .into_any()
}

fn how(typed: &Typed, wrong: Option<&'static str>) -> impl IntoView + use<> {
    let custom = FieldText {
        explained_by: Some("custom-hint"),
        ..text("custom", "custom", "Shares and times", &typed.custom, wrong)
    };
    let gates_wrong = ["max-error-percent", "max-slowdown", "min-requests"].map(Some).contains(&wrong);
    view! {
        <div class="strategy">
            {strategies(typed, wrong)}
            <div class="strategy__custom">
                <Field text=custom/>
                <p class="hint" id="custom-hint">
                    "For example " <code>"5%/10m, 25%/10m, 50%/5m"</code> ": shares that grow, each for 10 s to 24 h, then all; or "
                    <code>"canary 20%/90s"</code> ", " <code>"linear 25%/2m"</code> "."
                </p>
            </div>
        </div>
        {choice_box("fill", "Send the request below again and again where there is too little traffic to judge by", !typed.fill.is_empty())}
        {smoke(typed, wrong)}
        <details class="fold" open=gates_wrong>
            <summary>"When it is taken back"</summary>
            {gates(typed, wrong)}
        </details>
        {choice_box("despite_alarms", "Go on although alarms fire: this may be what ends them. That is put on record.", !typed.despite_alarms.is_empty())}
    }
}

fn strategies(typed: &Typed, wrong: Option<&'static str>) -> impl IntoView + use<> {
    let group = |prefix: &str| {
        let presets = PRESETS.into_iter().filter(|preset| preset.starts_with(prefix));
        presets
            .filter_map(|preset| {
                let words = preset.parse::<Strategy>().ok()?.words();
                let selected = typed.strategy == preset;
                Some(view! { <option value=preset selected=selected>{words}</option> })
            })
            .collect_view()
    };
    view! {
        <div class="field" class:field--wrong=wrong == Some("strategy")>
            <label for="strategy">"Strategy"</label>
            <select id="strategy" name="strategy">
                <optgroup label="Canary: a share for some time">{group("canary")}</optgroup>
                <optgroup label="Linear: more and more">{group("linear")}</optgroup>
                <optgroup label="Without a watch">{group("all")}</optgroup>
                <optgroup label="Other">
                    <option value="custom" selected=typed.strategy == "custom">"Custom: shares and times of one's own"</option>
                </optgroup>
            </select>
        </div>
    }
}

fn smoke(typed: &Typed, wrong: Option<&'static str>) -> impl IntoView + use<> {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(|method| {
        view! { <option value=method selected=typed.method == method>{method}</option> }
    });
    view! {
        <fieldset class="choices">
            <legend>"First request, before anybody else's"</legend>
            <div class="smoke-fields">
                <div class="field">
                    <label for="method">"Method"</label>
                    <select id="method" name="method">{methods.collect_view()}</select>
                </div>
                <Field text=text("path", "path", "Path", &typed.path, wrong)/>
            </div>
            <div class="field">
                <label for="body">"Body (may be left empty)"</label>
                <textarea id="body" name="body" rows="2" spellcheck="false">{typed.body.clone()}</textarea>
            </div>
            <p class="hint">"An answer other than 200 to 299 stops the deploy before the new version has any request."</p>
        </fieldset>
    }
}

fn gates(typed: &Typed, wrong: Option<&'static str>) -> impl IntoView + use<> {
    let error = text(
        "max-error-percent",
        "max_error_percent",
        "Failed requests, in per cent beyond the old version's (0.1 to 100)",
        &typed.max_error_percent,
        wrong,
    );
    let slow = text(
        "max-slowdown",
        "max_slowdown",
        "Times as slow as the old version, 95th percentile (1.1 to 100)",
        &typed.max_slowdown,
        wrong,
    );
    let least = text(
        "min-requests",
        "min_requests",
        "Requests needed at each share before it goes on (1 to 1,000,000)",
        &typed.min_requests,
        wrong,
    );
    view! {
        <div class="form form--narrow">
            <Field text=error/>
            <Field text=slow/>
            <Field text=least/>
        </div>
    }
}

fn choice(
    id: &'static str,
    name: &'static str,
    value: &'static str,
    label: &'static str,
    checked: bool,
) -> impl IntoView {
    view! {
        <p class="choice">
            <input id=id type="radio" name=name value=value checked=checked/>
            <label for=id>{label}</label>
        </p>
    }
}

/// Something to tick.
pub fn choice_box(name: &'static str, label: &'static str, checked: bool) -> impl IntoView {
    view! {
        <p class="choice">
            <input id=name type="checkbox" name=name value="yes" checked=checked/>
            <label for=name>{label}</label>
        </p>
    }
}
