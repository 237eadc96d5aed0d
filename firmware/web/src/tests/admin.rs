//! The admin's pages.

use serde_json::json;

use super::office::Office;

#[tokio::test]
async fn domains_come_and_go() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let list = admin.get("/api/admin/domains").await.json;
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["name"]), (1, &json!("office.test")));
    assert_eq!(items[0]["accounts"], 2);
    let made = admin.post("/api/admin/domains", json!({ "name": "Müller.test" })).await;
    assert_eq!((made.status.as_u16(), &made.json["name"]), (201, &json!("xn--mller-kva.test")));
    let again = admin.post("/api/admin/domains", json!({ "name": "müller.test" })).await;
    assert_eq!(again.error(), (409, "domain-exists"));
    let wrong = admin.post("/api/admin/domains", json!({ "name": "no domain" })).await;
    assert_eq!((wrong.error(), &wrong.json["field"]), ((422, "domain-invalid"), &json!("name")));
    for (name, error) in [("office.test", (409, "domain-in-use")), ("x.test", (404, "not-found"))] {
        let answer = admin.send("DELETE", &format!("/api/admin/domains/{name}"), None).await;
        assert_eq!(answer.error(), error);
    }
    let gone = admin.send("DELETE", "/api/admin/domains/xn--mller-kva.test", None).await;
    assert_eq!(gone.status, 204);
}

#[tokio::test]
async fn accounts_are_found_changed_and_removed() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let carl = json!({ "address": "carl@office.test", "name": "Carl Zoë", "password": "secret-carl",
        "quota_mb": 100, "aliases": ["sales@office.test"] });
    let made = admin.post("/api/admin/accounts", carl.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json["id"].as_u64().unwrap();
    assert_eq!((&made.json["quota_mb"], &made.json["used_bytes"]), (&json!(100), &json!(0)));
    assert!(!made.body.contains("argon2"), "no hash leaves the box");
    assert_eq!(admin.post("/api/admin/accounts", carl).await.error(), (409, "address-taken"));

    let mut page = admin.get("/api/admin/accounts?limit=2").await.json;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (2, &json!(3)));
    let next = format!("/api/admin/accounts?limit=2&offset={}", page["next"]);
    page = admin.get(&next).await.json;
    assert_eq!(page["items"][0]["address"], "carl@office.test");
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (1, &json!(null)));
    for (query, found) in
        [("zO%C3%AB", 1), ("SALES", 1), ("office", 3), ("nobody", 0), ("carl+zoe+sales", 1)]
    {
        let page = admin.get(&format!("/api/admin/accounts?search={query}")).await.json;
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
    }

    let path = format!("/api/admin/accounts/{id}");
    let mut carl = office.signed_in("sales@office.test", "secret-carl").await;
    let change = json!({ "aliases": ["sales@office.test", "shop@office.test"], "quota_mb": null });
    let changed = admin.send("PATCH", &path, Some(change)).await;
    assert_eq!(changed.json["aliases"], json!(["sales@office.test", "shop@office.test"]));
    assert_eq!(
        (&changed.json["quota_mb"], &changed.json["name"]),
        (&json!(null), &json!("Carl Zoë"))
    );
    let taken = json!({ "aliases": ["shop@office.test", "info@office.test"] });
    let taken = admin.send("PATCH", &path, Some(taken)).await;
    assert_eq!(
        (taken.error(), &taken.json["field"]),
        ((409, "address-taken"), &json!("aliases.1"))
    );
    assert_eq!(carl.get("/api/me").await.status, 200);
    for state in ["disabled", "suspended"] {
        let off = json!({ "state": state });
        assert_eq!(admin.send("PATCH", &path, Some(off)).await.json["state"], state);
        assert_eq!(carl.get("/api/me").await.error(), (401, "sign-in-needed"));
        let login = json!({ "login": "carl@office.test", "password": "secret-carl" });
        assert_eq!(carl.post("/api/session", login).await.error(), (403, "account-disabled"));
        let on = json!({ "state": "active" });
        assert_eq!(admin.send("PATCH", &path, Some(on)).await.status, 200);
        carl = office.signed_in("carl@office.test", "secret-carl").await;
    }
    for (manages, expected) in [
        (json!(["Office.test"]), Ok(json!(["office.test"]))),
        (json!(["office.test", "far.test"]), Err((422, "domain-unknown"))),
        (json!(["office"]), Err((422, "domain-invalid"))),
        (json!([]), Ok(json!([]))),
    ] {
        let answer = admin.send("PATCH", &path, Some(json!({ "manages": manages }))).await;
        match expected {
            Ok(now) => assert_eq!(answer.json["manages"], now),
            Err(refused) => assert_eq!(answer.error(), refused),
        }
    }

    let short = admin.post(&format!("{path}/password"), json!({ "password": "short" })).await;
    assert_eq!(short.error(), (422, "password-too-short"));
    let set = admin.post(&format!("{path}/password"), json!({ "password": "new-secret" })).await;
    assert_eq!(set.status, 204);
    assert_eq!(admin.send("DELETE", &path, None).await.status, 204);
    assert_eq!(admin.get(&path).await.error(), (404, "account-deleted"));
    assert_eq!(admin.send("DELETE", &path, None).await.error(), (404, "not-found"));
}

