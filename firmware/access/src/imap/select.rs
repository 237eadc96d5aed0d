//! SELECT, EXAMINE, CLOSE and UNSELECT. RFC 9051 §6.3.2, §6.3.3, §6.4.1 and §6.4.2, RFC 7162 §3.1.8 and
//! §3.2.5.

use std::hash::{DefaultHasher, Hash, Hasher};

use base::MailboxId;
use store::{Found, Mailbox, Rights, Store, StoreError};

use super::emit::SYSTEM_FLAGS;
use super::objectid::mailbox_id;
use super::parse::{Bad, Select};
use super::reply::{Answer, Fail, Outcome, no, ok};
use super::rights::CHANGES;
use super::session::{Selected, Session};
use super::view::View;

/// Told in FLAGS beside the system flags and the mailbox's own keywords: clients look for them there. Any
/// other may be set too.
const KEYWORDS: [&str; 6] =
    ["$Forwarded", "$MDNSent", "$Junk", "$NotJunk", "$Phishing", "$Important"];
const SYSTEM: &str = "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
/// Keywords that a mailbox can have; where it has them all no other can be set.
const KEYWORDS_MAX: usize = store::KEYWORDS_MAX;
/// A mailbox above this size is looked through away from the runtime's threads.
const AT_ONCE_MAX: u32 = 20_000;

/// The flags of a mailbox, and whether a new keyword can be made there.
fn flags_of(own: &[String]) -> (String, bool) {
    let mut flags = SYSTEM.to_owned();
    let is_own = |word: &str| own.iter().any(|keyword| keyword.eq_ignore_ascii_case(word));
    let has_room = own.len() < KEYWORDS_MAX;
    let usual = KEYWORDS.iter().copied().filter(|word| has_room && !is_own(word));
    for keyword in usual.chain(own.iter().map(String::as_str)) {
        flags.push(' ');
        flags.push_str(keyword);
    }
    (flags, has_room)
}

fn hash_of(keywords: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    keywords.hash(&mut hasher);
    hasher.finish()
}

impl Session {
    /// SELECT and EXAMINE.
    pub(super) async fn select(&mut self, select: Select) -> Outcome {
        let Select { mailbox, is_read_only, wants_condstore, resync } = select;
        if resync.is_some() && !self.enabled.qresync {
            return Err(Bad("QRESYNC needs ENABLE QRESYNC").into());
        }
        // RFC 9051 §6.3.2: also a failed SELECT leaves no mailbox selected.
        if self.selected.take().is_some() {
            // RFC 7162 §3.2.11, RFC 9051 §7.1.
            self.say(format_args!("OK [CLOSED] The previous mailbox is closed"));
        }
        let store = self.store();
        let account = self.account()?;
        let Found { mailbox, name, rights } = self.open(&mailbox, Rights::READ)?;
        let is_read_only = is_read_only || !rights.has_any(CHANGES);
        // The modseq is older than the list: what comes between them is told again, never lost.
        let mut view = View::new(store.uids(mailbox.id)?, mailbox.highest_modseq);
        view.share(&store, mailbox.id);
        let unseen = match self.enabled.rev2 {
            true => None,
            false => first_unseen(&store, &mailbox, &view).await?,
        };
        let keywords = store.keywords(mailbox.id)?;
        self.is_condstore |= wants_condstore;
        self.knows_modseq |= self.is_condstore;
        self.say(format_args!("FLAGS ({})", flags_of(&keywords).0));
        self.say(format_args!("{} EXISTS", view.exists()));
        if self.enabled.rev2 {
            // RFC 9051 §6.3.2: LIST in the place of RECENT and UNSEEN.
            let mut line = b"* LIST () \"/\" ".to_vec();
            self.push_name(&mut line, &name);
            line.extend_from_slice(b"\r\n");
            self.conn.write(&line);
        } else {
            self.say(format_args!("0 RECENT"));
        }
        if let Some(seq) = unseen {
            self.say(format_args!("OK [UNSEEN {seq}] The first unseen message"));
        }
        self.say(format_args!("OK [UIDVALIDITY {}] UIDs are valid", mailbox.uid_validity));
        self.say(format_args!("OK [UIDNEXT {}] The next UID", mailbox.uid_next));
        self.say(format_args!("OK [HIGHESTMODSEQ {}] The highest modseq", mailbox.highest_modseq));
        // RFC 8474 §4.2.
        self.say(format_args!("OK [MAILBOXID ({})] The mailbox's id", mailbox_id(mailbox.id)));
        self.say_permanent_flags(&keywords, is_read_only, rights);
        let selected = Selected {
            mailbox: mailbox.id,
            view,
            is_read_only,
            is_foreign: mailbox.account != account,
            rights,
            told: Vec::new(),
            keywords: hash_of(&keywords),
        };
        self.selected = Some(Box::new(selected));
        if let Some(resync) = resync.filter(|r| r.uid_validity == mailbox.uid_validity.0) {
            self.resync(mailbox.id, &resync).await?;
        }
        if is_read_only {
            ok("[READ-ONLY] The mailbox is open for reading")
        } else {
            ok("[READ-WRITE] The mailbox is open")
        }
    }

