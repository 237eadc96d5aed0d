//! LDIF as records of an import: entries with their content. What only a server writes is left out.

use directory::ldif::{Change, Reader};
use directory::{Attributes, schema};

use super::{Fault, Parsed, Record, Wanted};

/// Reads an LDIF text.
pub(crate) fn parse(text: &[u8], max: usize) -> Parsed {
    let mut parsed = Parsed::default();
    let mut reader = Reader::new();
    let mut take = |read: Result<directory::ldif::Record, directory::ldif::LdifError>| {
        let record = match read {
            Ok(record) => Record { line: record.line, wanted: wanted(record) },
            Err(err) => {
                Record { line: err.line, wanted: Err(Fault::new("record-invalid", err.text)) }
            }
        };
        if parsed.records.len() <= max {
            parsed.records.push(record);
        }
    };
    reader.push(text).into_iter().for_each(&mut take);
    reader.finish().into_iter().for_each(&mut take);
    parsed
}

fn wanted(record: directory::ldif::Record) -> Result<Wanted, Fault> {
    if record.controls.iter().any(|control| control.is_critical) {
        return Err(Fault::new("record-invalid", "a critical control is not known here"));
    }
    let Change::Entry { attributes, .. } = record.change else {
        let detail = "an import takes entries; changes of entries go by LDAP (ldapmodify)";
        return Err(Fault::new("record-invalid", detail));
    };
    let attributes = directory::ldif::attributes(&attributes)
        .map_err(|refusal| Fault::new("entry-refused", refusal.text))?;
    Ok(Wanted::Entry { dn: record.dn, attributes: written(attributes) })
}

/// What people write: an export of another server has what that server wrote in it.
fn written(mut attributes: Attributes) -> Attributes {
    attributes.retain(|key, _| {
        schema::attribute(key).is_none_or(|attribute| !attribute.is_fixed) && key != "authpassword"
    });
    attributes
}
