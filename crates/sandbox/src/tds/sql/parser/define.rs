//! Tables, indexes, schemas and databases.

use super::Parser;
use crate::tds::error::{SqlError, SqlResult};
use crate::tds::sql::ast::{
    AlterTable, ColumnDefinition, ConstraintDefinition, ConstraintKind, CreateIndex, Expr, Name, Reaction,
    Statement,
};
use crate::tds::sql::lexer::Token;
use crate::tds::value::{SqlType, collation};

impl Parser {
    /// What stands behind CREATE.
    pub(super) fn create(&mut self) -> SqlResult<Statement> {
        if self.word("TABLE") {
            return self.create_table();
        }
        if self.is_word("LOGIN") || self.is_word("USER") || self.is_word("ROLE") {
            return self.create_principal();
        }
        if self.word("SCHEMA") {
            let name = self.identifier()?;
            if self.word("AUTHORIZATION") {
                self.identifier()?;
            }
            return Ok(Statement::CreateSchema(name));
        }
        if self.word("DATABASE") {
            let name = self.identifier()?;
            if self.word("COLLATE") {
                let collation = self.identifier()?;
                return Err(SqlError::unknown(format!("another collation than its own ({collation})")));
            }
            return Ok(Statement::CreateDatabase(name));
        }
        let unique = self.word("UNIQUE");
        if self.is_word("CLUSTERED") || self.is_word("NONCLUSTERED") {
            self.at += 1;
        }
        if self.word("INDEX") {
            return self.create_index(unique).map(Statement::CreateIndex);
        }
        Err(SqlError::unknown(format!("CREATE {}", self.peek().shown().to_uppercase())))
    }

    fn create_table(&mut self) -> SqlResult<Statement> {
        let name = self.name()?;
        self.expect("(")?;
        let mut columns = Vec::new();
        let mut constraints = Vec::new();
        loop {
            match self.table_constraint()? {
                Some(constraint) => constraints.push(constraint),
                None => columns.push(self.column()?),
            }
            // SQL Server takes a comma before the bracket.
            if !self.symbol(",") || self.is_symbol(")") {
                break;
            }
        }
        self.expect(")")?;
        if self.word("ON") {
            self.identifier()?;
        }
        if self.is_word("WITH") {
            return Err(SqlError::unknown("table options (WITH)"));
        }
        Ok(Statement::CreateTable(name, columns, constraints))
    }

    fn column(&mut self) -> SqlResult<ColumnDefinition> {
        let name = self.identifier()?;
        if self.is_word("AS") {
            return Err(SqlError::unknown(format!("computed columns ({name})")));
        }
        let mut column = ColumnDefinition {
            ty: self.column_type(&name)?,
            name,
            nullable: None,
            identity: None,
            default: None,
            constraints: Vec::new(),
        };
        while self.column_option(&mut column)? {}
        Ok(column)
    }

    /// A column named `timestamp` may leave its type out; nothing else may.
    fn column_type(&mut self, name: &str) -> SqlResult<SqlType> {
        if name.eq_ignore_ascii_case("timestamp") && (self.is_symbol(",") || self.is_symbol(")")) {
            return Ok(SqlType::RowVersion);
        }
        self.data_type()
    }

