//! The connections on which somebody is logged in: who, from where, since when; and how one is ended.
//!
//! As many as the budget lets log in. Each costs below 200 bytes and the client's name.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, Timestamp};
use tokio::sync::Notify;

/// Endings that are remembered, for the logins that are on their way meanwhile.
const ENDED_MAX: usize = 1_024;
/// Bytes kept of what a client calls itself.
const CLIENT_MAX: usize = 120;

/// What is known of a login besides the connection that it is on.
#[derive(Debug, Default)]
pub(crate) struct Details {
    pub(crate) since: Timestamp,
    /// `TLSv1.3`.
    pub(crate) tls: Option<&'static str>,
    pub(crate) app_password: Option<u32>,
    pub(crate) client: Option<Box<str>>,
}

/// One connection on which somebody is logged in.
#[derive(Debug)]
pub(crate) struct Live {
    number: u64,
    service: &'static str,
    account: AccountId,
    address: IpAddr,
    since: Timestamp,
    tls: Option<&'static str>,
    app_password: Option<u32>,
    client: Mutex<Option<Box<str>>>,
    is_over: AtomicBool,
    ended: Notify,
}

/// A login, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// The connection's name, as in the logs.
    pub id: String,
    /// The service: `imap`, `submissions`.
    pub service: &'static str,
    /// Whose; 0 is the login `admin`.
    pub account: AccountId,
    /// The client's address.
    pub address: IpAddr,
    /// When it logged in.
    pub since: Timestamp,
    /// What the client calls itself, if it does.
    pub client: Option<String>,
    /// The version of TLS, if it is on.
    pub tls: Option<&'static str>,
    /// The number of the app password it logged in with.
    pub app_password: Option<u32>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a client calls itself, cut and without control characters.
pub(crate) fn client_name(text: &str) -> Option<Box<str>> {
    let mut name = String::new();
    for c in text.trim().chars().filter(|c| !c.is_control()) {
        if name.len() + c.len_utf8() > CLIENT_MAX {
            break;
        }
        name.push(c);
    }
    (!name.is_empty()).then(|| name.into_boxed_str())
}

/// The name of a connection in the logs and in the list.
pub(crate) fn name_of(number: u64) -> String {
    format!("s{number:x}")
}

impl Live {
    /// Returns when the login is over.
    pub(crate) async fn over(&self) {
        // Ending stores a permit, so that none is missed between the look and the wait.
        if !self.is_over.load(Ordering::Acquire) {
            self.ended.notified().await;
        }
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.ended.notify_one();
    }

    pub(crate) fn app_password(&self) -> Option<u32> {
        self.app_password
    }

    pub(crate) fn set_client(&self, name: Option<Box<str>>) {
        *lock(&self.client) = name;
    }

    fn told(&self) -> LiveSession {
        LiveSession {
            id: name_of(self.number),
            service: self.service,
            account: self.account,
            address: self.address,
            since: self.since,
            client: lock(&self.client).as_deref().map(ToOwned::to_owned),
            tls: self.tls,
            app_password: self.app_password,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    live: Mutex<BTreeMap<u64, Arc<Live>>>,
    /// How often logins of an account were ended.
    endings: AtomicU64,
    /// The last of these: whose, and with which app password, if only those.
    ended: Mutex<VecDeque<(AccountId, Option<u32>)>>,
}

impl Registry {
    /// Enters a login; the connection's former one goes.
    pub(crate) fn enter(
        &self,
        number: u64,
        service: &'static str,
        address: IpAddr,
        account: AccountId,
        details: Details,
    ) -> Arc<Live> {
        let live = Arc::new(Live {
            number,
            service,
            account,
            address,
            since: details.since,
            tls: details.tls,
            app_password: details.app_password,
            client: Mutex::new(details.client),
            is_over: AtomicBool::new(false),
            ended: Notify::new(),
        });
        lock(&self.live).insert(number, Arc::clone(&live));
        live
    }

    /// The connection is gone.
    pub(crate) fn leave(&self, number: u64) {
        lock(&self.live).remove(&number);
    }

    /// Those of an account, or all, the oldest first.
    pub(crate) fn list(&self, account: Option<AccountId>) -> Vec<LiveSession> {
        let live = lock(&self.live);
        let wanted = live.values().filter(|it| account.is_none_or(|id| it.account == id));
        wanted.map(|it| it.told()).collect()
    }

    /// Ends those that `is_meant` says; how many they were.
    pub(crate) fn end(&self, is_meant: impl Fn(&LiveSession) -> bool) -> usize {
        let live = lock(&self.live);
        let meant = live.values().filter(|it| is_meant(&it.told()));
        meant.map(|it| it.end()).count()
    }

    /// Now, for [`Registry::is_late`].
    pub(crate) fn now(&self) -> u64 {
        self.endings.load(Ordering::Acquire)
    }

    /// True if such logins were ended after `since`, or that is too long ago to be known.
    pub(crate) fn is_late(&self, account: AccountId, app: Option<u32>, since: u64) -> bool {
        let ended = lock(&self.ended);
        let missed = self.now().saturating_sub(since);
        if missed > ended.len() as u64 {
            return true;
        }
        let missed = usize::try_from(missed).unwrap_or(usize::MAX);
        let is_meant = |of: &Option<u32>| of.is_none() || *of == app;
        ended.iter().rev().take(missed).any(|(whose, of)| *whose == account && is_meant(of))
    }

    /// As [`Registry::end`], by account and perhaps app password, without a look at anything else.
    pub(crate) fn end_of(&self, account: AccountId, app_password: Option<u32>) {
        let mut ended = lock(&self.ended);
        if ended.len() >= ENDED_MAX {
            ended.pop_front();
        }
        ended.push_back((account, app_password));
        self.endings.fetch_add(1, Ordering::Release);
        drop(ended);
        let live = lock(&self.live);
        live.values()
            .filter(|it| it.account == account)
            .filter(|it| app_password.is_none() || it.app_password == app_password)
            .for_each(|it| it.end());
    }
}
