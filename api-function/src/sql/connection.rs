//! One connection to the database, from the TCP handshake to a whole exchange.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, Socket, TcpKeepalive};
use tiberius::{AuthMethod, Client, EncryptionLevel, Row};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::Statement;
use super::error::SqlError;
use crate::config::{Config, SqlTls};
use crate::secret::DatabaseSecret;
use crate::time::{Clock, Moment};

/// How long name resolution and the TCP handshake may take, all addresses together.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// How long the TDS handshake, TLS and the login may take.
const LOGIN_TIME: Duration = Duration::from_secs(4);
/// After so long without use, and then every few seconds, the peer is asked for a sign of life.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);
/// A connection that lay longer than this may have been frozen, and its peer gone.
const PAUSE: Duration = Duration::from_secs(5);
/// So long a read may take on such a connection before a new one is tried instead.
const TIME_AFTER_PAUSE: Duration = Duration::from_millis(1_500);

/// How connections are made.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How they are encrypted.
    pub(crate) tls: SqlTls,
    /// Certificates to trust besides the system's, in PEM.
    pub(crate) ca: Option<String>,
    /// How long a statement may take.
    pub(crate) statement_time: Duration,
    /// What the server is told who connects.
    pub(crate) application: &'static str,
    /// And from where, in place of the machine's name, which on Lambda says nothing.
    pub(crate) environment: Option<String>,
}

impl Settings {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            tls: config.sql_tls,
            ca: config.sql_ca.clone(),
            statement_time: config.sql_timeout,
            application: "learninghub-api",
            environment: config.environment.clone(),
        }
    }

    /// Opens a TCP connection.
    ///
    /// # Errors
    /// That of the last address, or `TimedOut`.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let connecting = async {
            let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
            let share = CONNECT_TIME / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
            let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
            for address in addresses {
                match timeout(share, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => return Ok(stream),
                    Ok(Err(error)) => last = error,
                    Err(_) => last = ErrorKind::TimedOut.into(),
                }
            }
            Err(last)
        };
        let stream =
            timeout(CONNECT_TIME, connecting).await.map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        let (idle, interval, probes) = KEEPALIVE;
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(probes);
        socket.set_tcp_keepalive(&keepalive)?;
        // What was sent and not acknowledged for so long breaks the connection: keepalive alone does not
        // notice a peer that vanished while something is on the way.
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(self.statement_time))?;
        Ok(stream)
    }

    /// The driver's own settings for these credentials.
    pub(crate) fn driver(&self, secret: &DatabaseSecret) -> tiberius::Config {
        let mut config = tiberius::Config::new();
        config.host(&secret.host);
        config.port(secret.port);
        config.database(&secret.database);
        config.application_name(self.application);
        if let Some(environment) = &self.environment {
            config.client_name(environment);
        }
        config.authentication(AuthMethod::sql_server(&secret.username, secret.password.reveal()));
        config.handshake_timeout(Some(LOGIN_TIME));
        config.command_timeout(Some(self.statement_time));
        config.encryption(match self.tls {
            SqlTls::Strict => EncryptionLevel::Strict,
            SqlTls::Required => EncryptionLevel::Required,
            SqlTls::Plaintext => EncryptionLevel::NotSupported,
        });
        match (&self.ca, self.tls) {
            (Some(ca), _) => {
                config.trust_webpki_roots();
                config.trust_cert_ca_bundle(ca.as_bytes());
            }
            // Asked for by name. A server that insists on TLS gets it, and whom it belongs to is
            // not checked: no worse than plaintext.
            (None, SqlTls::Plaintext) => config.trust_cert(),
            (None, SqlTls::Strict | SqlTls::Required) => config.trust_webpki_roots(),
        }
        config
    }
}

