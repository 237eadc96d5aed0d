//! Which values the audit log shows. Of attributes those are all but the secret ones, of settings only those
//! that stand here: a setting that somebody adds is secret until it is named.

/// Attributes whose values are never told. What the schema gets in later is caught by [`WORDS`].
const ATTRIBUTES: [&str; 2] =
    [crate::directory::entry::PASSWORD, crate::directory::entry::VERIFIER];
/// Parts of names of attributes whose values are never told.
const WORDS: [&str; 6] = ["password", "passwd", "secret", "privatekey", "credential", "token"];
/// Settings whose values may be told; nested ones with dots.
const SETTINGS: [&str; 19] = [
    "lan_lookup",
    "hostname",
    "language",
    "setup_complete",
    "outbound.mode",
    "outbound.host",
    "outbound.port",
    "outbound.tls",
    "outbound.user",
    "dns_servers",
    "network.mode",
    "network.address",
    "network.gateway",
    "network.dns",
    "provisioned",
    "retention_days",
    "default_quota_bytes",
    "default_quota_messages",
    "own_forwarding",
];

/// True if the values of an attribute are never told; `name` is in lower case, with its options.
pub(crate) fn is_secret_attribute(name: &str) -> bool {
    let plain = name.split(';').next().unwrap_or_default();
    ATTRIBUTES.contains(&plain) || WORDS.iter().any(|word| plain.contains(word))
}

/// What may be told of an external directory.
const SOURCE: [&str; 13] = [
    "enabled",
    "preset",
    "host",
    "port",
    "tls",
    "ca_pem",
    "fingerprint",
    "bind_dn",
    "base",
    "filter",
    "group_filter",
    "interval_minutes",
    "cache_days",
];

/// True if what is set of an external directory may be told.
pub(crate) fn is_open_in_source(path: &str) -> bool {
    SOURCE.contains(&path) || path.starts_with("attributes.")
}

/// True if what is set of a webhook may be told.
pub(crate) fn is_open_in_webhook(path: &str) -> bool {
    ["name", "url", "events", "mode", "on_failure", "enabled"].contains(&path)
}

/// True if the value of a setting may be told.
pub(crate) fn is_open_setting(path: &str) -> bool {
    SETTINGS.contains(&path)
}
