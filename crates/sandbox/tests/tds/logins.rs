//! Logins, passwords, roles and rights.

use std::sync::Arc;

use sandbox::context::{Clock, ManualClock, SystemClock};
use tiberius::Query;
use tiberius::error::Error;

use crate::support::{PASSWORD, Running, Sql, int, number, refused, run, texts, try_run};

const APP: &str = "Tiger-Lily-42";
const NEXT: &str = "Second'Word;99";

async fn with_app(running: &Running) -> Sql {
    let mut sql = running.fresh().await;
    run(
        &mut sql,
        &format!(
            "CREATE TABLE dbo.t (a int NOT NULL); INSERT INTO t VALUES (1);
             CREATE LOGIN [app] WITH PASSWORD = N'{APP}', DEFAULT_DATABASE = [lab];
             CREATE USER app_user FOR LOGIN app;
             ALTER ROLE db_datareader ADD MEMBER app_user"
        ),
    )
    .await;
    sql
}

async fn refusal(running: &Running, user: &str, password: &str, database: &str) -> (u32, u8, u8, String) {
    match running.login(user, password, database).await {
        Err(Error::Server(error)) => (error.code(), error.state(), error.class(), error.message().to_owned()),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_password_opens() {
    let running = Running::start().await;
    let _admin = with_app(&running).await;
    for (user, password) in [("app", "wrong"), ("app", ""), ("app", &APP.to_lowercase()), ("nobody", APP)] {
        let text = format!("Login failed for user '{user}'.");
        assert_eq!(refusal(&running, user, password, "").await, (18456, 1, 14, text), "{user} {password}");
    }
    assert_eq!(running.server.failed_logins(), 4);
    // The name is found whatever its case; the password is not.
    let mut sql = running.login("APP", APP, "").await.unwrap();
    assert_eq!(
        texts(&mut sql, "SELECT SUSER_SNAME() + '/' + DB_NAME() + '/' + USER_NAME()").await,
        "app/lab/app_user"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_or_not_for_one_is_4060() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    run(&mut admin, "CREATE DATABASE other").await;
    for database in ["nothing", "other"] {
        let text = format!("Cannot open database \"{database}\" requested by the login. The login failed.");
        assert_eq!(refusal(&running, "app", APP, database).await, (4060, 1, 11, text));
    }
    let mut sql = running.login("app", APP, "").await.unwrap();
    assert_eq!(number(&mut sql, "USE other").await, 916);
    assert_eq!(number(&mut admin, "DROP DATABASE lab").await, 3702);
    run(&mut admin, "DROP DATABASE other; DROP DATABASE IF EXISTS other").await;
    assert_eq!(number(&mut admin, "CREATE DATABASE lab").await, 1801);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_is_in_force_at_once_and_open_connections_live_on() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    let mut open = running.login("app", APP, "").await.unwrap();
    // As the rotation does it: quoted on the server.
    let mut alter = Query::new(
        "DECLARE @sql nvarchar(max) = N'ALTER LOGIN ' + QUOTENAME(@P1) + N' WITH PASSWORD = ' + QUOTENAME(@P2, '''');
         IF @sql IS NULL THROW 51000, N'not quotable', 1;
         EXEC (@sql);",
    );
    alter.bind("app");
    alter.bind(NEXT);
    alter.execute(&mut admin).await.unwrap();
    assert_eq!(refusal(&running, "app", APP, "").await.0, 18456);
    running.login("app", NEXT, "").await.unwrap();
    assert_eq!(int(&mut open, "SELECT a FROM t").await, 1);
    let mut alter = Query::new(
        "DECLARE @s nvarchar(max) = N'x' + QUOTENAME(@P1); IF @s IS NULL THROW 51000, N'not quotable', 1",
    );
    alter.bind("x".repeat(129));
    assert_eq!(alter.execute(&mut admin).await.unwrap_err().code(), Some(51_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_s_own_password_takes_the_old_one() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    let mut sql = running.login("app", APP, "").await.unwrap();
    let cannot = (
        15151,
        1,
        16,
        "Cannot alter the login 'app', because it does not exist or you do not have permission.".to_owned(),
    );
    assert_eq!(refused(&mut sql, "ALTER LOGIN app WITH PASSWORD = 'Another-Pass-1'").await, cannot);
    assert_eq!(
        refused(&mut sql, "ALTER LOGIN app WITH PASSWORD = 'Another-Pass-1' OLD_PASSWORD = 'wrong'").await,
        cannot
    );
    run(&mut sql, &format!("ALTER LOGIN app WITH PASSWORD = 'Another-Pass-1' OLD_PASSWORD = '{APP}'")).await;
    running.login("app", "Another-Pass-1", "").await.unwrap();
    // Another's takes the right to, and an admin's to be one.
    assert_eq!(number(&mut sql, "ALTER LOGIN admin WITH PASSWORD = 'Another-Pass-1'").await, 15151);
    run(&mut admin, "USE master; CREATE LOGIN rotator WITH PASSWORD = 'Rotation-Pass-1'; GRANT ALTER ANY LOGIN TO rotator").await;
    let mut rotator = running.login("rotator", "Rotation-Pass-1", "master").await.unwrap();
    run(&mut rotator, "ALTER LOGIN app WITH PASSWORD = 'Third-Pass-33'").await;
    running.login("app", "Third-Pass-33", "").await.unwrap();
    assert_eq!(number(&mut rotator, "ALTER LOGIN admin WITH PASSWORD = 'Another-Pass-1'").await, 15151);
    assert_eq!(number(&mut rotator, "ALTER LOGIN nobody WITH PASSWORD = 'Another-Pass-1'").await, 15151);
    run(&mut admin, "REVOKE ALTER ANY LOGIN TO rotator").await;
    assert_eq!(number(&mut rotator, "ALTER LOGIN app WITH PASSWORD = 'Fourth-Pass-4'").await, 15151);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_refuses_bad_passwords() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    for (statement, expected) in [
        ("ALTER LOGIN app WITH PASSWORD = 'Short-1'", 15116),
        ("ALTER LOGIN app WITH PASSWORD = 'my-APP-password'", 15118),
        ("CREATE LOGIN x WITH PASSWORD = ''", 15116),
        ("CREATE LOGIN app WITH PASSWORD = 'Long-Enough-1'", 15025),
    ] {
        assert_eq!(number(&mut admin, statement).await, expected, "{statement}");
    }
    let long = format!("ALTER LOGIN app WITH PASSWORD = '{}'", "x".repeat(129));
    assert_eq!(number(&mut admin, &long).await, 15117);
    running.login("app", APP, "").await.unwrap();
    run(&mut admin, "CREATE LOGIN lax WITH PASSWORD = 'x', CHECK_POLICY = OFF").await;
    running.login("lax", "x", "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_dropped_and_locked_logins_stay_out() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    run(&mut admin, "ALTER LOGIN app DISABLE").await;
    assert_eq!(refusal(&running, "app", APP, "").await.0, 18470);
    assert_eq!(refusal(&running, "app", "wrong", "").await.0, 18456);
    run(&mut admin, "ALTER LOGIN app ENABLE").await;
    running.login("app", APP, "").await.unwrap();
    for _ in 0..10 {
        refusal(&running, "app", "wrong", "").await;
    }
    assert_eq!(refusal(&running, "app", APP, "").await.0, 18486);
    run(&mut admin, &format!("ALTER LOGIN app WITH PASSWORD = '{APP}' UNLOCK")).await;
    running.login("app", APP, "").await.unwrap();
    run(&mut admin, "DROP LOGIN app").await;
    assert_eq!(refusal(&running, "app", APP, "").await.0, 18456);
    assert_eq!(number(&mut admin, "DROP LOGIN app").await, 15151);
    assert_eq!(number(&mut admin, "DROP LOGIN admin").await, 15151);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_by_itself() {
    let clock = ManualClock::new(SystemClock.now());
    let running = Running::start_in(tempfile::tempdir().unwrap(), Arc::clone(&clock) as Arc<dyn Clock>).await;
    let _admin = with_app(&running).await;
    for _ in 0..10 {
        refusal(&running, "app", "wrong", "").await;
    }
    assert_eq!(refusal(&running, "app", APP, "").await.0, 18486);
    clock.advance(chrono::TimeDelta::minutes(16));
    running.login("app", APP, "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_checked() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    let mut sql = running.login("app", APP, "").await.unwrap();
    assert_eq!(int(&mut sql, "SELECT a FROM t").await, 1);
    let denied = |right: &str| {
        let text =
            format!("The {right} permission was denied on the object 't', database 'lab', schema 'dbo'.");
        (229, 5, 14, text)
    };
    assert_eq!(refused(&mut sql, "INSERT INTO t VALUES (2)").await, denied("INSERT"));
    assert_eq!(refused(&mut sql, "UPDATE t SET a = 2").await, denied("UPDATE"));
    assert_eq!(refused(&mut sql, "DELETE FROM t").await, denied("DELETE"));
    run(&mut admin, "EXEC sp_addrolemember 'db_datawriter', 'app_user'").await;
    run(&mut sql, "INSERT INTO t VALUES (2); UPDATE t SET a = 3 WHERE a = 2; DELETE FROM t WHERE a = 3")
        .await;
    run(&mut admin, "DENY DELETE ON dbo.t TO app_user").await;
    assert_eq!(refused(&mut sql, "DELETE FROM t").await, denied("DELETE"));
    run(&mut admin, "REVOKE DELETE ON dbo.t TO app_user; ALTER ROLE db_datareader DROP MEMBER app_user")
        .await;
    assert_eq!(refused(&mut sql, "SELECT a FROM t").await, denied("SELECT"));
    run(
        &mut admin,
        "CREATE ROLE readers; GRANT SELECT ON SCHEMA::dbo TO readers; ALTER ROLE readers ADD MEMBER app_user",
    )
    .await;
    assert_eq!(int(&mut sql, "SELECT a FROM t").await, 1);
    for (statement, expected) in [
        ("CREATE TABLE x (a int)", 262),
        ("DROP TABLE t", 3701),
        ("ALTER TABLE t ADD b int", 4902),
        ("TRUNCATE TABLE t", 1088),
        ("CREATE LOGIN x WITH PASSWORD = 'Long-Enough-1'", 15247),
        ("DROP LOGIN admin", 15151),
        ("CREATE DATABASE x", 262),
        ("CREATE USER x FOR LOGIN admin", 15247),
        ("GRANT INSERT ON t TO app_user", 4613),
        ("ALTER ROLE db_owner ADD MEMBER app_user", 15247),
        ("EXEC sp_addsrvrolemember 'app', 'sysadmin'", 15151),
    ] {
        assert_eq!(number(&mut sql, statement).await, expected, "{statement}");
    }
    run(&mut admin, "ALTER ROLE db_owner ADD MEMBER app_user").await;
    run(&mut sql, "CREATE TABLE x (a int); DROP TABLE x; ALTER TABLE t ADD b int").await;
    assert_eq!(texts(&mut sql, "SELECT name FROM sys.sql_logins").await, "app");
    run(&mut admin, "DROP USER app_user").await;
    assert_eq!(number(&mut sql, "SELECT a FROM t").await, 229);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_which_rights_is_in_the_catalogues() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    let statements = [
        "CREATE ROLE readers; ALTER ROLE readers ADD MEMBER app_user",
        "GRANT SELECT ON dbo.t TO app_user WITH GRANT OPTION; DENY DELETE ON SCHEMA::dbo TO readers",
        "GRANT CREATE TABLE TO app_user; ALTER USER app_user WITH DEFAULT_SCHEMA = dbo",
        "USE master; ALTER SERVER ROLE dbcreator ADD MEMBER app; GRANT ALTER ANY LOGIN TO app; USE lab",
    ];
    for statement in statements {
        run(&mut admin, statement).await;
    }
    let rights = "SELECT u.name + '/' + p.state + '/' + p.permission_name + '/' + ISNULL(o.name, ISNULL(s.name, '')) AS x
         FROM sys.database_permissions AS p
         JOIN sys.database_principals AS u ON u.principal_id = p.grantee_principal_id
         LEFT JOIN sys.all_objects AS o ON p.class = 1 AND o.object_id = p.major_id
         LEFT JOIN sys.schemas AS s ON p.class = 3 AND s.schema_id = p.major_id ORDER BY x";
    let found = texts(&mut admin, rights).await;
    assert_eq!(found, "app_user/G/CREATE TABLE/,app_user/W/SELECT/t,readers/D/DELETE/dbo");
    let users = "SELECT u.name + '=' + p.name FROM sys.database_principals AS u
         JOIN sys.server_principals AS p ON p.sid = u.sid ORDER BY u.name";
    assert_eq!(texts(&mut admin, users).await, "app_user=app,dbo=admin");
    let server = "SELECT r.name FROM sys.server_role_members AS m
         JOIN sys.server_principals AS p ON p.principal_id = m.member_principal_id
         JOIN sys.server_principals AS r ON r.principal_id = m.role_principal_id WHERE p.name = 'app'
         UNION ALL SELECT g.state + ' ' + g.permission_name FROM sys.server_permissions AS g
         JOIN sys.server_principals AS p ON p.principal_id = g.grantee_principal_id WHERE p.name = 'app'";
    assert_eq!(texts(&mut admin, server).await, "dbcreator,G ALTER ANY LOGIN");
    run(&mut admin, "CREATE DATABASE other").await;
    let mut sql = running.login("app", APP, "").await.unwrap();
    let access =
        "SELECT CONCAT(HAS_DBACCESS('lab'), HAS_DBACCESS('other'), ISNULL(HAS_DBACCESS('nothing'), 9))";
    assert_eq!(texts(&mut sql, access).await, "109");
    // What one has WITH GRANT OPTION one may pass on, and nothing else.
    run(&mut sql, "GRANT SELECT ON dbo.t TO readers").await;
    assert_eq!(number(&mut sql, "GRANT UPDATE ON dbo.t TO readers").await, 4613);
    assert_eq!(number(&mut sql, "GRANT SELECT ON SCHEMA::dbo TO readers").await, 4613);
    run(&mut admin, "REVOKE SELECT ON dbo.t FROM app_user CASCADE").await;
    assert_eq!(number(&mut sql, "GRANT SELECT ON dbo.t TO readers").await, 4613);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_must_be_changed_does_not_open() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    run(&mut admin, &format!("ALTER LOGIN app WITH PASSWORD = '{APP}' MUST_CHANGE, CHECK_EXPIRATION = ON"))
        .await;
    assert_eq!(refusal(&running, "app", APP, "").await.0, 18488);
    assert_eq!(refusal(&running, "app", "wrong", "").await.0, 18456);
    run(&mut admin, &format!("ALTER LOGIN app WITH PASSWORD = '{APP}'")).await;
    running.login("app", APP, "").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_nowhere_in_the_state() {
    let running = Running::start().await;
    let admin = with_app(&running).await;
    drop(admin);
    let folder = running.stop().await;
    for entry in walk(folder.path()) {
        let bytes = std::fs::read(&entry).unwrap();
        for secret in [APP, PASSWORD] {
            let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
            for form in [secret.as_bytes(), &wide] {
                let found = bytes.windows(form.len()).any(|window| window == form);
                assert!(!found, "{} holds {secret}", entry.display());
            }
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_survives_a_restart() {
    let running = Running::start().await;
    let mut admin = with_app(&running).await;
    run(&mut admin, "CREATE TABLE n (id int IDENTITY PRIMARY KEY, v rowversion); INSERT INTO n DEFAULT VALUES; INSERT INTO n DEFAULT VALUES; DELETE FROM n WHERE id = 2").await;
    run(&mut admin, "BEGIN TRAN; INSERT INTO t VALUES (99)").await;
    let authority = running.server.ca_pem();
    drop(admin);
    let folder = running.stop().await;
    let running = Running::start_in(folder, Arc::new(SystemClock)).await;
    assert_eq!(running.server.ca_pem(), authority);
    let mut sql = running.login("app", APP, "").await.unwrap();
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t").await, 1);
    assert!(try_run(&mut sql, "INSERT INTO t VALUES (1)").await.is_err());
    let mut admin = running.fresh().await;
    assert_eq!(int(&mut admin, "INSERT INTO n OUTPUT inserted.id DEFAULT VALUES").await, 3);
    assert_eq!(int(&mut admin, "SELECT COUNT(DISTINCT v) FROM n").await, 2);
    assert_eq!(refusal(&running, "app", "wrong", "").await.0, 18456);
}
