//! Many people and entries at once, in one act: all of them, or those that can be, or none. A trial is the
//! same act, given up at its end, so it says what the act would do.
//!
//! Limit: [`crate::Options::import_records_max`]; the writer does nothing else meanwhile.

use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, Address};
use directory::{Attributes, Code, Dn, Modification};

use super::account;
use super::address_index::{self, Owner};
use super::{acts, entry, tree};
use crate::writer::Tx;
use crate::{AccountChange, NewAccount, Store, StoreError};

/// Entries that name one another as members are tried again so often: groups in groups.
const ROUNDS_MAX: usize = 10;

/// One record of an import.
#[derive(Clone)]
pub enum ImportRecord {
    /// A person with this address in a domain of the box, and what is said of it.
    Person {
        /// The primary address.
        address: Address,
        /// What is said of the account.
        change: Box<AccountChange>,
        /// What else is said; keys of [`directory::schema::key`], none of them of an account.
        attributes: Attributes,
    },
    /// An entry; the attributes have the keys of the schema and hashed passwords.
    Entry {
        /// Its name.
        dn: Dn,
        /// What is said of it.
        attributes: Attributes,
    },
}

impl std::fmt::Debug for ImportRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person { address, .. } => write!(f, "Person({address})"),
            Self::Entry { dn, .. } => write!(f, "Entry({dn})"),
        }
    }
}

/// How an import deals with what it meets.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportOptions {
    /// People and entries that are there already are changed, not left alone.
    pub updates: bool,
    /// What can be done is done, though something else cannot.
    pub is_partial: bool,
    /// Nothing is done.
    pub is_trial: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is there now; its account, if it is one.
    Created(Option<AccountId>),
    /// It was there and is now as the record says.
    Updated(Option<AccountId>),
    /// It was there and stays as it is.
    Skipped,
}

/// What became of an import.
#[derive(Debug)]
pub struct ImportDone {
    /// One for each record, in their order.
    pub outcomes: Vec<Result<Imported, StoreError>>,
    /// False: nothing was changed, it was a trial or something could not be done.
    pub is_written: bool,
}

impl Store {
    /// Imports people and entries. `by` is the DN of who does it. Entries without members come first, so that
    /// groups find theirs.
    ///
    /// # Errors
    /// `LimitReached` for too many; an operating error, after which nothing was done (`Closed`: the outcome
    /// is unknown); `Vetoed`, where one of the records is refused from outside. What is wrong with a record is
    /// its outcome.
    pub async fn import(
        &self,
        records: Arc<Vec<ImportRecord>>,
        options: ImportOptions,
        by: String,
    ) -> Result<ImportDone, StoreError> {
        if records.len() > self.inner.options.import_records_max {
            return Err(StoreError::LimitReached("records of an import"));
        }
        if let Some(gate) = self.gate().filter(|_| !options.is_trial) {
            let (records, by) = (Arc::clone(&records), by.clone());
            self.ask(&*gate, move |tx| run(tx, &records, options, &by).map(drop)).await?;
        }
        let told = Arc::new(Mutex::new(None));
        let tell = Arc::clone(&told);
        let acted = self.act_alone(move |tx| {
            let outcomes = run(tx, &records, options, &by)?;
            let is_whole = outcomes.iter().all(Result::is_ok);
            let is_written = !options.is_trial && (is_whole || options.is_partial);
            *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcomes);
            // The writer gives up what an act that fails has written.
            if is_written { Ok(()) } else { Err(StoreError::Misuse("a trial")) }
        });
        let acted = acted.await;
        let outcomes = told.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (acted, outcomes) {
            (Ok(()), Some(outcomes)) => Ok(ImportDone { outcomes, is_written: true }),
            (Err(StoreError::Misuse(_)), Some(outcomes)) => {
                Ok(ImportDone { outcomes, is_written: false })
            }
            (Err(err), _) => Err(err),
            (Ok(()), None) => Err(StoreError::Closed),
        }
    }
}

type Outcome = Result<Imported, StoreError>;

