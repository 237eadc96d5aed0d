//! Hands at work in folders of their own: APPEND, STORE, COPY, MOVE, EXPUNGE, CREATE, RENAME, DELETE.
//!
//! Nobody else touches a hand's folders, so it knows exactly what stands in them; only the one command that
//! was under way when the daemon was killed may be done or not, and then wholly.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::daemon::imap_login;
use testkit::{Client, Loopback};

use super::Dice;

const FLAGS: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Forwarded"];
/// Folders of one hand.
const FOLDERS: u64 = 4;
/// Messages in a folder beyond which it is not filled further.
const MESSAGES_MAX: usize = 60;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    id: String,
    size: usize,
    flags: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    uid_next: u32,
    messages: BTreeMap<u32, Message>,
}

impl Folder {
    fn empty() -> Self {
        Self { uid_next: 1, messages: BTreeMap::new() }
    }

    fn add(&mut self, message: Message) {
        self.messages.insert(self.uid_next, message);
        self.uid_next += 1;
    }
}

type Folders = BTreeMap<String, Folder>;

/// One command: the folder it is given in, its text, and what is there when it is done.
struct Step {
    folder: Option<String>,
    command: String,
    after: Folders,
}

/// One of those who work.
#[derive(Debug)]
pub(super) struct Hand {
    account: &'static str,
    prefix: String,
    dice: Dice,
    made: u64,
    known: Folders,
    /// What is there if the command under way was done.
    perhaps: Option<Folders>,
}

/// `* 3 FETCH (UID 7 FLAGS (\Seen) RFC822.SIZE 90 …` and the line of the header behind it.
fn fetched(line: &str, header: &str) -> Option<(u32, Message)> {
    let items = line.strip_prefix("* ")?.split_once(" FETCH (")?.1;
    let uid = items.split("UID ").nth(1)?.split(' ').next()?.parse().ok()?;
    let flags = items.split("FLAGS (").nth(1)?.split(')').next()?;
    let flags = flags.split_whitespace().filter(|flag| *flag != "\\Recent");
    let size = items.split("RFC822.SIZE ").nth(1)?.split(' ').next()?.parse().ok()?;
    let id = header.strip_prefix("Message-ID: <")?.strip_suffix('>')?.to_owned();
    Some((uid, Message { id, size, flags: flags.map(str::to_owned).collect() }))
}

fn number_behind(lines: &[String], word: &str) -> Option<u32> {
    let line = lines.iter().find(|line| line.contains(word))?;
    line.split(word).nth(1)?.split([']', ' ']).next()?.parse().ok()
}

impl Hand {
    pub(super) fn new(number: u64, account: &'static str, seed: u64) -> Self {
        let dice = Dice((seed ^ (number << 32)) | 1);
        let prefix = format!("hand{number}");
        Self { account, prefix, dice, made: 0, known: Folders::new(), perhaps: None }
    }

    fn roll(&mut self, below: usize) -> usize {
        usize::try_from(self.dice.roll(below.max(1) as u64)).unwrap_or(0)
    }

    /// Works until the daemon is gone; `done` is told of each acknowledged command.
    pub(super) fn work(&mut self, at: Loopback, done: &dyn Fn()) -> Result<()> {
        let mut client = imap_login(&at, self.account)?;
        let mut selected = None;
        loop {
            let step = self.step();
            if step.folder != selected {
                match &step.folder {
                    Some(name) => client.imap(&format!("SELECT {name}"))?,
                    None => client.imap("UNSELECT")?,
                };
                selected.clone_from(&step.folder);
            }
            self.perhaps = Some(step.after.clone());
            client.imap(&step.command)?;
            self.perhaps = None;
            self.known = step.after;
            done();
        }
    }

    fn step(&mut self) -> Step {
        let names: Vec<String> = self.known.keys().cloned().collect();
        let name = format!("{}/f{}", self.prefix, self.dice.roll(FOLDERS));
        if names.is_empty() {
            return self.create(name);
        }
        let folder = names[self.roll(names.len())].clone();
        let count = self.known[&folder].messages.len();
        match self.dice.roll(20) {
            0 if !names.contains(&name) => self.create(name),
            1 if !names.contains(&name) => self.rename(&folder, name),
            2 if names.len() > 2 && self.dice.roll(4) == 0 => self.delete(&folder),
            3..=8 if count < MESSAGES_MAX => self.append(folder),
            _ if count == 0 => self.append(folder),
            9..=12 => self.store(folder),
            13..=14 => self.expunge(folder),
            roll => {
                let to = names[self.roll(names.len())].clone();
                self.copy(folder, &to, roll > 16)
            }
        }
    }

    fn create(&self, name: String) -> Step {
        let mut after = self.known.clone();
        let command = format!("CREATE {name}");
        after.insert(name, Folder::empty());
        Step { folder: None, command, after }
    }

    fn rename(&self, from: &str, to: String) -> Step {
        let mut after = self.known.clone();
        let command = format!("RENAME {from} {to}");
        if let Some(folder) = after.remove(from) {
            after.insert(to, folder);
        }
        Step { folder: None, command, after }
    }

    fn delete(&self, name: &str) -> Step {
        let mut after = self.known.clone();
        after.remove(name);
        Step { folder: None, command: format!("DELETE {name}"), after }
    }

