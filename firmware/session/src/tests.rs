//! A connection over a pipe: what a hostile client can make it hold.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::{Clock, SystemClock, Tier, TierBudget};
use store::{Options, Store};
use tokio::io::AsyncWriteExt;

use crate::{Conn, ConnError, Context, Line, Protocol, Refusal, Shutdown, Tls};

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
async fn long_work_ends_with_the_daemon_and_keeps_what_the_client_sent() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    let (mut conn, mut client) = pipe(&ctx);
    client.write_all(b"a2 NOOP\r\n").await.unwrap();
    ctx.shutdown.cancel();
    assert!(matches!(conn.gone().await, ConnError::Shutdown));
    assert_eq!(conn.buffered(), b"a2 NOOP\r\n");
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
    conn.set_login(base::AccountId(7), None).unwrap();
    let waiting = tokio::spawn(async move { conn.readable().await });
    ctx.admission.close_account(base::AccountId(7));
    assert!(matches!(waiting.await.unwrap(), Err(ConnError::Revoked)));
}

/// A password that was right when it was checked may be the old one when its login is counted.
#[tokio::test]
async fn a_login_on_its_way_is_ended_with_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    let (one, other) = (base::AccountId(7), base::AccountId(8));
    let (mut conn, mut client) = pipe(&ctx);
    client.write_all(b"LOGIN\r\n").await.unwrap();
    conn.read_line(80).await.unwrap();
    ctx.admission.close_account(one);
    ctx.admission.close_app_password(other, 2);
    let (mut of_other, _client) = pipe(&ctx);
    of_other.set_login(one, None).unwrap();
    assert_eq!(conn.set_login(other, Some(1)), Ok(()));
    assert_eq!(conn.set_login(other, Some(2)), Err(Refusal::Ended));
    assert_eq!(conn.set_login(one, None), Err(Refusal::Ended));
    assert!(matches!(conn.readable().await, Err(ConnError::Revoked)));
    // Who does it on the own connection stays.
    ctx.admission.close_account(one);
    of_other.renew_login(one, None).unwrap();
    // So many others that nobody knows any more.
    let (mut late, _client) = pipe(&ctx);
    for _ in 0..2_000 {
        ctx.admission.close_account(other);
    }
    assert_eq!(late.set_login(base::AccountId(9), None), Err(Refusal::Ended));
}

/// A client's whole exchange; what the server said at the end.
async fn scram(ctx: &Context, name: &str, password: &str) -> Result<String, crate::LoginError> {
    use crate::sasl::{Exchange, Step, scram::client_final};
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (conn, _other_end) = Conn::in_memory(ctx.clone(), here).unwrap();
    let mut exchange = Exchange::new("scram-sha-256", &conn, Protocol::Imap).unwrap();
    let bare = format!("n={name},r=abc");
    let Step::Challenge(first) = exchange.step(format!("n,,{bare}").as_bytes()).await? else {
        panic!("no challenge")
    };
    let first = String::from_utf8(first).unwrap();
    assert!(first.starts_with("r=abc") && first.ends_with(",i=60000"), "{first}");
    let last = client_final(password, b"n,,", &bare, &first);
    let Step::Challenge(proof) = exchange.step(last.as_bytes()).await? else { panic!("no proof") };
    assert!(proof.starts_with(b"v="));
    let Step::Done(login) = exchange.step(b"").await? else { panic!("not done") };
    assert!(exchange.step(b"").await.is_err(), "an exchange ends once");
    Ok(login.account.address.to_string())
}

