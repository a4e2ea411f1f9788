//! The control plane: what is given is kept, what is wrong is refused.

use std::collections::HashMap;

use aws_sdk_apigatewayv2::error::ProvideErrorMetadata;
use aws_sdk_apigatewayv2::types::{
    AccessLogSettings, AuthorizationType, AuthorizerType, Cors, IntegrationType, JwtConfiguration,
    ProtocolType, RouteSettings,
};

use crate::world::{ABSENT, BAD, CONFLICT, FUNCTION, FUNCTION_URI, UNSUPPORTED, World, code};

#[tokio::test]
async fn an_api_keeps_everything_it_is_given() {
    let world = World::new().await;
    let aws = &world.aws;
    let cors = Cors::builder()
        .allow_origins("https://learninghub.example.com")
        .set_allow_methods(Some(vec!["GET".into(), "POST".into(), "OPTIONS".into()]))
        .set_allow_headers(Some(vec!["Content-Type".into(), "Authorization".into()]))
        .expose_headers("x-total")
        .allow_credentials(true)
        .max_age(3600)
        .build();
    let made = aws
        .create_api()
        .name("learninghub-api")
        .protocol_type(ProtocolType::Http)
        .description("courses")
        .version("7")
        .cors_configuration(cors.clone())
        .tags("team", "learning")
        .send()
        .await
        .unwrap();
    let id = made.api_id.unwrap();
    assert_eq!(id.len(), 10);
    assert_eq!(made.api_endpoint.unwrap(), format!("http://{id}.execute-api.localhost:{}", world.port));
    assert_eq!(made.created_date.unwrap().secs(), 1_700_000_000);

    let got = aws.get_api().api_id(&id).send().await.unwrap();
    assert_eq!(got.name.as_deref(), Some("learninghub-api"));
    assert_eq!(got.description.as_deref(), Some("courses"));
    assert_eq!(got.version.as_deref(), Some("7"));
    assert_eq!(got.cors_configuration, Some(cors));
    assert_eq!(got.protocol_type, Some(ProtocolType::Http));
    assert_eq!(got.route_selection_expression.as_deref(), Some("${request.method} ${request.path}"));
    assert_eq!(got.tags.unwrap()["team"], "learning");
    assert_eq!(got.disable_execute_api_endpoint, Some(false));

    let updated =
        aws.update_api().api_id(&id).name("hub").disable_execute_api_endpoint(true).send().await.unwrap();
    assert_eq!((updated.name.as_deref(), updated.version.as_deref()), (Some("hub"), Some("7")));
    aws.delete_cors_configuration().api_id(&id).send().await.unwrap();
    let got = aws.get_api().api_id(&id).send().await.unwrap();
    assert_eq!((got.cors_configuration, got.disable_execute_api_endpoint), (None, Some(true)));

    let arn = format!("arn:aws:apigateway:eu-west-1::/apis/{id}");
    aws.tag_resource().resource_arn(&arn).tags("owner", "ops").send().await.unwrap();
    aws.untag_resource().resource_arn(&arn).tag_keys("team").send().await.unwrap();
    let tags = aws.get_tags().resource_arn(&arn).send().await.unwrap().tags.unwrap();
    assert_eq!(tags, HashMap::from([("owner".to_owned(), "ops".to_owned())]));

    aws.delete_api().api_id(&id).send().await.unwrap();
    assert_eq!(code(aws.get_api().api_id(&id).send().await), ABSENT);
    assert_eq!(code(aws.delete_api().api_id(&id).send().await), ABSENT);
    assert_eq!(code(aws.get_tags().resource_arn(&arn).send().await), ABSENT);
}

