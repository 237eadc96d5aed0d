//! What all handlers share, and the acts that touch more than one part of the daemon.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use base::Clock;
use base::box_link::{Console, Request};
use delivery::Delivery;
use session::Context;
use source::{Hooks, LookupFailure, Sources};
use store::{Settings, Store};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::code_throttle::CodeThrottle;
use crate::imports::Imports;
use crate::pending_totp::PendingTotp;
use crate::sessions::{Key, Sessions, Who};
use crate::{BoxLink, LogRing, api, assets, certificate, headers};

/// The name a box has by mDNS, and until it has another.
pub(crate) const FALLBACK_HOSTNAME: &str = "postroom.local";
/// HTTPS without an offset.
const HTTPS: u16 = 443;
/// HTTP without an offset.
const HTTP: u16 = 80;
/// Sign-ins at once: the rest of the line for password hashes is for the mail clients.
const SIGN_INS_MAX: usize = 128;

/// The web server of a box. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Web {
    inner: Arc<Inner>,
}

struct Inner {
    ctx: Context,
    delivery: Delivery,
    sources: Sources,
    hooks: hooks::Hooks,
    log: LogRing,
    link: Option<BoxLink>,
    https_port: u16,
    sessions: Arc<Sessions>,
    code_throttle: CodeThrottle,
    pending_totp: PendingTotp,
    outbound_test: Semaphore,
    sign_ins: Semaphore,
    imports: Imports,
    started: Instant,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Web").field("https_port", &self.inner.https_port).finish_non_exhaustive()
    }
}

impl Web {
    /// A web server over the daemon's parts. `https_port` is 443 plus the offset of all ports.
    #[must_use]
    pub fn new(
        ctx: Context,
        delivery: Delivery,
        log: LogRing,
        link: Option<BoxLink>,
        https_port: u16,
    ) -> Self {
        let sessions = Arc::new(Sessions::new(ctx.budget.web_sessions_max));
        let told = sessions.clone();
        ctx.admission.also_close(move |account| told.close_all(Who::of(account), None));
        let sources = sources(&ctx, &delivery);
        let hooks = webhooks(&ctx.store, ctx.clock.clone(), &delivery, https_port);
        Self {
            inner: Arc::new(Inner {
                ctx,
                delivery,
                sources,
                hooks,
                log,
                link,
                https_port,
                sessions,
                code_throttle: CodeThrottle::default(),
                pending_totp: PendingTotp::default(),
                outbound_test: Semaphore::new(1),
                sign_ins: Semaphore::new(SIGN_INS_MAX),
                imports: Imports::default(),
                started: Instant::now(),
            }),
        }
    }

    /// The routes of the API with their rights: what a test of them goes through.
    #[must_use]
    pub fn routes(&self) -> Vec<api::Route> {
        api::table(self).routes
    }

