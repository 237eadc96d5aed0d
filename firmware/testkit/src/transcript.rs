//! Transcripts: protocol behaviour as plain text, several connections, replayed over the real wire.
//!
//! ```text
//! # RFC 6851 §3.3: why this must hold.
//! account anna                      accounts of office.test; password secret-NAME
//! admin boss                        the same, for an account that administers the box
//! domain catch_all = "anna@office.test"   a line of office.test in the provisioning file
//! user forward = ["x@else.test"]    the same of the last account
//! provision [[group]]               a line at the end of the file
//! mailbox INBOX 3 messages          appended to the last account's mailbox before the talk begins
//! protocol imap                     imap imaps pop3 pop3s smtp submission submissions lmtp; default: the folder's name
//! raw                               connections begin before the greeting and are not logged in
//! C1: a1 SELECT INBOX               sends a line with CRLF on connection 1
//! C1> \x00ab\r\n.\n                 sends bytes as they are (\r \n \t \\ \xHH)
//! S1: * 3 EXISTS                    expects exactly this line
//! S1: a1 OK [READ-WRITE] …          … matches any text; ${x} binds a value, or must equal it
//! S1: …                             any number of lines, up to the next expected one
//! tls 1                             TLS handshake on connection 1 now
//! S1: <eof>                         the server closed;  C1: <eof> closes our side
//! login 1 bert                      logs connection 1 in as another account (before its first line)
//! login 2 bert imap                 the same with another protocol
//! open 2 imap                       opens connection 2 with another protocol, for the last account
//! ```
//! IMAP and POP3 connections are opened at their first line and logged in as the last account unless `raw`. SMTP ones
//! have had their greeting and `EHLO client.test` answered unless `raw`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::client::{Client, Connector};
use crate::daemon::{Daemon, Options, office_with_admins};

/// One step of a transcript, with its line number.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Send(u32, Vec<u8>),
    Expect(u32, String),
    Tls(u32),
    Hangup(u32),
    Login(u32, String, String),
    Open(u32, String),
}

/// A parsed transcript.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    accounts: Vec<String>,
    admins: Vec<String>,
    /// Lines of the provisioning file, and behind which line each stands; without one, at the end.
    provision: Vec<(Option<String>, String)>,
    mailboxes: Vec<(String, String, u32)>,
    protocol: String,
    raw: bool,
    steps: Vec<(usize, Step)>,
}

/// All transcripts of a folder, sorted by name.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "txt") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs a transcript file against a daemon of its own.
///
/// # Errors
/// Says at which line the server did otherwise, and what it said.
pub fn run_file(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let transcript = Transcript::parse(&text, &folder)?;
    let accounts: Vec<&str> = transcript.accounts.iter().map(String::as_str).collect();
    let admins: Vec<&str> = transcript.admins.iter().map(String::as_str).collect();
    let provision = Some(transcript.provisioned(office_with_admins(&accounts, &admins)));
    let mut daemon = Daemon::start(Options { provision, ..Options::default() })?;
    let done = transcript.run(&daemon.at);
    done.with_context(|| {
        format!("{} (the daemon's log: {})", path.display(), tail(&daemon.log()))
    })?;
    let status = daemon.stop()?;
    if !status.success() {
        bail!("{}: the daemon ended with {status}: {}", path.display(), tail(&daemon.log()));
    }
    daemon.check().with_context(|| path.display().to_string())
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}

impl Transcript {
    /// Parses a transcript; `folder` gives the protocol where the text does not.
    ///
    /// # Errors
    /// Names the line.
    pub fn parse(text: &str, folder: &str) -> Result<Self> {
        let mut transcript = Self { protocol: folder.to_owned(), ..Self::default() };
        for (n, line) in text.lines().enumerate() {
            transcript
                .parse_line(n + 1, line)
                .with_context(|| format!("line {}: {line}", n + 1))?;
        }
        if transcript.accounts.is_empty() {
            transcript.accounts.push("anna".to_owned());
        }
        Ok(transcript)
    }

