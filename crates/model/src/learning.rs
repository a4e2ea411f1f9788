//! What the LearningHub API tells a learner about themselves.

use serde::{Deserialize, Serialize};

use crate::courses::Level;

/// A course the learner has enrolled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Enrolment {
    /// The course's name in addresses.
    pub slug: String,
    /// The course's title.
    pub title: String,
    /// Whom the course is for.
    pub level: Level,
    /// When the learner enrolled: RFC 3339 in UTC.
    #[cfg_attr(feature = "openapi", schema(format = DateTime))]
    pub enrolled_at: String,
    /// How many lessons the course has.
    pub lessons_total: u32,
    /// How many of them the learner has done.
    pub lessons_done: u32,
}

/// Whether a lesson is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Whether it is.
    pub done: bool,
}

/// One lesson of a course, and whether the learner has done it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LessonProgress {
    /// The course's name in addresses.
    pub slug: String,
    /// The lesson's place in the course, from 1.
    pub position: u32,
    /// Whether it is done.
    pub done: bool,
    /// When it was done first: RFC 3339 in UTC; null when it is not done.
    #[cfg_attr(feature = "openapi", schema(required = true, format = DateTime))]
    pub done_at: Option<String>,
}

/// How far the learner has come in everything they have enrolled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Courses enrolled in.
    pub courses: u32,
    /// Courses of which every lesson is done; one without lessons never is.
    pub courses_completed: u32,
    /// Lessons done, of all courses.
    pub lessons_done: u32,
    /// Lessons there are, in all courses.
    pub lessons_total: u32,
    /// Minutes of the lessons that are done.
    pub minutes_done: u64,
    /// Minutes of all lessons.
    pub minutes_total: u64,
    /// One page of the courses, the newest enrolment first.
    pub items: Vec<CourseProgress>,
    /// What to pass as `cursor` to get the next page; null on the last one.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub next_cursor: Option<String>,
}

/// How far the learner has come in one course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CourseProgress {
    /// The course's name in addresses.
    pub slug: String,
    /// The course's title.
    pub title: String,
    /// Lessons done.
    pub lessons_done: u32,
    /// Lessons there are.
    pub lessons_total: u32,
    /// Minutes of the lessons that are done.
    pub minutes_done: u64,
    /// Minutes of all lessons.
    pub minutes_total: u64,
    /// When a lesson was done last: RFC 3339 in UTC; null when none is.
    #[cfg_attr(feature = "openapi", schema(required = true, format = DateTime))]
    pub last_done_at: Option<String>,
}
