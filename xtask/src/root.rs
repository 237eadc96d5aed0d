//! The slot: one squashfs with the kernel, the daemon and the few files it needs.
//!
//! Everything belongs to root with fixed modes and one time stamp, so no root rights are needed
//! to build it and the same input gives the same bytes.

use crate::apt::Apt;
use crate::board::{Board, Files};
use crate::kernel::Kernel;
use crate::place::Place;
use crate::{early_cpio, say};
use anyhow::{Context as _, Result, bail};
use backhand::compression::Compressor;
use backhand::{FilesystemCompressor, FilesystemWriter, NodeHeader};
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Mount points: PID 1 mounts here and creates nothing else on the root.
const EMPTY_DIRS: &[&str] =
    &["proc", "sys", "dev", "run", "tmp", "data", "boot/esp", "etc/postroom/board"];

/// GRUB 2.06 reads xz, and xz is the smallest it reads. 1 MiB blocks, the largest there are: a page of the
/// daemon that was dropped costs the decoding of one, which happens only where memory ran out; half of it
/// costs 0.3 MB of a slot.
const BLOCK_BYTES: u32 = 1024 * 1024;

enum Node {
    File { bytes: Vec<u8>, mode: u16 },
    Link(PathBuf),
}

/// The tree of a slot, by path.
pub(crate) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Tree {
    /// Puts a slot together.
    pub(crate) fn gather(
        place: &Place,
        board: &Board,
        apt: &Apt,
        kernel: &Kernel,
        daemon: &Path,
    ) -> Result<Self> {
        say::step("gathering the root");
        let mut tree = Self { nodes: BTreeMap::new() };
        tree.file("boot/vmlinuz", fs::read(&kernel.image)?, 0o644);
        tree.file("boot/microcode.img", early_cpio::microcode(apt, &board.microcode)?, 0o644);
        tree.file("sbin/postroomd", fs::read(daemon)?, 0o755);
        tree.link("sbin/init", "postroomd");
        tree.link("etc/mtab", "/proc/self/mounts");
        for tool in &board.tool {
            tree.tool(apt, tool)?;
        }
        tree.check_libraries(place)?;
        for files in &board.firmware {
            tree.firmware(apt, files)?;
        }
        tree.board_files(place, board)?;
        tree.licenses(place, apt)?;
        let release = format!(
            "VERSION={}\nBOARD={}\nBUILT={}\nKERNEL={}\n",
            place.version(),
            board.name,
            place.source_time(),
            kernel.version,
        );
        tree.file("etc/postroom/release", release.into_bytes(), 0o644);
        tree.file("etc/postroom/manifest", tree.manifest().into_bytes(), 0o644);
        Ok(tree)
    }

    fn file(&mut self, path: &str, bytes: Vec<u8>, mode: u16) {
        self.nodes.insert(PathBuf::from(path), Node::File { bytes, mode });
    }

    fn link(&mut self, path: &str, target: &str) {
        self.nodes.insert(PathBuf::from(path), Node::Link(PathBuf::from(target)));
    }

    fn tool(&mut self, apt: &Apt, tool: &Files) -> Result<()> {
        let root = apt.root_of(&tool.package)?;
        for path in &tool.files {
            let inside = path.trim_start_matches('/');
            let source = resolve(root, inside)?;
            let is_data = inside.starts_with("etc/");
            self.file(inside, fs::read(source)?, if is_data { 0o644 } else { 0o755 });
        }
        Ok(())
    }

    /// Asks the image's own loader whether it finds every library, before a customer's box does.
    fn check_libraries(&self, place: &Place) -> Result<()> {
        let scratch = place.image_dir().join("libraries");
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        let mut programs = Vec::new();
        for (path, node) in &self.nodes {
            let Node::File { bytes, mode: 0o755 } = node else { continue };
            let copy = scratch.join(path);
            fs::create_dir_all(copy.parent().context("a file in no folder")?)?;
            fs::write(&copy, bytes)?;
            make_executable(&copy)?;
            if path.starts_with("sbin") && !path.ends_with("postroomd") {
                programs.push(copy);
            }
        }
        for program in programs {
            let output = Command::new(scratch.join("lib64/ld-linux-x86-64.so.2"))
                .args(["--inhibit-cache", "--library-path"])
                .arg(scratch.join("lib/x86_64-linux-gnu"))
                .arg("--list")
                .arg(&program)
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            let inside = scratch.display().to_string();
            let foreign = text.lines().find(|line| {
                line.contains("not found") || line.contains("=> /") && !line.contains(&inside)
            });
            if !output.status.success() || foreign.is_some() {
                let name = program.file_name().unwrap_or_default().display();
                bail!("{name} lacks a library in the image: {}", foreign.unwrap_or(&text).trim());
            }
        }
        fs::remove_dir_all(&scratch)?;
        Ok(())
    }

    fn firmware(&mut self, apt: &Apt, files: &Files) -> Result<()> {
        let base = apt.root_of(&files.package)?.join("lib/firmware");
        for pattern in &files.files {
            let dir = Path::new(pattern).parent().unwrap_or_else(|| Path::new(""));
            let entries = fs::read_dir(base.join(dir))
                .with_context(|| format!("{} has no {}", files.package, dir.display()))?;
            let mut found = 0;
            for entry in entries {
                let name = dir.join(entry?.file_name());
                let text = name.to_string_lossy().into_owned();
                if matches(pattern, &text) {
                    let bytes = fs::read(resolve(&base, &text)?)?;
                    self.file(&format!("lib/firmware/{text}"), bytes, 0o644);
                    found += 1;
                }
            }
            if found == 0 {
                bail!("{} has no firmware {pattern}", files.package);
            }
        }
        Ok(())
    }

    fn board_files(&mut self, place: &Place, board: &Board) -> Result<()> {
        for name in [format!("{}.toml", board.name), "tier-1g.toml".into(), "tier-4g.toml".into()] {
            let bytes = fs::read(place.root.join("board").join(&name))?;
            self.file(&format!("etc/postroom/board/{name}"), bytes, 0o644);
        }
        Ok(())
    }

    /// Whoever hands an image on hands the licenses on: they are in it.
    fn licenses(&mut self, place: &Place, apt: &Apt) -> Result<()> {
        for name in ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE"] {
            let bytes = fs::read(place.root.join(name))?;
            self.file(&format!("usr/share/licenses/postroom/{name}"), bytes, 0o644);
        }
        for package in apt.packages() {
            let name = &package.name;
            // A package built from the same source as another points to that one's text.
            if let Ok(text) = resolve(&package.root, &format!("usr/share/doc/{name}/copyright")) {
                self.file(&format!("usr/share/licenses/debian/{name}"), fs::read(text)?, 0o644);
            }
        }
        Ok(())
    }

    /// `BLAKE3 PATH` of the kernel and of all that can be run; PID 1 looks at them at boot. Firmware
    /// and texts are left out: opening each would cost a block of squashfs.
    fn manifest(&self) -> String {
        let is_listed = |path: &Path, mode: u16| mode == 0o755 || path.starts_with("boot");
        self.nodes
            .iter()
            .filter_map(|(path, node)| match node {
                Node::File { bytes, mode } if is_listed(path, *mode) => {
                    Some(format!("{} /{}\n", blake3::hash(bytes).to_hex(), path.display()))
                }
                _ => None,
            })
            .collect()
    }

    /// The sizes of the parts, largest first.
    pub(crate) fn sizes(&self) -> Vec<(String, usize)> {
        let mut sizes: Vec<(String, usize)> = self
            .nodes
            .iter()
            .filter_map(|(path, node)| match node {
                Node::File { bytes, .. } => Some((path.display().to_string(), bytes.len())),
                Node::Link(_) => None,
            })
            .collect();
        sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        sizes
    }

    /// The squashfs.
    pub(crate) fn squashfs(&self, time: u32) -> Result<Vec<u8>> {
        say::step("packing the slot (squashfs, xz)");
        let header = |permissions| NodeHeader { permissions, uid: 0, gid: 0, mtime: time };
        let mut writer = FilesystemWriter::default();
        writer.set_time(time);
        writer.set_block_size(BLOCK_BYTES);
        writer.set_compressor(FilesystemCompressor::new(Compressor::Xz, None)?);
        writer.set_root_mode(0o755);
        writer.set_only_root_id();
        for dir in EMPTY_DIRS {
            writer.push_dir_all(dir, header(0o755))?;
        }
        for (path, node) in &self.nodes {
            if let Some(parent) = path.parent() {
                writer.push_dir_all(parent, header(0o755))?;
            }
            match node {
                Node::File { bytes, mode } => {
                    writer.push_file(Cursor::new(bytes.as_slice()), path, header(*mode))?;
                }
                Node::Link(target) => writer.push_symlink(target, path, header(0o777))?,
            }
        }
        let mut output = Cursor::new(Vec::new());
        writer.write(&mut output)?;
        Ok(output.into_inner())
    }
}