    fn parse_line(&mut self, n: usize, line: &str) -> Result<()> {
        if line.starts_with('#') || line.trim().is_empty() {
            return Ok(());
        }
        if let Some(step) = parse_talk(line)? {
            self.steps.push((n, step));
            return Ok(());
        }
        if self.parse_provision(line)? {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["account", name] => self.accounts.push((*name).to_owned()),
            ["admin", name] => {
                self.accounts.push((*name).to_owned());
                self.admins.push((*name).to_owned());
            }
            ["mailbox", name, count, "messages" | "message"] => {
                let account = self.accounts.last().context("no account yet")?.clone();
                self.mailboxes.push((account, (*name).to_owned(), count.parse()?));
            }
            ["protocol", name] => self.protocol = (*name).to_owned(),
            ["raw"] => self.raw = true,
            ["tls", id] => self.steps.push((n, Step::Tls(id.parse()?))),
            ["login", id, name] => {
                let protocol = self.protocol.clone();
                self.steps.push((n, Step::Login(id.parse()?, (*name).to_owned(), protocol)));
            }
            ["login", id, name, protocol] => {
                let (name, protocol) = ((*name).to_owned(), (*protocol).to_owned());
                self.steps.push((n, Step::Login(id.parse()?, name, protocol)));
            }
            ["open", id, protocol] => {
                self.steps.push((n, Step::Open(id.parse()?, (*protocol).to_owned())));
            }
            _ => bail!("not a line of a transcript"),
        }
        Ok(())
    }

    /// Takes a line of the provisioning file; false if it is none.
    fn parse_provision(&mut self, line: &str) -> Result<bool> {
        let Some((word, rest)) = line.split_once(' ') else { return Ok(false) };
        let behind = match word {
            "domain" => Some("name = \"office.test\"".to_owned()),
            "user" => {
                let name = self.accounts.last().context("no account yet")?;
                Some(format!("password = \"secret-{name}\""))
            }
            "provision" => None,
            _ => return Ok(false),
        };
        self.provision.push((behind, rest.to_owned()));
        Ok(true)
    }

    /// The provisioning file with the transcript's own lines.
    fn provisioned(&self, mut file: String) -> String {
        for (behind, line) in &self.provision {
            match behind {
                Some(behind) => file = file.replacen(behind, &format!("{behind}\n{line}"), 1),
                None => file.extend([line.as_str(), "\n"]),
            }
        }
        file
    }

    /// The accounts of office.test that it needs, and whether each administers the box.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, bool)> {
        self.accounts.iter().map(|name| (name.as_str(), self.admins.contains(name)))
    }

    /// Plays the transcript against the box.
    ///
    /// # Errors
    /// Says at which line the server did otherwise, and what it said.
    pub fn run(&self, to: &dyn Connector) -> Result<()> {
        for (account, mailbox, count) in &self.mailboxes {
            fill(to, account, mailbox, *count)?;
        }
        let mut play = Play {
            transcript: self,
            to,
            clients: BTreeMap::new(),
            bound: BTreeMap::new(),
            seen: String::new(),
        };
        let mut skip_to_next = BTreeMap::new();
        for (n, step) in &self.steps {
            play.step(step, &mut skip_to_next)
                .with_context(|| format!("line {n}; so far:\n{}", play.seen))?;
        }
        Ok(())
    }
}

/// `C1: …`, `C1> …`, `S1: …`.
fn parse_talk(line: &str) -> Result<Option<Step>> {
    let (client, rest) = match (line.strip_prefix('C'), line.strip_prefix('S')) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Ok(None),
    };
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let (number, rest) = rest.split_at_checked(digits).context("no connection number")?;
    if digits == 0 {
        return Ok(None);
    }
    let id = number.parse()?;
    let text = |rest: &str| rest.strip_prefix(' ').unwrap_or(rest).to_owned();
    Ok(Some(match (client, rest.split_at_checked(1)) {
        (true, Some((":", rest))) if text(rest) == "<eof>" => Step::Hangup(id),
        (true, Some((":", rest))) => {
            let mut bytes = text(rest).into_bytes();
            bytes.extend_from_slice(b"\r\n");
            Step::Send(id, bytes)
        }
        (true, Some((">", rest))) => Step::Send(id, unescape(&text(rest))?),
        (false, Some((":", rest))) => Step::Expect(id, text(rest)),
        _ => bail!("neither `:` nor `>` behind the connection"),
    }))
}

fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match chars.next() {
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let hex: String = chars.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&hex, 16)?);
            }
            other => bail!("no escape \\{other:?}"),
        }
    }
    Ok(bytes)
}

/// Puts `count` generated messages into a mailbox.
fn fill(to: &dyn Connector, account: &str, mailbox: &str, count: u32) -> Result<()> {
    let mut client = crate::daemon::imap_login(to, account)?;
    if !mailbox.eq_ignore_ascii_case("INBOX") {
        // It may exist already; APPEND tells if it does not.
        client.send(&format!("c CREATE {mailbox}"))?;
        while !client.read_line()?.context("closed")?.starts_with("c ") {}
    }
    for n in 1..=count {
        let text = format!(
            "From: Sender {n} <sender{n}@example.test>\r\nTo: {account}@office.test\r\n\
             Subject: Message {n}\r\nDate: Sun, 22 Nov 2026 09:00:{n:02} +0000\r\n\
             Message-ID: <m{n}.{mailbox}@example.test>\r\n\r\nText of message {n}.\r\n"
        );
        client.imap(&format!("APPEND {mailbox} {{{}+}}\r\n{text}", text.len()))?;
    }
    Ok(())
}

fn port_of(protocol: &str) -> Result<u16> {
    Ok(match protocol {
        "imap" => 143,
        "imaps" => 993,
        "pop3" => 110,
        "pop3s" => 995,
        "smtp" => 25,
        "submission" => 587,
        "submissions" => 465,
        "lmtp" => 24,
        other => bail!("no protocol {other}"),
    })
}

struct Play<'a> {
    transcript: &'a Transcript,
    to: &'a dyn Connector,
    clients: BTreeMap<u32, Client>,
    bound: BTreeMap<String, String>,
    /// The talk as it went, for the error.
    seen: String,
}

impl Play<'_> {
    fn step(&mut self, step: &Step, skipping: &mut BTreeMap<u32, bool>) -> Result<()> {
        match step {
            Step::Login(id, account, protocol) => {
                let client = open(self.to, protocol, Some(account))?;
                self.clients.insert(*id, client);
            }
            Step::Open(id, protocol) => {
                let account = self.transcript.accounts.last().map(String::as_str);
                let client = open(self.to, protocol, account)?;
                self.clients.insert(*id, client);
            }
            Step::Tls(id) => self.client(*id)?.start_tls()?,
            Step::Hangup(id) => {
                self.clients.remove(id);
            }
            Step::Send(id, bytes) => {
                let bytes = self.fill_in(bytes);
                write!(self.seen, "C{id}: {}", String::from_utf8_lossy(&bytes)).ok();
                self.client(*id)?.send_raw(&bytes)?;
            }
            Step::Expect(id, pattern) if pattern == "…" => {
                skipping.insert(*id, true);
            }
            Step::Expect(id, pattern) => {
                let skip = skipping.remove(id).unwrap_or(false);
                self.expect(*id, pattern, skip)?;
            }
        }
        Ok(())
    }

    fn expect(&mut self, id: u32, pattern: &str, skip: bool) -> Result<()> {
        loop {
            let line = self.client(id)?.read_line()?;
            let shown = line.as_deref().unwrap_or("<eof>");
            writeln!(self.seen, "S{id}: {shown}").ok();
            if matches(pattern, shown, &mut self.bound) {
                return Ok(());
            }
            if !skip || line.is_none() {
                bail!("expected S{id}: {pattern}\n     came S{id}: {shown}");
            }
        }
    }

    /// `${x}` in what we send becomes its value.
    fn fill_in(&self, bytes: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
        let mut text = text.to_owned();
        for (name, value) in &self.bound {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        text.into_bytes()
    }

    fn client(&mut self, id: u32) -> Result<&mut Client> {
        if !self.clients.contains_key(&id) {
            let account = self.transcript.accounts.last().map(String::as_str);
            let account = if self.transcript.raw { None } else { account };
            let client = open(self.to, &self.transcript.protocol, account)?;
            self.clients.insert(id, client);
        }
        self.clients.get_mut(&id).context("no such connection")
    }
}

