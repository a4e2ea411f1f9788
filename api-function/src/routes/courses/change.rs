//! `POST /courses`, `PUT` and `DELETE /courses/{slug}`: what an author does.

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};
use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, IF_MATCH, LOCATION};
use model::courses::{CourseDetail, Level};
use tiberius::numeric::Numeric;

use super::{FINISH, changed, is_slug, lessons, outcome, slug, take};
use crate::api::Api;
use crate::body::Fields;
use crate::caller::Needs;
use crate::etag;
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Docs, Route};
use crate::sql::row::{decimal, utc, version};
use crate::sql::{Repeat, Statement, Value};

/// The scope of an author.
pub const AUTHOR: Needs = Needs::Scope("courses:write");

/// `POST /courses`.
pub const CREATE: Route = Route {
    method: "POST",
    path: "/courses",
    needs: AUTHOR,
    docs: Docs {
        summary: "Adds a course, as a draft or published.",
        query: &[],
        condition: None,
        body: Some("NewCourse"),
        answers: &[(201, Some("CourseDetail"), "The course, at the address in Location.")],
        problems: &[400, 409, 413, 415],
    },
    handle: create,
};

/// `PUT /courses/{slug}`.
pub const REPLACE: Route = Route {
    method: "PUT",
    path: "/courses/{slug}",
    needs: AUTHOR,
    docs: Docs {
        summary: "Replaces what is said of a course; its lessons stay.",
        query: &[],
        condition: Some(("If-Match", true)),
        body: Some("CourseContent"),
        answers: &[(200, Some("CourseDetail"), "The course as it is now.")],
        problems: &[400, 404, 409, 412, 413, 415, 428],
    },
    handle: replace,
};

/// `DELETE /courses/{slug}`.
pub const DELETE: Route = Route {
    method: "DELETE",
    path: "/courses/{slug}",
    needs: AUTHOR,
    docs: Docs {
        summary: "Deletes a course that nobody is enrolled in, and its lessons.",
        query: &[],
        condition: Some(("If-Match", true)),
        body: None,
        answers: &[(204, None, "It is gone.")],
        problems: &[400, 404, 409, 412, 428],
    },
    handle: delete,
};

fn create<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        request.query(&[]).finish()?;
        let body = request.json()?;
        let mut fields = Fields::new(&body, &["slug", "title", "summary", "level", "price", "published_at"]);
        let slug = fields.parsed("slug", new_slug).unwrap_or_default();
        let content = Content::read(&mut fields);
        fields.finish()?;
        let statement = Statement::new(
            "SET NOCOUNT ON; SET XACT_ABORT ON; BEGIN TRANSACTION; \
             IF EXISTS (SELECT 1 FROM dbo.courses WITH (UPDLOCK, HOLDLOCK) WHERE slug = @P1) \
             SELECT N'taken' AS outcome; \
             ELSE INSERT INTO dbo.courses (slug, title, summary, level, price, published_at) \
             OUTPUT N'done' AS outcome, inserted.row_version VALUES (",
        );
        let statement = statement.value(Value::Text(slug.clone())).then(", ");
        let statement = statement.list(content.values()).then(");").then(FINISH);
        let answer =
            api.database.write(&statement, Repeat::OnlyUnsent, &request.meter, request.deadline).await?;
        let version = version(outcome(&answer)?, "row_version")?;
        let location = HeaderValue::from_str(&format!("/courses/{slug}"));
        let response = changed(StatusCode::CREATED, &content.course(slug, Vec::new()), &version);
        Ok(match location {
            Ok(location) => response::with_header(response, LOCATION, location),
            Err(_) => response,
        })
    })
}

fn replace<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        request.query(&[]).finish()?;
        let condition = etag::condition(request.header(IF_MATCH))?;
        let body = request.json()?;
        let mut fields = Fields::new(&body, &["title", "summary", "level", "price", "published_at"]);
        let content = Content::read(&mut fields);
        fields.finish()?;
        let mut statement = take(slug.clone(), condition).then("BEGIN UPDATE dbo.courses SET ");
        let columns = ["title = ", ", summary = ", ", level = ", ", price = ", ", published_at = "];
        for (column, value) in columns.into_iter().zip(content.values()) {
            statement = statement.then(column).value(value);
        }
        let statement = statement.then(
            ", updated_at = SYSUTCDATETIME() \
             OUTPUT N'done' AS outcome, inserted.row_version WHERE id = @id; \
             SELECT id, position, title, minutes FROM dbo.lessons WHERE course_id = @id ORDER BY position; END",
        );
        let statement = statement.then(FINISH);
        let answer =
            api.database.write(&statement, Repeat::OnlyUnsent, &request.meter, request.deadline).await?;
        let version = version(outcome(&answer)?, "row_version")?;
        let course = content.course(slug, lessons(answer.rows(1))?);
        Ok(changed(StatusCode::OK, &course, &version))
    })
}

