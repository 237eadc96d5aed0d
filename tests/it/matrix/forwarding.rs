//! Forwarding of the own mail: the same by the web and by LDAP, as far as the admin lets people, and what
//! comes of it for a message.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::daemon::{fresh_address, office_with_admins};
use testkit::sink::Sink;

use super::http::{self, Answer, Way, admin};
use crate::ldap::Office;

/// insufficientAccessRights.
const REFUSED: i32 = 50;
const ANNA: &str = "uid=anna,ou=people,dc=office,dc=test";

struct Walk {
    office: Office,
    sink: Sink,
    anna: Way,
}

impl Walk {
    fn open() -> Result<Self> {
        let sink = Sink::start(IpAddr::V4(fresh_address()))?;
        let provision = office_with_admins(&["anna", "ben", "boss"], &["boss"]);
        let smarthost = format!("smarthost = \"{}\"", sink.at);
        let provision = provision.replace("smarthost = \"127.0.0.1:1\"", &smarthost);
        let office = Office::with(provision);
        let anna = http::session(&office.daemon, "anna@office.test", "secret-anna")?;
        Ok(Self { office, sink, anna })
    }

    /// What the admin lets people do.
    fn lets(&self, what: &str) -> Result<()> {
        let set = admin(
            &self.office.daemon,
            "PUT",
            "/admin/directory",
            &json!({ "own_forwarding": what }),
        )?;
        ensure!(set["own_forwarding"] == what && set["lan_lookup"] == false, "{set}");
        let me = http::send(&self.office.daemon, &self.anna, "GET", "/me", None)?;
        ensure!(me.body["own_forwarding"] == what, "{me:?}");
        Ok(())
    }

    fn by_web(&self, forward: &[&str], keeps: bool) -> Result<Answer> {
        let body = json!({ "forward": forward, "forward_keep": keeps }).to_string();
        let json = Some(("application/json", body.as_str()));
        http::send(&self.office.daemon, &self.anna, "PUT", "/me/forwarding", json)
    }

    /// The result code of a change of the own entry.
    fn by_ldap(&self, name: &str, values: &[&str]) -> i32 {
        let values: String = values.iter().map(|value| format!("{name}: {value}\n")).collect();
        let change = format!("dn: {ANNA}\nchangetype: modify\nreplace: {name}\n{values}");
        let login = ["-x", "-D", "anna@office.test", "-w", "secret-anna"];
        self.office.run("ldapmodify", &login, &[], &change).code()
    }

    /// Mail for anna from elsewhere.
    fn mail(&self, subject: &str) -> Result<()> {
        let mut client = self.office.daemon.client(25)?;
        client.smtp_reply()?;
        client.smtp("EHLO far.test", "250")?;
        client.smtp("MAIL FROM:<x@far.test>", "250")?;
        client.smtp("RCPT TO:<anna@office.test>", "250")?;
        client.smtp("DATA", "354")?;
        client.smtp(&format!("Subject: {subject}\r\n\r\ntext\r\n."), "250")?;
        Ok(())
    }

    fn has(&self, who: &str, subject: &str) -> Result<bool> {
        let mut client = self.office.daemon.imap(who)?;
        client.imap("SELECT INBOX")?;
        let found = client.imap(&format!("SEARCH SUBJECT \"{subject}\""))?;
        let line = found.iter().find(|line| line.starts_with("* SEARCH")).context("no answer")?;
        Ok(line.split_whitespace().count() == 3)
    }
}

