//! Webhooks over the wire: who is asked may refuse, whichever way the act came; who is told hears of
//! everything in order, signed, again after a failure and after a restart.

use anyhow::Result;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use testkit::callee::{Called, Callee};
use testkit::daemon::{Daemon, Options, office_with_admins};

use crate::boot::web::Web;
use crate::ldap::Office;

fn office() -> Office {
    Office::with(office_with_admins(&["anna", "boss"], &["boss"]))
}

fn admin(daemon: &Daemon) -> Result<Web<'_>> {
    let mut web = Web::new(&daemon.at);
    web.must("/session", &json!({ "login": "admin", "password": "correct horse" }))?;
    Ok(web)
}

fn person(uid: &str) -> String {
    format!(
        "dn: uid={uid},ou=people,dc=office,dc=test\nobjectClass: inetOrgPerson\nuid: {uid}\n\
         cn: {uid} Tal\nsn: Tal\nmail: {uid}@office.test\nuserPassword: secret-{uid}\n"
    )
}

fn body(called: &Called) -> Value {
    serde_json::from_str(&called.body).unwrap()
}

/// As a receiver checks it, by the specification.
fn is_signed(called: &Called, secret: &str) -> bool {
    let field = |name: &str| called.fields.get(name).cloned().unwrap_or_default();
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signed = format!("{}.{}.{}", field("webhook-id"), field("webhook-timestamp"), called.body);
    // Any of several counts.
    field("webhook-signature").split(' ').any(|one| {
        let signature = BASE64.decode(one.strip_prefix("v1,").unwrap());
        hmac::verify(&key, signed.as_bytes(), &signature.unwrap()).is_ok()
    })
}

#[test]
fn who_is_asked_refuses_with_a_text_by_ldap_and_by_the_web() -> Result<()> {
    let office = office();
    let callee = Callee::start(office.daemon.at.address)?;
    let mut web = admin(&office.daemon)?;
    let hook = json!({ "name": "HR", "url": callee.url("/ask"), "events": ["account.create"],
        "mode": "before", "on_failure": "refuse" });
    let made = web.must("/admin/webhooks", &hook)?;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let (_, listed) = web.get("/admin/webhooks")?;
    assert_eq!(listed["items"][0]["secret"], Value::Null, "shown once");

    let no = r#"{"message":"Not on the payroll.\nAsk HR."}"#;
    callee.answer(403, no);
    let said = office.admin("ldapadd", &[], &person("carl"));
    said.must_be(53).tells("Not on the payroll. Ask HR.");
    let asked = callee.next()?;
    assert!(is_signed(&asked, &secret), "{asked:?}");
    assert_eq!(asked.line, "POST /ask HTTP/1.1");
    let told = body(&asked);
    assert_eq!((&told["type"], &told["phase"]), (&json!("account.create"), &json!("before")));
    assert_eq!(told["data"]["target"], "carl@office.test");
    assert_eq!((&told["data"]["who"], &told["data"]["via"]), (&json!("admin"), &json!("ldap")));
    assert!(!asked.body.contains("secret-carl") && !asked.body.contains("ARGON2"), "{asked:?}");
    assert!(office.rcpt("carl@office.test")?.starts_with("550"), "there is no account");

    callee.answer(403, no);
    let carl = json!({ "address": "carl@office.test", "password": "secret-carl-2" });
    let (status, refusal) = web.post("/admin/accounts", &carl)?;
    assert_eq!((status, &refusal["error"]), (409, &json!("refused-by-webhook")), "{refusal}");
    assert_eq!(refusal["detail"], "Not on the payroll. Ask HR.");
    callee.next()?;
    let (_, log) = web.get("/admin/audit?action=webhook.refused")?;
    assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");

    // It says yes; then it fails, which counts as no; other acts it is not asked about.
    assert_eq!(web.post("/admin/accounts", &carl)?.0, 201);
    callee.next()?;
    callee.answer(500, "");
    let dora = json!({ "address": "dora@office.test", "password": "secret-dora" });
    assert_eq!(web.post("/admin/accounts", &dora)?.0, 409);
    callee.next()?;
    let alias = json!({ "address": "info@office.test", "targets": ["anna@office.test"] });
    assert_eq!(web.post("/admin/aliases", &alias)?.0, 201);
    assert_eq!(callee.waiting(), 0);
    let (_, log) = web.get("/admin/webhooks/1/log")?;
    let oks: Vec<bool> =
        log["items"].as_array().unwrap().iter().map(|a| a["ok"].as_bool().unwrap()).collect();
    assert_eq!(oks, [false, true, false, false]);
    Ok(())
}

