//! An act as a call of the store, its answer as the model words it, and the clock that lets callers form
//! groups.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base::{AccountId, Address, Clock, DomainName, MailboxId, ModSeq, QueueId, Timestamp};
use store::{
    AccountChange, Alias, Envelope, LocalTarget, NewAccount, NewMessage, NewQueueEntry, Notify,
    QueueRecipient, RecipientState, RecipientUpdate, Staged, Store, StoreError, TargetMailbox,
};

use crate::act::{Act, Delivery, Marks, Place, Settled};
use crate::content::Contents;
use crate::{entries, office};

/// The box's only mail domain.
pub(crate) const DOMAIN: &str = "sim.test";

/// A clock that stands. While the gate is shut, the store's writer waits at it, and what is sent meanwhile
/// becomes one group.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    at: AtomicI64,
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    is_shut: bool,
    has_come: bool,
}

impl Gate {
    pub(crate) fn new(at: i64) -> Self {
        Self { at: AtomicI64::new(at), ..Self::default() }
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.at.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn at(&self) -> i64 {
        self.at.load(Ordering::Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, GateState> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn shut(&self) {
        *self.held() = GateState { is_shut: true, has_come: false };
    }

    fn open(&self) {
        self.held().is_shut = false;
        self.changed.notify_all();
    }

    /// Waits a little for the writer; true once it is at the gate.
    fn has_come(&self) -> bool {
        let state = self.held();
        let wait = Duration::from_millis(1);
        match self.changed.wait_timeout_while(state, wait, |state| !state.has_come) {
            Ok((state, _)) => state.has_come,
            Err(poisoned) => poisoned.into_inner().0.has_come,
        }
    }
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        if std::thread::current().name() == Some("store-writer") {
            let mut state = self.held();
            state.has_come = true;
            self.changed.notify_all();
            while state.is_shut {
                state = match self.changed.wait(state) {
                    Ok(state) => state,
                    Err(poisoned) => poisoned.into_inner(),
                };
            }
        }
        Timestamp(self.at())
    }
}

pub(crate) type Answered = Result<String, StoreError>;
type Pending<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// A call to be polled from here, outside tokio's cooperative budget: a future that the runtime makes wait
/// for its turn has not sent its act yet, and then the acts of a group are no group, or the wait for the
/// writer never ends, as the budget comes back only when this task itself waits.
fn pending<'a>(call: impl Future<Output = Answered> + Send + 'a) -> Pending<'a> {
    Box::pin(tokio::task::unconstrained(call))
}

