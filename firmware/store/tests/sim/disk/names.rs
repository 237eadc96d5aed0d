//! Folders: which names are there now, which are on the platter, and what happened between.
//!
//! A rename is one thing: the platter has the old name or the new one. Everything else may be there or
//! not, whatever came after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::image::Image;
use crate::random::Random;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File(u64),
    Folder,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, Node),
    Unlink(String),
    Rename(String, String),
}

type Names = BTreeMap<String, Node>;

#[derive(Clone, Debug, Default)]
struct Folder {
    now: Names,
    synced: Names,
    pending: Vec<Change>,
}

fn apply(names: &mut Names, change: &Change) {
    match change {
        Change::Link(name, node) => {
            names.insert(name.clone(), *node);
        }
        Change::Unlink(name) => {
            names.remove(name);
        }
        Change::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}

impl Folder {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.synced, &change);
        }
    }

    fn crash(&self, random: &mut Random) -> Self {
        let mut names = self.synced.clone();
        let style = random.below(4);
        for change in &self.pending {
            let is_kept = match style {
                0 => false,
                1 => true,
                _ => random.once_in(2),
            };
            if is_kept {
                apply(&mut names, change);
            }
        }
        Self { now: names.clone(), synced: names, pending: Vec::new() }
    }
}

/// All that a disk holds.
#[derive(Clone, Debug)]
pub(crate) struct Platter {
    folders: BTreeMap<PathBuf, Folder>,
    files: BTreeMap<u64, Image>,
    next_file: u64,
}

impl Default for Platter {
    fn default() -> Self {
        let root = (PathBuf::from("/"), Folder::default());
        Self { folders: BTreeMap::from([root]), files: BTreeMap::new(), next_file: 1 }
    }
}

fn split(path: &Path) -> Option<(&Path, String)> {
    Some((path.parent()?, path.file_name()?.to_str()?.to_owned()))
}

impl Platter {
    pub(crate) fn find(&self, path: &Path) -> Option<Node> {
        let (folder, name) = split(path)?;
        self.folders.get(folder)?.now.get(&name).copied()
    }

    pub(crate) fn file(&mut self, id: u64) -> &mut Image {
        self.files.entry(id).or_default()
    }

    /// Makes an empty file in a folder that is there.
    pub(crate) fn create(&mut self, path: &Path) -> Option<u64> {
        let (folder, name) = split(path)?;
        let id = self.next_file;
        self.folders.get_mut(folder)?.change(Change::Link(name, Node::File(id)));
        self.files.insert(id, Image::default());
        self.next_file += 1;
        Some(id)
    }

    pub(crate) fn remove(&mut self, path: &Path) -> Option<()> {
        let (folder, name) = split(path)?;
        let folder = self.folders.get_mut(folder)?;
        matches!(folder.now.get(&name), Some(Node::File(_))).then_some(())?;
        folder.change(Change::Unlink(name));
        Some(())
    }

    /// Within one folder: a rename across folders is two names that are synced apart.
    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Option<()> {
        let ((folder, from), (other, to)) = (split(from)?, split(to)?);
        assert_eq!(folder, other, "a rename across folders is not simulated");
        let folder = self.folders.get_mut(folder)?;
        folder.now.contains_key(&from).then_some(())?;
        folder.change(Change::Rename(from, to));
        Some(())
    }

    /// Names of the files in a folder.
    pub(crate) fn list(&self, dir: &Path) -> Option<Vec<String>> {
        let names = &self.folders.get(dir)?.now;
        let files = names.iter().filter(|(_, node)| matches!(node, Node::File(_)));
        Some(files.map(|(name, _)| name.clone()).collect())
    }

    /// Makes a folder and those above it.
    pub(crate) fn make_dir(&mut self, dir: &Path) {
        let Some((parent, name)) = split(dir) else { return };
        if self.folders.contains_key(dir) {
            return;
        }
        self.make_dir(parent);
        if let Some(parent) = self.folders.get_mut(parent) {
            parent.change(Change::Link(name, Node::Folder));
        }
        self.folders.insert(dir.to_owned(), Folder::default());
    }

    pub(crate) fn has_dir(&self, dir: &Path) -> bool {
        self.folders.contains_key(dir)
    }

    pub(crate) fn sync_dir(&mut self, dir: &Path) -> Option<()> {
        self.folders.get_mut(dir)?.sync();
        Some(())
    }

    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for (dir, folder) in &self.folders {
            for (name, node) in &folder.now {
                if let Node::File(id) = node
                    && let Some(image) = self.files.get(id)
                {
                    let bytes = image.read(0, image.len()).unwrap_or_default();
                    found.push((dir.join(name), bytes.to_vec()));
                }
            }
        }
        found
    }

    pub(crate) fn put_file(&mut self, path: &Path, bytes: &[u8]) {
        if let Some(dir) = path.parent() {
            self.make_dir(dir);
        }
        if let Some(id) = self.create(path) {
            self.file(id).write(0, bytes);
            self.file(id).sync();
        }
        self.sync_all_dirs();
    }

    pub(crate) fn sync_all_dirs(&mut self) {
        self.folders.values_mut().for_each(Folder::sync);
    }

    /// What is found after the power went.
    pub(crate) fn crash(&self, random: &mut Random) -> Self {
        let mut found = Self { next_file: self.next_file, ..Self::default() };
        let mut to_see = vec![PathBuf::from("/")];
        while let Some(dir) = to_see.pop() {
            let Some(folder) = self.folders.get(&dir) else { continue };
            let folder = folder.crash(random);
            for (name, node) in &folder.now {
                match node {
                    Node::Folder => to_see.push(dir.join(name)),
                    Node::File(id) => {
                        let image = self.files.get(id).map(|file| file.crash(random));
                        found.files.insert(*id, image.unwrap_or_default());
                    }
                }
            }
            found.folders.insert(dir, folder);
        }
        found
    }
}

#[test]
fn a_name_is_durable_after_its_folder_was_synced() {
    let mut platter = Platter::default();
    let dir = Path::new("/data");
    platter.make_dir(dir);
    platter.sync_dir(Path::new("/")).unwrap();
    platter.create(Path::new("/data/a")).unwrap();
    platter.sync_dir(dir).unwrap();
    platter.rename(Path::new("/data/a"), Path::new("/data/b")).unwrap();
    platter.create(Path::new("/data/c")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let found = platter.crash(&mut Random::new(seed)).list(dir).unwrap();
        assert_eq!(found.iter().filter(|name| *name != "c").count(), 1, "old or new: {found:?}");
        seen.insert(found);
    }
    assert_eq!(seen.len(), 4);
}
