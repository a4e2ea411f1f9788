//! Keeps a page fresh: asks for newer data while the page can be seen, counts ages on, and says how
//! it goes.
//!
//! What a page shows is the page's own affair: it hands over a question that fetches it, puts it
//! where the page's views look, and says when to ask again. So this is in the browser's program once,
//! however many pages use it.
//!
//! Nothing of this runs on the server, where effects don't. In a page that was opened long ago and
//! hidden since, the first tick after it is seen again asks at once.

use std::pin::Pin;
use std::sync::Arc;

use futures::future::{AbortHandle, abortable};
use leptos::prelude::*;
use leptos::task::spawn_local;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

use super::age::relative;
use super::status::{StatusMark, Tone};
use crate::browser;
use crate::calls::CallError;

/// How often a page that stands still asks: the server reads health anew as often.
pub const EVERY_MS: i64 = 5_000;
/// The longest pause after failures.
const LONGEST_PAUSE_MS: i64 = 40_000;
/// An answer that takes longer is given up. The server gives up after 10 s.
const PATIENCE_MS: i64 = 15_000;

/// How refreshing goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// As it should.
    Fresh,
    /// Stopped by the person.
    Paused,
    /// The newest attempt failed.
    Failing(Problem),
    /// Nobody is signed in any more.
    Over,
}

/// When what a page shows was put together, and when to ask for newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// By the server's clock.
    pub at: Timestamp,
    /// Milliseconds from one question to the next.
    pub every_ms: i64,
}

/// A question under way; what comes of it is in the page's signals by the time it ends.
pub type Asked = Pin<Box<dyn Future<Output = Result<Beat, CallError>>>>;

/// What asks. It is told whether the person has touched the page since the last time.
type Ask = Arc<dyn Fn(bool) -> Asked + Send + Sync>;

/// A page that stays fresh. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Live {
    beat: RwSignal<Beat>,
    now: RwSignal<Timestamp>,
    standing: RwSignal<Standing>,
    clockwork: StoredValue<Clockwork>,
}

/// What the timer has to remember; nothing of it is shown.
struct Clockwork {
    /// What is asked.
    ask: Ask,
    /// When the newest answer arrived, by the browser's clock.
    received: Timestamp,
    /// When the last question was asked, by the browser's clock.
    asked: Timestamp,
    /// Failures in a row.
    failures: u32,
    /// The request under way.
    under_way: Option<AbortHandle>,
    /// Whether the person has touched the page since the last request.
    touched: bool,
}

impl Live {
    /// Starts with what the server read. In the browser it begins to tick.
    pub fn start(first: Beat, ask: impl Fn(bool) -> Asked + Send + Sync + 'static) -> Self {
        let here = browser::now();
        let live = Self {
            now: RwSignal::new(first.at),
            beat: RwSignal::new(first),
            standing: RwSignal::new(Standing::Fresh),
            clockwork: StoredValue::new(Clockwork {
                ask: Arc::new(ask),
                received: here,
                asked: here,
                failures: 0,
                under_way: None,
                touched: false,
            }),
        };
        Effect::new(move |_| {
            browser::every_second(move || live.tick());
            browser::on_touch(move || live.clockwork.update_value(|clockwork| clockwork.touched = true));
        });
        live
    }

    /// The present, by the server's clock: ticks once a second.
    pub fn now(self) -> Signal<Timestamp> {
        self.now.into()
    }

    /// Asks now.
    pub fn refresh(self) {
        let answer = self.clockwork.try_update_value(|clockwork| {
            let (answer, handle) = abortable((clockwork.ask)(std::mem::take(&mut clockwork.touched)));
            if let Some(before) = clockwork.under_way.replace(handle) {
                before.abort();
            }
            clockwork.asked = browser::now();
            answer
        });
        let Some(answer) = answer else { return };
        spawn_local(async move {
            // An aborted one was given up and has been dealt with.
            if let Ok(answer) = answer.await {
                self.clockwork.update_value(|clockwork| clockwork.under_way = None);
                self.settle(answer);
            }
        });
    }

    fn pause_or_go_on(self) {
        match self.standing.get_untracked() {
            Standing::Paused => {
                self.standing.set(Standing::Fresh);
                self.refresh();
            }
            // There is nothing to pause, and the way to the sign-in must stay in sight.
            Standing::Over => {}
            Standing::Fresh | Standing::Failing(_) => self.standing.set(Standing::Paused),
        }
    }

    fn tick(self) {
        if browser::hidden() {
            return;
        }
        let here = browser::now();
        let standing = self.standing.get_untracked();
        let step = self.clockwork.with_value(|clockwork| {
            let beat = self.beat.get_untracked();
            self.now.set(Timestamp(beat.at.0 + (here.0 - clockwork.received.0).max(0)));
            let pause = pause_ms(beat.every_ms, clockwork.failures);
            step(&standing, here.0 - clockwork.asked.0, pause, clockwork.under_way.is_some())
        });
        match step {
            Step::Wait => {}
            Step::Ask => self.refresh(),
            Step::GiveUp => {
                let under_way = self.clockwork.try_update_value(|clockwork| clockwork.under_way.take());
                under_way.flatten().inspect(AbortHandle::abort);
                self.settle(Err(CallError(Problem::new(
                    ProblemKind::TimedOut,
                    "The portal did not answer in time.",
                ))));
            }
        }
    }

