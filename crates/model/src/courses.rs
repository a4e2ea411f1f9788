//! What the LearningHub API says about courses.

use serde::{Deserialize, Serialize};

/// A published course, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Course {
    /// Its name in addresses: lower-case letters, digits and hyphens, at most 80 characters.
    pub slug: String,
    /// Its title, at most 200 UTF-16 code units.
    pub title: String,
    /// What it is about, at most 2,000 UTF-16 code units.
    pub summary: String,
    /// Whom it is for.
    pub level: Level,
    /// Its price as an exact decimal number with two places, for example `49.00`; a string, because
    /// a JSON number is read as binary floating point by most readers.
    pub price: String,
    /// When it was published: RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub published_at: String,
}

/// A course with its lessons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CourseDetail {
    /// Its name in addresses: lower-case letters, digits and hyphens, at most 80 characters.
    pub slug: String,
    /// Its title, at most 200 UTF-16 code units.
    pub title: String,
    /// What it is about, at most 2,000 UTF-16 code units.
    pub summary: String,
    /// Whom it is for.
    pub level: Level,
    /// Its price as an exact decimal number with two places.
    pub price: String,
    /// When it was or will be published: RFC 3339 in UTC; null while it is a draft.
    #[cfg_attr(feature = "openapi", schema(required = true, format = DateTime))]
    pub published_at: Option<String>,
    /// Its lessons, in order.
    pub lessons: Vec<Lesson>,
}

/// A lesson of a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lesson {
    /// What it is told apart by when the list is changed: what learners have done stays with it.
    pub id: i64,
    /// Its place in the course, from 1.
    pub position: u32,
    /// Its title, at most 200 UTF-16 code units.
    pub title: String,
    /// How long it takes, in minutes.
    pub minutes: u32,
}

/// A new course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCourse {
    /// Its name in addresses: words of lower-case letters and digits parted by hyphens.
    #[cfg_attr(feature = "openapi", schema(max_length = 80, pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub slug: String,
    /// Its title, at most 200 UTF-16 code units and not blank.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, pattern = "\\S"))]
    pub title: String,
    /// What it is about, at most 2,000 UTF-16 code units.
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub summary: String,
    /// Whom it is for.
    pub level: Level,
    /// Its price as a decimal number, for example `49.00`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9]{1,8}(\\.[0-9]{1,2})?$"))]
    pub price: String,
    /// When it is published: RFC 3339, not finer than a millisecond; null or absent for a draft.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub published_at: Option<String>,
}

/// What is said of a course that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CourseContent {
    /// Its title, at most 200 UTF-16 code units and not blank.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, pattern = "\\S"))]
    pub title: String,
    /// What it is about, at most 2,000 UTF-16 code units.
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub summary: String,
    /// Whom it is for.
    pub level: Level,
    /// Its price as a decimal number, for example `49.00`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9]{1,8}(\\.[0-9]{1,2})?$"))]
    pub price: String,
    /// When it is published: RFC 3339, not finer than a millisecond; null or absent for a draft.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub published_at: Option<String>,
}

/// All lessons of a course, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LessonList {
    /// The lessons; those of the course that are not among them are deleted.
    #[cfg_attr(feature = "openapi", schema(max_items = 200))]
    pub lessons: Vec<LessonContent>,
}

/// One lesson of such a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LessonContent {
    /// The lesson's id, where the course has it already; null or absent for a new one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub id: Option<i64>,
    /// Its title, at most 200 UTF-16 code units and not blank.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, pattern = "\\S"))]
    pub title: String,
    /// How long it takes, in minutes.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10000))]
    pub minutes: u32,
}

/// Whom a course is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// The names of all levels, as the database and the API write them.
    pub const NAMES: [&str; 3] = ["beginner", "intermediate", "advanced"];

    /// The level of that name, as the database keeps it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "beginner" => Some(Self::Beginner),
            "intermediate" => Some(Self::Intermediate),
            "advanced" => Some(Self::Advanced),
            _ => None,
        }
    }

    /// Its name, as the database keeps it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beginner => "beginner",
            Self::Intermediate => "intermediate",
            Self::Advanced => "advanced",
        }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// What to pass as `cursor` to get the next page; null on the last one. Opaque: its inside may
    /// change at any time.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
    /// How many items there are on all pages; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub total: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_one_name_everywhere() {
        for name in Level::NAMES {
            let level = Level::from_name(name).unwrap();
            assert_eq!(level.name(), name);
            assert_eq!(serde_json::to_string(&level).unwrap(), format!("\"{name}\""));
        }
        assert_eq!(Level::from_name("Beginner"), None);
    }
}
