//! Somebody's access tokens: the list, and the form that makes one. Nothing here wakes up in the browser:
//! all of it is forms.

use leptos::prelude::*;
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use model::tokens::{MOST_TOKENS, Scope, Scopes, Token, Tokens, USUAL_HOURS};

use super::secret::{Proof, proof};
use crate::components::age::Age;
use crate::components::card::Now;
use crate::components::form::{Field, FieldText, FormProblem};
use crate::components::notice::Notice;
use crate::components::status::{StatusBadge, Tone};

/// The page.
pub struct TokensScreen {
    /// What there is.
    pub tokens: Tokens,
    /// What the person may do: a token can do no more.
    pub role: Role,
    /// How they show once more that it is them.
    pub proof: Proof,
    /// Whether one was revoked just now.
    pub revoked: bool,
    /// The token that was made just now.
    pub made: Option<Made>,
    /// Why none was made.
    pub problem: Option<Problem>,
    /// What was typed into the form.
    pub typed: TypedToken,
}

/// A token that was made just now.
pub struct Made {
    /// Its name.
    pub name: String,
    /// The token itself. This page is the one place where it ever stands.
    pub text: String,
}

/// The form as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedToken {
    /// The name.
    pub name: String,
    /// What was ticked.
    pub scopes: Scopes,
    /// The hours.
    pub hours: String,
}

/// How long a token may be made for: hours and words.
const LIVES: [(u32, &str); 6] = [
    (1, "1 hour"),
    (24, "1 day"),
    (7 * 24, "7 days"),
    (USUAL_HOURS, "30 days"),
    (90 * 24, "90 days"),
    (365 * 24, "365 days"),
];

/// The list's columns.
const COLUMNS: [&str; 7] = ["Name", "Good for", "Id", "Made", "Expires", "Last used", "Revoke"];

impl TokensScreen {
    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.problem.is_some() { "Error: Access tokens" } else { "Access tokens" }
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let Self { tokens: Tokens { now, tokens }, role, proof, revoked, made, problem, typed } = self;
        let done = revoked.then(|| {
            view! {
                <div class="done" role="status">
                    <Notice tone=Tone::Good message="The token is revoked: nobody gets in with it any more."/>
                </div>
            }
        });
        view! {
            <div class="page-head"><h1>"Access tokens"</h1></div>
            {done}
            <div class="access-tokens">
                {made.map(shown_once)}
                {list(tokens, now)}
                {form(role, proof, problem, typed)}
            </div>
        }
    }
}

fn shown_once(made: Made) -> impl IntoView {
    let Made { name, text } = made;
    view! {
        <section id="new-token" class="card" aria-labelledby="new-token-heading" role="status">
            <header class="card__head"><h2 id="new-token-heading">{format!("The token \u{201c}{name}\u{201d}")}</h2></header>
            <div class="card__body">
                <Notice
                    tone=Tone::Warn
                    message="Copy it now: it is shown this once, and kept nowhere."
                    next="If it is lost, revoke it and make another.".to_owned()
                />
                <code class="new-token">{text}</code>
                <p class="hint">
                    <code>"lockkeeper"</code>" reads it from "<code>"LOCKKEEPER_TOKEN"</code>
                    "; other programs send it as "<code>"Authorization: Bearer"</code>" to "<code>"/api/v1"</code>"."
                </p>
            </div>
        </section>
    }
}

fn list(tokens: Vec<Token>, now: Timestamp) -> impl IntoView {
    let none = tokens.is_empty();
    let content = match none {
        true => view! { <p class="empty">"You have none."</p> }.into_any(),
        false => table(tokens, now).into_any(),
    };
    view! {
        <section id="tokens" class="card" aria-labelledby="tokens-heading">
            <header class="card__head"><h2 id="tokens-heading">"Your tokens"</h2></header>
            <div class="card__body">
                <p>
                    "A token lets a script use the operations API in your name, for what it is good for and never for more than you may do yourself."
                </p>
                {content}
            </div>
        </section>
    }
}

