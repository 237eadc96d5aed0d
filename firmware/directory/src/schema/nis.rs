//! Unix accounts and hosts: RFC 2307. A table and nothing else.

use super::attribute::{AttributeType, ia5, ia5_exact, integer, name, opaque};
use super::class::{ObjectClass, auxiliary, structural};
use super::syntax::Syntax;

pub(super) const ATTRIBUTES: &[AttributeType] = &[
    ia5("1.3.6.1.1.1.1.2", &["gecos"]).single(),
    ia5_exact("1.3.6.1.1.1.1.3", &["homeDirectory"]).without_substrings().single(),
    ia5_exact("1.3.6.1.1.1.1.4", &["loginShell"]).without_substrings().single(),
    integer("1.3.6.1.1.1.1.5", &["shadowLastChange"]).single(),
    integer("1.3.6.1.1.1.1.6", &["shadowMin"]).single(),
    integer("1.3.6.1.1.1.1.7", &["shadowMax"]).single(),
    integer("1.3.6.1.1.1.1.8", &["shadowWarning"]).single(),
    integer("1.3.6.1.1.1.1.9", &["shadowInactive"]).single(),
    integer("1.3.6.1.1.1.1.10", &["shadowExpire"]).single(),
    integer("1.3.6.1.1.1.1.11", &["shadowFlag"]).single(),
    ia5_exact("1.3.6.1.1.1.1.12", &["memberUid"]),
    ia5_exact("1.3.6.1.1.1.1.13", &["memberNisNetgroup"]),
    opaque("1.3.6.1.1.1.1.14", &["nisNetgroupTriple"], Syntax::NisNetgroupTriple),
    integer("1.3.6.1.1.1.1.15", &["ipServicePort"]).single(),
    name("1.3.6.1.1.1.1.16", &["ipServiceProtocol"]),
    integer("1.3.6.1.1.1.1.17", &["ipProtocolNumber"]).single(),
    integer("1.3.6.1.1.1.1.18", &["oncRpcNumber"]).single(),
    ia5("1.3.6.1.1.1.1.19", &["ipHostNumber"]).without_substrings(),
    ia5("1.3.6.1.1.1.1.20", &["ipNetworkNumber"]).without_substrings().single(),
    ia5("1.3.6.1.1.1.1.21", &["ipNetmaskNumber"]).without_substrings().single(),
    ia5("1.3.6.1.1.1.1.22", &["macAddress"]).without_substrings(),
    opaque("1.3.6.1.1.1.1.23", &["bootParameter"], Syntax::BootParameter),
    ia5_exact("1.3.6.1.1.1.1.24", &["bootFile"]).without_substrings(),
    name("1.3.6.1.1.1.1.26", &["nisMapName"]),
    ia5_exact("1.3.6.1.1.1.1.27", &["nisMapEntry"]).single(),
];

pub(super) const CLASSES: &[ObjectClass] = &[
    auxiliary("1.3.6.1.1.1.2.0", &["posixAccount"], &["top"])
        .must(&["cn", "uid", "uidNumber", "gidNumber", "homeDirectory"])
        .may(&["userPassword", "loginShell", "gecos", "description"]),
    auxiliary("1.3.6.1.1.1.2.1", &["shadowAccount"], &["top"]).must(&["uid"]).may(&[
        "userPassword",
        "shadowLastChange",
        "shadowMin",
        "shadowMax",
        "shadowWarning",
        "shadowInactive",
        "shadowExpire",
        "shadowFlag",
        "description",
    ]),
    structural("1.3.6.1.1.1.2.2", &["posixGroup"], &["top"]).must(&["cn", "gidNumber"]).may(&[
        "userPassword",
        "memberUid",
        "description",
    ]),
    structural("1.3.6.1.1.1.2.3", &["ipService"], &["top"])
        .must(&["cn", "ipServicePort", "ipServiceProtocol"])
        .may(&["description"]),
    structural("1.3.6.1.1.1.2.4", &["ipProtocol"], &["top"])
        .must(&["cn", "ipProtocolNumber", "description"])
        .may(&["description"]),
    structural("1.3.6.1.1.1.2.5", &["oncRpc"], &["top"])
        .must(&["cn", "oncRpcNumber", "description"])
        .may(&["description"]),
    auxiliary("1.3.6.1.1.1.2.6", &["ipHost"], &["top"]).must(&["cn", "ipHostNumber"]).may(&[
        "l",
        "description",
        "manager",
    ]),
    structural("1.3.6.1.1.1.2.7", &["ipNetwork"], &["top"])
        .must(&["cn", "ipNetworkNumber"])
        .may(&["ipNetmaskNumber", "l", "description", "manager"]),
    structural("1.3.6.1.1.1.2.8", &["nisNetgroup"], &["top"]).must(&["cn"]).may(&[
        "nisNetgroupTriple",
        "memberNisNetgroup",
        "description",
    ]),
    structural("1.3.6.1.1.1.2.9", &["nisMap"], &["top"])
        .must(&["nisMapName"])
        .may(&["description"]),
    structural("1.3.6.1.1.1.2.10", &["nisObject"], &["top"])
        .must(&["cn", "nisMapEntry", "nisMapName"])
        .may(&["description"]),
    auxiliary("1.3.6.1.1.1.2.11", &["ieee802Device"], &["top"]).may(&["macAddress"]),
    auxiliary("1.3.6.1.1.1.2.12", &["bootableDevice"], &["top"])
        .may(&["bootFile", "bootParameter"]),
];