/// RFC 5802: who knows the password gets in, whenever it was set; a stranger learns nothing of names.
#[tokio::test]
async fn scram_lets_in_who_knows_the_password() {
    use crate::LoginError;
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    let store = ctx.store.clone();
    store.create_domain(base::DomainName::parse("office.test").unwrap()).await.unwrap();
    let address = base::Address::parse("anna@office.test").unwrap();
    let record = ctx.auth.hash("gr\u{fc}n").await.unwrap();
    let (phc, verifier) = record.split_once(' ').unwrap();
    assert!(verifier.starts_with("SCRAM-SHA-256$60000:"));
    let new = store::NewAccount {
        address: address.clone(),
        name: "Anna".to_owned(),
        aliases: Vec::new(),
        quota_bytes: None,
        is_admin: false,
        // As an account of a time before SCRAM.
        password_hash: Some(phc.to_owned()),
    };
    let id = store.create_account(new).await.unwrap();
    let account = || store.account(id).unwrap().unwrap();
    let is_wrong = |outcome| matches!(outcome, Err(LoginError::Wrong));
    assert!(is_wrong(scram(&ctx, "anna@office.test", "gr\u{fc}n").await));

    // The next PLAIN brings the verifier.
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    ctx.auth.login("anna@office.test", "gr\u{fc}n".as_bytes(), here, Protocol::Imap).await.unwrap();
    assert!(account().scram_verifier.is_some());
    assert_eq!(account().password_hash.as_deref(), Some(phc));
    assert_eq!(scram(&ctx, "anna@office.test", "gr\u{fc}n").await.unwrap(), "anna@office.test");
    assert_eq!(scram(&ctx, "Anna", "gr\u{fc}n").await.unwrap(), "anna@office.test");
    assert!(is_wrong(scram(&ctx, "anna", "other").await));
    assert!(is_wrong(scram(&ctx, "nobody", "other").await));

    // Another password: the old verifier goes with it; one that is added late does not come back.
    let fresh = ctx.auth.hash("blau").await.unwrap();
    let change = |hash: &str| store::AccountChange {
        password_hash: Some(hash.to_owned()),
        ..Default::default()
    };
    store.update_account(id, change(&fresh)).await.unwrap();
    store.add_scram_verifier(id, phc.to_owned(), verifier.to_owned()).await.unwrap();
    assert!(is_wrong(scram(&ctx, "anna", "gr\u{fc}n").await));
    assert!(scram(&ctx, "anna", "blau").await.is_ok());
    store.update_account(id, change(fresh.split(' ').next().unwrap())).await.unwrap();
    assert!(scram(&ctx, "anna", "blau").await.is_ok(), "the same password keeps its verifier");
    let disabled =
        store::AccountChange { state: Some(store::AccountState::Disabled), ..Default::default() };
    store.update_account(id, disabled).await.unwrap();
    assert!(is_wrong(scram(&ctx, "anna", "wrong").await));
    assert!(matches!(scram(&ctx, "anna", "blau").await, Err(LoginError::Disabled)));
    for _ in 0..10 {
        drop(scram(&ctx, "anna", "guess").await);
    }
    assert!(matches!(scram(&ctx, "anna", "blau").await, Err(LoginError::Throttled(_))));
}

/// A password that came with its hash from another server lets in, and is kept in our form from then on.
#[tokio::test]
async fn a_foreign_hash_is_replaced_at_the_first_login() {
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    let store = ctx.store.clone();
    store.create_domain(base::DomainName::parse("office.test").unwrap()).await.unwrap();
    let new = store::NewAccount {
        address: base::Address::parse("anna@office.test").unwrap(),
        name: "Anna".to_owned(),
        aliases: Vec::new(),
        quota_bytes: None,
        is_admin: false,
        password_hash: Some("{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA==".to_owned()),
    };
    let id = store.create_account(new).await.unwrap();
    let account = || store.account(id).unwrap().unwrap();
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let login = |password: &'static [u8]| {
        ctx.auth.login("anna@office.test", password, here, Protocol::Imap)
    };
    assert!(matches!(login(b"other").await, Err(crate::LoginError::Wrong)));
    assert!(account().password_hash.unwrap().starts_with("{SSHA}"));
    login(b"secret").await.unwrap();
    assert!(account().password_hash.unwrap().starts_with("$argon2id$"));
    assert!(account().scram_verifier.is_some());
    login(b"secret").await.unwrap();
    assert!(scram(&ctx, "anna", "secret").await.is_ok());
    // One that was replaced meanwhile stays.
    let late = store.replace_password(id, "{SSHA}x".to_owned(), "$argon2id$x".to_owned());
    late.await.unwrap();
    login(b"secret").await.unwrap();
}

/// Plays an external directory: what it says is in `answers`, and who was asked about is counted.
struct Played {
    right: std::sync::Mutex<&'static str>,
    silent: std::sync::Mutex<Option<crate::KeeperAnswer>>,
    asked: std::sync::atomic::AtomicU32,
}

