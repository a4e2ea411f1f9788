//! What learners do: enrol, learn, leave.

use serde_json::{Value, json};

use crate::calls::{Call, add, content, teach};
use crate::world::World;

#[tokio::test]
async fn a_learner_enrols_learns_and_leaves() {
    let world = World::start().await;
    let api = world.warm_api().await;
    add(&api, "locks").await;
    let (_, ids) = teach(&api, "locks", &["One", "Two", "Three"]).await;
    let ada = |method: &str, path: &str| Call::learner("ada", method, path);
    let (response, body) = ada("GET", "/me/enrolments").send(&api).await;
    assert_eq!((response.status_code, body), (200, json!({ "items": [], "next_cursor": null })));
    assert_eq!(response.headers["cache-control"], "private, no-store");

    let (response, first) = ada("PUT", "/me/enrolments/locks").send(&api).await;
    assert_eq!(response.status_code, 201, "{first}");
    assert_eq!((&first["lessons_total"], &first["lessons_done"]), (&json!(3), &json!(0)));
    let (response, again) = ada("PUT", "/me/enrolments/locks").send(&api).await;
    assert_eq!((response.status_code, &again), (200, &first));

    let lesson = |position: &str, done: bool| {
        ada("PUT", &format!("/me/enrolments/locks/lessons/{position}")).json(&json!({ "done": done }))
    };
    let (response, done) = lesson("2", true).send(&api).await;
    assert_eq!(
        (response.status_code, &done["done"], &done["position"]),
        (200, &json!(true), &json!(2)),
        "{done}"
    );
    assert_eq!(lesson("2", true).send(&api).await.1, done, "the first time stays");
    lesson("3", true).send(&api).await;
    let (_, undone) = lesson("3", false).send(&api).await;
    assert_eq!(undone, json!({ "slug": "locks", "position": 3, "done": false, "done_at": null }));
    lesson("1", true).send(&api).await;
    for position in ["0", "4", "01", "x"] {
        assert_eq!(lesson(position, true).status(&api).await, 404, "{position}");
    }
    let wrong = ada("PUT", "/me/enrolments/locks/lessons/1").json(&json!({ "done": 1 }));
    assert_eq!(wrong.status(&api).await, 400);

    let (_, progress) = ada("GET", "/me/progress").send(&api).await;
    assert_eq!((&progress["courses"], &progress["courses_completed"]), (&json!(1), &json!(0)), "{progress}");
    assert_eq!((&progress["minutes_done"], &progress["minutes_total"]), (&json!(20), &json!(30)));
    assert_eq!(
        (&progress["items"][0]["lessons_done"], &progress["items"][0]["slug"]),
        (&json!(2), &json!("locks"))
    );
    assert!(progress["items"][0]["last_done_at"].is_string());

    // What was learned follows the lesson, not its place.
    let list = json!({ "lessons": [
        { "id": ids[2], "title": "Three", "minutes": 10 }, { "id": ids[1], "title": "Two", "minutes": 10 },
    ] });
    let put = Call::author("PUT", "/courses/locks/lessons").header("if-match", "*").json(&list);
    assert_eq!(put.status(&api).await, 200);
    let (_, progress) = ada("GET", "/me/progress").send(&api).await;
    assert_eq!((&progress["lessons_done"], &progress["lessons_total"]), (&json!(1), &json!(2)), "{progress}");
    lesson("1", true).send(&api).await;
    assert_eq!(ada("GET", "/me/progress").send(&api).await.1["courses_completed"], json!(1));

    // Nobody's learning is deleted along with a course.
    let delete = Call::author("DELETE", "/courses/locks").header("if-match", "*").send(&api).await;
    assert_eq!(delete.0.status_code, 409, "{}", delete.1);
    for _ in 0..2 {
        assert_eq!(ada("DELETE", "/me/enrolments/locks").status(&api).await, 204);
    }
    assert_eq!(lesson("1", true).status(&api).await, 404);
    assert_eq!(ada("GET", "/me/progress").send(&api).await.1["courses"], json!(0));
    assert_eq!(Call::author("DELETE", "/courses/locks").header("if-match", "*").status(&api).await, 204);
    for method in ["PUT", "DELETE"] {
        assert_eq!(ada(method, "/me/enrolments/locks").status(&api).await, 404);
    }
}

