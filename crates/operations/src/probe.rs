//! The probe: asks the API for its status as a caller would, from the portal's server.
//!
//! The address is configured, never taken from a request. Even so it is held to the rules against
//! server-side request forgery: https, no redirects, and only addresses that are not loopback,
//! link-local, unspecified or multicast. The check stands in the resolver, so the address that is
//! checked is the one that is connected to. The sandbox, and nothing else, lifts the first and the
//! third rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::overview::{Health, HealthVerdict};
use model::problem::{Problem, ProblemKind};
use model::status::{Status, Verdict};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

/// How long an answer may take. The function gives up after 28 s at most, but an API that needs
/// this long for its status is not healthy.
const LIMIT: Duration = Duration::from_secs(4);
/// The largest answer read: a status is under 1 kB.
const LARGEST: usize = 64 * 1024;

/// Asks one address for the API's status. Cheap to clone.
#[derive(Clone)]
pub struct Probe {
    url: Url,
    client: Client,
}

impl Probe {
    /// A probe of `url`, for example `https://abc.execute-api.eu-west-1.amazonaws.com/status`.
    /// `sandbox` allows plain http and loopback addresses.
    ///
    /// # Errors
    /// `Invalid` when the address can't be read, is not https, holds credentials, or names a
    /// forbidden address.
    pub fn new(url: &str, sandbox: bool) -> Result<Self, Problem> {
        let url = allowed(url, sandbox)?;
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(LIMIT)
            .connect_timeout(Duration::from_secs(2))
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("lockkeeper/", env!("CARGO_PKG_VERSION")));
        if !sandbox {
            client = client.dns_resolver(Arc::new(PublicOnly));
        }
        let client = client.build().map_err(|error| {
            tracing::error!(%error, "the probe's client could not be built");
            Problem::new(ProblemKind::Internal, "The probe could not be set up.")
        })?;
        Ok(Self { url, client })
    }

    /// Asks once. An API that does not answer is a finding, not an error.
    ///
    /// # Errors
    /// None today; the result is one so that a reading can be kept.
    pub async fn health(self) -> Result<Health, Problem> {
        let began = Instant::now();
        let answer = self.ask().await;
        let latency_ms = began.elapsed().as_secs_f64() * 1_000.0;
        Ok(match answer {
            Ok((http_status, body)) => judge(http_status, &body, latency_ms),
            Err(summary) => Health {
                verdict: HealthVerdict::Unreachable,
                summary,
                http_status: None,
                latency_ms,
                status: None,
            },
        })
    }

    async fn ask(&self) -> Result<(u16, Vec<u8>), String> {
        let mut answer = self.client.get(self.url.clone()).send().await.map_err(|error| in_words(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| in_words(&error))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("The API answered more than {} kB; that is no status.", LARGEST / 1_024));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((answer.status().as_u16(), body))
    }
}

fn in_words(error: &reqwest::Error) -> String {
    tracing::info!(error = %error, source = ?std::error::Error::source(error), "the probe had no answer");
    if error.is_timeout() {
        format!("The API did not answer within {} s.", LIMIT.as_secs())
    } else if error.is_connect() {
        "No connection to the API could be made.".to_owned()
    } else {
        "The connection broke before the API had answered.".to_owned()
    }
}

/// What an answer means.
fn judge(http_status: u16, body: &[u8], latency_ms: f64) -> Health {
    let status: Option<Status> = serde_json::from_slice(body).ok();
    let (verdict, summary) = match (&status, http_status) {
        (Some(status), 200) if status.status == Verdict::Ok => {
            (HealthVerdict::Healthy, "Callers get answers, and the database is in reach.".to_owned())
        }
        (Some(status), _) => {
            let reason = status.database.reason.as_deref().unwrap_or("it does not say why");
            (HealthVerdict::Unhealthy, format!("The API runs but can't do its work: {reason}"))
        }
        (None, 429) => {
            (HealthVerdict::Unhealthy, "The API's stage is throttled: calls are refused with 429.".to_owned())
        }
        (None, 404) => (
            HealthVerdict::Unhealthy,
            "There is no /status at this address: check the stage in it and the API's routes.".to_owned(),
        ),
        (None, 500..) => (
            HealthVerdict::Unhealthy,
            format!(
                "The gateway answered {http_status} in the function's place: it failed, was throttled, or may not be invoked."
            ),
        ),
        (None, _) => {
            (HealthVerdict::Unhealthy, format!("The answer ({http_status}) is not the API's status."))
        }
    };
    Health { verdict, summary, http_status: Some(http_status), latency_ms, status }
}

