//! Mail from outside into local mailboxes: by SMTP, until it lies in them.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use testkit::Client;

use super::figures::{Took, median, print_table, ratio, row, seconds};
use super::postfix::Postfix;
use super::server::{Postroom, Server, account, login};
use super::{corpus, number};

/// Accounts that are delivered to.
const ACCOUNTS: usize = 64;
/// SMTP sessions at once.
const SESSIONS: usize = 20;

/// One session's share of the messages.
fn session(server: &dyn Server, own: usize, messages: usize) -> Result<()> {
    let mut client = Client::connect(&server.at(), 25)?;
    client.smtp_reply()?;
    client.smtp("EHLO bench.test", "250")?;
    for n in (own..messages).step_by(SESSIONS) {
        client.smtp("MAIL FROM:<bench@example.org>", "250")?;
        client.smtp(&format!("RCPT TO:<{}>", login(&account(n % ACCOUNTS))), "250")?;
        client.smtp("DATA", "354")?;
        client.send_raw(format!("{}.\r\n", corpus::message(n)).as_bytes())?;
        let reply = client.smtp_reply()?;
        ensure!(reply.starts_with("250"), "delivery was answered {reply:?}");
    }
    Ok(())
}

/// What all of it takes, until `wait` says that nothing is on its way any more.
fn deliver(
    server: &(dyn Server + Sync),
    messages: usize,
    wait: impl Fn() -> Result<()>,
) -> Result<Took> {
    let (cpu, begun) = (server.cpu()?, Instant::now());
    std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..SESSIONS).map(|own| scope.spawn(move || session(server, own, messages))).collect();
        for one in all {
            one.join().map_err(|_| anyhow::anyhow!("a session panicked"))??;
        }
        wait()
    })?;
    let wall = begun.elapsed();
    Ok(Took { wall, cpu: server.cpu()?.saturating_sub(cpu) })
}

/// Runs, the first of which warms and does not count.
fn runs(
    server: &(dyn Server + Sync),
    (messages, runs): (usize, usize),
    wait: impl Fn() -> Result<()>,
) -> Result<Took> {
    let mut all = Vec::with_capacity(runs);
    for run in 0..=runs {
        let took = deliver(server, messages, &wait)?;
        println!("  run {run}: {} s, CPU {} s", seconds(took.wall), seconds(took.cpu));
        if run > 0 {
            all.push(took);
        }
    }
    Ok(median(all))
}

/// Messages in all mailboxes: nobody saves by losing.
fn stored(server: &dyn Server) -> Result<usize> {
    let mut sum = 0;
    for n in 0..ACCOUNTS {
        let lines = server.imap(&account(n))?.imap("STATUS INBOX (MESSAGES)")?;
        let line = lines.iter().find(|line| line.starts_with("* STATUS")).context("no STATUS")?;
        let count = line.rsplit("MESSAGES ").next().unwrap_or_default().trim_end_matches(')');
        sum += count.parse::<usize>().with_context(|| line.clone())?;
    }
    Ok(sum)
}

/// The bench.
pub(super) fn run() -> Result<()> {
    let shape = (number("DELIVERIES", 1_000), number("RUNS", 3));
    let expected = shape.0 * (shape.1 + 1);
    let postroom = Postroom::start(ACCOUNTS)?;
    println!("{}", postroom.name());
    let ours = runs(&postroom, shape, || Ok(()))?;
    ensure!(stored(&postroom)? == expected, "{} lost mail", postroom.name());
    drop(postroom);
    let Some(postfix) = Postfix::start(ACCOUNTS)? else {
        println!("no Postfix: start this by `cargo xtask bench delivery`");
        return Ok(());
    };
    println!("{}", postfix.name());
    let theirs = runs(&postfix, shape, || postfix.wait_until_delivered())?;
    ensure!(stored(postfix.mailboxes())? == expected, "{} lost mail", postfix.name());
    let (us, them) = (ours.cpu.as_secs_f64(), theirs.cpu.as_secs_f64());
    let rate = |took: Took| shape.0 as f64 / took.wall.as_secs_f64().max(f64::EPSILON);
    println!("{} messages of 4 KB, {SESSIONS} sessions, median of {} runs", shape.0, shape.1);
    print_table(&[
        row(["", "messages a second", "CPU s for all"]),
        vec!["Postroom".into(), format!("{:.0}", rate(ours)), seconds(ours.cpu)],
        vec![postfix.name(), format!("{:.0}", rate(theirs)), seconds(theirs.cpu)],
        vec!["ratio".into(), ratio(rate(ours), rate(theirs)), ratio(us, them)],
        row(["goal", "10x", "0.10x"]),
    ]);
    Ok(())
}
