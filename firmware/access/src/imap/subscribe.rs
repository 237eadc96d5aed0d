//! SUBSCRIBE and UNSUBSCRIBE. RFC 9051 §6.3.7 and §6.3.8.

use base::AccountId;

use super::reply::{Outcome, no_mailbox, ok};
use super::session::Session;

impl Session {
    /// A new subscription must name a mailbox that exists; an old one may outlive it.
    pub(super) async fn subscribe(
        &mut self,
        account: AccountId,
        mailbox: &[u8],
        is_subscribed: bool,
    ) -> Outcome {
        let name = self.name(mailbox)?;
        let store = self.store();
        if is_subscribed && store.mailbox_by_name(account, &name)?.is_none() {
            return Err(no_mailbox());
        }
        store.subscribe(account, name, is_subscribed).await?;
        ok(if is_subscribed { "SUBSCRIBE completed" } else { "UNSUBSCRIBE completed" })
    }
}
