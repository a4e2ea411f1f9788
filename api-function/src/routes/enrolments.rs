//! `/me/enrolments`: what the learner has enrolled in. The learner is the token's subject, and nobody
//! else's enrolments can be named.
//!
//! Every change here comes to the same when it is made twice, so that a client, and this function
//! itself, may repeat it where an answer was lost.

use chrono::NaiveDateTime;
use lambda_http::http::StatusCode;
use model::courses::Page;
use model::learning::Enrolment;
use tiberius::Row;

use super::courses::{FINISH, level, slug, unknown};
use crate::api::Api;
use crate::caller::Needs;
use crate::cursor::Cursors;
use crate::problem::Problem;
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Docs, Route};
use crate::sql::row::{column, count, text, utc};
use crate::sql::{Repeat, SqlError, Statement, Value};

/// The parameters of the learner's lists, for the document.
pub const PAGED: &[(&str, &str, &str)] = &[
    ("limit", r#"{"type":"integer","minimum":1,"maximum":100,"default":20}"#, "How many at most."),
    ("cursor", r#"{"type":"string","maxLength":512}"#, "The next_cursor of the page before."),
];

/// `GET /me/enrolments?limit=&cursor=`.
pub const LIST: Route = Route {
    method: "GET",
    path: "/me/enrolments",
    needs: Needs::Subject,
    docs: Docs {
        summary: "What you have enrolled in, the newest first.",
        query: PAGED,
        condition: None,
        body: None,
        answers: &[(200, Some("EnrolmentPage"), "A page.")],
        problems: &[400],
    },
    handle: list,
};

/// `PUT /me/enrolments/{slug}`.
pub const ENROL: Route = Route {
    method: "PUT",
    path: "/me/enrolments/{slug}",
    needs: Needs::Subject,
    docs: Docs {
        summary: "Enrols you in a published course. Doing it again changes nothing.",
        query: &[],
        condition: None,
        body: None,
        answers: &[
            (200, Some("Enrolment"), "You were enrolled already."),
            (201, Some("Enrolment"), "You are enrolled now."),
        ],
        problems: &[400, 404, 409],
    },
    handle: enrol,
};

/// `DELETE /me/enrolments/{slug}`.
pub const LEAVE: Route = Route {
    method: "DELETE",
    path: "/me/enrolments/{slug}",
    needs: Needs::Subject,
    docs: Docs {
        summary: "Ends your enrolment; which lessons you have done is forgotten. Doing it again changes nothing.",
        query: &[],
        condition: None,
        body: None,
        answers: &[(204, None, "You are not enrolled.")],
        problems: &[400, 404, 409],
    },
    handle: leave,
};

/// The order of a learner's lists: when they enrolled, and the course's id between those of the same
/// time. Both descending.
pub type Key = (NaiveDateTime, i64);

/// The columns of an enrolment; `e` is the enrolment, `c` its course.
const COLUMNS: &str = "\
    c.id, c.slug, c.title, c.level, e.enrolled_at, \
    (SELECT COUNT(*) FROM dbo.lessons AS l WHERE l.course_id = c.id) AS lessons_total, \
    (SELECT COUNT(*) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id \
     WHERE l.course_id = c.id AND p.learner_id = e.learner_id) AS lessons_done \
    FROM dbo.enrolments AS e JOIN dbo.courses AS c ON c.id = e.course_id";

fn list<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let (limit, after) = page(api, request, "enrolments").await?;
        let statement = Statement::new("SELECT TOP (").value(Value::Integer(i64::from(limit) + 1)).then(") ");
        let statement = statement.then(COLUMNS).then(" JOIN dbo.learners AS u ON u.id = e.learner_id");
        let statement = statement.then(" WHERE u.subject = ").value(subject(request));
        let statement = ordered(statement, after);
        let answer = api.database.read(&statement, &request.meter, request.deadline).await?;
        let items: Vec<_> = answer.rows(0).iter().map(enrolment).collect::<Result<_, SqlError>>()?;
        let (items, next_cursor) = cut(api, request, "enrolments", items, limit).await?;
        Ok(response::private(StatusCode::OK, &Page { items, next_cursor, total: None }))
    })
}

/// Reads `limit` and `cursor` of one of the learner's lists.
///
/// # Errors
/// 400 with what is wrong.
pub async fn page(api: &Api, request: &Request, list: &str) -> Result<(u32, Option<Key>), Problem> {
    let mut input = request.query(&["limit", "cursor"]);
    let limit = input.whole_number("limit", 20, 1..=100);
    let after = match input.parsed("cursor", |text| Ok(text.to_owned())) {
        Some(text) => {
            let key = api.cursor_key(&request.meter, request.deadline).await?;
            input.checked("cursor", Cursors::new(key, list, &[Some(&request.subject)]).read(&text))
        }
        None => None,
    };
    input.finish()?;
    Ok((limit, after))
}

