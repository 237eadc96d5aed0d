//! The IMAP grammar: bytes of one whole command in, a value out. RFC 9051 §9 and RFC 3501 §9, with
//! the old forms that Outlook still sends.
//!
//! The grammar is ours because the forms of RFC 1730 (`RFC822.PEEK`) and half of the LIST and SEARCH
//! extensions are in no crate. Never here: I/O, a clock, anything that knows the store.
//!
//! Limits: sequence sets 10,000 elements, search depth 32 and 1,000 keys, 32 sort keys, 100 FETCH items, 200 header
//! fields, 32 LIST patterns. The bytes of a command are bounded by the framing before they come here.

mod acl;
mod append;
mod command;
mod date;
mod fetch;
mod framing;
mod list;
mod metadata;
mod notify;
mod search;
mod select;
mod sequence;
mod sort;
mod store;
mod url;

pub(crate) use self::store::StoreFlags;
pub(crate) use acl::AclCommand;
pub(crate) use append::{AppendGrammar, AppendHead, AppendKind, AppendPiece, append_head};
pub(crate) use command::{Command, Numbers, Tagged, command, is_set_metadata, tag_of};
pub(crate) use date::InternalDate;
pub(crate) use fetch::{Fetch, FetchItem, Section, SectionText};
pub(crate) use framing::{LiteralMark, literal_mark};
pub(crate) use list::{List, ListKind, StatusItem};
pub(crate) use metadata::{Depth, MetadataCommand, MetadataQuery};
pub(crate) use notify::{EventGroup, Events, Filter, NotifyCommand};
pub(crate) use search::{
    Charset, EnvelopeField, HeaderName, Key, Needle, Program, ReturnOption, Search,
};
pub(crate) use select::{Resync, Select};
pub(crate) use sequence::SequenceSet;
pub(crate) use sort::{Algorithm, Sort, SortCriterion, SortKey, Thread};
pub(crate) use url::{MessageUrl, message_url};

/// Why bytes are not a command: the text of the `BAD` reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) &'static str);

/// What a parser gives.
pub(crate) type Parsed<T> = Result<T, Bad>;

/// The bytes that are still to be read.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

/// `ATOM-CHAR`: any CHAR except `atom-specials`. 8-bit bytes are let in: some clients send names and
/// passwords in UTF-8 without quotes.
fn is_atom_char(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !b"(){%*\"\\]".contains(&byte)
}

/// `ASTRING-CHAR = ATOM-CHAR / resp-specials`
fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']'
}

