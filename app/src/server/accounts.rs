//! People, their sign-in links, their access tokens ([`tokens`]), and who is signed in: the portal's own
//! SQLite file.
//!
//! The truth about the stack is in AWS; only accounts and sessions live here. Several portals on one
//! machine may share the file (WAL). Every change is one statement or one transaction, so a crash
//! leaves it before or after, never between.

pub mod tokens;

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use operations::{Clock, Random};
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tower_sessions_sqlx_store::SqliteStore;

/// How long a sign-in link is good for.
pub const LINK_LIFE_MS: i64 = 15 * 60 * 1_000;

/// How long somebody stays signed in at most. Together with [`IDLE_MS`] a compromise for a console
/// with rights to change things: one working day, and not overnight on an open laptop.
pub const SIGNED_IN_MS: i64 = 8 * 60 * 60 * 1_000;

/// How long somebody stays signed in without doing anything.
pub const IDLE_MS: i64 = 30 * 60 * 1_000;

/// Wrong passwords in a row, where a person shows once more that it is them, after which the sign-in
/// ends: as many as an address may try.
pub const WRONG_IN_A_ROW: i64 = 10;

/// A touch is written at most this often: reading a page should rarely write.
const TOUCH_EVERY_MS: i64 = 60 * 1_000;

/// Somebody who may sign in.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct User {
    /// The row's number.
    pub id: i64,
    /// In lower case.
    pub email: String,
    /// argon2id in PHC form.
    pub password_hash: Option<String>,
}

/// Who is behind a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account's e-mail address.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Whether the account has a password.
    pub has_password: bool,
    /// When they last showed that it is them.
    pub confirmed: Timestamp,
}

/// Names one sign-in; what a browser's session holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInId([u8; 16]);

impl SignInId {
    /// As text for the session's record.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// From [`to_text`](Self::to_text); none if it is something else.
    pub fn from_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// The accounts. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pool: SqlitePool,
    clock: Clock,
    random: Random,
}

