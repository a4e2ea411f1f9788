//! The overview: is the API healthy, what runs, with which secret, and how it fares.
//!
//! One island holds all of it. The server renders it from an [`Overview`], the browser takes over
//! with the same code and the same data, and from then on only what has changed in a newer one is
//! touched in the page: nothing flickers, focus and scroll position stay.

mod alarms;
mod attention;
mod function;
mod health;
#[cfg(test)]
mod sample;
mod secret;
mod traffic;

use leptos::prelude::*;
use model::overview::Overview;

use crate::calls::overview::get_overview;
use crate::components::attention::Attention;
use crate::components::live::{Beat, EVERY_MS, Live, RefreshBar};
use attention::{headline, matters};

/// The page.
pub struct OverviewPage {
    /// What it shows at first.
    pub overview: Overview,
}

impl OverviewPage {
    /// How often it is loaded anew where there is no JavaScript, in seconds.
    pub const RELOAD_SECONDS: u32 = 30;

    /// As a page.
    pub fn view(self) -> impl IntoView + use<> {
        view! { <LiveOverview initial=self.overview/> }
    }
}

/// The overview, refreshing itself.
#[island]
fn LiveOverview(
    /// What the server read.
    initial: Overview,
) -> impl IntoView {
    let overview = RwSignal::new(initial);
    let live = Live::start(overview.with_untracked(beat), move |active| {
        Box::pin(async move {
            let newer = get_overview(active).await?;
            let beat = beat(&newer);
            overview.set(newer);
            Ok(beat)
        })
    });
    let now = live.now();
    let health = Memo::new(move |_| overview.with(|overview| overview.health.clone()));
    let function = Memo::new(move |_| overview.with(|overview| overview.function.clone()));
    let secret = Memo::new(move |_| overview.with(|overview| overview.secret.clone()));
    let alarms = Memo::new(move |_| overview.with(|overview| overview.alarms.clone()));
    let traffic = Memo::new(move |_| overview.with(|overview| overview.traffic.clone()));
    let rotations =
        Memo::new(move |_| overview.with(|overview| overview.rotations.value.clone().unwrap_or_default()));
    let alias = overview.with_untracked(|overview| overview.stack.alias.clone());
    let status_url = overview.with_untracked(|overview| overview.stack.status_url.clone());
    let attention = Memo::new(move |_| overview.with(|overview| matters(overview, now.get())));
    view! {
        <div class="page-head">
            <h1>"Overview"</h1>
            <RefreshBar live address="/"/>
        </div>
        {move || {
            let matters = attention.get();
            view! { <Attention headline=headline(matters.len()) matters/> }
        }}
        <div class="grid">
            {move || health::region(health.get(), now, status_url.clone())}
            {move || alarms::region(alarms.get(), now)}
            {move || traffic::region(traffic.get(), rotations.get(), now)}
            {move || function::region(function.get(), now, alias.clone())}
            {move || secret::region(secret.get(), now)}
            {move || health::database_region(health.get(), now)}
        </div>
    }
}

fn beat(overview: &Overview) -> Beat {
    Beat { at: overview.now, every_ms: EVERY_MS }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::server::render;
    use model::overview::Reading;
    use model::problem::{Problem, ProblemKind};

    fn html(overview: Overview) -> String {
        render(move || OverviewPage { overview }.view())
    }

    #[test]
    fn the_server_renders_every_region() {
        let page = html(sample::healthy());
        for name in ["Health", "Alarms", "Traffic", "Function", "Secret", "Database"] {
            let heading = format!(">{name}</h2>");
            assert!(page.contains(&heading), "{heading} in {page}");
        }
        for text in
            ["Healthy", "Nothing needs attention", "7,214", "0.39 %", "84 ms", "12 d 4 h", "17 d 20 h"]
        {
            assert!(page.contains(text), "{text} in {page}");
        }
        assert_eq!(page.matches("class=\"spark__plot\"").count(), 4);
        assert!(!page.contains(" style="), "the content security policy forbids it");
    }

    #[test]
    fn what_is_old_says_so_and_is_shown() {
        let page = html(sample::troubled());
        for text in
            ["Out of date", "CloudWatch refused", "7,214", "Unhealthy", "In alarm", "2 h 5 min overdue"]
        {
            assert!(page.contains(text), "{text} in {page}");
        }
    }

    #[test]
    fn a_part_that_was_never_read_leaves_the_others_alone() {
        let mut overview = sample::healthy();
        let problem = Problem::new(ProblemKind::Forbidden, "The role may not do that.");
        overview.health = Reading::missing(problem.clone(), overview.now);
        overview.traffic = Reading::missing(problem, overview.now);
        let page = html(overview);
        assert!(
            page.contains("The role may not do that.") && page.contains("Nothing has been read yet."),
            "{page}"
        );
        assert!(page.contains("tried") && page.contains("12 d 4 h"), "{page}");
    }

    #[test]
    fn words_from_elsewhere_are_escaped() {
        let mut overview = sample::healthy();
        if let Some(alarms) = &mut overview.alarms.value {
            alarms[0].name = "<script>alert(1)</script>\"'".to_owned();
        }
        assert!(!html(overview).contains("<script>"));
    }
}