#[test]
fn people_forward_their_own_mail_as_far_as_the_admin_lets_them() -> Result<()> {
    let mut walk = Walk::open()?;
    // At first: within the office.
    walk.lets("office")?;
    let set = walk.by_web(&["ben@office.test"], false)?;
    ensure!(set.status == 200 && set.body["forward"] == json!(["ben@office.test"]), "{set:?}");
    walk.mail("first")?;
    ensure!(walk.has("ben", "first")? && !walk.has("anna", "first")?, "no copy was asked for");
    ensure!(walk.by_ldap("postroomForwardKeep", &["TRUE"]) == 0);
    walk.mail("second")?;
    ensure!(walk.has("ben", "second")? && walk.has("anna", "second")?, "a copy was asked for");
    let refused = walk.by_web(&["ben@office.test", "anna@else.test"], true)?;
    ensure!((refused.status, refused.error()) == (403, "forward-elsewhere"), "{refused:?}");
    ensure!(refused.body["field"] == "forward.1", "{refused:?}");
    ensure!(walk.by_ldap("postroomForward", &["anna@else.test"]) == REFUSED);
    // What an admin set there may stay, and may go.
    walk.office.admin(
        "ldapmodify",
        &[],
        &format!("dn: {ANNA}\nchangetype: modify\nadd: postroomForward\npostroomForward: a@else.test\n"),
    )
    .must_be(0);
    ensure!(walk.by_web(&["a@else.test"], true)?.status == 200);
    ensure!(walk.by_ldap("postroomForward", &["a@else.test", "ben@office.test"]) == 0);
    ensure!(walk.by_ldap("postroomForward", &[]) == 0);
    ensure!(walk.by_web(&["a@else.test"], true)?.status == 403, "gone is gone");

    walk.lets("anywhere")?;
    ensure!(walk.by_web(&["anna@else.test"], true)?.status == 200);
    walk.mail("third")?;
    let out = walk.sink.wait_for(|m| m.content.contains("Subject: third"))?;
    ensure!(out.to.len() == 1 && out.to[0].starts_with("<anna@else.test>"), "{:?}", out.to);
    ensure!(walk.has("anna", "third")?, "a copy was asked for");
    ensure!(walk.by_ldap("postroomForwardKeep", &["FALSE"]) == 0);
    walk.mail("fourth")?;
    walk.sink.wait_for(|m| m.content.contains("Subject: fourth"))?;
    ensure!(!walk.has("anna", "fourth")?);
    let itself = walk.by_web(&["anna@office.test"], true)?;
    ensure!((itself.status, itself.error()) == (422, "forward-to-itself"), "{itself:?}");

    // Nobody else's, and nothing at all where it is the admin's.
    let ben = "dn: uid=ben,ou=people,dc=office,dc=test\nchangetype: modify\n\
               replace: postroomForward\npostroomForward: anna@office.test\n";
    let login = ["-x", "-D", "anna@office.test", "-w", "secret-anna"];
    walk.office.run("ldapmodify", &login, &[], ben).must_be(REFUSED);
    walk.lets("no")?;
    for values in [&["ben@office.test"][..], &["anna@else.test"], &[]] {
        let answer = walk.by_web(values, true)?;
        ensure!((answer.status, answer.error()) == (403, "forbidden"), "{values:?}: {answer:?}");
        ensure!(walk.by_ldap("postroomForward", values) == REFUSED, "{values:?}");
    }
    ensure!(walk.by_ldap("postroomForwardKeep", &["TRUE"]) == REFUSED);
    // An admin's own is not held by it, and the login `admin` has none.
    let boss = http::session(&walk.office.daemon, "boss@office.test", "secret-boss")?;
    let body = json!({ "forward": ["x@else.test"], "forward_keep": true }).to_string();
    let json = Some(("application/json", body.as_str()));
    ensure!(http::send(&walk.office.daemon, &boss, "PUT", "/me/forwarding", json)?.status == 200);
    let owner = http::session(&walk.office.daemon, "admin", "correct horse")?;
    ensure!(http::send(&walk.office.daemon, &owner, "PUT", "/me/forwarding", json)?.status == 404);
    let log = admin(&walk.office.daemon, "GET", "/admin/audit?who=anna", &Value::Null)?;
    ensure!(log.to_string().contains("anna@office.test"), "{log}");
    walk.office.daemon.stop()?;
    walk.office.daemon.check()
}
