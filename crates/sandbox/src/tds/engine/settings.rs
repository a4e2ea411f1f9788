//! SET of an option. Options that are what they are here are taken when they are set to that, and
//! refused when not.

use std::time::Duration;

use super::session::{Isolation, Session};
use crate::tds::error::{SqlError, SqlResult};

impl Session {
    /// SET of an option. Options that are what they are here are taken when they are set to that,
    /// and refused when not.
    pub fn set_option(&mut self, names: &str, value: &str) -> SqlResult<()> {
        for name in names.split(',') {
            self.set_one(name, value)?;
        }
        Ok(())
    }

    fn set_one(&mut self, name: &str, value: &str) -> SqlResult<()> {
        const ALWAYS_ON: &[&str] = &[
            "ansi_nulls",
            "ansi_padding",
            "ansi_warnings",
            "arithabort",
            "concat_null_yields_null",
            "quoted_identifier",
            "ansi_null_dflt_on",
            "ansi_defaults",
        ];
        const ALWAYS_OFF: &[&str] = &[
            "implicit_transactions",
            "numeric_roundabort",
            "ansi_null_dflt_off",
            "fmtonly",
            "noexec",
            "parseonly",
            "showplan_all",
            "remote_proc_transactions",
        ];
        let on = match value {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        match (name, on) {
            ("nocount", Some(on)) => self.settings.no_count = on,
            ("xact_abort", Some(on)) => self.settings.xact_abort = on,
            (name, Some(true)) if ALWAYS_ON.contains(&name) => {}
            (name, Some(false)) if ALWAYS_OFF.contains(&name) => {}
            // There are no cursors and no texts to cut; the victim of a deadlock is who closes the cycle.
            ("textsize" | "cursor_close_on_commit" | "deadlock_priority" | "arithignore", _) => {}
            ("language", _) if matches!(value, "us_english" | "english") => {}
            ("dateformat", _) if matches!(value, "mdy" | "ymd") => {}
            ("datefirst" | "rowcount", _) if value == if name == "datefirst" { "7" } else { "0" } => {}
            ("lock_timeout", _) => {
                let millis: i64 = value.parse().map_err(|_| SqlError::syntax(value))?;
                self.settings.lock_wait = match u64::try_from(millis) {
                    Ok(millis) => Duration::from_millis(millis),
                    Err(_) => super::locks::DEFAULT_WAIT,
                };
            }
            ("transaction isolation level", _) => {
                self.settings.isolation = match value {
                    "read committed" | "read uncommitted" => Isolation::Committed,
                    "repeatable read" | "serializable" => Isolation::Serializable,
                    other => return Err(SqlError::unknown(format!("the isolation level {other}"))),
                };
            }
            ("identity_insert", _) => self.set_identity_insert(value)?,
            _ => {
                return Err(SqlError::unknown(format!(
                    "SET {} {}",
                    name.to_uppercase(),
                    value.to_uppercase()
                )));
            }
        }
        Ok(())
    }

    fn set_identity_insert(&mut self, value: &str) -> SqlResult<()> {
        let (switch, table) = value.split_once(' ').unwrap_or((value, ""));
        let name = crate::tds::translate::parse_name(table);
        let Some(found) = self.catalog.table(&name) else { return Err(SqlError::no_object(table)) };
        if !self.may_alter(found)? {
            return Err(SqlError::no_right("ALTER", &found.name, &self.database.name, &found.schema));
        }
        self.settings.identity_insert = match switch {
            "on" => Some(found.id),
            _ => None,
        };
        Ok(())
    }
}
