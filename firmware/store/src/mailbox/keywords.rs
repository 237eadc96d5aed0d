//! The keywords of a mailbox: up to 64, each a bit in its messages' flags.

use base::MailboxId;

use super::flags;
use crate::codec::{In, Out, mailbox_key};
use crate::index::{T, Tables, View};
use crate::{Flags, StoreError};

/// Keywords in use in one mailbox.
pub const KEYWORDS_MAX: usize = 64;
/// Bytes of one keyword.
const KEYWORD_BYTES_MAX: usize = 128;

/// The names of the bits; an empty name is a bit that is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keywords {
    names: Vec<String>,
}

impl Keywords {
    pub(crate) fn load(view: &impl View, mailbox: MailboxId) -> Result<Self, StoreError> {
        let Some(row) = view.get(T::Keyword, &mailbox_key(mailbox))? else {
            return Ok(Self::default());
        };
        let mut row = In::versioned(&row, "keyword row")?;
        let mut names = Vec::new();
        while !row.is_empty() {
            let len = row.u8()?;
            let name = In::plain(row.slice(len.into())?, "keyword").text()?;
            names.push(name);
        }
        if names.len() > KEYWORDS_MAX {
            return Err(StoreError::Damaged(format!("mailbox {mailbox} has too many keywords")));
        }
        Ok(Self { names })
    }

    fn store(&self, tables: &mut Tables<'_>, mailbox: MailboxId) -> Result<(), StoreError> {
        let mut row = Out::versioned();
        for name in &self.names {
            let len = u8::try_from(name.len()).map_err(|_| StoreError::TooLarge)?;
            row = row.u8(len).bytes(name.as_bytes());
        }
        tables.put(T::Keyword, &mailbox_key(mailbox), &row.0)
    }

    fn bit_of(&self, keyword: &str) -> Option<usize> {
        self.names.iter().position(|name| name.eq_ignore_ascii_case(keyword))
    }

    /// The names that are taken.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.names.into_iter().filter(|name| !name.is_empty()).collect()
    }

    /// The bits of those keywords that the mailbox knows.
    pub(crate) fn known_bits(&self, flags: &Flags) -> u64 {
        flags.keywords.iter().filter_map(|k| self.bit_of(k)).fold(0, |bits, bit| bits | 1 << bit)
    }

    /// The bits that have a name.
    pub(crate) fn named_bits(&self) -> u64 {
        let named = self.names.iter().enumerate().filter(|(_, name)| !name.is_empty());
        named.fold(0, |bits, (bit, _)| bits | 1 << bit)
    }

    /// These bits that have a name, with it.
    pub(crate) fn names_of(&self, bits: u64) -> Vec<(u8, String)> {
        let named = (0u8..).zip(&self.names).filter(|(_, name)| !name.is_empty());
        named
            .filter(|(bit, _)| bits & (1 << bit) != 0)
            .map(|(bit, name)| (bit, name.clone()))
            .collect()
    }

    /// System bits and keyword bits as the face shows them.
    pub(crate) fn flags(&self, system: u8, bits: u64) -> Flags {
        if bits == 0 {
            return Flags { system, keywords: Vec::new() };
        }
        let mut keywords: Vec<String> = self
            .names
            .iter()
            .enumerate()
            .filter(|(bit, _)| bits & (1 << bit) != 0)
            .map(|(_, name)| name.clone())
            .collect();
        keywords.sort_by_key(|name| name.to_ascii_lowercase());
        Flags { system, keywords }
    }
}

/// Refuses flags that cannot be stored.
pub(crate) fn check(flags: &Flags) -> Result<(), StoreError> {
    let is_good = |keyword: &String| {
        !keyword.is_empty()
            && keyword.len() <= KEYWORD_BYTES_MAX
            && !keyword.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if !flags.keywords.iter().all(is_good) {
        return Err(StoreError::Misuse("not a keyword"));
    }
    if flags.keywords.len() > KEYWORDS_MAX {
        return Err(StoreError::LimitReached("keywords of a message"));
    }
    Ok(())
}

/// The bits of `flags`, with new names added to the mailbox. Names that no message has any more make
/// room when all bits are taken.
pub(crate) fn bits(
    tables: &mut Tables<'_>,
    mailbox: MailboxId,
    flags: &Flags,
) -> Result<u64, StoreError> {
    if flags.keywords.is_empty() {
        return Ok(0);
    }
    check(flags)?;
    let mut keywords = Keywords::load(tables, mailbox)?;
    let mut is_new = false;
    let mut bits = 0;
    for keyword in &flags.keywords {
        let bit = match keywords.bit_of(keyword) {
            Some(bit) => bit,
            None => {
                is_new = true;
                let bit = free_bit(tables, mailbox, &mut keywords, bits)?;
                keyword.clone_into(&mut keywords.names[bit]);
                bit
            }
        };
        bits |= 1 << bit;
    }
    if is_new {
        keywords.store(tables, mailbox)?;
    }
    Ok(bits)
}

fn free_bit(
    view: &impl View,
    mailbox: MailboxId,
    keywords: &mut Keywords,
    in_hand: u64,
) -> Result<usize, StoreError> {
    if keywords.names.len() < KEYWORDS_MAX {
        keywords.names.push(String::new());
        return Ok(keywords.names.len() - 1);
    }
    let free = |k: &Keywords| k.names.iter().position(String::is_empty);
    if free(keywords).is_none() {
        let mut used = in_hand;
        flags::scan(view, mailbox, 0, u32::MAX, &mut |_, block| {
            used |= block.values().fold(0, |bits, marks| bits | marks.keywords);
            Ok(true)
        })?;
        for (bit, name) in keywords.names.iter_mut().enumerate() {
            if used & (1 << bit) == 0 {
                name.clear();
            }
        }
    }
    free(keywords).ok_or(StoreError::LimitReached("keywords of a mailbox"))
}
