//! A bootstrap for the tests of the Lambda runtime: it speaks the Runtime API over a bare socket,
//! without any library of AWS's, and does what the event tells it to.
//!
//! `{"do": "echo"}` and nothing else: the event comes back. The others are in [`perform`]. How it
//! starts is told by the variable `START`: `exit`, `error`, `sleep`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

const PATH: &str = "/2018-06-01/runtime";

fn main() -> io::Result<()> {
    let mut api = Api::connect()?;
    println!("starting");
    match std::env::var("START").as_deref() {
        Ok("exit") => std::process::exit(3),
        Ok("sleep") => std::thread::sleep(Duration::from_secs(60)),
        Ok("error") => {
            let body = json!({"errorType": "Start.Refused", "errorMessage": "no start today"});
            api.send(&format!("{PATH}/init/error"), "Start.Refused", body.to_string().as_bytes())?;
            std::process::exit(1);
        }
        _ => {}
    }
    for count in 1.. {
        let (headers, body) = api.exchange("GET", &format!("{PATH}/invocation/next"), "", b"")?;
        let event: Value = serde_json::from_slice(&body)?;
        let id = headers.get("lambda-runtime-aws-request-id").cloned().unwrap_or_default();
        match perform(&event, count, &headers) {
            Ok(answer) => api.send(&format!("{PATH}/invocation/{id}/response"), "", &answer)?,
            Err(message) => {
                let body = json!({"errorType": "Test.Failed", "errorMessage": message, "stackTrace": []});
                let path = format!("{PATH}/invocation/{id}/error");
                api.send(&path, "Test.Failed", body.to_string().as_bytes())?;
            }
        }
        if event["do"] == "answer and exit" {
            std::process::exit(0);
        }
    }
    Ok(())
}

fn perform(event: &Value, count: u64, headers: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    let number = event["n"].as_u64().unwrap_or(0);
    let answer = match event["do"].as_str() {
        Some("about") => json!({"pid": std::process::id(), "count": count, "headers": headers}),
        Some("variables") => json!(std::env::vars().collect::<BTreeMap<_, _>>()),
        Some("sleep") => {
            std::thread::sleep(Duration::from_millis(number));
            json!({"pid": std::process::id(), "slept": number})
        }
        Some("write") => {
            std::thread::sleep(Duration::from_millis(number));
            let path = event["path"].as_str().unwrap_or_default();
            let mut file = std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .map_err(|e| e.to_string())?;
            file.write_all(b"x").map_err(|e| e.to_string())?;
            if event["fail"] == true {
                return Err("written and failed".to_owned());
            }
            json!("written")
        }
        Some("print") => {
            for line in event["lines"].as_array().into_iter().flatten() {
                println!("{}", line.as_str().unwrap_or_default());
            }
            eprintln!("to standard error");
            json!("printed")
        }
        Some("exit") => std::process::exit(i32::try_from(number).unwrap_or(1)),
        Some("abort") => std::process::abort(),
        Some("error") => return Err("on purpose".to_owned()),
        Some("big") => json!("x".repeat(usize::try_from(number).unwrap_or(0))),
        _ => event.clone(),
    };
    serde_json::to_vec(&answer).map_err(|error| error.to_string())
}

struct Api {
    host: String,
    stream: BufReader<TcpStream>,
}

impl Api {
    fn connect() -> io::Result<Self> {
        let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self { host, stream: BufReader::new(stream) })
    }

    fn send(&mut self, path: &str, error_type: &str, body: &[u8]) -> io::Result<()> {
        self.exchange("POST", path, error_type, body).map(drop)
    }

    fn exchange(
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
