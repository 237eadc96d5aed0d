//! Modified UTF-7, the form of mailbox names on the wire. RFC 3501 §5.1.3.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// `name` in modified UTF-7.
pub(crate) fn encode(name: &str) -> String {
    let mut wire = String::with_capacity(name.len());
    let mut shifted: Vec<u16> = Vec::new();
    for c in name.chars() {
        if !(' '..='~').contains(&c) {
            shifted.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            continue;
        }
        flush(&mut wire, &mut shifted);
        wire.push(c);
        if c == '&' {
            wire.push('-');
        }
    }
    flush(&mut wire, &mut shifted);
    wire
}

/// Writes what waits as `&…-`.
fn flush(wire: &mut String, shifted: &mut Vec<u16>) {
    if shifted.is_empty() {
        return;
    }
    wire.push('&');
    let bytes: Vec<u8> = shifted.drain(..).flat_map(u16::to_be_bytes).collect();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for n in 0..=three.len() {
            let index = (bits >> (18 - 6 * n)) & 63;
            wire.push(char::from(ALPHABET[index as usize]));
        }
    }
    wire.push('-');
}

/// The name that `wire` stands for; `None` if it is not exactly what [`encode`] would write.
///
/// Raw UTF-8, which no client should send before `UTF8=ACCEPT`, is taken as it is.
pub(crate) fn decode(wire: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(wire).ok()?;
    if !text.is_ascii() {
        return Some(text.to_owned());
    }
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, shifted)) = rest.split_once('&') {
        name.push_str(plain);
        let (coded, behind) = shifted.split_once('-')?;
        if coded.is_empty() {
            name.push('&');
        } else {
            unshift(coded, &mut name)?;
        }
        rest = behind;
    }
    name.push_str(rest);
    // One name has one form: superfluous shifts, coded ASCII and stray bits are not let through.
    (encode(&name) == text).then_some(name)
}

/// Decodes what stands between `&` and `-`.
fn unshift(coded: &str, name: &mut String) -> Option<()> {
    let mut bits = 0u32;
    let mut count = 0;
    let mut units = Vec::new();
    for byte in coded.bytes() {
        let value = ALPHABET.iter().position(|known| *known == byte)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push(u16::try_from(bits >> count & 0xffff).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    name.push_str(&String::from_utf16(&units).ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_the_rfc_go_both_ways() {
        for (wire, name) in [
            ("INBOX", "INBOX"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("R&-D", "R&D"),
            ("&2D3eAA-", "😀"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
        assert_eq!(decode("Entwürfe".as_bytes()).as_deref(), Some("Entwürfe"));
    }

    #[test]
    fn what_has_another_form_is_refused() {
        for wire in [
            "R&D",
            "&AGE-",
            "&U,BTFw-&ZeVnLIqe-",
            "&2D0-",
            "&APx-",
            "&AP-",
            "&A!-",
            "a&",
            "\x01",
            "\u{7f}",
        ] {
            assert_eq!(decode(wire.as_bytes()), None, "{wire}");
        }
        assert_eq!(decode(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC{0,40}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Some(name));
        }

        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(name) = decode(&bytes) {
                prop_assert!(!bytes.is_ascii() || encode(&name).as_bytes() == bytes);
            }
        }
    }
}
