//! LIST, LSUB and XLIST. RFC 9051 §6.3.9, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3348.
//!
//! All three show the special uses and the children: Outlook 2013 looks for special uses in LSUB.
//! Every mailbox can be selected. `\Noselect` stands in the answer to `LIST "" ""`, and at the names above
//! mailboxes of others that are none themselves (`Shared`, `Shared/anna`), which cannot be left out.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, MailboxId};
use store::{Mailbox, Rights, SpecialUse, Store};

use super::metadata::{shows_annotations, told};
use super::names::Pattern;
use super::parse::{List, ListKind};
use super::reply::{Outcome, ok};
use super::session::Session;

/// What an account sees.
struct Names {
    mailboxes: BTreeMap<String, Mailbox>,
    /// Rights in the mailboxes of others.
    rights: BTreeMap<MailboxId, Rights>,
    /// Names above mailboxes of others that are no mailboxes the account may see.
    levels: BTreeSet<String>,
    subscribed: BTreeSet<String>,
}

/// One line of the answer.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    attributes: Vec<&'static str>,
    /// RFC 5258 §3.5: a subscribed mailbox stands below.
    has_child_info: bool,
}

fn special_use(use_: SpecialUse, kind: ListKind) -> &'static str {
    match use_ {
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
        // XLIST knew it by the name that Gmail gave it.
        SpecialUse::Junk if kind == ListKind::Xlist => "\\Spam",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Archive => "\\Archive",
    }
}

/// All names above those of `names`: each is looked at once, however many parents are asked about.
fn parents_of<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    let above = |name: &'a String| {
        name.match_indices('/').filter_map(move |(at, _)| name.get(..at)).collect::<Vec<_>>()
    };
    names.flat_map(above).collect()
}

impl Names {
    /// The mailboxes of others are looked up only where a pattern may mean them.
    fn load(
        store: &Store,
        account: AccountId,
        patterns: &[Pattern],
    ) -> Result<Self, store::StoreError> {
        let mut mailboxes: BTreeMap<String, Mailbox> =
            store.mailboxes(account)?.into_iter().map(|m| (m.name.clone(), m)).collect();
        let mut rights = BTreeMap::new();
        let mut levels = BTreeSet::new();
        let is_foreign = |pattern: &Pattern| {
            ["Shared", "Public"].iter().any(|space| pattern.may_begin_with(space))
        };
        if patterns.iter().any(is_foreign) {
            let shown = store.shown_mailboxes(account)?;
            let above = parents_of(shown.iter().map(|found| &found.name));
            levels = above.into_iter().map(str::to_owned).collect();
            for found in shown {
                rights.insert(found.mailbox.id, found.rights);
                // A mailbox of one's own from before the name was reserved goes first.
                mailboxes.entry(found.name).or_insert(found.mailbox);
            }
            levels.retain(|name| !mailboxes.contains_key(name));
        }
        let subscribed = store.subscriptions(account)?.into_iter().collect();
        Ok(Self { mailboxes, rights, levels, subscribed })
    }

    fn has_children(&self, name: &str) -> bool {
        let below = format!("{name}/");
        let mut behind = self.mailboxes.range(below.clone()..);
        behind.next().is_some_and(|(next, _)| next.starts_with(&below))
    }

