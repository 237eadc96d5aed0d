//! The audit log as the API shows it, and that no route of the admin's changes something without its row.

use axum::http::Method;
use base::AccountId;
use serde_json::{Value, json};
use store::{AuditFilter, AuditRow, Flags, Origin, Store, Via};

use super::office::{Answer, Browser, Office, PEER};
use super::setup::pid1;
use crate::api;

/// Routes that change nothing although they are not GET: they try something out, or only look.
const CHANGE_NOTHING: [&str; 3] = [
    "POST /admin/webhooks/{id}/test",
    "POST /admin/outbound/test",
    "POST /admin/domains/{name}/source/test",
];

fn rows(store: &Store) -> Vec<AuditRow> {
    store.audit_after(0, 10_000, &AuditFilter::default()).unwrap().rows
}

/// What each route of the admin's that changes something is asked here. The acts stand in an order in which
/// each of them has something to do. **A route that is missing here is missing in the audit log for all we
/// know: whoever adds a route adds a line.**
fn acts() -> Vec<(&'static str, &'static str, Value)> {
    let mut acts = acts_on_the_box();
    acts.extend(acts_on_the_directory());
    acts
}

fn acts_on_the_box() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("PUT /admin/trace", "/admin/trace", json!({ "on": false })),
        (
            "PUT /admin/outbound",
            "/admin/outbound",
            json!({ "mode": "smarthost", "host": "a.test" }),
        ),
        ("PUT /admin/hostname", "/admin/hostname", json!({ "hostname": "mx.office.test" })),
        (
            "PUT /admin/storage",
            "/admin/storage",
            json!({ "retention_days": 3, "default_quota_mb": 5, "default_quota_messages": 9 }),
        ),
        (
            "PUT /admin/network",
            "/admin/network",
            json!({ "mode": "static", "address": "192.168.1.10/24", "gateway": "192.168.1.1",
                    "dns": ["192.168.1.1"] }),
        ),
        ("POST /admin/reboot", "/admin/reboot", json!(null)),
        ("POST /admin/poweroff", "/admin/poweroff", json!(null)),
        ("POST /admin/tokens", "/admin/tokens", json!({ "name": "t", "role": "admin" })),
        ("DELETE /admin/tokens/{id}", "/admin/tokens/1", json!(null)),
    ]
}

fn acts_on_the_directory() -> Vec<(&'static str, &'static str, Value)> {
    let carl = json!({ "address": "carl@office.test", "password": "secret-carl" });
    vec![
        ("POST /admin/domains", "/admin/domains", json!({ "name": "b.test" })),
        ("DELETE /admin/domains/{name}", "/admin/domains/b.test", json!(null)),
        ("POST /admin/accounts", "/admin/accounts", carl),
        ("PATCH /admin/accounts/{id}", "/admin/accounts/3", json!({ "name": "Carl" })),
        (
            "POST /admin/accounts/{id}/password",
            "/admin/accounts/3/password",
            json!({ "password": "another-secret" }),
        ),
        ("DELETE /admin/accounts/{id}", "/admin/accounts/3", json!(null)),
        (
            "POST /admin/deleted-accounts/{id}/restore",
            "/admin/deleted-accounts/3/restore",
            json!(null),
        ),
        (
            "POST /admin/accounts/{id}/deleted-messages/restore",
            "/admin/accounts/2/deleted-messages/restore",
            json!({ "ids": [256] }),
        ),
        (
            "POST /admin/aliases",
            "/admin/aliases",
            json!({ "address": "list@office.test", "targets": ["bert@office.test"] }),
        ),
        (
            "PUT /admin/aliases/{address}",
            "/admin/aliases/list@office.test",
            json!({ "targets": ["anna@office.test"] }),
        ),
        ("DELETE /admin/aliases/{address}", "/admin/aliases/list@office.test", json!(null)),
        ("POST /admin/queue/{id}/hold", "/admin/queue/1/hold", json!(null)),
        ("POST /admin/queue/{id}/release", "/admin/queue/1/release", json!(null)),
        ("POST /admin/queue/{id}/retry", "/admin/queue/1/retry", json!(null)),
        ("DELETE /admin/queue/{id}", "/admin/queue/1", json!(null)),
        (
            "POST /admin/webhooks",
            "/admin/webhooks",
            json!({ "name": "HR", "url": "http://127.0.0.1:9/x", "events": ["account.*"] }),
        ),
        ("PATCH /admin/webhooks/{id}", "/admin/webhooks/1", json!({ "enabled": false })),
        ("DELETE /admin/webhooks/{id}", "/admin/webhooks/1", json!(null)),
    ]
}

