//! Who may log in: argon2id (RFC 9106) away from the runtime's threads, a bounded number at once; and the
//! people of SCRAM (RFC 5802), whose clients do the work.
//!
//! Mail clients log in again and again with the same password. A login that was right is remembered for a
//! while as a keyed hash, so that only the first pays for argon2. Never logged: a password, a hash.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use base::{Address, TierBudget};
use store::{Account, AccountState, Store, StoreError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::elsewhere::PasswordKeeper;
use crate::sasl::scram::Verifier;
use crate::schemes;
use crate::throttle::Throttle;

/// Logins that may wait for a hash before the next is told to come later.
const WAITING_MAX: usize = 2_000;
/// Longest password taken, bytes.
const PASSWORD_MAX: usize = 1024;
/// Longest login name looked up, bytes: an address has at most 320.
const LOGIN_MAX: usize = 512;
/// How long a right login is remembered.
const REMEMBER: Duration = Duration::from_secs(3600);
/// How many right logins are remembered.
const REMEMBERED_MAX: usize = 10_000;
/// Memory of one hash, KB (OWASP's argon2id minimum), and its passes.
const MEMORY_KB: u32 = 19_456;
const PASSES: u32 = 2;

/// Why a login was refused. What the client hears never tells an unknown name from a wrong password.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown name or wrong password.
    #[error("wrong name or password")]
    Wrong,
    /// Too many wrong tries from that network for that name.
    #[error("too many wrong tries")]
    Throttled,
    /// The account may not log in.
    #[error("the account is disabled")]
    Disabled,
    /// The client's message is none of the mechanism.
    #[error("not a message of the mechanism")]
    Malformed,
    /// Right, but nobody may act as somebody else.
    #[error("acting as another is not allowed")]
    NotAllowed,
    /// Too many logins at once.
    #[error("too busy")]
    Busy,
    /// Who keeps the password cannot be asked, and has not been for too long.
    #[error("the external directory does not answer")]
    Unavailable,
    /// The directory could not be asked.
    #[error("the directory cannot be read")]
    Store(#[from] StoreError),
}

/// Checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    at_once: Semaphore,
    waiting: Semaphore,
    throttle: Mutex<Throttle>,
    remembered: Mutex<BTreeMap<[u8; 32], Instant>>,
    keeper: OnceLock<Arc<dyn PasswordKeeper>>,
    /// Random per start: what is remembered is of no use elsewhere.
    key: [u8; 32],
    /// Checked for unknown names, so that they take as long as known ones.
    decoy: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn argon2() -> Argon2<'static> {
    // The constants are within argon2's limits; the default is what stays if they were not.
    let params = Params::new(MEMORY_KB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &[u8]) -> Option<String> {
    argon2().hash_password(password).ok().map(|hash| hash.to_string())
}

/// What is stored of a password: the PHC string and, where SCRAM can take it, its verifier.
fn record_now(password: &[u8]) -> Option<String> {
    let hash = hash_now(password)?;
    Some(match Verifier::derive(password) {
        Some(verifier) => format!("{hash} {verifier}"),
        None => hash,
    })
}

fn verify_now(record: &str, password: &[u8]) -> bool {
    schemes::verify(record.split(' ').next().unwrap_or_default(), password)
}

/// Runs argon2 away from the runtime's threads.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoginError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| LoginError::Busy)
}

/// Whom a SCRAM exchange is about.
pub(crate) struct ScramUser {
    pub(crate) account: Option<Account>,
    pub(crate) verifier: Verifier,
    counted: String,
}

/// Wrong tries count for the account, however it was called; what names nobody is cut short.
fn counted(account: Option<&Account>, login: &str) -> String {
    match account {
        Some(account) => account.address.key(),
        None => login.trim().chars().take(LOGIN_MAX / 4).collect(),
    }
}

