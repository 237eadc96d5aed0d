//! Changes of an entry's attributes: RFC 4511 §4.6, RFC 4525, and what a new RDN does to them. Codes and
//! words are slapd's. That the entry is a good one afterwards is [`crate::validate_change`]'s to say.

use std::collections::{BTreeMap, BTreeSet};

use crate::matching;
use crate::schema::{Description, Syntax};
use crate::validate::{check_attribute, check_syntax, description, refuse_fixed};
use crate::{Attributes, Code, Rdn, Refusal};

/// One change. Names are as they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "a name and values, as the standard has them")]
pub enum Modification {
    /// Adds values that are not there yet.
    Add { name: String, values: Vec<Vec<u8>> },
    /// Removes values; none means all.
    Delete { name: String, values: Vec<Vec<u8>> },
    /// Puts these in the place of all; none removes the attribute if it is there.
    Replace { name: String, values: Vec<Vec<u8>> },
    /// Adds a number to each value: RFC 4525.
    Increment { name: String, values: Vec<Vec<u8>> },
}

impl Modification {
    /// The attribute, as it came in.
    pub fn name(&self) -> &str {
        let (name, _) = self.parts();
        name
    }

    fn parts(&self) -> (&str, &[Vec<u8>]) {
        match self {
            Self::Add { name, values }
            | Self::Delete { name, values }
            | Self::Replace { name, values }
            | Self::Increment { name, values } => (name, values),
        }
    }

    /// What is no request at all.
    fn check_count(&self) -> Result<(), Refusal> {
        let (_, values) = self.parts();
        let text = match self {
            Self::Add { .. } if values.is_empty() => "modify/add operation requires values",
            Self::Increment { .. } if values.len() != 1 => {
                "modify/increment operation requires single value"
            }
            _ => return Ok(()),
        };
        Err(Refusal::new(Code::ProtocolError, text))
    }

    /// What can be refused without looking at the entry or at the other changes.
    fn check(&self) -> Result<Description, Refusal> {
        let (name, values) = self.parts();
        let of = description(name)?;
        if matches!(self, Self::Increment { .. }) && of.attribute.syntax != Syntax::Integer {
            let text = format!("{}: attribute syntax inappropriate for increment", of.name());
            return Err(Refusal::new(Code::ConstraintViolation, text));
        }
        match self {
            Self::Delete { .. } => check_syntax(&of, values)?,
            _ => check_attribute(&of, values)?,
        }
        Ok(of)
    }

    fn apply(&self, of: &Description, attributes: &mut Attributes) -> Result<(), Refusal> {
        match self {
            Self::Add { values, .. } => add(of, values, attributes),
            Self::Delete { values, .. } => delete(of, values, attributes),
            Self::Replace { values, .. } => {
                put(of, values.clone(), attributes);
                Ok(())
            }
            Self::Increment { values, .. } => increment(of, values, attributes),
        }
    }
}

/// Makes all changes in their order, or none: at a refusal the attributes are as before.
///
/// Refused: protocolError (2), noSuchAttribute (16), undefinedAttributeType (17), inappropriateMatching (18),
/// constraintViolation (19), attributeOrValueExists (20), invalidAttributeSyntax (21).
pub fn modify(attributes: &mut Attributes, changes: &[Modification]) -> Result<(), Refusal> {
    changes.iter().try_for_each(Modification::check_count)?;
    let checked: Result<Vec<Description>, Refusal> =
        changes.iter().map(Modification::check).collect();
    let checked = checked?;
    checked.iter().try_for_each(|of| refuse_fixed(of.attribute))?;
    let mut before = Vec::new();
    for (change, of) in changes.iter().zip(checked) {
        let key = of.key();
        if !before.iter().any(|(known, _)| *known == key) {
            before.push((key.clone(), attributes.get(&key).cloned()));
        }
        if let Err(refusal) = change.apply(&of, attributes) {
            for (key, values) in before {
                match values {
                    Some(values) => attributes.insert(key, values),
                    None => attributes.remove(&key),
                };
            }
            return Err(refusal);
        }
    }
    Ok(())
}

