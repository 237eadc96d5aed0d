//! The commands of access control lists. RFC 4314 §7.

use store::{AclOp, Rights};

use super::{Bad, Input, Parsed};

/// Bytes of an identifier; addresses end before.
const IDENTIFIER_BYTES_MAX: usize = 512;

/// What a client asks of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AclCommand {
    Set { mailbox: Vec<u8>, identifier: String, op: AclOp, rights: Rights },
    Delete { mailbox: Vec<u8>, identifier: String },
    Get(Vec<u8>),
    ListRights { mailbox: Vec<u8>, identifier: String },
    MyRights(Vec<u8>),
}

impl Input<'_> {
    /// `identifier = astring`, not empty and fit to be shown (RFC 4314 §3 asks for SASLprep, which
    /// forbids control characters).
    fn identifier(&mut self) -> Parsed<String> {
        const WHY: Bad = Bad("an identifier is not valid");
        self.space()?;
        let identifier = String::from_utf8(self.astring()?).map_err(|_| WHY)?;
        let is_good = !identifier.trim_start_matches('-').is_empty()
            && identifier.len() <= IDENTIFIER_BYTES_MAX
            && !identifier.chars().any(char::is_control);
        if is_good { Ok(identifier) } else { Err(WHY) }
    }

    /// `mod-rights = astring`: `+rights`, `-rights` or `rights`.
    fn mod_rights(&mut self) -> Parsed<(AclOp, Rights)> {
        const WHY: Bad = Bad("a right is not known");
        self.space()?;
        let text = String::from_utf8(self.astring()?).map_err(|_| WHY)?;
        let (op, rights) = match text.split_at_checked(1) {
            Some(("+", rights)) => (AclOp::Add, rights),
            Some(("-", rights)) => (AclOp::Remove, rights),
            _ => (AclOp::Replace, text.as_str()),
        };
        Ok((op, Rights::parse(rights).ok_or(WHY)?))
    }

    /// The command of that name; `None` if it is another.
    pub(super) fn acl_command(&mut self, name: &str) -> Option<Parsed<AclCommand>> {
        Some(match name {
            "SETACL" => self.set_acl(),
            "DELETEACL" => self.mailbox_argument().and_then(|mailbox| {
                Ok(AclCommand::Delete { mailbox, identifier: self.identifier()? })
            }),
            "GETACL" => self.mailbox_argument().map(AclCommand::Get),
            "LISTRIGHTS" => self.mailbox_argument().and_then(|mailbox| {
                Ok(AclCommand::ListRights { mailbox, identifier: self.identifier()? })
            }),
            "MYRIGHTS" => self.mailbox_argument().map(AclCommand::MyRights),
            _ => return None,
        })
    }

    fn set_acl(&mut self) -> Parsed<AclCommand> {
        let mailbox = self.mailbox_argument()?;
        let identifier = self.identifier()?;
        let (op, rights) = self.mod_rights()?;
        Ok(AclCommand::Set { mailbox, identifier, op, rights })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, command};
    use super::*;

    fn parsed(text: &str) -> Option<AclCommand> {
        match command(format!("a {text}\r\n").as_bytes()).ok()?.command {
            Command::Acl(command) => Some(*command),
            _ => None,
        }
    }

    #[test]
    fn commands_of_the_rfc_are_read() {
        let set = |text| match parsed(text) {
            Some(AclCommand::Set { identifier, op, rights, .. }) => {
                (identifier, op, rights.to_string())
            }
            _ => panic!("{text}"),
        };
        let told = "lrswikxtecda".to_owned();
        for (text, op) in [
            ("SeTacl INBOX/Drafts David lrswikda", AclOp::Replace),
            ("SETACL INBOX/Drafts David +lrswikda", AclOp::Add),
            ("SETACL \"INBOX/Drafts\" {5}\r\nDavid \"-lrswicda\"", AclOp::Remove),
        ] {
            assert_eq!(set(text), ("David".to_owned(), op, told.clone()), "{text}");
        }
        assert_eq!(set("SETACL INBOX $team \"\"").2, "");
        assert!(parsed("DeleteAcl INBOX -Fred").is_some());
        assert!(parsed("getacl INBOX/Drafts").is_some());
        assert!(parsed("LISTRIGHTS ~/Mail/saved smith").is_some());
        assert!(parsed("MYRIGHTS INBOX").is_some());
    }

    #[test]
    fn bad_commands_are_refused() {
        for text in [
            "SETACL INBOX/Drafts John lrQswicda",
            "SETACL INBOX/Drafts John lrqswicda",
            "SETACL INBOX/Drafts John",
            "SETACL INBOX \"\" lr",
            "SETACL INBOX - lr",
            "SETACL INBOX \"a\x01b\" lr",
            "SETACL INBOX a +-l",
            "DELETEACL INBOX",
            "GETACL",
            "MYRIGHTS INBOX x",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
