use model::deploy::{Gates, Sample, Smoke};
use model::rollout::Strategy;

use super::super::details::NewCode;
use super::*;

const SINCE: i64 = 1_795_300_000_000;

/// What a portal sees, to be changed by a test.
struct Scene {
    note: Underway,
    details: Option<Details>,
    alias: Pointing,
    latest: Option<Latest>,
    candidate: Option<Candidate>,
    has_code: bool,
    uploaded: bool,
    rotating: bool,
    smoke: Option<bool>,
    gate: Option<Verdict>,
    seconds: i64,
}

fn details(strategy: &str) -> Details {
    Details {
        rollout: "r".to_owned(),
        code: Some(NewCode { sha256: "new".to_owned(), object: None, replaces: "rev".to_owned() }),
        strategy: strategy.parse::<Strategy>().unwrap(),
        gates: Gates::default(),
        fill: false,
        smoke: Smoke::default(),
        description: String::new(),
        commit: None,
    }
}

fn scene(phase: Phase, strategy: &str) -> Scene {
    let details = details(strategy);
    let weight = share(&details, phase).map(|share| ("8".to_owned(), share));
    Scene {
        note: Underway {
            rollout: "r".to_owned(),
            phase,
            old: "7".to_owned(),
            new: (phase != Phase::Prepare).then(|| "8".to_owned()),
            since: Timestamp(SINCE),
            paused: false,
            by: "ada".to_owned(),
        },
        alias: Pointing { version: "7".to_owned(), weight },
        details: Some(details),
        latest: None,
        candidate: None,
        has_code: true,
        uploaded: false,
        rotating: false,
        smoke: None,
        gate: None,
        seconds: 1,
    }
}

fn latest(sha256: &str, revision: &str, update: Update) -> Option<Latest> {
    Some(Latest { sha256: sha256.to_owned(), revision: revision.to_owned(), update })
}

fn decide(scene: &Scene) -> Step {
    let smoke = scene.smoke.map(|passed| SmokeAnswer {
        version: "8".to_owned(),
        passed,
        summary: "GET /status was answered with 503.".to_owned(),
        status: None,
        body: String::new(),
        log: Vec::new(),
        at: Timestamp(SINCE),
    });
    let gate = scene.gate.map(|verdict| GateReport {
        verdict,
        evidence: "the evidence".to_owned(),
        new: Sample::default(),
        old: Sample::default(),
        at: Timestamp(SINCE),
    });
    next_step(&Seen {
        note: &scene.note,
        details: scene.details.as_ref(),
        alias: &scene.alias,
        latest: scene.latest.as_ref(),
        candidate: scene.candidate.as_ref(),
        has_code: scene.has_code,
        uploaded: scene.uploaded,
        rotating: scene.rotating,
        smoke: smoke.as_ref(),
        gate: gate.as_ref(),
        now: Timestamp(SINCE + scene.seconds * 1_000),
    })
}