/// What a new RDN does to the attributes: its values are added where they are not there; of the old ones
/// those go that it does not name, if `deletes_old`. RFC 4511 §4.9.
pub fn rename(attributes: &mut Attributes, old: &Rdn, new: &Rdn, deletes_old: bool) {
    for ava in old.avas().iter().filter(|_| deletes_old) {
        let attribute = ava.attribute();
        if new.has(attribute, ava.value()) {
            continue;
        }
        if let Some(values) = attributes.get_mut(attribute.key()) {
            values.retain(|value| !matching::is_equal(attribute, value, ava.value()));
            if values.is_empty() {
                attributes.remove(attribute.key());
            }
        }
    }
    for ava in new.avas() {
        let attribute = ava.attribute();
        let values = attributes.entry(attribute.key().to_owned()).or_default();
        if !values.iter().any(|value| matching::is_equal(attribute, value, ava.value())) {
            values.push(ava.value().to_vec());
        }
    }
}

fn put(of: &Description, values: Vec<Vec<u8>>, attributes: &mut Attributes) {
    if values.is_empty() {
        attributes.remove(&of.key());
    } else {
        attributes.insert(of.key(), values);
    }
}

fn no_such(of: &Description, operation: &str, what: &str) -> Refusal {
    let text = format!("modify/{operation}: {}: no such {what}", of.name());
    Refusal::new(Code::NoSuchAttribute, text)
}

fn add(of: &Description, values: &[Vec<u8>], attributes: &mut Attributes) -> Result<(), Refusal> {
    let known = attributes.get(&of.key()).map(Vec::as_slice).unwrap_or_default();
    if !known.is_empty() && of.attribute.equality.is_none() {
        let text = format!("modify/add: {}: no equality matching rule", of.name());
        return Err(Refusal::new(Code::InappropriateMatching, text));
    }
    let keys: BTreeMap<Vec<u8>, usize> = keys(of, values);
    for value in known {
        if let Some(at) = keys.get(&matching::identity(of.attribute, value)) {
            let text = format!("modify/add: {}: value #{at} already exists", of.name());
            return Err(Refusal::new(Code::AttributeOrValueExists, text));
        }
    }
    attributes.entry(of.key()).or_default().extend_from_slice(values);
    Ok(())
}

fn delete(
    of: &Description,
    values: &[Vec<u8>],
    attributes: &mut Attributes,
) -> Result<(), Refusal> {
    let key = of.key();
    if values.is_empty() {
        let gone = attributes.remove(&key);
        return gone.map(|_| ()).ok_or_else(|| no_such(of, "delete", "attribute"));
    }
    if of.attribute.equality.is_none() {
        let text = format!("modify/delete: {}: no equality matching rule", of.name());
        return Err(Refusal::new(Code::InappropriateMatching, text));
    }
    let known = attributes.get(&key).ok_or_else(|| no_such(of, "delete", "attribute"))?;
    let mut wanted = keys(of, values);
    let mut left = known.clone();
    let mut gone = BTreeSet::new();
    left.retain(|value| {
        let key = matching::identity(of.attribute, value);
        let goes = wanted.remove(&key).is_some() || gone.contains(&key);
        if goes {
            gone.insert(key);
        }
        !goes
    });
    if !wanted.is_empty() {
        return Err(no_such(of, "delete", "value"));
    }
    put(of, left, attributes);
    Ok(())
}

/// What stands for each of the values, and where it stands: there may be thousands among thousands.
fn keys(of: &Description, values: &[Vec<u8>]) -> BTreeMap<Vec<u8>, usize> {
    let keys = values.iter().enumerate();
    keys.map(|(at, value)| (matching::identity(of.attribute, value), at)).collect()
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn increment(
    of: &Description,
    values: &[Vec<u8>],
    attributes: &mut Attributes,
) -> Result<(), Refusal> {
    let known = attributes.get(&of.key()).ok_or_else(|| no_such(of, "increment", "attribute"))?;
    let by = values.first().and_then(|value| number(value)).ok_or_else(|| {
        let text = "modify/increment: invalid syntax of increment";
        Refusal::new(Code::InvalidAttributeSyntax, text)
    })?;
    let sums: Option<Vec<Vec<u8>>> = known
        .iter()
        .map(|value| Some(number(value)?.checked_add(by)?.to_string().into_bytes()))
        .collect();
    // slapd lets the sum run over; a refusal is better than a wrong number.
    let sums = sums.ok_or_else(|| {
        let text = format!("modify/increment: {}: the sum is out of range", of.name());
        Refusal::new(Code::ConstraintViolation, text)
    })?;
    put(of, sums, attributes);
    Ok(())
}
