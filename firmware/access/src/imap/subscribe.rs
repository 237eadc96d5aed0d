//! SUBSCRIBE and UNSUBSCRIBE. RFC 9051 §6.3.7 and §6.3.8.

use base::AccountId;
use store::Rights;

use super::reply::{Outcome, ok};
use super::session::Session;

impl Session {
    /// A new subscription must name a mailbox that exists; an old one may outlive it.
    pub(super) async fn subscribe(
        &mut self,
        account: AccountId,
        mailbox: &[u8],
        is_subscribed: bool,
    ) -> Outcome {
        let name = if is_subscribed {
            self.open(mailbox, Rights::LOOKUP)?.name
        } else {
            self.name(mailbox)?
        };
        self.store().subscribe(account, name.clone(), is_subscribed).await?;
        self.note_own_names(&[&name]);
        ok(if is_subscribed { "SUBSCRIBE completed" } else { "UNSUBSCRIBE completed" })
    }
}
