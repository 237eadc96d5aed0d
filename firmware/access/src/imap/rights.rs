//! What the account may do: the one way from a name on the wire to a mailbox. RFC 4314 §4.
//!
//! A mailbox that may not be seen is answered as one that is not there. The rights of the selected mailbox
//! are asked again by each command: what is taken away is gone at once.

use store::{Access, Flags, Found, NewPlace, Rights};

use super::reply::{Fail, bad_name, no, no_mailbox, try_create};
use super::session::Session;

/// RFC 4314 §5.2: without any of these SELECT is READ-ONLY.
pub(super) const CHANGES: Rights = Rights::INSERT
    .and(Rights::EXPUNGE)
    .and(Rights::SEEN)
    .and(Rights::WRITE)
    .and(Rights::MARK_DELETED);

/// The answer to a command on a mailbox that may be seen.
pub(super) fn no_permission() -> Fail {
    no("[NOPERM] You have no right to do this here")
}

impl Session {
    /// The mailbox of a (decoded) name, if the account may do there what `is_enough` says.
    pub(super) fn open_named(
        &self,
        name: &str,
        is_enough: impl Fn(Rights) -> bool,
    ) -> Result<Found, Fail> {
        match self.store().open_mailbox(self.account()?, name, is_enough)? {
            Access::Granted(found) => Ok(*found),
            Access::Refused => Err(no_permission()),
            Access::Absent => Err(no_mailbox()),
        }
    }

    /// The mailbox of a name on the wire, if the account has all of `wanted` there.
    pub(super) fn open(&self, wire: &[u8], wanted: Rights) -> Result<Found, Fail> {
        let name = self.name(wire)?;
        self.open_named(&name, |rights| rights.has(wanted))
    }

    /// The mailbox that messages are to go into (RFC 9051 §6.3.12, §6.4.7: TRYCREATE).
    pub(super) fn open_target(&self, wire: &[u8]) -> Result<Found, Fail> {
        let name = self.name(wire)?;
        let is_enough = |rights: Rights| rights.has(Rights::INSERT);
        match self.store().open_mailbox(self.account()?, &name, is_enough)? {
            Access::Granted(found) => Ok(*found),
            Access::Refused => Err(no_permission()),
            Access::Absent => Err(try_create()),
        }
    }

    /// Where a new name may be: its owner, and the owner's name for it.
    pub(super) fn new_place(&self, name: &str) -> Result<(base::AccountId, String), Fail> {
        match self.store().new_place(self.account()?, name)? {
            NewPlace::Granted(owner, name) => Ok((owner, name)),
            NewPlace::Refused => Err(no("[NOPERM] You may not make a mailbox there")),
            NewPlace::BadName => Err(bad_name()),
        }
    }

    /// The rights in the selected mailbox now.
    pub(super) fn rights_here(&mut self) -> Result<Rights, Fail> {
        let account = self.account()?;
        let mailbox = self.selected()?.mailbox;
        let rights = match self.store().rights(account, mailbox) {
            Err(store::StoreError::NoSuchMailbox) => {
                return Err(Fail::Bye("The selected mailbox was deleted"));
            }
            rights => rights?,
        };
        // RFC 4314 §5.1.1.
        if !rights.has(Rights::READ) {
            return Err(Fail::Bye("The right to read the selected mailbox was withdrawn"));
        }
        Ok(rights)
    }

    /// The rights in the selected mailbox, if all of `wanted` are among them.
    pub(super) fn needs(&mut self, wanted: Rights) -> Result<Rights, Fail> {
        let rights = self.rights_here()?;
        if rights.has(wanted) { Ok(rights) } else { Err(no_permission()) }
    }

    /// Tells flags anew when other rights make other ones permanent (RFC 4314 §5.1.1), and ends the session
    /// when reading is over. The owner hears of his own changes with his next SELECT.
    pub(super) fn tell_rights(&mut self) -> Result<(), Fail> {
        if !self.selected.as_ref().is_some_and(|selected| selected.is_foreign) {
            return Ok(());
        }
        let rights = match self.rights_here() {
            Err(Fail::Store(err)) => {
                // As with other news: the command itself was done.
                tracing::warn!(session = self.conn.session(), %err, "no news of rights");
                return Ok(());
            }
            rights => rights?,
        };
        let selected = self.selected()?;
        if selected.rights == rights {
            return Ok(());
        }
        selected.rights = rights;
        let (mailbox, is_read_only) = (selected.mailbox, selected.is_read_only);
        let keywords = self.store().keywords(mailbox)?;
        self.say_permanent_flags(&keywords, is_read_only, rights);
        Ok(())
    }
}

/// What is left of flags that the account may set.
pub(super) fn allowed_flags(flags: &Flags, rights: Rights) -> Flags {
    let (system, may_keywords) = rights.flags();
    let keywords = if may_keywords { flags.keywords.clone() } else { Vec::new() };
    Flags { system: flags.system & system, keywords }
}
