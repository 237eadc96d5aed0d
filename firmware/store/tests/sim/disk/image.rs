//! One file: what is read now, what is on the platter, and what was written between.

use crate::random::Random;

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8>, extends: bool },
    SetLen(usize),
}

/// A file as the operating system holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    now: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Change>,
}

/// What became of one change when the power went.
enum Fate {
    Whole,
    Lost,
    Torn,
}

impl Image {
    pub(crate) fn len(&self) -> usize {
        self.now.len()
    }

    /// The bytes from `at`; `None` if the file ends before.
    pub(crate) fn read(&self, at: usize, len: usize) -> Option<&[u8]> {
        self.now.get(at..at.checked_add(len)?)
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let extends = at + bytes.len() > self.now.len();
        let change = Change::Write { at, bytes: bytes.to_vec(), extends };
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        self.now.resize(len, 0);
        self.pending.push(Change::SetLen(len));
    }

    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.synced, &change);
        }
    }

    /// A sync that fails as Linux lets it: some pages are on the platter, the others are forgotten, and
    /// the next sync has nothing to say about them. They may be read from the cache for a while yet.
    pub(crate) fn lose_sync(&mut self, random: &mut Random) {
        self.synced = self.survivor(random);
        self.pending.clear();
        if random.once_in(2) {
            self.now = self.synced.clone();
        }
    }

    /// What is found after the power went.
    pub(crate) fn crash(&self, random: &mut Random) -> Self {
        let image = self.survivor(random);
        Self { now: image.clone(), synced: image, pending: Vec::new() }
    }

    fn survivor(&self, random: &mut Random) -> Vec<u8> {
        let mut image = self.synced.clone();
        let style = random.below(6);
        let prefix = random.index(self.pending.len() + 1);
        let mut lengths = self.lengths(style, random);
        for (at, change) in self.pending.iter().enumerate() {
            if change.sets_len() {
                if lengths > 0 {
                    grow(&mut image, change, random);
                } else if lengths == 0 && random.once_in(2) {
                    grow_in_part(&mut image, change, random);
                }
                lengths -= 1;
            }
            let Change::Write { at: from, bytes, .. } = change else { continue };
            let fate = match style {
                0 => Fate::Lost,
                1 => Fate::Whole,
                // In order up to a point, as a journal or a quiet disk does it.
                2 if at < prefix => Fate::Whole,
                2 if at == prefix => Fate::Torn,
                2 => Fate::Lost,
                // Any of them.
                3 if random.once_in(2) => Fate::Whole,
                3 => Fate::Lost,
                // All but one.
                4 if at == prefix => Fate::Lost,
                4 => Fate::Whole,
                _ => match random.below(3) {
                    0 => Fate::Whole,
                    1 => Fate::Lost,
                    _ => Fate::Torn,
                },
            };
            match fate {
                Fate::Whole => put(&mut image, *from, bytes),
                Fate::Torn => tear(&mut image, *from, bytes, random),
                Fate::Lost => {}
            }
        }
        image
    }

    /// How many changes of the length survive. They do so in their order, as file systems keep a journal
    /// of them; the bytes are not bound to that.
    fn lengths(&self, style: u64, random: &mut Random) -> i64 {
        let all = self.pending.iter().filter(|change| change.sets_len()).count();
        let some = match style {
            0 if random.once_in(2) => 0,
            1 | 4 => all,
            _ => random.index(all + 1),
        };
        i64::try_from(some).unwrap_or(0)
    }
}

impl Change {
    fn sets_len(&self) -> bool {
        match self {
            Self::Write { extends, .. } => *extends,
            Self::SetLen(_) => true,
        }
    }
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, bytes, .. } => {
            let end = at + bytes.len();
            if image.len() < end {
                image.resize(end, 0);
            }
            put(image, *at, bytes);
        }
        Change::SetLen(len) => image.resize(*len, 0),
    }
}

/// The length of the change is there; what was written to the new part, or anything else, may follow.
fn grow(image: &mut Vec<u8>, change: &Change, random: &mut Random) {
    match change {
        Change::Write { at, bytes, .. } => extend(image, *at, at + bytes.len(), random),
        Change::SetLen(len) => image.resize(*len, 0),
    }
}

/// A write that made the file longer did so in steps.
fn grow_in_part(image: &mut Vec<u8>, change: &Change, random: &mut Random) {
    if let Change::Write { at, bytes, .. } = change {
        let part = random.index(bytes.len() + 1);
        extend(image, *at, at + part, random);
    }
}

/// Makes the file longer: a hole up to `from`, then zeros or what the platter happened to hold.
fn extend(image: &mut Vec<u8>, from: usize, end: usize, random: &mut Random) {
    let from = from.max(image.len());
    image.resize(from.min(end).max(image.len()), 0);
    if random.once_in(2) {
        image.resize(end.max(image.len()), 0);
    }
    while image.len() < end {
        image.push(random.next().to_le_bytes()[0]);
    }
}

/// The bytes, as far as the file is long.
fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    let end = (at + bytes.len()).min(image.len());
    if at < end {
        image[at..end].copy_from_slice(&bytes[..end - at]);
    }
}

/// A part of it is there. What is not keeps its old bytes.
fn tear(image: &mut [u8], at: usize, bytes: &[u8], random: &mut Random) {
    let cut = random.index(bytes.len() + 1);
    match random.below(3) {
        0 => put(image, at, &bytes[..cut]),
        1 => put(image, at + cut, &bytes[cut..]),
        _ => {
            let mut from = 0;
            while from < bytes.len() {
                let border = ((at + from) / SECTOR_BYTES + 1) * SECTOR_BYTES;
                let to = bytes.len().min(border - at);
                if random.once_in(2) {
                    put(image, at + from, &bytes[from..to]);
                }
                from = to;
            }
        }
    }
}

#[test]
fn what_was_synced_stays_and_what_was_not_is_anything() {
    let mut file = Image::default();
    file.write(0, b"durable");
    file.sync();
    file.write(7, &[b'x'; 2000]);
    let mut lengths = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let found = file.crash(&mut Random::new(seed));
        assert_eq!(found.read(0, 7), Some(&b"durable"[..]));
        lengths.insert(found.len());
    }
    assert!(lengths.contains(&7) && lengths.contains(&2007) && lengths.len() > 5, "{lengths:?}");
    file.lose_sync(&mut Random::new(2));
    file.sync();
    let after = file.crash(&mut Random::new(0));
    assert!(after.read(7, 2000) != Some(&[b'x'; 2000]), "a later sync does not bring it back");
}
