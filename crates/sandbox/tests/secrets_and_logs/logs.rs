//! CloudWatch Logs through its SDK, and the border that the sandbox's own services use.

use std::time::Instant;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, LogGroupClass, OrderBy};
use chrono::TimeDelta;
use sandbox::services::logs::LogEvent;

use crate::world::{World, refusal};

fn event(timestamp: i64, message: impl Into<String>) -> InputLogEvent {
    InputLogEvent::builder().timestamp(timestamp).message(message).build().unwrap()
}

/// A group `/g` with the streams named.
async fn group(client: &Client, streams: &[&str]) {
    client.create_log_group().log_group_name("/g").send().await.unwrap();
    for stream in streams {
        client.create_log_stream().log_group_name("/g").log_stream_name(*stream).send().await.unwrap();
    }
}

async fn put(client: &Client, stream: &str, events: Vec<InputLogEvent>) {
    let put = client.put_log_events().log_group_name("/g").log_stream_name(stream);
    let reply = put.set_log_events(Some(events)).send().await.unwrap();
    assert_eq!(reply.rejected_log_events_info(), None);
}

/// The messages that a filter finds, over all pages.
async fn filtered(client: &Client, pattern: &str) -> Vec<String> {
    let call = client.filter_log_events().log_group_name("/g").filter_pattern(pattern);
    let mut pages = call.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.unwrap().events().iter().map(|event| event.message().unwrap().to_owned()));
    }
    found
}

#[tokio::test]
async fn groups_come_and_go() {
    let world = World::new().await;
    let client = world.client().await;
    for name in ["/aws/lambda/b", "/aws/lambda/a", "/aws/vendedlogs/x", "other"] {
        client
            .create_log_group()
            .log_group_name(name)
            .kms_key_id("arn:aws:kms:eu-west-1:123456789012:key/1")
            .tags("team", "one")
            .send()
            .await
            .unwrap();
    }
    let twice = client.create_log_group().log_group_name("other").send().await;
    let already =
        ("ResourceAlreadyExistsException".to_owned(), "The specified log group already exists".to_owned());
    assert_eq!(refusal(twice), already);
    for (name, code) in [("a b", "InvalidParameterException"), ("aws/x", "InvalidParameterException")] {
        assert_eq!(refusal(client.create_log_group().log_group_name(name).send().await).0, code, "{name}");
    }
    let delivery = client.create_log_group().log_group_name("d").log_group_class(LogGroupClass::Delivery);
    assert_eq!(refusal(delivery.send().await).0, "SandboxUnsupported");

    let found = client.describe_log_groups().log_group_name_prefix("/aws/lambda/").send().await.unwrap();
    let names: Vec<_> = found.log_groups().iter().map(|group| group.log_group_name().unwrap()).collect();
    assert_eq!(names, ["/aws/lambda/a", "/aws/lambda/b"]);
    let first = &found.log_groups()[0];
    assert_eq!(first.arn(), Some("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/a:*"));
    assert_eq!(first.log_group_arn(), Some("arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/a"));
    assert_eq!(first.creation_time(), Some(world.context.now_ms()));
    assert_eq!(first.stored_bytes(), Some(0));
    assert_eq!(first.retention_in_days(), None);
    assert_eq!(first.log_group_class(), Some(&LogGroupClass::Standard));
    let found = client.describe_log_groups().log_group_name_pattern("lambda").send().await.unwrap();
    assert_eq!((found.log_groups().len(), found.log_groups()[0].stored_bytes()), (2, None));
    let both =
        client.describe_log_groups().log_group_name_prefix("a").log_group_name_pattern("b").send().await;
    assert_eq!(refusal(both).0, "InvalidParameterException");

    let mut pages = client.describe_log_groups().into_paginator().page_size(3).send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().log_groups().len());
    }
    assert_eq!(sizes, [3, 1]);

    let retain =
        |days: i32| client.put_retention_policy().log_group_name("other").retention_in_days(days).send();
    let (code, message) = refusal(retain(2).await);
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("retentionInDays"), "{message}");
    retain(14).await.unwrap();
    let other = || async {
        let found = client.describe_log_groups().log_group_name_prefix("other").send().await.unwrap();
        found.log_groups()[0].retention_in_days()
    };
    assert_eq!(other().await, Some(14));
    client.delete_retention_policy().log_group_name("other").send().await.unwrap();
    assert_eq!(other().await, None);

    let arn = "arn:aws:logs:eu-west-1:123456789012:log-group:other";
    client.tag_resource().resource_arn(arn).tags("b", "2").send().await.unwrap();
    client.untag_resource().resource_arn(arn).tag_keys("team").send().await.unwrap();
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags().unwrap().iter().collect::<Vec<_>>(), [(&"b".to_owned(), &"2".to_owned())]);

    client.delete_log_group().log_group_name("other").send().await.unwrap();
    let missing =
        ("ResourceNotFoundException".to_owned(), "The specified log group does not exist.".to_owned());
    assert_eq!(refusal(client.delete_log_group().log_group_name("other").send().await), missing);
    assert_eq!(refusal(client.list_tags_for_resource().resource_arn(arn).send().await), missing);
}

