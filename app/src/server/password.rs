//! Passwords: argon2id, a few at a time.
//!
//! One check takes 19 MiB and tens of milliseconds by design, so a flood of sign-ins would take the
//! memory and the processors: at most [`AT_ONCE`] run, others wait for a bounded time and are then
//! told to come back.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use model::problem::{Problem, ProblemKind};
use tokio::sync::Semaphore;

use operations::Random;

/// Shortest password, in characters (NIST SP 800-63B-4: 15 where it is the only factor).
pub const SHORTEST: usize = 15;

/// Longest password, in characters (NIST: 64 or more must be allowed).
pub const LONGEST: usize = 256;

/// Checks that run at once.
const AT_ONCE: usize = 2;

/// How long a check waits for its turn.
const WAIT: Duration = Duration::from_secs(3);

/// Hashes and checks passwords.
pub struct Passwords {
    turns: Arc<Semaphore>,
    wait: Duration,
    random: Random,
    /// The hash of a password that nobody has: what an unknown account is checked against, so that
    /// the answer takes as long as for a known one.
    nobody: String,
}

impl Passwords {
    /// Ready to hash.
    ///
    /// # Errors
    /// `Internal` when argon2 refuses its parameters.
    pub fn new(random: Random) -> Result<Self, Problem> {
        let mut unknown = [0_u8; 32];
        random(&mut unknown);
        let nobody = hash_now(&unknown, salt(&random)?)?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), wait: WAIT, random, nobody })
    }

    /// The hash of a new password, in PHC form.
    ///
    /// # Errors
    /// `Invalid` when the password breaks a rule, `Throttled` when no turn came in time.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        check_rules(&password)?;
        let salt = salt(&self.random)?;
        self.in_turn(move || hash_now(password.as_bytes(), salt)).await?
    }

    /// Whether `password` is the one that `hash` was made of. Takes as long without a hash.
    ///
    /// # Errors
    /// `Throttled` when no turn came in time.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let right = self
            .in_turn(move || {
                let parsed = PasswordHash::new(&hash).map_err(broken)?;
                Ok::<_, Problem>(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await??;
        Ok(right && known)
    }

    /// Runs heavy work off the async threads when a turn is free. A caller that goes away does not
    /// free its turn early: the work keeps it until it is done.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = tokio::time::timeout(self.wait, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::new(ProblemKind::Throttled, "Too many people are signing in right now.")
                .with_next("Try again in a few seconds."));
        };
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(broken)
    }
}

/// The rules of a new password: length alone.
///
/// # Errors
/// `Invalid`, naming the rule.
pub fn check_rules(password: &str) -> Result<(), Problem> {
    let length = password.chars().count();
    if (SHORTEST..=LONGEST).contains(&length) {
        return Ok(());
    }
    let message = format!("A password has {SHORTEST} to {LONGEST} characters; this one has {length}.");
    Err(Problem::new(ProblemKind::Invalid, message))
}

/// argon2id, m = 19 MiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet's first choice for that
/// much memory). Checks read the parameters from the hash, so raising them here is safe.
fn hash_now(password: &[u8], salt: SaltString) -> Result<String, Problem> {
    let parameters = Params::new(19_456, 2, 1, None).map_err(broken)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    Ok(argon2.hash_password(password, &salt).map_err(broken)?.to_string())
}

fn salt(random: &Random) -> Result<SaltString, Problem> {
    let mut bytes = [0_u8; 16];
    random(&mut bytes);
    SaltString::encode_b64(&bytes).map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "hashing a password failed");
    Problem::new(ProblemKind::Internal, "The password could not be checked.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(Arc::new(|bytes: &mut [u8]| bytes.fill(7))).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_passes() {
        let passwords = passwords();
        let hash = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery".to_owned(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horse batterx".to_owned(), Some(hash)).await.unwrap());
        let nobodys = String::from_utf8(vec![7; 32]).unwrap();
        assert!(!passwords.verify(nobodys, None).await.unwrap(), "nobody's password signs nobody in");
    }

    #[test]
    fn length_is_the_rule() {
        for (length, good) in [(14, false), (15, true), (256, true), (257, false)] {
            assert_eq!(check_rules(&"\u{e9}".repeat(length)).is_ok(), good, "{length}");
        }
    }

    #[tokio::test]
    async fn a_third_check_waits_and_is_then_sent_away() {
        let passwords = Passwords { wait: Duration::from_millis(20), ..passwords() };
        let _turns = Arc::clone(&passwords.turns).acquire_many_owned(2).await.unwrap();
        let problem = passwords.verify(String::new(), None).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Throttled);
    }
}
