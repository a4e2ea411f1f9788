use super::*;

const MINUTE_MS: i64 = 60_000;
/// 2026-12-01T00:00:30Z
const NOW: Timestamp = Timestamp(1_796_083_230_000);

fn window(from_minute: i64, to_minute: i64) -> Window {
    Window {
        from: Timestamp(from_minute * MINUTE_MS),
        to: Timestamp(to_minute * MINUTE_MS),
        period_seconds: 60,
    }
}

fn given(values: &[(i64, f64)], lacks: Option<Lack>) -> Given {
    let values = values.iter().map(|(minute, value)| (minute * MINUTE_MS, *value)).collect();
    Given { values, lacks }
}

fn key(span: Span) -> Key {
    Key { set: Set::All, scope: Scope::Alias, time: Time::of(Range::Last(span), NOW).unwrap() }
}

fn state() -> State {
    State {
        entries: BTreeMap::new(),
        budget: Budget::full(NOW),
        flight: None,
        month: month(NOW),
        spent: Some(Spent::default()),
        unsaid: Spent::default(),
        failures: 0,
        not_before: Timestamp(i64::MIN),
    }
}

#[test]
fn what_was_left_out_stays_as_it_was() {
    let names = [Name::Requests, Name::ServerErrors];
    let answer = Answer::default();
    let first = vec![given(&[(1, 5.0), (2, 6.0)], None), given(&[(2, 1.0)], None)];
    let first = put_together(&names, window(0, 3), first, None, &answer);
    assert_eq!(first.rows[0], [None, Some(5.0), Some(6.0)]);
    assert!(notes(&first).is_empty() && nothing_given(&first).is_none());

    // The second call moves on by a minute, and gives a part of one and nothing of the other.
    let second = vec![given(&[(3, 7.0)], Some(Lack::Part)), given(&[], Some(Lack::Forbidden))];
    let second = put_together(&names, window(1, 4), second, Some(&first), &answer);
    assert_eq!(second.rows[0], [Some(5.0), Some(6.0), Some(7.0)]);
    assert_eq!(second.rows[1], [None, Some(1.0), None]);
    assert_eq!(
        notes(&second),
        [
            "CloudWatch gave only a part of requests. What it left out is shown as it was before.",
            "CloudWatch did not allow the portal to read server_errors: its role needs cloudwatch:GetMetricData.",
        ]
    );
    assert_eq!(nothing_given(&second), None);

    let third = vec![given(&[], Some(Lack::Forbidden)), given(&[], Some(Lack::Forbidden))];
    let third = put_together(&names, window(1, 4), third, None, &answer);
    assert_eq!(nothing_given(&third).map(|problem| problem.kind), Some(ProblemKind::Forbidden));
}

#[test]
fn complete_is_what_is_two_minutes_old() {
    let names = Set::Overview.names();
    let rows: Vec<Given> = names.iter().map(|_| given(&[(5, 1.0)], None)).collect();
    let table = put_together(names, window(0, 10), rows, None, &Answer::default());
    // (read at so many milliseconds after minute 9 began, complete of the last four)
    for (after, complete) in [(0, 1), (59_999, 1), (60_000, 2), (180_000, 4), (1_000_000, 4), (-400_000, 0)] {
        let figures = figures(Set::Overview, &table, 4, Timestamp(9 * MINUTE_MS + after));
        assert_eq!((figures.window, figures.complete), (window(6, 10), complete), "{after}");
        assert!(figures.lines.iter().all(|line| line.points.len() == 4 && line.whole.is_none()));
    }
}

#[test]
fn what_nobody_looks_at_is_not_read() {
    let mut state = state();
    state.want(&key(Span::Hour), NOW);
    state.want(&key(Span::Day), Timestamp(NOW.0 - LOOKED_AT_MS - 1));
    let chosen = state.choose(NOW, PACE_MS);
    assert_eq!(chosen.iter().map(|(key, _)| key).collect::<Vec<_>>(), [&key(Span::ThreeHours)]);
    state.want(&key(Span::Day), NOW);
    assert_eq!(state.choose(NOW, PACE_MS).len(), 2);
}

#[test]
fn what_was_read_is_due_again_in_its_own_rhythm() {
    let mut state = state();
    let (hour, month) = (key(Span::Hour), key(Span::Month));
    for key in [&hour, &month] {
        state.want(key, NOW);
    }
    let chosen = state.choose(NOW, PACE_MS);
    state.fill(&chosen, Ok(Answer::default()), NOW, 0.5);
    let due = |key: &Key, pace| state.entries[key].due(key, pace, state.not_before).0 - NOW.0;
    // Thirty days do not go with minutes, so they were not in the first call.
    assert_eq!(chosen.len(), 1);
    let read = &chosen[0].0;
    assert_eq!(due(read, PACE_MS), PACE_MS);
    assert_eq!(due(read, 5 * PACE_MS), 5 * PACE_MS, "a slower pace counts at once");
    let past = Time::Fixed(window(0, 60));
    assert!(past.rhythm_ms(NOW) > 86_400_000, "what is over does not change");
    assert_eq!(Time::Last(Span::Month).rhythm_ms(NOW), 30 * PACE_MS);
}

#[test]
fn after_failures_the_pauses_grow_up_to_a_bound() {
    let mut state = state();
    let key = key(Span::Hour);
    state.want(&key, NOW);
    let chosen = state.choose(NOW, PACE_MS);
    let problem = Problem::new(ProblemKind::Throttled, "CloudWatch asked for a pause.");
    let mut pauses = Vec::new();
    for _ in 0..7 {
        state.fill(&chosen, Err(problem.clone()), NOW, 1.0);
        pauses.push(state.entries[&key].due(&key, PACE_MS, state.not_before).0 - NOW.0);
    }
    assert_eq!(pauses, [15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
    state.fill(&chosen, Ok(Answer::default()), NOW, 0.0);
    assert_eq!(state.entries[&key].due(&key, PACE_MS, state.not_before).0 - NOW.0, PACE_MS);
    assert_eq!(state.failures, 0);
}

#[test]
fn no_more_ranges_are_kept_than_there_is_room_for() {
    let mut state = state();
    for minute in 0..40 {
        let key = Key { set: Set::All, scope: Scope::Alias, time: Time::Fixed(window(minute, minute + 9)) };
        state.want(&key, Timestamp(NOW.0 + minute));
    }
    assert_eq!(state.entries.len(), MOST_ENTRIES);
    let oldest = state.entries.keys().map(|key| key.time).min();
    assert_eq!(oldest, Some(Time::Fixed(window(8, 17))));
}
