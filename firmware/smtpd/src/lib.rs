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

use ::session::{Conn, Refusal, Service};
use delivery::Delivery;

pub use role::Role;

/// One SMTP server on one kind of port.
#[derive(Clone, Debug)]
pub struct Smtp {
    role: Role,
    delivery: Delivery,
}

impl Smtp {
    /// The server of a [service](base::box_link::SERVICES) (`smtp`, `submissions`, `submission`, `lmtp`;
    /// any other name speaks as `smtp`, which trusts nobody); it hands what it takes to `delivery`.
    #[must_use]
    pub fn new(service: &str, delivery: Delivery) -> Self {
        let roles = [Role::Submissions, Role::Submission, Role::Lmtp];
        let role = roles.into_iter().find(|role| role.name() == service).unwrap_or(Role::Smtp);
        Self { role, delivery }
    }
}

impl Service for Smtp {
    fn name(&self) -> &'static str {
        self.role.name()
    }

    fn implicit_tls(&self) -> bool {
        self.role == Role::Submissions
    }

    fn busy_reply(&self, why: Refusal) -> &'static [u8] {
        match self.role {
            // A client of 465 expects TLS; plain words would only confuse it.
            Role::Submissions => b"",
            _ if why == Refusal::Address => {
                b"421 4.7.0 Too many connections from your address, try again later\r\n"
            }
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
