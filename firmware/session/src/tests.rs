//! A connection over a pipe: what a hostile client can make it hold.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::{Clock, SystemClock, Tier, TierBudget};
use store::{Options, Store};
use tokio::io::AsyncWriteExt;

use crate::{Conn, ConnError, Context, Line, Shutdown, Tls};

async fn context(dir: &std::path::Path) -> Context {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(Options::new(dir), clock.clone()).unwrap();
    let tls = Tls::open(store.clone(), &["x.test".to_owned()], clock.now()).await.unwrap();
    Context::new(store, Arc::new(TierBudget::of(Tier::OneGb)), clock, tls, Shutdown::new())
}

fn pipe(ctx: &Context) -> (Conn, tokio::io::DuplexStream) {
    Conn::in_memory(ctx.clone(), IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()
}

#[tokio::test]
async fn reads_that_never_end_with_a_line_do_not_fill_the_memory() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    let (mut conn, mut client) = pipe(&ctx);
    let line = [vec![b'x'; 7_997], b"\r\n".to_vec()].concat();
    let lines = 300;
    let sending = tokio::spawn(async move {
        let all = line.repeat(lines);
        client.write_all(&all).await.unwrap();
        client
    });
    for _ in 0..lines {
        assert!(matches!(conn.read_line(8_192).await.unwrap(), Line::Full(_)));
        assert!(conn.held() <= 64 * 1024, "{} bytes held", conn.held());
    }
    drop(sending.await.unwrap());
}

#[tokio::test]
async fn a_revoked_login_ends_a_waiting_connection() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    let (mut conn, _client) = pipe(&ctx);
    assert!(conn.set_login(base::AccountId(7)));
    let waiting = tokio::spawn(async move { conn.readable().await });
    ctx.admission.close_account(base::AccountId(7));
    assert!(matches!(waiting.await.unwrap(), Err(ConnError::Revoked)));
}
