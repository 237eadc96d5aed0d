//! What PID 1 knows of the box, shared by its few threads.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::box_link::{BoxStatus, Console, Network};

/// How the daemon does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// Started, has not said READY.
    #[default]
    Starting,
    /// Serves.
    Ready,
    /// Ended; it is started again after a while.
    Waiting,
    /// Asked to end.
    Stopping,
}

/// The facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// What the daemon may ask for.
    pub(crate) status: BoxStatus,
    /// What the daemon put on the screen.
    pub(crate) console: Console,
    /// Time servers that DHCP named.
    pub(crate) ntp: Vec<IpAddr>,
    /// True while the interface in use has a cable.
    pub(crate) has_carrier: bool,
    /// How the daemon does.
    pub(crate) daemon: Daemon,
    /// What the admin should know, one short line; mostly empty.
    pub(crate) notice: String,
}

/// A handle on the facts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine(Arc<Mutex<(Facts, u64)>>);

impl Machine {
    fn lock(&self) -> MutexGuard<'_, (Facts, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the facts.
    pub(crate) fn facts(&self) -> Facts {
        self.lock().0.clone()
    }

    /// Changes them; the screen is drawn anew soon after.
    pub(crate) fn change(&self, how: impl FnOnce(&mut Facts)) {
        let mut held = self.lock();
        how(&mut held.0);
        held.1 += 1;
    }

    /// As [`Machine::change`], but only a change that `how` reports as one counts.
    pub(crate) fn change_if(&self, how: impl FnOnce(&mut Facts) -> bool) {
        let mut held = self.lock();
        if how(&mut held.0) {
            held.1 += 1;
        }
    }

    /// Counts the changes.
    pub(crate) fn version(&self) -> u64 {
        self.lock().1
    }

    /// The network configuration in force.
    pub(crate) fn network(&self) -> Network {
        self.lock().0.status.network.clone()
    }
}
