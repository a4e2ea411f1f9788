//! The system views about logins, users, roles and rights. Without a right to alter logins one sees
//! oneself only, of the server's.

use super::Translator;
use super::system::{View, schema_id, text, time};
use crate::tds::engine::catalog::{Catalog, Scope};
use crate::tds::engine::logins::Login;
use crate::tds::engine::rights::{FIXED_ROLES, SERVER_ROLES};
use crate::tds::error::SqlResult;
use crate::tds::value::{SqlType, Value};

/// Where the numbers of server roles begin; sysadmin's is 3 by SQL Server too.
const FIRST_SERVER_ROLE: i64 = 3;
/// Where the numbers of logins begin, so that none is a role's.
const FIRST_LOGIN: i64 = 256;

impl Translator<'_> {
    /// The logins one may know of.
    fn visible_logins(&self) -> SqlResult<Vec<Login>> {
        let all = self.session.rights()?.may("ALTER ANY LOGIN");
        let mut logins = self.session.server.logins.all()?;
        logins.retain(|login| all || login.name == self.session.login);
        Ok(logins)
    }

    /// sys.sql_logins, and with the roles sys.server_principals.
    pub(super) fn logins(&self, with_roles: bool) -> SqlResult<View> {
        let columns = vec![
            ("name", SqlType::NAME),
            ("principal_id", SqlType::Int),
            ("sid", SqlType::VarBinary(Some(85))),
            ("type", SqlType::Char(1)),
            ("type_desc", SqlType::NVarChar(Some(60))),
            ("is_disabled", SqlType::Bit),
            ("create_date", SqlType::DateTime),
            ("modify_date", SqlType::DateTime),
            ("default_database_name", SqlType::NAME),
            ("default_language_name", SqlType::NAME),
            ("is_policy_checked", SqlType::Bit),
            ("is_expiration_checked", SqlType::Bit),
        ];
        let mut rows = Vec::new();
        if with_roles {
            for (role, id) in SERVER_ROLES.iter().zip(FIRST_SERVER_ROLE..) {
                let mut row = vec![text(role), Value::Integer(id), sid(id), text("R"), text("SERVER_ROLE")];
                row.push(Value::Integer(0));
                row.extend([time(0)?, time(0)?]);
                row.extend([Value::Null, Value::Null, Value::Null, Value::Null]);
                rows.push(row);
            }
        }
        for login in self.visible_logins()? {
            rows.push(vec![
                text(&login.name),
                Value::Integer(FIRST_LOGIN + login.id),
                sid(FIRST_LOGIN + login.id),
                text("S"),
                text("SQL_LOGIN"),
                Value::Integer(i64::from(login.disabled)),
                time(login.created)?,
                time(login.password_set)?,
                text(&login.default_database),
                text("us_english"),
                Value::Integer(i64::from(login.policy)),
                Value::Integer(0),
            ]);
        }
        Ok((columns, rows))
    }

    /// sys.server_role_members
    pub(super) fn server_role_members(&self) -> SqlResult<View> {
        let mut rows = Vec::new();
        for login in self.visible_logins()? {
            for (role, id) in SERVER_ROLES.iter().zip(FIRST_SERVER_ROLE..) {
                if login.has_role(role) {
                    rows.push(vec![Value::Integer(id), Value::Integer(FIRST_LOGIN + login.id)]);
                }
            }
        }
        Ok((vec![("role_principal_id", SqlType::Int), ("member_principal_id", SqlType::Int)], rows))
    }

    /// sys.server_permissions
    pub(super) fn server_permissions(&self) -> SqlResult<View> {
        let mut rows = Vec::new();
        for login in self.visible_logins()? {
            let states = [(&login.granted, "G"), (&login.denied, "D")];
            for (right, state) in states.iter().flat_map(|(held, state)| held.iter().map(move |r| (r, state)))
            {
                rows.push(vec![
                    Value::Integer(100),
                    Value::Integer(0),
                    Value::Integer(0),
                    Value::Integer(FIRST_LOGIN + login.id),
                    text(right),
                    text(state),
                ]);
            }
        }
        Ok((right_columns(), rows))
    }

    /// sys.database_principals
    pub(super) fn principals(&self) -> SqlResult<View> {
        let columns = vec![
            ("name", SqlType::NAME),
            ("principal_id", SqlType::Int),
            ("type", SqlType::Char(1)),
            ("type_desc", SqlType::NVarChar(Some(60))),
            ("default_schema_name", SqlType::NAME),
            ("sid", SqlType::VarBinary(Some(85))),
            ("authentication_type", SqlType::Int),
        ];
        let logins = self.session.server.logins.all()?;
        let session = self.session;
        let rows = principal_ids(&session.catalog)
            .into_iter()
            .map(|(name, id, role)| {
                let login = match session.catalog.users.get(&name.to_lowercase()) {
                    Some(user) => Some(&user.login),
                    None => (name == "dbo").then_some(&session.database.owner),
                };
                let login =
                    logins.iter().find(|known| login.is_some_and(|key| known.name.to_lowercase() == *key));
                let (kind, described) = if role { ("R", "DATABASE_ROLE") } else { ("S", "SQL_USER") };
                let schema = if role { Value::Null } else { text("dbo") };
                let sid = login.map_or(Value::Null, |login| sid(FIRST_LOGIN + login.id));
                // Of a login (1) or of none (0): users with a password of their own there are none.
                let authentication = Value::Integer(i64::from(login.is_some()));
                vec![
                    text(&name),
                    Value::Integer(id),
                    text(kind),
                    text(described),
                    schema,
                    sid,
                    authentication,
                ]
            })
            .collect();
        Ok((columns, rows))
    }

    /// sys.database_role_members
    pub(super) fn role_members(&self) -> View {
        let ids = principal_ids(&self.session.catalog);
        let mut rows = Vec::new();
        for (role, members) in &self.session.catalog.roles {
            for member in members {
                if let (Some(role), Some(member)) = (id_of(&ids, role), id_of(&ids, member)) {
                    rows.push(vec![role, member]);
                }
            }
        }
        (vec![("role_principal_id", SqlType::Int), ("member_principal_id", SqlType::Int)], rows)
    }

    /// sys.database_permissions
    pub(super) fn permissions(&self) -> View {
        let catalog = &self.session.catalog;
        let ids = principal_ids(catalog);
        let mut rows = Vec::new();
        for held in &catalog.rights {
            let (class, major) = match &held.scope {
                Scope::Database => (0, 0),
                Scope::Table(id) => (1, *id),
                Scope::Schema(name) => (3, schema_id(catalog, name).unwrap_or(0)),
            };
            let state = match (held.denied, held.grantable) {
                (true, _) => "D",
                (false, true) => "W",
                (false, false) => "G",
            };
            let Some(grantee) = id_of(&ids, &held.principal) else { continue };
            let mut row = [class, major, 0].map(Value::Integer).to_vec();
            row.extend([grantee, text(&held.right), text(state)]);
            rows.push(row);
        }
        (right_columns(), rows)
    }
}

