//! The search index: which messages of a mailbox may hold a text. A cache, never the truth.
//!
//! For each mailbox a chain of files, each with the trigrams of the messages of a range of UIDs as
//! signatures (see `block`). A message never changes and its UID is never given again, so a file is
//! written once and stays right; what is lost or damaged is read as absent and made again. It answers
//! "perhaps" or "no": who asks looks into every message of which it says "perhaps".
//!
//! Never here: what a text is. Trigrams come from outside.

mod block;
mod file;
pub(crate) mod history;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use base::{MailboxId, Uid, UidRanges};

pub use self::block::SearchSignatures;
use self::file::IndexFile;
use crate::disk::Disk;
use crate::{Store, StoreError, meta};

/// Mailboxes whose index is held open.
const OPEN_MAX: usize = 64;
/// A last file of fewer messages is made anew with what came since.
const TAIL_MESSAGES_MAX: usize = 1024;

/// The files of one mailbox, in order.
#[derive(Debug, Default)]
struct Chain {
    files: Vec<Arc<IndexFile>>,
}

impl Chain {
    /// Every message up to here is in the index.
    fn up_to(&self) -> Uid {
        self.files.last().map_or(Uid(0), |file| file.last)
    }
}

/// The indexes of all mailboxes.
#[derive(Debug)]
pub(crate) struct SearchIndexes {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    stamp: history::Stamp,
    open: Mutex<BTreeMap<MailboxId, Arc<Chain>>>,
}

/// How far the index of a mailbox goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchIndexState {
    /// Messages up to this UID are in it.
    pub up_to: Uid,
    /// Where to begin to index what came since: the last file may be made anew if it is small.
    pub begin: Uid,
    /// Messages of that last file.
    pub again: usize,
    /// Messages in it, gone ones too.
    pub messages: usize,
}

/// The folder of the index.
fn folder(dir: &Path) -> PathBuf {
    dir.join("search")
}

