//! IDLE. RFC 2177, RFC 9051 §6.3.13.
//!
//! Also with no mailbox selected: some Outlooks send it there. A line about every two minutes keeps the
//! way through NAT open and finds out who is gone.

use std::time::Duration;

use session::Line;

use super::listening::{changed, heard};
use super::reply::{Answer, Fail};
use super::session::Session;

const STILL_HERE: Duration = Duration::from_secs(120);
const LINE_MAX: usize = 1024;

impl Session {
    /// Runs IDLE until DONE. Not boxed as a whole: this is where thousands of sessions wait.
    pub(super) async fn idle(&mut self, tag: &str) -> Result<(), Fail> {
        if let Err(Fail::Answer(answer)) = self.account() {
            return self.answer(tag, &answer);
        }
        // The watch stands before the first look: nothing falls between them.
        let mut watch = self
            .selected
            .as_ref()
            .map(|selected| self.conn.ctx().store.watch_mailbox(selected.mailbox));
        self.conn.write(b"+ idling\r\n");
        Box::pin(self.tell_news(true)).await?;
        self.conn.flush().await?;
        loop {
            tokio::select! {
                done = self.conn.readable() => {
                    done?;
                    break;
                }
                () = changed(&mut watch) => Box::pin(self.tell_news(true)).await?,
                () = heard(&mut self.listening) => Box::pin(self.tell_listening()).await?,
                // A hint may be lost, a mailbox deleted: the tick looks too.
                () = tokio::time::sleep(STILL_HERE) => {
                    Box::pin(self.tell_news(true)).await?;
                    self.conn.write(b"* OK Still here\r\n");
                }
            }
            self.conn.flush().await?;
        }
        let answer = match self.conn.read_line(LINE_MAX).await? {
            Line::Full(line) if line.trim_ascii().eq_ignore_ascii_case(b"DONE") => {
                Answer::Ok("IDLE completed".into())
            }
            Line::Eof => return Err(Fail::End),
            _ => Answer::Bad("IDLE ends with DONE".into()),
        };
        Box::pin(self.tell_news(true)).await?;
        self.answer(tag, &answer)
    }
}
