//! REPAIR: what `check` finds and can be made right from what is there: counts, usage, links, live bytes,
//! names, due times, rights, dangling rows. One act: all of it or nothing.
//!
//! Before that a lost index is made again (`rebuild`).
//!
//! Never here: a guess. A message whose content is gone is taken away and told.

mod counts;
mod entries;
mod leftovers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use base::{BlobId, Clock, MailboxId, Uid, UidRanges};

use crate::blob::Blob;
use crate::codec::{In, blob_key, mailbox_key, message_key};
use crate::index::{T, View};
use crate::mailbox::flags::{self, Marks};
use crate::mailbox::message_row::MessageRow;
use crate::mailbox::row::{self, MailboxRow};
use crate::mailbox::{changes, name};
use crate::writer::Tx;
use crate::{Flags, Options, Store, StoreError, rebuild, search_index};

/// redb's cache, bytes.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// What the parts of a repair share.
struct Repair<'a, 't, 'w> {
    tx: &'a mut Tx<'t, 'w>,
    done: Vec<String>,
    /// Contents there are, with their links as found.
    links: BTreeMap<BlobId, u64>,
    mailboxes: BTreeSet<MailboxId>,
    /// Bytes of the segment files.
    files: BTreeMap<u32, u64>,
}

fn rows_of(view: &impl View, table: T, prefix: &[u8]) -> Result<Rows, StoreError> {
    let mut rows = Vec::new();
    view.scan_prefix(table, prefix, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(true)
    })?;
    Ok(rows)
}

impl Store {
    /// Repairs a stopped store; returns what was done, in words. [`Store::check`] says what is left.
    ///
    /// # Errors
    /// `Open` if it cannot be opened or runs; `Index` if the index cannot be read or written.
    pub async fn repair(dir: &Path, clock: Arc<dyn Clock>) -> Result<Vec<String>, StoreError> {
        Self::repair_with(Options { cache_bytes: CACHE_BYTES, ..Options::new(dir) }, clock).await
    }

    /// As [`Store::repair`], on the disk of the options and with their cache.
    ///
    /// # Errors
    /// As [`Store::repair`].
    pub async fn repair_with(
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<Vec<String>, StoreError> {
        let dir = options.dir.clone();
        if !rebuild::has_store(&options) {
            return Err(StoreError::Open(format!("{} holds no store", dir.display())));
        }
        let mut told = rebuild::run(&options)?;
        let store = Self::open(options.clone(), clock)?;
        let mut files = BTreeMap::new();
        for number in store.inner.segments.numbers()? {
            files.insert(number, store.inner.segments.len(number)?);
        }
        let done = store
            .act_alone(move |tx| {
                let mut repair = Repair {
                    tx,
                    done: Vec::new(),
                    links: BTreeMap::new(),
                    mailboxes: BTreeSet::new(),
                    files,
                };
                repair.run()?;
                Ok(repair.done)
            })
            .await?;
        told.extend(done);
        let dropped = search_index::history::clear(&*options.disk, &dir)
            .map_err(StoreError::io("removing the search index"))?;
        if dropped {
            told.push("the search index is taken away: searches make it again".to_owned());
        }
        store.close().await?;
        Ok(told)
    }
}

impl Repair<'_, '_, '_> {
    fn run(&mut self) -> Result<(), StoreError> {
        self.read_contents()?;
        self.entries()?;
        for (key, value) in rows_of(&self.tx.tables, T::Mailbox, &[])? {
            let Ok(id) = In::plain(&key, "mailbox id").u32().map(MailboxId) else { continue };
            match MailboxRow::decode(&value) {
                Ok(mailbox) => {
                    self.mailboxes.insert(id);
                    self.mailbox(id, mailbox)?;
                }
                Err(e) => self.done.push(format!("mailbox {id} cannot be read and stays: {e}")),
            }
        }
        self.orphans()?;
        self.names()?;
        self.lists()?;
        self.annotations()?;
        self.credentials()?;
        self.recovery()?;
        self.queue()?;
        self.audit()?;
        self.usage()?;
        self.contents()
    }

