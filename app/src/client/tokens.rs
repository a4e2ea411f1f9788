//! `lockkeeper token`: your access tokens.

use clap::{Args, Subcommand};
use model::time::Timestamp;
use model::tokens::{CreateToken, MOST_HOURS, Scope, Scopes, Token, Tokens};
use serde_json::{Value, json};

use super::retry::Repeat;
use super::stop::{Exit, Stop};
use super::{Connection, Tools, connect, output};
use crate::components::words;

/// What `token` can be told.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Where the portal is.
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Subcommand)]
enum Command {
    /// List them; never the tokens themselves, which nobody has but you.
    List,
    /// Make one and print it, this once. Your own must have the scope admin, and last at least as long.
    Create(Wanted),
    /// End one.
    Revoke {
        /// Its id, from the list.
        id: String,
    },
}

/// The token that is wanted.
#[derive(Args)]
pub struct Wanted {
    /// What to call it, for example the job that uses it.
    #[arg(long)]
    pub name: String,
    /// What it is good for: read (always), rotate, deploy, admin. Say it several times for several.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    pub scopes: Vec<Scope>,
    /// How long it is good: hours or days, for example 12h or 30d, up to 365d.
    #[arg(long = "expires", value_name = "TIME", value_parser = hours, default_value = "30d")]
    pub hours: u32,
}

impl Wanted {
    /// As the operation.
    pub fn operation(self) -> CreateToken {
        CreateToken { name: self.name, scopes: Scopes::new(self.scopes), hours: Some(self.hours) }
    }
}

/// Does it.
///
/// # Errors
/// What the portal says.
pub async fn run(arguments: Arguments, tools: &Tools) -> Result<(), Stop> {
    let api = connect(&arguments.connection, tools)?;
    let output = arguments.connection.output();
    match arguments.command {
        Command::List => {
            let tokens: Tokens = api.get("/api/v1/tokens").await?;
            output.result(&tokens, || table(&tokens))
        }
        Command::Create(wanted) => {
            let made: Value = api.post("/api/v1/tokens", &wanted.operation(), Repeat::Never).await?;
            let text = made
                .get("token")
                .and_then(Value::as_str)
                .ok_or_else(|| Stop::new(Exit::Failed, "The portal's answer holds no token."))?;
            if let Some(about) = serde_json::from_value(made.clone()).ok().filter(|_| !output.json) {
                output.tell(&told(&about));
            }
            output.result(&made, || text.to_owned())
        }
        Command::Revoke { id } => {
            if !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(Stop::new(
                    Exit::Usage,
                    "That is not the id of a token: it has 12 hexadecimal digits.",
                )
                .with_next("lockkeeper token list shows them."));
            }
            api.delete(&format!("/api/v1/tokens/{id}")).await?;
            output.result(&json!({ "revoked": id }), || format!("Revoked {id}."))
        }
    }
}

/// What is said beside a new token.
pub fn told(token: &Token) -> String {
    let Token { id, name, scopes, expires, .. } = token;
    format!(
        "\u{201c}{name}\u{201d} ({id}), good for {} until {}; shown this once:",
        scopes.names(),
        words::utc(*expires)
    )
}

fn table(tokens: &Tokens) -> String {
    let when = |at: Timestamp| words::utc(at);
    let rows: Vec<[String; 6]> = tokens
        .tokens
        .iter()
        .map(|token| {
            let expired = if token.expires <= tokens.now { " (expired)" } else { "" };
            [
                token.id.clone(),
                token.name.clone(),
                token.scopes.names(),
                when(token.created),
                format!("{}{expired}", when(token.expires)),
                token.last_used.map_or("never".to_owned(), when),
            ]
        })
        .collect();
    output::table(["Id", "Name", "Scopes", "Made", "Expires", "Last used"], &rows)
}

fn scope(name: &str) -> Result<Scope, String> {
    let names = || Scope::ALL.map(Scope::name).join(", ");
    Scope::from_name(name).ok_or_else(|| format!("must be one of {}", names()))
}

/// Hours from `12h` or `30d`.
fn hours(text: &str) -> Result<u32, String> {
    let wrong = || "must be hours or days, from 1h to 365d".to_owned();
    let (number, unit) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 24),
        _ => return Err(wrong()),
    };
    let hours = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
    hours.filter(|hours| (1..=MOST_HOURS).contains(hours)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_hours_or_days() {
        let table = [
            ("1h", Some(1)),
            ("12h", Some(12)),
            ("30d", Some(720)),
            ("365d", Some(8_760)),
            ("366d", None),
            ("0h", None),
            ("30", None),
            ("d", None),
            ("-1d", None),
            ("4294967295d", None),
        ];
        for (text, expected) in table {
            assert_eq!(hours(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_list_says_what_has_expired() {
        let token = |expires| Token {
            id: "0123456789ab".to_owned(),
            name: "ci".to_owned(),
            scopes: Scopes::new([Scope::Deploy]),
            created: Timestamp(0),
            expires: Timestamp(expires),
            last_used: None,
        };
        let now = Timestamp(1_000);
        let text = table(&Tokens { now, tokens: vec![token(1_001), token(1_000)] });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("ID            NAME"), "{text}");
        assert!(!lines[1].contains("expired") && lines[2].contains("(expired)"), "{text}");
        assert!(lines[1].ends_with("never") && lines[1].contains("read deploy"), "{text}");
    }
}
