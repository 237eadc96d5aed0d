//! Rights that change while an act is on its way. A webhook that is asked before an act holds it back after its
//! rights were judged for the first time; then its target gets more rights, or who asks loses his.

use std::fmt::Debug;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use testkit::callee::Callee;

use super::http::{Answer, Way, admin, send, session};
use super::routes::fresh;
use super::{OTHER, OWN, Verdict, id_of, provision};
use crate::ldap::Office;

/// insufficientAccessRights.
const REFUSED: i32 = 50;

/// What happens between the question and the act.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    /// Who asks administers nothing any more.
    Stripped,
    /// Who asks may not log in any more.
    Suspended,
    /// The target becomes an admin.
    Raised,
    /// The target administers another domain as well.
    Manages,
    /// The target goes to another domain.
    Moved,
}

use Turn::{Manages, Moved, Raised, Stripped, Suspended};

/// LDAP ends the connection of who is suspended, and tells no more.
const BY_LDAP: &[Turn] = &[Stripped, Raised, Manages];
const OF_ASKER: &[Turn] = &[Stripped, Suspended];

struct Between {
    office: Office,
    callee: Callee,
    bert: u64,
    verdict: Verdict,
}

/// Somebody who was made for one act.
#[derive(Clone)]
struct Made {
    id: u64,
    uid: String,
}

impl Made {
    fn dn(&self) -> String {
        format!("uid={},ou=people,dc=office,dc=test", self.uid)
    }
}

impl Between {
    fn open() -> Result<Self> {
        let office = Office::with(provision());
        let callee = Callee::start(office.daemon.at.address)?;
        let bert = id_of(&office.daemon, "bert@office.test")?;
        let hook = json!({ "name": "HR", "url": callee.url("/ask"), "mode": "before",
            "events": ["account.*", "alias.*", "group.*"], "on_failure": "refuse" });
        let between = Self { office, callee, bert, verdict: Verdict::default() };
        between.bert(&json!({ "manages": [OWN] }))?;
        admin(&between.office.daemon, "POST", "/admin/webhooks", &hook)?;
        Ok(between)
    }

    fn set(&self, id: u64, change: &Value) -> Result<()> {
        let path = format!("/admin/accounts/{id}");
        admin(&self.office.daemon, "PATCH", &path, change).map(drop)
    }

    fn bert(&self, change: &Value) -> Result<()> {
        self.set(self.bert, change)
    }

    fn made(&self) -> Result<Made> {
        let uid = format!("be{}", fresh());
        let person = json!({ "address": format!("{uid}@{OWN}"), "password": "long-secret-1" });
        let made = admin(&self.office.daemon, "POST", "/admin/accounts", &person)?;
        Ok(Made { id: made["id"].as_u64().context("an id")?, uid })
    }

    fn happen(&self, turn: Turn, target: &Made) -> Result<()> {
        match turn {
            Stripped => self.bert(&json!({ "manages": [] })),
            Suspended => self.bert(&json!({ "state": "suspended" })),
            Raised => self.set(target.id, &json!({ "is_admin": true })),
            Manages => self.set(target.id, &json!({ "manages": [OWN, OTHER] })),
            Moved => {
                let (dn, n) = (target.dn(), fresh());
                let mail =
                    format!("dn: {dn}\nchangetype: modify\nreplace: mail\nmail: mo{n}@{OTHER}\n");
                self.office.admin("ldapmodify", &[], &mail).must_be(0);
                let to = "ou=people,dc=other,dc=test";
                let rdn = format!("uid=mo{n}");
                self.office.admin("ldapmodrdn", &["-r", "-s", to, &dn, &rdn], "").must_be(0);
                Ok(())
            }
        }
    }

    /// Does `act`, and what happens while it waits for the webhook.
    fn meanwhile<T: Send + Debug>(
        &self,
        act: impl FnOnce(&Office) -> T + Send,
        happens: impl FnOnce() -> Result<()>,
    ) -> Result<T> {
        while self.callee.waiting() > 0 {
            self.callee.next()?;
        }
        let held = self.callee.hold();
        let office = &self.office;
        std::thread::scope(|scope| {
            let act = scope.spawn(move || act(office));
            let happened = self.callee.next().and_then(|_| happens());
            drop(held);
            let done = act.join().map_err(|_| anyhow::anyhow!("the act panicked"))?;
            happened.with_context(|| format!("{done:?}"))?;
            Ok(done)
        })
    }

