//! Connections: encryption, packets, counters, attention, bounds.

use std::time::Duration;

use tiberius::{EncryptionLevel, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PASSWORD, Running, int, run, texts, until};

#[tokio::test(flavor = "multi_thread")]
async fn tiberius_connects_at_every_encryption_level() {
    let running = Running::start().await;
    for level in [
        EncryptionLevel::Off,
        EncryptionLevel::On,
        EncryptionLevel::Required,
        EncryptionLevel::NotSupported,
        EncryptionLevel::Strict,
    ] {
        let mut sql = running.try_connect(running.config("admin", PASSWORD, level)).await.unwrap();
        assert_eq!(int(&mut sql, "SELECT 40 + 2").await, 42, "{level:?}");
        let rows = crate::support::query(&mut sql, {
            let mut query = Query::new("SELECT @P1 + N'!'");
            query.bind("hello");
            query
        })
        .await;
        assert_eq!(rows[0].get::<&str, _>(0), Some("hello!"), "{level:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_checked_for_its_name_and_authority() {
    let running = Running::start().await;
    let mut config = running.config("admin", PASSWORD, EncryptionLevel::Required);
    config.host("elsewhere.example");
    assert!(running.try_connect(config).await.is_err());
    let other = Running::start().await;
    let mut config = other.config("admin", PASSWORD, EncryptionLevel::Required);
    config.port(running.port);
    assert!(running.try_connect(config).await.is_err());
    let mut config = running.config("admin", PASSWORD, EncryptionLevel::Required);
    config.host("127.0.0.1");
    running.try_connect(config).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_says_what_it_is() {
    let running = Running::start().await;
    let mut sql = running.admin().await;
    let version = texts(&mut sql, "SELECT @@VERSION").await;
    assert!(version.starts_with("local TDS server"), "{version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_messages_go_both_ways() {
    let running = Running::start().await;
    let mut sql = running.admin().await;
    let long = "ü😀".repeat(300_000);
    let mut query = Query::new("SELECT @P1, LEN(@P1)");
    query.bind(long.as_str());
    let rows = crate::support::query(&mut sql, query).await;
    assert_eq!(rows[0].get::<&str, _>(0), Some(long.as_str()));
    assert_eq!(rows[0].get::<i64, _>(1), Some(600_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_round_trips_are_counted() {
    let running = Running::start().await;
    let mut sql = running.admin().await;
    let spid = rows_spid(&mut sql).await;
    for _ in 0..4 {
        run(&mut sql, "SELECT 1").await;
    }
    assert_eq!(running.server.requests_by_connection()[&spid], 5);
    assert_eq!(running.server.requests(), 5);
    assert_eq!((running.server.logins(), running.server.failed_logins()), (1, 0));
    assert_eq!(running.server.open_connections(), 1);
    drop(sql);
    until("the connection is gone", || running.server.open_connections() == 0).await;
}

async fn rows_spid(sql: &mut crate::support::Sql) -> u16 {
    let rows = crate::support::rows(sql, "SELECT @@SPID").await;
    u16::try_from(rows[0].get::<i16, _>(0).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_in_the_middle_is_rolled_back() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a int NOT NULL)").await;
    let mut other = running.fresh().await;
    run(&mut other, "BEGIN TRAN; INSERT INTO t VALUES (1)").await;
    drop(other);
    until("the connection is gone", || running.server.open_connections() == 1).await;
    assert_eq!(
        int(&mut sql, "SET LOCK_TIMEOUT 5000; INSERT INTO t VALUES (2); SELECT COUNT(*) FROM t").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_statement_ends_with_its_connection() {
    let running = Running::start().await;
    let mut sql = running.admin().await;
    let waiting =
        tokio::time::timeout(Duration::from_millis(200), run(&mut sql, "WAITFOR DELAY '00:01:00'")).await;
    assert!(waiting.is_err());
    drop(sql);
    until("the connection is gone", || running.server.open_connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tds_is_closed() {
    let running = Running::start().await;
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x12, 1, 0, 9, 0, 0, 0, 0, 1], &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]]
    {
        let mut socket = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Closed, with a TLS alert perhaps.
        let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await.unwrap();
    }
    until("all are gone", || running.server.open_connections() == 0).await;
    running.admin().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_write_at_the_same_time() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (id int IDENTITY PRIMARY KEY, who int NOT NULL)").await;
    let mut tasks = Vec::new();
    for who in 0..16 {
        let mut sql = running.fresh().await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                let mut insert = Query::new("INSERT INTO t (who) VALUES (@P1)");
                insert.bind(who);
                insert.execute(&mut sql).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t").await, 160);
    assert_eq!(int(&mut sql, "SELECT MAX(id) FROM t").await, 160);
}
