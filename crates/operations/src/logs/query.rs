//! Lines that were written: a page of them, or one of them with what stands around it.

use model::log_filter::{LogFilter, LogGroup, LogPage, LogPlace};
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;

use super::filter::{keeps, pattern};
use super::search::{Search, search, search_for};
use super::tail::LinePlace;
use crate::portal::Portal;

/// So many lines are on a page.
pub(crate) const PAGE: usize = 200;
/// So many pages of CloudWatch's are turned for one of these.
const MOST_PAGES: usize = 10;
/// So many lines stand before and behind the one that was looked for.
const AROUND: usize = 50;
/// They are of so long before and after it at most.
const AROUND_MS: i64 = 10 * 60_000;

impl Portal {
    /// The newest lines of a time that a filter lets through.
    ///
    /// # Errors
    /// `NotFound` for a log that is not there; what AWS says.
    pub async fn log_page(
        &self,
        filter: &LogFilter,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<LogPage, Problem> {
        let place = self.log_group(filter.group).await?;
        let asked = Search {
            group: place.clone(),
            stream: None,
            pattern: pattern(filter),
            from,
            to,
            lines: PAGE,
            pages: MOST_PAGES,
            newest_first: true,
        };
        let found = search_for(&self.clients.logs, &asked, |line| keeps(filter, line)).await?;
        // Lines of the millisecond that ends the page stand on the next one too: better twice than never.
        let older = match (found.whole, found.reached) {
            (true, _) => None,
            (false, Some(reached)) if reached < to => Some(reached),
            (false, _) => Some(Timestamp(to.0 - 1)),
        };
        Ok(LogPage { place, from, to, lines: found.lines, whole: found.whole, older })
    }

    /// A line, with what was written before and after it.
    ///
    /// # Errors
    /// As [`Portal::log_page`].
    pub async fn log_place(&self, group: LogGroup, line: &LinePlace) -> Result<LogPlace, Problem> {
        let place = self.log_group(group).await?;
        let asked = |from: i64, to: i64, newest_first| Search {
            group: place.clone(),
            stream: None,
            pattern: String::new(),
            from: Timestamp(from),
            to: Timestamp(to),
            // The line's own millisecond may have many.
            lines: if newest_first { AROUND } else { 4 * AROUND },
            pages: MOST_PAGES,
            newest_first,
        };
        let at = line.at.0;
        let (before, after) = (asked(at - AROUND_MS, at - 1, true), asked(at, at + AROUND_MS, false));
        let logs = &self.clients.logs;
        let (before, after) = futures::try_join!(search(logs, &before), search(logs, &after))?;
        let mut lines = before.lines;
        lines.reverse();
        let own = after.lines.iter().position(|other| other.id == line.id).unwrap_or_default();
        lines.extend(after.lines.into_iter().take(own + 1 + AROUND));
        Ok(LogPlace { place, line: line.id.clone(), lines })
    }

    /// The log group's name.
    ///
    /// # Errors
    /// `NotFound` where the stack has no such log; what AWS says.
    pub(crate) async fn log_group(&self, group: LogGroup) -> Result<String, Problem> {
        match group {
            LogGroup::Function => Ok(self.places().await?.function),
            LogGroup::Access => Ok(self.places().await?.access?.group),
            LogGroup::Rotation => match self.rotation_log_group().await {
                Some(group) => Ok(group),
                None => Err(Problem::new(
                    ProblemKind::NotFound,
                    "The secret has no rotation function, or it could not be read.",
                )
                .with_next("See the page \u{201c}Secret\u{201d}.")),
            },
        }
    }
}
