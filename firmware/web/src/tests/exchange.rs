//! People in and out as files, over the API.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use base::{Address, DomainName};
use serde_json::{Value, json};

use super::office::{Answer, Browser, Office};

pub(super) async fn import(by: &mut Browser, query: &str, file: &[u8]) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/api/admin/import?{query}"))
        .header("content-type", "application/octet-stream");
    by.send_raw(request.body(Body::from(file.to_vec())).unwrap()).await
}

/// The report of an import that goes on behind its request; `by` asks for it.
async fn at_its_end(by: &mut Browser, answer: Answer) -> Value {
    assert_eq!(answer.status, 202, "{answer:?}");
    let path = format!("/api/admin/import/{}", answer.json["id"].as_str().unwrap());
    tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let report = by.get(&path).await.json;
            if report["state"] != "running" {
                return report;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap()
}

fn counts(report: &Value) -> [u64; 4] {
    ["created", "updated", "skipped", "errors"].map(|key| report[key].as_u64().unwrap())
}

const TABLE: &str = "User principal name;Display name;Password;Proxy addresses;Phone number\n\
    carl@office.test;Carl Zoë;geheim-carl;SMTP:carl@office.test+smtp:sales@office.test;+49 30 1\n\
    dora@office.test;Dora;{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==;;\n\
    bert@office.test;Bert Neu;;;+49 30 2\n";

#[tokio::test]
async fn a_table_becomes_people_who_can_sign_in() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let dry = import(&mut admin, "format=csv&dry_run=true", TABLE.as_bytes()).await;
    assert_eq!((dry.status.as_u16(), &dry.json["state"]), (200, &json!("checked")), "{dry:?}");
    assert_eq!(counts(&dry.json), [2, 0, 1, 0]);
    assert_eq!(dry.json["columns"][1], json!({ "column": "Display name", "means": "name" }));
    assert_eq!(
        dry.json["lines"][0],
        json!({ "line": 2, "action": "create", "address": "carl@office.test", "name": "Carl Zoë" })
    );
    assert_eq!(office.web.store().accounts_len().unwrap(), 2);

    let running = import(&mut admin, "format=csv&existing=update", TABLE.as_bytes()).await;
    assert_eq!((&running.json["state"], &running.json["total"]), (&json!("running"), &json!(1)));
    let done = at_its_end(&mut admin, running).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [2, 1, 0, 0]), "{done}");
    assert!(!done.to_string().contains("geheim"));
    office.signed_in("sales@office.test", "geheim-carl").await;
    office.signed_in("dora@office.test", "secret").await;
    let found = admin.get("/api/admin/accounts?search=49302").await.json;
    assert_eq!((&found["items"][0]["name"], &found["found"]), (&json!("Bert Neu"), &json!(1)));
    // Bert's password was not in the file.
    office.signed_in("bert@office.test", "secret-bert").await;
    let rows = admin.get("/api/admin/audit?action=account.create").await;
    assert!(rows.body.contains("carl@office.test") && !rows.body.contains("argon2"), "{rows:?}");
}

