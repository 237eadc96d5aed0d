//! What an administrator does, and the audit log of all acts.

use std::collections::BTreeMap;

use store::{AclOp, Rights};

use super::{Answer, Mailbox, Model, refuse};
use crate::caller::DOMAIN;
use crate::entries::is_for_ldap;
use crate::office::{Deed, FURTHER, WHO};
use crate::shown::Shown;

/// Whom an entry of a list is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Account(u32),
    Group(String),
    Anyone,
}

/// An entry of a list: for whom, whether it takes away, which rights.
pub(crate) type AclEntry = (Who, bool, Rights);

/// What a box has besides people and mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Office {
    has_further: bool,
    catch_all: Option<String>,
    /// Members and addresses outside.
    groups: BTreeMap<String, (Vec<u32>, Vec<String>)>,
    tokens: BTreeMap<u32, String>,
    /// Name, and the last row of the audit log that it was told of.
    webhooks: BTreeMap<u32, (String, u64)>,
    webhooks_made: u32,
    /// Time, who, what, on what.
    audit: Vec<(i64, String, String, String)>,
}

/// What an account has besides mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    forward: Vec<String>,
    drops_copy: bool,
    send_as: Vec<String>,
    messages_max: Option<u64>,
    passwords: BTreeMap<u32, String>,
    /// The last step that was taken; `None`: there is no second factor.
    totp: Option<u64>,
    /// It came by LDAP and has no class of ours: the first change brings it.
    lacks_class: bool,
}

impl Extras {
    pub(super) fn of_new(address: &str) -> Self {
        Self { lacks_class: is_for_ldap(address), ..Self::default() }
    }

    /// A change brings the class; true if it was not there.
    pub(super) fn take_class(&mut self) -> bool {
        std::mem::take(&mut self.lacks_class)
    }
}

impl Model {
    /// Writes a row of the audit log in the name of the box.
    pub(super) fn note(&mut self, now: i64, action: &str, target: &str) {
        self.note_by("box", now, action, target);
    }

    fn note_by(&mut self, who: &str, now: i64, action: &str, target: &str) {
        let row = (now, who.to_owned(), action.to_owned(), target.to_owned());
        self.office.audit.push(row);
    }

    fn address_of(&mut self, account: u32) -> Result<String, String> {
        Ok(self.account(account)?.address.clone())
    }

    /// Whether so many messages more fit into an account.
    pub(super) fn check_room(&mut self, account: u32, more: usize) -> Result<(), String> {
        let most = self.account(account)?.extras.messages_max;
        let mine = self.mailboxes.values().filter(|mailbox| mailbox.account == account);
        let used: usize = mine.map(|mailbox| mailbox.messages.len()).sum();
        let fits = most.is_none_or(|most| most == 0 || (used + more) as u64 <= most);
        if more == 0 || fits { Ok(()) } else { refuse("OverQuota") }
    }

    /// A deleted account is in no group any more.
    pub(super) fn leave_groups(&mut self, account: u32, now: i64) {
        let mut left = Vec::new();
        for (name, (members, _)) in &mut self.office.groups {
            if members.contains(&account) {
                members.retain(|member| *member != account);
                left.push(name.clone());
            }
        }
        for name in left {
            self.note(now, "group.change", &format!("{name}@{DOMAIN}"));
        }
    }

    /// Nothing names an account whose time is over.
    pub(super) fn forget(&mut self, account: u32) {
        for mailbox in self.all_mailboxes() {
            mailbox.acl.retain(|(who, _, _)| *who != Who::Account(account));
            mailbox.annotations.retain(|(holder, _), _| *holder != account);
        }
    }

    fn all_mailboxes(&mut self) -> impl Iterator<Item = &mut Mailbox> {
        let buried = self.graves.values_mut().flat_map(|grave| grave.mailboxes.values_mut());
        self.mailboxes.values_mut().chain(buried)
    }

    pub(super) fn do_deed(&mut self, deed: &Deed, now: i64) -> Answer {
        match deed {
            Deed::Forward { account, .. }
            | Deed::SendAs { account, .. }
            | Deed::MessagesMax { account, .. } => return self.change_account(*account, deed, now),
            Deed::Domain { has_further, catch_all } => {
                let new = (*has_further, catch_all.clone());
                if (self.office.has_further, self.office.catch_all.clone()) != new {
                    (self.office.has_further, self.office.catch_all) = new;
                    self.note_by(WHO, now, "domain.change", DOMAIN);
                }
            }
            Deed::PutGroup { name, members, outside } => {
                for member in members {
                    self.account(*member)?;
                }
                let new = (members.clone(), outside.clone());
                let action = match self.office.groups.insert(name.clone(), new.clone()) {
                    None => "group.create",
                    Some(old) if old == new => return Ok("done".to_owned()),
                    Some(_) => "group.change",
                };
                self.note_by(WHO, now, action, &format!("{name}@{DOMAIN}"));
            }
            Deed::DeleteGroup { name } => {
                if self.office.groups.remove(name).is_none() {
                    return refuse("NoSuchGroup");
                }
                let gone = Who::Group(name.clone());
                for mailbox in self.all_mailboxes() {
                    // Lists that only take away from it are not looked for.
                    if mailbox.acl.iter().any(|(who, is_negative, _)| *who == gone && !is_negative)
                    {
                        mailbox.acl.retain(|(who, _, _)| *who != gone);
                    }
                }
                self.note_by(WHO, now, "group.delete", &format!("{name}@{DOMAIN}"));
            }
            Deed::SetAcl { mailbox, who, op, rights } => {
                return self.set_acl(*mailbox, who, *op, *rights);
            }
            Deed::Annotate { mailbox, by, name, value } => {
                self.account(*by)?;
                let holder = if name.starts_with("/private/") { *by } else { 0 };
                let annotations = &mut self.mailbox(*mailbox)?.annotations;
                match value {
                    Some(value) => drop(annotations.insert((holder, name.clone()), value.clone())),
                    None => drop(annotations.remove(&(holder, name.clone()))),
                }
            }
            Deed::Note { target } => self.note_by(WHO, now, "box.note", target),
            _ => return self.do_secret(deed, now),
        }
        Ok("done".to_owned())
    }

