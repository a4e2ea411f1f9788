//! The keys of token issuers: discovery document, then key set, kept for a while.
//!
//! AWS's bounds are kept: 1.5 s for each of the two documents, 150,000 bytes, two hours in the
//! cache. A key that is not among those kept makes for another look, at most every 30 s, so that a
//! new key of the issuer's own does not have to wait for two hours here. No redirect is followed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::jwt::Key;
use crate::context::lock;
use crate::services::apigateway::authorizers::is_loopback;

/// AWS: the time for each of the two documents.
const TIME: Duration = Duration::from_millis(1_500);
/// AWS: the size of a key set.
const LARGEST: usize = 150_000;
/// AWS: how long keys may be kept.
const KEPT: Duration = Duration::from_secs(7_200);
/// After this time an unknown key is looked for again.
const AGAIN: Duration = Duration::from_secs(30);
/// A failure is remembered this long, so that requests don't queue up behind an issuer that hangs.
const FAILED: Duration = Duration::from_secs(2);
/// So many issuers are kept at most; beyond it all are forgotten and fetched anew.
const MOST: usize = 100;

type Fetched = Result<Arc<Vec<Key>>, String>;
type Slot = Arc<tokio::sync::Mutex<Option<(Fetched, Instant)>>>;

/// The keys fetched so far.
#[derive(Default)]
pub struct Keys {
    slots: Mutex<HashMap<String, Slot>>,
    tls: OnceCell<TlsConnector>,
}

impl Keys {
    /// The keys of an issuer, fetched if need be; `kid` is the one that is wanted.
    ///
    /// # Errors
    /// What went wrong, in words for the `www-authenticate` header and the access log.
    pub async fn of(&self, issuer: &str, kid: &str) -> Fetched {
        let slot = {
            let mut slots = lock(&self.slots);
            if slots.len() >= MOST && !slots.contains_key(issuer) {
                slots.clear();
            }
            slots.entry(issuer.to_owned()).or_default().clone()
        };
        // One request fetches, the others of this issuer wait for it: twice TIME at most.
        let mut held = slot.lock().await;
        if let Some((fetched, at)) = held.as_ref() {
            let fresh = match fetched {
                Ok(keys) if keys.iter().any(|key| key.kid == kid) => KEPT,
                Ok(_) => AGAIN,
                Err(_) => FAILED,
            };
            if at.elapsed() < fresh {
                return fetched.clone();
            }
        }
        let fetched = self.fetch(issuer).await;
        if let Err(why) = &fetched {
            tracing::warn!(issuer, why, "an issuer's keys can't be had");
        }
        *held = Some((fetched.clone(), Instant::now()));
        fetched
    }

    async fn fetch(&self, issuer: &str) -> Fetched {
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = self
            .get(&discovery)
            .await
            .map_err(|why| format!("OIDC discovery endpoint communication error: {why}"))?;
        if document["issuer"].as_str() != Some(issuer) {
            return Err("OIDC discovery endpoint names another issuer".to_owned());
        }
        let address = document["jwks_uri"].as_str().ok_or("OIDC discovery endpoint names no jwks_uri")?;
        let set = self.get(address).await.map_err(|why| format!("JWKS communication error: {why}"))?;
        let keys = set["keys"].as_array().ok_or("the issuer's key set has no keys")?;
        // Keys of other kinds may stand among them: those that can't be read are of no use.
        Ok(Arc::new(keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect()))
    }

    async fn get(&self, address: &str) -> Result<Value, String> {
        tokio::time::timeout(TIME, self.exchange(address)).await.map_err(|_| "timed out".to_owned())?
    }

    async fn exchange(&self, address: &str) -> Result<Value, String> {
        let uri: Uri = address.parse().map_err(|_| "not a URL".to_owned())?;
        let host = uri.host().ok_or("a URL without a host")?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(host) => false,
            _ => return Err("neither https nor http on a loopback address".to_owned()),
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((bare.as_str(), port)).await.map_err(|error| error.to_string())?;
        if !secure {
            return converse(TokioIo::new(stream), &uri).await;
        }
        let tls = self.tls.get_or_try_init(connector).await?;
        let name = ServerName::try_from(bare).map_err(|error| error.to_string())?;
        let stream = tls.connect(name, stream).await.map_err(|error| error.to_string())?;
        converse(TokioIo::new(stream), &uri).await
    }
}

async fn converse<S>(stream: S, uri: &Uri) -> Result<Value, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let said = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(said)?;
    // Ends by itself when the sender goes, which it does with this future.
    tokio::spawn(connection);
    let request = http::Request::get(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(http::header::HOST, uri.authority().map_or("", |authority| authority.as_str()))
        .header(http::header::ACCEPT, "application/json")
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(said)?;
    if response.status() != http::StatusCode::OK {
        return Err(format!("answered {}", response.status().as_u16()));
    }
    let body =
        Limited::new(response.into_body(), LARGEST).collect().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_| "not JSON".to_owned())
}

/// Trusts what the machine trusts.
async fn connector() -> Result<TlsConnector, String> {
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
        .await
        .map_err(|error| error.to_string())?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