fn poll(call: &mut Pending<'_>) -> Option<Answered> {
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Sends the acts in their order and waits for all answers. As a group: all of them wait together before
/// the writer takes the first.
pub(crate) async fn perform(
    store: &Store,
    gate: &Gate,
    contents: &Contents,
    acts: &[Act],
    as_group: bool,
) -> Vec<Answered> {
    let mut plug: Option<Pending<'_>> = None;
    if as_group {
        gate.shut();
        let mut act = pending(async {
            store.queue_hold(QueueId(u64::MAX), true).await.map(|found| found.to_string())
        });
        // A store that has failed answers without a look at the clock.
        let mut is_over = poll(&mut act).is_some();
        while !is_over && !gate.has_come() {
            is_over = poll(&mut act).is_some();
        }
        if !is_over {
            plug = Some(act);
        }
    }
    let mut calls: Vec<(Pending<'_>, Option<Answered>)> = Vec::new();
    for act in acts {
        let mut call = pending(call(store, contents, act));
        let answer = if as_group { poll(&mut call) } else { None };
        calls.push((call, answer));
    }
    gate.open();
    if let Some(plug) = plug {
        // The plug changes nothing; how it ends says nothing.
        drop(plug.await);
    }
    let mut answers = Vec::new();
    for (call, answer) in calls {
        answers.push(match answer {
            Some(answer) => answer,
            None => call.await,
        });
    }
    answers
}

pub(crate) fn stage(store: &Store, bytes: &[u8]) -> Result<Staged, StoreError> {
    let mut staging = store.stage()?;
    for piece in bytes.chunks(60_000) {
        staging.write(piece)?;
    }
    staging.finish()
}

fn address(text: &str) -> Result<Address, StoreError> {
    Address::parse(text).map_err(|_| StoreError::Misuse("the simulation's address"))
}

fn delivery(
    store: &Store,
    contents: &Contents,
    delivery: &Delivery,
) -> Result<store::Delivery, StoreError> {
    let local = delivery.local.iter().map(|(account, place, marks)| LocalTarget {
        account: AccountId(*account),
        mailbox: match place {
            Place::Inbox => TargetMailbox::Inbox,
            Place::Special(special) => TargetMailbox::Special(*special),
            Place::Named(name) => TargetMailbox::Named(name.clone()),
        },
        flags: marks.flags(),
    });
    let recipients: Result<Vec<_>, _> = delivery
        .remote
        .iter()
        .map(|text| Ok::<_, StoreError>((address(text)?, None, Notify::default())))
        .collect();
    let remote = NewQueueEntry { envelope: Envelope::default(), recipients: recipients?, skip: 0 };
    Ok(store::Delivery {
        message: stage(store, contents.get(delivery.content))?,
        local: local.collect(),
        remote: (!delivery.remote.is_empty()).then_some(remote),
    })
}

fn update(index: usize, text: &str, settled: Settled) -> Result<RecipientUpdate, StoreError> {
    let (state, next_attempt_at) = match settled {
        Settled::Delivered => (RecipientState::Delivered, None),
        Settled::Failed => (RecipientState::Failed, None),
        Settled::Later(at) => (RecipientState::Pending, Some(at)),
    };
    let recipient = QueueRecipient {
        address: address(text)?,
        orcpt: None,
        notify: Notify::default(),
        state,
        next_attempt_at: Timestamp(next_attempt_at.unwrap_or_default()),
        attempts: 1,
        last_reply: Some("451 4.3.0 later".to_owned()),
        last_host: None,
        delay_notified: false,
    };
    Ok(RecipientUpdate { index, recipient })
}

async fn call(store: &Store, contents: &Contents, act: &Act) -> Answered {
    match act {
        Act::Deliver(_)
        | Act::Append { .. }
        | Act::Replace { .. }
        | Act::Mark { .. }
        | Act::Expunge { .. }
        | Act::Copy { .. } => Box::pin(call_mail(store, contents, act)).await,
        Act::Create { .. } | Act::Delete { .. } | Act::Rename { .. } | Act::Subscribe { .. } => {
            Box::pin(call_mailbox(store, act)).await
        }
        Act::Settle { .. } | Act::Hold { .. } | Act::Retry { .. } | Act::DeleteEntry { .. } => {
            Box::pin(call_spool(store, contents, act)).await
        }
        Act::Restore { .. } | Act::RestoreAccount { .. } | Act::KeepHouse => {
            Box::pin(call_recovery(store, act)).await
        }
        Act::Office(deed) => Box::pin(office::call(store, deed)).await,
        _ => Box::pin(call_directory(store, act)).await,
    }
}

/// Longer than anything deleted is kept.
const MONTH: Duration = Duration::from_secs(31 * 24 * 3600);

async fn call_recovery(store: &Store, act: &Act) -> Answered {
    match act {
        Act::Restore { account, ids, into } => {
            let restored =
                store.restore_messages(AccountId(*account), ids.clone(), into.clone()).await?;
            let messages: Vec<_> = restored
                .messages
                .iter()
                .map(|(id, mailbox, uid)| (*id, mailbox.0, uid.0))
                .collect();
            Ok(format!("{messages:?} {:?}", restored.missing))
        }
        Act::RestoreAccount { account } => {
            store.restore_account(AccountId(*account)).await?;
            done()
        }
        Act::KeepHouse => Ok(store.keep_house(MONTH).await?.to_string()),
        _ => Err(StoreError::Misuse("not an act of recovery")),
    }
}

fn done() -> Answered {
    Ok("done".to_owned())
}

async fn call_directory(store: &Store, act: &Act) -> Answered {
    match act {
        Act::CreateDomain => {
            let domain = DomainName::parse(DOMAIN)
                .map_err(|_| StoreError::Misuse("the simulation's domain"))?;
            store.create_domain(domain).await?;
        }
        Act::CreateAccount { address: text } if entries::is_for_ldap(text) => {
            return entries::create_account(store, &address(text)?).await;
        }
        Act::CreateAccount { address: text } => {
            let new = NewAccount {
                address: address(text)?,
                name: "A B".to_owned(),
                aliases: Vec::new(),
                quota_bytes: None,
                is_admin: false,
                password_hash: None,
            };
            return Ok(store.create_account(new).await?.to_string());
        }
        Act::RenameAccount { account, name } => {
            let change = AccountChange { name: Some(name.clone()), ..AccountChange::default() };
            store.update_account(AccountId(*account), change).await?;
        }
        Act::DeleteAccount { account } => store.delete_account(AccountId(*account)).await?,
        Act::PutAlias { address: text, targets, is_new } if entries::is_for_ldap(text) => {
            return match is_new {
                true => entries::create_alias(store, &address(text)?, targets).await,
                false => entries::update_alias(store, &address(text)?, targets).await,
            };
        }
        Act::DeleteAlias { address: text } if entries::is_for_ldap(text) => {
            return entries::delete_alias(store, &address(text)?).await;
        }
        Act::PutAlias { address: text, targets, is_new } => {
            let targets: Result<Vec<_>, _> = targets.iter().map(|text| address(text)).collect();
            let alias = Alias { address: address(text)?, targets: targets? };
            if *is_new {
                store.create_alias(alias).await?;
            } else {
                store.update_alias(alias).await?;
            }
        }
        Act::DeleteAlias { address: text } => store.delete_alias(address(text)?).await?,
        Act::SetHostname { hostname } => {
            let hostname = hostname.clone();
            let change = Box::new(move |settings: &mut store::Settings| {
                settings.hostname = hostname;
            });
            store.update_settings(change).await?;
        }
        _ => return Err(StoreError::Misuse("not an act of the directory")),
    }
    done()
}

fn new_message(
    store: &Store,
    contents: &Contents,
    (content, marks, date): &(u64, Marks, i64),
) -> Result<NewMessage, StoreError> {
    let message = stage(store, contents.get(*content))?;
    let (flags, internal_date) = (marks.flags(), Timestamp(*date));
    Ok(NewMessage { message, flags, internal_date, zone_minutes: 0 })
}

async fn call_mail(store: &Store, contents: &Contents, act: &Act) -> Answered {
    match act {
        Act::Deliver(new) => {
            let delivered = store.deliver(delivery(store, contents, new)?).await?;
            let copies: Vec<_> =
                delivered.local.iter().map(|(a, mailbox, uid)| (a.0, mailbox.0, uid.0)).collect();
            Ok(format!("{copies:?} {:?}", delivered.queue.map(|id| id.0)))
        }
        Act::Replace { from, uid, to, message } => {
            let (from, to) = (MailboxId(*from), MailboxId(*to));
            let message = new_message(store, contents, message)?;
            let appended = store.replace(from, base::Uid(*uid), to, message).await?;
            let uids: Vec<u32> = appended.uids.iter().map(|uid| uid.0).collect();
            Ok(format!("{} {uids:?}", appended.uid_validity))
        }
        Act::Append { mailbox, messages } => {
            let new: Result<Vec<_>, _> =
                messages.iter().map(|message| new_message(store, contents, message)).collect();
            let appended = store.append(MailboxId(*mailbox), new?).await?;
            let uids: Vec<u32> = appended.uids.iter().map(|uid| uid.0).collect();
            Ok(format!("{} {uids:?}", appended.uid_validity))
        }
        Act::Mark { mailbox, uids, op, marks, since } => {
            let since = since.map(ModSeq);
            let outcome = store
                .store_flags(MailboxId(*mailbox), uids.ranges(), *op, marks.flags(), since)
                .await?;
            let rows: Vec<_> =
                outcome.rows.iter().map(|(uid, _, modseq)| (uid.0, modseq.0)).collect();
            let modified: Vec<u32> = outcome.modified.iter().map(|uid| uid.0).collect();
            Ok(format!("{rows:?} {modified:?}"))
        }
        Act::Expunge { mailbox, uids } => {
            let uids = uids.as_ref().map(crate::act::Uids::ranges);
            let (gone, modseq) = store.expunge(MailboxId(*mailbox), uids).await?;
            let gone: Vec<u32> = gone.iter().map(|uid| uid.0).collect();
            Ok(format!("{gone:?} {modseq}"))
        }
        Act::Copy { from, uids, to, moves } => {
            let (from, to) = (MailboxId(*from), MailboxId(*to));
            let copied = if *moves {
                store.move_messages(from, uids.ranges(), to).await?
            } else {
                store.copy(from, uids.ranges(), to).await?
            };
            let numbers = |uids: &[base::Uid]| uids.iter().map(|uid| uid.0).collect::<Vec<_>>();
            let (source, target) = (numbers(&copied.source), numbers(&copied.target));
            Ok(format!("{} {source:?} {target:?}", copied.uid_validity))
        }
        _ => Err(StoreError::Misuse("not an act on messages")),
    }
}

async fn call_mailbox(store: &Store, act: &Act) -> Answered {
    match act {
        Act::Create { account, name } => {
            let made = store.create_mailbox(AccountId(*account), name.clone(), None).await?;
            return Ok(format!("{} {}", made.id, made.uid_validity));
        }
        Act::Delete { account, name } => {
            store.delete_mailbox(AccountId(*account), name.clone()).await?;
        }
        Act::Rename { account, from, to } => {
            store.rename_mailbox(AccountId(*account), from.clone(), to.clone()).await?;
        }
        Act::Subscribe { account, name, on } => {
            store.subscribe(AccountId(*account), name.clone(), *on).await?;
        }
        _ => return Err(StoreError::Misuse("not an act on mailboxes")),
    }
    done()
}

async fn call_spool(store: &Store, contents: &Contents, act: &Act) -> Answered {
    match act {
        Act::Settle { id, updates, notice } => {
            let updates: Result<Vec<_>, _> = updates
                .iter()
                .map(|(index, text, settled)| update(*index, text, *settled))
                .collect();
            let notices: Result<Vec<_>, _> =
                notice.iter().map(|notice| delivery(store, contents, notice)).collect();
            store.queue_settle(QueueId(*id), updates?, notices?).await?;
            done()
        }
        Act::Hold { id, on } => Ok(store.queue_hold(QueueId(*id), *on).await?.to_string()),
        Act::Retry { id } => Ok(store.queue_retry(QueueId(*id)).await?.to_string()),
        Act::DeleteEntry { id } => Ok(store.queue_delete(QueueId(*id)).await?.to_string()),
        _ => Err(StoreError::Misuse("not an act on the spool")),
    }
}

#[test]
fn a_group_forms_when_tokios_budget_is_used_up() {
    use std::sync::{Arc, mpsc};

    use crate::life::{Checkpoints, open};

    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let disk =
            crate::disk::SimDisk::new(std::path::Path::new("/data"), crate::random::Random::new(0));
        let gate = Arc::new(Gate::new(0));
        let store = open(&disk, &gate, Checkpoints::AtTheEnd).unwrap();
        let acts = [Act::CreateDomain, Act::Hold { id: 1, on: true }];
        let answers = runtime.block_on(async {
            loop {
                let mut turn = Box::pin(tokio::task::consume_budget());
                if turn.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                    break;
                }
            }
            perform(&store, &gate, Contents::shared(), &acts, true).await
        });
        done.send(answers.iter().all(Result::is_ok)).unwrap();
    });
    assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(true), "it hangs");
}
