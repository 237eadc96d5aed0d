//! `postroomd serve`: opens the store and the listeners, hands out the budget, supervises, stops.
//!
//! The order of a start: log, sockets, store, provisioning file, certificate, servers, READY. The order of a
//! stop: no new connections, sessions say goodbye, the store closes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base::box_link::Request;
use base::{Clock, SystemClock, TierBudget};
use delivery::Delivery;
use listenfd::ListenFd;
use session::{Context, Shutdown, Tls};
use store::Store;
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use web::{BoxLink, LogRing, Web};

use crate::listen::{self, Sockets};
use crate::{ServeArgs, allocator, budget, housekeeping, keeper, log, say, sockets};

/// How long sessions may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(8);
/// How often PID 1 is told that we are well.
const ALIVE_EVERY: Duration = Duration::from_secs(5);
/// Failed talks with PID 1 in a row that end the daemon.
const LOST_MAX: u32 = 3;

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ring = LogRing::new(clock.clone());
    log::start(Some(ring.clone()));
    allocator::tune();
    raise_file_limit();
    // Before there are threads: it takes the variables out of the environment.
    let passed = ListenFd::from_env();
    if passed.len() > 0 {
        enter_sandbox(args)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(args, passed, ring, clock))
}

/// On the box: from here on the daemon can read and write its data and little else. Threads inherit it.
fn enter_sandbox(args: &ServeArgs) -> Result<()> {
    let entered = appliance::sandbox::enter(&args.data).context("entering the sandbox")?;
    if !entered.has_landlock {
        tracing::warn!("the kernel has no Landlock: files are not fenced");
    }
    Ok(())
}

/// As many descriptors as we may have: a connection is one.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(err) = setrlimit(Resource::Nofile, wanted) {
        tracing::warn!(%err, "the limit of open files stays as it is");
    }
}

async fn serve(
    args: &ServeArgs,
    passed: ListenFd,
    ring: LogRing,
    clock: Arc<dyn Clock>,
) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let budget = Arc::new(budget::choose(args.tier)?);
    let sockets = match listen::passed(passed)? {
        Some(sockets) => sockets,
        None => listen::bind(&args.listen, args.port_offset)?,
    };
    let is_box = sockets.link.is_some();
    let store = open_store(args, &budget, &clock)?;
    web::setup_code::ensure(&store).await?;
    let delivery = Delivery::new(store.clone(), clock.clone(), budget.clone());
    if let Some(file) = &args.provision {
        // Who is asked before acts is asked about those of the file, too.
        let https_port = 443 + args.port_offset;
        let _hooks = web::webhooks(&store, clock.clone(), &delivery, https_port);
        provision(file, &store, &budget, clock.clone()).await?;
    }
    let tls = Tls::open(store.clone(), &certificate_names(&store, args), clock.now()).await?;
    let shutdown = Shutdown::new();
    let ctx = Context::new(store.clone(), budget, clock, tls, shutdown.clone());

    let servers = start(sockets, &ctx, &delivery, ring, args)?;
    say(&ready_line(&ctx, args, is_box));
    let ended_well = tokio::select! {
        _ = terminate.recv() => {
            tracing::info!("SIGTERM: stopping");
            true
        }
        _ = interrupt.recv() => {
            tracing::info!("SIGINT: stopping");
            true
        }
        // Who supervises us starts us again; the store then opens at its last good commit.
        () = store.failed() => {
            tracing::error!("the store failed: stopping");
            false
        }
        () = shutdown.cancelled() => false,
    };
    shutdown.cancel();
    stop(servers, &ctx).await;
    drop((ctx, delivery));
    store.close().await.context("closing the store")?;
    ensure!(ended_well, "the daemon could not go on");
    Ok(())
}

