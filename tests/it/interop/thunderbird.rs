//! Thunderbird, headless, driven by Marionette (`tests/interop`).

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::Client;

use super::{Office, office, run};

/// Messages in the large INBOX.
const MANY: u32 = 10_000;
/// Messages of one APPEND (RFC 3502): as many as the server takes.
const AT_ONCE: u32 = 100;

pub(super) fn script(office: &Office, name: &str) -> Command {
    let python =
        std::env::var_os("POSTROOM_PYTHON").expect("POSTROOM_PYTHON (cargo xtask test sets it)");
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(name);
    let mut command = Command::new(python);
    command.arg(script);
    command.args([&office.host(), &office.port(993).to_string()]);
    command.args(["anna@office.test", "secret-anna"]).arg(office.certificate());
    command
}

#[test]
fn thunderbird_sets_up_reads_and_idles() {
    let office = office();
    run(&mut office.swaks("anna@office.test", "for Thunderbird"));
    let deliver = office.swaks("anna@office.test", "while you idle");
    let told = run(script(&office, "thunderbird.py")
        .arg("for Thunderbird")
        .arg(deliver.get_program())
        .args(deliver.get_args()));
    println!("{told}");
    assert!(told.trim_end().ends_with("OK"), "{told}");
}

/// Fills a mailbox with letters, many in one command.
fn fill(imap: &mut Client, mailbox: &str, count: u32) {
    let numbers: Vec<u32> = (1..=count).collect();
    for some in numbers.chunks(AT_ONCE as usize) {
        let mut command = format!("APPEND {mailbox}");
        for n in some {
            let text = format!(
                "From: Sender {n} <sender{}@example.test>\r\nTo: anna@office.test\r\n\
                 Subject: {mailbox} letter {n}\r\nDate: Sun, 22 Nov 2026 09:00:00 +0000\r\n\
                 Message-ID: <{mailbox}.{n}@example.test>\r\n\r\nText {n} with needle{}.\r\n",
                n % 100,
                n % 1_000
            );
            command.push_str(&format!(" {{{}+}}\r\n{text}", text.len()));
        }
        imap.imap(&command).unwrap();
    }
}

fn count(imap: &mut Client, mailbox: &str) -> u32 {
    let status = imap.imap(&format!("STATUS {mailbox} (MESSAGES)")).unwrap();
    let number = status[0].split("MESSAGES ").nth(1).unwrap().trim_end_matches(')');
    number.parse().unwrap()
}

#[test]
fn thunderbird_works_with_ten_thousand_messages() {
    let office = office();
    let mut imap = office.daemon.imap("anna").unwrap();
    fill(&mut imap, "INBOX", MANY);
    fill(&mut imap, "Archive", 200);
    let deliver = office.swaks("anna@office.test", "among many");
    let told = run(script(&office, "thunderbird_many.py")
        .arg(MANY.to_string())
        .arg(deliver.get_program())
        .args(deliver.get_args()));
    println!("{told}");
    assert!(told.trim_end().ends_with("OK"), "{told}");
    // Moved 50, deleted 10, one came.
    assert_eq!(count(&mut imap, "INBOX"), MANY - 50 - 10 + 1);
    assert_eq!(count(&mut imap, "Projects"), 50);
    assert_eq!(count(&mut imap, "Trash"), 10);
}
