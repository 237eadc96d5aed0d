//! What a file wants, as records for the store: each checked as if it came over the API one by one. What only
//! the store knows (who is there already, what the schema says) the store says.

use std::collections::BTreeSet;

use base::{Address, DomainName};
use directory::{Attributes, Dn, Rdn};
use session::schemes;
use store::{AccountChange, AccountState, ImportRecord};

use super::{Fault, Format, Parsed, PersonText, Wanted};
use crate::rules::{self, Problem};

const PASSWORD: &str = "userpassword";
/// What stands for a password in a trial, which nobody's clear password should get into.
pub(crate) const PLACEHOLDER: &str = "{ARGON2}";
/// Addresses that Microsoft and Google give everybody beside the real ones.
const ADDRESSES_OF_HOSTERS: [&str; 2] = [".onmicrosoft.com", ".test-google-a.com"];

/// One record of a file on its way into the store.
pub(crate) struct Planned {
    pub(crate) line: usize,
    pub(crate) address: Option<String>,
    pub(crate) name: Option<String>,
    /// A password in clear, still to be hashed.
    pub(crate) password: Option<String>,
    pub(crate) record: Result<ImportRecord, Fault>,
}

/// What the box has, for checking.
pub(crate) struct Office {
    pub(crate) domains: BTreeSet<DomainName>,
    /// For addresses without a domain, and for contacts.
    pub(crate) default: DomainName,
}

impl Fault {
    fn at(problem: Problem, field: &str) -> Self {
        Self { code: problem.code, field: Some(field.to_owned()), detail: problem.detail }
    }

    fn of(code: &'static str, field: &str, detail: impl Into<String>) -> Self {
        Self { code, field: Some(field.to_owned()), detail: detail.into() }
    }
}

/// Checks all records. Who or what stands twice in the file is an error the second time.
pub(crate) fn plan(format: Format, parsed: Parsed, office: &Office) -> Vec<Planned> {
    let mut seen = BTreeSet::new();
    let records = parsed.records.into_iter();
    records
        .map(|record| {
            let mut planned = match record.wanted {
                Ok(Wanted::Person(person)) => office.person(format, &person),
                Ok(Wanted::Entry { dn, attributes }) => office.entry(dn, attributes),
                Err(fault) => Planned::refused(fault),
            };
            planned.line = record.line;
            let key = planned.record.as_ref().ok().map(key_of);
            if key.is_some_and(|key| !seen.insert(key)) {
                let detail = "stands in the file twice";
                planned.record = Err(Fault::new("duplicate", detail));
            }
            planned
        })
        .collect()
}

fn key_of(record: &ImportRecord) -> Vec<u8> {
    match record {
        ImportRecord::Person { address, .. } => address.key().into_bytes(),
        ImportRecord::Entry { dn, .. } => [&[0], dn.key().as_slice()].concat(),
    }
}

impl Planned {
    fn refused(fault: Fault) -> Self {
        Self { line: 0, address: None, name: None, password: None, record: Err(fault) }
    }
}

impl Office {
    fn ours(&self, text: &str, field: &str) -> Result<Address, Fault> {
        let address = rules::address(text).map_err(|problem| Fault::at(problem, field))?;
        if self.domains.contains(address.domain()) {
            return Ok(address);
        }
        let detail = format!("{} is no domain of this server", address.domain());
        Err(Fault::of("domain-unknown", field, detail))
    }

    fn person(&self, format: Format, person: &PersonText) -> Planned {
        let name = person.full_name();
        let mut shown = person.addresses.first().cloned();
        let record = match format {
            Format::Vcard => {
                let ours: Vec<Address> =
                    person.addresses.iter().filter_map(|text| self.ours(text, "").ok()).collect();
                match ours.split_first() {
                    Some((first, others)) => {
                        shown = Some(first.to_string());
                        let aliases = (!others.is_empty()).then(|| others.to_vec());
                        self.account(person, first.clone(), aliases)
                    }
                    None => self.contact(person),
                }
            }
            _ => self.address_of(person).and_then(|address| {
                shown = Some(address.to_string());
                let aliases = self.aliases(person, &address)?;
                self.account(person, address, aliases)
            }),
        };
        let password = person.password.clone().filter(|text| !names_a_scheme(text));
        Planned { line: 0, address: shown, name, password, record }
    }