#[tokio::test]
async fn each_wrong_line_is_told_and_nothing_is_done() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let table = "address,name,password,aliases,quota_mb,status,role,language\n\
        carl@office.test,Carl,,,,,,\n\
        ,Nobody,,,,,,\n\
        x@far.test,X,,,,,,\n\
        not an address@,X,,,,,,\n\
        d@office.test,D,short,,,,,\n\
        e@office.test,E,{MD5}abc,,,,,\n\
        f@office.test,F,,,many,,,\n\
        g@office.test,G,,,,asleep,,\n\
        h@office.test,H,,,,,king,\n\
        i@office.test,I,,,,,,xx\n\
        j@office.test,J,,info@office.test,,,,\n\
        info@office.test,K,,,,,,\n\
        Carl@office.test,Carl again,,,,,,\n\
        l@office.test,L,,,,,,de,surplus\n\
        m,M,,,0,suspended,user,de-DE\n";
    let wrong = import(&mut admin, "format=csv", table.as_bytes()).await;
    assert_eq!(wrong.json["state"], "refused", "{wrong:?}");
    let told: Vec<(u64, &str)> = wrong.json["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["error"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        told,
        [
            (2, "-"),
            (3, "address-missing"),
            (4, "domain-unknown"),
            (5, "address-invalid"),
            (6, "password-too-short"),
            (7, "password-invalid"),
            (8, "quota-invalid"),
            (9, "state-invalid"),
            (10, "role-invalid"),
            (11, "language-unknown"),
            (12, "address-taken"),
            (13, "address-taken"),
            (14, "duplicate"),
            (15, "columns-missing"),
            (16, "-"),
        ]
    );
    assert_eq!(wrong.json["lines"][3]["field"], "address");
    assert_eq!(office.web.store().accounts_len().unwrap(), 2);
    let partial = import(&mut admin, "format=csv&partial=true", table.as_bytes()).await;
    assert_eq!((&partial.json["state"], counts(&partial.json)), (&json!("done"), [2, 0, 0, 13]));
    let m = office.web.store().account_by_address(&Address::parse("m@office.test").unwrap());
    let m = m.unwrap().unwrap();
    assert_eq!((m.quota_bytes, m.language.as_deref()), (Some(0), Some("de")));
    assert_eq!(m.state, store::AccountState::Suspended);
}

#[tokio::test]
async fn files_that_are_none_are_refused_whole() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    for (query, file, code) in [
        ("format=csv", "", "no-address-column"),
        ("format=csv", "address\n", "import-empty"),
        ("format=vcard", "", "import-empty"),
        ("format=csv", "a;b\n1;2\n", "no-address-column"),
        ("format=csv&domain=far.test", "address\nx\n", "domain-unknown"),
        ("format=csv", "address\n\0\u{e9}x", "encoding-unknown"),
    ] {
        let refused = import(&mut admin, query, file.as_bytes()).await;
        assert_eq!(refused.error(), (422, code), "{query} {file}");
    }
    let some: String = (0..501).map(|n| format!("p{n}\n")).collect();
    let some = import(&mut admin, "format=csv", format!("address\n{some}").as_bytes()).await;
    let some = at_its_end(&mut admin, some).await;
    assert_eq!((&some["state"], counts(&some)), (&json!("done"), [501, 0, 0, 0]));
    let many = format!("address\n{}", "x\n".repeat(20_001));
    let many = import(&mut admin, "format=csv", many.as_bytes()).await;
    assert_eq!(many.error(), (422, "too-many-records"));
    let huge = import(&mut admin, "format=csv", &vec![b'a'; 17 << 20]).await;
    assert_eq!(huge.error(), (413, "too-large"));
    assert_eq!(import(&mut admin, "format=xls", b"x").await.error(), (400, "bad-request"));
    let form = Request::builder().method("POST").uri("/api/admin/import?format=csv");
    let form = form.header("content-type", "text/plain").body(Body::from("address\n")).unwrap();
    assert_eq!(admin.send_raw(form).await.error(), (415, "not-a-file"));
    assert_eq!(admin.get("/api/admin/import/none").await.error(), (404, "not-found"));
}

/// An office with more than people in it, and things in their entries that the box does not know.
const LDIF: &str = "version: 1\n\n\
    dn: dc=branch,dc=test\nobjectClass: domain\nobjectClass: postroomDomain\ndc: branch\n\
    associatedDomain: branch.test\n\n\
    dn: cn=all,ou=groups,dc=branch,dc=test\nobjectClass: groupOfNames\ncn: all\n\
    member: cn=sales,ou=groups,dc=branch,dc=test\n\n\
    dn: cn=sales,ou=groups,dc=branch,dc=test\nobjectClass: groupOfNames\ncn: sales\n\
    member: uid=erik,ou=people,dc=branch,dc=test\n\n\
    dn: uid=erik,ou=people,dc=branch,dc=test\nobjectClass: inetOrgPerson\ncn:: RXJpayBSw7Z0aA==\n\
    sn:: UsO2dGg=\nmail: erik@branch.test\nuserPassword: geheim-erik\ncarLicense: B-X 1\n\
    telephoneNumber: +49 30 3\njpegPhoto:: /9j/4AAQ\n\n\
    dn: cn=Outside,ou=contacts,dc=branch,dc=test\nobjectClass: inetOrgPerson\ncn: Outside\nsn: O\n\
    mail: out@far.test\n";

