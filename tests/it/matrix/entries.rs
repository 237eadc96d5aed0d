//! Every operation of LDAP with every role, by OpenLDAP's tools.

use anyhow::{Result, ensure};
use session::rules::{Operation, Role, Target, may, may_read, may_write};

use super::routes::fresh;
use super::{OTHER, OWN, Verdict, admin, id_of, provision};
use crate::ldap::{Office, Said};

/// insufficientAccessRights.
const REFUSED: i32 = 50;

/// What is in ldapd: an extended operation that is not here has no row.
const EXTENDED: [&str; 4] =
    ["1.3.6.1.1.8", "1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.1", "1.3.6.1.4.1.4203.1.11.3"];

/// Attributes that are written, with a value for somebody of a domain `{D}`.
const WRITTEN: &[(&str, &str)] = &[
    ("description", "x"),
    ("telephoneNumber", "+49 30 1"),
    ("sn", "Tal"),
    ("mailLocalAddress", "further{N}@{D}"),
    ("postroomQuota", "1000000"),
    ("postroomStatus", "active"),
    ("postroomForward", "x@elsewhere.example"),
    ("postroomRole", "user"),
    ("postroomManages", "{D}"),
    ("postroomSendAs", "further@{D}"),
    ("userPassword", "long-secret-{N}"),
];

/// Attributes that are read.
const READ: [(&str, &str); 4] =
    [("cn", "Made"), ("description", "what"), ("postroomQuota", "5000"), ("userPassword", "x")];

struct Walk {
    office: Office,
    verdict: Verdict,
}

/// Somebody who is bound.
#[derive(Clone, Copy)]
struct Caller {
    role: Role,
    login: &'static [&'static str],
    /// The own entry.
    own: Option<&'static str>,
}

const CALLERS: [Caller; 5] = [
    Caller { role: Role::Anonymous, login: &["-x"], own: None },
    // The same, where the admin lets the office's network look people up.
    Caller { role: Role::Guest, login: &["-x"], own: None },
    Caller {
        role: Role::Person,
        login: &["-x", "-D", "carl@office.test", "-w", "secret-carl"],
        own: Some("uid=carl,ou=people,dc=office,dc=test"),
    },
    Caller {
        role: Role::DomainAdmin,
        login: &["-x", "-D", "bert@office.test", "-w", "secret-bert"],
        own: Some("uid=bert,ou=people,dc=office,dc=test"),
    },
    Caller {
        role: Role::Admin,
        login: &["-x", "-D", "cn=admin,dc=office,dc=test", "-w", "correct horse"],
        own: None,
    },
];

fn base(domain: &str) -> String {
    format!("dc={}", domain.replace('.', ",dc="))
}

impl Walk {
    fn ask(&self, caller: &Caller, tool: &str, arguments: &[&str], input: &str) -> Said {
        self.office.run(tool, caller.login, arguments, input)
    }

    /// Somebody new in a domain.
    fn make(&self, domain: &str) -> (String, String) {
        let n = fresh();
        let dn = format!("uid=le{n},ou=people,{}", base(domain));
        (dn.clone(), entry(&dn, n, domain, "description: what\npostroomQuota: 5000\n"))
    }

    fn made(&self, domain: &str) -> String {
        let (dn, text) = self.make(domain);
        self.office.admin("ldapadd", &[], &text).must_be(0);
        dn
    }

    fn expect(&mut self, caller: &Caller, what: &str, allowed: bool, said: &Said) {
        let is_right = if allowed { said.code() == 0 } else { said.code() == REFUSED };
        let role = caller.role;
        self.verdict.expect(is_right, || {
            format!("{role:?} {what}: may {allowed}, {} {}", said.code(), said.err())
        });
    }

