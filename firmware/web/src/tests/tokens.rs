//! Tokens of the API.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::office::{Answer, Browser, Office};

fn request(method: &str, path: &str, token: &str, body: Option<Value>) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "box.test:8443")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string()))).unwrap()
}

async fn ask(
    office: &Office,
    method: &str,
    path: &str,
    token: &str,
    body: Option<Value>,
) -> Answer {
    office.browser().send_raw(request(method, path, token, body)).await
}

async fn made(admin: &mut Browser, body: Value) -> (u64, String) {
    let made = admin.post("/api/admin/tokens", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    (made.json["id"].as_u64().unwrap(), made.json["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_opens_what_its_role_may_and_nothing_of_a_persons() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let made_domain = admin.post("/api/admin/domains", json!({ "name": "other.test" })).await;
    assert_eq!(made_domain.status, 201);
    let (_, all) = made(&mut admin, json!({ "name": "backup", "role": "admin" })).await;
    let few = json!({ "name": "branch", "role": "domains", "domains": ["other.test"] });
    let (few_id, few) = made(&mut admin, few).await;

    assert_eq!(ask(&office, "GET", "/api/admin/status", &all, None).await.status, 200);
    let new = json!({ "address": "eva@other.test", "password": "secret-eva-1" });
    let added = ask(&office, "POST", "/api/admin/accounts", &few, Some(new)).await;
    assert_eq!(added.status, 201, "{added:?}");
    let seen = ask(&office, "GET", "/api/admin/accounts", &few, None).await.json;
    assert_eq!(seen["total"], 1, "{seen}");
    for path in ["/api/admin/status", "/api/admin/tokens"] {
        assert_eq!(ask(&office, "GET", path, &few, None).await.error(), (403, "forbidden"));
    }
    for (method, path) in
        [("GET", "/api/me"), ("GET", "/api/session"), ("POST", "/api/me/password")]
    {
        let answer = ask(&office, method, path, &all, Some(json!({}))).await;
        assert_eq!(answer.error(), (403, "forbidden"), "{path}");
    }
    // The list shows neither; who used one is in the log.
    let list = admin.get("/api/admin/tokens").await;
    assert!(!list.body.contains(&all) && !list.body.contains("hash"), "{}", list.body);
    assert_eq!(list.json["items"][1]["domains"], json!(["other.test"]));

    let path = format!("/api/admin/tokens/{few_id}");
    assert_eq!(admin.send("DELETE", &path, None).await.status, 204);
    assert_eq!(admin.send("DELETE", &path, None).await.error(), (404, "not-found"));
    let gone = ask(&office, "GET", "/api/admin/accounts", &few, None).await;
    assert_eq!(gone.error(), (401, "token-invalid"));
}

#[tokio::test]
async fn a_token_goes_with_its_domain() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let domain = json!({ "name": "other.test" });
    assert_eq!(admin.post("/api/admin/domains", domain.clone()).await.status, 201);
    let few = json!({ "name": "branch", "role": "domains", "domains": ["other.test"] });
    let (_, few) = made(&mut admin, few).await;
    assert_eq!(admin.send("DELETE", "/api/admin/domains/other.test", None).await.status, 204);
    assert_eq!(admin.post("/api/admin/domains", domain).await.status, 201);
    let answer = ask(&office, "GET", "/api/admin/accounts", &few, None).await;
    assert_eq!(answer.error(), (401, "token-invalid"), "neither box nor later domain");
}

#[tokio::test]
async fn wrong_tokens_are_refused_and_guessing_waits() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    for (body, expected) in [
        (json!({ "name": "", "role": "admin" }), (422, "name-invalid")),
        (
            json!({ "name": "a", "role": "admin", "domains": ["office.test"] }),
            (422, "role-invalid"),
        ),
        (json!({ "name": "a", "role": "domains" }), (422, "domain-unknown")),
        (
            json!({ "name": "a", "role": "domains", "domains": ["no.test"] }),
            (422, "domain-unknown"),
        ),
        (
            json!({ "name": "a", "role": "admin", "expires_at": "2001-01-01" }),
            (422, "expires-invalid"),
        ),
        (json!({ "name": "a", "role": "root" }), (400, "bad-request")),
    ] {
        let answer = admin.post("/api/admin/tokens", body.clone()).await;
        assert_eq!(answer.error(), expected, "{body}");
    }
    let (id, token) = made(&mut admin, json!({ "name": "a", "role": "admin" })).await;
    let twice = admin.post("/api/admin/tokens", json!({ "name": "A", "role": "admin" })).await;
    assert_eq!(twice.error(), (409, "token-exists"));
    let wrong = |n: u32| format!("postroom_{id}_{n:064}");
    // A program with a wrong one makes nobody wait; who tries many does.
    for n in [0; 20].into_iter().chain(1..5) {
        let answer = ask(&office, "GET", "/api/admin/accounts", &wrong(n), None).await;
        assert_eq!(answer.error(), (401, "token-invalid"), "{n}");
    }
    let waits = ask(&office, "GET", "/api/admin/accounts", &wrong(5), None).await;
    assert_eq!(waits.error(), (429, "throttled"));
    assert!(waits.headers.contains_key("retry-after"), "{waits:?}");
    let answer = ask(&office, "GET", "/api/admin/accounts", &token, None).await;
    assert_eq!(answer.status, 200, "the right one does not pay for the wrong ones");
}
