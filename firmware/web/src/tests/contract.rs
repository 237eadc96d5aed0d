//! The route table against `openapi.yaml`, and who gets in where.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use super::office::Office;
use crate::api;
use crate::guard::Access;

/// `METHOD path` of each operation in the text.
fn described() -> BTreeSet<String> {
    let text = include_str!("../../openapi.yaml");
    let (mut found, mut path) = (BTreeSet::new(), "");
    for line in text.lines().skip_while(|line| *line != "paths:") {
        if line == "components:" {
            break;
        }
        if let Some(rest) = line.strip_prefix("  /") {
            path = line.trim().split(':').next().unwrap();
            assert!(!rest.is_empty());
        }
        for method in ["get", "post", "put", "patch", "delete"] {
            if line.starts_with(&format!("    {method}:")) {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}

#[tokio::test]
async fn the_text_describes_each_route_and_no_other() {
    let office = Office::new().await;
    let routes = api::table(&office.web).routes;
    let served: BTreeSet<String> =
        routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert!(served.len() > 40);
    assert_eq!(served, described());
}

#[tokio::test]
async fn no_route_lets_in_whom_it_should_not() {
    let office = Office::ready().await;
    let mut stranger = office.browser();
    let mut user = office.signed_in("bert@office.test", "secret-bert").await;
    let mut forged = office.browser();
    forged.cookie = Some(format!("__Host-postroom={}", "0".repeat(64)));
    for route in api::table(&office.web).routes {
        let path = route.path.replace("{id}", "1").replace("{name}", "office.test");
        let path = path.replace("{number}", "1");
        let path = format!("/api{}", path.replace("{address}", "info@office.test"));
        let body = (route.method != Method::GET).then(|| json!({}));
        let method = route.method.as_str();
        let nobody = stranger.send(method, &path, body.clone()).await;
        let liar = forged.send(method, &path, body.clone()).await;
        let about = format!("{method} {path}: {nobody:?}");
        match route.access {
            Access::Use(_) => {
                assert_eq!(nobody.error(), (401, "sign-in-needed"), "{about}");
                assert_eq!(liar.error(), (401, "sign-in-needed"), "{about}");
                let bert = user.send(method, &path, body).await;
                assert_eq!(bert.error(), (403, "forbidden"), "{about}");
            }
            Access::Person => {
                assert_eq!(nobody.error(), (401, "sign-in-needed"), "{about}");
                assert_eq!(liar.error(), (401, "sign-in-needed"), "{about}");
            }
            Access::Setup | Access::WhileSetup => {
                assert_eq!(nobody.error(), (410, "setup-over"), "{about}");
                let bert = user.send(method, &path, body).await;
                assert_eq!(bert.error(), (410, "setup-over"), "{about}");
            }
            Access::Public => assert_ne!(nobody.status, 404, "{about}"),
        }
    }
    // Signing out by the walk above ended bert's session only.
    assert_eq!(office.web.store().accounts_len().unwrap(), 2);
}

#[tokio::test]
async fn a_setup_session_is_no_admin() {
    let office = Office::new().await;
    let mut wizard = office.browser();
    assert_eq!(wizard.post("/api/setup/code", json!({ "code": office.code })).await.status, 200);
    for route in api::table(&office.web).routes {
        if matches!(route.access, Access::Use(_) | Access::Person) {
            let path = format!("/api{}", route.path.replace("{id}", "1"));
            let body = (route.method != Method::GET).then(|| json!({}));
            let answer = wizard.send(route.method.as_str(), &path, body).await;
            assert_eq!(answer.error(), (401, "sign-in-needed"), "{} {path}", route.method);
        }
    }
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    let request = |headers: &[(&'static str, &str)]| {
        let mut request = Request::builder()
            .method("POST")
            .uri("/api/admin/domains")
            .header(header::HOST, "box.test:8443")
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from("{\"name\":\"evil.test\"}")).unwrap()
    };
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://evil.test")],
        &[("origin", "https://box.test")],
        &[("origin", "http://box.test:8443")],
        &[("origin", "null")],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.test")],
    ] {
        let answer = admin.send_raw(request(headers)).await;
        assert_eq!(answer.error(), (403, "cross-site"), "{headers:?}");
    }
    let form = Request::builder()
        .method("POST")
        .uri("/api/admin/domains")
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from("{\"name\":\"evil.test\"}"));
    assert_eq!(admin.send_raw(form.unwrap()).await.error(), (415, "not-json"));
    assert_eq!(office.web.store().domains().unwrap().len(), 1);
    // The utilities are no browser and say nothing.
    assert_eq!(admin.send_raw(request(&[])).await.status, 201);
}

#[tokio::test]
async fn answers_are_armored_and_wrong_ones_have_the_one_shape() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    for path in ["/", "/api/state", "/admin/accounts", "/nothing.js", "/api/nothing"] {
        let answer = admin.get(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer");
        assert!(answer.headers.contains_key("cache-control"));
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
    assert_eq!(admin.get("/api/state").await.headers["cache-control"], "no-store");
    assert_eq!(admin.get("/nothing.js").await.status, 404);
    assert_eq!(admin.get("/api/nothing").await.error(), (404, "not-found"));
    assert_eq!(admin.send("PUT", "/api/state", None).await.error(), (405, "method-not-allowed"));
    let path = "/api/admin/domains";
    let unknown = admin.post(path, json!({ "name": "x.test", "extra": 1 })).await;
    assert_eq!(unknown.error(), (400, "bad-request"));
    let huge = admin.post(path, json!({ "name": "x".repeat(1024 * 1024) })).await;
    assert_eq!(huge.error(), (413, "too-large"));
    let login = json!({ "login": "anna", "password": "x".repeat(20_000) });
    let stranger = office.browser().post("/api/session", login).await;
    assert_eq!(stranger.error(), (413, "too-large"), "strangers get less");
    assert_eq!(admin.get("/api/admin/accounts?limit=x").await.error(), (400, "bad-request"));
    assert_eq!(admin.get("/api/admin/accounts/x").await.error(), (404, "not-found"));
}

#[tokio::test]
async fn port_80_only_shows_the_way() {
    let office = Office::ready().await;
    for (host, uri, there) in [
        ("box.test:8080", "/setup?x=1", "https://box.test:8443/setup?x=1"),
        ("192.168.1.5", "/", "https://192.168.1.5:8443/"),
        ("[::1]:80", "/a", "https://[::1]:8443/a"),
        ("evil\"<x>", "/a", "https://mail.office.test:8443/a"),
        ("", "/a", "https://mail.office.test:8443/a"),
    ] {
        let headers = [(header::HOST, host.parse().unwrap())].into_iter().collect();
        let answer = crate::redirect::to_https(&office.web, &headers, &uri.parse().unwrap());
        assert_eq!(answer.status(), 308);
        assert_eq!(answer.headers()["location"], there);
    }
}