/// As [`crate::components::table`], whose cells hold no forms.
fn table(tokens: Vec<Token>, now: Timestamp) -> impl IntoView {
    let headings = COLUMNS.map(|column| view! { <th role="columnheader" scope="col">{column}</th> });
    let rows = tokens.into_iter().map(|token| row(token, now)).collect_view();
    view! {
        <table class="table" role="table">
            <caption class="unseen">"Your access tokens"</caption>
            <thead role="rowgroup"><tr role="row">{headings.collect_view()}</tr></thead>
            <tbody role="rowgroup">{rows}</tbody>
        </table>
    }
}

fn row(token: Token, at: Timestamp) -> impl IntoView {
    let now: Now = Signal::stored(at);
    let Token { id, name, scopes, created, expires, last_used } = token;
    let expires = match expires <= at {
        true => view! { <StatusBadge tone=Tone::Warn label="Expired"/> " " <Age at=expires now/> }.into_any(),
        false => view! { <Age at=expires now/> }.into_any(),
    };
    let last_used = match last_used {
        Some(used) => view! { <Age at=used now/> }.into_any(),
        None => "never".into_any(),
    };
    let revoke = revoke(id.clone(), &name);
    let cells = [
        name.into_any(),
        scopes.names().into_any(),
        view! { <code>{id}</code> }.into_any(),
        view! { <Age at=created now/> }.into_any(),
        expires,
        last_used,
        revoke.into_any(),
    ];
    let cells = cells.into_iter().zip(COLUMNS).map(|(cell, column)| {
        view! { <td role="cell" data-column=column><div>{cell}</div></td> }
    });
    view! { <tr role="row">{cells.collect_view()}</tr> }
}

/// The button is behind something to open, so that none is hit by mistake.
fn revoke(id: String, name: &str) -> impl IntoView + use<> {
    let label = format!("Revoke {name} now");
    view! {
        <details class="fold revoke">
            <summary>"Revoke\u{2026}"</summary>
            <form method="post" action="/tokens/revoke">
                <input type="hidden" name="id" value=id/>
                <button class="button button--danger" type="submit" aria-label=label>"Revoke now"</button>
            </form>
        </details>
    }
}

fn form(role: Role, proof: Proof, problem: Option<Problem>, typed: TypedToken) -> impl IntoView {
    let wrong_name = problem.as_ref().is_some_and(|problem| problem.kind == ProblemKind::Invalid);
    let name = FieldText {
        id: "token-name",
        name: "name",
        label: "Name",
        kind: "text",
        autocomplete: "off",
        value: typed.name.clone(),
        explained_by: Some("token-name-hint"),
        ..FieldText::default()
    };
    let mend = problem.as_ref().and_then(|problem| match wrong_name {
        true => Some("token-name"),
        false => proof::field_to_mend(proof, "token-password", problem),
    });
    let shown = confirmation(proof, problem.as_ref());
    view! {
        <section id="make-token" class="card" aria-labelledby="make-token-heading">
            <header class="card__head"><h2 id="make-token-heading">"Make a token"</h2></header>
            <div class="card__body">
                <form class="form form--narrow" method="post" action="/tokens">
                    {problem.map(|problem| view! { <FormProblem problem field=mend/> })}
                    <div>
                        <Field text=name/>
                        <p class="hint" id="token-name-hint">"What it is for, for example the CI job. The audit log names it."</p>
                    </div>
                    {scopes(role, &typed.scopes)}
                    {lives(&typed.hours)}
                    {shown}
                    <button class="button button--primary" type="submit" disabled=!proof.is_possible()>"Make the token"</button>
                    <p class="hint">{format!("At most {MOST_TOKENS} that have not expired.")}</p>
                </form>
            </div>
        </section>
    }
}

