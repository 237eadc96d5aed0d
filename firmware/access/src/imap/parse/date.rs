//! Dates of SEARCH and APPEND. RFC 9051 §9 `date`, `date-time`.

use base::Timestamp;
use base::clock::Civil;

use super::{Bad, Input, Parsed};

/// A time and the zone in which it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InternalDate {
    pub(crate) at: Timestamp,
    /// Minutes east of UTC.
    pub(crate) zone_minutes: i16,
}

const WHY: Bad = Bad("a date is not well formed");

/// Days since 1970-01-01 of a calendar date that exists.
fn day_number(year: i64, month: u8, day: u8) -> Parsed<i64> {
    let civil = Civil { year, month, day, hour: 0, minute: 0, second: 0, weekday: 0 };
    let secs = civil.to_secs();
    let back = Civil::from_secs(secs);
    if (back.year, back.month, back.day) == (year, month, day) {
        Ok(secs.div_euclid(86_400))
    } else {
        Err(WHY)
    }
}

impl Input<'_> {
    /// Between `min` and `max` digits.
    fn digits(&mut self, min: usize, max: usize) -> Parsed<u32> {
        let count = self.rest.iter().take(max).take_while(|byte| byte.is_ascii_digit()).count();
        let digits = if count < min { None } else { self.take(count) };
        digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).ok_or(WHY)
    }

    /// `date-month "-" date-year`, behind the day.
    fn month_and_year(&mut self) -> Parsed<(u8, i64)> {
        self.expect(b'-', WHY.0)?;
        let month = Civil::month_of_name(self.take(3).ok_or(WHY)?).ok_or(WHY)?;
        self.expect(b'-', WHY.0)?;
        Ok((month, i64::from(self.digits(4, 4)?)))
    }

    /// `date = date-text / DQUOTE date-text DQUOTE`; days since 1970.
    pub(super) fn date(&mut self) -> Parsed<i64> {
        let is_quoted = self.eat(b'"');
        let day = u8::try_from(self.digits(1, 2)?).map_err(|_| WHY)?;
        let (month, year) = self.month_and_year()?;
        if is_quoted {
            self.expect(b'"', WHY.0)?;
        }
        day_number(year, month, day)
    }

    /// `date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE`
    pub(super) fn date_time(&mut self) -> Parsed<InternalDate> {
        self.expect(b'"', WHY.0)?;
        self.eat(b' ');
        let day = u8::try_from(self.digits(1, 2)?).map_err(|_| WHY)?;
        let (month, year) = self.month_and_year()?;
        self.expect(b' ', WHY.0)?;
        let hour = self.digits(2, 2)?;
        self.expect(b':', WHY.0)?;
        let minute = self.digits(2, 2)?;
        self.expect(b':', WHY.0)?;
        let second = self.digits(2, 2)?;
        self.expect(b' ', WHY.0)?;
        let is_west = match self.take(1) {
            Some(b"+") => false,
            Some(b"-") => true,
            _ => return Err(WHY),
        };
        let zone_hour = self.digits(2, 2)?;
        let zone_minute = self.digits(2, 2)?;
        self.expect(b'"', WHY.0)?;
        // 60 is a leap second.
        if hour > 23 || minute > 59 || second > 60 || zone_minute > 59 {
            return Err(WHY);
        }
        let offset = i64::from(zone_hour * 3600 + zone_minute * 60);
        let local = day_number(year, month, day)? * 86_400
            + i64::from(hour * 3600 + minute * 60 + second.min(59));
        let minutes = i16::try_from(offset / 60).map_err(|_| WHY)?;
        let sign = if is_west { -1 } else { 1 };
        let at = Timestamp::from_secs(local - i64::from(sign) * offset);
        Ok(InternalDate { at, zone_minutes: sign * minutes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        for (text, days) in [
            ("1-Jan-1970", 0),
            ("\"29-feb-2000\"", 11_016),
            ("22-Nov-2026", 20_779),
            ("02-JAN-1970", 1),
        ] {
            assert_eq!(Input::new(text.as_bytes()).date(), Ok(days), "{text}");
        }
        for text in
            ["30-Feb-2000", "0-Jan-2000", "1-Foo-2000", "1-Jan-70", "1 Jan 2000", "\"1-Jan-2000"]
        {
            assert!(Input::new(text.as_bytes()).date().is_err(), "{text}");
        }
    }

    #[test]
    fn date_times_are_read() {
        for (text, secs, zone_minutes) in [
            ("\"22-Nov-2026 09:00:00 +0000\"", 1_795_338_000, 0),
            ("\"22-Nov-2026 09:00:00 +0100\"", 1_795_334_400, 60),
            ("\" 1-Jan-1970 00:00:00 -0130\"", 5400, -90),
        ] {
            assert_eq!(
                Input::new(text.as_bytes()).date_time(),
                Ok(InternalDate { at: Timestamp::from_secs(secs), zone_minutes }),
                "{text}"
            );
        }
        for text in [
            "22-Nov-2026 09:00:00 +0000",
            "\"22-Nov-2026 24:00:00 +0000\"",
            "\"22-Nov-2026 09:00:00\"",
            "\"31-Jun-2026 09:00:00 +0000\"",
        ] {
            assert!(Input::new(text.as_bytes()).date_time().is_err(), "{text}");
        }
    }
}
