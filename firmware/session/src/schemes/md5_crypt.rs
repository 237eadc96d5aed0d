//! crypt(3) with `$1$`, which servers of twenty years ago keep their people's passwords in: a salted MD5 in
//! 1,000 rounds. No crate that is looked after has it. Nothing is ever made with it, only checked.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use md5::{Digest as _, Md5};

const ROUNDS: usize = 1000;
const SALT_MAX: usize = 8;
/// Characters of 128 bits.
const HASH_LEN: usize = 22;
/// The digits of crypt(3), six bits each, the lowest first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Bytes of the digest in the order in which they are written, three to four digits.
const ORDER: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// Salt and hash.
fn parts(stored: &str) -> Option<(&[u8], &[u8])> {
    let (salt, hash) = stored.strip_prefix("$1$")?.split_once('$')?;
    let is_one = salt.len() <= SALT_MAX && hash.len() == HASH_LEN;
    is_one.then_some((salt.as_bytes(), hash.as_bytes()))
}

/// True if it has the form.
pub(super) fn is_one(stored: &str) -> bool {
    parts(stored).is_some_and(|(_, hash)| hash.iter().all(|digit| DIGITS.contains(digit)))
}

/// True if the password belongs to it.
pub(super) fn verify(stored: &str, password: &[u8]) -> bool {
    parts(stored).is_some_and(|(salt, hash)| {
        verify_slices_are_equal(&written(&digest(password, salt)), hash).is_ok()
    })
}

fn digest(password: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner: [u8; 16] = Md5::new()
        .chain_update(password)
        .chain_update(salt)
        .chain_update(password)
        .finalize()
        .into();
    let mut first = Md5::new().chain_update(password).chain_update("$1$").chain_update(salt);
    for chunk in password.chunks(inner.len()) {
        first.update(inner.get(..chunk.len()).unwrap_or_default());
    }
    // A quirk of the first implementation that all have kept: a zero, or the password's first character.
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut sum: [u8; 16] = first.finalize().into();
    for round in 0..ROUNDS {
        let (before, after) =
            if round % 2 == 1 { (password, &sum[..]) } else { (&sum[..], password) };
        let mut next = Md5::new().chain_update(before);
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        sum = next.chain_update(after).finalize().into();
    }
    sum
}

fn written(sum: &[u8; 16]) -> Vec<u8> {
    let mut text = Vec::with_capacity(HASH_LEN);
    let mut digits = |mut bits: u32, count: usize| {
        for _ in 0..count {
            text.extend(DIGITS.get((bits & 63) as usize));
            bits >>= 6;
        }
    };
    for [high, middle, low] in ORDER {
        let byte = |at: usize| u32::from(sum[at]);
        digits(byte(high) << 16 | byte(middle) << 8 | byte(low), 4);
    }
    digits(u32::from(sum[11]), 2);
    text
}