fn right_columns() -> Vec<(&'static str, SqlType)> {
    vec![
        ("class", SqlType::TinyInt),
        ("major_id", SqlType::Int),
        ("minor_id", SqlType::Int),
        ("grantee_principal_id", SqlType::Int),
        ("permission_name", SqlType::NAME),
        ("state", SqlType::Char(1)),
    ]
}

/// What tells a login apart for ever: here its number.
fn sid(id: i64) -> Value {
    let mut bytes = vec![0; 8];
    bytes.extend(id.to_be_bytes());
    Value::Blob(bytes)
}

fn id_of(ids: &[(String, i64, bool)], name: &str) -> Option<Value> {
    ids.iter().find(|(n, ..)| n.to_lowercase() == name).map(|(_, id, _)| Value::Integer(*id))
}

/// Users and roles with a number each, and whether it is a role.
fn principal_ids(catalog: &Catalog) -> Vec<(String, i64, bool)> {
    let mut all =
        vec![("public".to_owned(), 0, true), ("dbo".to_owned(), 1, false), ("guest".to_owned(), 2, false)];
    let mut next = 5;
    for user in catalog.users.values() {
        all.push((user.name.clone(), next, false));
        next += 1;
    }
    for role in catalog.roles.keys().filter(|role| !FIXED_ROLES.contains(&role.as_str())) {
        all.push((role.clone(), next, true));
        next += 1;
    }
    let fixed = FIXED_ROLES.iter().zip(16_384..).map(|(role, id)| ((*role).to_owned(), id, true));
    all.extend(fixed);
    all
}
