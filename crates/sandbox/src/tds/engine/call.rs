//! Requests, as they come from the wire: batches, remote calls, and what the transaction manager is
//! asked.

use super::answer::Answer;
use super::procedures::{Argument, Returned, text_of};
use super::session::{Frame, Isolation, MOST_PREPARED, Prepared, Session};
use crate::faults::TdsEffect;
use crate::tds::error::{Reach, SqlError, SqlResult};
use crate::tds::value::{SqlType, Value};
use crate::tds::wire::request::{Call, Procedure, Request};
use crate::tds::wire::tokens;

impl Session {
    /// Answers a message's requests (several only when remote calls were put into one message).
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn answer(
        &mut self,
        requests: Vec<Request>,
        fault: Option<&TdsEffect>,
        answer: &mut Answer,
    ) -> SqlResult<()> {
        let many = requests.len() > 1;
        for request in requests {
            let refused = matches!(fault, Some(TdsEffect::Deadlock));
            let result =
                if refused { Err(SqlError::deadlock(self.id)) } else { self.answer_one(request, answer) };
            if let Err(error) = result {
                if error.is_cancelled() || error.reach == Reach::Connection {
                    return Err(error);
                }
                self.last_error = error.number;
                answer.message(&error, 1)?;
                if error.reach == Reach::Transaction && self.transaction.is_open() {
                    let turn = self.rollback()?;
                    self.tell_turn(Some(turn), answer)?;
                }
                answer.procedures = 0;
                answer.done(tokens::FAILED, 0, 0);
            }
        }
        if !many {
            answer.end_batch();
        }
        if let Some(TdsEffect::Delay(millis)) = fault {
            self.cancel.sleep(std::time::Duration::from_millis(*millis))?;
        }
        Ok(())
    }

    fn answer_one(&mut self, request: Request, answer: &mut Answer) -> SqlResult<()> {
        match request {
            Request::Batch(text) => {
                self.run_batch(&text, &mut Frame::default(), answer)?;
                self.end_doomed(answer)?;
                answer.end_batch();
                Ok(())
            }
            Request::Call(call) => self.remote_call(call, answer),
            Request::Begin(level) => {
                self.refresh()?;
                self.isolate(level)?;
                let turn = self.begin();
                self.tell_turn(turn, answer)
            }
            Request::Commit(next) => {
                self.refresh()?;
                let turn = self.commit()?;
                self.tell_turn(turn, answer)?;
                self.begin_next(next, answer)
            }
            Request::Rollback(name, next) => {
                self.refresh()?;
                if !name.is_empty() && self.is_savepoint(&name) {
                    return self.rollback_to(&name);
                }
                let turn = self.rollback()?;
                self.tell_turn(Some(turn), answer)?;
                self.begin_next(next, answer)
            }
            Request::Save(name) => {
                self.refresh()?;
                self.save(&name)
            }
        }
    }

    fn begin_next(&mut self, next: Option<u8>, answer: &mut Answer) -> SqlResult<()> {
        let Some(level) = next else { return Ok(()) };
        self.isolate(level)?;
        let turn = self.begin();
        self.tell_turn(turn, answer)
    }

    /// The isolation level of a transaction manager request; 0 leaves it as it is.
    fn isolate(&mut self, level: u8) -> SqlResult<()> {
        match level {
            0 => {}
            1 | 2 => self.settings.isolation = Isolation::Committed,
            3 | 4 => self.settings.isolation = Isolation::Serializable,
            _ => return Err(SqlError::unknown("the isolation level snapshot")),
        }
        Ok(())
    }

