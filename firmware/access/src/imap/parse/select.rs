//! SELECT and EXAMINE with their parameters. RFC 9051 §6.3.2, RFC 4466 §2.1, RFC 7162 §3.1.8 and §3.2.5.

use super::{Bad, Input, Parsed, SequenceSet};

/// The arguments of SELECT and EXAMINE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Select {
    /// As on the wire.
    pub(crate) mailbox: Vec<u8>,
    /// EXAMINE.
    pub(crate) is_read_only: bool,
    /// CONDSTORE.
    pub(crate) wants_condstore: bool,
    /// QRESYNC.
    pub(crate) resync: Option<Resync>,
}

/// What a client knows of the mailbox from an earlier session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resync {
    pub(crate) uid_validity: u32,
    pub(crate) modseq: u64,
    /// The UIDs it cares for; all where absent.
    pub(crate) known: Option<SequenceSet>,
    /// Sequence numbers and the UIDs that they stood for.
    pub(crate) matches: Option<(SequenceSet, SequenceSet)>,
}

impl Input<'_> {
    /// `known-uids = sequence-set`, without `*`.
    fn known_set(&mut self) -> Parsed<SequenceSet> {
        let set = self.sequence_set()?;
        if set.has_star() { Err(Bad("* is not allowed in QRESYNC")) } else { Ok(set) }
    }

    /// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
    fn resync(&mut self) -> Parsed<Resync> {
        self.space()?;
        self.expect(b'(', "a parenthesis is missing")?;
        let uid_validity = self.nz_number()?;
        self.space()?;
        let mut resync =
            Resync { uid_validity, modseq: self.number64()?, known: None, matches: None };
        if self.eat(b' ') && self.peek() != Some(b'(') {
            resync.known = Some(self.known_set()?);
            self.eat(b' ');
        }
        if self.eat(b'(') {
            // seq-match-data = "(" known-sequence-set SP known-uid-set ")"
            let numbers = self.known_set()?;
            self.space()?;
            resync.matches = Some((numbers, self.known_set()?));
            self.expect(b')', "a parenthesis is missing")?;
        }
        self.expect(b')', "a parenthesis is missing")?;
        Ok(resync)
    }

    /// `select = "SELECT" SP mailbox [select-params]`
    pub(super) fn select(&mut self, is_read_only: bool) -> Parsed<Select> {
        self.space()?;
        let mailbox = self.astring()?;
        let mut select = Select { mailbox, is_read_only, wants_condstore: false, resync: None };
        while self.eat(b' ') {}
        if self.peek() == Some(b'(') {
            self.list(8, |input| {
                if input.word("CONDSTORE") {
                    select.wants_condstore = true;
                } else if input.word("QRESYNC") {
                    select.resync = Some(input.resync()?);
                } else {
                    return Err(Bad("unknown SELECT parameter"));
                }
                Ok(())
            })?;
        }
        Ok(select)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn select(text: &str) -> Parsed<Select> {
        let mut input = Input::new(text.as_bytes());
        let select = input.select(false)?;
        input.end()?;
        Ok(select)
    }

    /// The examples of RFC 7162 §3.2.5.
    #[test]
    fn parameters_are_read() {
        assert!(select(" INBOX (CONDSTORE)").unwrap().wants_condstore);
        let resync = |text: &str| select(text).unwrap().resync.unwrap();
        let plain = resync(" INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541))");
        assert_eq!((plain.uid_validity, plain.modseq), (67_890_007, 20_050_715_194_045_000));
        assert_eq!(plain.known.unwrap().to_string(), "41,43:211,214:541");
        let full = resync(
            " INBOX (QRESYNC (67890007 90060115194045000 1:29997 (5000,7500,9990:9999 \
             15000,22500,29970)) CONDSTORE)",
        );
        let (numbers, uids) = full.matches.unwrap();
        assert_eq!(numbers.to_string(), "5000,7500,9990:9999");
        assert_eq!(uids.to_string(), "15000,22500,29970");
        let short = resync(" INBOX (QRESYNC (1 2))");
        assert_eq!((short.known, short.matches), (None, None));
        assert!(resync(" INBOX (QRESYNC (1 2 (3 4)))").matches.is_some());
    }

    #[test]
    fn bad_parameters_are_refused() {
        for text in [
            "",
            " INBOX (FOO)",
            " INBOX (QRESYNC)",
            " INBOX (QRESYNC 1 2)",
            " INBOX (QRESYNC (1))",
            " INBOX (QRESYNC (0 1))",
            " INBOX (QRESYNC (1 2 1:*))",
            " INBOX (QRESYNC (1 2 1:3 (1)))",
            " INBOX (QRESYNC (1 2 1:3 (1 2))",
            " INBOX (QRESYNC (1 2 1:3 x))",
        ] {
            assert!(select(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nearly_parameters_never_panic(
            words in proptest::collection::vec(prop_oneof![
                Just("INBOX"), Just(" "), Just("("), Just(")"), Just("QRESYNC"), Just("1"),
                Just("1:9"), Just("*"), Just(","), Just("CONDSTORE"), Just("18446744073709551616"),
            ], 0..20),
        ) {
            drop(select(&words.concat()));
            drop(select(&format!(" INBOX (QRESYNC (1 {}", words.join(" "))));
        }
    }
}
