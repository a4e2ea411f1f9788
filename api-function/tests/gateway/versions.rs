//! New code behind the alias: real zips of the function, good and bad ones, published and given a share
//! of the requests, and what the figures of each version say then.

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_lambda::config::{Credentials, Region, retry::RetryConfig};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, LastUpdateStatus, LogType, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbox::demo;
use serde_json::{Value, json};

use crate::{World, status, zips};

/// Requests to the alias in a test of shares.
const CALLS: u32 = 60;

/// Deploys as the steps of a careful rollout do, each call fenced.
struct Deployer {
    lambda: aws_sdk_lambda::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
}

impl Deployer {
    fn new(world: &World) -> Self {
        let credentials = || Credentials::new("AKIDEXAMPLE", "x", None, None, "test");
        let lambda = aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .region(Region::new("eu-west-1"))
            .endpoint_url(world.sandbox.aws_endpoint())
            .credentials_provider(credentials())
            .retry_config(RetryConfig::disabled());
        let cloudwatch = aws_sdk_cloudwatch::Config::builder()
            .behavior_version_latest()
            .region(Region::new("eu-west-1"))
            .endpoint_url(world.sandbox.aws_endpoint())
            .credentials_provider(credentials());
        Self {
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
            cloudwatch: aws_sdk_cloudwatch::Client::from_conf(cloudwatch.build()),
        }
    }

    /// Uploads a zip and publishes it; the new version's number.
    async fn publish(&self, zip: Vec<u8>) -> String {
        let hash = STANDARD.encode(digest(&SHA256, &zip));
        let update = || self.lambda.update_function_code().function_name(demo::FUNCTION);
        let before = self.settled("$LATEST").await;
        let dry = update().zip_file(Blob::new(zip.clone())).dry_run(true).send().await.unwrap();
        assert_eq!(dry.code_sha256(), Some(hash.as_str()), "a dry run tells the new hash");
        update().zip_file(Blob::new(zip)).revision_id(&before.1).send().await.unwrap();
        let (_, revision) = self.settled("$LATEST").await;
        let publish = self.lambda.publish_version().function_name(demo::FUNCTION);
        let published = publish.code_sha256(&hash).revision_id(revision).send().await.unwrap();
        let number = published.version().unwrap().to_owned();
        assert_eq!(self.settled(&number).await.0, hash);
        number
    }

