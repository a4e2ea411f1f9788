//! Logins, users, roles and rights.

use super::Parser;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{LoginOptions, RightChange, Securable, Statement};
use crate::tds::sql::lexer::Token;

impl Parser {
    /// CREATE LOGIN, USER or ROLE.
    pub(super) fn create_principal(&mut self) -> SqlResult<Statement> {
        if self.word("LOGIN") {
            let name = self.identifier()?;
            self.expect_word("WITH")?;
            return Ok(Statement::CreateLogin(name, self.login_options()?));
        }
        if self.word("ROLE") {
            let name = self.identifier()?;
            if self.word("AUTHORIZATION") {
                self.identifier()?;
            }
            return Ok(Statement::CreateRole(name));
        }
        self.expect_word("USER")?;
        let name = self.identifier()?;
        let login = if self.word("FOR") || self.word("FROM") {
            self.expect_word("LOGIN")?;
            self.identifier()?
        } else if self.is_word("WITHOUT") {
            return Err(SqlError::unknown("users without a login"));
        } else {
            name.clone()
        };
        if self.word("WITH") {
            self.default_schema()?;
        }
        Ok(Statement::CreateUser(name, login))
    }

    fn default_schema(&mut self) -> SqlResult<()> {
        self.expect_word("DEFAULT_SCHEMA")?;
        self.expect("=")?;
        let schema = self.identifier()?;
        if !schema.eq_ignore_ascii_case("dbo") {
            return Err(SqlError::unknown(format!("another default schema than dbo ({schema})")));
        }
        Ok(())
    }

    fn login_options(&mut self) -> SqlResult<LoginOptions> {
        let mut options = LoginOptions::default();
        loop {
            let option = self.identifier()?.to_ascii_uppercase();
            self.expect("=")?;
            match option.as_str() {
                "PASSWORD" => {
                    if let Token::Binary(_) = self.peek() {
                        return Err(SqlError::unknown("hashed passwords (HASHED)"));
                    }
                    options.password = Some(self.text()?);
                    if self.is_word("HASHED") {
                        return Err(SqlError::unknown("hashed passwords (HASHED)"));
                    }
                    options.must_change |= self.word("MUST_CHANGE");
                    options.unlock |= self.word("UNLOCK");
                }
                "OLD_PASSWORD" => options.old_password = Some(self.text()?),
                "DEFAULT_DATABASE" => options.default_database = Some(self.identifier()?),
                "DEFAULT_LANGUAGE" => {
                    let language = self.identifier()?;
                    if !language.eq_ignore_ascii_case("us_english")
                        && !language.eq_ignore_ascii_case("English")
                    {
                        return Err(SqlError::unknown(format!("the language {language}")));
                    }
                }
                "CHECK_POLICY" => options.check_policy = Some(self.on_or_off()?),
                "CHECK_EXPIRATION" => {
                    // It goes with MUST_CHANGE, and no password gets old enough here to expire.
                    if self.on_or_off()? && !options.must_change {
                        return Err(SqlError::unknown("passwords that expire (CHECK_EXPIRATION = ON)"));
                    }
                }
                other => return Err(SqlError::unknown(format!("the login option {other}"))),
            }
            // ALTER LOGIN has OLD_PASSWORD behind the password without a comma.
            if !self.symbol(",") && !self.is_word("OLD_PASSWORD") {
                return Ok(options);
            }
        }
    }

    fn on_or_off(&mut self) -> SqlResult<bool> {
        if self.word("ON") {
            return Ok(true);
        }
        self.expect_word("OFF")?;
        Ok(false)
    }

    /// ALTER LOGIN, USER, ROLE and SERVER ROLE.
    pub(super) fn alter_principal(&mut self) -> SqlResult<Statement> {
        if self.word("LOGIN") {
            let name = self.identifier()?;
            let options = if self.word("ENABLE") {
                LoginOptions { enabled: Some(true), ..LoginOptions::default() }
            } else if self.word("DISABLE") {
                LoginOptions { enabled: Some(false), ..LoginOptions::default() }
            } else {
                self.expect_word("WITH")?;
                self.login_options()?
            };
            return Ok(Statement::AlterLogin(name, options));
        }
        if self.word("USER") {
            let name = self.identifier()?;
            self.expect_word("WITH")?;
            if !self.is_word("DEFAULT_SCHEMA") {
                return Err(SqlError::unknown("ALTER USER but for its default schema"));
            }
            self.default_schema()?;
            return Ok(Statement::AlterUser(name));
        }
        let server = self.words(&["SERVER", "ROLE"]);
        if server || self.word("ROLE") {
            let role = self.identifier()?;
            let add = self.word("ADD");
            if !add {
                self.expect_word("DROP")?;
            }
            self.expect_word("MEMBER")?;
            return Ok(Statement::AlterRole(server, role, add, self.identifier()?));
        }
        Err(SqlError::unknown(format!("ALTER {}", self.peek().shown().to_uppercase())))
    }

    /// GRANT, DENY and REVOKE.
    pub(super) fn right(&mut self, change: RightChange) -> SqlResult<Statement> {
        if change == RightChange::Revoke && self.is_word("GRANT") {
            return Err(SqlError::unknown("REVOKE GRANT OPTION FOR"));
        }
        let rights = self.list(Self::right_name)?;
        let securable = if self.word("ON") { self.securable()? } else { Securable::Implied };
        if !(change == RightChange::Revoke && self.word("FROM")) {
            self.expect_word("TO")?;
        }
        let principals = self.list(Self::identifier_or_public)?;
        let grantable = change == RightChange::Grant && self.words(&["WITH", "GRANT", "OPTION"]);
        // A right that was passed on is its new holder's own here, so that REVOKE reaches no further
        // with it than without.
        if change == RightChange::Revoke {
            self.word("CASCADE");
        }
        if self.is_word("WITH") || self.is_word("CASCADE") || self.is_word("AS") {
            return Err(SqlError::unknown("CASCADE of a denied right, and AS of a right"));
        }
        Ok(Statement::Right(change, rights, securable, principals, grantable))
    }

    /// A right is one word or several: ALTER ANY LOGIN.
    fn right_name(&mut self) -> SqlResult<String> {
        let mut words = Vec::new();
        while let Token::Word(word) = self.peek() {
            if ["ON", "TO", "FROM"].iter().any(|end| word.eq_ignore_ascii_case(end)) {
                break;
            }
            words.push(word.to_ascii_uppercase());
            self.at += 1;
        }
        if words.is_empty() {
            return Err(self.unexpected());
        }
        if self.is_symbol("(") {
            return Err(SqlError::unknown("rights on single columns"));
        }
        Ok(words.join(" "))
    }

    fn securable(&mut self) -> SqlResult<Securable> {
        if self.is_word_at(0, "SCHEMA") && matches!(self.peek_at(1), Token::Symbol("::")) {
            self.at += 2;
            return self.identifier().map(Securable::Schema);
        }
        if self.is_word_at(0, "OBJECT") && matches!(self.peek_at(1), Token::Symbol("::")) {
            self.at += 2;
        } else if matches!(self.peek_at(1), Token::Symbol("::")) {
            return Err(SqlError::unknown(format!("rights on {}::", self.peek().shown().to_uppercase())));
        }
        self.name().map(Securable::Object)
    }

    fn identifier_or_public(&mut self) -> SqlResult<String> {
        if self.word("PUBLIC") { Ok("public".to_owned()) } else { self.identifier() }
    }
}
