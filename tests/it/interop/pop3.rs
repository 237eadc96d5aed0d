//! POP3 over TLS with curl and fetchmail.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::{Office, office, run};

/// curl on a POP3 URL with `path`, with more arguments.
fn curl(office: &Office, path: &str, arguments: &[&str]) -> String {
    let url = format!("pop3s://{}:{}/{path}", office.host(), office.port(995));
    run(Command::new("curl")
        .args(["--silent", "--show-error", "--insecure", "--url", &url])
        .args(["--user", "anna@office.test:secret-anna"])
        .args(arguments))
}

#[test]
fn curl_lists_reads_and_deletes_by_pop3s() {
    let office = office();
    run(&mut office.swaks("anna@office.test", "first"));
    run(&mut office.swaks("info@office.test", "second"));
    let list = curl(&office, "", &[]);
    let sizes: Vec<&str> =
        list.lines().filter_map(|line| line.split_once(' ')).map(|(_, size)| size).collect();
    assert_eq!(sizes.len(), 2, "{list}");
    let text = curl(&office, "1", &[]);
    assert_eq!(text.len().to_string(), sizes[0], "LIST tells what RETR sends");
    assert!(text.contains("Subject: first") && text.contains("Good morning."), "{text}");
    let ids = curl(&office, "", &["--request", "UIDL"]);
    assert_eq!(ids.lines().count(), 2, "{ids}");
    curl(&office, "1", &["--request", "DELE", "--head"]);
    let left = curl(&office, "", &["--request", "UIDL"]);
    let second = ids.lines().nth(1).and_then(|line| line.split_once(' ')).unwrap().1;
    assert_eq!(left.trim_end(), format!("1 {second}"), "the other keeps its unique-id");

    let mut imap = office.daemon.imap("anna").unwrap();
    let status = imap.imap("STATUS INBOX (MESSAGES)").unwrap();
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 1)");
}

/// fetchmail with a home of its own.
struct Fetchmail {
    home: PathBuf,
}

impl Fetchmail {
    /// With these words in its rc file.
    fn new(office: &Office, uidl: &str, keep: &str) -> Self {
        let home = office.scratch.path().join("fetchmail");
        fs::create_dir(&home).unwrap();
        let text = format!(
            "poll {} protocol pop3 port {} {uidl} user \"anna@office.test\" password \"secret-anna\" \
             ssl no sslcertck {keep} mda \"/bin/cat >> {}\"\n",
            office.host(),
            office.port(995),
            home.join("inbox").display()
        );
        let rc = home.join("fetchmailrc");
        fs::write(&rc, text).unwrap();
        fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
        Self { home }
    }

    /// True if mail came; it says so with its status, 1 is "no mail".
    fn fetch(&self) -> bool {
        let mut command = Command::new("fetchmail");
        command.arg("--fetchmailrc").arg(self.home.join("fetchmailrc"));
        command.arg("--idfile").arg(self.home.join("ids"));
        command.arg("--pidfile").arg(self.home.join("pid")).env("FETCHMAILHOME", &self.home);
        let done = command.arg("--verbose").output().unwrap();
        assert!(matches!(done.status.code(), Some(0 | 1)), "{done:?}");
        done.status.success()
    }

    /// How many letters came in all.
    fn letters(&self) -> usize {
        let text = fs::read_to_string(self.home.join("inbox")).unwrap_or_default();
        text.matches("Subject: ").count()
    }
}

#[test]
fn fetchmail_that_keeps_mail_fetches_each_once() {
    let office = office();
    for subject in ["one", "two", "three"] {
        run(&mut office.swaks("anna@office.test", subject));
    }
    let fetchmail = Fetchmail::new(&office, "uidl", "keep");
    assert!(fetchmail.fetch());
    assert_eq!(fetchmail.letters(), 3);
    assert!(!fetchmail.fetch(), "the second run brings none");
    run(&mut office.swaks("anna@office.test", "four"));
    assert!(fetchmail.fetch());
    assert_eq!(fetchmail.letters(), 4, "only the new one comes");
}

#[test]
fn fetchmail_that_keeps_none_empties_the_mailbox() {
    let office = office();
    run(&mut office.swaks("anna@office.test", "one"));
    run(&mut office.swaks("anna@office.test", "two"));
    let fetchmail = Fetchmail::new(&office, "", "nokeep fetchall");
    assert!(fetchmail.fetch());
    assert_eq!(fetchmail.letters(), 2);
    assert!(!fetchmail.fetch());
    let mut imap = office.daemon.imap("anna").unwrap();
    let status = imap.imap("STATUS INBOX (MESSAGES)").unwrap();
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 0)");
}
