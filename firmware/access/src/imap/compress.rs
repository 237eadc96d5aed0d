//! COMPRESS. RFC 4978.
//!
//! What a client sends compressed is bounded as what it sends plain: by the limits of lines and literals,
//! a few kilobytes at a time.

use super::reply::{Answer, Outcome, no};
use super::session::Session;

impl Session {
    /// Answers, then both sides compress. What came behind the command counts as compressed.
    pub(super) async fn compress(&mut self, tag: &str, algorithm: &str) -> Outcome {
        self.account()?;
        if self.conn.is_compressed() {
            return Err(no("[COMPRESSIONACTIVE] DEFLATE is on already"));
        }
        if algorithm != "DEFLATE" {
            return Err(no("[CANNOT] Only DEFLATE is known"));
        }
        let Some(place) = self.conn.reserve_compression() else {
            return Err(no("[LIMIT] Too many connections compress, go on without"));
        };
        self.answer(tag, &Answer::Ok("DEFLATE active".into()))?;
        self.conn.flush().await?;
        self.conn.start_compression(place);
        Ok(Answer::Given)
    }
}
