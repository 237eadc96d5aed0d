//! A whole command: tag, name, arguments. RFC 9051 §9 `command`.

use store::SpecialUse;

use super::{
    AclCommand, Bad, Fetch, Input, List, ListKind, MetadataCommand, NotifyCommand, Parsed, Search,
    Select, SequenceSet, Sort, StatusItem, StoreFlags, Thread,
};

const TAG_BYTES_MAX: usize = 256;

/// Whether a command speaks of messages by sequence number or by UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Sequence,
    Uid,
}

/// What a client asks for. Mailbox names are as on the wire, not yet decoded.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Command {
    Capability,
    Noop,
    Logout,
    Id(Option<String>),
    StartTls,
    Authenticate {
        mechanism: String,
        initial: Option<Vec<u8>>,
    },
    Login {
        login: Vec<u8>,
        password: Vec<u8>,
    },
    Enable(Vec<String>),
    Select(Box<Select>),
    /// `None` in `special_uses` is a use that the box does not know.
    Create {
        mailbox: Vec<u8>,
        special_uses: Vec<Option<SpecialUse>>,
    },
    Delete(Vec<u8>),
    Rename {
        from: Vec<u8>,
        to: Vec<u8>,
    },
    Subscribe {
        mailbox: Vec<u8>,
        is_subscribed: bool,
    },
    List(Box<List>),
    Namespace,
    Status {
        mailbox: Vec<u8>,
        items: Vec<StatusItem>,
    },
    GetQuota(Vec<u8>),
    GetQuotaRoot(Vec<u8>),
    /// Resource names in upper case with their limits.
    SetQuota {
        root: Vec<u8>,
        limits: Vec<(String, u64)>,
    },
    Acl(Box<AclCommand>),
    Metadata(Box<MetadataCommand>),
    Notify(Box<NotifyCommand>),
    Idle,
    /// RFC 4978; the algorithm in upper case.
    Compress(String),
    Check,
    Close,
    Unselect,
    /// With UIDs: UID EXPUNGE of RFC 4315.
    Expunge(Option<SequenceSet>),
    Search(Box<Search>, Numbers),
    Sort(Box<Sort>, Numbers),
    Thread(Box<Thread>, Numbers),
    Fetch(Box<Fetch>, Numbers),
    Store(Box<StoreFlags>, Numbers),
    /// COPY, or MOVE of RFC 6851.
    Copy {
        set: SequenceSet,
        to: Vec<u8>,
        numbers: Numbers,
        is_move: bool,
    },
}

/// A command with its tag.
pub(crate) struct Tagged {
    pub(crate) tag: String,
    pub(crate) command: Command,
}

/// Bytes that are no command, with the tag if that much could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) tag: Option<String>,
    pub(crate) why: Bad,
}

/// `tag = 1*<any ASTRING-CHAR except "+">`
pub(super) fn tag(input: &mut Input<'_>) -> Parsed<String> {
    let tag = input.take_while(|byte| super::is_astring_char(byte) && byte != b'+');
    if tag.is_empty() || tag.len() > TAG_BYTES_MAX || !tag.is_ascii() {
        return Err(Bad("a command begins with a tag"));
    }
    Ok(String::from_utf8_lossy(tag).into_owned())
}

/// The tag at the start of `bytes`.
pub(crate) fn tag_of(bytes: &[u8]) -> Option<String> {
    tag(&mut Input::new(bytes)).ok()
}

/// True if the bytes begin as SETMETADATA does.
pub(crate) fn is_set_metadata(bytes: &[u8]) -> bool {
    let mut input = Input::new(bytes);
    tag(&mut input).is_ok() && input.space().is_ok() && input.word("SETMETADATA")
}

/// Reads the bytes of one whole command, literals included.
pub(crate) fn command(bytes: &[u8]) -> Result<Tagged, Rejected> {
    let mut input = Input::new(bytes);
    let tag = tag(&mut input).map_err(|why| Rejected { tag: None, why })?;
    let body = input.space().and_then(|()| input.command_body());
    match body.and_then(|command| input.end().map(|()| command)) {
        Ok(command) => Ok(Tagged { tag, command }),
        Err(why) => Err(Rejected { tag: Some(tag), why }),
    }
}

