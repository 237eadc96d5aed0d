//! FETCH. RFC 9051 §6.4.5, RFC 7162 §3.1.4 and §3.2.6.
//!
//! Rows come in slices and go out as they come: `1:*` of a mailbox of any size holds one slice and one
//! piece of a message in memory.

use base::{MailboxId, ModSeq, Uid, UidRanges};
use store::{FlagOp, Flags, READ_MAX, Rights, Row, Store, StoreError};

use super::binary::{self, Binary, Encoded, Measure};
use super::emit;
use super::objectid::email_id;
use super::parse::{Bad, Fetch, FetchItem, Numbers, SequenceSet};
use super::preview;
use super::quick::{self, Quick};
use super::reply::{Answer, CORRUPTION, Fail, GONE, Outcome, ok};
use super::section::{self, Content, piece_len};
use super::session::Session;
use super::view::Sequence;

/// Rows at once.
const SLICE: usize = 500;

/// What is to be done for each message.
pub(super) struct Plan {
    pub(super) items: Vec<FetchItem>,
    numbers: Numbers,
    changed_since: Option<ModSeq>,
    /// A section is asked for without PEEK.
    sets_seen: bool,
}

impl Plan {
    fn new(fetch: &Fetch, numbers: Numbers, is_read_only: bool) -> Self {
        let mut items = fetch.items.clone();
        // RFC 9051 §6.4.9: the UID is told whether asked for or not.
        if numbers == Numbers::Uid && !fetch.wants(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        // RFC 7162 §3.1.4.1: CHANGEDSINCE adds MODSEQ.
        if fetch.changed_since.is_some() && !fetch.wants(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
        let sets_seen = !is_read_only
            && items.iter().any(
                |item| matches!(item, FetchItem::Section(s) | FetchItem::Binary(s) if !s.is_peek),
            );
        Self { items, numbers, changed_since: fetch.changed_since.map(ModSeq), sets_seen }
    }

    pub(super) fn is_wanted(&self, modseq: ModSeq) -> bool {
        self.changed_since.is_none_or(|since| modseq > since)
    }
}

/// How the messages fared.
#[derive(Default)]
struct Count {
    sent: u64,
    /// What was written is not there any more.
    damaged: u64,
    /// The disk did not give it now.
    unreadable: u64,
    /// Parts that nobody can decode.
    unknown_encoding: u64,
}

impl Session {
    pub(super) async fn fetch(&mut self, fetch: &Fetch, numbers: Numbers) -> Outcome {
        let has_qresync = self.enabled.qresync;
        let rights = self.rights_here()?;
        let selected = self.selected()?;
        let mailbox = selected.mailbox;
        if fetch.wants_vanished {
            let Some(since) = fetch.changed_since.filter(|_| has_qresync) else {
                return Err(Bad("VANISHED needs ENABLE QRESYNC and CHANGEDSINCE").into());
            };
            if numbers == Numbers::Sequence {
                return Err(Bad("VANISHED is for UID FETCH").into());
            }
            let highest = selected.view.uids().last().map(|uid| uid.0);
            self.say_vanished_since(ModSeq(since), &fetch.set.uids(highest)).await?;
        }
        let selected = self.selected()?;
        let target = selected.view.resolve(&fetch.set, numbers)?;
        let plan = Plan::new(
            fetch,
            numbers,
            // RFC 4314 §4: reading marks only for who may mark.
            selected.is_read_only || !rights.has(Rights::SEEN),
        );
        let view = selected.view.shared();
        self.is_condstore |= fetch.changed_since.is_some() || fetch.wants(&FetchItem::ModSeq);
        let mut sequence = Sequence::over(&view);
        let mut count = Count::default();
        let quick = Quick::of(&plan.items);
        for &(first, last) in target.ranges() {
            let mut from = first;
            if let Some(way) = quick {
                let range = (first, last);
                let (next, told) =
                    Box::pin(self.fetch_quick(mailbox, range, &plan, way, &mut sequence)).await?;
                from = next;
                count.sent += told;
            }
            while from <= last {
                let rows = self.store().rows(mailbox, Uid(from), Uid(last), SLICE)?;
                let Some(end) = rows.last().map(|row| row.uid.0) else { break };
                let is_full = rows.len() == SLICE;
                self.fetch_slice(mailbox, rows, &plan, &mut sequence, &mut count).await?;
                if !is_full {
                    break;
                }
                from = end.saturating_add(1);
                tokio::task::yield_now().await;
            }
        }
        if count.damaged > 0 {
            return Ok(Answer::No(CORRUPTION.into()));
        }
        if count.unreadable > 0 {
            return Ok(Answer::No(
                "[UNAVAILABLE] Some messages could not be read, try again later".into(),
            ));
        }
        if count.unknown_encoding > 0 {
            return Ok(Answer::No("[UNKNOWN-CTE] A part has an unknown encoding".into()));
        }
        // RFC 5530: gone, but the client may not hear of it in this command.
        if numbers == Numbers::Sequence && plan.changed_since.is_none() && count.sent < target.len()
        {
            return ok(GONE);
        }
        ok("FETCH completed")
    }

    /// What NOTIFY wants of the messages behind `last`, which are new (RFC 5465 §5.2).
    pub(super) async fn fetch_new(&mut self, last: Option<Uid>) -> Result<(), Fail> {
        let Some(items) = self.notify().map(|notify| notify.items.clone()) else { return Ok(()) };
        if items.is_empty() {
            return Ok(());
        }
        let first = last.map_or(1, |uid| uid.0.saturating_add(1));
        let set = SequenceSet::from(first);
        let fetch = Fetch { set, items, changed_since: None, wants_vanished: false };
        match self.fetch(&fetch, Numbers::Uid).await {
            Ok(_) | Err(Fail::Answer(_)) => Ok(()),
            Err(fail) => Err(fail),
        }
    }

    async fn fetch_slice(
        &mut self,
        mailbox: MailboxId,
        mut rows: Vec<Row>,
        plan: &Plan,
        sequence: &mut Sequence<'_>,
        count: &mut Count,
    ) -> Result<(), Fail> {
        rows.retain(|row| plan.is_wanted(row.modseq));
        let newly_seen = if plan.sets_seen {
            self.mark_seen(mailbox, &mut rows).await?
        } else {
            UidRanges::new()
        };
        for row in &rows {
            // What came after the view was taken has no number yet.
            let Some(seq) = sequence.of(row.uid) else { continue };
            let shows_flags = newly_seen.contains(row.uid);
            match Box::pin(self.fetch_row(seq, row, plan, shows_flags)).await? {
                Fetched::Sent => count.sent += 1,
                Fetched::Damaged => count.damaged += 1,
                Fetched::Unreadable => count.unreadable += 1,
                Fetched::UnknownEncoding => count.unknown_encoding += 1,
            }
            self.flush_if_full().await?;
        }
        Ok(())
    }

    /// Sets `\Seen` where it is missing; says where it was.
    async fn mark_seen(&mut self, mailbox: MailboxId, rows: &mut [Row]) -> Result<UidRanges, Fail> {
        let is_unseen = |row: &&Row| row.flags.system & Flags::SEEN == 0;
        let unseen: UidRanges = rows.iter().filter(is_unseen).map(|row| row.uid).collect();
        if unseen.is_empty() {
            return Ok(unseen);
        }
        let seen = Flags { system: Flags::SEEN, keywords: Vec::new() };
        let outcome =
            self.store().store_flags(mailbox, unseen.clone(), FlagOp::Add, seen, None).await?;
        for (uid, flags, modseq) in outcome.rows {
            if let Ok(at) = rows.binary_search_by_key(&uid, |row| row.uid)
                && let Some(row) = rows.get_mut(at)
            {
                row.flags = flags;
                row.modseq = modseq;
            }
            self.selected()?.told.push((uid, modseq));
        }
        Ok(unseen)
    }

    /// One `* n FETCH (…)`. Nothing is written of a message that cannot be read.
    async fn fetch_row(
        &mut self,
        seq: u32,
        row: &Row,
        plan: &Plan,
        shows_flags: bool,
    ) -> Result<Fetched, Fail> {
        let store = self.store();
        let prepared = match prepare(&store, row, plan) {
            Ok(Some(mut prepared)) => {
                self.measure_all(&store, row, &mut prepared).await.map(|()| prepared)
            }
            Ok(None) => return Ok(Fetched::UnknownEncoding),
            Err(err) => Err(err),
        };
        let Prepared { pieces, mut first } = match prepared {
            Ok(prepared) => prepared,
            Err(err) => {
                let session = self.conn.session();
                tracing::error!(session, uid = %row.uid, %err, "a message cannot be read");
                let is_damaged = matches!(err, StoreError::Damaged(_));
                return Ok(if is_damaged { Fetched::Damaged } else { Fetched::Unreadable });
            }
        };
        self.conn.write(format!("* {seq} FETCH (").as_bytes());
        for (n, (label, content)) in pieces.into_iter().enumerate() {
            if n > 0 {
                self.conn.write(b" ");
            }
            self.conn.write(&label);
            match content {
                Piece::Said => {}
                Piece::Binary(part, measure) => {
                    self.send_binary(&store, row, &part, measure).await?;
                }
                Piece::BinarySize(_, measure) => {
                    self.conn.write(format!(" {}", measure.len).as_bytes());
                }
                Piece::Section(Content::Nil) => self.conn.write(b" NIL"),
                Piece::Section(Content::Bytes(bytes)) => {
                    self.conn.write(format!(" {{{}}}\r\n", bytes.len()).as_bytes());
                    self.conn.write_content(&without_nul(bytes));
                    self.flush_if_full().await?;
                }
                Piece::Section(Content::Range { start, end }) => {
                    self.conn.write(format!(" {{{}}}\r\n", end - start).as_bytes());
                    let from = match first.take_if(|read| read.0 == n) {
                        Some((_, piece)) => {
                            let len = piece.len() as u64;
                            self.conn.write_content(&without_nul(piece));
                            self.flush_if_full().await?;
                            start + len
                        }
                        None => start,
                    };
                    self.send_range(&store, row, from, end).await?;
                }
            }
        }
        // RFC 9051 §6.4.5: setting \Seen by reading is told as a change of flags.
        if shows_flags && !plan.items.contains(&FetchItem::Flags) {
            let mut item = b" FLAGS ".to_vec();
            emit::push_flags(&mut item, &row.flags);
            self.conn.write(&item);
        }
        // RFC 7162 §3.2.4: and such a change names its UID and its modseq.
        if self.is_condstore && shows_flags {
            if !plan.items.contains(&FetchItem::Uid) {
                self.conn.write(format!(" UID {}", row.uid).as_bytes());
            }
            if !plan.items.contains(&FetchItem::ModSeq) {
                self.conn.write(format!(" MODSEQ ({})", row.modseq).as_bytes());
            }
        }
        self.conn.write(b")\r\n");
        Ok(Fetched::Sent)
    }

    /// Learns the sizes of decoded parts, which stand before them.
    async fn measure_all(
        &self,
        store: &Store,
        row: &Row,
        prepared: &mut Prepared,
    ) -> Result<(), StoreError> {
        for (_, piece) in &mut prepared.pieces {
            if let Piece::Binary(part, measure) | Piece::BinarySize(part, measure) = piece {
                *measure = self.measure(store, row, part).await?;
            }
        }
        Ok(())
    }

    /// Sends bytes of a message, one piece at a time.
    async fn send_range(
        &mut self,
        store: &Store,
        row: &Row,
        start: u64,
        end: u64,
    ) -> Result<(), Fail> {
        let mut at = start;
        while at < end {
            let piece = store.read(&row.blob, at, piece_len(at, end));
            let piece = match piece {
                Ok(piece) if !piece.is_empty() => piece,
                // The length is promised: there is no way back into the protocol.
                other => {
                    let session = self.conn.session();
                    tracing::error!(session, uid = %row.uid, err = ?other.err(), "a message ends early");
                    return Err(Fail::End);
                }
            };
            let len = piece.len();
            at += len as u64;
            self.conn.write_content(&without_nul(piece));
            self.flush_if_full().await?;
            if len == READ_MAX {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

/// NUL stands in no literal (RFC 9051 §9 `CHAR8`): 0x80 takes its place, so that lengths hold. Who wants the
/// bytes as they are asks for BINARY.
fn without_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if memchr::memchr(0, &bytes).is_some() {
        bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 0x80);
    }
    bytes
}

/// What stands behind a label.
enum Piece {
    /// Nothing: the value is in the label.
    Said,
    Section(Content),
    Binary(Encoded, Measure),
    BinarySize(Encoded, Measure),
}

/// How one message fared.
enum Fetched {
    Sent,
    Damaged,
    Unreadable,
    UnknownEncoding,
}

/// All items of a message.
struct Prepared {
    pieces: Vec<(Vec<u8>, Piece)>,
    /// The first bytes of the first range, with its place in `pieces`: a damaged message shows itself
    /// there, and the store unpacks it only once.
    first: Option<(usize, Vec<u8>)>,
}

/// What the row alone tells.
fn said_by_row(item: &FetchItem, row: &Row) -> Option<Vec<u8>> {
    Some(match item {
        FetchItem::EmailId => format!("EMAILID ({})", email_id(row.blob)).into_bytes(),
        // RFC 8474 §5.2: NIL where no thread is known.
        FetchItem::ThreadId => b"THREADID NIL".to_vec(),
        FetchItem::Uid
        | FetchItem::Size
        | FetchItem::ModSeq
        | FetchItem::InternalDate
        | FetchItem::SaveDate
        | FetchItem::Flags => {
            let mut text = Vec::with_capacity(48);
            quick::push_row(&mut text, item, row);
            text
        }
        _ => return None,
    })
}

/// Makes all items of a message ready, so that nothing is written of one that cannot be read. `None`: a part
/// has an encoding that nobody knows.
fn prepare(store: &Store, row: &Row, plan: &Plan) -> Result<Option<Prepared>, StoreError> {
    let mut structure = None;
    let mut texts = None;
    let mut first = None;
    let mut pieces = Vec::with_capacity(plan.items.len());
    for item in &plan.items {
        if let Some(text) = said_by_row(item, row) {
            pieces.push((text, Piece::Said));
            continue;
        }
        let text = match item {
            FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => {
                let texts = match &texts {
                    Some(texts) => texts,
                    None => texts.insert(store.imap_texts(&row.blob)?),
                };
                match item {
                    FetchItem::Envelope => [b"ENVELOPE ", texts.envelope.as_slice()].concat(),
                    FetchItem::Body => [b"BODY ", texts.body.as_slice()].concat(),
                    _ => [b"BODYSTRUCTURE ", texts.bodystructure.as_slice()].concat(),
                }
            }
            FetchItem::Binary(wanted) | FetchItem::BinarySize(wanted) => {
                let is_size = matches!(item, FetchItem::BinarySize(_));
                let piece = match binary::open(store, row, &mut structure, wanted)? {
                    Binary::UnknownEncoding => return Ok(None),
                    Binary::Nil => Piece::Section(Content::Nil),
                    Binary::Part(part) if is_size => Piece::BinarySize(part, Measure::default()),
                    Binary::Part(part) => Piece::Binary(part, Measure::default()),
                };
                pieces.push((wanted.label.clone().into_bytes(), piece));
                continue;
            }
            FetchItem::Preview => {
                let structure = match &structure {
                    Some(structure) => structure,
                    None => structure.insert(store.structure(&row.blob)?),
                };
                let mut text = b"PREVIEW ".to_vec();
                emit::push_string(&mut text, preview::make(store, row, structure)?.as_bytes());
                text
            }
            FetchItem::Section(wanted) => {
                let content = section::open(store, row, &mut structure, wanted)?;
                if let Content::Range { start, end } = &content
                    && first.is_none()
                    && *start < *end
                {
                    let piece = store.read(&row.blob, *start, piece_len(*start, *end))?;
                    first = Some((pieces.len(), piece));
                }
                pieces.push((wanted.label.clone().into_bytes(), Piece::Section(content)));
                continue;
            }
            _ => continue,
        };
        pieces.push((text, Piece::Said));
    }
    // Tells the numbers apart in answers that clients read by UID only.
    debug_assert!(plan.numbers == Numbers::Sequence || plan.items.contains(&FetchItem::Uid));
    Ok(Some(Prepared { pieces, first }))
}
