//! Courses: the public list, one with its lessons, and what an author changes.
//!
//! A change is one batch in one transaction, and one round trip. It begins by taking the course's row
//! with the lock of a writer, so that of two authors one is first, and the other finds that the row is
//! no longer what they saw.

pub mod change;
pub mod list;
pub mod read;

use lambda_http::http::HeaderValue;
use lambda_http::http::StatusCode;
use lambda_http::http::header::{CACHE_CONTROL, ETAG};
use model::courses::{CourseDetail, Lesson, Level};
use tiberius::Row;

use crate::etag::{self, Condition};
use crate::problem::{Kind, Problem};
use crate::request::Request;
use crate::response::{self, Response};
use crate::sql::row::{column, count, decimal, optional, text, utc, version};
use crate::sql::{Answer, SqlError, Statement, Value};

/// The longest name of a course in addresses, as the column has it.
const LONGEST_SLUG: usize = 80;

/// The course a path names.
///
/// # Errors
/// 404 when no course can have that name: the database need not be asked.
pub fn slug(request: &Request) -> Result<String, Problem> {
    let slug = request.path("slug");
    if is_slug(slug) { Ok(slug.to_owned()) } else { Err(unknown()) }
}

/// Whether a text may be a course's name: words of lower-case letters and digits, parted by single
/// hyphens.
fn is_slug(text: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= LONGEST_SLUG && text.split('-').all(word)
}

/// 404: there is no such course.
pub fn unknown() -> Problem {
    Problem::new(Kind::NotFound, "There is no course of this name.")
}

/// The beginning of every change of a course: takes its row, and answers `missing` or `stale` unless
/// the condition holds. What follows is to be a block, and `FINISH`.
pub fn take(slug: String, condition: Condition) -> Statement {
    let statement = Statement::new(
        "SET NOCOUNT ON; SET XACT_ABORT ON; \
         DECLARE @id bigint, @version binary(8); \
         BEGIN TRANSACTION; \
         SELECT @id = id, @version = row_version FROM dbo.courses WITH (UPDLOCK, HOLDLOCK) WHERE slug = ",
    )
    .value(Value::Text(slug))
    .then("; IF @id IS NULL SELECT N'missing' AS outcome; ");
    match condition {
        Condition::Exists => statement.then("ELSE "),
        Condition::Version(versions) if versions.is_empty() => statement
            .then("ELSE IF @id IS NOT NULL SELECT N'stale' AS outcome, @version AS row_version; ELSE "),
        Condition::Version(versions) => statement
            .then("ELSE IF @version NOT IN (")
            .list(versions.into_iter().map(Value::Bytes))
            .then(") SELECT N'stale' AS outcome, @version AS row_version; ELSE "),
    }
}

/// The end of every change.
pub const FINISH: &str = " COMMIT TRANSACTION;";

/// What a change came to: the row with `done`, or else the problem.
///
/// # Errors
/// 404, 412 with the present tag, 409, or 500 for an outcome that is not known here.
pub fn outcome(answer: &Answer) -> Result<&Row, Problem> {
    let row = answer.first(0).ok_or_else(|| SqlError::Shape("a change had no outcome".to_owned()))?;
    match column::<&str>(row, "outcome")? {
        "done" => Ok(row),
        "missing" => Err(unknown()),
        "stale" => {
            let tag = etag::of_version(&version(row, "row_version")?);
            let detail =
                "The course has been changed since you saw it. Get it again, and repeat the change on that.";
            Err(Problem::new(Kind::PreconditionFailed, detail).with_header(ETAG, etag::header(&tag)))
        }
        "taken" => Err(Problem::new(Kind::Conflict, "Another course has this slug.")),
        "enrolled" => Err(Problem::new(
            Kind::Conflict,
            "Learners are enrolled in this course. It can be taken out of the list by a published_at of null.",
        )),
        "foreign" => Err(Problem::new(
            Kind::Conflict,
            "A lesson's id is none of this course's. Leave the id out to add a lesson.",
        )),
        other => Err(SqlError::Shape(format!("a change came to {other:?}")).into()),
    }
}

/// A course out of the columns of its row, with these lessons.
///
/// # Errors
/// When a column is not as expected.
pub fn detail(row: &Row, lessons: Vec<Lesson>) -> Result<CourseDetail, SqlError> {
    Ok(CourseDetail {
        slug: text(row, "slug")?,
        title: text(row, "title")?,
        summary: text(row, "summary")?,
        level: level(row)?,
        price: decimal(column(row, "price")?),
        published_at: optional(row, "published_at")?.map(utc),
        lessons,
    })
}

/// The level in a row.
///
/// # Errors
/// When it is none that is known.
pub fn level(row: &Row) -> Result<Level, SqlError> {
    let name: &str = column(row, "level")?;
    Level::from_name(name).ok_or_else(|| SqlError::Shape(format!("level is {name:?}, which is not known")))
}

/// The lessons in the rows of a result set.
///
/// # Errors
/// When a row is not as expected.
pub fn lessons(rows: &[Row]) -> Result<Vec<Lesson>, SqlError> {
    let lesson = |row| {
        Ok(Lesson {
            id: column(row, "id")?,
            position: count(row, "position")?,
            title: text(row, "title")?,
            minutes: count(row, "minutes")?,
        })
    };
    rows.iter().map(lesson).collect()
}

/// The answer to a change: the course as it is now, under its new tag.
pub fn changed(status: StatusCode, course: &CourseDetail, version: &[u8]) -> Response {
    let response = response::json(status, course);
    let response = response::with_header(response, ETAG, etag::header(&etag::of_version(version)));
    response::with_header(response, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        let long = "a".repeat(81);
        for (text, expected) in [
            ("rust", true),
            ("a", true),
            ("sql-2-go", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a--b", false),
            ("Rust", false),
            ("a b", false),
            ("a_b", false),
            ("é", false),
            ("a'", false),
        ] {
            assert_eq!(is_slug(text), expected, "{text}");
        }
    }
}
