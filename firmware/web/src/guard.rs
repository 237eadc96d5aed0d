//! Who may ask: the cookie, the same-origin check, the access each route of the table declares.
//!
//! A handler is reached only through [`check`]: the route table puts it before each of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::DomainName;
use session::rules::{self, Area, Role, Target};
use store::{Account, AccountState, Origin, Token, Via};

use crate::Web;
use crate::bearer;
use crate::error::ApiError;
use crate::sessions::{Browser, Key, Who, key_of};

/// The cookie's name. `__Host-`: only over HTTPS, only for this host (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-postroom";
/// Characters kept of what a client calls itself.
const CLIENT_MAX: usize = 200;
/// A request is answered within this time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Everybody, while the wizard is open.
    WhileSetup,
    /// Who typed the setup code, while the wizard is open.
    Setup,
    /// Who is signed in.
    Person,
    /// Whom [`session::rules`] gives the area; whose a thing is the handlers ask.
    Use(Area),
}

/// Whom the cookie stands for.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) key: Key,
    pub(crate) who: Who,
    /// With [`Who::Account`].
    pub(crate) account: Option<Arc<Account>>,
    /// Domains that are administered; counts with [`Role::DomainAdmin`] only.
    pub(crate) manages: BTreeSet<DomainName>,
    /// With [`Who::Token`].
    token: Option<Arc<Token>>,
    /// The way in, and from where, for the audit log.
    pub(crate) via: Via,
    pub(crate) address: Option<IpAddr>,
    /// What the route asks for, and whether it is a change.
    asked: Option<(Area, bool)>,
}

impl Identity {
    pub(crate) fn new(key: Key, who: Who, account: Option<Account>, via: Via) -> Self {
        let manages = account.iter().flat_map(|account| account.manages.clone()).collect();
        let account = account.map(Arc::new);
        Self { key, who, account, manages, token: None, via, address: None, asked: None }
    }

    /// Who holds a token.
    pub(crate) fn of_token(token: Token) -> Self {
        let known = Self::new([0; 32], Who::Token(token.id), None, Via::Api);
        let manages = token.domains.iter().flatten().cloned().collect();
        Self { manages, token: Some(Arc::new(token)), ..known }
    }

    /// The same one with the token as it is now.
    pub(crate) fn as_token(&self, token: Token) -> Self {
        let Self { address, asked, .. } = *self;
        Self { address, asked, ..Self::of_token(token) }
    }

    /// The same one with the account as it is now.
    pub(crate) fn as_account(&self, account: Account) -> Self {
        let Self { key, who, via, address, asked, .. } = *self;
        Self { address, asked, ..Self::new(key, who, Some(account), via) }
    }

    /// True if the area that the route asks for is theirs to use.
    pub(crate) fn is_admitted(&self) -> bool {
        self.asked.is_none_or(|(area, is_write)| self.may_use(area, is_write))
    }

    /// True on the routes of what is one's own.
    pub(crate) fn asks_for_own(&self) -> bool {
        self.asked.is_none()
    }

    /// True for what is no person: it has nothing of its own, and no way to sign in.
    pub(crate) fn is_machine(&self) -> bool {
        matches!(self.who, Who::Token(_) | Who::Socket(_))
    }

    pub(crate) fn is_person(&self) -> bool {
        self.who != Who::Setup
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.role() == Role::Admin
    }

    /// What the table of rights knows them as.
    pub(crate) fn role(&self) -> Role {
        match &self.who {
            Who::Setup => Role::Anonymous,
            Who::Admin | Who::Socket(_) => Role::Admin,
            Who::Token(_) => match &self.token {
                Some(token) if token.domains.is_none() => Role::Admin,
                _ => Role::DomainAdmin,
            },
            Who::Account(_) => match &self.account {
                Some(account) if account.is_admin => Role::Admin,
                _ if !self.manages.is_empty() => Role::DomainAdmin,
                _ => Role::Person,
            },
        }
    }

    /// Whether some part of an area is theirs to use.
    fn may_use(&self, area: Area, is_write: bool) -> bool {
        [Target::Own, Target::Domain, Target::Other]
            .into_iter()
            .any(|target| rules::may_use(self.role(), area, is_write, target))
    }