    /// Reading, comparing, changing one entry.
    fn entry(&mut self, caller: &Caller, target: Target, dn: &str, domain: &str) {
        let role = caller.role;
        // Of those that were not made here only the name is known.
        let known = if dn.starts_with("uid=le") { READ.len() } else { 1 };
        for (name, value) in READ.into_iter().take(known) {
            let allowed = may(role, Operation::Read, target) && may_read(role, target, name);
            let said = self.ask(caller, "ldapsearch", &["-LLL", "-b", dn, "-s", "base", name], "");
            let is_shown = said.code() == 0 && said.out().contains(&format!("{name}:"));
            self.verdict.expect(is_shown == allowed, || {
                format!("{role:?} reads {name} of {dn}: may {allowed}, {}", said.out())
            });
            let said = self.ask(caller, "ldapcompare", &[dn, &format!("{name}:{value}")], "");
            // compareFalse and compareTrue.
            let is_told = matches!(said.code(), 5 | 6);
            self.verdict.expect(is_told == allowed, || {
                format!("{role:?} compares {name} of {dn}: may {allowed}, {}", said.code())
            });
        }
        for (name, value) in WRITTEN {
            let value = value.replace("{D}", domain).replace("{N}", &fresh().to_string());
            let input = format!("dn: {dn}\nchangetype: modify\nreplace: {name}\n{name}: {value}\n");
            let allowed = may(role, Operation::Modify, target) && may_write(role, target, name);
            let said = self.ask(caller, "ldapmodify", &[], &input);
            self.expect(caller, &format!("writes {name} of {dn}"), allowed, &said);
        }
        let allowed =
            may(role, Operation::Modify, target) && may_write(role, target, "userPassword");
        let said = self.ask(caller, "ldappasswd", &["-s", "another-secret", dn], "");
        let is_right = (said.code() == 0) == allowed;
        self.verdict.expect(is_right, || format!("{role:?} ldappasswd {dn}: {}", said.err()));
    }

    /// Adding, renaming, deleting in a domain.
    fn domain(&mut self, caller: &Caller, target: Target, domain: &str) {
        let role = caller.role;
        let (dn, text) = self.make(domain);
        let said = self.ask(caller, "ldapadd", &[], &text);
        self.expect(caller, &format!("adds {dn}"), may(role, Operation::Add, target), &said);

        let dn = self.made(domain);
        let rdn = format!("uid=re{}", fresh());
        let said = self.ask(caller, "ldapmodrdn", &["-r", &dn, &rdn], "");
        let allowed = may(role, Operation::Rename, target);
        self.expect(caller, &format!("renames {dn}"), allowed, &said);

        let dn = self.made(domain);
        let said = self.ask(caller, "ldapdelete", &[&dn], "");
        self.expect(caller, &format!("deletes {dn}"), may(role, Operation::Delete, target), &said);
    }

    /// Ways in which somebody could get more than he has.
    fn ways_around(&mut self, caller: &Caller) {
        let is_admin = caller.role == Role::Admin;
        let (own, other) = (base(OWN), base(OTHER));
        let n = fresh();
        let dn = format!("uid=wa{n},ou=people,{own}");
        for (what, more) in [
            ("an admin", "postroomRole: admin\n".to_owned()),
            ("who manages", format!("postroomManages: {OTHER}\n")),
            ("with another's address", format!("mailLocalAddress: boss{n}@{OTHER}\n")),
        ] {
            let said = self.ask(caller, "ldapadd", &[], &entry(&dn, n, OWN, &more));
            self.expect(caller, &format!("adds {what}"), is_admin, &said);
            self.office.admin("ldapdelete", &[&dn], "");
        }
        let sub = format!("dc=sub{n},{own}");
        let domain =
            format!("dn: {sub}\nobjectClass: domain\nobjectClass: postroomDomain\ndc: sub{n}\n");
        let said = self.ask(caller, "ldapadd", &[], &domain);
        self.expect(caller, "makes a domain", is_admin, &said);
        // Out of the own domain, and into it.
        for (from, to) in [(OWN, &other), (OTHER, &own)] {
            let dn = self.made(from);
            let rdn = format!("uid=mo{}", fresh());
            let people = format!("ou=people,{to}");
            let said = self.ask(caller, "ldapmodrdn", &["-r", "-s", &people, &dn, &rdn], "");
            self.expect(caller, &format!("moves {dn} to {to}"), is_admin, &said);
        }
        let group = format!(
            "dn: cn=staff,ou=groups,{own}\nchangetype: modify\nadd: member\n\
             member: uid=dora,ou=people,{other}\n"
        );
        let said = self.ask(caller, "ldapmodify", &[], &group);
        self.expect(caller, "takes dora into a group", is_admin, &said);
        let back = group.replace("add: member", "delete: member");
        self.office.admin("ldapmodify", &[], &back);
        for kept in ["postroomDomainAlias: more.test", "objectClass: top"] {
            let (name, _) = kept.split_once(':').unwrap_or_default();
            let input = format!("dn: {own}\nchangetype: modify\nadd: {name}\n{kept}\n");
            let said = self.ask(caller, "ldapmodify", &[], &input);
            let is_right = (said.code() == REFUSED) != is_admin;
            self.verdict.expect(is_right, || format!("{:?} {kept}: {}", caller.role, said.err()));
        }
    }
}

