//! Constraints: the numbers, and the names in the messages that programs look for.

use crate::support::{Running, Sql, int, number, refused, run, texts};

async fn school(running: &Running) -> Sql {
    let mut sql = running.fresh().await;
    run(
        &mut sql,
        "CREATE TABLE dbo.learners (id int NOT NULL CONSTRAINT pk_learners PRIMARY KEY, email nvarchar(100) NOT NULL,
            nick nvarchar(20) NULL, age int NULL CONSTRAINT ck_age CHECK (age >= 6),
            CONSTRAINT uq_email UNIQUE (email), CONSTRAINT ck_nick CHECK (LEN(nick) > 1 OR nick IS NULL OR age > 90));
         CREATE UNIQUE NONCLUSTERED INDEX ux_nick ON dbo.learners (nick) INCLUDE (age) WHERE nick IS NOT NULL;
         CREATE TABLE dbo.courses (id int PRIMARY KEY);
         CREATE TABLE dbo.enrolments (learner_id int NOT NULL CONSTRAINT fk_learner FOREIGN KEY REFERENCES dbo.learners (id) ON DELETE CASCADE,
            course_id int NOT NULL CONSTRAINT fk_course REFERENCES dbo.courses (id), CONSTRAINT pk_enrolments PRIMARY KEY (learner_id, course_id));
         CREATE TABLE dbo.notes (id int IDENTITY PRIMARY KEY, learner_id int NULL DEFAULT 1 REFERENCES dbo.learners ON DELETE SET NULL ON UPDATE CASCADE,
            parent int NULL CONSTRAINT fk_parent REFERENCES dbo.notes (id));
         INSERT INTO learners (id, email) VALUES (1, N'a@x'), (2, N'b@x');
         INSERT INTO courses VALUES (1), (2);
         INSERT INTO enrolments VALUES (1, 1), (1, 2);",
    )
    .await;
    sql
}

#[tokio::test(flavor = "multi_thread")]
async fn violations_are_named() {
    let running = Running::start().await;
    let mut sql = school(&running).await;
    for (text, number, state, class, message) in [
        (
            "INSERT INTO learners (id, email) VALUES (1, N'c@x')",
            2627,
            1,
            14,
            "Violation of PRIMARY KEY constraint 'pk_learners'. Cannot insert duplicate key in object 'dbo.learners'. The duplicate key value is (1).",
        ),
        (
            "INSERT INTO learners (id, email) VALUES (3, N'A@X')",
            2627,
            1,
            14,
            "Violation of UNIQUE KEY constraint 'uq_email'. Cannot insert duplicate key in object 'dbo.learners'. The duplicate key value is (A@X).",
        ),
        (
            "INSERT INTO enrolments VALUES (1, 2)",
            2627,
            1,
            14,
            "Violation of PRIMARY KEY constraint 'pk_enrolments'. Cannot insert duplicate key in object 'dbo.enrolments'. The duplicate key value is (1, 2).",
        ),
        (
            "UPDATE learners SET nick = N'same'",
            2601,
            1,
            14,
            "Cannot insert duplicate key row in object 'dbo.learners' with unique index 'ux_nick'. The duplicate key value is (same).",
        ),
        (
            "INSERT INTO enrolments VALUES (7, 1)",
            547,
            0,
            16,
            "The INSERT statement conflicted with the FOREIGN KEY constraint \"fk_learner\". The conflict occurred in database \"lab\", table \"dbo.learners\", column 'id'.",
        ),
        (
            "DELETE FROM courses WHERE id = 1",
            547,
            0,
            16,
            "The DELETE statement conflicted with the REFERENCE constraint \"fk_course\". The conflict occurred in database \"lab\", table \"dbo.enrolments\", column 'course_id'.",
        ),
        (
            "UPDATE learners SET age = 5",
            547,
            0,
            16,
            "The UPDATE statement conflicted with the CHECK constraint \"ck_age\". The conflict occurred in database \"lab\", table \"dbo.learners\", column 'age'.",
        ),
        (
            "UPDATE learners SET nick = N'x', age = 10 WHERE id = 1",
            547,
            0,
            16,
            "The UPDATE statement conflicted with the CHECK constraint \"ck_nick\". The conflict occurred in database \"lab\", table \"dbo.learners\".",
        ),
        (
            "INSERT INTO learners (id) VALUES (9)",
            515,
            2,
            16,
            "Cannot insert the value NULL into column 'email', table 'lab.dbo.learners'; column does not allow nulls. INSERT fails.",
        ),
        (
            "UPDATE learners SET email = NULL",
            515,
            2,
            16,
            "Cannot insert the value NULL into column 'email', table 'lab.dbo.learners'; column does not allow nulls. UPDATE fails.",
        ),
    ] {
        assert_eq!(refused(&mut sql, text).await, (number, state, class, message.to_owned()), "{text}");
    }
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM learners").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_changes_nothing() {
    let running = Running::start().await;
    let mut sql = school(&running).await;
    assert_eq!(number(&mut sql, "INSERT INTO courses VALUES (3), (4), (1)").await, 2627);
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM courses").await, 2);
    // Inside of a transaction only the statement is undone.
    let batch = "BEGIN TRAN; INSERT INTO courses VALUES (5); INSERT INTO courses VALUES (6), (1); COMMIT";
    assert_eq!(number(&mut sql, batch).await, 2627);
    assert_eq!(texts(&mut sql, "SELECT CAST(id AS nvarchar(9)) FROM courses ORDER BY id").await, "1,2,5");
}

