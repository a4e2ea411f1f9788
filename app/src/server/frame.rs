//! Renders pages. A page's data is read before its rendering starts, so rendering neither waits nor
//! streams: it makes one string, which either goes out whole or not at all. (Streamed rendering
//! suffers when visitors leave early.)

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use hydration_context::SsrSharedContext;
use leptos::prelude::{IntoView, Owner};

use super::App;
use super::security::Nonce;
use super::session::Visitor;
use crate::pages::shell::{self, Files, Visit};

/// All that a page needs besides its own content.
pub struct Frame {
    files: Files,
    visit: Option<Visit>,
    reload: Option<(u32, Option<String>)>,
    script: Option<&'static str>,
}

impl Frame {
    /// From what the middleware has put into a request.
    pub fn of(extensions: &Extensions, app: &App) -> Self {
        let nonce = extensions.get::<Nonce>().map(|nonce| nonce.0.clone()).unwrap_or_default();
        let manifest = app.assets.manifest().clone();
        let files = Files { nonce, js: manifest.js, wasm: manifest.wasm, css: manifest.css };
        let visit = extensions
            .get::<Visitor>()
            .map(|visitor| Visit { email: visitor.email.clone(), stack: app.portal.stack().clone() });
        Self { files, visit, reload: None, script: None }
    }

    /// The same for a page that, where there is no JavaScript, loads itself anew in that rhythm.
    #[must_use]
    pub fn reloading(self, seconds: u32) -> Self {
        Self { reload: Some((seconds, None)), ..self }
    }

    /// The same for a page whose address says what it shows.
    #[must_use]
    pub fn reloading_from(self, seconds: u32, address: String) -> Self {
        Self { reload: Some((seconds, Some(address))), ..self }
    }

    /// The same for a page without islands, with a script of its own in place of their program.
    #[must_use]
    pub fn with_script(self, script: &'static str) -> Self {
        Self { script: Some(script), ..self }
    }

    /// The whole page.
    pub fn page<V: IntoView + 'static>(
        self,
        status: StatusCode,
        title: &str,
        content: impl FnOnce() -> V + Send + 'static,
    ) -> Response {
        let Self { files, visit, reload, script } = self;
        let title = title.to_owned();
        let head = shell::Head { files, title, reload, script };
        (status, Html(render(move || shell::document(head, visit, content)))).into_response()
    }
}

impl FromRequestParts<App> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions, app))
    }
}

/// Renders in an owner of its own, and cleans up all that the page has made.
pub fn render<V: IntoView>(view: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let html = owner.with(|| view().to_html());
    owner.unset_with_forced_cleanup();
    html
}
