//! Logins, users and roles: the statements. What is the server's own (logins, server roles, server
//! rights, databases) is in force at once and no part of a transaction, so inside of one it
//! is refused.

use super::catalog::{Catalog, User, same};
use super::rights::{FIXED_ROLES, SERVER_ROLES};
use super::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::LoginOptions;

impl Session {
    pub(super) fn outside_of_transaction(&self, what: &str) -> SqlResult<()> {
        if self.transaction.is_open() {
            return Err(SqlError::unknown(format!("{what} inside of a transaction")));
        }
        Ok(())
    }

    /// CREATE LOGIN.
    ///
    /// # Errors
    /// 15247 without the right, 15025, 911 and those of the password policy.
    pub fn create_login(&mut self, name: &str, options: &LoginOptions) -> SqlResult<()> {
        self.outside_of_transaction("CREATE LOGIN")?;
        if !self.rights()?.may("ALTER ANY LOGIN") {
            return Err(SqlError::no_permission());
        }
        let Some(password) = &options.password else { return Err(SqlError::syntax(name)) };
        if options.old_password.is_some() || options.unlock {
            return Err(SqlError::syntax_keyword("OLD_PASSWORD"));
        }
        let database = options.default_database.as_deref().unwrap_or("master");
        self.check_database(database)?;
        self.server.logins.create(name, password, database, options.check_policy.unwrap_or(true))?;
        if options.must_change { self.server.logins.set_must_change(name) } else { Ok(()) }
    }

    fn check_database(&self, name: &str) -> SqlResult<()> {
        if self.server.database(name).is_some() {
            return Ok(());
        }
        Err(SqlError::new(
            15010,
            1,
            format!(
                "The database '{name}' does not exist. Supply a valid database name. To see available databases, use sys.databases."
            ),
        ))
    }

    /// ALTER LOGIN. It takes ALTER ANY LOGIN, or to be that login and to know the old password; a
    /// member of sysadmin can be altered by another one only.
    ///
    /// # Errors
    /// 15151 without the right or with a wrong old password, and those of the password policy.
    pub fn alter_login(&mut self, name: &str, options: &LoginOptions) -> SqlResult<()> {
        self.outside_of_transaction("ALTER LOGIN")?;
        let cannot = || SqlError::cannot("alter", "login", name);
        let me = self.rights()?;
        let logins = &self.server.logins;
        let login = logins.find(name)?.ok_or_else(cannot)?;
        let own = login.id == me.id;
        let any = me.may("ALTER ANY LOGIN") && (me.is_sysadmin() || !login.is_sysadmin());
        if let Some(old) = &options.old_password {
            // Whoever may alter any login need not know it, but must not be wrong about it either.
            if logins.check(name, old)?.is_err() {
                return Err(cannot());
            }
        }
        let only_password = options.enabled.is_none()
            && options.default_database.is_none()
            && options.check_policy.is_none()
            && !options.must_change
            && !options.unlock;
        let of_one_s_own = own && only_password && options.old_password.is_some();
        if !any && !of_one_s_own {
            return Err(cannot());
        }
        if let Some(database) = &options.default_database {
            self.check_database(database)?;
        }
        if let Some(password) = &options.password {
            logins.set_password(name, password, options.check_policy.unwrap_or(login.policy))?;
        } else if options.unlock || options.old_password.is_some() {
            return Err(SqlError::syntax_keyword("OLD_PASSWORD"));
        }
        if options.must_change {
            logins.set_must_change(name)?;
        }
        if let Some(policy) = options.check_policy {
            logins.set_policy(name, policy)?;
        }
        if options.unlock {
            logins.unlock(name)?;
        }
        if let Some(enabled) = options.enabled {
            logins.set_disabled(name, !enabled)?;
        }
        if let Some(database) = &options.default_database {
            logins.set_default_database(name, database)?;
        }
        Ok(())
    }

    /// DROP LOGIN.
    ///
    /// # Errors
    /// 15151 without the right, 15174 when it owns a database.
    pub fn drop_login(&mut self, name: &str) -> SqlResult<()> {
        self.outside_of_transaction("DROP LOGIN")?;
        let cannot = || SqlError::cannot("drop", "login", name);
        let me = self.rights()?;
        let logins = &self.server.logins;
        let login = logins.find(name)?.ok_or_else(cannot)?;
        if !me.may("ALTER ANY LOGIN") || (login.is_sysadmin() && !me.is_sysadmin()) || login.id == me.id {
            return Err(cannot());
        }
        if logins.databases()?.iter().any(|(_, _, owner, _)| *owner == name.to_lowercase()) {
            return Err(SqlError::new(
                15174,
                1,
                format!(
                    "Login '{name}' owns one or more database(s). Change the owner of the database(s) before dropping the login."
                ),
            ));
        }
        logins.drop(name)
    }

    /// CREATE DATABASE.
    ///
    /// # Errors
    /// 226 in a transaction, 262, 1801.
    pub fn create_database(&mut self, name: &str) -> SqlResult<()> {
        self.database_statement("CREATE DATABASE")?;
        self.server.create_database(name, &self.login)
    }

