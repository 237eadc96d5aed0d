//! A filter made ready for many entries: attributes resolved, asserted values as keys.

use super::{Filter, Subject};
use crate::Dn;
use crate::matching::Reach;
use crate::matching::approx::Approx;
use crate::matching::{Form, Pattern, Rule, RuleKind, rules};
use crate::schema::{self, AttributeType, Description};

/// A filter made ready: [`Prepared::matches`] is asked of each entry.
#[derive(Clone, Debug)]
pub struct Prepared(Node);

#[derive(Clone, Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Present(Description),
    /// A test of the values of an attribute and its subtypes.
    Values(Description, Test),
    Extensible(Extensible),
    Undefined,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(Form, Vec<u8>),
    /// A class, or one below it.
    Class(&'static schema::ObjectClass),
    AtLeast(Form, Vec<u8>),
    AtMost(Form, Vec<u8>),
    Before(Form, Vec<u8>),
    Pieces(Form, Pattern),
    Approx(Approx),
    /// DNs that stand so to this one.
    Under(Reach, Dn),
}

#[derive(Clone, Debug)]
struct Extensible {
    attribute: Option<Description>,
    /// Without a rule: the attribute's own.
    rule: Option<&'static Rule>,
    test: Test,
    with_dn: bool,
}

impl Test {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Equal(form, key) => form.key(value).is_some_and(|found| found == *key),
            Self::Class(class) => std::str::from_utf8(value)
                .ok()
                .and_then(schema::class)
                .is_some_and(|found| found.is_under(class)),
            Self::AtLeast(form, key) => form.key(value).is_some_and(|found| found >= *key),
            Self::AtMost(form, key) => form.key(value).is_some_and(|found| found <= *key),
            Self::Before(form, key) => form.key(value).is_some_and(|found| found < *key),
            Self::Pieces(form, pattern) => {
                form.key(value).is_some_and(|found| pattern.matches(&found))
            }
            Self::Approx(approx) => approx.matches(value),
            Self::Under(reach, top) => std::str::from_utf8(value)
                .ok()
                .and_then(|text| Dn::parse(text).ok())
                .is_some_and(|dn| reach.holds(&dn, top)),
        }
    }

    fn of_rule(rule: &Rule, value: &[u8]) -> Option<Self> {
        match rule.kind {
            RuleKind::Equality => Some(Self::Equal(rule.form, rule.form.key(value)?)),
            // RFC 4517 §4.2: true of what comes before the asserted value.
            RuleKind::Ordering => Some(Self::Before(rule.form, rule.form.key(value)?)),
            RuleKind::Substrings => {
                let text = std::str::from_utf8(value).ok()?;
                match Filter::parse(&format!("(cn={text})")).ok()? {
                    Filter::Substrings { initial, any, last, .. } => {
                        let pattern =
                            Pattern::new(rule.form, initial.as_deref(), &any, last.as_deref())?;
                        Some(Self::Pieces(rule.form, pattern))
                    }
                    _ => None,
                }
            }
            RuleKind::Subtree(reach) => {
                let top = Dn::parse(std::str::from_utf8(value).ok()?).ok()?;
                Some(Self::Under(reach, top))
            }
        }
    }
}

impl Reach {
    fn holds(self, dn: &Dn, top: &Dn) -> bool {
        let is_below = dn.is_under(top);
        match self {
            Self::Subtree => is_below,
            Self::OneLevel => is_below && dn.len() == top.len() + 1,
            Self::Subordinate => is_below && dn.len() > top.len(),
        }
    }
}

