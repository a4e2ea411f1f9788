//! What to do about a rotation that was left half done: a decision from the labels and from which
//! versions log in. Pure; [`super::probe`] tries the logins, [`super::actions`] makes the moves.
//!
//! | AWSPENDING has a value | it logs in | AWSCURRENT logs in | what is done |
//! |---|---|---|---|
//! | no | | | taken off: nothing had happened yet |
//! | yes | no | yes | taken off: the database was not told |
//! | yes | yes | yes | taken off: the one in use works, and whether the new one may all it has to is not known |
//! | yes | yes | no | made AWSCURRENT: it is the only one that logs in |
//! | yes | no | no | if AWSPREVIOUS logs in, it is made AWSCURRENT again; if it does not, a person has to |
//!
//! Where it could not be found out who logs in, nothing is done: a label moved on a guess is what an
//! outage is made of. The exception is the first row, which needs no login to be sure.

use model::rotation::{LabelMove, RepairPlan, SecretDetail, SecretVersion};

/// Whether a version logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// It does.
    Works,
    /// The server refuses it: the cause, in the rotation function's words.
    Refused(String),
    /// It could not be found out: why.
    Unknown(String),
}

/// For how long no login is tried again once one was refused, in milliseconds.
pub(crate) const REFUSED_MS: i64 = 600_000;

/// Who logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) current: Login,
    pub(crate) pending: Login,
    pub(crate) previous: Login,
}

impl Probe {
    /// For how long it need not be asked again, in milliseconds.
    pub(crate) fn good_for_ms(&self) -> i64 {
        let refused = |login: &Login| matches!(login, Login::Refused(_));
        if [&self.current, &self.pending, &self.previous].into_iter().any(refused) {
            REFUSED_MS
        } else {
            15_000
        }
    }

    /// Nothing is known, for a reason.
    pub(crate) fn unknown(why: &str) -> Self {
        let unknown = || Login::Unknown(why.to_owned());
        Self { current: unknown(), pending: unknown(), previous: unknown() }
    }
}

/// The plan; none where nothing is half done.
pub(crate) fn plan(secret: &SecretDetail, probe: &Probe) -> Option<RepairPlan> {
    let pending = secret.pending()?;
    let evidence = evidence(secret, pending, probe);
    let plan = |happened: &str, outcome: String, moves: Vec<LabelMove>| {
        let (token, happened) = (pending.id.clone(), happened.to_owned());
        Some(RepairPlan { token, happened, evidence: evidence.clone(), outcome, moves })
    };
    if !pending.has_value {
        let happened = "The rotation died before its first step had kept a new password: nothing was changed, neither in the secret nor in SQL Server.";
        return plan(
            happened,
            AS_BEFORE.to_owned(),
            vec![take_off(pending, "It has no value, and is in the way of the next rotation.")],
        );
    }
    let Some(current) = secret.current() else {
        let happened = "No version is labelled AWSCURRENT: somebody moved labels by hand.";
        return plan(happened, BY_HAND.to_owned(), Vec::new());
    };
    match (&probe.pending, &probe.current) {
        (Login::Works, Login::Works) => {
            let happened = "SQL Server knows the new password, and the one in use still works: the rotation stopped before its last step.";
            plan(
                happened,
                AS_BEFORE.to_owned(),
                vec![take_off(pending, "The one in use works; the next rotation makes a new one.")],
            )
        }
        (Login::Works, Login::Refused(_)) => {
            let happened = "SQL Server knows the new password, and no longer the one in use: the rotation died before its last step.";
            let forward = LabelMove {
                label: "AWSCURRENT".to_owned(),
                from: current.id.clone(),
                to: Some(pending.id.clone()),
                why: "Of the two only this one logs in. AWSPREVIOUS moves to the old version by itself."
                    .to_owned(),
            };
            let outcome = "The new password is the current one, as the rotation meant it.".to_owned();
            plan(happened, outcome, vec![forward, take_off(pending, "The rotation is done with it.")])
        }
        (Login::Refused(_), Login::Works) => {
            let happened = "A new password was kept in the secret, and SQL Server was not told: the rotation died before setSecret had done its work.";
            plan(happened, AS_BEFORE.to_owned(), vec![take_off(pending, "SQL Server does not know it.")])
        }
        (Login::Refused(_), Login::Refused(_)) => neither(secret, current, pending, probe, plan),
        (Login::Unknown(_), _) | (_, Login::Unknown(_)) => {
            let happened =
                "A new password was kept in the secret. Whether SQL Server knows it could not be found out.";
            plan(happened, NO_GUESS.to_owned(), Vec::new())
        }
    }
}

const AS_BEFORE: &str = "All is as before the rotation; the next one can begin.";
const NO_GUESS: &str = "Nothing is moved on a guess. Mend what is named above, and look again.";
const BY_HAND: &str = "Nothing can be put right from here: as an administrator of SQL Server give the login a new password, put it into the secret (PutSecretValue), and look again.";

