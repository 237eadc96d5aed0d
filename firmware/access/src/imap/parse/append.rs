//! APPEND and REPLACE. RFC 9051 §6.3.12, RFC 3502 (MULTIAPPEND), RFC 4469 (CATENATE), RFC 8508 (REPLACE),
//! RFC 6855 §4 (UTF8).
//!
//! Messages never come through the parser: the framing streams them. What is parsed here is the text
//! before, between and behind their literals, piece by piece.

use store::Flags;

use super::command::tag;
use super::date::InternalDate;
use super::{Bad, Input, Numbers, Parsed, SequenceSet};

/// What happens to the message that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppendKind {
    Append,
    /// The message that goes; the set holds one number.
    Replace(SequenceSet, Numbers),
}

/// What stands before the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppendHead {
    pub(crate) tag: String,
    pub(crate) kind: AppendKind,
    pub(crate) mailbox: Vec<u8>,
}

/// What comes next in the text of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AppendPiece {
    /// A message begins.
    Begin { flags: Flags, internal_date: Option<InternalDate> },
    /// The text is used up; the literal behind it belongs to the message. `is_utf8`: `UTF8 (~{n})`.
    Literal { is_utf8: bool },
    /// Bytes of another message.
    Url(Vec<u8>),
    /// The same; the URL is in the literal behind the text.
    UrlLiteral,
    /// The message is complete.
    End,
    /// The command is complete.
    Done,
}

/// Where in the text the grammar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first message.
    Start,
    /// Behind a message.
    Between,
    /// At the data of a message; `true` within UTF8.
    Data(bool),
    /// At a part of CATENATE.
    Part,
    /// Behind a part of CATENATE.
    Parts,
    /// Before the `)` of UTF8; `true` within CATENATE.
    Close(bool),
    /// Behind the data of a message.
    After,
}

/// `append = "APPEND" SP mailbox 1*append-message`, behind the mailbox.
#[derive(Debug)]
pub(crate) struct AppendGrammar {
    state: State,
}

const NO_LITERAL: Bad = Bad("a message literal is missing");

impl AppendGrammar {
    pub(crate) fn new() -> Self {
        Self { state: State::Start }
    }

    /// The next piece of `text`, which loses what was read. `has_literal`: a literal follows the text.
    pub(crate) fn next(&mut self, text: &mut Vec<u8>, has_literal: bool) -> Parsed<AppendPiece> {
        let mut input = Input::new(text);
        let piece = self.read(&mut input, has_literal)?;
        let used = text.len() - input.rest.len();
        text.drain(..used);
        Ok(piece)
    }

    fn read(&mut self, input: &mut Input<'_>, has_literal: bool) -> Parsed<AppendPiece> {
        match self.state {
            State::Start | State::Between => self.message(input, has_literal),
            State::Data(is_utf8) => {
                self.state = if is_utf8 { State::Close(false) } else { State::After };
                input.at_literal(has_literal, is_utf8)
            }
            State::Part => self.part(input, has_literal),
            State::Parts if input.eat(b')') => {
                self.state = State::Between;
                Ok(AppendPiece::End)
            }
            State::Parts => {
                input.space()?;
                self.part(input, has_literal)
            }
            State::Close(in_catenate) => {
                input.expect(b')', "a parenthesis is missing")?;
                self.state = if in_catenate { State::Parts } else { State::After };
                self.read(input, has_literal)
            }
            State::After => {
                self.state = State::Between;
                Ok(AppendPiece::End)
            }
        }
    }

    /// `append-message = SP [flag-list SP] [date-time SP] append-data`, or the end.
    fn message(&mut self, input: &mut Input<'_>, has_literal: bool) -> Parsed<AppendPiece> {
        if !has_literal && input.clone().end().is_ok() {
            return match self.state {
                State::Start => Err(NO_LITERAL),
                _ => Ok(AppendPiece::Done),
            };
        }
        input.space()?;
        let mut flags = Flags::default();
        if input.peek() == Some(b'(') {
            flags = input.flag_list()?;
            input.space()?;
        }
        let mut internal_date = None;
        if input.peek() == Some(b'"') {
            internal_date = Some(input.date_time()?);
            input.space()?;
        }
        self.state = if input.word("CATENATE") {
            input.space()?;
            input.expect(b'(', "a parenthesis is missing")?;
            State::Part
        } else if input.word("UTF8") {
            input.space()?;
            input.expect(b'(', "a parenthesis is missing")?;
            State::Data(true)
        } else {
            State::Data(false)
        };
        Ok(AppendPiece::Begin { flags, internal_date })
    }

