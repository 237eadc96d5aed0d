//! Attribute descriptions: a type with options. RFC 4512 §2.5, RFC 3866, RFC 4522.

use super::{AttributeType, attribute};

const OPTIONS_MAX: usize = 8;

/// `cn`, `cn;lang-de`, `userCertificate;binary`: a known type with known options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The type.
    pub attribute: &'static AttributeType,
    /// The options in lower case, sorted, each once.
    pub options: Vec<String>,
}

/// Options that are taken: languages, `binary`, private ones.
fn is_known(option: &str) -> bool {
    let tag = option.strip_prefix("lang-").or_else(|| option.strip_prefix("x-"));
    let is_good = option.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    is_good && (option == "binary" || tag.is_some_and(|tag| !tag.is_empty()))
}

impl Description {
    /// `None` if the type or an option is not known.
    pub fn parse(text: &str) -> Option<Self> {
        let attribute = attribute(text)?;
        let mut options: Vec<String> =
            text.split(';').skip(1).map(str::to_ascii_lowercase).collect();
        if options.len() > OPTIONS_MAX || !options.iter().all(|option| is_known(option)) {
            return None;
        }
        // One form for values that have but one: RFC 4523 §2.
        if attribute.syntax.is_binary_only() {
            options.push("binary".to_owned());
        }
        options.sort();
        options.dedup();
        Some(Self { attribute, options })
    }

    /// The key in [`crate::Attributes`].
    pub fn key(&self) -> String {
        self.tail(self.attribute.key())
    }

    /// As it is shown: `userCertificate;binary`.
    pub fn name(&self) -> String {
        self.tail(self.attribute.name())
    }

    fn tail(&self, name: &str) -> String {
        let mut text = name.to_owned();
        for option in &self.options {
            text.push(';');
            text.push_str(option);
        }
        text
    }

    /// True if what asks for this gets `key` as well: a subtype, with these options and perhaps more.
    pub fn covers(&self, key: &str) -> bool {
        let Some(attribute) = attribute(key) else { return false };
        attribute.is_under(self.attribute)
            && self.options.iter().all(|option| key.split(';').skip(1).any(|have| have == option))
    }
}

/// The key of a description in [`crate::Attributes`]: first name of the type in lower case and options.
/// `None` if the type or an option is not known.
pub fn key(description: &str) -> Option<String> {
    Description::parse(description).map(|description| description.key())
}
