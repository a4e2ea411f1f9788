//! `GET /courses`: the published courses, the newest first, page by page.
//!
//! Paging is by key and not by offset: a page begins after the sort key of the last course of the
//! page before, so that a course that is published or withdrawn meanwhile neither repeats nor hides
//! another, and the last page costs no more than the first.

use chrono::NaiveDateTime;
use lambda_http::http::StatusCode;
use model::courses::{Course, Level, Page};
use tiberius::Row;
use tiberius::numeric::Numeric;

use crate::api::Api;
use crate::cursor;
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Route};
use crate::sql::{SqlError, Statement, Value};

/// `GET /courses?limit=&cursor=`.
pub const LIST: Route = Route { method: "GET", path: "/courses", handle: list };

/// The order: when it was published, and the id between those of the same time. Both descending.
type Key = (NaiveDateTime, i64);

const FIRST_PAGE: &str = "\
    SELECT TOP (@P1) id, slug, title, summary, level, price, published_at \
    FROM dbo.courses \
    WHERE published_at <= SYSUTCDATETIME() \
    ORDER BY published_at DESC, id DESC";

const NEXT_PAGE: &str = "\
    SELECT TOP (@P1) id, slug, title, summary, level, price, published_at \
    FROM dbo.courses \
    WHERE published_at <= SYSUTCDATETIME() \
    AND (published_at < @P2 OR (published_at = @P2 AND id < @P3)) \
    ORDER BY published_at DESC, id DESC";

fn list<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let mut input = request.query(&["limit", "cursor"]);
        let limit = input.whole_number("limit", 20, 1..=100);
        let after = input.parsed("cursor", cursor::decode::<Key>);
        input.finish()?;
        // One more than asked for tells whether there is another page.
        let rows = Value::Integer(i64::from(limit) + 1);
        let statement = match after {
            None => Statement::new(FIRST_PAGE).bind(rows),
            Some((published_at, id)) => {
                Statement::new(NEXT_PAGE).bind(rows).bind(Value::Time(published_at)).bind(Value::Integer(id))
            }
        };
        let answer = api.database.read(&statement, &request.meter, request.deadline).await?;
        let courses: Vec<_> = answer.rows.iter().map(course).collect::<Result<_, _>>()?;
        Ok(response::json(StatusCode::OK, &page(courses, limit as usize)))
    })
}

fn page(mut courses: Vec<(Key, Course)>, limit: usize) -> Page<Course> {
    let more = courses.len() > limit;
    courses.truncate(limit);
    let next_cursor = courses.last().filter(|_| more).map(|(key, _)| cursor::encode(key));
    Page { items: courses.into_iter().map(|(_, course)| course).collect(), next_cursor }
}

fn course(row: &Row) -> Result<(Key, Course), SqlError> {
    let published_at: NaiveDateTime = column(row, "published_at")?;
    let level: &str = column(row, "level")?;
    let course = Course {
        slug: column::<&str>(row, "slug")?.to_owned(),
        title: column::<&str>(row, "title")?.to_owned(),
        summary: column::<&str>(row, "summary")?.to_owned(),
        level: Level::from_name(level)
            .ok_or_else(|| SqlError::Shape(format!("level is {level:?}, which is not known")))?,
        price: decimal(column(row, "price")?),
        published_at: published_at.and_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    };
    Ok(((published_at, column(row, "id")?), course))
}

fn column<'r, T: tiberius::FromSql<'r>>(row: &'r Row, name: &str) -> Result<T, SqlError> {
    match row.try_get(name) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(SqlError::Shape(format!("{name} is null"))),
        Err(error) => Err(SqlError::Shape(format!("{name}: {error}"))),
    }
}

/// The digits as they are, with as many places as the column has.
fn decimal(number: Numeric) -> String {
    let places = usize::from(number.scale());
    let digits = format!("{:0>width$}", number.value().unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if number.value() < 0 { "-" } else { "" };
    let point = if places == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit() {
        let cases = [
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (4_900, 2, "49.00"),
            (-105, 2, "-1.05"),
            (9_999_999_999, 2, "99999999.99"),
            (12, 0, "12"),
            (1, 4, "0.0001"),
        ];
        for (value, scale, text) in cases {
            assert_eq!(decimal(Numeric::new_with_scale(value, scale)), text);
        }
    }

    #[test]
    fn a_cursor_is_given_when_there_is_more() {
        let course = |id: i64| {
            let at: NaiveDateTime = "2026-01-01T00:00:00".parse().unwrap();
            let course = Course {
                slug: id.to_string(),
                title: String::new(),
                summary: String::new(),
                level: Level::Beginner,
                price: "0.00".to_owned(),
                published_at: String::new(),
            };
            ((at, id), course)
        };
        for (rows, items, cursor_of) in [(0, 0, None), (1, 1, None), (2, 2, None), (3, 2, Some(2))] {
            let page = page((1..=rows).map(course).collect(), 2);
            assert_eq!(page.items.len(), items);
            let key = page.next_cursor.map(|cursor| cursor::decode::<Key>(&cursor).unwrap().1);
            assert_eq!(key, cursor_of, "{rows} rows");
        }
    }
}
