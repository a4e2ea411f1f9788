//! What is known of a request before anything is decided: read once from its head, and then only
//! looked at.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::{COOKIE, HOST, USER_AGENT};
use percent_encoding::percent_decode_str;

use super::hop_by_hop;

/// A request's head, and what the connection says about it.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The method, as sent.
    pub method: String,
    /// The path as HTTP APIs see it: percent-decoded, and cut at a `?` that was encoded in it.
    pub path: String,
    /// The query string, as sent.
    pub query: String,
    /// For example `HTTP/1.1`.
    pub protocol: String,
    /// The host without its port, in lower case; empty when there is none.
    pub host: String,
    /// All headers.
    pub headers: HeaderMap,
    /// Who sent it.
    pub peer: SocketAddr,
    /// The port it came to.
    pub port: u16,
    /// The id the gateway gave it.
    pub request_id: String,
    /// When it came.
    pub at: DateTime<Utc>,
    /// The trace header that is handed on: the sender's, or a new root.
    pub trace: String,
}

impl Facts {
    /// The user agent; empty when there is none.
    pub fn user_agent(&self) -> String {
        self.headers.get(USER_AGENT).map(text).unwrap_or_default()
    }

    /// The sender's address without the port.
    pub fn source_ip(&self) -> String {
        self.peer.ip().to_string()
    }

    /// The host's first label; an address is one label.
    pub fn domain_prefix(&self) -> &str {
        if self.host.parse::<std::net::IpAddr>().is_ok() {
            return &self.host;
        }
        self.host.split('.').next().unwrap_or_default()
    }

    /// The time as in the Common Log Format: `12/Mar/2020:19:03:58 +0000`.
    pub fn time(&self) -> String {
        self.at.format("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }

    /// The cookies, one by one; none where there is no such header.
    pub fn cookies(&self) -> Vec<String> {
        let lines: Vec<String> = self.headers.get_all(COOKIE).iter().map(text).collect();
        lines
            .iter()
            .flat_map(|line| line.split(';'))
            .map(str::trim)
            .filter(|cookie| !cookie.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The headers as a function sees them: names in lower case, repeated ones joined by commas,
    /// cookies and what concerns the connection alone left out, the forwarding headers added.
    pub fn event_headers(&self, body: usize) -> BTreeMap<String, String> {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            if name == COOKIE || hop_by_hop(name) {
                continue;
            }
            let value = text(value);
            seen.entry(name.as_str().to_owned())
                .and_modify(|joined| {
                    joined.push(',');
                    joined.push_str(&value);
                })
                .or_insert(value);
        }
        let forwarded = match seen.get("x-forwarded-for") {
            Some(before) => format!("{before}, {}", self.source_ip()),
            None => self.source_ip(),
        };
        seen.insert("x-forwarded-for".to_owned(), forwarded);
        seen.insert("x-forwarded-port".to_owned(), self.port.to_string());
        seen.insert("x-forwarded-proto".to_owned(), "http".to_owned());
        seen.insert("x-amzn-trace-id".to_owned(), self.trace.clone());
        seen.insert("content-length".to_owned(), body.to_string());
        seen
    }

    /// The query string's parameters, decoded, repeated ones joined by commas.
    pub fn query_parameters(&self) -> BTreeMap<String, String> {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let pair = pair.replace('+', " ");
            let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
            let value = decoded(value);
            seen.entry(decoded(name))
                .and_modify(|joined| {
                    joined.push(',');
                    joined.push_str(&value);
                })
                .or_insert(value);
        }
        seen
    }
}

/// The host a request names, without the port and in lower case.
pub fn host(headers: &HeaderMap, uri: &http::Uri) -> String {
    let named = headers.get(HOST).map(text).or_else(|| uri.authority().map(ToString::to_string));
    let named = named.unwrap_or_default().to_ascii_lowercase();
    match named.rsplit_once(':') {
        // The last colon of `[::1]` is not one before a port.
        Some((host, port)) if !port.ends_with(']') => host.to_owned(),
        _ => named,
    }
}

/// The path as HTTP APIs hand it on. They decode it before they route, and lose what follows a
/// question mark that was encoded (seen on AWS).
pub fn path(raw: &str) -> String {
    let mut path = decoded(raw);
    if let Some(end) = path.find('?') {
        path.truncate(end);
    }
    path
}

/// The bytes of request line and headers as AWS counts them against its 10,240.
pub fn head_size(method: &str, uri: &http::Uri, headers: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let lines: usize = headers.iter().map(|(name, value)| name.as_str().len() + 2 + value.len() + 2).sum();
    method.len() + 1 + target + " HTTP/1.1\r\n".len() + lines
}

/// A header's value as text; bytes that are no UTF-8 become replacement characters.
pub fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port_and_nothing_else() {
        let cases = [
            ("AbC.execute-api.localhost:4580", "abc.execute-api.localhost"),
            ("localhost", "localhost"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]"),
        ];
        for (given, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, given.parse().unwrap());
            assert_eq!(host(&headers, &"/".parse().unwrap()), expected);
        }
    }

    #[test]
    fn paths_are_decoded_as_on_aws() {
        let cases = [
            ("/courses/a%20b", "/courses/a b"),
            ("/a+b", "/a+b"),
            ("/a%2Fb", "/a/b"),
            ("/users/me%3Fadmin=true", "/users/me"),
            ("/%C3%A9", "/é"),
        ];
        for (given, expected) in cases {
            assert_eq!(path(given), expected);
        }
    }
}
