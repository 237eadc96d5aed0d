//! Second factors that are being turned on: between the QR code and its first code. In memory only.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::AccountId;
use session::NewTotp;
use tokio::time::Instant;

/// Time to scan and type.
const LASTS: Duration = Duration::from_secs(600);
/// People at once; the oldest goes.
const MAX: usize = 1_000;

/// Whose second factor is not confirmed yet.
#[derive(Debug, Default)]
pub(crate) struct PendingTotp {
    all: Mutex<BTreeMap<AccountId, (Instant, NewTotp)>>,
}

impl PendingTotp {
    fn all(&self) -> MutexGuard<'_, BTreeMap<AccountId, (Instant, NewTotp)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins, or begins anew.
    pub(crate) fn begin(&self, account: AccountId, new: NewTotp) {
        let mut all = self.all();
        all.retain(|_, (at, _)| at.elapsed() < LASTS);
        if all.len() >= MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, (at, _))| *at).map(|(id, _)| *id)
        {
            all.remove(&oldest);
        }
        all.insert(account, (Instant::now(), new));
    }

    /// What was begun, if it is not too old.
    pub(crate) fn find(&self, account: AccountId) -> Option<NewTotp> {
        let all = self.all();
        let (_, new) = all.get(&account).filter(|(at, _)| at.elapsed() < LASTS)?;
        Some(new.clone())
    }

    /// It is on, or given up.
    pub(crate) fn end(&self, account: AccountId) {
        self.all().remove(&account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_confirmed_ends_by_itself() {
        let pending = PendingTotp::default();
        pending.begin(AccountId(1), NewTotp::generate().unwrap());
        tokio::time::advance(LASTS - Duration::from_secs(1)).await;
        assert!(pending.find(AccountId(1)).is_some() && pending.find(AccountId(2)).is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pending.find(AccountId(1)).is_none());
        for n in 0..1_500 {
            pending.begin(AccountId(n), NewTotp::generate().unwrap());
        }
        assert_eq!(pending.all().len(), MAX);
    }
}