async fn export(office: &Office, query: &str) -> String {
    let mut admin = office.signed_in("admin", "correct horse").await;
    let answer = admin.get(&format!("/api/admin/export?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn an_export_makes_the_same_people_elsewhere() {
    let first = Office::ready().await;
    let mut admin = first.signed_in("admin", "correct horse").await;
    let answer = import(&mut admin, "format=ldif", LDIF.as_bytes()).await;
    let done = at_its_end(&mut admin, answer).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("done"), [5, 0, 0, 0]), "{done}");
    first.signed_in("erik@branch.test", "geheim-erik").await;
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Far Friend\r\nEMAIL:friend@far.test\r\nEND:VCARD\r\n\
        BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Carl Card\r\nEMAIL:carl@office.test\r\nTEL:+49 1\r\nEND:VCARD\r\n";
    let cards = import(&mut admin, "format=vcard", card.as_bytes()).await;
    assert_eq!(counts(&cards.json), [2, 0, 0, 0], "{cards:?}");

    let plain = export(&first, "format=ldif").await;
    assert!(!plain.contains("ARGON2") && !plain.to_lowercase().contains("password"), "{plain}");
    let whole = export(&first, "format=ldif&hashes=true").await;
    let second = Office::ready().await;
    let mut other = second.signed_in("admin", "correct horse").await;
    for name in ["anna@office.test", "bert@office.test"] {
        let id = second.web.store().account_by_address(&Address::parse(name).unwrap());
        second.web.store().delete_account(id.unwrap().unwrap().id).await.unwrap();
    }
    let office = DomainName::parse("office.test").unwrap();
    second.web.store().delete_domain(office).await.unwrap();
    second.web.store().create_domain(DomainName::parse("other.test").unwrap()).await.unwrap();
    let moved = import(&mut other, "format=ldif", whole.as_bytes()).await;
    assert_eq!(
        (&moved.json["state"], &moved.json["errors"]),
        (&json!("done"), &json!(0)),
        "{moved:?}"
    );
    let records = |text: &str| {
        let mut records: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
        records.sort();
        records
    };
    for query in ["format=ldif&hashes=true", "format=csv", "format=vcard"] {
        let there = export(&second, &format!("{query}&domain=branch.test")).await;
        let here = export(&first, &format!("{query}&domain=branch.test")).await;
        assert_eq!(records(&there), records(&here), "{query}");
        assert!(here.contains("erik@branch.test"), "{here}");
    }
    second.signed_in("erik@branch.test", "geheim-erik").await;
    second.signed_in("info@office.test", "secret-anna").await;
    let entry = second.web.store().entry("uid=erik,ou=people,dc=branch,dc=test").unwrap().unwrap();
    assert_eq!(entry.attributes["carlicense"], [b"B-X 1".to_vec()]);

    // As spreadsheets want it where the comma is in numbers.
    let german = export(&first, "format=csv&separator=semicolon").await;
    assert!(german.starts_with("\u{feff}address;name;"), "{german}");
    let again =
        import(&mut admin, "format=csv&existing=update&dry_run=true", german.as_bytes()).await;
    assert_eq!(counts(&again.json), [0, 4, 0, 0], "{again:?}");
    // A table of them changes nothing where they are, and makes them where they are not.
    let table = export(&first, "format=csv").await;
    let again = import(&mut admin, "format=csv&existing=update", table.as_bytes()).await;
    assert_eq!(counts(&again.json), [0, 4, 0, 0], "{again:?}");
    assert_eq!(export(&first, "format=csv").await, table);
    let third = Office::ready().await;
    third.web.store().create_domain(DomainName::parse("branch.test").unwrap()).await.unwrap();
    let mut admin = third.signed_in("admin", "correct horse").await;
    let made = import(&mut admin, "format=csv&existing=update", table.as_bytes()).await;
    assert_eq!(counts(&made.json), [2, 2, 0, 0], "{made:?}");
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(export(&third, "format=csv").await), sorted(table));
}

