//! The schema as the subschema subentry shows it: RFC 4512 §4.1, §4.2.

use std::sync::LazyLock;

use super::{AttributeType, ClassKind, ObjectClass, Syntax, Usage};
use crate::Attributes;
use crate::matching::{Rule, rules};

/// The parts of one definition.
struct Definition(String);

impl Definition {
    fn new(oid: &str) -> Self {
        Self(format!("( {oid}"))
    }

    fn word(mut self, word: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(word);
        self
    }

    fn word_if(self, holds: bool, word: &str) -> Self {
        if holds { self.word(word) } else { self }
    }

    /// `qdescrs`: one name in quotes, or several between brackets.
    fn names(self, names: &[&str]) -> Self {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        match quoted.as_slice() {
            [] => self,
            [name] => self.word("NAME").word(name),
            names => self.word("NAME (").word(&names.join(" ")).word(")"),
        }
    }

    /// `qdstring`: quotes and backslashes are escaped.
    fn says(self, description: &str) -> Self {
        if description.is_empty() {
            return self;
        }
        let escaped = description.replace('\\', "\\5C").replace('\'', "\\27");
        self.word("DESC").word(&format!("'{escaped}'"))
    }

    /// `oids`: one name, or several between brackets and dollars.
    fn oids(self, keyword: &str, names: &[&str]) -> Self {
        match names {
            [] => self,
            [name] => self.word(keyword).word(name),
            names => self.word(keyword).word("(").word(&names.join(" $ ")).word(")"),
        }
    }

    fn end(self) -> String {
        self.word(")").0
    }
}

/// RFC 4512 §4.1.2. What the supertype says is not said again.
fn attribute(of: &AttributeType) -> String {
    let sup = of.sup.and_then(super::attribute);
    let rule =
        |text: Definition, keyword: &str, own: Option<&Rule>, of_sup: Option<&Rule>| match own
            .filter(|_| own != of_sup)
        {
            Some(rule) => text.word(keyword).word(rule.name),
            None => text,
        };
    let text = Definition::new(of.oid).names(of.names).says(of.description);
    let text = text.oids("SUP", of.sup.as_slice());
    let text = rule(text, "EQUALITY", of.equality, sup.and_then(|sup| sup.equality));
    let text = rule(text, "ORDERING", of.ordering, sup.and_then(|sup| sup.ordering));
    let text = rule(text, "SUBSTR", of.substrings, sup.and_then(|sup| sup.substrings));
    let text = match sup {
        Some(sup) if sup.syntax == of.syntax => text,
        _ => text.word("SYNTAX").word(of.syntax.oid()),
    };
    let text = text.word_if(of.is_single, "SINGLE-VALUE");
    let text = text.word_if(of.is_fixed, "NO-USER-MODIFICATION");
    match of.usage {
        Usage::UserApplications => text,
        Usage::DirectoryOperation => text.word("USAGE directoryOperation"),
        Usage::DistributedOperation => text.word("USAGE distributedOperation"),
        Usage::DsaOperation => text.word("USAGE dSAOperation"),
    }
    .end()
}

/// RFC 4512 §4.1.1.
fn class(of: &ObjectClass) -> String {
    let kind = match of.kind {
        ClassKind::Abstract => "ABSTRACT",
        ClassKind::Structural => "STRUCTURAL",
        ClassKind::Auxiliary => "AUXILIARY",
    };
    Definition::new(of.oid)
        .names(of.names)
        .says(of.description)
        .oids("SUP", of.sups)
        .word(kind)
        .oids("MUST", of.must)
        .oids("MAY", of.may)
        .end()
}

/// RFC 4512 §4.1.3.
fn rule(of: &Rule) -> String {
    Definition::new(of.oid).names(&[of.name]).word("SYNTAX").word(of.syntax.oid()).end()
}

/// RFC 4512 §4.1.4; `None` for a rule that no attribute can be asked with.
fn rule_use(of: &Rule) -> Option<String> {
    let applies: Vec<&str> = super::attributes()
        .filter(|attribute| of.applies_to(attribute))
        .map(AttributeType::name)
        .collect();
    let text = Definition::new(of.oid).names(&[of.name]);
    (!applies.is_empty()).then(|| text.oids("APPLIES", &applies).end())
}

/// RFC 4512 §4.1.5, with the marks that tools show pictures and certificates by.
fn syntax(of: Syntax) -> String {
    Definition::new(of.oid())
        .says(of.description())
        .word_if(of.is_binary_only(), "X-BINARY-TRANSFER-REQUIRED 'TRUE'")
        .word_if(of.is_for_machines(), "X-NOT-HUMAN-READABLE 'TRUE'")
        .end()
}

static SUBSCHEMA: LazyLock<Attributes> = LazyLock::new(|| {
    let texts = |texts: &mut dyn Iterator<Item = String>| texts.map(String::into_bytes).collect();
    let names = |names: &[&str]| texts(&mut names.iter().map(|name| (*name).to_owned()));
    let rules = || rules::ALL.iter().copied();
    Attributes::from([
        ("objectclass".to_owned(), names(&["top", "subentry", "subschema"])),
        ("cn".to_owned(), names(&["Subschema"])),
        ("attributetypes".to_owned(), texts(&mut super::attributes().map(attribute))),
        ("objectclasses".to_owned(), texts(&mut super::classes().map(class))),
        ("matchingrules".to_owned(), texts(&mut rules().map(rule))),
        ("matchingruleuse".to_owned(), texts(&mut rules().filter_map(rule_use))),
        ("ldapsyntaxes".to_owned(), texts(&mut Syntax::ALL.iter().copied().map(syntax))),
    ])
});

/// The attributes of the subschema subentry, `cn=Subschema`: what there is, in the words of RFC 4512. It
/// never changes.
pub fn subschema() -> &'static Attributes {
    &SUBSCHEMA
}
