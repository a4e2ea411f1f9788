//! Code that is in S3: named to the real portal by a job, looked at by Lambda, and deployed.

use reqwest::header;

use crate::client::Stand;
use crate::{EMAIL, zips};

const BUCKET: &str = "learninghub-code";

/// Puts a bucket, or an object, into the sandbox's S3.
async fn put(stand: &Stand, path: &str, content: Vec<u8>) {
    let scope = "Credential=test/20261201/eu-west-1/s3/aws4_request";
    let answer = reqwest::Client::new()
        .put(format!("{}/{path}", stand.sandbox.aws_endpoint()))
        .header(header::AUTHORIZATION, format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .body(content)
        .send()
        .await
        .unwrap();
    let status = answer.status();
    assert!(status.is_success(), "{path}: {status} {}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_deploys_an_object() {
    let stand = Stand::start().await;
    stand.admin(&["admin", "link", "--email", EMAIL, "--create"]).await;
    let create = ["admin", "token", "--email", EMAIL, "--name", "ci", "--expires", "1h", "--scope", "deploy"];
    let token = stand.admin(&create).await;
    let place = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    put(&stand, BUCKET, place.into()).await;
    put(&stand, &format!("{BUCKET}/releases/api.zip"), zips::good("in S3")).await;
    put(&stand, &format!("{BUCKET}/releases/no.zip"), zips::not_a_zip()).await;
    let deploy = async |key: &str| {
        let url = format!("s3://{BUCKET}/{key}");
        stand.run(&token, &["deploy", "--s3", &url, "--all-at-once", "--timeout", "100", "--json"]).await
    };

    let calls = &stand.sandbox.context().calls;
    let published = calls.of("lambda", "PublishVersion");
    let missing = deploy("releases/none.zip").await;
    assert_ne!(missing.code, 0, "{}", missing.out);
    assert!(
        missing.error.contains("NoSuchKey") || missing.error.contains("does not exist"),
        "{}",
        missing.error
    );
    let no_zip = deploy("releases/no.zip").await;
    assert_ne!(no_zip.code, 0, "{}", no_zip.out);
    assert_eq!(calls.of("lambda", "PublishVersion"), published);

    let promoted = deploy("releases/api.zip").await;
    assert_eq!(promoted.code, 0, "{}{}", promoted.out, promoted.error);
    assert_eq!((&promoted.json()["state"], &promoted.json()["new"]), (&"promoted".into(), &"2".into()));
    assert_eq!(calls.of("lambda", "PublishVersion"), published + 1);
    let again = deploy("releases/api.zip").await;
    assert_eq!(again.code, 5, "{}", again.error);
    assert!(again.error.contains("Nothing to deploy"), "{}", again.error);
}