#[tokio::test]
async fn who_administers_a_domain_brings_people_into_it_and_no_rights() {
    let office = Office::ready().await;
    let store = office.web.store();
    let branch = DomainName::parse("branch.test").unwrap();
    store.create_domain(branch.clone()).await.unwrap();
    let bert = store.account_by_address(&Address::parse("bert@office.test").unwrap());
    let manages = Some(vec![branch]);
    let change = store::AccountChange { manages, ..Default::default() };
    store.update_account(bert.unwrap().unwrap().id, change).await.unwrap();
    let mut bert = office.signed_in("bert@office.test", "secret-bert").await;
    let table =
        "address,role\nx@branch.test,user\ny@branch.test,admin\nanna@office.test,user\nz,\n";
    let told = import(&mut bert, "format=csv&existing=update", table.as_bytes()).await;
    assert_eq!(told.json["state"], "refused", "{told:?}");
    let codes: Vec<&str> =
        (0..4).map(|at| told.json["lines"][at]["error"].as_str().unwrap_or("-")).collect();
    assert_eq!(codes, ["-", "forbidden", "domain-unknown", "-"]);
    let ldif = import(&mut bert, "format=ldif", LDIF.as_bytes()).await;
    assert_eq!(ldif.error(), (403, "forbidden"));
    assert_eq!(import(&mut bert, "format=csv", b"address\nz\n").await.json["state"], "done");
    let seen = bert.get("/api/admin/export?format=csv").await.body;
    assert!(seen.contains("z@branch.test") && !seen.contains("anna@office.test"), "{seen}");
    let other = bert.get("/api/admin/export?format=csv&domain=office.test").await;
    assert_eq!(other.error(), (403, "forbidden"));
    let hashes = bert.get("/api/admin/export?format=ldif&hashes=true").await;
    assert_eq!(hashes.error(), (403, "forbidden"));
}

/// Bert administers office.test, and below it is a domain that is none of his.
async fn with_a_domain_below() -> (Office, Browser) {
    let office = Office::ready().await;
    let store = office.web.store();
    let below = DomainName::parse("sub.office.test").unwrap();
    store.create_domain(below).await.unwrap();
    let subby = Address::parse("subby@sub.office.test").unwrap();
    let new = store::NewAccount {
        address: subby,
        name: "Subby".to_owned(),
        aliases: vec![],
        quota_bytes: None,
        is_admin: false,
        password_hash: None,
    };
    store.create_account(new).await.unwrap();
    let bert = store.account_by_address(&Address::parse("bert@office.test").unwrap());
    let manages = Some(vec![DomainName::parse("office.test").unwrap()]);
    let change = store::AccountChange { manages, ..Default::default() };
    store.update_account(bert.unwrap().unwrap().id, change).await.unwrap();
    let bert = office.signed_in("bert@office.test", "secret-bert").await;
    (office, bert)
}

