//! What the forms of the alarms' page send, as it was typed, and the operation that it means.

use model::alarms::{AlarmKind, PutAlarms, SetFunctionLogging, SetLogRetention, SetStageLogging, Thresholds};
use model::problem::{Problem, ProblemKind};
use serde::Deserialize;

/// All fields of all forms; `what` says whose they are. What is not ticked is not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Typed {
    /// `alarms`, `retention`, `function` or `stage`.
    pub what: String,
    pub(super) errors: String,
    pub(super) throttles: String,
    pub(super) duration: String,
    pub(super) api5xx: String,
    pub(super) rotation: String,
    pub(super) errors_above: String,
    pub(super) throttles_above: String,
    pub(super) duration_percent: String,
    pub(super) api5xx_above: String,
    pub(super) topic: String,
    pub(super) group: String,
    pub(super) days: String,
    pub(super) function: String,
    pub(super) format: String,
    pub(super) level: String,
    pub(super) tracing: String,
    pub(super) access_log: String,
    pub(super) detailed: String,
    /// What the preview answered.
    pub seen: String,
    /// The password; never sent back.
    pub password: String,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// Alarms of the set.
    Alarms(PutAlarms),
    /// How long a log group keeps its events.
    Retention(SetLogRetention),
    /// How a function logs.
    Function(SetFunctionLogging),
    /// How the stage logs.
    Stage(SetStageLogging),
}

impl Typed {
    /// The operation, with what the preview answered if it was sent along.
    ///
    /// # Errors
    /// `Invalid` for what is no number, or no form of this page.
    pub fn wanted(&self) -> Result<Wanted, Problem> {
        let invalid = |message: String| Problem::new(ProblemKind::Invalid, message);
        let number = |text: &str, what: &str| {
            text.trim()
                .parse::<u32>()
                .map_err(|_| invalid(format!("{what} is a whole number; {text:?} is none.")))
        };
        let filled = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (ticked, seen) = (|text: &String| !text.is_empty(), filled(&self.seen));
        Ok(match self.what.as_str() {
            "alarms" => Wanted::Alarms(PutAlarms {
                kinds: self.kinds(),
                thresholds: Thresholds {
                    errors: number(&self.errors_above, "The number of errors")?,
                    throttles: number(&self.throttles_above, "The number of throttled calls")?,
                    duration_percent: number(&self.duration_percent, "The share of the time limit")?,
                    api5xx: number(&self.api5xx_above, "The number of answers from 500")?,
                },
                topic: filled(&self.topic),
                seen,
            }),
            "retention" => {
                let days = filled(&self.days).map(|days| number(&days, "The number of days")).transpose()?;
                Wanted::Retention(SetLogRetention { group: self.group.clone(), days, seen })
            }
            "function" => Wanted::Function(SetFunctionLogging {
                function: self.function.clone(),
                format: self.format.clone(),
                level: filled(&self.level).filter(|_| self.format == "JSON"),
                tracing: ticked(&self.tracing),
                seen,
            }),
            "stage" => Wanted::Stage(SetStageLogging {
                access_log: ticked(&self.access_log),
                detailed_metrics: ticked(&self.detailed),
                seen,
            }),
            _ => return Err(invalid("That is no form of this page.".to_owned())),
        })
    }

    fn kinds(&self) -> Vec<AlarmKind> {
        let boxes = [&self.errors, &self.throttles, &self.duration, &self.api5xx, &self.rotation];
        let ticked = AlarmKind::ALL.into_iter().zip(boxes).filter(|(_, ticked)| !ticked.is_empty());
        ticked.map(|(kind, _)| kind).collect()
    }

    /// What a page hands on: name and value of what was typed, but for the password.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("what", &self.what),
            ("errors", &self.errors),
            ("throttles", &self.throttles),
            ("duration", &self.duration),
            ("api5xx", &self.api5xx),
            ("rotation", &self.rotation),
            ("errors_above", &self.errors_above),
            ("throttles_above", &self.throttles_above),
            ("duration_percent", &self.duration_percent),
            ("api5xx_above", &self.api5xx_above),
            ("topic", &self.topic),
            ("group", &self.group),
            ("days", &self.days),
            ("function", &self.function),
            ("format", &self.format),
            ("level", &self.level),
            ("tracing", &self.tracing),
            ("access_log", &self.access_log),
            ("detailed", &self.detailed),
        ];
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, value.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_means_an_operation() {
        let alarms = Typed {
            what: "alarms".into(),
            errors: "yes".into(),
            rotation: "yes".into(),
            errors_above: "2".into(),
            throttles_above: "0".into(),
            duration_percent: " 80 ".into(),
            api5xx_above: "0".into(),
            topic: "  ".into(),
            ..Typed::default()
        };
        let Ok(Wanted::Alarms(put)) = alarms.wanted() else { panic!("{:?}", alarms.wanted()) };
        assert_eq!((put.kinds, put.thresholds.errors), (vec![AlarmKind::Errors, AlarmKind::Rotation], 2));
        assert_eq!((put.topic, put.seen), (None, None));
        let odd = Typed { errors_above: "many".into(), ..alarms };
        assert!(odd.wanted().unwrap_err().message.contains("whole number"));
        let ever = Typed { what: "retention".into(), group: "/a".into(), ..Typed::default() };
        let wanted = SetLogRetention { group: "/a".into(), days: None, seen: None };
        assert_eq!(ever.wanted(), Ok(Wanted::Retention(wanted)));
        let text = Typed {
            what: "function".into(),
            format: "Text".into(),
            level: "INFO".into(),
            ..Typed::default()
        };
        let Ok(Wanted::Function(function)) = text.wanted() else { panic!("{:?}", text.wanted()) };
        assert_eq!((function.level, function.tracing), (None, false), "a level goes with JSON");
        assert!(Typed::default().wanted().is_err());
    }

    #[test]
    fn a_password_is_not_handed_on() {
        let typed =
            Typed { what: "stage".into(), password: "secret".into(), seen: "s".into(), ..Typed::default() };
        assert_eq!(typed.fields(), [("what", "stage".to_owned())]);
    }
}
