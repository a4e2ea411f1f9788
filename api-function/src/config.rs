//! The configuration: every environment variable the function reads, and nothing else reads any.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `SECRET_ID` | name or ARN of the secret with the database's address and login | none: required |
//! | `SECRET_TTL` | seconds for which the secret is kept before it is read again, 60 to 300 | 120 |
//! | `SQL_TLS` | `strict` (TDS 8: TLS first; SQL Server 2022 and later), `required` (TDS 7: TLS before the login), or `plaintext`, which sends everything but the login's scrambled password in the clear | `required` |
//! | `SQL_CA` | certificates to trust besides Mozilla's list, which is compiled in: PEM text, or the path of a PEM file | none |
//! | `SQL_TIMEOUT` | milliseconds a statement may take, 100 to 25000 | 5000 |
//! | `SQL_ADDRESS` | `host:port` to connect to while the secret is still being read; used when the secret says the same, else dropped | none |
//! | `API_PATH_PREFIX` | what stands before every path, for example `/v1` where a custom domain maps it; requests without it are answered too | none |
//! | `AWS_LAMBDA_LOG_LEVEL` | `TRACE`, `DEBUG`, `INFO`, `WARN`, `ERROR` or `FATAL`, set by Lambda's logging configuration | `INFO` |
//! | `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` | set by Lambda | none: required but for the last |
//! | `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL` | another address for Secrets Manager, as the SDKs take it | AWS's own |
//! | `AWS_CA_BUNDLE` | certificates to trust at Secrets Manager's address in the place of Amazon's roots, as the SDKs take it: the path of a PEM file | Amazon's roots, compiled in |
//! | `AWS_XRAY_DAEMON_ADDRESS` | `address:port` of the X-Ray daemon, set by Lambda; where a request is traced, it is told of its calls there | none: no traces |
//! | `AWS_LAMBDA_FUNCTION_NAME`, `AWS_LAMBDA_FUNCTION_VERSION` | set by Lambda; the runtime does not start without | `api`, `$LATEST` where there is no runtime, in tests |
//!
//! A value that is not understood ends the init phase with a message that names the variable. An
//! empty value counts as none.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tracing::level_filters::LevelFilter;
use zeroize::Zeroizing;

/// How the database connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlTls {
    /// TDS 8: TLS before anything else.
    Strict,
    /// TDS 7: TLS before the login.
    Required,
    /// None, unless the server insists.
    Plaintext,
}

/// The AWS credentials of the environment. Lambda sets them once: an environment does not outlive
/// them.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Zeroizing<String>,
    /// The session's token; none for a user's own keys.
    pub session_token: Option<Zeroizing<String>>,
}

impl AwsCredentials {
    /// Those among the variables that `get` gives.
    pub(crate) fn read(get: &dyn Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let required =
            |variable: &'static str| get(variable).ok_or_else(|| error(variable, "must be set, and isn't"));
        Ok(Self {
            access_key_id: required("AWS_ACCESS_KEY_ID")?,
            secret_access_key: required("AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: get("AWS_SESSION_TOKEN").map(Zeroizing::new),
        })
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsCredentials([redacted])")
    }
}

/// All of it. See the module's head for the variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Name or ARN of the secret.
    pub secret_id: String,
    /// How long the secret is kept.
    pub secret_ttl: Duration,
    /// How the connection is encrypted.
    pub sql_tls: SqlTls,
    /// Certificates to trust at the database besides Mozilla's list, in PEM.
    pub sql_ca: Option<String>,
    /// How long a statement may take.
    pub sql_timeout: Duration,
    /// Where to connect to while the secret is being read.
    pub sql_address: Option<(String, u16)>,
    /// What stands before every path: empty, or `/` and a name.
    pub path_prefix: String,
    /// The least severe level that is logged.
    pub log_level: LevelFilter,
    /// The region.
    pub region: String,
    /// What requests to Secrets Manager are signed with.
    pub credentials: AwsCredentials,
    /// Another address for Secrets Manager.
    pub endpoint_url: Option<String>,
    /// Certificates to trust at Secrets Manager instead of Amazon's roots, in PEM.
    pub aws_ca: Option<String>,
    /// The X-Ray daemon.
    pub xray_daemon: Option<SocketAddr>,
    /// The function's name.
    pub function_name: String,
    /// The function's version.
    pub function_version: String,
    /// The execution environment: the part of its log stream's name that no other has. The database's
    /// list of sessions shows it, and the failed logins of one environment can be told from another's.
    pub environment: Option<String>,
}

