//! One connection: from its first byte to its end. The socket is looked after here, asynchronously,
//! so that an attention is heard while a statement runs; the statements run in a thread of the
//! connection's own, because SQLite and a wait for a lock both block.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::engine::answer::{Answer, Out};
use super::engine::server::Server;
use super::engine::session::{Asked, Cancel, Session};
use super::error::SqlError;
use super::sql::parser::STACK;
use super::tls::Certificates;
use super::value::collation;
use super::wire::login::{
    EIGHT, Encryption, Login, NEWEST, OLDEST, read_login, read_prelogin, write_prelogin,
};
use super::wire::packet::{self, Message, MessageWriter, PacketReader, RESET};
use super::wire::reader::malformed;
use super::wire::request::{Request, read_batch, read_calls, read_transaction};
use super::wire::stream::{Carrier, Wire};
use super::wire::tokens;
use crate::faults::TdsEffect;

/// How long a client may take until it is logged in, TLS included.
const LOGIN_LIMIT: Duration = Duration::from_secs(30);
/// How long a connection may be silent. A function that is frozen between two requests is silent
/// for long.
const SILENCE_LIMIT: Duration = Duration::from_secs(24 * 3600);
/// How long a stalled or swallowed connection is held: longer than any client should wait.
const HELD: Duration = Duration::from_secs(600);
/// How long a session may take to give up what it is at.
const FAREWELL: Duration = Duration::from_secs(4);
/// How many pieces of an answer may wait for the socket.
const PIECES: usize = 8;
/// The packet sizes a client may ask for, and what it gets when it does not.
const PACKETS: std::ops::RangeInclusive<u32> = 512..=32_767;
const USUAL_PACKET: usize = 4096;

/// What a connection needs of its server.
pub struct Ground {
    /// Databases, logins, locks.
    pub server: Arc<Server>,
    /// Authority and certificate.
    pub certificates: Arc<Certificates>,
    /// The connection's number.
    pub spid: u16,
    /// How many requests came over it.
    pub requests: Arc<AtomicU64>,
}

/// What the connection's thread is told.
enum Order {
    LogIn(Box<Login>),
    Answer { requests: Vec<Request>, reset: bool },
}

/// Serves a connection to its end.
///
/// # Errors
/// When the client breaks the protocol, or the socket fails.
pub async fn serve(socket: TcpStream, ground: Ground, stop: CancellationToken) -> io::Result<()> {
    socket.set_nodelay(true)?;
    match ground.server.context.faults.tds_connection(&ground.server.context.random) {
        Some(TdsEffect::Refuse) => return Ok(()),
        Some(_) => {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(HELD) => {}
            }
            return Ok(());
        }
        None => {}
    }
    let welcome = timeout(LOGIN_LIMIT, Connection::welcome(socket, ground));
    let connection = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        welcome = welcome => welcome.map_err(|_| io::ErrorKind::TimedOut)??,
    };
    let Some(mut connection) = connection else { return Ok(()) };
    let result = connection.go_on(stop).await;
    connection.farewell().await;
    result
}

/// A connection that is logged in.
struct Connection {
    read: ReadHalf<Wire>,
    write: WriteHalf<Wire>,
    reader: PacketReader,
    writer: MessageWriter,
    orders: mpsc::Sender<Order>,
    answers: mpsc::Receiver<Out>,
    cancel: Arc<Cancel>,
    ground: Ground,
}

/// How an answer ended.
enum Ended {
    Whole,
    Broken,
}

