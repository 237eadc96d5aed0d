//! LDAP's side that asks: one operation at a time over one connection. RFC 4511; paged results RFC 2696.
//!
//! Answers are untrusted: [`directory::frame`] says where a message ends and that it is sound before a tree
//! is built. Referrals are passed over.
//!
//! Limits: 4 MB a message, 20 seconds an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use directory::ber::{self, Parts, integer, octets, sequence};
use directory::{Filter, frame};
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::failure::{Failure, Reason, Stage};

/// Largest message, bytes: a page comes as one message an entry.
const MESSAGE_MAX: usize = 4 * 1024 * 1024;
/// Longest wait for the next message, and for sending one.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Seconds that the other side may search for one page.
const TIME_LIMIT: i64 = 60;
/// Entries of a page: Active Directory gives 1,000 at most.
const PAGE: i64 = 500;
const PAGED: &str = "1.2.840.113556.1.4.319";
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

/// What a connection is.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// An entry as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    pub(crate) dn: String,
    /// By name in lower case, with options.
    pub(crate) attributes: BTreeMap<String, Vec<Vec<u8>>>,
}

/// How far below the base.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    Base = 0,
    Subtree = 2,
}

/// A search.
#[derive(Debug)]
pub(crate) struct Search<'s> {
    pub(crate) base: &'s str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'s Filter,
    pub(crate) attributes: &'s [String],
    pub(crate) stage: Stage,
}

/// LDAPResult.
struct Outcome {
    code: i64,
    text: String,
}

/// A connection. Dropping it closes it.
pub(crate) struct Client {
    stream: Box<dyn Io>,
    /// What came and is not read yet.
    buffer: Vec<u8>,
    last_id: i64,
}

impl Client {
    pub(crate) fn new(stream: Box<dyn Io>) -> Self {
        Self { stream, buffer: Vec::new(), last_id: 0 }
    }

    /// The stream below, for TLS; nothing may have been read beyond the last answer.
    pub(crate) fn into_stream(self) -> Box<dyn Io> {
        self.stream
    }

    async fn send(
        &mut self,
        operation: StructureTag,
        controls: Vec<StructureTag>,
        stage: Stage,
    ) -> Result<i64, Failure> {
        self.last_id += 1;
        let mut parts = vec![integer(ber::INTEGER, self.last_id), operation];
        if !controls.is_empty() {
            let payload = PL::C(controls);
            parts.push(StructureTag { class: TagClass::Context, id: 0, payload });
        }
        let bytes = ber::encode(sequence(parts));
        let sending = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        match timeout(ANSWER_TIMEOUT, sending).await {
            Ok(Ok(())) => Ok(self.last_id),
            Ok(Err(err)) => Err(Failure::new(stage, Reason::ConnectionLost, err.to_string())),
            Err(_) => Err(Failure::new(stage, Reason::Timeout, "nothing is taken any more")),
        }
    }

