//! Values of the grammar as bytes of an answer. RFC 9051 §9.

use base::Timestamp;
use store::Flags;

/// System flags in the order in which they are told.
pub(crate) const SYSTEM_FLAGS: [(u8, &str); 5] = [
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

/// `number`: what long answers are full of, without the way through a String.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        len += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}

/// `"(" [flag *(SP flag)] ")"`
pub(crate) fn push_flags(out: &mut Vec<u8>, flags: &Flags) {
    out.push(b'(');
    let system =
        SYSTEM_FLAGS.iter().filter(|(bit, _)| flags.system & bit != 0).map(|known| known.1);
    for (n, flag) in system.chain(flags.keywords.iter().map(String::as_str)).enumerate() {
        if n > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(flag.as_bytes());
    }
    out.push(b')');
}

/// A quoted string where that is possible, else a literal.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    if text.iter().all(|byte| *byte >= b' ' && *byte < 0x7f) {
        out.push(b'"');
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        out.extend_from_slice(text);
    }
}

/// An atom where that is possible, else a quoted string, else a literal.
pub(crate) fn push_astring(out: &mut Vec<u8>, text: &[u8]) {
    let is_atom = |byte: &u8| *byte > b' ' && *byte < 0x7f && !b"(){%*\"\\".contains(byte);
    if !text.is_empty() && text.iter().all(is_atom) && !text.eq_ignore_ascii_case(b"NIL") {
        out.extend_from_slice(text);
    } else {
        push_string(out, text);
    }
}

/// As [`push_astring`], with UTF-8 in quoted strings (RFC 6855 §3).
pub(crate) fn push_utf8(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() || text.contains(char::is_control) {
        return push_astring(out, text.as_bytes());
    }
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// `date-time` in the zone in which it was given, which is minutes east of UTC.
pub(crate) fn date_time(at: Timestamp, zone_minutes: i16) -> String {
    let civil = at.plus_secs(i64::from(zone_minutes) * 60).civil();
    let sign = if zone_minutes < 0 { '-' } else { '+' };
    let zone = zone_minutes.unsigned_abs();
    format!(
        "\"{:02}-{}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}\"",
        civil.day,
        civil.month_name(),
        civil.year.clamp(0, 9999),
        civil.hour,
        civil.minute,
        civil.second,
        zone / 60,
        zone % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_take_the_simplest_form() {
        for (text, want) in [
            ("INBOX", "INBOX"),
            ("", "\"\""),
            ("nil", "\"nil\""),
            ("Sent Items", "\"Sent Items\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("R&-D", "R&-D"),
            ("a%", "\"a%\""),
            ("a\nb", "{3}\r\na\nb"),
        ] {
            let mut out = Vec::new();
            push_astring(&mut out, text.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 4_294_967_295, u64::MAX] {
            let mut out = b"* ".to_vec();
            push_number(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), format!("* {number}"));
        }
    }

    #[test]
    fn flags_and_dates_are_written() {
        let mut out = Vec::new();
        let flags = Flags { system: Flags::SEEN | Flags::DELETED, keywords: vec!["$Junk".into()] };
        push_flags(&mut out, &flags);
        assert_eq!(out, b"(\\Deleted \\Seen $Junk)");
        assert_eq!(
            date_time(Timestamp::from_secs(1_795_338_000), 0),
            "\"22-Nov-2026 09:00:00 +0000\""
        );
        assert_eq!(date_time(Timestamp::from_secs(5400), -90), "\"01-Jan-1970 00:00:00 -0130\"");
    }
}
