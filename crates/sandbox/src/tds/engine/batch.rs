//! Running a batch: one statement after the other, with IF, WHILE, TRY and what an error does.

use std::time::Duration;

use super::answer::Answer;
use super::session::{Frame, Session};
use crate::tds::error::{Reach, SqlError, SqlResult};
use crate::tds::sql::ast::{Expr, Placed, Statement};
use crate::tds::sql::parser::parse;
use crate::tds::value::Value;
use crate::tds::value::moment::Moment;
use crate::tds::wire::tokens::{self, FAILED, Turn};

/// How deep EXEC may be nested, as by SQL Server.
const DEEPEST: usize = 32;
/// How often a WHILE may go round: an endless one is a mistake, and has no client to wait for it.
const MOST_ROUNDS: u32 = 10_000_000;

/// How a batch goes on after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// With the next one
    Next,
    /// Behind the WHILE
    Break,
    /// With the WHILE's next round
    Continue,
    /// Not at all: RETURN
    Return,
    /// Not at all, nor what called the batch: an error ended it
    Abort,
}

/// An error on its way to a CATCH, and the line it happened in.
type Raised = (SqlError, u32);

impl Session {
    /// Runs a batch and tells the client everything about it. The error is one that ends the
    /// connection or that the client gave up.
    ///
    /// # Errors
    /// When the request was given up, and for errors of class 20 and above.
    pub fn run_batch(&mut self, text: &str, frame: &mut Frame, answer: &mut Answer) -> SqlResult<Flow> {
        self.caught.clear();
        match self.run_text(text, frame, answer, false) {
            Ok(flow) => Ok(flow),
            Err((error, line)) => {
                // Nobody caught it; `execute` has told the client already unless it could not.
                if error.is_cancelled() || error.reach == Reach::Connection {
                    return Err(error);
                }
                self.tell_error(&error, line, answer)?;
                Ok(Flow::Abort)
            }
        }
    }

    /// Runs a text inside of another: EXEC and sp_executesql. True when an error ended it.
    ///
    /// # Errors
    /// What is for the caller's CATCH, and 217 when it is nested too deep.
    pub fn run_nested(&mut self, text: &str, frame: &mut Frame, answer: &mut Answer) -> SqlResult<bool> {
        if self.depth >= DEEPEST {
            return Err(SqlError::new(
                217,
                1,
                format!(
                    "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit {DEEPEST})."
                ),
            )
            .ends_batch());
        }
        self.depth += 1;
        let database = self.database.name.clone();
        let catching = self.catching;
        let flow = self.run_text(text, frame, answer, catching);
        self.depth -= 1;
        // USE inside of an EXEC ends with it.
        if self.database.name != database && !self.transaction.is_open() {
            self.enter(&database)?;
        }
        match flow {
            Ok(Flow::Abort) => Ok(true),
            Ok(_) => Ok(false),
            Err((error, _)) => Err(error),
        }
    }

    fn run_text(
        &mut self,
        text: &str,
        frame: &mut Frame,
        answer: &mut Answer,
        catching: bool,
    ) -> Result<Flow, Raised> {
        let statements = parse(text)?;
        self.run_all(&statements, frame, answer, catching)
    }

