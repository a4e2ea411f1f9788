//! The control plane's rules, as tables of what is refused, and what comes back of what is not.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Architecture, Environment, FunctionCode, FunctionVersion, PackageType, Runtime,
};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::refused;
use crate::world::{Plan, ROLE, World, bootstrap_zip, other_zip, zipped};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:f";

#[tokio::test]
async fn creating() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let code = |zip: Vec<u8>| FunctionCode::builder().zip_file(Blob::new(zip)).build();
    let create = || world.create("f");
    refused!(
        create().timeout(901),
        "ValidationException",
        400,
        "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"
    );
    refused!(create().memory_size(127), "ValidationException", 400, "greater than or equal to 128");
    refused!(create().role("nobody"), "ValidationException", 400, "at 'role'");
    refused!(create().runtime(Runtime::Nodejs22x), "SandboxUnsupported", 501, "nodejs22.x");
    refused!(create().package_type(PackageType::Image), "SandboxUnsupported", 501, "Image");
    refused!(
        create().layers("arn:aws:lambda:eu-west-1:123456789012:layer:l:1"),
        "SandboxUnsupported",
        501,
        "Layers"
    );
    refused!(
        create().function_name("f:live"),
        "InvalidParameterValueException",
        400,
        "permitted on Lambda functions only"
    );
    refused!(create().function_name("no name"), "ValidationException", 400, "at 'functionName'");
    refused!(create().tags("aws:x", "y"), "InvalidParameterValueException", 400, "aws:x");
    refused!(
        create().code(FunctionCode::builder().s3_bucket("code").s3_key("api.zip").build()),
        "InvalidParameterValueException",
        400,
        "S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"
    );
    refused!(
        create().code(FunctionCode::builder().s3_bucket("code").build()),
        "InvalidParameterValueException",
        400,
        "source for function code"
    );
    let both = code(bootstrap_zip());
    refused!(
        create().code(FunctionCode::builder().s3_bucket("b").set_zip_file(both.zip_file).build()),
        "InvalidParameterValueException",
        400,
        "other FunctionCode parameters"
    );
    refused!(
        create().code(FunctionCode::builder().build()),
        "InvalidParameterValueException",
        400,
        "source for function code"
    );
    refused!(
        create().code(code(b"no zip".to_vec())),
        "InvalidParameterValueException",
        400,
        "Could not unzip uploaded file"
    );
    refused!(
        create().code(code(zipped(&[("../out", b"", 0o644)]))),
        "InvalidParameterValueException",
        400,
        "Could not unzip"
    );
    let reserved = Environment::builder().variables("AWS_REGION", "x").build();
    refused!(
        create().environment(reserved),
        "InvalidParameterValueException",
        400,
        "Reserved keys used in this request: AWS_REGION"
    );
    assert_eq!(world.client.list_functions().send().await.unwrap().functions().len(), 0);

    let made = create().tags("team", "blue").architectures(Architecture::X8664).send().await.unwrap();
    assert_eq!((made.function_arn(), made.version(), made.role()), (Some(ARN), Some("$LATEST"), Some(ROLE)));
    assert_eq!(made.last_modified(), Some("2026-08-04T12:00:00.000+0000"));
    refused!(create(), "ResourceConflictException", 409, "Function already exist: f");
    let got = world.client.get_function().function_name(ARN).send().await.unwrap();
    let configuration = got.configuration().unwrap();
    assert_eq!(configuration.code_sha256(), made.code_sha256());
    assert_eq!(configuration.code_size(), i64::try_from(bootstrap_zip().len()).unwrap());
    assert_eq!(got.tags().unwrap()["team"], "blue");
    assert_eq!(got.code().unwrap().location(), None);
    let get = |name: &str| world.client.get_function().function_name(name);
    refused!(get("none"), "ResourceNotFoundException", 404, "function:none");
    refused!(get("f").qualifier("live"), "ResourceNotFoundException", 404, "function:f:live");
    refused!(
        get("arn:aws:lambda:us-east-1:123456789012:function:f"),
        "ResourceNotFoundException",
        404,
        "not reachable in this region"
    );
    world.stop().await;
}

