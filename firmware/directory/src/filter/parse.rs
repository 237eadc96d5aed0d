//! The text form of filters: RFC 4515 §3.

use super::{DEPTH_MAX, Filter, NODES_MAX};

/// A filter as text, read from the front.
struct Reader<'a> {
    rest: &'a [u8],
    nodes: usize,
}

/// `None` if it is no filter, or one beyond the limits.
pub(super) fn filter(text: &str) -> Option<Filter> {
    let mut reader = Reader { rest: text.trim().as_bytes(), nodes: 0 };
    let filter = match reader.rest.first()? {
        b'(' => reader.filter(1)?,
        // Without brackets, as ldapsearch takes it.
        _ => reader.item()?,
    };
    reader.rest.is_empty().then_some(filter)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `\2a` is a byte; what is special stands for itself only in this form.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => value.push(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?),
            b'(' | b')' | b'*' | 0 => return None,
            byte => value.push(byte),
        }
    }
    Some(value)
}

/// A type with options: RFC 4512 §2.5. That it is known is not asked here.
fn description(text: &[u8]) -> Option<String> {
    let text = text.trim_ascii();
    let is_good = text.first().is_some_and(u8::is_ascii_alphanumeric)
        && text.iter().all(|c| c.is_ascii_alphanumeric() || b"-.;_".contains(c));
    is_good.then(|| String::from_utf8_lossy(text).into_owned())
}

impl Reader<'_> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn filter(&mut self, depth: usize) -> Option<Filter> {
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX || !self.take(b'(') {
            return None;
        }
        self.skip_spaces();
        let filter = match self.rest.first()? {
            b'&' => Filter::And(self.list(depth)?),
            b'|' => Filter::Or(self.list(depth)?),
            b'!' => {
                self.take(b'!');
                self.skip_spaces();
                Filter::Not(Box::new(self.filter(depth + 1)?))
            }
            _ => self.item()?,
        };
        self.skip_spaces();
        self.take(b')').then_some(filter)
    }

    fn list(&mut self, depth: usize) -> Option<Vec<Filter>> {
        self.rest = self.rest.get(1..)?;
        let mut filters = Vec::new();
        loop {
            self.skip_spaces();
            if self.rest.first() != Some(&b'(') {
                return Some(filters);
            }
            filters.push(self.filter(depth + 1)?);
        }
    }

    fn item(&mut self) -> Option<Filter> {
        let end = self.rest.iter().position(|c| *c == b')').unwrap_or(self.rest.len());
        let (item, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let at = item.iter().position(|c| *c == b'=')?;
        let (left, value) = (item.get(..at)?, item.get(at + 1..)?);
        match left.split_last() {
            Some((b'>', name)) => {
                Some(Filter::AtLeast { attribute: description(name)?, value: unescape(value)? })
            }
            Some((b'<', name)) => {
                Some(Filter::AtMost { attribute: description(name)?, value: unescape(value)? })
            }
            Some((b'~', name)) => {
                Some(Filter::Approx { attribute: description(name)?, value: unescape(value)? })
            }
            Some((b':', left)) => extensible(left, value),
            _ => self.simple(description(left)?, value),
        }
    }

    /// Equality, presence or substrings.
    fn simple(&mut self, attribute: String, value: &[u8]) -> Option<Filter> {
        if value == b"*" {
            return Some(Filter::Present(attribute));
        }
        let mut pieces: Vec<&[u8]> = value.split(|c| *c == b'*').collect();
        let (Some(first), Some(last)) = (pieces.first().copied(), pieces.pop()) else {
            return None;
        };
        if pieces.is_empty() {
            return Some(Filter::Equal { attribute, value: unescape(first)? });
        }
        let end = |piece: &[u8]| match piece {
            [] => Some(None),
            piece => unescape(piece).map(Some),
        };
        // `a**b` has nothing between: passed over, as OpenLDAP's library does.
        let any: Option<Vec<Vec<u8>>> = pieces
            .iter()
            .skip(1)
            .filter(|piece| !piece.is_empty())
            .map(|piece| unescape(piece))
            .collect();
        let (initial, any, last) = (end(first)?, any?, end(last)?);
        self.nodes += any.len();
        if initial.is_none() && any.is_empty() && last.is_none() {
            return None;
        }
        Some(Filter::Substrings { attribute, initial, any, last })
    }
}

/// `cn:dn:caseExactMatch:=`, each part may be left out but not both of type and rule.
fn extensible(left: &[u8], value: &[u8]) -> Option<Filter> {
    let mut parts = left.split(|c| *c == b':');
    let attribute = match parts.next()? {
        [] => None,
        name => Some(description(name)?),
    };
    let mut parts: Vec<&[u8]> = parts.map(<[u8]>::trim_ascii).collect();
    let with_dn = parts.first().is_some_and(|part| part.eq_ignore_ascii_case(b"dn"));
    if with_dn {
        parts.remove(0);
    }
    let rule = match parts.as_slice() {
        [] => None,
        [rule] => Some(description(rule)?),
        _ => return None,
    };
    if attribute.is_none() && rule.is_none() {
        return None;
    }
    Some(Filter::Extensible { rule, attribute, value: unescape(value)?, with_dn })
}
