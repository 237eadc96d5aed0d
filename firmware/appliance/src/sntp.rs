//! Simple network time (RFC 4330, the client of RFC 5905 §14): one packet out, one back.
//!
//! Grammar and arithmetic; the socket is [`crate::clock`]'s. A reply counts only if it repeats the
//! random transmit time of our request, so that a blind forger can not set the clock.

/// Length of a packet without authentication.
pub(crate) const PACKET_BYTES: usize = 48;
/// Seconds from 1900 to 1970.
const ERA: u64 = 2_208_988_800;

/// The request with `nonce` in place of the transmit time, which a server only repeats.
pub(crate) fn request(nonce: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    // RFC 4330 §4: leap 0, version 4, mode 3 (client).
    packet[0] = 0b00_100_011;
    packet[40..48].copy_from_slice(&nonce);
    packet
}

/// Microseconds since 1970 of an NTP timestamp; RFC 4330 §3: without the top bit it is after 2036.
fn micros(bytes: &[u8]) -> i64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    let value = u64::from_be_bytes(word);
    let (mut secs, fraction) = (value >> 32, value & 0xFFFF_FFFF);
    if secs & 0x8000_0000 == 0 {
        secs += 1 << 32;
    }
    let micros = secs.saturating_sub(ERA) * 1_000_000 + ((fraction * 1_000_000) >> 32);
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// How far our clock is behind (positive) or ahead, microseconds. `sent` and `received` are our
/// clock's times in microseconds. `None` if the packet is no answer to our request.
pub(crate) fn offset(reply: &[u8], nonce: [u8; 8], sent: i64, received: i64) -> Option<i64> {
    let leap_version_mode = *reply.first()?;
    let stratum = *reply.get(1)?;
    let is_sound = reply.len() >= PACKET_BYTES
        && leap_version_mode & 0b111 == 4
        && leap_version_mode >> 6 != 3
        && (1..16).contains(&stratum)
        && reply[24..32] == nonce
        && reply[40..48] != [0; 8];
    if !is_sound {
        return None;
    }
    // RFC 4330 §5: t = ((T2 - T1) + (T3 - T4)) / 2.
    let there = micros(&reply[32..40]).saturating_sub(sent);
    let back = micros(&reply[40..48]).saturating_sub(received);
    Some(there.saturating_add(back) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's packet with receive and transmit time `at` seconds since 1970.
    fn reply(nonce: [u8; 8], at: u64) -> [u8; PACKET_BYTES] {
        let mut packet = [0; PACKET_BYTES];
        packet[0] = 0b00_100_100;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&nonce);
        let stamp = ((at + ERA) << 32).to_be_bytes();
        packet[32..40].copy_from_slice(&stamp);
        packet[40..48].copy_from_slice(&stamp);
        packet
    }

    #[test]
    fn the_offset_is_half_of_the_differences() {
        let packet = reply([9; 8], 1_795_338_000);
        let sent = 1_795_337_990_000_000;
        assert_eq!(offset(&packet, [9; 8], sent, sent + 2_000_000), Some(9_000_000));
        let after_2036 = reply([9; 8], 2_200_000_000);
        let sent = 2_200_000_000_000_000;
        assert_eq!(offset(&after_2036, [9; 8], sent, sent), Some(0));
    }

    #[test]
    fn what_is_no_answer_to_us_is_not_believed() {
        let good = reply([9; 8], 1_795_338_000);
        assert!(offset(&good, [8; 8], 0, 0).is_none(), "another nonce");
        assert!(offset(&good[..47], [9; 8], 0, 0).is_none(), "short");
        let mut bad = good;
        bad[0] |= 0b1100_0000;
        assert!(offset(&bad, [9; 8], 0, 0).is_none(), "server not synchronized");
        let mut bad = good;
        bad[1] = 0;
        assert!(offset(&bad, [9; 8], 0, 0).is_none(), "kiss of death");
        assert!(offset(&[], [9; 8], 0, 0).is_none());
    }
}
