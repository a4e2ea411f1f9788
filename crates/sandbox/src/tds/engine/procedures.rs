//! The procedures there are, as EXEC and as remote calls reach them.

use std::collections::HashMap;

use super::answer::Answer;
use super::locks::{Mode, Resource};
use super::session::{Frame, Session};
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Name};
use crate::tds::sql::parser::parse_declarations;
use crate::tds::value::convert::{check_implicit, convert};
use crate::tds::value::{SqlType, Value};

/// An argument of a procedure.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name with the @, in lower case, if it was given by name.
    pub name: Option<String>,
    /// Its type.
    pub ty: SqlType,
    /// Its value.
    pub value: Value,
    /// Whether the caller wants it back.
    pub output: bool,
}

/// What a procedure gives back: its status, and the values of OUTPUT parameters by their place.
#[derive(Debug, Default)]
pub struct Returned {
    /// The status.
    pub status: i32,
    /// The place of each argument that comes back, and its value.
    pub values: Vec<(usize, SqlType, Value)>,
    /// Whether an error ended it.
    pub failed: bool,
}

impl Session {
    /// EXEC procedure.
    ///
    /// # Errors
    /// 2812 for a procedure not known, and whatever it fails with.
    pub fn exec_procedure(
        &mut self,
        name: &Name,
        arguments: &[(Option<String>, Expr, bool)],
        status: Option<&str>,
        frame: &mut Frame,
        answer: &mut Answer,
    ) -> SqlResult<bool> {
        let mut given = Vec::new();
        for (name, expr, output) in arguments {
            let (ty, value) = self.evaluate(expr, frame)?;
            given.push(Argument { name: name.clone(), ty, value, output: *output });
        }
        let returned = self.procedure(name.object(), given, answer)?;
        for (at, ty, value) in returned.values {
            let Some((_, Expr::Variable(variable), true)) = arguments.get(at) else { continue };
            self.assign(frame, variable, ty, &value)?;
        }
        if let Some(variable) = status {
            self.assign(frame, variable, SqlType::Int, &Value::Integer(i64::from(returned.status)))?;
        }
        Ok(returned.failed)
    }

    /// Gives a variable a value.
    ///
    /// # Errors
    /// 137, and those of a conversion.
    pub fn assign(&self, frame: &mut Frame, variable: &str, from: SqlType, value: &Value) -> SqlResult<()> {
        let Some((ty, held)) = frame.variables.get_mut(variable) else {
            let text = format!("Must declare the scalar variable \"{variable}\".");
            return Err(SqlError::new(137, 2, text).class(15).ends_batch());
        };
        check_implicit(from, *ty)?;
        *held = convert(value, from, *ty, 0)?;
        Ok(())
    }

    /// Runs a procedure by its name.
    ///
    /// # Errors
    /// 2812 for one not known, and whatever it fails with.
    pub fn procedure(
        &mut self,
        name: &str,
        arguments: Vec<Argument>,
        answer: &mut Answer,
    ) -> SqlResult<Returned> {
        match name.to_lowercase().as_str() {
            "sp_executesql" => self.execute_sql(arguments, answer),
            "sp_addrolemember" | "sp_droprolemember" => {
                let [role, member] = texts(&arguments, ["@rolename", "@membername"])?;
                self.alter_role(false, &role, name.eq_ignore_ascii_case("sp_addrolemember"), &member)?;
                Ok(Returned::default())
            }
            "sp_addsrvrolemember" | "sp_dropsrvrolemember" => {
                let [login, role] = texts(&arguments, ["@loginame", "@rolename"])?;
                self.alter_role(true, &role, name.eq_ignore_ascii_case("sp_addsrvrolemember"), &login)?;
                Ok(Returned::default())
            }
            "sp_getapplock" => self.get_application_lock(&arguments),
            "sp_releaseapplock" => {
                let [resource] = texts(&arguments, ["@resource"])?;
                let resource = Resource::Application(self.database.id, resource);
                let released = self.server.locks.release(self.owner, &resource);
                Ok(Returned { status: if released { 0 } else { -999 }, ..Returned::default() })
            }
            "sp_reset_connection" => {
                self.reset();
                Ok(Returned::default())
            }
            _ => Err(SqlError::new(2812, 62, format!("Could not find stored procedure '{name}'."))),
        }
    }

    /// sp_executesql: the text, the declarations, the values.
    fn execute_sql(&mut self, arguments: Vec<Argument>, answer: &mut Answer) -> SqlResult<Returned> {
        let mut arguments = arguments.into_iter();
        let text = match arguments.next() {
            Some(argument) => text_of(&argument)?,
            None => None,
        };
        let Some(text) = text else {
            return Err(SqlError::new(
                214,
                2,
                "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.",
            ));
        };
        let declarations = match arguments.next() {
            Some(argument) => text_of(&argument)?.unwrap_or_default(),
            None => String::new(),
        };
        self.run_declared(&text, &declarations, arguments.collect(), 2, answer)
    }

