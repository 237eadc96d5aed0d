//! The tables of the index and the two ways to look at them: a read snapshot and the writer's
//! transaction.
//!
//! All keys and values are bytes; FORMAT.md has their layout. Never here: what a row means.

use std::cell::OnceCell;
mod backend;
mod flush;
pub(crate) mod redo;
mod tables;

pub(crate) use tables::Tables;

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    AccessGuard, Database, Range, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableDefinition, TableHandle, WriteTransaction,
};

use self::backend::Backend;
use crate::{DiskFile, StoreError};

type Bytes = &'static [u8];

/// The tables. The discriminant is the place in [`TABLES`] and the table's number in the log: new tables go
/// to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum T {
    /// name -> counters and the end of the log.
    Meta,
    /// mailbox id -> mailbox row.
    Mailbox,
    /// account, name -> mailbox id.
    MailboxName,
    /// mailbox, UID -> message row.
    Message,
    /// mailbox, UID / 256 -> flags of up to 256 messages.
    Flags,
    /// mailbox -> names of its keywords.
    Keyword,
    /// mailbox, modseq -> what changed.
    Change,
    /// content number -> place in the segments, links, hash.
    Blob,
    /// content number -> IMAP texts and structure.
    Text,
    /// hash -> content number.
    Hash,
    /// content number -> octets of its lines with CRLF, where they are not its size.
    LineOctets,
    /// account id -> entry number and state.
    Account,
    /// account id -> bytes used, mailboxes, last UIDVALIDITY.
    Usage,
    /// account, name -> subscribed.
    Subscription,
    /// entry number -> LDAP entry.
    Entry,
    /// domain, local part -> whose address it is.
    Address,
    /// domain -> entry number.
    Domain,
    /// queue id -> queue entry.
    Queue,
    /// due time, queue id -> nothing.
    QueueDue,
    /// name -> a setting record.
    Setting,
    /// segment -> live bytes, all bytes.
    Segment,
    /// account, block -> messages that were expunged.
    Expunged,
    /// account -> how many and how large those are.
    ExpungedSum,
    /// account -> what a deleted account was.
    DeletedAccount,
    /// mailbox id -> its access control list.
    Acl,
    /// principal, owner, mailbox id -> nothing.
    AclPrincipal,
    /// group -> entry number.
    Group,
    /// account id, group -> nothing.
    Membership,
    /// mailbox id, account id, entry -> a value of METADATA.
    Annotation,
    /// DN from the root -> entry number.
    EntryDn,
    /// attribute, value, entry number -> nothing.
    EntryIndex,
    /// number -> who did what.
    Audit,
    /// another name of a domain -> entry number.
    DomainAlias,
    /// account id, number -> an app password, or the second factor.
    Credential,
    /// webhook, part -> what is set, and how far it was told.
    Webhook,
}

const TABLES: [(T, &str); 35] = [
    (T::Meta, "meta"),
    (T::Mailbox, "mailbox"),
    (T::MailboxName, "mailbox_name"),
    (T::Message, "message"),
    (T::Flags, "flags"),
    (T::Keyword, "keyword"),
    (T::Change, "change"),
    (T::Blob, "content"),
    (T::Text, "content_text"),
    (T::Hash, "content_hash"),
    (T::LineOctets, "content_line_octets"),
    (T::Account, "account"),
    (T::Usage, "usage"),
    (T::Subscription, "subscription"),
    (T::Entry, "entry"),
    (T::Address, "address"),
    (T::Domain, "domain"),
    (T::Queue, "queue"),
    (T::QueueDue, "queue_due"),
    (T::Setting, "setting"),
    (T::Segment, "segment"),
    (T::Expunged, "expunged"),
    (T::ExpungedSum, "expunged_sum"),
    (T::DeletedAccount, "deleted_account"),
    (T::Acl, "acl"),
    (T::AclPrincipal, "acl_principal"),
    (T::Group, "group"),
    (T::Membership, "membership"),
    (T::Annotation, "annotation"),
    (T::EntryDn, "entry_dn"),
    (T::EntryIndex, "entry_index"),
    (T::Audit, "audit"),
    (T::DomainAlias, "domain_alias"),
    (T::Credential, "credential"),
    (T::Webhook, "webhook"),
];

impl T {
    /// The table with this number in the log.
    fn of_number(number: u8) -> Option<Self> {
        TABLES.get(usize::from(number)).map(|(table, _)| *table)
    }