impl Accounts {
    /// Opens the file at `path`, makes it (readable by its owner alone) where it is missing, and
    /// brings its tables up to date; safe to repeat.
    ///
    /// # Errors
    /// When the file can't be made or opened, or was written by a newer portal.
    pub async fn open(path: &Path, clock: Clock, random: Random) -> anyhow::Result<Self> {
        create_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(3))
            .connect_with(options)
            .await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        SqliteStore::new(pool.clone()).migrate().await?;
        Ok(Self { pool, clock, random })
    }

    /// The connections, for the session store.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Internal` when it does not.
    pub async fn ping(&self) -> Result<(), Problem> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map(drop).map_err(broken)
    }

    /// Adds somebody. `password_hash` in PHC form; none for sign-in by link alone.
    ///
    /// # Errors
    /// `Invalid` for what is no e-mail address, `Conflict` when there is such an account.
    pub async fn add(&self, email: &str, password_hash: Option<&str>, role: Role) -> Result<(), Problem> {
        let email = normal_email(email)?;
        let added = sqlx::query(
            "INSERT INTO users (email, password_hash, created_at, role) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&email)
        .bind(password_hash)
        .bind(self.now())
        .bind(role.name())
        .execute(&self.pool)
        .await
        .map_err(broken)?;
        match added.rows_affected() {
            1 => Ok(()),
            _ => {
                Err(Problem::new(ProblemKind::Conflict, format!("There is an account for {email} already."))
                    .with_next("Print a sign-in link for it: lockkeeper admin link --email ..."))
            }
        }
    }

    /// Somebody by e-mail address; none when there is no such account (or no such address).
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn find(&self, email: &str) -> Result<Option<User>, Problem> {
        let Ok(email) = normal_email(email) else { return Ok(None) };
        sqlx::query_as("SELECT id, email, password_hash FROM users WHERE email = ?")
            .bind(email)
            .fetch_optional(&self.pool)
            .await
            .map_err(broken)
    }

    /// An account's e-mail address as it is kept, and its role; none when there is no such account.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn role_of(&self, email: &str) -> Result<Option<(String, Role)>, Problem> {
        let Ok(email) = normal_email(email) else { return Ok(None) };
        let role: Option<String> = sqlx::query_scalar("SELECT role FROM users WHERE email = ?")
            .bind(&email)
            .fetch_optional(&self.pool)
            .await
            .map_err(broken)?;
        Ok(role.map(|role| (email, Role::from_name(&role).unwrap_or(Role::Viewer))))
    }

    /// A token that signs `user` in once within [`LINK_LIFE_MS`]: 256 random bits in base64url. It is
    /// not kept, only its hash.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn create_link(&self, user: &User) -> Result<String, Problem> {
        let mut secret = [0_u8; 32];
        (self.random)(&mut secret);
        let token = URL_SAFE_NO_PAD.encode(secret);
        let now = self.now();
        sqlx::query(
            "INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
        )
        .bind(token_hash(&token))
        .bind(user.id)
        .bind(now)
        .bind(now + LINK_LIFE_MS)
        .execute(&self.pool)
        .await
        .map_err(broken)?;
        Ok(token)
    }

    /// Whether `token` would sign somebody in; does not use it up.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn link_is_good(&self, token: &str) -> Result<bool, Problem> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT user_id FROM sign_in_links WHERE token_hash = ? AND used_at IS NULL AND expires_at > ?",
        )
        .bind(token_hash(token))
        .bind(self.now())
        .fetch_optional(&self.pool)
        .await
        .map_err(broken)?;
        Ok(found.is_some())
    }

    /// Uses `token` up and signs its owner in; none when it is unknown, used or too old. One
    /// statement decides, so of two that come at once one gets in; and one transaction holds both
    /// halves, so that a link is not used up for nothing.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn redeem(&self, token: &str) -> Result<Option<SignInId>, Problem> {
        let mut transaction = self.pool.begin().await.map_err(broken)?;
        let user: Option<i64> = sqlx::query_scalar(
            "UPDATE sign_in_links SET used_at = ?1
             WHERE token_hash = ?2 AND used_at IS NULL AND expires_at > ?1 RETURNING user_id",
        )
        .bind(self.now())
        .bind(token_hash(token))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(broken)?;
        let Some(user) = user else { return Ok(None) };
        let id = self.sign_in_on(&mut transaction, user).await?;
        transaction.commit().await.map_err(broken)?;
        Ok(Some(id))
    }

    /// Signs in the user with that number.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn sign_in(&self, user_id: i64) -> Result<SignInId, Problem> {
        let mut connection = self.pool.acquire().await.map_err(broken)?;
        self.sign_in_on(&mut connection, user_id).await
    }

    async fn sign_in_on(
        &self,
        connection: &mut sqlx::SqliteConnection,
        user_id: i64,
    ) -> Result<SignInId, Problem> {
        let mut id = [0_u8; 16];
        (self.random)(&mut id);
        sqlx::query(
            "INSERT INTO sign_ins (id, user_id, signed_in_at, seen_at, confirmed_at) VALUES (?1, ?2, ?3, ?3, ?3)",
        )
            .bind(id.as_slice())
            .bind(user_id)
            .bind(self.now())
            .execute(connection)
            .await
            .map_err(broken)?;
        Ok(SignInId(id))
    }

    /// Who is behind a sign-in; none when it is over (signed out, too old, idle for too long, the
    /// account gone).
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn visitor(&self, id: &SignInId) -> Result<Option<Person>, Problem> {
        let now = self.now();
        let row: Option<(String, String, bool, i64)> = sqlx::query_as(
            "SELECT email, role, password_hash IS NOT NULL, confirmed_at
             FROM sign_ins JOIN users ON users.id = user_id
             WHERE sign_ins.id = ? AND signed_in_at > ? AND seen_at > ?",
        )
        .bind(id.0.as_slice())
        .bind(now - SIGNED_IN_MS)
        .bind(now - IDLE_MS)
        .fetch_optional(&self.pool)
        .await
        .map_err(broken)?;
        Ok(row.map(|(email, role, has_password, confirmed)| Person {
            email,
            // The table lets in no other; if it did, the least is right.
            role: Role::from_name(&role).unwrap_or(Role::Viewer),
            has_password,
            confirmed: Timestamp(confirmed),
        }))
    }

    /// Takes one of the tries that a sign-in has to confirm, and says which one it is, counted from 1;
    /// none when they are used up. Taken before the password is looked at, so that many at once are no
    /// more than that.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn take_try(&self, id: &SignInId) -> Result<Option<i64>, Problem> {
        sqlx::query_scalar(
            "UPDATE sign_ins SET wrong_passwords = wrong_passwords + 1
             WHERE id = ? AND wrong_passwords < ? RETURNING wrong_passwords",
        )
        .bind(id.0.as_slice())
        .bind(WRONG_IN_A_ROW)
        .fetch_optional(&self.pool)
        .await
        .map_err(broken)
    }

    /// Gives a try back: the password was not looked at.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn give_try_back(&self, id: &SignInId) -> Result<(), Problem> {
        let back =
            "UPDATE sign_ins SET wrong_passwords = wrong_passwords - 1 WHERE id = ? AND wrong_passwords > 0";
        sqlx::query(back).bind(id.0.as_slice()).execute(&self.pool).await.map(drop).map_err(broken)
    }

    /// Notes that the person behind a sign-in has shown that it is them; all tries are there again.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn confirm(&self, id: &SignInId) -> Result<(), Problem> {
        let confirm = sqlx::query("UPDATE sign_ins SET confirmed_at = ?, wrong_passwords = 0 WHERE id = ?");
        confirm.bind(self.now()).bind(id.0.as_slice()).execute(&self.pool).await.map(drop).map_err(broken)
    }

    /// Notes that the person did something. Never brings an ended sign-in back.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn touch(&self, id: &SignInId) -> Result<(), Problem> {
        let now = self.now();
        sqlx::query("UPDATE sign_ins SET seen_at = ? WHERE id = ? AND seen_at <= ? AND seen_at > ?")
            .bind(now)
            .bind(id.0.as_slice())
            .bind(now - TOUCH_EVERY_MS)
            .bind(now - IDLE_MS)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(broken)
    }

    /// Ends a sign-in; safe to repeat.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn sign_out(&self, id: &SignInId) -> Result<(), Problem> {
        sqlx::query("DELETE FROM sign_ins WHERE id = ?")
            .bind(id.0.as_slice())
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(broken)
    }

    /// Deletes links, sign-ins and tokens that are over; safe to repeat.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn sweep(&self) -> Result<(), Problem> {
        let now = self.now();
        self.sweep_tokens(now).await?;
        let links = sqlx::query("DELETE FROM sign_in_links WHERE expires_at <= ?").bind(now);
        links.execute(&self.pool).await.map_err(broken)?;
        let over = sqlx::query("DELETE FROM sign_ins WHERE signed_in_at <= ? OR seen_at <= ?");
        let over = over.bind(now - SIGNED_IN_MS).bind(now - IDLE_MS);
        over.execute(&self.pool).await.map(drop).map_err(broken)
    }

    fn now(&self) -> i64 {
        let Timestamp(now) = (self.clock)();
        now
    }
}

/// Lower case and trimmed.
///
/// # Errors
/// `Invalid` for what is no e-mail address. Only coarsely: whether mail arrives there is nothing
/// that a rule could tell. 254 characters: RFC 5321, 4.5.3.1.3.
fn normal_email(email: &str) -> Result<String, Problem> {
    let email = email.trim().to_lowercase();
    let plausible =
        email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if plausible && email.len() <= 254 && !email.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Ok(email)
    } else {
        Err(Problem::new(ProblemKind::Invalid, "That is not an e-mail address."))
    }
}

/// A fast hash is enough: the token is random, there is nothing to guess from.
fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Makes the file, if missing, readable by its owner alone: it holds session ids. SQLite gives its
/// `-wal` and `-shm` files the same rights.
fn create_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// What people are told when the database fails; the rest goes to the log.
fn broken(error: sqlx::Error) -> Problem {
    tracing::error!(%error, "the portal's database failed");
    Problem::new(ProblemKind::Internal, "Lockkeeper's own database did not answer.")
        .with_next("Try again in a moment; the log says more.")
}