    fn remote_call(&mut self, call: Call, answer: &mut Answer) -> SqlResult<()> {
        self.refresh()?;
        self.caught.clear();
        answer.procedures += 1;
        let arguments: Vec<Argument> = call
            .parameters
            .into_iter()
            .map(|parameter| Argument {
                name: (!parameter.name.is_empty()).then(|| parameter.name.to_lowercase()),
                ty: parameter.ty,
                value: parameter.value,
                output: parameter.output,
            })
            .collect();
        let names: Vec<Option<String>> = arguments.iter().map(|argument| argument.name.clone()).collect();
        let result = match &call.procedure {
            Procedure::Number(10) => self.procedure("sp_executesql", unnamed(arguments), answer),
            Procedure::Number(11) => self.prepare(arguments),
            Procedure::Number(12) => self.execute_prepared(arguments, answer),
            Procedure::Number(13) => self.prepare_and_execute(arguments, answer),
            Procedure::Number(15) => self.unprepare(&arguments),
            Procedure::Number(number) => {
                Err(SqlError::unknown(format!("the procedure number {number} (a cursor)")))
            }
            Procedure::Name(name) => {
                let own = crate::tds::translate::parse_name(name).object().to_lowercase();
                match own.as_str() {
                    "sp_executesql" => self.procedure(&own, unnamed(arguments), answer),
                    "sp_prepare" => self.prepare(arguments),
                    "sp_execute" => self.execute_prepared(arguments, answer),
                    "sp_prepexec" => self.prepare_and_execute(arguments, answer),
                    "sp_unprepare" => self.unprepare(&arguments),
                    _ => self.procedure(&own, arguments, answer),
                }
            }
        };
        let returned = match result {
            Ok(returned) => returned,
            Err(error) if error.is_cancelled() || error.reach == Reach::Connection => return Err(error),
            Err(error) => {
                self.last_error = error.number;
                answer.message(&error, 1)?;
                let aborts = error.reach == Reach::Transaction || self.settings.xact_abort;
                if aborts && self.transaction.is_open() {
                    let turn = self.rollback()?;
                    self.tell_turn(Some(turn), answer)?;
                }
                Returned { status: error.number, failed: true, ..Returned::default() }
            }
        };
        self.end_doomed(answer)?;
        answer.procedures -= 1;
        answer.tokens(|out| {
            tokens::return_status(out, returned.status);
            for (at, ty, value) in &returned.values {
                let ordinal = u16::try_from(*at).unwrap_or(0);
                let name = names.get(*at).cloned().flatten().unwrap_or_default();
                tokens::return_value(out, ordinal, &name, *ty, value)?;
            }
            Ok(())
        })?;
        answer.end_call(returned.failed);
        Ok(())
    }

    /// sp_prepare: handle (out), declarations, text.
    fn prepare(&mut self, arguments: Vec<Argument>) -> SqlResult<Returned> {
        let (declarations, text) = declared(&arguments)?;
        let handle = self.remember(declarations, text)?;
        Ok(Returned { values: vec![(0, SqlType::Int, handle)], ..Returned::default() })
    }

    /// sp_prepexec: handle (out), declarations, text, values.
    fn prepare_and_execute(
        &mut self,
        mut arguments: Vec<Argument>,
        answer: &mut Answer,
    ) -> SqlResult<Returned> {
        let (declarations, text) = declared(&arguments)?;
        let handle = self.remember(declarations.clone(), text.clone())?;
        let values = arguments.split_off(3.min(arguments.len()));
        let mut returned = self.run_declared(&text, &declarations, values, 3, answer)?;
        returned.values.insert(0, (0, SqlType::Int, handle));
        Ok(returned)
    }

    fn remember(&mut self, declarations: String, text: String) -> SqlResult<Value> {
        if self.prepared.len() >= MOST_PREPARED {
            return Err(SqlError::unknown(format!(
                "more than {MOST_PREPARED} prepared statements of a session"
            )));
        }
        // Understood now, so that what is wrong is said when it is prepared.
        crate::tds::sql::parser::parse(&text).map_err(|(error, _)| error)?;
        self.last_handle += 1;
        self.prepared.insert(self.last_handle, Prepared { declarations, text });
        Ok(Value::Integer(i64::from(self.last_handle)))
    }

    /// sp_execute: handle, values.
    fn execute_prepared(&mut self, mut arguments: Vec<Argument>, answer: &mut Answer) -> SqlResult<Returned> {
        let handle = handle(&arguments)?;
        let Some(prepared) = self.prepared.get(&handle).cloned() else { return Err(no_handle(handle)) };
        let values = arguments.split_off(1);
        self.run_declared(&prepared.text, &prepared.declarations, values, 1, answer)
    }

    /// sp_unprepare: handle.
    fn unprepare(&mut self, arguments: &[Argument]) -> SqlResult<Returned> {
        let handle = handle(arguments)?;
        if self.prepared.remove(&handle).is_none() {
            return Err(no_handle(handle));
        }
        Ok(Returned::default())
    }
}

/// The first two arguments of sp_executesql have names of their own that don't count.
fn unnamed(mut arguments: Vec<Argument>) -> Vec<Argument> {
    for argument in arguments.iter_mut().take(2) {
        argument.name = None;
    }
    arguments
}

fn declared(arguments: &[Argument]) -> SqlResult<(String, String)> {
    let text = |at: usize| match arguments.get(at) {
        Some(argument) => text_of(argument),
        None => Ok(None),
    };
    match text(2)? {
        Some(statement) => Ok((text(1)?.unwrap_or_default(), statement)),
        None => {
            Err(SqlError::new(214, 3, "Procedure expects parameter '@stmt' of type 'ntext/nchar/nvarchar'."))
        }
    }
}

fn handle(arguments: &[Argument]) -> SqlResult<i32> {
    match arguments.first().map(|argument| &argument.value) {
        Some(Value::Integer(handle)) => i32::try_from(*handle).map_err(|_| no_handle(-1)),
        _ => Err(no_handle(-1)),
    }
}

fn no_handle(handle: i32) -> SqlError {
    SqlError::new(8179, 2, format!("Could not find prepared statement with handle {handle}.")).ends_batch()
}
