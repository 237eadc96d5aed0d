//! A password is right if the source lets its owner bind with it.
//!
//! Never here: a bind without a password, which many a server takes for one as nobody and lets succeed (RFC
//! 4513 §5.1.2); who tried how often, which is looked at before.

use std::sync::Arc;
use std::time::Duration;

use base::{DomainName, Timestamp};
use directory::Dn;
use store::{Account, AccountSource, SourceSettings};
use tokio::time::{Instant, timeout};

use crate::client::{Client, Raw};
use crate::connect;
use crate::failure::{Failure, Stage};
use crate::person;
use crate::read;
use crate::settings::{CACHE_DAYS, Effective};
use crate::sources::Sources;
use crate::tls::Shown;

/// A mail client waits that long for its login, not much longer.
const BIND_TIMEOUT: Duration = Duration::from_secs(8);
/// A source that let somebody wait longer than this is not asked for [`REST`].
const SLOW: Duration = Duration::from_secs(2);
/// Otherwise each login of an outage would wait for its time limit.
const REST: Duration = Duration::from_secs(15);
const DAY_SECS: i64 = 24 * 60 * 60;

/// What the source says of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordAnswer {
    /// It is right.
    Right,
    /// It is wrong.
    Wrong,
    /// The source cannot be asked; what it last said still counts.
    Silent,
    /// The source cannot be asked, and what it last said counts no more.
    Expired,
}

/// Result codes of a bind that are about the person and not about the server: invalidCredentials, and what
/// servers say of accounts that are locked, have to change their password, or are not there.
fn is_about_the_person(code: i64) -> bool {
    matches!(code, 19 | 32 | 34 | 48 | 49 | 50 | 53)
}

impl Sources {
    /// Asks the source of an account. At most 32 at once, 8 seconds each.
    pub async fn check_password(&self, account: &Account, password: &[u8]) -> PasswordAnswer {
        let Some(source) = &account.source else { return PasswordAnswer::Wrong };
        if password.is_empty() {
            return PasswordAnswer::Wrong;
        }
        let domain = DomainName::parse(&source.domain).ok();
        let settings =
            domain.as_ref().and_then(|domain| self.store().source(domain).ok().flatten());
        let (Some(domain), Some(settings)) = (domain, settings) else {
            return self.by_cache(source.checked_at, CACHE_DAYS);
        };
        let rests = self.rests_until(&domain).is_some_and(|until| Instant::now() < until);
        if settings.enabled && !rests && !source.dn.is_empty() {
            let begun = Instant::now();
            let asking = Box::pin(self.bind_as(&settings, source, password));
            match timeout(BIND_TIMEOUT, asking).await {
                Ok(Ok(None)) => return PasswordAnswer::Right,
                Ok(Ok(Some(moved))) => {
                    let may_log_in = Box::pin(self.follow(&domain, &settings, &moved)).await;
                    return if may_log_in { PasswordAnswer::Right } else { PasswordAnswer::Wrong };
                }
                Ok(Err(why)) if why.code.is_some_and(is_about_the_person) => {
                    return PasswordAnswer::Wrong;
                }
                Ok(Err(why)) => {
                    tracing::warn!(%domain, stage = ?why.stage, reason = ?why.reason, detail = why.detail, "the source is not there for a password");
                }
                Err(_) => tracing::warn!(%domain, "the source is too slow for a password"),
            }
            if begun.elapsed() > SLOW {
                self.rest(&domain, Instant::now() + REST);
            }
        }
        self.by_cache(source.checked_at, settings.cache_days)
    }

    fn by_cache(&self, checked_at: Option<Timestamp>, days: u16) -> PasswordAnswer {
        let since = self.now().secs() - i64::from(days) * DAY_SECS;
        match checked_at {
            Some(at) if at.secs() > since => PasswordAnswer::Silent,
            _ => PasswordAnswer::Expired,
        }
    }

    /// Binds as the person. Where that is refused it is looked who has the lasting id by now: somebody who was
    /// moved or renamed there since the last sync is let in, and comes back as he is now.
    async fn bind_as(
        &self,
        settings: &SourceSettings,
        source: &AccountSource,
        password: &[u8],
    ) -> Result<Option<Raw>, Failure> {
        let _turn = self.bind_turn().await.map_err(|_| Failure::malformed(Stage::Bind))?;
        let shown: Shown = Arc::default();
        let mut client = connect::open(settings, self.lookup(), &shown).await?;
        let refused = match client.bind(&source.dn, password).await {
            Err(why) if why.code.is_some_and(is_about_the_person) => why,
            done => return done.map(|()| None),
        };
        match by_id(&mut client, settings, &source.id).await {
            Ok(Some(now)) if !is_same_dn(&now.dn, &source.dn) => {
                client.bind(&now.dn, password).await.map(|()| Some(now))
            }
            Ok(_) => Err(refused),
            Err(why) => {
                tracing::debug!(reason = ?why.reason, detail = why.detail, "nobody is looked for at the source");
                Err(refused)
            }
        }
    }

    /// Makes somebody here what he is there by now; false if he may not log in there.
    async fn follow(&self, domain: &DomainName, settings: &SourceSettings, now: &Raw) -> bool {
        let Ok(domains) = self.store().domain_names() else { return true };
        let effective = Effective::of(settings);
        let Ok(from) = person::person(now, &effective, domain, &domains) else {
            // The next sync has words for it.
            return true;
        };
        let may_log_in = from.state.is_none();
        let dn = from.dn.clone();
        match self.store_of(domain).put_from_source(from).await {
            Ok(_) => tracing::info!(%domain, dn, "a person has another name at the source"),
            Err(err) => tracing::warn!(%domain, dn, %err, "a person of the source is not as there"),
        }
        may_log_in
    }
}

/// Who has a lasting id there, asked by whom the box is there.
async fn by_id(
    client: &mut Client,
    settings: &SourceSettings,
    id: &str,
) -> Result<Option<Raw>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    let own = settings.bind_password.clone().unwrap_or_default();
    client.bind(&settings.bind_dn, own.as_bytes()).await?;
    read::person(client, settings, &Effective::of(settings), id).await
}

/// True if both texts are the same name.
fn is_same_dn(one: &str, other: &str) -> bool {
    match (Dn::parse(one), Dn::parse(other)) {
        (Ok(one), Ok(other)) => one.normalised() == other.normalised(),
        _ => one.eq_ignore_ascii_case(other),
    }
}
