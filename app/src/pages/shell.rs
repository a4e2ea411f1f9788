//! The frame around every page: document head, navigation, and the script that wakes the islands.

use leptos::prelude::*;
use model::stack::Stack;

/// What a page without JavaScript puts behind its address when it reloads itself, so that a page
/// nobody looks at does not keep a session alive.
const SELF_REFRESH: &str = "refresh=self";

/// What the deploys' page asks for by its script.
pub const FRAGMENT: &str = "/deploys/fragment";
/// How the address of what a script asks for ends, and what stands last behind it when the person has
/// touched the page since the last time.
const FRAGMENTS: &str = "/fragment";
const ACTIVE: &str = "active";
/// Where pages hear that there is something newer.
pub const EVENTS: &str = "/events";

/// What the logs' page asks for anew every few minutes while it follows.
const TAIL: &str = "/logs/tail";

/// Whether it is no page that is asked for, but what stands in one: its script asks, in the background.
pub fn is_asked_by_script(path: &str) -> bool {
    path.ends_with(FRAGMENTS) || path == EVENTS
}

/// Whether a page has asked for itself, and nobody for it.
pub fn refreshes_itself(path: &str, query: Option<&str>) -> bool {
    let itself = PLACES.iter().any(|(_, address, _)| *address == path);
    let last = query.and_then(|query| query.rsplit('&').next());
    (itself && last == Some(SELF_REFRESH))
        || (is_asked_by_script(path) && (last != Some(ACTIVE) || path == EVENTS))
        || path == TAIL
}

/// The browser's files, and the number that lets the page's one script run.
#[derive(Debug, Clone)]
pub struct Files {
    /// For the content security policy.
    pub nonce: String,
    /// Path of the script that wasm-bindgen wrote.
    pub js: String,
    /// Path of the program.
    pub wasm: String,
    /// Path of the style sheet.
    pub css: String,
}

/// Who looks, and at what.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The account's e-mail address.
    pub email: String,
    /// The stack.
    pub stack: Stack,
}

/// What the browser needs to know first.
#[derive(Debug, Clone)]
pub struct Head {
    /// The browser's files.
    pub files: Files,
    /// The page's title.
    pub title: String,
    /// Without JavaScript: after how many seconds the page loads itself anew, and from where, if that is
    /// not its place in the navigation.
    pub reload: Option<(u32, Option<String>)>,
    /// What a page without islands runs.
    pub script: Option<&'static str>,
}

/// The whole document. With a `visit` the content stands beside the navigation, otherwise alone.
pub fn document<V: IntoView + 'static>(
    head: Head,
    visit: Option<Visit>,
    content: impl FnOnce() -> V + Send + 'static,
) -> impl IntoView {
    let current = place(&head.title).0;
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <DocumentHead head/>
            <body>
                {match visit {
                    Some(visit) => view! { <SignedIn visit current>{content()}</SignedIn> }.into_any(),
                    None => view! { <Alone>{content()}</Alone> }.into_any(),
                }}
            </body>
        </html>
    }
}

#[component]
fn DocumentHead(head: Head) -> impl IntoView {
    let Head { files: Files { nonce, js, wasm, css }, title, reload, script } = head;
    let own = script.is_some();
    let script = script.map_or_else(|| wake_script(&js, &wasm), str::to_owned);
    let reload = reload.map(|(seconds, address)| {
        let address = address.unwrap_or_else(|| place(&title).1.to_owned());
        let next = if address.contains('?') { '&' } else { '?' };
        format!("{seconds};url={address}{next}{SELF_REFRESH}")
    });
    view! {
        <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <meta name="color-scheme" content="light dark"/>
            <meta name="robots" content="noindex"/>
            <title>{format!("{title} \u{b7} Lockkeeper")}</title>
            <link rel="icon" type="image/svg+xml" href="/favicon.svg"/>
            <link rel="stylesheet" href=css/>
            {(!own).then(|| view! {
                <link rel="modulepreload" href=js crossorigin="anonymous"/>
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
            })}
            {reload.map(|content| view! { <noscript><meta http-equiv="refresh" content=content/></noscript> })}
            <script type="module" nonce=nonce inner_html=script></script>
        </head>
    }
}

/// Loads the browser part, wakes each island that stands in the page, and then says so on `<html>`,
/// which is what tests wait for. The two paths were checked when they were read: nothing in them
/// needs quoting.
fn wake_script(js: &str, wasm: &str) -> String {
    format!(
        "import init,* as app from \"{js}\";\
         await init({{module_or_path:\"{wasm}\"}});\
         app.hydrate();\
         for(const island of document.querySelectorAll(\"leptos-island\"))app[island.dataset.component](island);\
         document.documentElement.dataset.hydrated=\"\";"
    )
}

/// The frame for somebody who is signed in.
#[component]
fn SignedIn(visit: Visit, current: &'static str, children: Children) -> impl IntoView {
    let Visit { email, stack } = visit;
    let tokens = (current == TOKENS.0).then_some("page");
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="shell">
            <header class="rail">
                <a class="brand" href="/"><Logo/><span>"Lockkeeper"</span></a>
                <dl class="stack">
                    <div class="stack__name"><dt>"Function"</dt><dd>{stack.function}</dd></div>
                    <div><dt>"Region"</dt><dd>{stack.region}</dd></div>
                    <div><dt>"HTTP API"</dt><dd>{stack.api_id}</dd></div>
                    <div><dt>"Stage"</dt><dd>{stack.stage}</dd></div>
                </dl>
                <nav class="nav" aria-label="Main">
                    <ul>{PLACES.map(|place| view! { <NavItem place current/> }).collect_view()}</ul>
                </nav>
                <div class="account">
                    <span class="account__email" title=email.clone()>{email.clone()}</span>
                    <a class="account__link" href=TOKENS.1 aria-current=tokens>{TOKENS.0}</a>
                    <form method="post" action="/sign-out">
                        <button class="button button--quiet" type="submit">"Sign out"</button>
                    </form>
                </div>
            </header>
            <main id="main" class="main" tabindex="-1">{children()}</main>
        </div>
    }
}