#[tokio::test]
async fn versions_do_not_change() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let client = &world.client;
    let created = world.create("f").send().await.unwrap();
    let publish = || client.publish_version().function_name("f");
    refused!(
        publish().code_sha256("other"),
        "InvalidParameterValueException",
        400,
        "CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ("
    );
    refused!(publish().revision_id("stale"), "PreconditionFailedException", 412, "Revision Id");
    let one = publish().description("one").code_sha256(created.code_sha256().unwrap()).send().await.unwrap();
    assert_eq!((one.version(), one.description()), (Some("1"), Some("one")));
    assert_eq!(one.function_arn().unwrap(), format!("{ARN}:1"));
    assert_eq!(publish().send().await.unwrap().version(), Some("1"), "nothing has changed");

    let change = client.update_function_configuration().function_name("f");
    change.environment(Environment::builder().variables("COLOUR", "red").build()).send().await.unwrap();
    let two = publish().send().await.unwrap();
    assert_eq!((two.version(), two.code_sha256()), (Some("2"), one.code_sha256()));
    let update = client.update_function_code().function_name("f").zip_file(Blob::new(other_zip()));
    let three = update.publish(true).send().await.unwrap();
    assert_eq!(three.version(), Some("3"));
    assert_ne!(three.code_sha256(), one.code_sha256());
    let again = client.get_function_configuration().function_name("f:1").send().await.unwrap();
    assert_eq!((again.code_sha256(), again.environment()), (one.code_sha256(), None));
    assert_eq!(world.ask("f:2", json!({"do": "variables"})).await["COLOUR"], "red");
    assert_eq!(world.ask("f:1", json!({"do": "variables"})).await.get("COLOUR"), None);

    let versions = async |size: i32, marker: Option<String>| {
        let call = client.list_versions_by_function().function_name("f").max_items(size).set_marker(marker);
        let page = call.send().await.unwrap();
        let names: Vec<String> = page.versions().iter().map(|v| v.version().unwrap().to_owned()).collect();
        (names, page.next_marker().map(str::to_owned))
    };
    let (first, marker) = versions(3, None).await;
    assert_eq!(first, ["$LATEST", "1", "2"]);
    let (second, marker) = versions(3, marker).await;
    assert_eq!((second, marker), (vec!["3".to_owned()], None));
    let all = client.list_functions().function_version(FunctionVersion::All).send().await.unwrap();
    assert_eq!(all.functions().len(), 4);

    let delete = |qualifier: &str| client.delete_function().function_name("f").qualifier(qualifier);
    client.create_alias().function_name("f").name("live").function_version("2").send().await.unwrap();
    refused!(
        delete("2"),
        "ResourceConflictException",
        409,
        "Unable to delete version because the following aliases reference it: [live]"
    );
    refused!(delete("$LATEST"), "InvalidParameterValueException", 400, "$LATEST version cannot be deleted");
    refused!(delete("live"), "InvalidParameterValueException", 400, "Deletion of aliases");
    refused!(delete("9"), "ResourceNotFoundException", 404, "function:f:9");
    delete("3").send().await.unwrap();
    assert_eq!(publish().send().await.unwrap().version(), Some("4"), "numbers are never used twice");
    client.delete_function().function_name("f").send().await.unwrap();
    refused!(client.delete_function().function_name("f"), "ResourceNotFoundException", 404, "function:f");
    world.stop().await;
}