/// A connection at the point where the transcript begins.
fn open(to: &dyn Connector, protocol: &str, account: Option<&str>) -> Result<Client> {
    let mut client = Client::connect(to, port_of(protocol)?)?;
    let Some(account) = account else { return Ok(client) };
    if protocol.starts_with("imap") {
        client.read_line()?.context("no greeting")?;
        client.imap(&format!("LOGIN {account}@office.test secret-{account}"))?;
    } else if protocol.starts_with("pop3") {
        client.read_line()?.context("no greeting")?;
        client.pop3(&format!("USER {account}@office.test"))?;
        client.pop3(&format!("PASS secret-{account}"))?;
    } else {
        client.smtp_reply()?;
        let hello = if protocol == "lmtp" { "LHLO" } else { "EHLO" };
        client.smtp(&format!("{hello} client.test"), "250")?;
    }
    Ok(client)
}

/// One piece of a pattern.
enum Piece<'a> {
    Text(&'a str),
    Any,
    Name(&'a str),
}

fn pieces(mut pattern: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    while !pattern.is_empty() {
        let any = pattern.find('…');
        let name = pattern.find("${");
        let at = any.unwrap_or(usize::MAX).min(name.unwrap_or(usize::MAX));
        let Some((text, rest)) = pattern.split_at_checked(at) else {
            found.push(Piece::Text(pattern));
            break;
        };
        if !text.is_empty() {
            found.push(Piece::Text(text));
        }
        if let Some(rest) = rest.strip_prefix('…') {
            found.push(Piece::Any);
            pattern = rest;
        } else {
            let inner = rest.strip_prefix("${").unwrap_or(rest);
            let (name, rest) = inner.split_once('}').unwrap_or((inner, ""));
            found.push(Piece::Name(name));
            pattern = rest;
        }
    }
    found
}

/// Matches a line; new names are bound only if the whole line matches.
fn matches(pattern: &str, line: &str, bound: &mut BTreeMap<String, String>) -> bool {
    let mut fresh = bound.clone();
    let found = matches_from(&pieces(pattern), line, &mut fresh);
    if found {
        *bound = fresh;
    }
    found
}

fn matches_from(pieces: &[Piece<'_>], line: &str, bound: &mut BTreeMap<String, String>) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return line.is_empty() };
    match piece {
        Piece::Text(text) => {
            line.strip_prefix(text).is_some_and(|line| matches_from(rest, line, bound))
        }
        Piece::Any => tails(line).any(|(_, tail)| matches_from(rest, tail, bound)),
        Piece::Name(name) => match bound.get(*name).cloned() {
            Some(value) => line
                .strip_prefix(value.as_str())
                .is_some_and(|line| matches_from(rest, line, bound)),
            None => tails(line).skip(1).any(|(head, tail)| {
                let mut trial = bound.clone();
                trial.insert((*name).to_owned(), head.to_owned());
                let found = matches_from(rest, tail, &mut trial);
                if found {
                    *bound = trial;
                }
                found
            }),
        },
    }
}

/// All ways to cut a line in two.
fn tails(line: &str) -> impl Iterator<Item = (&str, &str)> {
    (0..=line.len()).filter_map(move |at| line.split_at_checked(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_bind_and_refuse() {
        let mut bound = BTreeMap::new();
        assert!(matches("* OK [UIDVALIDITY ${v}] …", "* OK [UIDVALIDITY 17] fine", &mut bound));
        assert_eq!(bound.get("v").map(String::as_str), Some("17"));
        assert!(matches(
            "a OK [COPYUID ${v} 1:2 ${new}] …",
            "a OK [COPYUID 17 1:2 4:5] ok",
            &mut bound
        ));
        assert!(!matches("x ${v}", "x 18", &mut bound));
        assert!(!matches("* 3 EXISTS", "* 3 EXISTS ", &mut bound));
    }

    #[test]
    fn lines_are_parsed_or_refused_by_number() {
        let text = "account anna\nmailbox INBOX 2 messages\nC1: a NOOP\nC2> x\\r\\n\\x00\nS1: a OK …\ntls 1\n";
        let transcript = Transcript::parse(text, "imap").unwrap();
        assert_eq!(transcript.steps.len(), 4);
        assert_eq!(transcript.steps[1].1, Step::Send(2, b"x\r\n\0".to_vec()));
        let err = Transcript::parse("account anna\nnonsense here\n", "imap").unwrap_err();
        assert!(format!("{err:#}").contains("line 2"));
    }
}
