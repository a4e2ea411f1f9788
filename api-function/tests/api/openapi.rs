//! The OpenAPI document: made of the table of routes and the types of the bodies, and committed as
//! `api-function/openapi.json`. `LOCKKEEPER_BLESS=1` writes it; without, a stale one fails the test.

#![expect(clippy::unwrap_used, reason = "a test that can't go on should say where")]

use std::path::Path;

use api_function::caller::Needs;
use api_function::router::{ROUTES, Route};
use model::courses::{
    Course, CourseContent, CourseDetail, Lesson, LessonContent, LessonList, Level, NewCourse, Page,
};
use model::learning::{CourseProgress, Done, Enrolment, LessonProgress, Progress};
use model::problem_details::{FieldError, ProblemDetails};
use model::status::{DatabaseStatus, FunctionStatus, SecretStatus, Status, Verdict};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The statuses that any route may end with: the function's own problems, and API Gateway's answers
/// before or instead of the function.
const ANY_ROUTE: [u16; 8] = [400, 404, 405, 413, 429, 431, 500, 503];

fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "LearningHub",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Courses, enrolments and progress. Where there is GET, HEAD is answered too.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The stage this is served at." }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "A token of the issuer that the HTTP API's authorizer trusts. Authors need the scope courses:write.",
            } },
        },
    })
}

fn operation(route: &Route) -> Value {
    let docs = route.docs;
    let mut parameters = Vec::new();
    for segment in route.path.split('/') {
        let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) else { continue };
        let (schema, example, description) = match name {
            "slug" => (
                json!({ "type": "string", "maxLength": 80, "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" }),
                json!("rust-for-operators"),
                "The course's name.",
            ),
            "position" => (
                json!({ "type": "integer", "minimum": 1, "maximum": 200 }),
                json!(1),
                "The lesson's place in the course.",
            ),
            other => panic!("{other} has no description"),
        };
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example, "description": description }));
    }
    for (name, schema, description) in docs.query {
        let schema: Value = serde_json::from_str(schema).unwrap();
        parameters.push(json!({ "name": name, "in": "query", "schema": schema, "description": description }));
    }
    if let Some((name, required)) = docs.condition {
        let description = match name {
            "If-Match" => "The ETag of the state that is changed, or * for any.",
            _ => "The ETag you hold: 304 when it is still the same.",
        };
        parameters.push(json!({
            "name": name, "in": "header", "required": required, "schema": { "type": "string" }, "description": description,
        }));
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": docs.summary,
        "tags": [tag(route)],
        "parameters": parameters,
        "responses": responses(route),
    });
    if let Some(body) = docs.body {
        let content = json!({ "application/json": { "schema": reference(body) } });
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    match route.needs {
        Needs::Nothing => operation["security"] = json!([]),
        Needs::Subject => operation["security"] = json!([{ "token": [] }]),
        Needs::Scope(scope) => operation["security"] = json!([{ "token": [scope] }]),
    }
    operation
}

/// For example `put_me_enrolments_slug`.
fn operation_id(route: &Route) -> String {
    let path: String = route.path.chars().filter(|c| !"{}".contains(*c)).collect();
    format!("{}{}", route.method.to_lowercase(), path.replace('/', "_"))
}

fn tag(route: &Route) -> &'static str {
    match route.path.split('/').nth(1) {
        Some("me") => "learning",
        Some("courses") => "courses",
        _ => "status",
    }
}

