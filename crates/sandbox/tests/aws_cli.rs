//! The aws CLI, a client nobody here wrote, on the demo world: what an admin types against AWS must
//! work against the sandbox, and say the same.

mod world;

use std::process::Command;

use serde_json::Value;
use world::{World, zips};

/// Runs the aws CLI and returns its status, its output as JSON (null where there is none) and its
/// error text.
fn aws(world: &World, arguments: &[&str]) -> (bool, Value, String) {
    let output = Command::new(world::python_tool("aws"))
        .args(arguments)
        .args(["--output", "json", "--cli-connect-timeout", "5", "--cli-read-timeout", "40"])
        .env_remove("AWS_PROFILE")
        .envs([
            ("AWS_ENDPOINT_URL", world.sandbox.aws_endpoint().as_str()),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_MAX_ATTEMPTS", "1"),
        ])
        .output()
        .expect("the aws CLI starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    // `lambda invoke` prints its answer beside the file it writes.
    (output.status.success(), serde_json::from_str(&text).unwrap_or(Value::Null), error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_cli_finds_what_it_finds_on_aws() {
    if !world::foreign_clients() {
        return;
    }
    let world = World::build_rotating().await;
    let blocking = tokio::task::spawn_blocking(move || {
        invoke(&world);
        secret(&world);
        routes(&world);
        logs(&world);
        metrics(&world);
        identity(&world);
        rotation(&world);
        objects(&world);
        world
    });
    blocking.await.expect("the checks ran").sandbox.stop().await;
}

fn invoke(world: &World) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("answer.json");
    let event = folder.path().join("event.json");
    std::fs::write(&event, world::event("GET", "/courses")).expect("the event is written");
    let event = format!("fileb://{}", event.display());
    let call = |qualifier: &str| {
        aws(
            world,
            &[
                "lambda",
                "invoke",
                "--function-name",
                "learninghub-api-handler",
                "--qualifier",
                qualifier,
                "--log-type",
                "Tail",
                "--payload",
                &event,
                file.to_str().expect("a path"),
            ],
        )
    };
    let (ok, answer, error) = call("live");
    assert!(ok, "{error}");
    assert_eq!(answer["StatusCode"], 200, "{answer}");
    assert_eq!(answer["ExecutedVersion"], "1");
    assert_eq!(answer["FunctionError"], Value::Null);
    assert!(answer["LogResult"].as_str().is_some_and(|log| !log.is_empty()), "{answer}");
    let body: Value = serde_json::from_slice(&std::fs::read(&file).expect("an answer")).expect("JSON");
    assert_eq!(body["statusCode"], 200, "{body}");
    let courses: Value = serde_json::from_str(body["body"].as_str().expect("a body")).expect("JSON");
    assert!(courses["items"].as_array().is_some_and(|items| !items.is_empty()), "{courses}");

    let (ok, _, error) = call("nosuch");
    assert!(!ok && error.contains("ResourceNotFoundException"), "{error}");
}

fn secret(world: &World) {
    let (ok, answer, error) =
        aws(world, &["secretsmanager", "get-secret-value", "--secret-id", "learninghub/sqlserver"]);
    assert!(ok, "{error}");
    assert_eq!(answer["VersionStages"], serde_json::json!(["AWSCURRENT"]));
    let value: Value = serde_json::from_str(answer["SecretString"].as_str().expect("text")).expect("JSON");
    assert_eq!(value["engine"], "sqlserver");
    assert_eq!(value["password"].as_str().map(str::len), Some(32));
    let (ok, _, error) = aws(world, &["secretsmanager", "get-secret-value", "--secret-id", "another"]);
    assert!(!ok && error.contains("ResourceNotFoundException"), "{error}");
}

fn routes(world: &World) {
    let (ok, answer, error) = aws(world, &["apigatewayv2", "get-routes", "--api-id", &world.demo.api_id]);
    assert!(ok, "{error}");
    let mut keys: Vec<&str> = answer["Items"]
        .as_array()
        .expect("routes")
        .iter()
        .filter_map(|route| route["RouteKey"].as_str())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys.len(), 15, "{keys:?}");
    assert_eq!(keys[..2], ["$default", "DELETE /courses/{slug}"]);
    let post = answer["Items"].as_array().expect("routes").iter().find(|r| r["RouteKey"] == "POST /courses");
    let post = post.expect("a route for authors");
    assert_eq!(
        (&post["AuthorizationType"], &post["AuthorizationScopes"][0]),
        (&"JWT".into(), &"courses:write".into())
    );
}

fn logs(world: &World) {
    let filter = |pattern: &str| {
        let (ok, answer, error) = aws(
            world,
            &[
                "logs",
                "filter-log-events",
                "--log-group-name",
                "/aws/lambda/learninghub-api-handler",
                "--filter-pattern",
                pattern,
            ],
        );
        assert!(ok, "{error}");
        answer["events"].as_array().expect("events").len()
    };
    assert!(filter("{ $.type = \"platform.report\" }") >= 1);
    assert_eq!(filter("{ $.type = \"platform.nosuch\" }"), 0);
}

fn metrics(world: &World) {
    let query = serde_json::json!([{ "Id": "invocations", "MetricStat": {
        "Metric": { "Namespace": "AWS/Lambda", "MetricName": "Invocations", "Dimensions": [
            { "Name": "FunctionName", "Value": "learninghub-api-handler" },
            { "Name": "Resource", "Value": "learninghub-api-handler:live" } ] },
        "Period": 60, "Stat": "Sum" } }]);
    let now = world.sandbox.context().now();
    let at =
        |minutes: i64| (now + chrono::TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:00Z").to_string();
    let (ok, answer, error) = aws(
        world,
        &[
            "cloudwatch",
            "get-metric-data",
            "--metric-data-queries",
            &query.to_string(),
            "--start-time",
            &at(-10),
            "--end-time",
            &at(1),
        ],
    );
    assert!(ok, "{error}");
    let values = answer["MetricDataResults"][0]["Values"].as_array().expect("values");
    // One invocation by the CLI; the one of the qualifier that does not exist counts nowhere.
    let sum: f64 = values.iter().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < f64::EPSILON, "{answer}");
    let (ok, answer, error) = aws(world, &["cloudwatch", "describe-alarms"]);
    assert!(ok, "{error}");
    assert_eq!(answer["MetricAlarms"].as_array().map(Vec::len), Some(4));
}

fn identity(world: &World) {
    let (ok, answer, error) = aws(world, &["sts", "get-caller-identity"]);
    assert!(ok, "{error}");
    assert_eq!(answer["Account"], "123456789012");
    // What the sandbox does not know is refused by name.
    let (ok, _, error) = aws(world, &["sts", "get-session-token"]);
    assert!(!ok && error.contains("GetSessionToken"), "{error}");
}

/// The whole of a rotation as an admin drives it.
fn rotation(world: &World) {
    const SECRET: &str = "learninghub/sqlserver";
    let call = |arguments: &[&str]| {
        let (ok, answer, error) = aws(world, arguments);
        assert!(ok, "{arguments:?}: {error}");
        answer
    };
    let value = |label: &str| {
        let arguments =
            ["secretsmanager", "get-secret-value", "--secret-id", SECRET, "--version-stage", label];
        let answer = call(&arguments);
        let text = answer["SecretString"].as_str().expect("text");
        serde_json::from_str::<Value>(text).expect("JSON")
    };
    let before = value("AWSCURRENT");
    assert!(before["masterarn"].as_str().is_some_and(|arn| arn.contains("sqlserver-master")));

    let rotated = call(&["secretsmanager", "rotate-secret", "--secret-id", SECRET]);
    let version = rotated["VersionId"].as_str().expect("a version").to_owned();
    let describe = || call(&["secretsmanager", "describe-secret", "--secret-id", SECRET]);
    let events = || {
        let name =
            format!("AttributeKey=ResourceName,AttributeValue={}", rotated["ARN"].as_str().expect("an ARN"));
        let found = call(&["cloudtrail", "lookup-events", "--lookup-attributes", &name]);
        found["Events"].as_array().expect("events").clone()
    };
    let has_ended = || {
        events()
            .iter()
            .any(|event| ["RotationSucceeded", "RotationFailed"].iter().any(|n| event["EventName"] == *n))
    };
    let began = std::time::Instant::now();
    while !has_ended() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{}", describe());
    }
    let held = describe();
    let labels = held["VersionIdsToStages"][&version].as_array().cloned().unwrap_or_default();
    assert!(labels.contains(&"AWSCURRENT".into()), "{held} {:?}", events());
    assert_eq!(held["RotationEnabled"], true);
    assert!(!held["LastRotatedDate"].is_null() && !held["NextRotationDate"].is_null(), "{held}");
    let after = value("AWSCURRENT");
    assert_eq!(
        (&before["username"], &after["username"]),
        (&"learninghub_app".into(), &"learninghub_app_clone".into())
    );
    assert!(before["password"] != after["password"] && value("AWSPREVIOUS") == before);

    let named = |name: &str| {
        let events = events();
        let event = events.iter().find(|event| event["EventName"] == name).expect(name).clone();
        let record: Value =
            serde_json::from_str(event["CloudTrailEvent"].as_str().expect("text")).expect("JSON");
        record
    };
    assert_eq!(named("RotationSucceeded")["additionalEventData"]["SecretId"], rotated["ARN"]);
    assert_eq!(named("RotateSecret")["requestParameters"]["secretId"], SECRET);
    assert_eq!(named("TestRotationSucceeded")["eventType"], "AwsServiceEvent");

    let (ok, _, error) = aws(
        world,
        &[
            "secretsmanager",
            "rotate-secret",
            "--secret-id",
            SECRET,
            "--rotation-rules",
            "ScheduleExpression=rate(1 hour)",
        ],
    );
    assert!(!ok && error.contains("InvalidParameterException"), "{error}");
}

