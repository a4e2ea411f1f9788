//! The statements that change a password.
//!
//! Login DDL takes no parameters, so the text of it is put together on the server, of parameters that
//! the server itself quotes: QUOTENAME with brackets for a name, with apostrophes for a password. It
//! gives NULL for more than 128 characters, and EXEC of NULL does nothing and says nothing: that is
//! refused by name (51000). Nothing from outside ever gets into a statement's text here.

use crate::secret::Password;
use crate::sql::{Statement, Value};

/// The end of every one of them.
const RUN: &str = "
IF @sql IS NULL THROW 51000, N'a name or a password is longer than 128 characters', 1;
EXEC (@sql);";

/// What a name or a password that can't be quoted is refused with.
pub const NOT_QUOTABLE: u32 = 51_000;

/// Whether the user is one of the database's own, without a login: then it is the database's to
/// change (ALTER USER). A partially contained database has users of both kinds.
const KIND: &str = "
DECLARE @contained bit = 0, @sql nvarchar(max);
IF EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID() AND containment <> 0)
    AND EXISTS (SELECT 1 FROM sys.database_principals WHERE name = @P1 AND authentication_type = 2)
    SET @contained = 1;
SET @sql = CASE @contained WHEN 1 THEN N'ALTER USER ' ELSE N'ALTER LOGIN ' END
    + QUOTENAME(@P1) + N' WITH PASSWORD = ' + QUOTENAME(@P2, N'''')";

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A user changes its own password; `old` is the one the connection logged in with.
pub fn alter_own(user: &str, new: &Password, old: &Password) -> Statement {
    Statement::new(KIND)
        .then(" + N' OLD_PASSWORD = ' + QUOTENAME(@P3, N'''');")
        .then(RUN)
        .bind(text(user))
        .bind(text(new.reveal()))
        .bind(text(old.reveal()))
}

/// A superuser changes a user's password, and takes the lock off it.
pub fn alter_other(user: &str, new: &Password, unlock: bool) -> Statement {
    let unlocked = if unlock { " + CASE @contained WHEN 1 THEN N'' ELSE N' UNLOCK' END;" } else { ";" };
    Statement::new(KIND).then(unlocked).then(RUN).bind(text(user)).bind(text(new.reveal()))
}
