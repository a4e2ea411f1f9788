//! What authors change, and how readers see it.

use api_function::api::Api;
use serde_json::{Value, json};

use crate::calls::{Call, add, content, course, teach};
use crate::world::World;

#[tokio::test]
async fn a_course_from_its_beginning_to_its_end() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let (response, made) = Call::author("POST", "/courses").json(&course("locks")).send(&api).await;
    assert_eq!(response.status_code, 201, "{made}");
    assert_eq!(response.headers["location"], "/courses/locks");
    let mut expected = course("locks");
    expected["price"] = json!("12.50");
    expected["lessons"] = json!([]);
    assert_eq!(made, expected);
    let first = response.headers["etag"].clone();

    let (response, read) = Call::new("GET", "/courses/locks").send(&api).await;
    assert_eq!((response.status_code, &read), (200, &expected));
    assert_eq!(response.headers["etag"], first);
    assert_eq!(response.headers["cache-control"], "public, max-age=30");
    let again = Call::new("GET", "/courses/locks").header("if-none-match", &first).send(&api).await;
    assert_eq!((again.0.status_code, again.1), (304, Value::Null));
    assert_eq!(again.0.headers["etag"], first);
    assert_eq!(Call::new("HEAD", "/courses/locks").send(&api).await.1, Value::Null);

    let mut change = content();
    change["title"] = json!("Locks");
    change["published_at"] = json!(null);
    let call = Call::author("PUT", "/courses/locks").header("if-match", &first);
    let (response, changed) = call.json(&change).send(&api).await;
    assert_eq!((response.status_code, &changed["title"]), (200, &json!("Locks")), "{changed}");
    let second = response.headers["etag"].clone();
    assert_ne!(first, second);
    // A draft is not public.
    assert_eq!(Call::new("GET", "/courses/locks").status(&api).await, 404);

    // Who has not seen the newest state changes nothing.
    let stale = Call::author("DELETE", "/courses/locks").header("if-match", &first).send(&api).await;
    assert_eq!((stale.0.status_code, &stale.0.headers["etag"]), (412, &second));
    let weak = format!("W/{second}");
    assert_eq!(Call::author("DELETE", "/courses/locks").header("if-match", &weak).status(&api).await, 412);
    assert_eq!(Call::author("DELETE", "/courses/locks").status(&api).await, 428);
    let list = format!("\"x\", {second}");
    assert_eq!(Call::author("DELETE", "/courses/locks").header("if-match", &list).status(&api).await, 204);
    assert_eq!(Call::author("DELETE", "/courses/locks").header("if-match", "*").status(&api).await, 404);
}

#[tokio::test]
async fn a_slug_is_taken_once() {
    let world = World::start().await;
    let (one, two) = (world.warm_api().await, world.warm_api().await);
    let post = |api| Call::author("POST", "/courses").json(&course("weirs")).status(api);
    let mut statuses = <[u16; 2]>::from(tokio::join!(post(&one), post(&two)));
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let (response, body) = Call::author("POST", "/courses").json(&course("weirs")).send(&one).await;
    assert_eq!((response.status_code, &body["detail"]), (409, &json!("Another course has this slug.")));
}

#[tokio::test]
async fn of_two_authors_one_is_first() {
    let world = World::start().await;
    let (one, two) = (world.warm_api().await, world.warm_api().await);
    let mut tag = add(&one, "sluices").await;
    for round in 0..10 {
        let put = |api, name: &str| {
            let mut change = content();
            change["title"] = json!(format!("{name} {round}"));
            Call::author("PUT", "/courses/sluices").header("if-match", &tag).json(&change).send(api)
        };
        let (a, b) = tokio::join!(put(&one, "one"), put(&two, "two"));
        let (won, lost) = if a.0.status_code == 200 { (a, b) } else { (b, a) };
        assert_eq!((won.0.status_code, lost.0.status_code), (200, 412), "{} {}", won.1, lost.1);
        let (read, body) = Call::new("GET", "/courses/sluices").send(&one).await;
        assert_eq!(body["title"], won.1["title"]);
        tag = read.headers["etag"].clone();
        assert_eq!((&tag, &tag), (&won.0.headers["etag"], &lost.0.headers["etag"]));
    }
}

