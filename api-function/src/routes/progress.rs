//! How far the learner has come: `PUT /me/enrolments/{slug}/lessons/{position}` and `GET /me/progress`.

use lambda_http::http::StatusCode;
use model::learning::{CourseProgress, LessonProgress, Progress};
use tiberius::Row;

use super::courses::{FINISH, slug, unknown};
use super::enrolments::{Key, PAGED, cut, ordered, page, subject};
use crate::api::Api;
use crate::body::Fields;
use crate::caller::Needs;
use crate::problem::{Kind, Problem};
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Docs, Route};
use crate::sql::row::{column, count, optional, text, utc};
use crate::sql::{Repeat, SqlError, Statement, Value};

/// `PUT /me/enrolments/{slug}/lessons/{position}`.
pub const DONE: Route = Route {
    method: "PUT",
    path: "/me/enrolments/{slug}/lessons/{position}",
    needs: Needs::Subject,
    docs: Docs {
        summary: "Says whether you have done a lesson. Doing it again changes nothing.",
        query: &[],
        condition: None,
        body: Some("Done"),
        answers: &[(200, Some("LessonProgress"), "The lesson as it is now.")],
        problems: &[400, 404, 409, 413, 415],
    },
    handle: done,
};

/// `GET /me/progress?limit=&cursor=`.
pub const ALL: Route = Route {
    method: "GET",
    path: "/me/progress",
    needs: Needs::Subject,
    docs: Docs {
        summary: "How far you have come, in all and in each course.",
        query: PAGED,
        condition: None,
        body: None,
        answers: &[(200, Some("Progress"), "The sums, and a page of the courses.")],
        problems: &[400],
    },
    handle: all,
};

/// The beginning of a change of one lesson: finds it, and that the learner is enrolled.
const FIND: &str = "\
    SET NOCOUNT ON; SET XACT_ABORT ON; \
    DECLARE @learner bigint, @lesson bigint; \
    BEGIN TRANSACTION; \
    SELECT @learner = e.learner_id, @lesson = l.id \
    FROM dbo.enrolments AS e WITH (HOLDLOCK) \
    JOIN dbo.learners AS u ON u.id = e.learner_id \
    JOIN dbo.courses AS c ON c.id = e.course_id \
    LEFT JOIN dbo.lessons AS l ON l.course_id = c.id AND l.position = @P3 \
    WHERE c.slug = @P1 AND u.subject = @P2; \
    IF @learner IS NULL SELECT N'not enrolled' AS outcome; \
    ELSE IF @lesson IS NULL SELECT N'no lesson' AS outcome; \
    ELSE BEGIN ";

const SET_DONE: &str = "\
    IF NOT EXISTS (SELECT 1 FROM dbo.progress WITH (UPDLOCK, HOLDLOCK) \
    WHERE learner_id = @learner AND lesson_id = @lesson) \
    INSERT INTO dbo.progress (learner_id, lesson_id) VALUES (@learner, @lesson); \
    SELECT N'done' AS outcome, done_at FROM dbo.progress WHERE learner_id = @learner AND lesson_id = @lesson; END";

const SET_UNDONE: &str = "\
    DELETE FROM dbo.progress WHERE learner_id = @learner AND lesson_id = @lesson; \
    SELECT N'done' AS outcome, CAST(NULL AS datetime2(3)) AS done_at; END";

fn done<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        let position = position(request.path("position"))?;
        request.query(&[]).finish()?;
        let body = request.json()?;
        let mut fields = Fields::new(&body, &["done"]);
        let done = fields.boolean("done");
        fields.finish()?;
        let statement = Statement::new(FIND).bind(Value::Text(slug.clone())).bind(subject(request));
        let statement = statement.bind(Value::Integer(position.into()));
        let statement = statement.then(if done { SET_DONE } else { SET_UNDONE }).then(FINISH);
        let answer =
            api.database.write(&statement, Repeat::Harmless, &request.meter, request.deadline).await?;
        let row = answer.first(0).ok_or_else(|| SqlError::Shape("a lesson had no outcome".to_owned()))?;
        match column::<&str>(row, "outcome")? {
            "done" => {
                let done_at = optional(row, "done_at")?.map(utc);
                let body = LessonProgress { slug, position, done, done_at };
                Ok(response::private(StatusCode::OK, &body))
            }
            "no lesson" => Err(no_lesson()),
            _ => Err(Problem::new(Kind::NotFound, "You are not enrolled in a course of this name.")),
        }
    })
}