    /// What may be changed here and stays. RFC 9051 §7.1, RFC 4314 §5.1.1.
    pub(super) fn say_permanent_flags(
        &mut self,
        keywords: &[String],
        is_read_only: bool,
        rights: Rights,
    ) {
        let (system, may_keywords) = if is_read_only { (0, false) } else { rights.flags() };
        let permanent = match flags_of(keywords) {
            (flags, has_room) if may_keywords => {
                let star = if has_room { " \\*" } else { "" };
                let is_allowed = |flag: &&str| {
                    SYSTEM_FLAGS
                        .iter()
                        .find(|known| known.1 == *flag)
                        .is_none_or(|known| system & known.0 != 0)
                };
                let allowed: Vec<&str> = flags.split(' ').filter(is_allowed).collect();
                allowed.join(" ") + star
            }
            _ => {
                let allowed = SYSTEM_FLAGS.iter().filter(|known| system & known.0 != 0);
                allowed.map(|known| known.1).collect::<Vec<_>>().join(" ")
            }
        };
        self.say(format_args!("OK [PERMANENTFLAGS ({permanent})] Flags that stay"));
    }

    /// FLAGS again, if keywords came or went since it was told (RFC 9051 §7.3.5).
    pub(super) fn tell_keywords(&mut self) {
        let store = self.store();
        let Some(selected) = self.selected.as_deref_mut() else { return };
        // A mailbox that is gone says so elsewhere.
        let Ok(keywords) = store.keywords(selected.mailbox) else { return };
        let (hash, is_read_only) = (hash_of(&keywords), selected.is_read_only);
        let rights = selected.rights;
        if std::mem::replace(&mut selected.keywords, hash) != hash {
            self.say(format_args!("FLAGS ({})", flags_of(&keywords).0));
            self.say_permanent_flags(&keywords, is_read_only, rights);
        }
    }

    /// CLOSE: expunges without a word. No HIGHESTMODSEQ: RFC 7162 §3.2.8.
    pub(super) async fn close(&mut self) -> Outcome {
        // RFC 4314 §4: without the right to expunge CLOSE only closes.
        let may_expunge = self.rights_here()?.has(Rights::EXPUNGE);
        let selected = self.selected()?;
        let (mailbox, is_read_only) = (selected.mailbox, selected.is_read_only);
        self.selected = None;
        if may_expunge && !is_read_only {
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
    if mailbox.unseen == 0 {
        return Ok(None);
    }
    let uid = if mailbox.exists > AT_ONCE_MAX {
        look_away(store.clone(), mailbox.id).await?
    } else {
        store.first_unseen(mailbox.id)?
    };
    Ok(uid.and_then(|uid| view.sequence().of(uid)))
}

async fn look_away(store: Store, mailbox: MailboxId) -> Result<Option<base::Uid>, Fail> {
    let looking: Result<Result<_, StoreError>, _> =
        tokio::task::spawn_blocking(move || store.first_unseen(mailbox)).await;
    Ok(looking.map_err(|_| no("[SERVERBUG] Internal error"))??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_name_the_keywords_of_the_mailbox() {
        let (flags, has_room) = flags_of(&["$junk".to_owned(), "Rot".to_owned()]);
        assert!(has_room && flags.ends_with(" $Important $junk Rot"), "{flags}");
        assert!(!flags.contains("$Junk"));
        let many: Vec<String> = (0..KEYWORDS_MAX).map(|n| format!("k{n}")).collect();
        let (flags, has_room) = flags_of(&many);
        assert!(!has_room && !flags.contains("$Forwarded") && flags.ends_with(" k63"));
    }
}
