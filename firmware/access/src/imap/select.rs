//! SELECT, EXAMINE, CLOSE and UNSELECT. RFC 9051 §6.3.2, §6.3.3, §6.4.1 and §6.4.2, RFC 7162 §3.1.8.

use base::Uid;
use store::{Flags, Mailbox, Store};

use super::names;
use super::reply::{Answer, Fail, Outcome, bad_name, no_mailbox, ok};
use super::session::{Selected, Session};
use super::view::View;

/// Told in FLAGS beside the system flags: clients show these keywords, any other may be set too.
const KEYWORDS: &str = "$Forwarded $MDNSent $Junk $NotJunk $Phishing $Important";
const SYSTEM: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
/// How far the first unseen message is looked for; beyond it UNSEEN is left out (RFC 3501 §6.3.1).
const UNSEEN_LOOK_MAX: usize = 20_000;
const SLICE: usize = 500;

impl Session {
    /// SELECT and EXAMINE.
    pub(super) async fn select(
        &mut self,
        mailbox: &[u8],
        is_read_only: bool,
        wants_condstore: bool,
    ) -> Outcome {
        // RFC 9051 §6.3.2: also a failed SELECT leaves no mailbox selected.
        let before = self.selected.take();
        let store = self.store();
        let account = self.account()?;
        let name = names::decode(mailbox).ok_or_else(bad_name)?;
        let mailbox = store.mailbox_by_name(account, &name)?.ok_or_else(no_mailbox)?;
        // The modseq is older than the list: what comes between them is told again, never lost.
        let view = View::new(store.uids(mailbox.id)?, mailbox.highest_modseq);
        let unseen = first_unseen(&store, &mailbox, &view).await?;
        self.is_condstore |= wants_condstore;
        if before.is_some() {
            // RFC 7162 §3.2.11, RFC 9051 §7.1.
            self.say(format_args!("OK [CLOSED] The previous mailbox is closed"));
        }
        self.say(format_args!("FLAGS ({SYSTEM} {KEYWORDS})"));
        self.say(format_args!("{} EXISTS", view.exists()));
        self.say(format_args!("0 RECENT"));
        if let Some(seq) = unseen {
            self.say(format_args!("OK [UNSEEN {seq}] The first unseen message"));
        }
        self.say(format_args!("OK [UIDVALIDITY {}] UIDs are valid", mailbox.uid_validity));
        self.say(format_args!("OK [UIDNEXT {}] The next UID", mailbox.uid_next));
        self.say(format_args!("OK [HIGHESTMODSEQ {}] The highest modseq", mailbox.highest_modseq));
        let permanent =
            if is_read_only { String::new() } else { format!("{SYSTEM} {KEYWORDS} \\*") };
        self.say(format_args!("OK [PERMANENTFLAGS ({permanent})] Flags that stay"));
        let selected = Selected { mailbox: mailbox.id, view, is_read_only, told: Vec::new() };
        self.selected = Some(Box::new(selected));
        if is_read_only {
            ok("[READ-ONLY] EXAMINE completed")
        } else {
            ok("[READ-WRITE] SELECT completed")
        }
    }

    /// CLOSE: expunges without a word.
    pub(super) async fn close(&mut self) -> Outcome {
        let selected = self.selected()?;
        let (mailbox, is_read_only) = (selected.mailbox, selected.is_read_only);
        self.selected = None;
        if !is_read_only {
            self.store().expunge(mailbox, None).await?;
        }
        ok("CLOSE completed")
    }

    /// UNSELECT.
    pub(super) fn unselect(&mut self) -> Outcome {
        self.selected = None;
        Ok(Answer::Ok("UNSELECT completed".into()))
    }
}

/// The sequence number of the first message without `\Seen`.
async fn first_unseen(store: &Store, mailbox: &Mailbox, view: &View) -> Result<Option<u32>, Fail> {
    let (Some(mut from), Some(last)) = (view.uids().first(), view.uids().last()) else {
        return Ok(None);
    };
    if mailbox.unseen == 0 {
        return Ok(None);
    }
    let mut looked = 0;
    while looked < UNSEEN_LOOK_MAX {
        let rows = store.rows(mailbox.id, from, last, SLICE)?;
        if let Some(row) = rows.iter().find(|row| row.flags.system & Flags::SEEN == 0) {
            return Ok(view.sequence().of(row.uid));
        }
        match rows.last() {
            Some(row) if rows.len() == SLICE => from = Uid(row.uid.0.saturating_add(1)),
            _ => break,
        }
        looked += rows.len();
        tokio::task::yield_now().await;
    }
    Ok(None)
}
