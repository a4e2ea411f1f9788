//! The Runtime API over a bare socket.
#![allow(unreachable_pub, missing_docs)]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Where all of it is.
pub const PATH: &str = "/2018-06-01/runtime";

/// A connection to the Runtime API.
pub struct Api {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Api {
    /// Connects to where the environment says.
    pub fn connect() -> io::Result<Self> {
        let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self { host, stream: BufReader::new(stream) })
    }

    /// Sends an answer.
    pub fn send(&mut self, path: &str, error_type: &str, body: &[u8]) -> io::Result<()> {
        self.exchange("POST", path, error_type, body).map(drop)
    }

    /// A request and its answer: headers and body.
    pub fn exchange(
        &mut self,
        method: &str,
        path: &str,
        error_type: &str,
        body: &[u8],
    ) -> io::Result<(BTreeMap<String, String>, Vec<u8>)> {
        let error_type = match error_type {
            "" => String::new(),
            kind => format!("Lambda-Runtime-Function-Error-Type: {kind}\r\n"),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{error_type}\r\n",
            self.host,
            body.len()
        );
        // A body that is refused before its end breaks the pipe; the answer is there all the same.
        let _ = self.stream.get_mut().write_all(head.as_bytes());
        let _ = self.stream.get_mut().write_all(body);
        let mut headers = BTreeMap::new();
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.trim().to_owned()),
                None => break,
            };
        }
        let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        if headers.get("connection").is_some_and(|value| value == "close") {
            *self = Self::connect()?;
        }
        Ok((headers, body))
    }
}