/// Code on its way to Lambda through S3: up in parts, back in parts, and into the function.
fn objects(world: &World) {
    const BUCKET: &str = "s3://learninghub-code";
    const FUNCTION: &str = "learninghub-api-handler";
    let call = |arguments: &[&str]| {
        let (ok, answer, error) = aws(world, arguments);
        assert!(ok, "{arguments:?}: {error}");
        answer
    };
    let refused = |arguments: &[&str], what: &str| {
        let (ok, answer, error) = aws(world, arguments);
        assert!(!ok && error.contains(what), "{arguments:?}: {answer} {error}");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    // The CLI sends what has 8 MB or more in parts.
    let zip = zips::good("out of S3");
    assert!(zip.len() > 8 * 1024 * 1024, "{} bytes", zip.len());
    std::fs::write(at("api.zip"), &zip).expect("the zip is written");
    std::fs::write(at("bad.zip"), zips::not_a_zip()).expect("the file is written");

    refused(&["s3", "cp", &at("bad.zip"), &format!("{BUCKET}/bad.zip")], "NoSuchBucket");
    call(&["s3", "mb", BUCKET]);
    refused(&["s3", "mb", BUCKET], "BucketAlreadyOwnedByYou");
    call(&["s3", "cp", "--no-progress", &at("api.zip"), &format!("{BUCKET}/releases/1 ü&.zip")]);
    call(&["s3", "cp", "--no-progress", &at("bad.zip"), &format!("{BUCKET}/bad.zip")]);
    let list = ["s3api", "list-objects-v2", "--bucket", "learninghub-code"];
    let listed = call(&[&list[..], &["--prefix", "releases/"]].concat());
    let [object] = listed["Contents"].as_array().expect("objects").as_slice() else { panic!("{listed}") };
    assert_eq!((&object["Key"], &object["Size"]), (&"releases/1 ü&.zip".into(), &zip.len().into()));
    assert!(object["ETag"].as_str().is_some_and(|tag| tag.contains('-')), "sent in parts: {object}");
    let first = call(&[&list[..], &["--page-size", "1", "--max-items", "1"]].concat());
    assert_eq!(first["Contents"][0]["Key"], "bad.zip");
    let token = first["NextToken"].as_str().expect("a token");
    let second = call(&[&list[..], &["--starting-token", token]].concat());
    assert_eq!(second["Contents"][0]["Key"], "releases/1 ü&.zip");
    let grouped = call(&[&list[..], &["--delimiter", "/"]].concat());
    assert_eq!(grouped["CommonPrefixes"][0]["Prefix"], "releases/");
    call(&["s3", "cp", "--no-progress", &format!("{BUCKET}/releases/1 ü&.zip"), &at("back.zip")]);
    assert!(std::fs::read(at("back.zip")).expect("a file") == zip, "it comes back as it was");

    let key = |key: &'static str| ["--s3-bucket", "learninghub-code", "--s3-key", key];
    let update = ["lambda", "update-function-code", "--function-name", FUNCTION];
    let changed = call(&[&update[..], &key("releases/1 ü&.zip")].concat());
    assert_eq!(changed["CodeSize"], zip.len());
    call(&["lambda", "wait", "function-updated-v2", "--function-name", FUNCTION]);
    let update = |more: &[&'static str]| [&update[..], more].concat();
    refused(&update(&key("bad.zip")), "Could not unzip uploaded file");
    refused(
        &update(&key("none.zip")),
        "S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not",
    );
    let version = ["--s3-object-version", "abc"];
    refused(&update(&[&key("bad.zip")[..], &version].concat()), "S3 Error Code: NoSuchVersion");
    refused(&update(&["--s3-bucket", "another", "--s3-key", "k"]), "S3 Error Code: NoSuchBucket");

    let none = ["--bucket", "learninghub-code", "--key", "none"];
    refused(&[&["s3api", "get-object"], &none[..], &[&at("none")]].concat(), "NoSuchKey");
    refused(&[&["s3api", "head-object"], &none[..]].concat(), "404");
    let enabled = ["--versioning-configuration", "Status=Enabled", "--bucket", "learninghub-code"];
    refused(&[&["s3api", "put-bucket-versioning"], &enabled[..]].concat(), "PutBucketVersioning");
    refused(&["s3", "rb", BUCKET], "BucketNotEmpty");
    call(&["s3", "rm", "--recursive", BUCKET]);
    call(&["s3", "rb", BUCKET]);
    assert_eq!(call(&["s3api", "list-buckets"])["Buckets"], serde_json::json!([]));
}
