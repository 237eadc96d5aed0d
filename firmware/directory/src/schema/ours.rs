//! Our own classes and attributes. Their numbers are below one UUID drawn for Postroom (ITU-T X.667):
//! `.1.N` attributes, `.2.N` classes, `.3.N` and `.4.N` names of others that have no number of their own.
//! A number is never used for something else. A table and nothing else.

use super::attribute::{AttributeType, Usage, boolean, dn, ia5, integer, text, time};
use super::class::{ObjectClass, auxiliary};

/// A number of ours.
macro_rules! postroom {
    ($tail:literal) => {
        concat!("2.25.293107374140241299908613545523455834333.", $tail)
    };
}
pub(super) use postroom;

pub(super) const ATTRIBUTES: &[AttributeType] = &[
    // RFC 4512 §4.1.2: what users cannot write must be operational.
    integer(postroom!("1.1"), &["postroomId"])
        .usage(Usage::DirectoryOperation)
        .single()
        .fixed()
        .says("number of the account"),
    integer(postroom!("1.2"), &["postroomQuota"])
        .single()
        .says("room for mail in bytes, 0 without limit"),
    integer(postroom!("1.3"), &["postroomQuotaMessages"])
        .single()
        .says("room for mail in messages, 0 without limit"),
    text(postroom!("1.4"), &["postroomStatus"])
        .single()
        .says("active, disabled (no login) or suspended (no login, no mail for now)"),
    text(postroom!("1.5"), &["postroomRole"]).single().says("user or admin"),
    ia5(postroom!("1.6"), &["postroomForward"]).says("addresses that mail goes on to"),
    dn(postroom!("1.7"), &["memberOf"])
        .usage(Usage::DsaOperation)
        .fixed()
        .says("groups that name the entry as a member"),
    ia5(postroom!("1.8"), &["postroomManages"]).says("mail domains that the person administers"),
    text(postroom!("1.13"), &["postroomSource"])
        .usage(Usage::DirectoryOperation)
        .single()
        .fixed()
        .says("domain whose external directory the entry comes from"),
    text(postroom!("1.14"), &["postroomSourceId"])
        .usage(Usage::DirectoryOperation)
        .single()
        .fixed()
        .says("lasting id of the entry there"),
    text(postroom!("1.15"), &["postroomSourceState"])
        .usage(Usage::DirectoryOperation)
        .single()
        .fixed()
        .says("disabled there, or gone since a time; either way no login here"),
    text(postroom!("1.16"), &["postroomSourceDn"])
        .usage(Usage::DirectoryOperation)
        .single()
        .fixed()
        .says("name of the entry there"),
    time(postroom!("1.17"), &["postroomSourceChecked"])
        .usage(Usage::DirectoryOperation)
        .single()
        .fixed()
        .says("when the external directory last said that the password is right"),
    ia5(postroom!("1.9"), &["postroomSendAs"])
        .says("further sender addresses, @domain for all of a domain"),
    boolean(postroom!("1.10"), &["postroomForwardKeep"])
        .single()
        .says("a copy stays of mail that goes on, TRUE if it does not say"),
    ia5(postroom!("1.11"), &["postroomCatchAll"])
        .single()
        .says("address that mail for nobody of the domain goes to"),
    ia5(postroom!("1.12"), &["postroomDomainAlias"]).says("further names of the mail domain"),
];

pub(super) const CLASSES: &[ObjectClass] = &[
    auxiliary(postroom!("2.1"), &["postroomAccount"], &["top"])
        .may(&[
            "mail",
            "uid",
            "displayName",
            "userPassword",
            "authPassword",
            "preferredLanguage",
            "postroomQuota",
            "postroomQuotaMessages",
            "postroomStatus",
            "postroomRole",
            "postroomForward",
            "postroomManages",
            "postroomForwardKeep",
            "postroomSendAs",
        ])
        .says("a person or thing with a mailbox"),
    auxiliary(postroom!("2.2"), &["postroomDomain"], &["top"])
        .may(&[
            "associatedDomain",
            "postroomQuota",
            "postroomQuotaMessages",
            "postroomStatus",
            "postroomCatchAll",
            "postroomDomainAlias",
        ])
        .says("a mail domain of the box"),
    auxiliary(postroom!("2.3"), &["postroomGroup"], &["top"])
        .may(&["mail", "displayName", "rfc822MailMember"])
        .says("a group that mail can be sent to"),
];
