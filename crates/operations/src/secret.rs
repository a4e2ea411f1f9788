//! The secret, from its description: the portal has no right to read its value, and asks for none.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use model::overview::Secret;
use model::problem::Problem;
use model::stack::Stack;

use crate::aws::{problem, timestamp};

/// Reads the secret's description.
pub(crate) async fn read(secrets: Client, stack: Arc<Stack>) -> Result<Secret, Problem> {
    let facts = secrets.describe_secret().secret_id(&stack.secret_id).send().await.map_err(|error| {
        problem(&format!("describe the secret {}", stack.secret_id), "secretsmanager:DescribeSecret", &error)
    })?;
    let labelled = |label: &str| {
        facts
            .version_ids_to_stages()?
            .iter()
            .find(|(_, labels)| labels.iter().any(|held| held == label))
            .map(|(version, _)| version.clone())
    };
    let current_version = labelled("AWSCURRENT");
    // A rotation is done when AWSPENDING is gone or stands on the version that is AWSCURRENT.
    let pending_version = labelled("AWSPENDING").filter(|version| Some(version) != current_version.as_ref());
    Ok(Secret {
        current_version,
        changed: facts.last_changed_date().map(timestamp),
        rotation_enabled: facts.rotation_enabled().unwrap_or(false),
        rotated: facts.last_rotated_date().map(timestamp),
        next_rotation: facts.next_rotation_date().map(timestamp),
        pending_version,
    })
}