/// Finds a file of an unpacked package, which may keep it below `/usr`, and follows links; an
/// absolute link means the package's own root.
fn resolve(root: &Path, inside: &str) -> Result<PathBuf> {
    let mut path = root.join(inside);
    if fs::symlink_metadata(&path).is_err() {
        path = root.join("usr").join(inside);
    }
    for _ in 0..8 {
        let Ok(target) = fs::read_link(&path) else {
            return if path.exists() { Ok(path) } else { bail!("{} is missing", path.display()) };
        };
        path = match target.strip_prefix("/") {
            Ok(inside) => root.join(inside),
            Err(_) => path.parent().unwrap_or(root).join(target),
        };
    }
    bail!("{inside} is a chain of links without an end")
}

/// `*` stands for any text, once.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
        None => pattern == name,
    }
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(test)]
mod tests {
    use super::{Tree, matches};
    use std::collections::BTreeMap;

    #[test]
    fn the_manifest_lists_what_can_be_run() {
        let mut tree = Tree { nodes: BTreeMap::new() };
        tree.file("sbin/postroomd", b"daemon".to_vec(), 0o755);
        tree.file("boot/vmlinuz", b"kernel".to_vec(), 0o644);
        tree.file("etc/mke2fs.conf", b"text".to_vec(), 0o644);
        tree.link("sbin/init", "postroomd");
        let (kernel, daemon) = (blake3::hash(b"kernel"), blake3::hash(b"daemon"));
        let expected = format!("{kernel} /boot/vmlinuz\n{daemon} /sbin/postroomd\n");
        assert_eq!(tree.manifest(), expected);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("rtl_nic/*", "rtl_nic/rtl8168g-2.fw", true),
            ("rtl_nic/*", "rtl_bt/a", false),
            ("bnx2x/bnx2x-*-7.13.21.0.fw", "bnx2x/bnx2x-e2-7.13.21.0.fw", true),
            ("bnx2x/bnx2x-*-7.13.21.0.fw", "bnx2x/bnx2x-e2-7.13.1.0.fw", false),
            ("ab*ba", "aba", false),
            ("a", "a", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
