//! What an idle connection costs, and how soon all of them hear of new mail.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use testkit::Client;

use super::crowd::Crowd;
use super::dovecot::{Dovecot, Idle};
use super::figures::{print_table, ratio, row};
use super::server::{Postroom, Server, account, login};
use super::{corpus, number};

/// Connections of one account, as Outlook has them.
const PER_ACCOUNT: usize = 20;
/// After the last has come: hibernation, and memory that goes back.
const SETTLE: Duration = Duration::from_secs(6);

/// What was seen.
struct Seen {
    name: String,
    connections: usize,
    kb_each: f64,
    told_last: Duration,
    told_median: Duration,
    cpu_telling: Duration,
}

/// Delivers one message to every account; when each was acknowledged.
fn deliver_to_all(server: &dyn Server, accounts: usize) -> Result<Vec<Instant>> {
    let mut client = Client::connect(&server.at(), 24)?;
    client.smtp_reply()?;
    client.smtp("LHLO bench.test", "250")?;
    let mut acknowledged = Vec::with_capacity(accounts);
    let all: Vec<usize> = (0..accounts).collect();
    for some in all.chunks(100) {
        client.smtp("MAIL FROM:<bench@example.org>", "250")?;
        for &n in some {
            client.smtp(&format!("RCPT TO:<{}>", login(&account(n))), "250")?;
        }
        client.smtp("DATA", "354")?;
        client.send_raw(format!("{}.\r\n", corpus::message(accounts)).as_bytes())?;
        for _ in some {
            let reply = client.smtp_reply()?;
            anyhow::ensure!(reply.starts_with("250"), "delivery was answered {reply:?}");
            acknowledged.push(Instant::now());
        }
    }
    Ok(acknowledged)
}

fn measure(server: &dyn Server, connections: usize, is_tls: bool) -> Result<Seen> {
    let accounts = connections.div_ceil(PER_ACCOUNT);
    // The first login of each account and the first connection are no part of what a connection costs.
    drop(Crowd::gather(server.at(), accounts, accounts, is_tls)?);
    std::thread::park_timeout(SETTLE);
    let before = server.pss_kb()?;
    let begun = Instant::now();
    let mut crowd = Crowd::gather(server.at(), connections, accounts, is_tls)?;
    let came = begun.elapsed();
    std::thread::park_timeout(SETTLE);
    let after = server.pss_kb()?;
    println!(
        "{}: {connections} connections in {:.1} s, {before} KB before, {after} KB with them",
        server.name(),
        came.as_secs_f64()
    );
    let cpu = server.cpu()?;
    let acknowledged = deliver_to_all(server, accounts)?;
    let told = crowd.all_told().with_context(|| server.name())?;
    let cpu_telling = server.cpu()?.saturating_sub(cpu);
    let mut late: Vec<Duration> = told
        .iter()
        .filter_map(|one| Some(one.at.saturating_duration_since(*acknowledged.get(one.account)?)))
        .collect();
    late.sort_unstable();
    Ok(Seen {
        name: server.name(),
        connections,
        kb_each: (after as f64 - before as f64) / connections as f64,
        told_last: late.last().copied().unwrap_or_default(),
        told_median: late.get(late.len() / 2).copied().unwrap_or_default(),
        cpu_telling,
    })
}

fn compare(is_tls: bool, connections: usize, theirs: usize) -> Result<()> {
    let accounts = |connections: usize| connections.div_ceil(PER_ACCOUNT);
    let mut all = Vec::new();
    {
        let ours = Postroom::start(accounts(connections))?;
        all.push(measure(&ours, connections, is_tls)?);
    }
    for idle in [Idle::Hibernated, Idle::Processes] {
        if theirs > 0 {
            let peer = Dovecot::start(accounts(theirs), PER_ACCOUNT, idle)?;
            all.push(measure(&peer, theirs, is_tls)?);
        }
    }
    let mut rows = vec![row([
        if is_tls { "idle, TLS" } else { "idle, plain text" },
        "connections",
        "KB each",
        "Postroom / it",
        "last told, ms",
        "median, ms",
        "CPU s telling",
    ])];
    let ours = all.first().map_or(0.0, |seen| seen.kb_each);
    for seen in &all {
        rows.push(vec![
            seen.name.clone(),
            seen.connections.to_string(),
            format!("{:.1}", seen.kb_each),
            ratio(ours, seen.kb_each),
            seen.told_last.as_millis().to_string(),
            seen.told_median.as_millis().to_string(),
            format!("{:.2}", seen.cpu_telling.as_secs_f64()),
        ]);
    }
    print_table(&rows);
    Ok(())
}

/// The bench.
pub(super) fn run() -> Result<()> {
    let connections = number("CONNECTIONS", 10_000);
    // Dovecot needs a process each on the way in, and 0.6 MB each to stay; its figures per connection do
    // not change with their number.
    let theirs = number("PEER_CONNECTIONS", 2_000).min(connections);
    if theirs < connections {
        println!("Dovecot is measured with {theirs} connections (--peer-connections)");
    }
    compare(true, connections, theirs)?;
    compare(false, connections, theirs)
}