    /// Runs a text with declared parameters; `offset` arguments stood before theirs.
    ///
    /// # Errors
    /// 8178, 8144 when values and declarations don't fit, and whatever the text fails with.
    pub fn run_declared(
        &mut self,
        text: &str,
        declarations: &str,
        values: Vec<Argument>,
        offset: usize,
        answer: &mut Answer,
    ) -> SqlResult<Returned> {
        let declared = parse_declarations(declarations)?;
        if values.len() > declared.len() {
            return Err(SqlError::new(8144, 2, "Procedure or function has too many arguments specified.")
                .ends_batch());
        }
        let mut by_name: HashMap<String, (usize, Argument)> = HashMap::new();
        for (at, argument) in values.into_iter().enumerate() {
            let name = match &argument.name {
                Some(name) if !name.is_empty() => name.to_lowercase(),
                _ => declared[at].0.clone(),
            };
            by_name.insert(name, (at + offset, argument));
        }
        let mut frame = Frame::default();
        let mut outputs = Vec::new();
        for (name, ty, _) in &declared {
            let Some((at, argument)) = by_name.remove(name) else {
                let text = format!(
                    "The parameterized query '({declarations}){}' expects the parameter '{name}', which was not supplied.",
                    text.chars().take(100).collect::<String>()
                );
                return Err(SqlError::new(8178, 1, text).ends_batch());
            };
            check_implicit(argument.ty, *ty)?;
            let value = convert(&argument.value, argument.ty, *ty, 0)?;
            frame.variables.insert(name.clone(), (*ty, value));
            if argument.output {
                outputs.push((at, name.clone()));
            }
        }
        if let Some(name) = by_name.keys().next() {
            return Err(SqlError::new(
                8145,
                1,
                format!("{name} is not a parameter for procedure sp_executesql."),
            )
            .ends_batch());
        }
        let failed = self.run_nested(text, &mut frame, answer)?;
        let values = outputs
            .into_iter()
            .filter_map(|(at, name)| frame.variables.remove(&name).map(|(ty, value)| (at, ty, value)))
            .collect();
        Ok(Returned { status: 0, values, failed })
    }

    /// sp_getapplock: 0 or 1 when the lock is held, below 0 when not.
    fn get_application_lock(&mut self, arguments: &[Argument]) -> SqlResult<Returned> {
        let names = ["@resource", "@lockmode", "@lockowner", "@locktimeout"];
        let mut given: [Option<String>; 4] = Default::default();
        for (at, argument) in arguments.iter().enumerate() {
            let place = match &argument.name {
                Some(name) => names.iter().position(|known| known == name),
                None => (at < names.len()).then_some(at),
            };
            let Some(place) = place else { return Err(SqlError::unknown("this argument of sp_getapplock")) };
            given[place] = text_of(argument)?;
        }
        let [resource, mode, owner, wait] = given;
        let Some(resource) = resource else { return Err(SqlError::syntax("sp_getapplock")) };
        let mode = match mode.as_deref().map(str::to_lowercase).as_deref() {
            Some("exclusive" | "update") => Mode::Exclusive,
            Some("shared" | "intentshared") => Mode::Shared,
            other => return Err(SqlError::unknown(format!("the lock mode {}", other.unwrap_or("NULL")))),
        };
        let session_owned = owner.as_deref().is_some_and(|owner| owner.eq_ignore_ascii_case("session"));
        if session_owned {
            return Err(SqlError::unknown("application locks owned by the session (@LockOwner = 'Session')"));
        }
        if !self.transaction.is_open() {
            return Ok(Returned { status: -999, ..Returned::default() });
        }
        let wait = match wait.as_deref().map(str::parse::<i64>) {
            Some(Ok(millis)) if millis >= 0 => std::time::Duration::from_millis(millis.unsigned_abs()),
            _ => self.settings.lock_wait,
        };
        let resource = Resource::Application(self.database.id, resource);
        let cancel = &self.cancel;
        let taken = self.server.locks.take(self.owner, &resource, mode, wait, || cancel.is_cancelled());
        let status = match taken {
            Ok(()) => 0,
            Err(error) if error.number == 1222 => -1,
            Err(error) if error.number == 1205 => -3,
            Err(error) => return Err(error),
        };
        Ok(Returned { status, ..Returned::default() })
    }
}

/// The text of an argument; `None` for NULL.
pub fn text_of(argument: &Argument) -> SqlResult<Option<String>> {
    match convert(&argument.value, argument.ty, SqlType::NVarChar(None), 0)? {
        Value::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

/// Exactly these arguments, by place or by name.
fn texts<const N: usize>(arguments: &[Argument], names: [&str; N]) -> SqlResult<[String; N]> {
    let mut found: [Option<String>; N] = std::array::from_fn(|_| None);
    for (at, argument) in arguments.iter().enumerate() {
        let place = match &argument.name {
            Some(name) => names.iter().position(|known| known == name),
            None => (at < N).then_some(at),
        };
        match place {
            Some(place) => found[place] = text_of(argument)?,
            None => {
                return Err(SqlError::new(
                    8144,
                    2,
                    "Procedure or function has too many arguments specified.",
                ));
            }
        }
    }
    let missing = found.iter().position(Option::is_none);
    if let Some(at) = missing {
        let text =
            format!("Procedure or function expects parameter '{}', which was not supplied.", names[at]);
        return Err(SqlError::new(201, 4, text));
    }
    Ok(found.map(Option::unwrap_or_default))
}
