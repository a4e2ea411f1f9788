//! The rotation function against the sandbox: the four steps over a real secret and a real TDS server,
//! and what happens when something breaks in between.

mod alternating;
mod causes;
mod faults;
mod overtaken;
mod process;
mod rotatable;
mod single;
mod statements;
mod world;
