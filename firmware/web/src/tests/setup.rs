//! The wizard from the first page to its end.

use serde_json::json;

use super::office::{Browser, Office};
use crate::box_link::BoxLink;

async fn opened(office: &Office) -> Browser {
    let mut browser = office.browser();
    let answer = browser.post("/api/setup/code", json!({ "code": office.code })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    browser
}

#[tokio::test]
async fn from_language_to_client_settings() {
    let office = Office::new().await;
    let mut browser = office.browser();
    let state = browser.get("/api/state").await.json;
    assert_eq!((&state["setup_needed"], &state["setup_session"]), (&json!(true), &json!(false)));
    assert_eq!(browser.post("/api/language", json!({ "language": "de" })).await.status, 204);
    let unknown = browser.post("/api/language", json!({ "language": "xx" })).await;
    assert_eq!(unknown.error(), (422, "language-unknown"));
    let shouted = office.code.to_lowercase().replace('-', " ");
    let progress = browser.post("/api/setup/code", json!({ "code": shouted })).await.json;
    assert_eq!((&progress["step"], &progress["language"]), (&json!("password"), &json!("de")));
    assert_eq!(progress["password_set"], json!(false));

    let early = browser.post("/api/setup/finish", json!({})).await;
    assert_eq!(early.error(), (409, "password-needed"));
    let short = browser.post("/api/setup/password", json!({ "password": "short" })).await;
    assert_eq!(short.error(), (422, "password-too-short"));
    assert_eq!(short.json["field"], "password");
    let set = browser.post("/api/setup/password", json!({ "password": "correct horse" })).await;
    assert_eq!(set.status, 204);

    let names = json!({ "hostname": "Mail.Office.test", "domain": "ofice.test" });
    assert_eq!(browser.post("/api/setup/domain", names).await.json["hostname"], "mail.office.test");
    let corrected = browser.post("/api/setup/domain", json!({ "domain": "office.test" })).await;
    assert_eq!(corrected.json, json!({ "hostname": "mail.office.test", "domain": "office.test" }));
    assert_eq!(browser.get("/api/setup/network").await.error(), (409, "no-appliance"));
    let relay = json!({ "mode": "smarthost", "host": "relay.test", "user": "u", "password": "pw" });
    let relay = browser.post("/api/setup/outbound", relay).await;
    assert_eq!(relay.json["port"], 587);
    assert!(!relay.body.contains("pw"), "the password does not come back");

    let users = json!({ "users": [
        { "address": "anna@office.test", "name": "Anna Berg", "password": "secret-anna" },
        { "address": "bert@office.test", "password": "secret-bert", "aliases": ["info@office.test"] },
    ]});
    let made = browser.post("/api/setup/users", users).await;
    assert_eq!(made.json["created"][1]["aliases"], json!(["info@office.test"]), "{made:?}");

    let before = office.web.ctx().tls.info().fingerprint;
    let end = browser.post("/api/setup/finish", json!({})).await;
    assert_eq!(end.status, 200, "{end:?}");
    let settings = &end.json["client_settings"];
    assert_eq!(
        settings["incoming"][0],
        json!({
        "protocol": "imap", "host": "mail.office.test", "port": 8993, "security": "tls" })
    );
    assert_eq!(settings["outgoing"][0]["port"], 8465);
    assert_ne!(settings["fingerprint"], json!(before), "the certificate names the host now");
    assert_eq!(end.json["accounts"].as_array().unwrap().len(), 2);

    // The wizard's browser is the admin's now; the wizard itself is gone for everybody.
    assert_eq!(browser.get("/api/session").await.json["role"], "admin");
    assert_eq!(browser.get("/api/state").await.json["setup_needed"], json!(false));
    let again = office.browser().post("/api/setup/code", json!({ "code": office.code })).await;
    assert_eq!(again.error(), (410, "setup-over"));
    assert_eq!(browser.get("/api/setup/progress").await.error(), (410, "setup-over"));
    assert_eq!(office.web.settings().setup_code, "");
    assert_eq!(office.web.store().domains().unwrap().len(), 1, "the misspelt domain went");
    let status = browser.get("/api/admin/status").await.json;
    let names = status["certificate"]["names"].as_array().unwrap();
    assert!(names.contains(&json!("mail.office.test")), "{status}");
    office.signed_in("anna@office.test", "secret-anna").await;
    office.signed_in("bert@office.test", "secret-bert").await;
}

#[tokio::test]
async fn a_closed_browser_goes_on() {
    let office = Office::new().await;
    let mut first = opened(&office).await;
    let place = json!({ "step": "outbound", "skipped": ["network"], "ui": { "csv": "a;b" } });
    assert_eq!(first.send("PUT", "/api/setup/progress", Some(place)).await.status, 204);
    let named = first.post("/api/setup/domain", json!({ "domain": "office.test" })).await;
    assert_eq!(named.status, 200);
    // By its cookie, and from another browser with the code.
    assert_eq!(first.get("/api/state").await.json["setup_session"], json!(true));
    let mut second = opened(&office).await;
    for browser in [&mut first, &mut second] {
        let progress = browser.get("/api/setup/progress").await.json;
        assert_eq!(progress["step"], "outbound");
        assert_eq!(progress["skipped"], json!(["network"]));
        assert_eq!(progress["ui"], json!({ "csv": "a;b" }));
        assert_eq!(progress["domains"], json!(["office.test"]));
    }
    let huge = json!({ "step": "users", "ui": "x".repeat(40_000) });
    let refused = first.send("PUT", "/api/setup/progress", Some(huge)).await;
    assert_eq!(refused.error(), (422, "too-much"));
}

#[tokio::test(start_paused = true)]
async fn guessing_the_code_is_slow_for_all() {
    let office = Office::new().await;
    let wrong = json!({ "code": "22222-22222" });
    for _ in 0..5 {
        let answer = office.browser().post("/api/setup/code", wrong.clone()).await;
        assert_eq!(answer.error(), (403, "wrong-code"));
    }
    let right = json!({ "code": office.code });
    let answer = office.browser().post("/api/setup/code", right.clone()).await;
    assert_eq!(answer.error(), (429, "throttled"), "the right code waits as well");
    let secs = answer.json["retry_after_secs"].as_u64().unwrap();
    assert_eq!(answer.headers["retry-after"].to_str().unwrap(), secs.to_string());
    tokio::time::advance(std::time::Duration::from_secs(secs)).await;
    assert_eq!(office.browser().post("/api/setup/code", right).await.status, 200);
}

#[tokio::test]
async fn users_are_made_all_or_none() {
    let office = Office::new().await;
    let mut browser = opened(&office).await;
    browser.post("/api/setup/domain", json!({ "domain": "office.test" })).await;
    let users = json!({ "users": [
        { "address": "anna@office.test", "password": "secret-anna" },
        { "address": "Anna@office.test", "password": "secret-anna" },
        { "address": "bert@elsewhere.test", "password": "secret-bert" },
        { "address": "carl@office.test", "password": "short" },
        { "address": "no address", "password": "secret-carl" },
        { "address": "dora@office.test", "password": "secret-dora", "aliases": ["x@y.test"] },
        { "address": "emil@office.test", "password": "secret-emil", "quota_mb": 0 },
    ]});
    let answer = browser.post("/api/setup/users", users).await;
    assert_eq!(answer.error(), (422, "users-invalid"));
    let lines = answer.json["lines"].as_array().unwrap().iter();
    let wrong: Vec<_> = lines
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (line["line"].as_u64().unwrap(), text("field"), text("error"))
        })
        .collect();
    let expected = [
        (1, "address", "duplicate"),
        (2, "address", "domain-unknown"),
        (3, "password", "password-too-short"),
        (4, "address", "address-invalid"),
        (5, "aliases.0", "domain-unknown"),
        (6, "quota_mb", "quota-invalid"),
    ];
    let expected = expected.map(|(line, field, code)| (line, field.to_owned(), code.to_owned()));
    assert_eq!(wrong, expected);
    assert_eq!(office.web.store().accounts_len().unwrap(), 0);
}