#[test]
fn a_new_secret_counts_beside_the_old_one_and_the_log_outlives_a_restart() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = || {
        let data = Some(dir.path().join("data"));
        let provision = Some(office_with_admins(&["boss"], &["boss"]));
        Daemon::start(Options { data, provision, ..Options::default() })
    };
    let mut daemon = start()?;
    let callee = Callee::start(daemon.at.address)?;
    let mut web = admin(&daemon)?;
    let hook = json!({ "name": "CMDB", "url": callee.url("/told"), "events": ["alias.*"] });
    let made = web.must("/admin/webhooks", &hook)?;
    assert_eq!(made["old_secret_until"], Value::Null);
    let (code, changed) = web.patch("/admin/webhooks/1", &json!({ "new_secret": true }))?;
    assert_eq!(code, 200, "{changed}");
    assert!(changed["old_secret_until"].is_string(), "{changed}");
    let secrets = [&made, &changed].map(|of| of["secret"].as_str().unwrap().to_owned());
    assert_ne!(secrets[0], secrets[1]);
    web.must("/admin/webhooks/1/test", &json!({}))?;
    let called = callee.next()?;
    assert!(secrets.iter().all(|secret| is_signed(&called, secret)), "{called:?}");
    assert!(!daemon.log().contains(&secrets[1]) && !daemon.log().contains(&secrets[0]));
    let (_, before) = web.get("/admin/webhooks/1/log")?;
    assert_eq!(before["items"].as_array().map(Vec::len), Some(1));
    drop(web);
    daemon.stop()?;
    daemon.check()?;
    let mut daemon = start()?;
    let (_, after) = admin(&daemon)?.get("/admin/webhooks/1/log")?;
    assert_eq!(after, before);
    daemon.stop()?;
    daemon.check()
}

#[test]
fn a_box_goes_on_when_its_provisioning_file_is_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = |names: &[&str]| {
        let data = Some(dir.path().join("data"));
        let provision = Some(office_with_admins(names, &["boss"]));
        Daemon::start(Options { data, provision, ..Options::default() })
    };
    let mut daemon = start(&["boss"])?;
    let callee = Callee::start(daemon.at.address)?;
    let hook = json!({ "name": "HR", "url": callee.url("/ask"), "events": ["account.create"],
        "mode": "before", "on_failure": "refuse" });
    admin(&daemon)?.must("/admin/webhooks", &hook)?;
    daemon.stop()?;
    callee.answer(403, r#"{"message":"Not on the payroll."}"#);
    let mut daemon = start(&["boss", "carl"])?;
    let asked = callee.next()?;
    assert_eq!(body(&asked)["data"]["via"], "provisioning", "{asked:?}");
    assert!(daemon.log().contains("Not on the payroll."), "{}", daemon.log());
    let (_, found) = admin(&daemon)?.get("/admin/accounts?search=carl")?;
    assert_eq!(found["found"], 0, "{found}");
    // The next start tries it again.
    daemon.stop()?;
    let mut daemon = start(&["boss", "carl"])?;
    let (_, found) = admin(&daemon)?.get("/admin/accounts?search=carl")?;
    assert_eq!(found["found"], 1, "{found}");
    daemon.stop()?;
    daemon.check()
}

#[test]
fn who_is_told_hears_of_all_in_order_after_failures_and_a_restart() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let start = || {
        Daemon::start(Options {
            data: Some(dir.path().join("data")),
            provision: Some(office_with_admins(&["anna", "boss"], &["boss"])),
            ..Options::default()
        })
    };
    let mut daemon = start()?;
    let callee = Callee::start(daemon.at.address)?;
    let mut web = admin(&daemon)?;
    let hook = json!({ "name": "CMDB", "url": callee.url("/told"), "events": ["alias.*"] });
    let made = web.must("/admin/webhooks", &hook)?;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let alias = |name: &str| json!({ "address": format!("{name}@office.test"), "targets": ["anna@office.test"] });
    let target = |called: &Called| {
        assert!(is_signed(called, &secret), "{called:?}");
        body(called)["data"]["target"].as_str().unwrap().to_owned()
    };

    let tested = web.must("/admin/webhooks/1/test", &json!({}))?;
    assert_eq!((&tested["ok"], &tested["status"]), (&json!(true), &json!(204)), "{tested}");
    assert_eq!(body(&callee.next()?)["type"], "webhook.test");

    // Told again until it takes it, with the same id; what comes later waits.
    callee.answer(500, "");
    web.must("/admin/aliases", &alias("a1"))?;
    web.must("/admin/aliases", &alias("a2"))?;
    let (first, again, second) = (callee.next()?, callee.next()?, callee.next()?);
    assert_eq!(target(&first), "a1@office.test");
    assert_eq!(first.fields["webhook-id"], again.fields["webhook-id"]);
    assert_eq!(
        (target(&again), target(&second)),
        ("a1@office.test".into(), "a2@office.test".into())
    );
    assert_ne!(second.fields["webhook-id"], first.fields["webhook-id"]);

    // It does not answer, the daemon goes, and tells it after its start.
    callee.answer_raw("");
    web.must("/admin/aliases", &alias("a3"))?;
    web.must("/admin/aliases", &alias("a4"))?;
    assert_eq!(target(&callee.next()?), "a3@office.test");
    drop(web);
    daemon.kill()?;
    daemon.check()?;
    let daemon = start()?;
    assert_eq!(target(&callee.next()?), "a3@office.test");
    assert_eq!(target(&callee.next()?), "a4@office.test");
    let mut web = admin(&daemon)?;
    // Our own admin pages are no target.
    let own = json!({ "name": "x", "url": daemon.url, "events": ["*"] });
    let (status, refusal) = web.post("/admin/webhooks", &own)?;
    assert_eq!((status, &refusal["error"]), (422, &json!("url-refused")), "{refusal}");
    Ok(())
}