fn run(
    tx: &mut Tx<'_, '_>,
    records: &[ImportRecord],
    options: ImportOptions,
    by: &str,
) -> Result<Vec<Outcome>, StoreError> {
    let mut outcomes: Vec<Option<Outcome>> = records.iter().map(|_| None).collect();
    let mut waiting = Vec::new();
    for (at, (record, outcome)) in records.iter().zip(&mut outcomes).enumerate() {
        match record {
            ImportRecord::Entry { attributes, .. } if attributes.contains_key(entry::MEMBER) => {
                waiting.push(at);
            }
            _ => *outcome = Some(one(tx, record, options, by)?),
        }
    }
    for _ in 0..ROUNDS_MAX {
        let mut again = Vec::new();
        for at in &waiting {
            let (Some(record), Some(outcome)) = (records.get(*at), outcomes.get_mut(*at)) else {
                continue;
            };
            let done = one(tx, record, options, by)?;
            if matches!(&done, Err(StoreError::Refused(why)) if why.code == Code::ConstraintViolation)
            {
                again.push(*at);
            }
            *outcome = Some(done);
        }
        if again.is_empty() || again.len() == waiting.len() {
            break;
        }
        waiting = again;
    }
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or(Ok(Imported::Skipped))).collect())
}

/// One record. Its refusal is the inner outcome; what leaves the index half-way is the outer error and ends
/// the whole.
fn one(
    tx: &mut Tx<'_, '_>,
    record: &ImportRecord,
    options: ImportOptions,
    by: &str,
) -> Result<Outcome, StoreError> {
    let writes = tx.writes();
    let done = match record {
        ImportRecord::Person { address, change, attributes } => {
            person(tx, address, change, attributes, options)
        }
        ImportRecord::Entry { dn, attributes } => entry_of(tx, dn, attributes, options, by),
    };
    match done {
        Err(err) if tx.writes() != writes || matches!(err, StoreError::Index { .. }) => Err(err),
        done => Ok(done),
    }
}

fn person(
    tx: &mut Tx<'_, '_>,
    address: &Address,
    change: &AccountChange,
    attributes: &Attributes,
    options: ImportOptions,
) -> Outcome {
    match address_index::find(&tx.tables, address)? {
        Some(Owner::Primary(id)) if options.updates => {
            account::update_with(tx, id, change, attributes)?;
            Ok(Imported::Updated(Some(id)))
        }
        Some(Owner::Primary(_)) => Ok(Imported::Skipped),
        Some(_) => Err(StoreError::AddressTaken(address.to_string())),
        None => {
            let new = NewAccount {
                address: address.clone(),
                name: change.name.clone().unwrap_or_default(),
                aliases: change.aliases.clone().unwrap_or_default(),
                quota_bytes: change.quota_bytes.flatten(),
                is_admin: change.is_admin.unwrap_or_default(),
                password_hash: change.password_hash.clone(),
            };
            account::create_with(tx, &new, change, attributes).map(Some).map(Imported::Created)
        }
    }
}

fn entry_of(
    tx: &mut Tx<'_, '_>,
    dn: &Dn,
    attributes: &Attributes,
    options: ImportOptions,
    by: &str,
) -> Outcome {
    let Some(id) = tree::id_of(&tx.tables, &dn.key())? else {
        return Ok(Imported::Created(acts::add(tx, dn, attributes, by)?.entry.account));
    };
    if !options.updates {
        return Ok(Imported::Skipped);
    }
    let before = tree::existing(&tx.tables, id)?.entry;
    let mut changes = Vec::new();
    for (name, values) in attributes {
        let (name, values) = (name.clone(), values.clone());
        if name == entry::CLASS {
            let is_new = |class: &Vec<u8>| {
                std::str::from_utf8(class).is_ok_and(|class| !before.has_class(class))
            };
            let values: Vec<Vec<u8>> = values.into_iter().filter(is_new).collect();
            if !values.is_empty() {
                changes.push(Modification::Add { name, values });
            }
        } else {
            changes.push(Modification::Replace { name, values });
        }
    }
    let (_, after) = acts::modify(tx, dn, &changes, None, by)?;
    Ok(Imported::Updated(after.entry.account))
}
