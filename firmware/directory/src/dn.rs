//! Distinguished names: RFC 4514, compared as RFC 4517 §4.2.15 says.
//!
//! A name of an attribute that the schema does not know is no DN here, as with slapd. Limits: 64 RDNs, 8
//! attributes in one of them, 8 KB of text.

mod parse;
#[cfg(test)]
mod tests;
mod text;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::matching::{self, Form};
use crate::schema::{self, AttributeType, Syntax};
use crate::{Code, Refusal};

/// RDNs in one name.
const RDNS_MAX: usize = 64;
/// Attributes in one RDN.
const AVAS_MAX: usize = 8;
/// Bytes of a name as text.
const BYTES_MAX: usize = 8 * 1024;

/// In a key: ends an RDN.
const END: u8 = 0;
/// In a key: what follows tells which byte this stands for.
const ESCAPE: u8 = 1;

fn invalid() -> Refusal {
    Refusal::new(Code::InvalidDnSyntax, "invalid DN")
}

/// One `name=value` of an RDN.
#[derive(Clone, Debug)]
pub struct Ava {
    attribute: &'static AttributeType,
    value: Vec<u8>,
    /// The value as the equality rule sees it.
    key: Vec<u8>,
}

impl Ava {
    fn new(attribute: &'static AttributeType, value: Vec<u8>, depth: u8) -> Option<Self> {
        // A name in a name is checked by its key, which knows how deep it stands.
        let is_name = matches!(attribute.syntax, Syntax::Dn | Syntax::NameAndOptionalUid);
        if !is_name && !attribute.syntax.accepts(&value) {
            return None;
        }
        let key = match attribute.equality.map(|rule| rule.form) {
            // One spelling for one number; the ordered key would be unreadable in a text.
            Some(Form::Integer) | None => value.clone(),
            Some(Form::Time) => [Form::Time.key(&value)?.as_slice(), b"Z"].concat(),
            Some(form) => form.key_at(&value, depth)?,
        };
        Some(Self { attribute, value, key })
    }

    /// The attribute.
    pub fn attribute(&self) -> &'static AttributeType {
        self.attribute
    }

    /// The value as written, nothing escaped.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// One step of a name: an attribute with its value, or several.
#[derive(Clone, Debug)]
pub struct Rdn {
    /// As written.
    avas: Vec<Ava>,
    /// What stands in [`Dn::key`] for it, without the end mark.
    key: Vec<u8>,
}

impl Rdn {
    /// Makes `name=value`. Refused: an attribute that is not known, a value that is none of its syntax.
    pub fn new(name: &str, value: impl Into<Vec<u8>>) -> Result<Self, Refusal> {
        let attribute = schema::attribute(name).ok_or_else(invalid)?;
        let ava = Ava::new(attribute, value.into(), 0).ok_or_else(invalid)?;
        Self::of(vec![ava]).ok_or_else(invalid)
    }

    /// Reads one RDN: `cn=Anna+sn=Weiss`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut rdns = Dn::parse(text)?.rdns;
        match (rdns.pop(), rdns.is_empty()) {
            (Some(rdn), true) => Ok(rdn),
            _ => Err(invalid()),
        }
    }

    /// `None` if an attribute is named twice, or none.
    fn of(avas: Vec<Ava>) -> Option<Self> {
        if avas.is_empty() || avas.len() > AVAS_MAX {
            return None;
        }
        let mut sorted: Vec<&Ava> = avas.iter().collect();
        sorted.sort_by_key(|ava| ava.attribute.key());
        if sorted.windows(2).any(|two| matches!(two, [a, b] if a.attribute == b.attribute)) {
            return None;
        }
        let mut key = Vec::new();
        for (at, ava) in sorted.iter().enumerate() {
            if at > 0 {
                key.extend_from_slice(&[ESCAPE, 3]);
            }
            key.extend_from_slice(ava.attribute.key().as_bytes());
            key.push(b'=');
            for byte in &ava.key {
                match *byte {
                    END => key.extend_from_slice(&[ESCAPE, 1]),
                    ESCAPE => key.extend_from_slice(&[ESCAPE, 2]),
                    byte => key.push(byte),
                }
            }
        }
        Some(Self { avas, key })
    }

    /// Its attributes and values, as written.
    pub fn avas(&self) -> &[Ava] {
        &self.avas
    }

    /// True if the entry that has this RDN must have the value.
    pub fn has(&self, attribute: &AttributeType, value: &[u8]) -> bool {
        self.avas.iter().any(|ava| {
            ava.attribute == attribute && matching::is_equal(attribute, &ava.value, value)
        })
    }
}

