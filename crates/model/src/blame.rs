//! Who is to blame for the errors of a period.

use serde::{Deserialize, Serialize};

use crate::logs::Looked;
use crate::time::Timestamp;

/// Whose an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// API Gateway itself: an integration whose time was up, a route that leads nowhere.
    Gateway,
    /// The authorizer let nobody in.
    Authorizer,
    /// Too many at once, for the stage or for the function's concurrency.
    Throttling,
    /// Lambda did not run the function to an answer: refused, start failed, crashed, time limit.
    LambdaService,
    /// The function answered so, or failed at answering, and neither database nor secret were why.
    Code,
    /// The database.
    Sql,
    /// The secret.
    Secret,
    /// Whoever called: the function refused what they sent.
    Caller,
}

impl Cause {
    /// All, in the order of a request's way.
    pub const ALL: [Self; 8] = [
        Self::Gateway,
        Self::Authorizer,
        Self::Throttling,
        Self::LambdaService,
        Self::Code,
        Self::Sql,
        Self::Secret,
        Self::Caller,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::Authorizer => "Authorizer",
            Self::Throttling => "Throttling",
            Self::LambdaService => "Lambda service",
            Self::Code => "Our code",
            Self::Sql => "SQL",
            Self::Secret => "Secret",
            Self::Caller => "Caller",
        }
    }

    /// What it stands for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Gateway => "API Gateway's own answer: integration time-out, a route that leads nowhere",
            Self::Authorizer => "no token, or one that is not good for this",
            Self::Throttling => "the stage's rate, or the function's concurrency",
            Self::LambdaService => "refused, start failed, crashed, or ran into its time limit",
            Self::Code => "the function's own answer, with neither database nor secret behind it",
            Self::Sql => "the database: out of reach, refused, broken, too slow",
            Self::Secret => "Secrets Manager, or what the secret holds",
            Self::Caller => "the function refused what was asked for",
        }
    }
}

/// Whose one error is, and why that is thought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blame {
    /// Whose.
    pub cause: Cause,
    /// Why, in words that are the same for the same reason.
    pub reason: String,
}

/// The errors of a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Answers from 500 on, by whose they are; what there are none of is left out.
    pub server: Vec<Share>,
    /// Answers from 400 to 499, the same.
    pub client: Vec<Share>,
    /// Where the gateway's lines were read.
    pub access: Looked,
    /// Where the function's lines were read.
    pub function: Looked,
    /// From when the lines were all read; later than `from` where a bound ended the reading, as the newest
    /// are read first.
    pub read_from: Timestamp,
    /// Answers from 500 on of the function's own whose line in its log was not found: they count as its
    /// code's.
    pub unexplained: u64,
    /// Lines whose status could not be read: they count nowhere.
    pub unread: u64,
}

impl Errors {
    /// How many answers from 500 on there were.
    pub fn server_errors(&self) -> u64 {
        self.server.iter().map(|share| share.count).sum()
    }

    /// How many from 400 to 499.
    pub fn client_errors(&self) -> u64 {
        self.client.iter().map(|share| share.count).sum()
    }

    /// How many of both kinds are of a cause.
    pub fn of(&self, cause: Cause) -> u64 {
        let shares = self.server.iter().chain(&self.client);
        shares.filter(|share| share.cause == cause).map(|share| share.count).sum()
    }
}

/// The errors of one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Whose.
    pub cause: Cause,
    /// How many.
    pub count: u64,
    /// Which part of the errors of its kind (from 500 on, or from 400 to 499), from 0 to 1.
    pub share: f64,
    /// Why, the most frequent first.
    pub reasons: Vec<Reason>,
}

/// The errors of one cause for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The newest of them.
    pub samples: Vec<Sample>,
}

/// One of the requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What it can be looked up by.
    pub id: String,
    /// When it was answered.
    pub at: Timestamp,
    /// The answer.
    pub status: u16,
    /// The route.
    pub route: Option<String>,
}
