//! A rollout: how a new version gets its share of the requests, and the note that the alias carries
//! of it.
//!
//! The alias's description is the one place that AWS changes together with the alias's version and
//! weights, and only where the revision is the one that was seen: so the state of a rollout stands
//! there, and any portal can go on with it. What does not fit (AWS: 256 characters) and does not
//! change stands in the function's tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, ProblemKind};
use crate::time::Timestamp;

/// The most shifts of a strategy: a rollout of more takes longer to follow than to do by hand.
const MOST_SHIFTS: usize = 20;
/// The shortest time a share is watched for, in seconds.
const LEAST_SECONDS: u32 = 10;
/// The longest: a day.
const MOST_SECONDS: u32 = 86_400;

/// How a new version gets its requests. Written, on the command line and in JSON, as `all`,
/// `canary 10%/5m`, `linear 10%/1m`, or a list of one's own: `5%/10m, 25%/10m, 50%/5m`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Strategy {
    /// All requests, as soon as the smoke request was answered well.
    AllAtOnce,
    /// A share for some time, then all.
    Canary(Shift),
    /// The share, and again as much after each time, until all.
    Linear(Shift),
    /// A list of shares, each for its time, then all.
    Custom(Vec<Shift>),
}

/// A share of the requests for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// In per cent, 1 to 99.
    pub percent: u8,
    /// For so many seconds.
    pub seconds: u32,
}

/// The strategies that AWS CodeDeploy has ready for Lambda, under which people know them.
pub const PRESETS: [&str; 9] = [
    "all",
    "canary 10%/5m",
    "canary 10%/10m",
    "canary 10%/15m",
    "canary 10%/30m",
    "linear 10%/1m",
    "linear 10%/2m",
    "linear 10%/3m",
    "linear 10%/10m",
];

impl Strategy {
    /// The shares and times before all requests go to the new version; none when they do at once.
    pub fn shifts(&self) -> Vec<Shift> {
        match self {
            Self::AllAtOnce => Vec::new(),
            Self::Canary(shift) => vec![*shift],
            Self::Linear(shift) => {
                let each = usize::from(shift.percent.max(1));
                let shares = (each..100).step_by(each).filter_map(|percent| u8::try_from(percent).ok());
                shares.map(|percent| Shift { percent, seconds: shift.seconds }).collect()
            }
            Self::Custom(shifts) => shifts.clone(),
        }
    }

    /// In words, for people.
    pub fn words(&self) -> String {
        let time = |shift: &Shift| seconds_in_words(shift.seconds);
        match self {
            Self::AllAtOnce => "all at once".to_owned(),
            Self::Canary(shift) => format!("{} % for {}, then all", shift.percent, time(shift)),
            Self::Linear(shift) => format!("{} % more every {}", shift.percent, time(shift)),
            Self::Custom(shifts) => {
                let parts: Vec<_> =
                    shifts.iter().map(|shift| format!("{} % for {}", shift.percent, time(shift))).collect();
                format!("{}, then all", parts.join(", "))
            }
        }
    }
}

/// Whole minutes where it is that, else seconds: a strategy's times are exact.
fn seconds_in_words(seconds: u32) -> String {
    if seconds.is_multiple_of(60) { format!("{} min", seconds / 60) } else { format!("{seconds} s") }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Strategy {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("all, canary 10%/5m, linear 10%/1m, or a list: 5%/10m, 25%/10m, 50%/5m"))
            .examples(["canary 10%/5m"])
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Strategy {}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds % 60 {
            0 => write!(f, "{}%/{}m", self.percent, self.seconds / 60),
            _ => write!(f, "{}%/{}s", self.percent, self.seconds),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllAtOnce => f.write_str("all"),
            Self::Canary(shift) => write!(f, "canary {shift}"),
            Self::Linear(shift) => write!(f, "linear {shift}"),
            Self::Custom(shifts) => {
                let parts: Vec<_> = shifts.iter().map(Shift::to_string).collect();
                f.write_str(&parts.join(", "))
            }
        }
    }
}

