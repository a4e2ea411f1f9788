//! Data types by their names.

use crate::tds::error::{SqlError, SqlResult};
use crate::tds::value::SqlType;

pub(super) fn type_of(name: &str, varying: bool, arguments: &[Option<u32>]) -> SqlResult<SqlType> {
    let wrong = || {
        SqlError::new(2716, 1, format!("Cannot specify that length, precision or scale on data type {name}."))
            .class(16)
            .ends_batch()
    };
    let length = |most: u16, national: bool| match arguments {
        [] => Ok(Some(1)),
        [None] => Ok(None),
        [Some(n)] => match u16::try_from(*n) {
            Ok(n) if (1..=most).contains(&n) => Ok(Some(n)),
            _ => Err(SqlError::new(
                131,
                3,
                format!(
                    "The size ({n}) given to the type '{name}' exceeds the maximum allowed for any data type \
                     ({}).",
                    if national { 4000 } else { 8000 }
                ),
            )
            .class(15)
            .ends_batch()),
        },
        _ => Err(wrong()),
    };
    let fixed = |most: u16, national: bool| length(most, national)?.ok_or_else(wrong);
    let scale = || match arguments {
        [] => Ok(7),
        [Some(n @ 0..=7)] => Ok(*n as u8),
        _ => Err(wrong()),
    };
    let plain = |ty| if arguments.is_empty() { Ok(ty) } else { Err(wrong()) };
    match name {
        "bit" => plain(SqlType::Bit),
        "tinyint" => plain(SqlType::TinyInt),
        "smallint" => plain(SqlType::SmallInt),
        "int" | "integer" => plain(SqlType::Int),
        "bigint" => plain(SqlType::BigInt),
        "money" => plain(SqlType::Money),
        "smallmoney" => plain(SqlType::SmallMoney),
        "real" => plain(SqlType::Real),
        "float" => match arguments {
            [] | [Some(25..=53)] => Ok(SqlType::Float),
            [Some(1..=24)] => Ok(SqlType::Real),
            _ => Err(wrong()),
        },
        "decimal" | "numeric" | "dec" => match arguments {
            [] => Ok(SqlType::Decimal(18, 0)),
            [Some(p @ 1..=38)] => Ok(SqlType::Decimal(*p as u8, 0)),
            [Some(p @ 1..=38), Some(s)] if s <= p => Ok(SqlType::Decimal(*p as u8, *s as u8)),
            _ => Err(wrong()),
        },
        "char" | "character" if varying => length(8000, false).map(SqlType::VarChar),
        "char" | "character" => fixed(8000, false).map(SqlType::Char),
        "varchar" => length(8000, false).map(SqlType::VarChar),
        "nchar" if varying => length(4000, true).map(SqlType::NVarChar),
        "nchar" => fixed(4000, true).map(SqlType::NChar),
        "nvarchar" => length(4000, true).map(SqlType::NVarChar),
        "sysname" => plain(SqlType::NAME),
        "text" => plain(SqlType::VarChar(None)),
        "ntext" => plain(SqlType::NVarChar(None)),
        "image" => plain(SqlType::VarBinary(None)),
        "binary" => fixed(8000, false).map(SqlType::Binary),
        "varbinary" => length(8000, false).map(SqlType::VarBinary),
        "rowversion" | "timestamp" => plain(SqlType::RowVersion),
        "uniqueidentifier" => plain(SqlType::Guid),
        "date" => plain(SqlType::Date),
        "time" => scale().map(SqlType::Time),
        "smalldatetime" => plain(SqlType::SmallDateTime),
        "datetime" => plain(SqlType::DateTime),
        "datetime2" => scale().map(SqlType::DateTime2),
        "datetimeoffset" => scale().map(SqlType::DateTimeOffset),
        other => Err(SqlError::unknown(format!("the data type {other}"))),
    }
}
