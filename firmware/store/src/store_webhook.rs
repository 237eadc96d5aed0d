//! The face for webhooks.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{Store, StoreError, Webhook, WebhookState, webhook};

/// # Errors
/// All may fail with `Io`, `Index`, `Damaged` or (acts) `Closed`, after which the outcome is unknown.
impl Store {
    /// Adds a webhook; number and time are the store's. `LimitReached`.
    pub async fn create_webhook(&self, hook: Webhook) -> Result<Webhook, StoreError> {
        self.act(move |tx| webhook::create(tx, &hook)).await
    }

    /// Changes the one with this number; false if there is none. One that the box had given up is told again
    /// from where it was, one that was switched off from now on.
    pub async fn change_webhook(&self, hook: Webhook) -> Result<bool, StoreError> {
        self.act(move |tx| webhook::change(tx, &hook)).await
    }

    /// Removes one; false if there is none.
    pub async fn delete_webhook(&self, id: u32) -> Result<bool, StoreError> {
        self.act(move |tx| webhook::delete(tx, id)).await
    }

    /// How far a webhook was told; `None`: there is no such webhook.
    pub fn webhook_state(&self, id: u32) -> Result<Option<WebhookState>, StoreError> {
        webhook::state(&self.snapshot()?, id)
    }

    /// Says how far a webhook was told; nothing happens if it was changed or removed meanwhile.
    pub async fn set_webhook_state(
        &self,
        hook: Webhook,
        state: WebhookState,
    ) -> Result<(), StoreError> {
        self.act(move |tx| webhook::put_state(tx, &hook, &state)).await
    }

    /// The last attempts of a webhook, as [`Store::keep_webhook_attempts`] was told.
    pub fn webhook_attempts(&self, id: u32) -> Result<Option<String>, StoreError> {
        webhook::attempts(&self.snapshot()?, id)
    }

    /// Keeps the last attempts of a webhook: text of no meaning here. `LimitReached`.
    pub async fn keep_webhook_attempts(&self, id: u32, text: String) -> Result<(), StoreError> {
        self.act(move |tx| webhook::put_attempts(tx, id, &text)).await
    }

    /// All webhooks by number; wakes when one comes, changes or goes.
    #[must_use]
    pub fn watch_webhooks(&self) -> watch::Receiver<Arc<[Webhook]>> {
        self.inner.watchers.webhooks()
    }
}