    /// All tables.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        TABLES.into_iter().map(|(table, _)| table)
    }
}

fn definition(at: usize) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(TABLES[at].1)
}

/// What a scan does with a row: `true` goes on.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<bool, StoreError> + 'v;

/// What both transactions can do.
pub(crate) trait View {
    /// The value of a key.
    fn get(&self, table: T, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Visits `from <= key < to` ascending; an empty `to` is the end of the table.
    fn scan(
        &self,
        table: T,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;
    /// How many rows a table has.
    fn len(&self, table: T) -> Result<u64, StoreError>;

    /// Visits all keys that begin with `prefix`.
    fn scan_prefix(
        &self,
        table: T,
        prefix: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.scan(table, prefix, &crate::codec::behind(prefix), visit)
    }

    /// True if the key exists.
    fn has(&self, table: T, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.get(table, key)?.is_some())
    }
}

impl<V: View + ?Sized> View for &V {
    fn get(&self, table: T, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(table, key)
    }
    fn scan(
        &self,
        table: T,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        (**self).scan(table, from, to, visit)
    }
    fn len(&self, table: T) -> Result<u64, StoreError> {
        (**self).len(table)
    }
}

fn scan_table(
    table: &impl ReadableTable<Bytes, Bytes>,
    from: &[u8],
    to: &[u8],
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    let end = if to.is_empty() { Bound::Unbounded } else { Bound::Excluded(to) };
    let range = table
        .range::<&[u8]>((Bound::Included(from), end))
        .map_err(StoreError::index("reading a range"))?;
    for row in range {
        let (key, value) = row.map_err(StoreError::index("reading a range"))?;
        if !visit(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}

/// A snapshot of the last committed state.
pub(crate) struct Snapshot {
    transaction: ReadTransaction,
    /// `None` in a cell: a table that an earlier version did not make, and nothing was written since.
    tables: [OnceCell<Option<ReadOnlyTable<Bytes, Bytes>>>; TABLES.len()],
}

impl Snapshot {
    pub(crate) fn of(database: &Database) -> Result<Self, StoreError> {
        let transaction = database.begin_read().map_err(StoreError::index("beginning to read"))?;
        Ok(Self { transaction, tables: std::array::from_fn(|_| OnceCell::new()) })
    }

    /// True if no table was made yet.
    pub(crate) fn is_new(&self) -> Result<bool, StoreError> {
        let mut tables =
            self.transaction.list_tables().map_err(StoreError::index("listing the tables"))?;
        Ok(tables.next().is_none())
    }

    /// Copies all tables into an empty index, durably.
    pub(crate) fn copy_to(&self, copy: &Database) -> Result<(), StoreError> {
        let doing = "copying the index";
        let mut transaction = begin(copy)?;
        make_durable(&mut transaction)?;
        for (table, _) in TABLES {
            let Some(from) = self.table(table)? else { continue };
            let mut to = transaction
                .open_table(definition(table as usize))
                .map_err(StoreError::index(doing))?;
            for row in from.range::<&[u8]>(..).map_err(StoreError::index(doing))? {
                let (key, value) = row.map_err(StoreError::index(doing))?;
                to.insert(key.value(), value.value()).map_err(StoreError::index(doing))?;
            }
        }
        transaction.commit().map_err(StoreError::index(doing))
    }

    fn table(&self, table: T) -> Result<Option<&ReadOnlyTable<Bytes, Bytes>>, StoreError> {
        let cell = &self.tables[table as usize];
        if let Some(open) = cell.get() {
            return Ok(open.as_ref());
        }
        let open = match self.transaction.open_table(definition(table as usize)) {
            Ok(open) => Some(open),
            Err(redb::TableError::TableDoesNotExist(_)) => None,
            Err(err) => return Err(StoreError::index("opening a table")(err)),
        };
        Ok(cell.get_or_init(|| open).as_ref())
    }
}

/// Finds rows of a table in one snapshot by keys that mostly ascend: a neighbour costs a step, not a way
/// from the root.
pub(crate) struct Cursor {
    table: T,
    range: Option<Range<'static, Bytes, Bytes>>,
    current: Option<(AccessGuard<'static, Bytes>, AccessGuard<'static, Bytes>)>,
}

/// Steps before looking from the root is cheaper.
const STEPS_MAX: usize = 8;

impl Cursor {
    pub(crate) fn over(table: T) -> Self {
        Self { table, range: None, current: None }
    }

    /// The value of a key in `view`, which is the same each time.
    pub(crate) fn get(&mut self, view: &Snapshot, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        let mut steps = 0;
        let is_ahead = |current: &Option<(AccessGuard<'_, Bytes>, _)>| {
            current.as_ref().is_none_or(|(at, _)| at.value() > key)
        };
        while steps < STEPS_MAX && !is_ahead(&self.current) {
            if self.current.as_ref().is_some_and(|(at, _)| at.value() == key) {
                return Ok(self.current.as_ref().map(|(_, value)| value.value()));
            }
            self.step()?;
            steps += 1;
        }
        let doing = "reading a range";
        let Some(table) = view.table(self.table)? else { return Ok(None) };
        self.range = Some(table.range(key..).map_err(StoreError::index(doing))?);
        self.step()?;
        let found = self.current.as_ref().filter(|(at, _)| at.value() == key);
        Ok(found.map(|(_, value)| value.value()))
    }

    fn step(&mut self) -> Result<(), StoreError> {
        let next = self.range.as_mut().and_then(Iterator::next).transpose();
        self.current = next.map_err(StoreError::index("reading a range"))?;
        Ok(())
    }
}

impl View for Snapshot {
    fn get(&self, table: T, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(table) = self.table(table)? else { return Ok(None) };
        let value = table.get(key).map_err(StoreError::index("reading a row"))?;
        Ok(value.map(|v| v.value().to_vec()))
    }
    fn scan(
        &self,
        table: T,
        from: &[u8],
        to: &[u8],
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        match self.table(table)? {
            Some(table) => scan_table(table, from, to, visit),
            None => Ok(()),
        }
    }
    fn len(&self, table: T) -> Result<u64, StoreError> {
        let Some(table) = self.table(table)? else { return Ok(0) };
        table.len().map_err(StoreError::index("counting rows"))
    }
}

/// Opens the index in `file`, or makes it.
pub(crate) fn open(file: Arc<dyn DiskFile>, cache_bytes: usize) -> Result<Database, StoreError> {
    guarded(|| {
        Database::builder()
            .set_cache_size(cache_bytes)
            .create_with_backend(Backend(file))
            .map_err(|e| StoreError::Open(format!("the index: {e}")))
    })
}

/// As [`open`], of an index that is there, when every page of it is what was written.
pub(crate) fn verified(
    file: Arc<dyn DiskFile>,
    cache_bytes: usize,
) -> Result<Database, StoreError> {
    let mut database = open(file, cache_bytes)?;
    database.check_integrity().map_err(|e| StoreError::Open(format!("the index: {e}")))?;
    Ok(database)
}

/// Damage can make the index library panic; that is damage, not a bug of ours.
pub(crate) fn guarded<V>(work: impl FnOnce() -> Result<V, StoreError>) -> Result<V, StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Damaged("the index cannot be read here".to_owned())))
}

