//! The two ends of a login by an external directory: `session` asks, `source` answers; neither knows the other.

use session::{KeeperAnswer, KeeperReply, PasswordKeeper};
use source::{PasswordAnswer, Sources};
use store::Account;

/// The sources as keepers of passwords.
pub(crate) struct Keeper(pub(crate) Sources);

impl PasswordKeeper for Keeper {
    fn ask<'a>(&'a self, account: &'a Account, password: &'a [u8]) -> KeeperReply<'a> {
        Box::pin(async move {
            match self.0.check_password(account, password).await {
                PasswordAnswer::Right => KeeperAnswer::Right,
                PasswordAnswer::Wrong => KeeperAnswer::Wrong,
                PasswordAnswer::Silent => KeeperAnswer::Silent,
                PasswordAnswer::Expired => KeeperAnswer::Expired,
            }
        })
    }
}
