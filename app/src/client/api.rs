//! The portal's operations API, as commands use it: reads, changes, uploads, and waiting for something.
//!
//! Every request has a time limit and every answer a size. What only reads, or carries an id by which the
//! portal knows it again, is tried again with pauses ([`super::retry`]); what could be done twice is sent
//! once. Redirects are not followed: the token would go along.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use model::problem::ProblemKind;
use operations::Random;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Body, Certificate, Client, Method, Response, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::retry::{self, Repeat};
use super::stop::{Exit, Stop};
use super::{Tools, address};

/// For one request and its answer: the portal gives itself 10 s, and waits 2 s for a place before.
const LIMIT: Duration = Duration::from_secs(20);

/// To connect.
const CONNECT: Duration = Duration::from_secs(5);

/// The slowest line an upload is waited for, in bytes a second: 2 Mbit/s.
const SLOWEST_UPLOAD: u64 = 250_000;

/// A stream that is silent for so long is dead: the portal says something every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// The largest answer read; the largest there is, an overview, has about 50 kB.
const LARGEST: usize = 8 * 1024 * 1024;

/// One piece of an upload: progress is told after each.
const PIECE: usize = 64 * 1024;

/// A portal, and who speaks to it.
pub struct Api {
    http: Client,
    portal: Url,
    authorization: HeaderValue,
    random: Random,
}

/// How long something is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two looks.
    pub every: Duration,
    /// In all.
    pub limit: Duration,
    /// For how long the portal may say that it knows nothing of it: what was begun a moment ago is not
    /// seen everywhere at once.
    pub unseen: Duration,
}

/// What goes along with a request.
#[derive(Clone)]
struct Payload {
    media_type: &'static str,
    bytes: Bytes,
}

/// How one try ended.
enum Tried {
    Answered(Vec<u8>),
    /// It may be another next time, after the pause the portal asks for.
    Passing(Stop, Option<Duration>),
    Final(Stop),
}