/// Begins a transaction whose commit is visible at once and durable with the next durable one. Its group
/// is durable in the log before it is committed.
pub(crate) fn begin(database: &Database) -> Result<WriteTransaction, StoreError> {
    let doing = "beginning to write";
    let mut transaction = database.begin_write().map_err(StoreError::index(doing))?;
    transaction.set_durability(redb::Durability::None).map_err(StoreError::index(doing))?;
    Ok(transaction)
}

/// Makes the commit of a transaction durable, with all commits before it; no crash behind it needs a
/// repair.
pub(crate) fn make_durable(transaction: &mut WriteTransaction) -> Result<(), StoreError> {
    transaction
        .set_durability(redb::Durability::Immediate)
        .map_err(StoreError::index("making a commit durable"))?;
    transaction.set_quick_repair(true);
    Ok(())
}

/// True if all tables are there; a later version of the same format may have more.
pub(crate) fn has_all_tables(database: &Database) -> Result<bool, StoreError> {
    let doing = "listing the tables";
    let view = database.begin_read().map_err(StoreError::index(doing))?;
    let there: Vec<String> = view
        .list_tables()
        .map_err(StoreError::index(doing))?
        .map(|table| table.name().to_owned())
        .collect();
    Ok(TABLES.iter().all(|(_, name)| there.iter().any(|there| there == name)))
}

/// Makes all commits so far durable.
pub(crate) fn checkpoint(database: &Database) -> Result<(), StoreError> {
    let mut transaction = begin(database)?;
    make_durable(&mut transaction)?;
    transaction.commit().map_err(StoreError::index("committing"))
}
