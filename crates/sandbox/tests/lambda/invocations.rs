//! Functions that run: answers, errors, limits, logs, shares.

use std::time::{Duration, Instant};

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, FunctionCode, InvocationType, LogFormat, LoggingConfig, SystemLogLevel,
    TracingConfig, TracingMode,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::faults::{At, Fault, FunctionEffect};
use sandbox::services::lambda::{Invocation, Principal};
use serde_json::{Value, json};

use crate::refused;
use crate::world::{File, Plan, World, payload, process_state, refusal, tail, until, zipped};

#[tokio::test]
async fn an_environment_is_reused_and_frozen_between_requests() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function("f").await;
    assert_eq!(world.ask("f", json!({"a": [1, "ü"]})).await, json!({"a": [1, "ü"]}));
    for count in 2..5 {
        let about = world.ask("f", json!({"do": "about"})).await;
        assert_eq!(about["count"], count);
        let pid = about["pid"].as_u64().unwrap();
        until("frozen", || process_state(pid) == Some('T')).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn what_a_function_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function_with("f", &[("COLOUR", "red")]).await;
    let variables = world.ask("f", json!({"do": "variables"})).await;
    let stream = variables["AWS_LAMBDA_LOG_STREAM_NAME"].as_str().unwrap();
    assert!(stream.starts_with("2026/08/04/[$LATEST]") && stream.len() == "2026/08/04/[$LATEST]".len() + 32);
    for (name, expected) in [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("_HANDLER", "bootstrap"),
        ("TZ", ":UTC"),
        ("COLOUR", "red"),
    ] {
        assert_eq!(variables[name], expected, "{name}");
    }
    assert!(variables["AWS_ENDPOINT_URL"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(variables["AWS_ACCESS_KEY_ID"].as_str().unwrap().starts_with("ASIA"));
    assert!(variables.get("HOME").is_none() && variables.get("CARGO").is_none());
    assert!(variables.get("AWS_LAMBDA_LOG_FORMAT").is_none());

    let client_context = STANDARD.encode(r#"{"custom": {"a": 1}}"#);
    let call = world.client.invoke().function_name("f:$LATEST").client_context(client_context);
    let output = call.payload(Blob::new(r#"{"do":"about"}"#)).send().await.unwrap();
    assert_eq!(output.executed_version(), Some("$LATEST"));
    let headers = &payload(&output)["headers"];
    let now = world.context.now_ms();
    let deadline: i64 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!((now + 19_000..=now + 20_000).contains(&deadline), "{deadline} at {now}");
    assert_eq!(headers["lambda-runtime-client-context"], r#"{"custom":{"a":1}}"#);
    assert_eq!(
        headers["lambda-runtime-invoked-function-arn"],
        "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST"
    );
    let trace = headers["lambda-runtime-trace-id"].as_str().unwrap();
    assert!(trace.starts_with("Root=1-6a7") && trace.ends_with(";Sampled=0"), "{trace}");
    // Without a payload the event is an empty object.
    let output = world.client.invoke().function_name("f").send().await.unwrap();
    assert_eq!(payload(&output), json!({}));
    world.stop().await;
}

#[tokio::test]
async fn errors_of_the_function_are_answers() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function("f").await;
    let first = world.ask("f", json!({"do": "about"})).await;
    let output = world.invoke("f", &json!({"do": "error"})).await;
    assert_eq!((output.status_code(), output.function_error()), (200, Some("Unhandled")));
    let expected = json!({"errorType": "Test.Failed", "errorMessage": "on purpose", "stackTrace": []});
    assert_eq!(payload(&output), expected);
    // An error is no crash: the same environment goes on.
    assert_eq!(world.ask("f", json!({"do": "about"})).await["pid"], first["pid"]);

    for (event, what) in [
        (json!({"do": "exit", "n": 1}), "Runtime exited with error: exit status 1"),
        (json!({"do": "exit", "n": 0}), "Runtime exited without providing a reason"),
        (json!({"do": "abort"}), "Runtime exited with error: signal: aborted"),
    ] {
        let from = Instant::now();
        let output = world.invoke("f", &event).await;
        assert!(from.elapsed() < Duration::from_secs(5), "a crash is seen at once");
        assert_eq!(output.function_error(), Some("Unhandled"));
        let error = payload(&output);
        let id = tail_id(&tail(&output));
        assert_eq!(error["errorType"], "Runtime.ExitError");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(message.starts_with(&format!("RequestId: {id} Error: {what}")), "{message}");
        assert!(tail(&output).contains("\nRuntime.ExitError\nEND RequestId: "), "{}", tail(&output));
        let after = world.ask("f", json!({"do": "about"})).await;
        assert_eq!(after["count"], 1, "a new environment serves after a crash");
    }
    // An answer that was given stays one.
    assert_eq!(world.ask("f", json!({"do": "answer and exit"})).await["do"], "answer and exit");
    assert_eq!(world.ask("f", json!({"do": "about"})).await["count"], 1);

    let output = world.invoke("f", &json!({"do": "big", "n": 6_291_556})).await;
    assert_eq!(payload(&output)["errorType"], "Function.ResponseSizeTooLarge");
    let fits = world.ask("f", json!({"do": "big", "n": 6_291_554})).await;
    assert_eq!(fits.as_str().unwrap().len(), 6_291_554);
    world.stop().await;
}

fn tail_id(tail: &str) -> String {
    let from = tail.find("START RequestId: ").unwrap() + "START RequestId: ".len();
    tail[from..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn the_time_limit_kills() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.create("f").timeout(1).send().await.unwrap();
    let pid = world.ask("f", json!({"do": "about"})).await["pid"].as_u64().unwrap();
    let from = Instant::now();
    let output = world.invoke("f", &json!({"do": "sleep", "n": 5000})).await;
    let took = from.elapsed();
    assert!(took > Duration::from_millis(990) && took < Duration::from_secs(3), "{took:?}");
    let log = tail(&output);
    let id = tail_id(&log);
    assert_eq!(
        payload(&output),
        json!({
            "errorType": "Sandbox.Timedout",
            "errorMessage": format!("RequestId: {id} Error: Task timed out after 1.00 seconds")
        })
    );
    assert!(
        log.contains(&format!("2026-08-04T12:00:00.000Z {id} Task timed out after 1.00 seconds\n")),
        "{log}"
    );
    assert!(log.contains("\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t"), "{log}");
    assert!(log.contains("\tStatus: timeout\t"), "{log}");
    assert_eq!(process_state(pid), None, "killed");
    assert_eq!(world.ask("f", json!({"do": "about"})).await["count"], 1);
    world.stop().await;
}

#[tokio::test]
async fn the_log_says_start_end_report() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let tracing = TracingConfig::builder().mode(TracingMode::Active).build();
    world.create("f").memory_size(256).tracing_config(tracing).send().await.unwrap();
    let cold = tail(&world.invoke("f", &json!({"do": "print", "lines": ["one", "two"]})).await);
    let id = tail_id(&cold);
    let lines: Vec<&str> = cold.lines().collect();
    assert_eq!(lines[0], format!("START RequestId: {id} Version: $LATEST"));
    assert_eq!(lines[1..4], ["one", "two", "to standard error"]);
    assert_eq!(lines[4], format!("END RequestId: {id}"));
    let report: Vec<&str> = lines[5].split('\t').collect();
    assert_eq!(report[0], format!("REPORT RequestId: {id}"));
    let number = |at: usize, before: &str, after: &str| -> f64 {
        let text = report[at].strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        text.unwrap_or_else(|| panic!("{report:?}")).parse().unwrap()
    };
    let (duration, init) = (number(1, "Duration: ", " ms"), number(5, "Init Duration: ", " ms"));
    let billed = number(2, "Billed Duration: ", " ms");
    assert!(billed >= duration + init - 0.02 && billed <= duration + init + 1.02, "{report:?}");
    assert_eq!(report[3], "Memory Size: 256 MB");
    assert!(number(4, "Max Memory Used: ", " MB") >= 1.0);
    // Of a traced function, the first request in a second is sampled.
    assert!(lines[6].starts_with("XRAY TraceId: 1-6a7") && lines[6].contains("\tSampled: true"), "{cold}");
    let warm = tail(&world.invoke("f", &json!({})).await);
    assert!(!warm.contains("Init Duration") && warm.contains("REPORT RequestId: "), "{warm}");
    world.stop().await;
}

#[tokio::test]
async fn the_json_format() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let logging = LoggingConfig::builder()
        .log_format(LogFormat::Json)
        .system_log_level(SystemLogLevel::Debug)
        .log_group("/my/group")
        .build();
    world.create("f").logging_config(logging).send().await.unwrap();
    let lines =
        json!(["plain", "{\"level\":\"DEBUG\",\"message\":\"left out\"}", "{\"level\":\"ERROR\",\"a\":1}"]);
    let log = tail(&world.invoke("f", &json!({"do": "print", "lines": lines})).await);
    let records: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = records.iter().map(|r| r["type"].as_str().unwrap_or("-")).collect();
    assert_eq!(kinds, ["platform.start", "-", "-", "-", "platform.runtimeDone", "platform.report"]);
    let id = records[0]["record"]["requestId"].as_str().unwrap();
    assert_eq!(
        records[1],
        json!({"timestamp": "2026-08-04T12:00:00.000Z", "level": "INFO", "message": "plain", "requestId": id})
    );
    assert_eq!(records[2], json!({"level": "ERROR", "a": 1}));
    let report = &records[5]["record"];
    assert_eq!((report["requestId"].as_str(), report["status"].as_str()), (Some(id), Some("success")));
    for metric in ["durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"] {
        assert!(report["metrics"][metric].as_f64().unwrap() > 0.0, "{metric}: {report}");
    }
    let variables = world.ask("f", json!({"do": "variables"})).await;
    assert_eq!(variables["AWS_LAMBDA_LOG_FORMAT"], "JSON");
    assert_eq!(variables["AWS_LAMBDA_LOG_LEVEL"], "INFO");
    assert_eq!(variables["AWS_LAMBDA_LOG_GROUP_NAME"], "/my/group");
    world.stop().await;
}

#[tokio::test]
async fn functions_that_do_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function_with("exits", &[("START", "exit")]).await;
    world.function_with("refuses", &[("START", "error")]).await;
    let files: [(&str, &[File<'_>], &str); 4] = [
        ("none", &[("readme.txt", b"no bootstrap", 0o644)], "Couldn't find valid bootstrap(s): "),
        ("plain", &[("bootstrap", b"#!/bin/sh\n", 0o644)], "permission denied"),
        ("alien", &[("bootstrap", b"\x00\x01\x02\x03 no program", 0o755)], "exec format error"),
        ("lost", &[("bootstrap", b"#!/no/such/shell\n", 0o755)], "no such file or directory"),
    ];
    for (name, files, _) in &files {
        let code = FunctionCode::builder().zip_file(Blob::new(zipped(files))).build();
        world.create(name).code(code).send().await.unwrap();
    }
    let mut expected = vec![
        ("exits", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("refuses", "Start.Refused", "no start today"),
    ];
    expected.extend(files.iter().map(|(name, _, what)| (*name, "Runtime.InvalidEntrypoint", *what)));
    for (name, kind, what) in expected {
        let output = world.invoke(name, &json!({})).await;
        assert_eq!(output.function_error(), Some("Unhandled"), "{name}");
        let error = payload(&output);
        assert_eq!(error["errorType"], kind, "{name}");
        assert!(error["errorMessage"].as_str().unwrap().contains(what), "{name}: {error}");
        let log = tail(&output);
        assert!(
            log.contains("INIT_REPORT Init Duration: ") && log.contains("Phase: invoke"),
            "{name}: {log}"
        );
        assert!(log.contains(&format!("Error Type: {kind}\t")), "{name}: {log}");
    }
    world.stop().await;
}

/// Ten seconds for the first start, then the time limit for the second.
#[tokio::test]
async fn a_start_has_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let environment = aws_sdk_lambda::types::Environment::builder().variables("START", "sleep").build();
    world.create("f").environment(environment).timeout(1).send().await.unwrap();
    let from = Instant::now();
    let output = world.invoke("f", &json!({})).await;
    let took = from.elapsed();
    assert!(took > Duration::from_millis(10_990) && took < Duration::from_secs(14), "{took:?}");
    assert_eq!(payload(&output)["errorType"], "Sandbox.Timedout");
    world.stop().await;
}

#[tokio::test]
async fn what_invoke_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.function("f").await;
    let invoke = |name: &str| world.client.invoke().function_name(name);
    let large = |size: usize| Blob::new(format!("\"{}\"", "x".repeat(size - 2)));
    refused!(
        invoke("none"),
        "ResourceNotFoundException",
        404,
        "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:none"
    );
    refused!(invoke("f:7"), "ResourceNotFoundException", 404, "function:f:7");
    refused!(invoke("f:7").qualifier("8"), "InvalidParameterValueException", 400, "does not match");
    refused!(
        invoke("f").payload(Blob::new("{")),
        "InvalidRequestContentException",
        400,
        "Could not parse request body into json"
    );
    refused!(invoke("f").payload(large(6_291_457)), "RequestTooLargeException", 413, "6291456 bytes");
    let event = || invoke("f").invocation_type(InvocationType::Event);
    refused!(event().payload(large(1_048_577)), "RequestTooLargeException", 413, "1048576 bytes");
    refused!(
        invoke("f").client_context("no base64!"),
        "InvalidRequestContentException",
        400,
        "Client context"
    );
    refused!(invoke("f").client_context("a".repeat(3584)), "InvalidRequestContentException", 400, "3583");
    refused!(invoke("f").durable_execution_name("d"), "SandboxUnsupported", 501, "durable executions");
    let stream = world.client.invoke_with_response_stream().function_name("f").send().await;
    assert_eq!(refusal(stream.expect_err("refused")).1, 501);
    let dry = invoke("f").invocation_type(InvocationType::DryRun).send().await.unwrap();
    assert_eq!(dry.status_code(), 204);
    let fits = invoke("f").payload(large(6_291_456)).send().await.unwrap();
    // Six megabytes may come back, too.
    assert_eq!(fits.payload().unwrap().as_ref().len(), 6_291_456);
    world.stop().await;
}

#[tokio::test]
async fn too_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan { account_concurrency: 10, ..Plan::default() }).await;
    for name in ["f", "g", "off"] {
        world.function(name).await;
    }
    let reserve = |name: &str, n: i32| {
        world.client.put_function_concurrency().function_name(name).reserved_concurrent_executions(n)
    };
    reserve("f", 1).send().await.unwrap();
    reserve("off", 0).send().await.unwrap();
    let sleep = |name: &str| {
        let call = world.client.invoke().function_name(name);
        call.payload(Blob::new(r#"{"do":"sleep","n":1500}"#)).send()
    };
    let throttled = |error: aws_sdk_lambda::operation::invoke::InvokeError| {
        let refused = match error {
            aws_sdk_lambda::operation::invoke::InvokeError::TooManyRequestsException(refused) => refused,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused.retry_after_seconds(), Some("1"));
        refused.reason().unwrap().as_str().to_owned()
    };
    let off = sleep("off").await.unwrap_err().into_service_error();
    assert_eq!(throttled(off), "ReservedFunctionConcurrentInvocationLimitExceeded");

    let (one, two) = tokio::join!(sleep("f"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        sleep("f").await
    });
    assert_eq!(one.unwrap().function_error(), None);
    let two = throttled(two.unwrap_err().into_service_error());
    assert_eq!(two, "ReservedFunctionConcurrentInvocationLimitExceeded");

    // Nine are left for all others; no more than four environments start at once, and all nine run.
    let all = futures::future::join_all((0..12).map(|_| sleep("g"))).await;
    let (ran, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!((ran.len(), refused.len()), (9, 3));
    for error in refused {
        let reason = throttled(error.unwrap_err().into_service_error());
        assert_eq!(reason, "ConcurrentInvocationLimitExceeded");
    }
    world.client.delete_function_concurrency().function_name("off").send().await.unwrap();
    world.ask("off", json!({})).await;
    world.stop().await;
}

#[tokio::test]
async fn an_alias_splits_by_weight_and_the_same_seed_splits_the_same() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let world = World::start(folder.path(), Plan::default()).await;
        world.create("f").publish(true).send().await.unwrap();
        let update = world.client.update_function_configuration().function_name("f");
        update.description("second").send().await.unwrap();
        world.client.publish_version().function_name("f").send().await.unwrap();
        let weights = AliasRoutingConfiguration::builder().additional_version_weights("2", 0.5).build();
        let alias = world.client.create_alias().function_name("f").name("live");
        alias.function_version("1").routing_config(weights).send().await.unwrap();
        let mut versions = String::new();
        for _ in 0..100 {
            let output = world.invoke("f:live", &json!({"do": "variables"})).await;
            let version = output.executed_version().unwrap().to_owned();
            assert_eq!(payload(&output)["AWS_LAMBDA_FUNCTION_VERSION"], version.as_str());
            versions += &version;
        }
        world.stop().await;
        runs.push(versions);
    }
    assert_eq!(runs[0], runs[1]);
    let second = runs[0].matches('2').count();
    assert!((35..=65).contains(&second), "{second} of 100 went to the second version");
}

#[tokio::test]
async fn another_service_needs_a_permission_on_the_very_qualifier() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.create("f").publish(true).send().await.unwrap();
    let alias = world.client.create_alias().function_name("f").name("live").function_version("1");
    alias.send().await.unwrap();
    let add = world.client.add_permission().function_name("f").qualifier("live").statement_id("gateway");
    add.action("lambda:InvokeFunction")
        .principal("apigateway.amazonaws.com")
        .source_arn("arn:aws:execute-api:eu-west-1:123456789012:abc/*/*/status")
        .send()
        .await
        .unwrap();
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    let source = "arn:aws:execute-api:eu-west-1:123456789012:abc/$default/GET/status";
    for (function, qualifier, service, source, allowed) in [
        (format!("{arn}:live"), None, "apigateway.amazonaws.com", source, true),
        ("f".to_owned(), Some("live"), "apigateway.amazonaws.com", source, true),
        (arn.to_owned(), None, "apigateway.amazonaws.com", source, false),
        (format!("{arn}:1"), None, "apigateway.amazonaws.com", source, false),
        (format!("{arn}:live"), None, "secretsmanager.amazonaws.com", source, false),
        (
            format!("{arn}:live"),
            None,
            "apigateway.amazonaws.com",
            "arn:aws:execute-api:eu-west-1:123456789012:other/$default/GET/status",
            false,
        ),
    ] {
        let invocation = Invocation {
            function: function.clone(),
            qualifier: qualifier.map(str::to_owned),
            payload: "{}".into(),
            principal: Some(Principal { service: service.into(), source_arn: source.into() }),
            trace: Some("Root=1-67891233-abcdef012345678912345678;Sampled=1".into()),
        };
        match world.lambda.invoke(invocation).await {
            Ok(invoked) if allowed => {
                assert_eq!(invoked.executed_version, "1");
                let trace = "XRAY TraceId: 1-67891233-abcdef012345678912345678\t";
                assert!(invoked.log_tail.contains(trace), "{}", invoked.log_tail);
            }
            Err(error) if !allowed => {
                assert_eq!((error.code.as_str(), error.status), ("AccessDeniedException", 403))
            }
            other => panic!("{function} {qualifier:?} by {service}: {other:?}"),
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn faults_crash_and_slow_down() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    world.create("f").timeout(1).send().await.unwrap();
    let fault = |effect| world.context.faults.add(Fault::once(At::Function { name: "f".into(), effect }));
    fault(FunctionEffect::Crash);
    let output = world.invoke("f", &json!({"do": "sleep", "n": 200})).await;
    let message = payload(&output)["errorMessage"].as_str().unwrap().to_owned();
    assert!(message.ends_with("Runtime exited with error: signal: killed"), "{message}");
    fault(FunctionEffect::Slow(400));
    let from = Instant::now();
    world.ask("f", json!({})).await;
    assert!(from.elapsed() > Duration::from_millis(395));
    // Slowness is inside the function's own time.
    fault(FunctionEffect::Slow(3000));
    let output = world.invoke("f", &json!({})).await;
    assert_eq!(payload(&output)["errorType"], "Sandbox.Timedout");
    world.ask("f", json!({})).await;
    world.stop().await;
}