fn scopes(role: Role, ticked: &Scopes) -> impl IntoView + use<> {
    let offered = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Read && scope.role() <= role);
    let ticked: Vec<Scope> = ticked.iter().collect();
    let choices = offered.map(|scope| {
        let checked = ticked.contains(&scope);
        view! {
            <label class="choice">
                <input type="checkbox" name=scope.name() value="yes" checked=checked/>
                <span><strong>{scope.name()}</strong>{format!(": {}", scope.purpose())}</span>
            </label>
        }
    });
    view! {
        <fieldset class="choices">
            <legend>"Good for"</legend>
            <label class="choice">
                <input type="checkbox" checked disabled/>
                <span><strong>{Scope::Read.name()}</strong>{format!(": {}", Scope::Read.purpose())}</span>
            </label>
            {choices.collect_view()}
        </fieldset>
    }
}

fn lives(typed: &str) -> impl IntoView + use<> {
    let chosen = typed.parse().ok().filter(|hours| LIVES.iter().any(|(life, _)| life == hours));
    let chosen = chosen.unwrap_or(USUAL_HOURS);
    let options = LIVES.map(|(hours, words)| {
        view! { <option value=hours.to_string() selected=hours == chosen>{words}</option> }
    });
    view! {
        <div class="field">
            <label for="token-hours">"Good until, from now"</label>
            <select id="token-hours" name="hours">{options.collect_view()}</select>
        </div>
    }
}

/// The password, or a fresh sign-in: what [`proof::field`] says, with the way back to this page.
fn confirmation(given: Proof, problem: Option<&Problem>) -> AnyView {
    match given {
        Proof::RecentSignIn { fresh: false } => view! {
            <p class="hint">
                "Your account has no password, so you have to have signed in a moment ago. "
                <a href="/sign-in?next=/tokens">"Sign in again"</a>
                " with a new link, and come back."
            </p>
        }
        .into_any(),
        other => proof::field(other, "token-password", problem),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_300_000_000);

    fn page(role: Role, tokens: Vec<Token>, made: Option<Made>) -> String {
        let screen = TokensScreen {
            tokens: Tokens { now: NOW, tokens },
            role,
            proof: Proof::Password,
            revoked: false,
            made,
            problem: None,
            typed: TypedToken::default(),
        };
        crate::server::render(move || screen.view())
    }

    fn token(expires: i64, last_used: Option<i64>) -> Token {
        Token {
            id: "0123456789ab".to_owned(),
            name: "<ci>".to_owned(),
            scopes: Scopes::new([Scope::Rotate]),
            created: Timestamp(NOW.0 - 3_600_000),
            expires: Timestamp(NOW.0 + expires),
            last_used: last_used.map(|ago| Timestamp(NOW.0 - ago)),
        }
    }

    #[test]
    fn a_row_says_all_that_is_known() {
        let html = page(Role::Admin, vec![token(86_400_000, Some(120_000))], None);
        for part in ["&lt;ci&gt;", "read rotate", "0123456789ab", "1 h ago", "in 1 d", "2 min ago"] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("Expired"));
        let html = page(Role::Admin, vec![token(-1, None)], None);
        assert!(html.contains("Expired") && html.contains("never"), "{html}");
    }

    #[test]
    fn nobody_is_offered_more_than_their_role() {
        let table = [(Role::Viewer, 0), (Role::Operator, 2), (Role::Admin, 3)];
        for (role, offered) in table {
            let html = page(role, Vec::new(), None);
            assert_eq!(html.matches(r#"value="yes""#).count(), offered, "{role:?}: {html}");
            assert!(html.contains("You have none."));
        }
    }

    #[test]
    fn a_new_token_stands_there_once() {
        let made = Made { name: "ci".to_owned(), text: "lk_0123456789ab_secret".to_owned() };
        let html = page(Role::Viewer, Vec::new(), Some(made));
        assert_eq!(html.matches("lk_0123456789ab_secret").count(), 1, "{html}");
    }
}