/// A PID 1 that has one address and takes every order but a static network with gateway .66.
pub(super) fn pid1() -> (BoxLink, tokio::sync::mpsc::Receiver<String>) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let (told, heard) = tokio::sync::mpsc::channel(100);
    tokio::spawn(async move {
        let mut theirs = BufReader::new(theirs);
        let mut line = String::new();
        while theirs.read_line(&mut line).await.unwrap() > 0 {
            let reply = if line.contains("\"status\"") {
                let status = base::box_link::BoxStatus {
                    addresses: vec!["192.168.1.10/24".into()],
                    ..Default::default()
                };
                serde_json::to_string(&base::box_link::Reply::Status { status }).unwrap()
            } else if line.contains("192.168.1.66") {
                r#"{"is":"failed","reason":"no answer from the gateway"}"#.to_owned()
            } else {
                r#"{"is":"done"}"#.to_owned()
            };
            theirs.write_all(format!("{reply}\n").as_bytes()).await.unwrap();
            told.send(std::mem::take(&mut line)).await.unwrap();
        }
    });
    (BoxLink::new(ours), heard)
}

#[tokio::test]
async fn on_the_appliance_pid_1_is_asked() {
    let (link, mut heard) = pid1();
    let office = Office::with_link(Some(link)).await;
    let mut browser = opened(&office).await;
    assert_eq!(browser.get("/api/state").await.json["appliance"], json!(true));
    let status = browser.get("/api/setup/network").await.json;
    assert_eq!(status["addresses"], json!(["192.168.1.10/24"]));
    let network = |gateway: &str| {
        json!({ "mode": "static", "address": "192.168.1.10/24", "gateway": gateway,
                "dns": ["192.168.1.1"] })
    };
    let wrong = browser.post("/api/setup/network", network("10.0.0.1")).await;
    assert_eq!(
        (wrong.error(), &wrong.json["field"]),
        ((422, "gateway-outside"), &json!("gateway"))
    );
    let refused = browser.post("/api/setup/network", network("192.168.1.66")).await;
    assert_eq!(refused.error(), (422, "box-refused"));
    assert_eq!(office.web.settings().network, base::box_link::Network::Dhcp, "as before");
    assert_eq!(browser.post("/api/setup/network", network("192.168.1.1")).await.status, 204);
    assert_ne!(office.web.settings().network, base::box_link::Network::Dhcp);
    browser.post("/api/setup/domain", json!({ "hostname": "mail.office.test" })).await;
    let mut orders = String::new();
    while let Ok(line) = heard.try_recv() {
        orders.push_str(&line);
    }
    assert!(orders.contains(r#"{"do":"set-host-name","name":"mail.office.test"}"#), "{orders}");
    assert!(orders.contains(&format!("\"setup_code\":\"{}\"", office.code)), "{orders}");
    // This PID 1 stays with DHCP whatever it is told: at the next start it is told again.
    office.web.introduce().await;
    let mut told = String::new();
    while let Ok(line) = heard.try_recv() {
        told.push_str(&line);
    }
    assert!(told.contains(r#""do":"set-network","network":{"mode":"static""#), "{told}");
}
