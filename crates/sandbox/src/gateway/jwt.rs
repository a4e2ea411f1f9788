//! What a JWT authorizer decides: whether a token is one, whether one of the issuer's keys signed
//! it, whether its claims fit the authorizer and its scopes the route. No I/O; the keys come from
//! [`super::keys`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::services::apigateway::model::JwtConfiguration;

/// What a request's authorizer found.
#[derive(Debug, Clone, PartialEq)]
pub struct Authorized {
    /// The token's claims.
    pub claims: Map<String, Value>,
    /// The token's scopes, on a route that asks for some.
    pub scopes: Option<Vec<String>>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no token: 401.
    Missing,
    /// The token does not count: 401, with the reason.
    Invalid(String),
    /// The token counts and has none of the route's scopes: 403.
    Scope,
}

impl Refusal {
    /// The `www-authenticate` header, in the form AWS documents.
    pub fn challenge(&self, scopes: &[String]) -> String {
        let scopes = scopes.join(" ");
        match self {
            Self::Missing => "Bearer".to_owned(),
            Self::Invalid(why) => {
                // A quotation mark would end the text before its time.
                let why = why.replace(['"', '\\'], "'");
                format!("Bearer scope=\"{scopes}\" error=\"invalid_token\" error_description=\"{why}\"")
            }
            Self::Scope => format!(
                "Bearer scope=\"{scopes}\" error=\"insufficient_scope\" error_description=\"{}\"",
                self.reason()
            ),
        }
    }

    /// The reason, for the access log.
    pub fn reason(&self) -> &str {
        match self {
            Self::Missing => "Unauthorized",
            Self::Invalid(why) => why,
            Self::Scope => "the token does not have a required scope",
        }
    }
}

/// A token, taken apart but not yet believed.
#[derive(Debug)]
pub struct Token<'a> {
    /// The name of the key that is said to have signed it.
    pub kid: String,
    algorithm: Algorithm,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: &'a str,
}

/// A key of an issuer, as its key set holds it. Only RSA keys are of use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// The key's name.
    #[serde(default)]
    pub kid: String,
    /// `RSA`, or a kind that is of no use here.
    pub kty: String,
    /// The one algorithm it is for, where it says so.
    #[serde(default)]
    pub alg: Option<String>,
    /// The modulus, base64url.
    #[serde(default)]
    pub n: String,
    /// The exponent, base64url.
    #[serde(default)]
    pub e: String,
}

/// The token in an identity source's value, which may begin with `Bearer `.
pub fn bare(value: &str) -> &str {
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim(),
        _ => value.trim(),
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is no JWT, or one whose algorithm is not RSA's: AWS supports only RS256, RS384 and
    /// RS512 (and so a token can't choose `none`, or turn the public key into a shared secret).
    pub fn read(text: &'a str) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Head {
            alg: String,
            #[serde(default)]
            kid: String,
        }
        let invalid = |why: &str| Refusal::Invalid(why.to_owned());
        let mut parts = text.split('.');
        let (Some(head), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid("token contains an invalid number of segments"));
        };
        let json = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let known: Option<Head> = json(head).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let known = known.ok_or_else(|| invalid("the token's header can't be read"))?;
        let algorithm = match known.alg.as_str() {
            "RS256" => Algorithm::RS256,
            "RS384" => Algorithm::RS384,
            "RS512" => Algorithm::RS512,
            other => return Err(Refusal::Invalid(format!("signing method {other} is invalid"))),
        };
        if known.kid.is_empty() {
            return Err(invalid("the token does not name its key (kid)"));
        }
        let claims = json(claims).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self {
            kid: known.kid,
            algorithm,
            claims: claims.ok_or_else(|| invalid("the token's claims can't be read"))?,
            signed: &text[..text.len() - signature.len() - 1],
            signature,
        })
    }

    /// Checks signature and claims, in AWS's order, then the scopes.
    ///
    /// `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn authorize(
        self,
        keys: &[Key],
        jwt: &JwtConfiguration,
        scopes: &[String],
        now: i64,
    ) -> Result<Authorized, Refusal> {
        self.check_signature(keys)?;
        check_claims(&self.claims, jwt, now).map_err(|why| Refusal::Invalid(why.to_owned()))?;
        if scopes.is_empty() {
            return Ok(Authorized { claims: self.claims, scopes: None });
        }
        let held = scopes_of(&self.claims);
        if !scopes.iter().any(|wanted| held.contains(wanted)) {
            return Err(Refusal::Scope);
        }
        Ok(Authorized { claims: self.claims, scopes: Some(held) })
    }

    fn check_signature(&self, keys: &[Key]) -> Result<(), Refusal> {
        let invalid = |why: &str| Err(Refusal::Invalid(why.to_owned()));
        let Some(key) = keys.iter().find(|key| key.kid == self.kid && key.kty == "RSA") else {
            return invalid("kid does not match any key of the issuer");
        };
        if key.alg.as_ref().is_some_and(|alg| *alg != format!("{:?}", self.algorithm)) {
            return invalid("the key is for another algorithm");
        }
        let Ok(known) = DecodingKey::from_rsa_components(&key.n, &key.e) else {
            return invalid("the issuer's key can't be read");
        };
        match jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), &known, self.algorithm) {
            Ok(true) => Ok(()),
            _ => invalid("the token has an invalid signature"),
        }
    }
}

