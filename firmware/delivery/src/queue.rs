//! The queue runner: takes what is due in the spool, tries it, settles it.

use std::future::Future;

use crate::Delivery;

/// Runs until `shutdown` is ready; then lets the sessions under way end (at most 10 s) and returns.
/// What was not settled is tried again after the next start.
#[allow(clippy::unused_async, clippy::unimplemented, reason = "the face, before its body")]
pub async fn run(delivery: Delivery, shutdown: impl Future<Output = ()> + Send) {
    let _ = delivery;
    shutdown.await;
}
