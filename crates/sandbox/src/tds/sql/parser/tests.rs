use super::*;
use crate::tds::sql::ast::{Expr, Statement};

#[test]
fn everyday_t_sql_is_understood() {
    for text in [
        "SELECT TOP (10) a, b AS c, d = 1 FROM dbo.t AS x (NOLOCK) WHERE a = 1 ORDER BY a DESC",
        "SELECT * FROM t ORDER BY id OFFSET @skip ROWS FETCH NEXT @take ROWS ONLY",
        "SELECT t.*, COUNT_BIG(*) OVER () FROM [dbo].[t] t LEFT OUTER JOIN u ON t.a = u.a AND u.b IS NOT NULL",
        "WITH c (a) AS (SELECT 1) SELECT a FROM c WHERE a NOT IN (SELECT b FROM d) OR a BETWEEN 1 AND 2",
        "SELECT CASE WHEN a LIKE N'x!%%' ESCAPE N'!' THEN 1 ELSE 0 END FROM t WHERE EXISTS (SELECT 1)",
        "SELECT a FROM t UNION ALL (SELECT b FROM u) EXCEPT SELECT 1",
        "SELECT 1 FROM t\nSELECT 2 PRINT 'x'",
        "SELECT @a = b, @c = d FROM t",
        "INSERT INTO t (a, b) OUTPUT INSERTED.*, inserted.a AS x VALUES (1, DEFAULT), (@p, N'x')",
        "INSERT t SELECT a FROM u; INSERT INTO t DEFAULT VALUES",
        "UPDATE TOP (1) x SET a = b + 1, x.c += 2 OUTPUT deleted.a FROM t x JOIN u ON u.i = x.i WHERE x.i = 3",
        "DELETE TOP (5) FROM t WITH (ROWLOCK) WHERE 1 = 0",
        "MERGE dbo.t WITH (HOLDLOCK) AS target USING (VALUES (@a, @b)) AS source (a, b) ON target.a = source.a
         WHEN MATCHED AND target.b <> source.b THEN UPDATE SET b = source.b
         WHEN NOT MATCHED THEN INSERT (a, b) VALUES (source.a, source.b)
         WHEN NOT MATCHED BY SOURCE THEN DELETE OUTPUT inserted.a;",
        "CREATE TABLE t (id int IDENTITY(1,1) NOT NULL CONSTRAINT pk PRIMARY KEY CLUSTERED, a nvarchar(max) NULL
         DEFAULT (N'x'), v rowversion, b decimal(10, 2) CHECK (b > 0), p int REFERENCES p (id) ON DELETE CASCADE,
         CONSTRAINT uq UNIQUE NONCLUSTERED (a ASC, b DESC), FOREIGN KEY (a) REFERENCES dbo.u (b),)",
        "CREATE UNIQUE NONCLUSTERED INDEX ix ON t (a, b DESC) INCLUDE (c) WHERE a IS NOT NULL",
        "IF OBJECT_ID(N'dbo.t', N'U') IS NULL BEGIN CREATE TABLE t (a int) END ELSE PRINT 'x'",
        "IF NOT EXISTS (SELECT 1 FROM t) INSERT INTO t VALUES (1)",
        "DECLARE @a int = 1, @b AS nvarchar(10); SET @a += 1; SET NOCOUNT, XACT_ABORT ON",
        "BEGIN TRY BEGIN TRAN; SAVE TRAN s; ROLLBACK TRANSACTION s COMMIT END TRY BEGIN CATCH IF @@TRANCOUNT > 0 ROLLBACK; THROW; END CATCH",
        "THROW 50001, N'x', 1; RAISERROR(N'%s', 16, 1, @a) WITH NOWAIT",
        "ALTER LOGIN [app] WITH PASSWORD = N'x' OLD_PASSWORD = 'y'; ALTER LOGIN app DISABLE",
        "CREATE LOGIN app WITH PASSWORD = 'x', DEFAULT_DATABASE = d, CHECK_POLICY = OFF; CREATE USER u FOR LOGIN app",
        "GRANT SELECT, INSERT ON dbo.t TO u; DENY ALTER ANY LOGIN TO a; REVOKE SELECT ON SCHEMA::dbo FROM public",
        "ALTER ROLE db_datareader ADD MEMBER [u]; EXEC sp_addrolemember 'db_owner', u",
        "EXEC (@sql); EXEC sp_executesql @sql, N'@a int', @a = 1; EXEC @r = sp_getapplock @Resource = N'x'",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED SET LOCK_TIMEOUT -1 set textsize 2147483647",
        "SELECT TRY_CAST('x' AS int), CONVERT(varchar(10), GETDATE(), 120), CURRENT_TIMESTAMP, LEFT('a', 1)",
        "WAITFOR DELAY '00:00:01'; WHILE @i < 3 BEGIN SET @i = @i + 1; IF @i = 2 BREAK; CONTINUE END",
        "ALTER TABLE t ADD c int NOT NULL CONSTRAINT d DEFAULT 0; ALTER TABLE t WITH CHECK ADD CONSTRAINT k CHECK (c > 0)",
        ";;",
    ] {
        if let Err((error, _)) = parse(text) {
            panic!("{error}: {text}");
        }
    }
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, number, named) in [
        ("SELEC 1", 102, "'SELEC'"),
        ("SELECT FROM t", 156, "'FROM'"),
        ("SELECT (1", 102, "'1'"),
        ("SELECT a FROM t WHERE", 102, "'WHERE'"),
        ("CREATE VIEW v AS SELECT 1", crate::tds::error::UNKNOWN, "CREATE VIEW"),
        ("SELECT * INTO u FROM t", crate::tds::error::UNKNOWN, "SELECT ... INTO"),
        ("SELECT * FROM t WITH (READPAST)", crate::tds::error::UNKNOWN, "READPAST"),
        ("SELECT * FROM t CROSS APPLY f(1)", crate::tds::error::UNKNOWN, "APPLY"),
        ("SELECT * FROM OPENJSON(@x)", crate::tds::error::UNKNOWN, "OPENJSON"),
        ("SELECT * FROM #t", crate::tds::error::UNKNOWN, "#t"),
        ("DECLARE @t TABLE (a int)", crate::tds::error::UNKNOWN, "@t"),
        ("CREATE TABLE t (a xml)", crate::tds::error::UNKNOWN, "xml"),
        ("GO", 102, "'GO'"),
        ("MERGE t USING u ON 1 = 1 WHEN MATCHED THEN DELETE", 10713, "semi-colon"),
        ("DBCC CHECKDB", crate::tds::error::UNKNOWN, "DBCC"),
    ] {
        let (error, _) = parse(text).unwrap_err();
        assert_eq!(error.number, number, "{text}: {error}");
        assert!(error.message.contains(named), "{text}: {error}");
    }
}