/// The values of an attribute whose test is what the rule's kind says, if the attribute has such a rule.
fn values(name: &str, test: impl FnOnce(&'static AttributeType) -> Option<Test>) -> Node {
    let Some(description) = Description::parse(name) else { return Node::Undefined };
    match test(description.attribute) {
        Some(test) => Node::Values(description, test),
        None => Node::Undefined,
    }
}

fn equal(attribute: &AttributeType, value: &[u8]) -> Option<Test> {
    let form = attribute.equality?.form;
    // slapd and X.500: an entry is of the superclasses of its classes too.
    if matches!(attribute.key(), "objectclass" | "structuralobjectclass") {
        let class = schema::class(std::str::from_utf8(value).ok()?)?;
        return Some(Test::Class(class));
    }
    Some(Test::Equal(form, form.key(value)?))
}

fn approx(attribute: &AttributeType, value: &[u8]) -> Option<Test> {
    match attribute.equality?.form {
        Form::CaseIgnore | Form::CaseExact | Form::CaseIgnoreIa5 | Form::CaseExactIa5 => {
            Approx::new(value).map(Test::Approx)
        }
        // RFC 4511 §4.5.1.7.6: without an approximate rule it is equality.
        _ => equal(attribute, value),
    }
}

fn extensible(
    rule: Option<&str>,
    attribute: Option<&str>,
    value: &[u8],
    with_dn: bool,
) -> Option<Node> {
    let attribute = match attribute {
        Some(name) => Some(Description::parse(name)?),
        None => None,
    };
    let rule = match rule {
        Some(name) => Some(rules::named(name)?),
        None => None,
    };
    let test = match (rule, &attribute) {
        (Some(rule), attribute) => {
            let fits = attribute.as_ref().is_none_or(|a| rule.applies_to(a.attribute));
            fits.then(|| Test::of_rule(rule, value)).flatten()?
        }
        (None, Some(attribute)) => equal(attribute.attribute, value)?,
        (None, None) => return None,
    };
    Some(Node::Extensible(Extensible { attribute, rule, test, with_dn }))
}

fn node(filter: &Filter) -> Node {
    match filter {
        Filter::And(filters) => Node::And(filters.iter().map(node).collect()),
        Filter::Or(filters) => Node::Or(filters.iter().map(node).collect()),
        Filter::Not(filter) => Node::Not(Box::new(node(filter))),
        Filter::Present(name) => Description::parse(name).map_or(Node::Undefined, Node::Present),
        Filter::Equal { attribute, value } => values(attribute, |of| equal(of, value)),
        Filter::Approx { attribute, value } => values(attribute, |of| approx(of, value)),
        Filter::AtLeast { attribute, value } => values(attribute, |of| {
            let form = of.ordering?.form;
            Some(Test::AtLeast(form, form.key(value)?))
        }),
        Filter::AtMost { attribute, value } => values(attribute, |of| {
            let form = of.ordering?.form;
            Some(Test::AtMost(form, form.key(value)?))
        }),
        Filter::Substrings { attribute, initial, any, last } => values(attribute, |of| {
            let form = of.substrings?.form;
            let pattern = Pattern::new(form, initial.as_deref(), any, last.as_deref())?;
            Some(Test::Pieces(form, pattern))
        }),
        Filter::Extensible { rule, attribute, value, with_dn } => {
            extensible(rule.as_deref(), attribute.as_deref(), value, *with_dn)
                .unwrap_or(Node::Undefined)
        }
    }
}

/// Calls `each` with all that the description asks for, until it says true. `None` if it is hidden.
fn any_of(
    subject: &impl Subject,
    description: &Description,
    mut each: impl FnMut(&[Vec<u8>]) -> bool,
) -> Option<bool> {
    let mut found = false;
    let mut is_hidden = true;
    for attribute in schema::subtypes(description.attribute) {
        if subject.hides(attribute) {
            continue;
        }
        is_hidden = false;
        subject.of_type(attribute, &mut |key, values| {
            found = found || (description.covers(key) && each(values));
        });
        if found {
            return Some(true);
        }
    }
    (!is_hidden).then_some(false)
}

/// Three-valued: false before undefined before true.
fn all(results: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut outcome = Some(true);
    for result in results {
        match result {
            Some(false) => return Some(false),
            None => outcome = None,
            Some(true) => {}
        }
    }
    outcome
}

fn one(results: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(results.map(|result| result.map(|is| !is))).map(|is| !is)
}

impl Node {
    fn matches(&self, subject: &impl Subject) -> Option<bool> {
        match self {
            Self::And(nodes) => all(nodes.iter().map(|node| node.matches(subject))),
            Self::Or(nodes) => one(nodes.iter().map(|node| node.matches(subject))),
            Self::Not(node) => node.matches(subject).map(|is| !is),
            Self::Present(description) => any_of(subject, description, |values| !values.is_empty()),
            Self::Values(description, test) => {
                any_of(subject, description, |values| values.iter().any(|value| test.holds(value)))
            }
            Self::Extensible(extensible) => extensible.matches(subject),
            Self::Undefined => None,
        }
    }
}

impl Extensible {
    /// True if values of this attribute are looked at.
    fn looks_at(&self, key: &str, subject: &impl Subject) -> bool {
        let Some(attribute) = schema::attribute(key) else { return false };
        !subject.hides(attribute)
            && match (&self.attribute, self.rule) {
                (Some(description), _) => description.covers(key),
                (None, Some(rule)) => rule.applies_to(attribute),
                (None, None) => false,
            }
    }

    fn matches(&self, subject: &impl Subject) -> Option<bool> {
        let of_entry = match &self.attribute {
            Some(description) => any_of(subject, description, |values| {
                values.iter().any(|value| self.test.holds(value))
            })?,
            None => {
                let mut found = false;
                subject.all(&mut |key, values| {
                    found = found
                        || (self.looks_at(key, subject)
                            && values.iter().any(|value| self.test.holds(value)));
                });
                found
            }
        };
        if of_entry || !self.with_dn {
            return Some(of_entry);
        }
        let mut avas = subject.dn().rdns().iter().flat_map(|rdn| rdn.avas());
        Some(avas.any(|ava| {
            self.looks_at(ava.attribute().key(), subject) && self.test.holds(ava.value())
        }))
    }
}

impl Prepared {
    /// Makes a filter ready. It must be within the limits ([`Filter::check`]).
    pub fn new(filter: &Filter) -> Self {
        Self(node(filter))
    }

    /// True, false or undefined (`None`).
    pub fn matches(&self, subject: &impl Subject) -> Option<bool> {
        self.0.matches(subject)
    }
}