impl crate::PasswordKeeper for Played {
    fn ask<'a>(&'a self, _: &'a store::Account, password: &'a [u8]) -> crate::KeeperReply<'a> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let is_right = *self.right.lock().unwrap() == std::str::from_utf8(password).unwrap();
        let silent = *self.silent.lock().unwrap();
        let said = if is_right { crate::KeeperAnswer::Right } else { crate::KeeperAnswer::Wrong };
        Box::pin(async move { silent.unwrap_or(said) })
    }
}

fn anna_of_the_source() -> store::FromSource {
    let value = |text: &str| vec![text.as_bytes().to_vec()];
    store::FromSource {
        domain: base::DomainName::parse("x.test").unwrap(),
        kind: store::SourceKind::Person,
        id: "1".to_owned(),
        dn: "cn=Anna,dc=ad,dc=test".to_owned(),
        name: "anna".to_owned(),
        state: None,
        attributes: [("cn", "Anna"), ("sn", "A"), ("mail", "anna@x.test")]
            .map(|(key, text)| (key.to_owned(), value(text)))
            .into(),
    }
}

#[tokio::test]
async fn who_comes_from_elsewhere_is_asked_for_there() {
    use crate::{KeeperAnswer, LoginError};
    let dir = tempfile::tempdir().unwrap();
    let ctx = context(dir.path()).await;
    ctx.store.create_domain(base::DomainName::parse("x.test").unwrap()).await.unwrap();
    ctx.store.put_from_source(anna_of_the_source()).await.unwrap();
    let played = Arc::new(Played { right: "first".into(), silent: None.into(), asked: 0.into() });
    let asked = || played.asked.load(std::sync::atomic::Ordering::Relaxed);
    ctx.auth.ask(played.clone());
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let login = async |password: &str| {
        let login = ctx.auth.login("anna", password.as_bytes(), here, Protocol::Imap).await;
        login.map(|login| login.account)
    };

    *played.silent.lock().unwrap() = Some(KeeperAnswer::Silent);
    assert!(matches!(login("first").await, Err(LoginError::Unavailable)), "nothing is kept yet");
    *played.silent.lock().unwrap() = None;
    assert!(matches!(login("").await, Err(LoginError::Wrong)));
    assert_eq!(asked(), 1, "a name without a password is not asked for");
    let anna = login("first").await.unwrap();
    let kept = ctx.store.account(anna.id).unwrap().unwrap();
    assert!(kept.password_hash.is_some() && kept.source.unwrap().checked_at.is_some());
    login("first").await.unwrap();
    assert_eq!(asked(), 2, "a right login is remembered");
    assert!(scram(&ctx, "anna", "first").await.is_err(), "SCRAM cannot ask");

    *played.right.lock().unwrap() = "second";
    assert!(matches!(login("third").await, Err(LoginError::Wrong)));
    login("second").await.unwrap();
    assert!(matches!(login("first").await, Err(LoginError::Wrong)), "the new one was used");

    *played.silent.lock().unwrap() = Some(KeeperAnswer::Silent);
    ctx.auth.forget_remembered();
    login("second").await.unwrap();
    assert!(matches!(login("first").await, Err(LoginError::Wrong)));
    *played.silent.lock().unwrap() = Some(KeeperAnswer::Expired);
    assert!(matches!(login("second").await, Err(LoginError::Unavailable)));
    *played.silent.lock().unwrap() = None;

    // Somebody who guesses is stopped here before he is stopped there.
    let before = asked();
    for _ in 0..20 {
        assert!(login("guess").await.is_err());
    }
    assert!(asked() - before < 10, "{} guesses were passed on", asked() - before);

    // Disabled there: not asked for any more.
    let (before, locked) = (asked(), anna_of_the_source());
    let locked = store::FromSource { state: Some("disabled".to_owned()), ..locked };
    ctx.store.put_from_source(locked).await.unwrap();
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let refused = ctx.auth.login("anna", b"second", elsewhere, Protocol::Imap).await;
    assert!(matches!(refused, Err(LoginError::Disabled)), "{refused:?}");
    let refused = ctx.auth.login("anna", b"guess", elsewhere, Protocol::Imap).await;
    assert!(matches!(refused, Err(LoginError::Wrong)), "{refused:?}");
    assert_eq!(asked(), before);
}
