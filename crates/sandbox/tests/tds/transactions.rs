//! Transactions, locks and what ends them.

use std::time::{Duration, Instant};

use tiberius::error::Error;

use crate::support::{Running, Sql, int, number, rows, run, texts, try_run};

async fn counter(running: &Running) -> (Sql, Sql) {
    let mut one = running.fresh().await;
    run(&mut one, "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL); INSERT INTO t VALUES (1, 0), (2, 0)")
        .await;
    (one, running.fresh().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_never_was() {
    let running = Running::start().await;
    let (mut sql, mut other) = counter(&running).await;
    run(&mut sql, "BEGIN TRAN; UPDATE t SET n = 1; CREATE TABLE u (a int)").await;
    assert_eq!(int(&mut sql, "SELECT @@TRANCOUNT").await, 1);
    // Others read what is committed, and do not wait.
    assert_eq!(int(&mut other, "SELECT SUM(n) FROM t").await, 0);
    assert_eq!(int(&mut sql, "SELECT SUM(n) FROM t").await, 2);
    run(&mut sql, "ROLLBACK").await;
    assert_eq!(int(&mut sql, "SELECT SUM(n) + @@TRANCOUNT FROM t").await, 0);
    assert_eq!(number(&mut sql, "SELECT * FROM u").await, 208);
    run(&mut sql, "BEGIN TRAN; BEGIN TRAN; UPDATE t SET n = 1; COMMIT; SELECT 1").await;
    assert_eq!(int(&mut other, "SELECT SUM(n) FROM t").await, 0);
    run(&mut sql, "COMMIT").await;
    assert_eq!(int(&mut other, "SELECT SUM(n) FROM t").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn savepoints_go_back_a_part_of_the_way() {
    let running = Running::start().await;
    let (mut sql, _) = counter(&running).await;
    run(&mut sql, "BEGIN TRAN; UPDATE t SET n = 1; SAVE TRAN a; UPDATE t SET n = 2; SAVE TRAN b; UPDATE t SET n = 3; ROLLBACK TRAN a; COMMIT").await;
    assert_eq!(int(&mut sql, "SELECT MAX(n) FROM t").await, 1);
    assert_eq!(number(&mut sql, "SAVE TRAN a").await, 628);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transaction_manager_is_understood() {
    let running = Running::start().await;
    let (mut sql, mut other) = counter(&running).await;
    sql.begin_transaction().await.unwrap();
    run(&mut sql, "UPDATE t SET n = 5").await;
    assert_eq!(int(&mut sql, "SELECT @@TRANCOUNT").await, 1);
    sql.rollback_transaction().await.unwrap();
    assert_eq!(int(&mut other, "SELECT SUM(n) FROM t").await, 0);
    sql.begin_transaction_with_isolation(tiberius::IsolationLevel::ReadCommitted).await.unwrap();
    run(&mut sql, "UPDATE t SET n = 5").await;
    sql.commit_transaction().await.unwrap();
    assert_eq!(int(&mut other, "SELECT SUM(n) FROM t").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_for_each_other_and_not_for_ever() {
    let running = Running::start().await;
    let (mut one, mut two) = counter(&running).await;
    run(&mut one, "BEGIN TRAN; UPDATE t SET n = n + 1").await;
    assert_eq!(number(&mut two, "SET LOCK_TIMEOUT 100; UPDATE t SET n = n + 1").await, 1222);
    let waiting = tokio::spawn(async move {
        run(&mut two, "SET LOCK_TIMEOUT 20000; UPDATE t SET n = n + 1").await;
        two
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    run(&mut one, "COMMIT").await;
    let mut two = waiting.await.unwrap();
    assert_eq!(int(&mut two, "SELECT SUM(n) FROM t").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_cycle_has_one_victim() {
    let running = Running::start().await;
    let (mut one, mut two) = counter(&running).await;
    for sql in [&mut one, &mut two] {
        run(sql, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRAN").await;
        assert_eq!(int(sql, "SELECT SUM(n) FROM t").await, 0);
    }
    let first = tokio::spawn(async move {
        let result = try_run(&mut one, "UPDATE t SET n = n + 1 WHERE id = 1").await;
        (one, result)
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let refused = try_run(&mut two, "UPDATE t SET n = n + 1 WHERE id = 2").await.unwrap_err();
    let Error::Server(error) = &refused else { panic!("{refused}") };
    assert_eq!((error.code(), error.class(), refused.is_deadlock()), (1205, 13, true));
    assert_eq!(int(&mut two, "SELECT @@TRANCOUNT").await, 0);
    let (mut one, result) = first.await.unwrap();
    result.unwrap();
    run(&mut one, "COMMIT").await;
    assert_eq!(int(&mut two, "SELECT SUM(n) FROM t").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn application_locks_keep_migrations_apart() {
    let running = Running::start().await;
    let (mut one, mut two) = counter(&running).await;
    let take = "DECLARE @r int; BEGIN TRAN; EXEC @r = sp_getapplock @Resource = N'migrate', @LockMode = 'Exclusive', @LockTimeout = 50; SELECT @r";
    assert_eq!(int(&mut one, take).await, 0);
    assert_eq!(int(&mut two, take).await, -1);
    run(&mut one, "COMMIT").await;
    assert_eq!(int(&mut two, &take.replace("BEGIN TRAN;", "")).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn xact_abort_ends_the_whole_transaction() {
    let running = Running::start().await;
    let (mut sql, _) = counter(&running).await;
    let batch = "BEGIN TRAN; UPDATE t SET n = 9; INSERT INTO t VALUES (1, 1); COMMIT";
    assert_eq!(number(&mut sql, &format!("SET XACT_ABORT ON; {batch}")).await, 2627);
    assert_eq!(int(&mut sql, "SELECT SUM(n) + @@TRANCOUNT FROM t").await, 0);
    assert_eq!(number(&mut sql, &format!("SET XACT_ABORT OFF; {batch}")).await, 2627);
    assert_eq!(int(&mut sql, "SELECT SUM(n) + @@TRANCOUNT FROM t").await, 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doomed_transaction_can_only_be_rolled_back() {
    let running = Running::start().await;
    let (mut sql, _) = counter(&running).await;
    let batch = "SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; UPDATE t SET n = 9; SELECT 1/0; END TRY
        BEGIN CATCH SELECT CAST(XACT_STATE() AS int); IF XACT_STATE() = -1 ROLLBACK; END CATCH; SELECT @@TRANCOUNT";
    assert_eq!(int(&mut sql, batch).await, 0);
    assert_eq!(int(&mut sql, "SELECT SUM(n) FROM t").await, 0);
    let batch = "SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; SELECT 1/0; END TRY BEGIN CATCH UPDATE t SET n = 1 END CATCH";
    // What the batch leaves doomed is rolled back with it.
    let refused = try_run(&mut sql, batch).await.unwrap_err();
    assert_eq!(refused.code(), Some(3930));
    assert_eq!(int(&mut sql, "SELECT @@TRANCOUNT").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waitfor_waits_and_can_be_given_up() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    let start = Instant::now();
    run(&mut sql, "WAITFOR DELAY '00:00:00.200'").await;
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(number(&mut sql, "WAITFOR DELAY 'soon'").await, 148);
    let mut config = running.config("admin", crate::support::PASSWORD, tiberius::EncryptionLevel::Required);
    config.command_timeout(Some(Duration::from_millis(200)));
    let mut sql = running.try_connect(config).await.unwrap();
    let start = Instant::now();
    assert!(try_run(&mut sql, "WAITFOR DELAY '00:01:00'").await.is_err());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_forgets_everything() {
    let running = Running::start().await;
    let (mut sql, mut other) = counter(&running).await;
    run(&mut sql, "BEGIN TRAN; UPDATE t SET n = 7; SET NOCOUNT ON").await;
    run(&mut sql, "EXEC sp_reset_connection").await;
    assert_eq!(int(&mut sql, "SELECT @@TRANCOUNT").await, 0);
    assert_eq!(int(&mut other, "UPDATE t SET n = n; SELECT SUM(n) FROM t").await, 0);
    assert_eq!(texts(&mut sql, "SELECT DB_NAME()").await, "lab");
    assert_eq!(rows(&mut sql, "SELECT 1").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn look_and_insert_is_safe_with_the_hints_for_it() {
    let running = Running::start().await;
    let (mut sql, _) = counter(&running).await;
    let mut tasks = Vec::new();
    for who in 0..8 {
        let mut sql = running.fresh().await;
        tasks.push(tokio::spawn(async move {
            let batch = format!(
                "SET XACT_ABORT ON; BEGIN TRAN;
                 IF NOT EXISTS (SELECT 1 FROM t WITH (UPDLOCK, HOLDLOCK) WHERE id = 99)
                 BEGIN WAITFOR DELAY '00:00:00.020'; INSERT INTO t VALUES (99, {who}) END
                 COMMIT"
            );
            run(&mut sql, &batch).await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t WHERE id = 99").await, 1);
}
