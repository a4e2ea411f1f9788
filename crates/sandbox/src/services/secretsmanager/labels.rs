//! Staging labels: which version is AWSCURRENT, AWSPREVIOUS, AWSPENDING or what a user named.
//!
//! Kept as label -> version, so that "a label is on one version only" holds by construction. A
//! version may have labels and no value: that is what a rotation leaves when it dies before
//! createSecret. Everything here is pure; the words of the errors are AWS's where they are known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::AwsError;

/// The version in use.
pub const CURRENT: &str = "AWSCURRENT";
/// The one before it, moved by itself whenever `AWSCURRENT` moves.
pub const PREVIOUS: &str = "AWSPREVIOUS";
/// The one a rotation is making.
pub const PENDING: &str = "AWSPENDING";

/// AWS: 20 staging labels attached across all versions of a secret.
pub const MOST_LABELS: usize = 20;

/// The labels of one secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The version a label is on.
    pub fn holder(&self, label: &str) -> Option<&str> {
        self.0.get(label).map(String::as_str)
    }

    /// The labels on a version, sorted, as AWS lists them.
    pub fn of(&self, version: &str) -> Vec<String> {
        self.0.iter().filter(|(_, holder)| *holder == version).map(|(label, _)| label.clone()).collect()
    }

    /// Whether a version has a label.
    pub fn any_on(&self, version: &str) -> bool {
        self.0.values().any(|holder| holder == version)
    }

    /// Every labelled version with its labels, those without a value included.
    pub fn by_version(&self) -> BTreeMap<String, Vec<String>> {
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (label, version) in &self.0 {
            versions.entry(version.clone()).or_default().push(label.clone());
        }
        versions
    }

    /// Labels a version that gets its value now: `stages`, taken from wherever they are, or
    /// `AWSCURRENT` when none are named. A secret's first value is `AWSCURRENT` whatever is named.
    ///
    /// # Errors
    /// `LimitExceededException` above [`MOST_LABELS`].
    pub fn attach_to_new(&mut self, version: &str, stages: &[String]) -> Result<(), AwsError> {
        for label in stages {
            self.attach(label, version);
        }
        if stages.is_empty() || self.holder(CURRENT).is_none() {
            self.attach(CURRENT, version);
        }
        self.within_limit()
    }

    /// `UpdateSecretVersionStage`: takes a label from `remove_from`, puts it on `move_to`, or both.
    /// `has_value` says whether a version has a value; a version without one is known only when it
    /// has a label.
    ///
    /// # Errors
    /// AWS's own; nothing has changed then.
    pub fn update(
        &mut self,
        label: &str,
        remove_from: Option<&str>,
        move_to: Option<&str>,
        has_value: impl Fn(&str) -> bool,
    ) -> Result<(), AwsError> {
        let holder = self.holder(label).map(str::to_owned);
        let Some(target) = move_to else {
            return self.remove(label, holder.as_deref(), remove_from);
        };
        if !has_value(target) && !self.any_on(target) {
            return Err(AwsError::new(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret version: {target}"),
            ));
        }
        if label == CURRENT && !has_value(target) {
            return Err(AwsError::new(
                "InvalidRequestException",
                format!(
                    "You can't move staging label {CURRENT} to version {target} because it has no secret value."
                ),
            ));
        }
        match (holder.as_deref(), remove_from) {
            (Some(holder), Some(from)) if holder != from => return Err(not_the_holder(label)),
            (None, Some(_)) => return Err(not_the_holder(label)),
            (Some(holder), None) if holder != target => {
                return Err(AwsError::new(
                    "InvalidParameterException",
                    format!(
                        "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently \
                         attached to version {holder}, so you must explicitly reference that version in \
                         RemoveFromVersionId."
                    ),
                ));
            }
            _ => {}
        }
        let mut after = self.clone();
        after.attach(label, target);
        after.within_limit()?;
        *self = after;
        Ok(())
    }

    /// Whether a rotation could begin: `AWSPENDING` is absent, or on the current version.
    ///
    /// # Errors
    /// `InvalidRequestException` when it was left on another version.
    pub fn no_rotation_hangs(&self) -> Result<(), AwsError> {
        match self.pending() {
            Some(_) => Err(AwsError::new(
                "InvalidRequestException",
                "A previous rotation isn't complete. That rotation will be reattempted.",
            )),
            None => Ok(()),
        }
    }

    /// The version on which a rotation hangs or is under way: that of `AWSPENDING`, unless it is the
    /// current one.
    pub fn pending(&self) -> Option<&str> {
        self.holder(PENDING).filter(|pending| self.holder(CURRENT) != Some(pending))
    }

    /// Puts `AWSPENDING` on the version that a rotation is to make.
    ///
    /// # Errors
    /// `LimitExceededException` above [`MOST_LABELS`].
    pub fn begin_rotation(&mut self, version: &str) -> Result<(), AwsError> {
        self.attach(PENDING, version);
        self.within_limit()
    }

    /// Takes `AWSPENDING` away, from wherever it is.
    pub fn end_pending(&mut self) {
        self.0.remove(PENDING);
    }

    fn remove(&mut self, label: &str, holder: Option<&str>, from: Option<&str>) -> Result<(), AwsError> {
        let Some(from) = from else {
            return Err(AwsError::new(
                "InvalidParameterException",
                "You must provide a value for at least one of MoveToVersionId and RemoveFromVersionId.",
            ));
        };
        if holder != Some(from) {
            return Err(not_the_holder(label));
        }
        if label == CURRENT {
            return Err(AwsError::new(
                "InvalidParameterException",
                format!(
                    "You can only move staging label {CURRENT} to a different secret version. It can't be \
                     completely removed."
                ),
            ));
        }
        self.0.remove(label);
        Ok(())
    }

    fn attach(&mut self, label: &str, version: &str) {
        let before = self.0.insert(label.to_owned(), version.to_owned());
        if let Some(before) = before
            && label == CURRENT
            && before != version
        {
            self.0.insert(PREVIOUS.to_owned(), before);
        }
    }

    fn within_limit(&self) -> Result<(), AwsError> {
        if self.0.len() > MOST_LABELS {
            return Err(AwsError::new(
                "LimitExceededException",
                format!(
                    "You can't attach more than {MOST_LABELS} staging labels to the versions of a secret."
                ),
            ));
        }
        Ok(())
    }
}

