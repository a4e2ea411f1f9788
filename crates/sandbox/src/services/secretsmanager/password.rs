//! `GetRandomPassword`: pure but for the random numbers it is given.

use serde::Deserialize;
use serde_json::json;

use super::checks;
use crate::aws::{AwsError, Reply};
use crate::context::Random;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(super) struct Wish {
    password_length: Option<i64>,
    exclude_characters: String,
    exclude_numbers: bool,
    exclude_punctuation: bool,
    exclude_uppercase: bool,
    exclude_lowercase: bool,
    include_space: bool,
    require_each_included_type: Option<bool>,
}

/// Answers the call.
pub(super) fn answer(wish: &Wish, random: &Random) -> Result<Reply, AwsError> {
    Ok(Reply::json(json!({"RandomPassword": password(wish, random)?})))
}

/// AWS: 32 characters of all four types unless told otherwise, with one of each type. A type of
/// which every character is excluded is no type any more.
fn password(wish: &Wish, random: &Random) -> Result<String, AwsError> {
    let length = wish.password_length.unwrap_or(32);
    checks::range("passwordLength", length, 1, 4096)?;
    checks::length("excludeCharacters", &wish.exclude_characters, 0, 4096)?;
    let length = usize::try_from(length).unwrap_or_default();
    let types: Vec<String> = [
        (UPPER, wish.exclude_uppercase),
        (LOWER, wish.exclude_lowercase),
        (DIGITS, wish.exclude_numbers),
        (PUNCTUATION, wish.exclude_punctuation),
    ]
    .into_iter()
    .filter(|(_, excluded)| !excluded)
    .map(|(all, _)| all.chars().filter(|c| !wish.exclude_characters.contains(*c)).collect::<String>())
    .filter(|left| !left.is_empty())
    .collect();
    let mut alphabet = types.concat();
    if wish.include_space && !wish.exclude_characters.contains(' ') {
        alphabet.push(' ');
    }
    if alphabet.is_empty() {
        return Err(AwsError::new(
            "InvalidParameterException",
            "No password characters remain based on the exclusion criteria.",
        ));
    }
    let mut password: Vec<char> = Vec::with_capacity(length);
    if wish.require_each_included_type.unwrap_or(true) {
        if length < types.len() {
            return Err(AwsError::new(
                "InvalidParameterException",
                "Password length is too short based on the required types.",
            ));
        }
        password.extend(types.iter().flat_map(|kind| random.text(kind, 1).chars().collect::<Vec<_>>()));
    }
    password.extend(random.text(&alphabet, length - password.len()).chars());
    // Fisher and Yates, so that the required characters are not always in front.
    for last in (1..password.len()).rev() {
        let other = random.below(last as u64 + 1);
        password.swap(last, usize::try_from(other).unwrap_or_default());
    }
    Ok(password.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(wish: &Wish) -> Result<String, String> {
        password(wish, &Random::seeded(3)).map_err(|error| error.code)
    }

    #[test]
    fn wishes_are_granted_or_refused() {
        let has = |text: &str, alphabet: &str| text.chars().any(|c| alphabet.contains(c));
        let plain = make(&Wish::default()).unwrap();
        assert_eq!(plain.len(), 32);
        assert!([UPPER, LOWER, DIGITS, PUNCTUATION].iter().all(|kind| has(&plain, kind)), "{plain}");

        for length in [4, 5, 4096] {
            let four = make(&Wish { password_length: Some(length), ..Wish::default() }).unwrap();
            assert_eq!(four.len() as i64, length);
            assert!([UPPER, LOWER, DIGITS, PUNCTUATION].iter().all(|kind| has(&four, kind)), "{four}");
        }
        let digits = Wish {
            password_length: Some(64),
            exclude_uppercase: true,
            exclude_lowercase: true,
            exclude_punctuation: true,
            exclude_characters: "13579".into(),
            ..Wish::default()
        };
        assert!(make(&digits).unwrap().chars().all(|c| "02468".contains(c)));
        let spaced = Wish {
            include_space: true,
            exclude_characters: [UPPER, LOWER, DIGITS, PUNCTUATION].concat(),
            ..Wish::default()
        };
        assert_eq!(make(&spaced).unwrap(), " ".repeat(32));
        let one =
            Wish { password_length: Some(1), require_each_included_type: Some(false), ..Wish::default() };
        assert_eq!(make(&one).unwrap().len(), 1);

        for (wish, code) in [
            (Wish { password_length: Some(3), ..Wish::default() }, "InvalidParameterException"),
            (Wish { password_length: Some(0), ..Wish::default() }, "ValidationException"),
            (Wish { password_length: Some(4097), ..Wish::default() }, "ValidationException"),
            (Wish { include_space: false, ..spaced }, "InvalidParameterException"),
        ] {
            assert_eq!(make(&wish), Err(code.to_owned()));
        }
    }
}
