//! Simple Notification Service, as much of it as an alarm's action needs: standard topics, and
//! subscriptions that their subscribers have to confirm.
//!
//! On AWS a subscriber is sent a token, and confirms with it. Nothing leaves the sandbox, so the tokens
//! are shown at the control port, which can confirm too:
//!
//! | call | what it does |
//! |---|---|
//! | `GET /sns/subscriptions` | all of them, those that are pending with their tokens |
//! | `POST /sns/confirm` | `{"topic": ARN, "endpoint": E}`: confirms, as the subscriber would |
//! | `GET /sns/messages` | what was published, the newest last: a hundred at most |
//!
//! FIFO topics, topic policies, filters, attributes other than a display name, and subscribers that are
//! services of AWS (which confirm by themselves) are refused by name.

mod state;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::state::{State, Subscription, Topic};
use crate::aws::{AwsError, Body, Call, Protocol, Reply, Service, escape};
use crate::context::{Context, lock};
use crate::persisted::Persisted;

/// AWS: topics and subscriptions of a page.
const PAGE: usize = 100;
/// Messages that are remembered.
const MOST_MESSAGES: usize = 100;
/// AWS: the largest message, in bytes.
const LARGEST_MESSAGE: usize = 262_144;
/// What a subscription is called while it waits.
const PENDING: &str = "PendingConfirmation";

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The topic's ARN.
    pub topic: String,
    /// The subject.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// How many confirmed subscriptions it was for.
    pub subscribers: usize,
}

/// The service.
pub struct Sns {
    context: Arc<Context>,
    state: Persisted<State>,
    messages: Mutex<VecDeque<Message>>,
}

