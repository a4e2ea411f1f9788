//! What is answered when everything is well.

use sandbox::faults::TdsEffect;
use serde_json::{Value, json};

use crate::world::{self, World, event, get, run, send};

#[tokio::test]
async fn the_status_is_measured() {
    let world = World::start().await;
    let api = world.warm_api().await;
    world.advance(100);
    let (response, body) = get(&api, "/status").await;
    assert_eq!(response.status_code, 200, "{body}");
    assert_eq!(response.headers["cache-control"], "no-store");
    assert_eq!(body["status"], "ok");
    assert_eq!(body["function"], json!({"name": "learninghub-api", "version": "7", "cold_start": true}));
    assert_eq!(body["database"]["reachable"], true);
    let latency = body["database"]["latency_ms"].as_f64().unwrap();
    assert!(latency > 0.0 && latency < 1_000.0, "{latency}");
    let described = world.secrets.get_secret_value().secret_id(world::SECRET).send().await.unwrap();
    assert_eq!(body["secret"]["version"], described.version_id.unwrap()[..8]);
    let age = body["secret"]["age_seconds"].as_u64().unwrap();
    assert!((100..200).contains(&age), "{age}");
    assert_eq!(body["request_id"], "8f5c3a2e-0000-4000-8000-000000000001");
    // Slowness is seen.
    world.sql_fault(TdsEffect::Delay(300));
    let (_, body) = get(&api, "/status").await;
    assert!(body["database"]["latency_ms"].as_f64().unwrap() >= 300.0, "{body}");
    assert_eq!(body["function"]["cold_start"], false);
}

#[tokio::test]
async fn every_published_course_is_listed_once_newest_first() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let (_, whole) = get(&api, "/courses?limit=100").await;
    let all = whole["items"].as_array().unwrap();
    assert_eq!(all.len(), 28);
    assert_eq!(whole["next_cursor"], Value::Null);
    let times: Vec<_> = all.iter().map(|course| course["published_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let of = |slug: &str| all.iter().find(|course| course["slug"] == slug).unwrap();
    let emoji = json!({
        "slug": "emoji-and-other-text",
        "title": "Emoji & other text 🧩",
        "summary": "Why 👩‍🚀 is one character to you, three to Unicode, five to UTF-16 and eleven to UTF-8, and where your software will cut it in half.",
        "level": "intermediate",
        "price": "31.99",
        "published_at": "2026-01-12T08:00:00Z",
    });
    assert_eq!(of("emoji-and-other-text"), &emoji);
    assert_eq!(of("o-reilly-s-apostrophe")["title"], "O'Brien's apostrophe; DROP TABLE");
    assert_eq!(of("arabic-interfaces")["title"], "واجهات من اليمين إلى اليسار");
    assert_eq!(of("sql-first-steps")["price"], "0.00");
    assert!(!all.iter().any(|course| course["slug"].as_str().unwrap().contains("draft")));
    // The same courses in the same order, whatever the size of the page.
    for limit in [1, 3, 20, 27, 28] {
        let mut paged = Vec::new();
        let mut next = format!("/courses?limit={limit}");
        loop {
            let (response, page) = get(&api, &next).await;
            assert_eq!(response.status_code, 200, "{page}");
            paged.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("/courses?cursor={cursor}&limit={limit}"),
                None => break,
            }
        }
        assert_eq!(&paged, all, "pages of {limit}");
    }
    assert_eq!(get(&api, "/courses").await.1["items"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn paging_stands_what_is_published_and_withdrawn_meanwhile() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let mut admin = world.admin(world::DATABASE).await;
    let (_, first) = get(&api, "/courses?limit=5").await;
    let (_, expected) = get(&api, "/courses?limit=100").await;
    // A new one on top, and the last one of the page is withdrawn.
    run(
        &mut admin,
        "INSERT INTO dbo.courses (slug, title, summary, level, price, published_at) \
         VALUES (N'brand-new', N'Brand new', N'', N'beginner', 1.00, '2026-06-01T00:00:00.000')",
    )
    .await;
    let last = first["items"][4]["slug"].as_str().unwrap();
    run(&mut admin, &format!("UPDATE dbo.courses SET published_at = NULL WHERE slug = N'{last}'")).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = get(&api, &format!("/courses?limit=5&cursor={cursor}")).await;
    let slugs = |page: &Value, range: std::ops::Range<usize>| -> Vec<Value> {
        page["items"].as_array().unwrap()[range].iter().map(|course| course["slug"].clone()).collect()
    };
    assert_eq!(slugs(&second, 0..5), slugs(&expected, 5..10));
}

#[tokio::test]
async fn what_is_not_understood_is_said() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let cases = [
        ("GET", "/nothing", "", 404, "not-found", None),
        ("GET", "/courses/", "", 404, "not-found", None),
        ("POST", "/status", "", 405, "method-not-allowed", None),
        ("OPTIONS", "/status", "", 405, "method-not-allowed", None),
        ("GET", "/courses", "limit=0", 400, "bad-input", Some("limit")),
        ("GET", "/courses", "limit=101", 400, "bad-input", Some("limit")),
        ("GET", "/courses", "cursor=<b> c", 400, "bad-input", Some("cursor")),
        ("GET", "/courses", "offset=5", 400, "bad-input", Some("offset")),
    ];
    for (method, path, query, status, kind, field) in cases {
        let (response, body) = send(&api, event(method, "$default", path, query), None).await;
        assert_eq!(response.status_code, status, "{method} {path}?{query} {body}");
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(body["type"], format!("urn:learninghub:problem:{kind}"));
        assert_eq!(body["errors"][0]["field"].as_str(), field);
        assert_eq!(response.headers.get("allow").map(String::as_str), (status == 405).then_some("GET, HEAD"));
        assert_eq!(body["request_id"], "8f5c3a2e-0000-4000-8000-000000000001");
    }
    assert_eq!(get(&api, "/status?t=<1> 2").await.0.status_code, 200);
    let (response, body) = send(&api, event("HEAD", "$default", "/courses", ""), None).await;
    assert_eq!((response.status_code, body), (200, Value::Null));
    let (response, body) = send(&api, event("HEAD", "$default", "/nothing", ""), None).await;
    assert_eq!((response.status_code, body), (404, Value::Null));
    let (response, _) = send(&api, event("GET", "prod", "/prod/courses", "limit=1"), None).await;
    assert_eq!(response.status_code, 200);
    let prefixed = world.api(&[("API_PATH_PREFIX", "/v1")]);
    assert_eq!(get(&prefixed, "/v1/courses").await.0.status_code, 200);
}
