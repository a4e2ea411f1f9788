//! Two overviews for tests: one of a stack that is well, one of a stack in trouble.

use model::overview::{
    Alarm, AlarmState, Function, Health, HealthVerdict, Overview, Reading, Secret, Series, Traffic,
};
use model::problem::{Problem, ProblemKind};
use model::stack::Stack;
use model::status::{DatabaseStatus, FunctionStatus, SecretStatus, Status, Verdict};
use model::time::Timestamp;

/// When both were read.
pub const NOW: Timestamp = Timestamp(1_795_300_000_000);

const HOUR: i64 = 3_600_000;

/// All is well.
pub fn healthy() -> Overview {
    Overview {
        stack: stack(),
        now: NOW,
        health: Reading::fresh(health(), NOW),
        function: Reading::fresh(function(), ago(12_000)),
        secret: Reading::fresh(secret(), ago(31_000)),
        alarms: Reading::fresh(vec![alarm("learninghub-api-errors", AlarmState::Ok)], ago(8_000)),
        traffic: Reading::fresh(traffic(), ago(21_000)),
        rotations: Reading::fresh(Vec::new(), ago(21_000)),
    }
}

/// Much is not.
pub fn troubled() -> Overview {
    let mut overview = healthy();
    let mut health = health();
    health.verdict = HealthVerdict::Unhealthy;
    health.summary = "The function answers, but its database is out of reach.".to_owned();
    health.http_status = Some(503);
    if let Some(status) = &mut health.status {
        status.status = Verdict::Unavailable;
        let reason = Some("The database refused the connection.".to_owned());
        status.database = DatabaseStatus { reachable: false, latency_ms: None, reason };
    }
    overview.health = Reading::fresh(health, NOW);
    let secret = Secret {
        next_rotation: Some(ago(7_500_000)),
        pending_version: Some("9f1c0d4e-1111-4222-8333-444455556666".to_owned()),
        ..secret()
    };
    overview.secret = Reading::fresh(secret, ago(31_000));
    overview.alarms = Reading::fresh(
        vec![
            alarm("learninghub-api-errors", AlarmState::Alarm),
            alarm("learninghub-api-throttles", AlarmState::InsufficientData),
            alarm("learninghub-api-duration", AlarmState::Ok),
        ],
        ago(8_000),
    );
    overview.traffic.problem = Some(
        Problem::new(ProblemKind::Throttled, "CloudWatch refused the request: too many at once.")
            .with_next("The portal tries again by itself within a minute."),
    );
    overview.traffic.at = ago(190_000);
    if let Some(traffic) = &mut overview.traffic.value {
        traffic.throttles.whole = Some(14.0);
        traffic.errors.whole = Some(432.0);
    }
    overview
}

fn ago(ms: i64) -> Timestamp {
    Timestamp(NOW.0 - ms)
}

fn stack() -> Stack {
    Stack {
        region: "eu-west-1".to_owned(),
        api_id: "a1b2c3d4e5".to_owned(),
        stage: "$default".to_owned(),
        function: "learninghub-api".to_owned(),
        alias: "live".to_owned(),
        secret_id: "learninghub/sqlserver".to_owned(),
        status_url: "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/status".to_owned(),
    }
}

fn health() -> Health {
    let status = Status {
        status: Verdict::Ok,
        function: FunctionStatus {
            name: "learninghub-api".to_owned(),
            version: "3".to_owned(),
            cold_start: false,
        },
        database: DatabaseStatus { reachable: true, latency_ms: Some(1.8), reason: None },
        secret: Some(SecretStatus { version: "5d0a41c2".to_owned(), age_seconds: 1_051_200 }),
        request_id: "0b9a3a52-6d5e-4a7e-9f0f-2b6f0c1d2e3f".to_owned(),
    };
    Health {
        verdict: HealthVerdict::Healthy,
        summary: "The API answers and its database does.".to_owned(),
        http_status: Some(200),
        latency_ms: 42.4,
        status: Some(status),
    }
}

fn function() -> Function {
    Function {
        version: "3".to_owned(),
        canary: Some(("4".to_owned(), 0.1)),
        state: "Active".to_owned(),
        state_reason: None,
        last_update: "Successful".to_owned(),
        last_update_reason: None,
        modified: Some(ago(76 * HOUR)),
        runtime: Some("provided.al2023".to_owned()),
        memory_mb: Some(256),
        timeout_seconds: Some(10),
    }
}

fn secret() -> Secret {
    Secret {
        current_version: Some("5d0a41c2-0000-4aaa-8bbb-ccccddddeeee".to_owned()),
        changed: Some(ago(292 * HOUR)),
        rotation_enabled: true,
        rotated: Some(ago(292 * HOUR)),
        next_rotation: Some(Timestamp(NOW.0 + 428 * HOUR)),
        pending_version: None,
    }
}

fn alarm(name: &str, state: AlarmState) -> Alarm {
    Alarm {
        name: name.to_owned(),
        state,
        reason: Some("Threshold Crossed: 1 datapoint [6.0] was greater than the threshold (5.0).".to_owned()),
        since: Some(ago(1_500_000)),
        actions_enabled: state != AlarmState::InsufficientData,
    }
}

fn traffic() -> Traffic {
    let wave = |index: u32, height: f64| (f64::from(index) / 7.0).sin().mul_add(height / 3.0, height);
    let series = |whole: f64, value: &dyn Fn(u32) -> Option<f64>| Series {
        points: (0..60).map(value).collect(),
        whole: Some(whole),
    };
    let last = |index: u32| if index == 59 { 0.35 } else { 1.0 };
    Traffic {
        start: Timestamp(NOW.0 - HOUR + 39_000),
        period_seconds: 60,
        requests: series(7_214.0, &|i| (!(20..24).contains(&i)).then(|| (wave(i, 120.0) * last(i)).round())),
        errors: series(28.0, &|i| (!(20..24).contains(&i)).then_some(if i % 17 == 0 { 3.0 } else { 0.0 })),
        client_errors: series(312.0, &|_| Some(5.0)),
        throttles: series(0.0, &|_| Some(0.0)),
        duration_p95: series(84.2, &|i| (!(20..24).contains(&i)).then(|| wave(i, 80.0))),
    }
}
