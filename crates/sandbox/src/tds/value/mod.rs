//! Types and values. A value is held in SQLite's own five storage classes; which T-SQL type it has
//! is known from the statement and the catalogue, never from the value. The stored form of each
//! type is chosen so that SQLite's comparison, helped by a collation where the type says so, orders
//! it as T-SQL does:
//!
//! | type | stored form |
//! |---|---|
//! | bit, tinyint ... bigint | INTEGER |
//! | decimal, money | TEXT, all digits of the scale written out, collation `tds_decimal` |
//! | real, float | REAL |
//! | char ... nvarchar(max) | TEXT, collation `tds_text` |
//! | binary, varbinary, rowversion | BLOB |
//! | uniqueidentifier | TEXT, upper case, collation `tds_guid` |
//! | date, time, datetime, datetime2 | TEXT, ISO 8601, seven digits of the second |
//! | datetimeoffset | TEXT, in UTC, then a space and the offset, collation `tds_offset` |

pub mod collation;
pub mod convert;
pub mod decimal;
pub mod moment;
mod text;
mod types;

pub use rusqlite::types::Value;
pub use types::SqlType;
