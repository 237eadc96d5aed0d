//! The words of the directory. Entries are LDAP entries; accounts, domains, aliases and groups are views.
//!
//! `tree` finds entries, `place` says where one stands, `views` and `indexed` say which rows follow from
//! one, `writing` is the one way in which entries come, change and go; `acts` are those of LDAP,
//! `operational` is what is said of entries beyond their attributes.

pub(crate) mod account;
pub(crate) mod acts;
pub(crate) mod address_index;
pub(crate) mod alias;
pub(crate) mod dn;
pub(crate) mod domain;
pub(crate) mod domain_alias;
pub(crate) mod entry;
pub(crate) mod group;
pub(crate) mod importing;
pub(crate) mod indexed;
pub(crate) mod listing;
pub(crate) mod operational;
pub(crate) mod place;
pub(crate) mod resolve;
pub(crate) mod search;
pub(crate) mod sending;
pub(crate) mod sorting;
pub(crate) mod source;
pub(crate) mod tree;
pub(crate) mod views;
pub(crate) mod writing;

use std::collections::BTreeMap;

use base::{AccountId, Address, DomainName, Timestamp};
use serde::{Deserialize, Serialize};

/// A stored LDAP entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Distinguished name, normalised: `uid=anna,ou=people,dc=office,dc=test`.
    pub dn: String,
    /// The same as its maker wrote it.
    pub written_dn: String,
    /// entryUUID.
    pub uuid: [u8; 16],
    /// Attribute name in lower case, with its options -> values in order. objectClass is one of them.
    pub attributes: BTreeMap<String, Vec<Vec<u8>>>,
    /// createTimestamp.
    pub created_at: Timestamp,
    /// modifyTimestamp.
    pub modified_at: Timestamp,
    /// creatorsName: a DN; empty where no one in particular made it.
    pub creators_name: String,
    /// modifiersName.
    pub modifiers_name: String,
    /// The account that this entry is. Only the store gives and takes it.
    pub account: Option<AccountId>,
}

/// The number of an entry; given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u32);

/// A mail domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: DomainName,
    /// Accounts whose primary address is in it.
    pub accounts: u32,
    /// Aliases in it.
    pub aliases: u32,
    /// Groups in it.
    pub groups: u32,
    /// Where mail goes that is for nobody: here or elsewhere.
    pub catch_all: Option<Address>,
    /// Further names: every address of one is the same address of the domain.
    pub further: Vec<DomainName>,
    /// Primary addresses of the accounts that administer it.
    pub admins: Vec<Address>,
    /// Quota of its accounts that have none of their own, bytes; `None` takes the default of the box, 0 is
    /// without limit.
    pub quota_bytes: Option<u64>,
}

/// A change of a domain; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct DomainChange {
    /// Where mail for nobody goes; inner `None` refuses it.
    pub catch_all: Option<Option<Address>>,
    /// All further names.
    pub further: Option<Vec<DomainName>>,
    /// Quota, bytes; inner `None` takes the default of the box, 0 is without limit.
    pub quota_bytes: Option<Option<u64>>,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// All.
    #[default]
    Active,
    /// Receives mail, may not log in.
    Disabled,
    /// May not log in, and mail to it is refused for now.
    Suspended,
}

/// A person or shared identity that owns mailboxes.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Primary address; the login name.
    pub address: Address,
    /// Name as people read it.
    pub name: String,
    /// Further addresses.
    pub aliases: Vec<Address>,
    /// Quota of its own, bytes; `None` takes the default, 0 is without limit.
    pub quota_bytes: Option<u64>,
    /// The same for messages.
    pub quota_messages: Option<u64>,
    /// State.
    pub state: AccountState,
    /// May administer the box.
    pub is_admin: bool,
    /// Domains of the box that it administers.
    pub manages: Vec<DomainName>,
    /// Further sender addresses.
    pub send_as: Vec<SendAs>,
    /// Addresses that mail goes on to; none: it stays.
    pub forward: Vec<Address>,
    /// A copy stays of mail that goes on.
    pub forward_keep: bool,
    /// Language of the web pages, `de`; `None` follows the browser.
    pub language: Option<String>,
    /// PHC string of argon2id. Never logged, never in an API's answer.
    pub password_hash: Option<String>,
    /// Verifier of SCRAM-SHA-256 (RFC 5803). Never logged, never in an API's answer.
    pub scram_verifier: Option<String>,
    /// The external directory that the person comes from and that keeps the password; `password_hash` then
    /// is what it last called right.
    pub source: Option<Box<AccountSource>>,
}

/// Where a person comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSource {
    /// The domain whose source it is.
    pub domain: String,
    /// The lasting id of the person's entry there.
    pub id: String,
    /// The name of that entry, when it was last seen.
    pub dn: String,
    /// When it last said that the password is right.
    pub checked_at: Option<Timestamp>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A new account.
