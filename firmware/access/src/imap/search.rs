//! SEARCH. RFC 9051 §6.4.4, RFC 4731 (ESEARCH), RFC 5032 (WITHIN), RFC 5182 (SEARCHRES), RFC 7162 §3.1.5.
//!
//! Keys that a row answers are asked first, then what the store keeps of a header, then messages are
//! read, each once for all texts. All of it runs in slices off the runtime's threads and ends when the
//! client goes.

pub(super) mod answer;
mod candidate;
mod index;
#[cfg(test)]
mod plain_tests;
pub(super) mod run;
mod test;

use std::sync::Arc;

use base::{Uid, UidRanges};
use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_2022_JP, ISO_8859_2, ISO_8859_5, ISO_8859_7,
    ISO_8859_15, KOI8_R, KOI8_U, SHIFT_JIS, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1251,
    WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
};

use self::run::{Found, Job};
use self::test::Test;
use super::parse::{Charset, Key, Numbers, Program, ReturnOption, Search};
use super::reply::{Answer, Fail, Outcome, ok};
use super::session::Session;
use super::view::Sequence;
use crate::search::needles::Needles;

/// What BADCHARSET names; any other that the WHATWG's list knows is taken too.
const CHARSETS: [&Encoding; 20] = [
    WINDOWS_1252,
    ISO_8859_15,
    ISO_8859_2,
    ISO_8859_5,
    ISO_8859_7,
    WINDOWS_1250,
    WINDOWS_1251,
    WINDOWS_1253,
    WINDOWS_1254,
    KOI8_R,
    KOI8_U,
    ISO_2022_JP,
    SHIFT_JIS,
    EUC_JP,
    EUC_KR,
    GBK,
    GB18030,
    BIG5,
    UTF_16BE,
    UTF_16LE,
];

fn bad_charset() -> Fail {
    let names: Vec<&str> = CHARSETS.iter().map(|charset| charset.name()).collect();
    let names = names.join(" ");
    let text =
        format!("[BADCHARSET (US-ASCII UTF-8 ISO-8859-1 {names})] This charset is not known");
    Fail::Answer(Answer::No(text.into()))
}

impl Program {
    /// RFC 7162 §3.1.5: MODSEQ among the keys turns CONDSTORE on, and answers carry it.
    pub(super) fn wants_modseq(&self) -> bool {
        self.key.any(&|key| matches!(key, Key::ModSeq(_)))
    }
}

impl Session {
    /// The messages of the selected mailbox that match.
    pub(super) async fn find(&mut self, program: Program) -> Result<Found, Fail> {
        if program.charset == Charset::Unknown {
            return Err(bad_charset());
        }
        self.is_condstore |= program.wants_modseq();
        let store = self.store();
        let now = self.conn.ctx().clock.now();
        let selected = self.selected()?;
        let mailbox = selected.mailbox;
        let mut needles = Needles::default();
        let test = Test::of(program.key, &selected.view, now, &mut needles);
        let among = test.narrow(selected.view.uids().clone());
        let job = Job { store, mailbox, test: Arc::new(test), needles: Arc::new(needles) };
        let view = selected.view.uids().clone();
        let by_index = index::is_worth_it(&job, &view);
        let found = self.while_here(run::find(job, among, by_index)).await?;
        if by_index {
            let ctx = self.conn.ctx();
            index::keep_up(ctx.store.clone(), mailbox, view, ctx.shutdown.clone());
        }
        Ok(found)
    }

    /// Does long work for the client as long as there is one.
    pub(super) async fn while_here<T>(
        &mut self,
        work: impl Future<Output = Result<T, Fail>>,
    ) -> Result<T, Fail> {
        let mut work = Box::pin(work);
        tokio::select! {
            biased;
            done = &mut work => done,
            gone = self.conn.gone() => Err(Fail::Conn(gone)),
        }
    }

    /// UIDs of the view as the client counts them, ascending.
    pub(super) fn numbered(
        &mut self,
        uids: &UidRanges,
        numbers: Numbers,
    ) -> Result<UidRanges, Fail> {
        if numbers == Numbers::Uid {
            return Ok(uids.clone());
        }
        let mut sequence = Sequence::over(self.selected()?.view.uids());
        Ok(uids.iter().filter_map(|uid| sequence.of(uid)).map(Uid).collect())
    }

    pub(super) async fn search(&mut self, tag: &str, search: Search, numbers: Numbers) -> Outcome {
        let Search { returns, program, names_charset } = search;
        // RFC 6855 §3: all texts are UTF-8, and a label is a conflict.
        if names_charset && self.enabled.utf8 {
            return Err(Fail::Answer(Answer::Bad("CHARSET is over with UTF8=ACCEPT".into())));
        }
        // RFC 9051 §6.4.4: IMAP4rev2 knows no SEARCH response.
        let returns = returns.or_else(|| self.enabled.rev2.then(|| vec![ReturnOption::All]));
        let wants_modseq = program.wants_modseq();
        let saves = returns.as_ref().is_some_and(|r| r.contains(&ReturnOption::Save));
        if saves {
            // RFC 5182 §2.1: a SEARCH that ends in NO leaves nothing saved.
            self.selected()?.view.save(UidRanges::new());
        }
        let found = self.find(program).await?;
        let numbered = self.numbered(&found.uids, numbers)?;
        let Some(returns) = returns else {
            let modseq = wants_modseq.then_some(found.highest_modseq);
            let list = numbered.iter().map(|number| number.0);
            self.write_numbers("SEARCH", list, modseq).await?;
            return ok("SEARCH completed");
        };
        let modseq = wants_modseq.then(|| answer::modseq(&found, &returns));
        let ends = numbered.first().zip(numbered.last()).map(|(first, last)| (first.0, last.0));
        let all =
            if returns.contains(&ReturnOption::All) { numbered.to_string() } else { String::new() };
        let line = answer::esearch(tag, numbers, &returns, (numbered.len(), ends, &all), modseq);
        self.conn.write(line.as_bytes());
        if saves {
            let saved = answer::saved(&found.uids, &returns);
            self.selected()?.view.save(saved);
            return ok("SEARCH completed, result saved");
        }
        ok("SEARCH completed")
    }

    /// `* SEARCH 2 84 882 (MODSEQ 917162500)`
    pub(super) async fn write_numbers(
        &mut self,
        word: &str,
        numbers: impl Iterator<Item = u32>,
        modseq: Option<base::ModSeq>,
    ) -> Result<(), Fail> {
        self.conn.write(format!("* {word}").as_bytes());
        let mut is_empty = true;
        for number in numbers {
            is_empty = false;
            self.conn.write(format!(" {number}").as_bytes());
            self.flush_if_full().await?;
        }
        // RFC 7162 §3.1.6: not with an empty result.
        if let Some(modseq) = modseq
            && !is_empty
        {
            self.conn.write(format!(" (MODSEQ {modseq})").as_bytes());
        }
        self.conn.write(b"\r\n");
        Ok(())
    }
}
