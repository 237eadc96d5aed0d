//! STAT, LIST and UIDL. RFC 1939 §5 and §7.
//!
//! Lists come from the store by pages and go out as they come.

use base::{MailboxId, Uid};
use store::{DropRow, Store, StoreError};

use super::maildrop::Maildrop;
use super::reply::{Answer, Fail, Outcome, err};
use super::session::{Session, flush_if_full};

/// Rows at once.
const PAGE: usize = 500;

/// The rows of a maildrop, page by page.
struct Pages {
    store: Store,
    mailbox: MailboxId,
    from: Option<Uid>,
    to: Uid,
}

impl Pages {
    fn of(store: Store, maildrop: &Maildrop) -> Self {
        let to = maildrop.uids.last().unwrap_or_default();
        Self { store, mailbox: maildrop.mailbox, from: maildrop.uids.first(), to }
    }

    /// The next rows, none at the end. Others may have expunged some; new ones have higher UIDs.
    fn next(&mut self) -> Result<Vec<DropRow>, StoreError> {
        let Some(from) = self.from else { return Ok(Vec::new()) };
        let rows = self.store.drop_rows(self.mailbox, from, self.to, PAGE)?;
        let last = rows.last().filter(|row| rows.len() == PAGE && row.uid < self.to);
        self.from = last.map(|row| Uid(row.uid.0.saturating_add(1)));
        Ok(rows)
    }
}

/// `uidvalidity.uid`: neither is ever reused, so neither is this (RFC 1939 §7).
fn unique_id(maildrop: &Maildrop, uid: Uid) -> String {
    format!("{}.{uid}", maildrop.uid_validity)
}

impl Session {
    pub(super) async fn stat(&mut self) -> Outcome {
        let store = self.store();
        let maildrop = self.maildrop()?;
        let octets = match maildrop.octets {
            Some(octets) => octets,
            None => *maildrop.octets.insert(count_octets(store, maildrop).await?),
        };
        let left = octets.saturating_sub(maildrop.deleted_octets);
        Ok(Answer::Ok(format!("{} {left}", maildrop.count()).into()))
    }

    pub(super) async fn list_all(&mut self) -> Outcome {
        let store = self.store();
        let count = self.maildrop()?.count();
        self.say(format_args!("+OK {count} messages"));
        let Some(maildrop) = self.maildrop.as_deref() else { return Err(Fail::End) };
        let mut pages = Pages::of(store, maildrop);
        let mut numbered = (1u32..).zip(maildrop.uids.iter());
        loop {
            let rows = match pages.next() {
                Ok(rows) if rows.is_empty() => break,
                Ok(rows) => rows,
                Err(refused) => return Err(half_way(self.conn.session(), &refused)),
            };
            for row in &rows {
                let number = numbered.by_ref().find(|(_, uid)| *uid == row.uid);
                let Some((number, uid)) = number else { break };
                if !maildrop.deleted.contains(uid) {
                    self.conn.write(format!("{number} {}\r\n", row.octets).as_bytes());
                }
            }
            flush_if_full(&mut self.conn).await?;
            tokio::task::yield_now().await;
        }
        self.conn.write(b".\r\n");
        Ok(Answer::Given)
    }

    pub(super) fn list_one(&mut self, message: u32) -> Outcome {
        let store = self.store();
        let maildrop = self.maildrop()?;
        let uid = maildrop.uid(message)?;
        match maildrop.row(&store, uid)? {
            Some(row) => Ok(Answer::Ok(format!("{message} {}", row.octets).into())),
            None => Err(gone()),
        }
    }

    pub(super) async fn uidl_all(&mut self) -> Outcome {
        self.maildrop()?;
        self.say(format_args!("+OK Unique-ids follow"));
        let Some(maildrop) = self.maildrop.as_deref() else { return Err(Fail::End) };
        for (number, uid) in (1u32..).zip(maildrop.uids.iter()) {
            if !maildrop.deleted.contains(uid) {
                let line = format!("{number} {}\r\n", unique_id(maildrop, uid));
                self.conn.write(line.as_bytes());
            }
            flush_if_full(&mut self.conn).await?;
        }
        self.conn.write(b".\r\n");
        Ok(Answer::Given)
    }

    pub(super) fn uidl_one(&mut self, message: u32) -> Outcome {
        let maildrop = self.maildrop()?;
        let uid = maildrop.uid(message)?;
        Ok(Answer::Ok(format!("{message} {}", unique_id(maildrop, uid)).into()))
    }
}

/// Octets of all messages of the maildrop.
async fn count_octets(store: Store, maildrop: &Maildrop) -> Result<u64, Fail> {
    let mut octets = 0u64;
    let mut pages = Pages::of(store, maildrop);
    loop {
        let rows = pages.next()?;
        if rows.is_empty() {
            return Ok(octets);
        }
        octets = rows.iter().map(|row| row.octets).fold(octets, u64::saturating_add);
        tokio::task::yield_now().await;
    }
}

/// Another session expunged the message.
pub(super) fn gone() -> Fail {
    err("The message was removed by another program")
}

/// A list that has begun has no other end than this: the client must not take it for whole.
fn half_way(session: &str, refused: &StoreError) -> Fail {
    tracing::error!(session, err = %refused, "a list ends early");
    Fail::End
}
