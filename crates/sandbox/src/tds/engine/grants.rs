//! GRANT, DENY and REVOKE, on the server and in a database.

use super::catalog::{Catalog, Right, Scope};
use super::principals::is_principal;
use super::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{RightChange, Securable};

/// The rights on tables and schemas.
const OBJECT_RIGHTS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "ALTER", "CONTROL"];
/// The rights on a database, besides those.
const DATABASE_RIGHTS: &[&str] = &["CONNECT", "CREATE TABLE", "CREATE SCHEMA"];
/// The rights on the server.
const SERVER_RIGHTS: &[&str] =
    &["ALTER ANY LOGIN", "CREATE ANY DATABASE", "CONTROL SERVER", "VIEW SERVER STATE", "CONNECT SQL"];

impl Session {
    /// GRANT, DENY and REVOKE.
    ///
    /// # Errors
    /// 15151 for a principal or object that is not there, 4613 without the right to grant, and ours
    /// for a right not known.
    pub fn change_rights(
        &mut self,
        change: RightChange,
        rights: &[String],
        securable: &Securable,
        principals: &[String],
        grantable: bool,
    ) -> SqlResult<()> {
        let on_server = rights.iter().all(|right| SERVER_RIGHTS.contains(&right.as_str()));
        if on_server && *securable == Securable::Implied {
            if grantable {
                return Err(SqlError::unknown("WITH GRANT OPTION of a right on the server"));
            }
            return self.change_server_rights(change, rights, principals);
        }
        self.change_catalog(|session, catalog| {
            let (scope, known) = scope_of(catalog, securable)?;
            if !session.is_member("db_owner")?
                && !session.is_member("db_securityadmin")?
                && !session.may_pass_on(catalog, rights, &scope)?
            {
                return Err(SqlError::new(4613, 1, "Grantor does not have GRANT permission."));
            }
            for right in rights {
                let right = if right == "ALL" { "CONTROL" } else { right };
                if !known.iter().any(|list| list.contains(&right)) {
                    return Err(SqlError::unknown(format!("the right {right} there")));
                }
                for principal in principals {
                    if !is_principal(catalog, principal) {
                        return Err(SqlError::cannot("find", "user", principal));
                    }
                    let (principal, right) = (principal.to_lowercase(), right.to_owned());
                    catalog
                        .rights
                        .retain(|r| !(r.principal == principal && r.right == right && r.scope == scope));
                    if change != RightChange::Revoke {
                        let denied = change == RightChange::Deny;
                        let scope = scope.clone();
                        catalog.rights.push(Right { principal, right, scope, denied, grantable });
                    }
                }
            }
            Ok(())
        })
    }

    /// Whether the session's user has all of these rights there WITH GRANT OPTION.
    fn may_pass_on(&self, catalog: &Catalog, rights: &[String], scope: &Scope) -> SqlResult<bool> {
        let user = self.user()?;
        let mut principals = self.roles_of(&user);
        principals.push(user.to_lowercase());
        let held = |right: &String| {
            catalog.rights.iter().any(|held| {
                held.grantable
                    && held.right == *right
                    && held.scope == *scope
                    && principals.contains(&held.principal)
            })
        };
        Ok(rights.iter().all(held))
    }

    fn change_server_rights(
        &self,
        change: RightChange,
        rights: &[String],
        principals: &[String],
    ) -> SqlResult<()> {
        self.outside_of_transaction("a change of server rights")?;
        if !self.rights()?.is_sysadmin() {
            return Err(SqlError::new(4613, 1, "Grantor does not have GRANT permission."));
        }
        if self.database.name != "master" {
            return Err(SqlError::new(
                4621,
                10,
                "Permissions at the server scope can only be granted when the current database is master",
            ));
        }
        let denied = match change {
            RightChange::Grant => Some(false),
            RightChange::Deny => Some(true),
            RightChange::Revoke => None,
        };
        for principal in principals {
            if self.server.logins.find(principal)?.is_none() {
                return Err(SqlError::cannot("find", "login", principal));
            }
            for right in rights {
                self.server.logins.set_right(principal, right, denied)?;
            }
        }
        Ok(())
    }
}

/// What a right is on, and which rights there are on it.
fn scope_of(catalog: &Catalog, securable: &Securable) -> SqlResult<(Scope, Vec<&'static [&'static str]>)> {
    match securable {
        Securable::Implied => Ok((Scope::Database, vec![OBJECT_RIGHTS, DATABASE_RIGHTS])),
        Securable::Schema(name) if catalog.has_schema(name) => {
            Ok((Scope::Schema(name.to_lowercase()), vec![OBJECT_RIGHTS]))
        }
        Securable::Schema(name) => Err(SqlError::cannot("find", "schema", name)),
        Securable::Object(name) => match catalog.table(name) {
            Some(table) => Ok((Scope::Table(table.id), vec![OBJECT_RIGHTS])),
            None => Err(SqlError::cannot("find", "object", name.object())),
        },
    }
}