#[derive(Clone)]
pub struct NewAccount {
    /// Primary address.
    pub address: Address,
    /// Name.
    pub name: String,
    /// Further addresses.
    pub aliases: Vec<Address>,
    /// Quota of its own, bytes; `None` takes the default, 0 is without limit.
    pub quota_bytes: Option<u64>,
    /// May administer the box.
    pub is_admin: bool,
    /// PHC string, and behind a space the verifier of SCRAM.
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccount").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A change of an account; `None` leaves a thing as it is.
#[derive(Clone, Default)]
pub struct AccountChange {
    /// Name.
    pub name: Option<String>,
    /// All further addresses.
    pub aliases: Option<Vec<Address>>,
    /// Quota, bytes; inner `None` takes the default, 0 is without limit.
    pub quota_bytes: Option<Option<u64>>,
    /// The same for messages.
    pub quota_messages: Option<Option<u64>>,
    /// State.
    pub state: Option<AccountState>,
    /// May administer the box.
    pub is_admin: Option<bool>,
    /// All domains that it administers.
    pub manages: Option<Vec<DomainName>>,
    /// All further sender addresses.
    pub send_as: Option<Vec<SendAs>>,
    /// All addresses that mail goes on to.
    pub forward: Option<Vec<Address>>,
    /// A copy stays of mail that goes on.
    pub forward_keep: Option<bool>,
    /// Language.
    pub language: Option<Option<String>>,
    /// PHC string, and behind a space the verifier of SCRAM.
    pub password_hash: Option<String>,
}

impl std::fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountChange").finish_non_exhaustive()
    }
}

/// What accounts are listed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountSort {
    /// The name, in the directory's order.
    #[default]
    Name,
    /// The primary address.
    Address,
    /// Bytes in the mailboxes.
    Used,
    /// Most bytes; without limit comes last.
    Quota,
    /// Active, disabled, suspended.
    State,
}

/// Which accounts are listed, and how.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// Words that each are a part of a name, an address or a telephone number; case and accents do not matter.
    pub search: String,
    /// Who asks sees the accounts of these domains only.
    pub seen: Option<Vec<DomainName>>,
    /// Only those of this domain.
    pub domain: Option<DomainName>,
    /// Only those in this state.
    pub state: Option<AccountState>,
    /// Only those that come from an external directory, or only those that do not.
    pub is_external: Option<bool>,
    /// The order; of those that are equal in it, the one by address.
    pub sort: AccountSort,
    /// The other way round.
    pub is_descending: bool,
    /// Accounts before the page.
    pub offset: usize,
    /// Accounts on the page.
    pub limit: usize,
}

/// A page of accounts.
#[derive(Clone, Debug, Default)]
pub struct AccountPage {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// How many fit.
    pub found: u64,
    /// How many who asks may see.
    pub total: u64,
}

/// What an account may send with besides its own addresses: a value of `postroomSendAs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendAs {
    /// This address, with any `+detail`.
    Address(Address),
    /// All of a domain: `@office.test`.
    Domain(DomainName),
}

impl SendAs {
    /// Reads `anna@office.test` or `@office.test`; `None` if it is neither.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().strip_prefix('@') {
            Some(name) => DomainName::parse(name).ok().map(Self::Domain),
            None => Address::parse(text.trim()).ok().map(Self::Address),
        }
    }
}

impl std::fmt::Display for SendAs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Domain(name) => write!(f, "@{name}"),
        }
    }
}

/// What an account uses and may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes in its mailboxes.
    pub used_bytes: u64,
    /// Most bytes; `None` is without limit.
    pub limit_bytes: Option<u64>,
    /// Messages in its mailboxes.
    pub used_messages: u64,
    /// Most messages; `None` is without limit.
    pub limit_messages: Option<u64>,
}

impl Quota {
    /// True if that much more fits.
    #[must_use]
    pub fn has_room(&self, messages: u64, bytes: u64) -> bool {
        let fits = |used: u64, more: u64, limit: Option<u64>| {
            more == 0 || limit.is_none_or(|limit| used.saturating_add(more) <= limit)
        };
        fits(self.used_bytes, bytes, self.limit_bytes)
            && fits(self.used_messages, messages, self.limit_messages)
    }
}

/// An address that stands for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The address, in a domain of the box.
    pub address: Address,
    /// Local or remote addresses; at least one, at most 1,000.
    pub targets: Vec<Address>,
}

/// A group of accounts: groupOfNames of RFC 4519 §3.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `cn`; its name without regard to case is unique in its domain.
    pub name: String,
    /// Where its entry stands.
    pub domain: DomainName,
    /// Where mail for all its members comes in; `None`: it gets none.
    pub address: Option<Address>,
    /// `member`, as far as they are accounts.
    pub members: Vec<AccountId>,
    /// `member`, as far as they are groups: `name@domain`. They get mail, and no rights of this group.
    pub groups: Vec<String>,
    /// People elsewhere who get its mail: `rfc822MailMember`.
    pub outside: Vec<Address>,
    /// `description`, the first.
    pub description: String,
}

/// A group without its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    /// `cn`.
    pub name: String,
    /// Where its entry stands.
    pub domain: DomainName,
    /// Where mail for all its members comes in.
    pub address: Option<Address>,
    /// How many members it has, people elsewhere included.
    pub members: usize,
    /// `description`, the first.
    pub description: String,
}

/// Members of a group, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Groups: `name@domain` in lower case.
    pub groups: Vec<String>,
    /// People elsewhere.
    pub outside: Vec<Address>,
}

/// A change of a group; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// Its address; inner `None` takes it away.
    pub address: Option<Option<Address>>,
    /// All members.
    pub members: Option<Members>,
    /// Members that come to it.
    pub add: Members,
    /// Members that go; who is none is none afterwards too.
    pub remove: Members,
    /// Description.
    pub description: Option<String>,
}

/// Where mail to an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The domain is not ours.
    NotLocal,
    /// The domain is ours, the address is nobody's.
    Unknown,
    /// To these.
    Known {
        /// Accounts, without duplicates.
        accounts: Vec<AccountId>,
        /// Addresses elsewhere, without duplicates.
        remote: Vec<Address>,
    },
}
