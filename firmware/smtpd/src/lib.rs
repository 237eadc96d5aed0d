//! The SMTP servers: 25, 465, 587 and LMTP on 24. RFC 5321, 6409, 8314, 2033.
//!
//! One session speaks all four; [`Role`] holds the differences. A message's bytes go from the connection
//! straight into the store's staging; 250 is said when `delivery` has made it durable, and not before.
//! Never here: where a message goes (`delivery`), how a command is spelled (`smtp`), a file.
//!
//! Limits: the tier budget (recipients, size, connections) and `limits.rs` (time, errors, tries).

mod auth;
mod body;
mod head;
mod hello;
mod limits;
mod replies;
mod role;
mod session;
mod transaction;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use ::session::{Conn, Service};
use delivery::Delivery;

pub use role::Role;

/// One SMTP server on one kind of port.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    role: Role,
    delivery: Delivery,
}

impl SmtpServer {
    /// A server that hands what it takes to `delivery`.
    #[must_use]
    pub fn new(role: Role, delivery: Delivery) -> Self {
        Self { role, delivery }
    }
}

impl Service for SmtpServer {
    fn name(&self) -> &'static str {
        self.role.name()
    }

    fn implicit_tls(&self) -> bool {
        self.role == Role::Submissions
    }

    fn busy_reply(&self) -> &'static [u8] {
        match self.role {
            // A client of 465 expects TLS; plain words would only confuse it.
            Role::Submissions => b"",
            _ => b"421 4.3.2 Too many connections, try again later\r\n",
        }
    }

    fn login_within(&self) -> Option<Duration> {
        self.role.requires_login().then_some(limits::LOGIN_WITHIN)
    }

    fn run(&self, conn: Conn) -> impl Future<Output = ()> + Send {
        session::run(self.role, self.delivery.clone(), conn)
    }
}
