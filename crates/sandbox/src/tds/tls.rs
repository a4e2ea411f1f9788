//! The sandbox's own certificate authority, and the server certificate it signs. Both are kept in
//! the state folder, so that a client that was told to trust the authority once goes on trusting it
//! after a restart; the server's certificate is renewed when it is near its end.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use tokio_rustls::TlsAcceptor;

use crate::context::{Context, lock};

/// The names the server's certificate is valid for, whatever the machine is called.
const NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];
/// How long the authority lives. It is this sandbox's alone, and replaced with `--fresh`.
const AUTHORITY_LIVES: TimeDelta = TimeDelta::days(3_650);
/// How long a server certificate lives: clients refuse those that live longer than 398 days.
const SERVER_LIVES: TimeDelta = TimeDelta::days(397);
/// What must be left of it, or it is renewed.
const RENEWED_BEFORE: TimeDelta = TimeDelta::days(30);

/// What the files beside the certificates say.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    names: Vec<String>,
    until: DateTime<Utc>,
}

/// How connections are encrypted.
#[derive(Clone)]
pub struct Acceptors {
    /// For TDS 7: TLS 1.2, whose handshake ends before anything else is sent.
    pub wrapped: TlsAcceptor,
    /// For TDS 8: TLS 1.2 or 1.3, ALPN `tds/8.0`.
    pub strict: TlsAcceptor,
    until: DateTime<Utc>,
}

/// Authority and certificate.
pub struct Certificates {
    context: Arc<Context>,
    folder: PathBuf,
    names: Vec<String>,
    authority: String,
    acceptors: Mutex<Acceptors>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Opens the authority in `tds/tls` of the context's folder, or makes it, for the host names
    /// given besides the loopback ones.
    ///
    /// # Errors
    /// When the files can't be read or made.
    pub fn open(context: Arc<Context>, hosts: &[String]) -> io::Result<Self> {
        let folder = context.path("tds/tls");
        fs::create_dir_all(&folder)?;
        let mut names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        names.extend(hosts.iter().filter(|host| !NAMES.contains(&host.as_str())).cloned());
        let authority = authority(&folder, context.now())?;
        let acceptors = acceptors(&folder, &names, &authority, context.now())?;
        Ok(Self { context, folder, names, authority, acceptors: Mutex::new(acceptors) })
    }

    /// The authority's certificate in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// What to encrypt a new connection with.
    ///
    /// # Errors
    /// When the certificate is to be renewed and that fails.
    pub fn acceptors(&self) -> io::Result<Acceptors> {
        let now = self.context.now();
        let mut held = lock(&self.acceptors);
        if held.until - now < RENEWED_BEFORE {
            *held = acceptors(&self.folder, &self.names, &self.authority, now)?;
        }
        Ok(held.clone())
    }
}

/// The authority's certificate, made on the first start.
fn authority(folder: &Path, now: DateTime<Utc>) -> io::Result<String> {
    let path = folder.join("ca.pem");
    if let Some(record) = record(&folder.join("ca.json"))?
        && record.until - now > SERVER_LIVES
    {
        return fs::read_to_string(&path);
    }
    let until = now + AUTHORITY_LIVES;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let pem = authority_params(now, until)?.self_signed(&key).map_err(io::Error::other)?.pem();
    write(&folder.join("ca-key.pem"), &key.serialize_pem())?;
    write(&path, &pem)?;
    // What was signed by an authority before this one is of no use any more.
    let server = folder.join("server.json");
    if server.exists() {
        fs::remove_file(server)?;
    }
    // The record comes last: without it the authority is made again.
    write_record(&folder.join("ca.json"), &Record { names: Vec::new(), until })?;
    Ok(pem)
}

fn authority_params(from: DateTime<Utc>, until: DateTime<Utc>) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Lockkeeper sandbox authority");
    set_period(&mut params, from, until);
    Ok(params)
}

/// Certificates carry whole days here: from the day before to the day after.
fn set_period(params: &mut CertificateParams, from: DateTime<Utc>, until: DateTime<Utc>) {
    let day = |time: DateTime<Utc>| {
        let (month, day) = (time.month() as u8, time.day() as u8);
        rcgen::date_time_ymd(time.year(), month, day)
    };
    params.not_before = day(from - TimeDelta::days(1));
    params.not_after = day(until);
}

