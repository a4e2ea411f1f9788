//! The API against the sandbox: real requests in, a real secret and real TDS out, and what happens
//! when something breaks in between.

mod calls;
mod courses;
mod faults;
mod hostile;
mod learning;
mod login;
mod openapi;
mod process;
mod routes;
mod world;
