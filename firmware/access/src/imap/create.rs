//! CREATE. RFC 9051 §6.3.4, RFC 6154 §3 (CREATE-SPECIAL-USE).
//!
//! Parents are made too and are mailboxes like any other: mail that Outlook's users put into a folder
//! that cannot hold mail is lost.

use base::AccountId;
use store::SpecialUse;

use super::objectid::mailbox_id;
use super::reply::{Answer, Outcome, no};
use super::session::Session;

impl Session {
    pub(super) async fn create(
        &mut self,
        account: AccountId,
        mailbox: &[u8],
        special_uses: &[Option<SpecialUse>],
    ) -> Outcome {
        let name = self.new_name(mailbox)?;
        let store = self.store();
        let (owner, own_name) = self.new_place(&name)?;
        if owner != account && !special_uses.is_empty() {
            return Err(no("[USEATTR] Only your own mailboxes have special uses"));
        }
        let special_use = match special_uses {
            [] => None,
            [Some(special_use)] => Some(*special_use),
            _ => return Err(no("[USEATTR] This special use is not known here")),
        };
        if special_use.is_some()
            && store.mailboxes(account)?.iter().any(|known| known.special_use == special_use)
        {
            return Err(no("[USEATTR] Another mailbox has this special use"));
        }
        let made = store.create_mailbox_for(account, owner, own_name, special_use).await?;
        self.note_own_names(&[&name]);
        // RFC 8474 §4.1.
        let id = mailbox_id(made.id);
        Ok(Answer::Ok(format!("[MAILBOXID ({id})] CREATE completed").into()))
    }
}