/// The server's certificate as acceptors; made when there is none, or not for these names, or when
/// it is near its end.
fn acceptors(folder: &Path, names: &[String], authority: &str, now: DateTime<Utc>) -> io::Result<Acceptors> {
    let known = record(&folder.join("server.json"))?;
    let until = match known {
        Some(record) if record.names == names && record.until - now >= RENEWED_BEFORE => record.until,
        _ => issue(folder, names, now)?,
    };
    let chain = [fs::read_to_string(folder.join("server.pem"))?, authority.to_owned()].concat();
    let key = fs::read(folder.join("server-key.pem"))?;
    let invalid =
        |error| io::Error::new(io::ErrorKind::InvalidData, format!("the server's certificate: {error}"));
    let config =
        |versions: &[&'static SupportedProtocolVersion], alpn: &[&[u8]]| -> io::Result<TlsAcceptor> {
            let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
            let key = PrivateKeyDer::from_pem_slice(&key).map_err(invalid)?;
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .map_err(io::Error::other)?
                .with_no_client_auth()
                .with_single_cert(certificates.map_err(invalid)?, key)
                .map_err(io::Error::other)?;
            // Nothing is resumed: a connection is for long, and tickets after the handshake would stand
            // where a TDS 7 client expects its answer.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            Ok(TlsAcceptor::from(Arc::new(config)))
        };
    Ok(Acceptors {
        wrapped: config(&[&TLS12], &[])?,
        strict: config(&[&TLS12, &TLS13], &[b"tds/8.0"])?,
        until,
    })
}

/// Signs a new server certificate and returns its end.
fn issue(folder: &Path, names: &[String], now: DateTime<Utc>) -> io::Result<DateTime<Utc>> {
    let until = now + SERVER_LIVES;
    let authority_key = fs::read_to_string(folder.join("ca-key.pem"))?;
    let authority_key = KeyPair::from_pem(&authority_key).map_err(io::Error::other)?;
    let issuer = Issuer::new(authority_params(now, until)?, authority_key);
    let mut params = CertificateParams::new(names.to_vec()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, "local TDS server");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_period(&mut params, now, until);
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.signed_by(&key, &issuer).map_err(io::Error::other)?;
    write(&folder.join("server-key.pem"), &key.serialize_pem())?;
    write(&folder.join("server.pem"), &certificate.pem())?;
    write_record(&folder.join("server.json"), &Record { names: names.to_vec(), until })?;
    Ok(until)
}

fn record(path: &Path) -> io::Result<Option<Record>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write_record(path: &Path, record: &Record) -> io::Result<()> {
    write(path, &serde_json::to_string(record)?)
}

/// Writes a file whole and moves it into place, readable for its owner only.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Clock, ManualClock};

    fn served(folder: &Path) -> String {
        fs::read_to_string(folder.join("tds/tls/server.pem")).unwrap()
    }

    #[test]
    fn the_authority_stays_and_the_certificate_is_renewed_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let context = Context::for_tests(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>);
        let first = Certificates::open(Arc::clone(&context), &[]).unwrap();
        let certificate = served(folder.path());

        clock.advance(TimeDelta::days(300));
        let again = Certificates::open(Arc::clone(&context), &[]).unwrap();
        assert_eq!(again.authority(), first.authority());
        assert_eq!(served(folder.path()), certificate);

        clock.advance(TimeDelta::days(80));
        again.acceptors().unwrap();
        assert_ne!(served(folder.path()), certificate);
        assert_eq!(Certificates::open(context, &[]).unwrap().authority(), first.authority());
    }

    #[test]
    fn another_host_name_needs_another_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let context = Context::for_tests(folder.path(), clock);
        Certificates::open(Arc::clone(&context), &[]).unwrap();
        let certificate = served(folder.path());
        Certificates::open(context, &["db.example".to_owned()]).unwrap();
        assert_ne!(served(folder.path()), certificate);
    }
}
