//! The rights of RFC 4314 §2.1 as a set.

use std::fmt;

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights(u16);

/// In the order in which they are told.
const LETTERS: [(Rights, char); 11] = [
    (Rights::LOOKUP, 'l'),
    (Rights::READ, 'r'),
    (Rights::SEEN, 's'),
    (Rights::WRITE, 'w'),
    (Rights::INSERT, 'i'),
    (Rights::POST, 'p'),
    (Rights::CREATE, 'k'),
    (Rights::DELETE, 'x'),
    (Rights::MARK_DELETED, 't'),
    (Rights::EXPUNGE, 'e'),
    (Rights::ADMIN, 'a'),
];

/// What the obsolete `d` stands for. RFC 4314 §2.1.1; `c` is `k` alone.
const OLD_DELETE: Rights = Rights(Rights::EXPUNGE.0 | Rights::MARK_DELETED.0 | Rights::DELETE.0);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// `l`: it is listed, may be subscribed.
    pub const LOOKUP: Self = Self(1);
    /// `r`: SELECT, STATUS, COPY from it.
    pub const READ: Self = Self(2);
    /// `s`: change `\Seen`.
    pub const SEEN: Self = Self(4);
    /// `w`: change flags other than `\Seen` and `\Deleted`.
    pub const WRITE: Self = Self(8);
    /// `i`: APPEND, COPY into it.
    pub const INSERT: Self = Self(16);
    /// `p`: send mail to it.
    pub const POST: Self = Self(32);
    /// `k`: make mailboxes below it.
    pub const CREATE: Self = Self(64);
    /// `x`: DELETE and RENAME it.
    pub const DELETE: Self = Self(128);
    /// `t`: change `\Deleted`.
    pub const MARK_DELETED: Self = Self(256);
    /// `e`: expunge.
    pub const EXPUNGE: Self = Self(512);
    /// `a`: change its list.
    pub const ADMIN: Self = Self(1024);
    /// All of them.
    pub const ALL: Self = Self(2047);
    /// What an owner never loses.
    pub const OWNER: Self = Self(Self::LOOKUP.0 | Self::ADMIN.0);

    pub(crate) fn of_bits(bits: u16) -> Option<Self> {
        (bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// The set that `text` lists, with the obsolete `c` and `d`; `None` for any other letter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.chars().try_fold(Self::NONE, |set, letter| {
            let right = match letter {
                'c' => Self::CREATE,
                'd' => OLD_DELETE,
                letter => LETTERS.iter().find(|known| known.1 == letter)?.0,
            };
            Some(set.and(right))
        })
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True if all of `wanted` are in it.
    #[must_use]
    pub const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// True if one of `wanted` is in it.
    #[must_use]
    pub const fn has_any(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }

    /// The flags that may be changed: bits of [`crate::Flags`], and whether keywords may.
    #[must_use]
    pub fn flags(self) -> (u8, bool) {
        use crate::Flags;
        let mut system = 0;
        if self.has(Self::SEEN) {
            system |= Flags::SEEN;
        }
        if self.has(Self::MARK_DELETED) {
            system |= Flags::DELETED;
        }
        if self.has(Self::WRITE) {
            system |= Flags::ALL & !Flags::SEEN & !Flags::DELETED;
        }
        (system, self.has(Self::WRITE))
    }
}

/// With the virtual `c` and `d` for clients of RFC 2086.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for (right, letter) in LETTERS {
            if right == Self::ADMIN {
                if self.has(Self::CREATE) {
                    f.write_char('c')?;
                }
                if self.has_any(OLD_DELETE) {
                    f.write_char('d')?;
                }
            }
            if self.has(right) {
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_go_both_ways() {
        for (text, told) in [
            ("lrswipkxtea", "lrswipkxtecda"),
            ("lrswida", "lrswixteda"),
            ("lrswicda", "lrswikxtecda"),
            ("e", "ed"),
            ("", ""),
            ("aal", "la"),
        ] {
            assert_eq!(Rights::parse(text).unwrap().to_string(), told, "{text}");
        }
        for bad in ["lrQ", "q", "l r", "0", "é"] {
            assert_eq!(Rights::parse(bad), None, "{bad}");
        }
        assert_eq!(Rights::parse("lrswipkxtea"), Some(Rights::ALL));
        assert_eq!(Rights::of_bits(2048), None);
    }
}
