//! The kernel's configuration fragment: what was asked for, and whether it survived.
//!
//! `make allnoconfig` drops an option whose dependencies are off without a word. A lost driver
//! would show up on a customer's box, so every line of the fragment is compared with the
//! resolved configuration.

use std::collections::BTreeMap;

/// The lines of `fragment` that `resolved` does not honor, worded for a person.
pub(crate) fn unhonored(fragment: &str, resolved: &str) -> Vec<String> {
    let asked = parse(fragment);
    let got = parse(resolved);
    asked
        .iter()
        .filter_map(|(name, value)| {
            let real = got.get(name).map_or("n", String::as_str);
            (real != value).then(|| format!("{name}={value} became {real}"))
        })
        .collect()
}

/// `CONFIG_X=value`; `# CONFIG_X is not set` is `n`. Later lines win, as for kconfig.
fn parse(text: &str) -> BTreeMap<&str, String> {
    text.lines()
        .filter_map(|line| {
            let off = line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set"));
            match off {
                Some(name) => Some((name, "n".to_owned())),
                None => line.split_once('=').map(|(name, value)| (name, value.to_owned())),
            }
        })
        .filter(|(name, _)| name.starts_with("CONFIG_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::unhonored;

    #[test]
    fn lost_changed_and_unwanted_options_are_named() {
        let fragment = "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=64\n# CONFIG_D is not set\nCONFIG_E=n\n";
        let resolved = "CONFIG_A=y\nCONFIG_C=8\nCONFIG_D=y\n# CONFIG_E is not set\n";
        assert_eq!(
            unhonored(fragment, resolved),
            ["CONFIG_B=y became n", "CONFIG_C=64 became 8", "CONFIG_D=n became y"]
        );
        assert!(unhonored("CONFIG_A=y\n", resolved).is_empty());
    }
}
