//! The portal's configuration: environment variables, read once at the start. A value that breaks
//! its rule ends the start with a sentence that names the variable.
//!
//! | variable | default | what |
//! |---|---|---|
//! | `LOCKKEEPER_ADDRESS` | `127.0.0.1:3000` | address and port to listen on; plain HTTP, TLS is the proxy's |
//! | `LOCKKEEPER_PUBLIC_URL` | in the sandbox `http://` and the address | origin people open: links, the origin check |
//! | `LOCKKEEPER_DATABASE` | `lockkeeper.sqlite` | SQLite file of accounts and sessions, made when missing |
//! | `LOCKKEEPER_SITE` | `target/site` | folder of `manifest.json` and the browser's files |
//! | `LOCKKEEPER_TRUSTED_PROXIES` | in the sandbox `0` | how many proxies before the portal append to `X-Forwarded-For` |
//! | `LOCKKEEPER_DRIVE_ROLLOUTS` | `true` | whether this portal takes rollouts from step to step; `false` where others do |
//! | `LOCKKEEPER_METRICS_CAP` | `10` | US dollars a month for CloudWatch's figures; beyond it they are read every half hour |
//! | `LOCKKEEPER_METRICS_NAMESPACE` | `LearningHub` | the namespace of the function's own figures |
//! | `LOCKKEEPER_SANDBOX` | `0` | `1`: plain-http cookies, probes of loopback addresses |
//! | `LOCKKEEPER_API_ID` | - | the HTTP API's id |
//! | `LOCKKEEPER_API_STAGE` | `$default` | its stage |
//! | `LOCKKEEPER_FUNCTION` | - | the Lambda function's name |
//! | `LOCKKEEPER_ALIAS` | `live` | the alias that the API calls |
//! | `LOCKKEEPER_SECRET_ID` | - | the secret's name or ARN |
//! | `LOCKKEEPER_STATUS_URL` | - | where `GET /status` is asked for |
//! | `AWS_REGION` | - | the region; the AWS SDK reads the other `AWS_*` variables itself |
//!
//! `LOCKKEEPER_LOG` (a filter such as `info` or `app=debug,info`) and `LOCKKEEPER_LOG_FORMAT`
//! (`text` or `json`) belong to [`super::telemetry`], `OTEL_EXPORTER_OTLP_ENDPOINT` and its siblings to
//! [`super::traces`].

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use model::stack::Stack;

/// All that `lockkeeper serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub address: SocketAddr,
    /// The origin people open.
    pub public_url: Origin,
    /// The SQLite file.
    pub database: PathBuf,
    /// The folder of the browser's files.
    pub site: PathBuf,
    /// How many proxies' entries in `X-Forwarded-For` are believed.
    pub trusted_proxies: u8,
    /// Whether this portal takes rollouts from step to step. Several may: they agree on one.
    pub drive_rollouts: bool,
    /// What may be spent on figures in a month before they are read more seldom, in US dollars.
    pub metrics_cap: f64,
    /// The namespace of the function's own figures.
    pub metrics_namespace: String,
    /// Whether this is the sandbox.
    pub sandbox: bool,
    /// The stack's names.
    pub stack: Stack,
}

/// What `lockkeeper admin` needs to know.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// The origin for links.
    pub public_url: Origin,
    /// The SQLite file.
    pub database: PathBuf,
}

/// Why the configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.why)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration through `lookup`, which answers a variable's value.
    ///
    /// # Errors
    /// The first variable that is missing or breaks its rule.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let vars = Variables { lookup };
        let address = vars.address()?;
        let sandbox = vars.sandbox()?;
        Ok(Self {
            address,
            public_url: vars.public_url(address, sandbox)?,
            database: vars.database(),
            site: vars.or("LOCKKEEPER_SITE", "target/site").into(),
            // Outside the sandbox there is a proxy, as TLS is its business. A default of 0 would throttle
            // sign-ins by the proxy's address, so that one stranger could hold up everybody.
            trusted_proxies: vars.parsed(
                "LOCKKEEPER_TRUSTED_PROXIES",
                if sandbox { "0" } else { "" },
                "a number from 0 to 255: how many proxies stand before the portal",
            )?,
            drive_rollouts: vars.drive_rollouts()?,
            metrics_cap: vars.metrics_cap()?,
            metrics_namespace: vars.or("LOCKKEEPER_METRICS_NAMESPACE", "LearningHub"),
            sandbox,
            stack: vars.stack(sandbox)?,
        })
    }
}