impl Auth {
    /// A checker over the accounts of `store`.
    #[must_use]
    pub fn new(store: Store, budget: &TierBudget) -> Self {
        let mut key = [0; 32];
        if getrandom::fill(&mut key).is_err() {
            tracing::error!("no random numbers: logins are not remembered safely");
        }
        let at_once = usize::try_from(budget.password_hashes_at_once.max(1)).unwrap_or(1);
        Self {
            shared: Arc::new(Shared {
                store,
                at_once: Semaphore::new(at_once),
                waiting: Semaphore::new(WAITING_MAX),
                throttle: Mutex::default(),
                remembered: Mutex::default(),
                keeper: OnceLock::new(),
                key,
                decoy: hash_now(&key).unwrap_or_default(),
            }),
        }
    }

    /// Of people from an external directory `keeper` is asked. The first one stays.
    pub fn ask(&self, keeper: Arc<dyn PasswordKeeper>) {
        if self.shared.keeper.set(keeper).is_err() {
            tracing::error!("there is a keeper of passwords already");
        }
    }

    pub(crate) fn keeper(&self) -> Option<Arc<dyn PasswordKeeper>> {
        self.shared.keeper.get().cloned()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Waits in a bounded line for a turn to run argon2; the turn lasts as long as the permit.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, LoginError> {
        let _waiting = self.shared.waiting.try_acquire().map_err(|_| LoginError::Busy)?;
        self.shared.at_once.acquire().await.map_err(|_| LoginError::Busy)
    }

    /// What is to be stored of a new password: its PHC string, and behind a space its SCRAM verifier.
    ///
    /// # Errors
    /// [`LoginError::Busy`].
    pub async fn hash(&self, password: &str) -> Result<String, LoginError> {
        let password = password.as_bytes().to_vec();
        let _turn = self.turn().await?;
        off_thread(move || record_now(&password)).await?.ok_or(LoginError::Busy)
    }

    /// As [`Auth::hash`], of bytes.
    pub(crate) async fn record(&self, password: &[u8]) -> Result<String, LoginError> {
        let password = password.to_vec();
        let _turn = self.turn().await?;
        off_thread(move || record_now(&password)).await?.ok_or(LoginError::Busy)
    }

    /// True if a password is of a length that is looked at.
    pub(crate) fn is_taken(&self, password: &[u8]) -> bool {
        password.len() <= PASSWORD_MAX
    }

    /// Checks a password, whatever is remembered, and remembers nothing.
    pub(crate) async fn verify_once(&self, phc: &str, password: &[u8]) -> Result<bool, LoginError> {
        let (phc, password) = (phc.to_owned(), password.to_vec());
        let _turn = self.turn().await?;
        off_thread(move || verify_now(&phc, &password)).await
    }

    /// True if this password was right for this PHC string not long ago.
    pub(crate) fn remembers(&self, phc: &str, password: &[u8]) -> bool {
        self.is_remembered(&self.token(phc, password))
    }

    pub(crate) fn remember_right(&self, phc: &str, password: &[u8]) {
        self.remember(self.token(phc, password));
    }

    /// True if `password` belongs to the PHC string.
    ///
    /// # Errors
    /// [`LoginError::Busy`].
    pub async fn verify(&self, phc: &str, password: &[u8]) -> Result<bool, LoginError> {
        self.verify_while(phc, password, || true).await
    }

    /// As [`Auth::verify`]; `may_try` is asked when the turn has come: others failed while this one waited.
    async fn verify_while(
        &self,
        phc: &str,
        password: &[u8],
        may_try: impl Fn() -> bool,
    ) -> Result<bool, LoginError> {
        if password.len() > PASSWORD_MAX {
            return Ok(false);
        }
        let token = self.token(phc, password);
        if self.is_remembered(&token) {
            return Ok(true);
        }
        let _turn = self.turn().await?;
        // Clients of one person that start together pay for one hash, not one each.
        if self.is_remembered(&token) {
            return Ok(true);
        }
        if !may_try() {
            return Err(LoginError::Throttled);
        }
        let (phc, password) = (phc.to_owned(), password.to_vec());
        let right = off_thread(move || verify_now(&phc, &password)).await?;
        if right {
            self.remember(token);
        }
        Ok(right)
    }

    /// Checks a password that is not an account's (the administrator's) with the same throttle.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(
        &self,
        name: &str,
        phc: Option<&str>,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<(), LoginError> {
        let may_try = || !lock(&self.shared.throttle).is_blocked(name, peer, Instant::now());
        if !may_try() {
            return Err(LoginError::Throttled);
        }
        let known = phc.is_some();
        let phc = phc.unwrap_or(&self.shared.decoy);
        let right = self.verify_while(phc, password, may_try).await? && known;
        if !right {
            lock(&self.shared.throttle).failed(name, peer, Instant::now());
            return Err(LoginError::Wrong);
        }
        lock(&self.shared.throttle).succeeded(name, peer);
        Ok(())
    }

    /// The account of `login` (an address or alias; the local part alone where there is one domain) if the
    /// password is right.
    ///
    /// # Errors
    /// Why not.
    pub async fn login(
        &self,
        login: &str,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<Account, LoginError> {
        let account = self.find(login)?;
        self.login_as(account, login, password, peer).await
    }

    /// As [`Auth::login`] where the protocol has its own way of naming an account; `None` takes as long and
    /// is refused as a wrong password is.
    ///
    /// # Errors
    /// Why not.
    pub async fn login_as(
        &self,
        account: Option<Account>,
        named: &str,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<Account, LoginError> {
        let counted = counted(account.as_ref(), named);
        // Who may not log in need not be asked for there, where it would count as a wrong try.
        let is_asked =
            |account: &&Account| account.source.is_some() && account.state == AccountState::Active;
        let elsewhere = account.as_ref().filter(is_asked);
        if let Some(account) = elsewhere {
            self.check_elsewhere(account, &counted, password, peer).await?;
        } else {
            let stored = account.as_ref().and_then(|a| a.password_hash.as_deref());
            self.check(&counted, stored, password, peer).await?;
        }
        if let Some(account) = account.as_ref().filter(|account| account.source.is_none()) {
            if account.password_hash.as_deref().is_some_and(schemes::is_foreign) {
                self.renew(account, password).await;
            } else if account.scram_verifier.is_none() {
                self.add_verifier(account, password).await;
            }
        }
        match account {
            Some(account) if account.state == AccountState::Active => Ok(account),
            Some(_) => Err(LoginError::Disabled),
            None => Err(LoginError::Wrong),
        }
    }

    /// As [`Auth::check`], of who comes from an external directory.
    async fn check_elsewhere(
        &self,
        account: &Account,
        counted: &str,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<(), LoginError> {
        let may_try = || !lock(&self.shared.throttle).is_blocked(counted, peer, Instant::now());
        if !may_try() {
            return Err(LoginError::Throttled);
        }
        if !self.is_right_elsewhere(account, password, may_try).await? {
            lock(&self.shared.throttle).failed(counted, peer, Instant::now());
            return Err(LoginError::Wrong);
        }
        lock(&self.shared.throttle).succeeded(counted, peer);
        Ok(())
    }

    /// Derives what SCRAM needs of a password that was set before it was known. The login does not depend
    /// on it.
    async fn add_verifier(&self, account: &Account, password: &[u8]) {
        let Some(hash) = account.password_hash.clone() else { return };
        if !Verifier::can_take(password) {
            return;
        }
        let Ok(_turn) = self.turn().await else { return };
        let password = password.to_vec();
        let Ok(Some(verifier)) = off_thread(move || Verifier::derive(&password)).await else {
            return;
        };
        let stored =
            self.shared.store.add_scram_verifier(account.id, hash, verifier.to_string()).await;
        if let Err(err) = stored {
            tracing::warn!(account = %account.id, %err, "no SCRAM verifier stored");
        }
    }

    /// Puts our own hash in the place of one that came from another server. The login does not depend on it.
    async fn renew(&self, account: &Account, password: &[u8]) {
        let Ok(_turn) = self.turn().await else { return };
        let owned = password.to_vec();
        let Ok(Some(record)) = off_thread(move || record_now(&owned)).await else { return };
        let old = account.password_hash.clone().unwrap_or_default();
        if let Err(err) = self.shared.store.replace_password(account.id, old, record).await {
            tracing::warn!(account = %account.id, %err, "the old password hash stays");
        }
    }

    /// Whom a SCRAM exchange is about. An unknown name gets a verifier that nothing proves, with a salt
    /// that is the same at each try.
    pub(crate) async fn scram_user(
        &self,
        login: &str,
        peer: IpAddr,
    ) -> Result<ScramUser, LoginError> {
        let account = self.find(login)?;
        let counted = counted(account.as_ref(), login);
        if lock(&self.shared.throttle).is_blocked(&counted, peer, Instant::now()) {
            return Err(LoginError::Throttled);
        }
        // Who comes from elsewhere is asked for there, which needs the password: no SCRAM.
        let account = account.filter(|account| account.source.is_none());
        let known = account.as_ref().and_then(|account| account.scram_verifier.as_deref());
        let verifier = match known.and_then(Verifier::parse) {
            Some(verifier) => verifier,
            None => Verifier::decoy(&self.login_secret().await?, &counted),
        };
        Ok(ScramUser { account, verifier, counted })
    }

    /// The end of a SCRAM exchange.
    pub(crate) fn scram_proved(
        &self,
        user: ScramUser,
        is_right: bool,
        peer: IpAddr,
    ) -> Result<Account, LoginError> {
        let ScramUser { account, counted, .. } = user;
        // Others failed while this one was on its way.
        if lock(&self.shared.throttle).is_blocked(&counted, peer, Instant::now()) {
            return Err(LoginError::Throttled);
        }
        let account = account.filter(|account| is_right && account.scram_verifier.is_some());
        let Some(account) = account else {
            lock(&self.shared.throttle).failed(&counted, peer, Instant::now());
            return Err(LoginError::Wrong);
        };
        lock(&self.shared.throttle).succeeded(&counted, peer);
        if account.state == AccountState::Active { Ok(account) } else { Err(LoginError::Disabled) }
    }

    /// The box's secret for decoys, made at its first use.
    async fn login_secret(&self) -> Result<String, LoginError> {
        let known = self.shared.store.settings().login_secret.clone();
        if !known.is_empty() {
            return Ok(known);
        }
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(|_| LoginError::Busy)?;
        let fresh = base::hex::encode(&fresh);
        let change = move |settings: &mut store::Settings| {
            if settings.login_secret.is_empty() {
                settings.login_secret = fresh;
            }
        };
        let settings = self.shared.store.update_settings(Box::new(change)).await?;
        Ok(settings.login_secret.clone())
    }

    /// True if `login` is a name of the account.
    pub(crate) fn is_name_of(&self, login: &str, account: &Account) -> Result<bool, StoreError> {
        Ok(self.find(login)?.is_some_and(|named| named.id == account.id))
    }

    fn find(&self, login: &str) -> Result<Option<Account>, StoreError> {
        let login = login.trim();
        if login.len() > LOGIN_MAX {
            return Ok(None);
        }
        if login.contains('@') {
            return match Address::parse(login) {
                Ok(address) => self.shared.store.account_by_address(&address),
                Err(_) => Ok(None),
            };
        }
        let domains = self.shared.store.domain_names()?;
        let [only] = domains.as_slice() else { return Ok(None) };
        match Address::new(login, only.clone()) {
            Ok(address) => self.shared.store.account_by_address(&address),
            Err(_) => Ok(None),
        }
    }

    /// What is remembered of a right login. A changed password has another PHC string, so the old one is
    /// forgotten at once.
    fn token(&self, phc: &str, password: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.shared.key);
        hasher.update(phc.as_bytes()).update(&[0]).update(password);
        *hasher.finalize().as_bytes()
    }

    /// As after an hour.
    #[cfg(test)]
    pub(crate) fn forget_remembered(&self) {
        lock(&self.shared.remembered).clear();
    }

    fn is_remembered(&self, token: &[u8; 32]) -> bool {
        let remembered = lock(&self.shared.remembered);
        remembered.get(token).is_some_and(|at| at.elapsed() < REMEMBER)
    }

    fn remember(&self, token: [u8; 32]) {
        let mut remembered = lock(&self.shared.remembered);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, at| at.elapsed() < REMEMBER);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(token, Instant::now());
        }
    }
}
