//! A mailbox of 100,000 messages on a daemon that has 256 MB: everything that walks over all of it answers,
//! and another client is served meanwhile.
//!
//! The limit is RLIMIT_DATA: heap, stacks and private mappings of the whole process. The test takes 20,000
//! messages unless `POSTROOM_LARGE_MAILBOX` says otherwise; `cargo xtask bench limit` takes 100,000 and
//! shows how long the other client waited.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::Client;
use testkit::daemon::{Daemon, Options, check, office};

/// What the daemon may have.
const DATA_BYTES: u64 = 256 * 1024 * 1024;
/// The largest message that the box takes.
const LARGEST: usize = 100 * 1024 * 1024;
/// Messages of one APPEND: as many as Postroom takes at once.
const AT_ONCE: usize = 100;
/// Stands in every hundredth message.
const RARE: &str = "zanzibar";

/// One command over the whole mailbox.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) what: &'static str,
    pub(crate) took: Duration,
    /// How long the other client waited for each of its NOOPs, ascending.
    pub(crate) noops: Vec<Duration>,
}

fn message(n: usize) -> String {
    let rare = if n.is_multiple_of(100) { RARE } else { "nothing" };
    format!(
        "From: p{0}@example.org\r\nTo: anna@office.test\r\nSubject: Re: subject {1}\r\n\
         Date: {2} Sep 2026 {3:02}:{4:02}:00 +0000\r\nMessage-ID: <m{n}@example.org>\r\n\
         In-Reply-To: <m{1}@example.org>\r\nReferences: <m{1}@example.org>\r\n\r\n\
         Word{n} and {rare}, some lines of text.\r\nAnd one more.\r\n",
        n % 97,
        n - n % 20,
        n % 28 + 1,
        n % 24,
        n % 60
    )
}

fn fill(client: &mut Client, messages: usize) -> Result<()> {
    let all: Vec<usize> = (0..messages).collect();
    for some in all.chunks(AT_ONCE) {
        let mut bytes = b"t APPEND INBOX".to_vec();
        for &n in some {
            let mail = message(n);
            bytes.extend_from_slice(format!(" {{{}+}}\r\n{mail}", mail.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        client.send_raw(&bytes)?;
        tagged(client, "APPEND")?;
    }
    Ok(())
}

/// Reads to the tagged OK; gives the untagged lines.
fn tagged(client: &mut Client, command: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let line = client.read_line()?.with_context(|| format!("closed in {command}"))?;
        match line.strip_prefix("t ") {
            Some(rest) if rest.starts_with("OK") => return Ok(lines),
            Some(_) => bail!("{command} was answered {line:?}"),
            None => lines.push(line),
        }
    }
}

/// The largest message, in pieces.
fn append_largest(client: &mut Client) -> Result<Vec<String>> {
    let head = "From: a@example.org\r\nSubject: large\r\n\r\n";
    client.send(&format!("t APPEND INBOX {{{LARGEST}+}}"))?;
    client.send_raw(head.as_bytes())?;
    let piece = "A line of a large message, as long as lines of base64 are, and that is 76.\r\n"
        .repeat(800);
    let mut left = LARGEST - head.len();
    while left > 0 {
        let now = piece.as_bytes().get(..left.min(piece.len())).unwrap_or_default();
        client.send_raw(now)?;
        left -= now.len();
    }
    client.send_raw(b"\r\n")?;
    tagged(client, "APPEND of 100 MB")
}

/// Runs `work` while another client sends NOOPs.
fn beside_another<T>(
    daemon: &Daemon,
    what: &'static str,
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, Step)> {
    let mut other = daemon.imap("bert")?;
    other.imap("SELECT INBOX")?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let noops = scope.spawn(|| {
            let mut waits = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                other.imap("NOOP")?;
                waits.push(begun.elapsed());
                std::thread::park_timeout(Duration::from_millis(2));
            }
            waits.sort_unstable();
            Ok::<_, anyhow::Error>(waits)
        });
        let begun = Instant::now();
        let done = work();
        let took = begun.elapsed();
        is_over.store(true, Ordering::Relaxed);
        let noops = noops.join().map_err(|_| anyhow::anyhow!("the other client panicked"))?;
        let noops = noops.with_context(|| format!("the other client, during {what}"))?;
        Ok((done.with_context(|| what)?, Step { what, took, noops }))
    })
}

/// Fills a mailbox, walks over it with everything there is, and checks the store.
pub(crate) fn run(messages: usize) -> Result<Vec<Step>> {
    let mut daemon = Daemon::start(Options {
        provision: Some(office(&["anna", "bert"])),
        args: ["--tier", "1g"].map(str::to_owned).to_vec(),
        data_bytes: Some(DATA_BYTES),
        ..Options::default()
    })?;
    let mut client = daemon.imap("anna")?;
    let capabilities = client.imap("CAPABILITY")?.join(" ");
    fill(&mut client, messages)?;
    let mut steps = Vec::new();
    let mut step = |what, least: usize, text: &str| -> Result<Vec<String>> {
        let (lines, step) = beside_another(&daemon, what, || {
            client.send(&format!("t {text}"))?;
            tagged(&mut client, text)
        })?;
        ensure!(lines.len() >= least, "{text}: {} lines, not {least}", lines.len());
        steps.push(step);
        Ok(lines)
    };
    step("SELECT", 1, "SELECT INBOX")?;
    step("FETCH FLAGS", messages, "FETCH 1:* (FLAGS)")?;
    step("FETCH ENVELOPE", messages, "FETCH 1:* (UID ENVELOPE)")?;
    step("FETCH header fields", messages, "FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT)]")?;
    let found = step("SEARCH TEXT", 1, &format!("SEARCH TEXT {RARE}"))?;
    let hits = found.iter().flat_map(|line| line.split_whitespace().skip(2)).count();
    ensure!(hits == messages.div_ceil(100), "SEARCH found {hits}");
    if capabilities.contains("THREAD=REFERENCES") {
        step("THREAD", 1, "THREAD REFERENCES UTF-8 ALL")?;
    }
    if capabilities.contains("SORT") {
        step("SORT", 1, "SORT (SUBJECT REVERSE DATE) UTF-8 ALL")?;
    }
    step("STORE +FLAGS", messages, "STORE 1:* +FLAGS (\\Seen)")?;
    step("CREATE", 0, "CREATE copies")?;
    step("COPY", 0, "COPY 1:* copies")?;
    step("SELECT", 1, "SELECT copies")?;
    step("MOVE", messages, "MOVE 1:* INBOX")?;
    step("SELECT", 1, "SELECT INBOX")?;
    let (_, appended) =
        beside_another(&daemon, "APPEND of 100 MB", || append_largest(&mut client))?;
    steps.push(appended);
    let exists = client.imap("STATUS INBOX (MESSAGES)")?.join(" ");
    ensure!(exists.contains(&format!("MESSAGES {}", messages * 2 + 1)), "{exists}");
    daemon.stop()?;
    check(&daemon.data)?;
    Ok(steps)
}

#[test]
fn a_large_mailbox_on_256_mb_answers() {
    let messages = std::env::var("POSTROOM_LARGE_MAILBOX").ok();
    let messages = messages.and_then(|text| text.parse().ok()).unwrap_or(20_000);
    run(messages).unwrap();
}
