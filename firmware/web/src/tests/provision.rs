//! The provisioning file.

use store::{Outbound, SmarthostTls};

use super::office::Office;
use crate::provision::{Applied, ApplyError, apply, parse};

/// The example of the contract, to the letter.
const EXAMPLE: &str = r#"hostname = "mail.office.test"
language = "de"
[admin]
password = "correct horse"
[[domain]]
name = "office.test"
[[user]]
address = "anna@office.test"
name = "Anna Berg"
password = "secret-anna"
quota_mb = 2048
aliases = ["info@office.test"]
[outbound]
mode = "smarthost"                # or "direct"
smarthost = "127.0.0.1:2525"      # optional: user, password, tls = "none" | "starttls" | "implicit"
[dns]
servers = ["127.0.0.1:5353"]      # default: what DHCP gave
"#;

fn faults(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_is_told_by_name_and_line() {
    let text = r#"hostname = "mail"
langauge = "de"
language = "xx"
[admin]
password = "short"
[[domain]]
name = "office.test"
[[domain]]
name = "office.test"
[[user]]
address = "anna@elsewhere.test"
password = "secret-anna"
[[user]]
address = "bert@office.test"
aliases = [
  "info@office.test",
  "BERT@office.test",
]
quota_mb = "much"
[[user]]
name = 7
address = "carl@office.test"
password = "1234"
[outbound]
mode = "smarthost"
tls = "ssl"
[dns]
servers = ["dns.test"]
[network]
mode = "static"
address = "192.168.1.10"
gateway = "192.168.1.1"
dns = ["192.168.1.1"]
[extra]
"#;
    assert_eq!(
        faults(text),
        [
            "line 1: hostname: \"mail\" is not fully qualified, as mail.office.example is",
            "line 2: langauge: is not known",
            "line 3: language: \"xx\" is none of en fr de it es",
            "line 5: admin.password: a password has at least 10 characters",
            "line 9: domain.name: office.test is named twice",
            "line 11: user.address: the domain of \"anna@elsewhere.test\" is in no [[domain]] of this file",
            "line 13: user.password: is missing",
            "line 17: user.aliases: \"BERT@office.test\" is given to two users, or twice",
            "line 19: user.quota_mb: must be a number that is not negative",
            "line 21: user.name: must be a text in quotes",
            "line 23: user.password: a password has at least 8 characters",
            "line 24: outbound.smarthost: is missing",
            "line 26: outbound.tls: \"ssl\" is none of \"none\", \"starttls\", \"implicit\"",
            "line 28: dns.servers: \"dns.test\" is not address[:port]",
            "line 29: network.address: \"192.168.1.10\" is not an IPv4 address with prefix: 192.168.1.10/24",
            "line 34: extra: is not known",
        ]
    );
}

#[test]
fn what_is_no_toml_is_told_by_line() {
    let found = faults("hostname = \"mail.office.test\"\nlanguage = de\n");
    assert!(found[0].starts_with("line 2: : this is not TOML"), "{found:?}");
    assert_eq!(
        faults("user = 1\n"),
        ["line 1: user: must be one or more tables, each after a line with double brackets"]
    );
    assert_eq!(faults(&"# \n".repeat(400_000)).len(), 1);
}

#[test]
fn no_fault_tells_a_password() {
    let text = "[admin]\npassword = \"hush\"\n[outbound]\nmode = \"smarthost\"\n\
        smarthost = \"r.test\"\npassword = \"hush\"\n";
    let found = faults(text).join("\n");
    assert!(found.contains("line 2: admin.password") && !found.contains("hush"), "{found}");
}

#[test]
fn the_way_out_is_understood() {
    let outbound =
        |lines: &str| parse(&format!("[outbound]\n{lines}\n")).map(|p| p.outbound.unwrap());
    let smarthost = |host: &str, port, tls, login: Option<(&str, &str)>| Outbound::Smarthost {
        host: host.to_owned(),
        port,
        tls,
        user: login.map(|(user, _)| user.to_owned()),
        password: login.map(|(_, password)| password.to_owned()),
    };
    let login = "user = \"u\"\npassword = \"p\"\n";
    let with = |host: &str| format!("mode = \"smarthost\"\nsmarthost = \"{host}\"\n{login}");
    assert_eq!(outbound("mode = \"direct\"").unwrap(), Outbound::Direct);
    for (lines, expected) in [
        (with("r.test"), smarthost("r.test", 587, SmarthostTls::Starttls, Some(("u", "p")))),
        (with("r.test:465"), smarthost("r.test", 465, SmarthostTls::Implicit, Some(("u", "p")))),
        (
            with("[2001:db8::1]:26"),
            smarthost("2001:db8::1", 26, SmarthostTls::Starttls, Some(("u", "p"))),
        ),
        (
            "mode = \"smarthost\"\nsmarthost = \"r.test\"".to_owned(),
            smarthost("r.test", 25, SmarthostTls::None, None),
        ),
        (
            "mode = \"smarthost\"\nsmarthost = \"127.0.0.1:2525\"".to_owned(),
            smarthost("127.0.0.1", 2525, SmarthostTls::None, None),
        ),
    ] {
        assert_eq!(outbound(&lines).unwrap(), expected, "{lines}");
    }
    for lines in [
        format!("{}tls = \"none\"", with("r.test")),
        "mode = \"direct\"\nsmarthost = \"r.test\"".to_owned(),
        "mode = \"smarthost\"\nsmarthost = \"r.test:0\"".to_owned(),
        "mode = \"smarthost\"\nsmarthost = \"r.test:99999\"".to_owned(),
        "mode = \"carrier pigeon\"".to_owned(),
    ] {
        assert!(outbound(&lines).is_err(), "{lines}");
    }
}

#[tokio::test]
async fn a_file_is_applied_once() {
    let office = Office::new().await;
    let (store, auth) = (office.web.store(), &office.web.ctx().auth);
    let provision = parse(EXAMPLE).unwrap();
    assert_eq!(apply(&provision, store, auth).await.unwrap(), Applied::Now);
    let settings = store.settings();
    assert!(settings.setup_complete && settings.setup_code.is_empty());
    assert_eq!(
        (settings.hostname.as_str(), settings.language.as_str()),
        ("mail.office.test", "de")
    );
    assert_eq!(settings.dns_servers, ["127.0.0.1:5353"]);
    let mut anna = office.signed_in("info@office.test", "secret-anna").await;
    assert_eq!(anna.get("/api/me").await.json["account"]["quota_mb"], 2048);
    office.signed_in("admin", "correct horse").await;

    // What the admin changes afterwards stays: the same file again is not applied.
    let mut admin = office.signed_in("admin", "correct horse").await;
    let language = serde_json::json!({ "language": "fr" });
    assert_eq!(admin.post("/api/language", language).await.status, 204);
    assert_eq!(apply(&provision, store, auth).await.unwrap(), Applied::Before);
    assert_eq!(store.settings().language, "fr");

    // A changed file adds and updates, and takes nothing away.
    let changed =
        EXAMPLE.replace("Anna Berg", "Anna Tal").replace("secret-anna", "new-secret-anna")
            + "[network]\nmode = \"dhcp\"\n";
    let changed = changed.replace(
        "[outbound]",
        "[[user]]\naddress = \"bert@office.test\"\npassword = \"secret-bert\"\n[outbound]",
    );
    assert_eq!(apply(&parse(&changed).unwrap(), store, auth).await.unwrap(), Applied::Now);
    assert_eq!(store.accounts_len().unwrap(), 2);
    assert_eq!(
        office.signed_in("anna@office.test", "new-secret-anna").await.get("/api/me").await.json["name"],
        "Anna Tal"
    );
    assert_eq!(store.settings().language, "de");
}

#[tokio::test]
async fn a_conflict_changes_nothing() {
    let office = Office::ready().await;
    let (store, auth) = (office.web.store(), &office.web.ctx().auth);
    let before = store.settings();
    let file = "hostname = \"other.office.test\"\n[[domain]]\nname = \"office.test\"\n\
        [[domain]]\nname = \"new.test\"\n\
        [[user]]\naddress = \"carl@new.test\"\npassword = \"secret-carl\"\n\
        [[user]]\naddress = \"info@office.test\"\npassword = \"secret-info\"\n";
    let refused = apply(&parse(file).unwrap(), store, auth).await.unwrap_err();
    assert!(matches!(refused, ApplyError::AddressTaken(_)), "{refused}");
    assert_eq!((store.accounts_len().unwrap(), store.domains().unwrap().len()), (2, 1));
    assert!(store.settings() == before);
}

#[tokio::test]
async fn what_a_file_leaves_open_the_wizard_asks() {
    let office = Office::new().await;
    let (store, auth) = (office.web.store(), &office.web.ctx().auth);
    let file = "hostname = \"mail.office.test\"\n[[domain]]\nname = \"office.test\"\n";
    apply(&parse(file).unwrap(), store, auth).await.unwrap();
    assert!(!store.settings().setup_complete);
    let mut browser = office.browser();
    let code = serde_json::json!({ "code": office.code });
    let progress = browser.post("/api/setup/code", code).await.json;
    assert_eq!(
        (&progress["hostname"], &progress["password_set"]),
        (&"mail.office.test".into(), &false.into())
    );
}

#[tokio::test]
async fn a_file_says_where_mail_goes() {
    let office = Office::ready().await;
    let (store, auth) = (office.web.store(), &office.web.ctx().auth);
    let file = |members: &str, further: &str| {
        let text = format!(
            "[[domain]]\nname = \"office.test\"\naliases = [\"{further}\"]\n\
             catch_all = \"x@else.test\"\nquota_mb = 7\n\
             [[user]]\naddress = \"carl@office.test\"\npassword = \"secret-carl\"\n\
             forward = [\"c@else.test\"]\nforward_keep = false\nsend_as = [\"@else.test\"]\n\
             [[group]]\nname = \"Team\"\ndomain = \"office.test\"\naddress = \"team@office.test\"\n\
             members = [{members}]\n"
        );
        parse(&text).unwrap()
    };
    let first = file("\"bert@office.test\", \"carl@office.test\", \"y@else.test\"", "b.test");
    assert_eq!(apply(&first, store, auth).await.unwrap(), Applied::Now);
    let domain = store.domains().unwrap().remove(0);
    let catch_all = domain.catch_all.map(|address| address.to_string());
    assert_eq!((catch_all.as_deref(), domain.quota_bytes), (Some("x@else.test"), Some(7 << 20)));
    let carl = base::Address::parse("carl@b.test").unwrap();
    let carl = store.account_by_address(&carl).unwrap().unwrap();
    assert_eq!((carl.forward[0].to_string().as_str(), carl.forward_keep), ("c@else.test", false));
    assert_eq!(carl.send_as[0].to_string(), "@else.test");
    let group = || store.group("team", &domain.name).unwrap().unwrap();
    assert_eq!((group().members.len(), group().outside.len()), (2, 1));
    // A changed file adds, and takes nothing away.
    let second = file("\"anna@office.test\"", "b.test");
    assert_eq!(apply(&second, store, auth).await.unwrap(), Applied::Now);
    assert_eq!((group().members.len(), group().outside.len()), (3, 1));

    // What cannot be is found out before the first change.
    let before = store.settings();
    let unknown = apply(&file("\"dora@office.test\"", "c.test"), store, auth).await.unwrap_err();
    assert!(matches!(unknown, ApplyError::MemberUnknown(_)), "{unknown}");
    store.create_domain(base::DomainName::parse("c.test").unwrap()).await.unwrap();
    let taken = apply(&file("", "c.test"), store, auth).await.unwrap_err();
    assert!(matches!(taken, ApplyError::DomainTaken(_)), "{taken}");
    assert!(store.settings() == before);
    assert_eq!(
        faults(
            "[[domain]]\nname = \"a.test\"\naliases = [\"a.test\"]\ncatch_all = \"x\"\n\
             [[group]]\nname = \"a/b\"\ndomain = \"b.test\"\nmembers = [\"x@else.test\"]\nextra = 1\n"
        ),
        [
            "line 1: domain.aliases: a.test is a domain of this file, or given to two",
            "line 4: domain.catch_all: \"x\": the address has no @",
            "line 6: group.name: a group's name has 1 to 128 bytes, none of @ / \" \\",
            "line 7: group.domain: \"b.test\" is in no [[domain]] of this file",
            "line 8: group.members: x@else.test is elsewhere, and the group has no address",
            "line 9: group.extra: is not known",
        ]
    );
}

/// Refuses whatever is done with one address.
#[derive(Debug)]
struct Payroll(&'static str);

impl store::Gate for Payroll {
    fn is_asked(&self) -> bool {
        true
    }

    fn wants(&self, event: &store::AuditEvent) -> bool {
        event.target == self.0
    }

    fn ask<'a>(
        &'a self,
        _: &'a store::AuditEvent,
        _: &'a store::Origin,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(std::future::ready(Err("not on the payroll".to_owned())))
    }
}

#[tokio::test]
async fn a_file_of_which_a_webhook_refuses_a_part_is_refused_whole() {
    let office = Office::new().await;
    let store = office.web.store();
    store.set_gate(std::sync::Arc::new(Payroll("bert@office.test")));
    let more = "[[user]]\naddress = \"bert@office.test\"\npassword = \"secret-bert\"\n";
    let file = parse(&format!("{EXAMPLE}{more}")).unwrap();
    let before = store.settings();
    let refused = apply(&file, store, &office.web.ctx().auth).await.unwrap_err();
    assert!(matches!(&refused, ApplyError::Refused(text) if text == "not on the payroll"));
    assert!(store.domains().unwrap().is_empty() && store.accounts_len().unwrap() == 0);
    assert_eq!(*store.settings(), *before);
    // Without that part it is applied.
    let file = parse(EXAMPLE).unwrap();
    assert_eq!(apply(&file, store, &office.web.ctx().auth).await.unwrap(), Applied::Now);
    assert_eq!(store.accounts_len().unwrap(), 1);
}
