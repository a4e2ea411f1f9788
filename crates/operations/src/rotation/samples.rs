//! Secrets for the tests of decisions.

use model::rotation::{SecretDetail, SecretVersion};
use model::time::Timestamp;

/// Wednesday, 2026-11-25, 15:00 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_618_800_000);

/// A version with a value.
pub(crate) fn version(id: &str, labels: &[&str]) -> SecretVersion {
    let labels = labels.iter().map(|label| (*label).to_owned()).collect();
    SecretVersion { id: id.to_owned(), labels, created: None, has_value: true, started_by: None }
}

/// A secret that was rotated yesterday and will be tomorrow.
pub(crate) fn whole() -> SecretDetail {
    SecretDetail {
        name: "learninghub/sqlserver".to_owned(),
        arn: "arn:secret".to_owned(),
        kms_key: None,
        created: None,
        changed: None,
        rotated: Some(Timestamp(NOW.0 - 86_400_000)),
        next_rotation: Some(Timestamp(NOW.0 + 86_400_000)),
        rotation_enabled: true,
        rotation_function: Some("arn:function".to_owned()),
        schedule: Some("rate(30 days)".to_owned()),
        window: None,
        next_runs: Vec::new(),
        versions: vec![version("current", &["AWSCURRENT"]), version("previous", &["AWSPREVIOUS"])],
    }
}

/// The same with a version left as AWSPENDING, with a value or without.
pub(crate) fn half_done(has_value: bool) -> SecretDetail {
    let mut secret = whole();
    secret.versions.push(SecretVersion { has_value, ..version("pending", &["AWSPENDING"]) });
    secret
}
