//! Which login is tried in which order, and what its outcome means. Pure.
//!
//! setSecret makes three logins as the user at most, each with another password and none twice:
//! AWSPENDING, AWSCURRENT, AWSPREVIOUS. A wrong password leads to the next one. Anything else ends
//! the walk: a locked login stays locked the longer the more is tried, and a server that is out of
//! reach is not within it for another password. A login that succeeds sets the server's count of
//! wrong ones back, so that no number of repetitions locks a login whose password is known.

use super::failure::{Cause, Failure};
use super::strategy::Strategy;

/// Whose password is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The new one.
    Pending,
    /// The one in use.
    Current,
    /// The one before.
    Previous,
}

impl Source {
    /// The label it is found under.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pending => super::guard::PENDING,
            Self::Current => super::guard::CURRENT,
            Self::Previous => super::guard::PREVIOUS,
        }
    }
}

/// How a login ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// In.
    In,
    /// Refused with an error number of the server's.
    Refused(u32),
    /// It did not come so far.
    Failed(Failure),
}

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the new password is in force.
    Done,
    /// The new password is set over the connection that just came about, whose password is the old one.
    AlterOwn,
    /// A superuser sets the new password, and takes a lock off where there is one.
    BySuperuser {
        /// Whether the login is locked.
        unlock: bool,
    },
    /// The next one is tried.
    Try(Source),
    /// The step fails.
    Fail(Failure),
}

/// What follows from the outcome of a login with `source`'s password. `previous` says whether
/// AWSPREVIOUS has another password of the same user on the same server.
pub fn next(strategy: Strategy, source: Source, outcome: &Outcome, previous: bool) -> Next {
    let number = match outcome {
        Outcome::In if source == Source::Pending => return Next::Done,
        Outcome::In => return Next::AlterOwn,
        Outcome::Failed(failure) => return Next::Fail(failure.clone()),
        Outcome::Refused(number) => *number,
    };
    let cause = cause(number);
    if strategy != Strategy::Single {
        return match cause {
            // The login need not exist yet. An expired password is what a new one is for; but a
            // login that somebody disabled stays so.
            Cause::WrongPassword | Cause::LoginExpired => Next::BySuperuser { unlock: false },
            Cause::LoginLocked => Next::BySuperuser { unlock: true },
            _ => Next::Fail(refused("the login with the new password", number)),
        };
    }
    match (cause, source) {
        (Cause::WrongPassword, Source::Pending) => Next::Try(Source::Current),
        (Cause::WrongPassword, Source::Current) if previous => Next::Try(Source::Previous),
        (Cause::WrongPassword, _) => Next::Fail(Failure::new(
            Cause::WrongPassword,
            "the server refused the login with the passwords of AWSPENDING, AWSCURRENT and, if it has another one, AWSPREVIOUS: the login's password was changed outside of Secrets Manager",
        )),
        _ => Next::Fail(refused(&format!("the login with the password of {}", source.label()), number)),
    }
}

/// The failure that a refused login is.
pub fn refused(what: &str, number: u32) -> Failure {
    let cause = cause(number);
    let why = match cause {
        Cause::WrongPassword => "the password is wrong, or there is no such login",
        Cause::LoginLocked => "the login is locked after too many wrong passwords",
        Cause::LoginDisabled => "the login is disabled",
        Cause::LoginExpired => "its password has expired or must be changed",
        Cause::PasswordPolicy => "the password policy does not allow it",
        Cause::DatabaseUnavailable => "the database can't be opened",
        Cause::Permission => "the login may not connect",
        _ => "the server gives a reason that is not known",
    };
    Failure::new(cause, format!("{what} was refused: {why} (error {number})"))
}

