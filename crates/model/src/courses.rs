//! What the LearningHub API says about courses.

use serde::{Deserialize, Serialize};

/// A published course, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Its name in addresses: lower-case letters, digits and hyphens, at most 80 characters.
    pub slug: String,
    /// Its title, at most 200 characters.
    pub title: String,
    /// What it is about, at most 2,000 characters.
    pub summary: String,
    /// Whom it is for.
    pub level: Level,
    /// Its price as an exact decimal number with two places, for example `49.00`; a string, because
    /// a JSON number is read as binary floating point by most readers.
    pub price: String,
    /// When it was published: RFC 3339 in UTC.
    pub published_at: String,
}

/// Whom a course is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// No knowledge needed.
    Beginner,
    /// The basics are taken for granted.
    Intermediate,
    /// Practice is taken for granted.
    Advanced,
}

impl Level {
    /// The level of that name, as the database keeps it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "beginner" => Some(Self::Beginner),
            "intermediate" => Some(Self::Intermediate),
            "advanced" => Some(Self::Advanced),
            _ => None,
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// What to pass as `cursor` to get the next page; null on the last one. Opaque: its inside may
    /// change at any time.
    pub next_cursor: Option<String>,
}
