//! FETCH. RFC 9051 §6.4.5, RFC 3501 §6.4.5, RFC 7162 §3.1.4.

use super::{Bad, Input, Parsed, SequenceSet};

const ITEMS_MAX: usize = 100;
/// Each is made in memory, up to 1 MB; clients ask for one or two.
const SELECTED_HEADERS_MAX: usize = 4;
const FIELDS_MAX: usize = 200;
const FIELD_BYTES_MAX: usize = 200;
const PATH_MAX: usize = 100;

/// `section-text`, and nothing for a whole part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SectionText {
    /// The whole message, or the body of a part.
    Whole,
    /// HEADER.
    Header,
    /// HEADER.FIELDS (false) and HEADER.FIELDS.NOT (true).
    HeaderFields(Vec<String>, bool),
    /// TEXT.
    Text,
    /// MIME.
    Mime,
}

/// `section = "[" [section-spec] "]"` with `partial`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// `section-part`; empty is the message itself.
    pub(crate) path: Vec<u32>,
    pub(crate) text: SectionText,
    /// `<offset.count>`
    pub(crate) partial: Option<(u32, u32)>,
    /// Does not set `\Seen`.
    pub(crate) is_peek: bool,
    /// How the answer names it: `BODY[1.2]<0>`.
    pub(crate) label: String,
}

/// `fetch-att`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FetchItem {
    Flags,
    Uid,
    InternalDate,
    /// RFC 8514.
    SaveDate,
    Size,
    Envelope,
    /// BODY without a section: the structure in its short form.
    Body,
    BodyStructure,
    /// RFC 7162 §3.1.4.2.
    ModSeq,
    /// RFC 8474 §5.1.
    EmailId,
    /// RFC 8474 §5.2.
    ThreadId,
    Section(Box<Section>),
    /// RFC 3516: a part without its transfer encoding.
    Binary(Box<Section>),
    /// RFC 3516: the size of that.
    BinarySize(Box<Section>),
    /// RFC 8970, LAZY or not: it is always at hand.
    Preview,
}

/// The arguments of FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetch {
    pub(crate) set: SequenceSet,
    pub(crate) items: Vec<FetchItem>,
    /// RFC 7162 §3.1.4.1.
    pub(crate) changed_since: Option<u64>,
    /// RFC 7162 §3.2.6.
    pub(crate) wants_vanished: bool,
}

impl Fetch {
    pub(crate) fn wants(&self, item: &FetchItem) -> bool {
        self.items.contains(item)
    }
}

/// True for HEADER.FIELDS and HEADER.FIELDS.NOT.
fn selects_fields(item: &FetchItem) -> bool {
    matches!(item, FetchItem::Section(s) if matches!(s.text, SectionText::HeaderFields(..)))
}

fn section(text: SectionText, is_peek: bool, label: &str) -> FetchItem {
    let label = label.to_owned();
    FetchItem::Section(Box::new(Section { path: Vec::new(), text, partial: None, is_peek, label }))
}

/// A field name as the answer repeats it: quoted where it is no atom.
fn push_field(label: &mut String, field: &str) {
    if field.bytes().all(super::is_astring_char) {
        label.push_str(field);
        return;
    }
    label.push('"');
    for c in field.chars() {
        if c == '"' || c == '\\' {
            label.push('\\');
        }
        label.push(c);
    }
    label.push('"');
}

