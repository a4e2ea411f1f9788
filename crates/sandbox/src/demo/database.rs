//! The database's side: schema, sample data and the application's login, over TDS with TLS.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tiberius::{AuthMethod, Client, EncryptionLevel};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use crate::Sandbox;

/// The database's name.
pub const DATABASE: &str = "LearningHub";
/// The application's login, a reader and writer of that database and nothing more.
pub const LOGIN: &str = "learninghub_app";
/// The login that the rotation function changes the application's with.
pub const SUPERUSER: &str = "lockkeeper_rotation";

/// How long connecting, or one batch, may take.
const LIMIT: Duration = Duration::from_secs(30);

type Connection = Client<Compat<TcpStream>>;

/// Makes the database and runs every migration in the order of the files' names. The files are
/// written to be safe to repeat, so all of them run at every start.
pub(super) async fn migrate(sandbox: &Sandbox, ca: &str, migrations: &Path) -> Result<()> {
    let mut master = connect(sandbox, ca, "master").await?;
    batch(&mut master, &format!("IF DB_ID(N'{DATABASE}') IS NULL CREATE DATABASE [{DATABASE}]")).await?;
    let mut files: Vec<_> = std::fs::read_dir(migrations)
        .with_context(|| format!("read {}", migrations.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    let mut connection = connect(sandbox, ca, DATABASE).await?;
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        for (number, sql) in batches(&text).iter().enumerate() {
            batch(&mut connection, sql)
                .await
                .with_context(|| format!("batch {} of {}", number + 1, file.display()))?;
        }
    }
    Ok(())
}

/// Makes the application's login with this password, or gives it this password where it exists.
pub(super) async fn set_login(sandbox: &Sandbox, ca: &str, password: &str) -> Result<()> {
    let mut master = connect(sandbox, ca, "master").await?;
    batch(&mut master, &login(LOGIN, DATABASE, password)?).await?;
    set_user(sandbox, ca, LOGIN, &["db_datareader", "db_datawriter"]).await
}

/// Makes the login with which the rotation function changes others, or gives it this password.
///
/// It is no member of sysadmin. `ALTER ANY LOGIN` lets it make the second user's login and change both
/// passwords, and see all logins with their options; `db_owner` of the database lets it make the user
/// there, put it into roles, fixed ones too, and grant it what the first one has. In another database
/// that the application uses it would have to be a user with that role as well, and for an application
/// login with server roles, sysadmin: only such a one gives them.
pub(super) async fn set_superuser(sandbox: &Sandbox, ca: &str, password: &str) -> Result<()> {
    let mut master = connect(sandbox, ca, "master").await?;
    batch(&mut master, &login(SUPERUSER, "master", password)?).await?;
    batch(&mut master, &format!("GRANT ALTER ANY LOGIN TO [{SUPERUSER}]")).await?;
    set_user(sandbox, ca, SUPERUSER, &["db_owner"]).await
}

/// The statement that makes a login or changes its password, which comes from Secrets Manager's
/// generator and is alphanumeric.
fn login(name: &str, database: &str, password: &str) -> Result<String> {
    anyhow::ensure!(password.chars().all(|c| c.is_ascii_alphanumeric()), "the password is not alphanumeric");
    Ok(format!(
        "IF NOT EXISTS (SELECT 1 FROM sys.sql_logins WHERE name = N'{name}') CREATE LOGIN [{name}] WITH PASSWORD = N'{password}', DEFAULT_DATABASE = [{database}] \
         ELSE ALTER LOGIN [{name}] WITH PASSWORD = N'{password}'"
    ))
}

async fn set_user(sandbox: &Sandbox, ca: &str, login: &str, roles: &[&str]) -> Result<()> {
    let mut connection = connect(sandbox, ca, DATABASE).await?;
    let user = format!(
        "IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'{login}') \
         CREATE USER [{login}] FOR LOGIN [{login}]"
    );
    batch(&mut connection, &user).await?;
    for role in roles {
        batch(&mut connection, &format!("ALTER ROLE [{role}] ADD MEMBER [{login}]")).await?;
    }
    Ok(())
}

async fn connect(sandbox: &Sandbox, ca: &str, database: &str) -> Result<Connection> {
    let address = sandbox.addresses().tds;
    let mut config = tiberius::Config::new();
    config.host("localhost");
    config.port(address.port());
    config.database(database);
    config.application_name("lockkeeper-sandbox demo");
    config.encryption(EncryptionLevel::Required);
    config.trust_cert_ca_bundle(ca.as_bytes().to_vec());
    config.authentication(AuthMethod::sql_server("admin", sandbox.admin_password()));
    let connecting = async {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        anyhow::Ok(Client::connect(config, tcp.compat_write()).await?)
    };
    tokio::time::timeout(LIMIT, connecting).await.context("connecting took too long")?
}

async fn batch(connection: &mut Connection, sql: &str) -> Result<()> {
    let running = async { anyhow::Ok(connection.simple_query(sql).await?.into_results().await?) };
    tokio::time::timeout(LIMIT, running).await.context("the batch took too long")??;
    Ok(())
}

/// A script's batches: the lines between lines that say GO.
fn batches(script: &str) -> Vec<String> {
    let mut batches = vec![String::new()];
    for line in script.lines() {
        if line.trim().eq_ignore_ascii_case("go") {
            batches.push(String::new());
        } else if let Some(batch) = batches.last_mut() {
            batch.push_str(line);
            batch.push('\n');
        }
    }
    batches.retain(|batch| !batch.trim().is_empty());
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_parts_batches_and_is_no_part_of_them() {
        assert_eq!(batches("SELECT 1\nGO\n\n go \nSELECT N'GO on'\n"), ["SELECT 1\n", "SELECT N'GO on'\n"]);
        assert_eq!(batches("\n"), Vec::<String>::new());
    }
}