/// A variable that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct ConfigError {
    /// Its name.
    pub variable: &'static str,
    /// Why. Never holds a secret value.
    pub reason: String,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable that is missing or not understood.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&|name| std::env::var(name).ok())
    }

    /// Reads from `variables`, which gives the value of a name.
    ///
    /// # Errors
    /// The first variable that is missing or not understood.
    pub fn read(variables: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name| variables(name).filter(|value: &String| !value.trim().is_empty());
        let required =
            |variable: &'static str| get(variable).ok_or_else(|| error(variable, "must be set, and isn't"));
        let seconds = whole_number("SECRET_TTL", get("SECRET_TTL"), 120, 60, 300, "seconds")?;
        let timeout = whole_number("SQL_TIMEOUT", get("SQL_TIMEOUT"), 5_000, 100, 25_000, "milliseconds")?;
        Ok(Self {
            secret_id: required("SECRET_ID")?,
            secret_ttl: Duration::from_secs(seconds),
            sql_tls: sql_tls(get("SQL_TLS"))?,
            sql_ca: get("SQL_CA").map(|value| certificates("SQL_CA", value)).transpose()?,
            sql_timeout: Duration::from_millis(timeout),
            sql_address: get("SQL_ADDRESS").map(|value| address(&value)).transpose()?,
            path_prefix: get("API_PATH_PREFIX").map(path_prefix).transpose()?.unwrap_or_default(),
            log_level: log_level(get("AWS_LAMBDA_LOG_LEVEL"))?,
            region: required("AWS_REGION")?,
            credentials: AwsCredentials::read(&get)?,
            endpoint_url: endpoint_url(&get)?,
            aws_ca: get("AWS_CA_BUNDLE").map(|value| certificates("AWS_CA_BUNDLE", value)).transpose()?,
            xray_daemon: get("AWS_XRAY_DAEMON_ADDRESS").map(|value| xray_daemon(&value)).transpose()?,
            function_name: get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|| "api".to_owned()),
            function_version: get("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_else(|| "$LATEST".to_owned()),
            environment: get("AWS_LAMBDA_LOG_STREAM_NAME")
                .and_then(|stream| stream.rsplit_once(']').map(|(_, end)| end.to_owned()))
                .filter(|end| (1..=128).contains(&end.len())),
        })
    }
}

pub(crate) fn error(variable: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError { variable, reason: reason.into() }
}

pub(crate) fn whole_number(
    variable: &'static str,
    value: Option<String>,
    default: u64,
    least: u64,
    most: u64,
    unit: &str,
) -> Result<u64, ConfigError> {
    let Some(value) = value else { return Ok(default) };
    match value.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(error(variable, format!("must be a whole number of {unit} from {least} to {most}"))),
    }
}

pub(crate) fn sql_tls(value: Option<String>) -> Result<SqlTls, ConfigError> {
    match value.as_deref().map(str::trim) {
        None | Some("required") => Ok(SqlTls::Required),
        Some("strict") => Ok(SqlTls::Strict),
        Some("plaintext") => Ok(SqlTls::Plaintext),
        Some(_) => Err(error("SQL_TLS", "must be strict, required or plaintext")),
    }
}

/// The text of the certificates, checked: what is wrong with them should be known at the start and
/// not at the first connection.
pub(crate) fn certificates(variable: &'static str, value: String) -> Result<String, ConfigError> {
    let text = if value.contains("-----BEGIN") {
        value
    } else {
        std::fs::read_to_string(value.trim()).map_err(|cause| {
            error(variable, format!("is neither PEM text nor the path of a file that can be read ({cause})"))
        })?
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|cause| error(variable, format!("is not PEM: {cause:?}")))?;
        roots
            .add(certificate)
            .map_err(|cause| error(variable, format!("holds what is no certificate: {cause}")))?;
    }
    if roots.is_empty() {
        return Err(error(variable, "holds no certificate"));
    }
    Ok(text)
}

fn address(value: &str) -> Result<(String, u16), ConfigError> {
    let parsed = value.trim().rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match parsed {
        Some((host, port)) if !host.is_empty() && port > 0 => Ok((host.to_owned(), port)),
        _ => Err(error("SQL_ADDRESS", "must be host:port")),
    }
}

fn xray_daemon(value: &str) -> Result<SocketAddr, ConfigError> {
    value.trim().parse().map_err(|_| error("AWS_XRAY_DAEMON_ADDRESS", "must be an address and a port"))
}

fn path_prefix(value: String) -> Result<String, ConfigError> {
    let value = value.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    if value.starts_with('/')
        && !value.ends_with('/')
        && !value.contains("//")
        && value.len() <= 200
        && value.chars().all(plain)
    {
        Ok(value.to_owned())
    } else {
        let reason = "must begin with a slash, not end with one, and hold letters, digits, - . _ ~ / only";
        Err(error("API_PATH_PREFIX", reason))
    }
}

pub(crate) fn log_level(value: Option<String>) -> Result<LevelFilter, ConfigError> {
    let Some(value) = value else { return Ok(LevelFilter::INFO) };
    match value.trim().to_ascii_uppercase().as_str() {
        "TRACE" => Ok(LevelFilter::TRACE),
        "DEBUG" => Ok(LevelFilter::DEBUG),
        "INFO" => Ok(LevelFilter::INFO),
        "WARN" => Ok(LevelFilter::WARN),
        // Lambda's FATAL is above what this function ever says; errors are the nearest.
        "ERROR" | "FATAL" => Ok(LevelFilter::ERROR),
        _ => Err(error("AWS_LAMBDA_LOG_LEVEL", "must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL")),
    }
}

