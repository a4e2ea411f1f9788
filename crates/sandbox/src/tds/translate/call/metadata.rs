//! Functions that say who and where one is, and what there is.

use super::count;
use crate::tds::engine::catalog::{Scope, same};
use crate::tds::engine::rights::SERVER_ROLES;
use crate::tds::engine::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Call, Name};
use crate::tds::translate::{Translator, Typed, system};
use crate::tds::value::{SqlType, Value};

impl Translator<'_> {
    /// Functions that say who and where one is.
    pub(super) fn session_function(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let session = self.session;
        let name = |value: String| Ok(Some((Value::Text(value), SqlType::NAME)));
        let caught = session.caught.last();
        let of_caught = |value: Option<Value>, ty| Ok(Some((value.unwrap_or(Value::Null), ty)));
        let found: SqlResult<Option<(Value, SqlType)>> = match call.name.as_str() {
            "suser_sname" | "suser_name" | "original_login" | "system_user" => name(session.login.clone()),
            "user_name" | "current_user" | "session_user" | "user" => name(session.user()?),
            "app_name" => name(session.application.clone()),
            "host_name" => name(session.host.clone()),
            "scope_identity" => {
                let identity = session.identity.map_or(Value::Null, |n| Value::Text(n.to_string()));
                Ok(Some((identity, SqlType::Decimal(38, 0))))
            }
            "xact_state" => {
                let state = match &session.transaction {
                    t if !t.is_open() => 0,
                    t if t.doomed => -1,
                    _ => 1,
                };
                Ok(Some((Value::Integer(state), SqlType::SmallInt)))
            }
            "error_number" => of_caught(caught.map(|(e, _)| Value::Integer(e.number.into())), SqlType::Int),
            "error_severity" => of_caught(caught.map(|(e, _)| Value::Integer(e.class.into())), SqlType::Int),
            "error_state" => of_caught(caught.map(|(e, _)| Value::Integer(e.state.into())), SqlType::Int),
            "error_line" => of_caught(caught.map(|(_, line)| Value::Integer((*line).into())), SqlType::Int),
            "error_message" => {
                of_caught(caught.map(|(e, _)| Value::Text(e.message.clone())), SqlType::NVarChar(Some(4000)))
            }
            "error_procedure" => of_caught(None, SqlType::NAME),
            _ => Ok(None),
        };
        let Some((value, ty)) = found? else { return Ok(None) };
        self.take::<0>(call)?;
        let sql = match value {
            Value::Integer(n) => format!("({n})"),
            Value::Null => "NULL".to_owned(),
            other => self.param(other),
        };
        Ok(Some(Typed::new(sql, ty)))
    }

    /// Functions about the catalogue. Their arguments stand on no column.
    pub(super) fn metadata_function(&mut self, call: &Call) -> SqlResult<Option<Typed>> {
        let session = self.session;
        let texts = |this: &Self| -> SqlResult<Vec<Option<String>>> {
            call.arguments.iter().map(|argument| this.constant_text(argument)).collect()
        };
        let number = |n: Option<i64>| n.map_or(Value::Null, Value::Integer);
        let flag = |is: bool| Value::Integer(i64::from(is));
        let (value, ty) = match call.name.as_str() {
            "object_id" => {
                let texts = texts(self)?;
                let id = match texts.first() {
                    Some(Some(name)) => object_id(session, name, texts.get(1).cloned().flatten().as_deref())?,
                    _ => None,
                };
                (number(id), SqlType::Int)
            }
            "db_name" => match texts(self)?.as_slice() {
                [] => (Value::Text(session.database.name.clone()), SqlType::NAME),
                [id] => {
                    let databases = session.server.logins.databases()?;
                    let found = databases.into_iter().find(|(n, ..)| Some(n.to_string()) == *id);
                    (found.map_or(Value::Null, |(_, name, ..)| Value::Text(name)), SqlType::NAME)
                }
                _ => return Err(count(call, 1)),
            },
            "db_id" => match texts(self)?.as_slice() {
                [] => (Value::Integer(session.database.id), SqlType::SmallInt),
                [name] => {
                    let found = name.as_deref().and_then(|name| session.server.database(name));
                    (number(found.map(|database| database.id)), SqlType::SmallInt)
                }
                _ => return Err(count(call, 1)),
            },
            "has_dbaccess" => match texts(self)?.as_slice() {
                [Some(name)] => (number(session.has_access(name)?.map(i64::from)), SqlType::Int),
                [None] => (Value::Null, SqlType::Int),
                _ => return Err(count(call, 1)),
            },
            "schema_id" => match texts(self)?.as_slice() {
                [] => (Value::Integer(1), SqlType::Int),
                [Some(name)] => (number(system::schema_id(&session.catalog, name)), SqlType::Int),
                _ => (Value::Null, SqlType::Int),
            },
            "col_length" => match texts(self)?.as_slice() {
                [Some(table), Some(column)] => {
                    let table = session.catalog.table(&parse_name(table));
                    let column = table.and_then(|table| table.column(column));
                    (number(column.map(|(_, column)| system::max_length(column.ty))), SqlType::SmallInt)
                }
                [_, _] => (Value::Null, SqlType::SmallInt),
                _ => return Err(count(call, 2)),
            },
            "is_srvrolemember" => match texts(self)?.as_slice() {
                [Some(role)] => {
                    let known = SERVER_ROLES.iter().any(|held| same(held, role));
                    let member = session.rights()?.has_role(&role.to_lowercase());
                    (if known { flag(member) } else { Value::Null }, SqlType::Int)
                }
                _ => return Err(SqlError::unknown("IS_SRVROLEMEMBER of another login")),
            },
            "is_member" | "is_rolemember" => match texts(self)?.as_slice() {
                [Some(role)] => (flag(session.is_member(&role.to_lowercase())?), SqlType::Int),
                _ => return Err(SqlError::unknown("IS_ROLEMEMBER of another user")),
            },
            "has_perms_by_name" => (flag(has_permission(self, call)?), SqlType::Int),
            "serverproperty" => match texts(self)?.as_slice() {
                [Some(property)] => system::server_property(property)?,
                _ => return Err(count(call, 1)),
            },
            _ => return Ok(None),
        };
        let sql = match value {
            Value::Integer(n) => n.to_string(),
            Value::Null => "NULL".to_owned(),
            other => self.param(other),
        };
        Ok(Some(Typed::new(sql, ty)))
    }
}

