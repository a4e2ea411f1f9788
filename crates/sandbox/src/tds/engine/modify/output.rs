//! OUTPUT, and what a client is told.

use rusqlite::params_from_iter;

use super::{Change, Outcome};
use crate::tds::engine::answer::Answer;
use crate::tds::engine::catalog::Table;
use crate::tds::engine::select::{cells, describe};
use crate::tds::engine::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Item, Output};
use crate::tds::translate::{RelationColumn, Source, SourceColumn, Translator};
use crate::tds::value::convert::convert;
use crate::tds::value::{SqlType, Value};
use crate::tds::wire::tokens::COUNTED;

impl Session {
    /// What OUTPUT gives, and how many rows there were.
    ///
    /// # Errors
    /// Whatever is wrong with the items of OUTPUT.
    pub fn outcome(
        &self,
        table: &Table,
        changes: &[Change],
        output: &Output,
        action: &str,
        frame: &Frame,
    ) -> SqlResult<Outcome> {
        let mut outcome = Outcome { count: changes.len() as u64, ..Outcome::default() };
        if let Some(items) = output {
            let told: Vec<(&str, &Change)> = changes.iter().map(|change| (action, change)).collect();
            outcome.output = Some(self.output(table, &told, items, action, frame)?);
        }
        Ok(outcome)
    }

    /// The rows of OUTPUT: `inserted` and `deleted` are parameters of one prepared SELECT.
    ///
    /// # Errors
    /// Whatever is wrong with the items.
    pub fn output(
        &self,
        table: &Table,
        changes: &[(&str, &Change)],
        items: &[Item],
        action: &str,
        frame: &Frame,
    ) -> SqlResult<(Vec<RelationColumn>, Vec<Vec<Value>>)> {
        let width = table.columns.len();
        let mut translator = Translator::new(self, frame);
        // The first parameters are the new row, the old one, and what was done.
        translator.params = vec![Value::Null; 2 * width + 1];
        let mut sources = Vec::new();
        for (name, offset, there) in
            [("inserted", 0, action != "DELETE"), ("deleted", width, action != "INSERT")]
        {
            if there {
                let mut source = Source::table(table, Some(name), name);
                for (at, column) in source.columns.iter_mut().enumerate() {
                    column.sql = format!("?{}", offset + at + 1);
                    column.nullable |= action == "MERGE";
                }
                sources.push(source);
            }
        }
        if action == "MERGE" {
            let column = SourceColumn {
                name: "$action".to_owned(),
                sql: format!("?{}", 2 * width + 1),
                ty: SqlType::NVarChar(Some(10)),
                nullable: true,
                identity: false,
            };
            let (name, sql) = ("$action".to_owned(), String::new());
            sources.push(Source { name, schema: None, sql, table: None, columns: vec![column] });
        }
        let (list, columns) = translator.within(sources, |translator| translator.output_items(items))?;
        let fixed = translator.params;
        let mut statement = self.connection.prepare(&format!("SELECT {list}"))?;
        let mut rows = Vec::new();
        for (action, change) in changes {
            let mut params = fixed.clone();
            if let Some(new) = &change.new {
                params[..width].clone_from_slice(new);
            }
            if let Some(old) = &change.old {
                params[width..2 * width].clone_from_slice(old);
            }
            params[2 * width] = Value::Text((*action).to_owned());
            // What the SELECT does not mention can't be bound.
            params.truncate(statement.parameter_count());
            let mut found = statement.query(params_from_iter(&params))?;
            if let Some(row) = found.next()? {
                rows.push(cells(row, columns.len())?);
            }
        }
        Ok((columns, rows))
    }

    /// Tells the client, and gives variables their values.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn tell(&mut self, outcome: Outcome, frame: &mut Frame, answer: &mut Answer) -> SqlResult<()> {
        self.row_count = i64::try_from(outcome.count).unwrap_or(i64::MAX);
        for (name, from, value) in outcome.variables {
            let Some((ty, _)) = frame.variables.get(&name).cloned() else {
                return Err(SqlError::new(137, 2, format!("Must declare the scalar variable \"{name}\"."))
                    .class(15)
                    .ends_batch());
            };
            let value = convert(&value, from, ty, 0)?;
            frame.variables.insert(name, (ty, value));
        }
        let told = outcome.output.is_some();
        if let Some((columns, rows)) = outcome.output {
            answer.columns(&describe(&columns))?;
            for row in &rows {
                answer.row(columns.iter().map(|column| column.ty).zip(row))?;
            }
        }
        if told || !self.settings.no_count {
            let status = if self.settings.no_count { 0 } else { COUNTED };
            answer.done(status, 0xC3, outcome.count);
        }
        Ok(())
    }
}