impl SearchIndexes {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: folder(dir), stamp: history::Stamp::default(), open: Mutex::default() }
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<MailboxId, Arc<Chain>>> {
        match self.open.lock() {
            Ok(open) => open,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn path(&self, mailbox: MailboxId, first: Uid) -> PathBuf {
        self.dir.join(format!("{:08}-{:010}.idx", mailbox.0, first.0))
    }

    /// Reads the chain: each file says where the next one begins.
    fn load(&self, mailbox: MailboxId, uid_validity: u32, uid_next: Uid) -> Chain {
        let mut chain = Chain::default();
        loop {
            let first = Uid(chain.up_to().0.saturating_add(1));
            match IndexFile::open(&*self.disk, &self.path(mailbox, first), mailbox, uid_validity) {
                Ok(Some(file)) if file.first == first && file.last < uid_next => {
                    chain.files.push(Arc::new(file));
                }
                // An index of messages that are still to come is of another store.
                Ok(_) => return chain,
                Err(err) => {
                    tracing::warn!(%mailbox, %err, "a file of the search index is made again");
                    return chain;
                }
            }
        }
    }

    /// Removes what belongs to mailboxes that are gone, and what was never finished.
    fn sweep(&self, exists: impl Fn(MailboxId) -> bool) -> std::io::Result<()> {
        for name in self.disk.list(&self.dir)?.into_iter().filter(|name| name != history::NAME) {
            let mailbox = name.split('-').next().and_then(|number| number.parse().ok());
            let is_whole = Path::new(&name).extension().is_some_and(|ext| ext == "idx");
            if !is_whole || !mailbox.is_some_and(|id| exists(MailboxId(id))) {
                self.disk.remove(&self.dir.join(&name))?;
            }
        }
        Ok(())
    }
}

/// # Errors
/// All may fail with `Io`, `Index` or `Damaged`; the index is then as good as absent. They read and write
/// files: not for the runtime's threads.
impl Store {
    fn search_chain(&self, mailbox: MailboxId) -> Result<Arc<Chain>, StoreError> {
        let indexes = &self.inner.search;
        if let Some(chain) = indexes.opened().get(&mailbox) {
            return Ok(Arc::clone(chain));
        }
        let found = self.mailbox(mailbox)?.ok_or(StoreError::NoSuchMailbox)?;
        let chain = indexes.load(mailbox, found.uid_validity.0, found.uid_next);
        let chain = Arc::new(chain);
        let mut open = indexes.opened();
        if open.len() >= OPEN_MAX {
            open.pop_first();
        }
        open.insert(mailbox, Arc::clone(&chain));
        Ok(chain)
    }

    /// True if mailboxes get an index.
    #[must_use]
    pub fn has_search_index(&self) -> bool {
        self.inner.options.search_index
    }

    /// How far the index goes.
    pub fn search_index(&self, mailbox: MailboxId) -> Result<SearchIndexState, StoreError> {
        let chain = self.search_chain(mailbox)?;
        let tail = chain.files.last().filter(|file| file.messages() < TAIL_MESSAGES_MAX);
        Ok(SearchIndexState {
            up_to: chain.up_to(),
            begin: tail.map_or_else(|| Uid(chain.up_to().0.saturating_add(1)), |file| file.first),
            again: tail.map_or(0, |file| file.messages()),
            messages: chain.files.iter().map(|file| file.messages()).sum(),
        })
    }

    /// The messages up to [`SearchIndexState::up_to`] that may hold all of these trigrams (values below
    /// 2^24), and that UID.
    pub fn search_candidates(
        &self,
        mailbox: MailboxId,
        trigrams: &[u32],
    ) -> Result<(UidRanges, Uid), StoreError> {
        let chain = self.search_chain(mailbox)?;
        let mut found = Vec::new();
        for file in &chain.files {
            if let Err(err) = file.candidates(trigrams, &mut found) {
                self.inner.search.opened().remove(&mailbox);
                return Err(err);
            }
        }
        found.sort_unstable();
        Ok((found.into_iter().map(Uid).collect(), chain.up_to()))
    }

    /// Adds the signatures of all messages from `first` to `last`. `first` is what the index begins with or
    /// [`SearchIndexState::begin`]; a file that begins there is replaced.
    pub fn search_index_add(
        &self,
        mailbox: MailboxId,
        (first, last): (Uid, Uid),
        signatures: &SearchSignatures,
    ) -> Result<(), StoreError> {
        self.check_space()?;
        let found = self.mailbox(mailbox)?.ok_or(StoreError::NoSuchMailbox)?;
        let indexes = &self.inner.search;
        let doing = "writing the search index";
        indexes.disk.make_dir(&indexes.dir).map_err(StoreError::io(doing))?;
        let bytes = file::encode(mailbox, found.uid_validity.0, (first, last), signatures);
        let making = indexes.dir.join(format!("{:08}-making", mailbox.0));
        let file = indexes.disk.open(&making, true).map_err(StoreError::io(doing))?;
        file.set_len(0).map_err(StoreError::io(doing))?;
        file.write_at(&bytes, 0).map_err(StoreError::io(doing))?;
        // Its name must not come before its bytes: the checksum would say so, but why read it then.
        file.sync_data().map_err(StoreError::io(doing))?;
        let (_, group) = meta::log_end(&self.snapshot()?)?;
        indexes
            .stamp
            .raise(&*indexes.disk, &indexes.dir, group)
            .map_err(StoreError::io("noting of which past the search index is"))?;
        let name = indexes.path(mailbox, first);
        indexes.disk.rename(&making, &name).map_err(StoreError::io(doing))?;
        indexes.opened().remove(&mailbox);
        Ok(())
    }

    /// Forgets the index of a mailbox, and files of mailboxes that are gone.
    pub fn search_index_drop(&self, mailbox: MailboxId) -> Result<(), StoreError> {
        let indexes = &self.inner.search;
        let chain = self.search_chain(mailbox)?;
        indexes.opened().remove(&mailbox);
        // The last one first: a chain never has a hole.
        for file in chain.files.iter().rev() {
            let path = indexes.path(mailbox, file.first);
            indexes.disk.remove(&path).map_err(StoreError::io("removing the search index"))?;
        }
        Ok(())
    }

    /// Removes the index files of mailboxes that are gone.
    pub fn search_index_sweep(&self) -> Result<(), StoreError> {
        let exists = |id| self.mailbox(id).is_ok_and(|found| found.is_some());
        match self.inner.search.sweep(exists) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            swept => swept.map_err(StoreError::io("sweeping the search index")),
        }
    }
}
