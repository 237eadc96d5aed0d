//! Secrets that people type: letters and digits that nobody takes for others, and the base32 of
//! authenticator apps.

/// 32 of them: 5 bits each.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `groups` groups of five random letters, with dashes between: 25 bits a group. `None`: no random numbers.
pub(crate) fn random(groups: usize) -> Option<String> {
    let mut random = vec![0; groups * 5];
    getrandom::fill(&mut random).ok()?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).map(|letter| char::from(*letter));
    let letters: Option<Vec<char>> = random.iter().map(letter).collect();
    let groups: Vec<String> = letters?.chunks(5).map(|group| group.iter().collect()).collect();
    Some(groups.join("-"))
}

/// What [`random`] of so many groups gave, however it was typed: case, dashes and blanks do not matter.
pub(crate) fn as_given(typed: &[u8], groups: usize) -> Option<String> {
    let letters: Vec<char> = typed
        .iter()
        .filter(|byte| !matches!(byte, b'-' | b' '))
        .map(u8::to_ascii_lowercase)
        .map(|byte| LETTERS.contains(&byte).then_some(char::from(byte)))
        .collect::<Option<_>>()?;
    if letters.len() != groups * 5 {
        return None;
    }
    let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
    Some(groups.join("-"))
}

/// Base32 without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(of_five(held >> bits));
        }
    }
    if bits > 0 {
        text.push(of_five(held << (5 - bits)));
    }
    text
}

fn of_five(bits: u32) -> char {
    let at = usize::try_from(bits & 31).unwrap_or(0);
    BASE32.get(at).map_or('A', |letter| char::from(*letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_recognised_however_it_is_typed() {
        let given = random(4).unwrap();
        assert_eq!((given.len(), given.matches('-').count()), (23, 3));
        assert_ne!(random(4).unwrap(), given);
        let typed = given.to_uppercase().replace('-', " ");
        assert_eq!(as_given(typed.as_bytes(), 4).as_deref(), Some(given.as_str()));
        assert_eq!(as_given(given.as_bytes(), 2), None);
        assert_eq!(as_given("größe-größe".as_bytes(), 2), None);
    }

    /// RFC 4648 §10.
    #[test]
    fn base32_is_the_standards() {
        for (bytes, text) in [("", ""), ("f", "MY"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