impl Input<'_> {
    /// `header-fld-name = astring`
    fn field_name(&mut self) -> Parsed<String> {
        const WHY: Bad = Bad("a header field name is not valid");
        let name = String::from_utf8(self.astring()?).map_err(|_| WHY)?;
        let is_field = name.bytes().all(|byte| byte > b' ' && byte < 0x7f && byte != b':');
        if is_field && name.len() <= FIELD_BYTES_MAX { Ok(name) } else { Err(WHY) }
    }

    /// `section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"`, and `MIME`.
    fn section_text(&mut self) -> Parsed<SectionText> {
        let name = self.take_while(|byte| byte.is_ascii_alphabetic() || byte == b'.');
        let is_not = match name.to_ascii_uppercase().as_slice() {
            b"" => return Ok(SectionText::Whole),
            b"HEADER" => return Ok(SectionText::Header),
            b"TEXT" => return Ok(SectionText::Text),
            b"MIME" => return Ok(SectionText::Mime),
            b"HEADER.FIELDS" => false,
            b"HEADER.FIELDS.NOT" => true,
            _ => return Err(Bad("unknown section")),
        };
        self.space()?;
        let fields = self.list(FIELDS_MAX, Self::field_name)?;
        if fields.is_empty() {
            return Err(Bad("a list of header fields is empty"));
        }
        Ok(SectionText::HeaderFields(fields, is_not))
    }

    /// `section-part = nz-number *("." nz-number)`, with the dot before a `section-text`.
    fn section_path(&mut self) -> Parsed<Vec<u32>> {
        let mut path = Vec::new();
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            if path.len() == PATH_MAX {
                return Err(Bad("a section is nested too deeply"));
            }
            path.push(self.nz_number()?);
            if !self.eat(b'.') {
                return match self.peek() {
                    Some(b']') => Ok(path),
                    _ => Err(Bad("unknown section")),
                };
            }
            if self.peek() == Some(b']') {
                return Err(Bad("unknown section"));
            }
        }
        Ok(path)
    }

    /// `"<" number "." nz-number ">"`
    fn partial(&mut self) -> Parsed<Option<(u32, u32)>> {
        if !self.eat(b'<') {
            return Ok(None);
        }
        let offset = self.number()?;
        self.expect(b'.', "a partial range is not well formed")?;
        let count = self.nz_number()?;
        self.expect(b'>', "a partial range is not well formed")?;
        Ok(Some((offset, count)))
    }

    /// `"BINARY" [".PEEK"] section-binary [partial]` or `"BINARY.SIZE" section-binary`, behind the `[`.
    fn binary_section(&mut self, is_peek: bool, word: &str) -> Parsed<Box<Section>> {
        let path = self.section_path()?;
        self.expect(b']', "a section has no end")?;
        let partial = if word == "BINARY" { self.partial()? } else { None };
        let dotted: Vec<String> = path.iter().map(ToString::to_string).collect();
        let mut label = format!("{word}[{}]", dotted.join("."));
        if let Some((offset, _)) = partial {
            label.push_str(&format!("<{offset}>"));
        }
        Ok(Box::new(Section { path, text: SectionText::Whole, partial, is_peek, label }))
    }

    /// A section with its `]`, as a URL names it (RFC 5092 §5).
    pub(super) fn section(&mut self) -> Parsed<Section> {
        match self.body_section(true)? {
            FetchItem::Section(section) => Ok(*section),
            _ => Err(Bad("unknown section")),
        }
    }

    /// RFC 8970 §3: `"PREVIEW" [SP "(" "LAZY" ")"]`, behind the word.
    fn preview(&mut self) -> FetchItem {
        let mut ahead = self.clone();
        if ahead.eat(b' ') && ahead.eat(b'(') && ahead.word("LAZY") && ahead.eat(b')') {
            *self = ahead;
        }
        FetchItem::Preview
    }

    /// `"BODY" [".PEEK"] section [partial]`, behind the `[`.
    fn body_section(&mut self, is_peek: bool) -> Parsed<FetchItem> {
        let path = self.section_path()?;
        let text = self.section_text()?;
        // MIME is of a part only: RFC 9051 §6.4.5.1.
        if text == SectionText::Mime && path.is_empty() {
            return Err(Bad("unknown section"));
        }
        self.expect(b']', "a section has no end")?;
        let partial = self.partial()?;
        let mut label = "BODY[".to_owned();
        let dotted: Vec<String> = path.iter().map(ToString::to_string).collect();
        label.push_str(&dotted.join("."));
        if text != SectionText::Whole && !path.is_empty() {
            label.push('.');
        }
        match &text {
            SectionText::Whole => {}
            SectionText::Header => label.push_str("HEADER"),
            SectionText::Text => label.push_str("TEXT"),
            SectionText::Mime => label.push_str("MIME"),
            SectionText::HeaderFields(fields, is_not) => {
                label.push_str(if *is_not { "HEADER.FIELDS.NOT (" } else { "HEADER.FIELDS (" });
                for (n, field) in fields.iter().enumerate() {
                    if n > 0 {
                        label.push(' ');
                    }
                    push_field(&mut label, field);
                }
                label.push(')');
            }
        }
        label.push(']');
        if let Some((offset, _)) = partial {
            label.push_str(&format!("<{offset}>"));
        }
        Ok(FetchItem::Section(Box::new(Section { path, text, partial, is_peek, label })))
    }

    /// `fetch-att`; macros give several.
    fn fetch_att(&mut self, items: &mut Vec<FetchItem>) -> Parsed<()> {
        use FetchItem::{Body, BodyStructure, Envelope, Flags, InternalDate, ModSeq, Size, Uid};
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
        let item = match name.to_ascii_uppercase().as_slice() {
            b"BODY" if self.eat(b'[') => self.body_section(false)?,
            b"BODY.PEEK" if self.eat(b'[') => self.body_section(true)?,
            b"BINARY" if self.eat(b'[') => FetchItem::Binary(self.binary_section(false, "BINARY")?),
            b"BINARY.PEEK" if self.eat(b'[') => {
                FetchItem::Binary(self.binary_section(true, "BINARY")?)
            }
            b"BINARY.SIZE" if self.eat(b'[') => {
                FetchItem::BinarySize(self.binary_section(true, "BINARY.SIZE")?)
            }
            b"PREVIEW" => self.preview(),
            b"BODY" => Body,
            b"BODYSTRUCTURE" => BodyStructure,
            b"ENVELOPE" => Envelope,
            b"FLAGS" => Flags,
            b"INTERNALDATE" => InternalDate,
            b"SAVEDATE" => FetchItem::SaveDate,
            b"UID" => Uid,
            b"MODSEQ" => ModSeq,
            b"EMAILID" => FetchItem::EmailId,
            b"THREADID" => FetchItem::ThreadId,
            b"RFC822.SIZE" => Size,
            b"RFC822" => section(SectionText::Whole, false, "RFC822"),
            b"RFC822.HEADER" => section(SectionText::Header, true, "RFC822.HEADER"),
            b"RFC822.TEXT" => section(SectionText::Text, false, "RFC822.TEXT"),
            // RFC 1730 §6.4.5; Outlook sends these, documented in [MS-STANOIMAP].
            b"RFC822.PEEK" => section(SectionText::Whole, true, "RFC822"),
            b"RFC822.HEADER.PEEK" => section(SectionText::Header, true, "RFC822.HEADER"),
            b"RFC822.TEXT.PEEK" => section(SectionText::Text, true, "RFC822.TEXT"),
            _ => return Err(Bad("unknown FETCH item")),
        };
        if !items.contains(&item) {
            let others = items.iter().filter(|known| selects_fields(known)).count();
            if selects_fields(&item) && others >= SELECTED_HEADERS_MAX {
                return Err(Bad("too many selections of header fields"));
            }
            items.push(item);
        }
        Ok(())
    }

    /// `"ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"`
    pub(super) fn fetch_items(&mut self) -> Parsed<Vec<FetchItem>> {
        let fast = [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Size];
        let mut items = Vec::new();
        if self.peek() == Some(b'(') {
            self.list(ITEMS_MAX, |input| input.fetch_att(&mut items))?;
        } else if self.word("FAST") {
            items.extend(fast);
        } else if self.word("ALL") {
            items.extend(fast);
            items.push(FetchItem::Envelope);
        } else if self.word("FULL") {
            items.extend(fast);
            items.extend([FetchItem::Envelope, FetchItem::Body]);
        } else {
            self.fetch_att(&mut items)?;
        }
        if items.is_empty() { Err(Bad("no FETCH items")) } else { Ok(items) }
    }

    /// RFC 7162 §7: `"CHANGEDSINCE" SP mod-sequence-value` and `"VANISHED"`.
    fn fetch_modifier(&mut self, fetch: &mut Fetch) -> Parsed<()> {
        if self.word("CHANGEDSINCE") {
            self.space()?;
            fetch.changed_since = Some(self.number64()?);
        } else if self.word("VANISHED") {
            fetch.wants_vanished = true;
        } else {
            return Err(Bad("unknown FETCH modifier"));
        }
        Ok(())
    }

    /// `fetch = "FETCH" SP sequence-set SP items [fetch-modifiers]`
    pub(super) fn fetch(&mut self) -> Parsed<Fetch> {
        self.space()?;
        let set = self.sequence_set()?;
        self.space()?;
        let items = self.fetch_items()?;
        let mut fetch = Fetch { set, items, changed_since: None, wants_vanished: false };
        while self.eat(b' ') {}
        if self.peek() == Some(b'(') {
            self.list(4, |input| input.fetch_modifier(&mut fetch))?;
        }
        Ok(fetch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Parsed<Vec<FetchItem>> {
        let text = format!(" 1 {text}\r\n");
        let mut input = Input::new(text.as_bytes());
        let fetch = input.fetch()?;
        input.end()?;
        Ok(fetch.items)
    }

    fn labels(text: &str) -> Vec<String> {
        let label = |item| match item {
            FetchItem::Section(section) => section.label,
            other => format!("{other:?}"),
        };
        items(text).unwrap().into_iter().map(label).collect()
    }

    #[test]
    fn answers_are_named_as_the_rfc_says() {
        for (text, want) in [
            ("BODY[]", "BODY[]"),
            ("body.peek[1.2.mime]", "BODY[1.2.MIME]"),
            ("BODY[1.2]<0.2048>", "BODY[1.2]<0>"),
            ("BODY.PEEK[HEADER.FIELDS (From \"X Y\")]", ""),
            ("BODY[3.HEADER.FIELDS.NOT (Date)]", "BODY[3.HEADER.FIELDS.NOT (Date)]"),
            ("BODY[TEXT]<5.1>", "BODY[TEXT]<5>"),
            ("RFC822.PEEK", "RFC822"),
            ("RFC822.HEADER.PEEK", "RFC822.HEADER"),
        ] {
            if want.is_empty() {
                assert!(items(text).is_err());
            } else {
                assert_eq!(labels(text), [want], "{text}");
            }
        }
    }

    #[test]
    fn outlook_and_thunderbird_are_understood() {
        assert_eq!(
            labels("(UID FLAGS RFC822.SIZE BODY.PEEK[HEADER] INTERNALDATE)"),
            ["Uid", "Flags", "Size", "BODY[HEADER]", "InternalDate"]
        );
        assert_eq!(labels("(UID RFC822.SIZE RFC822.peek)"), ["Uid", "Size", "RFC822"]);
        assert_eq!(
            labels(
                "(UID BODY.PEEK[HEADER.FIELDS (Content-Type Content-Transfer-Encoding)] BODY.PEEK[TEXT]<0.2048>)"
            ),
            [
                "Uid",
                "BODY[HEADER.FIELDS (Content-Type Content-Transfer-Encoding)]",
                "BODY[TEXT]<0>"
            ]
        );
        assert_eq!(labels("FULL").len(), 5);
        assert_eq!(labels("(PREVIEW (LAZY) UID)"), ["Preview", "Uid"]);
        assert_eq!(labels("PREVIEW (LAZY)"), ["Preview"]);
        let Some(FetchItem::Binary(part)) = items("BINARY.PEEK[1.2]<5.10>").unwrap().pop() else {
            panic!()
        };
        assert_eq!((part.label.as_str(), part.partial), ("BINARY[1.2]<5>", Some((5, 10))));
        assert!(matches!(items("BINARY.SIZE[]").unwrap()[0], FetchItem::BinarySize(_)));
        assert_eq!(labels("(ENVELOPE BODY BODYSTRUCTURE)").len(), 3);
    }

    #[test]
    fn only_peek_leaves_messages_unseen() {
        for (text, is_peek) in [
            ("BODY[]", false),
            ("BODY.PEEK[]", true),
            ("RFC822", false),
            ("RFC822.HEADER", true),
            ("RFC822.TEXT", false),
            ("RFC822.PEEK", true),
        ] {
            let Some(FetchItem::Section(section)) = items(text).unwrap().pop() else { panic!() };
            assert_eq!(section.is_peek, is_peek, "{text}");
        }
    }

    #[test]
    fn the_modifier_is_read() {
        let fetch = Input::new(b" 1:* (FLAGS) (CHANGEDSINCE 12)\r\n").fetch().unwrap();
        assert_eq!((fetch.changed_since, fetch.wants_vanished), (Some(12), false));
        let fetch = Input::new(b" 1 FLAGS (VANISHED CHANGEDSINCE 1)\r\n").fetch().unwrap();
        assert_eq!((fetch.changed_since, fetch.wants_vanished), (Some(1), true));
        assert!(Input::new(b" 1 FLAGS (VANISHEDX)\r\n").fetch().is_err());
    }

    #[test]
    fn bad_items_are_refused() {
        for text in [
            "()",
            "BODY[",
            "BODY[]<1>",
            "BODY[]<1.0>",
            "BODY[0]",
            "BODY[1.]",
            "BODY[MIME]",
            "FOO",
            "BODY[HEADER.FIELDS ()]",
            "BODY[HEADERX]",
            "(FLAGS",
            "BODY[1TEXT]",
            "BINARY[HEADER]",
            "BINARY[1.TEXT]",
            "BINARY.SIZE[1]<0.5>",
            "BINARY",
            "(FLAGS))",
            "",
        ] {
            assert!(items(text).is_err(), "{text}");
        }
    }
}