impl Api {
    /// A portal and a token; calls nobody. `ca` are PEM certificates to trust in place of the system's.
    ///
    /// # Errors
    /// `Usage` when `ca` holds no certificates; `Failed` when there is no way to do TLS.
    pub fn new(portal: Url, token: &str, ca: Option<&[u8]>, tools: &Tools) -> Result<Self, Stop> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Stop::new(Exit::Forbidden, "That is no access token."))?;
        authorization.set_sensitive(true);
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("lockkeeper/", env!("CARGO_PKG_VERSION")));
        if address::is_this_machine(&portal) {
            client = client.no_proxy();
        }
        if let Some(pem) = ca {
            let wrong = || Stop::new(Exit::Usage, "--ca-file holds no PEM certificates.");
            let roots = Certificate::from_pem_bundle(pem).map_err(|_| wrong())?;
            if roots.is_empty() {
                return Err(wrong());
            }
            client = client.tls_certs_only(roots);
        }
        let http = client.build().map_err(|error| {
            Stop::new(Exit::Failed, format!("TLS could not be set up: {}", whole(&error)))
                .with_next("Name the certificates to trust with --ca-file.")
        })?;
        Ok(Self { http, portal, authorization, random: tools.random.clone() })
    }

    /// The portal's address, without a slash at its end.
    pub fn portal(&self) -> &str {
        self.portal.as_str().trim_end_matches('/')
    }

    /// `GET path`; tried again where that may help.
    ///
    /// # Errors
    /// What the portal says, or that it can't be reached.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Stop> {
        understood(&self.send(Method::GET, path, None, Repeat::Safe).await?)
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        repeat: Repeat,
    ) -> Result<T, Stop> {
        let bytes = serde_json::to_vec(body).map_err(|error| Stop::new(Exit::Failed, error.to_string()))?;
        let payload = Payload { media_type: "application/json", bytes: bytes.into() };
        understood(&self.send(Method::POST, path, Some(payload), repeat).await?)
    }

    /// `DELETE path`. What is gone stays gone, so it is tried again; that it is gone already is then no
    /// failure of the portal's.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, path: &str) -> Result<(), Stop> {
        self.send(Method::DELETE, path, None, Repeat::Safe).await.map(drop)
    }

    /// `POST path` with a file's bytes, sent once; `progress` is told how many are on their way.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        media_type: &'static str,
        bytes: Bytes,
        progress: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<T, Stop> {
        let limit = LIMIT + Duration::from_secs(bytes.len() as u64 / SLOWEST_UPLOAD);
        let upload = Upload { rest: bytes, sent: 0, progress: Box::new(progress) };
        let request =
            self.http.post(self.at(path)?).header(CONTENT_TYPE, media_type).body(Body::wrap(upload));
        match self.answer(request, limit).await {
            Tried::Answered(bytes) => understood(&bytes),
            Tried::Passing(stop, _) | Tried::Final(stop) => Err(stop),
        }
    }

    /// Asks `GET path` until `look` breaks with what it was waited for. A portal that does not answer for
    /// a while is waited for, too: it may be starting anew.
    ///
    /// # Errors
    /// `Failed` when the time is up; otherwise as [`get`](Self::get).
    pub async fn poll<T: DeserializeOwned, R>(
        &self,
        path: &str,
        pace: Pace,
        mut look: impl FnMut(T) -> ControlFlow<R>,
    ) -> Result<R, Stop> {
        let began = Instant::now();
        loop {
            match self.get(path).await {
                Ok(seen) => {
                    if let ControlFlow::Break(found) = look(seen) {
                        return Ok(found);
                    }
                }
                Err(stop) if stop.exit == Exit::Unreachable && began.elapsed() < pace.limit => {}
                Err(stop) if stop.status == Some(404) && began.elapsed() < pace.unseen => {}
                Err(stop) => return Err(stop),
            }
            if began.elapsed() >= pace.limit {
                let message = format!("It has not ended within {} s.", pace.limit.as_secs());
                return Err(Stop::new(Exit::Failed, message).with_next("It goes on; look at the portal."));
            }
            tokio::time::sleep(pace.every).await;
        }
    }

    /// `GET path` as server-sent events, for as long as they come.
    ///
    /// # Errors
    /// As [`get`](Self::get); tried once.
    pub async fn events(&self, path: &str) -> Result<Events, Stop> {
        let request = self.http.get(self.at(path)?).header(ACCEPT, "text/event-stream");
        let sending = request.header(AUTHORIZATION, self.authorization.clone()).send();
        let response = tokio::time::timeout(LIMIT, sending)
            .await
            .map_err(|_| Stop::new(Exit::Unreachable, format!("{} did not answer in time.", self.portal())))?
            .map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        match status {
            200 => Ok(Events { response, read: Vec::new() }),
            300..400 => Err(self.elsewhere(&response)),
            _ => {
                let body = tokio::time::timeout(LIMIT, response.bytes()).await;
                Err(refused(status, &body.ok().and_then(Result::ok).unwrap_or_default()))
            }
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        payload: Option<Payload>,
        repeat: Repeat,
    ) -> Result<Vec<u8>, Stop> {
        let url = self.at(path)?;
        let mut tried = 0;
        loop {
            tried += 1;
            let mut request = self.http.request(method.clone(), url.clone());
            if let Some(Payload { media_type, bytes }) = payload.clone() {
                request = request.header(CONTENT_TYPE, media_type).body(bytes);
            }
            let (stop, asked) = match self.answer(request, LIMIT).await {
                Tried::Answered(bytes) => return Ok(bytes),
                Tried::Final(stop) => return Err(stop),
                Tried::Passing(stop, asked) => (stop, asked),
            };
            match retry::pause(tried, asked, &self.random) {
                Some(pause) if repeat == Repeat::Safe => tokio::time::sleep(pause).await,
                _ => return Err(stop),
            }
        }
    }

    fn at(&self, path: &str) -> Result<Url, Stop> {
        let wrong = |_| Stop::new(Exit::Failed, format!("{path} is no path of a portal."));
        self.portal.join(path).map_err(wrong)
    }

    async fn answer(&self, request: reqwest::RequestBuilder, limit: Duration) -> Tried {
        let request = request.header(AUTHORIZATION, self.authorization.clone()).timeout(limit);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Tried::Passing(self.unreachable(&error), None),
        };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() > LARGEST => {
                    return Tried::Final(Stop::new(Exit::Failed, "The portal answers without an end."));
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return Tried::Passing(self.unreachable(&error), None),
            }
        }
        let status = response.status().as_u16();
        match status {
            200..300 => Tried::Answered(body),
            status if retry::may_pass(status) => Tried::Passing(refused(status, &body), asked(&response)),
            300..400 => Tried::Final(self.elsewhere(&response)),
            status => Tried::Final(refused(status, &body)),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Stop {
        let portal = self.portal();
        let message = if error.is_timeout() {
            format!("{portal} did not answer in time.")
        } else if error.is_connect() {
            format!("{portal} can't be reached: {}", whole(error))
        } else {
            format!("The connection to {portal} broke: {}", whole(error))
        };
        Stop::new(Exit::Unreachable, message)
    }

    fn elsewhere(&self, response: &Response) -> Stop {
        let place = response.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let place = place.map(|place| format!(" to {place}")).unwrap_or_default();
        let message = format!("{} leads elsewhere{place}, and is no portal.", self.portal());
        Stop { status: Some(response.status().as_u16()), ..Stop::new(Exit::Unreachable, message) }
            .with_next("Name the portal by the address that people open.")
    }
}