    fn append(&mut self, name: String) -> Step {
        self.made += 1;
        let id = format!("{}.{}@hand.test", self.prefix, self.made);
        // From small to beyond what a message may hold in memory.
        let lines = if self.dice.roll(25) == 0 { 6000 } else { self.dice.roll(40) };
        let text = "Sixty octets of text that stand for whatever people write.\r\n"
            .repeat(usize::try_from(lines).unwrap_or(0));
        let body = format!("From: {id}\r\nMessage-ID: <{id}>\r\n\r\n{text}");
        let flags: BTreeSet<String> =
            FLAGS.iter().filter(|_| self.dice.roll(3) == 0).map(|f| (*f).to_owned()).collect();
        let shown: Vec<&str> = flags.iter().map(String::as_str).collect();
        let command = format!("APPEND {name} ({}) {{{}+}}\r\n{body}", shown.join(" "), body.len());
        let mut after = self.known.clone();
        if let Some(folder) = after.get_mut(&name) {
            folder.add(Message { id, size: body.len(), flags });
        }
        Step { folder: Some(name), command, after }
    }

    /// A UID of the folder and those up to another one.
    fn uids(&mut self, name: &str) -> (u32, u32) {
        let uids: Vec<u32> = self.known[name].messages.keys().copied().collect();
        let (a, b) = (uids[self.roll(uids.len())], uids[self.roll(uids.len())]);
        if self.dice.roll(3) == 0 { (a.min(b), a.max(b)) } else { (a, a) }
    }

    fn store(&mut self, name: String) -> Step {
        let (first, last) = self.uids(&name);
        let mut flag = FLAGS[self.roll(FLAGS.len())];
        if self.dice.roll(3) == 0 {
            flag = "\\Deleted";
        }
        let adds = self.dice.roll(3) > 0;
        let sign = if adds { '+' } else { '-' };
        let command = format!("UID STORE {first}:{last} {sign}FLAGS.SILENT ({flag})");
        let mut after = self.known.clone();
        if let Some(folder) = after.get_mut(&name) {
            for (_, message) in folder.messages.range_mut(first..=last) {
                if adds {
                    message.flags.insert(flag.to_owned());
                } else {
                    message.flags.remove(flag);
                }
            }
        }
        Step { folder: Some(name), command, after }
    }

    fn expunge(&mut self, name: String) -> Step {
        let mut after = self.known.clone();
        if let Some(folder) = after.get_mut(&name) {
            folder.messages.retain(|_, message| !message.flags.contains("\\Deleted"));
        }
        Step { folder: Some(name), command: "EXPUNGE".to_owned(), after }
    }

    fn copy(&mut self, name: String, to: &str, moves: bool) -> Step {
        let (first, last) = self.uids(&name);
        let word = if moves { "MOVE" } else { "COPY" };
        let command = format!("UID {word} {first}:{last} {to}");
        let mut after = self.known.clone();
        let chosen: Vec<(u32, Message)> =
            self.known[&name].messages.range(first..=last).map(|(u, m)| (*u, m.clone())).collect();
        for (uid, message) in chosen {
            if let Some(target) = after.get_mut(to) {
                target.add(message);
            }
            if let (true, Some(source)) = (moves, after.get_mut(&name)) {
                source.messages.remove(&uid);
            }
        }
        Step { folder: Some(name), command, after }
    }

    fn look(&self, client: &mut Client) -> Result<Folders> {
        let mut found = Folders::new();
        for line in client.imap(&format!("LIST \"\" {}/*", self.prefix))? {
            let Some(name) = line.strip_prefix("* LIST ").and_then(|rest| rest.rsplit(' ').next())
            else {
                continue;
            };
            let name = name.trim_matches('"').to_owned();
            let folder = Self::look_into(client, &name).with_context(|| name.clone())?;
            found.insert(name, folder);
        }
        Ok(found)
    }

    fn look_into(client: &mut Client, name: &str) -> Result<Folder> {
        let selected = client.imap(&format!("EXAMINE {name}"))?;
        let uid_next = number_behind(&selected, "[UIDNEXT ").context("no UIDNEXT")?;
        let mut messages = BTreeMap::new();
        if !selected.iter().any(|line| line == "* 0 EXISTS") {
            let lines = client.imap(
                "UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])",
            )?;
            for pair in lines.windows(2) {
                messages.extend(fetched(&pair[0], &pair[1]));
            }
            let exists = selected.iter().find_map(|line| {
                line.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse::<usize>().ok()
            });
            ensure!(exists == Some(messages.len()), "{exists:?} EXISTS, {lines:#?}");
        }
        Ok(Folder { uid_next, messages })
    }

    /// Everything acknowledged is there, and the command under way wholly or not at all.
    pub(super) fn verify(&mut self, at: Loopback) -> Result<()> {
        let mut client = imap_login(&at, self.account)?;
        let found = self.look(&mut client)?;
        if found != self.known && Some(&found) != self.perhaps.as_ref() {
            bail!(
                "{} of {}: found {found:#?}\nacknowledged {:#?}\nunder way {:#?}",
                self.prefix,
                self.account,
                self.known,
                self.perhaps
            );
        }
        self.known = found;
        self.perhaps = None;
        Ok(())
    }
}