#[tokio::test]
async fn only_authors_change_courses() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let tag = add(&api, "gates").await;
    for (method, path) in [
        ("POST", "/courses"),
        ("PUT", "/courses/gates"),
        ("DELETE", "/courses/gates"),
        ("PUT", "/courses/gates/lessons"),
    ] {
        let call = |claims: Option<Value>| {
            let call = Call::new(method, path).header("if-match", &tag).json(&course("other"));
            claims.map_or(Call::new(method, path), |claims| call.claims(claims))
        };
        let (response, _) = call(None).send(&api).await;
        assert_eq!((response.status_code, response.headers["www-authenticate"].as_str()), (401, "Bearer"));
        for scope in ["", "courses:read", "courses:writer", "courses"] {
            let (response, body) = call(Some(json!({ "sub": "x", "scope": scope }))).send(&api).await;
            assert_eq!(response.status_code, 403, "{method} {path} {scope}");
            assert!(response.headers["www-authenticate"].contains("insufficient_scope"));
            assert_eq!(body["type"], "urn:learninghub:problem:forbidden");
        }
    }
    assert_eq!(Call::new("GET", "/courses/gates").send(&api).await.0.headers["etag"], tag);
}

#[tokio::test]
async fn lessons_keep_their_ids() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let before = add(&api, "canals").await;
    let (tag, ids) = teach(&api, "canals", &["Digging", "Filling", "Steering"]).await;
    assert_ne!(before, tag);
    let put = |lessons: Value, tag: &str| {
        Call::author("PUT", "/courses/canals/lessons")
            .header("if-match", tag)
            .json(&json!({ "lessons": lessons }))
    };
    // Two trade places, one goes, one is new, one is called otherwise.
    let list = json!([
        { "id": ids[2], "title": "Steering", "minutes": 10 },
        { "title": "Mooring", "minutes": 5 },
        { "id": ids[0], "title": "Digging deep", "minutes": 20 },
    ]);
    let (response, body) = put(list.clone(), &tag).send(&api).await;
    assert_eq!(response.status_code, 200, "{body}");
    let lessons = body["lessons"].as_array().unwrap();
    let seen: Vec<_> =
        lessons.iter().map(|l| (l["position"].as_i64().unwrap(), l["title"].as_str().unwrap())).collect();
    assert_eq!(seen, [(1, "Steering"), (2, "Mooring"), (3, "Digging deep")]);
    assert_eq!((lessons[0]["id"].as_i64(), lessons[2]["id"].as_i64()), (Some(ids[2]), Some(ids[0])));
    assert_eq!(Call::new("GET", "/courses/canals").send(&api).await.1["lessons"], body["lessons"]);
    assert_eq!(put(list, &tag).status(&api).await, 412);

    // An id of another course, or one that is gone.
    add(&api, "other-canals").await;
    let (_, foreign) = teach(&api, "other-canals", &["Elsewhere"]).await;
    for id in [foreign[0], ids[1], i64::MAX] {
        let (response, body) = put(json!([{ "id": id, "title": "x", "minutes": 1 }]), "*").send(&api).await;
        assert_eq!(response.status_code, 409, "{body}");
    }
    let twice =
        json!([{ "id": ids[0], "title": "x", "minutes": 1 }, { "id": ids[0], "title": "y", "minutes": 1 }]);
    let (response, body) = put(twice, "*").send(&api).await;
    assert_eq!((response.status_code, &body["errors"][0]["field"]), (400, &json!("lessons[1].id")));

    let (response, body) = put(json!([]), "*").send(&api).await;
    assert_eq!((response.status_code, &body["lessons"]), (200, &json!([])), "{body}");
    let most: Vec<_> = (0..200).map(|n| json!({ "title": format!("Lesson {n}"), "minutes": 1 })).collect();
    let (response, body) = put(json!(most), "*").send(&api).await;
    assert_eq!(
        (response.status_code, body["lessons"].as_array().map(Vec::len)),
        (200, Some(200)),
        "{}",
        body["detail"]
    );
    assert_eq!(body["lessons"][199]["title"], "Lesson 199");
    let more: Vec<_> = (0..201).map(|_| json!({ "title": "x", "minutes": 1 })).collect();
    assert_eq!(put(json!(more), "*").status(&api).await, 400);
    assert_eq!(Call::author("DELETE", "/courses/canals").header("if-match", "*").status(&api).await, 204);
}

