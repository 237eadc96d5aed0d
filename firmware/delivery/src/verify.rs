//! Who may send to whom: the verdicts at MAIL and RCPT. RFC 5321 §3.3, §7.1.

use base::Address;
use store::{Account, Resolution};

use crate::Delivery;

/// What to say to a RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RcptVerdict {
    /// Ours; take it (250).
    Local,
    /// Somebody else's, and the client may relay (250).
    Relay,
    /// Somebody else's, and the client may not relay. 550 5.7.1.
    RelayDenied,
    /// Our domain, nobody's address. 550 5.1.1.
    UnknownUser,
    /// The only account behind the address is full. 452 4.2.2.
    OverQuota,
    /// The directory could not be asked, or the disk is full. 451 4.3.0.
    TryLater,
}

/// What to say to a MAIL of an authenticated client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderVerdict {
    /// One of the account's addresses, or the null reverse-path (250).
    Allowed,
    /// Not one of the account's addresses. 553 5.7.1.
    NotYours,
    /// The directory could not be asked. 451 4.3.0.
    TryLater,
}

impl Delivery {
    /// Judges one recipient of a client, logged in as `authenticated` or not at all. `size` is what the
    /// client says of its message (SIZE=, RFC 1870 §6.1), 0 if it says nothing.
    // Async because the answer may come from another machine one day (call-ahead, external directory).
    pub async fn verify_rcpt(
        &self,
        address: &Address,
        authenticated: Option<&Account>,
        size: u64,
    ) -> RcptVerdict {
        match self.store().resolve(address) {
            Ok(Resolution::NotLocal) if authenticated.is_some() => RcptVerdict::Relay,
            Ok(Resolution::NotLocal) => RcptVerdict::RelayDenied,
            Ok(Resolution::Unknown) => RcptVerdict::UnknownUser,
            Ok(Resolution::Known { accounts, remote }) => {
                // An alias with more than one target is taken: one full mailbox shall not keep the
                // mail from the others.
                match (accounts.as_slice(), remote.is_empty()) {
                    ([only], true) => self.verify_quota(*only, size),
                    _ => RcptVerdict::Local,
                }
            }
            Err(err) => {
                tracing::error!(err = %err, "the directory could not be asked for a recipient");
                RcptVerdict::TryLater
            }
        }
    }

    fn verify_quota(&self, account: base::AccountId, size: u64) -> RcptVerdict {
        match self.store().quota(account) {
            Ok(quota) if quota.has_room(1, size.max(1)) => RcptVerdict::Local,
            Ok(_) => RcptVerdict::OverQuota,
            Err(err) => {
                tracing::error!(account = %account, err = %err, "the quota could not be read");
                RcptVerdict::TryLater
            }
        }
    }

    /// Judges the reverse-path of a client that is logged in: it must lead to its own account, by
    /// primary address, further address, alias or `+detail`.
    #[must_use]
    pub fn verify_sender(
        &self,
        account: &Account,
        reverse_path: Option<&Address>,
    ) -> SenderVerdict {
        let Some(address) = reverse_path else {
            return SenderVerdict::Allowed;
        };
        match self.store().resolve(address) {
            Ok(Resolution::Known { accounts, .. }) if accounts.contains(&account.id) => {
                SenderVerdict::Allowed
            }
            Ok(_) => SenderVerdict::NotYours,
            Err(err) => {
                tracing::error!(err = %err, "the directory could not be asked for a sender");
                SenderVerdict::TryLater
            }
        }
    }
}
