//! `GET /courses`: the published courses, the newest first, page by page.
//!
//! Paging is by key and not by offset: a page begins after the sort key of the last course of the
//! page before, so that a course that is published or withdrawn meanwhile neither repeats nor hides
//! another, and the last page costs no more than the first.

use chrono::NaiveDateTime;
use model::courses::{Course, Level, Page};
use tiberius::Row;

use super::level;
use crate::api::Api;
use crate::caller::Needs;
use crate::cursor::Cursors;
use crate::request::Request;
use crate::response;
use crate::router::{Answer, Docs, Route};
use crate::sql::row::{column, decimal, text, utc};
use crate::sql::{SqlError, Statement, Value};

/// `GET /courses?search=&level=&limit=&cursor=&total=`.
pub const LIST: Route = Route {
    method: "GET",
    path: "/courses",
    needs: Needs::Nothing,
    docs: Docs {
        summary: "The published courses, the newest first.",
        query: &[
            (
                "search",
                r#"{"type":"string","minLength":1,"maxLength":100}"#,
                "Courses with this text in their title or summary, in any case.",
            ),
            (
                "level",
                r#"{"type":"string","enum":["beginner","intermediate","advanced"]}"#,
                "Courses of this level.",
            ),
            ("limit", r#"{"type":"integer","minimum":1,"maximum":100,"default":20}"#, "How many at most."),
            ("cursor", r#"{"type":"string","maxLength":512}"#, "The next_cursor of the page before."),
            ("total", r#"{"type":"boolean","default":false}"#, "Whether to count all of them."),
        ],
        condition: Some(("If-None-Match", false)),
        body: None,
        answers: &[(200, Some("CoursePage"), "A page."), (304, None, "You have this page.")],
        problems: &[400],
    },
    handle: list,
};

/// The longest text that is searched for, in UTF-16 code units.
const LONGEST_SEARCH: usize = 100;

/// The order: when it was published, and the id between those of the same time. Both descending.
type Key = (NaiveDateTime, i64);

fn list<'a>(api: &'a Api, request: &'a Request) -> Answer<'a> {
    Box::pin(async move {
        let mut input = request.query(&["search", "level", "limit", "cursor", "total"]);
        let search = input.parsed("search", search);
        let level = input.parsed("level", wanted_level);
        let limit = input.whole_number("limit", 20, 1..=100);
        let total = input.boolean("total");
        let after = input.parsed("cursor", |text| Ok(text.to_owned()));
        let filters = [search.as_deref(), level.map(Level::name)];
        // Asked for only where it is needed: the first page is the one most often read.
        let after = match after {
            Some(text) => {
                let key = api.cursor_key(&request.meter, request.deadline).await?;
                let cursors = Cursors::new(key, "courses", &filters);
                input.checked("cursor", cursors.read::<Key>(&text))
            }
            None => None,
        };
        input.finish()?;
        let statement = statement(&filters, after, limit, total);
        let answer = api.database.read(&statement, &request.meter, request.deadline).await?;
        let mut courses: Vec<_> = answer.rows(0).iter().map(course).collect::<Result<_, SqlError>>()?;
        // One more than asked for tells whether there is another page.
        let more = courses.len() > limit as usize;
        courses.truncate(limit as usize);
        let next_cursor = match courses.last().filter(|_| more) {
            Some((key, _)) => {
                let of = api.cursor_key(&request.meter, request.deadline).await?;
                Some(Cursors::new(of, "courses", &filters).write(key))
            }
            None => None,
        };
        let total = match answer.first(1).filter(|_| total) {
            Some(row) => u64::try_from(column::<i64>(row, "total")?).ok(),
            None => None,
        };
        let items = courses.into_iter().map(|(_, course)| course).collect();
        Ok(response::cacheable(request, &Page::<Course> { items, next_cursor, total }, None))
    })
}

fn search(text: &str) -> Result<String, String> {
    match text.encode_utf16().count() {
        0 => Err("must not be empty; leave it out to find all".to_owned()),
        1..=LONGEST_SEARCH => Ok(text.to_owned()),
        _ => Err(format!("must have at most {LONGEST_SEARCH} UTF-16 code units")),
    }
}

fn wanted_level(text: &str) -> Result<Level, String> {
    Level::from_name(text).ok_or_else(|| format!("must be one of: {}", Level::NAMES.join(", ")))
}

/// The statement for one page, and behind it the one that counts, where that is asked for.
fn statement(filters: &[Option<&str>; 2], after: Option<Key>, limit: u32, total: bool) -> Statement {
    let page = Statement::new("SELECT TOP (").value(Value::Integer(i64::from(limit) + 1)).then(
        ") id, slug, title, summary, level, price, published_at FROM dbo.courses \
             WHERE published_at <= SYSUTCDATETIME()",
    );
    let mut page = filtered(page, filters);
    if let Some((published_at, id)) = after {
        page = page.then(" AND (published_at < ").value(Value::Time(published_at));
        page = page.then(" OR (published_at = ").value(Value::Time(published_at));
        page = page.then(" AND id < ").value(Value::Integer(id)).then("))");
    }
    page = page.then(" ORDER BY published_at DESC, id DESC");
    if !total {
        return page;
    }
    let counted =
        page.then("; SELECT COUNT_BIG(*) AS total FROM dbo.courses WHERE published_at <= SYSUTCDATETIME()");
    filtered(counted, filters)
}

fn filtered(mut statement: Statement, [search, level]: &[Option<&str>; 2]) -> Statement {
    if let Some(level) = level {
        statement = statement.then(" AND level = ").value(Value::Text((*level).to_owned()));
    }
    if let Some(search) = search {
        let pattern = pattern(search);
        statement = statement.then(" AND (title LIKE ").value(Value::Text(pattern.clone()));
        statement = statement.then(" ESCAPE N'!' OR summary LIKE ").value(Value::Text(pattern));
        statement = statement.then(" ESCAPE N'!')");
    }
    statement
}

/// The pattern of LIKE that finds a text anywhere, in which nothing has a meaning of its own.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 8);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '[' | ']' | '^' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

fn course(row: &Row) -> Result<(Key, Course), SqlError> {
    let published_at: NaiveDateTime = column(row, "published_at")?;
    let course = Course {
        slug: text(row, "slug")?,
        title: text(row, "title")?,
        summary: text(row, "summary")?,
        level: level(row)?,
        price: decimal(column(row, "price")?),
        published_at: utc(published_at),
    };
    Ok(((published_at, column(row, "id")?), course))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_has_no_wildcards() {
        for (text, expected) in
            [("rust", "%rust%"), ("100%", "%100!%%"), ("a_[b]!", "%a!_![b!]!!%"), ("🦀", "%🦀%")]
        {
            assert_eq!(pattern(text), expected);
        }
    }
}