#[tokio::test]
async fn streams_are_listed_by_name_and_by_last_event() {
    let world = World::new().await;
    let client = world.client().await;
    group(&client, &["a", "b", "c", "d"]).await;
    let twice = client.create_log_stream().log_group_name("/g").log_stream_name("a").send().await;
    assert_eq!(refusal(twice).0, "ResourceAlreadyExistsException");
    let bad = client.create_log_stream().log_group_name("/g").log_stream_name("a:b").send().await;
    assert_eq!(refusal(bad).0, "InvalidParameterException");
    let now = world.context.now_ms();
    put(&client, "b", vec![event(now - 30, "x")]).await;
    put(&client, "a", vec![event(now - 20, "x"), event(now - 10, "y")]).await;
    put(&client, "c", vec![event(now - 20, "x")]).await;

    let listed = |by: OrderBy, descending: bool| {
        let call = client.describe_log_streams().log_group_name("/g").order_by(by).descending(descending);
        let mut pages = call.into_paginator().page_size(3).send();
        async move {
            let mut names = Vec::new();
            while let Some(page) = pages.next().await {
                names.extend(
                    page.unwrap().log_streams().iter().map(|s| s.log_stream_name().unwrap().to_owned()),
                );
            }
            names.concat()
        }
    };
    assert_eq!(listed(OrderBy::LogStreamName, false).await, "abcd");
    assert_eq!(listed(OrderBy::LogStreamName, true).await, "dcba");
    assert_eq!(listed(OrderBy::LastEventTime, true).await, "acbd");
    assert_eq!(listed(OrderBy::LastEventTime, false).await, "dbca");

    let found =
        client.describe_log_streams().log_group_name("/g").log_stream_name_prefix("a").send().await.unwrap();
    let stream = &found.log_streams()[0];
    assert_eq!(found.log_streams().len(), 1);
    assert_eq!(stream.arn(), Some("arn:aws:logs:eu-west-1:123456789012:log-group:/g:log-stream:a"));
    assert_eq!(
        (stream.first_event_timestamp(), stream.last_event_timestamp(), stream.last_ingestion_time()),
        (Some(now - 20), Some(now - 10), Some(now))
    );
    let prefixed = client
        .describe_log_streams()
        .log_group_identifier("arn:aws:logs:eu-west-1:123456789012:log-group:/g:*")
        .order_by(OrderBy::LastEventTime)
        .log_stream_name_prefix("a")
        .send()
        .await;
    assert_eq!(refusal(prefixed).0, "InvalidParameterException");

    client.delete_log_stream().log_group_name("/g").log_stream_name("a").send().await.unwrap();
    let gone = client.get_log_events().log_group_name("/g").log_stream_name("a").send().await;
    assert_eq!(refusal(gone).1, "The specified log stream does not exist.");
    assert_eq!(filtered(&client, "").await, ["x", "x"]);
}

#[tokio::test]
async fn a_batch_has_its_limits() {
    let world = World::new().await;
    let client = world.client().await;
    group(&client, &["s"]).await;
    let now = world.context.now_ms();
    let send = |events: Vec<InputLogEvent>| {
        client.put_log_events().log_group_name("/g").log_stream_name("s").set_log_events(Some(events)).send()
    };
    let day = 86_400_000;
    for (what, events) in [
        ("order", vec![event(now, "b"), event(now - 1, "a")]),
        ("span", vec![event(now - day - 1, "a"), event(now, "b")]),
        ("count", (0..10_001).map(|_| event(now, "x")).collect()),
        ("bytes", vec![event(now, "x".repeat(524_288)), event(now, "x".repeat(524_288 - 51))]),
        ("empty message", vec![event(now, "")]),
    ] {
        assert_eq!(refusal(send(events).await).0, "InvalidParameterException", "{what}");
    }
    assert_eq!(filtered(&client, "").await, [""; 0], "a refused batch leaves nothing");
    let full = vec![event(now, "x".repeat(524_288)), event(now, "y".repeat(524_288 - 52))];
    send(full).await.unwrap();
    let reply = send(vec![event(now - 15 * day, "old"), event(now, "right"), event(now + 8_000_000, "new")])
        .await
        .unwrap();
    let rejected = reply.rejected_log_events_info().unwrap();
    assert_eq!(rejected.too_old_log_event_end_index(), Some(1));
    assert_eq!(rejected.too_new_log_event_start_index(), Some(2));
    assert_eq!(filtered(&client, "right").await, ["right"]);
    let nowhere =
        client.put_log_events().log_group_name("/g").log_stream_name("t").log_events(event(now, "x"));
    assert_eq!(refusal(nowhere.send().await).1, "The specified log stream does not exist.");
    // 1,048,576 bytes and "right" with its 26.
    let groups = client.describe_log_groups().send().await.unwrap();
    assert_eq!(groups.log_groups()[0].stored_bytes(), Some(1_048_576 + 31));
    // A page holds 1 MB, the next the rest.
    let page = client.get_log_events().log_group_name("/g").log_stream_name("s").start_from_head(true).send();
    assert_eq!(page.await.unwrap().events().len(), 2);
}