impl Sns {
    /// Opens the state in the context's folder.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open(context: Arc<Context>) -> io::Result<Arc<Self>> {
        let state = Persisted::open(&context.path("sns.json"))?;
        Ok(Arc::new(Self { context, state, messages: Mutex::default() }))
    }

    /// Publishes a message, as another service does with what somebody set it up for.
    ///
    /// # Errors
    /// `NotFound` where there is no such topic.
    pub fn publish(&self, topic: &str, subject: Option<&str>, text: &str) -> Result<(), AwsError> {
        let subscribers = self.state.read(|state| Ok::<_, AwsError>(state.topic(topic)?.confirmed()))?;
        let message = Message {
            topic: topic.to_owned(),
            subject: subject.map(str::to_owned),
            text: text.to_owned(),
            subscribers,
        };
        let mut messages = lock(&self.messages);
        messages.push_back(message);
        while messages.len() > MOST_MESSAGES {
            messages.pop_front();
        }
        Ok(())
    }

    /// What was published since the start, the newest last.
    pub fn messages(&self) -> Vec<Message> {
        lock(&self.messages).iter().cloned().collect()
    }

    /// Confirms a subscription, as its subscriber would.
    ///
    /// # Errors
    /// `NotFound` where there is no such topic, or nobody has subscribed to it so.
    pub fn confirm(&self, topic: &str, endpoint: &str) -> Result<(), AwsError> {
        self.state.change(|state| {
            let held = state.topic_mut(topic)?;
            let found = held.subscriptions.iter_mut().find(|held| held.endpoint == endpoint);
            found.ok_or_else(|| no_subscription(endpoint))?.token = None;
            Ok(())
        })
    }

    fn answer(&self, call: &Call) -> Result<Reply, AwsError> {
        let given = Given { call, operation: &call.operation };
        match call.operation.as_str() {
            "CreateTopic" => self.create_topic(&given),
            "DeleteTopic" => self.delete_topic(&given),
            "ListTopics" => self.list_topics(&given),
            "GetTopicAttributes" => self.topic_attributes(&given),
            "Subscribe" => self.subscribe(&given),
            "ConfirmSubscription" => self.confirm_subscription(&given),
            "Unsubscribe" => self.unsubscribe(&given),
            "ListSubscriptionsByTopic" => self.list_subscriptions(&given),
            "Publish" => self.publish_call(&given),
            other => Err(AwsError::unsupported(format_args!("sns {other}"))),
        }
    }

    fn create_topic(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["Name"])?;
        let name = given.required("Name")?;
        let usable = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.ends_with(".fifo") {
            return Err(AwsError::unsupported("FIFO topics of sns"));
        }
        if name.is_empty() || name.len() > 256 || !name.chars().all(usable) {
            return Err(invalid("Topic Name"));
        }
        let arn = self.context.arn("sns", name);
        self.state.change(|state| state.create(&arn))?;
        Ok(xml(element("TopicArn", &arn)))
    }

    /// AWS: deleting a topic that is not there is no error.
    fn delete_topic(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["TopicArn"])?;
        let arn = self.arn(given)?;
        self.state.change(|state| {
            state.topics.remove(arn);
            Ok(())
        })?;
        Ok(xml(String::new()))
    }

    fn list_topics(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["NextToken"])?;
        let after = given.get("NextToken").unwrap_or_default();
        let found: Vec<String> = self.state.read(|state| {
            let rest = state.topics.keys().filter(|arn| arn.as_str() > after);
            rest.take(PAGE + 1).cloned().collect()
        });
        let members =
            found.iter().take(PAGE).map(|arn| member(&element("TopicArn", arn))).collect::<String>();
        let next = found.get(PAGE).and(found.get(PAGE - 1));
        let next = next.map(|last| element("NextToken", last)).unwrap_or_default();
        Ok(xml(format!("<Topics>{members}</Topics>{next}")))
    }

    fn topic_attributes(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["TopicArn"])?;
        let arn = self.arn(given)?;
        let topic = self.state.read(|state| state.topic(arn).cloned())?;
        let confirmed = topic.confirmed();
        let attributes = [
            ("TopicArn", arn.to_owned()),
            ("Owner", self.context.account.clone()),
            ("DisplayName", String::new()),
            ("SubscriptionsConfirmed", confirmed.to_string()),
            ("SubscriptionsPending", (topic.subscriptions.len() - confirmed).to_string()),
            ("SubscriptionsDeleted", topic.deleted.to_string()),
        ];
        let entries = attributes.map(|(key, value)| {
            format!("<entry>{}{}</entry>", element("key", key), element("value", &value))
        });
        Ok(xml(format!("<Attributes>{}</Attributes>", entries.concat())))
    }

    fn subscribe(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["TopicArn", "Protocol", "Endpoint", "ReturnSubscriptionArn"])?;
        let (topic, protocol) = (self.arn(given)?, given.required("Protocol")?);
        let endpoint = given.required("Endpoint")?;
        check_endpoint(protocol, endpoint)?;
        let wanted = Subscription {
            id: self.context.random.uuid(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            token: Some(self.context.random.text("0123456789abcdef", 64)),
        };
        let held = self.state.change(|state| state.topic_mut(topic)?.subscribe(wanted))?;
        let shown = match held.token {
            Some(_) if given.get("ReturnSubscriptionArn") != Some("true") => {
                "pending confirmation".to_owned()
            }
            _ => format!("{topic}:{}", held.id),
        };
        Ok(xml(element("SubscriptionArn", &shown)))
    }

    fn confirm_subscription(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["TopicArn", "Token", "AuthenticateOnUnsubscribe"])?;
        let (topic, token) = (self.arn(given)?, given.required("Token")?);
        let id = self.state.change(|state| {
            let held = &mut state.topic_mut(topic)?.subscriptions;
            let found = held.iter_mut().find(|held| held.token.as_deref() == Some(token));
            let found = found.ok_or_else(|| invalid("Token"))?;
            found.token = None;
            Ok(found.id.clone())
        })?;
        Ok(xml(element("SubscriptionArn", &format!("{topic}:{id}"))))
    }

    /// AWS: what is not there any more is no error.
    fn unsubscribe(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["SubscriptionArn"])?;
        let arn = given.required("SubscriptionArn")?;
        let (topic, id) = arn.rsplit_once(':').ok_or_else(|| invalid("SubscriptionArn"))?;
        self.state.change(|state| {
            if let Ok(held) = state.topic_mut(topic) {
                let before = held.subscriptions.len();
                held.subscriptions.retain(|held| held.id != id);
                held.deleted += before - held.subscriptions.len();
            }
            Ok(())
        })?;
        Ok(xml(String::new()))
    }

    fn list_subscriptions(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["TopicArn", "NextToken"])?;
        let topic = self.arn(given)?;
        let from: usize = match given.get("NextToken") {
            None => 0,
            Some(token) => token.parse().map_err(|_| invalid("NextToken"))?,
        };
        let held = self.state.read(|state| state.topic(topic).map(|held| held.subscriptions.clone()))?;
        let shown = held.iter().skip(from).take(PAGE).map(|one| {
            let arn = match one.token {
                Some(_) => PENDING.to_owned(),
                None => format!("{topic}:{}", one.id),
            };
            member(
                &[
                    element("TopicArn", topic),
                    element("Protocol", &one.protocol),
                    element("SubscriptionArn", &arn),
                    element("Owner", &self.context.account),
                    element("Endpoint", &one.endpoint),
                ]
                .concat(),
            )
        });
        let members: String = shown.collect();
        let next = (held.len() > from + PAGE).then(|| element("NextToken", &(from + PAGE).to_string()));
        Ok(xml(format!("<Subscriptions>{members}</Subscriptions>{}", next.unwrap_or_default())))
    }

    fn publish_call(&self, given: &Given<'_>) -> Result<Reply, AwsError> {
        given.only(&["TopicArn", "Message", "Subject"])?;
        let (topic, text) = (self.arn(given)?, given.required("Message")?);
        if text.is_empty() || text.len() > LARGEST_MESSAGE {
            return Err(invalid("Message"));
        }
        self.publish(topic, given.get("Subject"), text)?;
        Ok(xml(element("MessageId", &self.context.random.uuid())))
    }

    /// The topic's ARN, which must be one of this account and region.
    fn arn<'a>(&self, given: &Given<'a>) -> Result<&'a str, AwsError> {
        let arn = given.required("TopicArn")?;
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", "aws", "sns", region, account, name] if !name.is_empty() => {
                if *region != self.context.region {
                    return Err(invalid("TopicArn"));
                }
                if *account != self.context.account {
                    let message = "User is not authorized to perform this on the resource of another account";
                    return Err(AwsError::new("AuthorizationError", message).with_status(403));
                }
                Ok(arn)
            }
            _ => Err(invalid("TopicArn")),
        }
    }
}

