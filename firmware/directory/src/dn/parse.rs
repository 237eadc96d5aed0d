//! The grammar of names: RFC 4514 §3, and of RFC 2253 §4 what still comes in.

use super::{AVAS_MAX, Ava, RDNS_MAX, Rdn};
use crate::schema;

/// A name as text, read from the front.
struct Reader<'a>(&'a [u8]);

/// All RDNs of a name, the first one first. `None` if it is no name.
pub(super) fn rdns(text: &str, depth: u8) -> Option<Vec<Rdn>> {
    let mut reader = Reader(text.as_bytes());
    reader.skip_spaces();
    let mut rdns = Vec::new();
    if reader.0.is_empty() {
        return Some(rdns);
    }
    loop {
        rdns.push(reader.rdn(depth)?);
        match reader.next() {
            None => return Some(rdns),
            Some(b',' | b';') if rdns.len() < RDNS_MAX => reader.skip_spaces(),
            Some(_) => return None,
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn rdn(&mut self, depth: u8) -> Option<Rdn> {
        let mut avas = Vec::new();
        loop {
            self.skip_spaces();
            avas.push(self.ava(depth)?);
            match self.peek() {
                Some(b'+') if avas.len() < AVAS_MAX => self.next(),
                _ => return Rdn::of(avas),
            };
        }
    }

    fn ava(&mut self, depth: u8) -> Option<Ava> {
        let at = self.0.iter().position(|c| *c == b'=')?;
        let (name, rest) = self.0.split_at_checked(at)?;
        let attribute = schema::attribute(std::str::from_utf8(name.trim_ascii()).ok()?)?;
        self.0 = rest.get(1..)?;
        self.skip_spaces();
        let value = match self.peek() {
            Some(b'#') => self.hex_value()?,
            Some(b'"') => self.quoted()?,
            _ => self.string()?,
        };
        Ava::new(attribute, value, depth)
    }

    /// What follows a backslash: a special character or two hexadecimal digits.
    fn escaped(&mut self) -> Option<u8> {
        let first = self.next()?;
        if b" \"#+,;<=>\\".contains(&first) {
            return Some(first);
        }
        Some(hex(first)? << 4 | hex(self.next()?)?)
    }

    /// Up to the next separator; spaces at the end go unless they are escaped.
    fn string(&mut self) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut len = 0;
        while let Some(c) = self.peek() {
            match c {
                b',' | b';' | b'+' => break,
                b'"' | b'<' | b'>' | 0 => return None,
                _ => self.next()?,
            };
            match c {
                b'\\' => {
                    value.push(self.escaped()?);
                    len = value.len();
                }
                b' ' => value.push(c),
                c => {
                    value.push(c);
                    len = value.len();
                }
            }
        }
        value.truncate(len);
        Some(value)
    }

    /// RFC 2253 §4: between quotes only the quote and the backslash are escaped.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        self.next()?;
        let mut value = Vec::new();
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => value.push(self.escaped()?),
                0 => return None,
                c => value.push(c),
            }
        }
        self.skip_spaces();
        matches!(self.peek(), None | Some(b',' | b';' | b'+')).then_some(value)
    }

    /// `#` and the BER encoding of a string in hexadecimal: its content.
    fn hex_value(&mut self) -> Option<Vec<u8>> {
        self.next()?;
        let mut ber = Vec::new();
        while let Some(first) = self.peek().and_then(hex) {
            self.next()?;
            ber.push(first << 4 | hex(self.next()?)?);
        }
        self.skip_spaces();
        if !matches!(self.peek(), None | Some(b',' | b';' | b'+')) {
            return None;
        }
        match ber.as_slice() {
            // OCTET STRING, UTF8String, PrintableString, TeletexString, IA5String; short lengths.
            [4 | 12 | 19 | 20 | 22, len, value @ ..]
                if usize::from(*len) == value.len() && *len < 0x80 =>
            {
                Some(value.to_vec())
            }
            [4 | 12 | 19 | 20 | 22, 0x81, len, value @ ..] if usize::from(*len) == value.len() => {
                Some(value.to_vec())
            }
            _ => None,
        }
    }
}
