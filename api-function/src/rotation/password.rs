//! New passwords: letters and digits, long enough that nobody guesses them, and none that SQL Server's
//! or Windows' documented policy refuses.
//!
//! # A password that is refused all the same
//! A policy can hold more than what is documented: a filter of one's own, an age a password must
//! have. The server says so only when the password is set, and by then it is the version's value,
//! which can't be replaced: the id of a version has one value, for ever (and one password per
//! rotation is what keeps a repeated step from locking everybody out). So setSecret takes the label
//! AWSPENDING off the version and fails with `password_policy`; the next rotation, with an id of its
//! own, takes a new password. No loop of ours asks again: each rotation tries one password, and a
//! policy that refuses every one shows as failed rotations with the same cause.
//!
//! That is safe at every point it may be cut off at. Before the server refused, nothing is changed.
//! Between the refusal and the label nothing is either: the step repeated is refused again, and takes
//! the label off then. With the label gone the step is refused as `not_in_rotation`. The login has
//! the password of AWSCURRENT all along.

use zeroize::Zeroizing;

use super::store::Store;
use crate::secret::Password;
use crate::time::Random;

/// How often a random text is drawn before one is taken as it is. One in some thousands is refused
/// here, so this is reached by a mistake only.
const DRAWS: u32 = 100;

/// A new password for a user: Secrets Manager's, or one of our own where that can't be had.
pub async fn new(store: &Store, random: &Random, user: &str, length: usize) -> Password {
    match store.random_password(length).await {
        Ok(password) if is_good(&password, user, length) => return password.to_string().into(),
        Ok(_) => tracing::info!("Secrets Manager's random password is not taken: it breaks the rules"),
        Err(failure) => {
            tracing::warn!(
                cause = failure.cause.text(),
                reason = failure.reason,
                "no random password from Secrets Manager; the system's generator is used"
            );
        }
    }
    drawn(random, user, length)
}

fn drawn(random: &Random, user: &str, length: usize) -> Password {
    let mut password = Zeroizing::new(random.alphanumeric(length));
    for _ in 1..DRAWS {
        if is_good(&password, user, length) {
            break;
        }
        password = Zeroizing::new(random.alphanumeric(length));
    }
    password.to_string().into()
}

/// Whether a password is of the length, of letters and digits of all three kinds, and without the
/// user's name or a part of it. Windows looks for the parts of three characters and more.
fn is_good(password: &str, user: &str, length: usize) -> bool {
    let has = |kind: fn(&u8) -> bool| password.bytes().any(|byte| kind(&byte));
    let lower = password.to_ascii_lowercase();
    let part = |part: &str| part.chars().count() > 2 && lower.contains(&part.to_lowercase());
    password.len() == length
        && password.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && !lower.contains(&user.to_lowercase())
        && !user.split(|c: char| !c.is_alphanumeric()).any(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_password_must_be() {
        let good = "aB3defghijklmnopqrstuvwxyz012345";
        let cases = [
            (good, "app", 32, true),
            (good, "app", 33, false),
            ("aB3defghijklmnopqrstuvwxyz01234;", "app", 32, false),
            ("ab3defghijklmnopqrstuvwxyz012345", "app", 32, false),
            ("aBCdefghijklmnopqrstuvwxyzabcdef", "app", 32, false),
            ("AB3DEFGHIJKLMNOPQRSTUVWXYZ012345", "app", 32, false),
            ("aB3defghijklmnopqrstuvwxyz01xApp", "app", 32, false),
            ("aB3defghijklmnopqrstuvwxyz01xHUB", "learning_hub", 32, false),
            // Parts of two characters are too common to be looked for.
            ("aB3defghijklmnopqrstuvwxyz01xIDx", "my_id", 32, true),
            ("aB3defghijklmnopqrstuvwxyz01xxZ9", "z9", 32, false),
        ];
        for (password, user, length, expected) in cases {
            assert_eq!(is_good(password, user, length), expected, "{password} {user}");
        }
    }

    #[test]
    fn a_drawn_one_is_good_and_never_the_same() {
        let random = Random::seeded(1);
        let mut seen = std::collections::HashSet::new();
        for length in [32, 40, 128] {
            for _ in 0..200 {
                let password = drawn(&random, "app", length);
                assert!(is_good(password.reveal(), "app", length));
                assert!(seen.insert(password.reveal().to_owned()));
            }
        }
    }
}
