//! The logins of accounts: by password, by app password, by SCRAM; and the making of app passwords.

use std::net::IpAddr;

use base::{AccountId, hex};
use store::{Account, AccountState, AppPassword, Credentials};

use super::{Auth, LOGIN_MAX, lock, off_thread};
use crate::sasl::scram::Verifier;
use crate::throttle::Attempt;
use crate::{LoginError, Protocol, app_password, schemes};

/// The login of whoever owns the box; it is no account, and has the number of the office.
pub(crate) const ADMIN: &str = "admin";

/// Who has logged in, and how.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub account: Account,
    /// The number of the app password that was used.
    pub app_password: Option<u32>,
}

/// Whom a SCRAM exchange is about.
pub(crate) struct ScramUser {
    account: Option<Account>,
    /// What a proof may belong to, all with one salt; never empty.
    pub(crate) verifiers: Vec<Verifier>,
    /// Of each verifier the app password that it is of.
    of_apps: Vec<Option<AppPassword>>,
    has_totp: bool,
    attempt: Attempt,
    protocol: Protocol,
}

/// Wrong tries count for the account, however it was called; what names nobody is cut short.
pub(super) fn counted(account: Option<&Account>, login: &str) -> String {
    match account {
        Some(account) => account.address.key(),
        None => login.trim().chars().take(LOGIN_MAX / 4).collect(),
    }
}

fn must_be_active(account: Account, app_password: Option<u32>) -> Result<Login, LoginError> {
    match account.state {
        AccountState::Active => Ok(Login { account, app_password }),
        _ => Err(LoginError::Disabled),
    }
}

impl Auth {
    /// The account of `login` (an address or alias; the local part alone where there is one domain) if the
    /// password is right, or an app password for the protocol. Where the account has a second factor only app
    /// passwords are taken: of the web, [`Auth::sign_in`] asks for it.
    ///
    /// # Errors
    /// Why not.
    pub async fn login(
        &self,
        login: &str,
        password: &[u8],
        peer: IpAddr,
        protocol: Protocol,
    ) -> Result<Login, LoginError> {
        let account = self.find(login)?;
        self.login_as(account, login, password, peer, protocol).await
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
        protocol: Protocol,
    ) -> Result<Login, LoginError> {
        let known = self.known(account.as_ref())?;
        if let (Some(account), Some(app)) = (&account, app_password::find(&known, password)) {
            let attempt = self.attempt_of(Some(account), named, peer);
            self.app_login(account.id, app, peer, protocol).await?;
            self.succeeded(&attempt);
            return must_be_active(account.clone(), Some(app.id));
        }
        let (account, attempt) = self.by_password(account, named, password, peer).await?;
        if known.totp.is_some() {
            return Err(LoginError::AppPasswordNeeded);
        }
        self.succeeded(&attempt);
        must_be_active(account, None)
    }

    /// The login `admin` by its password or an app password; the number of that.
    ///
    /// # Errors
    /// Why not.
    pub async fn admin_login(
        &self,
        password: &[u8],
        peer: IpAddr,
        protocol: Protocol,
    ) -> Result<Option<u32>, LoginError> {
        let known = self.shared.store.credentials(store::OFFICE)?;
        if let Some(app) = app_password::find(&known, password) {
            self.app_login(store::OFFICE, app, peer, protocol).await?;
            return Ok(Some(app.id));
        }
        let settings = self.shared.store.settings();
        let hash = settings.admin_password_hash.as_deref();
        let attempt = self.try_password(ADMIN, hash, password, peer).await?;
        if known.totp.is_some() {
            return Err(LoginError::AppPasswordNeeded);
        }
        self.succeeded(&attempt);
        Ok(None)
    }

    fn known(&self, account: Option<&Account>) -> Result<Credentials, LoginError> {
        let known = account.map(|account| self.shared.store.credentials(account.id));
        Ok(known.transpose()?.unwrap_or_default())
    }

    fn attempt_of(&self, account: Option<&Account>, named: &str, peer: IpAddr) -> Attempt {
        lock(&self.shared.throttle).attempt(&counted(account, named), peer, None)
    }