    /// Waits until a version is active and its last update is through; its hash and revision.
    async fn settled(&self, version: &str) -> (String, String) {
        for _ in 0..200 {
            let get = self.lambda.get_function_configuration().function_name(demo::FUNCTION);
            let now = get.qualifier(version).send().await.unwrap();
            let updated = matches!(now.last_update_status(), None | Some(LastUpdateStatus::Successful));
            if now.state() == Some(&State::Active) && updated {
                return (now.code_sha256().unwrap().to_owned(), now.revision_id().unwrap().to_owned());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{version} does not settle");
    }

    /// Gives a version a share of the alias's requests.
    async fn share(&self, version: &str, weight: f64) {
        let alias = self.lambda.get_alias().function_name(demo::FUNCTION).name(demo::ALIAS);
        let alias = alias.send().await.unwrap();
        let weights = AliasRoutingConfiguration::builder().additional_version_weights(version, weight);
        self.lambda
            .update_alias()
            .function_name(demo::FUNCTION)
            .name(demo::ALIAS)
            .routing_config(weights.build())
            .revision_id(alias.revision_id().unwrap())
            .send()
            .await
            .unwrap();
    }

    /// One request to a version by itself.
    async fn invoke(&self, version: &str, path: &str) -> InvokeOutput {
        self.lambda
            .invoke()
            .function_name(demo::FUNCTION)
            .qualifier(version)
            .log_type(LogType::Tail)
            .payload(Blob::new(event(path).to_string()))
            .send()
            .await
            .unwrap()
    }

    /// A figure since the start of the test; nothing where there are no data.
    async fn figure(&self, world: &World, metric: Metric, stat: &str) -> Option<f64> {
        let now = world.sandbox.context().now().timestamp();
        let query = MetricStat::builder().metric(metric).period(60).stat(stat).build();
        let data = self
            .cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_secs(now - 1_200))
            .end_time(DateTime::from_secs(now + 120))
            .metric_data_queries(MetricDataQuery::builder().id("q").metric_stat(query).build())
            .send()
            .await
            .unwrap();
        let values = data.metric_data_results()[0].values().iter().copied();
        match stat {
            "Minimum" => values.reduce(f64::min),
            _ => values.reduce(|a, b| a + b),
        }
    }

    /// The same once it is as large as expected: logs are written behind the requests.
    async fn figure_of(&self, world: &World, metric: impl Fn() -> Metric, expected: f64) -> f64 {
        let mut found = 0.0;
        for _ in 0..100 {
            found = self.figure(world, metric(), "Sum").await.unwrap_or_default();
            if found >= expected {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        found
    }
}

/// What Lambda counts of a version behind the alias.
fn of_alias(name: &str, version: &str) -> Metric {
    let resource = format!("{}:{}", demo::FUNCTION, demo::ALIAS);
    metric(
        "AWS/Lambda",
        name,
        &[("FunctionName", demo::FUNCTION), ("Resource", &resource), ("ExecutedVersion", version)],
    )
}

/// What Lambda counts of a version that is invoked by its number.
fn of_number(name: &str, version: &str) -> Metric {
    let resource = format!("{}:{version}", demo::FUNCTION);
    metric("AWS/Lambda", name, &[("FunctionName", demo::FUNCTION), ("Resource", &resource)])
}

/// What the function itself says of a version.
fn of_version(name: &str, version: &str) -> Metric {
    metric("LearningHub", name, &[("FunctionName", demo::FUNCTION), ("ExecutedVersion", version)])
}

fn metric(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Metric {
    let dimensions = dimensions.iter().map(|(n, v)| Dimension::builder().name(*n).value(*v).build());
    Metric::builder()
        .namespace(namespace)
        .metric_name(name)
        .set_dimensions(Some(dimensions.collect()))
        .build()
}

fn event(path: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "host": "smoke.invalid" }, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "123456789012", "apiId": "smoke", "domainName": "smoke.invalid", "domainPrefix": "smoke",
            "requestId": "smoke", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1_767_225_600_000_i64,
            "http": {
                "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "smoke"
            },
        },
    })
}

