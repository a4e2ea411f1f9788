//! Server functions: what islands ask of the server. Their bodies are thin; the work is done by the
//! same services that the operations API uses.
//!
//! Each is a public address under `/api/calls/`. The server lets nobody through who is not signed in,
//! and nothing that is not a POST of JSON from the portal's own pages.

pub mod overview;

use leptos::prelude::{FromServerFnError, ServerFnErrorErr};
use leptos::server_fn::codec::Post;
use leptos::server_fn::{Bytes, ContentType, Decodes, Encodes, Format, FormatType};
use model::problem::{Problem, ProblemKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// JSON in the body of a POST, both ways.
pub type Json = Post<JsonText>;

/// JSON that is read as text. Islands get what they start with as text, and a reader of bytes beside
/// that would be the code for every type once more: an eighth of the browser's program.
pub struct JsonText;

impl ContentType for JsonText {
    const CONTENT_TYPE: &'static str = "application/json";
}

impl FormatType for JsonText {
    const FORMAT_TYPE: Format = Format::Text;
}

impl<T: Serialize> Encodes<T> for JsonText {
    type Error = serde_json::Error;

    fn encode(output: &T) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(output).map(Bytes::from)
    }
}

impl<T: DeserializeOwned> Decodes<T> for JsonText {
    type Error = serde_json::Error;

    fn decode(bytes: Bytes) -> Result<T, Self::Error> {
        serde_json::from_str(&String::from_utf8_lossy(&bytes))
    }
}

/// Why a call failed; on the wire it is the problem itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallError(pub Problem);

impl FromServerFnError for CallError {
    type Encoder = JsonText;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let (kind, message) = match error {
            ServerFnErrorErr::Request(_) => (ProblemKind::Unreachable, "The portal can't be reached."),
            // In the browser what can't be read is the answer, on the server it is the request.
            ServerFnErrorErr::Deserialization(_) if cfg!(not(feature = "ssr")) => {
                (ProblemKind::Upstream, "The portal's answer could not be understood.")
            }
            ServerFnErrorErr::Deserialization(_)
            | ServerFnErrorErr::Args(_)
            | ServerFnErrorErr::MissingArg(_) => {
                (ProblemKind::Invalid, "The portal did not understand this page's request.")
            }
            _ => (ProblemKind::Internal, "The portal failed."),
        };
        Self(Problem::new(kind, message))
    }
}

/// Who calls, and what the call is answered with.
#[cfg(feature = "ssr")]
#[derive(Clone)]
pub struct Caller {
    pub(crate) app: crate::server::App,
    pub(crate) sign_in: crate::server::accounts::SignInId,
}

/// Runs a call's body for its caller.
#[cfg(feature = "ssr")]
async fn answer<T>(body: impl AsyncFnOnce(Caller) -> Result<T, Problem>) -> Result<T, CallError> {
    match leptos::prelude::use_context::<Caller>() {
        Some(caller) => body(caller).await.map_err(CallError),
        None => Err(CallError(Problem::new(ProblemKind::NotSignedIn, "Nobody is signed in."))),
    }
}
