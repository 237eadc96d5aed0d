//! HTTP and HTTPS: the JSON admin API, the setup wizard's API, preferences, the web UI's files.
//!
//! Owns: web sessions, the setup code, what a person may do over the API, the provisioning file (which sets
//! the same things from a file). Never here: mail protocols, a decision about a message, a file of the data
//! directory; every change is an act of `store`.
//!
//! Limits: connections by the tier budget; a request body of 1 MB, of strangers 16 KB, a file of people 16 MB; 32 KB a head, 64 header
//! fields; sessions by the budget; a request is answered within two minutes, a body must come within 30 s. `openapi.yaml` beside this
//! crate is the contract; a test holds the routes against it.
//!
//! HTTP: RFC 9110, RFC 9112, RFC 9113. Cookies: RFC 6265bis (`__Host-` prefix).

mod api;
mod assets;
mod bearer;
pub mod box_link;
mod certificate;
mod client_settings;
mod code_throttle;
mod error;
mod exchange;
pub mod fuzzing;
mod guard;
mod headers;
mod imports;
mod input;
pub mod log_ring;
mod network;
mod outbound;
mod pending_totp;
pub mod provision;
mod reach;
mod redirect;
mod rules;
mod server;
mod sessions;
pub mod setup_code;
mod streamed;
mod timed_stream;
mod web;

pub use api::Route;
pub use box_link::BoxLink;
pub use guard::Access;
pub use log_ring::LogRing;
pub use web::{Web, webhooks};

#[cfg(test)]
mod tests;