/// A name that came as a text, with brackets or without.
pub fn parse_name(text: &str) -> Name {
    let mut parts = vec![String::new()];
    let mut characters = text.trim().chars().peekable();
    let mut bracket = None;
    while let Some(c) = characters.next() {
        let last = parts.len() - 1;
        match (bracket, c) {
            (Some(close), c) if c == close => {
                if characters.peek() == Some(&close) {
                    characters.next();
                    parts[last].push(c);
                } else {
                    bracket = None;
                }
            }
            (Some(_), c) => parts[last].push(c),
            (None, '[') => bracket = Some(']'),
            (None, '"') => bracket = Some('"'),
            (None, '.') => parts.push(String::new()),
            (None, c) => parts[last].push(c),
        }
    }
    Name(parts)
}

fn object_id(session: &Session, name: &str, kind: Option<&str>) -> SqlResult<Option<i64>> {
    let name = parse_name(name);
    if name.database().is_some_and(|database| !database.is_empty() && !same(database, &session.database.name))
    {
        return Err(SqlError::unknown(format!("OBJECT_ID in another database ({name})")));
    }
    match kind.map(|kind| kind.trim().to_uppercase()).as_deref() {
        None | Some("U") => Ok(session.catalog.table(&name).map(|table| table.id)),
        // Kinds of things this server does not have: there is none of that name.
        Some("V" | "P" | "FN" | "IF" | "TF" | "TR" | "SO" | "SN") => Ok(None),
        Some(other) => Err(SqlError::unknown(format!("OBJECT_ID of the kind {other}"))),
    }
}

fn has_permission(this: &Translator<'_>, call: &Call) -> SqlResult<bool> {
    let mut texts = Vec::new();
    for argument in &call.arguments {
        texts.push(this.constant_text(argument)?.map(|text| text.to_uppercase()));
    }
    match texts.as_slice() {
        [None, None, Some(right)] => Ok(this.session.rights()?.may(right)),
        [Some(name), Some(class), Some(right)] if class == "OBJECT" => {
            let Some(table) = this.session.catalog.table(&parse_name(name)) else { return Ok(false) };
            let scopes =
                [Scope::Table(table.id), Scope::Schema(table.schema.to_lowercase()), Scope::Database];
            this.session.has_right(right, &scopes)
        }
        [_, Some(class), Some(right)] if class == "DATABASE" => {
            this.session.has_right(right, &[Scope::Database])
        }
        _ => Err(SqlError::unknown("these arguments of HAS_PERMS_BY_NAME")),
    }
}
