//! What every directory has: `top`, `objectClass`, the names that others are kinds of, and the operational
//! attributes of entries, of the root and of the subschema. RFC 4512, RFC 4530, RFC 5020, RFC 3045. A table
//! and nothing else.

use super::attribute::{AttributeType, Usage, boolean, dn, ia5, integer, oid, opaque, text, time};
use super::class::{ObjectClass, abstract_class, auxiliary, structural};
use super::syntax::Syntax;
use crate::matching::rules;

/// Kept by the directory itself, one value an entry.
const fn kept(of: AttributeType) -> AttributeType {
    of.usage(Usage::DirectoryOperation).single().fixed()
}

const fn of_root(of: AttributeType) -> AttributeType {
    of.usage(Usage::DsaOperation)
}

const fn of_schema(
    oid: &'static str,
    names: &'static [&'static str],
    syntax: Syntax,
) -> AttributeType {
    opaque(oid, names, syntax)
        .equality(&rules::OBJECT_IDENTIFIER_FIRST_COMPONENT)
        .usage(Usage::DirectoryOperation)
}

pub(super) const ATTRIBUTES: &[AttributeType] = &[
    oid("2.5.4.0", &["objectClass"]),
    dn("2.5.4.1", &["aliasedObjectName", "aliasedEntryName"]).single(),
    text("2.5.4.41", &["name"]),
    text("2.5.4.3", &["cn", "commonName"]).below("name"),
    dn("2.5.4.49", &["distinguishedName"]),
    text("2.5.4.13", &["description"]),
    dn("2.5.4.34", &["seeAlso"]).below("distinguishedName"),
    opaque("2.5.4.35", &["userPassword"], Syntax::OctetString).equality(&rules::OCTET_STRING),
    text("0.9.2342.19200300.100.1.1", &["uid", "userid"]),
    text("1.3.6.1.4.1.250.1.57", &["labeledURI"]).equality(&rules::CASE_EXACT).without_substrings(),
    integer("1.3.6.1.1.1.1.0", &["uidNumber"]).ordering(&rules::INTEGER_ORDERING).single(),
    integer("1.3.6.1.1.1.1.1", &["gidNumber"]).ordering(&rules::INTEGER_ORDERING).single(),
    text("2.16.840.1.113730.3.1.34", &["ref"])
        .equality(&rules::CASE_EXACT)
        .without_substrings()
        .usage(Usage::DistributedOperation),
    opaque("1.3.6.1.4.1.4203.1.3.4", &["authPassword"], Syntax::AuthPassword)
        // The server writes it with userPassword: an entry needs no class for it.
        .usage(Usage::DirectoryOperation)
        .equality(&rules::AUTH_PASSWORD_EXACT),
    kept(oid("2.5.21.9", &["structuralObjectClass"])),
    kept(time("2.5.18.1", &["createTimestamp"])),
    kept(time("2.5.18.2", &["modifyTimestamp"])),
    kept(dn("2.5.18.3", &["creatorsName"])),
    kept(dn("2.5.18.4", &["modifiersName"])),
    kept(boolean("2.5.18.9", &["hasSubordinates"])),
    kept(dn("2.5.18.10", &["subschemaSubentry"])),
    kept(dn("1.3.6.1.1.20", &["entryDN"])),
    kept(opaque("1.3.6.1.1.16.4", &["entryUUID"], Syntax::Uuid))
        .equality(&rules::UUID)
        .ordering(&rules::UUID_ORDERING),
    of_root(ia5("1.3.6.1.4.1.1466.101.120.6", &["altServer"]).without_substrings()),
    of_root(dn("1.3.6.1.4.1.1466.101.120.5", &["namingContexts"])),
    of_root(oid("1.3.6.1.4.1.1466.101.120.13", &["supportedControl"])),
    of_root(oid("1.3.6.1.4.1.1466.101.120.7", &["supportedExtension"])),
    of_root(oid("1.3.6.1.4.1.4203.1.3.5", &["supportedFeatures"])),
    of_root(integer("1.3.6.1.4.1.1466.101.120.15", &["supportedLDAPVersion"])),
    of_root(text("1.3.6.1.4.1.1466.101.120.14", &["supportedSASLMechanisms"]).without_substrings()),
    of_root(text("1.3.6.1.1.4", &["vendorName"]).equality(&rules::CASE_EXACT).without_substrings())
        .single()
        .fixed(),
    of_root(
        text("1.3.6.1.1.5", &["vendorVersion"]).equality(&rules::CASE_EXACT).without_substrings(),
    )
    .single()
    .fixed(),
    of_schema("2.5.21.4", &["matchingRules"], Syntax::MatchingRuleDescription),
    of_schema("2.5.21.5", &["attributeTypes"], Syntax::AttributeTypeDescription),
    of_schema("2.5.21.6", &["objectClasses"], Syntax::ObjectClassDescription),
    of_schema("2.5.21.8", &["matchingRuleUse"], Syntax::MatchingRuleUseDescription),
    of_schema("1.3.6.1.4.1.1466.101.120.16", &["ldapSyntaxes"], Syntax::SyntaxDescription),
];

pub(super) const CLASSES: &[ObjectClass] = &[
    abstract_class("2.5.6.0", &["top"], &[]).must(&["objectClass"]),
    structural("2.5.6.1", &["alias"], &["top"]).must(&["aliasedObjectName"]),
    auxiliary("1.3.6.1.4.1.1466.101.120.111", &["extensibleObject"], &["top"]),
    structural("2.16.840.1.113730.3.2.6", &["referral"], &["top"]).must(&["ref"]),
    structural("2.5.17.0", &["subentry"], &["top"]).must(&["cn"]),
    auxiliary("2.5.20.1", &["subschema"], &["top"]).may(&[
        "objectClasses",
        "attributeTypes",
        "matchingRules",
        "matchingRuleUse",
        "ldapSyntaxes",
    ]),
    auxiliary("1.3.6.1.4.1.4203.1.4.7", &["authPasswordObject"], &["top"]).may(&["authPassword"]),
];
