//! Signing in to the web pages, with the second factor where there is one; turning it on.
//!
//! A code is good once. Wrong ones are counted as wrong passwords are, and over all unknown networks together:
//! six digits are soon guessed by many.

use std::net::IpAddr;

use base::AccountId;
use store::{Account, Totp};

use super::login::{ADMIN, counted};
use super::{Auth, lock};
use crate::{LoginError, letters, totp};

/// Recovery codes that are given when the second factor is turned on.
const RECOVERY_CODES: usize = 10;
/// Groups of five letters of one: 50 bits.
const RECOVERY_GROUPS: usize = 2;

/// A second factor that is being turned on. Its debug text has no secret.
#[derive(Clone)]
pub struct NewTotp {
    secret: Vec<u8>,
}

impl std::fmt::Debug for NewTotp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewTotp")
    }
}

impl NewTotp {
    /// A fresh one; `None`: there are no random numbers.
    #[must_use]
    pub fn generate() -> Option<Self> {
        Some(Self { secret: totp::new_secret()? })
    }

    /// What a person types into an authenticator app: base32.
    #[must_use]
    pub fn secret(&self) -> String {
        letters::base32(&self.secret)
    }

    /// The same for a QR code.
    #[must_use]
    pub fn uri(&self, login: &str, hostname: &str) -> String {
        totp::uri(&self.secret, login, hostname)
    }
}

fn hash_of(recovery_code: &str) -> [u8; 32] {
    *blake3::hash(recovery_code.as_bytes()).as_bytes()
}

impl Auth {
    /// Signs in to the web pages, by the name of an account or as `admin` (`None` then). App passwords are not
    /// taken.
    ///
    /// # Errors
    /// [`LoginError::CodeNeeded`] if the password is right and the code is missing; else why not.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &[u8],
        code: Option<&str>,
        peer: IpAddr,
    ) -> Result<Option<Account>, LoginError> {
        let is_admin = login.eq_ignore_ascii_case(ADMIN);
        let (account, attempt) = if is_admin {
            let settings = self.shared.store.settings();
            let hash = settings.admin_password_hash.as_deref();
            (None, self.try_password(ADMIN, hash, password, peer).await?)
        } else {
            let account = self.find(login)?;
            let (account, attempt) = self.by_password(account, login, password, peer).await?;
            (Some(account), attempt)
        };
        let id = account.as_ref().map_or(store::OFFICE, |account| account.id);
        let known = self.shared.store.credentials(id)?;
        if let Some(totp) = &known.totp {
            let code = code.ok_or(LoginError::CodeNeeded)?;
            self.second_factor(id, &counted(account.as_ref(), ADMIN), totp, code, peer).await?;
        }
        if account.as_ref().is_some_and(|account| account.state != store::AccountState::Active) {
            return Err(LoginError::Disabled);
        }
        self.succeeded(&attempt);
        Ok(account)
    }

    /// Checks a code, or uses a recovery code up, to confirm something.
    ///
    /// # Errors
    /// [`LoginError::WrongCode`], also if there is no second factor; [`LoginError::Throttled`].
    pub async fn check_code(
        &self,
        id: AccountId,
        name: &str,
        code: &str,
        peer: IpAddr,
    ) -> Result<(), LoginError> {
        let known = self.shared.store.credentials(id)?;
        let totp = known.totp.ok_or(LoginError::WrongCode)?;
        self.second_factor(id, name, &totp, code, peer).await
    }

    async fn second_factor(
        &self,
        id: AccountId,
        name: &str,
        totp: &Totp,
        code: &str,
        peer: IpAddr,
    ) -> Result<(), LoginError> {
        let attempt =
            lock(&self.shared.throttle).attempt(&format!("code {name}"), peer, None).strict();
        let is_right = if totp::is_code(code) {
            self.may_try(&attempt)?;
            match totp::step_of(&totp.secret, code, self.shared.clock.now()) {
                Some(step) => self.shared.store.take_totp_step(id, step).await?,
                None => false,
            }
        } else {
            self.take_recovery_code(id, code, &attempt).await?
        };
        if is_right {
            self.succeeded(&attempt);
            return Ok(());
        }
        self.failed(&attempt);
        Err(LoginError::WrongCode)
    }

    /// Nobody guesses one, so the right one is not held back by wrong codes: whoever lost his telephone gets in.
    async fn take_recovery_code(
        &self,
        id: AccountId,
        code: &str,
        attempt: &crate::throttle::Attempt,
    ) -> Result<bool, LoginError> {
        let given = letters::as_given(code.as_bytes(), RECOVERY_GROUPS);
        let is_right = match given {
            Some(given) => self.shared.store.take_recovery_code(id, hash_of(&given)).await?,
            None => false,
        };
        if !is_right {
            self.may_try(attempt)?;
        }
        Ok(is_right)
    }

    /// Turns the second factor on if the code is its code of now; the recovery codes, which are shown once. The
    /// store's act is done in the name of `store`.
    ///
    /// # Errors
    /// [`LoginError::WrongCode`]; [`LoginError::Store`] with `Exists` if there is one.
    pub async fn turn_on_totp(
        &self,
        store: &store::Store,
        id: AccountId,
        new: &NewTotp,
        code: &str,
    ) -> Result<Vec<String>, LoginError> {
        let step = totp::step_of(&new.secret, code, self.shared.clock.now());
        // This code is used up, too.
        let last_step = step.ok_or(LoginError::WrongCode)?;
        let codes: Option<Vec<String>> =
            (0..RECOVERY_CODES).map(|_| letters::random(RECOVERY_GROUPS)).collect();
        let codes = codes.ok_or(LoginError::Busy)?;
        let recovery_codes = codes.iter().map(|code| hash_of(code)).collect();
        let totp = Totp { secret: new.secret.clone(), last_step, recovery_codes };
        store.set_totp(id, totp).await?;
        Ok(codes)
    }
}
