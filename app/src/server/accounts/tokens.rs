//! Access tokens: `lk_`, twelve hexadecimal digits by which one is looked up, and 256 random bits.
//!
//! Only the SHA-256 is kept. A fast hash is enough: there is nothing to guess from. A revoked token's
//! row is deleted, so that it is not good from the very next request on; one that expired stays for a
//! while, so that its owner sees why a job has stopped working.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::people::Role;
use model::problem::{Problem, ProblemKind};
use model::time::Timestamp;
use model::tokens::{
    CreateToken, LONGEST_NAME, MOST_HOURS, MOST_TOKENS, Scopes, Token, USUAL_HOURS, UsedToken,
};
use subtle::ConstantTimeEq;

use super::{Accounts, TOUCH_EVERY_MS, broken, token_hash};

/// How long a token that has expired is still shown.
const SHOWN_MS: i64 = 30 * 24 * HOUR_MS;

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// What every token begins with, so that scanners for secrets know it when they see it.
const PREFIX: &str = "lk_";

/// A token as its owner gets it, once. Neither `Serialize` nor `Display`, and `Debug` hides it.
pub struct TokenText(String);

impl TokenText {
    /// The token, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for TokenText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenText(..)")
    }
}

/// Whose token it is, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The account's e-mail address.
    pub email: String,
    /// What the account may do now.
    pub role: Role,
    /// Whether the account has a password.
    pub has_password: bool,
    /// The token.
    pub token: UsedToken,
}

/// What a text that should be a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A token that is good.
    Good(Holder),
    /// A token that has expired, and when. Only whoever has it whole is told so.
    Expired(Timestamp),
    /// No token, or one that was revoked.
    Unknown,
}

/// A row: hash, name, scopes, end, last use, e-mail address, role, whether there is a password.
type Row = (Vec<u8>, String, String, i64, Option<i64>, String, String, bool);

impl Accounts {
    /// Twelve hexadecimal digits for the next token.
    pub fn new_token_id(&self) -> String {
        let mut bytes = [0_u8; 6];
        (self.random)(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Makes the token `id` for the account `email`. It ends at `latest` at the latest.
    ///
    /// # Errors
    /// `Invalid` for a name or a life that breaks a rule, and where it would end later than `latest`;
    /// `Conflict` when there are too many; `NotSignedIn` when the account is gone; `Internal` when the
    /// database fails.
    pub async fn add_token(
        &self,
        email: &str,
        id: &str,
        asked: &CreateToken,
        latest: Option<Timestamp>,
    ) -> Result<(Token, TokenText), Problem> {
        let now = self.now();
        let CreateToken { name, scopes, hours } = checked(asked.clone())?;
        let expires = now + i64::from(hours.unwrap_or(USUAL_HOURS)) * HOUR_MS;
        if latest.is_some_and(|latest| latest.0 < expires) {
            let message = "A token can't make one that lasts longer than itself.";
            return Err(Problem::new(ProblemKind::Invalid, message)
                .with_next("Make it on the portal's page \u{201c}Access tokens\u{201d}, or for less long."));
        }
        let user = self
            .find(email)
            .await?
            .ok_or_else(|| Problem::new(ProblemKind::NotSignedIn, "The account is gone."))?;
        let mut secret = [0_u8; 32];
        (self.random)(&mut secret);
        let text = TokenText(format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret)));
        // One statement counts and inserts, so that two at once are not one too many.
        let added = sqlx::query(
            "INSERT INTO access_tokens (id, user_id, name, token_hash, scopes, created_at, expires_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE (SELECT count(*) FROM access_tokens WHERE user_id = ?2 AND expires_at > ?6) < ?8",
        )
        .bind(id)
        .bind(user.id)
        .bind(&name)
        .bind(token_hash(text.expose()))
        .bind(scopes.names())
        .bind(now)
        .bind(expires)
        .bind(MOST_TOKENS)
        .execute(&self.pool)
        .await
        .map_err(broken)?;
        if added.rows_affected() == 0 {
            let message = format!("You have {MOST_TOKENS} tokens, and there can't be more.");
            return Err(
                Problem::new(ProblemKind::Conflict, message).with_next("Revoke one that is not needed.")
            );
        }
        self.forget_oldest(user.id, now).await?;
        let (created, expires) = (Timestamp(now), Timestamp(expires));
        Ok((Token { id: id.to_owned(), name, scopes, created, expires, last_used: None }, text))
    }

