//! The topics that alarms tell: whether they are there, and whether anybody has confirmed.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use model::alarms::{StackAlarm, Told, Topic, TopicState};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;

use crate::aws::problem;

/// More topics than this are not looked at one by one.
const MOST_ASKED: usize = 20;

/// The topics that are named, each looked at, and others there are to choose from (the first hundred).
pub(super) async fn read(sns: &Client, mut named: Vec<String>) -> Result<Vec<Topic>, Problem> {
    named.sort();
    named.dedup();
    named.truncate(MOST_ASKED);
    let looked = futures::future::join_all(named.iter().map(|arn| state(sns, arn)));
    let (states, listed) = futures::join!(looked, sns.list_topics().send());
    let mut topics: Vec<Topic> = named
        .into_iter()
        .zip(states)
        .map(|(arn, state)| Topic { arn, named: true, state: Some(state) })
        .collect();
    let listed = listed.map_err(|error| problem("list the topics", "sns:ListTopics", &error))?;
    for arn in listed.topics().iter().filter_map(|topic| topic.topic_arn()) {
        if !topics.iter().any(|topic| topic.arn == arn) {
            topics.push(Topic { arn: arn.to_owned(), named: false, state: None });
        }
    }
    Ok(topics)
}

/// What is known of a topic.
pub(super) async fn state(sns: &Client, arn: &str) -> TopicState {
    match sns.get_topic_attributes().topic_arn(arn).send().await {
        Ok(answer) => {
            let attributes = answer.attributes.unwrap_or_default();
            let count = |name: &str| attributes.get(name).and_then(|count| count.parse().ok()).unwrap_or(0);
            let (confirmed, pending) = (count("SubscriptionsConfirmed"), count("SubscriptionsPending"));
            TopicState::There { confirmed, pending }
        }
        Err(error) if ["NotFound", "NotFoundException"].contains(&error.code().unwrap_or_default()) => {
            TopicState::Missing
        }
        Err(error) => {
            let problem = problem(&format!("read the topic {arn}"), "sns:GetTopicAttributes", &error);
            TopicState::Unknown(problem.message)
        }
    }
}

/// Whether an ARN is one of a topic.
pub(super) fn is_topic(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("sns")
}

/// That a text is the ARN of a topic that alarms of this stack can tell.
pub(super) fn check(arn: &str, stack: &Stack) -> Result<(), Problem> {
    let invalid = |message: String| Err(Problem::new(ProblemKind::Invalid, message));
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "sns", region, account, name]
            if account.len() == 12 && !name.is_empty() && account.bytes().all(|b| b.is_ascii_digit()) =>
        {
            if *region != stack.region {
                return invalid(format!(
                    "The topic is in {region}; an alarm tells topics of its own region, {}.",
                    stack.region
                ));
            }
            if name.ends_with(".fifo") {
                return invalid("CloudWatch does not tell FIFO topics.".to_owned());
            }
            Ok(())
        }
        _ => invalid(format!(
            "{arn:?} is no topic's ARN, such as arn:aws:sns:{}:123456789012:operators.",
            stack.region
        )),
    }
}

/// Whether anybody is told when the alarm fires. Of several topics the best one counts. Pure.
pub(super) fn told(alarm: &StackAlarm, topics: Option<&[Topic]>) -> Told {
    let (to_topics, others): (Vec<&String>, Vec<&String>) =
        alarm.actions.iter().partition(|action| is_topic(action));
    if alarm.actions.is_empty() {
        return Told::NoAction;
    }
    if !alarm.actions_enabled {
        return Told::SwitchedOff;
    }
    let state = |arn: &String| {
        let topic = topics.unwrap_or_default().iter().find(|topic| topic.arn == *arn);
        match topic.and_then(|topic| topic.state.as_ref()) {
            Some(TopicState::There { confirmed: 0, pending: 0 }) => Told::Nobody,
            Some(TopicState::There { confirmed: 0, pending }) => Told::Unconfirmed(*pending),
            Some(TopicState::There { confirmed, .. }) => Told::Subscribers(*confirmed),
            Some(TopicState::Missing) => Told::NoTopic,
            Some(TopicState::Unknown(_)) | None => Told::Unknown,
        }
    };
    let mut states: Vec<Told> = to_topics.into_iter().map(state).collect();
    if !others.is_empty() {
        states.push(Told::Other);
    }
    let rank = |told: &Told| match told {
        Told::Subscribers(_) => 0,
        Told::Other => 1,
        Told::Unknown => 2,
        Told::Unconfirmed(_) => 3,
        Told::Nobody => 4,
        _ => 5,
    };
    states.into_iter().min_by_key(rank).unwrap_or(Told::NoAction)
}