/// The page's items out of those that were read, one of which tells that there are more, and the cursor
/// of the next page.
///
/// # Errors
/// When the key of the cursors can't be read.
pub async fn cut<T>(
    api: &Api,
    request: &Request,
    list: &str,
    mut items: Vec<(Key, T)>,
    limit: u32,
) -> Result<(Vec<T>, Option<String>), Problem> {
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = match items.last().filter(|_| more) {
        Some((key, _)) => {
            let of = api.cursor_key(&request.meter, request.deadline).await?;
            Some(Cursors::new(of, list, &[Some(&request.subject)]).write(key))
        }
        None => None,
    };
    Ok((items.into_iter().map(|(_, item)| item).collect(), next))
}

/// The end of a statement that reads one page of the learner's courses; `e` is the enrolment.
pub fn ordered(mut statement: Statement, after: Option<Key>) -> Statement {
    if let Some((at, id)) = after {
        statement = statement.then(" AND (e.enrolled_at < ").value(Value::Time(at));
        statement = statement.then(" OR (e.enrolled_at = ").value(Value::Time(at));
        statement = statement.then(" AND e.course_id < ").value(Value::Integer(id)).then("))");
    }
    statement.then(" ORDER BY e.enrolled_at DESC, e.course_id DESC")
}

/// The learner, as the column has it.
pub fn subject(request: &Request) -> Value {
    Value::Bytes(request.subject.clone().into_bytes())
}

fn enrol<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        request.query(&[]).finish()?;
        let statement = Statement::new(
            "SET NOCOUNT ON; SET XACT_ABORT ON; \
             DECLARE @course bigint, @learner bigint, @made int = 0; \
             BEGIN TRANSACTION; \
             SELECT @course = id FROM dbo.courses WITH (HOLDLOCK) \
             WHERE slug = @P1 AND published_at <= SYSUTCDATETIME(); \
             IF @course IS NULL SELECT N'missing' AS outcome; \
             ELSE BEGIN \
             SELECT @learner = id FROM dbo.learners WITH (UPDLOCK, HOLDLOCK) WHERE subject = @P2; \
             IF @learner IS NULL BEGIN \
             INSERT INTO dbo.learners (subject) VALUES (@P2); \
             SELECT @learner = id FROM dbo.learners WHERE subject = @P2; END \
             IF NOT EXISTS (SELECT 1 FROM dbo.enrolments WITH (UPDLOCK, HOLDLOCK) \
             WHERE learner_id = @learner AND course_id = @course) BEGIN \
             INSERT INTO dbo.enrolments (learner_id, course_id) VALUES (@learner, @course); SET @made = 1; END \
             SELECT N'done' AS outcome, @made AS made, ",
        );
        let statement = statement.bind(Value::Text(slug)).bind(subject(request)).then(COLUMNS);
        let statement =
            statement.then(" WHERE e.learner_id = @learner AND e.course_id = @course; END").then(FINISH);
        let answer =
            api.database.write(&statement, Repeat::Harmless, &request.meter, request.deadline).await?;
        let row = answer.first(0).ok_or_else(|| SqlError::Shape("an enrolment had no outcome".to_owned()))?;
        if column::<&str>(row, "outcome")? == "missing" {
            return Err(unknown());
        }
        let (_, enrolment) = enrolment(row)?;
        let status = if column::<i32>(row, "made")? == 1 { StatusCode::CREATED } else { StatusCode::OK };
        Ok(response::private(status, &enrolment))
    })
}

fn leave<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        request.query(&[]).finish()?;
        let statement = Statement::new(
            "SET NOCOUNT ON; SET XACT_ABORT ON; \
             DECLARE @course bigint, @learner bigint; \
             BEGIN TRANSACTION; \
             SELECT @course = id FROM dbo.courses WHERE slug = @P1; \
             SELECT @learner = id FROM dbo.learners WHERE subject = @P2; \
             DELETE p FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id \
             WHERE l.course_id = @course AND p.learner_id = @learner; \
             DELETE FROM dbo.enrolments WHERE learner_id = @learner AND course_id = @course; \
             SELECT CASE WHEN @course IS NULL THEN N'missing' ELSE N'done' END AS outcome;",
        );
        let statement = statement.bind(Value::Text(slug)).bind(subject(request)).then(FINISH);
        let answer =
            api.database.write(&statement, Repeat::Harmless, &request.meter, request.deadline).await?;
        let row = answer.first(0).ok_or_else(|| SqlError::Shape("an enrolment had no outcome".to_owned()))?;
        match column::<&str>(row, "outcome")? {
            "missing" => Err(unknown()),
            _ => Ok(response::nothing()),
        }
    })
}

fn enrolment(row: &Row) -> Result<(Key, Enrolment), SqlError> {
    let enrolled_at: NaiveDateTime = column(row, "enrolled_at")?;
    let enrolment = Enrolment {
        slug: text(row, "slug")?,
        title: text(row, "title")?,
        level: level(row)?,
        enrolled_at: utc(enrolled_at),
        lessons_total: count(row, "lessons_total")?,
        lessons_done: count(row, "lessons_done")?,
    };
    Ok(((enrolled_at, column(row, "id")?), enrolment))
}