#[tokio::test]
async fn routes_integrations_and_authorizers_keep_everything_too() {
    let world = World::new().await;
    let aws = &world.aws;
    let id = world.api("$default", &["GET /status"]).await;
    let jwt =
        JwtConfiguration::builder().audience("learninghub").issuer("https://issuer.example.com").build();
    let authorizer = aws
        .create_authorizer()
        .api_id(&id)
        .name("tokens")
        .authorizer_type(AuthorizerType::Jwt)
        .identity_source("$request.header.Authorization")
        .jwt_configuration(jwt.clone())
        .send()
        .await
        .unwrap();
    let authorizer_id = authorizer.authorizer_id.unwrap();
    let integration = aws
        .create_integration()
        .api_id(&id)
        .integration_type(IntegrationType::AwsProxy)
        .integration_uri(FUNCTION_URI)
        .payload_format_version("2.0")
        .timeout_in_millis(5_000)
        .description("live")
        .send()
        .await
        .unwrap();
    assert_eq!(integration.integration_method.as_deref(), Some("POST"));
    let integration_id = integration.integration_id.unwrap();
    let route = aws
        .create_route()
        .api_id(&id)
        .route_key("POST /courses/{id}/enrolments")
        .target(format!("integrations/{integration_id}"))
        .authorization_type(AuthorizationType::Jwt)
        .authorizer_id(&authorizer_id)
        .authorization_scopes("enrol")
        .operation_name("enrol")
        .send()
        .await
        .unwrap();
    let route_id = route.route_id.unwrap();

    let got = aws.get_route().api_id(&id).route_id(&route_id).send().await.unwrap();
    assert_eq!(got.authorization_scopes(), ["enrol"]);
    assert_eq!(got.authorizer_id.as_deref(), Some(authorizer_id.as_str()));
    assert_eq!(got.operation_name.as_deref(), Some("enrol"));
    let got = aws.get_integration().api_id(&id).integration_id(&integration_id).send().await.unwrap();
    assert_eq!(got.timeout_in_millis, Some(5_000));
    assert_eq!(got.integration_uri.as_deref(), Some(FUNCTION_URI));
    let got = aws.get_authorizer().api_id(&id).authorizer_id(&authorizer_id).send().await.unwrap();
    assert_eq!(got.jwt_configuration, Some(jwt));
    assert_eq!(got.identity_source(), ["$request.header.Authorization"]);

    // In use: not to be deleted.
    let delete = aws.delete_integration().api_id(&id).integration_id(&integration_id);
    assert_eq!(code(delete.clone().send().await), CONFLICT);
    let delete_authorizer = aws.delete_authorizer().api_id(&id).authorizer_id(&authorizer_id);
    assert_eq!(code(delete_authorizer.clone().send().await), CONFLICT);
    // Opened, the route lets go of both.
    let open = aws.update_route().api_id(&id).route_id(&route_id).authorization_type(AuthorizationType::None);
    let opened = open.send().await.unwrap();
    assert_eq!((opened.authorizer_id, opened.authorization_scopes), (None, None));
    assert_eq!(code(delete_authorizer.send().await), "done");
    aws.delete_route().api_id(&id).route_id(&route_id).send().await.unwrap();
    assert_eq!(code(delete.send().await), "done");
    assert_eq!(aws.get_routes().api_id(&id).send().await.unwrap().items().len(), 1);
    assert_eq!(code(aws.get_route().api_id(&id).route_id(&route_id).send().await), ABSENT);
}

