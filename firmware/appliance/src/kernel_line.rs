//! The kernel's command line as key and value.

use std::fs;

/// What the boot loader told the kernel.
#[derive(Debug, Default, Clone)]
pub(crate) struct KernelLine(String);

impl KernelLine {
    /// The running kernel's; empty where /proc is not mounted.
    pub(crate) fn read() -> Self {
        Self(fs::read_to_string("/proc/cmdline").unwrap_or_default())
    }

    /// The last value of `key`.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.0.split_ascii_whitespace().rev().find_map(|word| {
            let (name, value) = word.split_once('=')?;
            (name == key).then_some(value)
        })
    }

    /// The slot this system was started from: `postroom.slot=a`, or the boot loader did not say.
    pub(crate) fn slot(&self) -> &str {
        self.value("postroom.slot").unwrap_or("unknown")
    }

    /// All of the daemon's log on the serial line too: `postroom.log=serial`.
    pub(crate) fn is_verbose(&self) -> bool {
        self.value("postroom.log") == Some("serial")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts() {
        let line = KernelLine("quiet console=tty0 console=ttyS0,115200 postroom.slot=b ro".into());
        assert_eq!(line.value("console"), Some("ttyS0,115200"));
        assert_eq!(line.slot(), "b");
        assert_eq!(line.value("ro"), None);
        assert!(!line.is_verbose());
    }
}