#[tokio::test]
async fn a_stream_is_read_both_ways() {
    let world = World::new().await;
    let client = world.client().await;
    group(&client, &["s"]).await;
    let now = world.context.now_ms();
    // Three share a millisecond, so that a page ends among them.
    let times = [0, 1, 2, 2, 2, 5, 6];
    put(&client, "s", times.iter().enumerate().map(|(n, t)| event(now + t, n.to_string())).collect()).await;
    let read = |token: Option<String>, head: bool| {
        let call = client.get_log_events().log_group_name("/g").log_stream_name("s").limit(3);
        let call = call.start_from_head(head).set_next_token(token).send();
        async {
            let page = call.await.unwrap();
            let text: String = page.events().iter().map(|event| event.message().unwrap()).collect();
            let token = |token: Option<&str>| Some(token.unwrap().to_owned());
            (text, token(page.next_forward_token()), token(page.next_backward_token()))
        }
    };
    let (text, forward, _) = read(None, true).await;
    assert_eq!(text, "012");
    let (text, forward, _) = read(forward, true).await;
    assert_eq!(text, "345");
    let (text, forward, _) = read(forward, true).await;
    assert_eq!(text, "6");
    let (text, end, back) = read(forward.clone(), true).await;
    assert_eq!((text.as_str(), &end), ("", &forward), "the same token at the end");
    let (text, _, back) = read(back, false).await;
    assert_eq!(text, "456");
    let (text, _, back) = read(back, false).await;
    assert_eq!(text, "123");
    let (text, again, back) = read(back, false).await;
    assert_eq!(text, "0");
    let (text, _, start) = read(back.clone(), false).await;
    assert_eq!((text.as_str(), &start), ("", &back), "the same token at the start");
    assert_eq!(read(again, true).await.0, "123");

    let (text, forward, back) = read(None, false).await;
    assert_eq!(text, "456", "the latest ones unless told otherwise");
    assert_eq!(read(back, false).await.0, "123");
    // Later events come behind the token of the end.
    put(&client, "s", vec![event(now + 7, "7")]).await;
    assert_eq!(read(forward, true).await.0, "7");

    let ranged = client.get_log_events().log_group_name("/g").log_stream_name("s");
    let ranged = ranged.start_time(now + 1).end_time(now + 5).send().await.unwrap();
    assert_eq!(ranged.events().len(), 4, "the end is not included");
    let bad =
        client.get_log_events().log_group_name("/g").log_stream_name("s").next_token("f/x").send().await;
    assert_eq!(refusal(bad).1, "The specified nextToken is invalid.");
    let many = client.get_log_events().log_group_name("/g").log_stream_name("s").limit(10_001).send().await;
    let (code, message) = refusal(many);
    assert_eq!(code, "InvalidParameterException");
    assert!(message.ends_with("Member must have value less than or equal to 10000"), "{message}");
}