/// The claims AWS looks at: `iss`; `aud`, or `client_id` where there is no `aud`; `exp`, `nbf`,
/// `iat`.
fn check_claims(claims: &Map<String, Value>, jwt: &JwtConfiguration, now: i64) -> Result<(), &'static str> {
    if claims.get("iss").and_then(Value::as_str) != Some(jwt.issuer.as_str()) {
        return Err("the token does not have a valid issuer");
    }
    let wanted = |value: &Value| value.as_str().is_some_and(|value| jwt.audience.iter().any(|a| a == value));
    let meant = match claims.get("aud") {
        Some(Value::Array(several)) => several.iter().any(wanted),
        Some(one) => wanted(one),
        None => claims.get("client_id").is_some_and(wanted),
    };
    if !meant {
        return Err("the token does not have a valid audience");
    }
    // Times may have a fraction (RFC 7519, section 2).
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let (time, now) = (|name: &str| claims.get(name).map(Value::as_f64), now as f64);
    match time("exp") {
        Some(Some(until)) if now < until => {}
        Some(Some(_)) => return Err("the token has expired"),
        _ => return Err("the token does not say when it expires"),
    }
    for (name, why) in [("nbf", "the token is not valid yet"), ("iat", "the token was issued in the future")]
    {
        match time(name) {
            None => {}
            Some(Some(from)) if from <= now => {}
            Some(_) => return Err(why),
        }
    }
    Ok(())
}

