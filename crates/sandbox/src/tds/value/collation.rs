//! The order of texts and of the other types that SQLite holds as text. The default collation is
//! that of `Latin1_General_100_CI_AS_SC`: case does not count, accents do, trailing blanks do not,
//! and a supplementary character is one character.

use std::cmp::Ordering;

use super::decimal::Decimal;

/// The collation's name, as the server reports it.
pub const NAME: &str = "Latin1_General_100_CI_AS_SC";

/// The five bytes that stand for it on the wire: LCID 0x0409, ignore case, kana and width,
/// version 2, no sort id.
pub const WIRE: [u8; 5] = [0x09, 0x04, 0xD0, 0x20, 0x00];

/// Compares two texts: punctuation before digits before letters, case aside, blanks at the end cut.
pub fn compare_text(left: &str, right: &str) -> Ordering {
    let fold = |text: &'_ str| -> Vec<(u8, char)> {
        text.trim_end_matches(' ').chars().flat_map(char::to_lowercase).map(|c| (rank(c), c)).collect()
    };
    if left.is_ascii() && right.is_ascii() {
        let fold = |byte: &u8| {
            let lower = byte.to_ascii_lowercase();
            (rank(char::from(lower)), lower)
        };
        let left = left.trim_end_matches(' ').as_bytes().iter().map(fold);
        return left.cmp(right.trim_end_matches(' ').as_bytes().iter().map(fold));
    }
    let base = |c: &(u8, char)| (c.0, unaccented(c.1));
    let (left, right) = (fold(left), fold(right));
    left.iter().map(base).cmp(right.iter().map(base)).then_with(|| left.cmp(&right))
}

fn rank(c: char) -> u8 {
    match c {
        c if c.is_alphabetic() => 2,
        c if c.is_numeric() => 1,
        _ => 0,
    }
}

/// The letter under the accent for the letters of Latin-1 and Latin Extended-A; others as they are.
fn unaccented(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => 'g',
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' => 'i',
        'ł' | 'ĺ' | 'ļ' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => 'o',
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' => 's',
        'ţ' | 'ť' | 'ŧ' => 't',
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        other => other,
    }
}

/// Compares two decimals by value.
pub fn compare_decimal(left: &str, right: &str) -> Ordering {
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

/// Compares two uniqueidentifiers as SQL Server does: the last six bytes first, then the groups
/// from the back to the front.
pub fn compare_guid(left: &str, right: &str) -> Ordering {
    let groups = |text: &'_ str| -> Vec<String> {
        let mut parts: Vec<&str> = text.split('-').collect();
        // The first three groups are little-endian numbers; the order within them is by byte.
        parts.reverse();
        parts
            .iter()
            .enumerate()
            .map(|(i, part)| if i < 2 { (*part).to_owned() } else { reversed_pairs(part) })
            .collect()
    };
    groups(left).cmp(&groups(right))
}

fn reversed_pairs(hex: &str) -> String {
    hex.as_bytes().chunks(2).rev().map(|pair| String::from_utf8_lossy(pair).into_owned()).collect()
}

/// Compares two datetimeoffsets by their instant: the offset behind it does not count.
pub fn compare_offset(left: &str, right: &str) -> Ordering {
    let instant = |text: &'_ str| text.get(..27).unwrap_or(text).to_owned();
    instant(left).cmp(&instant(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_without_case_and_trailing_blanks() {
        for (left, right, order) in [
            ("abc", "ABC  ", Ordering::Equal),
            ("Ärger", "äRGER", Ordering::Equal),
            ("e", "é", Ordering::Less),
            ("éa", "eb", Ordering::Less),
            (" a", "a", Ordering::Less),
            ("_a", "1", Ordering::Less),
            ("9", "a", Ordering::Less),
            ("a", "ab", Ordering::Less),
            ("😀", "😀 ", Ordering::Equal),
        ] {
            assert_eq!(compare_text(left, right), order, "{left:?} with {right:?}");
        }
    }

    #[test]
    fn guids_order_by_their_last_group_first() {
        let low = "FFFFFFFF-FFFF-FFFF-FFFF-000000000001";
        let high = "00000000-0000-0000-0000-000000000002";
        assert_eq!(compare_guid(low, high), Ordering::Less);
    }

    #[test]
    fn offsets_do_not_count() {
        let utc = "2026-01-01 10:00:00.0000000 +00:00";
        assert_eq!(compare_offset(utc, "2026-01-01 10:00:00.0000000 +02:00"), Ordering::Equal);
    }
}