fn payload(output: &InvokeOutput) -> Value {
    serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_behind_the_alias_has_figures_of_its_own() {
    let world = Box::pin(World::build()).await;
    let deployer = Deployer::new(&world);
    let good = deployer.publish(zips::good("good")).await;
    assert_eq!(good, "2");
    let smoke = deployer.invoke(&good, "/status").await;
    assert_eq!((smoke.executed_version(), smoke.function_error()), (Some("2"), None));
    assert_eq!(payload(&smoke)["statusCode"], 200);
    let tail = STANDARD.decode(smoke.log_result().unwrap()).unwrap();
    assert!(!tail.is_empty() && tail.len() <= 4_096);
    assert!(String::from_utf8_lossy(&tail).contains("\"message\":\"request\""), "the function's own line");

    deployer.share(&good, 0.5).await;
    let mut answered = [0_u32; 2];
    for _ in 0..CALLS {
        let (_, body) = crate::answered(world.call("GET", "/status"), 200).await;
        let version: usize = body["function"]["version"].as_str().unwrap().parse().unwrap();
        answered[version - 1] += 1;
    }
    // Half of 60 and no more than 4.6 standard deviations from it: one run in 200,000 is further off.
    assert!(answered.iter().all(|calls| (12..=48).contains(calls)), "{answered:?}");
    for (version, calls) in [("1", answered[0]), ("2", answered[1])] {
        // The smoke request was answered by the second too, but not behind the alias.
        let direct = u32::from(version == "2");
        let by_lambda = deployer.figure_of(&world, || of_alias("Invocations", version), calls.into()).await;
        assert_eq!(by_lambda, f64::from(calls), "{version}");
        let requests = || of_version("Requests", version);
        let by_function = deployer.figure_of(&world, requests, (calls + direct).into()).await;
        assert_eq!(by_function, f64::from(calls + direct), "{version}");
        for errors in [of_alias("Errors", version), of_version("ServerErrors", version)] {
            assert_eq!(deployer.figure(&world, errors, "Sum").await, Some(0.0), "{version}");
        }
    }
    let by_number = deployer.figure(&world, of_number("Invocations", "2"), "Sum").await;
    assert_eq!(by_number, Some(1.0));

    // A fifth answers 500, which Lambda does not count as errors.
    let erring = deployer.publish(zips::erring(0.2)).await;
    deployer.share(&erring, 0.5).await;
    let mut refused = 0_u32;
    for _ in 0..CALLS {
        refused += u32::from(status(world.call("GET", "/courses?limit=1")).await == 500);
    }
    assert!(refused > 0);
    let errors = || of_version("ServerErrors", &erring);
    assert_eq!(deployer.figure_of(&world, errors, refused.into()).await, f64::from(refused));
    assert_eq!(deployer.figure(&world, of_alias("Errors", &erring), "Sum").await, Some(0.0));
    assert_eq!(deployer.figure(&world, of_version("ServerErrors", "1"), "Sum").await, Some(0.0));

    let slow = deployer.publish(zips::slow(400)).await;
    assert_eq!(payload(&deployer.invoke(&slow, "/status").await)["statusCode"], 200);
    deployer.figure_of(&world, || of_version("Requests", &slow), 1.0).await;
    for duration in [of_version("RequestDuration", &slow), of_number("Duration", &slow)] {
        let least = deployer.figure(&world, duration.clone(), "Minimum").await;
        assert!(least.is_some_and(|ms| ms >= 400.0), "{duration:?} {least:?}");
    }
    world.sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_zips_end_where_they_do_on_aws() {
    let world = Box::pin(World::build()).await;
    let deployer = Deployer::new(&world);
    for (zip, code) in [
        (zips::not_a_zip(), "InvalidParameterValueException"),
        (zips::too_large(), "RequestEntityTooLargeException"),
    ] {
        let update = deployer.lambda.update_function_code().function_name(demo::FUNCTION);
        let refused = update.zip_file(Blob::new(zip)).send().await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{refused:?}");
    }
    for (zip, kind, what) in [
        (zips::crashing_at_init(), "Runtime.ExitError", "exit status 1"),
        (zips::wrong_architecture(), "Runtime.InvalidEntrypoint", "exec format error"),
        (zips::no_bootstrap(), "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s)"),
    ] {
        let version = deployer.publish(zip).await;
        let output = deployer.invoke(&version, "/status").await;
        assert_eq!(output.executed_version(), Some(version.as_str()));
        assert_eq!(output.function_error(), Some("Unhandled"), "{kind}");
        let error = payload(&output);
        assert_eq!(error["errorType"], kind);
        assert!(error["errorMessage"].as_str().unwrap().contains(what), "{error}");
        let errors = || of_number("Errors", &version);
        assert_eq!(deployer.figure_of(&world, errors, 1.0).await, 1.0, "{kind}");
    }
    let failing = deployer.publish(zips::failing_smoke()).await;
    for (path, expected) in [("/status", 503), ("/courses", 200)] {
        let output = deployer.invoke(&failing, path).await;
        assert_eq!(output.function_error(), None);
        assert_eq!(payload(&output)["statusCode"], expected, "{path}");
    }
    // Nothing of it has reached the users.
    assert_eq!(status(world.call("GET", "/status")).await, 200);
    world.sandbox.stop().await;
}
