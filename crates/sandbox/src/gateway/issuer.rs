//! An OpenID issuer of the sandbox's own: what a JWT authorizer needs (a discovery document and a
//! key set), and a way to mint tokens with any claims, for tests and for trying things out.
//!
//! Whoever can reach it can mint a token, so it is for loopback only: a request whose `Host` or
//! `Origin` is not this machine is refused, and so a page in a browser can't mint one for itself,
//! not even after pointing its own name here.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Digest;

use crate::aws::AwsError;
use crate::context::Context;
use crate::services::apigateway::authorizers::is_loopback;

/// A token lives an hour unless asked otherwise.
const LIFE: i64 = 3_600;
/// A day, in either direction: a token that has expired is of use in tests.
const LONGEST: i64 = 86_400;

/// The issuer: an RSA key of 2,048 bits in the state folder, made at the first start.
pub struct Issuer {
    context: Arc<Context>,
    url: String,
    key: RsaKeyPair,
    kid: String,
}

impl Issuer {
    /// Opens the issuer. `url` is the address at which [`router`] is mounted, without a slash at the
    /// end, for example `http://127.0.0.1:4590/_issuer`: the `iss` of every token.
    ///
    /// # Errors
    /// When the key can't be read or written, or what the file holds is none.
    pub fn open(context: Arc<Context>, url: impl Into<String>) -> io::Result<Arc<Self>> {
        let key = key(&context.path("issuer.key"))?;
        let digest = sha2::Sha256::digest(key.public_key().as_ref());
        let kid = URL_SAFE_NO_PAD.encode(&digest[..12]);
        Ok(Arc::new(Self { context, url: url.into(), key, kid }))
    }

    /// The address that authorizers are given as the issuer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Mints a token with these claims (an object). `iss`, `iat` and `exp` (in an hour) are added
    /// where they are absent.
    ///
    /// # Errors
    /// When `claims` is no object, or the key can't sign.
    pub fn mint(&self, claims: Value) -> Result<String, AwsError> {
        let Value::Object(mut claims) = claims else {
            return Err(AwsError::validation("a token's claims must be an object"));
        };
        let now = self.context.now().timestamp();
        claims.entry("iss").or_insert_with(|| json!(self.url));
        claims.entry("iat").or_insert_with(|| json!(now));
        claims.entry("exp").or_insert_with(|| json!(now + LIFE));
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = json!({ "alg": "RS256", "kid": self.kid, "typ": "JWT" });
        let signed = format!("{}.{}", part(&head), part(&Value::Object(claims)));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| AwsError::internal("the issuer's key can't sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn jwks(&self) -> Value {
        let public = self.key.public_key();
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": text(public.modulus().big_endian_without_leading_zero()),
            "e": text(public.exponent().big_endian_without_leading_zero()),
        }] })
    }
}

/// The issuer's routes, to be nested under the path of its URL:
/// `/.well-known/openid-configuration`, `/jwks.json`, and `POST /token`, which takes a JSON object
/// (`sub`, `scope`, `aud`, `client_id`, `expires_in` in seconds, `claims` for all others) and
/// answers like an OAuth 2 token endpoint.
pub fn router(issuer: Arc<Issuer>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks.json", get(|State(issuer): State<Arc<Issuer>>| async move { Json(issuer.jwks()) }))
        .route("/token", post(token))
        .layer(middleware::from_fn(only_here))
        .with_state(issuer)
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks.json"),
        "token_endpoint": format!("{url}/token"),
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    sub: Option<String>,
    scope: Option<String>,
    aud: Option<Value>,
    client_id: Option<String>,
    expires_in: Option<i64>,
    #[serde(default)]
    claims: Map<String, Value>,
}

async fn token(State(issuer): State<Arc<Issuer>>, Json(ask): Json<Ask>) -> Response {
    let lives = ask.expires_in.unwrap_or(LIFE);
    let refuse = |why: String| {
        let body = json!({ "error": "invalid_request", "error_description": why });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    if !(-LONGEST..=LONGEST).contains(&lives) {
        return refuse(format!("expires_in must lie between -{LONGEST} and {LONGEST} seconds"));
    }
    let mut claims = ask.claims;
    let given = [
        ("sub", ask.sub.map(Value::from)),
        ("scope", ask.scope.map(Value::from)),
        ("aud", ask.aud),
        ("client_id", ask.client_id.map(Value::from)),
        ("exp", ask.expires_in.map(|lives| json!(issuer.context.now().timestamp() + lives))),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value);
        }
    }
    match issuer.mint(Value::Object(claims)) {
        Ok(token) => {
            let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": lives });
            ([(http::header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
        }
        Err(error) => refuse(error.message),
    }
}

async fn only_here(request: Request, next: Next) -> Response {
    if from_here(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "the issuer answers this machine alone").into_response()
    }
}

/// Whether the host is a loopback one, and the origin too if there is one.
fn from_here(headers: &HeaderMap) -> bool {
    let local = |authority: &str| {
        authority.parse::<http::uri::Authority>().is_ok_and(|authority| is_loopback(authority.host()))
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).is_some_and(local);
    let origin = headers.get(ORIGIN).is_none_or(|origin| {
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(|(_, rest)| local(rest))
    });
    host && origin
}

/// Reads the key, or makes one. It is written beside its place and moved there, so that a start that
/// is broken off leaves no half key behind.
fn key(path: &Path) -> io::Result<RsaKeyPair> {
    let broken =
        |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    match std::fs::read(path) {
        Ok(bytes) => return RsaKeyPair::from_pkcs8(&bytes).map_err(|_| broken("not an RSA key in PKCS #8")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| broken("no key can be made"))?;
    let bytes = key.as_der().map_err(|_| broken("the key can't be written down"))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("key.new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes.as_ref())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_answered() {
        let cases = [
            ("127.0.0.1:4590", None, true),
            ("localhost:4590", Some("http://localhost:3000"), true),
            ("[::1]:4590", None, true),
            ("issuer.evil.example", None, false),
            ("127.0.0.1.evil.example", None, false),
            ("127.0.0.1:4590", Some("https://evil.example"), false),
            ("127.0.0.1:4590", Some("null"), false),
            ("localhost@evil.example", None, false),
        ];
        for (host, origin, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(from_here(&headers), expected, "{host} {origin:?}");
        }
        assert!(!from_here(&HeaderMap::new()));
    }
}