    /// Of the account's tokens that have expired only the last few are kept: the list has an end.
    async fn forget_oldest(&self, user: i64, now: i64) -> Result<(), Problem> {
        let forget = sqlx::query(
            "DELETE FROM access_tokens WHERE user_id = ?1 AND expires_at <= ?2 AND id NOT IN
             (SELECT id FROM access_tokens WHERE user_id = ?1 AND expires_at <= ?2
              ORDER BY expires_at DESC LIMIT ?3)",
        );
        let forget = forget.bind(user).bind(now).bind(MOST_TOKENS).execute(&self.pool);
        forget.await.map(drop).map_err(broken)
    }

    /// The account's tokens, the newest first: those that are good, and those that expired a while ago
    /// at most.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn tokens(&self, email: &str) -> Result<Vec<Token>, Problem> {
        type Row = (String, String, String, i64, i64, Option<i64>);
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT access_tokens.id, name, scopes, access_tokens.created_at, expires_at, last_used_at
             FROM access_tokens JOIN users ON users.id = user_id
             WHERE email = ? AND expires_at > ? ORDER BY access_tokens.created_at DESC, access_tokens.id",
        )
        .bind(email)
        .bind(self.now() - SHOWN_MS)
        .fetch_all(&self.pool)
        .await
        .map_err(broken)?;
        let token = |(id, name, scopes, created, expires, used): Row| Token {
            id,
            name,
            scopes: Scopes::from_names(&scopes),
            created: Timestamp(created),
            expires: Timestamp(expires),
            last_used: used.map(Timestamp),
        };
        Ok(rows.into_iter().map(token).collect())
    }

    /// Ends a token of the account.
    ///
    /// # Errors
    /// `NotFound` when the account has no such token; `Internal` when the database fails.
    pub async fn revoke_token(&self, email: &str, id: &str) -> Result<(), Problem> {
        let revoked = sqlx::query(
            "DELETE FROM access_tokens WHERE id = ? AND user_id = (SELECT id FROM users WHERE email = ?)",
        );
        let revoked = revoked.bind(id).bind(email).execute(&self.pool).await.map_err(broken)?;
        match revoked.rows_affected() {
            0 => Err(Problem::new(ProblemKind::NotFound, "You have no such token.")),
            _ => Ok(()),
        }
    }

    /// What a text is that somebody shows as a token; notes the use of a good one, at most once a
    /// minute.
    ///
    /// # Errors
    /// `Internal` when the database fails.
    pub async fn shown(&self, text: &str) -> Result<Shown, Problem> {
        let Some(id) = id_of(text) else { return Ok(Shown::Unknown) };
        let row: Option<Row> = sqlx::query_as(
            "SELECT token_hash, name, scopes, expires_at, last_used_at, email, role, password_hash IS NOT NULL
             FROM access_tokens JOIN users ON users.id = user_id WHERE access_tokens.id = ?",
        )
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(broken)?;
        let Some((hash, name, scopes, expires, last_used, email, role, has_password)) = row else {
            return Ok(Shown::Unknown);
        };
        if !bool::from(hash.as_slice().ct_eq(&token_hash(text))) {
            return Ok(Shown::Unknown);
        }
        let now = self.now();
        if expires <= now {
            return Ok(Shown::Expired(Timestamp(expires)));
        }
        if last_used.is_none_or(|last| last <= now - TOUCH_EVERY_MS) {
            self.note_use(id, now).await?;
        }
        let scopes = Scopes::from_names(&scopes);
        let token = UsedToken { id: id.to_owned(), name, scopes, expires: Timestamp(expires) };
        // The table lets in no other role; if it did, the least is right.
        let role = Role::from_name(&role).unwrap_or(Role::Viewer);
        Ok(Shown::Good(Holder { email, role, has_password, token }))
    }

    async fn note_use(&self, id: &str, now: i64) -> Result<(), Problem> {
        let note = sqlx::query(
            "UPDATE access_tokens SET last_used_at = ?1 WHERE id = ?2
             AND (last_used_at IS NULL OR last_used_at <= ?3)",
        );
        let note = note.bind(now).bind(id).bind(now - TOUCH_EVERY_MS).execute(&self.pool);
        note.await.map(drop).map_err(broken)
    }

    /// Deletes tokens that expired so long ago that they are not shown any more; safe to repeat.
    pub(super) async fn sweep_tokens(&self, now: i64) -> Result<(), Problem> {
        let over = sqlx::query("DELETE FROM access_tokens WHERE expires_at <= ?").bind(now - SHOWN_MS);
        over.execute(&self.pool).await.map(drop).map_err(broken)
    }
}