fn not_the_holder(label: &str) -> AwsError {
    AwsError::new(
        "InvalidParameterException",
        format!(
            "If you specify RemoveFromVersionId, it must be set to the version that currently has the staging \
             label {label}."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"a:CURRENT b:PREVIOUS"` to labels and back: short enough for a table.
    fn labels(text: &str) -> Labels {
        Labels(
            text.split_whitespace()
                .map(|pair| {
                    let (version, label) = pair.split_once(':').unwrap();
                    (long(label), version.to_owned())
                })
                .collect(),
        )
    }

    fn long(label: &str) -> String {
        match label {
            "CURRENT" | "PREVIOUS" | "PENDING" => format!("AWS{label}"),
            other => other.to_owned(),
        }
    }

    #[test]
    fn a_new_value_takes_its_labels() {
        let table: &[(&str, &str, &[&str], &str)] = &[
            // before, version, stages, after
            ("", "a", &[], "a:CURRENT"),
            ("", "a", &["PENDING"], "a:CURRENT a:PENDING"),
            ("a:CURRENT", "b", &[], "b:CURRENT a:PREVIOUS"),
            ("b:CURRENT a:PREVIOUS", "c", &["CURRENT"], "c:CURRENT b:PREVIOUS"),
            ("b:CURRENT a:PREVIOUS", "c", &["PENDING"], "b:CURRENT a:PREVIOUS c:PENDING"),
            ("b:CURRENT c:PENDING", "d", &["PENDING"], "b:CURRENT d:PENDING"),
            ("b:CURRENT c:PENDING", "c", &["PENDING"], "b:CURRENT c:PENDING"),
            ("a:CURRENT b:one b:two", "c", &["one", "four"], "a:CURRENT b:two c:one c:four"),
            ("a:CURRENT", "b", &["CURRENT", "PUT0"], "b:CURRENT b:PUT0 a:PREVIOUS"),
        ];
        for (before, version, stages, after) in table {
            let mut found = labels(before);
            let stages: Vec<String> = stages.iter().map(|label| long(label)).collect();
            found.attach_to_new(version, &stages).unwrap();
            assert_eq!(found, labels(after), "{before} + {version} {stages:?}");
        }
    }

    #[test]
    fn labels_move_by_the_rules() {
        // before, label, from, to, after or error. Versions a to d have values, p has none.
        type Case =
            (&'static str, &'static str, &'static str, &'static str, Result<&'static str, &'static str>);
        let table: &[Case] = &[
            ("a:CURRENT b:PENDING", "CURRENT", "a", "b", Ok("b:CURRENT b:PENDING a:PREVIOUS")),
            ("b:CURRENT a:PREVIOUS", "CURRENT", "b", "a", Ok("a:CURRENT b:PREVIOUS")),
            (
                "c:CURRENT b:PREVIOUS b:x d:PENDING",
                "CURRENT",
                "c",
                "d",
                Ok("d:CURRENT d:PENDING c:PREVIOUS b:x"),
            ),
            ("a:CURRENT b:PENDING", "CURRENT", "", "b", Err("InvalidParameterException")),
            ("a:CURRENT b:PENDING", "CURRENT", "b", "b", Err("InvalidParameterException")),
            ("a:CURRENT b:PENDING", "CURRENT", "c", "b", Err("InvalidParameterException")),
            ("a:CURRENT", "CURRENT", "a", "", Err("InvalidParameterException")),
            ("a:CURRENT", "CURRENT", "", "a", Ok("a:CURRENT")),
            ("a:CURRENT", "CURRENT", "a", "a", Ok("a:CURRENT")),
            ("a:CURRENT", "CURRENT", "a", "z", Err("ResourceNotFoundException")),
            ("a:CURRENT p:PENDING", "CURRENT", "a", "p", Err("InvalidRequestException")),
            ("a:CURRENT b:PENDING", "PENDING", "", "c", Err("InvalidParameterException")),
            ("a:CURRENT b:PENDING", "PENDING", "b", "c", Ok("a:CURRENT c:PENDING")),
            ("a:CURRENT b:PENDING", "PENDING", "b", "", Ok("a:CURRENT")),
            ("a:CURRENT p:PENDING", "PENDING", "p", "", Ok("a:CURRENT")),
            ("a:CURRENT p:PENDING", "mine", "", "p", Ok("a:CURRENT p:PENDING p:mine")),
            ("a:CURRENT b:PENDING", "PENDING", "a", "", Err("InvalidParameterException")),
            ("a:CURRENT", "mine", "", "b", Ok("a:CURRENT b:mine")),
            ("a:CURRENT", "mine", "a", "b", Err("InvalidParameterException")),
            ("a:CURRENT", "mine", "", "", Err("InvalidParameterException")),
        ];
        let given = |text: &'static str| (!text.is_empty()).then_some(text);
        for (before, label, from, to, expected) in table {
            let mut found = labels(before);
            let result = found.update(&long(label), given(from), given(to), |v| "abcd".contains(v));
            let result = result.map(|()| found.clone()).map_err(|error| error.code);
            assert_eq!(
                result,
                expected.map(labels).map_err(str::to_owned),
                "{before}: {label} from '{from}' to '{to}'"
            );
            if expected.is_err() {
                assert_eq!(found, labels(before), "a refusal changes nothing");
            }
        }
    }

    #[test]
    fn a_pending_label_elsewhere_means_a_rotation_hangs() {
        for (before, hangs) in
            [("a:CURRENT", false), ("a:CURRENT a:PENDING", false), ("a:CURRENT b:PENDING", true), ("", false)]
        {
            assert_eq!(labels(before).no_rotation_hangs().is_err(), hangs, "{before}");
        }
    }

    #[test]
    fn there_are_twenty_labels_and_no_more() {
        let mut found = labels("a:CURRENT");
        for n in 0..19 {
            found.update(&format!("l{n}"), None, Some("b"), |_| true).unwrap();
        }
        let full = found.clone();
        let error = found.update("one-more", None, Some("a"), |_| true).unwrap_err();
        assert_eq!(error.code, "LimitExceededException");
        assert_eq!(found, full);
        assert_eq!(found.of("b").len(), 19);
    }
}
