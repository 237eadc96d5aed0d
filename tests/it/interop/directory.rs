//! Programs of others that keep the directory or look people up in it: shelldap, an administrator's tool, and
//! Thunderbird's address book.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use testkit::Client;

use super::thunderbird::script;
use super::{Office, office, run};

const BASE: &str = "dc=office,dc=test";

/// shelldap opens an editor for a new entry and for one that is changed. This one writes what a person would.
const EDITOR: &str = r#"#!/bin/sh
for file; do :; done
if grep -q '^dn: ???' "$file"; then
    grep -q '^# telephoneNumber' "$file" || exit 1
    cat > "$file" <<'END'
dn: uid=carla,ou=people,dc=office,dc=test
objectClass: inetOrgPerson
uid: carla
cn: Carla Fuchs
sn: Fuchs
mail: carla@office.test
userPassword: Zaunkoenig im Winter
carLicense: B-CF 1
END
else
    sed -i 's/^cn: .*/cn: Carla Fuchs-Berg/' "$file"
fi
"#;

/// Gives shelldap lines as somebody would type them; what it says.
fn shelldap(office: &Office, lines: &str) -> String {
    let home = office.scratch.path();
    let editor = home.join("editor");
    fs::write(&editor, EDITOR).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let login = home.join("shelldap");
    let (host, port) = (office.host(), office.port(389));
    let text = format!(
        "server: ldap://{host}:{port}\nbinddn: cn=admin,{BASE}\nbindpass: correct horse\n\
         basedn: {BASE}\n"
    );
    fs::write(&login, text).unwrap();
    fs::set_permissions(&login, fs::Permissions::from_mode(0o600)).unwrap();
    let mut shell = Command::new("shelldap")
        .arg("-f")
        .arg(&login)
        .env("HOME", home)
        .env("EDITOR", &editor)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let done = shell.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

fn log_in(office: &Office, password: &str) -> anyhow::Result<Client> {
    let mut imap = office.daemon.client(993)?;
    imap.read_line()?;
    imap.imap(&format!("LOGIN carla@office.test \"{password}\""))?;
    Ok(imap)
}

#[test]
fn shelldap_creates_changes_and_removes_a_person() {
    let office = office();
    let said = shelldap(&office, "cd ou=people\ncreate inetOrgPerson\nls\nexit\n");
    assert!(said.contains("uid=carla"), "{said}");
    run(&mut office.swaks("carla@office.test", "welcome"));
    let mut imap = log_in(&office, "Zaunkoenig im Winter").unwrap();
    let status = imap.imap("STATUS INBOX (MESSAGES)").unwrap();
    assert!(status[0].contains("MESSAGES 1"), "{status:?}");

    let said = shelldap(&office, "cd ou=people\nedit uid=carla\ncat uid=carla\nexit\n");
    assert!(said.contains("cn: Carla Fuchs-Berg") && said.contains("carLicense: B-CF 1"), "{said}");
    let said = shelldap(&office, "cd ou=people\nmv uid=carla uid=karla\nls\nexit\n");
    assert!(said.contains("uid=karla") && !said.contains("- uid=carla"), "{said}");
    log_in(&office, "Zaunkoenig im Winter").unwrap();

    let said = shelldap(&office, "cd ou=people\nrm uid=karla\ny\nls\nexit\n");
    assert!(!said.contains("- uid=karla"), "{said}");
    assert!(log_in(&office, "Zaunkoenig im Winter").is_err());
    assert!(!office.swaks("carla@office.test", "too late").status().unwrap().success());
}

#[test]
fn thunderbird_finds_people_while_a_letter_is_written() {
    let office = office();
    shelldap(&office, "cd ou=people\ncreate inetOrgPerson\nexit\n");
    let ldaps = office.port(636).to_string();
    let told = run(script(&office, "thunderbird_people.py").args([
        &ldaps,
        BASE,
        "fuch",
        "carla@office.test",
    ]));
    println!("{told}");
    assert!(told.trim_end().ends_with("OK"), "{told}");
}

#[test]
fn the_wire_trace_shows_what_a_tool_asks_and_no_password() {
    let office = office();
    let url = format!("https://{}:{}/api", office.host(), office.port(443));
    let jar = office.scratch.path().join("cookies");
    let ask = |method: &str, route: &str, body: &str| {
        run(Command::new("curl")
            .args(["--silent", "--show-error", "--insecure", "--fail", "--request", method])
            .arg("--cookie")
            .arg(&jar)
            .arg("--cookie-jar")
            .arg(&jar)
            .args(["--header", "Content-Type: application/json", "--data", body])
            .arg(format!("{url}{route}")))
    };
    ask("POST", "/session", r#"{"login":"admin","password":"correct horse"}"#);
    ask("PUT", "/admin/trace", r#"{"on":true}"#);
    let ldap = format!("ldap://{}:{}", office.host(), office.port(389));
    let who = ["-x", "-H", &ldap, "-D", "anna@office.test", "-w", "secret-anna", "-b", BASE];
    run(Command::new("ldapsearch").args(who).args(["(|(cn=an*)(uid=zzz))", "mail"]));
    let log = office.daemon.log();
    assert!(log.contains("BIND \"anna@office.test\" Simple"), "{log}");
    assert!(log.contains("SEARCH \"dc=office,dc=test\" Subtree (|(cn=an*)(uid=zzz))"), "{log}");
    assert!(log.contains("ENTRY \"uid=anna,ou=people,dc=office,dc=test\", 1 attributes"), "{log}");
    assert!(!log.contains("secret-anna"), "{log}");
}
