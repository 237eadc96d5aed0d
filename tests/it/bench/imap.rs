//! The work of an IMAP and LMTP server, side by side: the same messages, the same client, the same turns.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use testkit::Client;

use super::cyrus::Cyrus;
use super::dovecot::{Dovecot, Idle};
use super::figures::{Took, median, print_table, ratio, row, seconds};
use super::server::{Postroom, Server, account, login};
use super::{corpus, number};

/// Accounts that LMTP delivers to.
const ACCOUNTS: usize = 64;
/// LMTP clients at once.
const DELIVERERS: usize = 16;
/// Recipients of a delivery.
const RECIPIENTS: usize = 4;
/// Messages of one APPEND, where the server takes several.
const APPEND_AT_ONCE: usize = 100;

const ENVELOPE: &str = "FETCH 1:* (UID ENVELOPE)";

/// One piece of work and what it took.
struct Work {
    what: &'static str,
    took: Took,
}

fn timed<T>(server: &dyn Server, work: impl FnOnce() -> Result<T>) -> Result<(T, Took)> {
    let cpu = server.cpu()?;
    let begun = Instant::now();
    let value = work()?;
    let wall = begun.elapsed();
    Ok((value, Took { wall, cpu: server.cpu()?.saturating_sub(cpu) }))
}

const SCAN: &str = "SEARCH TEXT, the first";
const AGAIN: &str = "SEARCH TEXT, again";
/// A server that has used less than a fiftieth of a core for so long is quiet.
const QUIET_FOR: Duration = Duration::from_secs(1);
const QUIET_LOOKS_MAX: u32 = 120;

/// A command's time. Its untagged answers are counted, so that a server cannot save by saying nothing.
fn command(server: &dyn Server, client: &mut Client, text: &str, answers: usize) -> Result<Took> {
    let (lines, took) = timed(server, || client.imap(text))?;
    let told = lines.iter().filter(|line| line.starts_with("* ")).count();
    ensure!(told >= answers, "{text}: {told} answers of {answers} from {}", server.name());
    Ok(took)
}

/// LMTP: each client delivers its share, each message to its recipients.
fn deliver(server: &dyn Server, messages: usize) -> Result<Took> {
    let at = server.at();
    let deliverer = |own: usize| -> Result<()> {
        let mut client = Client::connect(&at, 24)?;
        client.smtp_reply()?;
        client.smtp("LHLO bench.test", "250")?;
        for n in (own..messages).step_by(DELIVERERS) {
            client.smtp("MAIL FROM:<bench@example.org>", "250")?;
            for r in 0..RECIPIENTS {
                let to = account((n * 7 + r * 17) % ACCOUNTS);
                client.smtp(&format!("RCPT TO:<{}>", login(&to)), "250")?;
            }
            client.smtp("DATA", "354")?;
            client.send_raw(format!("{}.\r\n", corpus::message(n)).as_bytes())?;
            for _ in 0..RECIPIENTS {
                let reply = client.smtp_reply()?;
                ensure!(reply.starts_with("250"), "delivery was answered {reply:?}");
            }
        }
        Ok(())
    };
    let deliver_all = || {
        std::thread::scope(|scope| {
            let all: Vec<_> =
                (0..DELIVERERS).map(|own| scope.spawn(move || deliverer(own))).collect();
            for one in all {
                one.join().map_err(|_| anyhow::anyhow!("a deliverer panicked"))??;
            }
            Ok(())
        })
    };
    Ok(timed(server, deliver_all)?.1)
}

/// Fills INBOX of the first account.
fn fill(server: &dyn Server, messages: usize) -> Result<()> {
    let mut client = server.imap(&account(0))?;
    let capabilities = client.imap("CAPABILITY")?.join(" ");
    let at_once = if capabilities.contains("MULTIAPPEND") { APPEND_AT_ONCE } else { 1 };
    let pipelined = if at_once == 1 { 100 } else { 1 };
    let all: Vec<usize> = (0..messages).collect();
    for commands in all.chunks(at_once * pipelined) {
        for some in commands.chunks(at_once) {
            let mut bytes = b"t APPEND INBOX".to_vec();
            for &n in some {
                let mail = corpus::message(n);
                bytes.extend_from_slice(format!(" {{{}+}}\r\n{mail}", mail.len()).as_bytes());
            }
            bytes.extend_from_slice(b"\r\n");
            client.send_raw(&bytes)?;
        }
        for _ in commands.chunks(at_once) {
            tagged(&mut client)?;
        }
    }
    Ok(())
}

