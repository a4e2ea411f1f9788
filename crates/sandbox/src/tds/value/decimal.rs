//! Exact decimals of up to 38 digits: an `i128` and a scale. Where a result or a step on the way to
//! it does not fit, the answer is an arithmetic overflow (8115), never a rounded figure.

use std::cmp::Ordering;
use std::fmt;

use crate::tds::error::{SqlError, SqlResult};

/// 10^38 - 1 is the largest magnitude of a decimal(38).
pub const MOST_DIGITS: u8 = 38;

/// `unscaled` divided by ten to the power of `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// All digits as one whole number.
    pub unscaled: i128,
    /// How many of them stand behind the point.
    pub scale: u8,
}

fn power(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(exponent))
}

fn overflow() -> SqlError {
    SqlError::overflow("numeric")
}

impl Decimal {
    /// A whole number.
    pub fn whole(value: i128) -> Self {
        Self { unscaled: value, scale: 0 }
    }

    /// Reads `[+-]digits[.digits]`, with blanks around it; `None` for anything else, and for more
    /// digits than 38.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut unscaled: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            if !digit.is_ascii_digit() {
                return None;
            }
            unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        let scale = u8::try_from(fraction.len()).ok()?;
        Some(Self { unscaled: if negative { -unscaled } else { unscaled }, scale })
    }

    /// The same value with another scale, rounded half away from zero.
    pub fn rescale(self, scale: u8) -> Option<Self> {
        let unscaled = match scale.cmp(&self.scale) {
            Ordering::Equal => self.unscaled,
            Ordering::Greater => self.unscaled.checked_mul(power(scale - self.scale)?)?,
            Ordering::Less => match power(self.scale - scale) {
                Some(by) => {
                    let (quotient, rest) = (self.unscaled / by, self.unscaled % by);
                    if rest.abs() >= by - rest.abs() { quotient + self.unscaled.signum() } else { quotient }
                }
                None => 0,
            },
        };
        Some(Self { unscaled, scale })
    }

    /// The same value cut off behind `scale` digits.
    pub fn truncate(self, scale: u8) -> Self {
        if scale >= self.scale {
            return self;
        }
        power(self.scale - scale)
            .map_or(Self { unscaled: 0, scale }, |by| Self { unscaled: self.unscaled / by, scale })
    }

    /// As decimal(`precision`, `scale`).
    ///
    /// # Errors
    /// 8115 when it does not fit.
    pub fn fit(self, precision: u8, scale: u8) -> SqlResult<Self> {
        let fitted = self.rescale(scale).ok_or_else(overflow)?;
        match power(precision) {
            Some(limit) if fitted.unscaled.abs() >= limit => Err(overflow()),
            _ => Ok(fitted),
        }
    }

    /// The decimal of `scale` nearest to a float; `None` when it does not fit.
    pub fn from_f64(value: f64, scale: u8) -> Option<Self> {
        if !value.is_finite() || value.abs() >= 1e38 {
            return None;
        }
        Self::parse(&format!("{value:.*}", usize::from(scale)))
    }

    /// Applies one of `+ - * / %`; the result has `precision` and `scale`.
    ///
    /// # Errors
    /// 8134 on a division by zero, 8115 when the result or a step on the way does not fit.
    pub fn apply(operator: char, left: Self, right: Self, precision: u8, scale: u8) -> SqlResult<Self> {
        let common = left.scale.max(right.scale);
        let both = || Some((left.rescale(common)?.unscaled, right.rescale(common)?.unscaled));
        let result = match operator {
            '+' => both().and_then(|(a, b)| a.checked_add(b)).map(|n| Self { unscaled: n, scale: common }),
            '-' => both().and_then(|(a, b)| a.checked_sub(b)).map(|n| Self { unscaled: n, scale: common }),
            '*' => left
                .unscaled
                .checked_mul(right.unscaled)
                .map(|n| Self { unscaled: n, scale: left.scale + right.scale }),
            _ if right.unscaled == 0 => return Err(SqlError::division_by_zero()),
            '%' => both().map(|(a, b)| Self { unscaled: a % b, scale: common }),
            // Quotients are cut off, not rounded: 2.0 / 3 is 0.666666.
            '/' => i16::from(scale)
                .checked_sub(i16::from(left.scale) - i16::from(right.scale))
                .and_then(|by| {
                    let factor = power(u8::try_from(by.unsigned_abs()).ok()?)?;
                    if by >= 0 {
                        left.unscaled.checked_mul(factor)?.checked_div(right.unscaled)
                    } else {
                        left.unscaled.checked_div(right.unscaled.checked_mul(factor)?)
                    }
                })
                .map(|n| Self { unscaled: n, scale }),
            other => return Err(SqlError::unknown(format!("the operator {other} for decimals"))),
        };
        result.ok_or_else(overflow)?.fit(precision, scale)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let whole = |d: &Self| d.truncate(0).unscaled;
        whole(self).cmp(&whole(other)).then_with(|| {
            // The whole parts are equal, so the fractions decide, and those always fit.
            let scale = self.scale.max(other.scale).min(MOST_DIGITS);
            let fraction = |d: &Self| {
                let rest = d.unscaled - whole(d) * power(d.scale).unwrap_or(i128::MAX);
                Self { unscaled: rest, scale: d.scale }.rescale(scale).map_or(0, |d| d.unscaled)
            };
            fraction(self).cmp(&fraction(other))
        })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let digits = self.unscaled.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

/// Precision and scale of a result, by SQL Server's rules, cut to 38 digits by its rule too: the
/// scale gives way, but not below 6.
pub fn result_type(operator: char, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> (u8, u8) {
    let (p1, s1, p2, s2) = (i16::from(p1), i16::from(s1), i16::from(p2), i16::from(s2));
    let (precision, scale) = match operator {
        '*' => (p1 + p2 + 1, s1 + s2),
        '/' => {
            let scale = 6.max(s1 + p2 + 1);
            (p1 - s1 + s2 + scale, scale)
        }
        '%' => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => ((p1 - s1).max(p2 - s2) + 1 + s1.max(s2), s1.max(s2)),
    };
    let limit = i16::from(MOST_DIGITS);
    let (precision, scale) = if precision > limit {
        (limit, (limit - (precision - scale)).max(scale.min(6)))
    } else {
        (precision.max(1), scale)
    };
    (u8::try_from(precision).unwrap_or(MOST_DIGITS), u8::try_from(scale).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn reads_and_writes_every_digit() {
        for text in ["0", "-1", "12.50", "-0.001", "99999999999999999999999999999999999999"] {
            assert_eq!(d(text).to_string(), text);
        }
        for text in ["", "-", ".", "1e5", "1.2.3", "abc", "1 2"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rounds_half_away_from_zero() {
        for (text, scale, rounded) in
            [("1.25", 1, "1.3"), ("-1.25", 1, "-1.3"), ("1.24", 1, "1.2"), ("2.5", 0, "3"), ("7", 2, "7.00")]
        {
            assert_eq!(d(text).rescale(scale).unwrap().to_string(), rounded);
        }
    }

    #[test]
    fn calculates_as_written_down() {
        for (left, operator, right, (precision, scale), result) in [
            ("1.10", '+', "2.205", (6, 3), "3.305"),
            ("1.5", '*', "1.5", (5, 2), "2.25"),
            ("2.0", '/', "3", (13, 6), "0.666666"),
            ("-7.5", '%', "2", (2, 1), "-1.5"),
        ] {
            let got = Decimal::apply(operator, d(left), d(right), precision, scale).unwrap();
            assert_eq!(got.to_string(), result);
        }
        assert_eq!(Decimal::apply('/', d("1"), d("0"), 9, 6).unwrap_err().number, 8134);
        assert_eq!(Decimal::apply('+', d("9"), d("1"), 1, 0).unwrap_err().number, 8115);
    }

    #[test]
    fn orders_whatever_the_scales() {
        assert!(d("9.99") < d("10"));
        assert!(d("-2.5") < d("-2.49"));
        assert_eq!(d("1.50").cmp(&d("1.5")), Ordering::Equal);
        assert!(d("99999999999999999999999999999999999999") > d("0.00000000000000000000000000000000000001"));
    }

    #[test]
    fn types_of_results_follow_the_rules() {
        assert_eq!(result_type('+', (10, 2), (10, 2)), (11, 2));
        assert_eq!(result_type('*', (10, 2), (10, 2)), (21, 4));
        assert_eq!(result_type('/', (2, 1), (10, 0)), (13, 12));
        assert_eq!(result_type('*', (38, 10), (38, 10)), (38, 6));
    }
}
