//! The syntaxes of values: RFC 4517 §3.3, RFC 2307 §2.4, RFC 3112, RFC 4523, RFC 4530.

use crate::Dn;
use crate::matching::{bits, time, uuid};

/// Makes the enum, its OIDs and its descriptions from one table.
macro_rules! syntaxes {
    ($($name:ident $oid:literal $text:literal;)*) => {
        /// What the values of an attribute look like.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are those of the standard")]
        pub enum Syntax { $($name,)* }

        impl Syntax {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The object identifier, dotted.
            pub fn oid(self) -> &'static str {
                match self { $(Self::$name => $oid,)* }
            }

            /// Its name for people.
            pub fn description(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

syntaxes! {
    AttributeTypeDescription "1.3.6.1.4.1.1466.115.121.1.3" "Attribute Type Description";
    Audio "1.3.6.1.4.1.1466.115.121.1.4" "Audio";
    Binary "1.3.6.1.4.1.1466.115.121.1.5" "Binary";
    BitString "1.3.6.1.4.1.1466.115.121.1.6" "Bit String";
    Boolean "1.3.6.1.4.1.1466.115.121.1.7" "Boolean";
    Certificate "1.3.6.1.4.1.1466.115.121.1.8" "Certificate";
    CertificateList "1.3.6.1.4.1.1466.115.121.1.9" "Certificate List";
    CertificatePair "1.3.6.1.4.1.1466.115.121.1.10" "Certificate Pair";
    CountryString "1.3.6.1.4.1.1466.115.121.1.11" "Country String";
    Dn "1.3.6.1.4.1.1466.115.121.1.12" "Distinguished Name";
    DataQuality "1.3.6.1.4.1.1466.115.121.1.13" "Data Quality";
    DeliveryMethod "1.3.6.1.4.1.1466.115.121.1.14" "Delivery Method";
    DirectoryString "1.3.6.1.4.1.1466.115.121.1.15" "Directory String";
    DsaQuality "1.3.6.1.4.1.1466.115.121.1.19" "DSA Quality";
    EnhancedGuide "1.3.6.1.4.1.1466.115.121.1.21" "Enhanced Guide";
    FacsimileNumber "1.3.6.1.4.1.1466.115.121.1.22" "Facsimile Telephone Number";
    Fax "1.3.6.1.4.1.1466.115.121.1.23" "Fax";
    GeneralizedTime "1.3.6.1.4.1.1466.115.121.1.24" "Generalized Time";
    Guide "1.3.6.1.4.1.1466.115.121.1.25" "Guide";
    Ia5String "1.3.6.1.4.1.1466.115.121.1.26" "IA5 String";
    Integer "1.3.6.1.4.1.1466.115.121.1.27" "INTEGER";
    Jpeg "1.3.6.1.4.1.1466.115.121.1.28" "JPEG";
    MatchingRuleDescription "1.3.6.1.4.1.1466.115.121.1.30" "Matching Rule Description";
    MatchingRuleUseDescription "1.3.6.1.4.1.1466.115.121.1.31" "Matching Rule Use Description";
    NameAndOptionalUid "1.3.6.1.4.1.1466.115.121.1.34" "Name And Optional UID";
    NumericString "1.3.6.1.4.1.1466.115.121.1.36" "Numeric String";
    ObjectClassDescription "1.3.6.1.4.1.1466.115.121.1.37" "Object Class Description";
    Oid "1.3.6.1.4.1.1466.115.121.1.38" "OID";
    OtherMailbox "1.3.6.1.4.1.1466.115.121.1.39" "Other Mailbox";
    OctetString "1.3.6.1.4.1.1466.115.121.1.40" "Octet String";
    PostalAddress "1.3.6.1.4.1.1466.115.121.1.41" "Postal Address";
    ProtocolInformation "1.3.6.1.4.1.1466.115.121.1.42" "Protocol Information";
    PresentationAddress "1.3.6.1.4.1.1466.115.121.1.43" "Presentation Address";
    PrintableString "1.3.6.1.4.1.1466.115.121.1.44" "Printable String";
    SupportedAlgorithm "1.3.6.1.4.1.1466.115.121.1.49" "Supported Algorithm";
    TelephoneNumber "1.3.6.1.4.1.1466.115.121.1.50" "Telephone Number";
    TeletexTerminal "1.3.6.1.4.1.1466.115.121.1.51" "Teletex Terminal Identifier";
    TelexNumber "1.3.6.1.4.1.1466.115.121.1.52" "Telex Number";
    SyntaxDescription "1.3.6.1.4.1.1466.115.121.1.54" "LDAP Syntax Description";
    SubstringAssertion "1.3.6.1.4.1.1466.115.121.1.58" "Substring Assertion";
    NisNetgroupTriple "1.3.6.1.1.1.0.0" "NIS Netgroup Triple";
    BootParameter "1.3.6.1.1.1.0.1" "Boot Parameter";
    AuthPassword "1.3.6.1.4.1.4203.1.1.2" "Authentication Password";
    Uuid "1.3.6.1.1.16.1" "UUID";
}

/// RFC 4517 §3.2.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+,-./:? =".contains(&byte)
}

fn is_printable_string(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|byte| is_printable(*byte))
}

/// RFC 4517 §3.3.5.
fn is_delivery_method(value: &[u8]) -> bool {
    const METHODS: [&[u8]; 10] = [
        b"any",
        b"mhs",
        b"physical",
        b"telex",
        b"teletex",
        b"g3fax",
        b"g4fax",
        b"ia5",
        b"videotex",
        b"telephone",
    ];
    METHODS.contains(&value.trim_ascii())
}

fn is_text(value: &[u8]) -> bool {
    !value.is_empty() && std::str::from_utf8(value).is_ok()
}

/// RFC 4517 §3.3.28: a backslash stands for itself and for the dollar only by their numbers.
fn is_escaped(value: &[u8]) -> bool {
    value.split(|c| *c == b'\\').skip(1).all(|behind| {
        behind.get(..2).is_some_and(|two| two == b"24" || two.eq_ignore_ascii_case(b"5c"))
    })
}

/// An optional minus and digits without leading zeros: RFC 4517 §3.3.16.
fn is_integer(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let is_canonical = digits.first() != Some(&b'0') || value == b"0";
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && is_canonical
}

/// `keystring` or `numericoid`: RFC 4512 §1.4.
pub(crate) fn is_oid(value: &[u8]) -> bool {
    match value.first() {
        Some(first) if first.is_ascii_alphabetic() => {
            value.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-')
        }
        Some(first) if first.is_ascii_digit() => value
            .split(|c| *c == b'.')
            .all(|arc| !arc.is_empty() && arc.iter().all(u8::is_ascii_digit)),
        _ => false,
    }
}

/// The outer frame of a DER value: a SEQUENCE that is as long as it says.
fn is_der_sequence(value: &[u8]) -> bool {
    let (first, rest) = match value {
        [0x30, first, rest @ ..] => (usize::from(*first), rest),
        _ => return false,
    };
    if first < 0x80 {
        return rest.len() == first;
    }
    let octets = first - 0x80;
    let Some((length, content)) = rest.split_at_checked(octets) else { return false };
    if !(1..=4).contains(&octets) {
        return false;
    }
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    content.len() == length
}

impl Syntax {
    /// True if `value` is one of this syntax. As lenient as slapd: what is no text that servers compare is
    /// taken as it is.
    pub fn accepts(self, value: &[u8]) -> bool {
        match self {
            Self::PostalAddress => is_text(value) && is_escaped(value),
            Self::DirectoryString
            | Self::AttributeTypeDescription
            | Self::MatchingRuleDescription
            | Self::MatchingRuleUseDescription
            | Self::ObjectClassDescription
            | Self::SyntaxDescription
            | Self::SubstringAssertion => is_text(value),
            // Empty ones are good, as slapd has it: RFC 4517 §3.3.15.
            Self::Ia5String => value.is_ascii(),
            Self::PrintableString | Self::TelephoneNumber => is_printable_string(value),
            Self::FacsimileNumber => value.split(|c| *c == b'$').all(is_printable_string),
            Self::DeliveryMethod => value.split(|c| *c == b'$').all(is_delivery_method),
            Self::TelexNumber | Self::OtherMailbox => !value.is_empty() && value.is_ascii(),
            // ISO 3166 has letters only; slapd takes anything printable, spaces too.
            Self::CountryString => value.len() == 2 && value.iter().all(u8::is_ascii_alphabetic),
            Self::NumericString => {
                !value.is_empty() && value.iter().all(|c| c.is_ascii_digit() || *c == b' ')
            }
            Self::Integer => is_integer(value),
            Self::Boolean => value == b"TRUE" || value == b"FALSE",
            Self::BitString => bits::is_bits(value),
            Self::GeneralizedTime => time::key(value).is_some(),
            Self::Dn => std::str::from_utf8(value).is_ok_and(|text| Dn::parse(text).is_ok()),
            Self::NameAndOptionalUid => {
                bits::name_and_uid(value).is_some_and(|(name, _)| Self::Dn.accepts(name))
            }
            Self::Oid => is_oid(value),
            Self::Uuid => uuid::key(value).is_some(),
            Self::Certificate
            | Self::CertificateList
            | Self::CertificatePair
            | Self::SupportedAlgorithm => is_der_sequence(value),
            Self::AuthPassword => {
                !value.is_empty() && value.iter().all(|c| c.is_ascii_graphic() || *c == b' ')
            }
            Self::Audio
            | Self::Binary
            | Self::DataQuality
            | Self::DsaQuality
            | Self::EnhancedGuide
            | Self::Fax
            | Self::Guide
            | Self::Jpeg
            | Self::OctetString
            | Self::ProtocolInformation
            | Self::PresentationAddress
            | Self::TeletexTerminal
            | Self::NisNetgroupTriple
            | Self::BootParameter => true,
        }
    }

    /// True if its values travel in BER only, with the option `binary`: RFC 4522, RFC 4523.
    pub fn is_binary_only(self) -> bool {
        matches!(
            self,
            Self::Certificate
                | Self::CertificateList
                | Self::CertificatePair
                | Self::SupportedAlgorithm
        )
    }

    /// True if people cannot read its values.
    pub fn is_for_machines(self) -> bool {
        self.is_binary_only() || matches!(self, Self::Audio | Self::Binary | Self::Fax | Self::Jpeg)
    }
}
