//! Rotations among faults: calls that fail around the function, and a permission that is taken away
//! when all was configured.

use sandbox::faults::{At, AwsEffect, Fault};

use crate::refused;
use crate::rotation::{Rotating, token};
use crate::world::until;

/// What the rotation function calls.
const CALLS: [&str; 4] = ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"];

impl Rotating {
    fn fault(&self, operation: &str, effect: AwsEffect, skip: u32) {
        let service = "secretsmanager".to_owned();
        let at = At::Aws { service, operation: Some(operation.to_owned()), effect };
        self.world.context.faults.add(Fault { skip, ..Fault::once(at) }).unwrap();
    }

    async fn current(&self) -> String {
        self.labels().await["AWSCURRENT"].clone()
    }

    async fn until_current(&self, number: u8) {
        for _ in 0..1000 {
            if self.current().await == number.to_string() && self.labels().await.len() == 3 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("rotation {number} did not end within ten seconds: {:?}", self.labels().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_once_around_the_function_costs_nothing() {
    let here = Rotating::new().await;
    let effects = [
        AwsEffect::Throttle,
        AwsEffect::ServerError,
        AwsEffect::DropBefore,
        AwsEffect::DropReply,
        AwsEffect::Duplicate,
        AwsEffect::Delay(100),
    ];
    let mut number = 0;
    for effect in effects {
        for operation in CALLS {
            number += 1;
            here.fault(operation, effect.clone(), 0);
            here.rotate(number).send().await.unwrap();
            // Before that, the test's own look at the secret would use the fault up.
            until("the fault", || here.world.context.faults.all()[0].2 > 0).await;
            here.world.context.faults.clear();
            here.until_current(number).await;
        }
    }
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_ends_the_attempt_and_the_next_one_takes_it_up() {
    let here = Rotating::new().await;
    for (round, operation) in (1_u8..).zip(CALLS) {
        // The first reading is createSecret's look whether there is a value, where no is an answer.
        here.fault(operation, AwsEffect::AccessDenied, u32::from(operation == "GetSecretValue"));
        here.rotate(round).send().await.unwrap();
        here.until_told("RotationFailed", 4 * usize::from(round) - 2).await;
        here.world.context.faults.clear();
        let labels = here.labels().await;
        assert_eq!(labels["AWSPENDING"], round.to_string(), "{operation}");
        assert_ne!(labels["AWSCURRENT"], round.to_string(), "{operation}");
        here.again(round).send().await.unwrap();
        here.until_told("RotationSucceeded", 4 * usize::from(round)).await;
        assert_eq!(here.current().await, round.to_string(), "{operation}");
    }
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_for_a_rotation_may_be_lost_or_doubled() {
    let here = Rotating::new().await;
    here.fault("RotateSecret", AwsEffect::DropReply, 0);
    here.rotate(1).send().await.unwrap_err();
    here.rotate(1).send().await.unwrap();
    here.until_told("RotationSucceeded", 2).await;
    here.fault("RotateSecret", AwsEffect::Duplicate, 0);
    here.again(2).send().await.unwrap();
    here.until_told("RotationSucceeded", 4).await;
    assert_eq!(here.told().await.iter().filter(|name| *name == "RotationStarted").count(), 2);
    assert_eq!(here.current().await, "2");
    here.fault("RotateSecret", AwsEffect::DropBefore, 0);
    here.again(3).send().await.unwrap_err();
    assert_eq!(here.describe().await.version_ids_to_stages().unwrap().len(), 2);
    here.world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_is_taken_away_ends_a_rotation() {
    let here = Rotating::new().await;
    here.rotate(1).send().await.unwrap();
    here.until_told("RotationSucceeded", 2).await;
    here.tell("hold", "createSecret");
    here.again(2).send().await.unwrap();
    here.stepped(5).await;
    let remove = here.world.client.remove_permission().function_name("rotator").statement_id("rotation");
    remove.send().await.unwrap();
    here.tell("hold", "");
    here.until_told("RotationFailed", 4).await;
    let said = here.record("RotationFailed").await["errorMessage"].as_str().unwrap().to_owned();
    assert!(said.contains("setSecret") && said.contains("AccessDeniedException"), "{said}");
    let labels = here.labels().await;
    assert_eq!((labels["AWSCURRENT"].as_str(), labels["AWSPENDING"].as_str()), ("1", "2"));
    // Nor is another one begun, and nothing is changed by asking for it.
    refused!(here.again(2), "AccessDeniedException", 400, "cannot invoke the specified Lambda function");
    assert_eq!((here.labels().await, here.steps().len()), (labels, 5));
    here.permit(&here.arn).await;
    here.again(2).send().await.unwrap();
    here.until_told("RotationSucceeded", 6).await;
    assert_eq!(here.current().await, "2");
    assert!(here.events()[5..].iter().all(|event| event["ClientRequestToken"] == token(2)));
    here.world.stop().await;
}
