//! What an object class is, and short ways to write one in a table.

/// RFC 4512 §2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassKind {
    /// Only a superclass of others.
    Abstract,
    /// What an entry is: exactly one chain of them.
    Structural,
    /// What an entry has beside that.
    Auxiliary,
}

/// An object class of the schema.
#[derive(Clone, Copy, Debug)]
pub struct ObjectClass {
    /// The object identifier, dotted.
    pub oid: &'static str,
    /// Its names; the first is the one that is shown.
    pub names: &'static [&'static str],
    /// First names of the direct superclasses.
    pub sups: &'static [&'static str],
    /// Abstract, structural or auxiliary.
    pub kind: ClassKind,
    /// First names of the attributes that must be there; those of the superclasses come on top.
    pub must: &'static [&'static str],
    /// First names of the attributes that may be there.
    pub may: &'static [&'static str],
    /// For people.
    pub description: &'static str,
}

impl PartialEq for ObjectClass {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid
    }
}

impl Eq for ObjectClass {}

/// No chain of the tables is longer.
const CHAIN_MAX: usize = 16;

impl ObjectClass {
    /// The first name, as it is shown.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.oid)
    }

    /// The class itself and all its superclasses, nearest first, each once.
    pub fn chain(&'static self) -> Vec<&'static Self> {
        let mut chain = vec![self];
        let mut at = 0;
        while let Some(class) = chain.get(at).copied() {
            for sup in class.sups.iter().filter_map(|name| super::class(name)) {
                if !chain.contains(&sup) && chain.len() < CHAIN_MAX {
                    chain.push(sup);
                }
            }
            at += 1;
        }
        chain
    }

    /// True if it is `other` or has it among its superclasses.
    pub fn is_under(&'static self, other: &Self) -> bool {
        self.chain().contains(&other)
    }

    pub(super) const fn must(self, must: &'static [&'static str]) -> Self {
        Self { must, ..self }
    }

    pub(super) const fn may(self, may: &'static [&'static str]) -> Self {
        Self { may, ..self }
    }

    pub(super) const fn says(self, description: &'static str) -> Self {
        Self { description, ..self }
    }
}

type Names = &'static [&'static str];

const fn of_kind(kind: ClassKind, oid: &'static str, names: Names, sups: Names) -> ObjectClass {
    ObjectClass { oid, names, sups, kind, must: &[], may: &[], description: "" }
}

pub(super) const fn abstract_class(oid: &'static str, names: Names, sups: Names) -> ObjectClass {
    of_kind(ClassKind::Abstract, oid, names, sups)
}

pub(super) const fn structural(oid: &'static str, names: Names, sups: Names) -> ObjectClass {
    of_kind(ClassKind::Structural, oid, names, sups)
}

pub(super) const fn auxiliary(oid: &'static str, names: Names, sups: Names) -> ObjectClass {
    of_kind(ClassKind::Auxiliary, oid, names, sups)
}
