//! In which encoding a file came: what it says of itself at its start, else UTF-8 if it is UTF-8, UTF-16 by its
//! zeros, else Windows-1252, which is what Excel writes without being asked.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Fault;

/// So much of a file is looked at for the zeros of UTF-16.
const LOOKED_AT: usize = 4096;

/// The text of a file, without a byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return strictly(encoding, bytes.get(mark..).unwrap_or_default());
    }
    if let Some(encoding) = without_mark(bytes) {
        return strictly(encoding, bytes);
    }
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    strictly(if is_utf8 { UTF_8 } else { WINDOWS_1252 }, bytes)
}

fn strictly<'b>(encoding: &'static Encoding, bytes: &'b [u8]) -> Result<Cow<'b, str>, Fault> {
    let wrong = || Fault::new("encoding-unknown", format!("this is no {} text", encoding.name()));
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    // A file of a program that is no text has zeros in it, in whatever encoding it is read.
    text.filter(|text| !text.contains('\0')).ok_or_else(wrong)
}

/// UTF-16 that does not say so: of plain text every second byte is mostly zero.
fn without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let zeros = |odd: usize| {
        let half = start.iter().skip(odd).step_by(2);
        half.filter(|byte| **byte == 0).count()
    };
    let most = start.len() / 4;
    match (zeros(0), zeros(1)) {
        (0, second) if second > most => Some(UTF_16LE),
        (first, 0) if first > most => Some(UTF_16BE),
        _ => None,
    }
}