/// An open connection that is in step with the server. Whoever uses it takes it out of where it is
/// kept, and puts it back after a whole and successful exchange only: after an error, a time-out or
/// a dropped future it may be in the middle of an answer, and the next one would be misread.
pub(super) struct Connection {
    client: Client<Compat<TcpStream>>,
    /// A second handle on the socket, to look at it without reading. Closed with the first.
    socket: Socket,
    used: Moment,
    statement_time: Duration,
    /// What it logged in with.
    pub(super) secret: Arc<DatabaseSecret>,
    /// A newer version of the secret with which a login was refused while this one worked.
    pub(super) passed_over: Option<String>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// The server refused the login: number, state and its words.
    #[error("login refused with {0}, state {1}")]
    Refused(u32, u8, String),
    /// It did not come so far.
    #[error("not reached: {0}")]
    Unreachable(String),
}

impl Connection {
    /// Connects, unless `stream` already is, and logs in.
    pub(super) async fn open(
        settings: &Settings,
        secret: Arc<DatabaseSecret>,
        stream: Option<TcpStream>,
        clock: &Clock,
    ) -> Result<Self, OpenError> {
        let unreachable = |error: io::Error| OpenError::Unreachable(error.to_string());
        let stream = match stream {
            Some(stream) => stream,
            None => settings.connect(&secret.host, secret.port).await.map_err(unreachable)?,
        };
        let socket = SockRef::from(&stream).try_clone().map_err(unreachable)?;
        // Boxed, because the driver's future is large and most requests don't need it.
        let connecting = Box::pin(Client::connect(settings.driver(&secret), stream.compat_write()));
        let client = connecting.await.map_err(|error| match error {
            tiberius::error::Error::Server(token) => {
                OpenError::Refused(token.code(), token.state(), token.message().to_owned())
            }
            other => OpenError::Unreachable(other.to_string()),
        })?;
        let statement_time = settings.statement_time;
        Ok(Self { client, socket, used: Moment::now(clock), statement_time, secret, passed_over: None })
    }

    /// Whether nothing has come in since the last exchange. Costs no round trip; says nothing of a
    /// peer that vanished without a word.
    pub(super) fn is_quiet(&self) -> bool {
        is_quiet(&self.socket)
    }

    /// Whether it lay so long that the environment may have been frozen.
    pub(super) fn is_after_pause(&self, clock: &Clock) -> bool {
        self.used.elapsed(clock) > PAUSE
    }

    /// Sends a statement and takes in the whole answer: the rows of each result set.
    /// After an error the connection is to be dropped.
    pub(super) async fn exchange(
        &mut self,
        statement: &Statement,
        clock: &Clock,
    ) -> Result<Vec<Vec<Row>>, SqlError> {
        let limit = match self.is_after_pause(clock) {
            true => self.statement_time.min(TIME_AFTER_PAUSE),
            false => self.statement_time,
        };
        let query = statement.query();
        let exchange = async { query.query(&mut self.client).await?.into_results().await };
        let sets = timeout(limit, Box::pin(exchange))
            .await
            .map_err(|_| SqlError::TimedOut(limit))?
            .map_err(|error| SqlError::of_exchange(error, limit))?;
        self.used = Moment::now(clock);
        Ok(sets)
    }
}

/// Whether there is nothing to read, on a socket that does not block. The end of the stream, an
/// error or bytes nobody asked for mean that the connection is of no use.
fn is_quiet(socket: &Socket) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    matches!(socket.peek(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    const SETTINGS: Settings = Settings {
        tls: SqlTls::Strict,
        ca: None,
        statement_time: Duration::from_secs(1),
        application: "test",
        environment: None,
    };

    #[tokio::test]
    async fn what_came_in_unasked_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for close in [false, true] {
            let stream = SETTINGS.connect("localhost", port).await.unwrap();
            let second = SockRef::from(&stream).try_clone().unwrap();
            let (mut peer, _) = listener.accept().await.unwrap();
            assert!(is_quiet(&second));
            if close {
                drop(peer);
            } else {
                peer.write_all(b"x").await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(!is_quiet(&second), "{close}");
        }
    }

    #[tokio::test]
    async fn connections_are_watched_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = SETTINGS.connect("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE.0);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(SETTINGS.statement_time));
    }

    #[tokio::test]
    async fn a_closed_port_is_known_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let started = Instant::now();
        assert_eq!(
            SETTINGS.connect("localhost", port).await.unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        assert!(started.elapsed() < CONNECT_TIME);
    }
}
