//! Who may log in: argon2id (RFC 9106) away from the runtime's threads, a bounded number at once; and the
//! people of SCRAM (RFC 5802), whose clients do the work.
//!
//! Mail clients log in again and again with the same password. A login that was right is remembered for a
//! while as a keyed hash, so that only the first pays for argon2. Never logged: a password, a hash.

mod login;
mod second_factor;

pub use login::Login;
pub(crate) use login::ScramUser;
pub use second_factor::NewTotp;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use base::{Address, Clock, TierBudget};
use store::{Account, Store, StoreError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::elsewhere::PasswordKeeper;
use crate::sasl::scram::Verifier;
use crate::throttle::{Attempt, Throttle, Verdict};
use crate::{LoginError, app_password, password, schemes};

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
    clock: Arc<dyn Clock>,
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
fn record_now(password: &[u8], scram_salt: Option<&[u8]>) -> Option<String> {
    let hash = hash_now(password)?;
    Some(match Verifier::derive(password, scram_salt) {
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

impl Auth {
    /// A checker over the accounts of `store`.
    #[must_use]
    pub fn new(store: Store, budget: &TierBudget, clock: Arc<dyn Clock>) -> Self {
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
                throttle: Mutex::new(Throttle::new(key)),
                clock,
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

    /// As [`password::check`], away from the runtime's threads: some passwords are not judged at once.
    ///
    /// # Errors
    /// [`LoginError::Busy`].
    pub async fn judge(
        &self,
        text: &str,
        holder: password::Holder,
        about: &[&str],
    ) -> Result<Result<(), password::Weakness>, LoginError> {
        let text = text.to_owned();
        let about: Vec<String> = about.iter().map(ToString::to_string).collect();
        let _turn = self.turn().await?;
        off_thread(move || {
            let about: Vec<&str> = about.iter().map(String::as_str).collect();
            password::check(&text, holder, &about)
        })
        .await
    }

    /// What is to be stored of a new password: its PHC string, and behind a space its SCRAM verifier.
    ///
    /// # Errors
    /// [`LoginError::Busy`].
    pub async fn hash(&self, password: &str) -> Result<String, LoginError> {
        self.hash_with(password.as_bytes(), None).await
    }

    /// As [`Auth::hash`], for an account that is there: SCRAM's salt stays, as its app passwords have it too.
    ///
    /// # Errors
    /// [`LoginError::Busy`], [`LoginError::Store`].
    pub async fn hash_again(
        &self,
        account: &Account,
        password: &str,
    ) -> Result<String, LoginError> {
        let known = self.shared.store.credentials(account.id)?;
        self.hash_with(password.as_bytes(), app_password::scram_salt(Some(account), &known)).await
    }

    /// As [`Auth::hash`], of bytes.
    pub(crate) async fn hash_with(
        &self,
        password: &[u8],
        scram_salt: Option<Vec<u8>>,
    ) -> Result<String, LoginError> {
        let password = password.to_vec();
        let _turn = self.turn().await?;
        let record = off_thread(move || record_now(&password, scram_salt.as_deref())).await?;
        record.ok_or(LoginError::Busy)
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
        self.verify_while(phc, password, || Ok(())).await
    }

    /// As [`Auth::verify`]; `may_try` is asked when the turn has come: others failed while this one waited.
    async fn verify_while(
        &self,
        phc: &str,
        password: &[u8],
        may_try: impl Fn() -> Result<(), LoginError>,
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
        may_try()?;
        let (phc, password) = (phc.to_owned(), password.to_vec());
        let right = off_thread(move || verify_now(&phc, &password)).await?;
        if right {
            self.remember(token);
        }
        Ok(right)
    }

    /// Whether a try may go on.
    fn may_try(&self, attempt: &Attempt) -> Result<(), LoginError> {
        match lock(&self.shared.throttle).judge(attempt, Instant::now()) {
            Verdict::Go => Ok(()),
            Verdict::SameWrong => Err(LoginError::Wrong),
            Verdict::Wait(wait) => Err(LoginError::Throttled(wait)),
        }
    }

    fn failed(&self, attempt: &Attempt) {
        lock(&self.shared.throttle).failed(attempt, Instant::now());
    }

    fn succeeded(&self, attempt: &Attempt) {
        lock(&self.shared.throttle).succeeded(attempt, Instant::now());
    }

    /// What is said of a token of the API that is wrong. It is counted as a wrong try of nobody's name: tokens
    /// are too long to be guessed, the wait is for who makes the box look. A right token is not held up by it.
    #[must_use]
    pub fn wrong_token(&self, token: &str, peer: IpAddr) -> LoginError {
        // No name begins with a blank.
        let attempt =
            lock(&self.shared.throttle).attempt(" token", peer, Some(("", token.as_bytes())));
        match self.may_try(&attempt) {
            Ok(()) => {
                self.failed(&attempt);
                LoginError::Wrong
            }
            Err(why) => why,
        }
    }

    /// Checks a password that is not an account's (the administrator's), or a secret that is shown again to
    /// confirm something, with the same throttle.
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
        let attempt = self.try_password(name, phc, password, peer).await?;
        self.succeeded(&attempt);
        Ok(())
    }

    /// As [`Auth::check`]; the caller says when the login has succeeded.
    async fn try_password(
        &self,
        name: &str,
        phc: Option<&str>,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<Attempt, LoginError> {
        let against = phc.unwrap_or_default();
        let attempt = lock(&self.shared.throttle).attempt(name, peer, Some((against, password)));
        self.may_try(&attempt)?;
        let known = phc.is_some();
        let phc = phc.unwrap_or(&self.shared.decoy);
        let right = self.verify_while(phc, password, || self.may_try(&attempt)).await? && known;
        if !right {
            self.failed(&attempt);
            // A hash of another server may be looked at in no time: its name would stand out among unknown ones.
            if schemes::is_foreign(phc) && self.is_taken(password) {
                self.verify_once(&self.shared.decoy, password).await?;
            }
            return Err(LoginError::Wrong);
        }
        Ok(attempt)
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
