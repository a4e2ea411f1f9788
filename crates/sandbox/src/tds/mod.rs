//! The local TDS server: what the functions take for their database. It is not SQL Server; it
//! speaks TDS and the part of T-SQL that is written down here, and refuses the rest by name.
//!
//! From the outside in:
//! - `wire`: packets, TLS, login, requests, types and tokens, all of it bytes;
//! - `connection`: one client from its first byte to its end;
//! - `sql`: T-SQL as text and as a tree;
//! - `translate`: from that tree to SQLite's SQL, with the type of every expression;
//! - `engine`: sessions, transactions, locks, constraints, logins and rights;
//! - `value`: types, conversions, decimals, dates and orderings;
//! - `tls`: the certificate authority;
//! - `error`: numbers and texts.
//!
//! Where it knowingly differs from SQL Server: there is one writer per database at a time (SQLite),
//! so two transactions that change different rows wait for each other; reads never wait, as with
//! READ_COMMITTED_SNAPSHOT on; server principals (logins, server roles) change outside of
//! transactions; the order of texts is a simplified one.

mod connection;
mod engine;
mod error;
mod sql;
mod tls;
mod translate;
mod value;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::{Context, lock};
pub use engine::server::RefusedLogin;

use connection::Ground;
use engine::server::Server;
use tls::Certificates;

/// The most connections at a time; what comes above is closed at once. SQL Server's own limit is
/// 32,767.
pub const MOST_CONNECTIONS: usize = 1_000;

/// The number of the first session; SQL Server keeps those below for itself.
const FIRST_SESSION: u16 = 51;

/// How long connections may take to end when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// The server.
pub struct TdsServer {
    server: Arc<Server>,
    certificates: Arc<Certificates>,
    sessions: Mutex<BTreeMap<u16, Arc<AtomicU64>>>,
}

impl TdsServer {
    /// Opens the databases, logins and the certificate authority in the context's folder; on the
    /// first start it makes them, with one login `admin` (server role sysadmin) whose password is
    /// `admin_password`.
    ///
    /// # Errors
    /// When the state can't be read or made.
    pub fn open(context: Arc<Context>, admin_password: &str) -> io::Result<Arc<Self>> {
        Self::open_for(context, admin_password, &[])
    }

    /// The same, with a certificate that is valid for `hosts` besides `localhost` and the loopback
    /// addresses.
    ///
    /// # Errors
    /// When the state can't be read or made.
    pub fn open_for(context: Arc<Context>, admin_password: &str, hosts: &[String]) -> io::Result<Arc<Self>> {
        let server = Arc::new(Server::open(Arc::clone(&context), admin_password)?);
        let certificates = Arc::new(Certificates::open(context, hosts)?);
        Ok(Arc::new(Self { server, certificates, sessions: Mutex::default() }))
    }

    /// The certificate of the authority that signed the server's own, in PEM: what a client must
    /// trust.
    pub fn ca_pem(&self) -> String {
        self.certificates.authority().to_owned()
    }

    /// Serves connections until `stop` is cancelled.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let connections = TaskTracker::new();
        let mut failures = 0_u32;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let socket = match accepted {
                Ok((socket, _)) => {
                    failures = 0;
                    socket
                }
                // A client that went again, or no file left: others may be served yet.
                Err(error) if failures < 100 => {
                    failures += 1;
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some((spid, requests)) = self.enter() else {
                tracing::warn!("more than {MOST_CONNECTIONS} connections: one is closed");
                continue;
            };
            let (server, certificates) = (Arc::clone(&self.server), Arc::clone(&self.certificates));
            let ground = Ground { server, certificates, spid, requests };
            let (this, stop) = (Arc::clone(&self), stop.clone());
            connections.spawn(async move {
                if let Err(error) = connection::serve(socket, ground, stop).await {
                    tracing::debug!(%error, session = spid, "a connection ended");
                }
                lock(&this.sessions).remove(&spid);
            });
        }
        connections.close();
        if tokio::time::timeout(FAREWELL, connections.wait()).await.is_err() {
            tracing::warn!("connections of the local TDS server did not end in time");
        }
        Ok(())
    }

    /// How many logins succeeded since the start.
    pub fn logins(&self) -> u64 {
        self.server.counters.logins.load(Ordering::Relaxed)
    }

    /// How many logins failed since the start.
    pub fn failed_logins(&self) -> u64 {
        self.server.counters.failed_logins.load(Ordering::Relaxed)
    }

    /// The logins that were refused since the start, oldest first; the latest 10,000.
    pub fn refused_logins(&self) -> Vec<RefusedLogin> {
        lock(&self.server.counters.refused).iter().cloned().collect()
    }

    /// How many requests (batches, calls, transaction requests) came since the start: each is one
    /// round trip of a client.
    pub fn requests(&self) -> u64 {
        self.server.counters.requests.load(Ordering::Relaxed)
    }

    /// How many connections are open, those that are not logged in yet included.
    pub fn open_connections(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// How many requests came over each open connection, by its number (`@@SPID`).
    pub fn requests_by_connection(&self) -> BTreeMap<u16, u64> {
        let sessions = lock(&self.sessions);
        sessions.iter().map(|(spid, requests)| (*spid, requests.load(Ordering::Relaxed))).collect()
    }

    /// A number for a new connection, unless there are too many.
    fn enter(&self) -> Option<(u16, Arc<AtomicU64>)> {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= MOST_CONNECTIONS {
            return None;
        }
        let spid = (FIRST_SESSION..u16::MAX).find(|spid| !sessions.contains_key(spid))?;
        let requests = Arc::new(AtomicU64::new(0));
        sessions.insert(spid, Arc::clone(&requests));
        Some((spid, requests))
    }
}
