//! The setup code: ten characters on the console that prove that somebody stands before the box.

use store::{Store, StoreError};
use subtle::ConstantTimeEq;

/// 32 characters that nobody mixes up when reading them from a screen: no 0 O 1 I.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Characters of a code: 50 bits.
const LENGTH: usize = 10;

/// The code to show, made at the first start; `None` once the box is set up.
///
/// # Errors
/// The store's, or [`StoreError::Misuse`] when the system has no randomness.
pub async fn ensure(store: &Store) -> Result<Option<String>, StoreError> {
    let settings = store.settings();
    if settings.setup_complete {
        return Ok(None);
    }
    if !settings.setup_code.is_empty() {
        return Ok(Some(settings.setup_code.clone()));
    }
    let code = fresh().ok_or(StoreError::Misuse("the system has no random numbers"))?;
    let kept = code.clone();
    store
        .update_settings(Box::new(move |settings| {
            if settings.setup_code.is_empty() {
                settings.setup_code = kept;
            }
        }))
        .await?;
    Ok(Some(store.settings().setup_code.clone()))
}

/// A new code, `XXXXX-XXXXX`.
fn fresh() -> Option<String> {
    let mut random = [0; LENGTH];
    getrandom::fill(&mut random).ok()?;
    let mut code = String::with_capacity(LENGTH + 1);
    for (n, byte) in random.into_iter().enumerate() {
        if n == LENGTH / 2 {
            code.push('-');
        }
        // 256 is a multiple of 32: no character is likelier than another.
        code.push(char::from(ALPHABET[usize::from(byte & 31)]));
    }
    Some(code)
}

/// Letters and digits in upper case; what else was typed does not count.
fn significant(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_uppercase()).collect()
}

/// True if `typed` is `code`; takes the same time for every wrong code of the right length.
pub(crate) fn matches(code: &str, typed: &str) -> bool {
    let (code, typed) = (significant(code), significant(typed));
    !code.is_empty() && bool::from(code.as_slice().ct_eq(typed.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_compared_as_people_type_them() {
        let code = fresh().unwrap();
        assert_eq!((code.len(), code.as_bytes()[5]), (11, b'-'));
        assert_ne!(code, fresh().unwrap());
        assert!(matches("7KQ4M-X9TRA", "7kq4m x9tra") && matches("7KQ4M-X9TRA", "7KQ4MX9TRA"));
        assert!(!matches("7KQ4M-X9TRA", "7KQ4M-X9TRB") && !matches("7KQ4M-X9TRA", "7KQ4M"));
        assert!(!matches("", "") && !matches("", "-"));
    }
}
