//! JWT authorizers and the issuer.

use std::sync::Arc;

use aws_sdk_apigatewayv2::types::{AuthorizationType, AuthorizerType, JwtConfiguration};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::TimeDelta;
use http::Request;
use http_body_util::Full;
use sandbox::context::Context;
use sandbox::gateway::issuer::{self, Issuer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{World, exchange};

struct Tokens {
    issuer: Arc<Issuer>,
    port: u16,
}

/// The sandbox's issuer under `/_issuer` of a port of its own.
async fn tokens(world: &World) -> Tokens {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let issuer = Issuer::open(world.context.clone(), format!("http://127.0.0.1:{port}/_issuer")).unwrap();
    let app = axum::Router::new().nest("/_issuer", issuer::router(issuer.clone()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Tokens { issuer, port }
}

/// An API whose `GET /mine` asks for a token, and `GET /enrol` for one with a scope.
async fn guarded(world: &World, issuer: &str, source: &str) -> String {
    let id = world.api("$default", &["GET /mine", "GET /enrol", "GET /status"]).await;
    let jwt = JwtConfiguration::builder().audience("learninghub").issuer(issuer).build();
    let authorizer = world
        .aws
        .create_authorizer()
        .api_id(&id)
        .name("tokens")
        .authorizer_type(AuthorizerType::Jwt)
        .identity_source(source)
        .jwt_configuration(jwt);
    let authorizer = authorizer.send().await.unwrap().authorizer_id.unwrap();
    for route in world.aws.get_routes().api_id(&id).send().await.unwrap().items() {
        let key = route.route_key().unwrap();
        if key == "GET /status" {
            continue;
        }
        let scopes = (key == "GET /enrol").then(|| vec!["enrol".to_owned(), "admin".to_owned()]);
        world
            .aws
            .update_route()
            .api_id(&id)
            .route_id(route.route_id().unwrap())
            .authorization_type(AuthorizationType::Jwt)
            .authorizer_id(&authorizer)
            .set_authorization_scopes(scopes)
            .send()
            .await
            .unwrap();
    }
    id
}

#[tokio::test]
async fn tokens_are_checked_against_the_issuer() {
    let world = World::new().await;
    let tokens = tokens(&world).await;
    guarded(&world, tokens.issuer.url(), "$request.header.Authorization").await;
    let now = 1_700_000_000_i64;
    let mint = |change: Value| {
        let mut claims =
            json!({"sub": "u1", "aud": "learninghub", "scope": "read enrol", "groups": ["a", "b"]});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        tokens.issuer.mint(claims).unwrap()
    };
    let ask = async |path: &str, token: &str| {
        let request = Request::get(path).header("host", "localhost").header("authorization", token);
        world.send(request, "").await
    };

    let good = mint(json!({}));
    let answer = ask("/enrol", &format!("Bearer {good}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let jwt = &answer.json()["event"]["requestContext"]["authorizer"]["jwt"];
    assert_eq!(jwt["claims"]["sub"], json!("u1"));
    assert_eq!(jwt["claims"]["groups"], json!("[a b]"));
    assert_eq!(jwt["claims"]["exp"], json!((now + 3_600).to_string()));
    assert_eq!(jwt["scopes"], json!(["read", "enrol"]));
    let answer = ask("/mine", &good).await;
    assert_eq!(answer.json()["event"]["requestContext"]["authorizer"]["jwt"]["scopes"], Value::Null);
    assert_eq!(world.get("localhost", "/status").await.status, 200, "an open route");

    let none = world.get("localhost", "/mine").await;
    assert_eq!((none.status, none.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(none.json(), json!({"message": "Unauthorized"}));

    let (head, rest) = good.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let mut forged: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    forged["sub"] = json!("admin");
    let forged = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(forged.to_string()));
    let unsigned = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k"}"#));
    let stranger = {
        let folder = tempfile::tempdir().unwrap();
        let context = Context::for_tests(folder.path(), world.clock.clone());
        let other = Issuer::open(context, tokens.issuer.url()).unwrap();
        other.mint(json!({"aud": "learninghub"})).unwrap()
    };
    for (token, why) in [
        (mint(json!({"exp": now})), "the token has expired"),
        (mint(json!({"nbf": now + 60})), "the token is not valid yet"),
        (mint(json!({"aud": "other"})), "the token does not have a valid audience"),
        (mint(json!({"iss": "https://issuer.example"})), "the token does not have a valid issuer"),
        (forged, "the token has an invalid signature"),
        (unsigned, "signing method none is invalid"),
        (stranger, "kid does not match any key of the issuer"),
        ("nonsense".to_owned(), "token contains an invalid number of segments"),
    ] {
        let answer = ask("/mine", &format!("Bearer {token}")).await;
        let expected = format!("Bearer scope=\"\" error=\"invalid_token\" error_description=\"{why}\"");
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(expected.as_str())));
    }
    let poor = ask("/enrol", &mint(json!({"scope": "read"}))).await;
    assert_eq!((poor.status, poor.json()), (403, json!({"message": "Forbidden"})));
    let challenge = poor.header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("Bearer scope=\"enrol admin\" error=\"insufficient_scope\""),
        "{challenge}"
    );

    world.clock.advance(TimeDelta::hours(2));
    assert_eq!(ask("/mine", &good).await.status, 401, "time passes");
}

#[tokio::test]
async fn a_token_can_come_in_the_query_and_an_issuer_can_be_away() {
    let world = World::new().await;
    let tokens = tokens(&world).await;
    guarded(&world, tokens.issuer.url(), "$request.querystring.token").await;
    let token = tokens.issuer.mint(json!({"aud": "learninghub"})).unwrap();
    assert_eq!(world.get("localhost", &format!("/mine?token={token}")).await.status, 200);
    assert_eq!(world.get("localhost", "/mine?token=").await.status, 401);

    let away = World::new().await;
    guarded(&away, "http://127.0.0.1:1/_issuer", "$request.header.Authorization").await;
    let request = Request::get("/mine").header("host", "localhost").header("authorization", token);
    let answer = away.send(request, "").await;
    assert_eq!(answer.status, 401);
    assert!(
        answer.header("www-authenticate").unwrap().contains("OIDC discovery endpoint communication error")
    );
}

#[tokio::test]
async fn the_issuer_mints_for_this_machine_alone_and_keeps_its_key() {
    let world = World::new().await;
    let tokens = tokens(&world).await;
    let ask = async |host: &str, origin: Option<&str>, body: &str| {
        let mut request =
            Request::post("/_issuer/token").header("host", host).header("content-type", "application/json");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        exchange(tokens.port, request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
    };
    let body = r#"{"sub":"u1","scope":"read","aud":["learninghub"],"expires_in":60,"claims":{"tenant":"t"}}"#;
    let answer = ask("127.0.0.1", Some("http://localhost:3000"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["token_type"], json!("Bearer"));
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": tokens.issuer.url(), "sub": "u1", "scope": "read", "aud": ["learninghub"], "tenant": "t",
            "iat": 1_700_000_000_i64, "exp": 1_700_000_060_i64,
        })
    );
    assert_eq!(ask("issuer.evil.example", None, body).await.status, 403);
    assert_eq!(ask("127.0.0.1", Some("https://evil.example"), body).await.status, 403);
    assert_eq!(ask("127.0.0.1", None, r#"{"expires_in":1000000}"#).await.status, 400);
    assert_eq!(ask("127.0.0.1", None, r#"{"subject":"u1"}"#).await.status, 422);

    // Opened again, it signs with the same key; nobody else can read it.
    let again = Issuer::open(world.context.clone(), tokens.issuer.url()).unwrap();
    let ours = json!({"aud": "learninghub", "exp": 1});
    assert_eq!(again.mint(ours.clone()).unwrap(), tokens.issuer.mint(ours).unwrap());
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(world.folder.path().join("issuer.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
