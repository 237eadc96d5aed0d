//! An Active Directory as the source of a domain: people and groups come, change, are disabled and go; they log
//! in with the password that is kept there, and with the last right one while nobody answers there.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::daemon::{Daemon, Options, office};

use super::active_directory::{ActiveDirectory, BOX, BOX_PASSWORD};
use crate::boot::web::Web;

const AT: &str = "/admin/domains/office.test/source";
/// More than Active Directory gives without pages.
const PEOPLE: usize = 1_050;
const PATIENCE: Duration = Duration::from_secs(120);

/// Sixteen bytes as LDIF has them; all of them are no text.
fn guid(n: usize) -> String {
    let bytes: Vec<u8> = (0u8..16).map(|i| 0xF0 | (i & 0x0F)).collect();
    let number = u32::try_from(n).unwrap().to_be_bytes();
    let all: Vec<u8> = number.into_iter().chain(bytes.into_iter().skip(4)).collect();
    base64(&all)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0u32, |sum, &b| sum << 8 | u32::from(b)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[usize::try_from(number >> (18 - 6 * at) & 63).unwrap()];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn people() -> String {
    let mut ldif = String::new();
    for n in 0..PEOPLE {
        writeln!(
            ldif,
            "dn: CN=P{n},CN=Users,DC=ad,DC=test\nobjectClass: user\ncn: P{n}\nsAMAccountName: p{n}\n\
             displayName: Person {n}\nsn: Number {n}\nmail: p{n}@office.test\n\
             proxyAddresses: SMTP:p{n}@office.test\nproxyAddresses: smtp:person.{n}@office.test\n\
             proxyAddresses: x500:/o=office/cn=p{n}\nuserPrincipalName: p{n}@ad.test\n\
             userAccountControl: 512\nobjectGUID:: {}\nuserPassword: secret-p{n}\n",
            guid(n)
        )
        .unwrap();
    }
    write!(
        ldif,
        "dn: CN=Local,CN=Users,DC=ad,DC=test\nobjectClass: user\ncn: Local\nsAMAccountName: local\n\
         mail: local@office.test\nuserAccountControl: 512\nobjectGUID:: {}\n\n\
         dn: CN=PC1,CN=Users,DC=ad,DC=test\nobjectClass: computer\ncn: PC1\nsAMAccountName: pc1$\n\
         mail: pc1@office.test\nobjectGUID:: {}\n\n\
         dn: CN=Sales,CN=Users,DC=ad,DC=test\nobjectClass: group\ncn: Sales\nmail: sales@office.test\n\
         member: CN=P1,CN=Users,DC=ad,DC=test\nmember: CN=P2,CN=Users,DC=ad,DC=test\nobjectGUID:: {}\n\n",
        guid(5_000),
        guid(5_001),
        guid(5_002)
    )
    .unwrap();
    ldif
}

struct Scene {
    daemon: Daemon,
    dir: tempfile::TempDir,
    directory: ActiveDirectory,
}

fn start(dir: &tempfile::TempDir) -> Result<Daemon> {
    let provision = Some(office(&["local"]));
    let data = Some(dir.path().join("data"));
    Daemon::start(Options { data, provision, ..Options::default() })
}

impl Scene {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        Ok(Self { daemon: start(&dir)?, dir, directory: ActiveDirectory::start(&people())? })
    }

    /// An admin's session.
    fn admin(&self) -> Result<Web<'_>> {
        let mut web = Web::new(&self.daemon.at);
        web.must("/session", &json!({ "login": "admin", "password": "correct horse" }))?;
        Ok(web)
    }

    fn settings(&self) -> Value {
        json!({
            "preset": "active-directory", "url": self.directory.url(), "base": "DC=ad,DC=test",
            "ca_pem": self.directory.ca_pem, "bind_dn": BOX, "bind_password": BOX_PASSWORD,
        })
    }

    /// What the status says once no sync runs, after the one that ended at `before`.
    fn status(&self, before: &Value) -> Result<Value> {
        let (mut web, by) = (self.admin()?, Instant::now() + PATIENCE);
        loop {
            let (_, status) = web.get(&format!("{AT}/status"))?;
            if status["running"] == false
                && !status["last_sync_at"].is_null()
                && status["syncs"] != before["syncs"]
            {
                return Ok(status);
            }
            ensure!(Instant::now() < by, "no sync ends: {status}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    fn sync(&self, before: &Value) -> Result<Value> {
        let started = self.admin()?.must(&format!("{AT}/sync"), &json!({}))?;
        ensure!(started["started"] == true, "{started}");
        self.status(before)
    }

    /// The tagged answer to a login by IMAP.
    fn login(&self, who: &str, password: &str) -> Result<String> {
        let mut client = self.daemon.client(993)?;
        client.read_line()?.context("no greeting")?;
        client.send(&format!("t LOGIN {who} \"{password}\""))?;
        loop {
            let line = client.read_line()?.context("closed")?;
            if let Some(answer) = line.strip_prefix("t ") {
                return Ok(answer.to_owned());
            }
        }
    }

    fn must_log_in(&self, who: &str, password: &str) -> Result<()> {
        let answer = self.login(who, password)?;
        ensure!(answer.starts_with("OK"), "{who} {password}: {answer}");
        Ok(())
    }

    fn must_not(&self, who: &str, password: &str, word: &str) -> Result<()> {
        let answer = self.login(who, password)?;
        let is_so = answer.starts_with("NO") && answer.contains(word);
        ensure!(is_so, "{who} {password:?}: {answer}, not {word}");
        Ok(())
    }

    fn account(&self, address: &str) -> Result<Value> {
        let (_, found) = self.admin()?.get(&format!("/admin/accounts?search={address}"))?;
        Ok(found["items"][0].clone())
    }
}

/// What the test button says step by step.
fn the_test_button_names_the_step(scene: &Scene) -> Result<()> {
    let mut web = scene.admin()?;
    let plain = scene.directory.plain_url();
    let zeros = "0".repeat(64);
    for (change, stage, reason) in [
        (json!({ "url": "ldaps://127.0.0.1:1" }), "connect", "connection-refused"),
        (json!({ "ca_pem": null }), "tls", "certificate-unknown-issuer"),
        (json!({ "fingerprint": zeros }), "tls", "certificate-not-pinned"),
        (json!({ "bind_password": "wrong" }), "bind", "bind-refused"),
        (json!({ "base": "DC=nowhere,DC=test" }), "base", "base-not-found"),
        (json!({ "filter": "(cn=nobody)" }), "search", "no-entries"),
        (json!({ "attributes": { "id": "sn" }, "filter": "(cn=PC1)" }), "attributes", "no-id"),
        (json!({ "url": plain, "tls": "starttls" }), "attributes", "ok"),
        (json!({ "url": plain, "tls": "none" }), "attributes", "ok"),
        (json!({}), "attributes", "ok"),
    ] {
        let mut settings = scene.settings();
        for (key, value) in change.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let report = web.must(&format!("{AT}/test"), &settings)?;
        ensure!(
            (&report["stage"], &report["reason"]) == (&json!(stage), &json!(reason)),
            "{report}"
        );
        ensure!(!report.to_string().contains(BOX_PASSWORD), "the password came out");
    }
    let pinned = web.must(&format!("{AT}/test"), &scene.settings())?;
    ensure!(pinned["sample"].as_array().is_some_and(|all| all.len() == 5), "{pinned}");
    let mut settings = scene.settings();
    settings["ca_pem"] = Value::Null;
    settings["fingerprint"] = pinned["certificate_sha256"].clone();
    let report = web.must(&format!("{AT}/test"), &settings)?;
    ensure!(report["ok"] == true, "the certificate that was shown is pinned: {report}");
    Ok(())
}

fn people_come(scene: &Scene) -> Result<Value> {
    let (code, set) = scene.admin()?.put(AT, &scene.settings())?;
    ensure!(code == 200 && set["password_set"] == true, "{code} {set}");
    let status = scene.status(&json!({}))?;
    let counts = |name: &str| status[name].as_u64().unwrap_or(0);
    ensure!(counts("created") == u64::try_from(PEOPLE + 1)?, "{status}");
    // The box's own login has no address, a computer is nobody, the local person stays who he is.
    ensure!((counts("people"), counts("skipped")) == (1_052, 1), "{status}");
    ensure!(status["result"] == "partial", "{status}");
    ensure!(status["errors"][0]["error"] == "address-taken", "{status}");
    let p7 = scene.account("person.7@office.test")?;
    ensure!(p7["address"] == "p7@office.test" && p7["name"] == "Person 7", "{p7}");
    ensure!(p7["source"] == "office.test" && p7["state"] == "active", "{p7}");
    ensure!(scene.account("local@office.test")?["source"].is_null(), "local people stay local");
    Ok(status)
}

fn passwords_are_asked_for_there(scene: &Scene) -> Result<()> {
    scene.must_log_in("p1@office.test", "secret-p1")?;
    scene.must_log_in("person.1@office.test", "secret-p1")?;
    scene.must_not("p1@office.test", "secret-p2", "AUTHENTICATIONFAILED")?;
    // A bind with a name and no password succeeds at many a server.
    scene.must_not("p1@office.test", "", "AUTHENTICATIONFAILED")?;
    scene.must_log_in("local@office.test", "secret-local")?;
    let id = scene.account("p1@office.test")?["id"].clone();
    let password = json!({ "password": "another secret" });
    let (code, refused) =
        scene.admin()?.post(&format!("/admin/accounts/{id}/password"), &password)?;
    ensure!(code == 409 && refused["error"] == "password-at-source", "{refused}");
    Ok(())
}

fn changes_follow(scene: &Scene, before: &Value) -> Result<Value> {
    let at = |name: &str| format!("dn: CN={name},CN=Users,DC=ad,DC=test\nchangetype: ");
    scene.directory.modify(&format!(
        "{}modify\nreplace: displayName\ndisplayName: Paula\n-\nadd: proxyAddresses\n\
         proxyAddresses: smtp:paula@office.test\n\n\
         {}modify\nreplace: userAccountControl\nuserAccountControl: 514\n\n{}delete\n\n",
        at("P4"),
        at("P5"),
        at("P6")
    ));
    scene.must_log_in("p5@office.test", "secret-p5")?;
    let mut open = scene.daemon.imap("p5")?;
    let status = scene.sync(before)?;
    ensure!((&status["created"], &status["changed"]) == (&json!(0), &json!(2)), "{status}");
    ensure!((&status["disabled"], &status["deleted"]) == (&json!(2), &json!(0)), "{status}");
    let p4 = scene.account("paula@office.test")?;
    ensure!(p4["name"] == "Paula" && p4["address"] == "p4@office.test", "{p4}");
    for gone in ["p5", "p6"] {
        let account = scene.account(&format!("{gone}@office.test"))?;
        ensure!(account["state"] == "disabled", "{account}");
        let answer = scene.login(&format!("{gone}@office.test"), &format!("secret-{gone}"))?;
        ensure!(answer.starts_with("NO"), "{answer}");
    }
    ensure!(open.imap("NOOP").is_err(), "his connections ended");
    Ok(status)
}

/// Moved and renamed there, and not synced since: found by what does not change.
fn who_was_moved_gets_in_before_the_next_sync(scene: &Scene) -> Result<()> {
    scene.directory.modify(
        "dn: CN=P8,CN=Users,DC=ad,DC=test\nchangetype: modrdn\nnewrdn: CN=Petra\ndeleteoldrdn: 1\n\n\
         dn: CN=Petra,CN=Users,DC=ad,DC=test\nchangetype: modify\nreplace: displayName\n\
         displayName: Petra\n\n",
    );
    scene.must_not("p8@office.test", "secret-p2", "AUTHENTICATIONFAILED")?;
    ensure!(scene.account("p8@office.test")?["name"] == "Person 8", "a guess brings nothing");
    scene.must_log_in("p8@office.test", "secret-p8")?;
    ensure!(scene.account("p8@office.test")?["name"] == "Petra", "he comes as he is there");
    Ok(())
}

fn the_last_right_password_counts_while_nobody_answers(scene: &mut Scene) -> Result<()> {
    scene.directory.down();
    // Nothing is remembered but what stands in the store.
    ensure!(scene.daemon.stop()?.success(), "a clean stop");
    scene.daemon = start(&scene.dir)?;
    scene.must_log_in("p1@office.test", "secret-p1")?;
    scene.must_not("p1@office.test", "secret-p2", "AUTHENTICATIONFAILED")?;
    scene.must_not("p9@office.test", "secret-p9", "UNAVAILABLE")?;
    scene.must_log_in("local@office.test", "secret-local")?;
    scene.directory.up()?;
    scene.directory.modify(
        "dn: CN=P1,CN=Users,DC=ad,DC=test\nchangetype: modify\nreplace: userPassword\n\
         userPassword: a new one\n\n",
    );
    scene.must_not("p1@office.test", "secret-p1", "AUTHENTICATIONFAILED")?;
    scene.must_log_in("p1@office.test", "a new one")?;
    scene.must_log_in("p9@office.test", "secret-p9")
}

#[test]
fn a_domain_takes_its_people_from_an_active_directory() {
    let mut scene = Scene::new().unwrap();
    the_test_button_names_the_step(&scene).unwrap();
    let status = people_come(&scene).unwrap();
    let again = scene.sync(&status).unwrap();
    let done = ["created", "changed", "disabled", "deleted"].map(|name| again[name].as_u64());
    assert_eq!(done, [Some(0); 4], "an unchanged source writes nothing: {again}");
    passwords_are_asked_for_there(&scene).unwrap();
    changes_follow(&scene, &again).unwrap();
    who_was_moved_gets_in_before_the_next_sync(&scene).unwrap();
    the_last_right_password_counts_while_nobody_answers(&mut scene).unwrap();
    let log = scene.daemon.log();
    assert!(!log.contains(BOX_PASSWORD) && !log.contains("secret-p"), "a password is in the log");
}
