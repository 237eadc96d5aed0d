//! Header fields as they stand in the bytes. RFC 5322 §2.2.

use memchr::{memchr, memchr3_iter};

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written, without the colon and blanks before it.
    pub name: &'a [u8],
    /// All that stands behind the colon, folds and the final line end included.
    pub value: &'a [u8],
    /// The whole field from its name to its final line end.
    pub raw: &'a [u8],
}

impl Field<'_> {
    /// True if the field is called `name`, in any case.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value unfolded (RFC 5322 §2.2.3), without blanks around it, without NUL.
    #[must_use]
    pub fn unfolded(&self) -> Vec<u8> {
        let value = self.value.trim_ascii();
        let mut out = Vec::with_capacity(value.len());
        runs(value, |run| out.extend_from_slice(value.get(run).unwrap_or_default()));
        out
    }

    /// [`Field::unfolded`] as text; bytes that are no UTF-8 are taken for ISO 8859-1.
    #[must_use]
    pub fn text(&self) -> String {
        into_text(self.unfolded())
    }

    /// Appends [`Field::text`] to `out`.
    pub fn push_text(&self, out: &mut String) {
        let value = self.value.trim_ascii();
        match std::str::from_utf8(value) {
            Ok(text) => runs(value, |run| out.push_str(text.get(run).unwrap_or_default())),
            // A fold may stand within a character: unfolded it may be UTF-8 after all.
            Err(_) => out.push_str(&self.text()),
        }
    }
}

/// Gives what stands between CR, LF and NUL.
fn runs(value: &[u8], mut take: impl FnMut(std::ops::Range<usize>)) {
    let mut from = 0;
    for at in memchr3_iter(b'\r', b'\n', 0, value) {
        take(from..at);
        from = at + 1;
    }
    take(from..value.len());
}

/// UTF-8 as it is, everything else as ISO 8859-1: nothing is lost, nothing fails.
#[must_use]
pub(crate) fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|err| err.as_bytes().iter().copied().map(char::from).collect())
}

/// The fields of a header section, in order. Lines that belong to no field are passed over; the
/// empty line ends the section.
#[must_use]
pub fn header_fields(header: &[u8]) -> HeaderFields<'_> {
    HeaderFields { rest: header }
}

/// Iterator of [`header_fields`].
#[derive(Clone, Debug)]
pub struct HeaderFields<'a> {
    rest: &'a [u8],
}

/// Length of the first line, its line end included.
fn line_len(bytes: &[u8]) -> usize {
    memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

/// Length of the first field: its first line and the lines that continue it.
fn field_len(bytes: &[u8]) -> usize {
    let mut len = line_len(bytes);
    while let Some(rest) = bytes.get(len..)
        && matches!(rest.first(), Some(b' ' | b'\t'))
    {
        len += line_len(rest);
    }
    len
}

impl<'a> Iterator for HeaderFields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            if self.rest.is_empty() || self.rest.starts_with(b"\r\n") || self.rest[0] == b'\n' {
                return None;
            }
            let (raw, rest) = self.rest.split_at(field_len(self.rest));
            self.rest = rest;
            let colon = memchr(b':', raw);
            if let Some((name, value)) = colon.and_then(|at| raw.split_at_checked(at)) {
                let name = name.trim_ascii_end();
                // RFC 5322 §2.2: printable US-ASCII without the colon (octets above 127 tolerated).
                if !name.is_empty() && name.iter().all(|&b| b > b' ' && b != 127) {
                    return Some(Field { name, value: value.get(1..).unwrap_or_default(), raw });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_folded_and_in_order() {
        let header =
            b"From a@b Sat\nSubject : a\r\n\tb \r\nno field\r\nTo:\r\nX: \xe9\r\n\r\nBody: x";
        let fields: Vec<_> = header_fields(header).collect();
        let names: Vec<_> = fields.iter().map(|f| f.name).collect();
        assert_eq!(names, [&b"Subject"[..], b"To", b"X"]);
        assert_eq!(fields[0].raw, b"Subject : a\r\n\tb \r\n");
        assert_eq!(fields[0].text(), "a\tb");
        assert_eq!((fields[1].text(), fields[2].text()), (String::new(), "é".to_owned()));
        assert!(fields[0].is(b"SUBJECT"));
    }
}
