//! A box whose index is lost: it says so, refuses to begin anew, and `check --repair` brings all of it back,
//! also when the repair itself is killed.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use testkit::Client;
use testkit::daemon::{Daemon, Options, begin_repair, check, office, repair};

/// Messages that are delivered: enough that a repair is not over before it can be killed.
const MESSAGES: u32 = 300;

/// What anna and bert see of the box.
fn remember(daemon: &Daemon) -> Result<Vec<String>> {
    let mut seen = Vec::new();
    for name in ["anna", "bert"] {
        let mut client = daemon.imap(name)?;
        let folders = client.imap("LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))")?;
        seen.extend(folders);
        seen.extend(client.imap("GETQUOTAROOT INBOX")?);
        for folder in ["INBOX", "Projects/Roof"] {
            if client.imap(&format!("SELECT {folder}")).is_err() {
                continue;
            }
            let items = "(UID FLAGS INTERNALDATE ENVELOPE BODY BODY.PEEK[])";
            seen.extend(client.imap(&format!("UID FETCH 1:* {items}"))?);
        }
        seen.extend(client.imap("GETACL INBOX")?);
        seen.extend(client.imap("GETMETADATA INBOX /private/comment")?);
    }
    // The tags and the time of a command are its own.
    seen.retain(|line| line.starts_with("* ") || !line.contains(" OK "));
    Ok(seen)
}

fn deliver(client: &mut Client, n: u32) -> Result<()> {
    client.smtp("MAIL FROM:<x@load.test>", "250")?;
    let to = if n.is_multiple_of(3) { "bert" } else { "anna" };
    client.smtp(&format!("RCPT TO:<{to}@office.test>"), "250")?;
    client.smtp("DATA", "354")?;
    client.smtp(&format!("Subject: {n}\r\nFrom: <x@load.test>\r\n\r\ntext\r\n."), "250")?;
    Ok(())
}

fn work(daemon: &Daemon) -> Result<()> {
    let mut smtp = daemon.client(25)?;
    smtp.smtp_reply()?;
    smtp.smtp("EHLO load.test", "250")?;
    (1..=MESSAGES).try_for_each(|n| deliver(&mut smtp, n))?;
    let mut anna = daemon.imap("anna")?;
    for command in [
        "CREATE Projects/Roof",
        "SELECT INBOX",
        "STORE 2:9 +FLAGS (\\Seen \\Flagged $Forwarded)",
        "COPY 3:5 Projects/Roof",
        "MOVE 20:29 Projects/Roof",
        "STORE 1 +FLAGS (\\Deleted)",
        "EXPUNGE",
        "SETACL INBOX bert@office.test lr",
        "SETMETADATA INBOX (/private/comment \"mine\")",
    ] {
        anna.imap(command)?;
    }
    Ok(())
}

/// The daemon does not begin anew beside the log, and says what helps.
fn refuses(options: Options) -> Result<()> {
    let Err(refused) = Daemon::start(options) else { bail!("it started without its index") };
    ensure!(format!("{refused:#}").contains("check --repair"), "{refused:#}");
    Ok(())
}

/// Kills a repair as soon as it has begun to write.
fn kill_a_repair(data: &Path) -> Result<()> {
    let mut child = begin_repair(data)?;
    while !data.join("index.making").exists() {
        if let Some(ended) = child.try_wait()? {
            bail!("it was over too soon: {ended}");
        }
        std::thread::yield_now();
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let options = || Options {
        data: Some(data.clone()),
        provision: Some(office(&["anna", "bert"])),
        ..Options::default()
    };
    let mut daemon = Daemon::start(options())?;
    work(&daemon)?;
    let before = remember(&daemon)?;
    ensure!(before.iter().any(|line| line.contains("$Forwarded")), "{before:?}");
    daemon.kill()?;
    let index = data.join("index.redb");
    for harm in ["gone", "cut", "garbage"] {
        let bytes = std::fs::read(&index)?;
        match harm {
            "gone" => std::fs::remove_file(&index)?,
            "cut" => std::fs::write(&index, &bytes[..bytes.len() / 3])?,
            _ => std::fs::write(&index, vec![b'x'; bytes.len()])?,
        }
        ensure!(check(&data).is_err(), "{harm}: the check says nothing");
        if harm == "gone" {
            refuses(options())?;
        }
        kill_a_repair(&data).with_context(|| harm.to_owned())?;
        let said = repair(&data).with_context(|| harm.to_owned())?;
        ensure!(said.len() == 2 && said[0].contains("from the whole log"), "{harm}: {said:?}");
        ensure!(said[1].ends_with(": 0 problems"), "{harm}: {said:?}");
        let mut daemon = Daemon::start(options())?;
        let after = remember(&daemon)?;
        ensure!(after == before, "{harm}: it came back otherwise: {after:#?}");
        ensure!(daemon.stop()?.success(), "{harm}: a clean stop");
    }
    Ok(())
}

#[test]
fn a_lost_index_comes_back_from_the_log() {
    if let Err(err) = run() {
        panic!("{err:#}");
    }
}