    fn column_option(&mut self, column: &mut ColumnDefinition) -> SqlResult<bool> {
        if self.words(&["NOT", "NULL"]) {
            column.nullable = Some(false);
        } else if self.word("NULL") {
            column.nullable = Some(true);
        } else if self.word("IDENTITY") {
            let mut seed = (1, 1);
            if self.symbol("(") {
                seed.0 = self.signed_whole()?;
                self.expect(",")?;
                seed.1 = self.signed_whole()?;
                self.expect(")")?;
            }
            column.identity = Some(seed);
        } else if self.word("COLLATE") {
            let collation = self.identifier()?;
            if !collation.eq_ignore_ascii_case(collation::NAME)
                && !collation.eq_ignore_ascii_case("DATABASE_DEFAULT")
            {
                return Err(SqlError::unknown(format!("another collation than its own ({collation})")));
            }
        } else if self.is_word("SPARSE") || self.is_word("MASKED") || self.is_word("GENERATED") {
            return Err(SqlError::unknown(format!("the column option {}", self.peek().shown())));
        } else {
            let start = self.at;
            let name = if self.word("CONSTRAINT") { Some(self.identifier()?) } else { None };
            if self.word("DEFAULT") {
                column.default = Some((name, self.scalar()?));
                return Ok(true);
            }
            match self.constraint_kind(true)? {
                Some(kind) => column.constraints.push(ConstraintDefinition { name, kind }),
                None => {
                    self.at = start;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn signed_whole(&mut self) -> SqlResult<i64> {
        let negative = self.symbol("-");
        let number: i64 = self.whole()?;
        Ok(if negative { -number } else { number })
    }

    /// A constraint of the table, if one is next.
    fn table_constraint(&mut self) -> SqlResult<Option<ConstraintDefinition>> {
        let name = if self.word("CONSTRAINT") { Some(self.identifier()?) } else { None };
        if self.is_word("INDEX") {
            return Err(SqlError::unknown("indexes inside of CREATE TABLE"));
        }
        if name.is_some() && self.word("DEFAULT") {
            let value = self.scalar()?;
            self.expect_word("FOR")?;
            let kind = ConstraintKind::Default(value, self.identifier()?);
            return Ok(Some(ConstraintDefinition { name, kind }));
        }
        match self.constraint_kind(false)? {
            Some(kind) => Ok(Some(ConstraintDefinition { name, kind })),
            None if name.is_some() => Err(self.unexpected()),
            None => Ok(None),
        }
    }

    /// What a constraint demands; behind a column the columns are left out.
    fn constraint_kind(&mut self, behind_column: bool) -> SqlResult<Option<ConstraintKind>> {
        let primary = self.words(&["PRIMARY", "KEY"]);
        if primary || self.word("UNIQUE") {
            if self.is_word("CLUSTERED") || self.is_word("NONCLUSTERED") {
                self.at += 1;
            }
            let columns = if behind_column && !self.is_symbol("(") {
                Vec::new()
            } else {
                self.key_columns()?.into_iter().map(|(name, _)| name).collect()
            };
            self.index_options()?;
            let kind =
                if primary { ConstraintKind::Primary(columns) } else { ConstraintKind::Unique(columns) };
            return Ok(Some(kind));
        }
        if self.word("CHECK") {
            self.expect("(")?;
            let condition = self.expr()?;
            self.expect(")")?;
            return Ok(Some(ConstraintKind::Check(condition)));
        }
        let foreign = self.words(&["FOREIGN", "KEY"]);
        let short = behind_column && self.is_word("REFERENCES");
        if !foreign && !short {
            return Ok(None);
        }
        let columns = if foreign && self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
        self.expect_word("REFERENCES")?;
        let table = self.name()?;
        let referenced = if self.is_symbol("(") { self.identifiers()? } else { Vec::new() };
        let mut reactions = [Reaction::Refuse; 2];
        while self.word("ON") {
            let update = self.word("UPDATE");
            if !update {
                self.expect_word("DELETE")?;
            }
            reactions[usize::from(update)] = self.reaction()?;
        }
        let [delete, update] = reactions;
        Ok(Some(ConstraintKind::Foreign(columns, table, referenced, delete, update)))
    }

    fn reaction(&mut self) -> SqlResult<Reaction> {
        if self.words(&["NO", "ACTION"]) {
            Ok(Reaction::Refuse)
        } else if self.word("CASCADE") {
            Ok(Reaction::Cascade)
        } else if self.words(&["SET", "NULL"]) {
            Ok(Reaction::Null)
        } else if self.words(&["SET", "DEFAULT"]) {
            Ok(Reaction::Default)
        } else {
            Err(self.unexpected())
        }
    }

    fn key_columns(&mut self) -> SqlResult<Vec<(String, bool)>> {
        self.expect("(")?;
        let columns = self.list(|parser| {
            let name = parser.identifier()?;
            let descending = parser.word("DESC");
            if !descending {
                parser.word("ASC");
            }
            Ok((name, descending))
        })?;
        self.expect(")")?;
        Ok(columns)
    }

    /// WITH (...) and ON of an index: how pages are filled and where they lie, which changes no
    /// result. IGNORE_DUP_KEY does, and is refused.
    fn index_options(&mut self) -> SqlResult<()> {
        if self.is_word("WITH") {
            self.at += 1;
            self.expect("(")?;
            loop {
                let option = self.identifier()?;
                if option.eq_ignore_ascii_case("IGNORE_DUP_KEY") {
                    return Err(SqlError::unknown("IGNORE_DUP_KEY"));
                }
                self.expect("=")?;
                self.at += 1;
                if !self.symbol(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        // ON a filegroup; ON DELETE and ON UPDATE are not for here.
        if self.is_word("ON") && !self.is_word_at(1, "DELETE") && !self.is_word_at(1, "UPDATE") {
            self.at += 1;
            self.identifier()?;
        }
        Ok(())
    }

    fn create_index(&mut self, unique: bool) -> SqlResult<CreateIndex> {
        let name = self.identifier()?;
        self.expect_word("ON")?;
        let table = self.name()?;
        let columns = self.key_columns()?;
        let include = if self.word("INCLUDE") { self.identifiers()? } else { Vec::new() };
        let filter = if self.word("WHERE") { Some(self.expr()?) } else { None };
        self.index_options()?;
        Ok(CreateIndex { name, table, unique, columns, include, filter })
    }

    /// What stands behind ALTER.
    pub(super) fn alter(&mut self) -> SqlResult<Statement> {
        if self.word("TABLE") {
            let name = self.name()?;
            return Ok(Statement::AlterTable(name, self.alter_table()?));
        }
        if self.word("DATABASE") {
            let name = self.identifier()?;
            self.expect_word("SET")?;
            return self.alter_database(name);
        }
        self.alter_principal()
    }

    fn alter_table(&mut self) -> SqlResult<AlterTable> {
        // WITH CHECK is what happens anyway: what is there must fulfil a new constraint.
        self.words(&["WITH", "CHECK"]);
        if self.word("ADD") {
            let mut columns = Vec::new();
            let mut constraints = Vec::new();
            loop {
                match self.table_constraint()? {
                    Some(constraint) => constraints.push(constraint),
                    None if self.word("DEFAULT") => {
                        let value = self.scalar()?;
                        self.expect_word("FOR")?;
                        let kind = ConstraintKind::Default(value, self.identifier()?);
                        constraints.push(ConstraintDefinition { name: None, kind });
                    }
                    None => columns.push(self.column()?),
                }
                if !self.symbol(",") {
                    return Ok(AlterTable::Add(columns, constraints));
                }
            }
        }
        if self.words(&["DROP", "COLUMN"]) {
            return Ok(AlterTable::DropColumn(self.identifier()?));
        }
        if self.word("DROP") {
            self.word("CONSTRAINT");
            return Ok(AlterTable::DropConstraint(self.identifier()?));
        }
        Err(SqlError::unknown(format!("ALTER TABLE ... {}", self.peek().shown().to_uppercase())))
    }

    fn alter_database(&mut self, name: String) -> SqlResult<Statement> {
        let always = [
            &["READ_COMMITTED_SNAPSHOT", "ON"][..],
            &["ALLOW_SNAPSHOT_ISOLATION", "ON"],
            &["RECOVERY", "SIMPLE"],
            &["MULTI_USER"],
        ];
        for words in always {
            if self.words(words) {
                if self.word("WITH") {
                    self.words(&["ROLLBACK", "IMMEDIATE"]);
                    self.word("NO_WAIT");
                }
                return Ok(Statement::AlterDatabase(name));
            }
        }
        Err(SqlError::unknown(format!("ALTER DATABASE ... SET {}", self.peek().shown().to_uppercase())))
    }

    /// What stands behind DROP.
    pub(super) fn drop(&mut self) -> SqlResult<Statement> {
        let kind = match self.next() {
            Token::Word(word) => word.to_ascii_uppercase(),
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        };
        if kind == "LOGIN" {
            return Ok(Statement::DropLogin(self.identifier()?));
        }
        let if_exists = self.words(&["IF", "EXISTS"]);
        Ok(match kind.as_str() {
            "TABLE" => Statement::DropTable(self.list(Self::name)?, if_exists),
            "INDEX" => {
                let name = self.identifier()?;
                self.expect_word("ON")?;
                Statement::DropIndex(name, self.name()?, if_exists)
            }
            "SCHEMA" => Statement::DropSchema(self.identifier()?, if_exists),
            "DATABASE" => Statement::DropDatabase(self.list(Self::identifier)?, if_exists),
            "USER" => Statement::DropUser(self.identifier()?, if_exists),
            "ROLE" => Statement::DropRole(self.identifier()?, if_exists),
            other => return Err(SqlError::unknown(format!("DROP {other}"))),
        })
    }

    /// The names in `EXEC sp_x 'a', @b = 'c'`.
    pub(super) fn exec_argument(&mut self) -> SqlResult<(Option<String>, Expr, bool)> {
        let named =
            matches!(self.peek(), Token::Variable(_)) && matches!(self.peek_at(1), Token::Symbol("="));
        let name = if named {
            let name = self.variable()?;
            self.expect("=")?;
            Some(name)
        } else {
            None
        };
        // A bare word is a text here: EXEC sp_addrolemember db_datareader, app.
        let value = match self.peek().clone() {
            Token::Word(word)
                if !word.eq_ignore_ascii_case("NULL") && !word.eq_ignore_ascii_case("DEFAULT") =>
            {
                self.at += 1;
                Expr::Text(word, true)
            }
            Token::Quoted(word) => {
                self.at += 1;
                Expr::Text(word, true)
            }
            _ => self.scalar()?,
        };
        let output = self.word("OUTPUT") || self.word("OUT");
        Ok((name, value, output))
    }

    /// EXEC.
    pub(super) fn exec(&mut self) -> SqlResult<Statement> {
        if self.symbol("(") {
            let text = self.scalar()?;
            self.expect(")")?;
            if self.is_word("AS") || self.is_word("AT") {
                return Err(SqlError::unknown("EXEC ... AS and AT"));
            }
            return Ok(Statement::ExecText(text));
        }
        let status = if matches!(self.peek(), Token::Variable(_)) {
            let name = self.variable()?;
            self.expect("=")?;
            Some(name)
        } else {
            None
        };
        let procedure: Name = self.name()?;
        let ends = matches!(self.peek(), Token::End | Token::Symbol(";" | ")"))
            || matches!(self.peek(), Token::Word(word) if super::reserved::is_reserved(word) && !word.eq_ignore_ascii_case("NULL"));
        let arguments = if ends { Vec::new() } else { self.list(Self::exec_argument)? };
        Ok(Statement::ExecProcedure(procedure, arguments, status))
    }
}
