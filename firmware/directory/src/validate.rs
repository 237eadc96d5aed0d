//! The rules of an entry: RFC 4512 §2.3 to §2.6. Codes and words are slapd's.

use std::collections::BTreeMap;

use crate::matching;
use crate::schema::{self, AttributeType, ClassKind, Description, ObjectClass};
use crate::{Attributes, Code, Dn, Refusal};

/// Values of one attribute.
pub const VALUES_MAX: usize = 20_000;
/// Bytes of all values of one entry.
pub const ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;

const CLASS: &str = "objectclass";

fn violation(text: String) -> Refusal {
    Refusal::new(Code::ObjectClassViolation, text)
}

/// Refuses an entry that the schema does not allow:
/// - undefinedAttributeType (17): an attribute or option that is not known;
/// - constraintViolation (19): more values than one where one may be;
/// - attributeOrValueExists (20): a value twice;
/// - invalidAttributeSyntax (21): a value that is none of the syntax, a class that is not known;
/// - namingViolation (64): a value of the RDN that is not in the entry;
/// - objectClassViolation (65): no structural class or two chains of them, an attribute that must be there
///   and is not, or is there and may not be;
/// - adminLimitExceeded (11): more than [`VALUES_MAX`] or [`ENTRY_BYTES_MAX`].
///
/// Operational attributes need no class. That clients may not write some of them is
/// [`validate_new`]'s to say.
pub fn validate(dn: &Dn, attributes: &Attributes) -> Result<(), Refusal> {
    check_values(None, attributes)?;
    check_entry(dn, attributes)
}

/// The same for an entry that a client sends: it must have nothing that the directory writes itself
/// ([`refuse_server_attributes`]), and what its RDN names is added ([`add_naming_values`]).
pub fn validate_new(dn: &Dn, attributes: &mut Attributes) -> Result<(), Refusal> {
    check_values(None, attributes)?;
    refuse_server_attributes(attributes)?;
    add_naming_values(dn, attributes);
    check_entry(dn, attributes)
}

/// The same for an entry that is there and changes. What is as before is not looked at again. The
/// structural class stays: objectClassModsProhibited (69).
pub fn validate_change(dn: &Dn, before: &Attributes, after: &Attributes) -> Result<(), Refusal> {
    check_values(Some(before), after)?;
    check_singles(after)?;
    let new = structural_class(after)?;
    if let Ok(old) = structural_class(before)
        && old != new
    {
        return Err(Refusal::new(
            Code::ObjectClassModsProhibited,
            format!(
                "structural object class modification from '{}' to '{}' not allowed",
                old.name(),
                new.name()
            ),
        ));
    }
    check_entry(dn, after)
}

/// What a client sends as a new entry must not have what the directory writes itself:
/// constraintViolation (19).
pub fn refuse_server_attributes(attributes: &Attributes) -> Result<(), Refusal> {
    attributes.keys().filter_map(|key| schema::attribute(key)).try_for_each(refuse_fixed)
}

pub(crate) fn refuse_fixed(attribute: &AttributeType) -> Result<(), Refusal> {
    if !attribute.is_fixed {
        return Ok(());
    }
    let text = format!("{}: no user modification allowed", attribute.name());
    Err(Refusal::new(Code::ConstraintViolation, text))
}

/// Adds the values that the RDN names and that are not there, as slapd does for a new entry.
pub fn add_naming_values(dn: &Dn, attributes: &mut Attributes) {
    for ava in dn.rdn().map(|rdn| rdn.avas()).unwrap_or_default() {
        let attribute = ava.attribute();
        let values = attributes.entry(attribute.key().to_owned()).or_default();
        if !values.iter().any(|value| matching::is_equal(attribute, value, ava.value())) {
            values.push(ava.value().to_vec());
        }
    }
}

/// The one structural class of an entry, the most derived of its chain: `structuralObjectClass`.
/// Refused with objectClassViolation (65): none, or two chains.
pub fn structural_class(attributes: &Attributes) -> Result<&'static ObjectClass, Refusal> {
    let mut found: Option<&'static ObjectClass> = None;
    for class in classes(attributes)? {
        if class.kind != ClassKind::Structural {
            continue;
        }
        match found {
            Some(known) if known.is_under(class) => {}
            Some(known) if !class.is_under(known) => {
                let (known, class) = (known.name(), class.name());
                let text = format!("invalid structural object class chain ({known}/{class})");
                return Err(violation(text));
            }
            _ => found = Some(class),
        }
    }
    found.ok_or_else(|| violation("no structural object class provided".to_owned()))
}

fn classes(attributes: &Attributes) -> Result<Vec<&'static ObjectClass>, Refusal> {
    let values = attributes.get(CLASS).filter(|values| !values.is_empty());
    let values = values.ok_or_else(|| violation("no objectClass attribute".to_owned()))?;
    let known = |(at, value): (usize, &Vec<u8>)| {
        let class = std::str::from_utf8(value).ok().and_then(schema::class);
        class.ok_or_else(|| bad_syntax("objectClass", at))
    };
    values.iter().enumerate().map(known).collect()
}

fn bad_syntax(name: &str, at: usize) -> Refusal {
    let text = format!("{name}: value #{at} invalid per syntax");
    Refusal::new(Code::InvalidAttributeSyntax, text)
}

/// The description of a name that came in; undefinedAttributeType (17) if it is not known.
pub fn description(name: &str) -> Result<Description, Refusal> {
    Description::parse(name).ok_or_else(|| {
        let why = match schema::attribute(name) {
            Some(_) => "unrecognized option",
            None => "attribute type undefined",
        };
        Refusal::new(Code::UndefinedAttributeType, format!("{name}: {why}"))
    })
}

