//! Signing in and out, and what is one's own.

use base::AccountId;
use serde_json::json;

use super::office::{Office, PEER};
use crate::guard::{UserAgent, open_session};
use crate::sessions::Who;

#[tokio::test]
async fn sessions_begin_and_end() {
    let office = Office::ready().await;
    let mut browser = office.browser();
    let wrong = json!({ "login": "anna@office.test", "password": "wrong-anna" });
    assert_eq!(browser.post("/api/session", wrong).await.error(), (403, "wrong-login"));
    let unknown = json!({ "login": "nobody@office.test", "password": "secret-anna" });
    assert_eq!(browser.post("/api/session", unknown).await.error(), (403, "wrong-login"));
    let right = json!({ "login": "info@office.test", "password": "secret-anna" });
    let answer = browser.post("/api/session", right).await;
    assert_eq!(answer.json["address"], "anna@office.test", "an alias is a login, too");
    assert_eq!(answer.json["role"], "admin");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let ends = "; Path=/; Secure; HttpOnly; SameSite=Strict";
    assert!(cookie.starts_with("__Host-postroom=") && cookie.ends_with(ends), "{cookie}");
    let mut copy = browser.clone();
    assert_eq!(copy.get("/api/me").await.status, 200);
    assert_eq!(browser.send("DELETE", "/api/session", None).await.status, 204);
    assert!(browser.cookie.is_none());
    assert_eq!(copy.get("/api/me").await.error(), (401, "sign-in-needed"), "gone on our side");
}

#[tokio::test]
async fn a_new_sign_in_replaces_the_cookie() {
    let office = Office::ready().await;
    let mut browser = office.signed_in("bert@office.test", "secret-bert").await;
    let mut old = browser.clone();
    let admin = json!({ "login": "ADMIN", "password": "correct horse" });
    assert_eq!(browser.post("/api/session", admin).await.json["login"], "admin");
    assert_ne!(browser.cookie, old.cookie);
    assert_eq!(old.get("/api/session").await.error(), (401, "sign-in-needed"));
}

#[tokio::test]
async fn admin_has_no_login_before_the_password_is_set() {
    let office = Office::new().await;
    for password in ["", "admin"] {
        let guess = json!({ "login": "admin", "password": password });
        let answer = office.browser().post("/api/session", guess).await;
        assert_eq!(answer.error(), (403, "setup-needed"));
    }
}

#[tokio::test]
async fn a_person_changes_his_own() {
    let office = Office::ready().await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let mut other = office.signed_in("bert@office.test", "secret-bert").await;
    let me = bert.get("/api/me").await.json;
    assert_eq!((&me["role"], &me["account"]["id"]), (&json!("user"), &json!(2)), "{me}");
    let settings = bert.get("/api/me/client-settings").await.json;
    assert_eq!(settings, me["client_settings"]);
    assert_eq!(settings["user"], "bert@office.test");

    let wrong = json!({ "old": "no", "new": "another-secret" });
    let wrong = bert.post("/api/me/password", wrong).await;
    assert_eq!((wrong.error(), &wrong.json["field"]), ((403, "wrong-password"), &json!("old")));
    let short = json!({ "old": "secret-bert", "new": "short" });
    let short = bert.post("/api/me/password", short).await;
    assert_eq!((short.error(), &short.json["field"]), ((422, "password-too-short"), &json!("new")));
    let good = json!({ "old": "secret-bert", "new": "another-secret" });
    assert_eq!(bert.post("/api/me/password", good).await.status, 204);
    assert_eq!(bert.get("/api/me").await.status, 200, "this browser stays");
    assert_eq!(other.get("/api/me").await.error(), (401, "sign-in-needed"), "others do not");
    office.signed_in("bert@office.test", "another-secret").await;

    let language = |language| json!({ "language": language });
    assert_eq!(bert.post("/api/me/language", language(Some("fr"))).await.status, 204);
    assert_eq!(bert.get("/api/session").await.json["language"], "fr");
    assert_eq!(bert.post("/api/me/language", language(None)).await.status, 204);
    assert_eq!(bert.get("/api/session").await.json["language"], json!(null));
    let unknown = bert.post("/api/me/language", language(Some("tlh"))).await;
    assert_eq!(unknown.error(), (422, "language-unknown"));
    let box_language = bert.post("/api/language", language(Some("fr"))).await;
    assert_eq!(box_language.error(), (403, "forbidden"), "setup is over");

    let mut admin = office.signed_in("admin", "correct horse").await;
    assert_eq!(admin.get("/api/me").await.json["account"], json!(null));
    assert_eq!(admin.get("/api/me/client-settings").await.error(), (404, "not-found"));
    let short = json!({ "old": "correct horse", "new": "nine-char" });
    assert_eq!(admin.post("/api/me/password", short).await.error(), (422, "password-too-short"));
}

#[tokio::test]
async fn a_password_that_another_protocol_changed_ends_what_is_signed_in_here() {
    let office = Office::ready().await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let mut anna = office.signed_in("anna@office.test", "secret-anna").await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let bert_is = base::Address::parse("bert@office.test").unwrap();
    let account = office.web.store().account_by_address(&bert_is);
    // What the LDAP server does when it has set one.
    office.web.ctx().admission.close_account(account.unwrap().unwrap().id);
    assert_eq!(bert.get("/api/me").await.error(), (401, "sign-in-needed"));
    assert_eq!(anna.get("/api/me").await.status, 200);
    office.web.ctx().admission.close_account(store::OFFICE);
    assert_eq!(admin.get("/api/me").await.error(), (401, "sign-in-needed"));
    // Who changes it here stays.
    let change = serde_json::json!({ "old": "secret-anna", "new": "violet kettle 93" });
    assert_eq!(anna.post("/api/me/password", change).await.status, 204);
    assert_eq!(anna.get("/api/me").await.status, 200);
}

/// Looking at a password takes its time; who changes it meanwhile throws out that sign-in, too.
#[tokio::test]
async fn a_sign_in_that_was_on_its_way_when_all_were_ended_is_ended_with_them() {
    let office = Office::new().await;
    let (web, who) = (&office.web, Who::Account(AccountId(7)));
    let from = || UserAgent { address: PEER, client: String::new() };
    let before = web.ctx().admission.now();
    open_session(web, Who::Account(AccountId(8)), from(), before).unwrap();
    web.sign_out(who, None);
    assert!(open_session(web, who, from(), before).is_err());
    assert!(web.sessions().list(Some(who)).is_empty());
    open_session(web, who, from(), web.ctx().admission.now()).unwrap();
    open_session(web, Who::Account(AccountId(8)), from(), before).unwrap();
}