    fn address_of(&self, person: &PersonText) -> Result<Address, Fault> {
        let text = person.addresses.first().map(String::as_str).unwrap_or_default();
        match text {
            "" => Err(Fault::of("address-missing", "address", "a person has an address")),
            text if text.contains('@') => self.ours(text, "address"),
            local => self.ours(&format!("{local}@{}", self.default), "address"),
        }
    }

    fn aliases(
        &self,
        person: &PersonText,
        primary: &Address,
    ) -> Result<Option<Vec<Address>>, Fault> {
        let Some(texts) = &person.aliases else { return Ok(None) };
        let mut aliases: Vec<Address> = Vec::new();
        for text in texts {
            if ADDRESSES_OF_HOSTERS.iter().any(|end| text.to_ascii_lowercase().ends_with(end)) {
                continue;
            }
            let alias = self.ours(text, "aliases")?;
            let is = |other: &Address| other.key() == alias.key();
            if !is(primary) && !aliases.iter().any(is) {
                aliases.push(alias);
            }
        }
        if aliases.len() > rules::ALIASES_MAX {
            return Err(Fault::of("too-many-aliases", "aliases", "at most 100 further addresses"));
        }
        Ok(Some(aliases))
    }

    fn account(
        &self,
        person: &PersonText,
        address: Address,
        aliases: Option<Vec<Address>>,
    ) -> Result<ImportRecord, Fault> {
        let at = |field: &'static str| move |problem: Problem| Fault::at(problem, field);
        let name = person.full_name().as_deref().map(rules::name).transpose();
        let is_admin = person.role.as_deref().map(role).transpose()?;
        let language = person.language.as_deref().map(|text| {
            let text = text.to_ascii_lowercase();
            rules::language(text.split(['-', '_']).next().unwrap_or_default())
        });
        let change = AccountChange {
            name: name.map_err(at("name"))?,
            aliases,
            quota_bytes: person.quota_mb.as_deref().map(quota).transpose()?.map(Some),
            state: person.state.as_deref().map(state).transpose()?,
            is_admin,
            language: language.transpose().map_err(at("language"))?.map(Some),
            password_hash: match &person.password {
                Some(text) => {
                    let names = [&*address.to_string(), address.local()];
                    Some(password(text, is_admin == Some(true), &names)?)
                }
                None => None,
            },
            ..AccountChange::default()
        };
        let attributes = person.attributes.clone();
        Ok(ImportRecord::Person { address, change: Box::new(change), attributes })
    }

    /// A card of somebody who has no address here: an entry of the office's contacts, found by its address or
    /// else by its name.
    fn contact(&self, person: &PersonText) -> Result<ImportRecord, Fault> {
        let mail = person.addresses.iter().filter_map(|text| rules::address(text).ok());
        let mail: Vec<String> = mail.map(|address| address.to_string()).collect();
        let name = match (person.full_name(), mail.first()) {
            (Some(name), _) => name,
            (None, Some(mail)) => mail.clone(),
            (None, None) => {
                return Err(Fault::new("address-missing", "a card has a name or an address"));
            }
        };
        let name = rules::name(&name).map_err(|problem| Fault::at(problem, "FN"))?;
        let mut attributes = person.attributes.clone();
        let surname = name.rsplit(' ').next().unwrap_or(&name).as_bytes().to_vec();
        attributes.entry("sn".to_owned()).or_insert_with(|| vec![surname]);
        attributes.insert("cn".to_owned(), vec![name.clone().into_bytes()]);
        let class = b"inetOrgPerson".to_vec();
        attributes.insert("objectclass".to_owned(), vec![class]);
        let rdn = match mail.first() {
            Some(mail) => Rdn::new("mail", mail.as_bytes()),
            None => Rdn::new("cn", name.as_bytes()),
        };
        if !mail.is_empty() {
            let mail = mail.into_iter().map(String::into_bytes).collect();
            attributes.insert("mail".to_owned(), mail);
        }
        let refused = |refusal: directory::Refusal| Fault::new("entry-refused", refusal.text);
        let dn = self.contacts().map_err(refused)?.child(rdn.map_err(refused)?);
        Ok(ImportRecord::Entry { dn, attributes })
    }

