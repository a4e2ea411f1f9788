//! The API against the sandbox: real requests in, a real secret and real TDS out, and what happens
//! when something breaks in between.

mod faults;
mod hostile;
mod login;
mod process;
mod routes;
mod world;
