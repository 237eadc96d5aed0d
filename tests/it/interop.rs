//! Real clients against `postroomd serve --provision` with the example of the design: swaks sends in, mbsync
//! and Thunderbird read, curl and fetchmail fetch by POP3, curl sends out by 465, shelldap keeps the directory.

mod directory;
mod mbsync;
mod pop3;
mod thunderbird;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::daemon::{Options, fresh_address};
use testkit::{Daemon, Sink};

/// The provisioning file of the design, with the smarthost where the test's recorder listens.
const EXAMPLE: &str = r#"
hostname = "mail.office.test"
language = "de"
[admin]
password = "correct horse"
[[domain]]
name = "office.test"
[[user]]
address = "anna@office.test"
name = "Anna Berg"
password = "secret-anna"
quota_mb = 2048
aliases = ["info@office.test"]
[outbound]
mode = "smarthost"
smarthost = "SMARTHOST"
[dns]
servers = ["127.0.0.1:5353"]
"#;

struct Office {
    daemon: Daemon,
    sink: Sink,
    scratch: tempfile::TempDir,
}

fn office() -> Office {
    let sink = Sink::start(IpAddr::V4(fresh_address())).unwrap();
    let provision = EXAMPLE.replace("SMARTHOST", &sink.at.to_string());
    let daemon =
        Daemon::start(Options { provision: Some(provision), ..Options::default() }).unwrap();
    assert_eq!(daemon.setup_code, None, "a provisioned box needs no wizard");
    Office { daemon, sink, scratch: tempfile::tempdir().unwrap() }
}

/// Runs a program; its output is in the panic when it fails.
fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|err| panic!("{command:?}: {err}"));
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{command:?}\n{out}\n{err}");
    out.into_owned()
}

impl Office {
    fn host(&self) -> String {
        self.daemon.at.address.to_string()
    }

    fn port(&self, standard: u16) -> u16 {
        standard + self.daemon.at.port_offset
    }

    fn swaks(&self, to: &str, subject: &str) -> Command {
        let mut swaks = Command::new("swaks");
        swaks.args(["--server", &format!("{}:{}", self.host(), self.port(25)), "--tls"]);
        swaks.args(["--from", "customer@example.org", "--to", to]);
        swaks.args(["--helo", "client.example.org", "--header", &format!("Subject: {subject}")]);
        swaks.args(["--body", "Good morning."]);
        swaks
    }

    /// The box's own certificate, as a person would save it from a browser.
    fn certificate(&self) -> PathBuf {
        let shown = Command::new("openssl")
            .args(["s_client", "-connect", &format!("{}:{}", self.host(), self.port(993))])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let from = text.find("-----BEGIN CERTIFICATE-----").expect("a certificate");
        let end = "-----END CERTIFICATE-----";
        let to = text.find(end).expect("its end") + end.len();
        let path = self.scratch.path().join("box.pem");
        fs::write(&path, format!("{}\n", text.get(from..to).unwrap())).unwrap();
        path
    }
}

/// All files below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn is_mail(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
    folder == "new" || folder == "cur"
}

#[test]
fn curl_sends_out_by_465_and_reads_by_imaps() {
    let office = office();
    let letter = office.scratch.path().join("letter.eml");
    fs::write(
        &letter,
        "From: Anna Berg <anna@office.test>\r\nTo: Customer <customer@example.org>\r\n\
         Subject: Gr\u{fc}\u{df}e\r\n\r\nA line.\r\n.leading dot\r\n",
    )
    .unwrap();
    let url = format!("smtps://{}:{}", office.host(), office.port(465));
    run(Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--url", &url])
        .args(["--user", "anna@office.test:secret-anna"])
        .args(["--mail-from", "anna@office.test", "--mail-rcpt", "customer@example.org"])
        .arg("--upload-file")
        .arg(&letter));
    let out = office.sink.wait_for(|m| m.content.contains("A line.")).unwrap();
    assert!(out.from.starts_with("<anna@office.test>"), "{out:?}");
    assert!(out.to[0].starts_with("<customer@example.org>"), "{out:?}");
    assert!(out.content.contains("\r\n.leading dot\r\n"), "{out:?}");
    assert!(out.content.starts_with("Received: "), "no Return-Path leaves the box: {out:?}");
    assert!(out.content.contains("\r\nMessage-ID: <") && out.content.contains("\r\nDate: "));

    let wrong = Command::new("curl")
        .args(["--silent", "--insecure", "--url", &url, "--user", "anna@office.test:wrong"])
        .args(["--mail-from", "anna@office.test", "--mail-rcpt", "customer@example.org"])
        .arg("--upload-file")
        .arg(&letter)
        .status()
        .unwrap();
    assert_eq!(wrong.code(), Some(67), "curl: login denied");

    run(&mut office.swaks("anna@office.test", "for curl"));
    let url = format!("imaps://{}:{}/INBOX;MAILINDEX=1", office.host(), office.port(993));
    let text = run(Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--url", &url])
        .args(["--user", "anna@office.test:secret-anna"]));
    assert!(text.contains("Subject: for curl") && text.contains("Good morning."), "{text}");
}