    fn contacts(&self) -> Result<Dn, directory::Refusal> {
        let mut dn = Dn::root();
        for label in self.default.as_str().rsplit('.') {
            dn = dn.child(Rdn::new("dc", label)?);
        }
        Ok(dn.child(Rdn::new("ou", "contacts")?))
    }

    fn entry(&self, dn: Dn, mut attributes: Attributes) -> Planned {
        let text = |attributes: &Attributes, key: &str| {
            let value = attributes.get(key)?.first()?;
            String::from_utf8(value.clone()).ok()
        };
        let address = text(&attributes, "mail");
        let name = text(&attributes, "cn").or_else(|| Some(dn.as_text()));
        let mut clear = None;
        let is_admin = text(&attributes, "postroomrole").as_deref() == Some("admin");
        let record = match attributes.remove(PASSWORD) {
            None => Ok(()),
            Some(values) => one_password(&values, is_admin, address.as_deref()).map(|stored| {
                clear = text(&[(PASSWORD.to_owned(), values)].into(), PASSWORD)
                    .filter(|text| !names_a_scheme(text));
                attributes.insert(PASSWORD.to_owned(), vec![stored.into_bytes()]);
            }),
        };
        let record = record.map(|()| ImportRecord::Entry { dn, attributes });
        Planned { line: 0, address, name, password: clear, record }
    }
}

fn one_password(values: &[Vec<u8>], is_admin: bool, name: Option<&str>) -> Result<String, Fault> {
    let wrong = |detail: &str| Fault::of("password-invalid", "userPassword", detail);
    let [value] = values else { return Err(wrong("one password is enough")) };
    let text = std::str::from_utf8(value).map_err(|_| wrong("a password is UTF-8"))?;
    password(text, is_admin, &[name.unwrap_or_default()])
}

/// `{SCHEME}value`.
fn names_a_scheme(text: &str) -> bool {
    text.starts_with("$argon2")
        || text.strip_prefix('{').and_then(|rest| rest.split_once('}')).is_some_and(|(name, _)| {
            !name.is_empty()
                && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
        })
}

/// What is stored of a password that came hashed; of one in clear the placeholder.
fn password(text: &str, is_admin: bool, names: &[&str]) -> Result<String, Fault> {
    if names_a_scheme(text) {
        if schemes::is_known(text) {
            return Ok(text.to_owned());
        }
        let detail = format!("give it in clear, or hashed as {}", schemes::KNOWN);
        return Err(Fault::of("password-invalid", "password", &detail));
    }
    let holder = rules::Holder::of(is_admin);
    rules::password(text, holder, names).map_err(|problem| Fault::at(problem, "password"))?;
    Ok(PLACEHOLDER.to_owned())
}

fn quota(text: &str) -> Result<u64, Fault> {
    // Spreadsheets write 2048 as 2048.0.
    let plain = text.trim_end_matches(".0");
    match plain.parse() {
        Ok(0) => Ok(0),
        Ok(mb) => rules::quota(mb).map_err(|problem| Fault::at(problem, "quota_mb")),
        Err(_) => {
            Err(Fault::of("quota-invalid", "quota_mb", format!("\"{text}\" is no number of MB")))
        }
    }
}

fn state(text: &str) -> Result<AccountState, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "active" => Ok(AccountState::Active),
        "disabled" => Ok(AccountState::Disabled),
        "suspended" => Ok(AccountState::Suspended),
        _ => {
            let detail = format!("\"{text}\" is none of active, disabled, suspended");
            Err(Fault::of("state-invalid", "status", detail))
        }
    }
}

fn role(text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "admin" => Ok(true),
        "user" => Ok(false),
        _ => {
            Err(Fault::of("role-invalid", "role", format!("\"{text}\" is neither user nor admin")))
        }
    }
}
