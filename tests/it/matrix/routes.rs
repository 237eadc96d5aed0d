//! Every route of the API with every caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use base::{Clock, SystemClock, Tier, TierBudget};
use serde_json::{Value, json};
use session::rules::{Area, Role, Target, may_use};
use session::{Context, Shutdown, Tls};
use store::{Options, Store};
use web::{Access, LogRing, Route, Web};

use super::http::{Answer, admin, send};
use super::{OTHER, OWN, Office, Verdict, id_of};

/// What a request is about, made anew for it.
#[derive(Clone, Copy)]
enum About {
    Nothing,
    Account,
    Deleted,
    Alias,
    Group,
}

/// What the answer to somebody who may is.
#[derive(Clone, Copy, PartialEq)]
enum Done {
    /// 2xx.
    Well,
    /// A list of what is theirs, by this field.
    Listed(&'static str),
    /// The thing need not be there: 2xx or 404.
    Perhaps,
    /// It belongs to no domain.
    Unbound,
}

/// Method and route, what must be there, path, body, outcome. `{D}` is a domain, `{N}` a number never used
/// before, `{P}` somebody of the domain; `{id}` and `{name}` are those of what was made.
type Row = (&'static str, About, &'static str, &'static str, Done);

/// The routes that a domain admin may use: each needs a row.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("GET /admin/accounts", About::Nothing, "/admin/accounts?limit=500", "", Done::Listed("address")),
    ("POST /admin/accounts", About::Nothing, "/admin/accounts", r#"{"address":"n{N}@{D}","password":"long-secret-{N}"}"#, Done::Well),
    ("GET /admin/accounts/{id}", About::Account, "/admin/accounts/{id}", "", Done::Well),
    ("PATCH /admin/accounts/{id}", About::Account, "/admin/accounts/{id}", r#"{"name":"Other"}"#, Done::Well),
    ("DELETE /admin/accounts/{id}", About::Account, "/admin/accounts/{id}", "", Done::Well),
    ("POST /admin/accounts/{id}/password", About::Account, "/admin/accounts/{id}/password", r#"{"password":"long-secret-{N}"}"#, Done::Well),
    ("GET /admin/accounts/{id}/deleted-messages", About::Account, "/admin/accounts/{id}/deleted-messages", "", Done::Well),
    ("POST /admin/accounts/{id}/deleted-messages/restore", About::Account, "/admin/accounts/{id}/deleted-messages/restore", r#"{"ids":[]}"#, Done::Well),
    ("GET /admin/deleted-accounts", About::Deleted, "/admin/deleted-accounts", "", Done::Listed("address")),
    ("POST /admin/deleted-accounts/{id}/restore", About::Deleted, "/admin/deleted-accounts/{id}/restore", "{}", Done::Well),
    ("GET /admin/aliases", About::Nothing, "/admin/aliases", "", Done::Listed("address")),
    ("POST /admin/aliases", About::Nothing, "/admin/aliases", r#"{"address":"al{N}@{D}","targets":["x@elsewhere.example"]}"#, Done::Well),
    ("PUT /admin/aliases/{address}", About::Alias, "/admin/aliases/{name}", r#"{"targets":["y@elsewhere.example"]}"#, Done::Well),
    ("DELETE /admin/aliases/{address}", About::Alias, "/admin/aliases/{name}", "", Done::Well),
    ("GET /admin/domains", About::Nothing, "/admin/domains", "", Done::Listed("name")),
    ("PATCH /admin/domains/{name}", About::Nothing, "/admin/domains/{D}", r#"{"catch_all":null}"#, Done::Well),
    ("GET /admin/groups", About::Nothing, "/admin/groups?limit=500", "", Done::Listed("domain")),
    ("POST /admin/groups", About::Nothing, "/admin/groups", r#"{"name":"gr{N}","domain":"{D}","members":["{P}"]}"#, Done::Well),
    ("GET /admin/groups/{group}", About::Group, "/admin/groups/{name}", "", Done::Well),
    ("PATCH /admin/groups/{group}", About::Group, "/admin/groups/{name}", r#"{"description":"x"}"#, Done::Well),
    ("DELETE /admin/groups/{group}", About::Group, "/admin/groups/{name}", "", Done::Well),
    ("GET /admin/export", About::Nothing, "/admin/export?format=csv&domain={D}", "", Done::Well),
    ("POST /admin/import", About::Nothing, "/admin/import?format=csv&dry_run=true&domain={D}", "address,name\nim{N}@{D},Im\n", Done::Well),
    ("GET /admin/import/{id}", About::Nothing, "/admin/import/none", "", Done::Unbound),
    ("GET /admin/domains/{name}/source", About::Nothing, "/admin/domains/{D}/source", "", Done::Perhaps),
    ("GET /admin/domains/{name}/source/status", About::Nothing, "/admin/domains/{D}/source/status", "", Done::Perhaps),
    ("GET /admin/accounts/{id}/app-passwords", About::Account, "/admin/accounts/{id}/app-passwords", "", Done::Well),
    ("POST /admin/accounts/{id}/app-passwords", About::Account, "/admin/accounts/{id}/app-passwords", r#"{"name":"phone","protocols":["imap"]}"#, Done::Well),
    ("DELETE /admin/accounts/{id}/app-passwords/{password}", About::Account, "/admin/accounts/{id}/app-passwords/1", "", Done::Perhaps),
    ("DELETE /admin/accounts/{id}/totp", About::Account, "/admin/accounts/{id}/totp", "", Done::Perhaps),
    ("GET /admin/sessions", About::Nothing, "/admin/sessions", "", Done::Listed("account")),
    ("DELETE /admin/sessions/{id}", About::Nothing, "/admin/sessions/none", "", Done::Unbound),
    ("DELETE /admin/accounts/{id}/sessions", About::Account, "/admin/accounts/{id}/sessions", "", Done::Well),
];

/// What the admin-only routes that change something take, where it can be done here.
const WHOLE: &[(&str, &str)] = &[
    ("POST /admin/domains", r#"{"name":"w{N}.test"}"#),
    ("POST /admin/tokens", r#"{"name":"w{N}","role":"admin"}"#),
    (
        "POST /admin/webhooks",
        r#"{"name":"w{N}","url":"https://127.0.0.1:1/","events":["queue.*"]}"#,
    ),
    ("PUT /admin/directory", r#"{"lan_lookup":false}"#),
];

/// A number never used before in this process.
pub(super) fn fresh() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The daemon's own list of its routes.
async fn routes() -> Result<Vec<Route>> {
    let dir = tempfile::tempdir()?;
    let (clock, budget) = (Arc::new(SystemClock), Arc::new(TierBudget::of(Tier::OneGb)));
    let options = Options { reserve_bytes: Some(0), ..Options::new(dir.path()) };
    let store = Store::open(options, clock.clone())?;
    let tls = Tls::open(store.clone(), &["box.test".to_owned()], clock.now()).await?;
    let delivery = delivery::Delivery::new(store.clone(), clock.clone(), budget.clone());
    let ctx = Context::new(store, budget, clock.clone(), tls, Shutdown::new());
    Ok(Web::new(ctx, delivery, LogRing::new(clock), None, 443).routes())
}

/// The row of a route; names in braces may differ.
fn row(route: &Route) -> Option<&'static Row> {
    let plain = |text: &str| {
        let parts = text.split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    let wanted = plain(&format!("{} {}", route.method, route.path));
    ROWS.iter().find(|(known, ..)| plain(known) == wanted)
}

/// Makes what a request is about; gives its number and its name.
fn make(office: &Office, about: About, domain: &str) -> Result<(u64, String)> {
    let (daemon, n) = (&office.daemon, fresh());
    let name = format!("made{n}@{domain}");
    match about {
        About::Nothing => return Ok((0, String::new())),
        About::Account | About::Deleted => {
            let person = json!({ "address": name, "password": format!("long-secret-{n}") });
            let id = admin(daemon, "POST", "/admin/accounts", &person)?["id"].as_u64().unwrap_or(0);
            if matches!(about, About::Deleted) {
                admin(daemon, "DELETE", &format!("/admin/accounts/{id}"), &Value::Null)?;
            }
            return Ok((id, name));
        }
        About::Alias => {
            let alias = json!({ "address": name, "targets": ["x@elsewhere.example"] });
            admin(daemon, "POST", "/admin/aliases", &alias)?;
        }
        About::Group => {
            let group = json!({ "name": format!("made{n}"), "domain": domain,
                "members": [resident(domain)] });
            admin(daemon, "POST", "/admin/groups", &group)?;
        }
    }
    Ok((0, name))
}

fn resident(domain: &str) -> &'static str {
    if domain == OWN { "carl@office.test" } else { "dora@other.test" }
}

struct Walk {
    office: Office,
    verdict: Verdict,
}

impl Walk {
    /// One row for one caller and one domain.
    fn bound(&mut self, caller: usize, area: Area, row: &Row, domain: &str) -> Result<()> {
        let (route, about, path, body, done) = *row;
        let (id, name) = make(&self.office, about, domain)?;
        let fill = |text: &str| {
            text.replace("{D}", domain)
                .replace("{N}", &fresh().to_string())
                .replace("{P}", resident(domain))
                .replace("{id}", &id.to_string())
                .replace("{name}", &name)
        };
        let (who, role, way) = &self.office.callers[caller];
        let (method, _) = route.split_once(' ').unwrap_or_default();
        let (path, body) = (fill(path), fill(body));
        let kind = if body.starts_with('{') { "application/json" } else { "text/csv" };
        let content = (!body.is_empty()).then_some((kind, body.as_str()));
        let answer = send(&self.office.daemon, way, method, &path, content)?;
        let target = if domain == OWN { Target::Domain } else { Target::Other };
        let may = may_use(*role, area, method != "GET", target);
        let is_right = is_as_told(*role, may, done, &answer);
        self.verdict.expect(is_right, || {
            format!("{who}: {method} {path}: may {may}, {} {}", answer.status, answer.body)
        });
        Ok(())
    }

    /// A route of which no part is a domain's.
    fn whole(&mut self, caller: usize, area: Area, route: &Route) -> Result<()> {
        let (who, role, way) = &self.office.callers[caller];
        let names = ["{name}", "{address}", "{group}"];
        let path =
            names.iter().fold(route.path.to_owned(), |path, name| path.replace(name, "none.test"));
        let path = path.replace("{id}", "0").replace("/audit/export", "/audit/export?format=csv");
        let method = route.method.as_str();
        let known = format!("{method} {}", route.path);
        let body = WHOLE.iter().find(|(route, _)| *route == known).map(|(_, body)| *body);
        let text = body.unwrap_or("{}").replace("{N}", &fresh().to_string());
        let content = (method != "GET").then_some(("application/json", text.as_str()));
        let answer = send(&self.office.daemon, way, method, &path, content)?;
        let may = may_use(*role, area, method != "GET", Target::Other);
        let is_refused = matches!((answer.status, answer.error()), (401, _) | (403, "forbidden"));
        // What is there, and what can be done here, must be done; a daemon that does not own its machine has no network.
        let can = body.is_some() || method == "GET" && !route.path.contains('{');
        let is_done = (200..300).contains(&answer.status) || answer.error() == "no-appliance";
        self.verdict.expect(if may && can { is_done } else { is_refused != may }, || {
            format!("{who}: {method} {path}: may {may}, {} {}", answer.status, answer.body)
        });
        Ok(())
    }

    /// A route of what is one's own: for people, never for programs.
    fn own(&mut self, caller: usize, route: &Route) -> Result<()> {
        let (who, role, way) = &self.office.callers[caller];
        let path = route.path.replace("{id}", "0");
        let method = route.method.as_str();
        let content = (method != "GET").then_some(("application/json", "{}"));
        let answer = send(&self.office.daemon, way, method, &path, content)?;
        let is_program = who.contains("token") || *who == "socket";
        let may = !is_program && may_use(*role, Area::Own, method != "GET", Target::Own);
        let is_refused = matches!((answer.status, answer.error()), (401, _) | (403, "forbidden"));
        self.verdict.expect(is_refused != may, || {
            format!("{who}: {method} {path}: may {may}, {} {}", answer.status, answer.body)
        });
        Ok(())
    }
}

fn is_as_told(role: Role, may: bool, done: Done, answer: &Answer) -> bool {
    let Answer { status, body, .. } = answer;
    let is_refused = matches!((status, answer.error()), (401, _) | (403, "forbidden"));
    match done {
        _ if role <= Role::Person => is_refused,
        // A list is for whom some of it is; what else there is it does not show.
        Done::Listed(field) => {
            let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_foreign = |item: &Value| item[field].to_string().contains(OTHER);
            *status == 200 && (role == Role::Admin || !items.iter().any(is_foreign))
        }
        Done::Unbound => !is_refused,
        Done::Well if may => (200..300).contains(status),
        Done::Perhaps if may => (200..300).contains(status) || matches!(status, 404 | 409),
        // What is another's may be called unknown.
        Done::Well | Done::Perhaps => is_refused || matches!(status, 404 | 422),
    }
}

#[test]
fn every_route_does_for_every_caller_what_the_table_says() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let routes = runtime.block_on(routes())?;
    let mut walk = Walk { office: Office::open()?, verdict: Verdict::default() };
    for route in &routes {
        // What a route asks for decides what is tried below: one that asks for less would pass.
        let is_used = matches!(route.access, Access::Use(area) if area != Area::Own);
        let is_admins = route.path.starts_with("/admin/");
        walk.verdict.expect(is_used == is_admins, || {
            format!("{} {} is {:?}", route.method, route.path, route.access)
        });
        for caller in 0..walk.office.callers.len() {
            match route.access {
                Access::Use(area) => {
                    let is_write = route.method != "GET";
                    let is_shared = may_use(Role::DomainAdmin, area, is_write, Target::Domain);
                    match row(route) {
                        Some(row) => {
                            walk.bound(caller, area, row, OWN)?;
                            walk.bound(caller, area, row, OTHER)?;
                        }
                        None if is_shared => walk.verdict.expect(false, || {
                            format!("{} {} needs a row", route.method, route.path)
                        }),
                        None => walk.whole(caller, area, route)?,
                    }
                }
                Access::Person => walk.own(caller, route)?,
                Access::Setup | Access::WhileSetup => {
                    let (who, _, way) = &walk.office.callers[caller];
                    let method = route.method.as_str();
                    let content = (method != "GET").then_some(("application/json", "{}"));
                    let answer = send(&walk.office.daemon, way, method, route.path, content)?;
                    walk.verdict.expect(answer.status == 410, || {
                        format!("{who}: {method} {}: {answer:?}", route.path)
                    });
                }
                // Signing in and out, and what everybody may know.
                Access::Public => {}
            }
        }
    }
    walk.verdict.hold();
    // The walk above went on with the rights it began with.
    assert!(id_of(&walk.office.daemon, "carl@office.test").is_ok());
    Ok(())
}