#[tokio::test]
async fn what_is_wrong_with_a_course_is_said_of_each_member() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let (response, body) = Call::author("POST", "/courses")
        .json(&json!({ "slug": "Not A Slug", "title": "", "level": "expert", "price": 12, "published_at": "soon", "owner": 1 }))
        .send(&api)
        .await;
    assert_eq!(response.status_code, 400);
    let fields: Vec<_> =
        body["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["owner", "slug", "title", "summary", "level", "price", "published_at"]);

    // nvarchar counts UTF-16 code units: 100 astronauts are 200 of them.
    for (title, status) in [("🦀".repeat(100), 201), ("🦀".repeat(101), 400), ("x".repeat(201), 400)] {
        let mut new = course("long-title");
        new["title"] = json!(title);
        assert_eq!(Call::author("POST", "/courses").json(&new).status(&api).await, status);
    }
    let post = || Call::author("POST", "/courses");
    assert_eq!(post().text("{\"slug\":").status(&api).await, 400);
    assert_eq!(post().text(&"[".repeat(10_000)).status(&api).await, 400);
    assert_eq!(
        post().text(&course("a").to_string()).header("content-type", "text/plain").status(&api).await,
        415
    );
    assert_eq!(post().json(&course("a")).header("content-encoding", "gzip").status(&api).await, 415);
    assert_eq!(post().text(&format!("{{\"a\":\"{}\"}}", "x".repeat(512 * 1_024))).status(&api).await, 413);
    assert_eq!(Call::author("POST", "/courses?draft=1").json(&course("a")).status(&api).await, 400);
}

/// Texts that were written to break something, or that are broken by what does not know Unicode.
const HOSTILE: [&str; 12] = [
    "'; DROP TABLE dbo.courses; --",
    "O'Brien \"quoted\" `ticks` [brackets]] {braces}",
    "nul \u{0} in the middle",
    "👩‍🚀 🏳️‍🌈 👨‍👩‍👧‍👦 𝕊𝕢𝕝",
    "שלום \u{202e}עולם\u{202c} مرحبا",
    "e\u{301} is not é",
    "\u{feff}bom \u{fffd} \u{10ffff}",
    "tab\tnew\r\nline\u{2028}\u{85}",
    "%_[a-z]^!\\ %27 &#39; <script>alert(1)</script>",
    "trailing spaces   ",
    "ꜱᴍᴀʟʟ İıŞş ßẞ ﬁ Ǆ",
    "漢字 カタカナ 한글 ไทย हिन्दी",
];

#[tokio::test]
async fn hostile_texts_are_stored_and_returned_unharmed() {
    let world = World::start().await;
    let api = world.warm_api().await;
    for (n, text) in HOSTILE.iter().enumerate() {
        let slug = format!("hostile-{n}");
        let mut new = course(&slug);
        new["title"] = json!(text);
        new["summary"] = json!(text);
        let (response, body) = Call::author("POST", "/courses").json(&new).send(&api).await;
        assert_eq!(response.status_code, 201, "{text:?} {body}");
        let (_, ids) = teach(&api, &slug, &[text]).await;
        let (_, read) = Call::new("GET", &format!("/courses/{slug}")).send(&api).await;
        assert_eq!((&read["title"], &read["summary"]), (&json!(text), &json!(text)), "{text:?}");
        assert_eq!(read["lessons"][0], json!({ "id": ids[0], "position": 1, "title": text, "minutes": 10 }));
        // It is found by itself, and nothing in it is a wildcard.
        let query: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (response, found) =
            Call::new("GET", &format!("/courses?search={query}&limit=100")).send(&api).await;
        assert_eq!(response.status_code, 200, "{text:?} {found}");
        let slugs: Vec<_> =
            found["items"].as_array().unwrap().iter().map(|item| item["slug"].as_str()).collect();
        assert_eq!(slugs, [Some(slug.as_str())], "{text:?}");
    }
    assert_eq!(Call::new("GET", "/courses?limit=1").status(&api).await, 200);
}

