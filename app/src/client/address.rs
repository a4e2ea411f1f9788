//! Which portals are spoken to: those behind TLS, and without it only those on this machine, since the
//! token goes along with every request.

use std::net::IpAddr;

use reqwest::Url;

use super::stop::{Exit, Stop};

/// The portal's address; its path is `/`.
///
/// # Errors
/// `Usage` when it can't be read, is plain http to another machine, or holds more than scheme, host and
/// port.
pub fn portal(text: &str) -> Result<Url, Stop> {
    let wrong = |why: &str| Stop::new(Exit::Usage, format!("The portal's address {why}."));
    let url = Url::parse(text.trim()).map_err(|error| wrong(&format!("can't be read: {error}")))?;
    match url.scheme() {
        "https" => {}
        "http" if is_this_machine(&url) => {}
        "http" => return Err(wrong("must be https: plain http is for this machine alone")),
        other => return Err(wrong(&format!("must be https, not {other}"))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not hold credentials"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("ends behind its host and port, for example https://lockkeeper.example.com"));
    }
    Ok(url)
}

/// Whether it is an address of this machine: no proxy has any business on the way there.
pub fn is_this_machine(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || literal.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_travels_behind_tls_or_not_at_all() {
        let table = [
            ("https://lock.example.com", true),
            ("https://lock.example.com:8443/", true),
            (" https://10.0.0.7 ", true),
            ("http://localhost:3000", true),
            ("http://127.0.0.1:3000", true),
            ("http://127.9.9.9:3000", true),
            ("http://[::1]:3000", true),
            ("http://lock.example.com", false),
            ("http://localhost.example.com", false),
            ("http://10.0.0.7", false),
            ("https://user:word@lock.example.com", false),
            ("https://lock.example.com/portal", false),
            ("https://lock.example.com/?a=b", false),
            ("ftp://localhost", false),
            ("lock.example.com", false),
            ("", false),
        ];
        for (text, good) in table {
            let read = portal(text);
            assert_eq!(read.is_ok(), good, "{text}");
            if let Err(stop) = read {
                assert_eq!(stop.exit, Exit::Usage, "{text}");
            }
        }
    }
}
