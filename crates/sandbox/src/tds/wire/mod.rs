//! TDS on the wire: packets, the TLS handshake inside of packets, login, requests, types, tokens.
//! Everything here is about bytes; nothing knows what a statement is.

pub mod codec;
pub mod decode;
pub mod login;
pub mod packet;
pub mod reader;
pub mod request;
pub mod stream;
pub mod tokens;