#[tokio::test]
async fn lists_are_filtered_counted_and_paged_over_changes() {
    let world = World::start().await;
    let api = world.warm_api().await;
    for at in 0..12 {
        let mut new = course(&format!("page-{at}"));
        new["title"] = json!(format!("Paged {at}"));
        new["published_at"] = json!(format!("2025-01-01T00:00:{at:02}Z"));
        new["level"] = json!(if at % 3 == 0 { "advanced" } else { "beginner" });
        assert_eq!(Call::author("POST", "/courses").json(&new).status(&api).await, 201);
    }
    let (_, all) = Call::new("GET", "/courses?search=pAGED&total=true&limit=100").send(&api).await;
    assert_eq!((all["total"].as_u64(), all["items"].as_array().map(Vec::len)), (Some(12), Some(12)));
    assert_eq!(all["next_cursor"], Value::Null);
    let (_, some) =
        Call::new("GET", "/courses?search=paged&level=advanced&total=true&limit=2").send(&api).await;
    assert_eq!((some["total"].as_u64(), some["items"].as_array().map(Vec::len)), (Some(4), Some(2)));
    let (_, none) = Call::new("GET", "/courses?search=no-such-text&total=true").send(&api).await;
    assert_eq!(none, json!({ "items": [], "next_cursor": null, "total": 0 }));
    assert!(Call::new("GET", "/courses?search=paged").send(&api).await.1.get("total").is_none());

    // While it is paged through, one that was seen goes, one that was not seen goes, and two come.
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for page in 0..10 {
        let (response, body) =
            Call::new("GET", &format!("/courses?search=paged&limit=4{cursor}")).send(&api).await;
        assert_eq!(response.status_code, 200, "{body}");
        let items = body["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["slug"].as_str().unwrap().to_owned()));
        let Some(next) = body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        if page == 0 {
            change_in_the_middle(&api).await;
        }
    }
    let expected = ["11", "10", "9", "8", "7", "6", "5", "new-old", "4", "3", "1", "0"];
    let expected: Vec<_> = expected.iter().map(|n| format!("page-{n}")).collect();
    assert_eq!(seen, expected);

    // A cursor is good for the list it came with.
    for other in ["/courses?limit=4", "/courses?search=other&limit=4", "/courses?search=paged&level=beginner"]
    {
        let (response, body) = Call::new("GET", &format!("{other}{cursor}")).send(&api).await;
        assert_eq!((response.status_code, &body["errors"][0]["field"]), (400, &json!("cursor")), "{other}");
    }
    for wrong in ["level=expert", "total=yes", "search=", "limit=0", "sort=price"] {
        assert_eq!(Call::new("GET", &format!("/courses?{wrong}")).status(&api).await, 400, "{wrong}");
    }
}

async fn change_in_the_middle(api: &Api) {
    for gone in ["page-9", "page-2"] {
        let call = Call::author("DELETE", &format!("/courses/{gone}")).header("if-match", "*");
        assert_eq!(call.status(api).await, 204);
    }
    for (slug, at) in [("page-new-new", "2025-06-01T00:00:00Z"), ("page-new-old", "2025-01-01T00:00:04.500Z")]
    {
        let mut new = course(slug);
        new["title"] = json!("Paged anew");
        new["published_at"] = json!(at);
        assert_eq!(Call::author("POST", "/courses").json(&new).status(api).await, 201);
    }
}

#[tokio::test]
async fn a_list_that_is_the_same_is_not_sent_again() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let (response, _) = Call::new("GET", "/courses?limit=5").send(&api).await;
    let tag = &response.headers["etag"];
    let again = || Call::new("GET", "/courses?limit=5").header("if-none-match", tag);
    let (response, body) = again().send(&api).await;
    assert_eq!((response.status_code, body), (304, Value::Null));
    // The newest of the samples.
    let put = Call::author("PUT", "/courses/mentoring-engineers").header("if-match", "*");
    let mut change = content();
    change["published_at"] = json!("2026-04-13T08:00:00Z");
    assert_eq!(put.json(&change).status(&api).await, 200);
    assert_eq!(again().status(&api).await, 200);
}
