//! `PUT /courses/{slug}/lessons`: the whole list of a course's lessons, in order.
//!
//! A lesson with an id is one the course has: it keeps what learners have done, wherever it goes in the
//! list and however it is called. One without is new. Those that are not in the list any more go, and
//! what learners have done of them. Sending back what a GET gave changes nothing but the tag.

use std::collections::BTreeSet;

use lambda_http::http::StatusCode;
use lambda_http::http::header::IF_MATCH;

use super::courses::change::AUTHOR;
use super::courses::{FINISH, changed, lessons, outcome, slug, take};
use crate::api::Api;
use crate::body::Fields;
use crate::etag;
use crate::request::Request;
use crate::router::{Answer, Docs, Route};
use crate::routes::courses;
use crate::sql::row::version;
use crate::sql::{Repeat, SqlError, Statement, Value};

/// `PUT /courses/{slug}/lessons`.
pub const REPLACE: Route = Route {
    method: "PUT",
    path: "/courses/{slug}/lessons",
    needs: AUTHOR,
    docs: Docs {
        summary: "Replaces the list of a course's lessons.",
        query: &[],
        condition: Some(("If-Match", true)),
        body: Some("LessonList"),
        answers: &[(200, Some("CourseDetail"), "The course with its lessons as they are now.")],
        problems: &[400, 404, 409, 412, 413, 415, 428],
    },
    handle: replace,
};

/// So many lessons may a course have: each has four parameters, and a statement 2,100 (SQL Server,
/// "Maximum capacity specifications").
const MOST: usize = 200;
/// The longest lesson, in minutes.
const LONGEST: i64 = 10_000;

/// A lesson as an author sends it.
struct Lesson {
    id: Option<i64>,
    title: String,
    minutes: i64,
}

fn replace<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        request.query(&[]).finish()?;
        let condition = etag::condition(request.header(IF_MATCH))?;
        let body = request.json()?;
        let mut fields = Fields::new(&body, &["lessons"]);
        let mut seen = BTreeSet::new();
        let list = fields.list("lessons", MOST, &["id", "title", "minutes"], |fields| {
            let id = fields.optional_number("id", 1..=i64::MAX);
            if id.is_some_and(|id| !seen.insert(id)) {
                fields.refuse("id", "is in the list more than once");
            }
            Lesson {
                id,
                title: fields.text("title", 1..=200),
                minutes: fields.whole_number("minutes", 1..=LONGEST),
            }
        });
        fields.finish()?;
        let statement = statement(take(slug, condition), &list);
        let answer =
            api.database.write(&statement, Repeat::OnlyUnsent, &request.meter, request.deadline).await?;
        let version = version(outcome(&answer)?, "row_version")?;
        let row = answer.first(1).ok_or_else(|| SqlError::Shape("a changed course is gone".to_owned()))?;
        let course = courses::detail(row, lessons(answer.rows(2))?)?;
        Ok(changed(StatusCode::OK, &course, &version))
    })
}

/// The course's row is changed before its lessons are: whoever reads both sees by the `rowversion`
/// that they do not belong together.
fn statement(taken: Statement, list: &[Lesson]) -> Statement {
    let ids: Vec<i64> = list.iter().filter_map(|lesson| lesson.id).collect();
    let mut statement = taken;
    if !ids.is_empty() {
        statement = statement
            .then("IF (SELECT COUNT(*) FROM dbo.lessons WHERE course_id = @id AND id IN (")
            .list(ids.iter().copied().map(Value::Integer))
            .then(")) <> ")
            .value(Value::Integer(i64::try_from(ids.len()).unwrap_or(i64::MAX)))
            .then(" SELECT N'foreign' AS outcome; ELSE ");
    }
    statement = statement.then(
        "BEGIN UPDATE dbo.courses SET updated_at = SYSUTCDATETIME() \
         OUTPUT N'done' AS outcome, inserted.row_version WHERE id = @id; \
         DELETE p FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id WHERE l.course_id = @id",
    );
    statement = other_than(statement, "l.id", &ids);
    statement = match list {
        [] => statement.then("; DELETE FROM dbo.lessons WHERE course_id = @id; "),
        _ => merged(statement.then("; "), list),
    };
    statement
        .then(
            "SELECT slug, title, summary, level, price, published_at FROM dbo.courses WHERE id = @id; \
             SELECT id, position, title, minutes FROM dbo.lessons WHERE course_id = @id ORDER BY position; END",
        )
        .then(FINISH)
}

fn other_than(statement: Statement, column: &'static str, ids: &[i64]) -> Statement {
    if ids.is_empty() {
        return statement;
    }
    let ids = ids.iter().copied().map(Value::Integer);
    statement.then(" AND ").then(column).then(" NOT IN (").list(ids).then(")")
}

/// One statement for all of it, so that lessons may trade places: a key is checked at a statement's end.
fn merged(statement: Statement, list: &[Lesson]) -> Statement {
    let mut statement = statement.then("MERGE dbo.lessons WITH (HOLDLOCK) AS t USING (VALUES ");
    for (at, lesson) in list.iter().enumerate() {
        let position = i64::try_from(at + 1).unwrap_or(i64::MAX);
        let values = [
            Value::OptionalInteger(lesson.id),
            Value::Integer(position),
            Value::Text(lesson.title.clone()),
            Value::Integer(lesson.minutes),
        ];
        statement = statement.then(if at == 0 { "(" } else { ", (" }).list(values).then(")");
    }
    statement.then(
        ") AS s (id, position, title, minutes) ON t.course_id = @id AND t.id = s.id \
         WHEN MATCHED THEN UPDATE SET position = s.position, title = s.title, minutes = s.minutes \
         WHEN NOT MATCHED BY TARGET THEN INSERT (course_id, position, title, minutes) \
         VALUES (@id, s.position, s.title, s.minutes) \
         WHEN NOT MATCHED BY SOURCE AND t.course_id = @id THEN DELETE; ",
    )
}
