//! The routes, one file for each resource.

pub mod courses;
pub mod status;