/// The service's own variable goes before the general one, and
/// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true` switches both off, as the SDKs have it.
pub(crate) fn endpoint_url(
    get: &dyn Fn(&'static str) -> Option<String>,
) -> Result<Option<String>, ConfigError> {
    let ignored = get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if ignored.is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    for variable in ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"] {
        if let Some(value) = get(variable) {
            if value.starts_with("http://") || value.starts_with("https://") {
                return Ok(Some(value));
            }
            return Err(error(variable, "must begin with http:// or https://"));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = include_str!("roots/amazon.pem");

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let base = [
            ("SECRET_ID", "learninghub/sqlserver"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
        ];
        Config::read(&|name| {
            let found = changes.iter().chain(&base).find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_not_set_has_a_default() {
        let config = read(&[]).unwrap();
        assert_eq!(config.secret_ttl, Duration::from_secs(120));
        assert_eq!(config.sql_tls, SqlTls::Required);
        assert_eq!(config.sql_timeout, Duration::from_secs(5));
        assert_eq!(config.log_level, LevelFilter::INFO);
        assert_eq!((config.path_prefix.as_str(), config.sql_ca, config.endpoint_url), ("", None, None));
        assert_eq!((config.function_name.as_str(), config.function_version.as_str()), ("api", "$LATEST"));
    }

    #[test]
    fn what_is_set_is_taken() {
        let config = read(&[
            ("SECRET_TTL", "60"),
            ("SQL_TLS", "strict"),
            ("SQL_CA", PEM),
            ("SQL_TIMEOUT", " 250 "),
            ("SQL_ADDRESS", "db.internal:1433"),
            ("API_PATH_PREFIX", "/v1"),
            ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000"),
            ("AWS_LAMBDA_LOG_LEVEL", "debug"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/08/04/[3]0123abcd"),
            ("AWS_SESSION_TOKEN", "token"),
        ])
        .unwrap();
        assert_eq!(config.secret_ttl, Duration::from_secs(60));
        assert_eq!(config.sql_tls, SqlTls::Strict);
        assert_eq!(config.sql_ca.as_deref(), Some(PEM));
        assert_eq!(config.sql_timeout, Duration::from_millis(250));
        assert_eq!(config.sql_address, Some(("db.internal".to_owned(), 1433)));
        assert_eq!(config.path_prefix, "/v1");
        assert_eq!(config.log_level, LevelFilter::DEBUG);
        assert_eq!(config.environment.as_deref(), Some("0123abcd"));
        assert_eq!(config.xray_daemon.map(|daemon| daemon.port()), Some(2000));
        assert_eq!(config.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
    }

    #[test]
    fn the_endpoint_is_found_as_the_sdks_find_it() {
        let general = ("AWS_ENDPOINT_URL", "http://general");
        let own = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://own");
        let ignored = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
        let cases: [(&[_], _); 4] = [
            (&[general], Some("http://general")),
            (&[general, own], Some("https://own")),
            (&[general, own, ignored], None),
            (&[("AWS_ENDPOINT_URL", " ")], None),
        ];
        for (variables, expected) in cases {
            assert_eq!(read(variables).unwrap().endpoint_url.as_deref(), expected, "{variables:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("SECRET_ID", ""),
            ("SECRET_TTL", "59"),
            ("SECRET_TTL", "301"),
            ("SECRET_TTL", "2 minutes"),
            ("SQL_TLS", "off"),
            ("SQL_TLS", "Strict"),
            ("SQL_CA", "/no/such/file.pem"),
            ("SQL_CA", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"),
            ("SQL_CA", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"),
            ("SQL_CA", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            ("AWS_CA_BUNDLE", "/no/such/file.pem"),
            ("SQL_TIMEOUT", "99"),
            ("SQL_TIMEOUT", "-1"),
            ("SQL_ADDRESS", "db.internal"),
            ("SQL_ADDRESS", ":1433"),
            ("SQL_ADDRESS", "db.internal:0"),
            ("API_PATH_PREFIX", "v1"),
            ("API_PATH_PREFIX", "/v1/"),
            ("API_PATH_PREFIX", "/"),
            ("API_PATH_PREFIX", "/a//b"),
            ("API_PATH_PREFIX", "/a b"),
            ("AWS_XRAY_DAEMON_ADDRESS", "2000"),
            ("AWS_LAMBDA_LOG_LEVEL", "LOUD"),
            ("AWS_REGION", ""),
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", " "),
            ("AWS_ENDPOINT_URL", "127.0.0.1:4566"),
        ];
        for (variable, value) in cases {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable, "{value:?}");
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }

    #[test]
    fn a_certificate_may_be_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, PEM).unwrap();
        assert_eq!(read(&[("SQL_CA", path.to_str().unwrap())]).unwrap().sql_ca.as_deref(), Some(PEM));
    }

    #[test]
    fn the_keys_are_not_shown() {
        assert!(!format!("{:?}", read(&[]).unwrap()).contains("canary"));
    }
}
