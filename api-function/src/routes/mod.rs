//! The routes, one file for each resource.

pub mod courses;
pub mod enrolments;
pub mod lessons;
pub mod progress;
pub mod status;
