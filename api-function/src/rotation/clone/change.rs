//! The statements of a clone: each is put together on the server, of names that the server quotes, and
//! changes one thing. All may be repeated but those that make a login or a user, which are sent only
//! where there is none.

use super::state::{Change, InDatabase, Right, Securable, State};
use crate::secret::Password;
use crate::sql::{Statement, Value};

/// The end of every one of them: see [`crate::rotation::statements`]. A right's name can't be quoted,
/// so it must be made of words.
const RUN: &str = ";
IF @sql IS NULL THROW 51000, N'a name or a password is longer than 128 characters', 1;
EXEC (@sql);";
const BEGIN: &str = "DECLARE @sql nvarchar(max) = ";

/// Makes a login.
pub fn create_login(
    name: &str,
    password: &Password,
    database: &str,
    language: &str,
    policy: bool,
) -> Statement {
    let text = "N'CREATE LOGIN ' + QUOTENAME(@P1) + N' WITH PASSWORD = ' + QUOTENAME(@P2, N'''')
    + N', DEFAULT_DATABASE = ' + QUOTENAME(@P3)";
    let mut statement = Statement::new(BEGIN)
        .then(text)
        .bind(value(name))
        .bind(value(password.reveal()))
        .bind(value(database));
    if !language.is_empty() {
        statement = statement.then(" + N', DEFAULT_LANGUAGE = ' + QUOTENAME(@P4)").bind(value(language));
    }
    statement.then(if policy { " + N', CHECK_POLICY = ON'" } else { " + N', CHECK_POLICY = OFF'" }).then(RUN)
}

/// Makes one change to the login `clone`.
pub fn statement(clone: &str, change: &Change) -> Statement {
    let statement = Statement::new(BEGIN);
    match change {
        Change::Defaults { database, language } => {
            let text = "N'ALTER LOGIN ' + QUOTENAME(@P1) + N' WITH DEFAULT_DATABASE = ' + QUOTENAME(@P2)";
            let statement = statement.then(text).bind(value(clone)).bind(value(database));
            match language.is_empty() {
                true => statement.then(RUN),
                false => {
                    let language = value(language);
                    statement.then(" + N', DEFAULT_LANGUAGE = ' + QUOTENAME(@P3)").then(RUN).bind(language)
                }
            }
        }
        Change::ServerRole(role, given) => statement
            .then("N'ALTER SERVER ROLE ' + QUOTENAME(@P1) + ")
            .then(member(*given))
            .then(" + QUOTENAME(@P2)")
            .then(RUN)
            .bind(value(role))
            .bind(value(clone)),
        Change::ServerRight(right, given) => self::right(statement, clone, right, *given),
        Change::In(database, change) => {
            let statement = statement.then("N'USE ' + QUOTENAME(@P1) + N'; ' + ").bind(value(database));
            in_database(statement, clone, change)
        }
    }
}

/// The rest of a statement in a database, whose name is the first parameter.
fn in_database(statement: Statement, clone: &str, change: &InDatabase) -> Statement {
    match change {
        InDatabase::Create(user) => statement
            .then("N'CREATE USER ' + QUOTENAME(@P2) + N' FOR LOGIN ' + QUOTENAME(@P3)")
            .then(RUN)
            .bind(value(user))
            .bind(value(clone)),
        InDatabase::Drop(user) => {
            statement.then("N'DROP USER ' + QUOTENAME(@P2)").then(RUN).bind(value(user))
        }
        InDatabase::Schema(user, schema) => statement
            .then("N'ALTER USER ' + QUOTENAME(@P2) + N' WITH DEFAULT_SCHEMA = ' + QUOTENAME(@P3)")
            .then(RUN)
            .bind(value(user))
            .bind(value(schema)),
        InDatabase::Role(user, role, given) => statement
            .then("N'ALTER ROLE ' + QUOTENAME(@P2) + ")
            .then(member(*given))
            .then(" + QUOTENAME(@P3)")
            .then(RUN)
            .bind(value(role))
            .bind(value(user)),
        InDatabase::Right(user, right, given) => self::right(statement, user, right, *given),
    }
}

fn member(given: bool) -> &'static str {
    if given { "N' ADD MEMBER '" } else { "N' DROP MEMBER '" }
}

/// GRANT, DENY or REVOKE. The parameters are numbered behind those that are there.
fn right(statement: Statement, principal: &str, right: &Right, given: bool) -> Statement {
    let (verb, to, end) = match (given, right.state) {
        (false, _) => ("N'REVOKE ' + ", " + N' FROM ' + ", " + N' CASCADE'"),
        (true, State::Granted) => ("N'GRANT ' + ", " + N' TO ' + ", ""),
        (true, State::Passable) => ("N'GRANT ' + ", " + N' TO ' + ", " + N' WITH GRANT OPTION'"),
        (true, State::Denied) => ("N'DENY ' + ", " + N' TO ' + ", ""),
    };
    let statement = statement.then(verb).value(value(&right.name));
    let statement = match &right.on {
        Securable::Whole => statement,
        Securable::Schema(schema) => quoted(statement.then(" + N' ON SCHEMA::' + "), schema),
        Securable::Object(schema, object) => {
            let statement = quoted(statement.then(" + N' ON OBJECT::' + "), schema);
            quoted(statement.then(" + N'.' + "), object)
        }
        Securable::Column(schema, object, column) => {
            let statement = quoted(statement.then(" + N' ON OBJECT::' + "), schema);
            let statement = quoted(statement.then(" + N'.' + "), object);
            quoted(statement.then(" + N' (' + "), column).then(" + N')'")
        }
    };
    quoted(statement.then(to), principal).then(end).then(RUN)
}

fn quoted(statement: Statement, name: &str) -> Statement {
    statement.then("QUOTENAME(").value(value(name)).then(")")
}

fn value(text: &str) -> Value {
    Value::Text(text.to_owned())
}