impl PartialEq for Rdn {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Rdn {}

/// A distinguished name; the empty one is the root. Two that name the same entry are equal.
#[derive(Clone, Debug, Default)]
pub struct Dn {
    /// The entry's own first.
    rdns: Vec<Rdn>,
}

impl Dn {
    /// Reads a name as RFC 4514 writes it, and as RFC 2253 did (quotes, `;`).
    ///
    /// Refused with invalidDNSyntax: what is none, an unknown attribute, a value that is none of its
    /// attribute's syntax, a name beyond the limits.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Self::parse_at(text, 0)
    }

    /// `depth`: in how many DNs the name stands as a value.
    pub(crate) fn parse_at(text: &str, depth: u8) -> Result<Self, Refusal> {
        if text.len() > BYTES_MAX {
            return Err(invalid());
        }
        parse::rdns(text, depth).map(|rdns| Self { rdns }).ok_or_else(invalid)
    }

    /// The name of nothing: what stands above all entries.
    pub fn root() -> Self {
        Self::default()
    }

    /// True for the empty name.
    pub fn is_root(&self) -> bool {
        self.rdns.is_empty()
    }

    /// How many RDNs it has.
    pub fn len(&self) -> usize {
        self.rdns.len()
    }

    /// True for the empty name.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The name as written, in the one form of RFC 4514 that slapd answers with.
    pub fn as_text(&self) -> String {
        text::join(self.rdns.iter().map(text::of_rdn))
    }

    /// One text for all spellings of the name: attributes by their first names in lower case, values as
    /// their equality rules see them, attributes of an RDN sorted. It can be parsed again.
    pub fn normalised(&self) -> String {
        text::join(self.rdns.iter().map(text::normal_of_rdn))
    }

    /// The name from the root down, each RDN ended by a zero byte: a subtree's keys begin with the key of
    /// its top, and no other's do. Equal names have equal keys. The root's is empty.
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.rdns.iter().map(|rdn| rdn.key.len() + 1).sum());
        for rdn in self.rdns.iter().rev() {
            key.extend_from_slice(&rdn.key);
            key.push(END);
        }
        key
    }

    /// The entry's own RDN; the root has none.
    pub fn rdn(&self) -> Option<&Rdn> {
        self.rdns.first()
    }

    /// All RDNs, the entry's own first.
    pub fn rdns(&self) -> &[Rdn] {
        &self.rdns
    }

    /// The name above; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.rdns.split_first()?;
        Some(Self { rdns: above.to_vec() })
    }

    /// The name of an entry below. It may be beyond the limit of RDNs; [`Dn::parse`] will then not read it.
    #[must_use]
    pub fn child(&self, rdn: Rdn) -> Self {
        let mut rdns = Vec::with_capacity(self.rdns.len() + 1);
        rdns.push(rdn);
        rdns.extend_from_slice(&self.rdns);
        Self { rdns }
    }

    /// True if it is `top` or stands below it.
    pub fn is_under(&self, top: &Self) -> bool {
        self.rdns.ends_with(&top.rdns)
    }

    /// The same below another name: for what stood below `from` and now stands below `to`. `None` if it
    /// does not stand there.
    pub fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let own = self.rdns.strip_suffix(from.rdns.as_slice())?;
        Some(Self { rdns: own.iter().chain(&to.rdns).cloned().collect() })
    }
}

impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.rdns == other.rdns
    }
}

impl Eq for Dn {}

impl Hash for Dn {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rdns.iter().for_each(|rdn| rdn.key.hash(state));
    }
}

impl PartialOrd for Dn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By key: an entry before all below it.
impl Ord for Dn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_text())
    }
}

impl fmt::Display for Rdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::of_rdn(self))
    }
}

impl std::str::FromStr for Dn {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::parse(text)
    }
}
