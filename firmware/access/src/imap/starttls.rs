//! STARTTLS. RFC 9051 §6.2.1.

use super::reply::{Answer, Fail, Outcome};
use super::session::Session;

impl Session {
    /// Answers, then shakes hands. What came before the handshake is dropped by the connection.
    pub(super) async fn start_tls(&mut self, tag: &str) -> Outcome {
        if self.conn.is_tls() {
            return Err(Fail::Answer(Answer::Bad("TLS is on already".into())));
        }
        if self.account.is_some() {
            return Err(Fail::Answer(Answer::Bad("STARTTLS comes before the login".into())));
        }
        self.answer(tag, &Answer::Ok("Begin TLS negotiation now".into()))?;
        self.conn.flush().await?;
        self.conn.start_tls().await?;
        Ok(Answer::Given)
    }
}