fn tagged(client: &mut Client) -> Result<()> {
    loop {
        let line = client.read_line()?.context("closed while appending")?;
        match line.strip_prefix("t ") {
            Some(rest) if rest.starts_with("OK") => return Ok(()),
            Some(_) => bail!("APPEND was answered {line:?}"),
            None => {}
        }
    }
}

/// Runs a command so often, after something that puts things back.
fn repeated(
    server: &dyn Server,
    client: &mut Client,
    (back, text): (&str, &str),
    answers: usize,
    runs: usize,
) -> Result<Took> {
    let mut all = Vec::with_capacity(runs);
    // The first run warms both alike and does not count.
    for run in 0..=runs {
        if !back.is_empty() {
            client.imap(back)?;
        }
        let took = command(server, client, text, answers)?;
        if run > 0 {
            all.push(took);
        }
    }
    Ok(median(all))
}

/// COPY into a new mailbox, MOVE on into another, EXPUNGE there.
fn copies(
    server: &dyn Server,
    client: &mut Client,
    messages: usize,
    runs: usize,
) -> Result<[Took; 3]> {
    let mut all: [Vec<Took>; 3] = Default::default();
    for run in 0..=runs {
        let (copy, moved) = (format!("copy{run}"), format!("moved{run}"));
        client.imap(&format!("CREATE {copy}"))?;
        client.imap(&format!("CREATE {moved}"))?;
        client.imap("SELECT INBOX")?;
        let copying = command(server, client, &format!("COPY 1:* {copy}"), 0)?;
        client.imap(&format!("SELECT {copy}"))?;
        let moving = command(server, client, &format!("MOVE 1:* {moved}"), messages)?;
        client.imap(&format!("SELECT {moved}"))?;
        client.imap("STORE 1:* +FLAGS.SILENT (\\Deleted)")?;
        let expunging = command(server, client, "EXPUNGE", messages)?;
        client.imap("SELECT INBOX")?;
        client.imap(&format!("DELETE {copy}"))?;
        client.imap(&format!("DELETE {moved}"))?;
        if run > 0 {
            for (times, took) in all.iter_mut().zip([copying, moving, expunging]) {
                times.push(took);
            }
        }
    }
    Ok(all.map(median))
}

fn work(server: &dyn Server, messages: usize, deliveries: usize, runs: usize) -> Result<Vec<Work>> {
    let mut done = Vec::new();
    let mut note = |what, took: Took| {
        println!("  {what}: {} s, CPU {} s", seconds(took.wall), seconds(took.cpu));
        done.push(Work { what, took });
    };
    println!("{}", server.name());
    deliver(server, ACCOUNTS)?;
    note("LMTP, 16 clients, 4 recipients", deliver(server, deliveries)?);
    fill(server, messages)?;
    let mut client = server.imap(&account(0))?;
    client.imap("SELECT INBOX")?;
    let exists = client.imap("STATUS INBOX (MESSAGES)")?.join(" ");
    println!("  {exists}");
    note(ENVELOPE, repeated(server, &mut client, ("", ENVELOPE), messages, runs)?);
    let flags = "FETCH 1:* (FLAGS)";
    note("FETCH 1:* FLAGS", repeated(server, &mut client, ("", flags), messages, runs)?);
    let marking = ("STORE 1:* -FLAGS.SILENT (\\Seen)", "STORE 1:* +FLAGS (\\Seen)");
    note("STORE 1:* +FLAGS (\\Seen)", repeated(server, &mut client, marking, messages, runs)?);
    let silent = ("STORE 1:* -FLAGS.SILENT (\\Seen)", "STORE 1:* +FLAGS.SILENT (\\Seen)");
    note("the same, .SILENT", repeated(server, &mut client, silent, 0, runs)?);
    let [copying, moving, expunging] = copies(server, &mut client, messages, runs)?;
    note("COPY 1:*", copying);
    note("MOVE 1:*", moving);
    note("EXPUNGE", expunging);
    let search = format!("SEARCH TEXT {}", corpus::RARE_WORD);
    // The first search of a mailbox has no index: it reads all texts.
    note(SCAN, command(server, &mut client, &search, 1)?);
    wait_until_quiet(server)?;
    note(AGAIN, repeated(server, &mut client, ("", &search), 1, runs)?);
    Ok(done)
}