/// What should be known of a topic before alarms are to tell it.
///
/// # Errors
/// `NotFound` where there is none.
pub(super) fn warning(arn: &str, state: &TopicState) -> Result<Option<String>, Problem> {
    match state {
        TopicState::There { confirmed: 0, pending: 0 } => {
            Ok(Some(format!("Nobody has subscribed to {arn}: until somebody has, these alarms tell nobody.")))
        }
        TopicState::There { confirmed: 0, pending } => Ok(Some(format!(
            "None of the {pending} subscriptions of {arn} is confirmed: until one is, these alarms tell nobody."
        ))),
        TopicState::There { .. } => Ok(None),
        TopicState::Missing => {
            let message = format!("The topic {arn} does not exist.");
            Err(Problem::new(ProblemKind::NotFound, message).with_next("Create it, or name another."))
        }
        TopicState::Unknown(why) => Ok(Some(format!("Whether anybody hears of it is not known: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::set::plan;
    use super::super::set::tests::{alarm, stack, stands};
    use super::*;

    const ONE: &str = "arn:aws:sns:eu-west-1:123456789012:one";
    const TWO: &str = "arn:aws:sns:eu-west-1:123456789012:two";

    #[test]
    fn who_is_told() {
        let there = |confirmed, pending| Some(TopicState::There { confirmed, pending });
        let lambda = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        let unknown = Some(TopicState::Unknown("no".into()));
        let table: [(&[&str], _, _, Told); 10] = [
            (&[], None, None, Told::NoAction),
            (&[ONE], there(2, 1), None, Told::Subscribers(2)),
            (&[ONE], there(0, 1), None, Told::Unconfirmed(1)),
            (&[ONE], there(0, 0), None, Told::Nobody),
            (&[ONE], Some(TopicState::Missing), None, Told::NoTopic),
            (&[ONE], unknown, None, Told::Unknown),
            (&[ONE], None, None, Told::Unknown),
            (&[ONE, TWO], Some(TopicState::Missing), there(1, 0), Told::Subscribers(1)),
            (&[ONE, TWO], there(0, 1), Some(TopicState::Missing), Told::Unconfirmed(1)),
            (&[lambda], None, None, Told::Other),
        ];
        let stack = stack();
        let rule = plan(&[], &stands(&stack))[0].wanted.clone();
        for (actions, one, two, expected) in table {
            let topic = |arn: &str, state| Topic { arn: arn.to_owned(), named: true, state };
            let topics = [topic(ONE, one), topic(TWO, two)];
            assert_eq!(told(&alarm(rule.clone(), actions), Some(&topics)), expected, "{topics:?}");
        }
        let off = StackAlarm { actions_enabled: false, ..alarm(rule, &[ONE]) };
        assert_eq!(told(&off, None), Told::SwitchedOff);
    }

    #[test]
    fn which_topics_an_alarm_can_tell() {
        let table = [
            (ONE, true),
            ("arn:aws:sns:us-east-1:123456789012:one", false),
            ("arn:aws:sns:eu-west-1:123456789012:one.fifo", false),
            ("arn:aws:sns:eu-west-1:123456789012:one:0d1e", false),
            ("arn:aws:sqs:eu-west-1:123456789012:one", false),
            ("operators", false),
        ];
        for (arn, fits) in table {
            assert_eq!(check(arn, &stack()).is_ok(), fits, "{arn}");
        }
    }
}
