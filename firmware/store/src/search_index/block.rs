//! Signatures: for each message as many bits as its number of trigrams asks for, one set for each.
//!
//! Messages of like size stand in one block, whose bits lie across: row n has bit n of all its messages.
//! So a question reads one short row for each trigram asked for and nothing else. A signature has four to
//! eight bits for each trigram of its message, so that a trigram that is not there is taken for one in at
//! most 22 % of the cases, and a word of seven letters in one of 2,000.

/// Bits of the smallest and of the largest signature, as powers of two.
pub(super) const BITS_MIN: u32 = 9;
pub(super) const BITS_MAX: u32 = 18;
/// Bits for a trigram, at least.
const BITS_PER_TRIGRAM: usize = 4;
/// Bytes of signatures that are collected for one file.
const FILE_BYTES: usize = 4 * 1024 * 1024;

/// Which bit stands for a trigram in a signature of 2^`bits`. Mixed well: the trigrams of a text are near
/// one another, and their bits must not be.
pub(super) fn bit_of(trigram: u32, bits: u32) -> usize {
    let mut mixed = trigram ^ trigram >> 15;
    mixed = mixed.wrapping_mul(0x2c1b_3c6d);
    mixed ^= mixed >> 12;
    mixed = mixed.wrapping_mul(0x297a_2d39);
    mixed ^= mixed >> 15;
    (mixed & ((1 << bits) - 1)) as usize
}

/// Signatures of messages of one size.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// 2^bits is the length of a signature.
    pub(super) bits: u32,
    pub(super) uids: Vec<u32>,
    /// The signatures behind one another.
    signatures: Vec<u8>,
}

impl Class {
    fn signature_bytes(&self) -> usize {
        (1usize << self.bits) / 8
    }

    /// Bytes of a row: a bit for each message.
    pub(super) fn row_bytes(count: usize) -> usize {
        count.div_ceil(8)
    }

    /// The rows behind one another.
    pub(super) fn rows(&self) -> Vec<u8> {
        let row = Self::row_bytes(self.uids.len());
        let mut rows = vec![0u8; row << self.bits];
        for (message, signature) in self.signatures.chunks(self.signature_bytes()).enumerate() {
            for (at, &byte) in signature.iter().enumerate() {
                let mut left = byte;
                while left != 0 {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    if let Some(cell) = rows.get_mut((at * 8 + bit) * row + message / 8) {
                        *cell |= 1 << (message % 8);
                    }
                }
            }
        }
        rows
    }
}

/// What the index is to know of messages; filled and handed to the store.
#[derive(Clone, Debug, Default)]
pub struct SearchSignatures {
    pub(super) classes: Vec<Class>,
    /// Messages of which nothing can be said: too many trigrams, or unreadable.
    pub(super) always: Vec<u32>,
    bytes: usize,
}

impl SearchSignatures {
    /// Adds a message with its trigrams (values below 2^24, each once). UIDs ascend.
    pub fn add(&mut self, uid: base::Uid, trigrams: &[u32]) {
        let wanted = trigrams.len().saturating_mul(BITS_PER_TRIGRAM).next_power_of_two();
        let bits = wanted.trailing_zeros().max(BITS_MIN);
        if bits > BITS_MAX {
            self.add_unknown(uid);
            return;
        }
        let at = match self.classes.iter().position(|class| class.bits == bits) {
            Some(at) => at,
            None => {
                self.classes.push(Class { bits, uids: Vec::new(), signatures: Vec::new() });
                self.classes.len() - 1
            }
        };
        let Some(class) = self.classes.get_mut(at) else { return };
        let start = class.signatures.len();
        class.signatures.resize(start + class.signature_bytes(), 0);
        for &trigram in trigrams {
            let bit = bit_of(trigram, bits);
            if let Some(byte) = class.signatures.get_mut(start + bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
        class.uids.push(uid.0);
        self.bytes += class.signature_bytes();
    }

    /// Adds a message that every question gets as an answer.
    pub fn add_unknown(&mut self, uid: base::Uid) {
        self.always.push(uid.0);
        self.bytes += 4;
    }

    /// True if it is time to hand them over.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= FILE_BYTES
    }
}
