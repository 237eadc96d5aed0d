//! STLS. RFC 2595 §4.

use super::reply::{Answer, Outcome, bad};
use super::session::Session;

impl Session {
    /// Answers, then shakes hands. What came before the handshake is dropped by the connection, and what
    /// was said in the clear is forgotten.
    pub(super) async fn stls(&mut self) -> Outcome {
        if self.maildrop.is_some() {
            return Err(bad("STLS comes before the login"));
        }
        if self.conn.is_tls() {
            return Err(bad("TLS is on already"));
        }
        self.answer(&Answer::Ok("Begin TLS negotiation now".into()))?;
        self.conn.flush().await?;
        self.conn.start_tls().await?;
        self.user = None;
        Ok(Answer::Given)
    }
}