impl Input<'_> {
    pub(super) fn mailbox_argument(&mut self) -> Parsed<Vec<u8>> {
        self.space()?;
        self.astring()
    }

    /// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]`, RFC 4959.
    fn authenticate(&mut self) -> Parsed<Command> {
        self.space()?;
        let mechanism = self.upper_atom()?;
        let mut initial = None;
        if self.eat(b' ') {
            let response = self.take_while(|byte| byte > b' ' && byte < 0x7f);
            initial = Some(if response == b"=" { Vec::new() } else { response.to_vec() });
        }
        Ok(Command::Authenticate { mechanism, initial })
    }

    fn login(&mut self) -> Parsed<Command> {
        self.space()?;
        let login = self.astring()?;
        self.space()?;
        Ok(Command::Login { login, password: self.astring()? })
    }

    /// `id-params-list = "(" string SP nstring *(SP string SP nstring) ")" / nil`, RFC 2971. Of what the client
    /// says of itself its name and version are kept, to be shown.
    fn id(&mut self) -> Parsed<Command> {
        self.space()?;
        if self.peek() != Some(b'(') {
            return match self.word("NIL") {
                true => Ok(Command::Id(None)),
                false => Err(Bad("a parameter list or NIL is missing")),
            };
        }
        let fields = self.list(200, Self::nstring)?;
        let field = |wanted: &[u8]| {
            let is_it = |pair: &&[Option<Vec<u8>>]| matches!(pair, [Some(name), Some(_)] if name.eq_ignore_ascii_case(wanted));
            let value = fields.chunks(2).find(is_it)?.get(1)?.as_deref()?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let words: Vec<String> =
            [field(b"name"), field(b"version")].into_iter().flatten().collect();
        Ok(Command::Id((!words.is_empty()).then(|| words.join(" "))))
    }

    /// `enable = "ENABLE" 1*(SP capability)`, RFC 5161.
    fn enable(&mut self) -> Parsed<Command> {
        self.space()?;
        let mut names = vec![self.upper_atom()?];
        while self.eat(b' ') {
            if matches!(self.peek(), None | Some(b'\r' | b'\n' | b' ')) {
                continue;
            }
            if names.len() == 32 {
                return Err(Bad("too many capabilities"));
            }
            names.push(self.upper_atom()?);
        }
        Ok(Command::Enable(names))
    }

    /// `create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`, RFC 6154.
    fn create(&mut self) -> Parsed<Command> {
        let mailbox = self.mailbox_argument()?;
        let mut special_uses = Vec::new();
        while self.eat(b' ') {}
        if self.peek() == Some(b'(') {
            self.list(1, |input| {
                if !input.word("USE") {
                    return Err(Bad("unknown CREATE parameter"));
                }
                input.space()?;
                special_uses = input.list(8, |input| {
                    input.expect(b'\\', "a special use begins with a backslash")?;
                    Ok(match input.upper_atom()?.as_str() {
                        "DRAFTS" => Some(SpecialUse::Drafts),
                        "SENT" => Some(SpecialUse::Sent),
                        "TRASH" => Some(SpecialUse::Trash),
                        "JUNK" => Some(SpecialUse::Junk),
                        "ARCHIVE" => Some(SpecialUse::Archive),
                        _ => None,
                    })
                })?;
                Ok(())
            })?;
        }
        Ok(Command::Create { mailbox, special_uses })
    }

    fn status(&mut self) -> Parsed<Command> {
        let mailbox = self.mailbox_argument()?;
        self.space()?;
        Ok(Command::Status { mailbox, items: self.status_items()? })
    }

    fn copy(&mut self, numbers: Numbers, is_move: bool) -> Parsed<Command> {
        self.space()?;
        let set = self.sequence_set()?;
        let to = self.mailbox_argument()?;
        Ok(Command::Copy { set, to, numbers, is_move })
    }

    /// The commands that speak of messages; `None` is another command.
    fn message_command(&mut self, name: &str, numbers: Numbers) -> Option<Parsed<Command>> {
        Some(match name {
            "FETCH" => self.fetch().map(|fetch| Command::Fetch(Box::new(fetch), numbers)),
            "SEARCH" => self.search().map(|search| Command::Search(Box::new(search), numbers)),
            "SORT" => self.sort().map(|sort| Command::Sort(Box::new(sort), numbers)),
            "THREAD" => self.thread().map(|thread| Command::Thread(Box::new(thread), numbers)),
            "STORE" => self.store().map(|store| Command::Store(Box::new(store), numbers)),
            "COPY" => self.copy(numbers, false),
            "MOVE" => self.copy(numbers, true),
            _ => return None,
        })
    }

    /// `uid = "UID" SP (copy / move / fetch / search / store / uid-expunge)`
    fn uid(&mut self) -> Parsed<Command> {
        self.space()?;
        let name = self.upper_atom()?;
        if name == "EXPUNGE" {
            self.space()?;
            return self.sequence_set().map(|set| Command::Expunge(Some(set)));
        }
        self.message_command(&name, Numbers::Uid).unwrap_or(Err(Bad("unknown UID command")))
    }

    fn command_body(&mut self) -> Parsed<Command> {
        let name = self.upper_atom()?;
        if let Some(command) = self.message_command(&name, Numbers::Sequence) {
            return command;
        }
        if let Some(command) = self.acl_command(&name) {
            return command.map(|command| Command::Acl(Box::new(command)));
        }
        if let Some(command) = self.metadata_command(&name) {
            return command.map(|command| Command::Metadata(Box::new(command)));
        }
        match name.as_str() {
            "CAPABILITY" => Ok(Command::Capability),
            "NOOP" => Ok(Command::Noop),
            "LOGOUT" => Ok(Command::Logout),
            "ID" => self.id(),
            "STARTTLS" => Ok(Command::StartTls),
            "AUTHENTICATE" => self.authenticate(),
            "LOGIN" => self.login(),
            "ENABLE" => self.enable(),
            "SELECT" => self.select(false).map(|select| Command::Select(Box::new(select))),
            "EXAMINE" => self.select(true).map(|select| Command::Select(Box::new(select))),
            "CREATE" => self.create(),
            "DELETE" => self.mailbox_argument().map(Command::Delete),
            "RENAME" => {
                let from = self.mailbox_argument()?;
                Ok(Command::Rename { from, to: self.mailbox_argument()? })
            }
            "SUBSCRIBE" | "UNSUBSCRIBE" => Ok(Command::Subscribe {
                mailbox: self.mailbox_argument()?,
                is_subscribed: name == "SUBSCRIBE",
            }),
            "LIST" => self.list_command(ListKind::List).map(|list| Command::List(Box::new(list))),
            "LSUB" => self.list_command(ListKind::Lsub).map(|list| Command::List(Box::new(list))),
            "XLIST" => self.list_command(ListKind::Xlist).map(|list| Command::List(Box::new(list))),
            "NAMESPACE" => Ok(Command::Namespace),
            "STATUS" => self.status(),
            "GETQUOTA" => self.mailbox_argument().map(Command::GetQuota),
            "GETQUOTAROOT" => self.mailbox_argument().map(Command::GetQuotaRoot),
            "SETQUOTA" => {
                // RFC 9208 §4.1.3: setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"
                let root = self.mailbox_argument()?;
                self.space()?;
                let limits = self.list(16, |input| {
                    let name = input.upper_atom()?;
                    input.space()?;
                    Ok((name, input.number64()?))
                })?;
                Ok(Command::SetQuota { root, limits })
            }
            "NOTIFY" => self.notify().map(|notify| Command::Notify(Box::new(notify))),
            "IDLE" => Ok(Command::Idle),
            "COMPRESS" => {
                self.space()?;
                self.upper_atom().map(Command::Compress)
            }
            "CHECK" => Ok(Command::Check),
            "CLOSE" => Ok(Command::Close),
            "UNSELECT" => Ok(Command::Unselect),
            "EXPUNGE" => Ok(Command::Expunge(None)),
            "UID" => self.uid(),
            "APPEND" => Err(Bad("APPEND needs a mailbox and a message literal")),
            _ => Err(Bad("unknown command")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read() {
        for text in [
            "a CAPABILITY",
            "a noop ",
            "a ID NIL",
            "a ID (\"name\" \"Microsoft Office 365\" \"version\" NIL)",
            "a ID ()",
            "a AUTHENTICATE PLAIN",
            "a AUTHENTICATE plain =",
            "a AUTHENTICATE PLAIN AGEAYg==",
            "a LOGIN \"user@office.test\" \"p\u{e4}ssword{\\\"}\"",
            "a LOGIN {4}\r\nanna {6+}\r\nsecret",
            "a ENABLE CONDSTORE UTF8=ACCEPT",
            "a SELECT INBOX (CONDSTORE)",
            "a EXAMINE \"INBOX\"",
            "a CREATE Sent2 (USE (\\Sent))",
            "a CREATE \"Projekte/&ANw-bung/2026\"",
            "a RENAME a \"b c\"",
            "a LSUB \"\" \"*\"",
            "a XLIST \"\" %",
            "a STATUS INBOX (MESSAGES UNSEEN)",
            "a UID EXPUNGE 7",
            "a UID MOVE 1:2 Trash",
            "a UID FETCH 1:* (UID FLAGS)",
            "a UID SEARCH ALL",
            "a UID STORE 3,5 +FLAGS.SILENT (\\Deleted)",
            "a SETQUOTA \"\" (STORAGE 512)",
            "a GETQUOTAROOT INBOX",
            "a COMPRESS DEFLATE",
        ] {
            let line = format!("{text}\r\n");
            assert!(command(line.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn bad_commands_keep_their_tag() {
        for (text, tag) in [
            ("a FOO", Some("a")),
            ("a", Some("a")),
            ("a  ", Some("a")),
            ("", None),
            ("+ NOOP", None),
            ("a NOOP x", Some("a")),
            ("a UID NOOP", Some("a")),
            ("a SELECT", Some("a")),
            ("a SELECT INBOX (QRESYNC (1))", Some("a")),
            ("a UID FETCH 0 (UID)", Some("a")),
        ] {
            let line = format!("{text}\r\n");
            let Err(rejected) = command(line.as_bytes()) else { panic!("{text}") };
            assert_eq!(rejected.tag.as_deref(), tag, "{text}");
        }
    }
}
