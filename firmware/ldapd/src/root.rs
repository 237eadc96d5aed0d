//! What the server says of itself: the root DSE (RFC 4512 §5.1) and the subschema subentry (§4.4).

use directory::{Attributes, Dn, schema};
use session::Conn;

use crate::bind;
use crate::controls;
use crate::extended;

/// The DN of the subschema, as slapd has it.
pub(crate) const SUBSCHEMA: &str = "cn=Subschema";

/// All operational attributes (RFC 3673), filters `(&)` and `(|)` (RFC 4526), modify-increment (RFC 4525),
/// attributes by class (RFC 4529).
const FEATURES: [&str; 4] =
    ["1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.3", "1.3.6.1.1.14", "1.3.6.1.4.1.4203.1.5.2"];

fn values<V: AsRef<str>>(texts: impl IntoIterator<Item = V>) -> Vec<Vec<u8>> {
    texts.into_iter().map(|text| text.as_ref().as_bytes().to_vec()).collect()
}

/// The root DSE, for who asks on this connection: the mechanisms depend on it.
pub(crate) fn dse(conn: &Conn, contexts: &[String]) -> Attributes {
    let mut root = Attributes::new();
    let external = conn.peer_uid().map(|_| bind::EXTERNAL);
    let mechanisms = bind::offered(conn).map(|mechanism| mechanism.name()).chain(external);
    for (name, texts) in [
        ("objectClass", values(["top", "extensibleObject"])),
        ("namingContexts", values(contexts)),
        ("subschemaSubentry", values([SUBSCHEMA])),
        ("supportedLDAPVersion", values(["3"])),
        ("supportedControl", values(controls::ALL)),
        ("supportedExtension", values(extended::ALL)),
        ("supportedFeatures", values(FEATURES)),
        ("supportedSASLMechanisms", values(mechanisms)),
        ("vendorName", values(["Postroom"])),
        ("vendorVersion", values([env!("CARGO_PKG_VERSION")])),
    ] {
        // What the schema does not know, no client is told.
        if let (Some(key), false) = (schema::key(name), texts.is_empty()) {
            root.insert(key, texts);
        }
    }
    root
}

/// True for the subschema's DN.
pub(crate) fn is_subschema(dn: &Dn) -> bool {
    Dn::parse(SUBSCHEMA).is_ok_and(|known| known.normalised() == dn.normalised())
}

/// The subschema subentry (RFC 4512 §4.2).
pub(crate) fn subschema() -> Attributes {
    let mut entry = schema::subschema().clone();
    for (name, value) in [
        ("structuralObjectClass", "subschema"),
        ("entryDN", SUBSCHEMA),
        ("subschemaSubentry", SUBSCHEMA),
        ("hasSubordinates", "FALSE"),
    ] {
        if let Some(key) = schema::key(name) {
            entry.insert(key, values([value]));
        }
    }
    entry
}