fn open_store(args: &ServeArgs, budget: &TierBudget, clock: &Arc<dyn Clock>) -> Result<Store> {
    let bytes = |amount: u64, unit: u64| usize::try_from(amount * unit).unwrap_or(usize::MAX);
    let options = store::Options {
        cache_bytes: bytes(budget.redb_cache_mb, 1024 * 1024),
        message_bytes_max: budget.message_bytes_max,
        message_memory_bytes: bytes(budget.message_memory_kb, 1024),
        queue_entries_max: budget.queue_entries_max.into(),
        import_records_max: budget.import_records_max,
        // For measuring what the index is worth.
        search_index: std::env::var_os("POSTROOM_SEARCH_INDEX").is_none_or(|word| word != "off"),
        ..store::Options::new(&args.data)
    };
    Store::open(options, clock.clone())
        .with_context(|| format!("opening the store in {}", args.data.display()))
}

async fn provision(
    file: &std::path::Path,
    store: &Store,
    budget: &TierBudget,
    clock: Arc<dyn Clock>,
) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let plan = match web::provision::parse(&text) {
        Ok(plan) => plan,
        Err(errors) => {
            for error in &errors {
                tracing::error!("{}: {error}", file.display());
            }
            bail!("the provisioning file {} was refused; nothing was applied", file.display());
        }
    };
    let auth = session::Auth::new(store.clone(), budget, clock);
    match web::provision::apply(&plan, store, &auth).await {
        // A box at work goes on as it is; the file is tried again at the next start.
        Err(web::provision::ApplyError::Refused(text)) if store.settings().setup_complete => {
            tracing::error!("{}: a check refuses it, nothing was applied: {text}", file.display());
            Ok(())
        }
        done => Ok(done.map(drop)?),
    }
}

/// The names that a first certificate carries.
fn certificate_names(store: &Store, args: &ServeArgs) -> Vec<String> {
    let hostname = store.settings().hostname.clone();
    let mut names = vec![hostname, "postroom.local".to_owned(), "localhost".to_owned()];
    names.retain(|name| !name.is_empty());
    names.extend(args.listen.iter().filter(|a| !a.is_unspecified()).map(IpAddr::to_string));
    names
}

/// Starts every server on its sockets, the queue and the talk with PID 1.
fn start(
    sockets: Sockets,
    ctx: &Context,
    delivery: &Delivery,
    ring: LogRing,
    args: &ServeArgs,
) -> Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    let link = match sockets.link {
        Some(stream) => {
            stream.set_nonblocking(true)?;
            Some(BoxLink::new(UnixStream::from_std(stream)?))
        }
        None => None,
    };
    let https_port = 443 + args.port_offset;
    let web = Web::new(ctx.clone(), delivery.clone(), ring, link.clone(), https_port);
    let maildrops = access::pop3::Maildrops::default();
    let ldap = ldapd::Ldap::new(&ctx.budget);
    for (service, listener) in sockets.listeners {
        let ctx = ctx.clone();
        match service {
            "lmtp" | "smtp" | "submission" | "submissions" => {
                let server = Arc::new(smtpd::Smtp::new(service, delivery.clone()));
                tasks.spawn(session::serve(listener, server, ctx));
            }
            "imap" | "imaps" => {
                let server = Arc::new(access::imap::Imap::new(service == "imaps"));
                tasks.spawn(session::serve(listener, server, ctx));
            }
            "pop3" | "pop3s" => {
                let server = access::pop3::Pop3::new(service == "pop3s", maildrops.clone());
                tasks.spawn(session::serve(listener, Arc::new(server), ctx));
            }
            "ldap" => {
                tasks.spawn(session::serve(listener, Arc::new(ldap.clone()), ctx));
            }
            "ldaps" => {
                tasks.spawn(session::serve(listener, Arc::new(ldap.over_tls()), ctx));
            }
            "http" => {
                tasks.spawn(web.clone().serve_http(listener));
            }
            "https" => {
                tasks.spawn(web.clone().serve_https(listener));
            }
            other => bail!("no server for {other}"),
        }
    }
    if let Some(listener) = sockets::listen(&args.data, sockets::API) {
        let own = rustix::process::geteuid().as_raw();
        tasks.spawn(web.clone().serve_socket(listener, own));
    }
    if let Some(listener) = sockets::listen(&args.data, sockets::LDAP) {
        let own = rustix::process::geteuid().as_raw();
        let ldap = Arc::new(ldap.clone());
        tasks.spawn(session::serve_socket(listener, own, ldap, ctx.clone()));
    }
    tasks.spawn(delivery::queue::run(delivery.clone(), ctx.shutdown.clone().cancelled_owned()));
    ctx.auth.ask(Arc::new(keeper::Keeper(web.sources().clone())));
    tasks.spawn(web.sources().clone().run(ctx.shutdown.clone()));
    let stopped = ctx.shutdown.clone().cancelled_owned();
    tasks.spawn(web.hooks().clone().run(ctx.store.clone(), stopped));
    tasks.spawn(housekeeping::run(ctx.store.clone(), ctx.shutdown.clone()));
    if let Some(link) = link {
        tasks.spawn(talk_to_pid1(link, web, ctx.clone(), delivery.clone()));
    }
    Ok(tasks)
}