fn entry(dn: &str, n: u32, domain: &str, more: &str) -> String {
    let uid = dn.split(['=', ',']).nth(1).unwrap_or_default();
    format!(
        "dn: {dn}\nobjectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient\n\
         objectClass: postroomAccount\nuid: {uid}\ncn: Made {n}\nsn: Tal\nmail: le{n}@{domain}\n{more}"
    )
}

#[test]
fn every_operation_of_ldap_does_for_every_role_what_the_table_says() -> Result<()> {
    let office = Office::with(provision());
    let id = id_of(&office.daemon, "bert@office.test")?;
    let manages = serde_json::json!({ "manages": [OWN] });
    admin(&office.daemon, "PATCH", &format!("/admin/accounts/{id}"), &manages)?;
    let staff =
        serde_json::json!({ "name": "staff", "domain": OWN, "members": ["carl@office.test"] });
    admin(&office.daemon, "POST", "/admin/groups", &staff)?;
    let root = office.run("ldapsearch", &["-x"], &["-LLL", "-b", "", "-s", "base", "+"], "");
    for line in root.out().lines() {
        if let Some(oid) = line.strip_prefix("supportedExtension: ") {
            ensure!(EXTENDED.contains(&oid), "{oid} has no row");
        }
    }
    let mut walk = Walk { office, verdict: Verdict::default() };
    for caller in &CALLERS {
        let lookup = serde_json::json!({ "lan_lookup": caller.role == Role::Guest });
        admin(&walk.office.daemon, "PUT", "/admin/directory", &lookup)?;
        let shared = match caller.role {
            Role::DomainAdmin => Target::Domain,
            _ => Target::Other,
        };
        let (here, there) = (walk.made(OWN), walk.made(OTHER));
        walk.entry(caller, shared, &here, OWN);
        walk.entry(caller, Target::Other, &there, OTHER);
        let boss = "uid=anna,ou=people,dc=office,dc=test";
        if caller.role != Role::Admin {
            walk.entry(caller, Target::Other, boss, OWN);
        }
        walk.domain(caller, shared, OWN);
        walk.domain(caller, Target::Other, OTHER);
        walk.ways_around(caller);
    }
    // The own entry comes last: with its password the login is another.
    for caller in CALLERS.iter().filter(|caller| caller.own.is_some()) {
        let own = caller.own.unwrap_or_default();
        let target = if caller.role == Role::DomainAdmin { Target::Domain } else { Target::Own };
        for (name, value) in WRITTEN.iter().filter(|(name, _)| *name != "userPassword") {
            let value = value.replace("{D}", OWN).replace("{N}", &fresh().to_string());
            let input =
                format!("dn: {own}\nchangetype: modify\nreplace: {name}\n{name}: {value}\n");
            let allowed = may_write(caller.role, target, name);
            let said = walk.ask(caller, "ldapmodify", &[], &input);
            walk.expect(caller, &format!("writes {name} of itself"), allowed, &said);
        }
        let said = walk.ask(caller, "ldappasswd", &["-s", "another-secret", own], "");
        let role = caller.role;
        walk.verdict.expect(said.code() == 0, || format!("{role:?} own password: {}", said.err()));
    }
    walk.verdict.hold();
    Ok(())
}
