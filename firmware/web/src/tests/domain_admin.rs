//! Who administers some domains and not the box.

use serde_json::json;

use super::office::{Browser, Office};

/// office.test with anna (admin), bert (administers office.test) and carl; other.test with dora.
async fn branch() -> (Office, Browser) {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let made = admin.post("/api/admin/domains", json!({ "name": "other.test" })).await;
    assert_eq!(made.status, 201);
    for (address, password) in
        [("carl@office.test", "secret-carl"), ("dora@other.test", "secret-dora")]
    {
        let person = json!({ "address": address, "password": password });
        assert_eq!(admin.post("/api/admin/accounts", person).await.status, 201);
    }
    let path = format!("/api/admin/accounts/{}", id(&mut admin, "bert@office.test").await);
    let manages = json!({ "manages": ["office.test"] });
    assert_eq!(admin.send("PATCH", &path, Some(manages)).await.status, 200);
    (office, admin)
}

async fn id(admin: &mut Browser, address: &str) -> u64 {
    let list = admin.get("/api/admin/accounts").await.json;
    let items = list["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["address"] == address).unwrap();
    found["id"].as_u64().unwrap()
}

#[tokio::test]
async fn a_domain_admin_sees_and_changes_the_own_domain_only() {
    let (office, mut admin) = branch().await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let signed_in = bert.get("/api/session").await.json;
    assert_eq!(
        (&signed_in["role"], &signed_in["manages"]),
        (&json!("domain-admin"), &json!(["office.test"]))
    );
    let shown = bert.get("/api/admin/accounts").await.json;
    let addresses: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|item| item["address"].clone()).collect();
    assert!(addresses.contains(&json!("carl@office.test")), "{shown}");
    assert!(!addresses.contains(&json!("dora@other.test")), "{shown}");
    let domains = bert.get("/api/admin/domains").await.json;
    assert_eq!(domains["items"].as_array().unwrap().len(), 1, "{domains}");

    let (anna, carl, dora) = (
        id(&mut admin, "anna@office.test").await,
        id(&mut admin, "carl@office.test").await,
        id(&mut admin, "dora@other.test").await,
    );
    let carl = format!("/api/admin/accounts/{carl}");
    let change = json!({ "name": "Carl C.", "quota_mb": 100, "aliases": ["c@office.test"] });
    assert_eq!(bert.send("PATCH", &carl, Some(change)).await.status, 200);
    let password = json!({ "password": "new-secret-carl" });
    let set = bert.post(&format!("{carl}/password"), password.clone()).await;
    assert_eq!(set.status, 204, "{set:?}");
    for body in [
        json!({ "is_admin": true }),
        json!({ "is_admin": false }),
        json!({ "manages": [] }),
        json!({ "manages": ["office.test"] }),
        json!({ "aliases": ["boss@other.test"] }),
        json!({ "send_as": ["boss@other.test"] }),
        json!({ "send_as": ["@elsewhere.example"] }),
    ] {
        let answer = bert.send("PATCH", &carl, Some(body.clone())).await;
        assert_eq!(answer.error(), (403, "forbidden"), "{body}");
    }
    // Who owns the box and who is elsewhere: out of reach, the password above all.
    for id in [anna, dora] {
        let path = format!("/api/admin/accounts/{id}");
        for (method, path, body) in [
            ("PATCH", path.clone(), Some(json!({ "name": "x" }))),
            ("DELETE", path.clone(), None),
            ("POST", format!("{path}/password"), Some(password.clone())),
            ("GET", format!("{path}/deleted-messages"), None),
        ] {
            let answer = bert.send(method, &path, body).await;
            assert_eq!(answer.error(), (403, "forbidden"), "{method} {path}");
        }
    }
    let dora = format!("/api/admin/accounts/{dora}");
    assert_eq!(bert.get(&dora).await.error(), (403, "forbidden"));
    for new in [
        json!({ "address": "eva@other.test", "password": "secret-eva-1" }),
        json!({ "address": "eva@office.test", "password": "secret-eva-1", "is_admin": true }),
        json!({ "address": "eva@office.test", "password": "secret-eva-1",
            "aliases": ["e@other.test"] }),
    ] {
        let answer = bert.post("/api/admin/accounts", new.clone()).await;
        assert_eq!(answer.error(), (403, "forbidden"), "{new}");
    }
    for (address, status) in [("all@other.test", 403), ("all@office.test", 201)] {
        let alias = json!({ "address": address, "targets": ["carl@office.test"] });
        assert_eq!(bert.post("/api/admin/aliases", alias).await.status, status, "{address}");
    }
    for path in ["/api/admin/status", "/api/admin/queue", "/api/admin/log"] {
        assert_eq!(bert.get(path).await.error(), (403, "forbidden"), "{path}");
    }
    let domain = json!({ "name": "more.test" });
    assert_eq!(bert.post("/api/admin/domains", domain).await.error(), (403, "forbidden"));
}

#[tokio::test]
async fn the_right_ends_when_it_is_taken() {
    let (office, mut admin) = branch().await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    assert_eq!(bert.get("/api/admin/accounts").await.status, 200);
    let path = format!("/api/admin/accounts/{}", id(&mut admin, "bert@office.test").await);
    let none = json!({ "manages": [] });
    assert_eq!(admin.send("PATCH", &path, Some(none)).await.status, 200);
    assert_eq!(bert.get("/api/admin/accounts").await.error(), (403, "forbidden"));
    assert_eq!(bert.get("/api/session").await.json["role"], "user");
}

#[tokio::test]
async fn who_was_an_admin_is_not_brought_back_by_another() {
    let (office, mut admin) = branch().await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    for (address, expected) in
        [("anna@office.test", 403), ("dora@other.test", 403), ("carl@office.test", 200)]
    {
        let id = id(&mut admin, address).await;
        let gone = admin.send("DELETE", &format!("/api/admin/accounts/{id}"), None).await;
        assert_eq!(gone.status, 204);
        let path = format!("/api/admin/deleted-accounts/{id}/restore");
        assert_eq!(bert.post(&path, json!({})).await.status, expected, "{address}");
    }
    let left = bert.get("/api/admin/deleted-accounts").await.json;
    let items = left["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{left}");
    assert_eq!(items[0]["address"], "anna@office.test");
}

#[tokio::test]
async fn a_login_in_another_domain_is_not_theirs_to_see_or_to_end() {
    let (office, mut admin) = branch().await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let mut dora = office.signed_in("dora@other.test", "secret-dora").await;
    let mut anna = office.signed_in("anna@office.test", "secret-anna").await;
    let mut carl = office.signed_in("carl@office.test", "secret-carl").await;
    let all = admin.get("/api/admin/sessions").await.json;
    let of = |login: &str| {
        let items = all["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["account"] == login).unwrap();
        format!("/api/admin/sessions/{}", found["id"].as_str().unwrap())
    };
    for (login, status) in [
        ("dora@other.test", 403),
        ("anna@office.test", 403),
        ("admin", 403),
        ("carl@office.test", 204),
    ] {
        assert_eq!(bert.send("DELETE", &of(login), None).await.status, status, "{login}");
    }
    for (browser, status) in
        [(&mut dora, 200), (&mut anna, 200), (&mut admin, 200), (&mut carl, 401)]
    {
        assert_eq!(browser.get("/api/me").await.status, status);
    }
    for login in ["dora@other.test", "anna@office.test"] {
        let path = format!("/api/admin/accounts/{}/sessions", id(&mut admin, login).await);
        assert_eq!(bert.send("DELETE", &path, None).await.error(), (403, "forbidden"), "{login}");
    }
}