/// Tells PID 1 the box's name, what the console shows and that we are well; learns the network's name
/// servers. A link that stays lost ends the daemon: PID 1 starts it again with a new one.
async fn talk_to_pid1(link: BoxLink, web: Web, ctx: Context, delivery: Delivery) {
    web.introduce().await;
    let mut lost = 0;
    while lost < LOST_MAX {
        let well = is_well(&ctx).await;
        match report(&link, well, &delivery).await {
            Ok(()) => lost = 0,
            Err(err) => {
                lost += 1;
                tracing::warn!(%err, "PID 1 does not answer");
            }
        }
        tokio::select! {
            () = ctx.shutdown.cancelled() => return,
            () = tokio::time::sleep(ALIVE_EVERY) => {}
        }
    }
    tracing::error!("the link to PID 1 is lost: stopping");
    ctx.shutdown.cancel();
}

/// True if the store answers; a stuck store lets the watchdog bite.
async fn is_well(ctx: &Context) -> bool {
    let store = ctx.store.clone();
    tokio::task::spawn_blocking(move || store.queue_len()).await.is_ok_and(|len| len.is_ok())
}

async fn report(
    link: &BoxLink,
    well: bool,
    delivery: &Delivery,
) -> Result<(), web::box_link::LinkError> {
    delivery.set_network_dns(link.status().await?.dns);
    if well {
        link.request(&Request::Alive).await?;
    }
    Ok(())
}

/// `READY https://HOST:PORT/ setup-code=CODE`, without the code once set up.
fn ready_line(ctx: &Context, args: &ServeArgs, is_box: bool) -> String {
    let host = match args.listen.first() {
        Some(IpAddr::V4(address)) if !address.is_unspecified() => address.to_string(),
        Some(IpAddr::V6(address)) if !address.is_unspecified() => format!("[{address}]"),
        // The box has its name by mDNS; elsewhere only a loopback address is sure to lead here.
        _ if is_box => ctx.hostname(),
        Some(IpAddr::V6(_)) => "[::1]".to_owned(),
        _ => "127.0.0.1".to_owned(),
    };
    let port = 443 + args.port_offset;
    let settings = ctx.store.settings();
    let code = if settings.setup_complete {
        String::new()
    } else {
        format!(" setup-code={}", settings.setup_code)
    };
    format!("READY https://{host}:{port}/{code}")
}

/// Lets sessions say goodbye, then ends what is left.
async fn stop(mut servers: JoinSet<()>, ctx: &Context) {
    let quiet = async {
        while servers.join_next().await.is_some() {}
        while ctx.admission.usage().connections > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(GOODBYE, quiet).await.is_err() {
        tracing::warn!("some sessions did not end in time");
    }
}
