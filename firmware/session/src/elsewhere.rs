//! Passwords that are kept elsewhere: of who comes from the external directory of a domain, that directory
//! is asked. What it called right last stands in the store for the time when it cannot be asked.
//!
//! Never here: how it is asked. Whoever can do that is handed to [`Auth::ask`] at the start.

use std::future::Future;
use std::pin::Pin;

use store::Account;

use crate::{Auth, LoginError};

/// What the keeper of a password says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperAnswer {
    /// It is right.
    Right,
    /// It is wrong, which is final.
    Wrong,
    /// It cannot be asked: what it last called right counts.
    Silent,
    /// It cannot be asked, and that was too long ago.
    Expired,
}

/// The answer on its way.
pub type KeeperReply<'a> = Pin<Box<dyn Future<Output = KeeperAnswer> + Send + 'a>>;

/// Who keeps the passwords of accounts that have a [`store::AccountSource`].
pub trait PasswordKeeper: Send + Sync {
    /// True or false of a password that is not empty. Ends within a time of its own.
    fn ask<'a>(&'a self, account: &'a Account, password: &'a [u8]) -> KeeperReply<'a>;
}

impl Auth {
    /// True if the password is right by its keeper, or by what that said last. `may_try` is asked before:
    /// nobody may use the box to have somebody locked out there.
    ///
    /// A right answer is remembered as any login is, so a password that was changed there is still taken
    /// for that time, unless the new one was used meanwhile.
    pub(crate) async fn is_right_elsewhere(
        &self,
        account: &Account,
        password: &[u8],
        may_try: impl Fn() -> Result<(), LoginError>,
    ) -> Result<bool, LoginError> {
        // RFC 4513 §5.1.2: to many a directory a name without a password is nobody, whom it welcomes.
        if password.is_empty() || !self.is_taken(password) {
            return Ok(false);
        }
        let cached = account.password_hash.as_deref().unwrap_or_default();
        if !cached.is_empty() && self.remembers(cached, password) {
            return Ok(true);
        }
        may_try()?;
        let answer = match self.keeper() {
            Some(keeper) => keeper.ask(account, password).await,
            None => KeeperAnswer::Expired,
        };
        match answer {
            KeeperAnswer::Wrong => Ok(false),
            KeeperAnswer::Expired => Err(LoginError::Unavailable),
            KeeperAnswer::Silent if cached.is_empty() => Err(LoginError::Unavailable),
            // Not remembered: once it can be asked again, it is.
            KeeperAnswer::Silent => self.verify_once(cached, password).await,
            KeeperAnswer::Right => {
                self.keep(account, password).await;
                Ok(true)
            }
        }
    }

    /// Puts what was right into the store. The login does not depend on it.
    async fn keep(&self, account: &Account, password: &[u8]) {
        let cached = account.password_hash.clone().unwrap_or_default();
        let is_known =
            !cached.is_empty() && matches!(self.verify_once(&cached, password).await, Ok(true));
        let record = if is_known {
            self.remember_right(&cached, password);
            None
        } else {
            let Ok(record) = self.hash_with(password, None).await else { return };
            self.remember_right(record.split(' ').next().unwrap_or_default(), password);
            Some(record)
        };
        if let Err(err) = self.store().cache_password(account.id, record).await {
            tracing::warn!(account = %account.id, %err, "the password is not kept for an outage");
        }
    }
}