    fn settle(self, answer: Result<Beat, CallError>) {
        match answer {
            Ok(beat) => {
                self.clockwork.update_value(|clockwork| {
                    clockwork.received = browser::now();
                    clockwork.failures = 0;
                });
                self.now.set(beat.at);
                self.beat.set(beat);
                if matches!(self.standing.get_untracked(), Standing::Failing(_) | Standing::Over) {
                    self.standing.set(Standing::Fresh);
                }
            }
            Err(CallError(problem)) if problem.kind == ProblemKind::NotSignedIn => {
                self.standing.set(Standing::Over)
            }
            Err(CallError(problem)) => {
                self.clockwork.update_value(|clockwork| clockwork.failures += 1);
                if self.standing.get_untracked() != Standing::Paused {
                    self.standing.set(Standing::Failing(problem));
                }
            }
        }
    }
}

/// What a tick leads to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Ask,
    GiveUp,
}

/// Milliseconds to wait from one question to the next: twice as long after each failure in a row.
fn pause_ms(every_ms: i64, failures: u32) -> i64 {
    every_ms.saturating_mul(1 << failures.min(8)).min(LONGEST_PAUSE_MS)
}

/// The tick's decision, all times in milliseconds. A time before the last question means that the
/// browser's clock was set back: as good as due.
fn step(standing: &Standing, since_asked: i64, pause: i64, under_way: bool) -> Step {
    match (under_way, standing) {
        (true, _) if !(0..PATIENCE_MS).contains(&since_asked) => Step::GiveUp,
        (true, _) | (false, Standing::Paused | Standing::Over) => Step::Wait,
        (false, Standing::Fresh | Standing::Failing(_)) if since_asked < 0 || since_asked >= pause => {
            Step::Ask
        }
        (false, Standing::Fresh | Standing::Failing(_)) => Step::Wait,
    }
}

/// How refreshing goes, and the two things that can be done about it.
#[component]
pub fn RefreshBar(
    /// What is refreshed.
    live: Live,
    /// The page's own address, for where there is no JavaScript.
    #[prop(into)]
    address: String,
) -> impl IntoView {
    let standing = live.standing;
    let read = move || relative(live.beat.get().at, live.now.get());
    let paused = move || standing.with(|standing| *standing == Standing::Paused);
    view! {
        <div class="refresh">
            <p class="refresh__age">"As of "{read}</p>
            <button class="button button--quiet needs-script" type="button" on:click=move |_| live.pause_or_go_on()>
                {move || if paused() { "Go on" } else { "Pause" }}
            </button>
            <a class="button button--quiet" href=address on:click=move |event| {
                event.prevent_default();
                live.refresh();
            }>"Refresh"</a>
        </div>
        <div class="refresh-state" role="status">{move || standing_notice(standing.get())}</div>
    }
}

fn standing_notice(standing: Standing) -> impl IntoView {
    let (tone, words, over) = match standing {
        Standing::Fresh => return None,
        Standing::Paused => (Tone::Plain, "Refreshing is paused.".to_owned(), false),
        Standing::Failing(problem) => {
            let words = format!("Refreshing fails: {} What you see is old; trying again.", problem.message);
            (Tone::Warn, words, false)
        }
        Standing::Over => (Tone::Warn, "Your session is over; what you see is old.".to_owned(), true),
    };
    Some(view! {
        <div class=format!("notice notice--{}", tone.name())>
            <StatusMark tone/>
            <div class="notice__text">
                <p>{words}</p>
                {over.then(|| view! { <p><a href="/sign-in?notice=session-over">"Sign in again"</a></p> })}
            </div>
        </div>
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_asks_waits_or_gives_up() {
        let failing = Standing::Failing(Problem::new(ProblemKind::Unreachable, "No."));
        let table = [
            (&Standing::Fresh, 4_999, 5_000, false, Step::Wait),
            (&Standing::Fresh, 5_000, 5_000, false, Step::Ask),
            (&Standing::Fresh, 1_000, 1_000, false, Step::Ask),
            (&Standing::Fresh, 5_000, 5_000, true, Step::Wait),
            (&Standing::Fresh, 15_000, 5_000, true, Step::GiveUp),
            // A clock that was set back must not stop the page.
            (&Standing::Fresh, -3_600_000, 5_000, false, Step::Ask),
            (&Standing::Fresh, -3_600_000, 5_000, true, Step::GiveUp),
            (&Standing::Paused, 60_000, 5_000, false, Step::Wait),
            (&Standing::Paused, 15_000, 5_000, true, Step::GiveUp),
            (&Standing::Over, 60_000, 5_000, false, Step::Wait),
            (&failing, 9_999, 10_000, false, Step::Wait),
            (&failing, 10_000, 10_000, false, Step::Ask),
        ];
        for (standing, since_asked, pause, under_way, expected) in table {
            assert_eq!(step(standing, since_asked, pause, under_way), expected, "{standing:?} {since_asked}");
        }
    }

    #[test]
    fn failures_lengthen_the_pause_up_to_a_limit() {
        let table = [
            (5_000, 0, 5_000),
            (5_000, 1, 10_000),
            (5_000, 3, 40_000),
            (5_000, 30, 40_000),
            (1_000, 0, 1_000),
            (1_000, 2, 4_000),
            (1_000, 30, 40_000),
        ];
        for (every_ms, failures, pause) in table {
            assert_eq!(pause_ms(every_ms, failures), pause, "{every_ms} {failures}");
        }
    }
}
