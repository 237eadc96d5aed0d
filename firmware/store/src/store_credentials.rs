//! The face for app passwords and the second factor. Account 0 is the login `admin`.

use std::net::IpAddr;

use base::{AccountId, Timestamp};

use crate::{AppPassword, Credentials, Store, StoreError, Totp, credential};

/// # Errors
/// As each says; all may fail with `Io`, `Index`, `Damaged` or `Closed`, after which the outcome is unknown.
impl Store {
    /// What an account can log in with besides its password.
    pub fn credentials(&self, account: AccountId) -> Result<Credentials, StoreError> {
        credential::load(&self.snapshot()?, account)
    }

    /// Adds an app password for the protocols of the bits; its number. `NoSuchAccount`, `LimitReached`.
    pub async fn add_app_password(
        &self,
        account: AccountId,
        name: String,
        protocols: u8,
        verifier: String,
    ) -> Result<u32, StoreError> {
        self.act(move |tx| credential::add(tx, account, &name, protocols, &verifier)).await
    }

    /// Takes an app password away; its name, if it was there.
    pub async fn remove_app_password(
        &self,
        account: AccountId,
        id: u32,
    ) -> Result<Option<String>, StoreError> {
        self.act(move |tx| credential::remove(tx, account, id)).await
    }

    /// Notes that an app password was used; costs no write more than once an hour.
    pub async fn note_app_password_use(
        &self,
        account: AccountId,
        app: &AppPassword,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !credential::is_news(app, now) {
            return Ok(());
        }
        let id = app.id;
        self.act(move |tx| credential::note_use(tx, account, id, address)).await
    }

    /// Turns the second factor of an account on. `Exists` if it is, `NoSuchAccount`.
    pub async fn set_totp(&self, account: AccountId, totp: Totp) -> Result<(), StoreError> {
        self.act(move |tx| credential::set_totp(tx, account, &totp)).await
    }

    /// Turns it off; true if it was on.
    pub async fn remove_totp(&self, account: AccountId) -> Result<bool, StoreError> {
        self.act(move |tx| credential::remove_totp(tx, account)).await
    }

    /// Takes a code of `step`; false if one of it, or of a later step, was taken before.
    pub async fn take_totp_step(&self, account: AccountId, step: u64) -> Result<bool, StoreError> {
        self.act(move |tx| credential::take_step(tx, account, step)).await
    }

    /// Uses up the recovery code of that hash; false if there is none.
    pub async fn take_recovery_code(
        &self,
        account: AccountId,
        hash: [u8; 32],
    ) -> Result<bool, StoreError> {
        self.act(move |tx| credential::take_recovery_code(tx, account, &hash)).await
    }
}
