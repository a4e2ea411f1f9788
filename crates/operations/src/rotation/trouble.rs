//! What went wrong in a rotation, in plain words, and what to do next. Pure.
//!
//! The causes are the rotation function's (`api_function::rotation::failure`). One that is not known
//! here, from a newer function or a foreign one, is told in the function's own words.

use model::rotation::{Step, Trouble};

/// What a cause means, and what to do.
pub(crate) fn of_cause(cause: &str, said: Option<String>) -> Trouble {
    let superuser = said.as_deref().is_some_and(|said| said.contains(SUPERUSER));
    let (what, next) = superuser.then(|| words_of_superuser(cause)).flatten().unwrap_or_else(|| words(cause));
    Trouble { cause: cause.to_owned(), what: what.to_owned(), said, next: next.to_owned() }
}

/// How the function's own words name the other login there is, by which alternating users are kept.
const SUPERUSER: &str = "the superuser";

/// The causes that are about the superuser's login where they are about the application's else.
fn words_of_superuser(cause: &str) -> Option<(&'static str, &'static str)> {
    Some(match cause {
        "wrong_password" => (
            "SQL Server refuses the superuser, whose secret (masterarn) holds another password than its login has: it was not the application's login that was refused.",
            "Give the superuser's login the password in its secret, or put the right one there. The application's secret is as it should be; then repair.",
        ),
        "login_locked" => (
            "The superuser's login is locked in SQL Server, after too many wrong passwords.",
            "Unlock it, and find out who keeps trying an old password of the superuser's.",
        ),
        "login_disabled" => (
            "The superuser's login is disabled in SQL Server.",
            "Enable it (ALTER LOGIN ... ENABLE), or name another superuser in masterarn; then repair.",
        ),
        "login_expired" => (
            "The superuser's password has expired or must be changed.",
            "Set a new one with CHECK_EXPIRATION = OFF, put it into the superuser's secret, then repair.",
        ),
        _ => return None,
    })
}

/// A step that began and never ended.
pub(crate) fn silent(step: Step) -> Trouble {
    let (what, next) = match step {
        Step::CreateSecret => (
            "The rotation function began and was not heard of again: it was stopped, or does not reach Secrets Manager.",
            "Look for a time-out in its log, and whether its subnets have a way to Secrets Manager (endpoint or NAT). Then repair, and rotate again.",
        ),
        Step::SetSecret | Step::TestSecret => (
            "The rotation function began the step and was not heard of again: it was stopped, or waits for a database that does not answer.",
            "Look for a time-out in its log, and whether the database's security group lets it in. Then repair.",
        ),
        Step::FinishSecret => (
            "The rotation function was not heard of again while it moved the label.",
            "Repair: the new password works already, only the label is missing.",
        ),
    };
    Trouble { cause: "silent".to_owned(), what: what.to_owned(), said: None, next: next.to_owned() }
}

/// A rotation of which the function's log has nothing.
pub(crate) fn never_called() -> Trouble {
    Trouble {
        cause: "never_called".to_owned(),
        what: "Secrets Manager made a version, and nothing is on record of the rotation function having been called.".to_owned(),
        said: None,
        next: "See whether the function can be invoked (its permission for Secrets Manager, reserved concurrency 0, its state). Then repair, and rotate again.".to_owned(),
    }
}

