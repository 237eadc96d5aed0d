//! App passwords, the second factor, and the list of logins, over the API.

use std::net::IpAddr;

use base::{AccountId, Clock as _, SystemClock};
use serde_json::{Value, json};
use session::{LoginError, Protocol};

use super::office::{Browser, Office};

const BERT: &str = "bert@office.test";
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn unbase32(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = text.chars().map(|c| format!("{:05b}", letters.find(c).unwrap())).collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes.map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap()).collect()
}

/// The code of `steps` steps from now.
fn code(secret: &str, steps: i64) -> String {
    let now = base::Timestamp(SystemClock.now().0 + steps * 30_000);
    session::code_of_now(&unbase32(secret), now)
}

/// Turns the second factor on; the secret and the recovery codes.
async fn turn_on(browser: &mut Browser, password: &str) -> (String, Vec<String>) {
    let begun = browser.post("/api/me/totp", json!({ "password": password })).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let secret = begun.json["secret"].as_str().unwrap().to_owned();
    assert!(begun.json["uri"].as_str().unwrap().contains(&secret));
    let wrong = browser.post("/api/me/totp/confirm", json!({ "code": "12345" })).await;
    assert_eq!(wrong.error(), (403, "wrong-code"));
    // The step before this one: the next sign-in can have the one of now.
    let right = json!({ "code": code(&secret, -1) });
    let on = browser.post("/api/me/totp/confirm", right).await;
    let codes = on.json["recovery_codes"].as_array().unwrap().iter();
    (secret, codes.map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn log_in(office: &Office, password: &str, protocol: Protocol) -> Result<u32, LoginError> {
    let auth = &office.web.ctx().auth;
    let login = auth.login(BERT, password.as_bytes(), HERE, protocol).await?;
    Ok(login.app_password.unwrap_or(0))
}

#[tokio::test]
async fn an_app_password_is_for_its_protocols_until_it_is_revoked() {
    let office = Office::ready().await;
    let mut bert = office.signed_in(BERT, "secret-bert").await;
    let path = "/api/me/app-passwords";
    for (input, code) in [
        (json!({ "name": " ", "protocols": ["imap"] }), "name-invalid"),
        (json!({ "name": "x".repeat(101), "protocols": ["imap"] }), "name-invalid"),
        (json!({ "name": "phone", "protocols": [] }), "protocols-invalid"),
        (json!({ "name": "phone", "protocols": ["web"] }), "protocols-invalid"),
    ] {
        assert_eq!(bert.post(path, input).await.error(), (422, code));
    }
    let made = bert.post(path, json!({ "name": "Phone", "protocols": ["imap", "smtp"] })).await;
    assert_eq!((made.status.as_u16(), &made.json["id"]), (201, &json!(1)), "{made:?}");
    let password = made.json["password"].as_str().unwrap().to_owned();
    assert_eq!(password.len(), 23);
    assert_eq!(log_in(&office, &password, Protocol::Imap).await.unwrap(), 1);
    assert_eq!(log_in(&office, &password.to_uppercase(), Protocol::Smtp).await.unwrap(), 1);
    let other = log_in(&office, &password, Protocol::Pop3).await;
    assert!(matches!(other, Err(LoginError::OtherProtocol)));
    assert_eq!(log_in(&office, "secret-bert", Protocol::Imap).await.unwrap(), 0, "as before");
    let web = json!({ "login": BERT, "password": password });
    assert_eq!(office.browser().post("/api/session", web).await.error(), (403, "wrong-login"));

    let listed = bert.get(path).await;
    assert!(!listed.body.contains(&password) && !listed.body.contains("BLAKE3"), "{listed:?}");
    let item = &listed.json["items"][0];
    assert_eq!((&item["name"], &item["protocols"]), (&json!("Phone"), &json!(["imap", "smtp"])));
    assert_eq!(item["last_address"], "127.0.0.1");

    let mut anna = office.signed_in("anna@office.test", "secret-anna").await;
    assert_eq!(anna.get(path).await.json["items"], json!([]));
    let of_bert = "/api/admin/accounts/2/app-passwords";
    assert_eq!(anna.get(of_bert).await.json["items"][0]["name"], "Phone");
    let more = anna.post(of_bert, json!({ "name": "Desk", "protocols": ["ldap"] })).await;
    assert_eq!(more.json["id"], 2);
    assert_eq!(anna.send("DELETE", &format!("{of_bert}/2"), None).await.status, 204);
    assert_eq!(anna.send("DELETE", "/api/me/app-passwords/1", None).await.status, 404);
    assert_eq!(bert.send("DELETE", "/api/me/app-passwords/1", None).await.status, 204);
    assert_eq!(bert.send("DELETE", "/api/me/app-passwords/1", None).await.status, 404);
    assert!(matches!(log_in(&office, &password, Protocol::Imap).await, Err(LoginError::Wrong)));
}

#[tokio::test]
async fn with_the_second_factor_on_the_password_is_for_the_web_alone() {
    let office = Office::ready().await;
    let mut bert = office.signed_in(BERT, "secret-bert").await;
    let mut elsewhere = office.signed_in(BERT, "secret-bert").await;
    let wrong = bert.post("/api/me/totp", json!({ "password": "secret-anna" })).await;
    assert_eq!(wrong.error(), (403, "wrong-password"));
    let early = bert.post("/api/me/totp/confirm", json!({ "code": "123456" })).await;
    assert_eq!(early.error(), (410, "totp-expired"));
    let (secret, recovery) = turn_on(&mut bert, "secret-bert").await;
    assert_eq!(recovery.len(), 10);
    assert_eq!(elsewhere.get("/api/me").await.status, 401, "signed out elsewhere");
    assert_eq!(
        bert.get("/api/me/security").await.json,
        json!({ "totp": true, "recovery_codes_left": 10, "app_passwords_required": true,
            "app_passwords": 0 })
    );
    for protocol in [Protocol::Imap, Protocol::Pop3, Protocol::Smtp, Protocol::Ldap] {
        let refused = log_in(&office, "secret-bert", protocol).await;
        assert!(matches!(refused, Err(LoginError::AppPasswordNeeded)));
    }
    assert!(matches!(log_in(&office, "wrong", Protocol::Imap).await, Err(LoginError::Wrong)));
    let made = json!({ "name": "Phone", "protocols": ["imap"] });
    let made = bert.post("/api/me/app-passwords", made).await;
    let app = made.json["password"].as_str().unwrap();
    assert_eq!(log_in(&office, app, Protocol::Imap).await.unwrap(), 1);

    let sign_in = |code: Option<&str>| {
        let mut login = json!({ "login": BERT, "password": "secret-bert" });
        if let Some(code) = code {
            login["code"] = Value::from(code);
        }
        let mut browser = office.browser();
        async move { browser.post("/api/session", login).await }
    };
    assert_eq!(sign_in(None).await.error(), (401, "code-needed"));
    assert_eq!(sign_in(Some("000")).await.error(), (403, "wrong-code"));
    let now = code(&secret, 0);
    assert_eq!(sign_in(Some(&now)).await.status, 200);
    assert_eq!(sign_in(Some(&now)).await.error(), (403, "wrong-code"), "good once");
    assert_eq!(sign_in(Some(&recovery[3].to_uppercase())).await.status, 200);
    assert_eq!(sign_in(Some(&recovery[3])).await.error(), (403, "wrong-code"), "good once");
    assert_eq!(bert.get("/api/me/security").await.json["recovery_codes_left"], 9);

    let again = bert.post("/api/me/totp", json!({ "password": "secret-bert" })).await;
    assert_eq!(again.error(), (409, "totp-on"));
    let off = |body| bert.clone().send_owned("DELETE", "/api/me/totp", body);
    assert_eq!(off(json!({})).await.error(), (400, "bad-request"));
    assert_eq!(off(json!({ "code": "abc" })).await.error(), (403, "wrong-code"));
    assert_eq!(off(json!({ "password": "no" })).await.error(), (403, "wrong-password"));
    assert_eq!(off(json!({ "code": recovery[0] })).await.status, 204);
    assert_eq!(off(json!({ "password": "secret-bert" })).await.error(), (409, "totp-off"));
    assert_eq!(log_in(&office, "secret-bert", Protocol::Imap).await.unwrap(), 0);
}

#[tokio::test]
async fn the_admin_has_a_second_factor_and_helps_who_lost_his() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let (_, recovery) = turn_on(&mut admin, "correct horse").await;
    let login = json!({ "login": "admin", "password": "correct horse" });
    assert_eq!(office.browser().post("/api/session", login).await.error(), (401, "code-needed"));
    let login = json!({ "login": "admin", "password": "correct horse", "code": recovery[0] });
    assert_eq!(office.browser().post("/api/session", login).await.status, 200);
    let auth = &office.web.ctx().auth;
    let by_ldap = auth.admin_login(b"correct horse", HERE, Protocol::Ldap).await;
    assert!(matches!(by_ldap, Err(LoginError::AppPasswordNeeded)));
    let made = json!({ "name": "LDAP tools", "protocols": ["ldap"] });
    let made = admin.post("/api/me/app-passwords", made).await;
    let app = made.json["password"].as_str().unwrap().as_bytes();
    assert_eq!(auth.admin_login(app, HERE, Protocol::Ldap).await.unwrap(), Some(1));

    let mut bert = office.signed_in(BERT, "secret-bert").await;
    turn_on(&mut bert, "secret-bert").await;
    let path = "/api/admin/accounts/2/totp";
    assert_eq!(admin.send("DELETE", path, None).await.status, 204);
    assert_eq!(admin.send("DELETE", path, None).await.error(), (409, "totp-off"));
    office.signed_in(BERT, "secret-bert").await;
}

/// Ten wrong codes in ten minutes from all strangers together; whoever lost his telephone gets in all the same.
#[tokio::test]
async fn codes_are_not_guessed() {
    let office = Office::ready().await;
    let mut bert = office.signed_in(BERT, "secret-bert").await;
    let (secret, recovery) = turn_on(&mut bert, "secret-bert").await;
    tokio::time::pause();
    let auth = &office.web.ctx().auth;
    let sign_in = |code: String, net: u8| async move {
        let peer = IpAddr::from([203, 0, net, 1]);
        auth.sign_in(BERT, b"secret-bert", Some(&code), peer).await
    };
    let (mut tried, mut waited) = (0, 0);
    for net in 0..100 {
        match sign_in("000000".to_owned(), net).await {
            Err(LoginError::WrongCode) => tried += 1,
            Err(LoginError::Throttled(_)) => waited += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((tried, waited), (10, 90));
    let right = sign_in(code(&secret, 0), 200).await;
    assert!(matches!(right, Err(LoginError::Throttled(_))), "the right one waits with them");
    sign_in(recovery[0].clone(), 201).await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(601)).await;
    sign_in(code(&secret, 1), 202).await.unwrap();
}

#[tokio::test]
async fn logins_are_listed_and_ended() {
    let office = Office::ready().await;
    let ctx = office.web.ctx().clone();
    let (mut phone, _other_end) = session::Conn::in_memory(ctx.clone(), HERE).unwrap();
    phone.set_client("Mail\r\n 5.1");
    phone.set_login(AccountId(2), None).unwrap();
    let (mut anna_mail, _other_end) = session::Conn::in_memory(ctx, HERE).unwrap();
    anna_mail.set_login(AccountId(1), None).unwrap();
    let mut bert = office.signed_in(BERT, "secret-bert").await;
    let own = bert.get("/api/me/sessions").await.json;
    let items = own["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{own}");
    assert_eq!((&items[0]["client"], &items[0]["account"]), (&json!("Mail 5.1"), &json!(BERT)));
    assert_eq!((&items[1]["protocol"], &items[1]["current"]), (&json!("web"), &json!(true)));

    let mut admin = office.signed_in("admin", "correct horse").await;
    let all = admin.get("/api/admin/sessions").await.json;
    assert_eq!(all["items"].as_array().unwrap().len(), 4, "{all}");
    let of_anna = admin.get("/api/admin/sessions?account=1").await.json["items"][0]["id"].clone();
    let of_anna = of_anna.as_str().unwrap();
    let path = format!("/api/me/sessions/{of_anna}");
    assert_eq!(bert.send("DELETE", &path, None).await.error(), (404, "not-found"), "another's");
    let path = format!("/api/admin/sessions/{of_anna}");
    assert_eq!(admin.send("DELETE", &path, None).await.status, 204);
    assert!(matches!(anna_mail.readable().await, Err(session::ConnError::Revoked)));
    assert_eq!(admin.send("DELETE", "/api/admin/sessions/w999", None).await.status, 404);
    assert_eq!(admin.send("DELETE", "/api/admin/sessions/nonsense", None).await.status, 404);
    assert_eq!(admin.send("DELETE", "/api/admin/accounts/2/sessions", None).await.status, 204);
    assert!(matches!(phone.readable().await, Err(session::ConnError::Revoked)));
    assert_eq!(bert.get("/api/me").await.status, 401);
    assert_eq!(admin.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn a_throttled_sign_in_says_how_long() {
    let office = Office::ready().await;
    let mut browser = office.browser();
    for n in 0..5 {
        let wrong = json!({ "login": BERT, "password": format!("wrong {n}") });
        assert_eq!(browser.post("/api/session", wrong).await.error(), (403, "wrong-login"));
    }
    let next = json!({ "login": BERT, "password": "wrong again" });
    let answer = browser.post("/api/session", next).await;
    assert_eq!(answer.error(), (429, "throttled"));
    assert_eq!(answer.json["retry_after_secs"], 1, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "1");
    let same = json!({ "login": BERT, "password": "wrong 4" });
    let answer = browser.post("/api/session", same).await;
    assert_eq!(answer.error(), (403, "wrong-login"), "known to be wrong, so told at once");
}

#[tokio::test]
async fn the_meter_says_what_the_rules_say() {
    let office = Office::ready().await;
    let ask = |password: &str| json!({ "password": password });
    let nobody = office.browser().post("/api/password-quality", ask("x")).await;
    assert_eq!(nobody.error(), (401, "sign-in-needed"));
    let mut bert = office.signed_in(BERT, "secret-bert").await;
    for (password, ok, reason) in [
        ("short", false, json!("password-too-short")),
        ("password1", false, json!("password-too-simple")),
        ("slate-otter-dune-27", true, Value::Null),
    ] {
        let judged = bert.post("/api/password-quality", ask(password)).await.json;
        assert_eq!((&judged["ok"], &judged["reason"]), (&json!(ok), &reason), "{judged}");
        let change = json!({ "old": "secret-bert", "new": password });
        let changed = bert.post("/api/me/password", change).await;
        assert_eq!(changed.status == 204, ok, "{password}: {changed:?}");
    }
    let long = bert.post("/api/password-quality", ask(&"x".repeat(2_000))).await;
    assert_eq!(long.error(), (422, "password-too-long"));
}