/// A stream of server-sent events.
pub struct Events {
    response: Response,
    read: Vec<u8>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// What it is called.
    pub name: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// What it says.
    pub data: String,
}

impl Events {
    /// The next one; none when the stream has ended, broken or been silent for too long.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event = parsed(&String::from_utf8_lossy(&self.read[..end]));
                self.read.drain(..end + 2);
                return Some(event);
            }
            let piece = tokio::time::timeout(SILENCE, self.response.chunk()).await.ok()?.ok()??;
            if self.read.len() + piece.len() > LARGEST {
                return None;
            }
            self.read.extend_from_slice(&piece);
        }
    }
}

fn parsed(text: &str) -> Event {
    let mut event = Event::default();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => event.id = Some(value.to_owned()),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
    event
}

/// Problem details, as far as they are of use here.
#[derive(Deserialize)]
struct Details {
    detail: String,
    #[serde(default)]
    kind: Option<ProblemKind>,
    #[serde(default)]
    next: Option<String>,
}

/// What the portal says of a request it did not carry out. An answer that is none of a portal's (a
/// proxy's page) is not repeated.
fn refused(status: u16, body: &[u8]) -> Stop {
    let exit = Exit::of_status(status);
    match serde_json::from_slice(body) {
        Ok(Details { detail, kind, next }) => {
            Stop { exit, message: detail, next, kind, status: Some(status) }
        }
        Err(_) => {
            let message = format!("The portal, or what stands before it, answered {status}.");
            Stop { status: Some(status), ..Stop::new(exit, message) }
        }
    }
}

fn understood<T: DeserializeOwned>(body: &[u8]) -> Result<T, Stop> {
    // A 204 has no body, which reads as nothing.
    let body = if body.is_empty() { b"null" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        Stop::new(Exit::Failed, format!("The portal's answer could not be understood: {error}"))
            .with_next("Use a lockkeeper of the same version as the portal.")
    })
}

fn asked(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// An error and what is behind it, but for the address, which stands before it already.
fn whole(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// A file's bytes on their way.
struct Upload {
    rest: Bytes,
    sent: u64,
    progress: Box<dyn Fn(u64) + Send + Sync>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.sent += length as u64;
        (self.progress)(self.sent);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read() {
        let event = parsed("event: lines\nid: 1-a\ndata: {\"a\":1}");
        assert_eq!((event.name.as_str(), event.id.as_deref()), ("lines", Some("1-a")));
        assert_eq!(event.data, "{\"a\":1}");
        assert_eq!(parsed(": a comment\nevent:still\ndata").name, "still");
    }
}
