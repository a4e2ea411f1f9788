//! What a secret consists of, how it is found, and what is kept of its old versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::labels::Labels;
use super::rotation::{Job, Rotation};
use crate::aws::AwsError;

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;
/// AWS keeps the 100 newest versions, and every one that has a label or is younger than 24 hours.
pub const KEPT_VERSIONS: usize = 100;
/// AWS gives no exact number for "too many versions in a day", only that one every ten minutes is
/// sustainable: that makes 144 a day.
pub const MOST_VERSIONS: usize = 144;

/// All secrets, by name.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    secrets: BTreeMap<String, Secret>,
}

/// A secret. Members join it with a default, so that an older state file stays readable.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// The name.
    pub name: String,
    /// The whole ARN, with its six random characters.
    pub arn: String,
    /// What it is for.
    pub description: Option<String>,
    /// The key that AWS would encrypt it with; none for `aws/secretsmanager`.
    pub kms_key_id: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The resource policy's text, if there is one.
    pub policy: Option<String>,
    /// When it was created, milliseconds since 1970, as all times here.
    pub created_ms: i64,
    /// When anything about it last changed.
    pub changed_ms: i64,
    /// The day on which a value was last read: its midnight.
    pub accessed_ms: Option<i64>,
    /// When it is to be gone, where it is marked for deletion.
    pub deleted_ms: Option<i64>,
    /// Versions that have a value, oldest first.
    pub versions: Vec<Version>,
    /// The labels, also on versions without a value.
    pub labels: Labels,
    /// How it is rotated; none where that was never said.
    pub rotation: Option<Rotation>,
    /// When a rotation last succeeded.
    pub last_rotated_ms: Option<i64>,
    /// The rotation that is to be done or under way.
    pub job: Option<Job>,
}

/// A version with a value.
#[derive(Clone, Serialize, Deserialize)]
pub struct Version {
    /// The `ClientRequestToken` that made it.
    pub id: String,
    /// When it was made.
    pub created_ms: i64,
    /// The day on which it was last read.
    #[serde(default)]
    pub accessed_ms: Option<i64>,
    /// The secret itself.
    pub value: Value,
}

/// A secret's value. Not `Debug`, so that no log line can hold one by mistake.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `SecretString`.
    Text(String),
    /// `SecretBinary`, in base64 as it travels.
    Binary(String),
}

impl State {
    /// Every secret that is not gone yet.
    pub fn all(&self, now: i64) -> impl Iterator<Item = &Secret> {
        self.secrets.values().filter(move |secret| !secret.gone(now))
    }

    /// The secret of this name, whole ARN or ARN without the last seven characters.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn find(&self, id: &str, now: i64) -> Result<&Secret, AwsError> {
        let found = if id.starts_with("arn:") {
            let whole = ends_like_an_arn(id);
            self.secrets.values().find(|secret| {
                secret.arn == id
                    || (!whole && secret.arn.rsplit_once('-').is_some_and(|(head, _)| head == id))
            })
        } else {
            self.secrets.get(id)
        };
        found.filter(|secret| !secret.gone(now)).ok_or_else(not_found)
    }

    /// Every secret, to change it.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Secret> {
        self.secrets.values_mut()
    }

    /// The same, to change it.
    ///
    /// # Errors
    /// `ResourceNotFoundException`.
    pub fn find_mut(&mut self, id: &str, now: i64) -> Result<&mut Secret, AwsError> {
        let name = self.find(id, now)?.name.clone();
        self.secrets.get_mut(&name).ok_or_else(not_found)
    }

    /// Adds a secret under its name.
    pub fn insert(&mut self, secret: Secret) {
        self.secrets.insert(secret.name.clone(), secret);
    }

    /// Takes a secret away at once.
    pub fn remove(&mut self, name: &str) {
        self.secrets.remove(name);
    }

    /// Takes away what was marked for deletion and whose time has come.
    pub fn drop_expired(&mut self, now: i64) {
        self.secrets.retain(|_, secret| !secret.gone(now));
    }
}

impl Secret {
    /// The secret, unless it is marked for deletion.
    ///
    /// # Errors
    /// `InvalidRequestException`.
    pub fn alive(&self) -> Result<&Self, AwsError> {
        if self.deleted_ms.is_some() {
            return Err(AwsError::new(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ));
        }
        Ok(self)
    }

    /// The version of this id, if it has a value.
    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// Adds a version's value and labels and drops old versions that nobody can need.
    ///
    /// # Errors
    /// `LimitExceededException` for too many labels, or too many versions in one day.
    pub fn add_version(
        &mut self,
        id: &str,
        value: Value,
        stages: &[String],
        now: i64,
    ) -> Result<(), AwsError> {
        self.versions.push(Version { id: id.to_owned(), created_ms: now, accessed_ms: None, value });
        self.labels.attach_to_new(id, stages)?;
        let mut surplus = self.versions.len().saturating_sub(KEPT_VERSIONS);
        let labels = &self.labels;
        self.versions.retain(|version| {
            let goes = surplus > 0 && !labels.any_on(&version.id) && version.created_ms < now - DAY_MS;
            surplus -= usize::from(goes);
            !goes
        });
        if self.versions.len() > MOST_VERSIONS {
            return Err(AwsError::new(
                "LimitExceededException",
                format!(
                    "The secret has {MOST_VERSIONS} versions that are labelled or younger than 24 hours."
                ),
            ));
        }
        Ok(())
    }

