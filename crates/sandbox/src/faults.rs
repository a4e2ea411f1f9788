//! What is to go wrong, and when. A fault is a rule: where it applies, what happens there, how many
//! matches pass untouched first (`skip`), how many are hit (`times`, unlimited when absent), and
//! what share of the rest (`share`). Rules are looked at in the order in which they were added; the
//! first that applies and fires is taken.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::context::{Random, lock};

/// At most this many rules are kept: a script that adds them in a loop is a mistake.
pub const MOST_RULES: usize = 1_000;

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Where it applies and what happens there.
    pub at: At,
    /// How many matches pass untouched first.
    #[serde(default)]
    pub skip: u32,
    /// How many matches are hit; all when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// Which share of the matches is hit, from 0 to 1.
    #[serde(default = "whole")]
    pub share: f64,
}

fn whole() -> f64 {
    1.0
}

impl Fault {
    /// A rule that hits every match.
    pub fn always(at: At) -> Self {
        Self { at, skip: 0, times: None, share: 1.0 }
    }

    /// A rule that hits the next match only.
    pub fn once(at: At) -> Self {
        Self { at, skip: 0, times: Some(1), share: 1.0 }
    }
}

/// A place, and what happens there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case", deny_unknown_fields)]
pub enum At {
    /// A call to the AWS endpoint.
    Aws {
        /// The service's signing name: `secretsmanager`, `lambda`, `monitoring`, `logs`, ...
        service: String,
        /// The operation's name; every operation when absent.
        #[serde(default)]
        operation: Option<String>,
        /// What happens.
        effect: AwsEffect,
    },
    /// The local TDS server.
    Tds {
        /// What happens.
        effect: TdsEffect,
    },
    /// An invocation of a function.
    Function {
        /// The function's name.
        name: String,
        /// What happens.
        effect: FunctionEffect,
    },
    /// A change of a function's code or configuration that was accepted. Dry runs are none.
    Update {
        /// The function's name.
        name: String,
        /// What happens.
        effect: UpdateEffect,
    },
}

/// What happens to a call of the AWS endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AwsEffect {
    /// Refused with the service's throttling error, nothing done.
    Throttle,
    /// Refused with a 500, nothing done.
    ServerError,
    /// Refused with AccessDeniedException, nothing done.
    AccessDenied,
    /// The connection is closed before anything is done.
    DropBefore,
    /// Never answered (the connection is held for ten minutes), nothing done.
    TimeOut,
    /// Done, then the connection is closed without a reply.
    DropReply,
    /// Done, and never answered (the connection is held for ten minutes).
    HoldReply,
    /// Done twice; the second answer is the reply.
    Duplicate,
    /// Done after this many milliseconds.
    Delay(u64),
}

/// What happens to a connection of the local TDS server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TdsEffect {
    /// A new connection is closed at once.
    Refuse,
    /// A new connection is accepted and never answered.
    BlackHole,
    /// The answer to a statement is cut in the middle of a row and the connection closed.
    CutMidRow,
    /// The answer to a statement stops after its first half; the connection stays open.
    Stall,
    /// A statement is refused as the victim of a deadlock (1205).
    Deadlock,
    /// The answer to a statement comes this many milliseconds late.
    Delay(u64),
}

/// What happens to an invocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionEffect {
    /// The environment is killed when it has taken the event.
    Crash,
    /// The event is handed over this many milliseconds late, inside the function's duration.
    Slow(u64),
}

/// What happens to a change of a function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateEffect {
    /// It ends as `Failed`, with this `LastUpdateStatusReasonCode` (`SubnetOutOfIPAddresses`,
    /// `EniLimitExceeded`, `KMSKeyAccessDenied`, ...), and what ran before goes on.
    Fail(String),
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<(u64, Fault, u32)>>, Mutex<u64>);

impl Faults {
    /// Adds a rule and returns its number, or `None` when there are [`MOST_RULES`] already.
    pub fn add(&self, fault: Fault) -> Option<u64> {
        let mut rules = lock(&self.0);
        if rules.len() >= MOST_RULES {
            return None;
        }
        let mut last = lock(&self.1);
        *last += 1;
        rules.push((*last, fault, 0));
        Some(*last)
    }