    fn run_all(
        &mut self,
        statements: &[Placed],
        frame: &mut Frame,
        answer: &mut Answer,
        catching: bool,
    ) -> Result<Flow, Raised> {
        for statement in statements {
            let flow = self.execute(statement, frame, answer, catching)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Runs one statement. Without a TRY around it an error is told to the client here, and what it
    /// means for the batch and the transaction is done; within a TRY it goes to the CATCH.
    fn execute(
        &mut self,
        placed: &Placed,
        frame: &mut Frame,
        answer: &mut Answer,
        catching: bool,
    ) -> Result<Flow, Raised> {
        let line = placed.line;
        if self.cancel.is_cancelled() {
            return Err((SqlError::cancelled(), line));
        }
        if let Some(result) = self.steer(&placed.statement, frame, answer, catching, line) {
            return result;
        }
        let was_catching = std::mem::replace(&mut self.catching, catching);
        let result = self.refresh().and_then(|()| self.plain(&placed.statement, frame, answer, line));
        self.catching = was_catching;
        match result {
            Ok(flow) => {
                if !matches!(placed.statement, Statement::RaiseError(..)) {
                    self.last_error = 0;
                }
                Ok(flow)
            }
            Err(error) => self.failed(error, line, answer, catching),
        }
    }

    /// What an error does.
    fn failed(
        &mut self,
        error: SqlError,
        line: u32,
        answer: &mut Answer,
        catching: bool,
    ) -> Result<Flow, Raised> {
        if error.is_cancelled() || error.reach == Reach::Connection {
            return Err((error, line));
        }
        self.last_error = error.number;
        // SQLite ends a transaction by itself when a write was interrupted or the disk is full.
        if self.transaction.writing && self.connection.is_autocommit() {
            self.transaction.doomed = true;
        }
        // XACT_ABORT does not concern RAISERROR.
        let raised_only = error.number == 50_000 && error.reach == Reach::Statement;
        let aborts = error.reach == Reach::Transaction || (self.settings.xact_abort && !raised_only);
        if catching {
            let ends_batch = error.reach == Reach::Batch && !is_thrown(&error);
            if self.transaction.is_open() && (aborts || ends_batch) {
                self.transaction.doomed = true;
            }
            return Err((error, line));
        }
        let told = |session: &mut Self, answer: &mut Answer| -> SqlResult<()> {
            session.tell_error(&error, line, answer)?;
            if aborts && session.transaction.is_open() {
                let turn = session.rollback()?;
                session.tell_turn(Some(turn), answer)?;
            }
            Ok(())
        };
        told(self, answer).map_err(|error| (error, line))?;
        let ends = aborts || error.reach != Reach::Statement;
        Ok(if ends { Flow::Abort } else { Flow::Next })
    }

    /// A request must not leave a transaction behind that can't be committed.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn end_doomed(&mut self, answer: &mut Answer) -> SqlResult<()> {
        if !self.transaction.doomed {
            return Ok(());
        }
        let turn = self.rollback()?;
        self.tell_turn(Some(turn), answer)?;
        let text =
            "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.";
        self.tell_error(&SqlError::new(3998, 1, text), 1, answer)
    }

    /// Tells the client an error, and that its statement is over.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn tell_error(&mut self, error: &SqlError, line: u32, answer: &mut Answer) -> SqlResult<()> {
        answer.message(error, line)?;
        answer.done(FAILED, 0, 0);
        Ok(())
    }

