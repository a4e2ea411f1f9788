//! Who may do what in a database.

use super::catalog::{Scope, Table};
use super::session::Session;
use crate::tds::error::{SqlError, SqlResult};

/// The roles every database has.
pub const FIXED_ROLES: &[&str] = &[
    "db_owner",
    "db_accessadmin",
    "db_securityadmin",
    "db_ddladmin",
    "db_datareader",
    "db_datawriter",
    "db_denydatareader",
    "db_denydatawriter",
];

/// The roles the server has.
pub const SERVER_ROLES: &[&str] = &["sysadmin", "securityadmin", "dbcreator"];

impl Session {
    /// The session's user in the database: `dbo`, a user's name, or `guest`.
    ///
    /// # Errors
    /// When the login was dropped meanwhile.
    pub fn user(&self) -> SqlResult<String> {
        let login = self.rights()?;
        let key = login.name.to_lowercase();
        if login.is_sysadmin() || self.database.owner == key {
            return Ok("dbo".to_owned());
        }
        let user = self.catalog.users.values().find(|user| user.login == key);
        Ok(user.map_or("guest".to_owned(), |user| user.name.clone()))
    }

    /// The roles of a user, those of roles included, in lower case.
    pub fn roles_of(&self, user: &str) -> Vec<String> {
        let mut found = vec!["public".to_owned()];
        let mut next = vec![user.to_lowercase()];
        while let Some(member) = next.pop() {
            for (role, members) in &self.catalog.roles {
                if members.contains(&member) && !found.contains(role) {
                    found.push(role.clone());
                    next.push(role.clone());
                }
            }
        }
        found
    }

    /// Whether the session's user is in a role of the database.
    ///
    /// # Errors
    /// When the login was dropped meanwhile.
    pub fn is_member(&self, role: &str) -> SqlResult<bool> {
        let user = self.user()?;
        Ok(user == "dbo" || self.roles_of(&user).iter().any(|held| held == role))
    }

    /// Checks a right on a table.
    ///
    /// # Errors
    /// 229.
    pub fn demand(&self, right: &str, table: &Table) -> SqlResult<()> {
        let scopes = [Scope::Table(table.id), Scope::Schema(table.schema.to_lowercase()), Scope::Database];
        if self.has_right(right, &scopes)? {
            return Ok(());
        }
        Err(SqlError::no_right(right, &table.name, &self.database.name, &table.schema))
    }

    /// Whether a right is there on any of the scopes, and denied on none.
    ///
    /// # Errors
    /// When the login was dropped meanwhile.
    pub fn has_right(&self, right: &str, scopes: &[Scope]) -> SqlResult<bool> {
        let user = self.user()?;
        if user == "dbo" {
            return Ok(true);
        }
        let mut principals = self.roles_of(&user);
        let in_role = |role: &str| principals.iter().any(|held| held == role);
        if in_role("db_owner") {
            return Ok(true);
        }
        let writes = matches!(right, "INSERT" | "UPDATE" | "DELETE");
        if (right == "SELECT" && in_role("db_denydatareader")) || (writes && in_role("db_denydatawriter")) {
            return Ok(false);
        }
        let ddl = right.starts_with("CREATE ") || right.starts_with("ALTER");
        let by_role = (right == "SELECT" && in_role("db_datareader"))
            || (writes && in_role("db_datawriter"))
            || (ddl && in_role("db_ddladmin"));
        principals.push(user.to_lowercase());
        let mut granted = by_role;
        for held in &self.catalog.rights {
            if principals.contains(&held.principal) && scopes.contains(&held.scope) {
                let covers = held.right == right || held.right == "CONTROL";
                if covers && held.denied {
                    return Ok(false);
                }
                granted |= covers;
            }
        }
        Ok(granted)
    }

    /// Checks a right to make things in the database.
    ///
    /// # Errors
    /// 262.
    pub fn demand_statement(&self, right: &str) -> SqlResult<()> {
        if self.has_right(right, &[Scope::Database])? {
            return Ok(());
        }
        let text = format!("{right} permission denied in database '{}'.", self.database.name);
        Err(SqlError::new(262, 1, text).class(14).ends_batch())
    }

    /// Whether a table may be changed or dropped by this session.
    ///
    /// # Errors
    /// When the login was dropped meanwhile.
    pub fn may_alter(&self, table: &Table) -> SqlResult<bool> {
        let scopes = [Scope::Table(table.id), Scope::Schema(table.schema.to_lowercase()), Scope::Database];
        self.has_right("ALTER", &scopes)
    }

    /// Checks that the session may change users and roles.
    ///
    /// # Errors
    /// 15247.
    pub fn demand_role(&self, role: &str) -> SqlResult<()> {
        if self.is_member("db_owner")? || self.is_member(role)? {
            return Ok(());
        }
        Err(SqlError::no_permission())
    }
}