#[tokio::test]
async fn an_export_of_a_domain_has_nothing_of_a_domain_below_it() {
    let (office, mut bert) = with_a_domain_below().await;
    for format in ["csv", "ldif", "vcard"] {
        for domain in ["", "&domain=office.test"] {
            let answer = bert.get(&format!("/api/admin/export?format={format}{domain}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let seen = answer.body;
            assert!(seen.contains("bert@office.test"), "{format}: {seen}");
            assert!(!seen.contains("subby") && !seen.contains("dc=sub,"), "{format}: {seen}");
        }
        let all = export(&office, &format!("format={format}")).await;
        assert!(all.contains("subby@sub.office.test"), "{format}: {all}");
        let one = export(&office, &format!("format={format}&domain=sub.office.test")).await;
        assert!(one.contains("subby@") && !one.contains("bert@"), "{format}: {one}");
    }
}

#[tokio::test]
async fn who_administers_a_domain_reads_the_own_export_in_again() {
    let (_office, mut bert) = with_a_domain_below().await;
    let table = bert.get("/api/admin/export?format=csv").await.body;
    let told = |answer: &Answer| {
        let lines = answer.json["lines"].as_array().unwrap().clone();
        lines
            .iter()
            .map(|line| (line["action"].as_str().unwrap(), line["error"].as_str()))
            .map(|(action, error)| format!("{action} {}", error.unwrap_or("-")))
            .collect::<Vec<_>>()
    };
    // Anna owns the box: she may be seen and left alone, not changed.
    let left = import(&mut bert, "format=csv", table.as_bytes()).await;
    assert_eq!(told(&left), ["skip -", "skip -"], "{left:?}");
    let again = import(&mut bert, "format=csv&existing=update", table.as_bytes()).await;
    assert_eq!(told(&again), ["error forbidden", "update -"], "{again:?}");
    for (role, address) in [("admin", "bert"), ("admin", "new")] {
        let more = format!("address,role\n{address}@office.test,{role}\n");
        let refused = import(&mut bert, "format=csv&existing=update", more.as_bytes()).await;
        assert_eq!(told(&refused), ["error forbidden"], "{address}");
    }
}

#[tokio::test]
async fn a_table_that_shows_one_number_takes_no_other_away() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let two = "dn: uid=erik,ou=people,dc=office,dc=test\nobjectClass: inetOrgPerson\ncn: Erik\n\
        sn: E\nmail: erik@office.test\ntelephoneNumber: +49 30 1\ntelephoneNumber: +49 30 2\n";
    assert_eq!(import(&mut admin, "format=ldif", two.as_bytes()).await.json["state"], "done");
    let numbers = || {
        let entry = office.web.store().entry("uid=erik,ou=people,dc=office,dc=test");
        let values = entry.unwrap().unwrap().attributes["telephonenumber"].clone();
        values.into_iter().map(|v| String::from_utf8(v).unwrap()).collect::<Vec<_>>()
    };
    let table = export(&office, "format=csv").await;
    for (table, expected) in [
        (table.clone(), ["+49 30 1", "+49 30 2"]),
        (table.replace("+49 30 1", "+49 30 2"), ["+49 30 1", "+49 30 2"]),
        (table.replace("+49 30 1", "+49 30 9"), ["+49 30 9", "+49 30 2"]),
    ] {
        let again = import(&mut admin, "format=csv&existing=update", table.as_bytes()).await;
        assert_eq!(again.json["errors"], 0, "{again:?}");
        assert_eq!(numbers(), expected);
    }
}

#[tokio::test]
async fn rights_that_change_while_passwords_are_hashed_count() {
    let (office, mut bert) = with_a_domain_below().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let carl = json!({ "address": "carl@office.test", "password": "secret-carl" });
    let made = admin.post("/api/admin/accounts", carl).await.json;
    let carl = format!("/api/admin/accounts/{}", made["id"]);
    let many: String = (0..40).map(|n| format!("p{n}@office.test,violet-kettle\n")).collect();
    let table = format!("address,password\n{many}carl@office.test,violet-kettle\n");
    let query = "format=csv&existing=update";
    let running = import(&mut bert, query, table.as_bytes()).await;
    let owns = json!({ "is_admin": true });
    assert_eq!(admin.send("PATCH", &carl, Some(owns)).await.status, 200);
    let done = at_its_end(&mut bert, running).await;
    assert_eq!((&done["state"], &done["errors"]), (&json!("refused"), &json!(1)), "{done}");
    assert_eq!(done["lines"][40]["error"], "forbidden");
    office.signed_in("carl@office.test", "secret-carl").await;

    // Who may not do it any more does it no more.
    let table = format!("address,password\n{many}");
    let running = import(&mut bert, query, table.as_bytes()).await;
    let id = office.web.store().account_by_address(&Address::parse("bert@office.test").unwrap());
    let path = format!("/api/admin/accounts/{}", id.unwrap().unwrap().id.0);
    let none = json!({ "manages": [] });
    assert_eq!(admin.send("PATCH", &path, Some(none)).await.status, 200);
    let done = at_its_end(&mut admin, running).await;
    assert_eq!((&done["state"], &done["created"]), (&json!("refused"), &json!(0)), "{done}");
}