#[test]
fn mistakes_have_a_line() {
    assert_eq!(parse("SELECT 1\nSELECT 2\n\nSELEC 3").unwrap_err().1, 4);
    assert_eq!(parse("SELECT 1;\nCREATE SCHEMA x").unwrap_err().0.number, 111);
}

#[test]
fn nesting_has_a_limit() {
    let deep = [
        format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{} PRINT 'x' {}", "BEGIN ".repeat(5_000), "END ".repeat(5_000)),
        format!("SELECT 1 {}", "+ 1".repeat(5_000)),
        format!("SELECT 1 WHERE 1 = 1 {}", "OR 1 = 1 ".repeat(5_000)),
        format!("SELECT {} 1", "- ".repeat(5_000)),
    ];
    let stack = std::thread::Builder::new().stack_size(STACK);
    let read = move || deep.map(|text| parse(&text).unwrap_err().0.number);
    assert_eq!(stack.spawn(read).unwrap().join().unwrap(), [191; 5]);
}

#[test]
fn operators_bind_as_they_should() {
    let Statement::Print(expr) = &parse("PRINT 1 + 2 * -3").unwrap()[0].statement else { panic!() };
    let number = |n: &str| Box::new(Expr::Number(n.to_owned()));
    let product = Expr::Arithmetic('*', number("2"), Box::new(Expr::Sign('-', number("3"))));
    assert_eq!(*expr, Expr::Arithmetic('+', number("1"), Box::new(product)));
}

#[test]
fn reserved_words_are_in_order() {
    // The list is searched by halves.
    for word in ["ADD", "COALESCE", "CURRENT_USER", "IDENTITY_INSERT", "OFF", "TRY_CONVERT", "WITH"] {
        assert!(is_reserved(&word.to_lowercase()), "{word}");
    }
    assert!(!is_reserved("name"));
}

#[test]
fn declarations_of_parameters_are_read() {
    let declared = parse_declarations("@P1 nvarchar(4000),@P2 decimal(38,4) output, @x int OUT").unwrap();
    assert_eq!(declared[1], ("@p2".to_owned(), SqlType::Decimal(38, 4), true));
    assert_eq!(declared[2], ("@x".to_owned(), SqlType::Int, true));
    assert!(parse_declarations("@P1 nvarchar(4000) nonsense").is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_order_of_words_makes_the_parser_panic(picks in proptest::collection::vec(0..WORDS.len(), 0..40)) {
        let text: Vec<&str> = picks.into_iter().map(|at| WORDS[at]).collect();
        let _ = parse(&text.join(" "));
        let _ = parse_declarations(&text.join(" "));
    }
}

const WORDS: &[&str] = &[
    "SELECT", "FROM", "WHERE", "t", "@a", "(", ")", ",", "=", "*", ".", "1", "'x'", "JOIN", "ON", "AS",
    "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "MERGE", "USING", "WHEN", "MATCHED", "THEN",
    "CREATE", "TABLE", "int", "CASE", "END", "BEGIN", "TRY", "CATCH", "IF", "ELSE", "EXEC", "WITH", "TOP",
    "ORDER", "BY", "OFFSET", "ROWS", "FETCH", "NEXT", "ONLY", "NOT", "IN", "LIKE", "BETWEEN", "AND", "IS",
    "NULL", "ALTER", "LOGIN", "PASSWORD", "GRANT", "TO", "UNION", "DECLARE", "-", ";", "OVER", "CAST",
    "THROW", "OUTPUT", "INDEX", "UNIQUE", "DEFAULT",
];