/// Values of one attribute as they come in: of the syntax, one where one may be, each once. In this order.
pub(crate) fn check_attribute(of: &Description, values: &[Vec<u8>]) -> Result<(), Refusal> {
    check_syntax(of, values)?;
    if of.attribute.is_single && values.len() > 1 {
        let text = format!("{}: multiple values provided", of.name());
        return Err(Refusal::new(Code::ConstraintViolation, text));
    }
    check_once(of, values)
}

fn check_once(of: &Description, values: &[Vec<u8>]) -> Result<(), Refusal> {
    let (name, attribute) = (of.name(), of.attribute);
    if values.len() > 1 {
        let mut seen = BTreeMap::new();
        for (at, value) in values.iter().enumerate() {
            if let Some(first) = seen.insert(matching::identity(attribute, value), at) {
                let text = format!("{name}: value #{first} provided more than once");
                return Err(Refusal::new(Code::AttributeOrValueExists, text));
            }
        }
    }
    Ok(())
}

pub(crate) fn check_syntax(of: &Description, values: &[Vec<u8>]) -> Result<(), Refusal> {
    if values.len() > VALUES_MAX {
        let text = format!("{}: more than {VALUES_MAX} values", of.name());
        return Err(Refusal::new(Code::AdminLimitExceeded, text));
    }
    for (at, value) in values.iter().enumerate() {
        let is_class = of.attribute.key() == CLASS;
        let is_known =
            || std::str::from_utf8(value).is_ok_and(|text| schema::class(text).is_some());
        if !of.attribute.syntax.accepts(value) || (is_class && !is_known()) {
            return Err(bad_syntax(&of.name(), at));
        }
    }
    Ok(())
}

fn check_values(before: Option<&Attributes>, attributes: &Attributes) -> Result<(), Refusal> {
    let mut bytes = 0;
    for (key, values) in attributes {
        bytes += values.iter().map(Vec::len).sum::<usize>();
        if before.and_then(|before| before.get(key)) == Some(values) {
            continue;
        }
        let of = description(key)?;
        match before {
            None => check_attribute(&of, values)?,
            // How many there may be is asked of the whole entry, in other words.
            Some(_) => check_syntax(&of, values).and_then(|()| check_once(&of, values))?,
        }
    }
    if bytes > ENTRY_BYTES_MAX {
        let text = format!("an entry holds {ENTRY_BYTES_MAX} bytes");
        return Err(Refusal::new(Code::AdminLimitExceeded, text));
    }
    Ok(())
}

/// With values added one by one there can be two where one may be.
fn check_singles(attributes: &Attributes) -> Result<(), Refusal> {
    for (key, values) in attributes {
        let Some(attribute) = schema::attribute(key) else { continue };
        if attribute.is_single && values.len() > 1 {
            let text = format!("attribute '{}' cannot have multiple values", attribute.name());
            return Err(Refusal::new(Code::ConstraintViolation, text));
        }
    }
    Ok(())
}

fn check_entry(dn: &Dn, attributes: &Attributes) -> Result<(), Refusal> {
    let classes = classes(attributes)?;
    // What makes an entry another one's alias or referral is not had by accident.
    for (key, class) in [("ref", "referral"), ("aliasedobjectname", "alias")] {
        let is_one = classes.iter().any(|of| of.name() == class);
        if let Some(attribute) = schema::attribute(key).filter(|_| !is_one)
            && attributes.contains_key(key)
        {
            let name = attribute.name();
            return Err(violation(format!("attribute \"{name}\" only allowed in the {class}")));
        }
    }
    structural_class(attributes)?;
    check_naming(dn, attributes)?;
    let has = |name: &str| {
        let key = name.to_ascii_lowercase();
        let mut found = false;
        if let Some(attribute) = schema::attribute(&key) {
            // `cn;lang-de` is a `cn`.
            let mut look = |_: &str, values: &[Vec<u8>]| found |= !values.is_empty();
            crate::filter::of_type(attributes, attribute, &mut look);
        }
        found
    };
    for class in &classes {
        // What the superclasses demand comes first.
        let must = class.chain().into_iter().rev().flat_map(|class| class.must);
        if let Some(missing) = must.into_iter().find(|name| !has(name)) {
            let name = class.name();
            return Err(violation(format!("object class '{name}' requires attribute '{missing}'")));
        }
    }
    check_allowed(&classes, attributes)
}

fn check_naming(dn: &Dn, attributes: &Attributes) -> Result<(), Refusal> {
    for ava in dn.rdn().map(|rdn| rdn.avas()).unwrap_or_default() {
        let attribute = ava.attribute();
        let name = attribute.name();
        let text = match attributes.get(attribute.key()) {
            _ if attribute.is_operational() => {
                format!("naming attribute '{name}' is operational")
            }
            None => format!("naming attribute '{name}' is not present in entry"),
            Some(values)
                if !values
                    .iter()
                    .any(|value| matching::is_equal(attribute, value, ava.value())) =>
            {
                format!("value of naming attribute '{name}' is not present in entry")
            }
            Some(_) => continue,
        };
        return Err(Refusal::new(Code::NamingViolation, text));
    }
    Ok(())
}

fn check_allowed(classes: &[&'static ObjectClass], attributes: &Attributes) -> Result<(), Refusal> {
    let chains: Vec<_> = classes.iter().flat_map(|class| class.chain()).collect();
    if chains.iter().any(|class| class.name() == "extensibleObject") {
        return Ok(());
    }
    for attribute in attributes.keys().filter_map(|key| schema::attribute(key)) {
        let name = attribute.name();
        let is_allowed = attribute.is_operational()
            || chains.iter().any(|class| class.must.contains(&name) || class.may.contains(&name));
        if !is_allowed {
            return Err(violation(format!("attribute '{name}' not allowed")));
        }
    }
    Ok(())
}
