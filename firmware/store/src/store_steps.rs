//! Several acts on the directory and the settings as one: all of them, or none. Who may refuse an act is asked
//! about all of it before anything is done.
//!
//! The writer does nothing else meanwhile: callers bound what they ask for.

use std::sync::Arc;

use base::{AccountId, Address, DomainName};
use directory::Attributes;

use crate::directory::{account, domain, group};
use crate::writer::Tx;
use crate::{
    AccountChange, DomainChange, Group, GroupChange, Members, NewAccount, Settings, Store,
    StoreError, settings,
};

/// One of several acts.
#[derive(Clone, Debug)]
pub enum Step {
    /// Makes a domain that is not there yet, and changes it.
    Domain(DomainName, DomainChange),
    /// Makes an account with what else is said of it.
    NewAccount(Box<NewAccount>, Box<AccountChange>),
    /// Changes one.
    Account(AccountId, Box<AccountChange>),
    /// Makes a group, or adds to the one of that name; members that are no accounts then are outside.
    Group {
        /// Its name.
        name: String,
        /// Its domain.
        domain: DomainName,
        /// `None`: as it is.
        address: Option<Address>,
        /// Those that come in.
        members: Vec<Address>,
    },
}

impl Store {
    /// Carries out all steps in their order, then changes the settings. What one of them is refused for all
    /// are: their own refusals, `Vetoed`, and `LimitReached` for more events than a webhook is asked about.
    ///
    /// # Errors
    /// May fail with `Io`, `Index`, `Damaged` or `Closed`, after which the outcome is unknown.
    pub async fn carry_out(
        &self,
        steps: Vec<Step>,
        change: impl Fn(&mut Settings) + Send + Sync + 'static,
    ) -> Result<(), StoreError> {
        let (steps, change) = (Arc::new(steps), Arc::new(change));
        self.act_asked(move |tx| {
            steps.iter().try_for_each(|step| carry_out(tx, step))?;
            settings::change(tx, |settings| change(settings)).map(drop)
        })
        .await
    }
}

fn carry_out(tx: &mut Tx<'_, '_>, step: &Step) -> Result<(), StoreError> {
    match step {
        Step::Domain(name, change) => {
            if !domain::exists(&tx.tables, name)? {
                domain::create(tx, name)?;
            }
            match change {
                DomainChange { catch_all: None, further: None, quota_bytes: None } => Ok(()),
                change => domain::update(tx, name, change),
            }
        }
        Step::NewAccount(new, change) => {
            account::create_with(tx, new, change, &Attributes::new()).map(drop)
        }
        Step::Account(id, change) => account::update(tx, *id, change),
        Step::Group { name, domain, address, members } => {
            let mut found = Members::default();
            for member in members {
                match account::by_address(&tx.tables, member)? {
                    Some(account) => found.accounts.push(account.id),
                    None => found.outside.push(member.clone()),
                }
            }
            if group::find(&tx.tables, name, domain)?.is_some() {
                let address = address.clone().map(Some);
                let change = GroupChange { address, add: found, ..GroupChange::default() };
                return group::update(tx, name, domain, &change).map(drop);
            }
            let group = Group {
                name: name.clone(),
                domain: domain.clone(),
                address: address.clone(),
                members: found.accounts,
                groups: Vec::new(),
                outside: found.outside,
                description: String::new(),
            };
            group::create(tx, &group)
        }
    }
}