fn neither(
    secret: &SecretDetail,
    current: &SecretVersion,
    pending: &SecretVersion,
    probe: &Probe,
    plan: impl Fn(&str, String, Vec<LabelMove>) -> Option<RepairPlan>,
) -> Option<RepairPlan> {
    match (secret.previous(), &probe.previous) {
        (Some(previous), Login::Works) => {
            let back = LabelMove {
                label: "AWSCURRENT".to_owned(),
                from: current.id.clone(),
                to: Some(previous.id.clone()),
                why: "Of all versions only this one logs in.".to_owned(),
            };
            let happened = "SQL Server knows neither the new password nor the one in use, but the one before: somebody set it back by hand.";
            let outcome = "The version before is the current one again, and the API can log in.".to_owned();
            plan(happened, outcome, vec![back, take_off(pending, "SQL Server does not know it.")])
        }
        (Some(previous), Login::Unknown(_)) if previous.has_value => {
            let happened = "SQL Server refuses the new password and the one in use. Whether it knows the one before could not be found out.";
            plan(happened, NO_GUESS.to_owned(), Vec::new())
        }
        _ => plan("SQL Server refuses every password the secret holds.", BY_HAND.to_owned(), Vec::new()),
    }
}

fn take_off(version: &SecretVersion, why: &str) -> LabelMove {
    LabelMove { label: "AWSPENDING".to_owned(), from: version.id.clone(), to: None, why: why.to_owned() }
}

fn evidence(secret: &SecretDetail, pending: &SecretVersion, probe: &Probe) -> Vec<String> {
    let say = |label: &str, version: &SecretVersion, login: &Login| {
        let short: String = version.id.chars().take(8).collect();
        match login {
            _ if !version.has_value => format!("{label} ({short}) has no value."),
            Login::Works => format!("{label} ({short}) logs in."),
            Login::Refused(cause) => {
                format!("{label} ({short}) is refused by SQL Server: {}.", cause.replace('_', " "))
            }
            Login::Unknown(why) => format!("{label} ({short}) could not be tried: {why}"),
        }
    };
    let mut evidence = vec![say("AWSPENDING", pending, &probe.pending)];
    if !pending.has_value {
        return evidence;
    }
    evidence.extend(secret.current().map(|version| say("AWSCURRENT", version, &probe.current)));
    evidence.extend(secret.previous().map(|version| say("AWSPREVIOUS", version, &probe.previous)));
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rotation::samples;

    fn refused() -> Login {
        Login::Refused("wrong_password".to_owned())
    }

    fn unknown() -> Login {
        Login::Unknown("no way to the database.".to_owned())
    }

    #[test]
    fn labels_move_only_where_it_is_certain() {
        use Login::Works;
        let secret = samples::half_done(true);
        // pending, current, previous; the moves as label>to.
        let table = [
            (Works, Works, Works, "AWSPENDING>"),
            (Works, refused(), Works, "AWSCURRENT>pending AWSPENDING>"),
            (Works, unknown(), unknown(), ""),
            (refused(), Works, refused(), "AWSPENDING>"),
            (refused(), refused(), Works, "AWSCURRENT>previous AWSPENDING>"),
            (refused(), refused(), refused(), ""),
            (refused(), refused(), unknown(), ""),
            (refused(), unknown(), Works, ""),
            (unknown(), Works, Works, ""),
            (unknown(), unknown(), unknown(), ""),
        ];
        for (pending, current, previous, expected) in table {
            let probe = Probe { current, pending, previous };
            let plan = plan(&secret, &probe).unwrap();
            let moves: Vec<String> = plan
                .moves
                .iter()
                .map(|step| format!("{}>{}", step.label, step.to.as_deref().unwrap_or_default()))
                .collect();
            assert_eq!(moves.join(" "), expected, "{probe:?}");
            assert!(plan.moves.iter().all(|step| step.to.as_ref() != Some(&step.from)), "{plan:?}");
            assert_eq!(plan.evidence.len(), 3);
        }
    }

    #[test]
    fn what_could_not_be_tried_is_not_called_refused() {
        let secret = samples::half_done(true);
        let probe = |previous| Probe { current: refused(), pending: refused(), previous };
        let open = plan(&secret, &probe(unknown())).unwrap();
        assert!(open.happened.contains("could not be found out"), "{}", open.happened);
        assert_eq!((open.outcome.as_str(), open.moves.len()), (NO_GUESS, 0));
        let certain = plan(&secret, &probe(refused())).unwrap();
        assert!(certain.happened.contains("refuses every password"), "{}", certain.happened);
        assert_eq!((certain.outcome.as_str(), certain.moves.len()), (BY_HAND, 0));
        // There is none before: the two are all there are.
        let mut first = samples::half_done(true);
        first.versions.retain(|version| !version.has("AWSPREVIOUS"));
        assert_eq!(plan(&first, &probe(unknown())).unwrap().outcome, BY_HAND);
    }

    #[test]
    fn a_version_without_a_value_needs_no_login() {
        let plan = plan(&samples::half_done(false), &Probe::unknown("not asked.")).unwrap();
        assert_eq!(plan.moves.len(), 1);
        assert_eq!(plan.evidence, ["AWSPENDING (pending) has no value."]);
    }

    #[test]
    fn what_is_whole_needs_no_repair() {
        assert_eq!(plan(&samples::whole(), &Probe::unknown("not asked.")), None);
    }
}
