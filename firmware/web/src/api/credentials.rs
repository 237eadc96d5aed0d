//! App passwords, the second factor, and where one is signed in: of one's own, and, for admins, of others.
//!
//! An app password and the recovery codes are shown once, in the answer that makes them.

mod app_passwords;
mod quality;
mod sessions;
mod totp;

use axum::http::Method;
use base::AccountId;
use session::rules::{Area, Operation};
use store::{Account, Store, StoreError};

use super::Table;
use crate::Web;
use crate::error::ApiError;
use crate::guard::{Access, Identity};

pub(super) fn routes(table: Table) -> Table {
    of_accounts(own(table))
}

fn own(table: Table) -> Table {
    let to = Access::Person;
    table
        .on(Access::Public, Method::POST, "/password-quality", quality::judge)
        .on(to, Method::GET, "/me/security", totp::security)
        .on(to, Method::POST, "/me/totp", totp::begin)
        .on(to, Method::POST, "/me/totp/confirm", totp::confirm)
        .on(to, Method::DELETE, "/me/totp", totp::turn_off)
        .on(to, Method::GET, "/me/app-passwords", app_passwords::list_own)
        .on(to, Method::POST, "/me/app-passwords", app_passwords::add_own)
        .on(to, Method::DELETE, "/me/app-passwords/{id}", app_passwords::remove_own)
        .on(to, Method::GET, "/me/sessions", sessions::list_own)
        .on(to, Method::DELETE, "/me/sessions/{id}", sessions::end_own)
}

fn of_accounts(table: Table) -> Table {
    let one = "/admin/accounts/{id}/app-passwords/{number}";
    let (to, sessions) = (Access::Use(Area::Credentials), Access::Use(Area::Sessions));
    table
        .on(to, Method::DELETE, "/admin/accounts/{id}/totp", totp::turn_off_for)
        .on(to, Method::GET, "/admin/accounts/{id}/app-passwords", app_passwords::list_of)
        .on(to, Method::POST, "/admin/accounts/{id}/app-passwords", app_passwords::add_for)
        .on(to, Method::DELETE, one, app_passwords::remove_of)
        .on(sessions, Method::GET, "/admin/sessions", sessions::list)
        .on(sessions, Method::DELETE, "/admin/sessions/{id}", sessions::end)
        .on(sessions, Method::DELETE, "/admin/accounts/{id}/sessions", sessions::end_all)
}

/// The account of who is signed in; the login `admin` has the office's number.
fn own_id(person: &Identity) -> Result<AccountId, ApiError> {
    person.who.account().ok_or_else(ApiError::not_found)
}

/// An account that is there, and that is theirs to help.
fn reached(web: &Web, by: &Identity, id: u32) -> Result<Account, ApiError> {
    let account = web.store().account(AccountId(id))?.ok_or_else(ApiError::not_found)?;
    by.must_reach(&account, Operation::Modify)?;
    Ok(account)
}

/// The store for acts on the credentials of an account: one's own, or one that is theirs to help.
fn store_for(web: &Web, by: &Identity, id: AccountId) -> Result<Store, StoreError> {
    if by.asks_for_own() {
        return Ok(by.store(web));
    }
    by.store_reaching(web, id, Operation::Modify)
}
