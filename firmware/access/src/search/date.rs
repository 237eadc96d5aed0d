//! The sent date of a message. RFC 5256 §2.2, RFC 9051 §6.4.4.
//!
//! Our own reader: mail-parser's wants seconds and a zone, which RFC 5322 §3.3 and §4.3 do not.

use base::clock::Civil;

/// What a Date field says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentDate {
    /// Days since 1970 as written, whatever the zone: what SENTON compares.
    pub(crate) day: i64,
    /// Seconds since 1970 in UTC: what SORT DATE compares.
    pub(crate) secs: i64,
}

/// The text without RFC 5322 comments.
fn without_comments(text: &str) -> String {
    let mut depth = 0u32;
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '\\' if depth > 0 => {
                chars.next();
            }
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

fn number(text: &str) -> Option<i64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// RFC 5322 §4.3: years of two and three digits.
fn year(text: &str) -> Option<i64> {
    let year = number(text)?;
    Some(match text.len() {
        4 => year,
        2 if year < 50 => 2000 + year,
        _ => 1900 + year,
    })
}

/// Seconds since midnight; a time that is none is midnight.
fn time(text: &str) -> i64 {
    let mut parts = text.split(':').map(|part| number(part.split('.').next().unwrap_or_default()));
    let (hour, minute, second) = (parts.next(), parts.next(), parts.next());
    match (hour.flatten(), minute.flatten(), second.unwrap_or(Some(0))) {
        (Some(hour @ 0..24), Some(minute @ 0..60), Some(second @ 0..=60)) => {
            hour * 3600 + minute * 60 + second.min(59)
        }
        _ => 0,
    }
}

/// Seconds east of UTC; a zone that is none is UTC (RFC 5322 §4.3 has the names).
fn zone(text: &str) -> i64 {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    if let Some(digits) = text.strip_prefix(['+', '-']) {
        return match number(digits).filter(|_| digits.len() == 4) {
            Some(offset) if offset / 100 < 24 && offset % 100 < 60 => {
                sign * (offset / 100 * 3600 + offset % 100 * 60)
            }
            _ => 0,
        };
    }
    let hours = match text.to_ascii_uppercase().as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => 0,
    };
    hours * 3600
}

/// Reads the text of a Date field; `None` where it names no day.
pub(crate) fn sent_date(text: &str) -> Option<SentDate> {
    let plain = without_comments(text);
    let words = plain.split([' ', '\t', ',', '\r', '\n']).filter(|word| !word.is_empty());
    // `2-Jan-1970` is a day, `-0500` a zone.
    let words: Vec<&str> = words
        .flat_map(|word| {
            let is_day = word.starts_with(|c: char| c.is_ascii_digit());
            word.split(move |c| is_day && c == '-')
        })
        .take(16)
        .collect();
    let (at, month) = words.iter().enumerate().skip(1).find_map(|(at, word)| {
        let name =
            word.as_bytes().get(..3).filter(|_| word.bytes().all(|b| b.is_ascii_alphabetic()));
        Civil::month_of_name(name?).map(|month| (at, month))
    })?;
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let day = u8::try_from(number(word(at - 1))?).ok()?;
    let year = year(word(at + 1))?;
    let civil = Civil { year, month, day, hour: 0, minute: 0, second: 0, weekday: 0 };
    let midnight = civil.to_secs();
    let back = Civil::from_secs(midnight);
    if (back.year, back.month, back.day) != (year, month, day) {
        return None;
    }
    let secs = midnight + time(word(at + 2)) - zone(word(at + 3));
    Some(SentDate { day: midnight.div_euclid(86_400), secs })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, day, secs) in [
            ("Thu, 1 Jan 1970 00:00:00 +0000", 0, 0),
            ("Thu, 1 Jan 1970 23:30:00 -0500", 0, 84_600 + 18_000),
            ("1 Jan 1970 00:30:00 +0100", 0, 1_800 - 3_600),
            ("Fri, 2 Jan 1970 10:00 GMT", 1, 86_400 + 36_000),
            ("Fri, 02 Jan 70 10:00:01 (a \\) comment) EST (Eastern)", 1, 86_400 + 36_001 + 18_000),
            ("2-Jan-1970 10:00:00 +0000", 1, 86_400 + 36_000),
            ("Fri,2 January 1970 10:00:00.5 +0000", 1, 86_400 + 36_000),
            // RFC 5256 §2.2: a time or a zone that is none.
            ("2 Jan 1970 25:00:00 +0000", 1, 86_400),
            ("2 Jan 1970", 1, 86_400),
            ("2 Jan 1970 10:00:00 +9999", 1, 86_400 + 36_000),
        ] {
            assert_eq!(sent_date(text), Some(SentDate { day, secs }), "{text}");
        }
        for text in ["", "yesterday", "99 Jan 1970", "30 Feb 1970 00:00:00 +0000", "Jan 1970", "x"]
        {
            assert_eq!(sent_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_date_or_none(text in "([0-9]{1,5}|Jan|[-+:., ()\\\\]|é){0,20}") {
            sent_date(&text);
        }

        #[test]
        fn what_we_write_we_read(secs in 0i64..4_000_000_000) {
            let text = base::Timestamp::from_secs(secs).rfc5322();
            let day = secs.div_euclid(86_400);
            prop_assert_eq!(sent_date(&text), Some(SentDate { day, secs }));
        }
    }
}
