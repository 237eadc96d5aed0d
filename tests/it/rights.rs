//! The matrix right x command of RFC 4314 §4, from one table: a command is done exactly if its rights are
//! there, and a mailbox that may not be seen is answered as one that is not there.

use anyhow::{Context as _, Result, bail};
use testkit::client::Client;
use testkit::daemon::{Daemon, imap_login};

const RIGHTS: &str = "lrswipkxtea";

/// When a command is done.
#[derive(Clone, Copy)]
enum Needs {
    All(&'static str),
    Any(&'static str),
    /// All of these and one of those.
    Both(&'static str, &'static str),
}

impl Needs {
    fn met_by(self, rights: &str) -> bool {
        let all = |wanted: &str| wanted.chars().all(|right| rights.contains(right));
        let any = |wanted: &str| wanted.chars().any(|right| rights.contains(right));
        match self {
            Self::All(wanted) => all(wanted),
            Self::Any(wanted) => any(wanted),
            Self::Both(wanted, one) => all(wanted) && any(one),
        }
    }
}

/// `M` is the mailbox with the rights, `K` one in which all is allowed. In the second list the mailbox is
/// selected first, which needs `r`.
const COMMANDS: &[(&str, Needs)] = &[
    ("SELECT M", Needs::All("r")),
    ("EXAMINE M", Needs::All("r")),
    ("STATUS M (MESSAGES)", Needs::All("r")),
    ("SUBSCRIBE M", Needs::All("l")),
    ("GETQUOTAROOT M", Needs::All("r")),
    ("CREATE M/child", Needs::All("k")),
    ("DELETE M", Needs::All("x")),
    ("RENAME M K/moved", Needs::All("x")),
    ("RENAME K/own M/moved", Needs::All("k")),
    ("APPEND M {1+}\r\nx", Needs::All("i")),
    ("GETACL M", Needs::All("a")),
    ("SETACL M anyone p", Needs::All("a")),
    ("DELETEACL M anyone", Needs::All("a")),
    ("LISTRIGHTS M anyone", Needs::All("a")),
    ("MYRIGHTS M", Needs::Any("lrikxa")),
    ("GETMETADATA M /shared/comment", Needs::Both("l", "rswip")),
    ("SETMETADATA M (/private/comment \"x\")", Needs::Both("l", "rswip")),
    ("SETMETADATA M (/shared/comment \"x\")", Needs::All("lrw")),
];

const SELECTED: &[(&str, Needs)] = &[
    ("FETCH 1 BODY[]", Needs::All("r")),
    ("SEARCH ALL", Needs::All("r")),
    ("STORE 1 +FLAGS (\\Seen)", Needs::All("rs")),
    ("STORE 1 +FLAGS (\\Flagged)", Needs::All("rw")),
    ("STORE 1 +FLAGS (\\Deleted)", Needs::All("rt")),
    ("STORE 1 FLAGS ($Junk)", Needs::Both("r", "swt")),
    ("COPY 1 K", Needs::All("r")),
    ("COPY 1 M", Needs::All("ri")),
    ("MOVE 1 K", Needs::All("rte")),
    ("EXPUNGE", Needs::All("re")),
    ("UID EXPUNGE 1", Needs::All("re")),
    ("CLOSE", Needs::All("r")),
];

struct Matrix {
    owner: Client,
    other: Client,
    cases: u32,
    wrong: Vec<String>,
}

/// The tagged answer to a command.
fn answer(client: &mut Client, command: &str) -> Result<String> {
    client.send(&format!("t {command}"))?;
    loop {
        let line = client.read_line()?.context("closed")?;
        if line.starts_with("t ") {
            return Ok(line);
        }
        if line.starts_with("* BYE") {
            bail!("{line}");
        }
    }
}

impl Matrix {
    /// One command with one set of rights, in a mailbox of its own.
    fn try_one(&mut self, command: &str, needs: Needs, rights: &str, selects: bool) -> Result<()> {
        let name = format!("m{}", self.cases);
        self.cases += 1;
        for setup in [
            format!("CREATE {name}"),
            format!("APPEND {name} {{1+}}\r\nx"),
            format!("SETACL {name} bert \"{rights}\""),
        ] {
            self.owner.imap(&setup)?;
        }
        if command.contains("K/own") {
            self.owner.imap(&format!("CREATE k{name}"))?;
            self.owner.imap(&format!("SETACL k{name} bert lx"))?;
        }
        let shown = command
            .replace("K/own", &format!("Shared/anna/k{name}"))
            .replace("K/moved", &format!("Shared/anna/K/{name}"))
            .replace(" K", " Shared/anna/K")
            .replace(" M", &format!(" Shared/anna/{name}"));
        let mut line = String::from("t OK");
        if selects {
            line = answer(&mut self.other, &format!("SELECT Shared/anna/{name}"))?;
        }
        if line.starts_with("t OK") {
            line = answer(&mut self.other, &shown)?;
        }
        let mut is_right = line.starts_with("t OK") == needs.met_by(rights);
        if line.starts_with("t NO") {
            let is_hidden = line.contains("[NONEXISTENT]") || line.contains("[TRYCREATE]");
            // Under a name that is none the answer is that nothing may be made there.
            let names_parent = command.contains("M/");
            let is_open = selects && rights.contains('r') && !command.contains(" M");
            let is_known = is_open || rights.contains('l');
            is_right &= names_parent || is_hidden != is_known;
        }
        if !is_right || line.starts_with("t BAD") {
            self.wrong.push(format!("{shown} with {rights:?}: {line}"));
        }
        Ok(())
    }

    fn try_all(&mut self, command: &str, needs: Needs, selects: bool) -> Result<()> {
        for without in RIGHTS.chars() {
            let rights: String = RIGHTS.chars().filter(|right| *right != without).collect();
            self.try_one(command, needs, &rights, selects)?;
            self.try_one(command, needs, &without.to_string(), selects)?;
            if selects {
                self.try_one(command, needs, &format!("r{without}"), selects)?;
            }
        }
        let (Needs::All(least) | Needs::Any(least) | Needs::Both(least, _)) = needs;
        for rights in [RIGHTS, "", least] {
            self.try_one(command, needs, rights, selects)?;
        }
        Ok(())
    }
}

#[test]
fn each_command_needs_its_rights() {
    let mut daemon = Daemon::with_accounts(&["anna", "bert"]).unwrap();
    let mut matrix = Matrix {
        owner: imap_login(&daemon.at, "anna").unwrap(),
        other: imap_login(&daemon.at, "bert").unwrap(),
        cases: 0,
        wrong: Vec::new(),
    };
    matrix.owner.imap("CREATE K").unwrap();
    matrix.owner.imap("SETACL K bert lrswipkxtea").unwrap();
    for (commands, selects) in [(COMMANDS, false), (SELECTED, true)] {
        for (command, needs) in commands {
            matrix.try_all(command, *needs, selects).unwrap();
        }
    }
    println!("{} cases", matrix.cases);
    assert!(matrix.wrong.is_empty(), "{}", matrix.wrong.join("\n"));
    drop(matrix);
    assert!(daemon.stop().unwrap().success());
    daemon.check().unwrap();
}
