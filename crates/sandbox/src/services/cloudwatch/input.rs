//! What several operations take: timestamps, dimensions, units, paging tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use serde::de::{DeserializeOwned, Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::errors::{Refusal, bad_token};
use crate::aws::AwsError;

/// Names and values of a metric's dimensions, in order of the names.
pub(super) type Dimensions = Vec<(String, String)>;

/// CloudWatch's units.
pub(super) const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// A point in time, milliseconds since 1970. It arrives as seconds since 1970, with a fraction or
/// without, or as text in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(pub(super) i64);

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The year 9999: what lies beyond is no date anybody means, and multiplying it may overflow.
        const LAST: f64 = 253_402_300_799.0;
        match Value::deserialize(deserializer)? {
            Value::Number(number) => {
                let seconds = number.as_f64().unwrap_or(f64::NAN);
                if !(-LAST..=LAST).contains(&seconds) {
                    return Err(D::Error::invalid_value(Unexpected::Float(seconds), &"a timestamp"));
                }
                #[expect(clippy::cast_possible_truncation, reason = "checked to be in range just above")]
                Ok(Self((seconds * 1000.0).round() as i64))
            }
            Value::String(text) => DateTime::parse_from_rfc3339(&text)
                .map(|time| Self(time.timestamp_millis()))
                .map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"a timestamp")),
            _ => Err(D::Error::custom("a timestamp is a number of seconds or a text")),
        }
    }
}

/// A number that may be none: JSON has no `NaN` and no infinities, so AWS's protocol sends them as
/// texts. They are read here, to be refused as values out of range and not as broken JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Double(pub(super) f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (&value, value.as_str()) {
            (Value::Number(number), _) => Ok(Self(number.as_f64().unwrap_or(f64::NAN))),
            (_, Some("NaN")) => Ok(Self(f64::NAN)),
            (_, Some("Infinity")) => Ok(Self(f64::INFINITY)),
            (_, Some("-Infinity")) => Ok(Self(f64::NEG_INFINITY)),
            _ => Err(D::Error::custom("expected a number")),
        }
    }
}

/// Milliseconds since 1970 as answers give them: seconds with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit a double exactly")]
pub(super) fn seconds(milliseconds: i64) -> Value {
    json!(milliseconds as f64 / 1000.0)
}

/// A dimension as it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct DimensionInput {
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
}

/// Checks dimensions and puts them in order. AWS: at most 30; ASCII without control characters,
/// something besides white space; names up to 255 characters that do not begin with a colon, values
/// up to 1,024.
///
/// # Errors
/// With the refusal's codes, naming the place.
pub(super) fn dimensions(
    list: Option<&[DimensionInput]>,
    place: &str,
    refuse: Refusal,
) -> Result<Dimensions, AwsError> {
    let list = list.unwrap_or_default();
    if list.len() > 30 {
        return Err(
            refuse.invalid(format!("The collection {place}Dimensions must not have a size greater than 30."))
        );
    }
    let mut checked = Dimensions::with_capacity(list.len());
    for (n, dimension) in list.iter().enumerate() {
        let part = |part: &str| format!("{place}Dimensions.member.{}.{part}", n + 1);
        let name = dimension.name.as_deref().ok_or_else(|| refuse.missing(part("Name")))?;
        let value = dimension.value.as_deref().ok_or_else(|| refuse.missing(part("Value")))?;
        if !printable(name, 255) || name.starts_with(':') {
            return Err(refuse.value(part("Name"), name));
        }
        if !printable(value, 1024) {
            return Err(refuse.value(part("Value"), value));
        }
        if checked.iter().any(|(known, _)| known == name) {
            return Err(refuse.invalid(format!("The dimension {name} is given more than once.")));
        }
        checked.push((name.to_owned(), value.to_owned()));
    }
    checked.sort();
    Ok(checked)
}

fn printable(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !text.trim().is_empty()
}

/// Dimensions as answers give them.
pub(super) fn dimensions_out(dimensions: &Dimensions) -> Value {
    dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}

/// Checks a metric's namespace. AWS: 1 to 255 characters that do not begin with a colon.
///
/// # Errors
/// With the refusal's codes, naming the place.
pub(super) fn namespace(text: Option<&str>, place: &str, refuse: Refusal) -> Result<String, AwsError> {
    let text = text.ok_or_else(|| refuse.missing(format_args!("{place}Namespace")))?;
    if !printable(text, 255) || text.starts_with(':') {
        return Err(refuse.value(format_args!("{place}Namespace"), text));
    }
    Ok(text.to_owned())
}

/// Checks a metric's name. AWS: 1 to 255 characters.
///
/// # Errors
/// With the refusal's codes, naming the place.
pub(super) fn metric_name(text: Option<&str>, place: &str, refuse: Refusal) -> Result<String, AwsError> {
    let text = text.ok_or_else(|| refuse.missing(format_args!("{place}MetricName")))?;
    if !printable(text, 255) {
        return Err(refuse.value(format_args!("{place}MetricName"), text));
    }
    Ok(text.to_owned())
}

/// Checks a unit, where one is given.
///
/// # Errors
/// With the refusal's codes, naming the place.
pub(super) fn unit(
    text: Option<&str>,
    place: &str,
    refuse: Refusal,
) -> Result<Option<&'static str>, AwsError> {
    text.map(|text| {
        UNITS
            .into_iter()
            .find(|unit| *unit == text)
            .ok_or_else(|| refuse.value(format_args!("{place}Unit"), text))
    })
    .transpose()
}

/// A paging token that holds `position`.
pub(super) fn token(position: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(json!(position).to_string())
}

/// The position in a paging token.
///
/// # Errors
/// `InvalidNextToken` for what [`token`] did not make.
pub(super) fn position<T: DeserializeOwned>(token: &str) -> Result<T, AwsError> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad_token())?;
    serde_json::from_slice(&bytes).map_err(|_| bad_token())
}