#[tokio::test]
async fn aliases() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let client = &world.client;
    world.create("f").publish(true).send().await.unwrap();
    let change = || client.update_function_configuration().function_name("f");
    change().description("second").send().await.unwrap();
    client.publish_version().function_name("f").send().await.unwrap();
    change().role("arn:aws:iam::123456789012:role/other").send().await.unwrap();
    client.publish_version().function_name("f").send().await.unwrap();
    let to = |version: &str, weight: f64| {
        AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build()
    };
    let create = |name: &str, version: &str| {
        client.create_alias().function_name("f").name(name).function_version(version)
    };
    refused!(create("7", "1"), "ValidationException", 400, "(?!^[0-9]+$)([a-zA-Z0-9-_]+)");
    refused!(create("a b", "1"), "ValidationException", 400, "at 'name'");
    refused!(
        create("live", "9"),
        "ResourceNotFoundException",
        404,
        "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:f:9"
    );
    refused!(create("live", "x"), "ValidationException", 400, "at 'functionVersion'");
    refused!(
        create("live", "1").routing_config(to("2", 1.5)),
        "ValidationException",
        400,
        "less than or equal to 1.0"
    );
    refused!(create("live", "1").routing_config(to("2", -0.1)), "ValidationException", 400, "{2=-0.1}");
    refused!(create("live", "1").routing_config(to("$LATEST", 0.1)), "ValidationException", 400, "[0-9]+");
    refused!(
        create("live", "1").routing_config(to("1", 0.1)),
        "InvalidParameterValueException",
        400,
        "Function version 1 is already included"
    );
    refused!(
        create("live", "1").routing_config(to("9", 0.1)),
        "ResourceNotFoundException",
        404,
        "function:f:9"
    );
    refused!(
        create("live", "1").routing_config(to("3", 0.1)),
        "InvalidParameterValueException",
        400,
        "same execution role"
    );
    refused!(
        create("live", "$LATEST").routing_config(to("2", 0.1)),
        "InvalidParameterValueException",
        400,
        "$LATEST is not supported for an alias pointing to more than 1 version"
    );
    let two = AliasRoutingConfiguration::builder()
        .additional_version_weights("2", 0.1)
        .additional_version_weights("3", 0.1)
        .build();
    refused!(
        create("live", "1").routing_config(two),
        "InvalidParameterValueException",
        400,
        "cannot be greater than 1"
    );

    let made = create("live", "1").description("d").routing_config(to("2", 0.1)).send().await.unwrap();
    assert_eq!(made.alias_arn().unwrap(), format!("{ARN}:live"));
    refused!(
        create("live", "1"),
        "ResourceConflictException",
        409,
        "Alias already exists: arn:aws:lambda:eu-west-1:123456789012:function:f:live"
    );
    let update = || client.update_alias().function_name("f").name("live");
    refused!(update().revision_id("stale"), "PreconditionFailedException", 412, "GetFunction/GetAlias");
    refused!(update().function_version("2"), "InvalidParameterValueException", 400, "already included");
    refused!(
        client.update_alias().function_name("f").name("none"),
        "ResourceNotFoundException",
        404,
        "Cannot find alias arn: "
    );
    let kept = update().description("e").revision_id(made.revision_id().unwrap()).send().await.unwrap();
    assert_eq!(kept.routing_config(), made.routing_config(), "without a RoutingConfig the weights stay");
    assert_ne!(kept.revision_id(), made.revision_id());
    let promoted =
        update().function_version("2").routing_config(AliasRoutingConfiguration::builder().build());
    promoted.send().await.unwrap();
    let got = client.get_alias().function_name("f").name("live").send().await.unwrap();
    assert_eq!((got.function_version(), got.routing_config()), (Some("2"), None));
    assert_eq!(got.description(), Some("e"));

    create("test", "$LATEST").send().await.unwrap();
    let list = |version: Option<&str>| {
        client.list_aliases().function_name("f").set_function_version(version.map(str::to_owned))
    };
    assert_eq!(list(None).send().await.unwrap().aliases().len(), 2);
    assert_eq!(list(Some("2")).send().await.unwrap().aliases()[0].name(), Some("live"));
    let shown = client.get_function_configuration().function_name("f:live").send().await.unwrap();
    assert_eq!((shown.version(), shown.function_arn()), (Some("2"), got.alias_arn()));
    for _ in 0..2 {
        client.delete_alias().function_name("f").name("live").send().await.unwrap();
    }
    refused!(
        client.get_alias().function_name("f").name("live"),
        "ResourceNotFoundException",
        404,
        "Cannot find alias arn"
    );
    refused!(client.list_aliases().function_name("none"), "ResourceNotFoundException", 404, "function:none");
    world.stop().await;
}