    /// Does `act` on somebody and lets `turn` happen on its way; then all is as before.
    fn held<T: Send + Debug>(
        &self,
        turn: Turn,
        target: &Made,
        act: impl FnOnce(&Office) -> T + Send,
    ) -> Result<T> {
        let done = self.meanwhile(act, || self.happen(turn, target))?;
        self.bert(&json!({ "manages": [OWN], "state": "active" }))?;
        Ok(done)
    }

    fn ldap(&mut self, turns: &[Turn], tool: &str, arguments: &[&str], input: &str) -> Result<()> {
        for turn in turns {
            let target = self.made()?;
            let fill = |text: &str| {
                text.replace("{DN}", &target.dn()).replace("{N}", &fresh().to_string())
            };
            let arguments: Vec<String> = arguments.iter().map(|text| fill(text)).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let input = fill(input);
            let said = self.held(*turn, &target, |office| {
                let login = ["-x", "-D", "bert@office.test", "-w", "secret-bert"];
                office.run(tool, &login, &arguments, &input)
            })?;
            // ldappasswd has an exit code of its own.
            let is_right = said.code() == REFUSED || said.out().contains("(50)");
            self.verdict.expect(is_right, || {
                format!("{tool} {arguments:?}, {turn:?}: {} {}", said.code(), said.err())
            });
        }
        Ok(())
    }

    fn web(&mut self, turns: &[Turn], method: &str, path: &str, body: &str) -> Result<()> {
        for turn in turns {
            let target = self.made()?;
            let fill = |text: &str| {
                text.replace("{id}", &target.id.to_string())
                    .replace("{uid}", &target.uid)
                    .replace("{N}", &fresh().to_string())
            };
            let way = session(&self.office.daemon, "bert@office.test", "secret-bert")?;
            let answer = self.request(*turn, &target, &way, method, &fill(path), &fill(body))?;
            self.expect(&format!("{method} {path}, {turn:?}"), &answer);
        }
        Ok(())
    }