#[async_trait]
impl Service for Sns {
    fn signing_name(&self) -> &'static str {
        "sns"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "http://sns.amazonaws.com/doc/2010-03-31/" }
    }

    fn throttled(&self) -> AwsError {
        AwsError::new("Throttled", "Rate exceeded").with_status(429)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, AwsError> {
        self.answer(&call)
    }
}

/// A call's fields.
struct Given<'a> {
    call: &'a Call,
    operation: &'a str,
}

impl<'a> Given<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.call.input.get(name).and_then(Value::as_str)
    }

    fn required(&self, name: &'static str) -> Result<&'a str, AwsError> {
        self.get(name).ok_or_else(|| invalid(name))
    }

    /// Refuses a field that the sandbox does not know.
    fn only(&self, known: &[&str]) -> Result<(), AwsError> {
        let fields = self.call.input.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let of_all = ["Action", "Version"];
        match fields.into_iter().find(|name| !known.contains(name) && !of_all.contains(name)) {
            None => Ok(()),
            Some(name) => {
                Err(AwsError::unsupported(format_args!("the parameter {name} of sns {}", self.operation)))
            }
        }
    }
}

fn check_endpoint(protocol: &str, endpoint: &str) -> Result<(), AwsError> {
    let fits = match protocol {
        "email" | "email-json" => endpoint.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !endpoint.contains(char::is_whitespace)
        }),
        "http" => endpoint.starts_with("http://"),
        "https" => endpoint.starts_with("https://"),
        "sms" | "sqs" | "lambda" | "application" | "firehose" => {
            return Err(AwsError::unsupported(format_args!("subscribers of the kind {protocol}")));
        }
        _ => return Err(invalid("Amazon SNS does not support this protocol string")),
    };
    if fits { Ok(()) } else { Err(invalid("Endpoint")) }
}

fn invalid(what: &str) -> AwsError {
    AwsError::new("InvalidParameter", format!("Invalid parameter: {what}"))
}

fn no_subscription(endpoint: &str) -> AwsError {
    AwsError::new("NotFound", format!("Subscription of {endpoint} does not exist")).with_status(404)
}

fn xml(inside: String) -> Reply {
    Reply { status: 200, headers: Vec::new(), body: Body::Xml(inside) }
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn member(inside: &str) -> String {
    format!("<member>{inside}</member>")
}

/// The routes of the control port.
pub fn control(sns: Arc<Sns>) -> Router {
    Router::new()
        .route("/subscriptions", get(async |Shared(sns): Shared<Arc<Sns>>| Json(sns.subscriptions())))
        .route("/messages", get(async |Shared(sns): Shared<Arc<Sns>>| Json(sns.messages())))
        .route("/confirm", post(confirm))
        .with_state(sns)
}

/// Whose subscription is confirmed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    topic: String,
    endpoint: String,
}

async fn confirm(Shared(sns): Shared<Arc<Sns>>, Json(wanted): Json<Confirm>) -> Response {
    match sns.confirm(&wanted.topic, &wanted.endpoint) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, Json(json!({ "detail": error.message }))).into_response()
        }
    }
}

impl Sns {
    fn subscriptions(&self) -> Value {
        let shown = |(arn, topic): (&String, &Topic)| -> Vec<Value> {
            let of_topic = topic.subscriptions.iter().map(|one| {
                json!({ "topic": arn, "protocol": one.protocol, "endpoint": one.endpoint, "token": one.token })
            });
            of_topic.collect()
        };
        self.state.read(|state| state.topics.iter().flat_map(shown).collect())
    }
}
