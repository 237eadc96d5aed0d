//! RETR and TOP. RFC 1939 §5 and §7.
//!
//! A message goes out as it is read, a piece at a time, in lines with CRLF.

use message::Lines;
use store::{DropRow, READ_MAX, Store, StoreError};

use super::listing::gone;
use super::reply::{Answer, Fail, Outcome};
use super::session::{Session, flush_if_full};

/// How much of a piece becomes lines at once: a body of dots and line ends grows threefold.
const CHUNK: usize = 16 * 1024;

impl Session {
    pub(super) async fn retr(&mut self, message: u32) -> Outcome {
        let (row, first) = self.open_message(message)?;
        self.say(format_args!("+OK {} octets", row.octets));
        self.send_message(&row, first, None).await?;
        self.maildrop()?.seen.insert(row.uid);
        Ok(Answer::Given)
    }

    /// TOP, which does not count as reading: clients look at headers so.
    pub(super) async fn top(&mut self, message: u32, lines: u32) -> Outcome {
        let (row, first) = self.open_message(message)?;
        self.say(format_args!("+OK Top of the message follows"));
        self.send_message(&row, first, Some(lines)).await?;
        Ok(Answer::Given)
    }

    /// A message with its first bytes: a damaged one shows itself there, before anything is said.
    fn open_message(&mut self, message: u32) -> Result<(DropRow, Vec<u8>), Fail> {
        let store = self.store();
        let maildrop = self.maildrop()?;
        let uid = maildrop.uid(message)?;
        let row = maildrop.row(&store, uid)?.ok_or_else(gone)?;
        let first = read(&store, &row, 0)?;
        Ok((row, first))
    }

    /// Sends the message, or its header and `body_lines` lines, and the end of it.
    async fn send_message(
        &mut self,
        row: &DropRow,
        first: Vec<u8>,
        body_lines: Option<u32>,
    ) -> Result<(), Fail> {
        let store = self.store();
        let mut cut = Cut { lines: Lines::new(), body_lines, sent: 0 };
        let (mut at, mut piece, mut wants_more) = (0u64, first, true);
        loop {
            at += piece.len() as u64;
            for chunk in piece.chunks(CHUNK) {
                wants_more = wants_more && cut.feed(&mut self.conn, chunk);
                flush_if_full(&mut self.conn).await?;
            }
            if at >= row.size || !wants_more {
                break;
            }
            tokio::task::yield_now().await;
            piece = match read(&store, row, at) {
                Ok(piece) => piece,
                Err(refused) => {
                    // There is no way back into the protocol, and the client must not take it for whole.
                    let session = self.conn.session();
                    tracing::error!(session, uid = %row.uid, err = %refused, "a message ends early");
                    return Err(Fail::End);
                }
            };
        }
        if wants_more {
            cut.finish(&mut self.conn);
        }
        self.conn.write(b".\r\n");
        Ok(())
    }
}

/// Lines that go out, up to a number of the body's.
struct Cut {
    lines: Lines,
    body_lines: Option<u32>,
    /// Lines of the body that went out.
    sent: u32,
}

impl Cut {
    /// False when no more is wanted.
    fn feed(&mut self, conn: &mut session::Conn, bytes: &[u8]) -> bool {
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 8);
        let (body_lines, sent) = (self.body_lines, &mut self.sent);
        let wants_more = self.lines.feed(bytes, &mut |piece| {
            if !piece.in_header && body_lines == Some(*sent) {
                return false;
            }
            *sent += u32::from(!piece.in_header && piece.ends && body_lines.is_some());
            piece.push_to(&mut out);
            true
        });
        conn.write_content(&out);
        wants_more
    }

    /// What is missing at the end of the message.
    fn finish(self, conn: &mut session::Conn) {
        let mut out = Vec::new();
        self.lines.finish(&mut |piece| {
            piece.push_to(&mut out);
            true
        });
        conn.write_content(&out);
    }
}

/// The bytes at `at`, up to the next multiple of [`READ_MAX`], so that the store unpacks nothing twice.
fn read(store: &Store, row: &DropRow, at: u64) -> Result<Vec<u8>, StoreError> {
    let max = READ_MAX as u64;
    let len = row.size.saturating_sub(at).min(max - at % max);
    if len == 0 {
        return Ok(Vec::new());
    }
    let piece = store.read(&row.blob, at, usize::try_from(len).unwrap_or(READ_MAX))?;
    if piece.is_empty() {
        return Err(StoreError::Damaged(format!("a message of {} bytes ends at {at}", row.size)));
    }
    Ok(piece)
}