#[tokio::test(flavor = "multi_thread")]
async fn references_react() {
    let running = Running::start().await;
    let mut sql = school(&running).await;
    run(&mut sql, "INSERT INTO notes (learner_id) VALUES (2), (DEFAULT)").await;
    run(&mut sql, "UPDATE learners SET id = 20 WHERE id = 2").await;
    assert_eq!(
        texts(&mut sql, "SELECT CAST(learner_id AS nvarchar(9)) FROM notes ORDER BY id").await,
        "20,1"
    );
    run(&mut sql, "DELETE FROM learners WHERE id = 1").await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM enrolments").await, 0);
    assert_eq!(
        texts(&mut sql, "SELECT CAST(learner_id AS nvarchar(9)) FROM notes ORDER BY id").await,
        "20,-"
    );
    // A reference to the table itself, made and taken away in one statement.
    run(&mut sql, "SET IDENTITY_INSERT notes ON; INSERT INTO notes (id, learner_id, parent) VALUES (50, 20, 51), (51, 20, 50)").await;
    assert_eq!(number(&mut sql, "DELETE FROM notes WHERE id = 50").await, 547);
    run(&mut sql, "DELETE FROM notes WHERE id >= 50").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn null_is_a_value_to_a_unique_key() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a int NULL UNIQUE, b int NULL); INSERT INTO t VALUES (NULL, 1)").await;
    let (number_, _, _, message) = refused(&mut sql, "INSERT INTO t VALUES (NULL, 2)").await;
    assert_eq!(number_, 2627);
    assert!(message.ends_with("(<NULL>)."), "{message}");
    run(&mut sql, "CREATE TABLE u (a int NULL, b int NULL); INSERT INTO u VALUES (NULL, 1), (NULL, 2)").await;
    assert_eq!(number(&mut sql, "CREATE UNIQUE INDEX ix ON u (a)").await, 1505);
    run(
        &mut sql,
        "CREATE UNIQUE INDEX ix ON u (a) WHERE a IS NOT NULL; INSERT INTO u VALUES (NULL, 3), (1, 1)",
    )
    .await;
    assert_eq!(number(&mut sql, "INSERT INTO u VALUES (1, 9)").await, 2601);
    run(&mut sql, "DROP INDEX ix ON u; INSERT INTO u VALUES (1, 9)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cascades_that_could_meet_are_refused() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a ON DELETE CASCADE)").await;
    let two_ways = "CREATE TABLE c (id int REFERENCES a (id) ON DELETE CASCADE, b int REFERENCES b (id) ON DELETE CASCADE)";
    assert_eq!(number(&mut sql, two_ways).await, 1785);
    assert_eq!(
        number(&mut sql, "CREATE TABLE d (id int PRIMARY KEY, up int REFERENCES d (id) ON DELETE CASCADE)")
            .await,
        1785
    );
    run(&mut sql, "CREATE TABLE c (id int REFERENCES a (id), b int REFERENCES b (id) ON DELETE CASCADE)")
        .await;
}
