//! X-Ray: what a request waited for, told to the daemon that runs beside a function with active
//! tracing.
//!
//! Lambda makes the segment of the function itself; these are subsegments of it, one for each reading
//! of the secret, connection and statement. They go to the daemon as UDP datagrams of JSON ("AWS X-Ray
//! segment documents", X-Ray Developer Guide) and may get lost: nobody waits for them. They hold no
//! host, login or SQL text.

use std::net::{SocketAddr, UdpSocket};

use serde_json::{Value, json};

use crate::meter::{Span, SpanKind};
use crate::time::Random;

/// What stands before each document.
const HEADER: &str = "{\"format\":\"json\",\"version\":1}\n";

/// Tells the daemon.
#[derive(Debug)]
pub struct Tracer {
    socket: UdpSocket,
    random: Random,
}

impl Tracer {
    /// A tracer for the daemon at this address; none where there is no socket to be had, which is
    /// logged and costs nothing but the traces.
    pub fn new(daemon: SocketAddr, random: Random) -> Option<Self> {
        let open = || {
            let any = if daemon.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(daemon)?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        match open() {
            Ok(socket) => Some(Self { socket, random }),
            Err(error) => {
                tracing::warn!(%error, "no socket for traces");
                None
            }
        }
    }

    /// Tells of a request's waits under the trace header of its invocation, where that says that the
    /// request is traced.
    pub fn tell(&self, header: &str, spans: &[Span]) {
        let Some((root, parent)) = sampled(header) else { return };
        for span in spans {
            let document = format!("{HEADER}{}", document(root, parent, self.random.number(), span));
            // A daemon that is gone, or a full buffer: the trace lacks this one.
            if let Err(error) = self.socket.send(document.as_bytes()) {
                tracing::debug!(%error, "a span was not told");
            }
        }
    }
}

/// Trace and parent of `Root=...;Parent=...;Sampled=1`; none when the request is not traced.
fn sampled(header: &str) -> Option<(&str, &str)> {
    let part =
        |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    (part("Sampled")? == "1").then_some(())?;
    Some((part("Root")?, part("Parent")?))
}

fn document(root: &str, parent: &str, id: u64, span: &Span) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
    let start = span.start.timestamp_micros() as f64 / 1e6;
    let mut document = json!({
        "type": "subsegment",
        "id": format!("{id:016x}"),
        "trace_id": root,
        "parent_id": parent,
        "start_time": start,
        "end_time": start + span.took.as_secs_f64(),
    });
    match span.kind {
        SpanKind::Secret => {
            document["name"] = json!("SecretsManager");
            document["namespace"] = json!("aws");
            document["aws"] = json!({ "operation": "GetSecretValue" });
        }
        SpanKind::Connect => {
            document["name"] = json!("SQL Server: connect");
            document["namespace"] = json!("remote");
        }
        SpanKind::Sql => {
            document["name"] = json!("SQL Server");
            document["namespace"] = json!("remote");
            document["sql"] = json!({ "database_type": "SQL Server" });
        }
    }
    if span.failed {
        document["fault"] = json!(true);
    }
    document
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;

    const TRACE: &str =
        "Root=1-5e5ffbde-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:a:0";

    #[test]
    fn only_what_is_sampled_is_told() {
        let parent = Some(("1-5e5ffbde-000000000000000000000001", "53995c3f42cd8ad8"));
        for (header, expected) in [
            (TRACE, parent),
            ("Root=1-a-b;Parent=c;Sampled=0", None),
            ("Root=1-a-b;Parent=c;Sampled=?", None),
            ("Root=1-a-b;Sampled=1", None),
            ("Root=1-a-b;Parent=c", None),
            ("", None),
        ] {
            assert_eq!(sampled(header), expected, "{header}");
        }
    }

    #[test]
    fn the_daemon_is_told_of_each_wait() {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        daemon.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let tracer = Tracer::new(daemon.local_addr().unwrap(), Random::seeded(1)).unwrap();
        let span = |kind, failed| Span {
            kind,
            start: DateTime::from_timestamp_millis(1_700_000_000_500).unwrap(),
            took: Duration::from_millis(250),
            failed,
        };
        tracer.tell("Root=1-a-b;Parent=c;Sampled=0", &[span(SpanKind::Sql, false)]);
        tracer.tell(TRACE, &[span(SpanKind::Secret, false), span(SpanKind::Sql, true)]);
        let receive = || {
            let mut bytes = [0; 2_048];
            let length = daemon.recv(&mut bytes).unwrap();
            let text = std::str::from_utf8(&bytes[..length]).unwrap();
            serde_json::from_str::<Value>(text.strip_prefix(HEADER).unwrap()).unwrap()
        };
        let (secret, sql) = (receive(), receive());
        assert_eq!(secret["trace_id"], "1-5e5ffbde-000000000000000000000001");
        assert_eq!(
            (&secret["parent_id"], &secret["type"]),
            (&json!("53995c3f42cd8ad8"), &json!("subsegment"))
        );
        assert_eq!((&secret["name"], &secret["namespace"]), (&json!("SecretsManager"), &json!("aws")));
        assert_eq!(
            (&secret["start_time"], &secret["end_time"]),
            (&json!(1_700_000_000.5), &json!(1_700_000_000.75))
        );
        assert_eq!((&secret["fault"], &sql["fault"]), (&Value::Null, &json!(true)));
        assert_ne!(secret["id"], sql["id"]);
        assert_eq!(sql["id"].as_str().map(str::len), Some(16));
    }
}
