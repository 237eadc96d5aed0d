//! Reads one command from the connection: its lines and literals. RFC 9051 §4.3, RFC 7888.
//!
//! A literal is refused by its announced size, before a byte of it is kept. What a client sends all the
//! same (`{n+}`) is thrown away up to the size of the largest message; beyond it the session ends.

use session::Line;
use store::Store;

use super::parse::{self, AppendHead, Bad, LiteralMark, Tagged};
use super::reply::{Answer, Fail};
use super::session::Session;

/// Longest line and longest command with its literals, before and after login.
const LINE_MAX: [usize; 2] = [8 * 1024, 64 * 1024];
const COMMAND_MAX: [usize; 2] = [16 * 1024, 128 * 1024];
/// What is read away after a refused literal before login.
const DISCARD_BEFORE_LOGIN_MAX: u64 = 64 * 1024;

/// What a literal that is read away counts at least.
const DISCARD_STEP: u64 = 64;

/// APPEND or REPLACE, whose messages wait to be read.
#[derive(Debug)]
pub(super) struct PendingAppend {
    pub(super) head: AppendHead,
    /// What stands behind the mailbox, up to the first literal or the end of the command.
    pub(super) text: Vec<u8>,
    /// The first literal.
    pub(super) mark: Option<LiteralMark>,
}

/// What came.
pub(super) enum Received {
    Command(Tagged),
    Append(Box<PendingAppend>),
    /// No command; the rest of it is read away.
    Rejected {
        tag: Option<String>,
        answer: Answer,
    },
}

fn rejected(tag: Option<String>, answer: Answer) -> Received {
    Received::Rejected { tag, answer }
}

/// The answer to a literal that is not taken; `before` is the command up to it.
fn too_large(before: &[u8], size: u64) -> Answer {
    let max = Store::annotation_bytes_max();
    if parse::is_set_metadata(before) && size > max as u64 {
        return super::metadata::value_too_large(max);
    }
    Answer::Bad("[TOOBIG] The literal is too large".into())
}

impl Session {
    fn limit(&self, limits: [usize; 2]) -> usize {
        limits[usize::from(self.account.is_some())]
    }

    /// The next command.
    pub(super) async fn receive(&mut self) -> Result<Received, Fail> {
        let mut bytes = Vec::new();
        loop {
            if !bytes.is_empty() && self.account.is_none() {
                // What follows a literal of LOGIN is a password.
                self.conn.mask_next_line();
            }
            let line = match self.conn.read_line(self.limit(LINE_MAX)).await? {
                Line::Full(line) => line,
                Line::TooLong => {
                    let answer = Answer::Bad("[TOOBIG] The command line is too long".into());
                    return Ok(rejected(parse::tag_of(&bytes), answer));
                }
                Line::Eof => return Err(Fail::End),
            };
            // RFC 6855 §3: once UTF-8 is on, nothing else stands in a line.
            if self.enabled.utf8 && std::str::from_utf8(&line).is_err() {
                let tag = parse::tag_of(if bytes.is_empty() { &line } else { &bytes });
                if let Some(mark) = parse::literal_mark(&line) {
                    self.discard(mark).await?;
                }
                return Ok(rejected(tag, Answer::Bad("this is not UTF-8".into())));
            }
            let start = bytes.len();
            bytes.extend_from_slice(&line);
            let mark = parse::literal_mark(&line);
            if self.account.is_some()
                && let Some(received) = self.begins_append(&bytes, start, mark).await?
            {
                return Ok(received);
            }
            let Some(mark) = mark else {
                return Ok(match parse::command(&bytes) {
                    Ok(tagged) => Received::Command(tagged),
                    Err(bad) => rejected(bad.tag, Answer::Bad(bad.why.0.into())),
                });
            };
            let room = self.limit(COMMAND_MAX).saturating_sub(bytes.len());
            let size = match usize::try_from(mark.size) {
                Ok(size) if size <= room.min(self.limit(LINE_MAX)) => size,
                _ => {
                    let tag = parse::tag_of(&bytes);
                    // Answered before the session may end: the client should know why.
                    let answer = too_large(&bytes, mark.size);
                    if !self.is_discardable(mark) {
                        self.answer(tag.as_deref().unwrap_or("*"), &answer)?;
                        return Err(Fail::Bye("The literal is too large"));
                    }
                    self.discard(mark).await?;
                    return Ok(rejected(tag, answer));
                }
            };
            self.invite(mark).await?;
            self.read_literal(size, &mut bytes).await?;
        }
    }

