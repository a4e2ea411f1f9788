//! Faults, as they show on the wire.

use std::time::{Duration, Instant};

use sandbox::faults::{At, Fault, TdsEffect};
use tiberius::EncryptionLevel;

use crate::support::{PASSWORD, Running, Sql, int, rows, run, try_run};

fn once(running: &Running, effect: TdsEffect) {
    running.context.faults.add(Fault::once(At::Tds { effect })).unwrap();
}

async fn impatient(running: &Running) -> tiberius::Result<Sql> {
    let mut config = running.config("admin", PASSWORD, EncryptionLevel::Required);
    config.command_timeout(Some(Duration::from_millis(400)));
    config.handshake_timeout(Some(Duration::from_millis(400)));
    running.try_connect(config).await
}

async fn filled(running: &Running) -> Sql {
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a int NOT NULL, b nvarchar(50) NOT NULL)").await;
    run(&mut sql, "INSERT INTO t VALUES (1, N'one'), (2, N'two'), (3, N'three'), (4, N'four')").await;
    let mut sql = impatient(running).await.unwrap();
    run(&mut sql, "USE lab").await;
    sql
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_refused_and_swallowed() {
    let running = Running::start().await;
    once(&running, TdsEffect::Refuse);
    let start = Instant::now();
    assert!(impatient(&running).await.is_err());
    assert!(start.elapsed() < Duration::from_millis(350));
    once(&running, TdsEffect::BlackHole);
    let start = Instant::now();
    assert!(impatient(&running).await.is_err());
    assert!(start.elapsed() >= Duration::from_millis(350));
    impatient(&running).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_cut_in_the_middle_of_a_row() {
    let running = Running::start().await;
    let mut sql = filled(&running).await;
    once(&running, TdsEffect::CutMidRow);
    let start = Instant::now();
    let mut seen = 0;
    let mut stream = sql.simple_query("SELECT a, b FROM t ORDER BY a").await.unwrap();
    let error = loop {
        use futures::TryStreamExt;
        match stream.try_next().await {
            Ok(Some(item)) => seen += usize::from(item.as_row().is_some()),
            Ok(None) => panic!("the answer is whole"),
            Err(error) => break error,
        }
    };
    assert_eq!(seen, 2, "{error}");
    assert!(start.elapsed() < Duration::from_millis(350), "{error}");
    // What has no rows is cut too, after it was done.
    let mut sql = filled_again(&running).await;
    once(&running, TdsEffect::CutMidRow);
    assert!(try_run(&mut sql, "DELETE FROM t WHERE a = 1").await.is_err());
    let mut sql = filled_again(&running).await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t").await, 3);
}

async fn filled_again(running: &Running) -> Sql {
    let mut sql = impatient(running).await.unwrap();
    run(&mut sql, "USE lab").await;
    sql
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stalls() {
    let running = Running::start().await;
    let mut sql = filled(&running).await;
    once(&running, TdsEffect::Stall);
    let start = Instant::now();
    assert!(try_run(&mut sql, "SELECT a, b FROM t").await.is_err());
    assert!(start.elapsed() >= Duration::from_millis(350));
    // The connection was there all the time.
    assert!(running.server.open_connections() > 0);
    let mut sql = filled_again(&running).await;
    assert_eq!(rows(&mut sql, "SELECT a FROM t").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_injected_and_takes_the_transaction() {
    let running = Running::start().await;
    let mut sql = filled(&running).await;
    run(&mut sql, "BEGIN TRAN; DELETE FROM t").await;
    once(&running, TdsEffect::Deadlock);
    let error = try_run(&mut sql, "SELECT COUNT(*) FROM t").await.unwrap_err();
    assert!(error.is_deadlock(), "{error}");
    assert_eq!(int(&mut sql, "SELECT COUNT(*) + @@TRANCOUNT FROM t").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_late() {
    let running = Running::start().await;
    let mut sql = running.admin().await;
    once(&running, TdsEffect::Delay(300));
    let start = Instant::now();
    assert_eq!(int(&mut sql, "SELECT 7").await, 7);
    assert!(start.elapsed() >= Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(int(&mut sql, "SELECT 7").await, 7);
    assert!(start.elapsed() < Duration::from_millis(250));
}
