//! NOTIFY. RFC 5465.
//!
//! What the client was told last stands here, and each wake compares it with what is so now: nothing is
//! lost by being slow, and nothing piles up. A session may watch 2,000 mailboxes; one more, and it is told
//! NOTIFICATIONOVERFLOW (§5.8) and watches nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AccountId, MailboxId};
use store::{Mailbox, OFFICE, Rights, Store, StoreError};

use super::parse::{EventGroup, Events, FetchItem, Filter, NotifyCommand, StatusItem};
use super::reply::{Fail, Outcome, no, ok};
use super::session::Session;

/// Mailboxes that one session watches.
const MAILBOXES_MAX: usize = 2_000;
/// Above this a look goes to another thread.
const AT_ONCE_MAX: usize = 100;

const BAD_EVENT: &str = "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName \
    SubscriptionChange MailboxMetadataChange ServerMetadataChange)] Not all events are known";

/// What is told of the selected mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SelectedEvents {
    /// Anything at all.
    pub(super) tells: bool,
    /// FlagChange.
    pub(super) flags: bool,
    /// SELECTED-DELAYED: no EXPUNGE between commands.
    pub(super) delays_expunge: bool,
}

impl Default for SelectedEvents {
    fn default() -> Self {
        Self { tells: true, flags: true, delays_expunge: true }
    }
}

/// A mailbox as the client knows it.
#[derive(Debug)]
struct Known {
    name: String,
    mailbox: Mailbox,
    may_read: bool,
    events: Events,
}

/// A group of names with what is told of them.
#[derive(Debug)]
struct Group {
    filter: Names,
    events: Events,
}

#[derive(Debug)]
enum Names {
    Personal,
    Subscribed,
    Subtree(Vec<String>),
    Mailboxes(Vec<String>),
}

/// What a session is notified of.
#[derive(Debug)]
pub(super) struct Notify {
    pub(super) selected: SelectedEvents,
    /// What is told of a new message in the selected mailbox.
    pub(super) items: Vec<FetchItem>,
    groups: Vec<Group>,
    known: BTreeMap<MailboxId, Known>,
    subscribed: BTreeSet<String>,
    watched: BTreeSet<AccountId>,
    waker: Arc<tokio::sync::Notify>,
    own: BTreeSet<String>,
}

/// What is so now.
struct Look {
    seen: BTreeMap<MailboxId, (String, Mailbox, bool)>,
    subscribed: BTreeSet<String>,
}

/// One thing to tell.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Status(MailboxId, Vec<StatusItem>),
    Name { name: String, old: Option<String> },
}

impl Look {
    fn take(store: &Store, account: AccountId) -> Result<Self, StoreError> {
        let mut seen = BTreeMap::new();
        for mailbox in store.mailboxes(account)? {
            let may_read = store.rights(account, mailbox.id)?.has(Rights::READ);
            seen.insert(mailbox.id, (mailbox.name.clone(), mailbox, may_read));
        }
        for found in store.shown_mailboxes(account)? {
            let may_read = found.rights.has(Rights::READ);
            seen.insert(found.mailbox.id, (found.name, found.mailbox, may_read));
        }
        let subscribed = store.subscriptions(account)?.into_iter().collect();
        Ok(Self { seen, subscribed })
    }

    fn owners(&self, account: AccountId) -> BTreeSet<AccountId> {
        let owners = self.seen.values().map(|(_, mailbox, _)| mailbox.account);
        owners.chain([account, OFFICE]).collect()
    }
}

