//! What is served, and since when.

use std::sync::Arc;

use aws_sdk_apigatewayv2::types::{DeploymentStatus, ProtocolType};
use sandbox::aws::AwsEndpoint;
use sandbox::context::Context;
use sandbox::services::apigateway::ApiGateway;
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{BAD, FUNCTION, World, client, code};

#[tokio::test]
async fn an_edit_is_served_once_it_is_deployed() {
    let world = World::new().await;
    let aws = &world.aws;
    let api = aws.create_api().name("x").protocol_type(ProtocolType::Http).send().await.unwrap();
    let id = api.api_id.unwrap();
    let host = format!("{id}.execute-api.localhost");
    assert_eq!(code(aws.create_deployment().api_id(&id).send().await), BAD, "there are no routes");
    let target = world.integration(&id).await;
    let stage = aws.create_stage().api_id(&id).stage_name("prod").send().await.unwrap();
    assert_eq!((stage.deployment_id, stage.auto_deploy), (None, Some(false)));
    aws.create_route().api_id(&id).route_key("GET /one").target(&target).send().await.unwrap();
    assert_eq!(world.get(&host, "/prod/one").await.status, 404, "nothing is deployed");

    let made =
        aws.create_deployment().api_id(&id).stage_name("prod").description("first").send().await.unwrap();
    assert_eq!(made.deployment_status, Some(DeploymentStatus::Deployed));
    let first = made.deployment_id.unwrap();
    assert_eq!(world.get(&host, "/prod/one").await.status, 200);
    aws.create_route().api_id(&id).route_key("GET /two").target(&target).send().await.unwrap();
    assert_eq!(world.get(&host, "/prod/two").await.status, 404, "not deployed yet");

    let second = aws.create_deployment().api_id(&id).send().await.unwrap().deployment_id.unwrap();
    aws.update_stage().api_id(&id).stage_name("prod").deployment_id(&second).send().await.unwrap();
    assert_eq!(world.get(&host, "/prod/two").await.status, 200);
    aws.update_stage().api_id(&id).stage_name("prod").deployment_id(&first).send().await.unwrap();
    assert_eq!(world.get(&host, "/prod/two").await.status, 404, "rolled back");

    let automatic = aws.update_stage().api_id(&id).stage_name("prod").auto_deploy(true).send().await.unwrap();
    let message = automatic.last_deployment_status_message.unwrap();
    let serving = automatic.deployment_id.unwrap();
    assert_eq!(message, format!("Successfully deployed stage with deployment ID '{serving}'"));
    assert_eq!(world.get(&host, "/prod/two").await.status, 200);
    aws.create_route().api_id(&id).route_key("GET /three").target(&target).send().await.unwrap();
    assert_eq!(world.get(&host, "/prod/three").await.status, 200, "at once");
    let found = aws.get_deployment().api_id(&id).deployment_id(&serving).send().await.unwrap();
    assert_eq!(found.auto_deployed, Some(true));
}

#[tokio::test]
async fn a_stage_without_routes_says_that_it_was_not_deployed() {
    let world = World::new().await;
    let id = world.api("$default", &[]).await;
    let stage = world.aws.get_stage().api_id(&id).stage_name("$default").send().await.unwrap();
    let message = stage.last_deployment_status_message.unwrap();
    assert!(message.starts_with("Deployment attempt failed: "), "{message}");
    assert_eq!(stage.deployment_id, None);
}

#[tokio::test]
async fn a_quick_create_serves_at_once() {
    let world = World::new().await;
    let made = world.aws.create_api().name("quick").protocol_type(ProtocolType::Http).target(FUNCTION);
    let id = made.send().await.unwrap().api_id.unwrap();
    let answer = world.get("127.0.0.1", "/any/where?a=b").await;
    assert_eq!(answer.json()["event"]["routeKey"], json!("$default"));
    assert_eq!(
        world.last().principal.unwrap().source_arn,
        format!("arn:aws:execute-api:eu-west-1:123456789012:{id}/$default/$default")
    );
    let routes = world.aws.get_routes().api_id(&id).send().await.unwrap();
    assert_eq!(routes.items()[0].api_gateway_managed, Some(true));
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let world = World::new().await;
    let id = world.api("$default", &["GET /status"]).await;
    let again = ApiGateway::open(Context::for_tests(world.folder.path(), world.clock.clone())).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let aws = client(listener.local_addr().unwrap().port());
    let endpoint = Arc::new(AwsEndpoint::new(world.context.clone(), vec![again]));
    tokio::spawn(sandbox::aws::serve(endpoint, listener, world.stop.clone()));
    let before = world.aws.get_stage().api_id(&id).stage_name("$default").send().await.unwrap();
    let after = aws.get_stage().api_id(&id).stage_name("$default").send().await.unwrap();
    assert_eq!(before.deployment_id, after.deployment_id);
    assert_eq!(aws.get_routes().api_id(&id).send().await.unwrap().items().len(), 1);
}
