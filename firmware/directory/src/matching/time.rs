//! Generalized time: RFC 4517 §3.3.13. `20260131[00[00]][.5](Z|+0100)`, the hour at least.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const NANOS: i64 = 1_000_000_000;

/// Reads digits from the front.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, len: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(len)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    fn within(&mut self, len: usize, first: i64, last: i64) -> Option<i64> {
        self.number(len).filter(|number| (first..=last).contains(number))
    }

    /// A further pair of digits, if one stands here.
    fn optional(&mut self, last: i64) -> Option<Option<i64>> {
        match self.0.first() {
            Some(c) if c.is_ascii_digit() => self.within(2, 0, last).map(Some),
            _ => Some(None),
        }
    }

    /// Billionths, if a fraction stands here; further digits than nine are passed over.
    fn fraction(&mut self) -> Option<i64> {
        let [b'.' | b',', rest @ ..] = self.0 else { return Some(0) };
        let len = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        (len > 0).then(|| padded.fold(0, |nanos, digit| nanos * 10 + i64::from(digit - b'0')))
    }

    /// Seconds east of Greenwich.
    fn zone(&mut self) -> Option<i64> {
        let (sign, rest) = match self.0 {
            b"Z" => return Some(0),
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        self.0 = rest;
        let hours = self.within(2, 0, 23)?;
        let minutes = self.optional(59)?.unwrap_or(0);
        self.0.is_empty().then_some(sign * (hours * HOUR + minutes * MINUTE))
    }
}

/// Days since 1 March of year 0 (Gregorian, proleptic).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
}

fn month_len(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next, 1) - days(year, month, 1)
}

/// Date of a number of days as [`days`] counts them.
fn date(days: i64) -> (i64, i64, i64) {
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + carry, month, day)
}

/// `YYYYMMDDHHMMSS` in UTC with a fraction where there is one: bytes order as time does.
pub(crate) fn key(value: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Digits(value);
    let (year, month) = (digits.number(4)?, digits.within(2, 1, 12)?);
    let day = digits.within(2, 1, month_len(year, month))?;
    let hour = digits.within(2, 0, 23)?;
    let minute = digits.optional(59)?;
    let second = match minute {
        // RFC 4517: 60 is a leap second.
        Some(_) => digits.optional(60)?,
        None => None,
    };
    let unit = match (minute, second) {
        (_, Some(_)) => 1,
        (Some(_), None) => MINUTE,
        (None, _) => HOUR,
    };
    let fraction = digits.fraction()? * unit;
    let east = digits.zone()?;
    let of_day = hour * HOUR + minute.unwrap_or(0) * MINUTE + second.unwrap_or(0);
    let at = days(year, month, day) * DAY + of_day - east + fraction / NANOS;
    let (year, month, day) = date(at.div_euclid(DAY));
    if !(0..=9999).contains(&year) {
        return None;
    }
    let of_day = at.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / HOUR, of_day % HOUR / MINUTE, of_day % MINUTE);
    let mut text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}");
    if fraction % NANOS != 0 {
        text.push_str(format!(".{:09}", fraction % NANOS).trim_end_matches('0'));
    }
    Some(text.into_bytes())
}
