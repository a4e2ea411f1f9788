//! What a step finds before it does anything: whether the version it is called for is being rotated
//! to at all. Pure.

use std::collections::HashMap;

use super::failure::{Cause, Failure};

/// The version in use.
pub const CURRENT: &str = "AWSCURRENT";
/// The one a rotation is making.
pub const PENDING: &str = "AWSPENDING";
/// The one before the one in use.
pub const PREVIOUS: &str = "AWSPREVIOUS";

/// What is known of a secret without its values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// Whether rotation is switched on.
    pub enabled: bool,
    /// The labels of each version that has any, by its id.
    pub labels: HashMap<String, Vec<String>>,
}

impl Described {
    /// The version that has a label.
    pub fn holder(&self, label: &str) -> Option<&str> {
        let held = self.labels.iter().find(|(_, labels)| labels.iter().any(|held| held == label));
        held.map(|(version, _)| version.as_str())
    }

    /// Whether a version has a label.
    pub fn has(&self, version: &str, label: &str) -> bool {
        self.labels.get(version).is_some_and(|labels| labels.iter().any(|held| held == label))
    }
}

/// Whether a step goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It does.
    Go,
    /// The version is in use already: every step is done.
    AlreadyCurrent,
}

/// Looks before a step, in the order AWS gives.
///
/// # Errors
/// Rotation is off, or the version is not one that is being rotated to.
pub fn guard(described: &Described, token: &str) -> Result<Guard, Failure> {
    if !described.enabled {
        return Err(Failure::new(Cause::RotationDisabled, "rotation is not switched on for the secret"));
    }
    if !described.labels.contains_key(token) {
        let reason = "the secret has no version of this id: its rotation was abandoned, or never began";
        return Err(Failure::new(Cause::NotInRotation, reason));
    }
    if described.has(token, CURRENT) {
        return Ok(Guard::AlreadyCurrent);
    }
    if !described.has(token, PENDING) {
        let reason = "the version has no label AWSPENDING: its rotation was abandoned";
        return Err(Failure::new(Cause::NotInRotation, reason));
    }
    Ok(Guard::Go)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions and their labels.
    type Labels<'a> = &'a [(&'a str, &'a [&'a str])];

    fn described(enabled: bool, labels: Labels<'_>) -> Described {
        let labels = labels.iter().map(|(version, labels)| {
            ((*version).to_owned(), labels.iter().map(|label| (*label).to_owned()).collect())
        });
        Described { enabled, labels: labels.collect() }
    }

    #[test]
    fn the_guards_stand_in_their_order() {
        let cases: [(bool, Labels<'_>, Result<Guard, Cause>); 7] = [
            (true, &[("c", &[CURRENT]), ("t", &[PENDING])], Ok(Guard::Go)),
            (true, &[("c", &[PREVIOUS]), ("t", &[CURRENT, PENDING])], Ok(Guard::AlreadyCurrent)),
            (true, &[("c", &[PREVIOUS]), ("t", &[CURRENT])], Ok(Guard::AlreadyCurrent)),
            (true, &[("c", &[CURRENT])], Err(Cause::NotInRotation)),
            (true, &[("c", &[CURRENT]), ("t", &[PREVIOUS])], Err(Cause::NotInRotation)),
            (true, &[("c", &[CURRENT]), ("x", &[PENDING]), ("t", &["mine"])], Err(Cause::NotInRotation)),
            // Switched off goes before everything else.
            (false, &[("t", &[CURRENT])], Err(Cause::RotationDisabled)),
        ];
        for (enabled, labels, expected) in cases {
            let guard = guard(&described(enabled, labels), "t").map_err(|failure| failure.cause);
            assert_eq!(guard, expected, "{enabled} {labels:?}");
        }
    }

    #[test]
    fn labels_are_found() {
        let described = described(true, &[("c", &[CURRENT]), ("t", &[PENDING, "mine"])]);
        assert_eq!((described.holder(CURRENT), described.holder(PREVIOUS)), (Some("c"), None));
        assert!(described.has("t", "mine") && !described.has("c", "mine"));
    }
}
