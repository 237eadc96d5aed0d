//! Applying a provisioning file to the store.

use base::{Address, DomainName};
use session::{Auth, LoginError};
use store::{AccountChange, NewAccount, Origin, Settings, Step, Store, StoreError, Via};

use super::mail;
use super::{Provision, User};

/// Users between two lines of the log.
const PROGRESS_EVERY: usize = 50;

/// Why a file was not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// An address of the file belongs to somebody else on this box. Nothing was applied.
    #[error("{0} belongs to another account, alias or group of this box")]
    AddressTaken(Address),
    /// A domain of the file, or a further name of one, is another domain's. Nothing was applied.
    #[error("{0} is a mail domain of this box, or another name of one")]
    DomainTaken(DomainName),
    /// A member of a group has an address of this box and is no account. Nothing was applied.
    #[error("{0} is to be in a group and is no account of this box")]
    MemberUnknown(Address),
    /// A password could not be hashed. Nothing was applied.
    #[error("a password could not be hashed")]
    Hash(#[from] LoginError),
    /// A webhook that is asked before acts said no. Nothing was applied.
    #[error("a check refuses it: {0}")]
    Refused(String),
    /// The box could not be asked or changed. Nothing was applied.
    #[error("the store refused while {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// Its word.
        #[source]
        source: StoreError,
    },
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was applied.
    Now,
    /// It was applied at an earlier start.
    Before,
}

pub(super) fn store_error(doing: &'static str) -> impl FnOnce(StoreError) -> ApplyError {
    move |source| ApplyError::Store { doing, source }
}

/// Applies `provision`, once.
///
/// # Errors
/// [`ApplyError`].
pub async fn apply(
    provision: &Provision,
    store: &Store,
    auth: &Auth,
) -> Result<Applied, ApplyError> {
    let store = &store.by(Origin::new("provisioning file", Via::Provisioning, None));
    let settings = store.settings();
    if settings.provisioned == provision.hash {
        return Ok(Applied::Before);
    }
    // All that can be refused is found out before the first change.
    mail::check(provision, store)?;
    let mut steps = mail::domains(provision);
    for (done, user) in provision.users.iter().enumerate() {
        // PID 1 reads this line: the box is at work, and its watchdog waits.
        if done % PROGRESS_EVERY == 0 {
            tracing::info!("provisioning: {done} of {} passwords hashed", provision.users.len());
        }
        steps.push(plan(user, store, auth).await?);
    }
    let admin_hash = match &provision.admin_password {
        Some(password) => Some(kept_or_new(auth, &settings.admin_password_hash, password).await?),
        None => None,
    };
    steps.extend(mail::groups_of(provision));
    // One act: whoever may refuse a part of it refuses all of it.
    let change = provision.clone();
    let done = store
        .carry_out(steps, move |settings| {
            change_settings(settings, change.clone(), admin_hash.clone());
        })
        .await;
    match done {
        Err(StoreError::Vetoed(text)) => return Err(ApplyError::Refused(text)),
        Err(StoreError::LimitReached(what)) => {
            return Err(ApplyError::Refused(format!("there are too many {what}")));
        }
        done => done.map_err(store_error("applying the file"))?,
    }
    tracing::info!(?provision, "provisioning file applied");
    Ok(Applied::Now)
}

/// The hash there is if the password is still the same: a file that is applied again changes nothing.
async fn kept_or_new(
    auth: &Auth,
    known: &Option<String>,
    password: &str,
) -> Result<String, LoginError> {
    if let Some(hash) = known
        && auth.verify(hash, password.as_bytes()).await?
    {
        return Ok(hash.clone());
    }
    auth.hash(password).await
}

async fn plan(user: &User, store: &Store, auth: &Auth) -> Result<Step, ApplyError> {
    let reading = "reading the directory";
    let known = store.account_by_address(&user.address).map_err(store_error(reading))?;
    let known = known.filter(|account| account.address.key() == user.address.key());
    for address in user.addresses() {
        let owner = store.account_by_address(address).map_err(store_error(reading))?;
        let is_foreign = match owner {
            Some(owner) => Some(owner.id) != known.as_ref().map(|known| known.id),
            None => store.is_taken(address).map_err(store_error(reading))?,
        };
        if is_foreign {
            return Err(ApplyError::AddressTaken(address.clone()));
        }
    }
    let hash = known.as_ref().and_then(|account| account.password_hash.clone());
    let password_hash = Some(kept_or_new(auth, &hash, &user.password).await?);
    Ok(match known {
        Some(account) => {
            let mut change = AccountChange {
                name: Some(user.name.clone()),
                aliases: Some(user.aliases.clone()),
                quota_bytes: Some(user.quota_bytes),
                is_admin: Some(user.is_admin),
                password_hash,
                ..Default::default()
            };
            user.mail.clone().into_change(&mut change);
            Step::Account(account.id, Box::new(change))
        }
        None => {
            let mut change = AccountChange::default();
            user.mail.clone().into_change(&mut change);
            let new = NewAccount {
                address: user.address.clone(),
                name: user.name.clone(),
                aliases: user.aliases.clone(),
                quota_bytes: user.quota_bytes,
                is_admin: user.is_admin,
                password_hash,
            };
            Step::NewAccount(Box::new(new), Box::new(change))
        }
    })
}

fn change_settings(settings: &mut Settings, provision: Provision, admin_hash: Option<String>) {
    let has_domain = !provision.domains.is_empty();
    if let Some(hostname) = provision.hostname {
        settings.hostname = hostname;
    }
    if let Some(language) = provision.language {
        settings.language = language;
    }
    if let Some(outbound) = provision.outbound {
        settings.outbound = outbound;
    }
    if let Some(servers) = provision.dns_servers {
        settings.dns_servers = servers;
    }
    if let Some(network) = provision.network {
        settings.network = network;
    }
    if admin_hash.is_some() {
        settings.admin_password_hash = admin_hash;
    }
    // What is missing is asked by the wizard.
    let has_all = settings.admin_password_hash.is_some() && !settings.hostname.is_empty();
    if has_all && has_domain {
        settings.setup_complete = true;
        settings.setup_code.clear();
        settings.wizard.clear();
    }
    settings.provisioned = provision.hash;
}
