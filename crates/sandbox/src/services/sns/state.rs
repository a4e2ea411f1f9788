//! Topics and who has subscribed to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::AwsError;

/// AWS allows 100,000 topics and 12,500,000 subscriptions; these bound the file.
const MOST_TOPICS: usize = 1_000;
const MOST_SUBSCRIPTIONS: usize = 1_000;

/// All topics, by their ARNs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) topics: BTreeMap<String, Topic>,
}

/// A topic.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Topic {
    /// In the order in which they came.
    pub(super) subscriptions: Vec<Subscription>,
    /// How many were ended.
    pub(super) deleted: usize,
}

/// Somebody who is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) protocol: String,
    pub(super) endpoint: String,
    /// What it is confirmed with; none once it was.
    pub(super) token: Option<String>,
}

impl State {
    /// AWS: a topic that is there is made again without an error.
    pub(super) fn create(&mut self, arn: &str) -> Result<(), AwsError> {
        if !self.topics.contains_key(arn) && self.topics.len() >= MOST_TOPICS {
            return Err(AwsError::new("TopicLimitExceeded", "The sandbox has as many topics as it keeps")
                .with_status(403));
        }
        self.topics.entry(arn.to_owned()).or_default();
        Ok(())
    }

    pub(super) fn topic(&self, arn: &str) -> Result<&Topic, AwsError> {
        self.topics.get(arn).ok_or_else(no_topic)
    }

    pub(super) fn topic_mut(&mut self, arn: &str) -> Result<&mut Topic, AwsError> {
        self.topics.get_mut(arn).ok_or_else(no_topic)
    }
}

impl Topic {
    /// How many have confirmed.
    pub(super) fn confirmed(&self) -> usize {
        self.subscriptions.iter().filter(|held| held.token.is_none()).count()
    }

    /// Adds a subscription; AWS: one that is there is the same one.
    pub(super) fn subscribe(&mut self, wanted: Subscription) -> Result<Subscription, AwsError> {
        let same =
            |held: &&Subscription| held.protocol == wanted.protocol && held.endpoint == wanted.endpoint;
        if let Some(held) = self.subscriptions.iter().find(same) {
            return Ok(held.clone());
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let message = "The sandbox has as many subscriptions as it keeps";
            return Err(AwsError::new("SubscriptionLimitExceeded", message).with_status(403));
        }
        self.subscriptions.push(wanted.clone());
        Ok(wanted)
    }
}

fn no_topic() -> AwsError {
    AwsError::new("NotFound", "Topic does not exist").with_status(404)
}
