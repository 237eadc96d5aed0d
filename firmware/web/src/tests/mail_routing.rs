//! Where mail goes and who may send as whom, as the admin sets it: domains, groups, accounts.

use serde_json::{Value, json};

use super::office::{Browser, Office};

async fn patch(who: &mut Browser, path: &str, body: Value) -> super::office::Answer {
    who.send("PATCH", &format!("/api/admin/{path}"), Some(body)).await
}

#[tokio::test]
async fn a_domain_has_further_names_and_a_catch_all() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    assert_eq!(admin.post("/api/admin/domains", json!({ "name": "other.test" })).await.status, 201);
    let change = json!({ "catch_all": "x@elsewhere.test", "default_quota_mb": 7,
        "domain_aliases": ["Büro.test", "alias.test"] });
    let changed = patch(&mut admin, "domains/office.test", change).await;
    assert_eq!(
        changed.json,
        json!({ "name": "office.test", "accounts": 2, "aliases": 0, "groups": 0, "admins": [],
            "catch_all": "x@elsewhere.test", "default_quota_mb": 7, "source": false,
            "domain_aliases": ["xn--bro-hoa.test", "alias.test"] })
    );
    assert_eq!(admin.get("/api/admin/domains").await.json["items"][0], changed.json);
    let account = admin.get("/api/admin/accounts/1").await.json;
    assert_eq!((&account["quota_mb"], &account["limit_mb"]), (&json!(null), &json!(7)));
    for (path, body, error, field) in [
        (
            "other.test",
            json!({ "domain_aliases": ["a.test", "alias.test"] }),
            (409, "domain-taken"),
            "domain_aliases.1",
        ),
        (
            "office.test",
            json!({ "domain_aliases": ["other.test"] }),
            (409, "domain-taken"),
            "domain_aliases.0",
        ),
        (
            "office.test",
            json!({ "domain_aliases": ["office.test"] }),
            (409, "domain-taken"),
            "domain_aliases.0",
        ),
        (
            "office.test",
            json!({ "domain_aliases": ["a.test", "A.test"] }),
            (422, "duplicate"),
            "domain_aliases.1",
        ),
        (
            "office.test",
            json!({ "domain_aliases": ["no name"] }),
            (422, "domain-invalid"),
            "domain_aliases.0",
        ),
        ("office.test", json!({ "catch_all": "nobody" }), (422, "address-invalid"), "catch_all"),
        (
            "office.test",
            json!({ "default_quota_mb": 99_999_999 }),
            (422, "quota-invalid"),
            "default_quota_mb",
        ),
    ] {
        let answer = patch(&mut admin, &format!("domains/{path}"), body).await;
        assert_eq!((answer.error(), &answer.json["field"]), (error, &json!(field)));
    }
    let taken = admin.post("/api/admin/domains", json!({ "name": "alias.test" })).await;
    assert_eq!((taken.error(), &taken.json["field"]), ((409, "domain-taken"), &json!("name")));
    let none = json!({ "catch_all": null, "domain_aliases": [], "default_quota_mb": null });
    let changed = patch(&mut admin, "domains/office.test", none).await.json;
    assert_eq!((&changed["catch_all"], &changed["default_quota_mb"]), (&json!(null), &json!(null)));
    assert_eq!(patch(&mut admin, "domains/no.test", json!({})).await.error(), (404, "not-found"));
    // A name of the domain is a way to log in.
    assert_eq!(
        patch(&mut admin, "domains/office.test", json!({ "domain_aliases": ["b.test"] }))
            .await
            .status,
        200
    );
    office.signed_in("bert@b.test", "secret-bert").await;
}

