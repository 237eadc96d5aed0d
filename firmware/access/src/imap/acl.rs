//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS. RFC 4314 §3.

use store::{AclOp, Found, Rights, StoreError};

use super::emit;
use super::parse::AclCommand;
use super::reply::{Fail, Outcome, no, ok};
use super::session::Session;

/// RFC 4314 §4: one of these lets the account know its rights.
const TELLS_RIGHTS: Rights = Rights::LOOKUP
    .and(Rights::READ)
    .and(Rights::INSERT)
    .and(Rights::CREATE)
    .and(Rights::DELETE)
    .and(Rights::ADMIN);

/// Rights that can be given each by itself, behind those that are always there.
const OPTIONAL: &str = " r s w i p k x t e c d";

fn no_identifier() -> Fail {
    no("[CANNOT] This identifier names nobody here")
}

impl Session {
    /// `* WORD mailbox`
    fn acl_line(&self, word: &str, mailbox: &str) -> Vec<u8> {
        let mut line = format!("* {word} ").into_bytes();
        self.push_name(&mut line, mailbox);
        line
    }

    pub(super) async fn acl(&mut self, command: AclCommand) -> Outcome {
        match command {
            AclCommand::Set { mailbox, identifier, op, rights } => {
                let found = self.open(&mailbox, Rights::ADMIN)?;
                self.set_acl(&found, identifier, op, rights).await?;
                ok("SETACL completed")
            }
            AclCommand::Delete { mailbox, identifier } => {
                let found = self.open(&mailbox, Rights::ADMIN)?;
                self.set_acl(&found, identifier, AclOp::Replace, Rights::NONE).await?;
                ok("DELETEACL completed")
            }
            AclCommand::Get(mailbox) => {
                let found = self.open(&mailbox, Rights::ADMIN)?;
                let mut line = self.acl_line("ACL", &found.name);
                for (identifier, rights) in self.store().acl(found.mailbox.id)? {
                    line.push(b' ');
                    emit::push_astring(&mut line, identifier.as_bytes());
                    line.push(b' ');
                    emit::push_astring(&mut line, rights.to_string().as_bytes());
                }
                line.extend_from_slice(b"\r\n");
                self.conn.write(&line);
                ok("GETACL completed")
            }
            AclCommand::ListRights { mailbox, identifier } => {
                let found = self.open(&mailbox, Rights::ADMIN)?;
                let is_owner = self
                    .store()
                    .is_owner(found.mailbox.id, &identifier)?
                    .ok_or_else(no_identifier)?;
                let mut line = self.acl_line("LISTRIGHTS", &found.name);
                line.push(b' ');
                // RFC 4314 §3.4: the identifier as it was given.
                emit::push_astring(&mut line, identifier.as_bytes());
                let (always, sometimes) = if is_owner { (" la", "") } else { (" \"\" l", " a") };
                line.extend_from_slice(format!("{always}{OPTIONAL}{sometimes}\r\n").as_bytes());
                self.conn.write(&line);
                ok("LISTRIGHTS completed")
            }
            AclCommand::MyRights(mailbox) => {
                let name = self.name(&mailbox)?;
                let found = self.open_named(&name, |rights| rights.has_any(TELLS_RIGHTS))?;
                self.write_my_rights(&found.name, found.rights);
                ok("MYRIGHTS completed")
            }
        }
    }

    async fn set_acl(
        &mut self,
        found: &Found,
        identifier: String,
        op: AclOp,
        rights: Rights,
    ) -> Result<(), Fail> {
        let shown = identifier.clone();
        match self.store().set_acl(found.mailbox.id, identifier, op, rights).await {
            Err(StoreError::NoSuchAccount) => Err(no_identifier()),
            set => {
                set?;
                tracing::info!(
                    session = self.conn.session(),
                    mailbox = %found.mailbox.id,
                    identifier = shown,
                    ?op,
                    %rights,
                    "rights changed"
                );
                Ok(())
            }
        }
    }

    /// `* MYRIGHTS mailbox rights`
    pub(super) fn write_my_rights(&mut self, name: &str, rights: Rights) {
        let mut line = self.acl_line("MYRIGHTS", name);
        line.push(b' ');
        emit::push_astring(&mut line, rights.to_string().as_bytes());
        line.extend_from_slice(b"\r\n");
        self.conn.write(&line);
    }
}
