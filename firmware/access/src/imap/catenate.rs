//! CATENATE: a message put together of others that are there. RFC 4469, RFC 5092.

use base::Uid;
use store::{Access, Mailbox, Rights, Row};

use super::append::Draft;
use super::names;
use super::parse::MessageUrl;
use super::reply::{Answer, Fail};
use super::section::{self, Content, piece_len};
use super::session::Session;

/// How much of a bad URL is repeated.
const BAD_URL_MAX: usize = 500;

/// What a URL names.
pub(super) struct Source {
    row: Row,
    content: Content,
}

impl Source {
    /// Bytes.
    pub(super) fn len(&self) -> u64 {
        match &self.content {
            Content::Nil => 0,
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Range { start, end } => end - start,
        }
    }

    /// RFC 5092 §6: cut at the end of the text.
    fn cut(&mut self, offset: u64, length: Option<u64>) {
        match &mut self.content {
            Content::Nil => {}
            Content::Bytes(bytes) => {
                let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                let from = at(offset).min(bytes.len());
                let to =
                    length.map_or(bytes.len(), |n| from.saturating_add(at(n)).min(bytes.len()));
                bytes.truncate(to);
                bytes.drain(..from);
            }
            Content::Range { start, end } => {
                *start = start.saturating_add(offset).min(*end);
                *end = length.map_or(*end, |n| start.saturating_add(n).min(*end));
            }
        }
    }
}

/// `NO [BADURL …]`: the URL is repeated without what would end the code (RFC 4469 §5).
pub(super) fn bad_url(url: &[u8]) -> Fail {
    let shown: String = url
        .iter()
        .filter(|byte| byte.is_ascii_graphic() && !b"]\\\"".contains(byte))
        .take(BAD_URL_MAX)
        .map(|byte| char::from(*byte))
        .collect();
    Fail::Answer(Answer::No(format!("[BADURL {shown}] Nothing can be read there").into()))
}

impl Session {
    fn url_mailbox(&mut self, name: &str) -> Result<Option<Mailbox>, Fail> {
        let store = self.store();
        if name.is_empty() {
            return Ok(match &self.selected {
                Some(selected) => store.mailbox(selected.mailbox)?,
                None => None,
            });
        }
        let account = self.account()?;
        let name = names::canonical(name.to_owned());
        // RFC 4469 §5: what may not be read is not there.
        match store.open_mailbox(account, &name, |rights| rights.has(Rights::READ))? {
            Access::Granted(found) => Ok(Some(found.mailbox)),
            Access::Refused | Access::Absent => Ok(None),
        }
    }

    /// Finds what a URL names; `None` if there is no such thing.
    pub(super) fn open_url(&mut self, url: &MessageUrl) -> Result<Option<Source>, Fail> {
        let store = self.store();
        let Some(mailbox) = self.url_mailbox(&url.mailbox)? else { return Ok(None) };
        if url.uid_validity.is_some_and(|wanted| wanted != mailbox.uid_validity.0) {
            return Ok(None);
        }
        let uid = Uid(url.uid);
        let Some(row) = store.rows(mailbox.id, uid, uid, 1)?.pop() else { return Ok(None) };
        let content = match &url.section {
            None => Content::Range { start: 0, end: row.size },
            Some(section) => section::open(&store, &row, &mut None, section)?,
        };
        if matches!(content, Content::Nil) {
            return Ok(None);
        }
        let mut source = Source { row, content };
        if let Some((offset, length)) = url.partial {
            source.cut(offset, length);
        }
        Ok(Some(source))
    }

    /// Copies the bytes into the message.
    pub(super) async fn copy_source(&self, source: &Source, draft: &mut Draft) -> Result<(), Fail> {
        let (mut at, end) = match &source.content {
            Content::Nil => return Ok(()),
            Content::Bytes(bytes) => return Ok(draft.staging.write(bytes)?),
            Content::Range { start, end } => (*start, *end),
        };
        let store = self.store();
        while at < end {
            let piece = store.read(&source.row.blob, at, piece_len(at, end))?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            draft.staging.write(&piece)?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_cannot_end_the_code() {
        let Fail::Answer(Answer::No(text)) = bad_url(b"/a]\r\n* OK \"x\\;UID=1") else { panic!() };
        assert_eq!(text, "[BADURL /a*OKx;UID=1] Nothing can be read there");
    }
}