#[tokio::test]
async fn groups_come_change_and_go() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let new = json!({ "name": "All of us", "domain": "office.test", "address": "all@office.test",
        "members": ["bert@office.test", "x@elsewhere.test", "Bert@office.test"], "description": "Everybody" });
    let made = admin.post("/api/admin/groups", new.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let group = json!({ "name": "All of us", "domain": "office.test", "address": "all@office.test",
        "members": ["bert@office.test", "x@elsewhere.test"], "description": "Everybody" });
    assert_eq!(made.json, group);
    assert_eq!(admin.post("/api/admin/groups", new).await.error(), (409, "group-exists"));
    let path = "groups/all%20of%20us@office.test";
    assert_eq!(admin.get(&format!("/api/admin/{path}")).await.json, group);

    let board =
        json!({ "name": "board", "domain": "office.test", "members": ["all of us@office.test"] });
    let made = admin.post("/api/admin/groups", board).await.json;
    assert_eq!(made["members"], json!(["all of us@office.test"]));
    let list = admin.get("/api/admin/groups?search=EVERY&domain=office.test").await.json;
    assert_eq!(list["found"], 1);
    assert_eq!(
        (&list["items"][0]["members"], &list["items"][0]["address"]),
        (&json!(2), &json!("all@office.test"))
    );
    let list = admin.get("/api/admin/groups?offset=1&limit=1").await.json;
    assert_eq!((&list["found"], &list["items"][0]["name"]), (&json!(2), &json!("board")));
    assert_eq!(list["next"], Value::Null);
    let list = admin.get("/api/admin/groups?limit=1").await.json;
    assert_eq!((&list["found"], &list["next"]), (&json!(2), &json!(1)));
    for (with_address, name) in [(true, "All of us"), (false, "board")] {
        let path = format!("/api/admin/groups?with_address={with_address}");
        let list = admin.get(&path).await.json;
        assert_eq!((&list["found"], &list["items"][0]["name"]), (&json!(1), &json!(name)));
    }

    let change =
        json!({ "add": ["anna@office.test"], "remove": ["bert@office.test", "y@elsewhere.test"] });
    let changed = patch(&mut admin, path, change).await.json;
    assert_eq!(changed["members"], json!(["anna@office.test", "x@elsewhere.test"]));
    for (body, error, field) in [
        (json!({ "members": [], "add": ["x@y.test"] }), (400, "bad-request"), Value::Null),
        (json!({ "add": ["nobody@office.test"] }), (422, "member-unknown"), json!("add.0")),
        (json!({ "members": ["no address"] }), (422, "address-invalid"), json!("members.0")),
        (json!({ "address": "bert@office.test" }), (409, "address-taken"), json!("address")),
        (json!({ "address": "all@no.test" }), (422, "domain-unknown"), json!("address")),
        (
            json!({ "address": null, "add": ["z@elsewhere.test"] }),
            (422, "members-need-address"),
            json!("add.0"),
        ),
        (json!({ "description": "\u{7}" }), (422, "description-invalid"), json!("description")),
    ] {
        let answer = patch(&mut admin, path, body).await;
        assert_eq!((answer.error(), &answer.json["field"]), (error, &field), "{answer:?}");
    }
    let wrong = json!({ "name": "a/b", "domain": "office.test" });
    assert_eq!(admin.post("/api/admin/groups", wrong).await.error(), (422, "group-name-invalid"));
    // The address is nobody else's.
    let new = json!({ "address": "all@office.test", "password": "secret-all-1" });
    assert_eq!(admin.post("/api/admin/accounts", new).await.error(), (409, "address-taken"));
    assert_eq!(admin.send("DELETE", &format!("/api/admin/{path}"), None).await.status, 204);
    assert_eq!(admin.get(&format!("/api/admin/{path}")).await.error(), (404, "not-found"));
}

