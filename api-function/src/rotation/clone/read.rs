//! What a login has, read from the server's catalogues. Changes nothing.

use std::collections::BTreeSet;

use tiberius::Row;

use super::state::{Login, Right, Securable, State, User};
use crate::rotation::failure::{Cause, Failure};
use crate::rotation::server::Session;
use crate::sql::row::{column, optional, text};
use crate::sql::{SqlError, Statement, Value};

/// The login, its server roles, and its rights on the server (class 100; those on single logins and
/// endpoints are not copied).
const ON_SERVER: &str = "
SELECT default_database_name, default_language_name, is_policy_checked FROM sys.sql_logins WHERE name = @P1;
SELECT r.name FROM sys.server_role_members AS m
JOIN sys.server_principals AS p ON p.principal_id = m.member_principal_id
JOIN sys.server_principals AS r ON r.principal_id = m.role_principal_id
WHERE p.name = @P1;
SELECT g.permission_name, g.state FROM sys.server_permissions AS g
JOIN sys.server_principals AS p ON p.principal_id = g.grantee_principal_id
WHERE p.name = @P1 AND g.class = 100;";

/// The databases that are there to be looked into. tempdb is made anew at every start of the server, and
/// keeps no users.
const DATABASES: &str = "SELECT name FROM sys.databases WHERE state = 0 AND name <> N'tempdb'";
const ENTERED: &str = "SELECT HAS_DBACCESS(@P1) AS entered";

/// In a database: the user, its roles and its rights. The classes are 0 the database, 1 an object or a
/// column of it, 3 a schema.
const IN_DATABASE: &str = "
DECLARE @sql nvarchar(max) = N'USE ' + QUOTENAME(@P1) + N';
SELECT u.name, u.default_schema_name FROM sys.database_principals AS u
JOIN sys.server_principals AS p ON p.sid = u.sid WHERE p.name = @login;
SELECT r.name FROM sys.database_role_members AS m
JOIN sys.database_principals AS u ON u.principal_id = m.member_principal_id
JOIN sys.database_principals AS r ON r.principal_id = m.role_principal_id
JOIN sys.server_principals AS p ON p.sid = u.sid WHERE p.name = @login;
SELECT g.class, g.permission_name, g.state, s.name AS schema_name, o.name AS object_name, c.name AS column_name
FROM sys.database_permissions AS g
JOIN sys.database_principals AS u ON u.principal_id = g.grantee_principal_id
JOIN sys.server_principals AS p ON p.sid = u.sid
LEFT JOIN sys.all_objects AS o ON g.class = 1 AND o.object_id = g.major_id
LEFT JOIN sys.schemas AS s ON s.schema_id = CASE g.class WHEN 3 THEN g.major_id ELSE o.schema_id END
LEFT JOIN sys.all_columns AS c ON g.class = 1 AND g.minor_id > 0 AND c.object_id = g.major_id
    AND c.column_id = g.minor_id
WHERE p.name = @login;';
IF @sql IS NULL THROW 51000, N'the name of a database is longer than 128 characters', 1;
EXEC sp_executesql @sql, N'@login nvarchar(128)', @login = @P2;";

/// Everything a login has; `None` where there is no such login.
///
/// # Errors
/// Why that is not known.
pub async fn login(
    session: &mut Session,
    name: &str,
    databases: &[String],
) -> Result<Option<Login>, Failure> {
    let statement = Statement::new(ON_SERVER).bind(Value::Text(name.to_owned()));
    let sets = run(session, &statement, "reading a login").await?;
    let rows = |set: usize| sets.get(set).map_or(&[] as &[Row], Vec::as_slice);
    let Some(row) = rows(0).first() else { return Ok(None) };
    let mut login = Login {
        database: optional::<&str>(row, "default_database_name")
            .map_err(misread)?
            .unwrap_or("master")
            .to_owned(),
        language: optional::<&str>(row, "default_language_name")
            .map_err(misread)?
            .unwrap_or_default()
            .to_owned(),
        policy: column(row, "is_policy_checked").map_err(misread)?,
        roles: names(rows(1))?,
        ..Login::default()
    };
    for row in rows(2) {
        login.rights.insert(right(row, Securable::Whole)?);
    }
    for database in databases {
        if let Some(user) = user(session, name, database).await? {
            login.users.insert(database.clone(), user);
        }
    }
    Ok(Some(login))
}