/// The step in short: its kind, and of an end the outcome.
fn short(step: &Step) -> String {
    match step {
        Step::Wait(_) => "wait".to_owned(),
        Step::End(how, _) => format!("{how:?}").to_lowercase(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[test]
fn code_is_uploaded_once_and_nothing_is_overwritten() {
    type Row = (&'static str, Option<Latest>, fn(&mut Scene));
    let table: [Row; 13] = [
        ("wait", None, |_| {}),
        ("upload", latest("old", "rev", Update::Successful), |_| {}),
        // A failed update of an earlier day is no obstacle; one of ours is the end.
        ("upload", latest("old", "rev", Update::Failed("no".to_owned())), |_| {}),
        ("stopped", latest("old", "rev", Update::Failed("no".to_owned())), |scene| scene.uploaded = true),
        ("stopped", latest("new", "x", Update::Failed("no".to_owned())), |_| {}),
        ("wait", latest("new", "x", Update::InProgress), |_| {}),
        ("publish", latest("new", "x", Update::Successful), |_| {}),
        // Published by a portal that has gone: the next one needs no code for that.
        ("publish", latest("new", "x", Update::Successful), |scene| scene.has_code = false),
        ("stopped", latest("old", "rev", Update::Successful), |scene| scene.has_code = false),
        ("stopped", latest("other", "another", Update::Successful), |_| {}),
        // An attempt that had no effect is made again.
        ("upload", latest("old", "rev", Update::Successful), |scene| scene.uploaded = true),
        ("wait", latest("old", "rev", Update::Successful), |scene| scene.note.paused = true),
        ("stopped", latest("old", "rev", Update::Successful), |scene| scene.seconds = 601),
    ];
    for (expected, latest, change) in table {
        let mut scene = scene(Phase::Prepare, "canary 10%/5m");
        scene.latest = latest;
        change(&mut scene);
        let step = decide(&scene);
        assert_eq!(short(&step), expected, "{:?}: {step:?}", scene.latest);
    }
}

#[test]
fn no_request_goes_to_a_version_that_was_not_asked() {
    type Row = (&'static str, Option<Candidate>, Option<bool>, fn(&mut Scene));
    let table: [Row; 12] = [
        ("wait", None, None, |_| {}),
        ("wait", Some(Candidate::Pending), None, |_| {}),
        ("stopped", Some(Candidate::Pending), None, |scene| scene.seconds = 301),
        ("stopped", Some(Candidate::Failed("no".to_owned())), None, |_| {}),
        ("stopped", Some(Candidate::Gone), None, |_| {}),
        ("ask", Some(Candidate::Ready), None, |_| {}),
        ("wait", Some(Candidate::Ready), None, |scene| scene.note.paused = true),
        ("stopped", Some(Candidate::Ready), Some(false), |_| {}),
        ("stopped", Some(Candidate::Ready), Some(false), |scene| scene.note.paused = true),
        ("shift(0)", Some(Candidate::Ready), Some(true), |_| {}),
        ("wait", Some(Candidate::Ready), Some(true), |scene| scene.rotating = true),
        ("promote", Some(Candidate::Ready), Some(true), |scene| scene.details = Some(details("all"))),
    ];
    for (expected, candidate, smoke, change) in table {
        let mut scene = scene(Phase::Smoke, "canary 10%/5m");
        (scene.candidate, scene.smoke) = (candidate, smoke);
        change(&mut scene);
        let step = decide(&scene);
        assert_eq!(short(&step), expected, "{:?} {:?}: {step:?}", scene.candidate, scene.smoke);
    }
}

#[test]
fn a_share_grows_only_on_evidence_and_after_its_time() {
    use Verdict::{Fail, Pass, TooFew, Unknown};
    let nothing: fn(&mut Scene) = |_| {};
    type Row = (&'static str, usize, Option<Verdict>, i64, fn(&mut Scene));
    let table: [Row; 14] = [
        ("wait", 0, None, 600, nothing),
        ("wait", 0, Some(Pass), 119, nothing),
        ("shift(1)", 0, Some(Pass), 120, nothing),
        ("shift(2)", 1, Some(Pass), 120, nothing),
        ("promote", 2, Some(Pass), 120, nothing),
        ("wait", 0, Some(TooFew), 86_400, nothing),
        ("wait", 2, Some(Unknown), 86_400, nothing),
        ("fill", 0, Some(TooFew), 1, |scene| scene.details.as_mut().unwrap().fill = true),
        ("rolledback", 0, Some(Fail), 1, nothing),
        ("rolledback", 0, Some(Fail), 1, |scene| scene.note.paused = true),
        ("rolledback", 0, Some(Fail), 1, |scene| scene.rotating = true),
        ("wait", 2, Some(Pass), 600, |scene| scene.note.paused = true),
        ("wait", 2, Some(Pass), 600, |scene| scene.rotating = true),
        ("rolledback", 0, Some(Pass), 1, |scene| scene.details = None),
    ];
    for (expected, number, verdict, seconds, change) in table {
        let mut scene = scene(Phase::Shift(number), "linear 30%/2m");
        (scene.gate, scene.seconds) = (verdict, seconds);
        change(&mut scene);
        let step = decide(&scene);
        assert_eq!(short(&step), expected, "{number} {verdict:?} {seconds}: {step:?}");
    }
}

#[test]
fn what_somebody_else_did_to_the_alias_stays() {
    let at = |version: &str, weight: Option<(&str, f64)>| Pointing {
        version: version.to_owned(),
        weight: weight.map(|(version, share)| (version.to_owned(), share)),
    };
    let table = [
        (Phase::Prepare, at("7", None), false),
        (Phase::Prepare, at("6", None), true),
        (Phase::Smoke, at("7", Some(("8", 0.1))), true),
        (Phase::Shift(0), at("7", Some(("8", 0.1))), false),
        (Phase::Shift(0), at("7", Some(("8", 0.100_000_01))), false),
        (Phase::Shift(0), at("7", Some(("8", 0.2))), true),
        (Phase::Shift(0), at("7", Some(("9", 0.1))), true),
        (Phase::Shift(0), at("7", None), true),
        (Phase::Shift(0), at("8", None), true),
    ];
    for (phase, alias, expected) in table {
        let mut scene = scene(phase, "canary 10%/5m");
        scene.alias = alias;
        let step = decide(&scene);
        assert_eq!(short(&step) == "overtaken", expected, "{phase:?} {:?}: {step:?}", scene.alias);
    }
}

#[test]
fn a_rollout_without_its_details_does_not_stay() {
    let mut scene = scene(Phase::Prepare, "all");
    scene.details = None;
    assert_eq!(short(&decide(&scene)), "wait");
    scene.seconds = 31;
    assert_eq!(short(&decide(&scene)), "stopped");
}