    fn change_account(&mut self, id: u32, deed: &Deed, now: i64) -> Answer {
        let address = self.address_of(id)?;
        let extras = &mut self.account(id)?.extras;
        let before = format!("{extras:?}");
        extras.take_class();
        match deed {
            Deed::Forward { to, keeps, .. } => {
                (extras.forward, extras.drops_copy) = (to.clone(), !keeps);
            }
            Deed::SendAs { addresses, .. } => extras.send_as.clone_from(addresses),
            Deed::MessagesMax { most, .. } => extras.messages_max = Some(*most),
            _ => {}
        }
        if format!("{extras:?}") != before {
            self.note_by(WHO, now, "account.change", &address);
        }
        Ok("done".to_owned())
    }

    fn set_acl(&mut self, id: u32, who: &str, op: AclOp, rights: Rights) -> Answer {
        let owner = self.mailbox(id)?.account;
        let (name, is_negative) = match who.strip_prefix('-') {
            Some(name) => (name, true),
            None => (who, false),
        };
        let who = match name.strip_prefix("group:") {
            Some(group) => {
                let group = group.split('@').next().unwrap_or_default();
                if !self.office.groups.contains_key(group) {
                    return refuse("NoSuchAccount");
                }
                Who::Group(group.to_owned())
            }
            None if name == "anyone" => Who::Anyone,
            None => match self.accounts.iter().find(|(_, account)| account.address == name) {
                Some((id, _)) => Who::Account(*id),
                None => return refuse("NoSuchAccount"),
            },
        };
        let is_owner = !is_negative && who == Who::Account(owner);
        let acl = &mut self.mailbox(id)?.acl;
        let at = acl.iter().position(|entry| entry.0 == who && entry.1 == is_negative);
        let default = if is_owner { Rights::ALL } else { Rights::NONE };
        let old = at.map_or(default, |at| acl[at].2);
        let mut new = match op {
            AclOp::Replace => rights,
            AclOp::Add => old.and(rights),
            AclOp::Remove => old.without(rights),
        };
        if is_owner {
            new = new.and(Rights::OWNER);
        }
        acl.retain(|entry| entry.0 != who || entry.1 != is_negative);
        if new != default {
            acl.insert(at.unwrap_or(acl.len()), (who, is_negative, new));
        }
        Ok("done".to_owned())
    }

    fn do_secret(&mut self, deed: &Deed, now: i64) -> Answer {
        match deed {
            Deed::AddPassword { account, name } => {
                let whose = self.address_of(*account)?;
                let passwords = &mut self.account(*account)?.extras.passwords;
                let number = passwords.last_key_value().map_or(1, |(last, _)| last + 1);
                passwords.insert(number, name.clone());
                self.note_by(WHO, now, "credential.create", &whose);
                Ok(number.to_string())
            }
            Deed::RemovePassword { account, number } => {
                let Some(known) = self.accounts.get_mut(account) else {
                    return Ok(format!("{:?}", None::<String>));
                };
                let (gone, whose) = (known.extras.passwords.remove(number), known.address.clone());
                if gone.is_some() {
                    self.note_by(WHO, now, "credential.delete", &whose);
                }
                Ok(format!("{gone:?}"))
            }
            Deed::SetTotp { account } => {
                let whose = self.address_of(*account)?;
                let totp = &mut self.account(*account)?.extras.totp;
                if totp.is_some() {
                    return refuse("Exists");
                }
                *totp = Some(0);
                self.note_by(WHO, now, "credential.create", &whose);
                Ok("done".to_owned())
            }
            Deed::RemoveTotp { account } => {
                let Some(known) = self.accounts.get_mut(account) else { return Ok("false".into()) };
                let (gone, whose) = (known.extras.totp.take(), known.address.clone());
                if gone.is_some() {
                    self.note_by(WHO, now, "credential.delete", &whose);
                }
                Ok(gone.is_some().to_string())
            }
            Deed::TakeStep { account, step } => {
                let last = self.accounts.get_mut(account).and_then(|a| a.extras.totp.as_mut());
                let taken = last.filter(|last| step > last).map(|last| *last = *step);
                Ok(taken.is_some().to_string())
            }
            _ => self.do_box_secret(deed, now),
        }
    }

