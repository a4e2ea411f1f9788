//! Where the page is: the range, the part and the time zone, as its address says them.

use chrono_tz::Tz;
use model::metrics::{Range, Scope, Span, Window};
use model::time::Timestamp;

use super::times;
use crate::pages::shell::EVENTS;

/// Where the page is.
pub const PATH: &str = "/charts";

/// What the address says.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// Which time.
    pub range: Range,
    /// Which part of the function's figures.
    pub scope: Scope,
    /// The reader's time zone.
    pub zone: Tz,
}

impl Address {
    /// The page itself.
    pub fn page(&self) -> String {
        format!("{PATH}?{}", self.query())
    }

    /// The same for another range.
    pub fn with_range(&self, range: Range) -> String {
        Self { range, ..self.clone() }.page()
    }

    /// What the page's script asks for.
    pub fn fragment(&self) -> String {
        format!("{PATH}/fragment?{}", self.query())
    }

    /// Where its script hears that there is something newer.
    pub fn events(&self) -> String {
        format!("{EVENTS}?page=charts&{}", self.query())
    }

    /// A chart's values as a table.
    pub fn table(&self, chart: &str) -> String {
        format!("{PATH}/table?chart={chart}&{}", self.query())
    }

    /// A chart's values, or all, as a file.
    pub fn csv(&self, chart: Option<&str>) -> String {
        match chart {
            Some(chart) => format!("{PATH}/figures.csv?chart={chart}&{}", self.query()),
            None => format!("{PATH}/figures.csv?{}", self.query()),
        }
    }

    /// A range twice as long, around the middle of what is shown, and not beyond now.
    pub fn wider(&self, window: Window, now: Timestamp) -> String {
        let half = (window.to.0 - window.from.0) / 2;
        let to = (window.to.0 + half).min(now.0);
        let from = Timestamp(to - 4 * half);
        self.with_range(Range::Between { from, to: Timestamp(to) })
    }

    fn query(&self) -> String {
        let mut query = match self.range {
            Range::Last(span) => format!("range={}", span.name()),
            Range::Between { from, to } => format!("from={}&to={}", from.0, to.0),
        };
        if let Scope::Version(version) = &self.scope {
            query.push_str("&version=");
            query.push_str(version);
        }
        if self.zone != Tz::UTC {
            query.push_str("&tz=");
            // Names of zones are letters, digits, `/`, `_`, `-` and `+`; only the last needs care.
            query.push_str(&self.zone.name().replace('+', "%2B"));
        }
        query
    }
}

/// What stands behind `?`, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    /// A usual range's name.
    pub range: String,
    /// A range's beginning, and its end.
    pub from: String,
    /// See `from`.
    pub to: String,
    /// A version, or nothing for the alias.
    pub version: String,
    /// The time zone's name.
    pub tz: String,
    /// A chart's name.
    pub chart: String,
}

/// What is wrong with it: which field, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub why: &'static str,
}

impl Asked {
    /// The time zone; UTC where none is named.
    ///
    /// # Errors
    /// For a name that is none.
    pub fn zone(&self) -> Result<Tz, Wrong> {
        let name = self.tz.trim();
        if name.is_empty() {
            return Ok(Tz::UTC);
        }
        // The database's names, in whatever case somebody types them.
        name.parse().or_else(|_| {
            let found = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
            found.copied().ok_or(Wrong { field: "tz", why: "This is no time zone. One is Europe/Berlin." })
        })
    }

    /// All of it.
    ///
    /// # Errors
    /// The first field that can't be read.
    pub fn address(&self) -> Result<Address, Wrong> {
        let zone = self.zone()?;
        let scope = match self.version.trim() {
            "" => Scope::Alias,
            version => Scope::Version(version.to_owned()),
        };
        let typed = !self.from.trim().is_empty() || !self.to.trim().is_empty();
        let range = match self.range.trim() {
            "" if typed => {
                let read = |text, end, field| {
                    times::parse(text, zone, end)
                        .ok_or(Wrong { field, why: "This is no time. One is 2026-12-01 14:05." })
                };
                Range::Between {
                    from: read(&self.from, times::End::From, "from")?,
                    to: read(&self.to, times::End::To, "to")?,
                }
            }
            "" => Range::Last(Span::Hour),
            name => {
                let why = "There are the ranges 1h, 3h, 12h, 1d, 7d and 30d.";
                Range::Last(Span::from_name(name).ok_or(Wrong { field: "range", why })?)
            }
        };
        Ok(Address { range, scope, zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        let uri: http::Uri = format!("http://x/charts?{query}").parse().unwrap();
        axum::extract::Query::try_from_uri(&uri).unwrap().0
    }

    #[test]
    fn addresses_lead_back_to_themselves() {
        for query in [
            "range=1h",
            "range=30d&version=12",
            "from=1796083200000&to=1796086800000",
            "range=3h&version=7&tz=Europe/Berlin",
            "range=1d&tz=Etc/GMT%2B5",
        ] {
            let address = asked(query).address().unwrap();
            assert_eq!(address.page(), format!("/charts?{query}"));
        }
        assert_eq!(asked("").address().unwrap().page(), "/charts?range=1h");
        assert_eq!(asked("tz=europe/berlin").address().unwrap().zone, chrono_tz::Europe::Berlin);
    }

    #[test]
    fn what_is_typed_wins_over_nothing_and_is_told_when_wrong() {
        let typed = asked("from=2026-12-01T00:00&to=2026-12-01T01:00&tz=Europe/Berlin").address().unwrap();
        let Range::Between { from, to } = typed.range else { panic!("{typed:?}") };
        assert_eq!((from.0, to.0 - from.0), (1_796_079_600_000, 3_600_000));
        let table = [
            ("range=2h", "range"),
            ("from=yesterday&to=2026-12-01T01:00", "from"),
            ("from=2026-12-01T01:00", "to"),
            ("tz=Berlin", "tz"),
        ];
        for (query, field) in table {
            assert_eq!(asked(query).address().unwrap_err().field, field, "{query}");
        }
    }

    #[test]
    fn zooming_out_doubles_and_ends_now() {
        let window = Window { from: Timestamp(1_000_000), to: Timestamp(1_600_000), period_seconds: 60 };
        let address = asked("range=1h").address().unwrap();
        assert_eq!(address.wider(window, Timestamp(5_000_000)), "/charts?from=700000&to=1900000");
        assert_eq!(address.wider(window, Timestamp(1_600_000)), "/charts?from=400000&to=1600000");
    }
}
