//! Who may do what, tried out: every role with every route of the admin API, every operation of LDAP and every
//! command of `postroom`, on a running daemon. What is expected is asked of `session::rules`, the table that
//! the daemon goes by; what exists is asked of the daemon's own lists, so that nothing new goes untried.

mod between;
mod commands;
mod entries;
mod forwarding;
pub(crate) mod http;
mod routes;

use anyhow::Result;
use serde_json::json;
use session::rules::Role;
use testkit::daemon::{Daemon, Options, office_with_admins};

use self::http::{Way, admin, session};

/// The domain that the domain admin administers, and one that he does not.
const OWN: &str = "office.test";
const OTHER: &str = "other.test";

/// A box with both domains, people of every role, and what lives in each domain.
struct Office {
    daemon: Daemon,
    /// Who may get in, by what way, and what the table knows them as.
    callers: Vec<(&'static str, Role, Way)>,
}

/// anna is admin, bert administers office.test, carl is somebody; dora lives in other.test.
fn provision() -> String {
    let office = office_with_admins(&["anna", "bert", "carl"], &["anna"]);
    let other = "[[domain]]\nname = \"other.test\"\n[[user]]\naddress = \"dora@other.test\"\n\
                 name = \"dora\"\npassword = \"secret-dora\"\n";
    // A table of the file may stand anywhere but within another one.
    format!("{office}{other}")
}

impl Office {
    fn open() -> Result<Self> {
        let provision = Some(provision());
        let daemon = Daemon::start(Options { provision, ..Options::default() })?;
        let id = id_of(&daemon, "bert@office.test")?;
        let manages = json!({ "manages": [OWN] });
        admin(&daemon, "PATCH", &format!("/admin/accounts/{id}"), &manages)?;
        for (domain, person) in [(OWN, "carl@office.test"), (OTHER, "dora@other.test")] {
            let alias = json!({ "address": format!("all@{domain}"), "targets": [person] });
            admin(&daemon, "POST", "/admin/aliases", &alias)?;
            let group = json!({ "name": "staff", "domain": domain, "members": [person],
                "address": format!("staff@{domain}") });
            admin(&daemon, "POST", "/admin/groups", &group)?;
        }
        let token = |body| -> Result<Way> {
            let made = admin(&daemon, "POST", "/admin/tokens", &body)?;
            Ok(Way::Token(made["token"].as_str().unwrap_or_default().to_owned()))
        };
        let callers = vec![
            ("nobody", Role::Anonymous, Way::Nobody),
            ("carl", Role::Person, session(&daemon, "carl@office.test", "secret-carl")?),
            ("bert", Role::DomainAdmin, session(&daemon, "bert@office.test", "secret-bert")?),
            (
                "domain token",
                Role::DomainAdmin,
                token(json!({ "name": "few", "role": "domains", "domains": [OWN] }))?,
            ),
            ("anna", Role::Admin, session(&daemon, "anna@office.test", "secret-anna")?),
            ("admin", Role::Admin, session(&daemon, "admin", "correct horse")?),
            ("admin token", Role::Admin, token(json!({ "name": "all", "role": "admin" }))?),
            ("socket", Role::Admin, Way::Socket),
        ];
        Ok(Self { daemon, callers })
    }

    fn way(&self, name: &str) -> &Way {
        &self.callers.iter().find(|(known, _, _)| *known == name).expect("a caller").2
    }
}

pub(crate) fn id_of(daemon: &Daemon, address: &str) -> Result<u64> {
    let path = format!("/admin/accounts?search={address}");
    let answer = http::send(daemon, &Way::Socket, "GET", &path, None)?;
    let found = answer.body["items"][0]["id"].as_u64();
    anyhow::Context::context(found, format!("{address}: {answer:?}"))
}

/// What went otherwise than the table says; none at the end.
#[derive(Default)]
struct Verdict {
    cases: usize,
    wrong: Vec<String>,
}

impl Verdict {
    fn expect(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        self.cases += 1;
        if !is_right {
            self.wrong.push(what());
        }
    }

    fn hold(&self) {
        let wrong = self.wrong.join("\n");
        assert!(self.wrong.is_empty(), "{} of {} cases:\n{wrong}", self.wrong.len(), self.cases);
    }
}
