//! Numbers with a meaning, each a type of its own, and compact sets of UIDs.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Who owns mailboxes. Never reused.
    AccountId(u32)
);
id!(
    /// A named IMAP folder with its own UID space. Never reused; survives a rename.
    MailboxId(u32)
);
id!(
    /// A message's number in its mailbox, 1 and up, never reused (RFC 9051 §2.3.1.1).
    Uid(u32)
);
id!(
    /// RFC 9051 §2.3.1.1; never 0.
    UidValidity(u32)
);
id!(
    /// RFC 7162 §3.1; grows with each change of a mailbox, below 2^63.
    ModSeq(u64)
);
id!(
    /// One envelope with its message in the spool.
    QueueId(u64)
);
id!(
    /// A stored content, numbered in the order of arrival from 1. Never reused.
    BlobId(u64)
);

/// BLAKE3 of a message's bytes as they are served.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobHash(pub [u8; 32]);

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::encode(&self.0))
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::encode(&self.0))
    }
}

/// A set of UIDs as ascending, disjoint, non-adjacent inclusive ranges.
///
/// A mailbox of a hundred thousand messages with few holes is a handful of ranges; a session's whole
/// view of its mailbox (sequence numbers included) is one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UidRanges {
    ranges: Vec<(u32, u32)>,
}

impl UidRanges {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ranges, ascending, inclusive.
    #[must_use]
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// True if no UID is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many UIDs are in the set.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The highest UID.
    #[must_use]
    pub fn last(&self) -> Option<Uid> {
        self.ranges.last().map(|r| Uid(r.1))
    }

    /// The lowest UID.
    #[must_use]
    pub fn first(&self) -> Option<Uid> {
        self.ranges.first().map(|r| Uid(r.0))
    }

    /// True if `uid` is in the set.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|r| r.1 < uid.0);
        self.ranges.get(at).is_some_and(|r| r.0 <= uid.0)
    }

    /// Adds one UID.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid, uid);
    }

    /// Adds all UIDs from `first` to `last`, both included; nothing if `first > last`.
    pub fn insert_range(&mut self, first: Uid, last: Uid) {
        if first > last {
            return;
        }
        let (mut low, mut high) = (first.0, last.0);
        let from = self.ranges.partition_point(|r| r.1 < low.saturating_sub(1));
        let to = self.ranges.partition_point(|r| r.0 <= high.saturating_add(1));
        if from < to {
            low = low.min(self.ranges[from].0);
            high = high.max(self.ranges[to - 1].1);
        }
        self.ranges.splice(from..to, [(low, high)]);
    }

    /// Takes one UID out; true if it was in the set.
    pub fn remove(&mut self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|r| r.1 < uid.0);
        let Some(&(first, last)) = self.ranges.get(at).filter(|r| r.0 <= uid.0) else {
            return false;
        };
        let mut rest = Vec::with_capacity(2);
        if first < uid.0 {
            rest.push((first, uid.0 - 1));
        }
        if uid.0 < last {
            rest.push((uid.0 + 1, last));
        }
        self.ranges.splice(at..=at, rest);
        true
    }

    /// All UIDs, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| (first..=last).map(Uid))
    }

    /// The UIDs that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::new();
        let (mut a, mut b) = (0, 0);
        while let (Some(&x), Some(&y)) = (self.ranges.get(a), other.ranges.get(b)) {
            let (low, high) = (x.0.max(y.0), x.1.min(y.1));
            if low <= high {
                both.ranges.push((low, high));
            }
            if x.1 < y.1 {
                a += 1;
            } else {
                b += 1;
            }
        }
        both
    }

    /// The sequence number (from 1) of `uid`, if it is in the set.
    #[must_use]
    pub fn seq_of(&self, uid: Uid) -> Option<u32> {
        let mut before = 0u32;
        for &(first, last) in &self.ranges {
            if uid.0 < first {
                return None;
            }
            if uid.0 <= last {
                return Some(before + (uid.0 - first) + 1);
            }
            before += last - first + 1;
        }
        None
    }

    /// The UID at sequence number `seq` (from 1).
    #[must_use]
    pub fn at_seq(&self, seq: u32) -> Option<Uid> {
        let mut left = seq.checked_sub(1)?;
        for &(first, last) in &self.ranges {
            let count = last - first + 1;
            if left < count {
                return Some(Uid(first + left));
            }
            left -= count;
        }
        None
    }
}

impl fmt::Display for UidRanges {
    /// RFC 9051 `uid-set`: `1:3,5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}:{last}")?;
            }
        }
        Ok(())
    }
}

impl FromIterator<Uid> for UidRanges {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::new();
        for uid in uids {
            set.insert(uid);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_together_and_split() {
        let mut set: UidRanges = [1, 2, 3, 7, 9, 8, 5].into_iter().map(Uid).collect();
        assert_eq!(set.to_string(), "1:3,5,7:9");
        set.insert_range(Uid(4), Uid(6));
        assert_eq!(set.to_string(), "1:9");
        assert!(set.remove(Uid(5)) && !set.remove(Uid(5)) && set.remove(Uid(1)));
        assert_eq!(set.to_string(), "2:4,6:9");
        assert_eq!(
            (set.len(), set.seq_of(Uid(6)), set.at_seq(4), set.at_seq(8)),
            (7, Some(4), Some(Uid(6)), None)
        );
        let other: UidRanges = [3, 4, 5, 6, 20].into_iter().map(Uid).collect();
        assert_eq!(set.intersection(&other).to_string(), "3:4,6");
    }
}
