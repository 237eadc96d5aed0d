//! People of the Internet: RFC 2798. A table and nothing else.

use super::attribute::{AttributeType, opaque, text};
use super::class::{ObjectClass, structural};
use super::syntax::Syntax;

pub(super) const ATTRIBUTES: &[AttributeType] = &[
    text("2.16.840.1.113730.3.1.1", &["carLicense"]),
    text("2.16.840.1.113730.3.1.2", &["departmentNumber"]),
    text("2.16.840.1.113730.3.1.241", &["displayName"]).single(),
    text("2.16.840.1.113730.3.1.3", &["employeeNumber"]).single(),
    text("2.16.840.1.113730.3.1.4", &["employeeType"]),
    opaque("0.9.2342.19200300.100.1.60", &["jpegPhoto"], Syntax::Jpeg),
    text("2.16.840.1.113730.3.1.39", &["preferredLanguage"]).single(),
    opaque("2.16.840.1.113730.3.1.40", &["userSMIMECertificate"], Syntax::Binary),
    opaque("2.16.840.1.113730.3.1.216", &["userPKCS12"], Syntax::Binary),
];

pub(super) const CLASSES: &[ObjectClass] =
    &[structural("2.16.840.1.113730.3.2.2", &["inetOrgPerson"], &["organizationalPerson"]).may(&[
        "audio",
        "businessCategory",
        "carLicense",
        "departmentNumber",
        "displayName",
        "employeeNumber",
        "employeeType",
        "givenName",
        "homePhone",
        "homePostalAddress",
        "initials",
        "jpegPhoto",
        "labeledURI",
        "mail",
        "manager",
        "mobile",
        "o",
        "pager",
        "photo",
        "roomNumber",
        "secretary",
        "uid",
        "userCertificate",
        "x500UniqueIdentifier",
        "preferredLanguage",
        "userSMIMECertificate",
        "userPKCS12",
    ])];