    /// Takes a rule back; false when there is none of that number.
    pub fn remove(&self, number: u64) -> bool {
        let mut rules = lock(&self.0);
        let before = rules.len();
        rules.retain(|(n, ..)| *n != number);
        rules.len() < before
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The rules, with their numbers and how many matches each has seen.
    pub fn all(&self) -> Vec<(u64, Fault, u32)> {
        lock(&self.0).clone()
    }

    /// What is to happen to this call of the AWS endpoint.
    pub fn aws(&self, random: &Random, service: &str, operation: &str) -> Option<AwsEffect> {
        self.first(random, |at| match at {
            At::Aws { service: s, operation: o, effect }
                if s == service && o.as_deref().is_none_or(|o| o == operation) =>
            {
                Some(effect.clone())
            }
            _ => None,
        })
    }

    /// What is to happen to this new TDS connection: only `Refuse` and `BlackHole`.
    pub fn tds_connection(&self, random: &Random) -> Option<TdsEffect> {
        self.first(random, |at| match at {
            At::Tds { effect: effect @ (TdsEffect::Refuse | TdsEffect::BlackHole) } => Some(effect.clone()),
            _ => None,
        })
    }

    /// What is to happen to this statement: anything but `Refuse` and `BlackHole`.
    pub fn tds_statement(&self, random: &Random) -> Option<TdsEffect> {
        self.first(random, |at| match at {
            At::Tds { effect: TdsEffect::Refuse | TdsEffect::BlackHole } => None,
            At::Tds { effect } => Some(effect.clone()),
            _ => None,
        })
    }

    /// What is to happen to this invocation.
    pub fn function(&self, random: &Random, name: &str) -> Option<FunctionEffect> {
        self.first(random, |at| match at {
            At::Function { name: n, effect } if n == name => Some(effect.clone()),
            _ => None,
        })
    }

    /// What is to happen to this change of a function.
    pub fn update(&self, random: &Random, name: &str) -> Option<UpdateEffect> {
        self.first(random, |at| match at {
            At::Update { name: n, effect } if n == name => Some(effect.clone()),
            _ => None,
        })
    }

    fn first<T>(&self, random: &Random, applies: impl Fn(&At) -> Option<T>) -> Option<T> {
        let mut rules = lock(&self.0);
        for (_, fault, seen) in rules.iter_mut() {
            let Some(effect) = applies(&fault.at) else { continue };
            let nth = *seen;
            *seen = seen.saturating_add(1);
            let in_range = nth >= fault.skip && fault.times.is_none_or(|times| nth - fault.skip < times);
            if in_range && (fault.share >= 1.0 || random.fraction() < fault.share) {
                return Some(effect);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_then_hits_then_lets_pass() {
        let faults = Faults::default();
        let random = Random::seeded(1);
        faults.add(Fault {
            skip: 1,
            times: Some(2),
            ..Fault::always(At::Aws {
                service: "logs".into(),
                operation: Some("PutLogEvents".into()),
                effect: AwsEffect::Throttle,
            })
        });
        let hits: Vec<bool> = (0..5).map(|_| faults.aws(&random, "logs", "PutLogEvents").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(faults.aws(&random, "logs", "FilterLogEvents"), None);
    }

    #[test]
    fn rules_read_as_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"at":{"target":"aws","service":"lambda","effect":{"delay":250}},"times":3}"#,
        )
        .unwrap();
        assert_eq!(fault.times, Some(3));
        assert_eq!(
            fault.at,
            At::Aws { service: "lambda".into(), operation: None, effect: AwsEffect::Delay(250) }
        );
        let fault: Fault = serde_json::from_str(
            r#"{"at":{"target":"update","name":"f","effect":{"fail":"EniLimitExceeded"}},"times":1}"#,
        )
        .unwrap();
        let effect = UpdateEffect::Fail("EniLimitExceeded".into());
        assert_eq!(fault, Fault::once(At::Update { name: "f".into(), effect }));
    }
}
