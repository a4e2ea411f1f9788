//! What Lambda keeps: functions with their versions, aliases and policies. Plain data and the few
//! questions that are answered from it and a time alone.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::names::LATEST;
use super::settings::Settings;

/// All functions, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub functions: BTreeMap<String, Function>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Function {
    /// `$LATEST`.
    pub latest: Version,
    /// What `$LATEST` runs while an update is in progress, and after one that failed.
    pub before: Option<Build>,
    /// The published versions, by number.
    pub versions: BTreeMap<u64, Version>,
    /// The highest number ever published: numbers are never used twice.
    pub last_number: u64,
    /// The aliases, by name.
    pub aliases: BTreeMap<String, Alias>,
    /// The resource policies: by qualifier, the function's own under the empty one.
    pub policies: BTreeMap<String, Vec<Statement>>,
    /// Reserved concurrency.
    pub reserved: Option<u32>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// What an execution environment runs: code and settings. Its id is new with every change, so that
/// an environment of an older one is never taken for a current one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Build {
    pub id: String,
    pub code: Code,
    pub settings: Settings,
}

/// A zip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Code {
    /// SHA-256 in base64, as AWS shows it.
    pub sha256: String,
    /// The same in hexadecimal: the name of its file and folder.
    pub hex: String,
    /// Bytes of the zip.
    pub size: u64,
}

/// `$LATEST` or a published version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    pub build: Build,
    /// The description a version was published with, where it is not the function's.
    pub description: Option<String>,
    pub modified: DateTime<Utc>,
    /// Whether the change below is the first one.
    pub created: bool,
    /// When the last change takes effect.
    pub settled_at: DateTime<Utc>,
    /// The revision until then.
    pub revision: String,
    /// The revision from then on: on AWS, too, the end of an update is a revision of its own.
    pub settled_revision: String,
    /// Why the last change does not take effect, which is known from that time on.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// Why a change did not take effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// AWS's reason code.
    pub code: String,
    /// The same in words.
    pub reason: String,
}

impl Version {
    /// Why the last change did not take effect, once that is known.
    pub fn failed(&self, now: DateTime<Utc>) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| self.is_settled(now))
    }

    /// Whether the last change has taken effect.
    pub fn is_settled(&self, now: DateTime<Utc>) -> bool {
        now >= self.settled_at
    }

    /// Whether it was made and is not active yet.
    pub fn is_pending(&self, now: DateTime<Utc>) -> bool {
        self.created && !self.is_settled(now)
    }

    /// The present revision.
    pub fn revision(&self, now: DateTime<Utc>) -> &str {
        if self.is_settled(now) { &self.settled_revision } else { &self.revision }
    }
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Alias {
    /// A number or `$LATEST`.
    pub version: String,
    pub description: String,
    /// At most one further version and its share, from 0 to 1.
    pub weights: BTreeMap<String, f64>,
    pub revision: String,
}

impl Alias {
    /// The version that a fraction from 0 (included) to 1 (excluded) falls to.
    pub fn choose(&self, fraction: f64) -> &str {
        self.weights
            .iter()
            .find(|(_, weight)| fraction < **weight)
            .map_or(self.version.as_str(), |(version, _)| version.as_str())
    }

    /// Whether the alias names a version, be it with no weight.
    pub fn names(&self, version: &str) -> bool {
        self.version == version || self.weights.contains_key(version)
    }
}

/// A statement of a resource policy. All of them allow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Statement {
    pub sid: String,
    pub action: String,
    pub principal: Grantee,
    pub source_arn: Option<String>,
    pub source_account: Option<String>,
}

/// Whom a statement allows something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Grantee {
    Everyone,
    Service(String),
    Aws(String),
}

impl Function {
    /// The version a number or `$LATEST` names.
    pub fn version(&self, qualifier: &str) -> Option<&Version> {
        if qualifier == LATEST {
            return Some(&self.latest);
        }
        self.versions.get(&qualifier.parse().ok()?)
    }

    /// The version behind a qualifier (none is `$LATEST`), with its number or `$LATEST`. An alias
    /// stands for its main version.
    pub fn resolve(&self, qualifier: Option<&str>) -> Option<(&Version, String)> {
        let qualifier = qualifier.unwrap_or(LATEST);
        match self.aliases.get(qualifier) {
            Some(alias) => Some((self.version(&alias.version)?, alias.version.clone())),
            None => Some((self.version(qualifier)?, qualifier.to_owned())),
        }
    }

    /// What `$LATEST` runs at a time: during an update still the build before it, and for good when the
    /// update fails.
    pub fn serving(&self, now: DateTime<Utc>) -> &Build {
        match &self.before {
            Some(before) if !self.latest.is_settled(now) || self.latest.failure.is_some() => before,
            _ => &self.latest.build,
        }
    }
}

impl State {
    /// Every build in the state, those of updates in progress too.
    pub fn builds(&self) -> impl Iterator<Item = &Build> {
        self.functions.values().flat_map(|function| {
            let versions = function.versions.values().chain([&function.latest]);
            versions.map(|version| &version.build).chain(&function.before)
        })
    }

    /// The ids of all builds that may be asked to run at a time, but for those of one function.
    pub fn running_builds(&self, now: DateTime<Utc>, but: Option<&str>) -> HashSet<&str> {
        self.functions
            .iter()
            .filter(|(name, _)| but != Some(name.as_str()))
            .flat_map(|(_, function)| {
                let published = function.versions.values().map(|version| &version.build);
                published.chain([function.serving(now), &function.latest.build])
            })
            .map(|build| build.id.as_str())
            .collect()
    }

    /// The sum of all reserved concurrency.
    pub fn reserved(&self) -> u32 {
        self.functions.values().filter_map(|function| function.reserved).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_the_share_of_the_other_version() {
        let alias = |weight: Option<f64>| Alias {
            version: "1".into(),
            description: String::new(),
            weights: weight.map(|w| ("2".to_owned(), w)).into_iter().collect(),
            revision: String::new(),
        };
        for (weight, fraction, expected) in [
            (None, 0.0, "1"),
            (Some(0.0), 0.0, "1"),
            (Some(0.1), 0.0, "2"),
            (Some(0.1), 0.099, "2"),
            (Some(0.1), 0.1, "1"),
            (Some(0.5), 0.499, "2"),
            (Some(0.5), 0.5, "1"),
            (Some(1.0), 0.999, "2"),
        ] {
            assert_eq!(alias(weight).choose(fraction), expected, "{weight:?} {fraction}");
        }
        assert!(alias(Some(0.0)).names("2"));
    }
}
