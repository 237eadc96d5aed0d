//! Thousands of IMAP clients in one process, each a small task: connected, logged in, INBOX selected, in
//! IDLE, and from then on listening for EXISTS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustls::pki_types::ServerName;
use testkit::Loopback;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsConnector;

use super::server::{account, login, password};

/// Clients that connect and log in at the same time.
const COMING_AT_ONCE: usize = 64;
/// How long one may take to get to IDLE, or to be told.
const PATIENCE: Duration = Duration::from_secs(180);

/// Who is told, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) account: usize,
    pub(super) at: Instant,
}

/// The clients, all in IDLE.
pub(super) struct Crowd {
    runtime: Runtime,
    told: mpsc::Receiver<Told>,
    pub(super) size: usize,
}

impl Crowd {
    /// Brings `size` clients of `accounts` accounts into IDLE.
    pub(super) fn gather(at: Loopback, size: usize, accounts: usize, is_tls: bool) -> Result<Self> {
        let runtime = Runtime::new()?;
        let (telling, told) = mpsc::channel(size.max(1));
        let mut tls = testkit::client::tls_config()?;
        // Each client is a new one to the server: no session is taken up again.
        Arc::make_mut(&mut tls).resumption = rustls::client::Resumption::disabled();
        let tls = TlsConnector::from(tls);
        runtime.block_on(async {
            let places = Arc::new(Semaphore::new(COMING_AT_ONCE));
            let (ready, mut are_ready) = mpsc::channel::<Result<()>>(size.max(1));
            for n in 0..size {
                let place = places.clone().acquire_owned().await?;
                let (tls, ready, telling) = (tls.clone(), ready.clone(), telling.clone());
                let account = n % accounts;
                tokio::spawn(async move {
                    let coming =
                        tokio::time::timeout(PATIENCE, come(at, account, is_tls, &tls)).await;
                    drop(place);
                    let came = coming.context("too slow to IDLE").and_then(|done| done);
                    match came {
                        Ok(stream) => {
                            ready.send(Ok(())).await.ok();
                            drop(ready);
                            listen(stream, account, &telling).await;
                        }
                        Err(err) => ready.send(Err(err)).await.unwrap_or_default(),
                    }
                });
            }
            drop(ready);
            for n in 0..size {
                let came = are_ready.recv().await.context("a client is lost")?;
                came.with_context(|| format!("client {n} of {size}"))?;
            }
            Ok::<(), anyhow::Error>(())
        })?;
        Ok(Self { runtime, told, size })
    }

    /// Waits until each client was told once.
    pub(super) fn all_told(&mut self) -> Result<Vec<Told>> {
        let Self { runtime, told, size } = self;
        runtime.block_on(async {
            let mut all = Vec::with_capacity(*size);
            while all.len() < *size {
                match tokio::time::timeout(PATIENCE, told.recv()).await {
                    Ok(Some(one)) => all.push(one),
                    _ => bail!("only {} of {size} were told", all.len()),
                }
            }
            Ok(all)
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Connects, logs in, selects INBOX and goes into IDLE.
async fn come(at: Loopback, n: usize, is_tls: bool, tls: &TlsConnector) -> Result<Box<dyn Stream>> {
    let port = if is_tls { 993 } else { 143 } + at.port_offset;
    let tcp = TcpStream::connect(SocketAddr::new(at.address, port)).await?;
    tcp.set_nodelay(true)?;
    let mut stream: Box<dyn Stream> = if is_tls {
        let name = ServerName::try_from("mail.office.test")?.to_owned();
        Box::new(tls.connect(name, tcp).await?)
    } else {
        Box::new(tcp)
    };
    let name = account(n);
    expect(&mut stream, "* OK").await?;
    say(&mut stream, &format!("a LOGIN {} {}", login(&name), password(&name))).await?;
    expect(&mut stream, "a OK").await?;
    say(&mut stream, "b SELECT INBOX").await?;
    expect(&mut stream, "b OK").await?;
    say(&mut stream, "c IDLE").await?;
    expect(&mut stream, "+").await?;
    Ok(stream)
}

async fn say(stream: &mut Box<dyn Stream>, line: &str) -> Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    Ok(stream.flush().await?)
}

/// Reads up to the line that begins with `start`, which must be the last.
async fn expect(stream: &mut Box<dyn Stream>, start: &str) -> Result<()> {
    let mut heard = Vec::new();
    loop {
        let mut piece = [0u8; 2048];
        let n = stream.read(&mut piece).await?;
        heard.extend_from_slice(piece.get(..n).unwrap_or_default());
        let text = String::from_utf8_lossy(&heard);
        if text.ends_with("\r\n") && text.lines().any(|line| line.starts_with(start)) {
            return Ok(());
        }
        if n == 0 || text.contains("a NO") || text.contains("* BYE") {
            bail!("instead of {start:?} came {text:?}");
        }
    }
}

/// Tells each EXISTS on, until the server goes.
async fn listen(mut stream: Box<dyn Stream>, account: usize, telling: &mpsc::Sender<Told>) {
    let mut piece = [0u8; 256];
    while let Ok(n @ 1..) = stream.read(&mut piece).await {
        let text = String::from_utf8_lossy(piece.get(..n).unwrap_or_default());
        if text.contains("EXISTS")
            && telling.send(Told { account, at: Instant::now() }).await.is_err()
        {
            return;
        }
    }
}
