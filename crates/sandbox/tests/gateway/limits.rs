//! Limits of size and time, and clients that leave.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::World;

#[tokio::test]
async fn limits_of_size_are_kept() {
    let world = World::new().await;
    world.api("$default", &["POST /a", "GET /a"]).await;
    let long = Request::get("/a").header("host", "localhost").header("x-long", "x".repeat(10_240));
    assert_eq!(world.send(long, "").await.status, 431);
    let fits = Request::get("/a").header("host", "localhost").header("x-long", "x".repeat(10_100));
    assert_eq!(world.send(fits, "").await.status, 200);
    let post = || Request::post("/a").header("host", "localhost").header("content-type", "text/plain");
    let large = world.send(post(), vec![b'x'; 10 * 1024 * 1024 + 1]).await;
    assert_eq!((large.status, large.json()), (413, json!({"message": "Request Entity Too Large"})));
    let whole = world.send(post(), vec![b'x'; 10 * 1024 * 1024]).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.json()["event"]["body"].as_str().map(str::len), Some(10 * 1024 * 1024));
}

#[tokio::test]
async fn an_integration_that_takes_too_long_is_a_503_and_goes_on() {
    let world = World::new().await;
    let id = world.api("$default", &["GET /slow", "GET /fast"]).await;
    for integration in world.aws.get_integrations().api_id(&id).send().await.unwrap().items() {
        let update = world.aws.update_integration().api_id(&id).timeout_in_millis(50);
        update.integration_id(integration.integration_id().unwrap()).send().await.unwrap();
    }
    let answer = world.get("localhost", "/slow").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"message": "Service Unavailable"})));
    assert_eq!(world.finished.load(Ordering::SeqCst), 0);
    assert_eq!(world.get("localhost", "/fast").await.status, 200);
    // Stopping waits for what still runs.
    world.stop.cancel();
    world.serving.await.unwrap().unwrap();
    assert_eq!(world.finished.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_client_that_leaves_changes_nothing_for_the_function() {
    let world = World::new().await;
    world.api("$default", &["GET /slow", "GET /fast"]).await;
    for n in 1..=3 {
        let mut stream = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        while world.invocations.lock().unwrap().len() < n {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(world.get("localhost", "/fast").await.status, 200);
    let all = async {
        while world.finished.load(Ordering::SeqCst) < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all).await.unwrap();
}

#[tokio::test]
async fn a_running_request_is_answered_when_the_gateway_stops() {
    let world = World::new().await;
    world.api("$default", &["GET /slow"]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    while world.invocations.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.stop.cancel();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    world.serving.await.unwrap().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", world.port)).await.is_err());
}
