//! What the overview page asks for.

use leptos::prelude::server;
use model::overview::Overview;

use super::{CallError, Json};

/// The overview as of now.
#[server(prefix = "/api/calls", endpoint = "overview", input = Json, output = Json)]
pub async fn get_overview(
    /// Whether the person has touched the page since the last call: a page that merely refreshes
    /// itself does not keep its session alive.
    active: bool,
) -> Result<Overview, CallError> {
    super::answer(async |caller| {
        if active {
            caller.app.touch(&caller.sign_in).await?;
        }
        crate::server::overview(&caller.app).await.map(|overview| (*overview).clone())
    })
    .await
}