/// The same of domains, groups and external directories.
fn mail_acts() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "PATCH /admin/domains/{name}",
            "/admin/domains/office.test",
            json!({ "catch_all": "x@elsewhere.test", "domain_aliases": ["c.test"] }),
        ),
        (
            "POST /admin/groups",
            "/admin/groups",
            json!({ "name": "Team", "domain": "office.test", "members": ["bert@office.test"] }),
        ),
        (
            "PATCH /admin/groups/{group}",
            "/admin/groups/team@office.test",
            json!({ "address": "team@office.test" }),
        ),
        ("DELETE /admin/groups/{group}", "/admin/groups/team@office.test", json!(null)),
        (
            "PUT /admin/domains/{name}/source",
            "/admin/domains/office.test/source",
            json!({ "url": "ldap://127.0.0.1:1", "tls": "none", "base": "dc=x" }),
        ),
        (
            "POST /admin/domains/{name}/source/sync",
            "/admin/domains/office.test/source/sync",
            json!(null),
        ),
        ("DELETE /admin/domains/{name}/source", "/admin/domains/office.test/source", json!(null)),
    ]
}

/// The same of the directory as a whole.
fn acts_of_the_directory() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("POST /admin/import", "/admin/import", json!(null)),
        ("PUT /admin/directory", "/admin/directory", json!({ "lan_lookup": true })),
    ]
}

/// The same for app passwords, second factors and logins.
fn acts_of_logins() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "POST /admin/accounts/{id}/app-passwords",
            "/admin/accounts/2/app-passwords",
            json!({ "name": "phone", "protocols": ["imap"] }),
        ),
        (
            "DELETE /admin/accounts/{id}/app-passwords/{number}",
            "/admin/accounts/2/app-passwords/1",
            json!(null),
        ),
        ("DELETE /admin/accounts/{id}/totp", "/admin/accounts/2/totp", json!(null)),
        // The second session of this box is bert's.
        ("DELETE /admin/sessions/{id}", "/admin/sessions/w2", json!(null)),
        ("DELETE /admin/accounts/{id}/sessions", "/admin/accounts/2/sessions", json!(null)),
    ]
}

/// A message of bert's that was expunged, and one in the queue.
async fn fill(store: &Store) {
    let stage = || {
        let mut staging = store.stage().unwrap();
        staging.write(b"Subject: x\r\n\r\nx\r\n").unwrap();
        staging.finish().unwrap()
    };
    let bert = AccountId(2);
    let inbox = store.mailbox_by_name(bert, "INBOX").unwrap().unwrap().id;
    let message = store::NewMessage {
        message: stage(),
        flags: Flags { system: Flags::DELETED, ..Flags::default() },
        internal_date: base::Timestamp(0),
        zone_minutes: 0,
    };
    store.append(inbox, vec![message]).await.unwrap();
    store.expunge(inbox, None).await.unwrap();
    let to = base::Address::parse("x@elsewhere.test").unwrap();
    let entry = store::NewQueueEntry {
        envelope: store::Envelope::default(),
        recipients: vec![(to, None, store::Notify::default())],
        skip: 0,
    };
    let delivery = store::Delivery { message: stage(), local: Vec::new(), remote: Some(entry) };
    store.deliver(delivery).await.unwrap();
}

async fn ask(admin: &mut Browser, route: &str, path: &str, body: Value) -> Answer {
    if route == "POST /admin/import" {
        return super::exchange::import(admin, "format=csv", b"address\nerik@office.test\n").await;
    }
    let method = route.split(' ').next().unwrap();
    let has_body = !body.is_null();
    admin.send(method, &format!("/api{path}"), has_body.then_some(body)).await
}