    /// `cat-part = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")"`
    fn part(&mut self, input: &mut Input<'_>, has_literal: bool) -> Parsed<AppendPiece> {
        self.state = State::Parts;
        if input.word("TEXT") {
            input.space()?;
            return input.at_literal(has_literal, false);
        }
        if input.word("UTF8") {
            input.space()?;
            input.expect(b'(', "a parenthesis is missing")?;
            self.state = State::Close(true);
            return input.at_literal(has_literal, true);
        }
        if !input.word("URL") {
            return Err(Bad("unknown part of CATENATE"));
        }
        input.space()?;
        if input.rest.is_empty() && has_literal {
            return Ok(AppendPiece::UrlLiteral);
        }
        input.astring().map(AppendPiece::Url)
    }
}

impl Input<'_> {
    /// The text ends where a literal begins: `literal`, or `literal8` with its `~`.
    fn at_literal(&mut self, has_literal: bool, is_utf8: bool) -> Parsed<AppendPiece> {
        let is_binary = self.eat(b'~');
        if !self.rest.is_empty() || !has_literal || (is_utf8 && !is_binary) {
            return Err(NO_LITERAL);
        }
        Ok(AppendPiece::Literal { is_utf8 })
    }

    /// `"REPLACE" SP seq-number`, and the space behind it.
    fn replaced(&mut self, numbers: Numbers) -> Parsed<AppendKind> {
        self.space()?;
        let set = SequenceSet::one(self.seq_number()?);
        Ok(AppendKind::Replace(set, numbers))
    }
}