    /// The bytes of the next message.
    async fn message(&mut self, stage: Stage) -> Result<Vec<u8>, Failure> {
        loop {
            let len = frame::length(&self.buffer, MESSAGE_MAX);
            let len = len.map_err(|_| Failure::malformed(stage))?;
            if let Some(len) = len.filter(|len| *len <= self.buffer.len()) {
                let rest = self.buffer.split_off(len);
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            let reading = self.stream.read_buf(&mut self.buffer);
            match timeout(ANSWER_TIMEOUT, reading).await {
                Ok(Ok(0)) => {
                    let detail = "the other side closed the connection";
                    return Err(Failure::new(stage, Reason::ConnectionLost, detail));
                }
                Ok(Ok(_)) => {}
                Ok(Err(err)) => {
                    return Err(Failure::new(stage, Reason::ConnectionLost, err.to_string()));
                }
                Err(_) => {
                    return Err(Failure::new(stage, Reason::Timeout, "no answer within 20 s"));
                }
            }
        }
    }

    /// The next answer to an operation: its tag, and its controls.
    async fn answer(
        &mut self,
        id: i64,
        stage: Stage,
    ) -> Result<(StructureTag, Option<StructureTag>), Failure> {
        loop {
            let bytes = self.message(stage).await?;
            let tag = ber::parse(&bytes).ok_or_else(|| Failure::malformed(stage))?;
            let mut parts = Parts::of(tag).ok_or_else(|| Failure::malformed(stage))?;
            let number = parts.number(ber::INTEGER);
            let (Some(number), Some(operation)) = (number, parts.any()) else {
                return Err(Failure::malformed(stage));
            };
            // RFC 4511 §4.4.1: Notice of Disconnection; what follows is the end.
            if number == 0 {
                let text = outcome(operation).map(|outcome| outcome.text).unwrap_or_default();
                return Err(Failure::new(stage, Reason::ConnectionLost, text));
            }
            if number == id {
                return Ok((operation, parts.next_is(TagClass::Context, 0)));
            }
        }
    }

    /// RFC 4511 §4.14.
    pub(crate) async fn start_tls(&mut self) -> Result<(), Failure> {
        let stage = Stage::Tls;
        let name = ber::leaf(TagClass::Context, 0, START_TLS.as_bytes());
        let id = self.send(application(23, vec![name]), Vec::new(), stage).await?;
        let (answer, _) = self.answer(id, stage).await?;
        let outcome = outcome(answer).ok_or_else(|| Failure::malformed(stage))?;
        if outcome.code != 0 {
            let detail = format!("StartTLS: {} ({})", outcome.text, outcome.code);
            return Err(Failure::new(stage, Reason::StarttlsRefused, detail));
        }
        // What stands there already was not under TLS.
        if self.buffer.is_empty() { Ok(()) } else { Err(Failure::malformed(stage)) }
    }

    /// A simple bind; nobody without a name. A password must not be empty where there is a name: RFC 4513
    /// §5.1.2.
    pub(crate) async fn bind(&mut self, dn: &str, password: &[u8]) -> Result<(), Failure> {
        let stage = Stage::Bind;
        if !dn.is_empty() && password.is_empty() {
            return Err(Failure::new(stage, Reason::BindRefused, "there is no password"));
        }
        let parts = vec![
            integer(ber::INTEGER, 3),
            octets(dn.as_bytes()),
            ber::leaf(TagClass::Context, 0, password),
        ];
        let id = self.send(application(0, parts), Vec::new(), stage).await?;
        let (answer, _) = self.answer(id, stage).await?;
        let outcome = outcome(answer).ok_or_else(|| Failure::malformed(stage))?;
        let reason = match outcome.code {
            0 => return Ok(()),
            8 | 13 => Reason::BindNeedsTls,
            48 | 53 if dn.is_empty() => Reason::AnonymousRefused,
            _ => Reason::BindRefused,
        };
        let detail = format!("{} ({})", outcome.text, outcome.code);
        Err(Failure { code: Some(outcome.code), ..Failure::new(stage, reason, detail) })
    }

    /// Gives each entry of a search, page by page, until `each` has enough: false ends the search.
    pub(crate) async fn search(
        &mut self,
        search: &Search<'_>,
        each: &mut (dyn FnMut(Raw) -> Result<bool, Failure> + Send),
    ) -> Result<(), Failure> {
        let mut cookie = Vec::new();
        loop {
            let before = cookie;
            let controls = vec![paged(&before)];
            let id = self.send(request(search), controls, search.stage).await?;
            let mut goes_on = true;
            let (done, controls) = loop {
                let (answer, controls) = self.answer(id, search.stage).await?;
                match answer.id {
                    4 if goes_on => {
                        let raw = entry(answer).ok_or_else(|| Failure::malformed(search.stage))?;
                        goes_on = each(raw)?;
                    }
                    // The rest of the page; a reference to another server; what is on its way.
                    4 | 19 | 25 => {}
                    5 => break (answer, controls),
                    _ => return Err(Failure::malformed(search.stage)),
                }
            };
            check_done(search, done)?;
            cookie = controls.and_then(next_page).unwrap_or_default();
            // The same place again would never end.
            if !goes_on || cookie.is_empty() || cookie == before {
                return Ok(());
            }
        }
    }
}

fn application(id: u64, parts: Vec<StructureTag>) -> StructureTag {
    StructureTag { class: TagClass::Application, id, payload: PL::C(parts) }
}

/// Not critical: who does not know it gives all at once.
fn paged(cookie: &[u8]) -> StructureTag {
    let value = ber::encode(sequence(vec![integer(ber::INTEGER, PAGE), octets(cookie)]));
    sequence(vec![octets(PAGED.as_bytes()), octets(value)])
}

/// The cookie of the page that follows.
fn next_page(controls: StructureTag) -> Option<Vec<u8>> {
    for control in Parts::of(controls)? {
        let mut parts = Parts::of(control)?;
        if parts.text().as_deref() == Some(PAGED) {
            parts.boolean();
            let mut value = Parts::of_value(&parts.octets()?)?;
            value.number(ber::INTEGER)?;
            return value.octets();
        }
    }
    None
}

fn request(search: &Search<'_>) -> StructureTag {
    let names = search.attributes.iter().map(|name| octets(name.as_bytes())).collect();
    application(
        3,
        vec![
            octets(search.base.as_bytes()),
            integer(ber::ENUMERATED, search.scope as i64),
            // Aliases are not followed.
            integer(ber::ENUMERATED, 0),
            integer(ber::INTEGER, 0),
            integer(ber::INTEGER, TIME_LIMIT),
            ber::leaf(TagClass::Universal, ber::BOOLEAN, [0]),
            crate::filter::tag(search.filter),
            sequence(names),
        ],
    )
}

fn outcome(tag: StructureTag) -> Option<Outcome> {
    let mut parts = Parts::of(tag)?;
    let code = parts.number(ber::ENUMERATED)?;
    let _matched = parts.octets()?;
    let text = String::from_utf8_lossy(&parts.octets()?).trim_end_matches('\0').to_owned();
    Some(Outcome { code, text: text.chars().filter(|c| !c.is_control()).take(500).collect() })
}

fn check_done(search: &Search<'_>, done: StructureTag) -> Result<(), Failure> {
    let outcome = outcome(done).ok_or_else(|| Failure::malformed(search.stage))?;
    let (stage, reason) = match outcome.code {
        0 => return Ok(()),
        3 => (search.stage, Reason::Timeout),
        4 | 11 => (search.stage, Reason::TooManyEntries),
        10 => (Stage::Base, Reason::Referral),
        32 => (Stage::Base, Reason::BaseNotFound),
        34 => (Stage::Base, Reason::BaseInvalid),
        50 => (search.stage, Reason::NotAllowed),
        // Active Directory says operationsError where a bind is wanted.
        1 | 8 => (search.stage, Reason::AnonymousRefused),
        _ => (search.stage, Reason::SearchFailed),
    };
    let detail = format!("{}: {} ({})", search.base, outcome.text, outcome.code);
    Err(Failure { code: Some(outcome.code), ..Failure::new(stage, reason, detail) })
}

fn entry(tag: StructureTag) -> Option<Raw> {
    let mut parts = Parts::of(tag)?;
    let dn = parts.text()?;
    let mut attributes = BTreeMap::new();
    for attribute in Parts::of(parts.any()?)? {
        let mut parts = Parts::of(attribute)?;
        let name = parts.text()?.to_ascii_lowercase();
        let values = Parts::of(parts.any()?)?.map(ber::primitive).collect::<Option<Vec<_>>>()?;
        attributes.insert(name, values);
    }
    Some(Raw { dn, attributes })
}

#[cfg(test)]
mod tests;
