//! Where an entry stands: its key, its domain, what is between the two.
//!
//! A key has the RDNs from the root, each ended by a zero byte, so that a subtree is what begins with the
//! key of its top. `directory::Dn::key` makes it.

use base::DomainName;

use crate::StoreError;
use crate::index::View;

/// What ends an RDN of a key.
const END: u8 = 0;
/// What stands before a byte of an RDN that is an end or itself, which then is 1 more; before 3 it parts
/// the attributes of an RDN.
const ESCAPE: u8 = 1;

/// Containers that every domain has.
pub(crate) const CONTAINERS: [&str; 5] = ["people", "groups", "resources", "contacts", "aliases"];

/// The key of a normalised or written DN.
pub(crate) fn key_of(dn: &str) -> Result<Vec<u8>, StoreError> {
    directory::Dn::parse(dn).map(|dn| dn.key()).map_err(StoreError::Refused)
}

/// The key of the entry above; `None` for the root, which is the empty one and no entry.
pub(crate) fn parent(key: &[u8]) -> Option<&[u8]> {
    let (_, own) = key.split_last()?;
    let at = own.iter().rposition(|byte| *byte == END).map_or(0, |at| at + 1);
    key.get(..at)
}

/// The normalised RDNs, from the root.
pub(crate) fn rdns(key: &[u8]) -> Vec<String> {
    let texts = key.split(|byte| *byte == END).map(|part| {
        let mut bytes = Vec::with_capacity(part.len());
        let mut rest = part.iter();
        while let Some(byte) = rest.next() {
            bytes.push(match *byte {
                ESCAPE => rest.next().map_or(ESCAPE, |byte| byte.saturating_sub(1)),
                other => other,
            });
        }
        String::from_utf8_lossy(&bytes).into_owned()
    });
    texts.filter(|text| !text.is_empty()).collect()
}

/// The domain that a key of `dc` values only is the DN of.
pub(crate) fn domain_of(key: &[u8]) -> Option<DomainName> {
    let rdns = rdns(key);
    let labels: Option<Vec<&str>> = rdns.iter().rev().map(|r| r.strip_prefix("dc=")).collect();
    DomainName::parse(&labels?.join(".")).ok()
}

/// A place below one of our domains, or the domain itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The nearest domain.
    pub(crate) domain: DomainName,
    /// The normalised RDNs below it, from above.
    pub(crate) below: Vec<String>,
}

impl Place {
    /// The place of a key; `None` outside all domains.
    pub(crate) fn of(view: &impl View, key: &[u8]) -> Result<Option<Self>, StoreError> {
        let mut below = rdns(key);
        let dcs = below.iter().take_while(|rdn| rdn.starts_with("dc=")).count();
        for count in (1..=dcs).rev() {
            let labels: Vec<&str> =
                below.iter().take(count).rev().filter_map(|r| r.strip_prefix("dc=")).collect();
            let Ok(domain) = DomainName::parse(&labels.join(".")) else { continue };
            if super::domain::exists(view, &domain)? {
                return Ok(Some(Self { domain, below: below.split_off(count) }));
            }
        }
        Ok(None)
    }

    /// True below this container of the domain.
    pub(crate) fn is_in(&self, container: &str) -> bool {
        let first = self.below.first().and_then(|rdn| rdn.strip_prefix("ou="));
        self.below.len() > 1 && first == Some(container)
    }

    /// True for the domain and its containers, which come and go with it.
    pub(crate) fn is_fixed(&self) -> bool {
        match self.below.as_slice() {
            [] => true,
            [only] => only.strip_prefix("ou=").is_some_and(|name| CONTAINERS.contains(&name)),
            _ => false,
        }
    }
}
