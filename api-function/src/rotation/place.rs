//! Whether two secrets mean the same server.
//!
//! Names of hosts have no case and may end with a dot, and a name and an address can mean the same
//! machine: where the texts differ, both are resolved, and one address in common will do.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::secret::DatabaseSecret;

/// How long both names may take to be resolved.
const LOOKUP_TIME: Duration = Duration::from_secs(2);

/// Whether both are on the same server. A name that can't be resolved is the same as itself only.
pub async fn is_same(left: &DatabaseSecret, right: &DatabaseSecret) -> bool {
    if left.port != right.port {
        return false;
    }
    if plain(&left.host) == plain(&right.host) {
        return true;
    }
    let both = async { tokio::join!(addresses(left), addresses(right)) };
    let Ok((left, right)) = timeout(LOOKUP_TIME, both).await else { return false };
    left.intersection(&right).next().is_some()
}

fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

async fn addresses(secret: &DatabaseSecret) -> BTreeSet<SocketAddr> {
    match lookup_host((secret.host.as_str(), secret.port)).await {
        Ok(addresses) => addresses.collect(),
        Err(_) => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> DatabaseSecret {
        let text = format!(r#"{{"host":"{host}","port":{port},"username":"u","password":"p"}}"#);
        DatabaseSecret::parse("v", None, text).unwrap()
    }

    #[tokio::test]
    async fn names_and_addresses_of_one_server_are_the_same() {
        for (left, right, expected) in [
            (at("db.example", 1433), at("DB.example.", 1433), true),
            (at("db.example", 1433), at("db.example", 1434), false),
            (at("127.0.0.1", 1433), at("localhost", 1433), true),
            (at("127.0.0.1", 1433), at("127.0.0.2", 1433), false),
        ] {
            assert_eq!(is_same(&left, &right).await, expected, "{left:?} {right:?}");
        }
    }
}
