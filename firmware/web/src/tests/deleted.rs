//! What was deleted comes back by the API: for its owner, for an admin, for nobody else.

use base::{AccountId, Timestamp};
use serde_json::json;
use store::{FlagOp, Flags, NewMessage};

use super::office::Office;

/// Puts messages into an account's INBOX and expunges them.
async fn expunge(office: &Office, id: AccountId, count: u32) {
    let store = office.web.store();
    let inbox = store.mailbox_by_name(id, "INBOX").unwrap().unwrap().id;
    for n in 0..count {
        let mut staging = store.stage().unwrap();
        let text = format!("From: Emil <emil@x.test>\r\nSubject: note {n}\r\n\r\nhello\r\n");
        staging.write(text.as_bytes()).unwrap();
        let message = staging.finish().unwrap();
        let flags = Flags::default();
        let new = NewMessage { message, flags, internal_date: Timestamp(0), zone_minutes: 0 };
        store.append(inbox, vec![new]).await.unwrap();
    }
    let all: base::UidRanges = store.uids(inbox).unwrap();
    let deleted = Flags { system: Flags::DELETED, keywords: Vec::new() };
    store.store_flags(inbox, all, FlagOp::Add, deleted, None).await.unwrap();
    store.expunge(inbox, None).await.unwrap();
}

fn id_of(office: &Office, address: &str) -> AccountId {
    let address = base::Address::parse(address).unwrap();
    office.web.store().account_by_address(&address).unwrap().unwrap().id
}

#[tokio::test]
async fn messages_are_listed_in_pages_and_restored() {
    let office = Office::ready().await;
    let bert_id = id_of(&office, "bert@office.test");
    expunge(&office, bert_id, 3).await;
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let first = bert.get("/api/me/deleted-messages?limit=2").await;
    assert_eq!(first.status, 200, "{first:?}");
    let items = first.json["items"].as_array().unwrap();
    assert_eq!((items.len(), &first.json["total"]), (2, &json!(3)));
    assert_eq!((&items[0]["subject"], &items[0]["mailbox"]), (&json!("note 0"), &json!("INBOX")));
    assert_eq!(items[0]["from"], "Emil <emil@x.test>");
    assert_eq!(first.json["retention_days"], 14);
    let next = format!("/api/me/deleted-messages?after={}", first.json["next"]);
    let last = bert.get(&next).await.json;
    assert_eq!((last["items"].as_array().unwrap().len(), &last["next"]), (1, &json!(null)));
    for (query, found) in [("mailbox=Sent", 0), ("from=2000-01-01", 3), ("to=2000-01-01", 0)] {
        let page = bert.get(&format!("/api/me/deleted-messages?{query}")).await.json;
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
    }
    let wrong = bert.get("/api/me/deleted-messages?from=soon").await;
    assert_eq!(wrong.error(), (400, "bad-request"));

    let ids = json!([items[0]["id"], items[1]["id"], 1u64 << 40]);
    let body = json!({ "ids": ids, "mailbox": "Back" });
    let done = bert.post("/api/me/deleted-messages/restore", body).await.json;
    assert_eq!((&done["restored"], &done["missing"]), (&json!(2), &json!([1u64 << 40])));
    let bad = json!({ "ids": [last["items"][0]["id"]], "mailbox": "a//b" });
    let bad = bert.post("/api/me/deleted-messages/restore", bad).await;
    assert_eq!(bad.error(), (422, "mailbox-name-invalid"));
    let many = json!({ "ids": vec![1; 1001] });
    let many = bert.post("/api/me/deleted-messages/restore", many).await;
    assert_eq!(many.error(), (422, "too-many-messages"));

    // The admin restores the last one; over the quota nothing comes back.
    let mut admin = office.signed_in("admin", "correct horse").await;
    let account = format!("/api/admin/accounts/{bert_id}");
    let path = format!("{account}/deleted-messages");
    let page = admin.get(&path).await.json;
    let body = json!({ "ids": [page["items"][0]["id"]] });
    let limit = json!({ "quota_messages": 2 });
    assert_eq!(admin.send("PATCH", &account, Some(limit)).await.json["limit_messages"], 2);
    let full = admin.post(&format!("{path}/restore"), body.clone()).await;
    assert_eq!(full.error(), (409, "over-quota"));
    let limit = json!({ "quota_messages": null });
    assert_eq!(admin.send("PATCH", &account, Some(limit)).await.status, 200);
    let done = admin.post(&format!("{path}/restore"), body).await.json;
    assert_eq!(done["restored"], 1);
    assert_eq!(admin.get("/api/admin/accounts/999/deleted-messages").await.status, 404);
    assert_eq!(admin.get("/api/me/deleted-messages").await.error(), (404, "not-found"));
}