    fn attributes(&self, name: &str, list: &List) -> Vec<&'static str> {
        let mut attributes = Vec::new();
        let mailbox = self.mailboxes.get(name);
        if mailbox.is_none() {
            // RFC 5258 §3.4: \NonExistent says \NoSelect too, to those who know it.
            if self.levels.contains(name) {
                attributes.push("\\Noselect");
            }
            attributes.push("\\NonExistent");
        }
        attributes.push(if self.has_children(name) { "\\HasChildren" } else { "\\HasNoChildren" });
        if list.kind == ListKind::Xlist && name == "INBOX" {
            attributes.push("\\Inbox");
        }
        if let Some(use_) = mailbox.and_then(|mailbox| mailbox.special_use) {
            attributes.push(special_use(use_, list.kind));
        }
        if list.shows_subscribed && self.subscribed.contains(name) {
            attributes.push("\\Subscribed");
        }
        attributes
    }

    /// True if the selection options (RFC 5258 §3.1) want the name.
    fn is_selected(&self, name: &str, list: &List) -> bool {
        let mailbox = self.mailboxes.get(name);
        let is_subscribed = self.subscribed.contains(name);
        if list.kind == ListKind::Lsub {
            // A subscription that outlived its mailbox is not told: Outlook would show a folder that
            // it cannot open.
            return is_subscribed && mailbox.is_some();
        }
        (!list.only_subscribed || is_subscribed)
            && (!list.only_special_use || mailbox.is_some_and(|m| m.special_use.is_some()))
    }

    /// All names, INBOX first; `parents` of what is gone too.
    fn in_order<'a>(&'a self, list: &List, parents: &BTreeSet<&'a str>) -> Vec<&'a str> {
        let there = self.mailboxes.keys().chain(&self.levels).map(String::as_str);
        let mut names: BTreeSet<&str> = there.chain(parents.iter().copied()).collect();
        if list.only_subscribed {
            names.extend(self.subscribed.iter().map(String::as_str));
        }
        let mut names: Vec<&str> = names.into_iter().collect();
        names.sort_by_key(|name| (*name != "INBOX", *name));
        names
    }

    fn entries(&self, list: &List, patterns: &[Pattern]) -> Vec<Entry> {
        let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let mut entries = Vec::new();
        // RFC 5258 §3.5: CHILDINFO goes to every parent of what is selected; who is not selected himself is
        // told only for children that the patterns leave out.
        let (mut all_parents, mut hidden_parents) = (BTreeSet::new(), BTreeSet::new());
        if list.is_recursive && list.only_subscribed {
            all_parents = parents_of(self.subscribed.iter());
            hidden_parents = parents_of(self.subscribed.iter().filter(|name| !matches(name)));
        }
        let names = self.in_order(list, &hidden_parents);
        for name in names.into_iter().filter(|name| matches(name)) {
            if self.is_selected(name, list) || hidden_parents.contains(name) {
                let attributes = self.attributes(name, list);
                let has_child_info = all_parents.contains(name);
                entries.push(Entry { name: name.to_owned(), attributes, has_child_info });
            }
        }
        if list.kind == ListKind::Lsub {
            self.add_parents(list, patterns, &mut entries);
        }
        entries
    }

    /// RFC 3501 §6.3.9: LSUB with `%` tells a parent that is not subscribed if a mailbox below it is.
    /// It exists here, so it is told as what it is.
    fn add_parents(&self, list: &List, patterns: &[Pattern], entries: &mut Vec<Entry>) {
        let listed: BTreeSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let hidden = self
            .subscribed
            .iter()
            .filter(|below| self.mailboxes.contains_key(*below) && !matches(below));
        let parents = parents_of(hidden);
        let is_new = |name: &&String| parents.contains(name.as_str()) && !listed.contains(*name);
        for name in
            self.mailboxes.keys().chain(&self.levels).filter(is_new).filter(|name| matches(name))
        {
            let attributes = self.attributes(name, list);
            entries.push(Entry { name: name.clone(), attributes, has_child_info: false });
        }
    }
}

impl Session {
    pub(super) async fn list(&mut self, account: AccountId, list: &List) -> Outcome {
        let (word, done) = match list.kind {
            ListKind::List => ("LIST", "LIST completed"),
            ListKind::Lsub => ("LSUB", "LSUB completed"),
            ListKind::Xlist => ("XLIST", "XLIST completed"),
        };
        // RFC 9051 §6.3.9: an empty pattern asks for the delimiter and the root of the reference.
        if !list.is_extended && matches!(list.patterns.as_slice(), [only] if only.is_empty()) {
            self.say(format_args!("{word} (\\Noselect) \"/\" \"\""));
            return ok(done);
        }
        let patterns: Vec<Pattern> = list
            .patterns
            .iter()
            .filter_map(|pattern| self.pattern(&list.reference, pattern))
            .filter(|pattern| !pattern.is_empty())
            .collect();
        let store = self.store();
        let names = Names::load(&store, account, &patterns)?;
        let mut longest = None;
        for entry in names.entries(list, &patterns) {
            let mut line = format!("* {word} ({}) \"/\" ", entry.attributes.join(" ")).into_bytes();
            self.push_name(&mut line, &entry.name);
            if entry.has_child_info {
                line.extend_from_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
            }
            line.extend_from_slice(b"\r\n");
            self.conn.write(&line);
            // RFC 5819 §2: no STATUS of what does not exist.
            if let Some(mailbox) = names.mailboxes.get(&entry.name) {
                let rights = match names.rights.get(&mailbox.id) {
                    Some(rights) => *rights,
                    None if list.shows_rights => store.rights(account, mailbox.id)?,
                    None => Rights::ALL,
                };
                // RFC 8440 §4.
                if list.shows_rights {
                    self.write_my_rights(&entry.name, rights);
                }
                if let Some(query) = &list.metadata
                    && shows_annotations(rights)
                {
                    let entries = self.mailbox_annotations(account, mailbox)?;
                    longest = longest.max(self.write_metadata(&entry.name, &entries, query));
                }
                if let Some(items) = &list.status
                    && rights.has(Rights::READ)
                {
                    self.write_status(&entry.name, mailbox, items);
                }
            }
            self.flush_if_full().await?;
        }
        told(longest, done)
    }
}