fn is_below(name: &str, top: &str) -> bool {
    name.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

impl Group {
    fn of(group: &EventGroup, session: &Session) -> Self {
        let decoded = |names: &Vec<Vec<u8>>| {
            names.iter().filter_map(|name| session.name(name).ok()).collect()
        };
        let filter = match &group.filter {
            Filter::Subscribed => Names::Subscribed,
            Filter::Subtree(names) => Names::Subtree(decoded(names)),
            Filter::Mailboxes(names) => Names::Mailboxes(decoded(names)),
            // RFC 5465 §6.3: which mailboxes a rule may deliver into is not told apart.
            _ => Names::Personal,
        };
        Self { filter, events: group.events }
    }

    fn is_of(&self, name: &str, is_own: bool, is_subscribed: bool) -> bool {
        match &self.filter {
            Names::Personal => is_own,
            Names::Subscribed => is_subscribed,
            Names::Subtree(tops) => tops.iter().any(|top| name == top || is_below(name, top)),
            Names::Mailboxes(names) => names.iter().any(|known| known == name),
        }
    }
}

/// `Shared/…` and `Public/…` are the names of others' mailboxes.
fn is_own_name(name: &str) -> bool {
    !is_below(name, "Shared") && !is_below(name, "Public")
}

impl Notify {
    pub(super) fn waker(&self) -> &tokio::sync::Notify {
        &self.waker
    }

    pub(super) fn note_own(&mut self, names: &[&str]) {
        for name in names {
            self.own.insert((*name).to_owned());
            self.own.extend(
                name.match_indices('/').filter_map(|(at, _)| name.get(..at)).map(str::to_owned),
            );
        }
    }

    /// True if a change of annotations of that mailbox (or, by an empty name, of the server) is wanted.
    pub(super) fn wants_annotations(&self, name: &str) -> bool {
        let is_subscribed = self.subscribed.contains(name);
        self.groups.iter().any(|group| {
            if name.is_empty() {
                return group.events.server_metadata;
            }
            group.events.mailbox_metadata && group.is_of(name, is_own_name(name), is_subscribed)
        })
    }

    fn events(&self, name: &str, subscribed: &BTreeSet<String>) -> Events {
        let is_subscribed = subscribed.contains(name);
        self.groups
            .iter()
            .filter(|group| group.is_of(name, is_own_name(name), is_subscribed))
            .fold(Events::default(), |events, group| events.and(group.events))
    }

    /// Takes over what is so now; says what to tell. Nothing of messages in `selected`.
    fn compare(
        &mut self,
        look: Look,
        selected: Option<MailboxId>,
        is_condstore: bool,
    ) -> Result<Vec<Told>, StoreError> {
        let mut told = Vec::new();
        let mut affected = BTreeSet::new();
        let mut renamed: Vec<(String, String)> = Vec::new();
        let mut known = BTreeMap::new();
        for (id, (name, mailbox, may_read)) in look.seen {
            let events = self.events(&name, &look.subscribed);
            let before = self.known.remove(&id);
            match before {
                None => {
                    if events.mailbox_name {
                        affected.insert(name.clone());
                        affected.extend(parent(&name));
                    }
                }
                Some(before) => {
                    if before.name != name && (events.mailbox_name || before.events.mailbox_name) {
                        renamed.push((before.name.clone(), name.clone()));
                    }
                    if before.may_read != may_read && events != Events::default() {
                        affected.insert(name.clone());
                    }
                    let is_watched = Some(id) != selected && may_read && before.may_read;
                    if is_watched
                        && let Some(items) =
                            changes(&before.mailbox, &mailbox, events, is_condstore)
                    {
                        told.push(Told::Status(id, items));
                    }
                }
            }
            if events != Events::default() {
                known.insert(id, Known { name, mailbox, may_read, events });
            }
        }
        for gone in std::mem::replace(&mut self.known, known).into_values() {
            // A mailbox that left the filter (unsubscribed, renamed) is still there: told below.
            if gone.events.mailbox_name && !renamed.iter().any(|(old, _)| *old == gone.name) {
                affected.extend(parent(&gone.name));
                affected.insert(gone.name);
            }
        }
        for name in look.subscribed.symmetric_difference(&self.subscribed) {
            let both = self.events(name, &look.subscribed).and(self.events(name, &self.subscribed));
            if both.subscription_change {
                affected.insert(name.clone());
            }
        }
        self.subscribed = look.subscribed;
        if self.known.len() > MAILBOXES_MAX {
            return Err(StoreError::LimitReached("watched mailboxes"));
        }
        let own = std::mem::take(&mut self.own);
        for (old, new) in tops(renamed) {
            if !own.contains(&new) {
                affected.remove(&new);
                told.push(Told::Name { name: new, old: Some(old) });
            }
        }
        let names = affected.into_iter().filter(|name| !own.contains(name));
        told.extend(names.map(|name| Told::Name { name, old: None }));
        Ok(told)
    }
}

fn parent(name: &str) -> Option<String> {
    name.rsplit_once('/').map(|(parent, _)| parent.to_owned())
}

/// RFC 5465 §5.4: children that were renamed with their parent are not told.
fn tops(mut renamed: Vec<(String, String)>) -> Vec<(String, String)> {
    renamed.sort();
    let mut tops: Vec<(String, String)> = Vec::new();
    for (old, new) in renamed {
        let is_child = tops.iter().any(|(top_old, top_new)| {
            is_below(&old, top_old)
                && old.strip_prefix(top_old.as_str()) == new.strip_prefix(top_new.as_str())
        });
        if !is_child {
            tops.push((old, new));
        }
    }
    tops
}

/// What a STATUS of a mailbox must tell after it changed; `None` if nothing that was asked for happened.
fn changes(
    before: &Mailbox,
    now: &Mailbox,
    events: Events,
    is_condstore: bool,
) -> Option<Vec<StatusItem>> {
    if before.highest_modseq == now.highest_modseq {
        return None;
    }
    let messages = (before.uid_next, before.exists) != (now.uid_next, now.exists);
    let mut items = Vec::new();
    if messages && events.message_new {
        items.extend([StatusItem::UidNext, StatusItem::Messages]);
    }
    if events.flag_change && (is_condstore || before.unseen != now.unseen) {
        items.extend([StatusItem::UidValidity, StatusItem::Unseen]);
    }
    if items.is_empty() {
        return None;
    }
    if is_condstore {
        items.push(StatusItem::HighestModSeq);
    }
    Some(items)
}

/// What SET STATUS tells of a mailbox at first. RFC 5465 §3.1.
fn first_status(events: Events, is_condstore: bool) -> Vec<StatusItem> {
    let mut items = vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
    if events.flag_change || is_condstore {
        items.push(StatusItem::HighestModSeq);
    }
    items
}

async fn look(store: &Store, account: AccountId, count: usize) -> Result<Look, Fail> {
    if count <= AT_ONCE_MAX {
        return Ok(Look::take(store, account)?);
    }
    let store = store.clone();
    let looking = tokio::task::spawn_blocking(move || Look::take(&store, account));
    Ok(looking.await.map_err(|_| no("[SERVERBUG] Internal error"))??)
}

impl Session {
    /// NOTIFY.
    pub(super) async fn set_notify(&mut self, command: NotifyCommand) -> Outcome {
        let account = self.account()?;
        let (wants_status, groups) = match command {
            NotifyCommand::None => {
                self.listen().notify = Some(Notify::nothing());
                return ok("NOTIFY completed");
            }
            NotifyCommand::Set { wants_status, groups } => (wants_status, groups),
        };
        if groups.iter().any(|group| group.has_unknown) {
            return Err(no(BAD_EVENT));
        }
        let mut notify = Notify::nothing();
        for group in groups {
            if group.filter.is_selected() {
                notify.selected = SelectedEvents {
                    tells: group.events.message_new,
                    flags: group.events.flag_change,
                    delays_expunge: group.filter == Filter::SelectedDelayed,
                };
                notify.items = group.items;
            } else {
                notify.groups.push(Group::of(&group, self));
            }
        }
        let store = self.store();
        if !notify.groups.is_empty() {
            notify.watched = BTreeSet::from([account, OFFICE]);
            // The waker stands before the look: nothing falls between them.
            notify.waker = store.watch_accounts(&notify.watched);
            let found = look(&store, account, usize::MAX).await?;
            let owners = found.owners(account);
            if owners != notify.watched {
                notify.waker = store.watch_accounts(&owners);
                notify.watched = owners;
                notify.waker.notify_one();
            }
            notify.subscribed.clone_from(&found.subscribed);
            for (id, (name, mailbox, may_read)) in found.seen {
                let events = notify.events(&name, &found.subscribed);
                if events != Events::default() {
                    notify.known.insert(id, Known { name, mailbox, may_read, events });
                }
            }
            if notify.known.len() > MAILBOXES_MAX {
                return Err(no("[NOTIFICATIONOVERFLOW] These are too many mailboxes"));
            }
        }
        self.tell_first(&notify, wants_status).await?;
        // RFC 5465 §3.1: NOTIFY SET is a NOOP too, by the rules that were.
        self.tell_news(true).await?;
        self.listen().notify = Some(notify);
        ok("NOTIFY completed")
    }

    async fn tell_first(&mut self, notify: &Notify, wants_status: bool) -> Result<(), Fail> {
        let selected = self.selected.as_ref().map(|selected| selected.mailbox);
        for (id, known) in &notify.known {
            if !known.may_read {
                // RFC 5465 §3.1.
                let mut line = b"* LIST (\\NoAccess) \"/\" ".to_vec();
                self.push_name(&mut line, &known.name);
                line.extend_from_slice(b"\r\n");
                self.conn.write(&line);
            } else if wants_status && known.events.has_message_event() && Some(*id) != selected {
                let items = first_status(known.events, self.is_condstore);
                let is_condstore = self.is_condstore;
                self.write_status(&known.name, &known.mailbox, &items);
                // The client did not ask for modseqs itself.
                self.is_condstore = is_condstore;
            }
            self.flush_if_full().await?;
        }
        Ok(())
    }

    /// Tells what changed since the last look.
    pub(super) async fn tell_notified(&mut self) -> Result<(), Fail> {
        let account = self.account()?;
        let selected = self.selected.as_ref().map(|selected| selected.mailbox);
        let is_condstore = self.is_condstore;
        let store = self.store();
        let Some(notify) = self.notify() else { return Ok(()) };
        if notify.groups.is_empty() {
            return Ok(());
        }
        let count = notify.known.len();
        let found = match look(&store, account, count).await {
            Ok(found) => found,
            Err(err) => {
                tracing::warn!(session = self.conn.session(), ?err, "nothing to notify of");
                return Ok(());
            }
        };
        let Some(notify) = self.notify() else { return Ok(()) };
        let owners = found.owners(account);
        if owners != notify.watched {
            notify.waker = store.watch_accounts(&owners);
            notify.watched = owners;
            // What came between the look and the new waker is found by another look.
            notify.waker.notify_one();
        }
        let names: BTreeMap<String, MailboxId> =
            found.seen.iter().map(|(id, (name, ..))| (name.clone(), *id)).collect();
        let Ok(told) = notify.compare(found, selected, is_condstore) else {
            *notify = Notify::nothing();
            self.say(format_args!("OK [NOTIFICATIONOVERFLOW] These are too many mailboxes"));
            return Ok(());
        };
        for told in told {
            self.write_told(&told, &names);
            self.flush_if_full().await?;
        }
        Ok(())
    }

    fn write_told(&mut self, told: &Told, names: &BTreeMap<String, MailboxId>) {
        let Some(notify) = self.listening.as_ref().and_then(|l| l.notify.as_ref()) else { return };
        match told {
            Told::Status(id, items) => {
                let Some(known) = notify.known.get(id) else { return };
                let (name, mailbox) = (known.name.clone(), known.mailbox.clone());
                self.write_status(&name, &mailbox, items);
            }
            Told::Name { name, old } => {
                let push = |line: &mut Vec<u8>, name: &str| self.push_name(line, name);
                let line = list_line(notify, names, name, old.as_deref(), &push);
                self.conn.write(&line);
            }
        }
    }
}

/// `* LIST (…) "/" name ("OLDNAME" (old))`
fn list_line(
    notify: &Notify,
    names: &BTreeMap<String, MailboxId>,
    name: &str,
    old: Option<&str>,
    push: &dyn Fn(&mut Vec<u8>, &str),
) -> Vec<u8> {
    let mut attributes = Vec::new();
    let id = names.get(name);
    let below = format!("{name}/");
    let has_children =
        names.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below));
    if id.is_none() {
        attributes.push("\\NonExistent");
    }
    if id.and_then(|id| notify.known.get(id)).is_some_and(|known| !known.may_read) {
        attributes.push("\\NoAccess");
    }
    attributes.push(if has_children { "\\HasChildren" } else { "\\HasNoChildren" });
    if notify.subscribed.contains(name) {
        attributes.push("\\Subscribed");
    }
    let mut line = format!("* LIST ({}) \"/\" ", attributes.join(" ")).into_bytes();
    push(&mut line, name);
    if let Some(old) = old {
        line.extend_from_slice(b" (\"OLDNAME\" (");
        push(&mut line, old);
        line.extend_from_slice(b"))");
    }
    line.extend_from_slice(b"\r\n");
    line
}

impl Notify {
    /// NOTIFY NONE: not even the selected mailbox.
    fn nothing() -> Self {
        Self {
            selected: SelectedEvents { tells: false, flags: false, delays_expunge: true },
            items: Vec::new(),
            groups: Vec::new(),
            known: BTreeMap::new(),
            subscribed: BTreeSet::new(),
            watched: BTreeSet::new(),
            waker: Arc::new(tokio::sync::Notify::new()),
            own: BTreeSet::new(),
        }
    }
}
