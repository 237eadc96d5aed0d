//! A box without ports, and a browser with a cookie.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base::{SystemClock, Tier, TierBudget};
use serde_json::Value;
use session::{Context, Shutdown, Tls};
use store::{Options, Store};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{BoxLink, LogRing, Web, setup_code};

/// Where the browsers are.
pub(super) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

/// The box.
pub(super) struct Office {
    pub(super) web: Web,
    pub(super) code: String,
    _dir: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) body: String,
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn error(&self) -> (u16, &str) {
        (self.status.as_u16(), self.json["error"].as_str().unwrap_or("(no code)"))
    }
}

impl Office {
    pub(super) async fn new() -> Self {
        Self::with_link(None).await
    }

    pub(super) async fn with_link(link: Option<BoxLink>) -> Self {
        Self::with(link, TierBudget::of(Tier::OneGb)).await
    }

    pub(super) async fn with(link: Option<BoxLink>, budget: TierBudget) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let budget = Arc::new(budget);
        let options = Options {
            cache_bytes: 1024 * 1024,
            message_bytes_max: budget.message_bytes_max,
            message_memory_bytes: 64 * 1024,
            queue_entries_max: 1_000,
            reserve_bytes: Some(0),
            ..Options::new(dir.path())
        };
        let store = Store::open(options, clock.clone()).unwrap();
        let code = setup_code::ensure(&store).await.unwrap().unwrap();
        let names = ["postroom.local".to_owned()];
        let tls = Tls::open(store.clone(), &names, base::Clock::now(&SystemClock)).await.unwrap();
        let delivery = delivery::Delivery::new(store.clone(), clock.clone(), budget.clone());
        let ctx = Context::new(store, budget, clock.clone(), tls, Shutdown::new());
        let web = Web::new(ctx, delivery, LogRing::new(clock), link, 8443);
        Self { web, code, _dir: dir }
    }

    /// A box that is set up: domain office.test, admin password `correct horse`, users anna (admin) and bert.
    pub(super) async fn ready() -> Self {
        Self::ready_with(None).await
    }

    pub(super) async fn ready_with(link: Option<BoxLink>) -> Self {
        let office = Self::with_link(link).await;
        let file = "hostname = \"mail.office.test\"\n[admin]\npassword = \"correct horse\"\n\
            [[domain]]\nname = \"office.test\"\n\
            [[user]]\naddress = \"anna@office.test\"\npassword = \"secret-anna\"\nadmin = true\n\
            aliases = [\"info@office.test\"]\n\
            [[user]]\naddress = \"bert@office.test\"\npassword = \"secret-bert\"\n";
        let provision = crate::provision::parse(file).unwrap();
        let (store, auth) = (office.web.store(), &office.web.ctx().auth);
        crate::provision::apply(&provision, store, auth).await.unwrap();
        office
    }

    pub(super) fn browser(&self) -> Browser {
        Browser { router: self.web.router(), cookie: None }
    }

    pub(super) async fn signed_in(&self, login: &str, password: &str) -> Browser {
        let mut browser = self.browser();
        let body = serde_json::json!({ "login": login, "password": password });
        let answer = browser.post("/api/session", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        browser
    }
}

/// Somebody's browser: keeps the cookie.
#[derive(Clone)]
pub(super) struct Browser {
    router: Router,
    pub(super) cookie: Option<String>,
}

impl Browser {
    /// A request as our own pages make it.
    pub(super) async fn send(&mut self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "box.test:8443")
            .header("sec-fetch-site", "same-origin")
            .header(header::ORIGIN, "https://box.test:8443");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |json| Body::from(json.to_string()));
        self.send_raw(request.body(body).unwrap()).await
    }

    /// Any request, with the cookie if there is one.
    pub(super) async fn send_raw(&mut self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(crate::guard::Peer(PEER));
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        if let Some(set) = parts.headers.get(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            body: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// As [`Browser::send`], by a browser of its own.
    pub(super) async fn send_owned(mut self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, path, Some(body)).await
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub(super) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }
}