impl From<Strategy> for String {
    fn from(strategy: Strategy) -> Self {
        strategy.to_string()
    }
}

impl TryFrom<String> for Strategy {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl FromStr for Strategy {
    type Err = Problem;

    /// Reads a strategy as it is written.
    ///
    /// # Errors
    /// `Invalid`, with what is wrong with it.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let strategy = match text.split_once(' ') {
            _ if text == "all" => Self::AllAtOnce,
            Some(("canary", shift)) => Self::Canary(shift.parse()?),
            Some(("linear", shift)) => Self::Linear(shift.parse()?),
            _ => Self::Custom(text.split(',').map(str::parse).collect::<Result<_, _>>()?),
        };
        let shifts = strategy.shifts();
        if shifts.len() > MOST_SHIFTS {
            return Err(invalid(format!(
                "A strategy has at most {MOST_SHIFTS} shares; this one has {}.",
                shifts.len()
            )));
        }
        if shifts.is_sorted_by(|one, next| one.percent < next.percent) {
            return Ok(strategy);
        }
        Err(invalid("The shares of a strategy must grow.".to_owned()))
    }
}

impl FromStr for Shift {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let wrong = || {
            invalid(format!("{text:?} is no share and time: write 10%/5m for ten per cent for five minutes."))
        };
        let (share, time) = text.split_once('/').ok_or_else(wrong)?;
        let percent: u8 = share.trim().trim_end_matches('%').trim().parse().map_err(|_| wrong())?;
        let time = time.trim();
        let unit = time.char_indices().last().map(|(at, _)| at).ok_or_else(wrong)?;
        let (number, unit) = time.split_at_checked(unit).ok_or_else(wrong)?;
        let each = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return Err(wrong()),
        };
        let number: u32 = number.trim().parse().map_err(|_| wrong())?;
        let seconds = number.checked_mul(each).ok_or_else(wrong)?;
        if !(1..=99).contains(&percent) {
            return Err(invalid(format!("A share is 1 to 99 per cent; {percent} is not.")));
        }
        if !(LEAST_SECONDS..=MOST_SECONDS).contains(&seconds) {
            return Err(invalid(format!(
                "A share is watched for {LEAST_SECONDS} s to 24 h; {text:?} is not."
            )));
        }
        Ok(Self { percent, seconds })
    }
}

fn invalid(message: String) -> Problem {
    let next = "Write all, canary 10%/5m, linear 10%/1m, or a list such as 5%/10m, 50%/10m.";
    Problem::new(ProblemKind::Invalid, message).with_next(next)
}

/// What the alias's description says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A rollout is under way.
    Underway(Underway),
    /// What the last change was.
    Settled(Settled),
    /// Somebody else's words, or none.
    Other(String),
}

/// A rollout that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Underway {
    /// Its id: 32 hexadecimal digits.
    pub rollout: String,
    /// Where it stands.
    pub phase: Phase,
    /// The version that had all requests before it.
    pub old: String,
    /// The version that is to have them; none while it is not published.
    pub new: Option<String>,
    /// Since when it stands there.
    pub since: Timestamp,
    /// Whether it was told to stay there.
    pub paused: bool,
    /// Who started it.
    pub by: String,
}

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The code is being uploaded and published; no request goes to it.
    Prepare,
    /// The new version is being asked for the first time; no other request goes to it.
    Smoke,
    /// It has the strategy's share with this number, counted from 0.
    Shift(usize),
}

/// How the last rollout, or another change made from here, came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// How.
    pub how: Outcome,
    /// The version that has all requests.
    pub live: String,
    /// The version that had them before, or that was tried.
    pub other: Option<String>,
    /// When.
    pub since: Timestamp,
    /// Who.
    pub by: String,
    /// The rollout's id; none when it was no rollout.
    pub rollout: Option<String>,
    /// Why, where there is something to say; cut where it does not fit.
    pub why: Option<String>,
}

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// The new version has all requests.
    Promoted,
    /// The old version has all requests again.
    RolledBack,
    /// The new version never had any.
    Stopped,
    /// Somebody changed the alias from outside; what they did was left as it was.
    Overtaken,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Promoted, Self::RolledBack, Self::Stopped, Self::Overtaken];

    fn name(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled-back",
            Self::Stopped => "stopped",
            Self::Overtaken => "overtaken",
        }
    }
}

