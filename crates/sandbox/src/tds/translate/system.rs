//! The system views there are, as rows made for the statement that asks. What a login may not know
//! of is left out as far as clients depend on it. Those about logins, users and rights are in
//! `principals`.

use super::{RelationColumn, Translator};
use crate::tds::engine::catalog::{Catalog, KeyKind};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::Name;
use crate::tds::value::moment::Moment;
use crate::tds::value::{SqlType, Value, collation};

/// @@VERSION.
pub const VERSION: &str = concat!(
    "local TDS server of the Lockkeeper sandbox ",
    env!("CARGO_PKG_VERSION"),
    " (speaks TDS 7.4 and 8.0 over SQLite; this is not Microsoft SQL Server)"
);

pub(super) type View = (Vec<(&'static str, SqlType)>, Vec<Vec<Value>>);

impl Translator<'_> {
    /// The columns and the SQL of a system view; `None` when the name is none.
    ///
    /// # Errors
    /// 208, in our words, for a name in `sys` or `INFORMATION_SCHEMA` that is not known.
    pub(super) fn system_view(&mut self, name: &Name) -> SqlResult<Option<(Vec<RelationColumn>, String)>> {
        let Some(schema) = name.schema().map(str::to_lowercase) else { return Ok(None) };
        let object = name.object().to_lowercase();
        let server_wide = matches!(
            object.as_str(),
            "databases" | "sql_logins" | "server_principals" | "server_role_members" | "server_permissions"
        );
        let (columns, rows) = match (schema.as_str(), object.as_str()) {
            ("sys", "databases") => self.databases()?,
            ("sys", "sql_logins") => self.logins(false)?,
            ("sys", "server_principals") => self.logins(true)?,
            ("sys", "server_role_members") => self.server_role_members()?,
            ("sys", "server_permissions") => self.server_permissions()?,
            ("sys", "tables" | "objects" | "all_objects") => self.tables()?,
            ("sys", "schemas") => self.schemas(),
            ("sys", "columns" | "all_columns") => self.columns()?,
            ("sys", "indexes") => self.indexes(),
            ("sys", "database_principals") => self.principals()?,
            ("sys", "database_role_members") => self.role_members(),
            ("sys", "database_permissions") => self.permissions(),
            ("information_schema", "tables") => self.standard_tables()?,
            ("information_schema", "columns") => self.standard_columns()?,
            ("sys" | "information_schema", _) => {
                return Err(SqlError::unknown(format!("the system view {name}")));
            }
            _ => return Ok(None),
        };
        if !server_wide {
            self.own_database(name)?;
        }
        Ok(Some(self.rows(&columns, rows)))
    }

    fn rows(
        &mut self,
        columns: &[(&'static str, SqlType)],
        rows: Vec<Vec<Value>>,
    ) -> (Vec<RelationColumn>, String) {
        let described = columns
            .iter()
            .map(|(name, ty)| RelationColumn {
                name: (*name).to_owned(),
                ty: *ty,
                nullable: true,
                identity: false,
                variable: None,
            })
            .collect();
        let mut selects = Vec::new();
        for row in &rows {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    let sql = match value {
                        Value::Integer(n) => n.to_string(),
                        Value::Null => "NULL".to_owned(),
                        other => self.param(other.clone()),
                    };
                    format!("{sql} AS k{}", at + 1)
                })
                .collect();
            selects.push(format!("SELECT {}", cells.join(", ")));
        }
        if selects.is_empty() {
            let nothing: Vec<String> = (1..=columns.len()).map(|at| format!("NULL AS k{at}")).collect();
            selects.push(format!("SELECT {} WHERE 0", nothing.join(", ")));
        }
        (described, selects.join(" UNION ALL "))
    }

    fn databases(&self) -> SqlResult<View> {
        let columns = vec![
            ("name", SqlType::NAME),
            ("database_id", SqlType::Int),
            ("create_date", SqlType::DateTime),
            ("collation_name", SqlType::NAME),
            ("state", SqlType::TinyInt),
            ("state_desc", SqlType::NVarChar(Some(60))),
            ("containment", SqlType::TinyInt),
            ("is_read_committed_snapshot_on", SqlType::Bit),
        ];
        let mut rows = Vec::new();
        for (id, name, _, created) in self.session.server.logins.databases()? {
            let row = vec![
                text(&name),
                Value::Integer(id),
                time(created)?,
                text(collation::NAME),
                Value::Integer(0),
                text("ONLINE"),
                Value::Integer(0),
                Value::Integer(1),
            ];
            rows.push(row);
        }
        Ok((columns, rows))
    }

    fn tables(&self) -> SqlResult<View> {
        let columns = vec![
            ("name", SqlType::NAME),
            ("object_id", SqlType::Int),
            ("schema_id", SqlType::Int),
            ("type", SqlType::Char(2)),
            ("type_desc", SqlType::NVarChar(Some(60))),
        ];
        let catalog = &self.session.catalog;
        let row = |table: &crate::tds::engine::catalog::Table| {
            vec![
                text(&table.name),
                Value::Integer(table.id),
                Value::Integer(schema_id(catalog, &table.schema).unwrap_or(1)),
                text("U "),
                text("USER_TABLE"),
            ]
        };
        Ok((columns, catalog.tables.values().map(|table| row(table)).collect()))
    }

    fn schemas(&self) -> View {
        let mut rows = vec![vec![text("dbo"), Value::Integer(1)]];
        for schema in &self.session.catalog.schemas {
            let id = schema_id(&self.session.catalog, schema).unwrap_or(1);
            rows.push(vec![text(schema), Value::Integer(id)]);
        }
        (vec![("name", SqlType::NAME), ("schema_id", SqlType::Int)], rows)
    }

    fn columns(&self) -> SqlResult<View> {
        let columns = vec![
            ("object_id", SqlType::Int),
            ("name", SqlType::NAME),
            ("column_id", SqlType::Int),
            ("max_length", SqlType::SmallInt),
            ("precision", SqlType::TinyInt),
            ("scale", SqlType::TinyInt),
            ("is_nullable", SqlType::Bit),
            ("is_identity", SqlType::Bit),
        ];
        let mut rows = Vec::new();
        for table in self.session.catalog.tables.values() {
            for column in &table.columns {
                let precision = if column.ty.is_number() { column.ty.as_decimal().0 } else { 0 };
                rows.push(vec![
                    Value::Integer(table.id),
                    text(&column.name),
                    Value::Integer(i64::from(column.number)),
                    Value::Integer(max_length(column.ty)),
                    Value::Integer(i64::from(precision)),
                    Value::Integer(i64::from(column.ty.scale())),
                    Value::Integer(i64::from(column.nullable)),
                    Value::Integer(i64::from(column.identity.is_some())),
                ]);
            }
        }
        Ok((columns, rows))
    }

    fn indexes(&self) -> View {
        let columns = vec![
            ("object_id", SqlType::Int),
            ("name", SqlType::NAME),
            ("index_id", SqlType::Int),
            ("is_unique", SqlType::Bit),
            ("is_primary_key", SqlType::Bit),
            ("is_unique_constraint", SqlType::Bit),
            ("has_filter", SqlType::Bit),
        ];
        let mut rows = Vec::new();
        for table in self.session.catalog.tables.values() {
            for (at, key) in table.keys.iter().enumerate() {
                rows.push(vec![
                    Value::Integer(table.id),
                    text(&key.name),
                    Value::Integer(i64::try_from(at + 1).unwrap_or(0)),
                    Value::Integer(i64::from(key.unique())),
                    Value::Integer(i64::from(key.kind == KeyKind::Primary)),
                    Value::Integer(i64::from(key.kind == KeyKind::Unique)),
                    Value::Integer(i64::from(key.filter.is_some())),
                ]);
            }
        }
        (columns, rows)
    }

    fn standard_tables(&self) -> SqlResult<View> {
        let columns = vec![
            ("TABLE_CATALOG", SqlType::NAME),
            ("TABLE_SCHEMA", SqlType::NAME),
            ("TABLE_NAME", SqlType::NAME),
            ("TABLE_TYPE", SqlType::VarChar(Some(10))),
        ];
        let database = &self.session.database.name;
        let tables = self.session.catalog.tables.values();
        let rows = tables
            .map(|t| vec![text(database), text(&t.schema), text(&t.name), text("BASE TABLE")])
            .collect();
        Ok((columns, rows))
    }

    fn standard_columns(&self) -> SqlResult<View> {
        let columns = vec![
            ("TABLE_CATALOG", SqlType::NAME),
            ("TABLE_SCHEMA", SqlType::NAME),
            ("TABLE_NAME", SqlType::NAME),
            ("COLUMN_NAME", SqlType::NAME),
            ("ORDINAL_POSITION", SqlType::Int),
            ("IS_NULLABLE", SqlType::VarChar(Some(3))),
            ("DATA_TYPE", SqlType::NAME),
            ("CHARACTER_MAXIMUM_LENGTH", SqlType::Int),
        ];
        let mut rows = Vec::new();
        for table in self.session.catalog.tables.values() {
            for (at, column) in table.columns.iter().enumerate() {
                let measured = column.ty.is_text() || column.ty.is_binary();
                let length = column.ty.length().map_or(-1, i64::from);
                let data_type =
                    if matches!(column.ty, SqlType::Decimal(..)) { "decimal" } else { column.ty.name() };
                rows.push(vec![
                    text(&self.session.database.name),
                    text(&table.schema),
                    text(&table.name),
                    text(&column.name),
                    Value::Integer(i64::try_from(at + 1).unwrap_or(0)),
                    text(if column.nullable { "YES" } else { "NO" }),
                    text(data_type),
                    if measured { Value::Integer(length) } else { Value::Null },
                ]);
            }
        }
        Ok((columns, rows))
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn time(millis: i64) -> SqlResult<Value> {
    let time = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    Moment::of(time).store(SqlType::DateTime).map(Value::Text)
}

/// The number of a schema: dbo is 1, those of one's own begin at 5.
pub(super) fn schema_id(catalog: &Catalog, name: &str) -> Option<i64> {
    if name.eq_ignore_ascii_case("dbo") {
        return Some(1);
    }
    let at = catalog.schemas.iter().position(|schema| schema.to_lowercase() == name.to_lowercase())?;
    i64::try_from(at + 5).ok()
}

/// The length of a type in bytes; -1 for max.
pub(super) fn max_length(ty: SqlType) -> i64 {
    match ty {
        SqlType::Bit | SqlType::TinyInt => 1,
        SqlType::SmallInt => 2,
        SqlType::Null | SqlType::Int | SqlType::Real | SqlType::SmallMoney | SqlType::SmallDateTime => 4,
        SqlType::BigInt | SqlType::Float | SqlType::Money | SqlType::DateTime | SqlType::RowVersion => 8,
        SqlType::Decimal(0..=9, _) => 5,
        SqlType::Decimal(10..=19, _) => 9,
        SqlType::Decimal(20..=28, _) => 13,
        SqlType::Decimal(..) => 17,
        SqlType::Guid => 16,
        SqlType::Date => 3,
        SqlType::Time(_) => 5,
        SqlType::DateTime2(_) => 8,
        SqlType::DateTimeOffset(_) => 10,
        _ => match ty.length() {
            Some(n) if ty.is_national() => i64::from(n) * 2,
            Some(n) => i64::from(n),
            None => -1,
        },
    }
}

/// SERVERPROPERTY.
pub(super) fn server_property(name: &str) -> SqlResult<(Value, SqlType)> {
    let named = |value: &str| Ok((text(value), SqlType::NAME));
    match name.to_lowercase().as_str() {
        "productversion" => named("15.0.2000.0"),
        "edition" => named("local TDS server"),
        "collation" => named(collation::NAME),
        "servername" | "machinename" => named(crate::tds::wire::tokens::SERVER),
        "engineedition" => Ok((Value::Integer(3), SqlType::Int)),
        "isintegratedsecurityonly" => Ok((Value::Integer(0), SqlType::Int)),
        other => Err(SqlError::unknown(format!("SERVERPROPERTY('{other}')"))),
    }
}