    fn do_box_secret(&mut self, deed: &Deed, now: i64) -> Answer {
        match deed {
            Deed::CreateToken { name } => {
                if self.office.tokens.values().any(|known| known == name) {
                    return refuse("Exists");
                }
                let id = self.office.tokens.last_key_value().map_or(1, |(last, _)| last + 1);
                self.office.tokens.insert(id, name.clone());
                self.note_by(WHO, now, "token.create", name);
                Ok(id.to_string())
            }
            Deed::DeleteToken { id } => {
                let gone = self.office.tokens.remove(id);
                if let Some(name) = &gone {
                    self.note_by(WHO, now, "token.delete", name);
                }
                Ok(gone.is_some().to_string())
            }
            Deed::CreateWebhook { name } => {
                if self.office.webhooks.len() >= WEBHOOKS_MAX {
                    return refuse("LimitReached");
                }
                self.note_by(WHO, now, "webhook.create", name);
                self.office.webhooks_made += 1;
                let (id, told) = (self.office.webhooks_made, self.office.audit.len() as u64);
                self.office.webhooks.insert(id, (name.clone(), told));
                Ok(id.to_string())
            }
            Deed::DeleteWebhook { id } => {
                let gone = self.office.webhooks.remove(id);
                if let Some((name, _)) = &gone {
                    self.note_by(WHO, now, "webhook.delete", name);
                }
                Ok(gone.is_some().to_string())
            }
            Deed::TellWebhook { id, told } => {
                if let Some(hook) = self.office.webhooks.get_mut(id) {
                    hook.1 = *told;
                }
                Ok("done".to_owned())
            }
            _ => refuse("Misuse"),
        }
    }

    /// Whom a list names, as it is told; `None` if it is nobody now.
    fn told(&self, who: &Who) -> Option<String> {
        match who {
            Who::Anyone => Some("anyone".to_owned()),
            Who::Group(name) => {
                let is_there = self.office.groups.contains_key(name);
                is_there.then(|| format!("group:{name}"))
            }
            Who::Account(id) => self.accounts.get(id).map(|account| account.address.clone()),
        }
    }

    pub(crate) fn show_office(&self, shown: &mut Shown) {
        let office = &self.office;
        if self.has_domain {
            let line = format!("further {} to {:?}", office.has_further, office.catch_all);
            shown.insert("domain row".to_owned(), line);
        }
        for (name, (members, outside)) in &office.groups {
            shown.insert(format!("group {name}"), format!("{members:?} {outside:?}"));
        }
        for (id, name) in &office.tokens {
            shown.insert(format!("token {id}"), name.clone());
        }
        for (id, (name, told)) in &office.webhooks {
            shown.insert(format!("webhook {id}"), format!("{name} told {told}"));
        }
        for (seq, (at, who, action, target)) in (1..).zip(&office.audit) {
            shown.insert(format!("audit {seq:06}"), format!("{at} {who} {action} {target}"));
        }
        for (id, account) in &self.accounts {
            let Extras { forward, drops_copy, send_as, messages_max, passwords, totp, .. } =
                &account.extras;
            let line = format!(
                "forward {forward:?} {drops_copy} as {send_as:?} most {messages_max:?} {passwords:?} \
                 {totp:?}"
            );
            shown.insert(format!("account {id} extras"), line);
            let local = account.address.split('@').next().unwrap_or_default();
            let found = if office.has_further { id.to_string() } else { "nobody".to_owned() };
            shown.insert(format!("route {local}@{FURTHER}"), found);
        }
        for (id, mailbox) in &self.mailboxes {
            self.show_rights(*id, mailbox, shown);
        }
    }

    fn show_rights(&self, id: u32, mailbox: &Mailbox, shown: &mut Shown) {
        let owner = Who::Account(mailbox.account);
        let is_owner = |entry: &&AclEntry| entry.0 == owner && !entry.1;
        let rights = mailbox.acl.iter().find(is_owner).map_or(Rights::ALL, |entry| entry.2);
        let mut list = vec![(self.told(&owner).unwrap_or_default(), rights)];
        for (who, is_negative, rights) in mailbox.acl.iter().filter(|e| !is_owner(e)) {
            let sign = if *is_negative { "-" } else { "" };
            list.extend(self.told(who).map(|name| (format!("{sign}{name}"), *rights)));
        }
        shown.insert(format!("mailbox {id} rights"), format!("{list:?}"));
        for (holder, entry) in mailbox.annotations.keys() {
            let value = &mailbox.annotations[&(*holder, entry.clone())];
            if *holder == 0 || self.accounts.contains_key(holder) {
                shown.insert(format!("mailbox {id} note {holder} {entry}"), value.clone());
            }
        }
    }
}

/// The store's limit.
const WEBHOOKS_MAX: usize = 20;
