//! STORE and flag lists. RFC 9051 §6.4.6, RFC 7162 §3.1.3.

use store::{FlagOp, Flags};

use super::{Bad, Input, Parsed, SequenceSet};

/// Most keywords of a message, and most bytes of one; what [`Flags`] promises.
const KEYWORDS_MAX: usize = 64;
const KEYWORD_BYTES_MAX: usize = 128;

/// The arguments of STORE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreFlags {
    pub(crate) set: SequenceSet,
    /// RFC 7162 §3.1.3.
    pub(crate) unchanged_since: Option<u64>,
    pub(crate) op: FlagOp,
    pub(crate) is_silent: bool,
    pub(crate) flags: Flags,
}

/// The bit of a system flag.
fn system_flag(name: &[u8]) -> u8 {
    let bits = [
        ("Seen", Flags::SEEN),
        ("Answered", Flags::ANSWERED),
        ("Flagged", Flags::FLAGGED),
        ("Deleted", Flags::DELETED),
        ("Draft", Flags::DRAFT),
    ];
    bits.iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
        .map_or(0, |bit| bit.1)
}

/// Puts one more keyword to its place; a second one of the same name changes nothing.
fn insert_keyword(flags: &mut Flags, keyword: String) -> Parsed<()> {
    let folded = keyword.to_ascii_lowercase();
    let Err(at) = flags.keywords.binary_search_by_key(&folded, |known| known.to_ascii_lowercase())
    else {
        return Ok(());
    };
    if flags.keywords.len() == KEYWORDS_MAX {
        return Err(Bad("too many keywords"));
    }
    flags.keywords.insert(at, keyword);
    Ok(())
}

impl Input<'_> {
    /// `flag = "\Answered" / … / flag-keyword / flag-extension`, put into `flags`.
    ///
    /// What is no flag of ours (`\Recent`, `flag-extension`) is read and left out: RFC 9051 §7.1 lets
    /// a server ignore flags that are not in PERMANENTFLAGS, and Outlook never looks there.
    fn flag_into(&mut self, flags: &mut Flags) -> Parsed<()> {
        if self.eat(b'\\') {
            flags.system |= system_flag(self.atom()?);
            return Ok(());
        }
        let keyword = self.take_while(super::is_astring_char);
        if keyword.is_empty() {
            return Err(Bad("a flag is missing"));
        }
        if keyword.len() > KEYWORD_BYTES_MAX {
            return Err(Bad("a keyword is too long"));
        }
        if !keyword.is_ascii() {
            return Err(Bad("a keyword is not an atom"));
        }
        insert_keyword(flags, String::from_utf8_lossy(keyword).into_owned())
    }

    /// `flag-list = "(" [flag *(SP flag)] ")"`
    pub(super) fn flag_list(&mut self) -> Parsed<Flags> {
        let mut flags = Flags::default();
        self.list(KEYWORDS_MAX * 4, |input| input.flag_into(&mut flags))?;
        Ok(flags)
    }

    /// `flag-list / (flag *(SP flag))`
    fn flags(&mut self) -> Parsed<Flags> {
        if self.peek() == Some(b'(') {
            return self.flag_list();
        }
        let mut flags = Flags::default();
        self.flag_into(&mut flags)?;
        while self.eat(b' ') {
            if matches!(self.peek(), None | Some(b'\r' | b'\n' | b' ')) {
                continue;
            }
            self.flag_into(&mut flags)?;
        }
        Ok(flags)
    }

    /// `store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags`
    pub(super) fn store(&mut self) -> Parsed<StoreFlags> {
        self.space()?;
        let set = self.sequence_set()?;
        self.space()?;
        let mut unchanged_since = None;
        if self.peek() == Some(b'(') {
            // RFC 7162 §7: store-modifier =/ "UNCHANGEDSINCE" SP mod-sequence-valzer
            let values = self.list(1, |input| {
                if !input.word("UNCHANGEDSINCE") {
                    return Err(Bad("unknown STORE modifier"));
                }
                input.space()?;
                input.number64()
            })?;
            unchanged_since = values.first().copied();
            self.space()?;
        }
        let op = if self.eat(b'+') {
            FlagOp::Add
        } else if self.eat(b'-') {
            FlagOp::Remove
        } else {
            FlagOp::Replace
        };
        let is_silent = match self.upper_atom()?.as_str() {
            "FLAGS" => false,
            "FLAGS.SILENT" => true,
            _ => return Err(Bad("unknown STORE item")),
        };
        self.space()?;
        let flags = self.flags()?;
        Ok(StoreFlags { set, unchanged_since, op, is_silent, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        let mut input =
            Input::new(b" 3,5 +FLAGS.SILENT (\\Deleted \\SEEN $Forwarded junk Junk \\Recent)");
        let parsed = input.store().unwrap();
        assert_eq!((parsed.op, parsed.is_silent), (FlagOp::Add, true));
        assert_eq!(parsed.flags.system, Flags::DELETED | Flags::SEEN);
        assert_eq!(parsed.flags.keywords, ["$Forwarded", "junk"]);
    }

    #[test]
    fn both_forms_and_the_modifier_are_read() {
        let parsed = Input::new(b" 1 (UNCHANGEDSINCE 12) FLAGS \\Seen x \r\n").store().unwrap();
        assert_eq!((parsed.op, parsed.unchanged_since), (FlagOp::Replace, Some(12)));
        assert_eq!((parsed.flags.system, parsed.flags.keywords.len()), (Flags::SEEN, 1));
        let parsed = Input::new(b" 1 -flags ()").store().unwrap();
        assert_eq!((parsed.op, parsed.flags), (FlagOp::Remove, Flags::default()));
    }

    #[test]
    fn too_many_keywords_are_refused() {
        let many: Vec<String> = (0..65).map(|n| format!("k{n}")).collect();
        let text = format!(" 1 FLAGS ({})", many.join(" "));
        assert_eq!(Input::new(text.as_bytes()).store(), Err(Bad("too many keywords")));
        let text = format!(" 1 FLAGS ({})", "k".repeat(129));
        assert!(Input::new(text.as_bytes()).store().is_err());
    }
}