    /// All of HTTPS: the API under /api, the UI's files elsewhere.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .nest("/api", api::router(self))
            .fallback(assets::serve)
            .layer(axum::middleware::map_response(headers::secure))
    }

    pub(crate) fn ctx(&self) -> &Context {
        &self.inner.ctx
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.ctx.store
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.inner.ctx.store.settings()
    }

    pub(crate) fn delivery(&self) -> &Delivery {
        &self.inner.delivery
    }

    pub(crate) fn imports(&self) -> &Imports {
        &self.inner.imports
    }

    /// The external directories of the domains; the daemon runs them.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.inner.sources
    }

    /// The webhooks; whoever runs the daemon runs them.
    #[must_use]
    pub fn hooks(&self) -> &hooks::Hooks {
        &self.inner.hooks
    }

    pub(crate) fn log(&self) -> &LogRing {
        &self.inner.log
    }

    pub(crate) fn link(&self) -> Option<&BoxLink> {
        self.inner.link.as_ref()
    }

    /// Ends all that somebody is signed in to: web sessions but `kept`, and mail connections.
    pub(crate) fn sign_out(&self, who: Who, kept: Option<&Key>) {
        // First: a sign-in on its way is found by one of the two.
        if let Some(account) = who.account() {
            self.ctx().admission.close_connections(account);
        }
        self.sessions().close_all(who, kept);
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(crate) fn pending_totp(&self) -> &PendingTotp {
        &self.inner.pending_totp
    }

    pub(crate) fn code_throttle(&self) -> &CodeThrottle {
        &self.inner.code_throttle
    }

    pub(crate) fn outbound_test(&self) -> &Semaphore {
        &self.inner.outbound_test
    }

    pub(crate) fn sign_ins(&self) -> &Semaphore {
        &self.inner.sign_ins
    }

    pub(crate) fn uptime_secs(&self) -> u64 {
        self.inner.started.elapsed().as_secs()
    }

    /// Where HTTPS is.
    pub(crate) fn https_port(&self) -> u16 {
        self.inner.https_port
    }

    /// Where a service with the standard port `port` is.
    pub(crate) fn port(&self, port: u16) -> u16 {
        port.saturating_add(self.inner.https_port.saturating_sub(HTTPS))
    }

    /// The names our own certificate is for: the host name first, then how else the box is reached.
    pub(crate) async fn certificate_names(&self) -> Vec<String> {
        let mut others = BTreeSet::from([FALLBACK_HOSTNAME.to_owned()]);
        match self.link() {
            Some(link) => match link.status().await {
                Ok(status) => {
                    let addresses = status.addresses.iter();
                    let bare = addresses.filter_map(|address| address.split('/').next());
                    others.extend(bare.map(ToOwned::to_owned));
                }
                Err(err) => tracing::warn!(%err, "the box's addresses are not known"),
            },
            None => others.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]),
        }
        let first = self.ctx().hostname();
        others.remove(&first);
        std::iter::once(first).chain(others).collect()
    }

    /// Makes a self-signed certificate anew when it does not name the host; another's is left alone.
    pub(crate) async fn name_certificate(&self) {
        let hostname = self.ctx().hostname();
        let current = certificate::describe(&self.ctx().tls.info());
        if current.is_some_and(|now| !now.self_signed || now.names.contains(&hostname)) {
            return;
        }
        let names = self.certificate_names().await;
        match self.ctx().tls.regenerate(&names, self.ctx().clock.now()).await {
            Ok(()) => tracing::info!(%hostname, "certificate made for the host name"),
            Err(err) => tracing::error!(%err, %hostname, "no certificate for the host name"),
        }
    }

    /// Tells PID 1 the box's name, what its console shows and, where PID 1 has another one (a provisioning
    /// file named it), the network; at the start, and when one of them changed. Does nothing outside the
    /// appliance.
    pub async fn introduce(&self) {
        let Some(link) = self.link() else { return };
        let settings = self.settings();
        let console = Console {
            fingerprint: self.ctx().tls.info().fingerprint,
            setup_code: (!settings.setup_complete).then(|| settings.setup_code.clone()),
            host_name: self.ctx().hostname(),
        };
        let name = console.host_name.clone();
        let mut requests = vec![Request::SetHostName { name }, Request::SetConsole { console }];
        match link.status().await {
            Ok(status) if status.network != settings.network => {
                requests.push(Request::SetNetwork { network: settings.network.clone() });
            }
            Ok(_) => {}
            Err(err) => tracing::warn!(%err, "PID 1 does not tell its network"),
        }
        for request in requests {
            if let Err(err) = link.request(&request).await {
                tracing::warn!(%err, "PID 1 was not told what it should know");
            }
        }
    }
}

/// The webhooks; `https_port` is where our own admin pages are, which none of them may call. From now on those
/// before an act are asked.
#[must_use]
pub fn webhooks(
    store: &Store,
    clock: Arc<dyn Clock>,
    delivery: &Delivery,
    https_port: u16,
) -> hooks::Hooks {
    let delivery = delivery.clone();
    let lookup: hooks::Lookup = Arc::new(move |host| {
        let delivery = delivery.clone();
        Box::pin(async move { delivery.addresses(&host).await.ok() })
    });
    let own_ports = vec![https_port, https_port.saturating_sub(HTTPS - HTTP)];
    hooks::Hooks::new(store, clock, lookup, own_ports)
}

/// The external directories, with what they need of the other parts.
fn sources(ctx: &Context, delivery: &Delivery) -> Sources {
    let (delivery, admission) = (delivery.clone(), ctx.admission.clone());
    let hooks = Hooks {
        lookup: Arc::new(move |host| {
            let delivery = delivery.clone();
            Box::pin(async move {
                let found = delivery.addresses(&host).await;
                found.map_err(|why| why.map_or(LookupFailure::NoSuchName, LookupFailure::Silent))
            })
        }),
        lock_out: Arc::new(move |account| admission.close_account(account)),
    };
    Sources::new(ctx.store.clone(), ctx.budget.clone(), ctx.clock.clone(), hooks)
}
