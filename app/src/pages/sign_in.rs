//! Signing in: the form, and the page behind a sign-in link.

use std::fmt::Write;

use leptos::prelude::*;
use model::problem::Problem;
use model::time::in_words;

use crate::components::form::{Field, FieldText};
use crate::components::notice::{Notice as NoticeBox, ProblemNotice};
use crate::components::status::Tone;

/// Why somebody stands before the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Signed out by their own wish.
    SignedOut,
    /// The session is over.
    Ended,
    /// The link is unknown, used or too old.
    LinkOver,
    /// Signed out by the portal: too many wrong passwords where one was asked for once more.
    WrongTooOften,
}

impl Notice {
    const ALL: [(Self, &'static str); 4] = [
        (Self::SignedOut, "signed-out"),
        (Self::Ended, "session-over"),
        (Self::LinkOver, "link-over"),
        (Self::WrongTooOften, "wrong-too-often"),
    ];

    /// From the page's address.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(notice, _)| *notice)
    }

    fn to_text(self) -> &'static str {
        Self::ALL.iter().find(|(notice, _)| *notice == self).map_or("", |(_, name)| name)
    }

    fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::SignedOut => ("You have signed out.", None),
            Self::Ended => (
                "Your session is over.",
                Some("It ends after 8 hours, after 30 minutes without use, and when you sign out."),
            ),
            Self::WrongTooOften => (
                "You have been signed out after too many wrong passwords.",
                Some("Nothing was done. Sign in to go on."),
            ),
            Self::LinkOver => (
                "This sign-in link is not good any more.",
                Some("A link works once and for 15 minutes. Ask for a new one, or use your password."),
            ),
        }
    }
}

/// The sign-in page's address, with the reason and where to go afterwards.
pub fn address(notice: Option<Notice>, next: Option<&str>) -> String {
    let next = next.map(|next| local_path(Some(next))).filter(|next| *next != "/");
    let notice = notice.map(|notice| format!("notice={}", notice.to_text()));
    let next = next.map(|next| format!("next={}", escape(next)));
    let query: Vec<String> = [notice, next].into_iter().flatten().collect();
    if query.is_empty() { "/sign-in".to_owned() } else { format!("/sign-in?{}", query.join("&")) }
}

/// `next` if it leads to a page of this portal, else the overview: nobody may be sent elsewhere after
/// signing in. Browsers read `\` as `/` and skip control characters, hence the strictness.
pub fn local_path(next: Option<&str>) -> &str {
    let local = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !path.starts_with("/sign-")
    };
    next.filter(local).unwrap_or("/")
}

/// For the value of a query parameter (RFC 3986: what is not unreserved is escaped).
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// The form, as it was sent before if it was.
#[derive(Debug, Default)]
pub struct SignInPage {
    /// Why the person is here.
    pub notice: Option<Notice>,
    /// Where to go afterwards.
    pub next: Option<String>,
    /// The e-mail address as it was typed.
    pub email: String,
    /// No e-mail address was given.
    pub email_missing: bool,
    /// No password was given.
    pub password_missing: bool,
    /// The two don't fit. Which of them is wrong is not said.
    pub wrong: bool,
    /// Too many tries: how many seconds to wait.
    pub wait_seconds: Option<u64>,
    /// The portal failed.
    pub problem: Option<Problem>,
}

impl SignInPage {
    /// The document's title: an error comes first in it, as screen readers read it first.
    pub fn title(&self) -> &'static str {
        if self.failed() { "Error: Sign in" } else { "Sign in" }
    }

    fn failed(&self) -> bool {
        self.wrong || self.email_missing || self.password_missing || self.wait_seconds.is_some()
    }

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let failed = self.failed();
        let summary = failed.then(|| self.summary());
        let Self { notice, next, email, email_missing, password_missing, problem, .. } = self;
        let next = next.filter(|next| local_path(Some(next)) != "/");
        let email = FieldText {
            id: "email",
            name: "email",
            label: "E-mail address",
            kind: "email",
            autocomplete: "username",
            value: email,
            wrong: email_missing.then_some("Enter your e-mail address."),
            ..FieldText::default()
        };
        let password = FieldText {
            id: "password",
            name: "password",
            label: "Password",
            kind: "password",
            autocomplete: "current-password",
            wrong: password_missing.then_some("Enter your password."),
            ..FieldText::default()
        };
        view! {
            <h1>"Sign in"</h1>
            {notice.filter(|_| !failed).map(|notice| {
                let (message, next) = notice.words();
                view! { <div role="status"><NoticeBox tone=Tone::Plain message next=next.map(str::to_owned)/></div> }
            })}
            {problem.map(|problem| view! { <div role="alert"><ProblemNotice problem/></div> })}
            {summary}
            <form class="form" method="post" action="/sign-in" novalidate>
                {next.map(|next| view! { <input type="hidden" name="next" value=next/> })}
                <Field text=email first=!failed/>
                <Field text=password/>
                <button class="button button--primary" type="submit">"Sign in"</button>
            </form>
            <p class="hint">"No password? An administrator of this portal can print you a sign-in link."</p>
        }
    }

    /// What is wrong, first in the page and with the focus on it.
    fn summary(&self) -> impl IntoView + use<> {
        let wait = self.wait_seconds.map(|seconds| {
            format!("Too many tries from your address. Wait {} and try again.", in_words(seconds))
        });
        let wrong = self.wrong.then(|| "E-mail address or password is wrong.".to_owned());
        let link = |missing: bool, href: &'static str, text: &'static str| {
            missing.then(|| view! { <li><a href=href>{text}</a></li> })
        };
        view! {
            <div class="errors" role="alert" tabindex="-1" autofocus>
                <h2>"There is a problem"</h2>
                {wait.or(wrong).map(|sentence| view! { <p>{sentence}</p> })}
                <ul>
                    {link(self.email_missing, "#email", "Enter your e-mail address.")}
                    {link(self.password_missing, "#password", "Enter your password.")}
                </ul>
            </div>
        }
    }
}

/// The page behind a sign-in link.
pub struct LinkPage {
    /// The link's token, as it stands in the address.
    pub token: String,
}

impl LinkPage {
    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        let action = format!("/sign-in/link/{}", escape(&self.token));
        view! {
            <h1>"Sign in"</h1>
            <p>"This link signs you in once."</p>
            <form class="form" method="post" action=action>
                <button class="button button--primary" type="submit" autofocus>"Sign in"</button>
            </form>
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        let table = [
            ("/", "/"),
            ("/metrics?hours=3", "/metrics?hours=3"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("https://evil.example", "/"),
            ("javascript:alert(1)", "/"),
            ("/sign-out", "/"),
            ("", "/"),
        ];
        for (next, path) in table {
            assert_eq!(local_path(Some(next)), path, "{next}");
        }
        assert_eq!(local_path(None), "/");
    }

    #[test]
    fn the_address_carries_reason_and_aim() {
        assert_eq!(address(None, None), "/sign-in");
        assert_eq!(address(None, Some("/")), "/sign-in");
        let both = address(Some(Notice::Ended), Some("/logs?a=1&b=2"));
        assert_eq!(both, "/sign-in?notice=session-over&next=/logs%3Fa%3D1%26b%3D2");
        for (notice, name) in Notice::ALL {
            assert_eq!(Notice::from_text(name), Some(notice));
        }
    }
}
