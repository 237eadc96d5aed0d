//! What every protocol server is handed.

use std::sync::Arc;

use base::{Clock, TierBudget};
use store::Store;

use crate::{Admission, Auth, Shutdown, Tls};

/// The daemon's parts that a session needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The store.
    pub store: Store,
    /// Who may log in.
    pub auth: Auth,
    /// Who may connect.
    pub admission: Admission,
    /// The box's limits.
    pub budget: Arc<TierBudget>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Certificates.
    pub tls: Tls,
    /// Cancelled when the daemon stops.
    pub shutdown: Shutdown,
}

impl Context {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Store,
        budget: Arc<TierBudget>,
        clock: Arc<dyn Clock>,
        tls: Tls,
        shutdown: Shutdown,
    ) -> Self {
        let auth = Auth::new(store.clone(), &budget, Arc::clone(&clock));
        let admission = Admission::new(&budget);
        Self { store, auth, admission, budget, clock, tls, shutdown }
    }

    /// The name that greetings show: the set host name, or `postroom.local`.
    #[must_use]
    pub fn hostname(&self) -> String {
        let settings = self.store.settings();
        if settings.hostname.is_empty() {
            "postroom.local".to_owned()
        } else {
            settings.hostname.clone()
        }
    }
}
