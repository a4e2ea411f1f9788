//! Types: there and back again, NULLs, exactness, conversions.

use tiberius::numeric::Numeric;
use tiberius::time::chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use tiberius::{ColumnType, Query, Uuid};

use crate::support::{Running, int, number, query, refused, rows, run, texts};

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_into_a_table_and_comes_back() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(
        &mut sql,
        "CREATE TABLE t (id int NOT NULL PRIMARY KEY, a bit, b tinyint, c smallint, d int, e bigint, f decimal(38,10),
         g real, h float, i nvarchar(20), j nvarchar(max), k varchar(20), l char(4), m nchar(4), n varbinary(max),
         o uniqueidentifier, p date, q time(7), r datetime2(7), s datetimeoffset(7), u datetime, v smalldatetime,
         w money, x binary(3), y numeric(5,2))",
    )
    .await;
    let guid = Uuid::parse_str("6f9619ff-8b86-d011-b42d-00c04fc964ff").unwrap();
    let date = NaiveDate::from_ymd_opt(2026, 2, 3).unwrap();
    let time = NaiveTime::from_hms_nano_opt(4, 5, 6, 123_456_700).unwrap();
    let stamp = NaiveDateTime::new(date, time);
    let offset = DateTime::parse_from_rfc3339("2026-02-03T04:05:06.1234567+05:30").unwrap();
    let huge = Numeric::new_with_scale(1_234_567_890_123_456_789_012_345_678_901_234_567, 10);
    let mut insert = Query::new(
        "INSERT INTO t VALUES (1, @P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10, @P11, @P12, @P13, @P14, @P15,
         @P16, @P17, @P18, @P19, @P20, @P21, 12.3456, 0x010203, @P22)",
    );
    insert.bind(true);
    insert.bind(255_u8);
    insert.bind(-32_768_i16);
    insert.bind(i32::MIN);
    insert.bind(i64::MAX);
    insert.bind(huge);
    insert.bind(1.5_f32);
    insert.bind(-0.1_f64);
    insert.bind("a😀ß");
    insert.bind("x".repeat(9_000));
    insert.bind("€uro");
    insert.bind("ab");
    insert.bind("ü");
    insert.bind(vec![0_u8, 255, 1]);
    insert.bind(guid);
    insert.bind(date);
    insert.bind(time);
    insert.bind(stamp);
    insert.bind(offset);
    insert.bind(NaiveDateTime::new(date, NaiveTime::from_hms_milli_opt(4, 5, 6, 7).unwrap()));
    insert.bind("2026-02-03 04:05:31");
    insert.bind(Numeric::new_with_scale(-12_345, 2));
    assert_eq!(insert.execute(&mut sql).await.unwrap().total(), 1);
    run(&mut sql, "INSERT INTO t (id) VALUES (2)").await;

    let rows = rows(&mut sql, "SELECT * FROM t ORDER BY id").await;
    let row = &rows[0];
    assert_eq!(row.get::<bool, _>("a"), Some(true));
    assert_eq!(row.get::<u8, _>("b"), Some(255));
    assert_eq!(row.get::<i16, _>("c"), Some(-32_768));
    assert_eq!(row.get::<i32, _>("d"), Some(i32::MIN));
    assert_eq!(row.get::<i64, _>("e"), Some(i64::MAX));
    assert_eq!(row.get::<Numeric, _>("f"), Some(huge));
    assert_eq!(row.get::<f32, _>("g"), Some(1.5));
    assert_eq!(row.get::<f64, _>("h"), Some(-0.1));
    assert_eq!(row.get::<&str, _>("i"), Some("a😀ß"));
    assert_eq!(row.get::<&str, _>("j").map(str::len), Some(9_000));
    assert_eq!(row.get::<&str, _>("k"), Some("€uro"));
    assert_eq!(row.get::<&str, _>("l"), Some("ab  "));
    assert_eq!(row.get::<&str, _>("m"), Some("ü   "));
    assert_eq!(row.get::<&[u8], _>("n"), Some(&[0, 255, 1][..]));
    assert_eq!(row.get::<Uuid, _>("o"), Some(guid));
    assert_eq!(row.get::<NaiveDate, _>("p"), Some(date));
    assert_eq!(row.get::<NaiveTime, _>("q"), Some(time));
    assert_eq!(row.get::<NaiveDateTime, _>("r"), Some(stamp));
    assert_eq!(row.get::<DateTime<FixedOffset>, _>("s"), Some(offset));
    let millis = |row: &tiberius::Row, name: &str| row.get::<NaiveDateTime, _>(name).unwrap().to_string();
    assert_eq!(&millis(row, "u")[..23], "2026-02-03 04:05:06.006");
    assert_eq!(millis(row, "v"), "2026-02-03 04:06:00");
    assert_eq!(row.get::<f64, _>("w"), Some(12.3456));
    assert_eq!(row.get::<&[u8], _>("x"), Some(&[1, 2, 3][..]));
    assert_eq!(row.get::<Numeric, _>("y"), Some(Numeric::new_with_scale(-12_345, 2)));
    for column in rows[1].columns().iter().skip(1) {
        let null = texts(
            &mut sql,
            &format!("SELECT CASE WHEN [{}] IS NULL THEN 'null' END FROM t WHERE id = 2", column.name()),
        )
        .await;
        assert_eq!(null, "null", "{}", column.name());
    }
    assert_eq!(rows[1].get::<&str, _>("i"), None);
    assert_eq!(rows[1].get::<Numeric, _>("f"), None);
    assert_eq!(rows[1].get::<DateTime<FixedOffset>, _>("s"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn null_parameters_of_every_kind_arrive() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(
        &mut sql,
        "CREATE TABLE t (a nvarchar(5), b decimal(9,2), c datetime2, d datetimeoffset, e date, f varbinary(5), g int,
         h bit, i float, j uniqueidentifier)",
    )
    .await;
    let mut insert = Query::new("INSERT INTO t VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10)");
    insert.bind(Option::<&str>::None);
    insert.bind(Option::<Numeric>::None);
    insert.bind(Option::<NaiveDateTime>::None);
    insert.bind(Option::<DateTime<FixedOffset>>::None);
    insert.bind(Option::<NaiveDate>::None);
    insert.bind(Option::<&[u8]>::None);
    insert.bind(Option::<i32>::None);
    insert.bind(Option::<bool>::None);
    insert.bind(Option::<f64>::None);
    insert.bind(Option::<Uuid>::None);
    insert.execute(&mut sql).await.unwrap();
    let all = "COALESCE(a, CAST(b AS nvarchar(9)), CAST(c AS nvarchar(40)), CAST(d AS nvarchar(40)), CAST(e AS nvarchar(9)),
               CAST(g AS nvarchar(9)), CAST(h AS nvarchar(9)), CAST(i AS nvarchar(9)), CAST(j AS nvarchar(40)), N'nothing')";
    assert_eq!(texts(&mut sql, &format!("SELECT {all} FROM t WHERE f IS NULL")).await, "nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_have_the_type_sql_server_gives_them() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a int NOT NULL, b bigint, c decimal(10,2), d nvarchar(10), e bit)").await;
    for (expr, ty) in [
        ("1", ColumnType::Int4),
        ("3000000000", ColumnType::Numericn),
        ("1.5", ColumnType::Numericn),
        ("1e0", ColumnType::Float8),
        ("a + 1", ColumnType::Int4),
        ("a + b", ColumnType::Int8),
        ("c * 2", ColumnType::Numericn),
        ("c * 2e0", ColumnType::Float8),
        ("N'x' + d", ColumnType::NVarchar),
        ("'x'", ColumnType::BigVarChar),
        ("COUNT(*)", ColumnType::Int4),
        ("COUNT_BIG(*)", ColumnType::Int8),
        ("SUM(b)", ColumnType::Int8),
        ("SUM(c)", ColumnType::Numericn),
        ("AVG(a)", ColumnType::Int4),
        ("MAX(d)", ColumnType::NVarchar),
        ("e", ColumnType::Bitn),
        ("COALESCE(a, b)", ColumnType::Int8),
        ("ISNULL(a, b)", ColumnType::Int4),
        ("CASE WHEN a = 1 THEN a ELSE c END", ColumnType::Numericn),
        ("GETUTCDATE()", ColumnType::Datetimen),
        ("SYSUTCDATETIME()", ColumnType::Datetime2),
        ("SYSDATETIMEOFFSET()", ColumnType::DatetimeOffsetn),
        ("NEWID()", ColumnType::Guid),
        ("CAST(1 AS tinyint)", ColumnType::Int1),
        ("CONVERT(date, '2026-01-01')", ColumnType::Daten),
        ("0x01", ColumnType::BigVarBin),
        ("NULL", ColumnType::Int4),
        ("SCOPE_IDENTITY()", ColumnType::Numericn),
    ] {
        let mut stream = sql.simple_query(format!("SELECT {expr} AS x FROM t")).await.unwrap();
        let columns = stream.columns().await.unwrap().unwrap().to_vec();
        drop(stream.into_results().await.unwrap());
        assert_eq!(columns[0].column_type(), ty, "{expr}");
    }
    // The width of an integer shows in what it can be read as.
    let row = &rows(
        &mut sql,
        "SELECT COUNT_BIG(*), COUNT(*), SUM(b), ROW_NUMBER() OVER (ORDER BY COUNT(*)) FROM t",
    )
    .await[0];
    assert_eq!((row.get::<i64, _>(0), row.get::<i32, _>(1)), (Some(0), Some(0)));
    assert_eq!((row.get::<i64, _>(2), row.get::<i64, _>(3)), (None, Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_are_exact() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a decimal(38,4), b decimal(9,2))").await;
    run(
        &mut sql,
        "INSERT INTO t VALUES (0.1, 9.99), (0.2, 10), (1234567890123456789012345678901234.5678, 100.005)",
    )
    .await;
    for (expr, value) in [
        ("SELECT CAST(SUM(a) AS varchar(50)) FROM t WHERE a < 1", "0.3000"),
        ("SELECT CAST(MAX(a) AS varchar(50)) FROM t", "1234567890123456789012345678901234.5678"),
        ("SELECT CAST(b AS varchar(50)) FROM t ORDER BY b", "9.99,10.00,100.01"),
        ("SELECT CAST(b AS varchar(9)) FROM t WHERE b = 10 OR b = 9.990", "9.99,10.00"),
        (
            "SELECT CAST(b AS varchar(9)) FROM t WHERE b IN (10.0, 5) OR b BETWEEN 100 AND 101.5 ORDER BY b DESC",
            "100.01,10.00",
        ),
        ("SELECT CAST(AVG(b) AS varchar(50)) FROM t", "40.000000"),
        ("SELECT CAST(1.0 / 3 AS varchar(50))", "0.333333"),
        ("SELECT CAST(0.1 + 0.2 AS varchar(50))", "0.3"),
        ("SELECT CAST(-7.5 % 2 AS varchar(50))", "-1.5"),
        ("SELECT CAST(ROUND(2.345, 2) AS varchar(50))", "2.350"),
        ("SELECT CAST(CEILING(2.1) AS varchar(9)) + CAST(FLOOR(-2.1) AS varchar(9))", "3-3"),
        ("SELECT CAST(CAST(0.1 AS float) AS varchar(50))", "0.1"),
    ] {
        assert_eq!(texts(&mut sql, expr).await, value, "{expr}");
    }
    assert_eq!(number(&mut sql, "INSERT INTO t (b) VALUES (99999999.5)").await, 8115);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_with_its_number() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE dbo.t (a nvarchar(3), b tinyint, c varbinary(2), d char(2), e int)").await;
    let (number_, state, class, text) = refused(&mut sql, "INSERT INTO t (a) VALUES (N'abcd')").await;
    assert_eq!((number_, state, class), (2628, 1, 16));
    assert_eq!(
        text,
        "String or binary data would be truncated in table 'lab.dbo.t', column 'a'. Truncated value: 'abc'."
    );
    for (statement, expected) in [
        ("UPDATE t SET a = N'abcd'; INSERT INTO t (a) VALUES (N'a😀x')", 2628),
        ("INSERT INTO t (b) VALUES (256)", 220),
        ("INSERT INTO t (c) VALUES (0x010203)", 2628),
        ("INSERT INTO t (d) VALUES ('abc')", 2628),
        ("INSERT INTO t (e) VALUES ('x')", 245),
        ("INSERT INTO t (e) VALUES (3000000000)", 8115),
        ("INSERT INTO t (c) VALUES ('x')", 257),
        ("SELECT CAST('x' AS bigint)", 8114),
        ("SELECT 2147483647 + 1", 8115),
        ("SELECT 1 / 0", 8134),
        ("SELECT 1.5 / (1 - 1)", 8134),
        ("SELECT CAST('2026-02-30' AS date)", 241),
        ("SELECT CAST('x' AS uniqueidentifier)", 8169),
        ("SELECT 1 + CAST('2026-01-01' AS date)", 50_404),
        ("SELECT CAST(GETDATE() AS uniqueidentifier)", 529),
        ("SELECT 1 WHERE NEWID() = 1", 206),
    ] {
        assert_eq!(number(&mut sql, statement).await, expected, "{statement}");
    }
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t").await, 0);
    assert_eq!(int(&mut sql, "SELECT ISNULL(TRY_CAST('x' AS int), 7)").await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_compare_as_the_collation_says() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a nvarchar(10) NOT NULL UNIQUE)").await;
    run(&mut sql, "INSERT INTO t VALUES (N'Straße'), (N'äpfel'), (N'Apfel'), (N'zebra'), (N'9'), (N'_x')")
        .await;
    assert_eq!(texts(&mut sql, "SELECT a FROM t ORDER BY a").await, "_x,9,Apfel,äpfel,Straße,zebra");
    assert_eq!(texts(&mut sql, "SELECT a FROM t WHERE a = N'ÄPFEL   '").await, "äpfel");
    assert_eq!(texts(&mut sql, "SELECT a FROM t WHERE a LIKE N'%P_EL'").await, "äpfel,Apfel");
    assert_eq!(texts(&mut sql, "SELECT a FROM t WHERE a IN (N'APFEL', N'ZEBRA')").await, "Apfel,zebra");
    assert_eq!(number(&mut sql, "INSERT INTO t VALUES (N'APFEL ')").await, 2627);
    assert_eq!(
        int(&mut sql, "SELECT COUNT(DISTINCT x) FROM (VALUES (N'a'), (N'A '), (N'b')) AS v (x)").await,
        2
    );
    assert_eq!(
        texts(&mut sql, "SELECT x FROM (VALUES (N'b'), (N'a')) AS v (x) UNION SELECT N'A' ORDER BY x")
            .await
            .to_lowercase(),
        "a,b"
    );
    assert_eq!(int(&mut sql, "SELECT CASE WHEN 'a' = 'A' THEN 1 ELSE 0 END").await, 1);
    assert_eq!(int(&mut sql, "SELECT LEN(N'😀b  ') + LEN('')").await, 2);
    assert_eq!(texts(&mut sql, "SELECT SUBSTRING(N'a😀b', 2, 1)").await, "😀");
    assert_eq!(texts(&mut sql, "SELECT CAST(N'日本' AS varchar(5))").await, "??");
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_are_the_same_whatever_their_offset() {
    let running = Running::start().await;
    let mut sql = running.fresh().await;
    run(&mut sql, "CREATE TABLE t (a datetimeoffset(0), b uniqueidentifier)").await;
    run(&mut sql, "INSERT INTO t (a) VALUES ('2026-01-01 12:00:00 +02:00'), ('2026-01-01T09:00:00Z')").await;
    assert_eq!(int(&mut sql, "SELECT COUNT(*) FROM t WHERE a = '2026-01-01 10:00:00 +00:00'").await, 1);
    let first = "SELECT TOP (1) CONVERT(varchar(30), a, 126) FROM t ORDER BY a";
    assert_eq!(texts(&mut sql, first).await, "2026-01-01T09:00:00+00:00");
    assert_eq!(
        int(&mut sql, "SELECT DATEDIFF(minute, '2026-01-01', DATEADD(day, 1, CAST('2026-01-01' AS date)))")
            .await,
        1440
    );
    assert_eq!(
        texts(&mut sql, "SELECT CONVERT(varchar(19), CAST('2026-01-02 03:04:05' AS datetime), 120)").await,
        "2026-01-02 03:04:05"
    );
    assert_eq!(
        int(
            &mut sql,
            "SELECT YEAR('2026-05-06') * 100 + DATEPART(month, CAST('2026-05-06' AS datetime2(0)))"
        )
        .await,
        202_605
    );
    let mut select = Query::new("SELECT COUNT(*) FROM t WHERE a > @P1");
    select.bind(DateTime::parse_from_rfc3339("2026-01-01T08:30:00-01:00").unwrap());
    assert_eq!(query(&mut sql, select).await[0].get::<i32, _>(0), Some(1));
}
