//! A bootstrap for the tests of the Lambda runtime: it speaks the Runtime API over a bare socket,
//! without any library of AWS's, and does what the event tells it to.
//!
//! `{"do": "echo"}` and nothing else: the event comes back. The others are in [`perform`]. How it
//! starts is told by the variable `START`: `exit`, `error`, `sleep`.

#[path = "runtime/api.rs"]
mod api;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use api::{Api, PATH};

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
