//! What the secret's page asks for.

use leptos::prelude::server;
use model::rotation::SecretPage;

use super::{CallError, Json};

/// The secret as of now.
#[server(prefix = "/api/calls", endpoint = "secret", input = Json, output = Json)]
pub async fn get_secret(
    /// The rotation to show; none for the one that matters most.
    watch: Option<String>,
    /// As in [`get_overview`](super::overview::get_overview).
    active: bool,
) -> Result<SecretPage, CallError> {
    super::answer(async |caller| {
        if active {
            caller.app.touch(&caller.sign_in).await?;
        }
        crate::server::secret_page(&caller.app, watch).await
    })
    .await
}