    /// The right app password, if it is for the protocol. Nobody guesses one, so no wait holds it back.
    async fn app_login(
        &self,
        account: AccountId,
        app: &AppPassword,
        peer: IpAddr,
        protocol: Protocol,
    ) -> Result<(), LoginError> {
        if app.protocols & protocol.bit() == 0 {
            return Err(LoginError::OtherProtocol);
        }
        let now = self.shared.clock.now();
        let noted = self.shared.store.note_app_password_use(account, app, peer, now).await;
        if let Err(err) = noted {
            tracing::warn!(%account, app = app.id, %err, "the use of an app password is not noted");
        }
        Ok(())
    }

    /// The account, if it is its password.
    pub(super) async fn by_password(
        &self,
        account: Option<Account>,
        named: &str,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<(Account, Attempt), LoginError> {
        let counted = counted(account.as_ref(), named);
        // Who may not log in need not be asked for there, where it would count as a wrong try.
        let is_asked =
            |account: &&Account| account.source.is_some() && account.state == AccountState::Active;
        let attempt = match account.as_ref().filter(is_asked) {
            Some(account) => self.try_elsewhere(account, &counted, password, peer).await?,
            None => {
                let stored = account.as_ref().and_then(|a| a.password_hash.as_deref());
                self.try_password(&counted, stored, password, peer).await?
            }
        };
        let account = account.ok_or(LoginError::Wrong)?;
        if account.source.is_some() {
            return Ok((account, attempt));
        }
        if account.password_hash.as_deref().is_some_and(schemes::is_foreign) {
            self.renew(&account, password).await;
        } else if account.scram_verifier.is_none() {
            self.add_verifier(&account, password).await;
        }
        Ok((account, attempt))
    }

    /// As [`Auth::try_password`], of who comes from an external directory. What was wrong a moment ago may be
    /// right now: it is changed there.
    async fn try_elsewhere(
        &self,
        account: &Account,
        counted: &str,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<Attempt, LoginError> {
        let attempt = lock(&self.shared.throttle).attempt(counted, peer, None);
        self.may_try(&attempt)?;
        if !self.is_right_elsewhere(account, password, || self.may_try(&attempt)).await? {
            self.failed(&attempt);
            return Err(LoginError::Wrong);
        }
        Ok(attempt)
    }

    /// Checks the password of an account that is shown again to confirm something.
    ///
    /// # Errors
    /// Why not.
    pub async fn check_account(
        &self,
        account: &Account,
        password: &[u8],
        peer: IpAddr,
    ) -> Result<(), LoginError> {
        let (_, attempt) = self.by_password(Some(account.clone()), "", password, peer).await?;
        self.succeeded(&attempt);
        Ok(())
    }

    /// Derives what SCRAM needs of a password that was set before it was known. The login does not depend
    /// on it.
    async fn add_verifier(&self, account: &Account, password: &[u8]) {
        let Some(hash) = account.password_hash.clone() else { return };
        if !Verifier::can_take(password) {
            return;
        }
        let Ok(known) = self.shared.store.credentials(account.id) else { return };
        let salt = app_password::scram_salt(Some(account), &known);
        let Ok(_turn) = self.turn().await else { return };
        let password = password.to_vec();
        let derived = off_thread(move || Verifier::derive(&password, salt.as_deref())).await;
        let Ok(Some(verifier)) = derived else { return };
        let stored =
            self.shared.store.add_scram_verifier(account.id, hash, verifier.to_string()).await;
        if let Err(err) = stored {
            tracing::warn!(account = %account.id, %err, "no SCRAM verifier stored");
        }
    }

    /// Puts our own hash in the place of one that came from another server. The login does not depend on it.
    async fn renew(&self, account: &Account, password: &[u8]) {
        let Ok(known) = self.shared.store.credentials(account.id) else { return };
        let salt = app_password::scram_salt(Some(account), &known);
        let Ok(record) = self.hash_with(password, salt).await else { return };
        let old = account.password_hash.clone().unwrap_or_default();
        if let Err(err) = self.shared.store.replace_password(account.id, old, record).await {
            tracing::warn!(account = %account.id, %err, "the old password hash stays");
        }
    }

    /// Makes an app password and what is to be stored of it.
    ///
    /// # Errors
    /// [`LoginError::Busy`], [`LoginError::Store`].
    pub async fn make_app_password(
        &self,
        account: AccountId,
    ) -> Result<(String, String), LoginError> {
        let known = self.shared.store.credentials(account)?;
        let of_account = self.shared.store.account(account)?;
        let salt = app_password::scram_salt(of_account.as_ref(), &known);
        let password = app_password::generate().ok_or(LoginError::Busy)?;
        let _turn = self.turn().await?;
        let given = password.clone();
        let derived = off_thread(move || app_password::verifier(&given, salt.as_deref())).await?;
        Ok((password, derived.ok_or(LoginError::Busy)?))
    }

    /// Whom a SCRAM exchange is about. An unknown name gets a verifier that nothing proves, with a salt
    /// that is the same at each try.
    pub(crate) async fn scram_user(
        &self,
        login: &str,
        peer: IpAddr,
        protocol: Protocol,
    ) -> Result<ScramUser, LoginError> {
        let account = self.find(login)?;
        let attempt = self.attempt_of(account.as_ref(), login, peer);
        self.may_try(&attempt)?;
        let known = self.known(account.as_ref())?;
        // Who comes from elsewhere is asked for there, which needs the password: only app passwords here.
        let is_ours = |account: &&Account| account.source.is_none();
        let of_account = account.as_ref().filter(is_ours);
        let of_account = of_account.and_then(|account| account.scram_verifier.as_deref());
        let mut all: Vec<(Verifier, Option<AppPassword>)> = of_account
            .and_then(Verifier::parse)
            .map(|verifier| (verifier, None))
            .into_iter()
            .collect();
        let of_apps = known.app_passwords.iter();
        all.extend(
            of_apps.filter_map(|app| Some((app_password::scram_of(app)?, Some(app.clone())))),
        );
        if known.totp.is_some() {
            // Where they should not agree on a salt, app passwords are those that may.
            all.sort_by_key(|(_, app)| app.is_none());
        }
        let is_known = !all.is_empty();
        if let Some((first, _)) = all.first().cloned() {
            all.retain(|(verifier, _)| verifier.asks_as(&first));
        } else {
            let decoy =
                Verifier::decoy(&self.login_secret().await?, &counted(account.as_ref(), login));
            all.push((decoy, None));
        }
        let account = account.filter(|_| is_known);
        let (verifiers, of_apps) = all.into_iter().unzip();
        let has_totp = known.totp.is_some();
        Ok(ScramUser { account, verifiers, of_apps, has_totp, attempt, protocol })
    }

    /// The end of a SCRAM exchange: `proved` is the place of the verifier that the proof belongs to.
    pub(crate) async fn scram_proved(
        &self,
        user: ScramUser,
        proved: Option<usize>,
        peer: IpAddr,
    ) -> Result<Login, LoginError> {
        let ScramUser { account, of_apps, has_totp, attempt, protocol, .. } = user;
        // Others failed while this one was on its way.
        self.may_try(&attempt)?;
        let of_app = proved.and_then(|at| of_apps.into_iter().nth(at));
        let (Some(account), Some(of_app)) = (account, of_app) else {
            self.failed(&attempt);
            return Err(LoginError::Wrong);
        };
        match &of_app {
            Some(app) => self.app_login(account.id, app, peer, protocol).await?,
            None if has_totp => return Err(LoginError::AppPasswordNeeded),
            None => {}
        }
        self.succeeded(&attempt);
        must_be_active(account, of_app.map(|app| app.id))
    }

    /// The box's secret for decoys, made at its first use.
    async fn login_secret(&self) -> Result<String, LoginError> {
        let known = self.shared.store.settings().login_secret.clone();
        if !known.is_empty() {
            return Ok(known);
        }
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(|_| LoginError::Busy)?;
        let fresh = hex::encode(&fresh);
        let change = move |settings: &mut store::Settings| {
            if settings.login_secret.is_empty() {
                settings.login_secret = fresh;
            }
        };
        let settings = self.shared.store.update_settings(Box::new(change)).await?;
        Ok(settings.login_secret.clone())
    }
}
