//! T-SQL: queries, changes, control of flow, and what is refused.

use tiberius::Query;

use crate::support::{Running, Sql, int, number, query, refused, rows, run, texts, try_run};

const UNKNOWN: u32 = 50_404;

async fn library(running: &Running) -> Sql {
    let mut sql = running.fresh().await;
    run(
        &mut sql,
        "CREATE TABLE dbo.courses (
            id int IDENTITY(1,1) NOT NULL CONSTRAINT pk_courses PRIMARY KEY CLUSTERED,
            slug nvarchar(50) NOT NULL CONSTRAINT uq_slug UNIQUE NONCLUSTERED,
            title nvarchar(200) NOT NULL,
            price decimal(9,2) NOT NULL CONSTRAINT df_price DEFAULT (0),
            published bit NOT NULL DEFAULT 1,
            created datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(),
            version rowversion);
         CREATE TABLE dbo.lessons (
            id int IDENTITY NOT NULL PRIMARY KEY,
            course_id int NOT NULL CONSTRAINT fk_lessons_course REFERENCES dbo.courses (id) ON DELETE CASCADE,
            position int NOT NULL,
            title nvarchar(100) NULL,
            CONSTRAINT uq_lesson UNIQUE (course_id, position));
         INSERT INTO dbo.courses (slug, title, price) VALUES (N'rust', N'Rust', 10), (N'sql', N'SQL', 20.5), (N'aws', N'AWS', 30);
         INSERT INTO dbo.lessons (course_id, position, title) VALUES (1, 1, N'Ownership'), (1, 2, N'Traits'), (2, 1, NULL);",
    )
    .await;
    sql
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_answer_as_they_should() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    for (text, expected) in [
        ("SELECT TOP (2) slug FROM courses ORDER BY title DESC", "sql,rust"),
        ("SELECT slug FROM courses ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", "sql"),
        (
            "SELECT c.slug FROM courses AS c WHERE EXISTS (SELECT 1 FROM lessons l WHERE l.course_id = c.id) ORDER BY 1",
            "rust,sql",
        ),
        ("SELECT c.slug FROM courses c LEFT JOIN lessons l ON l.course_id = c.id WHERE l.id IS NULL", "aws"),
        (
            "SELECT ISNULL(l.title, N'none') FROM courses c JOIN lessons l ON l.course_id = c.id ORDER BY c.id, l.position",
            "Ownership,Traits,none",
        ),
        (
            "WITH counted (id, n) AS (SELECT course_id, COUNT(*) FROM lessons GROUP BY course_id) SELECT c.slug + N':' + CAST(n AS nvarchar(9)) FROM counted JOIN courses c ON c.id = counted.id ORDER BY n DESC",
            "rust:2,sql:1",
        ),
        ("SELECT slug FROM courses WHERE title LIKE N'%S%' ORDER BY slug", "aws,rust,sql"),
        ("SELECT slug FROM courses WHERE title LIKE N'r%' ESCAPE N'!'", "rust"),
        (
            "SELECT slug FROM courses WHERE price > 10 OR (price = 10 AND id > 1) ORDER BY price, id",
            "sql,aws",
        ),
        (
            "SELECT UPPER(slug) FROM dbo.courses WITH (NOLOCK) WHERE id IN (1, 2) AND NOT slug = N'sql'",
            "RUST",
        ),
        (
            "SELECT LOWER(slug) FROM (SELECT slug FROM courses UNION SELECT N'RUST') AS u ORDER BY slug",
            "aws,rust,sql",
        ),
        ("SELECT slug FROM courses EXCEPT SELECT N'SQL' ORDER BY 1", "aws,rust"),
        (
            "SELECT (SELECT MAX(title) FROM lessons WHERE course_id = c.id) FROM courses c ORDER BY id",
            "Traits,-,-",
        ),
        (
            "SELECT d.s FROM (SELECT slug AS s, ROW_NUMBER() OVER (ORDER BY id DESC) AS n FROM courses) AS d WHERE n = 1",
            "aws",
        ),
        ("SELECT CASE published WHEN 1 THEN N'yes' ELSE N'no' END FROM courses WHERE slug = N'aws'", "yes"),
        (
            "SELECT STRING_AGG(slug, N'+') FROM (SELECT TOP (3) slug FROM courses ORDER BY id) AS x",
            "rust+sql+aws",
        ),
        ("SELECT QUOTENAME(N'a]b') + QUOTENAME(N'it''s', '''')", "[a]]b]'it''s'"),
        ("SELECT QUOTENAME(REPLICATE(N'x', 129))", "-"),
        ("SELECT CAST(DATALENGTH(CRYPT_GEN_RANDOM(32)) AS nvarchar(9))", "32"),
        ("SELECT N'other' WHERE CRYPT_GEN_RANDOM(16) <> CRYPT_GEN_RANDOM(16)", "other"),
        ("SELECT N'none' WHERE CRYPT_GEN_RANDOM(0) IS NULL AND CRYPT_GEN_RANDOM(8001) IS NULL", "none"),
        ("SELECT CONCAT(N'a', NULL, 1, '-', CAST(1.50 AS decimal(5,2)))", "a1-1.50"),
        (
            "SELECT REPLACE(N'aAb', N'a', N'x') + STUFF('abc', 2, 1, 'ZZ') + LEFT('abc', 2) + RIGHT('abc', 1)",
            "xxbaZZcabc",
        ),
        ("SELECT IIF(1 = 1, N'yes', N'no') + COALESCE(NULL, N'!') + NULLIF(N'a', N'b')", "yes!a"),
        ("SELECT TRIM(N'  x ') + N'|' + RTRIM(N'y  ') + LTRIM(N'  z')", "x|yz"),
        ("SELECT DB_NAME() + N'/' + SUSER_SNAME() + N'/' + USER_NAME()", "lab/admin/dbo"),
        ("SELECT name FROM sys.tables ORDER BY name", "courses,lessons"),
        ("SELECT name FROM sys.databases ORDER BY name", "lab,master"),
        ("SELECT name FROM sys.sql_logins", "admin"),
        (
            "SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = N'lessons' ORDER BY ORDINAL_POSITION",
            "id,course_id,position,title",
        ),
        ("SELECT CAST(SUM(price) AS nvarchar(20)) FROM courses HAVING COUNT(*) > 2", "60.50"),
        ("SELECT slug FROM courses c CROSS JOIN (SELECT 1 AS one) x ORDER BY c.id DESC", "aws,sql,rust"),
        ("SELECT N'' WHERE 1 = 0", ""),
    ] {
        assert_eq!(texts(&mut sql, text).await, expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_page_and_filter() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    let mut page = Query::new(
        "SELECT TOP (@P1) id, slug FROM dbo.courses WHERE published = 1 AND (title > @P2 OR (title = @P2 AND id > @P3))
         ORDER BY title, id",
    );
    page.bind(2_i32);
    page.bind("aws");
    page.bind(3_i32);
    let found = query(&mut sql, page).await;
    let slugs: Vec<&str> = found.iter().filter_map(|row| row.get("slug")).collect();
    assert_eq!(slugs, ["rust", "sql"]);
    let mut page = Query::new("SELECT id FROM courses ORDER BY id OFFSET @P1 ROWS FETCH NEXT @P2 ROWS ONLY");
    page.bind(1_i64);
    page.bind(5_i32);
    assert_eq!(query(&mut sql, page).await.len(), 2);
    // What a client sends is never part of the SQL.
    let evil = "x'; DROP TABLE courses; --";
    let mut select = Query::new("SELECT @P1, COUNT(*) FROM courses WHERE slug = @P1");
    select.bind(evil);
    let found = query(&mut sql, select).await;
    assert_eq!((found[0].get::<&str, _>(0), found[0].get::<i32, _>(1)), (Some(evil), Some(0)));
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM courses").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_tell_what_they_did() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    let row = &rows(
        &mut sql,
        "INSERT INTO courses (slug, title) OUTPUT INSERTED.*, inserted.id * 2 AS twice VALUES (N'go', N'Go')",
    )
    .await[0];
    assert_eq!(
        (row.get::<i32, _>("id"), row.get::<&str, _>("slug"), row.get::<i32, _>("twice")),
        (Some(4), Some("go"), Some(8))
    );
    let version = row.get::<&[u8], _>("version").unwrap().to_vec();
    assert_eq!(version.len(), 8);
    let changed = "UPDATE courses SET price += 5, title = title + N'!' OUTPUT deleted.title + N'>' + inserted.title WHERE slug = N'go'";
    assert_eq!(texts(&mut sql, changed).await, "Go>Go!");
    let row = &rows(&mut sql, "SELECT version, price FROM courses WHERE id = 4").await[0];
    assert!(row.get::<&[u8], _>("version").unwrap() > version.as_slice());
    assert_eq!(texts(&mut sql, "DELETE FROM courses OUTPUT deleted.slug WHERE id = 4").await, "go");
    // With FROM, with an alias, with TOP.
    run(&mut sql, "UPDATE c SET title = l.title FROM dbo.courses c JOIN lessons l ON l.course_id = c.id AND l.position = 2").await;
    assert_eq!(texts(&mut sql, "SELECT title FROM courses ORDER BY id").await, "Traits,SQL,AWS");
    run(&mut sql, "DELETE TOP (1) FROM lessons WHERE course_id = 1").await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM lessons").await, 2);
    run(&mut sql, "DELETE l FROM lessons AS l JOIN courses c ON c.id = l.course_id WHERE c.slug = N'sql'")
        .await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM lessons").await, 1);
    run(&mut sql, "INSERT INTO lessons (course_id, position) SELECT id, 9 FROM courses WHERE id > 1").await;
    assert_eq!(int(&mut sql, "SELECT @@ROWCOUNT").await, 2);
    assert_eq!(
        int(
            &mut sql,
            "INSERT INTO courses (slug, title) VALUES (N'x', N'X'); SELECT CAST(SCOPE_IDENTITY() AS int)"
        )
        .await,
        5
    );
    assert_eq!(int(&mut sql, "TRUNCATE TABLE lessons; SELECT COUNT(*) FROM lessons").await, 0);
    let counts = sql.execute("UPDATE courses SET price = 1", &[]).await.unwrap();
    assert_eq!(counts.rows_affected(), [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_may_trade_places_in_one_statement() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    run(&mut sql, "UPDATE lessons SET position = 3 - position WHERE course_id = 1").await;
    assert_eq!(
        texts(&mut sql, "SELECT title FROM lessons WHERE course_id = 1 ORDER BY position").await,
        "Traits,Ownership"
    );
    run(&mut sql, "UPDATE lessons SET position = position + 1").await;
    assert_eq!(number(&mut sql, "UPDATE lessons SET position = 1").await, 2627);
}

#[tokio::test(flavor = "multi_thread")]
async fn merge_inserts_updates_and_deletes() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    let merge = "MERGE dbo.courses WITH (HOLDLOCK) AS t
        USING (VALUES (N'rust', N'Rust 2', 11), (N'zig', N'Zig', 5)) AS s (slug, title, price) ON t.slug = s.slug
        WHEN MATCHED AND t.title <> s.title THEN UPDATE SET title = s.title, price = s.price
        WHEN NOT MATCHED BY TARGET THEN INSERT (slug, title, price) VALUES (s.slug, s.title, s.price)
        WHEN NOT MATCHED BY SOURCE AND t.slug = N'aws' THEN DELETE
        OUTPUT $action + N':' + ISNULL(inserted.slug, deleted.slug);";
    let mut told: Vec<String> = texts(&mut sql, merge).await.split(',').map(str::to_owned).collect();
    told.sort();
    assert_eq!(told, ["DELETE:aws", "INSERT:zig", "UPDATE:rust"]);
    assert_eq!(texts(&mut sql, "SELECT title FROM courses ORDER BY slug").await, "Rust 2,SQL,Zig");
    // The upsert of the functions, with parameters.
    for (title, id) in [("first", 5), ("second", 5)] {
        let mut upsert = Query::new(
            "MERGE courses WITH (HOLDLOCK) AS t USING (SELECT @P1 AS slug, @P2 AS title) AS s ON t.slug = s.slug
             WHEN MATCHED THEN UPDATE SET title = s.title
             WHEN NOT MATCHED THEN INSERT (slug, title) VALUES (s.slug, s.title) OUTPUT inserted.id, inserted.title;",
        );
        upsert.bind("c");
        upsert.bind(title);
        let row = &query(&mut sql, upsert).await[0];
        assert_eq!((row.get::<i32, _>(0), row.get::<&str, _>(1)), (Some(id), Some(title)));
    }
    let twice = "MERGE courses AS t USING (VALUES (1), (1)) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET price = 0;";
    assert_eq!(number(&mut sql, twice).await, 8672);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_flow() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    for (text, expected) in [
        (
            "DECLARE @n int = 0, @s nvarchar(20) = N''; WHILE @n < 5 BEGIN SET @n += 1; IF @n = 2 CONTINUE; IF @n = 4 BREAK; SET @s = @s + CAST(@n AS nvarchar(5)) END SELECT @s",
            "13",
        ),
        ("IF OBJECT_ID(N'dbo.courses', N'U') IS NULL SELECT N'no' ELSE SELECT N'yes'", "yes"),
        ("IF OBJECT_ID(N'[dbo].[nothing]') IS NULL SELECT N'gone'", "gone"),
        (
            "IF NOT EXISTS (SELECT * FROM courses WHERE slug = N'rust') SELECT N'no'; ELSE SELECT N'there'",
            "there",
        ),
        ("DECLARE @t nvarchar(50); SELECT @t = slug FROM courses WHERE id = 2; SELECT @t", "sql"),
        (
            "DECLARE @sql nvarchar(max) = N'SELECT slug FROM courses WHERE id = ' + CAST(3 AS nvarchar(9)); EXEC (@sql)",
            "aws",
        ),
        (
            "DECLARE @x nvarchar(9), @q nvarchar(99) = N'SELECT @out = slug FROM courses WHERE id = @id'; EXEC sp_executesql @q, N'@id int, @out nvarchar(9) OUTPUT', @id = 1, @out = @x OUTPUT; SELECT @x",
            "rust",
        ),
        (
            "BEGIN TRY SELECT 1 / 0 END TRY BEGIN CATCH SELECT CAST(ERROR_NUMBER() AS nvarchar(9)) + ERROR_MESSAGE() END CATCH",
            "8134Divide by zero error encountered.",
        ),
        (
            "BEGIN TRY INSERT INTO courses (slug, title) VALUES (N'rust', N'x') END TRY BEGIN CATCH IF ERROR_NUMBER() = 2627 SELECT N'dup' END CATCH",
            "dup",
        ),
        (
            "BEGIN TRY THROW 51000, N'mine', 3 END TRY BEGIN CATCH SELECT CONCAT(ERROR_NUMBER(), ERROR_MESSAGE(), ERROR_STATE(), '/', ERROR_LINE()) END CATCH",
            "51000mine3/1",
        ),
        ("BEGIN TRY EXEC (N'SELECT 1/0') END TRY BEGIN CATCH SELECT N'caught' END CATCH", "caught"),
        ("SELECT slug FROM courses WHERE id = 1 RETURN SELECT N'never'", "rust"),
        ("PRINT N'hello'; SELECT N'after'", "after"),
        ("INSERT INTO courses (slug) VALUES (N'no title'); SELECT N'goes on'", "goes on"),
    ] {
        let last = match sql.simple_query(text).await.unwrap().into_results().await {
            Ok(mut results) => results.pop().unwrap_or_default(),
            // An error that ends its statement only: tiberius gives up, the server does not.
            Err(error) => {
                assert_eq!((error.code(), expected), (Some(515), "goes on"), "{text}: {error}");
                continue;
            }
        };
        assert_eq!(last.first().and_then(|row| row.get::<&str, _>(0)), Some(expected), "{text}");
    }
    assert_eq!(refused(&mut sql, "THROW 50001, N'stop', 7").await, (50_001, 7, 16, "stop".to_owned()));
    assert_eq!(
        refused(&mut sql, "RAISERROR(N'%s is %d', 14, 2, N'x', 5)").await,
        (50_000, 2, 14, "x is 5".to_owned())
    );
    assert_eq!(number(&mut sql, "BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH THROW; END CATCH").await, 8134);
    assert_eq!(number(&mut sql, "DECLARE @q nvarchar(max) = N'EXEC (@q)'; SET @q = N'DECLARE @q nvarchar(max) = N''SELECT 1''; EXEC (@q'; EXEC (@q)").await, 102);
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_ends_at_its_limit() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE code (text nvarchar(max) NOT NULL)").await;
    let again = "DECLARE @q nvarchar(max); SELECT @q = text FROM code; EXEC (@q)";
    run(&mut sql, &format!("INSERT INTO code VALUES (N'{}')", again.replace('\'', "''"))).await;
    assert_eq!(number(&mut sql, again).await, 217);
    assert_eq!(number(&mut sql, &format!("SELECT {}1{}", "(".repeat(3_000), ")".repeat(3_000))).await, 191);
    assert_eq!(int(&mut sql, "SELECT 1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_have_their_number() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    for (text, number_, state, class) in [
        ("SELECT * FROM nothing", 208, 1, 16),
        ("SELECT nothing FROM courses", 207, 1, 16),
        ("SELEC 1", 102, 1, 15),
        ("SELECT FROM courses", 156, 1, 15),
        ("SELECT 'abc", 105, 1, 15),
        ("SELECT x.id FROM courses c", 4104, 1, 16),
        ("SELECT id FROM courses c JOIN lessons l ON l.course_id = c.id", 209, 1, 16),
        ("SELECT slug, COUNT(*) FROM courses", 8120, 1, 16),
        ("SELECT slug FROM courses GROUP BY title", 8120, 1, 16),
        ("SELECT @nothing", 137, 2, 15),
        ("SELECT * FROM (SELECT id FROM courses ORDER BY id) AS x", 1033, 1, 15),
        ("SELECT 1 UNION SELECT 1, 2", 205, 1, 16),
        ("SELECT (SELECT id FROM courses)", 512, 1, 16),
        ("SELECT 1 WHERE 1", 4145, 1, 15),
        ("SELECT SUM(slug) FROM courses", 8117, 1, 16),
        ("INSERT INTO courses (slug) VALUES (1, 2)", 109, 1, 16),
        ("INSERT INTO courses VALUES (1)", 213, 1, 16),
        ("INSERT INTO courses (id, slug, title) VALUES (9, N'a', N'b')", 544, 1, 16),
        ("UPDATE courses SET id = 1", 8102, 1, 16),
        ("UPDATE courses SET version = 0x01", 272, 1, 16),
        ("CREATE TABLE courses (a int)", 2714, 6, 16),
        ("DROP TABLE nothing", 3701, 5, 11),
        ("DROP TABLE courses", 3726, 1, 16),
        ("EXEC nothing", 2812, 62, 16),
        ("USE nothing", 911, 1, 16),
        ("COMMIT", 3902, 1, 16),
        ("ROLLBACK", 3903, 1, 16),
        ("SELECT DATEADD(fortnight, 1, GETDATE())", 155, 1, 15),
        ("SELECT id FROM courses ORDER BY id OFFSET -1 ROWS", 10742, 1, 15),
        ("CREATE INDEX ix ON courses (nothing)", 1911, 1, 16),
        ("CREATE TABLE u (a int REFERENCES lessons (title))", 1776, 0, 16),
    ] {
        let (n, s, c, message) = refused(&mut sql, text).await;
        assert_eq!((n, s, c), (number_, state, class), "{text}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_refused_by_name() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    for (text, named) in [
        ("SELECT FORMAT(1, 'N')", "FORMAT"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE PROCEDURE p AS SELECT 1", "CREATE PROCEDURE"),
        ("SELECT * FROM #t", "#t"),
        ("SELECT * FROM sys.dm_exec_sessions", "sys.dm_exec_sessions"),
        ("SELECT * INTO x FROM courses", "SELECT ... INTO"),
        ("SELECT id FROM courses FOR JSON PATH", "FOR JSON"),
        ("SELECT * FROM other.dbo.courses", "other.dbo.courses"),
        ("SET ANSI_NULLS OFF", "ANSI_NULLS"),
        ("SET IMPLICIT_TRANSACTIONS ON", "IMPLICIT_TRANSACTIONS"),
        ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "snapshot"),
        ("DECLARE @t TABLE (a int)", "@t"),
        ("DECLARE @s nvarchar(99) = N''; SELECT @s = @s + slug FROM courses", "row by row"),
        ("CREATE TABLE x (a xml)", "xml"),
        ("CREATE TABLE x (a int, b AS a + 1)", "computed"),
        ("SELECT 1 COLLATE Latin1_General_BIN", "Latin1_General_BIN"),
        ("SELECT @@CPU_BUSY", "@@cpu_busy"),
        ("SELECT TOP 5 PERCENT * FROM courses", "PERCENT"),
        (
            "INSERT INTO courses (slug, title) OUTPUT inserted.id INTO x VALUES (N'a', N'b')",
            "OUTPUT ... INTO",
        ),
    ] {
        let (n, _, _, message) = refused(&mut sql, text).await;
        assert_eq!(n, UNKNOWN, "{text}: {message}");
        assert!(message.to_lowercase().contains(&named.to_lowercase()), "{text}: {message}");
        assert!(message.contains("local TDS server"), "{message}");
    }
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM courses").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_change() {
    let running = Running::start().await;
    let mut sql = library(&running).await;
    run(&mut sql, "ALTER TABLE courses ADD level int NOT NULL CONSTRAINT df_level DEFAULT 3, note nvarchar(10) NULL DEFAULT N'n'").await;
    assert_eq!(int(&mut sql, "SELECT SUM(level) FROM courses WHERE note IS NULL").await, 9);
    run(&mut sql, "ALTER TABLE courses ADD CONSTRAINT ck_level CHECK (level BETWEEN 1 AND 5)").await;
    assert_eq!(number(&mut sql, "UPDATE courses SET level = 6").await, 547);
    assert_eq!(number(&mut sql, "ALTER TABLE courses DROP COLUMN level").await, 5074);
    run(&mut sql, "ALTER TABLE courses DROP CONSTRAINT ck_level; ALTER TABLE courses DROP CONSTRAINT df_level; ALTER TABLE courses DROP COLUMN level").await;
    assert_eq!(number(&mut sql, "SELECT level FROM courses").await, 207);
    assert_eq!(number(&mut sql, "ALTER TABLE courses ADD x int NOT NULL").await, 4901);
    assert_eq!(number(&mut sql, "ALTER TABLE courses ADD CONSTRAINT ck CHECK (price > 15)").await, 547);
    run(&mut sql, "SET IDENTITY_INSERT courses ON; INSERT INTO courses (id, slug, title) VALUES (50, N'l', N'L'); SET IDENTITY_INSERT courses OFF").await;
    assert_eq!(
        int(&mut sql, "INSERT INTO courses (slug, title) OUTPUT inserted.id VALUES (N'm', N'M')").await,
        51
    );
    run(&mut sql, "CREATE SCHEMA learning").await;
    run(&mut sql, "CREATE TABLE learning.courses (id int); INSERT INTO learning.courses VALUES (7); DROP TABLE IF EXISTS lessons, nothing").await;
    assert_eq!(int(&mut sql, "SELECT id FROM learning.courses").await, 7);
    assert_eq!(number(&mut sql, "DROP SCHEMA learning").await, 3729);
    run(&mut sql, "DROP TABLE learning.courses; DROP SCHEMA learning; DROP TABLE courses").await;
    assert!(try_run(&mut sql, "SELECT * FROM courses").await.is_err());
}