/// What is asked for, its name trimmed and its life said.
///
/// # Errors
/// `Invalid`, naming the rule that is broken.
pub fn checked(asked: CreateToken) -> Result<CreateToken, Problem> {
    let (name, hours) = (good_name(&asked.name)?, Some(good_life(asked.hours)?));
    Ok(CreateToken { name, hours, ..asked })
}

/// Whether a text can be the id of a token.
pub fn is_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The id at the beginning of a token; none for what can't be one. A token has 59 characters; what is
/// much longer is not even hashed.
fn id_of(text: &str) -> Option<&str> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (is_id(id) && (20..=100).contains(&secret.len())).then_some(id)
}

fn good_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let length = name.chars().count();
    if (1..=LONGEST_NAME).contains(&length) && !name.contains(char::is_control) {
        return Ok(name.to_owned());
    }
    let message = format!("A token's name has 1 to {LONGEST_NAME} characters, and no control characters.");
    Err(Problem::new(ProblemKind::Invalid, message))
}

fn good_life(hours: Option<u32>) -> Result<u32, Problem> {
    let hours = hours.unwrap_or(USUAL_HOURS);
    if (1..=MOST_HOURS).contains(&hours) {
        return Ok(hours);
    }
    let message = format!("A token lasts from 1 hour to {MOST_HOURS} hours (365 days).");
    Err(Problem::new(ProblemKind::Invalid, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_token_is_looked_up() {
        let secret = "A".repeat(43);
        let table = [
            (format!("lk_0123456789ab_{secret}"), Some("0123456789ab")),
            (format!("lk_0123456789ab_{}", "_".repeat(43)), Some("0123456789ab")),
            (format!("lk_0123456789ab_{}", "A".repeat(200)), None),
            (format!("lk_0123456789a_{secret}"), None),
            (format!("lk_0123456789a'_{secret}"), None),
            (format!("xx_0123456789ab_{secret}"), None),
            ("lk_0123456789ab".to_owned(), None),
            ("lk_0123456789ab_".to_owned(), None),
            (String::new(), None),
        ];
        for (text, id) in table {
            assert_eq!(id_of(&text), id, "{text}");
        }
    }

    #[test]
    fn names_and_lives_are_held_to_the_rules() {
        for (name, good) in [
            ("ci", true),
            (" ci ", true),
            ("", false),
            (" ", false),
            ("a\nb", false),
            (&*"x".repeat(61), false),
        ] {
            assert_eq!(good_name(name).is_ok(), good, "{name:?}");
        }
        for (hours, good) in
            [(None, true), (Some(1), true), (Some(8_760), true), (Some(0), false), (Some(8_761), false)]
        {
            assert_eq!(good_life(hours).is_ok(), good, "{hours:?}");
        }
        assert_eq!(format!("{:?}", TokenText("lk_secret".to_owned())), "TokenText(..)");
    }
}