#[tokio::test]
async fn accounts_come_back_with_their_password() {
    let office = Office::ready().await;
    let id = id_of(&office, "bert@office.test");
    let mut admin = office.signed_in("admin", "correct horse").await;
    let gone = admin.send("DELETE", &format!("/api/admin/accounts/{id}"), None).await;
    assert_eq!(gone.status, 204);
    let page = admin.get("/api/admin/deleted-accounts").await.json;
    assert_eq!(
        (&page["items"][0]["address"], &page["next"]),
        (&json!("bert@office.test"), &json!(null))
    );
    let path = format!("/api/admin/deleted-accounts/{id}/restore");
    let done = admin.post(&path, json!({})).await;
    assert_eq!(
        (&done.json["account"]["id"], &done.json["lost_aliases"]),
        (&json!(id.0), &json!([]))
    );
    assert_eq!(admin.post(&path, json!({})).await.error(), (404, "not-found"));
    office.signed_in("bert@office.test", "secret-bert").await;
}

#[tokio::test]
async fn who_was_deleted_is_listed_with_what_stands_in_the_way() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    assert_eq!(admin.post("/api/admin/domains", json!({ "name": "b.test" })).await.status, 201);
    let mut ids = Vec::new();
    for (address, name) in
        [("zoe@office.test", "Ada"), ("carl@b.test", "Carl"), ("dora@office.test", "Zed")]
    {
        let new = json!({ "address": address, "name": name, "password": "secret-one" });
        let made = admin.post("/api/admin/accounts", new).await;
        let id = made.json["id"].as_u64().unwrap();
        let path = format!("/api/admin/accounts/{id}");
        assert_eq!(admin.send("DELETE", &path, None).await.status, 204);
        assert_eq!(admin.get(&path).await.error(), (404, "account-deleted"));
        ids.push(id);
    }
    assert_eq!(admin.send("DELETE", "/api/admin/domains/b.test", None).await.status, 204);
    let taken = json!({ "address": "zoe@office.test", "targets": ["anna@office.test"] });
    assert_eq!(admin.post("/api/admin/aliases", taken).await.status, 201);
    let list = |query: &'static str| format!("/api/admin/deleted-accounts?{query}");
    for (query, names, found) in [
        ("", "zoe carl dora", 3),
        ("sort=deleted_at&order=desc", "dora carl zoe", 3),
        ("sort=address", "carl dora zoe", 3),
        ("sort=name", "zoe carl dora", 3),
        ("sort=address&offset=1&limit=1", "dora", 3),
        ("search=ZED", "dora", 1),
        ("search=@b.", "carl", 1),
    ] {
        let page = admin.get(&list(query)).await.json;
        let items = page["items"].as_array().unwrap();
        let shown: Vec<&str> = items
            .iter()
            .map(|item| item["address"].as_str().unwrap().split('@').next().unwrap())
            .collect();
        assert_eq!((shown.join(" ").as_str(), &page["found"]), (names, &json!(found)), "{query}");
    }
    let page = admin.get(&list("")).await.json;
    for (at, why, refused) in [
        (0, json!("address-taken"), Some((409, "address-taken"))),
        (1, json!("domain-unknown"), Some((422, "domain-unknown"))),
        (2, json!(null), None),
    ] {
        let item = &page["items"][at];
        assert_eq!((&item["why"], &item["restorable"]), (&why, &json!(why.is_null())));
        let path = format!("/api/admin/deleted-accounts/{}/restore", ids[at]);
        let answer = admin.post(&path, json!({})).await;
        match refused {
            Some(refused) => assert_eq!(answer.error(), refused),
            None => assert_eq!(answer.status, 200),
        }
    }
}

#[tokio::test]
async fn retention_and_default_quota_are_set() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let path = "/api/admin/storage";
    let now = admin.get(path).await.json;
    assert_eq!((&now["retention_days"], &now["default_quota_mb"]), (&json!(14), &json!(null)));
    for (change, code) in [
        (json!({ "retention_days": 366 }), "retention-invalid"),
        (json!({ "retention_days": 1, "default_quota_mb": 0 }), "quota-invalid"),
        (json!({ "retention_days": 1, "default_quota_messages": 0 }), "quota-invalid"),
    ] {
        assert_eq!(admin.send("PUT", path, Some(change)).await.error(), (422, code));
    }
    let set = json!({ "retention_days": 0, "default_quota_mb": 5, "default_quota_messages": 9 });
    assert_eq!(admin.send("PUT", path, Some(set.clone())).await.json, set);
    let bert = format!("/api/admin/accounts/{}", id_of(&office, "bert@office.test"));
    let shown = admin.get(&bert).await.json;
    assert_eq!((&shown["limit_mb"], &shown["quota_mb"]), (&json!(5), &json!(null)));
    let shown = admin.send("PATCH", &bert, Some(json!({ "quota_mb": 0 }))).await.json;
    assert_eq!((&shown["limit_mb"], &shown["quota_mb"]), (&json!(null), &json!(0)));
}
