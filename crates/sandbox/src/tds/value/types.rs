//! The types, their names and which of two wins.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A T-SQL type. Lengths: characters for n(var)char, bytes else; `None` is `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SqlType {
    /// A bare NULL.
    Null,
    /// bit
    Bit,
    /// tinyint, 0 to 255
    TinyInt,
    /// smallint
    SmallInt,
    /// int
    Int,
    /// bigint
    BigInt,
    /// decimal(precision, scale) and numeric
    Decimal(u8, u8),
    /// smallmoney
    SmallMoney,
    /// money
    Money,
    /// real
    Real,
    /// float
    Float,
    /// char(n)
    Char(u16),
    /// varchar(n)
    VarChar(Option<u16>),
    /// nchar(n)
    NChar(u16),
    /// nvarchar(n)
    NVarChar(Option<u16>),
    /// binary(n)
    Binary(u16),
    /// varbinary(n)
    VarBinary(Option<u16>),
    /// rowversion
    RowVersion,
    /// uniqueidentifier
    Guid,
    /// date
    Date,
    /// time(scale)
    Time(u8),
    /// smalldatetime
    SmallDateTime,
    /// datetime
    DateTime,
    /// datetime2(scale)
    DateTime2(u8),
    /// datetimeoffset(scale)
    DateTimeOffset(u8),
}

use SqlType::*;

impl SqlType {
    /// sysname: what names of objects have.
    pub const NAME: Self = NVarChar(Some(128));