#[tokio::test]
async fn a_group_is_searched() {
    let world = World::new().await;
    let client = world.client().await;
    group(&client, &["web-1", "web-2", "db"]).await;
    let now = world.context.now_ms();
    put(
        &client,
        "web-1",
        vec![event(now, r#"{"level":"ERROR","durationMs":150,"n":1}"#), event(now + 4, "ERROR plain 4")],
    )
    .await;
    put(
        &client,
        "web-2",
        vec![event(now + 1, r#"{"level":"INFO","durationMs":20,"n":2}"#), event(now + 3, "fine 3")],
    )
    .await;
    put(&client, "db", vec![event(now + 2, "ERROR db 2")]).await;

    assert_eq!(filtered(&client, "ERROR").await.len(), 3);
    assert_eq!(filtered(&client, "ERROR -durationMs").await, ["ERROR db 2", "ERROR plain 4"]);
    assert_eq!(filtered(&client, "?fine ?db").await, ["ERROR db 2", "fine 3"]);
    assert_eq!(filtered(&client, r#"{ $.level = "ERROR" && $.durationMs > 100 }"#).await.len(), 1);
    assert_eq!(filtered(&client, "[level = ERROR, where, n > 3]").await, ["ERROR plain 4"]);
    let call = client.filter_log_events().log_group_name("/g").filter_pattern("req-1").send().await;
    let (code, message) = refusal(call);
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("Invalid character(s) in term 'req-1'"), "{message}");
    let regular = client.filter_log_events().log_group_name("/g").filter_pattern("%a.b%").send().await;
    assert_eq!(refusal(regular).0, "SandboxUnsupported");

    let search = || client.filter_log_events().log_group_name("/g");
    let times = |page: aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsOutput| {
        page.events().iter().map(|event| event.timestamp().unwrap() - now).collect::<Vec<_>>()
    };
    assert_eq!(times(search().start_time(now + 1).end_time(now + 3).send().await.unwrap()), [1, 2, 3]);
    assert_eq!(times(search().log_stream_name_prefix("web").send().await.unwrap()), [0, 1, 3, 4]);
    let named = search().log_stream_names("db").log_stream_names("web-2").send().await.unwrap();
    assert_eq!(named.events()[1].log_stream_name(), Some("db"));
    assert_eq!(named.events()[0].event_id().unwrap().len(), 56);
    assert_eq!(times(named), [1, 2, 3]);
    assert_eq!(refusal(search().log_stream_names("nope").send().await).0, "ResourceNotFoundException");
    let both = search().log_stream_names("db").log_stream_name_prefix("web").send().await;
    assert_eq!(refusal(both).0, "InvalidParameterException");

    for (head, expected) in [(true, [0, 1, 2, 3, 4]), (false, [4, 3, 2, 1, 0])] {
        let call = search().start_time(now).start_from_head(head);
        let mut pages = call.into_paginator().page_size(2).send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            found.extend(times(page.unwrap()));
        }
        assert_eq!(found, expected);
    }
    let backwards = search().start_from_head(false).send().await;
    assert_eq!(refusal(backwards).0, "InvalidParameterException");
}

#[tokio::test]
async fn retention_goes_by_the_clock() {
    let world = World::new().await;
    let client = world.client().await;
    group(&client, &["s"]).await;
    let now = world.context.now_ms();
    put(&client, "s", vec![event(now, "old"), event(now + 3_600_000, "young")]).await;
    client.put_retention_policy().log_group_name("/g").retention_in_days(1).send().await.unwrap();
    world.clock.advance(TimeDelta::hours(24));
    assert_eq!(filtered(&client, "").await, ["old", "young"]);
    world.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(filtered(&client, "").await, ["young"]);
    let read = client.get_log_events().log_group_name("/g").log_stream_name("s").send().await.unwrap();
    assert_eq!(read.events().len(), 1);
    let groups = client.describe_log_groups().send().await.unwrap();
    assert_eq!(groups.log_groups()[0].stored_bytes(), Some(31));
    let late =
        client.put_log_events().log_group_name("/g").log_stream_name("s").log_events(event(now, "late"));
    let reply = late.send().await.unwrap();
    assert_eq!(reply.rejected_log_events_info().unwrap().expired_log_event_end_index(), Some(1));
}

#[tokio::test]
async fn the_sandboxs_own_services_write_quickly_and_are_read_at_once() {
    let world = World::new().await;
    let client = world.client().await;
    let now = world.context.now_ms();
    let begun = Instant::now();
    for n in 0..30_000 {
        let events = vec![LogEvent { timestamp: now + n, message: format!("line {n}") }];
        world.logs.append("/g", &format!("2026/03/01/[$LATEST]{}", n % 3), events).unwrap();
    }
    let taken = begun.elapsed();
    assert!(taken.as_secs() < 5, "{taken:?}");
    // More than one page looks at, in a group and streams that came into being.
    let found = filtered(&client, "\"line 29999\"").await;
    assert_eq!(found, ["line 29999"]);
    let first = client.filter_log_events().log_group_name("/g").filter_pattern("29999").send().await.unwrap();
    assert!(first.events().is_empty() && first.next_token().is_some(), "a page looks at so many events only");
    let streams = client.describe_log_streams().log_group_name("/g").send().await.unwrap();
    assert_eq!(streams.log_streams().len(), 3);
    // An empty message is no event.
    world.logs.append("/h", "s", vec![LogEvent { timestamp: now, message: String::new() }]).unwrap();
    let groups = client.describe_log_groups().send().await.unwrap();
    assert_eq!(groups.log_groups().len(), 1);
}