fn words(cause: &str) -> (&'static str, &'static str) {
    match cause {
        "wrong_password" => (
            "SQL Server refuses every password the secret holds: somebody changed the login's password by hand, or the secret.",
            "Give the login in SQL Server the password of AWSCURRENT, or put the right one into the secret. Then repair.",
        ),
        "login_locked" => (
            "The login is locked in SQL Server, after too many wrong passwords.",
            "Unlock it (ALTER LOGIN ... WITH PASSWORD = ... UNLOCK), and find out who keeps trying an old password.",
        ),
        "login_disabled" => {
            ("The login is disabled in SQL Server.", "Enable it (ALTER LOGIN ... ENABLE), then repair.")
        }
        "login_expired" => (
            "The login's password has expired or must be changed.",
            "Set a new password as an administrator with CHECK_EXPIRATION = OFF, put it into the secret, then repair.",
        ),
        "password_policy" => (
            "SQL Server's password policy refuses the new password.",
            "Nothing was changed. Compare the policy (length, age, history) with ROTATION_PASSWORD_LENGTH; with a minimum password age wait it out.",
        ),
        "unreachable" => (
            "The rotation function does not reach the database.",
            "See whether SQL Server runs, and whether its security group lets the rotation function in on the port in the secret.",
        ),
        "tls" => (
            "The rotation function does not trust the database's certificate, or the two agree on no encryption.",
            "Give the function the certificate's issuer in SQL_CA; there is no fall-back to plaintext.",
        ),
        "permission" => (
            "A login may not do what the rotation needs.",
            "A login changes its own password with the old one; for alternating users the superuser needs ALTER ANY LOGIN. The function's words below say what was refused.",
        ),
        "database_unavailable" => (
            "SQL Server answers, the database does not open.",
            "See whether the database is online and the login's default database exists.",
        ),
        "test_query_failed" => (
            "The new login works, but lacks the application's rights.",
            "Compare the rights of the two users; the function's words below name the query's error.",
        ),
        "identity_changed" => (
            "The new version names another host or user than the current one.",
            "Somebody changed the secret during the rotation. Repair, see that AWSCURRENT is right, and rotate again.",
        ),
        "secret_denied" => (
            "The rotation function's role may not use the secret.",
            "Give the role GetSecretValue, DescribeSecret, PutSecretValue and UpdateSecretVersionStage on it, and the KMS key's Decrypt and GenerateDataKey if it has one of its own.",
        ),
        "secret_not_found" => (
            "The secret, or the version that was asked for, is not there.",
            "See whether somebody deleted it, and whether masterarn names a secret that exists.",
        ),
        "secret_malformed" => (
            "The secret's value is not in a form that can be rotated.",
            "It must be JSON with host, username and password; engine, if given, must be sqlserver.",
        ),
        "secrets_manager_unreachable" => (
            "The rotation function does not reach Secrets Manager.",
            "Its subnets need a VPC endpoint for Secrets Manager or a NAT gateway.",
        ),
        "secrets_manager_refused" => (
            "Secrets Manager refused a call of the rotation function's.",
            "The function's words below say which. Rotate again if it was throttling.",
        ),
        "not_in_rotation" => (
            "The version is not the one that is being rotated to: another rotation, or a repair, came in between.",
            "Look at the labels below; if AWSPENDING is left on a version, repair.",
        ),
        "overtaken" => (
            "SQL Server took the new password, and at the same time another rotation took the label AWSPENDING: no label leads to the password now.",
            "The function's words below name the version. Move AWSCURRENT to it (UpdateSecretVersionStage), take AWSPENDING off the other one, and rotate again.",
        ),
        "rotation_disabled" => {
            ("Rotation is switched off for the secret.", "Set a schedule, which switches it on.")
        }
        "timed_out" => (
            "The step took longer than the rotation function may.",
            "See which call was slow in its log; give the function more time (60 s), then repair or rotate again.",
        ),
        "internal" => ("The rotation function made a mistake.", "Its log says more. Repair, and report it."),
        _ => ("The step failed for a reason this portal does not know.", "The function's log says more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The causes in `api_function::rotation::failure`; the two packages share no code.
    const CAUSES: [&str; 21] = [
        "wrong_password",
        "login_locked",
        "login_disabled",
        "login_expired",
        "password_policy",
        "unreachable",
        "tls",
        "permission",
        "database_unavailable",
        "test_query_failed",
        "identity_changed",
        "secret_denied",
        "secret_not_found",
        "secret_malformed",
        "secrets_manager_unreachable",
        "secrets_manager_refused",
        "not_in_rotation",
        "overtaken",
        "rotation_disabled",
        "timed_out",
        "internal",
    ];

    #[test]
    fn a_superuser_that_is_refused_is_told_from_the_application_s_login() {
        // As `api_function::rotation::steps::superuser` says it, which a test there holds it to.
        let said = "the login of the superuser was refused: the password is wrong (error 18456)";
        for cause in ["wrong_password", "login_locked", "login_disabled", "login_expired"] {
            let of_superuser = of_cause(cause, Some(said.to_owned()));
            let of_application = of_cause(cause, Some("the login was refused".to_owned()));
            assert!(of_superuser.what.contains("superuser"), "{}", of_superuser.what);
            assert!(!of_application.what.contains("superuser"), "{}", of_application.what);
            assert_ne!(of_superuser.next, of_application.next);
        }
        // What is about the server is the same for both.
        let said = Some("the superuser: the database server was not reached".to_owned());
        assert_eq!(of_cause("unreachable", said).what, words("unreachable").0);
    }

    #[test]
    fn every_cause_has_words_of_its_own() {
        let unknown = words("something new").0;
        let mut seen = std::collections::BTreeSet::new();
        for cause in CAUSES {
            let (what, next) = words(cause);
            assert!(what != unknown && seen.insert(what) && !next.is_empty(), "{cause}");
        }
    }
}