#[tokio::test]
async fn learners_are_told_apart() {
    let world = World::start().await;
    let api = world.warm_api().await;
    add(&api, "locks").await;
    let long = "x".repeat(255);
    let learners = ["ada", "Ada", "ada ", "auth0|ada'; --", &long];
    for learner in learners {
        assert_eq!(
            Call::learner(learner, "PUT", "/me/enrolments/locks").status(&api).await,
            201,
            "{learner}"
        );
    }
    let (_, body) = Call::learner("Bob", "GET", "/me/enrolments").send(&api).await;
    assert_eq!(body["items"], json!([]));
    assert_eq!(Call::learner("ada", "DELETE", "/me/enrolments/locks").status(&api).await, 204);
    for learner in &learners[1..] {
        let (_, body) = Call::learner(learner, "GET", "/me/enrolments").send(&api).await;
        assert_eq!(body["items"].as_array().map(Vec::len), Some(1), "{learner}");
    }
    for (method, path) in [
        ("GET", "/me/enrolments"),
        ("PUT", "/me/enrolments/locks"),
        ("DELETE", "/me/enrolments/locks"),
        ("PUT", "/me/enrolments/locks/lessons/1"),
        ("GET", "/me/progress"),
    ] {
        assert_eq!(Call::new(method, path).status(&api).await, 401, "{method} {path}");
        let nobody = Call::new(method, path).claims(json!({ "scope": "courses:write" }));
        assert_eq!(nobody.status(&api).await, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn a_learners_lists_are_paged() {
    let world = World::start().await;
    let api = world.warm_api().await;
    let mut slugs: Vec<_> = (0..7).map(|n| format!("course-{n}")).collect();
    for slug in &slugs {
        add(&api, slug).await;
        let put = Call::learner("ada", "PUT", &format!("/me/enrolments/{slug}"));
        assert_eq!(put.status(&api).await, 201);
    }
    slugs.reverse();
    for list in ["/me/enrolments", "/me/progress"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let (response, body) =
                Call::learner("ada", "GET", &format!("{list}?limit=3{cursor}")).send(&api).await;
            assert_eq!(response.status_code, 200, "{body}");
            seen.extend(
                body["items"].as_array().unwrap().iter().map(|i| i["slug"].as_str().unwrap().to_owned()),
            );
            let Some(next) = body["next_cursor"].as_str() else { break };
            // Somebody else's place is none of yours.
            let other = Call::learner("bob", "GET", &format!("{list}?limit=3&cursor={next}"));
            assert_eq!(other.status(&api).await, 400);
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, slugs, "{list}");
    }
}

#[tokio::test]
async fn drafts_take_no_learners() {
    let world = World::start().await;
    let api = world.warm_api().await;
    add(&api, "draft").await;
    let mut draft = content();
    for at in [Value::Null, json!("2999-01-01T00:00:00Z")] {
        draft["published_at"] = at;
        let put = Call::author("PUT", "/courses/draft").header("if-match", "*").json(&draft);
        assert_eq!(put.status(&api).await, 200);
        assert_eq!(Call::learner("ada", "PUT", "/me/enrolments/draft").status(&api).await, 404);
    }
}

#[tokio::test]
async fn enrolling_twice_at_once_is_enrolling_once() {
    let world = World::start().await;
    let (one, two) = (world.warm_api().await, world.warm_api().await);
    for n in 0..10 {
        let slug = format!("race-{n}");
        add(&one, &slug).await;
        let path = format!("/me/enrolments/{slug}");
        let learner = format!("learner-{n}");
        let put = |api| Call::learner(&learner, "PUT", &path).status(api);
        let mut statuses = <[u16; 2]>::from(tokio::join!(put(&one), put(&two)));
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201]);
    }
}