    /// Tells the client what became of its transaction.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn tell_turn(&self, turn: Option<Turn>, answer: &mut Answer) -> SqlResult<()> {
        match turn {
            Some(turn) => answer.tokens(|out| {
                tokens::changed_transaction(out, turn);
                Ok(())
            }),
            None => Ok(()),
        }
    }

    /// Statements that hold others; `None` for one that does not.
    fn steer(
        &mut self,
        statement: &Statement,
        frame: &mut Frame,
        answer: &mut Answer,
        catching: bool,
        line: u32,
    ) -> Option<Result<Flow, Raised>> {
        Some(match statement {
            Statement::Block(statements) => self.run_all(statements, frame, answer, catching),
            Statement::If(condition, then, otherwise) => {
                match self.decide(condition, frame, answer, catching, line) {
                    Ok(Ok(true)) => self.execute(then, frame, answer, catching),
                    Ok(Ok(false)) => match otherwise {
                        Some(otherwise) => self.execute(otherwise, frame, answer, catching),
                        None => Ok(Flow::Next),
                    },
                    Ok(Err(flow)) => Ok(flow),
                    Err(raised) => Err(raised),
                }
            }
            Statement::While(condition, body) => {
                self.go_round(condition, body, frame, answer, catching, line)
            }
            Statement::Try(tried, caught) => self.try_catch(tried, caught, frame, answer, catching),
            _ => return None,
        })
    }

    fn decide(
        &mut self,
        condition: &Expr,
        frame: &Frame,
        answer: &mut Answer,
        catching: bool,
        line: u32,
    ) -> Result<Result<bool, Flow>, Raised> {
        let decided = self.refresh().and_then(|()| self.holds(condition, frame));
        match decided {
            Ok(holds) => {
                self.row_count = 0;
                Ok(Ok(holds))
            }
            Err(error) => self.failed(error, line, answer, catching).map(Err),
        }
    }

    fn go_round(
        &mut self,
        condition: &Expr,
        body: &Placed,
        frame: &mut Frame,
        answer: &mut Answer,
        catching: bool,
        line: u32,
    ) -> Result<Flow, Raised> {
        for _ in 0..MOST_ROUNDS {
            match self.decide(condition, frame, answer, catching, line)? {
                Ok(true) => {}
                Ok(false) => return Ok(Flow::Next),
                Err(flow) => return Ok(flow),
            }
            match self.execute(body, frame, answer, catching)? {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Ok(Flow::Next),
                ended => return Ok(ended),
            }
        }
        let error = SqlError::unknown(format!("loops of more than {MOST_ROUNDS} rounds"));
        self.failed(error, line, answer, catching)
    }

    fn try_catch(
        &mut self,
        tried: &[Placed],
        caught: &[Placed],
        frame: &mut Frame,
        answer: &mut Answer,
        catching: bool,
    ) -> Result<Flow, Raised> {
        let (error, line) = match self.run_all(tried, frame, answer, true) {
            Err((error, line)) if !error.is_cancelled() && error.reach != Reach::Connection => (error, line),
            other => return other,
        };
        self.caught.push((error, line));
        let result = self.run_all(caught, frame, answer, catching);
        self.caught.pop();
        result
    }

    /// A statement that holds no other.
    fn plain(
        &mut self,
        statement: &Statement,
        frame: &mut Frame,
        answer: &mut Answer,
        line: u32,
    ) -> SqlResult<Flow> {
        match statement {
            Statement::Query(query) => self.select(query, frame, answer)?,
            Statement::Insert(insert) => self.insert(insert, frame, answer)?,
            Statement::Update(update) => self.update(update, frame, answer)?,
            Statement::Delete(delete) => self.delete(delete, frame, answer)?,
            Statement::Merge(merge) => self.merge(merge, frame, answer)?,
            Statement::Declare(declared) => {
                for (name, ty, value) in declared {
                    let value = match value {
                        Some(value) => self.evaluate_as(value, *ty, frame)?,
                        // A DECLARE that a loop comes by again gives no new value.
                        None => match frame.variables.get(name) {
                            Some((held, value)) if held == ty => value.clone(),
                            _ => Value::Null,
                        },
                    };
                    frame.variables.insert(name.clone(), (*ty, value));
                }
            }
            Statement::Assign(name, value) => {
                let (from, value) = self.evaluate(value, frame)?;
                self.assign(frame, name, from, &value)?;
                self.row_count = 1;
            }
            Statement::Option(name, value) => self.set_option(name, value)?,
            Statement::Print(text) => {
                let text = self.evaluate_text(text, frame)?.unwrap_or_default();
                let message = SqlError::new(0, 1, text).class(0);
                answer.message(&message, line)?;
            }
            Statement::RaiseError(arguments, options) => {
                self.raise_error(arguments, options, frame, answer, line)?
            }
            Statement::Throw(thrown) => return Err(self.thrown(thrown.as_deref(), frame)?),
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Return => return Ok(Flow::Return),
            Statement::WaitFor(delay) => self.wait_for(delay, frame)?,
            Statement::ExecText(text) => return self.exec_text(text, frame, answer),
            Statement::ExecProcedure(name, arguments, status) => {
                let failed = self.exec_procedure(name, arguments, status.as_deref(), frame, answer)?;
                return Ok(if failed { Flow::Abort } else { Flow::Next });
            }
            other => self.define_or_secure(other, answer)?,
        }
        Ok(Flow::Next)
    }

    fn exec_text(&mut self, text: &Expr, frame: &Frame, answer: &mut Answer) -> SqlResult<Flow> {
        // EXEC(NULL) does nothing, silently: that is T-SQL.
        let Some(text) = self.evaluate_text(text, frame)? else { return Ok(Flow::Next) };
        let failed = self.run_nested(&text, &mut Frame::default(), answer)?;
        Ok(if failed { Flow::Abort } else { Flow::Next })
    }

    fn wait_for(&mut self, delay: &Expr, frame: &Frame) -> SqlResult<()> {
        let text = self.evaluate_text(delay, frame)?.unwrap_or_default();
        let moment = Moment::parse(&text)
            .filter(|moment| moment.local.date() == crate::tds::value::moment::base_date());
        let Some(moment) = moment else {
            let text = format!("Incorrect time syntax in time string '{text}' used with WAITFOR.");
            return Err(SqlError::new(148, 1, text).class(15).ends_batch());
        };
        let nanos =
            moment.local.time().signed_duration_since(chrono::NaiveTime::MIN).num_nanoseconds().unwrap_or(0);
        self.cancel.sleep(Duration::from_nanos(nanos.unsigned_abs()))
    }
}

/// Whether an error was made by THROW.
fn is_thrown(error: &SqlError) -> bool {
    error.number >= 50_000 && error.number != crate::tds::error::UNKNOWN
}