#[tokio::test]
async fn accounts_forward_and_send_as_others() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let change = json!({ "forward": ["x@elsewhere.test", "anna@office.test"], "forward_keep": false,
        "send_as": ["info@office.test", "@office.test"] });
    let changed = patch(&mut admin, "accounts/2", change.clone()).await.json;
    for key in ["forward", "forward_keep", "send_as"] {
        assert_eq!(changed[key], change[key], "{key}");
    }
    let other = admin.get("/api/admin/accounts/1").await.json;
    assert_eq!((&other["forward"], &other["forward_keep"]), (&json!([]), &json!(true)));
    for (body, code, field) in [
        (json!({ "forward": ["x"] }), "address-invalid", "forward.0"),
        (json!({ "forward": ["Bert@office.test"] }), "forward-to-itself", "forward.0"),
        (json!({ "forward": ["x@y.test", "X@y.test"] }), "duplicate", "forward.1"),
        (json!({ "forward": vec!["x@y.test"; 21] }), "too-many-addresses", "forward"),
        (json!({ "send_as": ["@"] }), "domain-invalid", "send_as.0"),
        (json!({ "send_as": ["@x.test", "@X.test"] }), "duplicate", "send_as.1"),
    ] {
        let answer = patch(&mut admin, "accounts/2", body).await;
        assert_eq!((answer.error(), &answer.json["field"]), ((422, code), &json!(field)));
    }
}

#[tokio::test]
async fn a_domain_admin_lends_and_lists_nobody_elses() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    assert_eq!(admin.post("/api/admin/domains", json!({ "name": "other.test" })).await.status, 201);
    let carl = json!({ "address": "carl@office.test", "password": "secret-carl" });
    let carl = admin.post("/api/admin/accounts", carl).await.json["id"].to_string();
    let dora = json!({ "address": "dora@other.test", "password": "secret-dora" });
    assert_eq!(admin.post("/api/admin/accounts", dora).await.status, 201);
    assert_eq!(
        patch(&mut admin, "accounts/2", json!({ "manages": ["office.test"] })).await.status,
        200
    );
    let group = json!({ "name": "theirs", "domain": "other.test", "members": ["dora@other.test"] });
    assert_eq!(admin.post("/api/admin/groups", group).await.status, 201);

    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let path = format!("accounts/{carl}");
    assert_eq!(
        patch(&mut bert, &path, json!({ "send_as": ["info@office.test"] })).await.status,
        200
    );
    for sender in ["dora@other.test", "@other.test", "ceo@elsewhere.test"] {
        let refused = patch(&mut bert, &path, json!({ "send_as": [sender] })).await;
        assert_eq!(
            (refused.error(), &refused.json["field"]),
            ((403, "forbidden"), &json!("send_as"))
        );
    }
    let change = json!({ "catch_all": "carl@office.test", "default_quota_mb": 5 });
    assert_eq!(patch(&mut bert, "domains/office.test", change).await.status, 200);
    let further = json!({ "domain_aliases": ["more.test"] });
    assert_eq!(patch(&mut bert, "domains/office.test", further).await.error(), (403, "forbidden"));
    assert_eq!(patch(&mut bert, "domains/other.test", json!({})).await.error(), (403, "forbidden"));
    assert_eq!(bert.get("/api/admin/groups").await.json["found"], 0);
    for path in ["groups/theirs@other.test", "groups/nobody@other.test"] {
        assert_eq!(bert.get(&format!("/api/admin/{path}")).await.error(), (403, "forbidden"));
        assert_eq!(patch(&mut bert, path, json!({})).await.error(), (403, "forbidden"));
    }
    for body in [
        json!({ "name": "g", "domain": "other.test" }),
        json!({ "name": "g", "domain": "office.test", "address": "g@other.test" }),
        json!({ "name": "g", "domain": "office.test", "members": ["dora@other.test"] }),
        json!({ "name": "g", "domain": "office.test", "members": ["theirs@other.test"] }),
    ] {
        assert_eq!(bert.post("/api/admin/groups", body).await.error(), (403, "forbidden"));
    }
    let mine = json!({ "name": "g", "domain": "office.test", "address": "g@office.test",
        "members": ["carl@office.test", "x@elsewhere.test"] });
    assert_eq!(bert.post("/api/admin/groups", mine).await.status, 201);
    // Who is in it by another's hand may stay.
    let add = json!({ "add": ["dora@other.test"] });
    assert_eq!(patch(&mut admin, "groups/g@office.test", add).await.status, 200);
    let all = json!({ "members": ["dora@other.test", "carl@office.test"] });
    assert_eq!(patch(&mut bert, "groups/g@office.test", all).await.status, 200);
}
