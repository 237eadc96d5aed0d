//! SplitMix64: small, the same on every machine, and a seed is all there is to it.

/// A stream of numbers that a seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if `n` is.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// As [`Random::below`], for an index.
    pub(crate) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Between 1 and `most`; small numbers as likely as large ones of the next power of two.
    pub(crate) fn any_size(&mut self, most: u64) -> u64 {
        let bits = 1 + self.below(u64::from(u64::BITS - most.leading_zeros()));
        (1 + self.below(1 << bits)).min(most)
    }

    /// A stream of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }
}