    /// Notes that a version was read: only the day is kept. False when it was noted already.
    pub fn touch(&mut self, version: &str, now: i64) -> bool {
        let day = Some(now - now.rem_euclid(DAY_MS));
        let mut news = self.accessed_ms != day;
        self.accessed_ms = day;
        if let Some(version) = self.versions.iter_mut().find(|v| v.id == version) {
            news |= version.accessed_ms != day;
            version.accessed_ms = day;
        }
        news
    }

    /// Whether `touch` would change something.
    pub fn untouched(&self, version: &str, now: i64) -> bool {
        let day = Some(now - now.rem_euclid(DAY_MS));
        self.accessed_ms != day || self.version(version).is_some_and(|v| v.accessed_ms != day)
    }

    /// What `DescribeSecret` and `ListSecrets` say of it; the member with the labels has another
    /// name in each.
    pub fn described(&self, labels_as: &str) -> Json {
        let mut out = Map::new();
        out.insert("ARN".into(), self.arn.clone().into());
        out.insert("Name".into(), self.name.clone().into());
        out.insert("CreatedDate".into(), seconds(self.created_ms));
        out.insert("LastChangedDate".into(), seconds(self.changed_ms));
        let optional = [
            ("Description", self.description.clone().map(Json::from)),
            ("KmsKeyId", self.kms_key_id.clone().map(Json::from)),
            ("LastAccessedDate", self.accessed_ms.map(seconds)),
            ("DeletedDate", self.deleted_ms.map(seconds)),
            (labels_as, Some(self.labels.by_version()).filter(|map| !map.is_empty()).map(|map| json!(map))),
            ("Tags", (!self.tags.is_empty()).then(|| tags(&self.tags))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                out.insert(name.to_owned(), value);
            }
        }
        self.described_rotation(&mut out);
        Json::Object(out)
    }

    fn gone(&self, now: i64) -> bool {
        self.deleted_ms.is_some_and(|at| at <= now)
    }
}

/// A time as this protocol writes it: seconds since 1970 with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit a double exactly")]
pub fn seconds(ms: i64) -> Json {
    json!(ms as f64 / 1000.0)
}

fn tags(tags: &BTreeMap<String, String>) -> Json {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// AWS takes an ARN that ends in a hyphen and six characters for a whole one, and so never finds a
/// secret by its partial ARN when the name itself ends like that.
fn ends_like_an_arn(arn: &str) -> bool {
    arn.rsplit_once('-')
        .is_some_and(|(_, tail)| tail.len() == 6 && tail.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// `ResourceNotFoundException` in AWS's words.
pub fn not_found() -> AwsError {
    AwsError::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, suffix: &str) -> Secret {
        Secret {
            name: name.into(),
            arn: format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-{suffix}"),
            ..Secret::default()
        }
    }

    #[test]
    fn a_secret_is_found_by_name_whole_arn_and_partial_arn() {
        let mut state = State::default();
        state.insert(secret("plain/one", "aB3dE6"));
        state.insert(secret("ends-a1b2c3", "zzzzzz"));
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:";
        for (id, found) in [
            ("plain/one".to_owned(), true),
            ("plain/on".to_owned(), false),
            (format!("{arn}plain/one-aB3dE6"), true),
            (format!("{arn}plain/one"), true),
            (format!("{arn}plain/one-aB3dE7"), false),
            (format!("{arn}plain"), false),
            ("ends-a1b2c3".to_owned(), true),
            (format!("{arn}ends-a1b2c3-zzzzzz"), true),
            (format!("{arn}ends-a1b2c3"), false),
        ] {
            assert_eq!(state.find(&id, 0).is_ok(), found, "{id}");
        }
    }

    #[test]
    fn old_versions_go_but_never_a_labelled_or_a_young_one() {
        let mut secret = secret("s", "aaaaaa");
        let value = || Value::Text("x".into());
        secret.add_version("keep", value(), &["mine".into()], 0).unwrap();
        for n in 0..110 {
            // One every 20 minutes: 72 a day.
            secret.add_version(&format!("v{n}"), value(), &[], n * 1_200_000).unwrap();
        }
        assert_eq!(secret.versions.len(), KEPT_VERSIONS);
        assert!(secret.version("keep").is_some());
        assert!(secret.version("v0").is_none());
        assert_eq!(secret.labels.holder("AWSPREVIOUS"), Some("v108"));

        let day = 1_000 * DAY_MS;
        let mut refused = None;
        for n in 0..200 {
            if let Err(error) = secret.clone().add_version(&format!("w{n}"), value(), &[], day) {
                refused = Some((n, error.code));
                break;
            }
            secret.add_version(&format!("w{n}"), value(), &[], day).unwrap();
        }
        let (n, code) = refused.unwrap();
        assert_eq!(code, "LimitExceededException");
        assert!((140..=144).contains(&n), "{n}");
    }

    #[test]
    fn a_state_file_without_newer_members_is_still_read() {
        let state: State =
            serde_json::from_str(r#"{"secrets":{"a":{"name":"a","arn":"arn:aws:x-abcdef"}}}"#).unwrap();
        assert!(state.find("a", 0).is_ok());
    }
}