    fn request(
        &self,
        turn: Turn,
        target: &Made,
        way: &Way,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer> {
        let kind = if body.starts_with('{') { "application/json" } else { "text/csv" };
        let content = (!body.is_empty()).then_some((kind, body));
        self.held(turn, target, |office| send(&office.daemon, way, method, path, content))?
    }

    fn expect(&mut self, what: &str, answer: &Answer) {
        let is_right = (answer.status, answer.error()) == (403, "forbidden");
        self.verdict.expect(is_right, || format!("{what}: {} {}", answer.status, answer.body));
    }
}

#[test]
fn who_loses_his_rights_meanwhile_does_nothing_with_them_by_ldap() -> Result<()> {
    let mut between = Between::open()?;
    let add = "dn: uid=ad{N},ou=people,dc=office,dc=test\nobjectClass: inetOrgPerson\n\
               cn: A\nsn: A\nmail: ad{N}@office.test\n";
    between.ldap(&[Stripped], "ldapadd", &[], add)?;
    let modify = "dn: {DN}\nchangetype: modify\nreplace: displayName\ndisplayName: x\n";
    between.ldap(BY_LDAP, "ldapmodify", &[], modify)?;
    between.ldap(BY_LDAP, "ldappasswd", &["-s", "another-secret", "{DN}"], "")?;
    between.ldap(BY_LDAP, "ldapmodrdn", &["-r", "{DN}", "uid=re{N}"], "")?;
    between.ldap(BY_LDAP, "ldapdelete", &["{DN}"], "")?;
    between.verdict.hold();
    Ok(())
}

#[test]
fn who_loses_his_rights_meanwhile_does_nothing_with_them_by_the_web() -> Result<()> {
    let mut between = Between::open()?;
    let daemon = &between.office.daemon;
    for name in ["one", "two"] {
        let address = format!("{name}@{OWN}");
        let alias = json!({ "address": address, "targets": ["x@elsewhere.example"] });
        admin(daemon, "POST", "/admin/aliases", &alias)?;
        let group = json!({ "name": name, "domain": OWN, "members": ["carl@office.test"] });
        admin(daemon, "POST", "/admin/groups", &group)?;
    }
    let person = "/admin/accounts/{id}";
    let all = &[Stripped, Suspended, Raised, Manages, Moved];
    between.web(all, "PATCH", person, r#"{"name":"Other"}"#)?;
    between.web(all, "POST", "/admin/accounts/{id}/password", r#"{"password":"long-secret-2"}"#)?;
    between.web(all, "DELETE", person, "")?;
    let new = r#"{"address":"n{N}@office.test","password":"long-secret-3"}"#;
    between.web(OF_ASKER, "POST", "/admin/accounts", new)?;
    let targets = r#"{"targets":["y{N}@elsewhere.example"]}"#;
    between.web(OF_ASKER, "PUT", "/admin/aliases/one@office.test", targets)?;
    between.web(OF_ASKER, "DELETE", "/admin/aliases/two@office.test", "")?;
    let new = r#"{"address":"al{N}@office.test","targets":["y@elsewhere.example"]}"#;
    between.web(OF_ASKER, "POST", "/admin/aliases", new)?;
    let new = r#"{"name":"g{N}","domain":"office.test","members":["{uid}@office.test"]}"#;
    between.web(&[Stripped, Suspended, Moved], "POST", "/admin/groups", new)?;
    let add = r#"{"add":["{uid}@office.test"]}"#;
    between.web(&[Stripped, Suspended, Moved], "PATCH", "/admin/groups/one@office.test", add)?;
    between.web(OF_ASKER, "DELETE", "/admin/groups/two@office.test", "")?;
    // One of whom is there already; each record is judged by itself.
    let people = "address,name\n{uid}@office.test,Other\n";
    let import = "/admin/import?format=csv&existing=update";
    between.web(&[Stripped, Suspended, Raised, Manages], "POST", import, people)?;
    between.verdict.hold();
    Ok(())
}

#[test]
fn a_token_that_is_taken_back_and_an_admin_who_is_none_any_more_do_nothing() -> Result<()> {
    let mut between = Between::open()?;
    for (name, role) in [("few", json!("domains")), ("all", json!("admin"))] {
        let mut token = json!({ "name": name, "role": role });
        if name == "few" {
            token["domains"] = json!([OWN]);
        }
        let daemon = &between.office.daemon;
        let made = admin(daemon, "POST", "/admin/tokens", &token)?;
        let way = Way::Token(made["token"].as_str().unwrap_or_default().to_owned());
        let gone = format!("/admin/tokens/{}", made["id"]);
        let target = between.made()?;
        let path = format!("/admin/accounts/{}", target.id);
        let content = Some(("application/json", r#"{"name":"Other"}"#));
        let answer = between.meanwhile(
            |office| send(&office.daemon, &way, "PATCH", &path, content),
            || admin(&between.office.daemon, "DELETE", &gone, &Value::Null).map(drop),
        )??;
        between.expect(&format!("the token {name}"), &answer);
    }
    let anna = id_of(&between.office.daemon, "anna@office.test")?;
    let way = session(&between.office.daemon, "anna@office.test", "secret-anna")?;
    let target = between.made()?;
    let path = format!("/admin/accounts/{}", target.id);
    let content = Some(("application/json", r#"{"is_admin":true}"#));
    let answer = between.meanwhile(
        |office| send(&office.daemon, &way, "PATCH", &path, content),
        || between.set(anna, &json!({ "is_admin": false })),
    )??;
    between.expect("anna", &answer);
    between.set(anna, &json!({ "is_admin": true }))?;
    let target = between.made()?.dn();
    let role =
        format!("dn: {target}\nchangetype: modify\nreplace: postroomRole\npostroomRole: admin\n");
    let said = between.meanwhile(
        |office| {
            let login = ["-x", "-D", "anna@office.test", "-w", "secret-anna"];
            office.run("ldapmodify", &login, &[], &role)
        },
        || between.set(anna, &json!({ "is_admin": false })),
    )?;
    let is_right = said.code() == REFUSED;
    between.verdict.expect(is_right, || format!("anna by LDAP: {}", said.err()));
    between.verdict.hold();
    Ok(())
}