#[cfg(test)]
mod tests {
    use base::{ModSeq, Uid, UidValidity};

    use super::super::parse::{Command, command};
    use super::*;

    fn names(mailboxes: &[(&str, Option<SpecialUse>)], subscribed: &[&str]) -> Names {
        let mailbox = |(name, special_use): &(&str, Option<SpecialUse>)| {
            let mailbox = Mailbox {
                id: MailboxId(1),
                account: AccountId(1),
                name: (*name).to_owned(),
                special_use: *special_use,
                subscribed: false,
                uid_validity: UidValidity(1),
                uid_next: Uid(1),
                highest_modseq: ModSeq(1),
                exists: 0,
                unseen: 0,
                deleted: 0,
                bytes: 0,
            };
            ((*name).to_owned(), mailbox)
        };
        Names {
            mailboxes: mailboxes.iter().map(mailbox).collect(),
            rights: BTreeMap::new(),
            levels: BTreeSet::new(),
            subscribed: subscribed.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn told(names: &Names, text: &str) -> Vec<String> {
        let line = format!("a {text}\r\n");
        let Ok(Command::List(list)) = command(line.as_bytes()).map(|tagged| tagged.command) else {
            panic!("{text}")
        };
        let patterns: Vec<Pattern> =
            list.patterns.iter().filter_map(|p| Pattern::new(&list.reference, p)).collect();
        let tell = |entry: Entry| {
            let info = if entry.has_child_info { " +" } else { "" };
            format!("{} {}{info}", entry.name, entry.attributes.join(" "))
        };
        names.entries(&list, &patterns).into_iter().map(tell).collect()
    }

    #[test]
    fn every_command_shows_special_uses_and_children() {
        let names = names(
            &[("A", None), ("A/b", None), ("INBOX", None), ("Junk", Some(SpecialUse::Junk))],
            &["INBOX", "Junk", "A/b", "gone"],
        );
        assert_eq!(
            told(&names, "LIST \"\" *"),
            [
                "INBOX \\HasNoChildren",
                "A \\HasChildren",
                "A/b \\HasNoChildren",
                "Junk \\HasNoChildren \\Junk"
            ]
        );
        assert_eq!(
            told(&names, "LSUB \"\" *"),
            ["INBOX \\HasNoChildren", "A/b \\HasNoChildren", "Junk \\HasNoChildren \\Junk"]
        );
        assert_eq!(
            told(&names, "LSUB \"\" %"),
            ["INBOX \\HasNoChildren", "Junk \\HasNoChildren \\Junk", "A \\HasChildren"]
        );
        assert_eq!(
            told(&names, "XLIST \"\" %"),
            ["INBOX \\HasNoChildren \\Inbox", "A \\HasChildren", "Junk \\HasNoChildren \\Spam"]
        );
    }

    #[test]
    fn selection_options_select() {
        let names = names(
            &[("A", None), ("A/b", None), ("INBOX", None), ("Sent", Some(SpecialUse::Sent))],
            &["A/b", "gone"],
        );
        assert_eq!(
            told(&names, "LIST (SUBSCRIBED) \"\" *"),
            ["A/b \\HasNoChildren \\Subscribed", "gone \\NonExistent \\HasNoChildren \\Subscribed"]
        );
        assert_eq!(
            told(&names, "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %"),
            ["A \\HasChildren +", "gone \\NonExistent \\HasNoChildren \\Subscribed"]
        );
        assert_eq!(told(&names, "LIST (SPECIAL-USE) \"\" *"), ["Sent \\HasNoChildren \\Sent"]);
        assert_eq!(
            told(&names, "LIST \"\" (inbox A/%) RETURN (SUBSCRIBED)"),
            ["INBOX \\HasNoChildren", "A/b \\HasNoChildren \\Subscribed"]
        );
    }

    /// The table of RFC 5258 §3.5: subscribed with a subscribed child; not there with one.
    #[test]
    fn parents_of_what_is_selected_say_so() {
        let names = names(&[("A", None), ("A/b", None), ("B", None)], &["A", "A/b", "gone/c"]);
        assert_eq!(
            told(&names, "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (A* B gone)"),
            [
                "A \\HasChildren \\Subscribed +",
                "A/b \\HasNoChildren \\Subscribed",
                "gone \\NonExistent \\HasNoChildren +"
            ]
        );
        assert!(told(&names, "LIST (SUBSCRIBED) \"\" gone").is_empty());
    }
}