/// Reads the beginning of a command that brings messages; `text` ends at a literal, or is the whole line.
/// Gives the head and how many bytes it has. `None`: this is another command, or the literal is the name
/// of the mailbox, and the command is to be read on as any other.
pub(crate) fn append_head(text: &[u8]) -> Option<Result<(AppendHead, usize), (String, Bad)>> {
    let mut input = Input::new(text);
    let tag = tag(&mut input).ok()?;
    input.space().ok()?;
    let kind = if input.word("APPEND") {
        Ok(AppendKind::Append)
    } else if input.word("REPLACE") {
        input.replaced(Numbers::Sequence)
    } else if input.word("UID") {
        input.space().ok()?;
        if !input.word("REPLACE") {
            return None;
        }
        input.replaced(Numbers::Uid)
    } else {
        return None;
    };
    let head = kind.and_then(|kind| input.space().map(|()| kind));
    let kind = match head {
        Ok(kind) => kind,
        Err(bad) => return Some(Err((tag, bad))),
    };
    if input.rest.is_empty() {
        return None;
    }
    Some(match input.astring() {
        Ok(mailbox) => {
            let used = text.len() - input.rest.len();
            Ok((AppendHead { tag, kind, mailbox }, used))
        }
        Err(bad) => Err((tag, bad)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a whole command; `|` stands for a literal.
    fn pieces(text: &str) -> Result<Vec<AppendPiece>, Bad> {
        let mut texts: Vec<&str> = text.split('|').collect();
        texts.reverse();
        let mut grammar = AppendGrammar::new();
        let mut found = Vec::new();
        let mut current = texts.pop().unwrap_or_default().as_bytes().to_vec();
        loop {
            let piece = grammar.next(&mut current, !texts.is_empty())?;
            if matches!(piece, AppendPiece::Literal { .. } | AppendPiece::UrlLiteral) {
                assert!(current.is_empty());
                current = texts.pop().unwrap_or_default().as_bytes().to_vec();
            }
            let is_done = piece == AppendPiece::Done;
            found.push(piece);
            if is_done {
                return if texts.is_empty() { Ok(found) } else { Err(Bad("text is left")) };
            }
        }
    }

    fn shape(text: &str) -> String {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(bad) => return bad.0.to_owned(),
        };
        let words = pieces.into_iter().map(|piece| match piece {
            AppendPiece::Begin { flags, internal_date } => {
                let date = if internal_date.is_some() { "@" } else { "" };
                format!("<{}{date}", flags.system)
            }
            AppendPiece::Literal { is_utf8: false } => "L".to_owned(),
            AppendPiece::Literal { is_utf8: true } => "U".to_owned(),
            AppendPiece::Url(url) => String::from_utf8_lossy(&url).into_owned(),
            AppendPiece::UrlLiteral => "UL".to_owned(),
            AppendPiece::End => ">".to_owned(),
            AppendPiece::Done => ".".to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn messages_are_read() {
        for (text, want) in [
            (" |", "<0 L > ."),
            (" (\\Seen) \"22-Nov-2026 09:00:00 +0100\" |\r\n", "<1@ L > ."),
            (" ~| (\\Seen) | ", "<0 L > <1 L > ."),
            (" UTF8 (~|)", "<0 U > ."),
            (" CATENATE (URL \"/a;uid=1\")", "<0 /a;uid=1 > ."),
            (
                " (\\Seen) CATENATE (URL /a TEXT | URL | UTF8 (~|) TEXT ~|) (\\Seen) |",
                "<1 /a L UL U L > <1 L > .",
            ),
            ("", NO_LITERAL.0),
            ("|", "missing space or argument"),
            (" x|", NO_LITERAL.0),
            (" UTF8 (|)", NO_LITERAL.0),
            (" UTF8 (~| ", "a parenthesis is missing"),
            (" CATENATE ()", "unknown part of CATENATE"),
            (" CATENATE (FOO |)", "unknown part of CATENATE"),
            (" CATENATE (TEXT x)", NO_LITERAL.0),
            (" CATENATE (URL a", "missing space or argument"),
            (" | x", NO_LITERAL.0),
        ] {
            assert_eq!(shape(text), want, "{text}");
        }
    }

    #[test]
    fn heads_are_read() {
        let (head, used) = append_head(b"a1 append \"Sent\" (\\Seen) ").unwrap().unwrap();
        assert_eq!((head.tag.as_str(), head.mailbox.as_slice()), ("a1", &b"Sent"[..]));
        assert_eq!((head.kind, used), (AppendKind::Append, 16));
        assert!(append_head(b"a1 APPEND {4}\r\nSent ").unwrap().is_ok());
        assert!(append_head(b"a1 APPEND Sent ").unwrap().is_ok());
        let (head, _) = append_head(b"a1 UID REPLACE 20 Drafts ").unwrap().unwrap();
        assert!(matches!(head.kind, AppendKind::Replace(_, Numbers::Uid)));
        assert!(append_head(b"a1 REPLACE * Drafts CATENATE (").unwrap().is_ok());
    }

    #[test]
    fn other_literals_are_left_to_the_command() {
        assert_eq!(append_head(b"a1 APPEND "), None);
        assert_eq!(append_head(b"a1 REPLACE 4 "), None);
        assert_eq!(append_head(b"a1 LOGIN "), None);
        assert_eq!(append_head(b"a1 UID SEARCH "), None);
        assert_eq!(append_head(b"a1 APPENDX Sent "), None);
        for bad in ["a1 APPEND", "a1 REPLACE Sent ", "a1 REPLACE 1:2 Sent ", "a1 REPLACE 0 Sent "] {
            assert!(append_head(bad.as_bytes()).unwrap().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nearly_appends_never_panic(
            words in proptest::collection::vec(prop_oneof![
                Just(" "), Just("|"), Just("~"), Just("("), Just(")"), Just("CATENATE"), Just("URL"),
                Just("TEXT"), Just("UTF8"), Just("\""), Just("\\Seen"), Just("x"), Just("\r\n"),
                Just("\"22-Nov-2026 09:00:00 +0100\""),
            ], 0..24),
        ) {
            drop(pieces(&words.concat()));
            drop(pieces(&words.join(" ")));
        }
    }
}