    /// DROP DATABASE.
    ///
    /// # Errors
    /// 226 in a transaction, 262, 3701, 3702.
    pub fn drop_databases(&mut self, names: &[String], if_exists: bool) -> SqlResult<()> {
        self.database_statement("DROP DATABASE")?;
        for name in names {
            match self.server.drop_database(name) {
                Err(error) if error.number == 3701 && if_exists => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn database_statement(&self, what: &str) -> SqlResult<()> {
        if self.transaction.is_open() {
            return Err(SqlError::new(
                226,
                6,
                format!("{what} statement not allowed within multi-statement transaction."),
            )
            .ends_batch());
        }
        if !self.rights()?.may("CREATE ANY DATABASE") {
            let text = format!("{what} permission denied in database '{}'.", self.database.name);
            return Err(SqlError::new(262, 1, text).class(14).ends_batch());
        }
        Ok(())
    }

    /// CREATE USER.
    ///
    /// # Errors
    /// 15007, 15023, 15063, 15247.
    pub fn create_user(&mut self, name: &str, login: &str) -> SqlResult<()> {
        let known = self.server.logins.find(login)?;
        self.change_catalog(|session, catalog| {
            session.demand_role("db_accessadmin")?;
            let Some(known) = known else {
                return Err(SqlError::new(
                    15007,
                    1,
                    format!("'{login}' is not a valid login or you do not have permission."),
                ));
            };
            if is_principal(catalog, name) {
                let text = format!("User, group, or role '{name}' already exists in the current database.");
                return Err(SqlError::new(15023, 1, text));
            }
            let key = known.name.to_lowercase();
            if catalog.users.values().any(|user| user.login == key) {
                return Err(SqlError::new(
                    15063,
                    1,
                    "The login already has an account under a different user name.",
                ));
            }
            catalog.users.insert(name.to_lowercase(), User { name: name.to_owned(), login: key });
            Ok(())
        })
    }

    /// ALTER USER, whose only default schema is the one it has.
    ///
    /// # Errors
    /// 15151 for a user that is not there, 15247.
    pub fn alter_user(&mut self, name: &str) -> SqlResult<()> {
        self.demand_role("db_accessadmin")?;
        if !self.catalog.users.contains_key(&name.to_lowercase()) {
            return Err(SqlError::cannot("alter", "user", name));
        }
        Ok(())
    }

    /// DROP USER.
    ///
    /// # Errors
    /// 15151, 15247.
    pub fn drop_user(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            session.demand_role("db_accessadmin")?;
            let key = name.to_lowercase();
            if catalog.users.remove(&key).is_none() {
                return if if_exists { Ok(()) } else { Err(SqlError::cannot("drop", "user", name)) };
            }
            catalog.roles.values_mut().for_each(|members| {
                members.remove(&key);
            });
            catalog.rights.retain(|right| right.principal != key);
            Ok(())
        })
    }

    /// CREATE ROLE.
    ///
    /// # Errors
    /// 15023, 15247.
    pub fn create_role(&mut self, name: &str) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            session.demand_role("db_securityadmin")?;
            if is_principal(catalog, name) {
                let text = format!("User, group, or role '{name}' already exists in the current database.");
                return Err(SqlError::new(15023, 1, text));
            }
            catalog.roles.entry(name.to_lowercase()).or_default();
            Ok(())
        })
    }

    /// DROP ROLE.
    ///
    /// # Errors
    /// 15144, 15151, 15247.
    pub fn drop_role(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
        self.change_catalog(|session, catalog| {
            session.demand_role("db_securityadmin")?;
            let key = name.to_lowercase();
            match catalog.roles.get(&key) {
                _ if FIXED_ROLES.contains(&key.as_str()) => {
                    Err(SqlError::new(15150, 1, format!("Cannot drop the role '{name}'.")))
                }
                None if if_exists => Ok(()),
                None => Err(SqlError::cannot("drop", "role", name)),
                Some(members) if !members.is_empty() => Err(SqlError::new(
                    15144,
                    1,
                    "The role has members. It must be empty before it can be dropped.",
                )),
                Some(_) => {
                    catalog.roles.remove(&key);
                    catalog.rights.retain(|right| right.principal != key);
                    Ok(())
                }
            }
        })
    }

    /// ALTER ROLE and ALTER SERVER ROLE.
    ///
    /// # Errors
    /// 15151, 15247.
    pub fn alter_role(&mut self, server: bool, role: &str, add: bool, member: &str) -> SqlResult<()> {
        if server {
            return self.alter_server_role(role, add, member);
        }
        self.change_catalog(|session, catalog| {
            session.demand_role("db_securityadmin")?;
            let key = role.to_lowercase();
            if !FIXED_ROLES.contains(&key.as_str()) && !catalog.roles.contains_key(&key) {
                return Err(SqlError::cannot("alter", "role", role));
            }
            // A fixed role is given by an owner only.
            if FIXED_ROLES.contains(&key.as_str()) && !session.is_member("db_owner")? {
                return Err(SqlError::cannot("alter", "role", role));
            }
            if !is_principal(catalog, member) {
                let verb = if add { "add" } else { "drop" };
                return Err(SqlError::cannot(verb, "principal", member));
            }
            let members = catalog.roles.entry(key).or_default();
            if add {
                members.insert(member.to_lowercase());
            } else {
                members.remove(&member.to_lowercase());
            }
            Ok(())
        })
    }

    fn alter_server_role(&self, role: &str, add: bool, member: &str) -> SqlResult<()> {
        self.outside_of_transaction("ALTER SERVER ROLE")?;
        if !SERVER_ROLES.iter().any(|known| same(known, role)) {
            return Err(SqlError::unknown(format!("the server role {role}")));
        }
        if !self.rights()?.is_sysadmin() {
            return Err(SqlError::cannot("alter", "server role", role));
        }
        if self.server.logins.find(member)?.is_none() {
            return Err(SqlError::cannot(if add { "add" } else { "drop" }, "principal", member));
        }
        self.server.logins.set_role(member, role, add)
    }
}

/// Whether there is a user or role of that name.
pub(super) fn is_principal(catalog: &Catalog, name: &str) -> bool {
    let key = name.to_lowercase();
    catalog.users.contains_key(&key)
        || catalog.roles.contains_key(&key)
        || FIXED_ROLES.contains(&key.as_str())
        || ["dbo", "guest", "public"].contains(&key.as_str())
}