fn allowed(url: &str, sandbox: bool) -> Result<Url, Problem> {
    let invalid = |why: &str| Problem::new(ProblemKind::Invalid, format!("The status address {why}."));
    let url = Url::parse(url).map_err(|error| invalid(&format!("can't be read: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("must not hold credentials"));
    }
    match url.scheme() {
        "https" => {}
        "http" if sandbox => {}
        scheme => return Err(invalid(&format!("must be https, not {scheme}"))),
    }
    // A literal address never meets the resolver, so it is checked here.
    let host = url.host_str().ok_or_else(|| invalid("names no host"))?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    if !sandbox && (literal.is_some_and(|address| !is_public(address)) || host == "localhost") {
        return Err(invalid("names an address of this machine or its link"));
    }
    Ok(url)
}

/// Resolves names as the system does, and leaves out what a probe must not reach.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!("{} has no address that may be probed", name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// `fd00:ec2::/32`, where EC2's own services are, the one that hands out credentials among them.
const EC2_SERVICES: [u16; 2] = [0xfd00, 0x0ec2];

/// Neither of this machine nor of its link: 169.254.169.254 hands out credentials.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !(address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || address.octets()[0] == 0)
        }
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => is_public(IpAddr::V4(embedded)),
            None => {
                !(address.is_loopback()
                    || address.is_unicast_link_local()
                    || address.segments()[..2] == EC2_SERVICES
                    || address.is_unspecified()
                    || address.is_multicast())
            }
        },
    }
}

/// The IPv4 address inside an IPv6 one: mapped (`::ffff:0:0/96`), compatible (`::/96`, less `::` and
/// `::1`) or NAT64 (`64:ff9b::/96`, RFC 6052).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let [w, x] = high.to_be_bytes();
    let [y, z] = low.to_be_bytes();
    let embedded = Ipv4Addr::new(w, x, y, z);
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(embedded),
        [0, 0, 0, 0, 0, 0] if high != 0 => Some(embedded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_held_to_the_rules() {
        let table = [
            ("https://abc.execute-api.eu-west-1.amazonaws.com/status", true, true),
            ("https://10.0.1.10/status", true, true),
            ("http://abc.execute-api.eu-west-1.amazonaws.com/status", false, true),
            ("https://127.0.0.1/status", false, true),
            ("https://[::1]/status", false, true),
            ("https://[::ffff:127.0.0.1]/status", false, true),
            ("https://169.254.169.254/latest/meta-data", false, true),
            ("https://0.0.0.0/status", false, true),
            ("https://[fd00:ec2::254]/latest/meta-data", false, true),
            ("https://[64:ff9b::a9fe:a9fe]/latest/meta-data", false, true),
            ("https://[::169.254.169.254]/latest/meta-data", false, true),
            ("https://localhost/status", false, true),
            ("http://127.0.0.1:4580/status", false, true),
            ("https://user:word@example.com/status", false, false),
            ("file:///etc/passwd", false, false),
            ("status", false, false),
        ];
        for (url, outside, sandbox) in table {
            assert_eq!(allowed(url, false).is_ok(), outside, "{url} outside");
            assert_eq!(allowed(url, true).is_ok(), sandbox, "{url} in the sandbox");
        }
    }

    fn body(status: &str, reason: &str) -> String {
        format!(
            r#"{{"status":"{status}","function":{{"name":"f","version":"3","cold_start":false}},"database":{{"reachable":{},"latency_ms":null,"reason":{reason}}},"secret":null,"request_id":"r"}}"#,
            status == "ok"
        )
    }

    #[test]
    fn answers_are_judged() {
        use HealthVerdict::{Healthy, Unhealthy};
        let down = body("unavailable", "\"the database does not answer.\"");
        let table = [
            (200, body("ok", "null"), Healthy, "Callers get answers"),
            (503, down.clone(), Unhealthy, "the database does not answer."),
            (200, down, Unhealthy, "can't do its work"),
            (500, r#"{"message":"Internal Server Error"}"#.to_owned(), Unhealthy, "in the function's place"),
            (429, r#"{"message":"Too Many Requests"}"#.to_owned(), Unhealthy, "throttled"),
            (404, r#"{"message":"Not Found"}"#.to_owned(), Unhealthy, "no /status"),
            (200, "<html>".to_owned(), Unhealthy, "not the API's status"),
        ];
        for (http_status, body, verdict, words) in table {
            let health = judge(http_status, body.as_bytes(), 1.0);
            assert_eq!(health.verdict, verdict, "{http_status} {body}");
            assert!(health.summary.contains(words), "{} should say {words}", health.summary);
        }
    }
}