    /// For the log.
    pub(crate) fn login(&self) -> String {
        match &self.account {
            Some(account) => account.address.to_string(),
            None => match (self.who, &self.token) {
                (Who::Setup, _) => "setup".to_owned(),
                (Who::Socket(uid), _) => format!("uid {uid}"),
                (_, Some(token)) => format!("token {}", token.name),
                _ => "admin".to_owned(),
            },
        }
    }

    /// In whose name acts are done.
    pub(crate) fn origin(&self) -> Origin {
        Origin::new(self.login(), self.via, self.address)
    }
}

/// The client's address, put into each request by the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Without a connection (a test) it is nobody's address, and counted as one.
        let unknown = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(unknown))
    }
}

/// The user at the other end of the unix socket, put into each request by the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerUid(pub(crate) u32);

/// Where a request comes from and what its client calls itself.
pub(crate) struct UserAgent {
    pub(crate) address: IpAddr,
    pub(crate) client: String,
}

impl<S: Sync> FromRequestParts<S> for UserAgent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Peer(address) = Peer::from_request_parts(parts, state).await?;
        let named = parts.headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok());
        let client = named.unwrap_or_default().chars().take(CLIENT_MAX).collect();
        Ok(Self { address, client })
    }
}

/// Who asks, if anybody is known.
pub(crate) struct Visitor(pub(crate) Option<Identity>);

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(parts.extensions.get::<Identity>().cloned()))
    }
}

/// Who goes through the wizard (on routes of [`Access::Setup`]).
pub(crate) struct Wizard(pub(crate) Identity);

impl<S: Sync> FromRequestParts<S> for Wizard {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let known = parts.extensions.get::<Identity>().filter(|i| i.who == Who::Setup);
        known.cloned().map(Self).ok_or_else(setup_code_needed)
    }
}

/// Who is signed in (on routes of [`Access::Person`] and [`Access::Use`]).
pub(crate) struct Person(pub(crate) Identity);

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let known = parts.extensions.get::<Identity>().filter(|identity| identity.is_person());
        known.cloned().map(Self).ok_or_else(sign_in_needed)
    }
}

/// Whom the route let in, whoever that may be.
pub(crate) struct Admitted(pub(crate) Identity);

impl<S: Sync> FromRequestParts<S> for Admitted {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let known = parts.extensions.get::<Identity>();
        known.cloned().map(Self).ok_or_else(sign_in_needed)
    }
}

/// The name under which the client reached us, without port; empty if it did not say.
pub(crate) struct RequestHost(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for RequestHost {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(host_of(authority(&parts.headers, &parts.uri)).to_owned()))
    }
}

fn setup_code_needed() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "setup-code-needed")
}

fn sign_in_needed() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "sign-in-needed")
}

/// `host[:port]` of the request: `:authority` in HTTP/2, `Host` in HTTP/1.1.
pub(crate) fn authority<'a>(headers: &'a HeaderMap, uri: &'a axum::http::Uri) -> &'a str {
    let named = uri.authority().map(axum::http::uri::Authority::as_str);
    let host = || headers.get(header::HOST).and_then(|value| value.to_str().ok());
    named.or_else(host).unwrap_or_default()
}

