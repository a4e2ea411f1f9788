//! What people are told while AWS takes its time.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use app::server::limits::Limits;
use async_trait::async_trait;
use axum::http::StatusCode;
use model::people::Role;
use model::problem::Problem;
use operations::audit::{Began, Ended, Journal};
use tokio::sync::Semaphore;

use crate::secret::FORMS;
use crate::{EMAIL, ORIGIN, TestPortal};

/// An audit log in which nothing is written before it is let go: every operation takes that long.
struct Held {
    inner: Arc<dyn Journal>,
    go: Arc<Semaphore>,
}

#[async_trait]
impl Journal for Held {
    async fn began(&self, entry: &Began) -> Result<i64, Problem> {
        self.go.acquire().await.unwrap().forget();
        self.inner.began(entry).await
    }

    async fn ended(&self, entry: i64, end: &Ended) -> Result<(), Problem> {
        self.inner.ended(entry, end).await
    }
}

#[tokio::test]
async fn an_operation_that_takes_long_goes_on_and_that_is_said() {
    // Nobody listens there any more: whatever is asked of AWS fails at once.
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = Limits { operation_time: Duration::from_millis(50), ..Limits::default() };
    let go = Arc::new(Semaphore::new(0));
    let held = |inner| -> Arc<dyn Journal> { Arc::new(Held { inner, go: Arc::clone(&go) }) };
    let portal = TestPortal::build(limits, ORIGIN, false, Some(nowhere), held).await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    for (path, form) in FORMS {
        let answer = portal.post(path, Some(&cookie), form).await;
        let (status, location) = (answer.status, answer.header("location"));
        assert_eq!((status, location), (StatusCode::SEE_OTHER, "/secret?done=goes-on"), "{path}");
    }
    let answer = portal.call("POST", "/api/v1/secret/rotations", &cookie, "{}").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert!(answer.body.contains("goes on"), "{}", answer.body);
    let page = portal.get("/secret?done=goes-on", Some(&cookie)).await;
    assert!(page.body.contains("goes on in the background"), "{}", page.body);
    assert_eq!(portal.written().await, [], "nothing has run yet");

    go.add_permits(FORMS.len() + 1);
    let whole = async {
        loop {
            let written = portal.written().await;
            if written.len() == FORMS.len() + 1 && written.iter().all(|(_, outcome)| outcome.is_some()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), whole).await.expect("each has run to its end");
}

#[tokio::test]
async fn what_is_refused_in_the_background_is_told_on_the_page() {
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = Limits { operation_time: Duration::from_millis(50), ..Limits::default() };
    let go = Arc::new(Semaphore::new(0));
    let held = |inner| -> Arc<dyn Journal> { Arc::new(Held { inner, go: Arc::clone(&go) }) };
    let portal = TestPortal::build(limits, ORIGIN, false, Some(nowhere), held).await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let pages = ["/deploys", "/deploys/fragment"];
    for path in pages {
        assert!(!portal.get(path, Some(&cookie)).await.body.contains("was refused"), "{path}");
    }
    let answer = portal.post("/deploys/pause", Some(&cookie), "rollout=r").await;
    assert_eq!(answer.header("location"), "/deploys?done=goes-on");
    portal.advance(1_000);
    go.add_permits(1);
    let ended = async {
        while portal.written().await.iter().all(|(_, outcome)| outcome.is_none()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it has run to its end");
    for path in pages {
        let page = portal.get(path, Some(&cookie)).await;
        let words = format!("PauseRollout by {EMAIL} was refused: AWS is out of reach");
        assert!(page.body.contains(&words), "{path}: {}", page.body);
    }
    portal.advance(16 * 60_000);
    let later = portal.get("/deploys/fragment?active", Some(&cookie)).await;
    assert!(later.status.is_success() && !later.body.contains("was refused"), "{}", later.body);
}

#[tokio::test]
async fn a_form_that_is_refused_says_why_though_aws_hangs() {
    // Connections are taken by the system, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let limits = Limits { request_time: Duration::from_secs(2), ..Limits::default() };
    let aws = Some(silent.local_addr().unwrap());
    let portal = TestPortal::build(limits, ORIGIN, false, aws, |journal| journal).await;
    let cookie = portal.signed_in_as(Role::Operator, false).await;
    let answer = portal.post("/secret/schedule", Some(&cookie), "schedule=rate(1+hours)").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("4 hours at least"), "{}", answer.body);
}