/// Waits until a server has done what it does behind its answers (an index), so that it is not counted to
/// the next command.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement looks again after a while; no runtime here"
)]
fn wait_until_quiet(server: &dyn Server) -> Result<()> {
    let mut last = server.cpu()?;
    for _ in 0..QUIET_LOOKS_MAX {
        std::thread::sleep(QUIET_FOR);
        let now = server.cpu()?;
        if now.saturating_sub(last) < QUIET_FOR / 50 {
            return Ok(());
        }
        last = now;
    }
    bail!("{} is never quiet", server.name())
}

/// Cyrus is known for its ENVELOPE.
fn envelopes_of_cyrus(messages: usize, runs: usize) -> Result<Option<Took>> {
    let Some(cyrus) = Cyrus::start()? else { return Ok(None) };
    println!("{}", cyrus.name());
    fill(&cyrus, messages)?;
    let mut client = cyrus.imap(&account(0))?;
    client.imap("SELECT INBOX")?;
    let took = repeated(&cyrus, &mut client, ("", ENVELOPE), messages, runs)?;
    println!("  {ENVELOPE}: {} s, CPU {} s", seconds(took.wall), seconds(took.cpu));
    Ok(Some(took))
}

fn table_row(what: &str, peer: &str, ours: Took, theirs: Took, goal: &str) -> Vec<String> {
    let (us, them) = (ours.cpu.as_secs_f64(), theirs.cpu.as_secs_f64());
    vec![
        what.to_owned(),
        peer.to_owned(),
        seconds(ours.wall),
        seconds(theirs.wall),
        ratio(ours.wall.as_secs_f64(), theirs.wall.as_secs_f64()),
        seconds(ours.cpu),
        seconds(theirs.cpu),
        ratio(us, them),
        goal.to_owned(),
    ]
}

/// The goals of the project, as parts of the peer's CPU time (LMTP: of its wall time).
fn goal(what: &str) -> &'static str {
    match what {
        "LMTP, 16 clients, 4 recipients" => "wall 0.20x",
        "STORE 1:* +FLAGS (\\Seen)" => "1.00x",
        "COPY 1:*" | "MOVE 1:*" | "EXPUNGE" => "0.33x",
        SCAN => "0.20x",
        AGAIN => "0.01x",
        _ => "",
    }
}

/// The bench.
pub(super) fn run() -> Result<()> {
    let messages = number("MESSAGES", 10_000);
    let deliveries = number("DELIVERIES", 1_000);
    let runs = number("RUNS", 5);
    let ours = work(&Postroom::start(ACCOUNTS)?, messages, deliveries, runs)?;
    let theirs = work(&Dovecot::start(ACCOUNTS, 0, Idle::Processes)?, messages, deliveries, runs)?;
    let cyrus = envelopes_of_cyrus(messages, runs)?;
    let head = ["work", "peer", "wall s", "its", "ratio", "CPU s", "its", "ratio", "goal"];
    let mut rows = vec![row(head)];
    for (us, them) in ours.iter().zip(&theirs) {
        rows.push(table_row(us.what, "Dovecot mdbox", us.took, them.took, goal(us.what)));
        if us.what == ENVELOPE
            && let Some(cyrus) = cyrus
        {
            rows.push(table_row(us.what, "Cyrus", us.took, cyrus, "0.50x"));
        }
    }
    println!(
        "{messages} messages, {deliveries} deliveries, median of {runs} runs after a warm one"
    );
    print_table(&rows);
    Ok(())
}
