//! One message under test: what is read of it is read once, and no more than the test needs.

use std::cell::OnceCell;

use message::{MailHeader, header_fields};
use store::{Reading, Row, StoreError};

use super::test::{Cost, Facts, Test};
use crate::imap::parse::{EnvelopeField, HeaderName};
use crate::search::content::{Bytes, Place, Sink};
use crate::search::date::sent_date;
use crate::search::fold::fold;
use crate::search::needles::{Hits, Needles, Window};
use crate::search::words::{address_text, decode_words, field_text};

/// The stored fields of ENVELOPE, each folded when it is first asked for.
#[derive(Debug)]
pub(super) struct Mail {
    header: MailHeader,
    /// Answers to 1,000 keys fold each field once.
    folded: [OnceCell<Vec<u8>>; 5],
}

/// The fields that HEADER finds in the store without reading the message. RFC 5322 §3.6 allows each once.
fn stored_text<'a>(header: &'a MailHeader, name: &HeaderName) -> Option<&'a str> {
    let slot = match name.0.to_ascii_lowercase().as_slice() {
        b"message-id" => &header.message_id,
        b"in-reply-to" => &header.in_reply_to,
        b"references" => &header.references,
        b"subject" => &header.subject,
        _ => return None,
    };
    slot.as_deref()
}

impl Mail {
    fn new(header: MailHeader) -> Self {
        Self { header, folded: [const { OnceCell::new() }; 5] }
    }

    /// True if the stored fields answer HEADER for this field. Whether an empty field is there they do
    /// not say.
    pub(super) fn knows(name: &HeaderName, needle: &[u8]) -> bool {
        const KNOWN: [&[u8]; 4] = [b"Message-ID", b"In-Reply-To", b"References", b"Subject"];
        !needle.is_empty() && KNOWN.iter().any(|known| name.0.eq_ignore_ascii_case(known))
    }

    /// For a field that [`Mail::knows`].
    pub(super) fn has_named(&self, name: &HeaderName, needle: &[u8]) -> bool {
        stored_text(&self.header, name)
            .is_some_and(|text| contains(&fold(&decode_words(text)), needle))
    }

    /// The day of the Date field as it is written, whatever its zone.
    pub(super) fn sent_day(&self) -> Option<i64> {
        sent_date(self.header.date.as_deref()?).map(|date| date.day)
    }

    /// RFC 9051 §6.4.4: the field of the envelope holds the text.
    pub(super) fn has(&self, field: EnvelopeField, needle: &[u8]) -> bool {
        let header = &self.header;
        let (slot, list) = match field {
            EnvelopeField::From => (0, &header.from),
            EnvelopeField::To => (1, &header.to),
            EnvelopeField::Cc => (2, &header.cc),
            EnvelopeField::Bcc => (3, &header.bcc),
            EnvelopeField::Subject => {
                let Some(subject) = &header.subject else { return false };
                let text = self.folded[4].get_or_init(|| fold(&decode_words(subject)));
                return contains(text, needle);
            }
        };
        let text = self.folded[slot].get_or_init(|| fold(&address_text(list)));
        !list.is_empty() && contains(text, needle)
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

/// All fields of the header, each folded when it is first asked for.
#[derive(Debug)]
pub(super) struct Fields {
    header: Vec<u8>,
    folded: Vec<OnceCell<Vec<u8>>>,
}

impl Fields {
    fn new(header: Vec<u8>) -> Self {
        let count = header_fields(&header).count();
        Self { header, folded: vec![OnceCell::new(); count] }
    }

    /// RFC 9051 §6.4.4: a field of that name is there and holds the text.
    pub(super) fn has(&self, name: &HeaderName, needle: &[u8]) -> bool {
        header_fields(&self.header).zip(&self.folded).any(|(field, folded)| {
            field.is(&name.0) && contains(folded.get_or_init(|| fold(&field_text(&field))), needle)
        })
    }
}

/// Looks for all texts of a search in one pass over a message.
struct Looking<'a> {
    needles: &'a Needles,
    window: &'a mut Window,
    hits: Hits,
    is_decided: &'a dyn Fn(&Hits) -> bool,
}

impl Sink for Looking<'_> {
    fn piece(&mut self, place: Place, piece: &str) -> bool {
        let is_news = self.window.take(self.needles, &mut self.hits, place, piece);
        !(is_news && (self.is_decided)(&self.hits))
    }

    fn end(&mut self) {
        self.window.end();
    }
}

/// Asks a test of message after message; buffers stay.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    test: &'a Test,
    needles: &'a Needles,
    cost: Cost,
    wants_mail: bool,
    wants_header: bool,
    window: Window,
    /// What a structure is read from.
    texts: Vec<u8>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(test: &'a Test, needles: &'a Needles) -> Self {
        Self {
            test,
            needles,
            cost: test.cost(),
            wants_mail: test.needs(Cost::Mail),
            wants_header: test.needs(Cost::Header),
            window: Window::default(),
            texts: Vec::new(),
        }
    }

    /// True if the message passes. One that cannot be read matches nothing that needs its content.
    pub(super) fn passes(&mut self, reading: &mut Reading, row: &Row) -> bool {
        match self.ask(reading, row) {
            Ok(passes) => passes,
            Err(err) => {
                tracing::error!(uid = %row.uid, %err, "a message cannot be searched");
                false
            }
        }
    }

    fn ask(&mut self, reading: &mut Reading, row: &Row) -> Result<bool, StoreError> {
        let mut facts = Facts { row, mail: None, fields: None, hits: None };
        if let Some(passes) = self.test.ask(facts) {
            return Ok(passes);
        }
        let mail;
        if self.wants_mail {
            mail = Mail::new(reading.mail_header(row.blob)?);
            facts.mail = Some(&mail);
            if let Some(passes) = self.test.ask(facts) {
                return Ok(passes);
            }
        }
        if self.cost < Cost::Header {
            return Ok(false);
        }
        let structure = reading.structure(row.blob, &mut self.texts)?;
        let mut bytes = Bytes::new(reading, row);
        let fields;
        if self.wants_header {
            fields = Fields::new(bytes.header(&structure.root)?);
            facts.fields = Some(&fields);
            if let Some(passes) = self.test.ask(facts) {
                return Ok(passes);
            }
        }
        if self.cost < Cost::Content {
            return Ok(false);
        }
        let is_decided = |hits: &Hits| self.test.ask(Facts { hits: Some(hits), ..facts }).is_some();
        self.window.begin();
        let mut looking = Looking {
            needles: self.needles,
            window: &mut self.window,
            hits: Hits::new(self.needles),
            is_decided: &is_decided,
        };
        let was_read = bytes.texts(&structure, &mut looking);
        looking.window.look(self.needles, &mut looking.hits);
        looking.hits.is_complete = was_read.as_ref().is_ok_and(|is_all| *is_all);
        let passes = self.test.ask(Facts { hits: Some(&looking.hits), ..facts });
        // What was found before the damage may decide.
        passes.map_or_else(|| was_read.map(|_| false), Ok)
    }
}