/// What every note of ours begins with.
const MARK: &str = "lockkeeper";
/// AWS: an alias's description has at most 256 characters.
const MOST_CHARS: usize = 256;
/// The most of a name that a note holds.
const MOST_OF_A_NAME: usize = 64;

impl Note {
    /// Reads a description.
    pub fn read(text: &str) -> Self {
        let ours = || {
            let rest = text.strip_prefix(MARK)?.strip_prefix(' ')?;
            let (fields, why) = match rest.split_once(" why=") {
                Some((fields, why)) => (fields, Some(why.to_owned())),
                None => (rest, None),
            };
            let field =
                |name: &str| fields.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            let since = Timestamp(field("since")?.parse::<i64>().ok()?.checked_mul(1_000)?);
            let by = field("by")?.to_owned();
            if let Some(phase) = field("phase") {
                return Some(Self::Underway(Underway {
                    rollout: field("rollout")?.to_owned(),
                    phase: Phase::read(phase)?,
                    old: field("old")?.to_owned(),
                    new: field("new").map(str::to_owned),
                    since,
                    paused: field("paused").is_some(),
                    by,
                }));
            }
            let how = field("how")?;
            Some(Self::Settled(Settled {
                how: Outcome::ALL.into_iter().find(|outcome| outcome.name() == how)?,
                live: field("live")?.to_owned(),
                other: field("other").map(str::to_owned),
                since,
                by,
                rollout: field("rollout").map(str::to_owned),
                why,
            }))
        };
        ours().unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl Phase {
    fn read(text: &str) -> Option<Self> {
        match text {
            "prepare" => Some(Self::Prepare),
            "smoke" => Some(Self::Smoke),
            _ => text.strip_prefix("shift")?.parse().ok().map(Self::Shift),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare => f.write_str("prepare"),
            Self::Smoke => f.write_str("smoke"),
            Self::Shift(number) => write!(f, "shift{number}"),
        }
    }
}

impl fmt::Display for Underway {
    /// As the alias's description has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rollout, phase, old, new, since, paused, by } = self;
        write!(f, "{MARK} rollout={rollout} phase={phase} old={old}")?;
        if let Some(new) = new {
            write!(f, " new={new}")?;
        }
        if *paused {
            f.write_str(" paused=1")?;
        }
        write!(f, " since={} by={}", since.0.div_euclid(1_000), name(by))
    }
}

impl fmt::Display for Settled {
    /// As the alias's description has it: at most 256 characters, the reason cut to fit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { how, live, other, since, by, rollout, why } = self;
        let mut text = format!("{MARK} how={} live={live}", how.name());
        if let Some(other) = other {
            text.push_str(&format!(" other={other}"));
        }
        if let Some(rollout) = rollout {
            text.push_str(&format!(" rollout={rollout}"));
        }
        text.push_str(&format!(" since={} by={}", since.0.div_euclid(1_000), name(by)));
        if let Some(why) = why {
            text.push_str(" why=");
            let room = MOST_CHARS.saturating_sub(text.chars().count());
            if why.chars().count() > room {
                text.extend(why.chars().take(room.saturating_sub(1)));
                text.push('…');
            } else {
                text.push_str(why);
            }
        }
        f.write_str(&text)
    }
}