#[tokio::test]
async fn permissions() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let client = &world.client;
    world.create("f").publish(true).send().await.unwrap();
    client.create_alias().function_name("f").name("live").function_version("1").send().await.unwrap();
    let add = |sid: &str| {
        let call = client.add_permission().function_name("f").statement_id(sid);
        call.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com")
    };
    let policy = |qualifier: Option<&str>| {
        client.get_policy().function_name("f").set_qualifier(qualifier.map(str::to_owned))
    };
    refused!(policy(None), "ResourceNotFoundException", 404, "The resource you requested does not exist.");
    refused!(
        add("s").qualifier("$LATEST"),
        "InvalidParameterValueException",
        400,
        "adding policies for $LATEST"
    );
    refused!(add("s").qualifier("none"), "ResourceNotFoundException", 404, "function:f:none");
    refused!(add("s t"), "ValidationException", 400, "at 'statementId'");
    refused!(add("s").action("iam:PassRole"), "ValidationException", 400, "at 'action'");
    refused!(
        add("s").principal("somebody"),
        "InvalidParameterValueException",
        400,
        "The provided principal was invalid"
    );
    refused!(add("s").source_arn("abc"), "ValidationException", 400, "at 'sourceArn'");
    refused!(add("s").source_account("1"), "ValidationException", 400, "at 'sourceAccount'");
    refused!(add("s").principal_org_id("o-1234567890"), "SandboxUnsupported", 501, "PrincipalOrgID");
    refused!(add("s").revision_id("stale"), "PreconditionFailedException", 412, "GetPolicy");

    let api = "arn:aws:execute-api:eu-west-1:123456789012:abc/*";
    let added =
        add("s").qualifier("live").source_arn(api).source_account("123456789012").send().await.unwrap();
    let statement: Value = serde_json::from_str(added.statement().unwrap()).unwrap();
    let expected = json!({
        "Sid": "s", "Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": format!("{ARN}:live"),
        "Condition": {
            "ArnLike": {"AWS:SourceArn": api}, "StringEquals": {"AWS:SourceAccount": "123456789012"}
        },
    });
    assert_eq!(statement, expected);
    refused!(
        add("s").qualifier("live"),
        "ResourceConflictException",
        409,
        "The statement id (s) provided already exists"
    );
    let got = policy(Some("live")).send().await.unwrap();
    let document: Value = serde_json::from_str(got.policy().unwrap()).unwrap();
    assert_eq!(document, json!({"Version": "2012-10-17", "Id": "default", "Statement": [expected]}));
    let alias = client.get_alias().function_name("f").name("live").send().await.unwrap();
    assert_eq!(got.revision_id(), alias.revision_id());
    refused!(policy(None), "ResourceNotFoundException", 404, "does not exist");
    add("t").qualifier("live").revision_id(got.revision_id().unwrap()).send().await.unwrap();

    let remove = |sid: &str| client.remove_permission().function_name("f").statement_id(sid);
    refused!(remove("s"), "ResourceNotFoundException", 404, "No policy is associated");
    refused!(
        remove("u").qualifier("live"),
        "ResourceNotFoundException",
        404,
        "Statement u is not found in resource policy."
    );
    refused!(
        remove("s").qualifier("live").revision_id(got.revision_id().unwrap()),
        "PreconditionFailedException",
        412,
        "GetPolicy"
    );
    for sid in ["s", "t"] {
        remove(sid).qualifier("live").send().await.unwrap();
    }
    refused!(policy(Some("live")), "ResourceNotFoundException", 404, "does not exist");
    world.stop().await;
}

