//! Which names a mailbox may have.
//!
//! Limits: 255 bytes a level, 20 levels. `/` stands between levels; INBOX is the same in any case
//! (RFC 9051 §5.1).

use crate::StoreError;

const LEVEL_BYTES_MAX: usize = 255;
const LEVELS_MAX: usize = 20;

/// The levels that stand before another account's name of a mailbox: `Shared/anna`.
const LEVELS_BEFORE: usize = 2;

/// The name as it is stored.
pub(crate) fn normalize(name: &str) -> Result<String, StoreError> {
    normalize_within(name, LEVELS_MAX)
}

/// A name as an account sees it, possibly of another's mailbox.
pub(crate) fn normalize_shown(name: &str) -> Result<String, StoreError> {
    normalize_within(name, LEVELS_MAX + LEVELS_BEFORE)
}

fn normalize_within(name: &str, levels_max: usize) -> Result<String, StoreError> {
    let levels: Vec<&str> = name.split('/').collect();
    let is_good = |level: &&str| {
        !level.is_empty() && level.len() <= LEVEL_BYTES_MAX && !level.chars().any(char::is_control)
    };
    if levels.len() > levels_max || !levels.iter().all(is_good) {
        return Err(StoreError::BadName);
    }
    // RFC 9051 §5.1: INBOX is case-insensitive, as a name and as the first level of one.
    match levels.split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case("INBOX") => {
            let mut name = String::from("INBOX");
            for level in rest {
                name.push('/');
                name.push_str(level);
            }
            Ok(name)
        }
        _ => Ok(name.to_owned()),
    }
}

/// The names of all levels above, the highest first.
pub(crate) fn parents(name: &str) -> Vec<&str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalized_or_refused() {
        for (name, stored) in [
            ("inbox", Some("INBOX")),
            ("InBox/Sub", Some("INBOX/Sub")),
            ("Entwürfe/2026", Some("Entwürfe/2026")),
            ("inboxes", Some("inboxes")),
            ("", None),
            ("/a", None),
            ("a/", None),
            ("a//b", None),
            ("a\nb", None),
        ] {
            assert_eq!(normalize(name).ok().as_deref(), stored, "{name:?}");
        }
        assert!(normalize(&"a".repeat(256)).is_err() && normalize(&"a".repeat(255)).is_ok());
        assert!(
            normalize(&["a"; 21].join("/")).is_err() && normalize(&["a"; 20].join("/")).is_ok()
        );
        assert_eq!(parents("a/b/c"), ["a", "a/b"]);
    }
}