    fn read_contents(&mut self) -> Result<(), StoreError> {
        for (key, value) in rows_of(&self.tx.tables, T::Blob, &[])? {
            let Ok(id) = In::plain(&key, "content number").u64().map(BlobId) else { continue };
            if let Err(e) = Blob::decode(&value) {
                self.done.push(format!("content {id} is taken away: {e}"));
                self.tx.remove(T::Blob, &key)?;
                continue;
            }
            self.links.insert(id, 0);
        }
        Ok(())
    }

    /// Notes a link; false if the content is not there.
    fn link(&mut self, id: BlobId) -> bool {
        self.links.get_mut(&id).map(|links| *links += 1).is_some()
    }

    /// One mailbox: its messages against its flag blocks, then its counts.
    fn mailbox(&mut self, id: MailboxId, mut mailbox: MailboxRow) -> Result<(), StoreError> {
        let old = mailbox.clone();
        let mut marks = BTreeMap::<Uid, Marks>::new();
        for (key, value) in rows_of(&self.tx.tables, T::Flags, &mailbox_key(id))? {
            let mut fields = In::plain(&key, "flag block");
            let (Ok(_), Ok(number)) = (fields.u32(), fields.u32()) else { continue };
            match flags::decode(&value) {
                Ok(block) => {
                    marks.extend(block.into_iter().map(|(s, m)| (flags::uid_at(number, s), m)));
                }
                Err(_) => drop(self.tx.remove(T::Flags, &key)?),
            }
        }
        let mut there = BTreeMap::<Uid, u64>::new();
        for (key, value) in rows_of(&self.tx.tables, T::Message, &mailbox_key(id))? {
            let mut fields = In::plain(&key, "message row");
            let (Ok(_), Ok(uid)) = (fields.u32(), fields.u32().map(Uid)) else { continue };
            match MessageRow::decode(&value) {
                Ok(message) if self.link(message.blob) => {
                    there.insert(uid, message.size);
                }
                _ => {
                    self.done.push(format!("{}, UID {uid}: its content is gone", mailbox.name));
                    self.tx.remove(T::Message, &message_key(id, uid))?;
                }
            }
        }
        let gone: UidRanges = marks.keys().copied().filter(|u| !there.contains_key(u)).collect();
        let found: UidRanges = there.keys().copied().filter(|u| !marks.contains_key(u)).collect();
        for uid in gone.iter() {
            marks.remove(&uid);
            self.set_marks(id, uid, None)?;
        }
        if !gone.is_empty() {
            self.done.push(format!("{}: {} flags of no message", mailbox.name, gone.len()));
            let modseq = mailbox.next_modseq()?;
            changes::log(self.tx, id, &mut mailbox, modseq, changes::Kind::Expunged, &gone)?;
        }
        if !found.is_empty() {
            self.done.push(format!("{}: {} messages without flags", mailbox.name, found.len()));
            let modseq = mailbox.next_modseq()?;
            for uid in found.iter() {
                let new = Marks { system: 0, keywords: 0, modseq };
                marks.insert(uid, new);
                self.set_marks(id, uid, Some(new))?;
            }
            changes::log(self.tx, id, &mut mailbox, modseq, changes::Kind::Added, &found)?;
        }
        let count = |is: &dyn Fn(&Marks) -> bool| {
            u32::try_from(marks.values().filter(|m| is(m)).count()).unwrap_or(u32::MAX)
        };
        mailbox.exists = count(&|_| true);
        mailbox.unseen = count(&|m| m.system & Flags::SEEN == 0);
        mailbox.deleted = count(&|m| m.system & Flags::DELETED != 0);
        mailbox.bytes = there.values().fold(0, |sum: u64, size| sum.saturating_add(*size));
        let last = marks.keys().last().map_or(0, |uid| uid.0);
        mailbox.uid_next = mailbox.uid_next.max(Uid(last.saturating_add(1)));
        if mailbox != old {
            self.done.push(format!("{}: its counts", mailbox.name));
            row::put(self.tx, id, &mailbox)?;
        }
        Ok(())
    }