#[tokio::test]
async fn concurrency_and_tags() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), Plan::default()).await;
    let client = &world.client;
    world.function("f").await;
    world.function("g").await;
    let put = |name: &str, n: i32| {
        client.put_function_concurrency().function_name(name).reserved_concurrent_executions(n)
    };
    refused!(put("f", 901), "InvalidParameterValueException", 400, "below its minimum value of [100]");
    refused!(put("f", -1), "ValidationException", 400, "greater than or equal to 0");
    refused!(put("none", 1), "ResourceNotFoundException", 404, "function:none");
    put("f", 900).send().await.unwrap();
    refused!(put("g", 1), "InvalidParameterValueException", 400, "[100]");
    put("f", 5).send().await.unwrap();
    let got = client.get_function_concurrency().function_name("f").send().await.unwrap();
    assert_eq!(got.reserved_concurrent_executions(), Some(5));
    let shown = client.get_function().function_name("f").send().await.unwrap();
    assert_eq!(shown.concurrency().unwrap().reserved_concurrent_executions(), Some(5));
    let account = client.get_account_settings().send().await.unwrap();
    let limit = account.account_limit().unwrap();
    assert_eq!((limit.concurrent_executions(), limit.unreserved_concurrent_executions()), (1000, Some(995)));
    assert_eq!(account.account_usage().unwrap().function_count(), 2);
    client.delete_function_concurrency().function_name("f").send().await.unwrap();
    let got = client.get_function_concurrency().function_name("f").send().await.unwrap();
    assert_eq!(got.reserved_concurrent_executions(), None);

    client.tag_resource().resource(ARN).tags("a", "1").tags("b", "2").send().await.unwrap();
    client.untag_resource().resource(ARN).tag_keys("a").tag_keys("none").send().await.unwrap();
    let tags = client.list_tags().resource(ARN).send().await.unwrap();
    assert_eq!(tags.tags().unwrap(), &[("b".to_owned(), "2".to_owned())].into());
    for (key, value) in [("a b:/=+-@_.", "Schleuse Nr. ٣"), ("日本", "")] {
        client.tag_resource().resource(ARN).tags(key, value).send().await.unwrap();
        client.untag_resource().resource(ARN).tag_keys(key).send().await.unwrap();
    }
    for (key, value) in
        [("k", "a,b"), ("k", "{\"a\":1}"), ("k", "10%"), ("k", "a\tb"), ("k;", "v"), ("k", "a\nb")]
    {
        refused!(
            client.tag_resource().resource(ARN).tags(key, value),
            "InvalidParameterValueException",
            400,
            "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*"
        );
    }
    let many = (0..50).map(|n| (format!("k{n}"), String::new())).collect();
    refused!(
        client.tag_resource().resource(ARN).set_tags(Some(many)),
        "InvalidParameterValueException",
        400,
        "tag limit"
    );
    refused!(
        client.list_tags().resource(format!("{ARN}:1")),
        "InvalidParameterValueException",
        400,
        "Tags on function aliases and versions"
    );
    refused!(client.list_tags().resource(format!("{ARN}x")), "ResourceNotFoundException", 404, "function:fx");
    refused!(client.list_layers(), "SandboxUnsupported", 501, "layers");
    world.stop().await;
}

#[tokio::test]
async fn a_published_version_is_pending_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan { settling: TimeDelta::seconds(2), ..Plan::default() };
    let world = World::start(folder.path(), plan).await;
    world.function("f").await;
    world.clock.advance(TimeDelta::seconds(2));
    let published = world.client.publish_version().function_name("f").send().await.unwrap();
    assert_eq!(published.state().unwrap().as_str(), "Pending");
    refused!(world.client.invoke().function_name("f:1"), "ResourceConflictException", 409, "Pending");
    world.ask("f", json!({})).await;
    world.clock.advance(TimeDelta::seconds(2));
    world.ask("f:1", json!({})).await;
    world.stop().await;
}
