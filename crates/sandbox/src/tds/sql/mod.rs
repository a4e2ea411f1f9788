//! T-SQL as text: from characters to a tree.
//!
//! The characters are cut into tokens by sqlparser with its MsSqlDialect. The grammar above them is
//! our own: sqlparser's refuses a quarter of everyday T-SQL (`FETCH NEXT @p ROWS`, `PRIMARY KEY
//! CLUSTERED`, `SAVE TRAN`, `BEGIN TRY`, `MERGE ... WITH (HOLDLOCK)`, all of the login statements)
//! and misreads some of the rest (`FROM t (NOLOCK)`, a statement that follows another without a
//! semicolon). A grammar that holds only what the server can do also refuses everything else by
//! itself, with the word at which it stopped understanding.

pub mod ast;
pub mod lexer;
pub mod parser;
