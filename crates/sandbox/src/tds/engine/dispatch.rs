//! Statements about transactions, definitions and security: who does what.

use super::answer::Answer;
use super::session::Session;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::Statement;
use crate::tds::wire::tokens;

impl Session {
    /// Runs one of them.
    ///
    /// # Errors
    /// Whatever it fails with.
    pub fn define_or_secure(&mut self, statement: &Statement, answer: &mut Answer) -> SqlResult<()> {
        match statement {
            Statement::Begin => {
                let turn = self.begin();
                self.tell_turn(turn, answer)?;
            }
            Statement::Commit => {
                let turn = self.commit()?;
                self.tell_turn(turn, answer)?;
            }
            Statement::Rollback(Some(name)) if self.is_savepoint(name) => self.rollback_to(name)?,
            Statement::Rollback(_) => {
                let turn = self.rollback()?;
                self.tell_turn(Some(turn), answer)?;
            }
            Statement::Save(name) => self.save(name)?,
            Statement::Use(name) => {
                let old = self.database.name.clone();
                self.enter(name)?;
                let new = self.database.name.clone();
                let text = format!("Changed database context to '{new}'.");
                answer.tokens(|out| {
                    tokens::changed_text(out, 1, &new, &old);
                    tokens::message(out, &SqlError::new(5701, 2, text).class(0), 1);
                    Ok(())
                })?;
            }
            Statement::Truncate(name) => self.truncate(name)?,
            Statement::CreateTable(name, columns, constraints) => {
                self.create_table(name, columns, constraints)?
            }
            Statement::AlterTable(name, change) => self.alter_table(name, change)?,
            Statement::DropTable(names, if_exists) => self.drop_tables(names, *if_exists)?,
            Statement::CreateIndex(create) => self.create_index(create)?,
            Statement::DropIndex(name, table, if_exists) => self.drop_index(name, table, *if_exists)?,
            Statement::CreateSchema(name) => self.create_schema(name)?,
            Statement::DropSchema(name, if_exists) => self.drop_schema(name, *if_exists)?,
            Statement::CreateDatabase(name) => self.create_database(name)?,
            Statement::DropDatabase(names, if_exists) => self.drop_databases(names, *if_exists)?,
            Statement::AlterDatabase(name) => {
                if self.server.database(name).is_none() {
                    return Err(SqlError::cannot("alter", "database", name));
                }
            }
            Statement::CreateLogin(name, options) => self.create_login(name, options)?,
            Statement::AlterLogin(name, options) => self.alter_login(name, options)?,
            Statement::DropLogin(name) => self.drop_login(name)?,
            Statement::CreateUser(name, login) => self.create_user(name, login)?,
            Statement::AlterUser(name) => self.alter_user(name)?,
            Statement::DropUser(name, if_exists) => self.drop_user(name, *if_exists)?,
            Statement::CreateRole(name) => self.create_role(name)?,
            Statement::DropRole(name, if_exists) => self.drop_role(name, *if_exists)?,
            Statement::AlterRole(server, role, add, member) => {
                self.alter_role(*server, role, *add, member)?
            }
            Statement::Right(change, rights, securable, principals, grantable) => {
                self.change_rights(*change, rights, securable, principals, *grantable)?;
            }
            _ => return Err(SqlError::internal("a statement that nobody runs")),
        }
        self.row_count = 0;
        Ok(())
    }
}
