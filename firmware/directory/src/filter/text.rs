//! Filters as text: RFC 4515 §3. For logs of what was asked and for tests; it can be parsed again.

use std::fmt::{self, Write};

use super::Filter;

/// A value with everything escaped that a filter gives a meaning to, and what is no text.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '(' | ')' | '*' | '\\' => write!(f, "\\{:02x}", u32::from(c))?,
                    c if c.is_ascii_control() => write!(f, "\\{:02x}", u32::from(c))?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, sign: char, filters: &[Filter]) -> fmt::Result {
    f.write_char(sign)?;
    filters.iter().try_for_each(|filter| write!(f, "{filter}"))
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        match self {
            Self::And(filters) => list(f, '&', filters)?,
            Self::Or(filters) => list(f, '|', filters)?,
            Self::Not(filter) => write!(f, "!{filter}")?,
            Self::Equal { attribute, value } => write!(f, "{attribute}={}", Escaped(value))?,
            Self::AtLeast { attribute, value } => write!(f, "{attribute}>={}", Escaped(value))?,
            Self::AtMost { attribute, value } => write!(f, "{attribute}<={}", Escaped(value))?,
            Self::Approx { attribute, value } => write!(f, "{attribute}~={}", Escaped(value))?,
            Self::Present(attribute) => write!(f, "{attribute}=*")?,
            Self::Substrings { attribute, initial, any, last } => {
                write!(f, "{attribute}={}*", Escaped(initial.as_deref().unwrap_or_default()))?;
                any.iter().try_for_each(|piece| write!(f, "{}*", Escaped(piece)))?;
                write!(f, "{}", Escaped(last.as_deref().unwrap_or_default()))?;
            }
            Self::Extensible { rule, attribute, value, with_dn } => {
                f.write_str(attribute.as_deref().unwrap_or_default())?;
                f.write_str(if *with_dn { ":dn" } else { "" })?;
                if let Some(rule) = rule {
                    write!(f, ":{rule}")?;
                }
                write!(f, ":={}", Escaped(value))?;
            }
        }
        f.write_char(')')
    }
}
