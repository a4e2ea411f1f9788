//! The real program: what it says about a configuration it can't work with.

use std::process::Command;

#[test]
fn a_bad_configuration_ends_the_init_phase_with_its_reason() {
    for (variable, value) in
        [("SQL_TLS", "plaintext"), ("ROTATION_PASSWORD_LENGTH", "8"), ("ROTATION_STRATEGY", "both")]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_rotation"))
            .env_clear()
            .envs([("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "x")])
            .envs([("AWS_SECRET_ACCESS_KEY", "Canary-key"), (variable, value)])
            .output()
            .unwrap();
        assert!(!output.status.success());
        let line = String::from_utf8(output.stdout).unwrap();
        let said: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
        assert_eq!((&said["message"], &said["variable"]), (&"bad configuration".into(), &variable.into()));
        assert!(!line.contains("Canary"));
    }
}
