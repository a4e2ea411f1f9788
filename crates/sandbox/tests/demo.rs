//! The demo world's rotation: what an older world becomes, and what a restart leaves alone. And its HTTP
//! API: what moving the integration from one qualifier to another takes. And traces: what X-Ray has of a
//! request, and how it takes what others send.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

mod world;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use aws_sdk_secretsmanager::Client;
use sandbox::demo::{FUNCTION, MASTER_SECRET_ID, SECRET_ID};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::World;

/// How long an update may take.
const WAIT: std::time::Duration = std::time::Duration::from_secs(30);

async fn config(world: &World) -> aws_config::SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(world.sandbox.aws_endpoint())
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

async fn client(world: &World) -> Client {
    Client::new(&config(world).await)
}

/// The value of a label and its version.
async fn value(world: &World, secret: &str, label: &str) -> (String, Value) {
    let held = client(world).await.get_secret_value().secret_id(secret).version_stage(label).send().await;
    let held = held.unwrap();
    (held.version_id().unwrap().to_owned(), serde_json::from_str(held.secret_string().unwrap()).unwrap())
}

async fn restart(world: World) -> World {
    world.sandbox.stop().await;
    Box::pin(World::build_with(world.folder, true)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_world_learns_to_rotate_and_a_restart_disturbs_nothing() {
    let world = Box::pin(World::build()).await;
    let (first, before) = value(&world, SECRET_ID, "AWSCURRENT").await;
    assert_eq!(before["masterarn"], Value::Null);

    let world = restart(world).await;
    let (version, after) = value(&world, SECRET_ID, "AWSCURRENT").await;
    let (_, master) = value(&world, MASTER_SECRET_ID, "AWSCURRENT").await;
    let port = Value::from(world.sandbox.addresses().tds.port());
    assert_eq!((&version, &after["password"]), (&first, &before["password"]));
    assert_eq!((&after["port"], &master["port"]), (&port, &port));
    assert_eq!(master["username"], "lockkeeper_rotation");
    assert_eq!(master["dbname"], Value::Null);
    let held = client(&world).await.describe_secret().secret_id(MASTER_SECRET_ID).send().await.unwrap();
    assert_eq!(after["masterarn"].as_str(), held.arn());
    let held = client(&world).await.describe_secret().secret_id(SECRET_ID).send().await.unwrap();
    assert_eq!(held.rotation_enabled(), Some(true));
    assert!(held.rotation_lambda_arn().unwrap().ends_with(":function:learninghub-rotation"));
    assert_eq!(held.rotation_rules().unwrap().schedule_expression(), Some("rate(30 days)"));
    // The rehearsal that came with it is over.
    assert_eq!(held.version_ids_to_stages().unwrap().len(), 1);

    // Somebody cancels it, takes the superuser out, and leaves a rotation half done.
    let secrets = client(&world).await;
    secrets.cancel_rotate_secret().secret_id(SECRET_ID).send().await.unwrap();
    let mut other = after.clone();
    other.as_object_mut().unwrap().remove("masterarn");
    let put = || secrets.put_secret_value().secret_id(SECRET_ID);
    put().secret_string(other.to_string()).send().await.unwrap();
    let pending = put().secret_string(other.to_string()).version_stages("AWSPENDING").send().await.unwrap();
    let world = restart(world).await;
    let port = Value::from(world.sandbox.addresses().tds.port());
    let (_, current) = value(&world, SECRET_ID, "AWSCURRENT").await;
    let (hanging, half_done) = value(&world, SECRET_ID, "AWSPENDING").await;
    assert_eq!((&current["masterarn"], &current["port"]), (&Value::Null, &port));
    assert_eq!((Some(hanging.as_str()), &half_done["port"]), (pending.version_id(), &port));
    let held = client(&world).await.describe_secret().secret_id(SECRET_ID).send().await.unwrap();
    assert_eq!(held.rotation_enabled(), Some(false));
    world.sandbox.stop().await;
}

/// The status that `GET /status` of the HTTP API is answered with.
async fn status(world: &World) -> u16 {
    get(world, "/status", "").await
}

/// The status of a `GET` with these headers more, each with its line's end.
async fn get(world: &World, path: &str, headers: &str) -> u16 {
    let mut stream = TcpStream::connect(world.sandbox.addresses().http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integration_needs_a_permission_on_its_very_qualifier_and_a_deployment() {
    let world = Box::pin(World::build()).await;
    let config = config(&world).await;
    let (apis, lambda) = (aws_sdk_apigatewayv2::Client::new(&config), aws_sdk_lambda::Client::new(&config));
    let api = world.demo.api_id.as_str();
    let integrations = apis.get_integrations().api_id(api).send().await.unwrap();
    let [integration] = integrations.items() else { panic!("{integrations:?}") };
    let live = integration.integration_uri().unwrap().to_owned();
    assert!(live.contains(":live"), "{live}");
    let point_at = |uri: &str| {
        let update = apis.update_integration().api_id(api).integration_uri(uri);
        update.integration_id(integration.integration_id().unwrap()).send()
    };
    let stage = || apis.get_stage().api_id(api).stage_name("$default").send();
    let unqualified = live.replace(":live", "");
    assert_eq!(status(&world).await, 200);

    // The stage deploys itself: what the integration names is asked at once, and has no permission.
    point_at(&unqualified).await.unwrap();
    assert_eq!(status(&world).await, 500);
    let permit = lambda.add_permission().function_name(FUNCTION).statement_id("api");
    let permit = permit.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com");
    permit.source_arn(format!("arn:aws:execute-api:eu-west-1:123456789012:{api}/*")).send().await.unwrap();
    assert_eq!(status(&world).await, 200);
    let automatic = stage().await.unwrap();
    let serving = automatic.deployment_id().unwrap().to_owned();
    let said = automatic.last_deployment_status_message().unwrap();
    assert_eq!(said, format!("Successfully deployed stage with deployment ID '{serving}'"));

    // It no longer does: the alias is not asked before a deployment is made.
    apis.update_stage().api_id(api).stage_name("$default").auto_deploy(false).send().await.unwrap();
    let policy = lambda.remove_permission().function_name(FUNCTION).qualifier("live");
    let held = lambda.get_policy().function_name(FUNCTION).qualifier("live").send().await.unwrap();
    let held: Value = serde_json::from_str(held.policy().unwrap()).unwrap();
    policy.statement_id(held["Statement"][0]["Sid"].as_str().unwrap()).send().await.unwrap();
    point_at(&live).await.unwrap();
    assert_eq!(status(&world).await, 200, "still the unqualified function");
    assert_eq!(stage().await.unwrap().deployment_id(), Some(serving.as_str()));
    let made = apis.create_deployment().api_id(api).stage_name("$default").send().await.unwrap();
    assert_eq!(made.deployment_status().unwrap().as_str(), "DEPLOYED");
    assert_eq!(stage().await.unwrap().deployment_id(), made.deployment_id());
    assert_eq!(status(&world).await, 500, "the alias has lost its permission");
    let trail = aws_sdk_cloudtrail::Client::new(&config);
    let last = async |name: &str| {
        let attribute = LookupAttribute::builder().attribute_key(LookupAttributeKey::EventName);
        let attribute = attribute.attribute_value(name).build().unwrap();
        let found = trail.lookup_events().lookup_attributes(attribute).send().await.unwrap();
        serde_json::from_str::<Value>(found.events()[0].cloud_trail_event().unwrap()).unwrap()
    };
    let pointed = last("UpdateIntegration").await;
    assert_eq!(pointed["requestParameters"]["apiId"], api);
    assert_eq!(pointed["requestParameters"]["integrationUri"], live.as_str());
    let deployed = last("CreateDeployment").await;
    assert_eq!(deployed["requestParameters"]["stageName"], "$default");
    assert_eq!(deployed["responseElements"]["deploymentId"].as_str(), made.deployment_id());
    let permit = lambda.add_permission().function_name(FUNCTION).qualifier("live").statement_id("again");
    let permit = permit.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com");
    permit.source_arn(format!("arn:aws:execute-api:eu-west-1:123456789012:{api}/*")).send().await.unwrap();
    assert_eq!(status(&world).await, 200);
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_leaves_a_rollout_where_it_is() {
    let world = Box::pin(World::build()).await;
    let lambda = aws_sdk_lambda::Client::new(&config(&world).await);
    lambda.update_function_configuration().function_name(FUNCTION).timeout(9).send().await.unwrap();
    lambda.wait_until_function_updated_v2().function_name(FUNCTION).wait(WAIT).await.unwrap();
    let second = lambda.publish_version().function_name(FUNCTION).send().await.unwrap();
    assert_eq!(second.version(), Some("2"));
    let weights = AliasRoutingConfiguration::builder().additional_version_weights("2", 0.1).build();
    let moved = lambda.update_alias().function_name(FUNCTION).name("live").routing_config(weights);
    let moved = moved.send().await.unwrap();

    world.sandbox.stop().await;
    let world = Box::pin(World::build_in(world.folder)).await;
    let lambda = aws_sdk_lambda::Client::new(&config(&world).await);
    let alias = lambda.get_alias().function_name(FUNCTION).name("live").send().await.unwrap();
    assert_eq!(alias.revision_id(), moved.revision_id());
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_traced_request_is_put_together_and_survives_a_restart() {
    let world = Box::pin(World::build()).await;
    let lambda = aws_sdk_lambda::Client::new(&config(&world).await);
    let function = lambda.get_function_configuration().function_name(FUNCTION).qualifier("live").send().await;
    let tracing = function.unwrap().tracing_config.unwrap();
    assert_eq!(tracing.mode.unwrap().as_str(), "Active");

    let now = world.sandbox.context().now().timestamp();
    let root = format!("1-{now:08x}-0123456789abcdef01234567");
    let header = format!("X-Amzn-Trace-Id: Root={root};Parent=0123456789abcdef;Sampled=1\r\n");
    assert_eq!(get(&world, "/courses", &header).await, 200);
    let mut documents = Vec::new();
    // Datagrams take their time.
    for _ in 0..50 {
        documents = segments(&world, &root).await;
        if documents.iter().any(|document| document["inferred"] == true) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let of = |origin: &str| documents.iter().find(|document| document["origin"] == origin).unwrap();
    let (service, function) = (of("AWS::Lambda"), of("AWS::Lambda::Function"));
    assert_eq!((&service["parent_id"], &function["parent_id"]), (&"0123456789abcdef".into(), &service["id"]));
    assert!(service["aws"]["request_id"].is_string());
    let parts: Vec<&str> =
        function["subsegments"].as_array().unwrap().iter().filter_map(|part| part["name"].as_str()).collect();
    assert!(parts.contains(&"Invocation") && parts.contains(&"SQL Server"), "{parts:?}");

    // What others send is looked at, each by itself; what is in progress is there once it is over.
    let xray = aws_sdk_xray::Client::new(&config(&world).await);
    let document = |id: &str, rest: &str| {
        format!(r#"{{"trace_id":"{root}","id":"{id}","name":"test","start_time":{now}.0,{rest}}}"#)
    };
    let put = xray
        .put_trace_segments()
        .trace_segment_documents(document("00000000000000aa", r#""in_progress":true"#))
        .trace_segment_documents(document("00000000000000aa", &format!(r#""end_time":{}.5"#, now + 1)))
        .trace_segment_documents(document("no id", r#""in_progress":true"#))
        .trace_segment_documents("{")
        .send()
        .await
        .unwrap();
    let codes: Vec<_> = put.unprocessed_trace_segments().iter().filter_map(|one| one.error_code()).collect();
    assert_eq!(codes, ["InvalidId", "ParseError"]);
    let summaries = |from: i64, to: i64| {
        let (from, to) = (now + from, now + to);
        xray.get_trace_summaries()
            .start_time(aws_sdk_xray::primitives::DateTime::from_secs(from))
            .end_time(aws_sdk_xray::primitives::DateTime::from_secs(to))
            .send()
    };
    let found = summaries(-60, 60).await.unwrap();
    let summary = found.trace_summaries().iter().find(|summary| summary.id() == Some(&root)).unwrap();
    assert_eq!((summary.has_fault(), summary.is_partial()), (Some(false), Some(false)));
    assert!(summaries(-86_400, 60).await.is_err(), "more than 24 hours");
    assert!(xray.batch_get_traces().trace_ids("1-2").send().await.is_err());
    let filtered = xray
        .get_trace_summaries()
        .start_time(aws_sdk_xray::primitives::DateTime::from_secs(now - 60))
        .end_time(aws_sdk_xray::primitives::DateTime::from_secs(now))
        .filter_expression("responsetime > 5")
        .send()
        .await
        .unwrap_err();
    assert_eq!(filtered.code(), Some("SandboxUnsupported"));

    let before = segments(&world, &root).await;
    let world = restart(world).await;
    assert_eq!(segments(&world, &root).await, before);
    world.sandbox.stop().await;
}

/// The documents of a trace.
async fn segments(world: &World, root: &str) -> Vec<Value> {
    let xray = aws_sdk_xray::Client::new(&config(world).await);
    let found = xray.batch_get_traces().trace_ids(root).send().await.unwrap();
    let segments = found.traces().iter().flat_map(|trace| trace.segments());
    segments.map(|segment| serde_json::from_str(segment.document().unwrap()).unwrap()).collect()
}
