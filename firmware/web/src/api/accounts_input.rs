//! A new account as it is given, and what must be true of it before it is made.

use std::collections::BTreeSet;

use base::{Address, DomainName};
use serde::Deserialize;
use store::{NewAccount, Store};

use crate::error::ApiError;
use crate::rules;

/// A new account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountInput {
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) password: String,
    #[serde(default)]
    pub(crate) aliases: Vec<String>,
    #[serde(default)]
    pub(crate) quota_mb: Option<u64>,
    #[serde(default)]
    pub(crate) is_admin: bool,
}

/// The addresses and domains there are, read once for a list of accounts.
pub(crate) struct Taken {
    domains: BTreeSet<DomainName>,
    /// Addresses of the lines before.
    seen: BTreeSet<String>,
}

impl Taken {
    pub(crate) fn read(store: &Store) -> Result<Self, ApiError> {
        Ok(Self {
            domains: store.domains()?.into_iter().map(|domain| domain.name).collect(),
            seen: BTreeSet::new(),
        })
    }

    /// An address that may become ours: in one of our domains and nobody's.
    pub(crate) fn free(
        &mut self,
        store: &Store,
        text: &str,
        field: &str,
    ) -> Result<Address, ApiError> {
        let address = rules::address(text).map_err(|problem| problem.at(field))?;
        if !self.domains.contains(address.domain()) {
            let detail = format!("{} is no domain of this server", address.domain());
            return Err(ApiError::invalid("domain-unknown").field(field).detail(detail));
        }
        if !self.seen.insert(address.key()) {
            let detail = format!("{address} stands here twice");
            return Err(ApiError::invalid("duplicate").field(field).detail(detail));
        }
        if store.is_taken(&address)? {
            let detail = format!("{address} is taken");
            return Err(ApiError::conflict("address-taken").field(field).detail(detail));
        }
        Ok(address)
    }
}

impl AccountInput {
    /// The account this asks for, without its password's hash.
    pub(crate) fn check(&self, store: &Store, taken: &mut Taken) -> Result<NewAccount, ApiError> {
        let address = taken.free(store, &self.address, "address")?;
        let name = rules::name(&self.name).map_err(|problem| problem.at("name"))?;
        let holder = rules::Holder::of(self.is_admin);
        let login = address.to_string();
        rules::password(&self.password, holder, &[&login, address.local()])
            .map_err(|problem| problem.at("password"))?;
        let aliases = aliases(store, taken, &self.aliases)?;
        let quota = self.quota_mb.map(rules::quota).transpose();
        let quota_bytes = quota.map_err(|problem| problem.at("quota_mb"))?;
        let is_admin = self.is_admin;
        Ok(NewAccount { address, name, aliases, quota_bytes, is_admin, password_hash: None })
    }
}

/// Further addresses of an account.
pub(crate) fn aliases(
    store: &Store,
    taken: &mut Taken,
    texts: &[String],
) -> Result<Vec<Address>, ApiError> {
    if texts.len() > rules::ALIASES_MAX {
        return Err(ApiError::invalid("too-many-aliases").field("aliases"));
    }
    let each = texts.iter().enumerate();
    each.map(|(n, text)| taken.free(store, text, &format!("aliases.{n}"))).collect()
}