/// `list-char = ATOM-CHAR / list-wildcards / resp-specials`
fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || byte == b'%' || byte == b'*'
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Parsed<()> {
        if self.eat(byte) { Ok(()) } else { Err(Bad(why)) }
    }

    /// `SP`. More than one is let through, as other servers do.
    fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "missing space or argument")?;
        while self.eat(b' ') {}
        Ok(())
    }

    /// The end of the command; spaces before it are let through.
    fn end(&mut self) -> Parsed<()> {
        while self.eat(b' ') {}
        match self.rest {
            b"" | b"\r\n" | b"\n" => Ok(()),
            _ => Err(Bad("unexpected text at the end of the command")),
        }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn take_while(&mut self, is_wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let count = self.rest.iter().take_while(|byte| is_wanted(**byte)).count();
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken
    }

    /// A literal word of the grammar, any case, that ends where an atom ends.
    fn word(&mut self, word: &str) -> bool {
        let Some((start, rest)) = self.rest.split_at_checked(word.len()) else { return false };
        let ends = rest.first().is_none_or(|byte| !is_atom_char(*byte) || *byte == b'[');
        if ends && start.eq_ignore_ascii_case(word.as_bytes()) {
            self.rest = rest;
            return true;
        }
        false
    }

    /// `atom = 1*ATOM-CHAR`
    fn atom(&mut self) -> Parsed<&'a [u8]> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() { Err(Bad("an atom is missing")) } else { Ok(atom) }
    }

    /// An atom in upper case, for words of the grammar.
    fn upper_atom(&mut self) -> Parsed<String> {
        let atom = self.atom()?;
        Ok(String::from_utf8_lossy(atom).to_ascii_uppercase())
    }

    /// `number64 = 1*DIGIT`
    fn number64(&mut self) -> Parsed<u64> {
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Bad("a number is missing or too large"))
    }

    /// `number = 1*DIGIT`, 32 bits.
    fn number(&mut self) -> Parsed<u32> {
        u32::try_from(self.number64()?).map_err(|_| Bad("a number is too large"))
    }

    /// `nz-number = digit-nz *DIGIT`
    fn nz_number(&mut self) -> Parsed<u32> {
        match self.number()? {
            0 => Err(Bad("0 is not allowed here")),
            number => Ok(number),
        }
    }

    /// `quoted = DQUOTE *QUOTED-CHAR DQUOTE`. 8-bit bytes are let in: Outlook sends UTF-8 passwords.
    fn quoted(&mut self) -> Parsed<Vec<u8>> {
        self.expect(b'"', "a quoted string is missing")?;
        let mut text = Vec::new();
        while let Some((&byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            match byte {
                b'"' => return Ok(text),
                b'\r' | b'\n' | 0 => break,
                b'\\' => {
                    let Some((&escaped, rest)) = self.rest.split_first() else { break };
                    if matches!(escaped, b'\r' | b'\n' | 0) {
                        break;
                    }
                    self.rest = rest;
                    text.push(escaped);
                }
                _ => text.push(byte),
            }
        }
        Err(Bad("a quoted string has no end"))
    }

    /// `literal = "{" number64 ["+"] "}" CRLF *CHAR8`; the framing has read the bytes.
    fn literal(&mut self) -> Parsed<Vec<u8>> {
        const WHY: Bad = Bad("a literal is not well formed");
        self.expect(b'{', WHY.0)?;
        let count = usize::try_from(self.number64()?).map_err(|_| WHY)?;
        self.eat(b'+');
        self.expect(b'}', WHY.0)?;
        self.eat(b'\r');
        self.expect(b'\n', WHY.0)?;
        Ok(self.take(count).ok_or(WHY)?.to_vec())
    }

    /// `string = quoted / literal`
    fn string(&mut self) -> Parsed<Vec<u8>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => Err(Bad("a string is missing")),
        }
    }

    /// `nstring = string / nil`
    fn nstring(&mut self) -> Parsed<Option<Vec<u8>>> {
        if self.word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// `astring = 1*ASTRING-CHAR / string`
    fn astring(&mut self) -> Parsed<Vec<u8>> {
        if let Some(b'"' | b'{') = self.peek() {
            return self.string();
        }
        let atom = self.take_while(is_astring_char);
        if atom.is_empty() { Err(Bad("an argument is missing")) } else { Ok(atom.to_vec()) }
    }

    /// `list-mailbox = 1*list-char / string`
    fn list_mailbox(&mut self) -> Parsed<Vec<u8>> {
        if let Some(b'"' | b'{') = self.peek() {
            return self.string();
        }
        let atom = self.take_while(is_list_char);
        if atom.is_empty() { Err(Bad("a pattern is missing")) } else { Ok(atom.to_vec()) }
    }

    /// `"(" [item *(SP item)] ")"`, at most `max` items.
    fn list<T>(
        &mut self,
        max: usize,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', "a parenthesis is missing")?;
        let mut items = Vec::new();
        while self.eat(b' ') {}
        while !self.eat(b')') {
            if items.len() == max {
                return Err(Bad("a list is too long"));
            }
            items.push(item(self)?);
            if self.peek() != Some(b')') {
                self.space()?;
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_are_read() {
        for (bytes, want) in [
            (&b"\"a b\""[..], &b"a b"[..]),
            (b"\"p\xc3\xa4ss{\\\"}\\\\\"", b"p\xc3\xa4ss{\"}\\"),
            (b"{3}\r\na\"b", b"a\"b"),
            (b"{3+}\r\n\r\n ", b"\r\n "),
            (b"{0}\r\n", b""),
            (b"\"\"", b""),
            (b"a]b", b"a]b"),
        ] {
            assert_eq!(Input::new(bytes).astring().unwrap(), want, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_string_is_refused() {
        for bytes in [
            &b"\"a"[..],
            b"\"a\r\n\"",
            b"\"a\\",
            b"{4}\r\nabc",
            b"{99999999999999999999999}\r\na",
            b"{3}abc",
            b"{-1}\r\n",
            b"(",
            b"",
            b"\"\0\"",
        ] {
            assert!(Input::new(bytes).astring().is_err(), "{bytes:?}");
        }
    }

    /// Whatever comes, it is a command or is refused with words.
    fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
        if let Err(rejected) = command(bytes) {
            prop_assert!(!rejected.why.0.is_empty());
        }
        if let Some(Err((_, bad))) = append_head(bytes) {
            prop_assert!(!bad.0.is_empty());
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn the_parser_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            check(&bytes)?;
        }

        #[test]
        fn nearly_commands_never_panic(
            words in proptest::collection::vec(prop_oneof![
                Just("a1"), Just(" "), Just("UID"), Just("FETCH"), Just("SEARCH"), Just("STORE"),
                Just("LIST"), Just("("), Just(")"), Just("\""), Just("1:*"), Just("BODY.PEEK["),
                Just("]"), Just("<0.1>"), Just("OR"), Just("NOT"), Just("RETURN"), Just("{3}\r\nabc"),
                Just("HEADER.FIELDS"), Just("APPEND"), Just("INBOX"), Just("STATUS"), Just("%"),
                Just("SORT"), Just("THREAD"), Just("REFERENCES"), Just("(SUBJECT)"), Just("UTF-8"),
                Just("$"), Just("OLDER"), Just("TEXT"), Just("CHARSET"), Just("SAVE"),
                Just("SETACL"), Just("MYRIGHTS"), Just("+lrs"), Just("GETMETADATA"), Just("SETMETADATA"),
                Just("/private/x"), Just("(DEPTH 1)"), Just("NOTIFY"), Just("SET"), Just("(selected"),
                Just("MessageNew"), Just("MessageExpunge"), Just("subtree"), Just("RETURN (METADATA"),
                Just("\\Seen"), Just("FLAGS"), Just("MODSEQ"), Just("\r\n"), Just("4294967296"),
            ], 0..40),
        ) {
            check(words.concat().as_bytes())?;
            check(words.join(" ").as_bytes())?;
        }
    }
}