/// The scopes of a token: `scope` (a text with spaces) or `scp` (the same, or a list).
fn scopes_of(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A claim as functions and logs see it: a text, and a list as `[a b]`.
pub fn claim_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(claim_text).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}:{}", claim_text(value))).collect();
            format!("map[{}]", members.join(" "))
        }
        Value::Null => "<nil>".to_owned(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn configuration() -> JwtConfiguration {
        JwtConfiguration {
            audience: vec!["learninghub".into(), "other".into()],
            issuer: "https://issuer.example".into(),
        }
    }

    fn checked(change: &Value) -> Result<(), &'static str> {
        let mut claims = json!({
            "iss": "https://issuer.example", "aud": "learninghub", "exp": NOW + 60, "iat": NOW - 60,
        });
        for (name, value) in change.as_object().unwrap() {
            if value == "absent" {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        check_claims(claims.as_object().unwrap(), &configuration(), NOW)
    }

    #[test]
    fn claims_are_checked_one_by_one() {
        let (issuer, audience) =
            ("the token does not have a valid issuer", "the token does not have a valid audience");
        let cases = [
            (json!({}), Ok(())),
            (json!({"iss": "https://issuer.example/"}), Err(issuer)),
            (json!({"iss": "absent"}), Err(issuer)),
            (json!({"aud": ["x", "other"]}), Ok(())),
            (json!({"aud": ["x"]}), Err(audience)),
            (json!({"aud": "absent"}), Err(audience)),
            (json!({"aud": "absent", "client_id": "other"}), Ok(())),
            // Where there is an `aud`, `client_id` does not help.
            (json!({"aud": "x", "client_id": "other"}), Err(audience)),
            (json!({"exp": NOW}), Err("the token has expired")),
            (json!({"exp": NOW as f64 + 0.5}), Ok(())),
            (json!({"exp": "absent"}), Err("the token does not say when it expires")),
            (json!({"exp": "never"}), Err("the token does not say when it expires")),
            (json!({"nbf": NOW}), Ok(())),
            (json!({"nbf": NOW + 1}), Err("the token is not valid yet")),
            (json!({"nbf": "soon"}), Err("the token is not valid yet")),
            (json!({"iat": NOW + 1}), Err("the token was issued in the future")),
            (json!({"iat": "absent"}), Ok(())),
        ];
        for (change, expected) in cases {
            assert_eq!(checked(&change), expected, "{change}");
        }
    }

    #[test]
    fn what_is_no_token_of_rsa_is_refused_before_any_key_is_fetched() {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = part(json!({}));
        let with = |head: Value| format!("{}.{claims}.c2ln", part(head));
        let cases = [
            (String::new(), "token contains an invalid number of segments"),
            ("a.b".into(), "token contains an invalid number of segments"),
            ("a.b.c.d".into(), "token contains an invalid number of segments"),
            ("a.b.c".into(), "the token's header can't be read"),
            (with(json!({"alg": "none", "kid": "k"})), "signing method none is invalid"),
            (with(json!({"alg": "HS256", "kid": "k"})), "signing method HS256 is invalid"),
            (with(json!({"alg": "RS256"})), "the token does not name its key (kid)"),
            (
                format!("{}.e30x.c2ln", part(json!({"alg": "RS256", "kid": "k"}))),
                "the token's claims can't be read",
            ),
        ];
        for (text, why) in cases {
            assert_eq!(Token::read(&text).unwrap_err(), Refusal::Invalid(why.into()), "{text}");
        }
        let text = with(json!({"alg": "RS256", "kid": "k"}));
        let token = Token::read(&text).unwrap();
        let refused = token.authorize(&[], &configuration(), &[], NOW).unwrap_err();
        assert_eq!(refused, Refusal::Invalid("kid does not match any key of the issuer".into()));
    }

    #[test]
    fn challenges_are_those_of_aws() {
        let scopes = ["a".to_owned(), "b".to_owned()];
        assert_eq!(Refusal::Missing.challenge(&[]), "Bearer");
        assert_eq!(
            Refusal::Invalid("the token does not have a valid audience".into()).challenge(&[]),
            "Bearer scope=\"\" error=\"invalid_token\" error_description=\"the token does not have a valid audience\""
        );
        assert_eq!(
            Refusal::Scope.challenge(&scopes),
            "Bearer scope=\"a b\" error=\"insufficient_scope\" error_description=\"the token does not have a required scope\""
        );
        assert!(!Refusal::Invalid("signing method a\"b is invalid".into()).challenge(&[]).contains("a\"b"));
    }

    #[test]
    fn scopes_and_claims_are_read_in_both_forms() {
        let cases = [
            (json!({"scope": "a b"}), vec!["a", "b"]),
            (json!({"scp": ["a", "b"]}), vec!["a", "b"]),
            (json!({"scp": "a"}), vec!["a"]),
            (json!({}), vec![]),
        ];
        for (claims, expected) in cases {
            assert_eq!(scopes_of(claims.as_object().unwrap()), expected);
        }
        assert_eq!(claim_text(&json!(["a", 1, true])), "[a 1 true]");
        assert_eq!(claim_text(&json!({"a": "b", "c": [1]})), "map[a:b c:[1]]");
        for (value, token) in [("Bearer abc", "abc"), ("bearer  abc", "abc"), ("abc", "abc"), ("é", "é")] {
            assert_eq!(bare(value), token);
        }
    }
}