    /// APPEND and REPLACE, once their mailbox is known: they take their literals themselves. `start` is
    /// where the last line of `bytes` begins.
    async fn begins_append(
        &mut self,
        bytes: &[u8],
        start: usize,
        mark: Option<LiteralMark>,
    ) -> Result<Option<Received>, Fail> {
        let end = match mark {
            Some(mark) => start + mark.at,
            None => bytes.trim_ascii_end().len(),
        };
        let text = bytes.get(..end).unwrap_or_default();
        match parse::append_head(text) {
            Some(Ok((head, used))) => {
                let text = text.get(used..).unwrap_or_default().to_vec();
                Ok(Some(Received::Append(Box::new(PendingAppend { head, text, mark }))))
            }
            Some(Err((tag, Bad(why)))) => {
                if let Some(mark) = mark {
                    self.discard(mark).await?;
                }
                Ok(Some(rejected(Some(tag), Answer::Bad(why.into()))))
            }
            None => Ok(None),
        }
    }

    /// Asks for a literal that the client holds back.
    pub(super) async fn invite(&mut self, mark: LiteralMark) -> Result<(), Fail> {
        if !mark.is_non_sync {
            self.conn.write(b"+ Ready for literal data\r\n");
        }
        self.conn.flush().await?;
        Ok(())
    }

    pub(super) async fn read_literal(
        &mut self,
        size: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Fail> {
        let mut left = size;
        while left > 0 {
            let piece = self.conn.fill().await?;
            if piece.is_empty() {
                return Err(Fail::End);
            }
            let taken = piece.len().min(left);
            bytes.extend_from_slice(piece.get(..taken).unwrap_or_default());
            self.conn.consume(taken);
            left -= taken;
        }
        Ok(())
    }

    /// True if a refused literal will not come, or is small enough to be read away.
    pub(super) fn is_discardable(&self, mark: LiteralMark) -> bool {
        let max = match self.account {
            Some(_) => self.conn.ctx().budget.message_bytes_max,
            None => DISCARD_BEFORE_LOGIN_MAX,
        };
        !mark.is_non_sync || mark.size <= max
    }

    /// Reads a refused literal away, and the rest of its command: further literals too, up to as many bytes
    /// as a command could have brought. RFC 7888 §4.
    pub(super) async fn discard(&mut self, mut mark: LiteralMark) -> Result<(), Fail> {
        let mut room = match self.account {
            Some(_) => {
                let max = self.conn.ctx().budget.message_bytes_max;
                max.saturating_mul(super::append::COMMAND_FACTOR)
            }
            None => DISCARD_BEFORE_LOGIN_MAX,
        };
        // A synchronising literal does not come: the client waits for `+` and gets the tagged answer.
        while mark.is_non_sync {
            if !self.is_discardable(mark) {
                return Err(Fail::Bye("The literal is too large"));
            }
            // Literals of nothing are not free.
            let Some(left) = room.checked_sub(mark.size.max(DISCARD_STEP)) else {
                return Err(Fail::Bye("The command does not end"));
            };
            room = left;
            self.skip(mark.size).await?;
            if self.account.is_none() {
                self.conn.mask_next_line();
            }
            match self.conn.read_line(self.limit(LINE_MAX)).await? {
                Line::Full(line) => match parse::literal_mark(&line) {
                    Some(next) => mark = next,
                    None => return Ok(()),
                },
                Line::TooLong => return Ok(()),
                Line::Eof => return Err(Fail::End),
            }
        }
        Ok(())
    }

    /// Reads `count` bytes and forgets them.
    pub(super) async fn skip(&mut self, count: u64) -> Result<(), Fail> {
        let mut left = count;
        while left > 0 {
            let there = self.conn.fill().await?.len();
            if there == 0 {
                return Err(Fail::End);
            }
            let taken = usize::try_from(left).map_or(there, |left| left.min(there));
            self.conn.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }
}