/// A name in one word, at most so long.
fn name(by: &str) -> String {
    let word: String = by
        .chars()
        .map(|c| if c.is_whitespace() || c == '=' { '-' } else { c })
        .take(MOST_OF_A_NAME)
        .collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_read_and_written() {
        for text in PRESETS.into_iter().chain(["5%/10m, 25%/90s, 50%/5m", "canary 1%/10s", "linear 30%/2m"]) {
            let strategy: Strategy = text.parse().expect(text);
            assert_eq!(strategy.to_string(), text);
            assert_eq!(strategy.to_string().parse::<Strategy>().expect(text), strategy);
        }
        let shares = |text: &str| -> Vec<(u8, u32)> {
            let strategy: Strategy = text.parse().expect(text);
            strategy.shifts().iter().map(|shift| (shift.percent, shift.seconds)).collect()
        };
        assert_eq!(shares("all"), []);
        assert_eq!(shares("canary 10 % / 5 m"), [(10, 300)]);
        assert_eq!(shares("linear 30%/2m"), [(30, 120), (60, 120), (90, 120)]);
        assert_eq!(shares("linear 10%/1m").len(), 9);
        assert_eq!(shares("1%/1h"), [(1, 3_600)]);
    }

    #[test]
    fn what_is_no_strategy_says_why() {
        let table = [
            ("", "is no share and time"),
            ("canary", "is no share and time"),
            ("canary 10%", "is no share and time"),
            ("canary 0%/5m", "1 to 99"),
            ("canary 100%/5m", "1 to 99"),
            ("canary 300%/5m", "is no share and time"),
            ("canary 10%/9s", "10 s to 24 h"),
            ("canary 10%/25h", "10 s to 24 h"),
            ("canary 10%/99999999999h", "is no share and time"),
            ("canary 10%/5ü", "is no share and time"),
            ("linear 1%/1m", "at most 20"),
            ("50%/1m, 10%/1m", "must grow"),
            ("10%/1m, 10%/1m", "must grow"),
            ("10%/1m,", "is no share and time"),
        ];
        for (text, expected) in table {
            let problem = text.parse::<Strategy>().expect_err(text);
            assert!(problem.message.contains(expected), "{text}: {problem}");
        }
    }

    fn underway() -> Underway {
        Underway {
            rollout: "0123456789abcdef0123456789abcdef".to_owned(),
            phase: Phase::Shift(3),
            old: "1234567".to_owned(),
            new: Some("1234568".to_owned()),
            since: Timestamp(1_795_300_000_000),
            paused: true,
            by: "somebody-with-a-name-of-more-than-sixty-characters@subdomain.example.com".to_owned(),
        }
    }

    #[test]
    fn a_rollout_is_in_the_description_and_out_again() {
        let table = [
            underway(),
            Underway { phase: Phase::Prepare, new: None, paused: false, ..underway() },
            Underway { phase: Phase::Smoke, by: "ada@example.com".to_owned(), ..underway() },
        ];
        for mut underway in table {
            let text = underway.to_string();
            assert!(text.chars().count() <= 256, "{text}");
            underway.by = underway.by.chars().take(64).collect();
            assert_eq!(Note::read(&text), Note::Underway(underway), "{text}");
        }
    }

    #[test]
    fn an_end_is_in_the_description_and_out_again() {
        let settled = Settled {
            how: Outcome::RolledBack,
            live: "7".to_owned(),
            other: Some("8".to_owned()),
            since: Timestamp(1_795_300_000_000),
            by: "ada@example.com".to_owned(),
            rollout: Some("0123456789abcdef0123456789abcdef".to_owned()),
            why: Some("12 of 150 requests failed (8 %), why=not".to_owned()),
        };
        assert_eq!(Note::read(&settled.to_string()), Note::Settled(settled.clone()));
        let long = Settled { why: Some("ü".repeat(300)), ..settled.clone() };
        assert_eq!(long.to_string().chars().count(), 256);
        let bare = Settled { other: None, rollout: None, why: None, ..settled };
        assert_eq!(Note::read(&bare.to_string()), Note::Settled(bare));
    }

    #[test]
    fn other_words_stay_other_words() {
        for text in [
            "",
            "production",
            "lockkeeper",
            "lockkeeper phase=shift since=1 by=a",
            "lockkeeperx how=promoted",
        ] {
            assert_eq!(Note::read(text), Note::Other(text.to_owned()));
        }
    }
}