impl AdminConfig {
    /// Reads the configuration through `lookup`, which answers a variable's value.
    ///
    /// # Errors
    /// The first variable that is missing or breaks its rule.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let vars = Variables { lookup };
        let public_url = vars.public_url(vars.address()?, vars.sandbox()?)?;
        Ok(Self { public_url, database: vars.database() })
    }
}

/// Scheme, host and port, in the form in which browsers send it as `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    authority: String,
}

impl Origin {
    /// Whether it is `https`.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Host and, where it is not the scheme's own, port: what browsers send as `Host`.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an origin such as https://lockkeeper.example.com");
        let uri: http::Uri = text.parse().map_err(|_| wrong())?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(format!("{}: without path, query or user", wrong()));
        }
        let host = authority.host().to_ascii_lowercase();
        let authority = match (authority.port_u16(), https) {
            (None, _) | (Some(443), true) | (Some(80), false) => host,
            (Some(port), _) => format!("{host}:{port}"),
        };
        Ok(Self { https, authority })
    }
}

/// The environment, as far as this module asks it.
struct Variables<L> {
    lookup: L,
}

impl<L: Fn(&str) -> Option<String>> Variables<L> {
    /// A variable's value; an empty one counts as missing.
    fn get(&self, name: &'static str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }

    fn or(&self, name: &'static str, default: &str) -> String {
        self.get(name).unwrap_or_else(|| default.to_owned())
    }

    fn required(&self, name: &'static str, what: &str) -> Result<String, ConfigError> {
        self.get(name).ok_or_else(|| ConfigError { variable: name, why: format!("is missing: {what}") })
    }

    fn parsed<T: FromStr>(&self, name: &'static str, default: &str, what: &str) -> Result<T, ConfigError> {
        let value = self.or(name, default);
        let why = format!("`{value}` is not {what}");
        value.trim().parse().map_err(|_| ConfigError { variable: name, why })
    }

    fn address(&self) -> Result<SocketAddr, ConfigError> {
        self.parsed("LOCKKEEPER_ADDRESS", "127.0.0.1:3000", "an address and port such as 127.0.0.1:3000")
    }

    fn sandbox(&self) -> Result<bool, ConfigError> {
        match self.or("LOCKKEEPER_SANDBOX", "0").as_str() {
            "1" => Ok(true),
            "0" => Ok(false),
            other => {
                let why = format!("`{other}` is neither 1 nor 0");
                Err(ConfigError { variable: "LOCKKEEPER_SANDBOX", why })
            }
        }
    }

    fn drive_rollouts(&self) -> Result<bool, ConfigError> {
        self.parsed("LOCKKEEPER_DRIVE_ROLLOUTS", "true", "true or false")
    }

    fn metrics_cap(&self) -> Result<f64, ConfigError> {
        let (variable, what) = ("LOCKKEEPER_METRICS_CAP", "an amount of US dollars such as 10 or 2.50");
        let cap: f64 = self.parsed(variable, "10", what)?;
        if !cap.is_finite() || cap < 0.0 {
            return Err(ConfigError { variable, why: format!("`{cap}` is not {what}") });
        }
        Ok(cap)
    }

    fn database(&self) -> PathBuf {
        self.or("LOCKKEEPER_DATABASE", "lockkeeper.sqlite").into()
    }

    /// Outside the sandbox cookies are `Secure`: over plain http nobody could sign in.
    fn public_url(&self, address: SocketAddr, sandbox: bool) -> Result<Origin, ConfigError> {
        let variable = "LOCKKEEPER_PUBLIC_URL";
        let text = match (self.get(variable), sandbox) {
            (Some(text), _) => text,
            (None, true) => format!("http://{address}"),
            (None, false) => self.required(variable, "the origin people open, https://...")?,
        };
        let origin: Origin = text.trim().parse().map_err(|why| ConfigError { variable, why })?;
        if !origin.is_https() && !sandbox {
            let why =
                format!("`{origin}` must be https (plain http is for the sandbox, LOCKKEEPER_SANDBOX=1)");
            return Err(ConfigError { variable, why });
        }
        Ok(origin)
    }

    fn stack(&self, sandbox: bool) -> Result<Stack, ConfigError> {
        let status_url = self.required("LOCKKEEPER_STATUS_URL", "where GET /status is asked for")?;
        let scheme = status_url.parse::<http::Uri>().ok().and_then(|uri| uri.scheme_str().map(str::to_owned));
        match scheme.as_deref() {
            Some("https") => {}
            Some("http") if sandbox => {}
            _ => {
                let why = format!("`{status_url}` is not an https address");
                return Err(ConfigError { variable: "LOCKKEEPER_STATUS_URL", why });
            }
        }
        Ok(Stack {
            region: self.required("AWS_REGION", "the stack's region, for example eu-west-1")?,
            api_id: self.required("LOCKKEEPER_API_ID", "the HTTP API's id")?,
            stage: self.or("LOCKKEEPER_API_STAGE", "$default"),
            function: self.required("LOCKKEEPER_FUNCTION", "the Lambda function's name")?,
            alias: self.or("LOCKKEEPER_ALIAS", "live"),
            secret_id: self.required("LOCKKEEPER_SECRET_ID", "the secret's name or ARN")?,
            status_url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(name: &str) -> Option<String> {
        let value = match name {
            "LOCKKEEPER_PUBLIC_URL" => "https://lock.example.com/",
            "LOCKKEEPER_API_ID" => "a1b2c3",
            "LOCKKEEPER_FUNCTION" => "learninghub-api",
            "LOCKKEEPER_SECRET_ID" => "learninghub/sqlserver",
            "LOCKKEEPER_STATUS_URL" => "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/status",
            "LOCKKEEPER_TRUSTED_PROXIES" => "1",
            "AWS_REGION" => "eu-west-1",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_complete_set_is_read() {
        let config = Config::read(complete).unwrap();
        assert_eq!(config.address.to_string(), "127.0.0.1:3000");
        assert_eq!(config.public_url.to_string(), "https://lock.example.com");
        assert_eq!((config.stack.stage.as_str(), config.stack.alias.as_str()), ("$default", "live"));
        assert!(!config.sandbox);
        assert!(config.drive_rollouts);
    }

    #[test]
    fn a_bad_value_names_its_variable() {
        let table = [
            ("LOCKKEEPER_ADDRESS", "localhost"),
            ("LOCKKEEPER_PUBLIC_URL", "lock.example.com"),
            ("LOCKKEEPER_PUBLIC_URL", "https://lock.example.com/portal"),
            ("LOCKKEEPER_PUBLIC_URL", "http://lock.example.com"),
            ("LOCKKEEPER_PUBLIC_URL", ""),
            ("LOCKKEEPER_TRUSTED_PROXIES", "-1"),
            ("LOCKKEEPER_TRUSTED_PROXIES", ""),
            ("LOCKKEEPER_SANDBOX", "yes"),
            ("LOCKKEEPER_DRIVE_ROLLOUTS", "no"),
            ("LOCKKEEPER_METRICS_CAP", "ten"),
            ("LOCKKEEPER_METRICS_CAP", "-1"),
            ("LOCKKEEPER_METRICS_CAP", "inf"),
            ("LOCKKEEPER_API_ID", " "),
            ("LOCKKEEPER_FUNCTION", ""),
            ("LOCKKEEPER_SECRET_ID", ""),
            ("LOCKKEEPER_STATUS_URL", "http://169.254.169.254/status"),
            ("LOCKKEEPER_STATUS_URL", "status"),
            ("AWS_REGION", ""),
        ];
        for (name, value) in table {
            let lookup = |asked: &str| if asked == name { Some(value.to_owned()) } else { complete(asked) };
            let error = Config::read(lookup).expect_err(&format!("{name}={value} was taken"));
            assert_eq!(error.variable, name, "{error}");
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    #[test]
    fn the_sandbox_speaks_plain_http() {
        let lookup = |asked: &str| match asked {
            "LOCKKEEPER_SANDBOX" => Some("1".to_owned()),
            "LOCKKEEPER_PUBLIC_URL" => None,
            "LOCKKEEPER_STATUS_URL" => Some("http://127.0.0.1:4580/status".to_owned()),
            other => complete(other),
        };
        assert_eq!(Config::read(lookup).unwrap().public_url.to_string(), "http://127.0.0.1:3000");
    }

    #[test]
    fn an_origin_reads_as_browsers_send_it() {
        let table = [
            ("https://Lock.Example.com", "https://lock.example.com"),
            ("https://lock.example.com:443/", "https://lock.example.com"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://[::1]:80", "http://[::1]"),
        ];
        for (text, origin) in table {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), origin);
        }
        for text in ["https://user@lock.example.com", "ftp://lock.example.com", "https://a/b?c"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