    fn set_marks(
        &mut self,
        id: MailboxId,
        uid: Uid,
        marks: Option<Marks>,
    ) -> Result<(), StoreError> {
        let (number, slot) = flags::place(uid);
        let mut block = flags::load(&self.tx.tables, id, number)?;
        match marks {
            Some(marks) => drop(block.insert(slot, marks)),
            None => drop(block.take(|other| other == slot)),
        }
        flags::store(self.tx, id, number, &block)
    }

    /// Rows of mailboxes that are not there. (Those of a row that cannot be read stay.)
    fn orphans(&mut self) -> Result<(), StoreError> {
        for table in [T::Message, T::Flags, T::Keyword, T::Change] {
            let mut orphans = BTreeSet::new();
            self.tx.tables.scan(table, &[], &[], &mut |key, _| {
                let id = MailboxId(In::plain(key, "key of a mailbox").u32()?);
                orphans.insert(id);
                Ok(true)
            })?;
            for id in orphans {
                if !self.tx.has(T::Mailbox, &mailbox_key(id))? {
                    self.done.push(format!("rows of mailbox {id}, which is not there"));
                    self.tx.remove_prefix(table, &mailbox_key(id))?;
                }
            }
        }
        Ok(())
    }

    /// Each mailbox is found by its name, and no name leads nowhere.
    fn names(&mut self) -> Result<(), StoreError> {
        for (key, value) in rows_of(&self.tx.tables, T::MailboxName, &[])? {
            let id = In::versioned(&value, "mailbox name").and_then(|mut row| row.u32());
            let named = match id {
                Ok(id) => row::find(&self.tx.tables, MailboxId(id)).ok().flatten(),
                Err(_) => None,
            };
            let is_right = named.is_some_and(|mailbox| {
                key == crate::codec::name_key(mailbox.account, &mailbox.name)
            });
            if !is_right {
                let name = String::from_utf8_lossy(key.get(4..).unwrap_or_default()).into_owned();
                self.done.push(format!("the name {name:?} led nowhere"));
                self.tx.remove(T::MailboxName, &key)?;
            }
        }
        for id in self.mailboxes.clone() {
            let mut mailbox = row::existing(&self.tx.tables, id)?;
            let account = mailbox.account;
            match row::id_of_name(&self.tx.tables, account, &mailbox.name)? {
                Some(found) if found == id => continue,
                Some(_) => {
                    mailbox.name = name::normalize(&format!("recovered-{id}"))?;
                    row::put(self.tx, id, &mailbox)?;
                }
                None => {}
            }
            self.done.push(format!("mailbox {id} was not found by its name {:?}", mailbox.name));
            row::put_name(self.tx, account, &mailbox.name, id)?;
        }
        Ok(())
    }

    /// Links as found; contents that have none of their rows get them again where that can be.
    fn contents(&mut self) -> Result<(), StoreError> {
        let mut live = BTreeMap::<u32, u64>::new();
        for (id, links) in std::mem::take(&mut self.links) {
            let Some(mut blob) = crate::blob::find(&self.tx.tables, id)? else { continue };
            if blob.links != links {
                self.done.push(format!("content {id} has {links} links, not {}", blob.links));
                blob.links = links;
                self.tx.put(T::Blob, &blob_key(id), &blob.encode())?;
            }
            if links > 0 {
                *live.entry(blob.place.segment).or_default() += blob.place.record_len();
            }
            if crate::blob::number_of(&self.tx.tables, &blob.hash).ok().flatten() != Some(id) {
                self.done.push(format!("content {id} was not found by its hash"));
                crate::blob::put_hash(self.tx, &blob.hash, id)?;
            }
        }
        self.segments(&live)
    }
}