/// A lesson's place: a number from 1, without signs or leading zeros, so that each has one address.
fn position(text: &str) -> Result<u32, Problem> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse::<u32>().ok().filter(|number| plain && i32::try_from(*number).is_ok());
    number.ok_or_else(no_lesson)
}

fn no_lesson() -> Problem {
    Problem::new(Kind::NotFound, "The course has no lesson at this position.")
}

/// The columns of one course's progress; `e` is the enrolment, `c` its course.
const COLUMNS: &str = "\
    c.id, c.slug, c.title, e.enrolled_at, \
    (SELECT COUNT(*) FROM dbo.lessons AS l WHERE l.course_id = c.id) AS lessons_total, \
    (SELECT ISNULL(SUM(CAST(l.minutes AS bigint)), 0) FROM dbo.lessons AS l WHERE l.course_id = c.id) AS minutes_total, \
    (SELECT COUNT(*) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id \
     WHERE l.course_id = c.id AND p.learner_id = e.learner_id) AS lessons_done, \
    (SELECT ISNULL(SUM(CAST(l.minutes AS bigint)), 0) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id \
     WHERE l.course_id = c.id AND p.learner_id = e.learner_id) AS minutes_done, \
    (SELECT MAX(p.done_at) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id \
     WHERE l.course_id = c.id AND p.learner_id = e.learner_id) AS last_done_at \
    FROM dbo.enrolments AS e JOIN dbo.courses AS c ON c.id = e.course_id \
    JOIN dbo.learners AS u ON u.id = e.learner_id WHERE u.subject = @P1";

const SUMS: &str = "\
    SELECT COUNT(*) AS courses, \
    ISNULL(SUM(CASE WHEN m.lessons_total > 0 AND m.lessons_done = m.lessons_total THEN 1 ELSE 0 END), 0) AS completed, \
    ISNULL(SUM(m.lessons_total), 0) AS lessons_total, ISNULL(SUM(m.lessons_done), 0) AS lessons_done, \
    ISNULL(SUM(m.minutes_total), 0) AS minutes_total, ISNULL(SUM(m.minutes_done), 0) AS minutes_done \
    FROM (SELECT ";

fn all<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let (limit, after) = page(api, request, "progress").await?;
        let statement =
            Statement::new(SUMS).bind(subject(request)).then(COLUMNS).then(") AS m; SELECT TOP (");
        let statement = statement.value(Value::Integer(i64::from(limit) + 1)).then(") ").then(COLUMNS);
        let statement = ordered(statement, after);
        let answer = api.database.read(&statement, &request.meter, request.deadline).await?;
        let sums = answer.first(0).ok_or_else(unknown)?;
        let items: Vec<_> = answer.rows(1).iter().map(course).collect::<Result<_, SqlError>>()?;
        let (items, next_cursor) = cut(api, request, "progress", items, limit).await?;
        let progress = Progress {
            courses: count(sums, "courses")?,
            courses_completed: count(sums, "completed")?,
            lessons_done: count(sums, "lessons_done")?,
            lessons_total: count(sums, "lessons_total")?,
            minutes_done: minutes(sums, "minutes_done")?,
            minutes_total: minutes(sums, "minutes_total")?,
            items,
            next_cursor,
        };
        Ok(response::private(StatusCode::OK, &progress))
    })
}

fn course(row: &Row) -> Result<(Key, CourseProgress), SqlError> {
    let progress = CourseProgress {
        slug: text(row, "slug")?,
        title: text(row, "title")?,
        lessons_done: count(row, "lessons_done")?,
        lessons_total: count(row, "lessons_total")?,
        minutes_done: minutes(row, "minutes_done")?,
        minutes_total: minutes(row, "minutes_total")?,
        last_done_at: optional(row, "last_done_at")?.map(utc),
    };
    Ok(((column(row, "enrolled_at")?, column(row, "id")?), progress))
}

fn minutes(row: &Row, name: &str) -> Result<u64, SqlError> {
    let number: i64 = column(row, name)?;
    u64::try_from(number).map_err(|_| SqlError::Shape(format!("{name} is {number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        for (text, expected) in [
            ("1", Some(1)),
            ("200", Some(200)),
            ("2147483647", Some(i32::MAX as u32)),
            ("2147483648", None),
            ("0", None),
            ("01", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("", None),
            ("one", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(position(text).ok(), expected, "{text:?}");
        }
    }
}