impl Connection {
    /// Prelogin, TLS and login; `None` when the login was refused.
    async fn welcome(socket: TcpStream, ground: Ground) -> io::Result<Option<Self>> {
        let acceptors = ground.certificates.acceptors()?;
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Ok(None);
        }
        // A TLS record of type handshake: TDS 8.
        let strict = first[0] == 0x16;
        let mut wire = if strict {
            Wire::strict(socket, &acceptors.strict).await?
        } else {
            Wire::Plain(Carrier::new(socket))
        };
        let mut reader = PacketReader::default();
        let mut writer = MessageWriter::new(USUAL_PACKET, 0);
        let hello = reader.message(&mut wire).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if hello.kind != packet::PRELOGIN {
            return Err(malformed("a connection that begins with something else than PRELOGIN"));
        }
        let encryption = read_prelogin(&hello.payload)?;
        writer.add(&mut wire, &write_prelogin(encryption, strict)).await?;
        writer.end(&mut wire).await?;
        if !strict && encryption != Encryption::NotSupported {
            wire = wire.wrapped(&acceptors.wrapped).await?;
        }
        let message = reader.message(&mut wire).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if message.kind != packet::LOGIN {
            return Err(malformed("something else than a login"));
        }
        let login = read_login(&message.payload)?;
        if !strict && encryption == Encryption::Off {
            wire = wire.bare();
        }
        Self::log_in(wire, reader, login, ground).await
    }

    async fn log_in(
        wire: Wire,
        reader: PacketReader,
        login: Login,
        ground: Ground,
    ) -> io::Result<Option<Self>> {
        let cancel = Arc::new(Cancel::default());
        let (orders, answers) = start_thread(&ground, &cancel)?;
        let (read, write) = tokio::io::split(wire);
        let writer = MessageWriter::new(USUAL_PACKET, ground.spid);
        let mut connection = Self { read, write, reader, writer, orders, answers, cancel, ground };
        connection.order(Order::LogIn(Box::new(login))).await?;
        let mut size = None;
        loop {
            match connection.answers.recv().await {
                Some(Out::Bytes(bytes)) => connection.writer.add(&mut connection.write, &bytes).await?,
                Some(Out::PacketSize(agreed)) => size = Some(agreed),
                Some(_) => break,
                None => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        // Counted before the client hears of it, so that whoever looks afterwards finds it counted.
        let counters = &connection.ground.server.counters;
        let counter = if size.is_some() { &counters.logins } else { &counters.failed_logins };
        counter.fetch_add(1, Ordering::Relaxed);
        connection.writer.end(&mut connection.write).await?;
        let Some(size) = size else {
            connection.write.shutdown().await?;
            return Ok(None);
        };
        connection.writer.resize(size);
        Ok(Some(connection))
    }

    /// Answers requests until the client goes.
    async fn go_on(&mut self, stop: CancellationToken) -> io::Result<()> {
        loop {
            let message = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                message = timeout(SILENCE_LIMIT, self.reader.message(&mut self.read)) => {
                    message.map_err(|_| io::ErrorKind::TimedOut)??
                }
            };
            let Some(message) = message else { return Ok(()) };
            if message.kind == packet::ATTENTION {
                // The answer was out before the client gave it up.
                self.acknowledge().await?;
                continue;
            }
            self.ground.requests.fetch_add(1, Ordering::Relaxed);
            self.ground.server.counters.requests.fetch_add(1, Ordering::Relaxed);
            let requests = read_requests(&message)?;
            self.cancel.reset();
            self.order(Order::Answer { requests, reset: message.status & RESET != 0 }).await?;
            match self.pass_on(&stop).await {
                Ok(Ended::Whole) => {}
                other => return other.map(|_| ()),
            }
        }
    }

    /// Passes an answer on while listening for an attention.
    async fn pass_on(&mut self, stop: &CancellationToken) -> io::Result<Ended> {
        let mut given_up = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(Ended::Broken),
                out = self.answers.recv() => match out {
                    Some(Out::Bytes(bytes)) => self.writer.add(&mut self.write, &bytes).await?,
                    Some(Out::PacketSize(_)) => {}
                    Some(Out::End) => break,
                    Some(Out::Cut) => {
                        self.writer.break_off(&mut self.write).await?;
                        return Ok(Ended::Broken);
                    }
                    Some(Out::Stall) => {
                        self.writer.break_off(&mut self.write).await?;
                        self.hold(stop).await;
                        return Ok(Ended::Broken);
                    }
                    None => {
                        self.writer.end(&mut self.write).await?;
                        return Ok(Ended::Broken);
                    }
                },
                packet = self.reader.packet(&mut self.read) => match packet? {
                    Some(packet) if packet.kind == packet::ATTENTION => {
                        given_up = true;
                        self.cancel.cancel();
                    }
                    Some(_) => return Err(malformed("a request before the answer to the last one")),
                    None => return Ok(Ended::Broken),
                },
            }
        }
        self.writer.end(&mut self.write).await?;
        if given_up {
            self.acknowledge().await?;
        }
        Ok(Ended::Whole)
    }

    /// Holds the connection until the client goes: nothing is answered any more.
    async fn hold(&mut self, stop: &CancellationToken) {
        let gone = async { while let Ok(Some(_)) = self.reader.packet(&mut self.read).await {} };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(HELD) => {}
            () = gone => {}
        }
    }

    /// Acknowledges an attention, in a message of its own as SQL Server does.
    async fn acknowledge(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        tokens::done(&mut out, tokens::DONE, tokens::ATTENTION, 0, 0);
        self.writer.add(&mut self.write, &out).await?;
        self.writer.end(&mut self.write).await
    }

    /// Waits for the thread, so that what was open is rolled back when the connection is gone.
    async fn farewell(self) {
        let Self { orders, mut answers, cancel, write, .. } = self;
        cancel.cancel();
        drop((orders, write));
        let gone = async { while answers.recv().await.is_some() {} };
        if timeout(FAREWELL, gone).await.is_err() {
            tracing::warn!("a session of the local TDS server does not end");
        }
    }

    async fn order(&self, order: Order) -> io::Result<()> {
        self.orders.send(order).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

fn read_requests(message: &Message) -> io::Result<Vec<Request>> {
    match message.kind {
        packet::BATCH => Ok(vec![read_batch(&message.payload)?]),
        packet::RPC => read_calls(&message.payload),
        packet::TRANSACTION => Ok(vec![read_transaction(&message.payload)?]),
        other => Err(malformed(format!("a message of kind {other}"))),
    }
}

fn start_thread(
    ground: &Ground,
    cancel: &Arc<Cancel>,
) -> io::Result<(mpsc::Sender<Order>, mpsc::Receiver<Out>)> {
    let (orders, incoming) = mpsc::channel(1);
    let (outgoing, answers) = mpsc::channel(PIECES);
    let (server, cancel, spid) = (Arc::clone(&ground.server), Arc::clone(cancel), ground.spid);
    std::thread::Builder::new()
        .name(format!("tds-{spid}"))
        .stack_size(STACK)
        .spawn(move || work(&server, spid, &cancel, incoming, &outgoing))?;
    Ok((orders, answers))
}

/// The connection's thread.
fn work(
    server: &Arc<Server>,
    spid: u16,
    cancel: &Arc<Cancel>,
    mut orders: mpsc::Receiver<Order>,
    answers: &mpsc::Sender<Out>,
) {
    let Some(Order::LogIn(login)) = orders.blocking_recv() else { return };
    let Some(mut session) = log_in(server, spid, cancel, &login, answers) else { return };
    while let Some(order) = orders.blocking_recv() {
        let Order::Answer { requests, reset } = order else { return };
        let fault = server.context.faults.tds_statement(&server.context.random);
        let mut answer = Answer::new(answers.clone(), fault.clone().filter(cuts));
        if reset {
            session.reset();
            let told = answer.tokens(|out| {
                tokens::changed_reset(out);
                Ok(())
            });
            if told.is_err() {
                return;
            }
        }
        match session.answer(requests, fault.as_ref(), &mut answer) {
            Ok(()) => {}
            Err(error) if error.is_cancelled() => {
                answer.procedures = 0;
                answer.done(tokens::FAILED, 0, 0);
            }
            Err(error) => {
                tracing::warn!(%error, session = spid, "a session ends");
                let _ = answer.message(&error, 1);
                answer.done(tokens::FAILED, 0, 0);
                answer.end();
                return;
            }
        }
        if !answer.end() {
            return;
        }
    }
}

/// Faults that are about the answer's bytes.
fn cuts(fault: &TdsEffect) -> bool {
    matches!(fault, TdsEffect::CutMidRow | TdsEffect::Stall)
}

fn log_in(
    server: &Arc<Server>,
    spid: u16,
    cancel: &Arc<Cancel>,
    login: &Login,
    answers: &mpsc::Sender<Out>,
) -> Option<Session> {
    let mut answer = Answer::new(answers.clone(), None);
    let asked = Asked {
        login: &login.user,
        password: &login.password,
        database: &login.database,
        host: &login.host,
        application: &login.application,
    };
    let spoken = if login.version == EIGHT { EIGHT } else { login.version.min(NEWEST) };
    let session = if spoken != EIGHT && spoken < OLDEST {
        Err(vec![SqlError::unknown(format!("TDS of the version 0x{:08X}", login.version)).ends_connection()])
    } else if login.integrated || login.user.is_empty() {
        Err(vec![SqlError::unknown("logins without a password of their own").ends_connection()])
    } else if login.changes_password {
        Err(vec![SqlError::unknown("a change of the password with the login").ends_connection()])
    } else {
        Session::log_in(server, spid, &asked, cancel)
    };
    match session {
        Ok(session) => {
            let size = if login.packet_size == 0 {
                USUAL_PACKET
            } else {
                login.packet_size.clamp(*PACKETS.start(), *PACKETS.end()) as usize
            };
            let told = answer.tokens(|out| {
                let database = &session.database.name;
                tokens::changed_text(out, 1, database, "master");
                let text = format!("Changed database context to '{database}'.");
                tokens::message(out, &SqlError::new(5701, 2, text).class(0), 1);
                tokens::changed_collation(out);
                tokens::changed_text(out, 2, "us_english", "");
                let text = format!("Changed language setting to us_english ({}).", collation::NAME);
                tokens::message(out, &SqlError::new(5703, 1, text).class(0), 1);
                tokens::login_ack(out, spoken);
                tokens::changed_text(out, 4, &size.to_string(), &USUAL_PACKET.to_string());
                Ok(())
            });
            answer.end_batch();
            let accepted = answers.blocking_send(Out::PacketSize(size)).is_ok();
            (told.is_ok() && accepted && answer.end()).then_some(session)
        }
        Err(errors) => {
            server.note_refusal(&asked, errors.first().map_or(0, |error| error.number));
            for error in errors {
                let _ = answer.message(&error, 1);
            }
            answer.done(tokens::FAILED, 0, 0);
            answer.end();
            None
        }
    }
}
