//! The power button: ACPI's, as an input device of the kernel (linux/input.h).

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;

const EVENT_BYTES: usize = 24;
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
const DEVICES_MAX: usize = 8;

/// One device with a power key.
#[derive(Debug)]
pub(crate) struct Button(File);

impl AsFd for Button {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// All devices with a power key.
pub(crate) fn open_all() -> Vec<Button> {
    let Ok(entries) = fs::read_dir("/sys/class/input") else { return Vec::new() };
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    entries
        .flatten()
        .filter(|entry| {
            let keys = entry.path().join("device/capabilities/key");
            entry.file_name().to_string_lossy().starts_with("event")
                && fs::read_to_string(keys).is_ok_and(|text| has_key(&text, KEY_POWER))
        })
        .filter_map(|entry| {
            let path = std::path::Path::new("/dev/input").join(entry.file_name());
            OpenOptions::new().read(true).custom_flags(flags).open(path).ok().map(Button)
        })
        .take(DEVICES_MAX)
        .collect()
}

/// A bit map as sysfs prints it: words of 64 bits, hexadecimal, the highest first.
fn has_key(text: &str, key: u16) -> bool {
    let word = text.split_ascii_whitespace().rev().nth(usize::from(key / 64));
    word.and_then(|word| u64::from_str_radix(word, 16).ok())
        .is_some_and(|word| word >> (key % 64) & 1 == 1)
}

fn is_power_press(event: &[u8]) -> bool {
    let half = |at: usize| event.get(at..at + 2).map(|b| u16::from_ne_bytes([b[0], b[1]]));
    half(16) == Some(EV_KEY) && half(18) == Some(KEY_POWER) && half(20) == Some(1)
}

impl Button {
    /// True if it was pressed since the last look.
    pub(crate) fn was_pressed(&mut self) -> bool {
        let mut events = [0; EVENT_BYTES * 16];
        let n = self.0.read(&mut events).unwrap_or(0);
        events.get(..n).unwrap_or_default().chunks_exact(EVENT_BYTES).any(is_power_press)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_key_is_found_in_the_bit_map_and_in_an_event() {
        assert!(has_key("10000000000000 0\n", KEY_POWER));
        assert!(!has_key("1 10000000000000\n", KEY_POWER));
        assert!(!has_key("", KEY_POWER));
        let mut event = [0; EVENT_BYTES];
        event[16] = 1;
        event[18] = 116;
        assert!(!is_power_press(&event), "released");
        event[20] = 1;
        assert!(is_power_press(&event));
    }
}
