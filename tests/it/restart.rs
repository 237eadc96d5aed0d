//! A restart keeps what clients remember: UIDVALIDITY, UIDs, flags, the certificate.

use anyhow::{Context as _, Result, ensure};
use testkit::daemon::{Daemon, Options, office};
use testkit::{Client, peer_certificate};

/// What a client remembers of a box.
#[derive(Debug, PartialEq, Eq)]
struct Memory {
    uid_validity: String,
    uid_next: String,
    /// Lines of FETCH with UID, FLAGS and INTERNALDATE.
    rows: Vec<String>,
    mailboxes: Vec<String>,
    certificate: Vec<u8>,
}

fn remember(daemon: &Daemon) -> Result<Memory> {
    let mut client = daemon.imap("anna")?;
    let selected = client.imap("SELECT INBOX")?;
    let code = |name: &str| {
        let line = selected.iter().find(|line| line.contains(name)).context("no such code")?;
        let value = line.split(name).nth(1).and_then(|rest| rest.split(']').next());
        Ok::<_, anyhow::Error>(value.context("no value")?.trim().to_owned())
    };
    let mut mailboxes = client.imap("LIST \"\" *")?;
    mailboxes.extend(client.imap("LSUB \"\" *")?);
    Ok(Memory {
        uid_validity: code("UIDVALIDITY")?,
        uid_next: code("UIDNEXT")?,
        rows: client.imap("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")?,
        mailboxes,
        certificate: peer_certificate(&daemon.at, 993)?,
    })
}

fn deliver(daemon: &Daemon, subject: &str) -> Result<()> {
    let mut client: Client = daemon.client(25)?;
    client.smtp_reply()?;
    client.smtp("EHLO load.test", "250")?;
    client.smtp("MAIL FROM:<x@load.test>", "250")?;
    client.smtp("RCPT TO:<anna@office.test>", "250")?;
    client.smtp("DATA", "354")?;
    client.smtp(&format!("Subject: {subject}\r\n\r\ntext\r\n."), "250")?;
    Ok(())
}

fn run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = || {
        Daemon::start(Options {
            data: Some(dir.path().join("data")),
            provision: Some(office(&["anna"])),
            ..Options::default()
        })
    };
    let mut daemon = start()?;
    for subject in ["one", "two", "three", "four"] {
        deliver(&daemon, subject)?;
    }
    let mut client = daemon.imap("anna")?;
    client.imap("CREATE Projects/Roof")?;
    client.imap("SELECT INBOX")?;
    client.imap("STORE 2 +FLAGS (\\Seen \\Flagged $Forwarded)")?;
    client.imap("STORE 1 +FLAGS (\\Deleted)")?;
    client.imap("EXPUNGE")?;
    drop(client);
    let before = remember(&daemon)?;
    ensure!(before.rows.iter().any(|row| row.contains("$Forwarded")), "{:?}", before.rows);
    ensure!(before.rows.len() == 4, "three messages and the OK: {:?}", before.rows);

    ensure!(daemon.stop()?.success(), "a clean stop");
    let mut daemon = start()?;
    ensure!(remember(&daemon)? == before, "a stop and a start changed something");

    daemon.kill()?;
    let daemon = start()?;
    ensure!(remember(&daemon)? == before, "a kill and a start changed something");
    deliver(&daemon, "five")?;
    let after = remember(&daemon)?;
    ensure!(after.rows.len() == 5 && after.uid_validity == before.uid_validity, "{after:?}");
    ensure!(after.rows.get(3).is_some_and(|row| row.contains("UID 5")), "{:?}", after.rows);
    Ok(())
}

#[test]
fn a_restart_keeps_what_clients_remember() {
    if let Err(err) = run() {
        panic!("{err:#}");
    }
}
