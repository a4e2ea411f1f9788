//! `GET /courses/{slug}`: a published course with its lessons.

use model::courses::CourseDetail;

use super::{detail, lessons, slug, unknown};
use crate::api::Api;
use crate::caller::Needs;
use crate::etag;
use crate::problem::Problem;
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Docs, Route};
use crate::sql::row::version;
use crate::sql::{SqlError, Statement, Value};

/// `GET /courses/{slug}`.
pub const READ: Route = Route {
    method: "GET",
    path: "/courses/{slug}",
    needs: Needs::Nothing,
    docs: Docs {
        summary: "A published course with its lessons.",
        query: &[],
        condition: Some(("If-None-Match", false)),
        body: None,
        answers: &[(200, Some("CourseDetail"), "The course."), (304, None, "You have it as it is.")],
        problems: &[400, 404],
    },
    handle: read,
};

/// So often the course is read again when it was changed between two of the statements.
const MOST: u32 = 3;

const COURSE_AND_LESSONS: &str = "\
    SELECT slug, title, summary, level, price, published_at, row_version FROM dbo.courses \
    WHERE slug = @P1 AND published_at <= SYSUTCDATETIME(); \
    SELECT l.id, l.position, l.title, l.minutes FROM dbo.lessons AS l \
    JOIN dbo.courses AS c ON c.id = l.course_id WHERE c.slug = @P1 ORDER BY l.position; \
    SELECT row_version FROM dbo.courses WHERE slug = @P1";

fn read<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let slug = slug(request)?;
        request.query(&[]).finish()?;
        let statement = Statement::new(COURSE_AND_LESSONS).bind(Value::Text(slug));
        let (course, version) = whole(api, request, &statement).await?;
        Ok(response::cacheable(request, &course, Some(etag::of_version(&version))))
    })
}

/// Course and lessons of the same moment, without a lock that an author would wait for: a change of
/// either changes the course's `rowversion`, so that what lies between two equal ones belongs together.
async fn whole(
    api: &Api,
    request: &Request,
    statement: &Statement,
) -> Result<(CourseDetail, Vec<u8>), Problem> {
    for _ in 0..MOST {
        let answer = api.database.read(statement, &request.meter, request.deadline).await?;
        let course = answer.first(0).ok_or_else(unknown)?;
        let before = version(course, "row_version")?;
        let after = answer.first(2).map(|row| version(row, "row_version")).transpose()?;
        if after.as_ref() == Some(&before) {
            return Ok((detail(course, lessons(answer.rows(1))?)?, before));
        }
    }
    let error = SqlError::Shape(format!("the course was changed during each of {MOST} readings"));
    Err(Problem::unavailable("Reason: the course is being changed.", std::time::Duration::from_secs(1))
        .with_context(error))
}
