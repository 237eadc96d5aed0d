//! Mail and address books: inetLocalMailRecipient, nisMailAlias, the words that Mozilla's address book has
//! beyond inetOrgPerson. A table and nothing else.

use super::attribute::{AttributeType, boolean, ia5, name, text};
use super::class::{ObjectClass, auxiliary, structural};
use super::ours::postroom;

pub(super) const ATTRIBUTES: &[AttributeType] = &[
    ia5("2.16.840.1.113730.3.1.13", &["mailLocalAddress"]),
    ia5("2.16.840.1.113730.3.1.18", &["mailHost"]).without_substrings().single(),
    ia5("2.16.840.1.113730.3.1.47", &["mailRoutingAddress"]).without_substrings().single(),
    ia5("1.3.6.1.4.1.42.2.27.2.1.15", &["rfc822MailMember"]),
    // Their own numbers were never settled (drafts of the schema differ); clients go by the names.
    name(postroom!("3.1"), &["mozillaNickname"]),
    boolean(postroom!("3.2"), &["mozillaUseHtmlMail"]).single(),
    ia5(postroom!("3.3"), &["mozillaSecondEmail"]),
    text(postroom!("3.4"), &["mozillaHomeStreet"]).single(),
    text(postroom!("3.5"), &["mozillaHomeStreet2"]).single(),
    name(postroom!("3.6"), &["mozillaHomeLocalityName"]).single(),
    name(postroom!("3.7"), &["mozillaHomeState"]).single(),
    text(postroom!("3.8"), &["mozillaHomePostalCode"]).single(),
    name(postroom!("3.9"), &["mozillaHomeCountryName"]).single(),
    text(postroom!("3.10"), &["mozillaHomeUrl"]),
    text(postroom!("3.11"), &["mozillaWorkUrl"]),
    text(postroom!("3.12"), &["mozillaWorkStreet2"]).single(),
    text(postroom!("3.13"), &["mozillaCustom1"]).single(),
    text(postroom!("3.14"), &["mozillaCustom2"]).single(),
    text(postroom!("3.15"), &["mozillaCustom3"]).single(),
    text(postroom!("3.16"), &["mozillaCustom4"]).single(),
    text(postroom!("3.17"), &["nsAIMid"]).single(),
];

pub(super) const CLASSES: &[ObjectClass] = &[
    auxiliary("2.16.840.1.113730.3.2.147", &["inetLocalMailRecipient"], &["top"]).may(&[
        "mailLocalAddress",
        "mailHost",
        "mailRoutingAddress",
    ]),
    // No standard has this class. Ours may have the address that it stands for and words about it, so that
    // address books find it.
    structural("1.3.6.1.4.1.42.2.27.1.2.5", &["nisMailAlias"], &["top"]).must(&["cn"]).may(&[
        "rfc822MailMember",
        "mail",
        "description",
        "displayName",
    ]),
    auxiliary(postroom!("4.1"), &["mozillaAbPersonAlpha"], &["top"]).must(&["cn"]).may(&[
        "c",
        "description",
        "displayName",
        "facsimileTelephoneNumber",
        "givenName",
        "homePhone",
        "l",
        "mail",
        "mobile",
        "mozillaCustom1",
        "mozillaCustom2",
        "mozillaCustom3",
        "mozillaCustom4",
        "mozillaHomeCountryName",
        "mozillaHomeLocalityName",
        "mozillaHomePostalCode",
        "mozillaHomeState",
        "mozillaHomeStreet",
        "mozillaHomeStreet2",
        "mozillaHomeUrl",
        "mozillaNickname",
        "mozillaSecondEmail",
        "mozillaUseHtmlMail",
        "mozillaWorkStreet2",
        "mozillaWorkUrl",
        "nsAIMid",
        "o",
        "ou",
        "pager",
        "postalCode",
        "postOfficeBox",
        "sn",
        "st",
        "street",
        "telephoneNumber",
        "title",
    ]),
];
