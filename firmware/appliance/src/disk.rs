//! Which disk is the box's own, and its partitions, as sysfs tells.
//!
//! The disk is the one the root partition lies on. Where the root is no partition (a trial with the
//! root in memory), it is the only disk with all five labels of the image's layout.

pub(crate) mod gpt;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Labels of the image's partitions.
pub(crate) const LABELS: [&str; 5] = ["bios", "esp", "slot-a", "slot-b", "data"];

/// Why there is no disk to work with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum DiskError {
    #[error("no disk with Postroom's partitions (bios, esp, slot-a, slot-b, data) is attached")]
    None,
    #[error("two disks with Postroom's partitions are attached ({0} and {1}); remove one")]
    Two(String, String),
    #[error("the disk {0} has no partition {1}; write the image to it anew")]
    Incomplete(String, &'static str),
}

/// A partition of the own disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// `sda5`, `nvme0n1p5`.
    pub(crate) name: String,
    /// Its number in the table.
    pub(crate) number: i32,
}

/// The own disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    /// `sda`, `nvme0n1`.
    pub(crate) name: String,
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Bytes of a logical sector.
    pub(crate) sector: u64,
    /// Model and serial number, as far as known.
    pub(crate) model: String,
    partitions: BTreeMap<String, Partition>,
}

impl Disk {
    /// The partition with a label of the image's layout.
    pub(crate) fn partition(&self, label: &'static str) -> Result<&Partition, DiskError> {
        self.partitions.get(label).ok_or_else(|| DiskError::Incomplete(self.name.clone(), label))
    }
}

/// The device node of a disk or partition.
pub(crate) fn node(name: &str) -> PathBuf {
    Path::new("/dev").join(name)
}

/// Finds the own disk below `sys` (`/sys`); `root` is the device number of the root file system,
/// `8:3`.
pub(crate) fn find(sys: &Path, root: &str) -> Result<Disk, DiskError> {
    let disks = read_disks(sys);
    let has_root = |disk: &&Disk| {
        disk.partitions.values().any(|partition| {
            let path = sys.join("block").join(&disk.name).join(&partition.name).join("dev");
            fs::read_to_string(path).is_ok_and(|dev| dev.trim() == root)
        })
    };
    if let Some(disk) = disks.iter().find(has_root) {
        for label in LABELS {
            disk.partition(label)?;
        }
        return Ok(disk.clone());
    }
    let mut whole =
        disks.into_iter().filter(|disk| LABELS.iter().all(|l| disk.partitions.contains_key(*l)));
    match (whole.next(), whole.next()) {
        (Some(disk), None) => Ok(disk),
        (Some(one), Some(two)) => Err(DiskError::Two(one.name, two.name)),
        (None, _) => Err(DiskError::None),
    }
}

fn read_disks(sys: &Path) -> Vec<Disk> {
    let Ok(entries) = fs::read_dir(sys.join("block")) else { return Vec::new() };
    let mut disks: Vec<Disk> =
        entries.flatten().filter_map(|entry| read_disk(&entry.path())).collect();
    disks.sort_by(|a, b| a.name.cmp(&b.name));
    disks
}

fn read_disk(path: &Path) -> Option<Disk> {
    let text = |name: &str| {
        fs::read_to_string(path.join(name)).map(|t| t.trim().to_owned()).unwrap_or_default()
    };
    let mut partitions = BTreeMap::new();
    for entry in fs::read_dir(path).ok()?.flatten() {
        let Ok(uevent) = fs::read_to_string(entry.path().join("uevent")) else { continue };
        let value =
            |key: &str| uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        if let (Some(label), Some(number)) = (value("PARTNAME"), value("PARTN"))
            && let Ok(number) = number.parse()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            partitions.insert(label.to_owned(), Partition { name, number });
        }
    }
    let model = [text("device/model"), text("device/serial"), text("serial")];
    Some(Disk {
        name: path.file_name()?.to_string_lossy().into_owned(),
        // sysfs counts in 512 bytes whatever the sector is.
        bytes: text("size").parse::<u64>().ok()?.checked_mul(512)?,
        sector: text("queue/logical_block_size").parse().unwrap_or(512),
        model: model.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
        partitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn add_disk(sys: &Path, name: &str, major: u32, labels: &[&str]) {
        let disk = sys.join("block").join(name);
        put(&disk.join("size"), "2097152\n");
        put(&disk.join("queue/logical_block_size"), "512\n");
        put(&disk.join("device/model"), "Test Disk   \n");
        for (at, label) in labels.iter().enumerate() {
            let part = disk.join(format!("{name}{}", at + 1));
            let n = at + 1;
            put(&part.join("uevent"), &format!("DEVTYPE=partition\nPARTN={n}\nPARTNAME={label}\n"));
            put(&part.join("dev"), &format!("{major}:{n}\n"));
        }
    }

    #[test]
    fn the_disk_of_the_root_is_the_own_disk() {
        let dir = tempfile::tempdir().unwrap();
        add_disk(dir.path(), "sda", 8, &LABELS);
        add_disk(dir.path(), "sdb", 9, &LABELS);
        add_disk(dir.path(), "sdc", 10, &["EFI", "Windows"]);
        let disk = find(dir.path(), "9:3").unwrap();
        assert_eq!(disk.name, "sdb");
        assert_eq!(disk.bytes, 1 << 30);
        assert_eq!(disk.model, "Test Disk");
        let data = Partition { name: "sdb5".into(), number: 5 };
        assert_eq!(disk.partition("data").unwrap(), &data);
        assert_eq!(find(dir.path(), "0:1"), Err(DiskError::Two("sda".into(), "sdb".into())));
    }

    #[test]
    fn no_disk_and_a_lost_partition_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find(dir.path(), "8:3"), Err(DiskError::None));
        add_disk(dir.path(), "sda", 8, &LABELS[..4]);
        assert_eq!(find(dir.path(), "8:3"), Err(DiskError::Incomplete("sda".into(), "data")));
    }
}