    /// The type's name without lengths, as messages write it.
    pub fn name(self) -> &'static str {
        match self {
            Null => "NULL",
            Bit => "bit",
            TinyInt => "tinyint",
            SmallInt => "smallint",
            Int => "int",
            BigInt => "bigint",
            Decimal(..) => "numeric",
            SmallMoney => "smallmoney",
            Money => "money",
            Real => "real",
            Float => "float",
            Char(_) => "char",
            VarChar(_) => "varchar",
            NChar(_) => "nchar",
            NVarChar(_) => "nvarchar",
            Binary(_) => "binary",
            VarBinary(_) => "varbinary",
            RowVersion => "timestamp",
            Guid => "uniqueidentifier",
            Date => "date",
            Time(_) => "time",
            SmallDateTime => "smalldatetime",
            DateTime => "datetime",
            DateTime2(_) => "datetime2",
            DateTimeOffset(_) => "datetimeoffset",
        }
    }

    /// bit to bigint.
    pub fn is_integer(self) -> bool {
        matches!(self, Bit | TinyInt | SmallInt | Int | BigInt)
    }

    /// decimal and the two moneys: held as text.
    pub fn is_decimal(self) -> bool {
        matches!(self, Decimal(..) | Money | SmallMoney)
    }

    /// real and float.
    pub fn is_float(self) -> bool {
        matches!(self, Real | Float)
    }

    /// Any number.
    pub fn is_number(self) -> bool {
        self.is_integer() || self.is_decimal() || self.is_float()
    }

    /// char to nvarchar(max).
    pub fn is_text(self) -> bool {
        matches!(self, Char(_) | VarChar(_) | NChar(_) | NVarChar(_))
    }

    /// nchar and nvarchar.
    pub fn is_national(self) -> bool {
        matches!(self, NChar(_) | NVarChar(_))
    }

    /// binary, varbinary and rowversion.
    pub fn is_binary(self) -> bool {
        matches!(self, Binary(_) | VarBinary(_) | RowVersion)
    }

    /// date to datetimeoffset.
    pub fn is_moment(self) -> bool {
        matches!(self, Date | Time(_) | SmallDateTime | DateTime | DateTime2(_) | DateTimeOffset(_))
    }

    /// The scale of a decimal, money or integer.
    pub fn scale(self) -> u8 {
        match self {
            Decimal(_, scale) | Time(scale) | DateTime2(scale) | DateTimeOffset(scale) => scale,
            Money | SmallMoney => 4,
            DateTime => 3,
            _ => 0,
        }
    }

    /// As a decimal wide enough for every value of the type.
    pub fn as_decimal(self) -> (u8, u8) {
        match self {
            Decimal(precision, scale) => (precision, scale),
            Money => (19, 4),
            SmallMoney => (10, 4),
            Bit => (1, 0),
            TinyInt => (3, 0),
            SmallInt => (5, 0),
            Int => (10, 0),
            BigInt => (19, 0),
            _ => (38, 6),
        }
    }

    /// The declared length of a text or binary; `None` is `max`, and what all else says.
    pub fn length(self) -> Option<u16> {
        match self {
            Char(n) | NChar(n) | Binary(n) => Some(n),
            VarChar(n) | NVarChar(n) | VarBinary(n) => n,
            _ => None,
        }
    }

    /// The collation SQLite must compare the stored form with; `None` for its own order.
    pub fn collation(self) -> Option<&'static str> {
        match self {
            t if t.is_text() => Some("tds_text"),
            t if t.is_decimal() => Some("tds_decimal"),
            Guid => Some("tds_guid"),
            DateTimeOffset(_) => Some("tds_offset"),
            _ => None,
        }
    }

    /// SQLite's storage class of the stored form, for STRICT tables.
    pub fn storage(self) -> &'static str {
        match self {
            t if t.is_integer() => "INTEGER",
            t if t.is_float() => "REAL",
            t if t.is_binary() => "BLOB",
            _ => "TEXT",
        }
    }

    /// The type as a number, to hand it to a function of SQLite.
    pub fn code(self) -> i64 {
        let (kind, first, second): (i64, i64, i64) = match self {
            Null => (0, 0, 0),
            Bit => (1, 0, 0),
            TinyInt => (2, 0, 0),
            SmallInt => (3, 0, 0),
            Int => (4, 0, 0),
            BigInt => (5, 0, 0),
            Decimal(precision, scale) => (6, precision.into(), scale.into()),
            SmallMoney => (7, 0, 0),
            Money => (8, 0, 0),
            Real => (9, 0, 0),
            Float => (10, 0, 0),
            Char(n) => (11, n.into(), 0),
            VarChar(n) => (12, n.unwrap_or(0).into(), 0),
            NChar(n) => (13, n.into(), 0),
            NVarChar(n) => (14, n.unwrap_or(0).into(), 0),
            Binary(n) => (15, n.into(), 0),
            VarBinary(n) => (16, n.unwrap_or(0).into(), 0),
            RowVersion => (17, 0, 0),
            Guid => (18, 0, 0),
            Date => (19, 0, 0),
            Time(scale) => (20, scale.into(), 0),
            SmallDateTime => (21, 0, 0),
            DateTime => (22, 0, 0),
            DateTime2(scale) => (23, scale.into(), 0),
            DateTimeOffset(scale) => (24, scale.into(), 0),
        };
        kind << 32 | first << 8 | second
    }

    /// The type of a number that [`SqlType::code`] gave.
    pub fn from_code(code: i64) -> Option<Self> {
        let length = u16::try_from(code >> 8 & 0xFFFF).ok()?;
        let limited = (length > 0).then_some(length);
        let (first, second) = (u8::try_from(code >> 8 & 0xFF).ok()?, u8::try_from(code & 0xFF).ok()?);
        Some(match code >> 32 {
            0 => Null,
            1 => Bit,
            2 => TinyInt,
            3 => SmallInt,
            4 => Int,
            5 => BigInt,
            6 => Decimal(first, second),
            7 => SmallMoney,
            8 => Money,
            9 => Real,
            10 => Float,
            11 => Char(length),
            12 => VarChar(limited),
            13 => NChar(length),
            14 => NVarChar(limited),
            15 => Binary(length),
            16 => VarBinary(limited),
            17 => RowVersion,
            18 => Guid,
            19 => Date,
            20 => Time(first),
            21 => SmallDateTime,
            22 => DateTime,
            23 => DateTime2(first),
            24 => DateTimeOffset(first),
            _ => return None,
        })
    }

    /// The place in the order of data type precedence: the higher one wins.
    fn precedence(self) -> u8 {
        match self {
            Null => 0,
            Binary(_) => 1,
            VarBinary(_) => 2,
            Char(_) => 3,
            VarChar(_) => 4,
            NChar(_) => 5,
            NVarChar(_) => 6,
            Guid => 7,
            RowVersion => 8,
            Bit => 10,
            TinyInt => 11,
            SmallInt => 12,
            Int => 13,
            BigInt => 14,
            SmallMoney => 15,
            Money => 16,
            Decimal(..) => 17,
            Real => 18,
            Float => 19,
            Time(_) => 20,
            Date => 21,
            SmallDateTime => 22,
            DateTime => 23,
            DateTime2(_) => 24,
            DateTimeOffset(_) => 25,
        }
    }

    /// The type both sides of an operator are brought to.
    pub fn unify(self, other: Self) -> Self {
        let (low, high) = if self.precedence() <= other.precedence() { (self, other) } else { (other, self) };
        let longer = || match (low.length(), high.length()) {
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
        match (low, high) {
            (Null, other) => other,
            (low, Decimal(..)) => {
                let ((p1, s1), (p2, s2)) = (low.as_decimal(), high.as_decimal());
                if low.is_text() {
                    return high;
                }
                let scale = s1.max(s2);
                Decimal(((p1 - s1).max(p2 - s2) + scale).min(38), scale)
            }
            (low, VarChar(_)) if low.is_text() => VarChar(longer()),
            (low, NVarChar(_)) if low.is_text() => NVarChar(longer().map(|n| n.min(4000))),
            (low, NChar(n)) if low.is_text() => match low {
                NChar(m) => NChar(n.max(m)),
                _ => NVarChar(longer().map(|n| n.min(4000))),
            },
            (Char(n), Char(m)) => Char(n.max(m)),
            (low, VarBinary(_)) if low.is_binary() => VarBinary(longer()),
            (Binary(n), Binary(m)) => Binary(n.max(m)),
            (Time(a), Time(b)) => Time(a.max(b)),
            (low, DateTime2(b)) if low.is_moment() => DateTime2(low.scale().max(b)),
            (low, DateTimeOffset(b)) if low.is_moment() => DateTimeOffset(low.scale().max(b)),
            (_, high) => high,
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |n: &Option<u16>| n.map_or("max".to_owned(), |n| n.to_string());
        match self {
            Decimal(p, s) => write!(f, "decimal({p},{s})"),
            Char(n) | NChar(n) | Binary(n) => write!(f, "{}({n})", self.name()),
            VarChar(n) | NVarChar(n) | VarBinary(n) => write!(f, "{}({})", self.name(), length(n)),
            Time(s) | DateTime2(s) | DateTimeOffset(s) => write!(f, "{}({s})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_as_the_type() {
        for ty in [
            Null,
            Bit,
            Decimal(38, 10),
            Char(8000),
            VarChar(None),
            NVarChar(Some(4000)),
            VarBinary(Some(1)),
            Time(0),
            DateTime2(7),
            DateTimeOffset(3),
            RowVersion,
            Guid,
            Date,
            SmallMoney,
            Float,
        ] {
            assert_eq!(SqlType::from_code(ty.code()), Some(ty));
        }
    }

    #[test]
    fn the_higher_type_wins_and_is_wide_enough() {
        for (left, right, both) in [
            (Int, BigInt, BigInt),
            (Int, Decimal(10, 2), Decimal(12, 2)),
            (Decimal(38, 0), Decimal(10, 4), Decimal(38, 4)),
            (Decimal(5, 2), Float, Float),
            (VarChar(Some(10)), NVarChar(Some(4)), NVarChar(Some(10))),
            (NVarChar(None), VarChar(Some(3)), NVarChar(None)),
            (Char(3), NChar(2), NVarChar(Some(3))),
            (NVarChar(Some(9)), Int, Int),
            (Date, DateTime2(3), DateTime2(3)),
            (DateTime2(7), DateTimeOffset(2), DateTimeOffset(7)),
            (Null, Guid, Guid),
        ] {
            assert_eq!(left.unify(right), both, "{left} with {right}");
            assert_eq!(right.unify(left), both, "{right} with {left}");
        }
    }
}
