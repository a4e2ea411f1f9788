//! What the faults do on the wire, with a service that keeps state.

use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueOutput;
use sandbox::faults::AwsEffect;

use crate::world::{PATIENCE, World, refusal, token};

struct Secret {
    world: World,
    client: aws_sdk_secretsmanager::Client,
}

impl Secret {
    /// A world with the secret `s`, whose version 1 is `one`.
    async fn new() -> Self {
        let world = World::new().await;
        let client = world.secrets().await;
        let create = client.create_secret().name("s").client_request_token(token(1)).secret_string("one");
        create.send().await.unwrap();
        Self { world, client }
    }

    async fn put(
        &self,
        value: &str,
        n: u8,
    ) -> Result<
        PutSecretValueOutput,
        SdkError<impl std::fmt::Debug + aws_sdk_secretsmanager::error::ProvideErrorMetadata>,
    > {
        self.client
            .put_secret_value()
            .secret_id("s")
            .client_request_token(token(n))
            .secret_string(value)
            .send()
            .await
    }

    async fn value(&self) -> String {
        let found = self.client.get_secret_value().secret_id("s").send().await.unwrap();
        found.secret_string().unwrap().to_owned()
    }

    fn calls(&self) -> u64 {
        self.world.context.calls.of("secretsmanager", "PutSecretValue")
    }
}

#[tokio::test]
async fn refused_calls_do_nothing() {
    let secret = Secret::new().await;
    for (effect, expected) in [
        (AwsEffect::Throttle, "ThrottlingException"),
        (AwsEffect::ServerError, "InternalFailure"),
        (AwsEffect::AccessDenied, "AccessDeniedException"),
    ] {
        secret.world.fault("secretsmanager", "PutSecretValue", effect);
        assert_eq!(refusal(secret.put("two", 2).await).0, expected);
        assert_eq!(secret.value().await, "one");
    }
    secret.put("two", 2).await.unwrap();
    assert_eq!(secret.value().await, "two");
    assert_eq!(secret.calls(), 4);
}

#[tokio::test]
async fn an_sdk_that_retries_gets_through_a_throttle() {
    let secret = Secret::new().await;
    secret.world.fault("secretsmanager", "GetSecretValue", AwsEffect::Throttle);
    let retrying = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let client = aws_sdk_secretsmanager::Client::new(&secret.world.config(retrying, PATIENCE).await);
    client.get_secret_value().secret_id("s").send().await.unwrap();
    assert_eq!(secret.world.context.calls.of("secretsmanager", "GetSecretValue"), 2);
}

#[tokio::test]
async fn a_lost_reply_leaves_its_effect_and_the_call_may_be_repeated() {
    let secret = Secret::new().await;
    secret.world.fault("secretsmanager", "PutSecretValue", AwsEffect::DropBefore);
    let lost = secret.put("two", 2).await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(secret.value().await, "one");

    secret.world.fault("secretsmanager", "PutSecretValue", AwsEffect::DropReply);
    let lost = secret.put("two", 2).await.unwrap_err();
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(secret.value().await, "two");
    assert_eq!(secret.put("two", 2).await.unwrap().version_stages(), ["AWSCURRENT"]);
    assert_eq!(refusal(secret.put("three", 2).await).0, "ResourceExistsException");
    let versions =
        secret.client.list_secret_version_ids().secret_id("s").include_deprecated(true).send().await;
    assert_eq!(versions.unwrap().versions().len(), 2);
}

#[tokio::test]
async fn a_duplicated_call_answers_as_its_second_run() {
    let secret = Secret::new().await;
    secret.world.fault("secretsmanager", "PutSecretValue", AwsEffect::Duplicate);
    assert_eq!(secret.put("two", 2).await.unwrap().version_id(), Some(token(2).as_str()));
    // A label can't be taken from where it no longer is.
    secret.world.fault("secretsmanager", "UpdateSecretVersionStage", AwsEffect::Duplicate);
    let moved = secret
        .client
        .update_secret_version_stage()
        .secret_id("s")
        .version_stage("AWSCURRENT")
        .remove_from_version_id(token(2))
        .move_to_version_id(token(1))
        .send()
        .await;
    assert_eq!(refusal(moved).0, "InvalidParameterException");
    assert_eq!(secret.value().await, "one", "the first run took effect");
}

#[tokio::test]
async fn a_call_that_hangs_is_given_up_by_the_caller() {
    let secret = Secret::new().await;
    secret.world.fault("secretsmanager", "PutSecretValue", AwsEffect::TimeOut);
    let hasty = secret.world.config(RetryConfig::disabled(), Duration::from_millis(300)).await;
    let hasty = aws_sdk_secretsmanager::Client::new(&hasty);
    let begun = Instant::now();
    let put = hasty.put_secret_value().secret_id("s").secret_string("two").send().await;
    assert!(matches!(put, Err(SdkError::TimeoutError(_))), "{put:?}");
    assert!((300..5_000).contains(&begun.elapsed().as_millis()));
    assert_eq!(secret.value().await, "one");

    secret.world.fault("secretsmanager", "PutSecretValue", AwsEffect::Delay(200));
    let begun = Instant::now();
    secret.put("two", 2).await.unwrap();
    assert!(begun.elapsed().as_millis() >= 200);

    // The held call does not hold up the end.
    secret.world.fault("secretsmanager", "PutSecretValue", AwsEffect::TimeOut);
    let held = tokio::spawn(hasty.put_secret_value().secret_id("s").secret_string("x").send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    secret.world.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), secret.world.server).await.unwrap().unwrap();
    assert!(held.await.unwrap().is_err());
}
