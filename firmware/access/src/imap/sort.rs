//! SORT. RFC 5256 §3, RFC 5957 (SORT=DISPLAY), RFC 5267 §3 (ESORT).
//!
//! What is sorted by comes from rows and stored header fields; no message is opened.

use base::{MailboxId, Uid, UidRanges};
use message::MailHeader;
use store::{Row, Store, StoreError};

use super::parse::{Numbers, ReturnOption, Sort, SortCriterion, SortKey};
use super::reply::{Fail, Outcome, no, ok};
use super::search::answer::esearch;
use super::search::run::for_rows;
use super::session::Session;
use super::view::Counted;
use crate::search::pool::{self, Slice};
use crate::search::sorting::{KeyBytes, SortKeys, TooMany, display_text, mailbox_text, sent_secs};
use crate::search::subject::base_subject;

/// Rows at once.
const AT_ONCE: usize = 100;

/// Who reads the header fields of many messages.
pub(super) trait Collect: Send + 'static {
    /// False if rows are all that is needed.
    fn wants_mail(&self) -> bool {
        true
    }
    /// Takes a message; they come by ascending UID.
    fn take(&mut self, row: &Row, mail: &MailHeader) -> Result<(), TooMany>;
}

/// Why collecting ended early.
enum Stop {
    Store(StoreError),
    TooMany,
}

fn collect_slice(
    (store, mailbox): (&Store, MailboxId),
    uids: &UidRanges,
    from: Uid,
    slice: &Slice,
    into: &mut impl Collect,
) -> Result<Option<Uid>, Stop> {
    let mut stop = None;
    let mut reading = store.reading().map_err(Stop::Store)?;
    let next = for_rows(&mut reading, mailbox, uids, from, AT_ONCE, slice, &mut |reading, row| {
        let mail = if into.wants_mail() {
            // One message that cannot be read is not the end of the others.
            reading.mail_header(row.blob).unwrap_or_else(|err| {
                tracing::error!(uid = %row.uid, %err, "a message cannot be sorted");
                MailHeader::default()
            })
        } else {
            MailHeader::default()
        };
        if into.take(row, &mail).is_err() {
            stop = Some(Stop::TooMany);
        }
    });
    match stop {
        Some(stop) => Err(stop),
        None => next.map_err(Stop::Store),
    }
}

/// Reads the messages slice by slice.
async fn collect<C: Collect>(
    store: Store,
    mailbox: MailboxId,
    uids: UidRanges,
    mut into: C,
) -> Result<C, Fail> {
    let uids = std::sync::Arc::new(uids);
    let mut from = uids.first();
    while let Some(start) = from {
        let (store, uids) = (store.clone(), std::sync::Arc::clone(&uids));
        let work = move |slice: &Slice| {
            let next = collect_slice((&store, mailbox), &uids, start, slice, &mut into);
            (next, into)
        };
        let (next, back) = pool::run(work).await?;
        into = back;
        from = match next {
            Ok(next) => next,
            Err(Stop::Store(err)) => return Err(err.into()),
            Err(Stop::TooMany) => return Err(no("[LIMIT] Too many messages to sort")),
        };
    }
    Ok(into)
}

/// Makes the sort keys of messages.
struct Sorter {
    criteria: Vec<SortCriterion>,
    keys: SortKeys,
    key: KeyBytes,
}

impl Collect for Sorter {
    fn wants_mail(&self) -> bool {
        !self.criteria.iter().all(|c| matches!(c.key, SortKey::Arrival | SortKey::Size))
    }

    fn take(&mut self, row: &Row, mail: &MailHeader) -> Result<(), TooMany> {
        let key = &mut self.key;
        for &SortCriterion { key: by, is_reverse } in &self.criteria {
            match by {
                SortKey::Arrival => key.time(row.internal_date.0, is_reverse),
                SortKey::Size => key.number(row.size, is_reverse),
                SortKey::Date => {
                    key.time(sent_secs(mail, row.internal_date.secs()), is_reverse);
                }
                SortKey::Subject => {
                    let subject = mail.subject.as_deref().unwrap_or_default();
                    key.text(&base_subject(subject).text, is_reverse);
                }
                SortKey::Cc => key.text(&mailbox_text(&mail.cc), is_reverse),
                SortKey::From => key.text(&mailbox_text(&mail.from), is_reverse),
                SortKey::To => key.text(&mailbox_text(&mail.to), is_reverse),
                SortKey::DisplayFrom => key.text(&display_text(&mail.from), is_reverse),
                SortKey::DisplayTo => key.text(&display_text(&mail.to), is_reverse),
            }
        }
        self.keys.add(row.uid.0, key)
    }
}

/// UIDs in any order as RFC 5267's `sequence-set` in that order: `5,3,1:2`.
fn ordered_set(numbers: &[u32]) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let run = rest.iter().zip(first..=u32::MAX).take_while(|(number, next)| *number == next);
        let run = run.count();
        let comma = if text.is_empty() { "" } else { "," };
        let last = first + u32::try_from(run - 1).unwrap_or(0);
        if run > 2 {
            text.push_str(&format!("{comma}{first}:{last}"));
        } else {
            text.push_str(&format!("{comma}{first}"));
        }
        rest = rest.get(if run > 2 { run } else { 1 }..).unwrap_or_default();
    }
    text
}

impl Session {
    /// Reads the header fields of messages of the selected mailbox.
    pub(super) async fn collect<C: Collect>(
        &mut self,
        uids: UidRanges,
        into: C,
    ) -> Result<C, Fail> {
        let store = self.store();
        let mailbox = self.selected()?.mailbox;
        self.while_here(collect(store, mailbox, uids, into)).await
    }

    pub(super) async fn sort(&mut self, tag: &str, sort: Sort, numbers: Numbers) -> Outcome {
        let Sort { returns, criteria, program } = sort;
        let wants_modseq = program.wants_modseq();
        let saves = returns.as_ref().is_some_and(|r| r.contains(&ReturnOption::Save));
        if saves {
            self.selected()?.view.save(UidRanges::new());
        }
        let found = Box::pin(self.find(program)).await?;
        let sorter = Sorter { criteria, keys: SortKeys::default(), key: KeyBytes::default() };
        let sorter = Box::pin(self.collect(found.uids.clone(), sorter)).await?;
        let sorting = async { Ok(pool::run(move |_| sorter.keys.sorted()).await?) };
        let mut order = self.while_here(sorting).await?;
        if numbers == Numbers::Sequence {
            let counted = Counted::over(self.selected()?.view.uids());
            for number in &mut order {
                *number = counted.of(Uid(*number)).unwrap_or_default();
            }
        }
        let modseq = wants_modseq.then_some(found.highest_modseq);
        let Some(returns) = returns else {
            self.write_numbers("SORT", order.into_iter(), modseq).await?;
            return ok("SORT completed");
        };
        let ends = order.first().copied().zip(order.last().copied());
        let all =
            if returns.contains(&ReturnOption::All) { ordered_set(&order) } else { String::new() };
        let line = esearch(tag, numbers, &returns, (order.len() as u64, ends, &all), modseq);
        self.conn.write(line.as_bytes());
        if saves {
            self.selected()?.view.save(found.uids);
        }
        ok("SORT completed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_keep_their_order() {
        for (numbers, want) in [
            (&[][..], ""),
            (&[5, 3, 4, 1, 2], "5,3,4,1,2"),
            (&[7, 1, 2, 3, 9], "7,1:3,9"),
            (&[u32::MAX], "4294967295"),
        ] {
            assert_eq!(ordered_set(numbers), want);
        }
    }
}
