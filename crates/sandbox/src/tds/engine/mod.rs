//! What runs statements: the server's databases, logins and locks, and one [`session::Session`] per
//! connection.

pub mod answer;
pub mod batch;
pub mod call;
pub mod catalog;
pub mod constraints;
pub mod database;
pub mod define;
pub mod dispatch;
pub mod functions;
mod grants;
pub mod locks;
pub mod logins;
pub mod merge;
pub mod modify;
pub mod principals;
pub mod procedures;
pub mod raise;
pub mod rights;
pub mod select;
pub mod server;
pub mod session;
pub mod settings;
pub mod transaction;