fn delete<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        request.query(&[]).finish()?;
        let condition = etag::condition(request.header(IF_MATCH))?;
        let statement = take(slug, condition).then(
            "IF EXISTS (SELECT 1 FROM dbo.enrolments WITH (HOLDLOCK) WHERE course_id = @id) \
             SELECT N'enrolled' AS outcome; \
             ELSE BEGIN \
             DELETE p FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id WHERE l.course_id = @id; \
             DELETE FROM dbo.lessons WHERE course_id = @id; \
             DELETE FROM dbo.courses OUTPUT N'done' AS outcome WHERE id = @id; END",
        );
        let statement = statement.then(FINISH);
        let answer =
            api.database.write(&statement, Repeat::OnlyUnsent, &request.meter, request.deadline).await?;
        outcome(&answer)?;
        Ok(response::nothing())
    })
}

/// What an author says of a course.
#[derive(Debug)]
struct Content {
    title: String,
    summary: String,
    level: Level,
    price: Numeric,
    published_at: Option<NaiveDateTime>,
}

impl Content {
    fn read(fields: &mut Fields<'_>) -> Self {
        let level = |text: &str| {
            Level::from_name(text).ok_or_else(|| format!("must be one of: {}", Level::NAMES.join(", ")))
        };
        Self {
            title: fields.text("title", 1..=200),
            summary: fields.text("summary", 0..=2_000),
            level: fields.parsed("level", level).unwrap_or(Level::Beginner),
            price: fields.parsed("price", price).unwrap_or_else(|| Numeric::new_with_scale(0, 2)),
            published_at: fields.optional("published_at", moment),
        }
    }

    /// The values, in the order of the columns title, summary, level, price, published_at.
    fn values(&self) -> [Value; 5] {
        [
            Value::Text(self.title.clone()),
            Value::Text(self.summary.clone()),
            Value::Text(self.level.name().to_owned()),
            Value::Decimal(self.price),
            Value::OptionalTime(self.published_at),
        ]
    }

    fn course(self, slug: String, lessons: Vec<model::courses::Lesson>) -> CourseDetail {
        CourseDetail {
            slug,
            title: self.title,
            summary: self.summary,
            level: self.level,
            price: decimal(self.price),
            published_at: self.published_at.map(utc),
            lessons,
        }
    }
}

fn new_slug(text: &str) -> Result<String, String> {
    if is_slug(text) {
        return Ok(text.to_owned());
    }
    Err("must be words of lower-case letters and digits parted by hyphens, 80 characters in all".to_owned())
}

/// `decimal(10, 2)`, not negative: up to eight digits, and up to two behind the point.
fn price(text: &str) -> Result<Numeric, String> {
    let wrong = || "must be a decimal number such as 49.00, from 0 to 99999999.99".to_owned();
    let (whole, cents) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole, 8) || !digits(cents, 2) {
        return Err(wrong());
    }
    let value: i128 = format!("{whole}{cents:0<2}").parse().map_err(|_| wrong())?;
    Ok(Numeric::new_with_scale(value, 2))
}

/// A time as the column `datetime2(3)` can hold it: to the millisecond. Finer ones are refused rather
/// than rounded, and so is what lies outside the years 1 to 9999.
fn moment(text: &str) -> Result<NaiveDateTime, String> {
    let wrong = || "must be a time such as 2026-01-31T08:00:00Z (RFC 3339), or null".to_owned();
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.with_timezone(&Utc).naive_utc();
    if time.nanosecond() % 1_000_000 != 0 {
        return Err("must not be finer than a millisecond".to_owned());
    }
    // A leap second is no time of SQL Server's.
    if time.nanosecond() >= 1_000_000_000 || !(1..=9_999).contains(&chrono::Datelike::year(&time)) {
        return Err(wrong());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices() {
        let cases = [
            ("0", Some("0.00")),
            ("49", Some("49.00")),
            ("49.5", Some("49.50")),
            ("49.05", Some("49.05")),
            ("007.10", Some("7.10")),
            ("99999999.99", Some("99999999.99")),
            ("100000000", None),
            ("1.005", None),
            ("-1", None),
            ("+1", None),
            ("1.", None),
            (".5", None),
            ("1,5", None),
            ("1e3", None),
            (" 1", None),
            ("", None),
            ("NaN", None),
            ("١", None),
        ];
        for (text, expected) in cases {
            assert_eq!(price(text).map(decimal).ok().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn moments() {
        let cases = [
            ("2026-01-31T08:00:00Z", Some("2026-01-31T08:00:00Z")),
            ("2026-01-31T08:00:00.120+02:00", Some("2026-01-31T06:00:00.120Z")),
            ("2026-01-31 08:00:00Z", Some("2026-01-31T08:00:00Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("9999-12-31T23:59:59.999Z", Some("9999-12-31T23:59:59.999Z")),
            ("9999-12-31T23:59:59-01:00", None),
            ("0001-01-01T00:00:00+01:00", None),
            ("0000-06-01T00:00:00Z", None),
            ("2026-01-31T08:00:00.0001Z", None),
            ("2016-12-31T23:59:60Z", None),
            ("2026-02-30T00:00:00Z", None),
            ("2026-01-31", None),
            ("2026-01-31T08:00:00", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(moment(text).map(utc).ok().as_deref(), expected, "{text:?}");
        }
    }
}
