//! A password is right if the source lets its owner bind with it.
//!
//! Never here: a bind without a password, which many a server takes for one as nobody and lets succeed (RFC
//! 4513 §5.1.2); who tried how often, which is looked at before.

use std::sync::Arc;
use std::time::Duration;

use base::{DomainName, Timestamp};
use store::{Account, SourceSettings};
use tokio::time::{Instant, timeout};

use crate::connect;
use crate::failure::{Failure, Stage};
use crate::settings::CACHE_DAYS;
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
            let asking = Box::pin(self.bind_as(&settings, &source.dn, password));
            match timeout(BIND_TIMEOUT, asking).await {
                Ok(Ok(())) => return PasswordAnswer::Right,
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

    async fn bind_as(
        &self,
        settings: &SourceSettings,
        dn: &str,
        password: &[u8],
    ) -> Result<(), Failure> {
        let _turn = self.bind_turn().await.map_err(|_| Failure::malformed(Stage::Bind))?;
        let shown: Shown = Arc::default();
        let mut client = connect::open(settings, self.lookup(), &shown).await?;
        client.bind(dn, password).await
    }
}
