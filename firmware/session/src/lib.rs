//! What happens to a connection: accept, budget, TLS, framing, passwords, time limits, wire trace.
//!
//! Every protocol server is a [`Service`]; it gets a [`Conn`] and speaks. Never here: a protocol's grammar, a
//! message.
//!
//! Limits: connections by the tier budget (all, per address, per account); a line as its reader says; a write
//! buffer is the server's to flush; every wait ends ([`Conn::set_timeout`]).

mod accept;
mod admission;
mod app_password;
mod auth;
mod conn;
mod context;
mod deflate;
mod elsewhere;
mod letters;
mod live;
mod login_error;
pub mod password;
mod protocol;
pub mod rules;
pub mod sasl;
pub mod schemes;
mod stream;
mod throttle;
mod tls;
mod totp;
pub mod trace;

pub use accept::{Service, serve, serve_socket};
pub use admission::{Admission, Compressing, Refusal, Transit, Usage};
pub use auth::{Auth, Login, NewTotp};
pub use conn::{Conn, ConnError, Line};
pub use context::Context;
pub use elsewhere::{KeeperAnswer, KeeperReply, PasswordKeeper};
pub use live::LiveSession;
pub use login_error::LoginError;
pub use protocol::Protocol;
pub use throttle::network_of;
pub use tls::{CertificateInfo, Tls, TlsError};
pub use tokio_util::sync::CancellationToken as Shutdown;
#[doc(hidden)]
pub use totp::code_of_now;

#[cfg(test)]
mod tests;
