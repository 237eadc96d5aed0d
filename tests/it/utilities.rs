//! `postroom` as a reseller's script uses it, against a running daemon.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testkit::daemon::{Daemon, Options, office};

/// People and groups of an office that fits on no page of the API.
const MANY: usize = 1_100;

/// `postroom`: beside the daemon, where cargo put both, or built here.
pub(crate) fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("POSTROOM_CTL_BIN") {
        return Ok(path.into());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(cargo)
        .current_dir(root)
        .args(["build", "--quiet", "--package", "ctl", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(built.status.success(), "postroom does not build");
    let text = String::from_utf8_lossy(&built.stdout);
    let lines = text.lines().filter(|line| line.contains("\"name\":\"postroom\""));
    let path = lines
        .filter_map(|line| line.split("\"executable\":\"").nth(1)?.split('"').next())
        .next_back();
    Ok(path.context("cargo names no executable")?.into())
}

/// A box and the program that runs it.
struct Office {
    daemon: Daemon,
    postroom: PathBuf,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    /// The first column of a table, without its head.
    fn first_column(&self) -> Vec<&str> {
        assert_eq!(self.code, 0, "{self:?}");
        self.out.lines().skip(1).filter_map(|line| line.split("  ").next()).collect()
    }

    fn json(&self) -> Result<Value> {
        assert_eq!(self.code, 0, "{self:?}");
        Ok(serde_json::from_str(&self.out)?)
    }
}

impl Office {
    fn open() -> Result<Self> {
        let provision = Some(office(&["anna"]));
        let daemon = Daemon::start(Options { provision, ..Options::default() })?;
        Ok(Self { daemon, postroom: binary()? })
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.postroom);
        command.env_remove("POSTROOM_SERVER").env_remove("POSTROOM_TOKEN");
        command.arg("--data").arg(&self.daemon.data).args(arguments.split(' '));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &str, input: &str) -> Result<Said> {
        let mut child = self.command(arguments).spawn()?;
        // A command that reads nothing may be gone already.
        child.stdin.take().context("a pipe")?.write_all(input.as_bytes()).ok();
        let output = child.wait_with_output()?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        Ok(Said { code: output.status.code().unwrap_or(-1), out, err })
    }

    fn import(&self, format: &str, file: &str) -> Result<()> {
        let said = self.run(&format!("directory import - --format {format}"), file)?;
        let start = said.out.lines().take(3).collect::<Vec<_>>();
        ensure!(said.code == 0, "{start:?} {}", said.err);
        Ok(())
    }

    /// People `1@office.test` and on, and as many groups; every second one is a list.
    fn fill(&self) -> Result<()> {
        let mut people = String::from("address,name\n");
        let mut groups = String::new();
        for n in 1..=MANY {
            writeln!(people, "{n}@office.test,Person {n}")?;
            writeln!(groups, "dn: cn=g{n},ou=groups,dc=office,dc=test\nobjectClass: groupOfNames")?;
            writeln!(groups, "cn: g{n}\nmember: uid={n},ou=people,dc=office,dc=test")?;
            if n % 2 == 0 {
                writeln!(groups, "objectClass: inetLocalMailRecipient")?;
                writeln!(groups, "mailLocalAddress: g{n}@office.test")?;
            }
            groups.push('\n');
        }
        self.import("csv", &people)?;
        self.import("ldif", &groups)
    }
}

#[test]
fn a_list_goes_to_its_end_however_long_it_is() -> Result<()> {
    let office = Office::open()?;
    office.fill()?;
    for (list, field, len) in [
        ("user list", "address", MANY + 1),
        ("user list --sort address --order desc", "address", MANY + 1),
        ("quota list", "address", MANY + 1),
        ("group list", "name", MANY),
        ("list list", "address", MANY / 2),
    ] {
        let said = office.run(list, "")?;
        let shown = said.first_column();
        let different: BTreeSet<&str> = shown.iter().copied().collect();
        assert_eq!((shown.len(), different.len()), (len, len), "{list}");
        let all = office.run(&format!("{list} --json"), "")?.json()?;
        let items = all["items"].as_array().context("no items")?;
        assert_eq!((items.len(), &all["found"]), (len, &Value::from(len)), "{list}");
        assert_eq!(all["next"], Value::Null, "{list}");
        let different: BTreeSet<&str> =
            items.iter().filter_map(|item| item[field].as_str()).collect();
        assert_eq!(different.len(), len, "{list}");
        // A limit ends it, also one that is longer than a page.
        for limit in [1, 510] {
            let some = office.run(&format!("{list} --limit {limit}"), "")?;
            assert_eq!(some.first_column(), shown[..limit], "{list}");
            let some = office.run(&format!("{list} --limit {limit} --json"), "")?.json()?;
            assert_eq!(some["items"].as_array(), Some(&items[..limit].to_vec()), "{list}");
            assert_eq!(some["next"], limit, "{list}");
        }
    }
    let rest = office.run(&format!("user list --offset {MANY} --json"), "")?.json()?;
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    // Each of them left its row.
    let audit = office.run("audit list --json", "")?.json()?;
    let rows = audit["items"].as_array().context("no items")?;
    assert!(rows.len() >= 2 * MANY, "{}", rows.len());
    assert!(rows.is_sorted_by(|a, b| a["seq"].as_u64() > b["seq"].as_u64()), "newest first");
    Ok(())
}

#[test]
fn who_is_named_is_found_among_many_that_look_alike() -> Result<()> {
    let office = Office::open()?;
    office.fill()?;
    // A part of most of the others' addresses, and in no order the first of them.
    for n in [1, 9, 1_000] {
        let shown = office.run(&format!("user show {n}@office.test --json"), "")?.json()?;
        assert_eq!(shown["address"], format!("{n}@office.test"));
    }
    let shown = office.run("list show g8@office.test --json", "")?.json()?;
    assert_eq!(shown["name"], "g8");
    assert_eq!(office.run("user show 0@office.test", "")?.code, 5);
    Ok(())
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_list() -> Result<()> {
    let office = Office::open()?;
    office.fill()?;
    let mut child = office.command("user list").spawn()?;
    let mut line = String::new();
    // The pipe is closed behind the first line.
    BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
    assert!(line.starts_with("ADDRESS"), "{line}");
    let output = child.wait_with_output()?;
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

#[test]
fn a_trial_asks_for_no_password() -> Result<()> {
    let office = Office::open()?;
    for command in ["user add ben@office.test", "user password anna@office.test"] {
        // Standard input stays open: who reads from it waits for ever.
        let mut child = office.command(&format!("{command} --dry-run")).spawn()?;
        let waiting = child.stdin.take();
        let output = child.wait_with_output()?;
        drop(waiting);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("would send POST"), "{output:?}");
        assert!(text.contains("(secret)"), "{text}");
    }
    assert_eq!(office.run("user show ben@office.test", "")?.code, 5);
    Ok(())
}

#[test]
fn an_error_names_what_is_wrong_for_people_and_for_programs() -> Result<()> {
    let office = Office::open()?;
    for (command, code, told) in [
        ("user set anna@office.test --state sleepy", 2, "suspended"),
        ("user list --sort age", 2, "address"),
        ("webhook add h https://h.test/ --event * --mode sideways", 2, "before"),
        ("alias delete none@office.test", 5, "none@office.test"),
        ("source show office.test", 5, "office.test"),
        ("domain delete office.test", 1, "people"),
        ("audit list --since yesterday", 1, "2026-01-31"),
        ("token add t --expires tomorrow", 1, "2027-01-31"),
        ("token add t --domain no.test", 1, "no domain of this server"),
        ("webhook add h ftp://h.test/ --event *", 1, "https://"),
    ] {
        let said = office.run(command, "")?;
        assert!(said.code == code && said.err.contains(told), "{command}: {said:?}");
    }
    let said = office.run("--json alias delete none@office.test", "")?;
    let error: Value = serde_json::from_str(&said.err)?;
    assert_eq!((&error["error"], &error["exit"]), (&Value::from("not-found"), &Value::from(5)));
    // The box signed its certificate itself, and nobody has said which one that is.
    let url = office.daemon.url.trim_end_matches('/');
    let said = Command::new(&office.postroom).args(["--server", url, "user", "list"]).output()?;
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.code() == Some(3) && text.contains("--fingerprint"), "{text}");
    // What is to be read here is read before anybody is called.
    let mut command = Command::new(&office.postroom);
    command.args(["--server", url, "--token-file", "/nonexistent", "user", "list"]);
    assert_eq!(command.output()?.status.code(), Some(6));
    Ok(())
}

/// `script` gives the command a terminal.
#[test]
fn a_person_at_a_terminal_is_asked_before_something_is_deleted() -> Result<()> {
    let office = Office::open()?;
    let (postroom, data) = (office.postroom.display(), office.daemon.data.display());
    let at_a_terminal = |arguments: &str, answer: &str| -> Result<(Option<i32>, String)> {
        let line = format!("{postroom} --data {data} {arguments}");
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        child.stdin.take().context("a pipe")?.write_all(answer.as_bytes())?;
        let output = child.wait_with_output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    };
    let exists = || Ok::<_, anyhow::Error>(office.run("user show anna@office.test", "")?.code == 0);
    let (code, said) = at_a_terminal("user delete anna@office.test", "n\n")?;
    assert!(code == Some(2) && said.contains("Delete anna@office.test?"), "{code:?} {said}");
    assert!(exists()?);
    let (code, said) = at_a_terminal("user delete anna@office.test", "y\n")?;
    assert!(code == Some(0) && !exists()?, "{code:?} {said}");
    let restored = office.run("user restore anna@office.test", "")?;
    assert!(restored.out.contains("account.address"), "a line a field: {restored:?}");
    let (code, said) = at_a_terminal("user delete anna@office.test --yes", "")?;
    assert!(code == Some(0) && !said.contains("Delete") && !exists()?, "{code:?} {said}");
    Ok(())
}