fn responses(route: &Route) -> Value {
    let docs = route.docs;
    let mut responses = Map::new();
    for (status, schema, description) in docs.answers {
        let mut response = json!({ "description": description });
        if let Some(schema) = schema {
            response["content"] = json!({ "application/json": { "schema": reference(schema) } });
        }
        let mut headers = Map::new();
        let header =
            |description: &str| json!({ "schema": { "type": "string" }, "description": description });
        if docs.condition.is_some() && matches!(status, 200 | 304)
            || (*status, route.path) == (201, "/courses")
        {
            headers.insert("ETag".to_owned(), header("The state of what is answered."));
        }
        if (*status, route.path) == (201, "/courses") {
            headers.insert("Location".to_owned(), header("Where the course is."));
        }
        if *status == 503 {
            headers.insert("Retry-After".to_owned(), header("When to come back, in seconds."));
        }
        if !headers.is_empty() {
            response["headers"] = Value::Object(headers);
        }
        responses.insert(status.to_string(), response);
    }
    let mut problems: Vec<u16> = docs.problems.iter().copied().chain(ANY_ROUTE).collect();
    match route.needs {
        Needs::Nothing => {}
        Needs::Subject => problems.push(401),
        Needs::Scope(_) => problems.extend([401, 403]),
    }
    problems.sort_unstable();
    problems.dedup();
    for status in problems {
        let key = status.to_string();
        if let Some(own) = responses.get_mut(&key) {
            // The status of the database is answered with 503 too, and so is a gateway without a function.
            let own = &mut own["content"]["application/json"]["schema"];
            *own = json!({ "anyOf": [own.clone(), reference("GatewayMessage")] });
            continue;
        }
        responses.insert(key, problem(status));
    }
    Value::Object(responses)
}

fn problem(status: u16) -> Value {
    let description = match status {
        400 => "The input was not understood.",
        401 => "There is no token, or it does not count.",
        403 => "The token does not have the scope.",
        404 => "There is nothing of this name.",
        405 => "The method is not allowed here.",
        409 => "Something that is there is in the way.",
        412 => "It has been changed since you saw it.",
        413 => "The body is too large.",
        415 => "The body is not JSON in UTF-8.",
        428 => "If-Match is needed.",
        429 => "Too many requests.",
        431 => "The headers are too large.",
        500 => "A mistake on our side.",
        503 => "It can't be done at the moment; Retry-After says when to come back.",
        other => panic!("{other} has no description"),
    };
    let mut content = Map::new();
    if !matches!(status, 429 | 431) {
        content
            .insert("application/problem+json".to_owned(), json!({ "schema": reference("ProblemDetails") }));
    }
    if matches!(status, 400 | 401 | 403 | 404 | 413 | 429 | 431 | 500 | 503) {
        content.insert("application/json".to_owned(), json!({ "schema": reference("GatewayMessage") }));
    }
    json!({ "description": description, "content": content })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    let mut add =
        |name: &str, schema: Value| assert!(schemas.insert(name.to_owned(), schema).is_none(), "{name}");
    macro_rules! add {
        ($($name:literal => $type:ty),* $(,)?) => {
            $(add($name, schema::<$type>());)*
        };
    }
    add!(
        "Status" => Status, "Verdict" => Verdict, "FunctionStatus" => FunctionStatus,
        "DatabaseStatus" => DatabaseStatus, "SecretStatus" => SecretStatus,
        "Course" => Course, "CourseDetail" => CourseDetail, "Lesson" => Lesson, "Level" => Level,
        "NewCourse" => NewCourse, "CourseContent" => CourseContent, "LessonList" => LessonList,
        "LessonContent" => LessonContent,
        "CoursePage" => Page<Course>, "EnrolmentPage" => Page<Enrolment>,
        "Enrolment" => Enrolment, "LessonProgress" => LessonProgress, "Done" => Done,
        "Progress" => Progress, "CourseProgress" => CourseProgress,
        "ProblemDetails" => ProblemDetails, "FieldError" => FieldError,
    );
    add(
        "GatewayMessage",
        json!({
            "type": "object",
            "description": "How API Gateway itself says that something is wrong.",
            "required": ["message"],
            "properties": { "message": { "type": ["string", "null"] } },
        }),
    );
    schemas
}

fn schema<T: ToSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap()
}

#[test]
fn the_openapi_document_is_fresh() {
    let text = format!("{:#}\n", document());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("LOCKKEEPER_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "api-function/openapi.json is not what the routes say: run the tests with LOCKKEEPER_BLESS=1, and read the difference"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    for route in ROUTES {
        assert!(
            !route.docs.summary.is_empty() && !route.docs.answers.is_empty(),
            "{} {}",
            route.method,
            route.path
        );
    }
}
