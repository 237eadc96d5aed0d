//! Who may send to whom: the verdicts at MAIL and RCPT. RFC 5321 §3.3, §7.1.

use base::{AccountId, Address};
use store::{Account, AccountState, Resolution};

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
    /// All that the address leads to are accounts that are suspended. 450 4.2.1.
    Suspended,
    /// The directory could not be asked, or the disk is full. 451 4.3.0.
    TryLater,
}

/// What to say to a MAIL of an authenticated client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderVerdict {
    /// An address that the account may send with, or the null reverse-path (250).
    Allowed,
    /// Not such an address. 553 5.7.1.
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
                if remote.is_empty() && self.are_suspended(&accounts) {
                    return RcptVerdict::Suspended;
                }
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

    /// True if all of these accounts are suspended. A list with one that is not is taken, and its members that
    /// are suspended get their copies too: they have room for it, to leave them out would lose mail that
    /// was promised, and to put off the list would keep it from the others.
    pub(crate) fn are_suspended(&self, accounts: &[AccountId]) -> bool {
        let is = |id: &AccountId| matches!(self.store().account(*id), Ok(Some(a)) if a.state == AccountState::Suspended);
        !accounts.is_empty() && accounts.iter().all(is)
    }

    fn verify_quota(&self, account: AccountId, size: u64) -> RcptVerdict {
        match self.store().quota(account) {
            Ok(quota) if quota.has_room(1, size.max(1)) => RcptVerdict::Local,
            Ok(_) => RcptVerdict::OverQuota,
            Err(err) => {
                tracing::error!(account = %account, err = %err, "the quota could not be read");
                RcptVerdict::TryLater
            }
        }
    }

    /// Judges the reverse-path of a client that is logged in: one of the account's addresses by any name of
    /// their domain and with any `+detail`, an alias of it, or what its entry's `postroomSendAs` lists.
    ///
    /// The header's `From` is not judged. RFC 6409 §6.1 leaves the check to the envelope, and a header that
    /// differs is common where all is right: mail that is resent, what a program sends in a person's name.
    #[must_use]
    pub fn verify_sender(
        &self,
        account: &Account,
        reverse_path: Option<&Address>,
    ) -> SenderVerdict {
        let Some(address) = reverse_path else {
            return SenderVerdict::Allowed;
        };
        match self.store().may_send_as(account.id, address) {
            Ok(true) => SenderVerdict::Allowed,
            Ok(false) => SenderVerdict::NotYours,
            Err(err) => {
                tracing::error!(err = %err, "the directory could not be asked for a sender");
                SenderVerdict::TryLater
            }
        }
    }
}
