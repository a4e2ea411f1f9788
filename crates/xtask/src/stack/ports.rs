//! The ports everything listens on, all of them on loopback.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// The ports, and on the command line the flags that change them.
#[derive(Clone, Debug, clap::Args)]
pub struct Ports {
    /// The portal's port.
    #[arg(id = "port", long = "port", value_name = "N", default_value_t = 3000)]
    pub portal: u16,
    /// The port of the AWS endpoint.
    #[arg(long = "aws-port", value_name = "N", default_value_t = 4566)]
    pub aws: u16,
    /// The port of the HTTP API.
    #[arg(long = "http-port", value_name = "N", default_value_t = 4580)]
    pub http: u16,
    /// The port of the local TDS server.
    #[arg(long = "sql-port", value_name = "N", default_value_t = 14330)]
    pub sql: u16,
    /// The port through which faults are set.
    #[arg(long = "control-port", value_name = "N", default_value_t = 4599)]
    pub control: u16,
}

impl Ports {
    /// Ports that are free right now. Another program may take one before it is used; whoever
    /// listens on it then fails at its start.
    pub fn free() -> Result<Self> {
        // All five are held until the last is known, so that they differ.
        let held: Vec<TcpListener> = (0..5)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<_, _>>()
            .context("no free port")?;
        let mut ports = held.iter().map(|listener| listener.local_addr().map(|address| address.port()));
        let mut next = || ports.next().context("too few ports")?.context("a socket without address");
        Ok(Self { portal: next()?, aws: next()?, http: next()?, sql: next()?, control: next()? })
    }

    /// Checks that every port can be listened on. The error names each that cannot, who wants it,
    /// and what to do.
    pub fn check(&self) -> Result<()> {
        let mut taken = String::new();
        for (index, (what, flag, port)) in self.named().into_iter().enumerate() {
            let named_twice = self.named().iter().take(index).any(|(.., other)| *other == port);
            let why = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                _ if named_twice => "is given to two things".to_owned(),
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::AddrInUse => {
                    format!("is taken; {} shows by whom", who_holds(port))
                }
                Err(error) => format!("cannot be used ({error})"),
            };
            let _ = write!(taken, "\n  port {port}, for the {what}, {why}; `{flag} N` chooses another");
        }
        if !taken.is_empty() {
            bail!("not every port is free (does an earlier `cargo xtask run` still run?){taken}");
        }
        Ok(())
    }

    /// The portal's address for a browser: `localhost` rather than 127.0.0.1, because browsers take
    /// it for a secure place.
    pub fn portal_url(&self) -> String {
        format!("http://localhost:{}", self.portal)
    }

    fn named(&self) -> [(&'static str, &'static str, u16); 5] {
        [
            ("portal", "--port", self.portal),
            ("AWS endpoint", "--aws-port", self.aws),
            ("HTTP API", "--http-port", self.http),
            ("local TDS server", "--sql-port", self.sql),
            ("control port", "--control-port", self.control),
        ]
    }
}

fn who_holds(port: u16) -> String {
    if cfg!(target_os = "linux") {
        format!("`ss -ltnp 'sport = :{port}'`")
    } else {
        format!("`lsof -nP -iTCP:{port} -sTCP:LISTEN`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_used() {
        let ports = Ports::free().unwrap();
        ports.check().unwrap();
        let all: std::collections::BTreeSet<u16> = ports.named().iter().map(|(.., port)| *port).collect();
        assert_eq!(all.len(), 5);
    }

    #[test]
    fn a_taken_port_is_told_with_its_flag() {
        let mut ports = Ports::free().unwrap();
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ports.sql = holder.local_addr().unwrap().port();
        let error = ports.check().unwrap_err().to_string();
        let line = error.lines().find(|line| line.contains(&ports.sql.to_string())).unwrap();
        assert!(line.contains("local TDS server") && line.contains("--sql-port"), "{error}");
        assert_eq!(error.lines().count(), 2, "{error}");
    }

    #[test]
    fn a_port_given_twice_is_told() {
        let mut ports = Ports::free().unwrap();
        ports.control = ports.aws;
        assert!(ports.check().unwrap_err().to_string().contains("given to two things"));
    }
}