#[tokio::test]
async fn what_aws_refuses_is_refused_with_its_code() {
    let world = World::new().await;
    let aws = &world.aws;
    let id = world.api("$default", &["GET /status"]).await;
    let mut wrong = Vec::new();
    let mut check = |what: &str, expected: &str, code: String| {
        if code != expected {
            wrong.push(format!("{what}: {code} instead of {expected}"));
        }
    };

    let api = || aws.create_api().name("x").protocol_type(ProtocolType::Http);
    let websocket = aws.create_api().name("x").protocol_type(ProtocolType::Websocket);
    check("a WebSocket API", UNSUPPORTED, code(websocket.send().await));
    check("a long name", BAD, code(api().name("x".repeat(129)).send().await));
    check("a key without a target", BAD, code(api().route_key("GET /x").send().await));
    for (what, cors) in [
        ("credentials for all", Cors::builder().allow_origins("*").allow_credentials(true)),
        ("an origin without scheme", Cors::builder().allow_origins("example.com")),
        ("an origin with a path", Cors::builder().allow_origins("https://example.com/")),
        ("a wildcard for subdomains", Cors::builder().allow_origins("https://*.example.com")),
        ("an unknown method", Cors::builder().allow_methods("FETCH")),
        ("a wrong header", Cors::builder().allow_headers("a b")),
        ("too long an age", Cors::builder().max_age(86_401)),
    ] {
        check(what, BAD, code(aws.update_api().api_id(&id).cors_configuration(cors.build()).send().await));
    }

    let integration = || {
        aws.create_integration()
            .api_id(&id)
            .integration_type(IntegrationType::AwsProxy)
            .integration_uri(FUNCTION)
            .payload_format_version("2.0")
    };
    let proxy =
        integration().integration_type(IntegrationType::HttpProxy).integration_uri("https://example.com");
    check("an HTTP proxy", UNSUPPORTED, code(proxy.send().await));
    check("payload 1.0", UNSUPPORTED, code(integration().payload_format_version("1.0").send().await));
    check("payload 3.0", BAD, code(integration().payload_format_version("3.0").send().await));
    check("no payload version", BAD, code(integration().set_payload_format_version(None).send().await));
    check("49 ms", BAD, code(integration().timeout_in_millis(49).send().await));
    check("30,001 ms", BAD, code(integration().timeout_in_millis(30_001).send().await));
    check("no ARN", BAD, code(integration().integration_uri("api").send().await));
    let elsewhere = FUNCTION.replace("eu-west-1", "eu-west-2");
    check("another region", UNSUPPORTED, code(integration().integration_uri(elsewhere).send().await));
    check("a role", UNSUPPORTED, code(integration().credentials_arn("arn:aws:iam::1:role/x").send().await));
    check("an unknown API", ABSENT, code(integration().api_id("none").send().await));

    let route = || aws.create_route().api_id(&id).route_key("GET /courses");
    check("a key again", CONFLICT, code(route().route_key("GET /status").send().await));
    check("a wrong key", BAD, code(route().route_key("GET courses").send().await));
    check("an unknown target", BAD, code(route().target("integrations/none").send().await));
    check("JWT alone", BAD, code(route().authorization_type(AuthorizationType::Jwt).send().await));
    check("IAM", UNSUPPORTED, code(route().authorization_type(AuthorizationType::AwsIam).send().await));
    check("scopes alone", BAD, code(route().authorization_scopes("a").send().await));
    check("an API key", BAD, code(route().api_key_required(true).send().await));

    let authorizer = |issuer: &str| {
        let jwt = JwtConfiguration::builder().audience("a").issuer(issuer).build();
        aws.create_authorizer()
            .api_id(&id)
            .name("a")
            .authorizer_type(AuthorizerType::Jwt)
            .identity_source("$request.header.Authorization")
            .jwt_configuration(jwt)
    };
    check("plain http", BAD, code(authorizer("http://issuer.example.com").send().await));
    check("http on loopback", "done", code(authorizer("http://127.0.0.1:1/i").send().await));
    let lambda = authorizer("https://issuer.example.com").authorizer_type(AuthorizerType::Request);
    check("a Lambda authorizer", UNSUPPORTED, code(lambda.send().await));
    let two = authorizer("https://issuer.example.com").identity_source("$request.querystring.token");
    check("two sources", BAD, code(two.send().await));
    let no_audience = JwtConfiguration::builder().issuer("https://issuer.example.com").build();
    let nobody = authorizer("https://issuer.example.com").jwt_configuration(no_audience);
    check("no audience", BAD, code(nobody.send().await));

    let stage = || aws.create_stage().api_id(&id).stage_name("prod").auto_deploy(true);
    check("a stage again", CONFLICT, code(stage().stage_name("$default").send().await));
    check("a wrong name", BAD, code(stage().stage_name("a/b").send().await));
    check("a deployment of its own", BAD, code(stage().deployment_id("abc123").send().await));
    let unknown = stage().auto_deploy(false).deployment_id("abc123");
    check("an unknown deployment", ABSENT, code(unknown.send().await));
    let log = |arn: &str, format: &str| {
        stage().access_log_settings(AccessLogSettings::builder().destination_arn(arn).format(format).build())
    };
    let group = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/vendedlogs/a";
    check("no request id", BAD, code(log(group, "$context.status").send().await));
    check("two lines", BAD, code(log(group, "$context.requestId\n$context.status").send().await));
    let long = format!("$context.requestId{}", "x".repeat(1_024));
    check("a long format", BAD, code(log(group, &long).send().await));
    check("no group", BAD, code(log("arn:aws:s3:::bucket", "$context.requestId").send().await));
    let firehose = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/a";
    check("Firehose", UNSUPPORTED, code(log(firehose, "$context.requestId").send().await));
    let settings = RouteSettings::builder().throttling_burst_limit(-1).build();
    check("a negative burst", BAD, code(stage().default_route_settings(settings).send().await));
    let settings = RouteSettings::builder().data_trace_enabled(true).build();
    check("execution logs", BAD, code(stage().default_route_settings(settings).send().await));
    let settings = RouteSettings::builder().throttling_burst_limit(1).build();
    check("settings of no route", ABSENT, code(stage().route_settings("GET /none", settings).send().await));
    check("a page of 0", BAD, code(aws.get_apis().max_results("0").send().await));
    check("a wrong token", BAD, code(aws.get_apis().next_token("x").send().await));
    check("an operation of others", UNSUPPORTED, code(aws.get_vpc_links().send().await));
    check("models", UNSUPPORTED, code(aws.get_models().api_id(&id).send().await));

    let current = aws.get_stage().api_id(&id).stage_name("$default").send().await.unwrap();
    let current = current.deployment_id.unwrap();
    let delete = aws.delete_deployment().api_id(&id).deployment_id(&current);
    check("a deployment in use", BAD, code(delete.send().await));
    let update = aws.update_stage().api_id(&id).stage_name("$default").deployment_id(&current);
    check("a deployment for a stage that has its own", BAD, code(update.send().await));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn quotas_are_kept() {
    let world = World::new().await;
    let id = world.api("$default", &["GET /status"]).await;
    for n in 1..10 {
        world.aws.create_stage().api_id(&id).stage_name(format!("s{n}")).send().await.unwrap();
    }
    let one_more = world.aws.create_stage().api_id(&id).stage_name("s10").send().await.unwrap_err();
    assert_eq!(one_more.raw_response().unwrap().status().as_u16(), 429);
    assert_eq!(one_more.code(), Some("TooManyRequestsException"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    let id = world.api("$default", &["GET /status"]).await;
    for n in 0..29 {
        world.aws.create_route().api_id(&id).route_key(format!("GET /r{n}")).send().await.unwrap();
    }
    let first = world.aws.get_routes().api_id(&id).send().await.unwrap();
    assert_eq!(first.items().len(), 25);
    let next = world.aws.get_routes().api_id(&id).next_token(first.next_token().unwrap());
    let second = next.send().await.unwrap();
    assert_eq!((second.items().len(), second.next_token()), (5, None));
    let mut keys: Vec<&str> =
        first.items().iter().chain(second.items()).map(|route| route.route_key().unwrap()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 30);
    let all = world.aws.get_routes().api_id(&id).max_results("30").send().await.unwrap();
    assert_eq!((all.items().len(), all.next_token()), (30, None));
}
