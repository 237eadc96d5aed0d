//! Sort keys of messages as bytes that compare as the messages do. RFC 5256 §3, RFC 5957.
//!
//! All keys stand behind one another: 100,000 messages by subject are some 5 MB. Texts are cut at
//! [`TEXT_MAX`] bytes; what is equal so far stands in the order of its numbers.

use message::{Addr, MailHeader};

use super::fold::fold;
use super::words::decode_words;

/// Bytes of a text that are compared.
const TEXT_MAX: usize = 128;
/// Bytes of all keys of one search.
const KEYS_MAX: usize = 64 * 1024 * 1024;

/// There are more keys than memory for them.
#[derive(Debug)]
pub(crate) struct TooMany;

/// The key of one message in the making.
#[derive(Debug, Default)]
pub(crate) struct KeyBytes(Vec<u8>);

impl KeyBytes {
    fn push(&mut self, bytes: impl Iterator<Item = u8>, is_reverse: bool) {
        let mask = if is_reverse { 0xff } else { 0 };
        self.0.extend(bytes.map(|byte| byte ^ mask));
    }

    pub(crate) fn number(&mut self, number: u64, is_reverse: bool) {
        self.push(number.to_be_bytes().into_iter(), is_reverse);
    }

    /// Seconds or milliseconds since 1970, also before.
    pub(crate) fn time(&mut self, time: i64, is_reverse: bool) {
        self.number(time.cast_unsigned() ^ 1 << 63, is_reverse);
    }

    /// A folded text.
    pub(crate) fn text(&mut self, text: &[u8], is_reverse: bool) {
        // 0 ends a text, so that a shorter one stands before what it begins.
        let text = text.iter().copied().filter(|byte| *byte != 0).take(TEXT_MAX);
        self.push(text.chain([0]), is_reverse);
    }
}

/// The keys of all messages.
#[derive(Debug, Default)]
pub(crate) struct SortKeys {
    bytes: Vec<u8>,
    /// Where a message's key begins and ends, and its UID.
    entries: Vec<(u32, u32, u32)>,
}

impl SortKeys {
    /// Takes the key of a message; they come by ascending UID. The buffer is empty afterwards.
    pub(crate) fn add(&mut self, uid: u32, key: &mut KeyBytes) -> Result<(), TooMany> {
        let start = u32::try_from(self.bytes.len()).map_err(|_| TooMany)?;
        self.bytes.append(&mut key.0);
        if self.bytes.len() > KEYS_MAX {
            return Err(TooMany);
        }
        let end = u32::try_from(self.bytes.len()).map_err(|_| TooMany)?;
        self.entries.push((start, end, uid));
        Ok(())
    }

    /// The UIDs in order.
    pub(crate) fn sorted(mut self) -> Vec<u32> {
        let bytes = self.bytes;
        let key = |entry: &(u32, u32, u32)| {
            bytes.get(entry.0 as usize..entry.1 as usize).unwrap_or_default()
        };
        self.entries.sort_unstable_by(|one, other| {
            key(one).cmp(key(other)).then_with(|| one.2.cmp(&other.2))
        });
        self.entries.into_iter().map(|entry| entry.2).collect()
    }
}

/// CC, FROM, TO: the mailbox of the first address.
pub(crate) fn mailbox_text(addresses: &[Addr]) -> Vec<u8> {
    let first = addresses.first().and_then(|addr| addr.mailbox.as_deref());
    fold(&decode_words(first.unwrap_or_default()))
}

/// RFC 5957 §3: the first address's name, else its mailbox and host; a group is its name.
pub(crate) fn display_text(addresses: &[Addr]) -> Vec<u8> {
    let Some(addr) = addresses.first() else { return Vec::new() };
    let name = addr.name.as_deref().map(decode_words).filter(|name| !name.trim().is_empty());
    let text = name.unwrap_or_else(|| {
        let mailbox = addr.mailbox.as_deref().unwrap_or_default();
        match &addr.host {
            Some(host) => format!("{mailbox}@{host}").into(),
            None => decode_words(mailbox),
        }
    });
    fold(&text)
}

/// The sent date in UTC, or INTERNALDATE where there is none. RFC 5256 §2.2.
pub(crate) fn sent_secs(mail: &MailHeader, internal_secs: i64) -> i64 {
    let sent = mail.date.as_deref().and_then(super::date::sent_date);
    sent.map_or(internal_secs, |date| date.secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_order_as_values(
            rows in proptest::collection::vec((any::<i64>(), "[a-c]{0,3}", any::<u64>()), 1..20),
            reverse in any::<[bool; 3]>(),
        ) {
            let mut keys = SortKeys::default();
            for (uid, (time, text, number)) in (1u32..).zip(&rows) {
                let mut key = KeyBytes::default();
                key.time(*time, reverse[0]);
                key.text(text.as_bytes(), reverse[1]);
                key.number(*number, reverse[2]);
                keys.add(uid, &mut key).unwrap();
            }
            let turn = |order: std::cmp::Ordering, is_reverse: bool| {
                if is_reverse { order.reverse() } else { order }
            };
            let mut want: Vec<u32> = (1..=u32::try_from(rows.len()).unwrap()).collect();
            want.sort_by(|one, other| {
                let (a, b) = (&rows[*one as usize - 1], &rows[*other as usize - 1]);
                turn(a.0.cmp(&b.0), reverse[0])
                    .then(turn(a.1.cmp(&b.1), reverse[1]))
                    .then(turn(a.2.cmp(&b.2), reverse[2]))
            });
            prop_assert_eq!(keys.sorted(), want);
        }
    }

    #[test]
    fn addresses_are_sorted_as_they_show() {
        for (raw, mailbox, display) in [
            ("=?utf-8?q?J=C3=B6rg?= <Jorg@x.test>", "jorg", "jorg"),
            ("Zoe@x.test, a@x.test", "zoe", "zoe@x.test"),
            ("\"\" <b@x.test>", "b", "b@x.test"),
            ("Friends: a@x.test;", "friends", "friends"),
            ("", "", ""),
        ] {
            let addresses = message::parse_addresses(raw.as_bytes());
            assert_eq!(mailbox_text(&addresses), mailbox.as_bytes(), "{raw}");
            assert_eq!(display_text(&addresses), display.as_bytes(), "{raw}");
        }
    }
}