/// What the error number of a refused login means. The numbers are those of `sys.messages`.
pub fn cause(number: u32) -> Cause {
    match number {
        18456 => Cause::WrongPassword,
        18486 => Cause::LoginLocked,
        18470 => Cause::LoginDisabled,
        18487 | 18488 => Cause::LoginExpired,
        18463..=18468 => Cause::PasswordPolicy,
        // The database: not there, offline, no access, in recovery, moved.
        911 | 916 | 922 | 924 | 927 | 942 | 945 | 983 | 4060 | 4064 | 9001 | 40197 | 40613 => {
            Cause::DatabaseUnavailable
        }
        // The server: starting, paused, out of connections, in single-user mode or being upgraded.
        17142 | 17148 | 17187 | 18401 | 18451 | 18458..=18461 | 40501 | 10928 | 10929 => {
            Cause::DatabaseUnavailable
        }
        // A login trigger, no right to connect, Windows logins only.
        17892 | 18446 | 18452 => Cause::Permission,
        _ => Cause::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(cause: Cause) -> Outcome {
        Outcome::Failed(Failure::new(cause, "x"))
    }

    #[test]
    fn a_single_user_walks_from_the_new_password_to_the_old_ones() {
        use Outcome::{In, Refused};
        use Source::{Current, Pending, Previous};
        let cases = [
            (Pending, In, true, Ok(Next::Done)),
            (Pending, Refused(18456), true, Ok(Next::Try(Current))),
            (Current, In, true, Ok(Next::AlterOwn)),
            (Current, Refused(18456), true, Ok(Next::Try(Previous))),
            (Current, Refused(18456), false, Err(Cause::WrongPassword)),
            (Previous, In, true, Ok(Next::AlterOwn)),
            (Previous, Refused(18456), true, Err(Cause::WrongPassword)),
            // What no other password changes.
            (Pending, Refused(18486), true, Err(Cause::LoginLocked)),
            (Pending, Refused(18470), true, Err(Cause::LoginDisabled)),
            (Pending, Refused(18488), true, Err(Cause::LoginExpired)),
            (Pending, Refused(4060), true, Err(Cause::DatabaseUnavailable)),
            (Current, Refused(18487), true, Err(Cause::LoginExpired)),
            (Current, Refused(18486), true, Err(Cause::LoginLocked)),
            (Current, Refused(18452), true, Err(Cause::Permission)),
            (Current, Refused(99_999), true, Err(Cause::Internal)),
            (Pending, fail(Cause::Unreachable), true, Err(Cause::Unreachable)),
            (Current, fail(Cause::Tls), true, Err(Cause::Tls)),
            (Previous, fail(Cause::TimedOut), true, Err(Cause::TimedOut)),
        ];
        for (source, outcome, previous, expected) in cases {
            match (next(Strategy::Single, source, &outcome, previous), expected) {
                (Next::Fail(failure), Err(cause)) => assert_eq!(failure.cause, cause),
                (next, Ok(expected)) => assert_eq!(next, expected, "{source:?} {outcome:?}"),
                (next, expected) => panic!("{source:?} {outcome:?}: {next:?} {expected:?}"),
            }
        }
    }

    #[test]
    fn a_superuser_helps_where_a_password_does() {
        use Outcome::{In, Refused};
        let cases = [
            (In, Ok(Next::Done)),
            (Refused(18456), Ok(Next::BySuperuser { unlock: false })),
            (Refused(18487), Ok(Next::BySuperuser { unlock: false })),
            (Refused(18486), Ok(Next::BySuperuser { unlock: true })),
            (Refused(18470), Err(Cause::LoginDisabled)),
            (Refused(4060), Err(Cause::DatabaseUnavailable)),
            (fail(Cause::Unreachable), Err(Cause::Unreachable)),
        ];
        for strategy in [Strategy::SingleBySuperuser, Strategy::Alternating] {
            for (outcome, expected) in &cases {
                match (next(strategy, Source::Pending, outcome, true), expected) {
                    (Next::Fail(failure), Err(cause)) => assert_eq!(failure.cause, *cause),
                    (next, Ok(expected)) => assert_eq!(next, *expected, "{outcome:?}"),
                    (next, expected) => panic!("{outcome:?}: {next:?} {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn no_walk_makes_more_than_three_logins_or_one_twice() {
        for answers in 0..8 {
            let (mut source, mut tried) = (Source::Pending, Vec::new());
            loop {
                assert!(!tried.contains(&source));
                tried.push(source);
                let outcome = match answers >> (tried.len() - 1) & 1 {
                    0 => Outcome::Refused(18456),
                    _ => Outcome::In,
                };
                match next(Strategy::Single, source, &outcome, true) {
                    Next::Try(another) => source = another,
                    _ => break,
                }
            }
            assert!(tried.len() <= 3, "{answers:b}");
        }
    }
}
