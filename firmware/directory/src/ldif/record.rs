//! From unfolded lines to a record: RFC 2849's grammar.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Change, Control, LdifError, Record};
use crate::{Dn, Modification, Rdn};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A line with its folds undone.
#[derive(Debug)]
pub(super) struct Line {
    /// The line it begins on.
    pub(super) number: usize,
    pub(super) text: Vec<u8>,
}

impl Line {
    fn error(&self, text: impl Into<String>) -> LdifError {
        LdifError { line: self.number, text: text.into() }
    }
}

/// `name: value`
struct Pair<'a> {
    line: &'a Line,
    name: &'a str,
    value: Vec<u8>,
}

impl Pair<'_> {
    fn text(&self) -> Result<&str, LdifError> {
        std::str::from_utf8(&self.value).map_err(|_| self.line.error("the value is no text"))
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn dn(&self) -> Result<Dn, LdifError> {
        Dn::parse(self.text()?).map_err(|refusal| self.line.error(refusal.text))
    }
}

pub(super) fn is_version(text: &[u8]) -> bool {
    text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"version:"))
}

/// There is one version.
pub(super) fn check_version(line: &Line) -> Result<(), LdifError> {
    let pair = pair(line)?;
    if pair.value == b"1" { Ok(()) } else { Err(line.error("only version 1 of LDIF is known")) }
}

fn is_separator(line: &Line) -> bool {
    line.text.trim_ascii_end() == b"-"
}

fn pair(line: &Line) -> Result<Pair<'_>, LdifError> {
    let bad = || line.error("a line is `name: value`");
    let at = line.text.iter().position(|c| *c == b':').ok_or_else(bad)?;
    let (name, rest) = line.text.split_at_checked(at).ok_or_else(bad)?;
    let name = std::str::from_utf8(name).map_err(|_| bad())?;
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-.;_".contains(c);
    if name.is_empty() || !name.chars().all(is_good) {
        return Err(bad());
    }
    let spaces = |text: &[u8]| text.iter().take_while(|c| **c == b' ').count();
    let trimmed = |text: &'_ [u8]| text.get(spaces(text)..).map(<[u8]>::to_vec).unwrap_or_default();
    let value = match rest {
        [b':', b':', encoded @ ..] => {
            BASE64.decode(encoded.trim_ascii()).map_err(|_| line.error("the value is no base64"))?
        }
        [b':', b'<', ..] => return Err(line.error("values are not fetched from elsewhere")),
        [b':', value @ ..] => trimmed(value),
        _ => return Err(bad()),
    };
    Ok(Pair { line, name, value })
}

/// A record of its lines, at least one.
pub(super) fn parse(lines: &[Line]) -> Result<Record, LdifError> {
    let Some((first, mut rest)) = lines.split_first() else {
        return Err(LdifError { line: 0, text: "an empty record".to_owned() });
    };
    let head = pair(first)?;
    if !head.is("dn") {
        return Err(first.error("a record begins with `dn:`"));
    }
    let dn = head.dn()?;
    let mut controls = Vec::new();
    while let Some((line, behind)) = rest.split_first()
        && let Ok(pair) = pair(line)
        && pair.is("control")
    {
        controls.push(control(&pair)?);
        rest = behind;
    }
    let change = change(first, rest)?;
    Ok(Record { line: first.number, dn, controls, change })
}

fn change(first: &Line, lines: &[Line]) -> Result<Change, LdifError> {
    let Some((line, rest)) = lines.split_first() else {
        return Err(first.error("a record without attributes"));
    };
    let kind = pair(line)?;
    if !kind.is("changetype") {
        return Ok(Change::Entry { attributes: attributes(lines)?, is_add: false });
    }
    match kind.text()?.trim().to_ascii_lowercase().as_str() {
        "add" if rest.is_empty() => Err(line.error("a record without attributes")),
        "add" => Ok(Change::Entry { attributes: attributes(rest)?, is_add: true }),
        "delete" => match rest.first() {
            Some(line) => Err(line.error("nothing stands in a deletion")),
            None => Ok(Change::Delete),
        },
        "modify" => modifications(rest).map(Change::Modify),
        "modrdn" | "moddn" => rename(line, rest),
        _ => Err(line.error("no such kind of change")),
    }
}

/// `1.2.3 true: value`
fn control(of: &Pair<'_>) -> Result<Control, LdifError> {
    let text = of.text()?;
    let (head, value) = match text.split_once(':') {
        // The value has the form of any other.
        Some((head, rest)) => {
            let line = Line { number: of.line.number, text: format!("v:{rest}").into_bytes() };
            (head, Some(pair(&line)?.value))
        }
        None => (text, None),
    };
    let mut words = head.split_ascii_whitespace();
    let oid = words.next().filter(|oid| crate::schema::is_oid(oid.as_bytes()));
    let is_critical = match words.next() {
        None | Some("false") => Some(false),
        Some("true") => Some(true),
        Some(_) => None,
    };
    match (oid, is_critical, words.next()) {
        (Some(oid), Some(is_critical), None) => {
            Ok(Control { oid: oid.to_owned(), is_critical, value })
        }
        _ => Err(of.line.error("a control is `OID true: value`")),
    }
}

fn attributes(lines: &[Line]) -> Result<Vec<(String, Vec<u8>)>, LdifError> {
    lines.iter().map(|line| pair(line).map(|pair| (pair.name.to_owned(), pair.value))).collect()
}

fn modifications(lines: &[Line]) -> Result<Vec<Modification>, LdifError> {
    let mut changes = Vec::new();
    let mut rest = lines;
    while let Some((line, behind)) = rest.split_first() {
        let head = pair(line)?;
        let name = head.text()?.trim().to_owned();
        let len = behind.iter().position(is_separator).unwrap_or(behind.len());
        let (own, behind) = behind.split_at_checked(len).unwrap_or_default();
        rest = behind.get(1..).unwrap_or_default();
        let mut values = Vec::with_capacity(own.len());
        for line in own {
            let pair = pair(line)?;
            if !pair.is(&name) {
                return Err(line.error(format!("a value of {name} belongs here")));
            }
            values.push(pair.value);
        }
        changes.push(match head.name.to_ascii_lowercase().as_str() {
            "add" => Modification::Add { name, values },
            "delete" => Modification::Delete { name, values },
            "replace" => Modification::Replace { name, values },
            "increment" => Modification::Increment { name, values },
            _ => return Err(line.error("a change is add, delete, replace or increment")),
        });
    }
    Ok(changes)
}

fn rename(kind: &Line, lines: &[Line]) -> Result<Change, LdifError> {
    let (rdn, old, superior) = match lines {
        [rdn, old] => (pair(rdn)?, pair(old)?, None),
        [rdn, old, superior] => (pair(rdn)?, pair(old)?, Some(pair(superior)?)),
        _ => return Err(kind.error("a new name is newrdn, deleteoldrdn and perhaps newsuperior")),
    };
    let is_good = rdn.is("newrdn") && old.is("deleteoldrdn");
    if !is_good || superior.as_ref().is_some_and(|pair| !pair.is("newsuperior")) {
        return Err(kind.error("a new name is newrdn, deleteoldrdn and perhaps newsuperior"));
    }
    let deletes_old = match old.text()?.trim() {
        "0" => false,
        "1" => true,
        _ => return Err(old.line.error("deleteoldrdn is 0 or 1")),
    };
    let new = Rdn::parse(rdn.text()?).map_err(|_| rdn.line.error("invalid new RDN"))?;
    let superior = superior.map(|pair| pair.dn()).transpose()?;
    Ok(Change::Rename { rdn: new, deletes_old, superior })
}