#[tokio::test]
async fn each_route_of_the_admin_that_changes_something_leaves_a_row() {
    let (link, _heard) = pid1();
    let office = Office::ready_with(Some(link)).await;
    let store = office.web.store();
    fill(store).await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    office.signed_in("bert@office.test", "secret-bert").await;
    let totp = store::Totp { secret: vec![7; 20], last_step: 0, recovery_codes: Vec::new() };
    store.set_totp(AccountId(2), totp).await.unwrap();
    let mut asked: Vec<&str> = CHANGE_NOTHING.to_vec();
    for (route, path, body) in
        acts().into_iter().chain(mail_acts()).chain(acts_of_the_directory()).chain(acts_of_logins())
    {
        asked.push(route);
        let before = rows(store).last().map_or(0, |row| row.seq);
        let answer = ask(&mut admin, route, path, body).await;
        assert!(answer.status.is_success(), "{route}: {answer:?}");
        let rows = store.audit_after(before, 100, &AuditFilter::default()).unwrap().rows;
        let origin = Origin::new("admin", Via::Web, Some(PEER));
        assert!(
            rows.iter().any(|row| row.origin == origin),
            "{route} left no row with who did it from where: it must act through `by.store(&web)`, and \
             its act must write a row (`store::audit::note`, or `Store::audit`). Rows: {rows:#?}"
        );
    }
    for route in api::table(&office.web).routes {
        let name = format!("{} {}", route.method, route.path);
        let changes = route.path.starts_with("/admin") && route.method != Method::GET;
        assert!(
            !changes || asked.contains(&name.as_str()),
            "{name} changes something and nobody has looked whether the audit log tells it: add it to \
             `acts`, or to `CHANGE_NOTHING` if that is so"
        );
    }
}

#[tokio::test]
async fn the_log_is_paged_filtered_and_exported() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("anna@office.test", "secret-anna").await;
    let body = json!({ "address": "carl@office.test", "password": "secret-carl", "name": "=1+1" });
    assert_eq!(admin.post("/api/admin/accounts", body).await.status, 201);
    let page = admin.get("/api/admin/audit?limit=2").await.json;
    let newest = &page["items"][0];
    assert_eq!(newest["action"], "account.create");
    assert_eq!((&newest["who"], &newest["via"]), (&json!("anna@office.test"), &json!("web")));
    assert_eq!(
        (&newest["address"], &newest["target"]),
        (&json!("192.0.2.7"), &json!("carl@office.test"))
    );
    let password = json!({ "name": "userPassword", "before": [], "after": ["(secret)"] });
    assert!(newest["changes"].as_array().unwrap().contains(&password));
    assert_eq!(page["items"][1]["action"], "session.sign-in");
    assert_eq!(page["items"][1]["address"], "192.0.2.7");
    let next = admin.get(&format!("/api/admin/audit?before={}", page["next"])).await.json;
    assert_eq!(next["items"][0]["seq"].as_u64(), page["next"].as_u64().map(|seq| seq - 1));
    let found = admin.get("/api/admin/audit?action=account&who=provis&target=bert").await.json;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "{found}");
    assert_eq!(admin.get("/api/admin/audit?since=soon").await.error(), (422, "time-invalid"));
    let none = admin.get("/api/admin/audit?until=2000-01-01").await.json;
    assert_eq!(none["items"], json!([]));

    let lines = admin.get("/api/admin/audit/export?format=jsonl").await;
    let all: Vec<Value> = lines.body.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(all.last(), Some(newest));
    assert_eq!(all.len(), rows(office.web.store()).len());
    let csv = admin.get("/api/admin/audit/export?format=csv&action=account.create").await;
    // With the mark by which a spreadsheet knows UTF-8.
    assert!(csv.body.starts_with("\u{feff}seq,at,who,"), "{}", csv.body);
    assert!(csv.body.contains("cn:  -> =1+1"), "{}", csv.body);
    let csv = admin.get("/api/admin/audit/export?format=csv&separator=semicolon").await;
    assert!(csv.body.starts_with("\u{feff}seq;at;who;"), "{}", csv.body);
    assert_eq!(admin.get("/api/admin/audit/export").await.error(), (422, "format-unknown"));
}