/// `authority` without its port.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Stands before each handler.
pub(crate) async fn check(
    State((web, access)): State<(Web, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    match admit(&web, access, &request) {
        Ok(Some(identity)) => {
            request.extensions_mut().insert(identity);
        }
        Ok(None) => {}
        Err(refusal) => return refusal.into_response(),
    }
    // What changes something goes to its end in a task of its own: a browser that goes away in the middle
    // must not leave a list half done.
    let answering = if is_safe(request.method()) {
        tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await
    } else {
        let act = tokio::spawn(next.run(request));
        let act = async { act.await.unwrap_or_else(|_| internal().into_response()) };
        tokio::time::timeout(REQUEST_TIMEOUT, act).await
    };
    match answering {
        Ok(response) => response,
        Err(_) => ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout").into_response(),
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn internal() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
}

fn admit(web: &Web, access: Access, request: &Request) -> Result<Option<Identity>, ApiError> {
    // A browser sends neither by itself, whatever page asks it to.
    let is_machine = bearer::is_shown(request) || request.extensions().get::<PeerUid>().is_some();
    if !is_machine && !is_same_origin(request) {
        return Err(ApiError::forbidden("cross-site"));
    }
    let setup_is_over = || web.settings().setup_complete;
    if matches!(access, Access::WhileSetup | Access::Setup) && setup_is_over() {
        return Err(ApiError::new(StatusCode::GONE, "setup-over"));
    }
    let mut identity = match request.extensions().get::<PeerUid>() {
        Some(PeerUid(uid)) => Some(Identity::new([0; 32], Who::Socket(*uid), None, Via::Socket)),
        None if is_machine => Some(Identity::of_token(bearer::check(web, request)?)),
        None => identify(web, request.headers())?,
    };
    if let Some(known) = &mut identity {
        known.address = request.extensions().get::<Peer>().map(|peer| peer.0);
    }
    let who = identity.as_ref();
    match access {
        Access::Public | Access::WhileSetup => {}
        Access::Setup if who.is_some_and(|known| known.who == Who::Setup) => {}
        Access::Setup => return Err(setup_code_needed()),
        _ if !who.is_some_and(Identity::is_person) => return Err(sign_in_needed()),
        // Neither is a way to sign in, nor has it anything of its own.
        Access::Person if who.is_some_and(Identity::is_machine) => {
            return Err(ApiError::forbidden("forbidden"));
        }
        Access::Use(area) => {
            let asked = Some((area, !is_safe(request.method())));
            let known = identity.map(|known| Identity { asked, ..known });
            if !known.as_ref().is_some_and(Identity::is_admitted) {
                return Err(ApiError::forbidden("forbidden"));
            }
            return Ok(known);
        }
        Access::Person => {}
    }
    Ok(identity)
}

/// What changes something must come from our own pages. A browser says where a request comes from
/// (`Sec-Fetch-Site`, or `Origin` where it is old) and a page cannot forge it; a client that is no browser
/// says nothing and has no cookie of a person's browser.
fn is_same_origin(request: &Request) -> bool {
    if is_safe(request.method()) {
        return true;
    }
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = headers.get(header::ORIGIN).is_none_or(|origin| {
        let ours = authority(headers, request.uri());
        let theirs = origin.to_str().ok().and_then(|origin| origin.strip_prefix("https://"));
        theirs.is_some_and(|theirs| !ours.is_empty() && theirs.eq_ignore_ascii_case(ours))
    });
    site && origin
}

/// Whose cookie came along. The account is looked up each time: disabled or deleted means signed out.
fn identify(web: &Web, headers: &HeaderMap) -> Result<Option<Identity>, ApiError> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|c| c.split_once('='));
    let Some((_, token)) = pairs.find(|(name, _)| name.trim() == COOKIE) else {
        return Ok(None);
    };
    let Some((key, who)) = web.sessions().find(token.trim()) else { return Ok(None) };
    let via = if who == Who::Setup { Via::Setup } else { Via::Web };
    let Who::Account(id) = who else { return Ok(Some(Identity::new(key, who, None, via))) };
    match web.store().account(id)?.filter(|account| account.state == AccountState::Active) {
        Some(account) => Ok(Some(Identity::new(key, who, Some(account), via))),
        None => {
            web.sessions().close(&key);
            Ok(None)
        }
    }
}

/// Opens a session for who came in at `since`: the Set-Cookie header that does it.
pub(crate) fn open_session(
    web: &Web,
    who: Who,
    from: UserAgent,
    since: u64,
) -> Result<[(header::HeaderName, HeaderValue); 1], ApiError> {
    let UserAgent { address, client } = from;
    let browser = Browser { address, client, at: web.ctx().clock.now() };
    let token = web.sessions().open(who, browser).ok_or_else(ApiError::busy)?;
    // Looked at behind the opening: whoever ends sessions from now on finds this one.
    if who.account().is_some_and(|account| web.ctx().admission.were_ended(account, since)) {
        web.sessions().close(&key_of(&token));
        return Err(ApiError::busy());
    }
    let cookie = format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    let value = HeaderValue::from_str(&cookie).map_err(|_| ApiError::busy())?;
    Ok([(header::SET_COOKIE, value)])
}

/// The Set-Cookie header that takes the cookie away.
pub(crate) fn forget_session() -> [(header::HeaderName, HeaderValue); 1] {
    let gone = "__Host-postroom=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";
    [(header::SET_COOKIE, HeaderValue::from_static(gone))]
}
