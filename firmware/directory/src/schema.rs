//! The schema: which attributes and classes there are. Static tables, looked up by any of their names or by
//! OID, without regard to case.

mod attribute;
mod class;

mod cosine;
mod description;
mod mail;
mod nis;
mod ours;
mod person;
mod syntax;
mod system;
#[cfg(test)]
mod tests;
mod text;
mod x500;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use attribute::{AttributeType, Usage};
pub use class::{ClassKind, ObjectClass};
pub use description::{Description, key};
pub use syntax::Syntax;
pub(crate) use syntax::is_oid;
pub use text::subschema;

const ATTRIBUTES: &[&[AttributeType]] = &[
    system::ATTRIBUTES,
    x500::ATTRIBUTES,
    cosine::ATTRIBUTES,
    person::ATTRIBUTES,
    nis::ATTRIBUTES,
    mail::ATTRIBUTES,
    ours::ATTRIBUTES,
];
const CLASSES: &[&[ObjectClass]] = &[
    system::CLASSES,
    x500::CLASSES,
    cosine::CLASSES,
    person::CLASSES,
    nis::CLASSES,
    mail::CLASSES,
    ours::CLASSES,
];

/// The tables by name.
struct Index {
    attributes: BTreeMap<String, &'static AttributeType>,
    classes: BTreeMap<String, &'static ObjectClass>,
    /// By OID: the type with all its subtypes.
    families: BTreeMap<&'static str, Vec<&'static AttributeType>>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index =
        Index { attributes: BTreeMap::new(), classes: BTreeMap::new(), families: BTreeMap::new() };
    for attribute in attributes() {
        for name in attribute.names.iter().chain([&attribute.oid]) {
            index.attributes.insert(name.to_ascii_lowercase(), attribute);
        }
        index.families.insert(attribute.oid, Vec::new());
    }
    for class in classes() {
        for name in class.names.iter().chain([&class.oid]) {
            index.classes.insert(name.to_ascii_lowercase(), class);
        }
    }
    for attribute in attributes() {
        let mut at = Some(attribute);
        while let Some(this) = at {
            if let Some(family) = index.families.get_mut(this.oid) {
                family.push(attribute);
            }
            at = this.sup.and_then(|sup| index.attributes.get(&sup.to_ascii_lowercase()).copied());
        }
    }
    index
});

/// All attribute types.
pub fn attributes() -> impl Iterator<Item = &'static AttributeType> {
    ATTRIBUTES.iter().flat_map(|table| table.iter())
}

/// All object classes.
pub fn classes() -> impl Iterator<Item = &'static ObjectClass> {
    CLASSES.iter().flat_map(|table| table.iter())
}

/// The attribute type of a name or OID; options behind it (`cn;lang-de`) are passed over.
pub fn attribute(name: &str) -> Option<&'static AttributeType> {
    let name = name.split(';').next().unwrap_or_default();
    // The usual form first: no allocation.
    let index = &INDEX.attributes;
    index.get(name).or_else(|| index.get(&name.to_ascii_lowercase())).copied()
}

/// The class of a name or OID.
pub fn class(name: &str) -> Option<&'static ObjectClass> {
    let index = &INDEX.classes;
    index.get(name).or_else(|| index.get(&name.to_ascii_lowercase())).copied()
}

/// The type and all that have it among their supertypes: asking for `name` asks for `cn` and `sn` as well.
pub fn subtypes(attribute: &AttributeType) -> &'static [&'static AttributeType] {
    INDEX.families.get(attribute.oid).map(Vec::as_slice).unwrap_or_default()
}