/// The databases the superuser gets into, and those it does not.
///
/// # Errors
/// Why they are not known.
pub async fn databases(session: &mut Session) -> Result<(Vec<String>, Vec<String>), Failure> {
    let sets = run(session, &Statement::new(DATABASES), "reading the list of databases").await?;
    let (mut entered, mut closed) = (Vec::new(), Vec::new());
    for row in sets.first().map_or(&[] as &[Row], Vec::as_slice) {
        let name = text(row, "name").map_err(misread)?;
        let ask = Statement::new(ENTERED).bind(Value::Text(name.clone()));
        let answer = run(session, &ask, "asking for access to a database").await?;
        let row = answer.first().and_then(|rows| rows.first());
        match row.map(|row| optional::<i32>(row, "entered")).transpose().map_err(misread)? {
            Some(Some(1)) => entered.push(name),
            _ => closed.push(name),
        }
    }
    Ok((entered, closed))
}

async fn user(session: &mut Session, login: &str, database: &str) -> Result<Option<User>, Failure> {
    let statement = Statement::new(IN_DATABASE)
        .bind(Value::Text(database.to_owned()))
        .bind(Value::Text(login.to_owned()));
    let sets = run(session, &statement, "reading a user").await?;
    let rows = |set: usize| sets.get(set).map_or(&[] as &[Row], Vec::as_slice);
    let Some(row) = rows(0).first() else { return Ok(None) };
    let schema = optional::<&str>(row, "default_schema_name").map_err(misread)?;
    let mut user = User {
        name: text(row, "name").map_err(misread)?,
        schema: schema.map(str::to_owned),
        roles: names(rows(1))?,
        rights: BTreeSet::new(),
    };
    let mut passed_over = 0;
    for row in rows(2) {
        match securable(row)? {
            Some(on) => drop(user.rights.insert(right(row, on)?)),
            None => passed_over += 1,
        }
    }
    if passed_over > 0 {
        tracing::warn!(
            database,
            passed_over,
            "rights on things other than schemas and objects are not copied"
        );
    }
    Ok(Some(user))
}

async fn run(session: &mut Session, statement: &Statement, what: &str) -> Result<Vec<Vec<Row>>, Failure> {
    session.run(statement).await.map_err(|refusal| refusal.failure(what))
}

fn names(rows: &[Row]) -> Result<BTreeSet<String>, Failure> {
    rows.iter().map(|row| text(row, "name").map_err(misread)).collect()
}

/// What a right in a database is on; `None` for what is not copied.
fn securable(row: &Row) -> Result<Option<Securable>, Failure> {
    let part = |name: &str| Ok(optional::<&str>(row, name).map_err(misread)?.map(str::to_owned));
    let class: u8 = column(row, "class").map_err(misread)?;
    let parts = (class, part("schema_name")?, part("object_name")?, part("column_name")?);
    Ok(match parts {
        (0, ..) => Some(Securable::Whole),
        (3, Some(schema), ..) => Some(Securable::Schema(schema)),
        (1, Some(schema), Some(object), None) => Some(Securable::Object(schema, object)),
        (1, Some(schema), Some(object), Some(column)) => Some(Securable::Column(schema, object, column)),
        _ => None,
    })
}

fn right(row: &Row, on: Securable) -> Result<Right, Failure> {
    let state = match text(row, "state").map_err(misread)?.trim() {
        "G" => State::Granted,
        "W" => State::Passable,
        "D" => State::Denied,
        // R is a column's exception from a right on its whole object: what is held there is none.
        _ => return Err(Failure::new(Cause::Internal, "a right in a state that is not known (R)")),
    };
    let name = text(row, "permission_name").map_err(misread)?;
    // It goes into a statement as it is, so nothing but words is taken.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
        return Err(Failure::new(Cause::Internal, "a right with a name that is not made of words"));
    }
    Ok(Right { on, name, state })
}

fn misread(error: SqlError) -> Failure {
    // Names columns and types, and holds no value.
    tracing::error!(%error, "a catalogue is not as expected");
    Failure::new(Cause::Internal, "a catalogue of the server is not as this version expects it")
}
