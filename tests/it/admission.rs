//! Who gets a place: an account has room for every client that Outlook opens, is told when it has too many,
//! and never in the words of a wrong password.

use anyhow::{Context as _, Result};
use testkit::Client;
use testkit::daemon::{Daemon, imap_login};

/// As many as the tier budget gives an account.
const PER_ACCOUNT: usize = 40;

fn answer(client: &mut Client, command: &str) -> Result<String> {
    client.send(&format!("t {command}"))?;
    loop {
        let line = client.read_line()?.context("closed")?;
        if line.starts_with("t ") {
            return Ok(line);
        }
    }
}

fn greeted(daemon: &Daemon) -> Result<Client> {
    let mut client = daemon.client(143)?;
    client.read_line()?.context("no greeting")?;
    Ok(client)
}

#[test]
fn an_account_has_forty_connections_and_is_told_so() -> Result<()> {
    let daemon = Daemon::with_accounts(&["anna", "bert"])?;
    let mut all = Vec::new();
    for n in 0..PER_ACCOUNT {
        all.push(imap_login(&daemon.at, "anna").with_context(|| format!("connection {n}"))?);
    }
    let mut one_more = greeted(&daemon)?;
    let right = "LOGIN anna@office.test secret-anna";
    let refused = answer(&mut one_more, right)?;
    assert_eq!(refused, "t NO [LIMIT] The account has too many connections");
    let wrong = answer(&mut one_more, "LOGIN anna@office.test guess")?;
    assert_eq!(wrong, "t NO [AUTHENTICATIONFAILED] Wrong name or password");
    // Others do not notice, and a place that is given back can be had.
    imap_login(&daemon.at, "bert")?.imap("SELECT INBOX")?;
    let mut first = all.remove(0);
    first.imap("LOGOUT")?;
    while first.read_line()?.is_some() {}
    let mut let_in = String::new();
    // The place is free when the server has seen the connection's end.
    for _ in 0..50 {
        let_in = answer(&mut one_more, right)?;
        if let_in.starts_with("t OK") {
            break;
        }
        one_more = greeted(&daemon)?;
    }
    assert!(let_in.starts_with("t OK"), "{let_in}");
    Ok(())
}