/// The pages there are: title, address, and the icon's path in a square of 16.
const PLACES: [(&str, &str, &str); 8] = [
    ("Overview", "/", "M2 2h5v7H2zM9 2h5v4H9zM9 8h5v6H9zM2 11h5v3H2z"),
    ("Metrics", "/charts", "M2 2v12h12M4.5 10.5l3-3.5 2.5 2 3.5-5"),
    ("Errors", "/errors", "M8 1.5 15 14H1zM8 6v4M8 11.8v.4"),
    ("Requests", "/requests", "M7 2a5 5 0 1 0 0 10A5 5 0 0 0 7 2zM10.7 10.7 14.5 14.5"),
    ("Logs", "/logs", "M2 3h12M2 6.3h8M2 9.7h12M2 13h6"),
    ("Alarms", "/alarms", "M3.6 11V7a4.4 4.4 0 0 1 8.8 0v4l1.4 1.5H2.2zM6.6 12.5a1.4 1.4 0 0 0 2.8 0"),
    ("Secret", "/secret", "M5 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM7.5 7.5 14 1.5M11 4.3l2.3 2.4"),
    ("Deploys", "/deploys", "M8 10.5V1.8M4.8 5 8 1.8 11.2 5M2 9.5v4.7h12V9.5"),
];

/// What is somebody's own, and so stands beside their name: title and address.
const TOKENS: (&str, &str) = ("Access tokens", "/tokens");

/// Pages that belong to a place.
const WITHIN: [(&str, &str); 5] = [
    ("New deploy", "Deploys"),
    ("Check the deploy", "Deploys"),
    ("Metrics as a table", "Metrics"),
    ("Request", "Requests"),
    ("Check the change", "Alarms"),
];

/// The place with this title, which may say first that there is an error; for other pages' titles, one
/// without a name that leads to the overview.
fn place(title: &str) -> (&'static str, &'static str) {
    let name = title.strip_prefix("Error: ").unwrap_or(title);
    let name = WITHIN.iter().find(|(page, _)| *page == name).map_or(name, |(_, place)| place);
    let mut places = PLACES.iter().map(|(title, address, _)| (*title, *address)).chain([TOKENS]);
    places.find(|(title, _)| *title == name).unwrap_or(("", "/"))
}

#[component]
fn NavItem(place: (&'static str, &'static str, &'static str), current: &'static str) -> impl IntoView {
    let (title, address, icon) = place;
    let here = (title == current).then_some("page");
    view! {
        <li>
            <a class="nav__link" href=address aria-current=here>
                <svg class="nav__icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=icon></path></svg>
                {title}
            </a>
        </li>
    }
}

/// The frame for everybody else: the content in the middle.
#[component]
fn Alone(children: Children) -> impl IntoView {
    view! {
        <div class="alone">
            <header class="brand brand--alone"><Logo/><span>"Lockkeeper"</span></header>
            <main id="main" class="alone__main" tabindex="-1">{children()}</main>
        </div>
    }
}

/// The lock gate: two leaves that lean against the water, as in `public/favicon.svg`.
#[component]
fn Logo() -> impl IntoView {
    view! {
        <svg class="brand__logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path class="brand__gate" d="M4 5v22M28 5v22M4 9l12 5 12-5M4 17l12 5 12-5M16 14v8"></path>
            <path class="brand__water" d="M4 28c2-1.6 4-1.6 6 0s4 1.6 6 0 4-1.6 6 0 4 1.6 6 0"></path>
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_where_one_is() {
        let table = [
            ("Overview", ("Overview", "/")),
            ("Secret", ("Secret", "/secret")),
            ("Error: Secret", ("Secret", "/secret")),
            ("Access tokens", ("Access tokens", "/tokens")),
            ("Error: New deploy", ("Deploys", "/deploys")),
            ("Page not found", ("", "/")),
        ];
        for (title, expected) in table {
            assert_eq!(place(title), expected, "{title}");
        }
    }

    #[test]
    fn only_a_page_itself_refreshes_itself() {
        let table = [
            ("/", Some("refresh=self"), true),
            ("/secret", Some("refresh=self"), true),
            ("/secret", None, false),
            ("/secret", Some("rotation=1&refresh=self"), true),
            ("/secret/rotate", Some("refresh=self"), false),
            ("/deploys/fragment", None, true),
            ("/deploys/fragment", Some("active"), false),
            ("/charts", Some("range=1h&refresh=self"), true),
            ("/charts/fragment", Some("range=1h"), true),
            ("/charts/fragment", Some("range=1h&active"), false),
            ("/events", Some("page=charts"), true),
            ("/logs/tail", Some("group=function"), true),
            ("/logs", None, false),
            ("/secret/fragment", Some("rotation=1"), true),
            ("/secret/fragment", Some("rotation=1&active"), false),
            ("/events", Some("page=secret"), true),
            ("/events", Some("page=secret&active"), true),
        ];
        for (path, query, expected) in table {
            assert_eq!(refreshes_itself(path, query), expected, "{path} {query:?}");
        }
    }
}