#[tokio::test]
async fn an_admin_account_does_not_lock_itself_out() {
    let office = Office::ready().await;
    let mut anna = office.signed_in("anna@office.test", "secret-anna").await;
    let id = anna.get("/api/me").await.json["account"]["id"].as_u64().unwrap();
    let path = format!("/api/admin/accounts/{id}");
    for change in [
        json!({ "is_admin": false }),
        json!({ "state": "disabled" }),
        json!({ "state": "suspended" }),
    ] {
        let answer = anna.send("PATCH", &path, Some(change)).await;
        assert_eq!(answer.error(), (409, "not-yourself"));
    }
    assert_eq!(anna.send("DELETE", &path, None).await.error(), (409, "not-yourself"));
    let mut admin = office.signed_in("admin", "correct horse").await;
    let change = json!({ "is_admin": false });
    assert_eq!(admin.send("PATCH", &path, Some(change)).await.status, 200);
    assert_eq!(anna.get("/api/admin/status").await.error(), (403, "forbidden"), "at once");
}

#[tokio::test]
async fn aliases_stand_for_others() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let all = json!({ "address": "all@office.test",
        "targets": ["anna@office.test", "Anna@office.test", "far@elsewhere.test"] });
    let made = admin.post("/api/admin/aliases", all).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json["targets"], json!(["anna@office.test", "far@elsewhere.test"]));
    for (address, targets, error) in [
        ("anna@office.test", json!(["x@y.test"]), (409, "address-taken")),
        ("all@office.test", json!(["x@y.test"]), (409, "address-taken")),
        ("x@elsewhere.test", json!(["x@y.test"]), (422, "domain-unknown")),
        ("x@office.test", json!([]), (422, "targets-empty")),
        ("x@office.test", json!(["X@office.test"]), (422, "alias-to-itself")),
        ("x@office.test", json!(["nonsense"]), (422, "address-invalid")),
    ] {
        let input = json!({ "address": address, "targets": targets });
        assert_eq!(admin.post("/api/admin/aliases", input).await.error(), error, "{address}");
    }
    let path = "/api/admin/aliases/all%40office.test";
    let fewer = json!({ "targets": ["bert@office.test"] });
    let changed = admin.send("PUT", path, Some(fewer)).await;
    assert_eq!(changed.json["targets"], json!(["bert@office.test"]), "{changed:?}");
    let list = admin.get("/api/admin/aliases").await.json;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(admin.send("DELETE", path, None).await.status, 204);
    assert_eq!(admin.send("DELETE", path, None).await.error(), (404, "not-found"));
}

#[tokio::test]
async fn the_state_is_shown() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let status = admin.get("/api/admin/status").await.json;
    assert_eq!(status["tier"]["name"], "1g");
    assert!(status["memory"]["daemon_bytes"].as_u64().unwrap() > 1024 * 1024);
    assert!(status["disk"]["total_bytes"].as_u64().unwrap() > 0);
    assert_eq!(status["store"]["accounts"], 2);
    assert_eq!(status["certificate"]["self_signed"], json!(true));
    assert_eq!(status["certificate"]["fingerprint"].as_str().unwrap().len(), 95);
    assert_eq!(status["box"], json!(null));
    assert_eq!(status["web_sessions"], 1);
    let imaps = json!({ "name": "imaps", "port": 8993 });
    assert!(status["services"].as_array().unwrap().contains(&imaps), "{status}");
    assert_eq!(admin.get("/api/admin/queue").await.json["items"], json!([]));
    for path in ["/api/admin/queue/1/retry", "/api/admin/queue/1/hold"] {
        assert_eq!(admin.send("POST", path, None).await.error(), (404, "not-found"));
    }
    assert_eq!(admin.get("/api/admin/log").await.json["last"], 0);
    for path in ["/api/admin/reboot", "/api/admin/poweroff"] {
        assert_eq!(admin.send("POST", path, None).await.error(), (409, "no-appliance"));
    }
}

#[tokio::test]
async fn a_new_host_name_stands_in_the_certificate() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let wrong = admin.send("PUT", "/api/admin/hostname", Some(json!({ "hostname": "mail" }))).await;
    assert_eq!(wrong.error(), (422, "hostname-not-full"));
    let name = json!({ "hostname": "post.office.test" });
    let set = admin.send("PUT", "/api/admin/hostname", Some(name.clone())).await.json;
    let status = admin.get("/api/admin/status").await.json;
    assert_eq!(status["certificate"]["fingerprint"], set["fingerprint"]);
    assert_eq!(status["certificate"]["names"][0], "post.office.test");
    let again = admin.send("PUT", "/api/admin/hostname", Some(name)).await.json;
    assert_eq!(again["fingerprint"], set["fingerprint"], "not made anew without need");
}

#[tokio::test]
async fn a_page_about_a_domain_can_be_loaded_again() {
    let office = Office::ready().await;
    let mut browser = office.browser();
    for (path, status) in [
        ("/admin/domains/office.test", 200),
        ("/admin/accounts", 200),
        ("/assets/none.js", 404),
        ("/none.png", 404),
    ] {
        assert_eq!(browser.get(path).await.status, status, "{path}");
    }
}
