//! Where an export goes: Maildir++ (a folder of files per mailbox) or mbox (one file per mailbox, the
//! dialect that quotes every `>*From `, called mboxrd).
//!
//! Names of mailboxes become names of files: what a file system gives a meaning is replaced.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use base::{Timestamp, Uid};

use super::ExportReport;
use crate::{Flags, READ_MAX, StoreError};

/// What an export writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// Maildir++ with the bytes of each message as they were received.
    #[default]
    Maildir,
    /// mbox, lines end with LF.
    Mbox,
}

/// A message on its way out.
pub(super) struct Letter<'l> {
    pub(super) mailbox: &'l str,
    pub(super) uid: Uid,
    pub(super) flags: &'l Flags,
    pub(super) internal_date: Timestamp,
}

/// Reads a piece of a content: offset, length.
pub(super) type Read<'r> = dyn Fn(u64, usize) -> Result<Vec<u8>, StoreError> + 'r;

/// The files of one export.
pub(super) struct Files {
    to: PathBuf,
    format: ExportFormat,
    /// Mailbox -> its folder or file, and the keywords that have a letter.
    boxes: BTreeMap<String, (PathBuf, Vec<String>)>,
    count: u64,
}

fn io_error(doing: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    StoreError::io(doing)
}

const WRITING: &str = "writing an exported message";

impl Files {
    /// Makes the folder `to`; refuses one that holds something.
    pub(super) fn new(to: &Path, format: ExportFormat) -> Result<Self, StoreError> {
        fs::create_dir_all(to).map_err(io_error("making the folder of an export"))?;
        let mut entries = fs::read_dir(to).map_err(io_error("reading the folder of an export"))?;
        if entries.next().is_some() {
            return Err(StoreError::Exists);
        }
        Ok(Self { to: to.to_owned(), format, boxes: BTreeMap::new(), count: 0 })
    }

    /// Writes a message. What cannot be read is reported and leaves nothing: false.
    pub(super) fn put(
        &mut self,
        letter: &Letter<'_>,
        size: u64,
        what: &str,
        read: &Read<'_>,
        report: &mut ExportReport,
    ) -> Result<bool, StoreError> {
        let place = self.place_of(letter.mailbox)?;
        self.count += 1;
        let path = match self.format {
            ExportFormat::Maildir => {
                let letters = self.letters(letter)?;
                place.join("cur").join(format!(
                    "{}.M{}U{}.postroom,S={size}:2,{letters}",
                    letter.internal_date.secs().max(0),
                    self.count,
                    letter.uid,
                ))
            }
            ExportFormat::Mbox => place,
        };
        let mut file =
            OpenOptions::new().append(true).create(true).open(&path).map_err(io_error(WRITING))?;
        let begin = file.metadata().map_err(io_error(WRITING))?.len();
        let copied = match self.format {
            ExportFormat::Maildir => copy_whole(&mut file, size, read),
            ExportFormat::Mbox => copy_mbox(&mut file, letter, size, read),
        };
        match copied {
            Ok(()) => {
                let secs = u64::try_from(letter.internal_date.secs()).unwrap_or(0);
                if self.format == ExportFormat::Maildir
                    && let Some(at) = UNIX_EPOCH.checked_add(Duration::from_secs(secs))
                {
                    file.set_modified(at).map_err(io_error(WRITING))?;
                }
                Ok(true)
            }
            Err(StoreError::DiskFull) => Err(StoreError::DiskFull),
            Err(StoreError::Io { doing, source }) if doing == WRITING => {
                Err(StoreError::Io { doing, source })
            }
            Err(e) => {
                report.skip(format!("{what}: {e}"));
                match self.format {
                    ExportFormat::Maildir => fs::remove_file(&path),
                    ExportFormat::Mbox => file.set_len(begin),
                }
                .map_err(io_error(WRITING))?;
                Ok(false)
            }
        }
    }

    /// The folder or file of a mailbox, made if absent.
    fn place_of(&mut self, mailbox: &str) -> Result<PathBuf, StoreError> {
        if let Some((place, _)) = self.boxes.get(mailbox) {
            return Ok(place.clone());
        }
        let mut name = file_name(mailbox);
        let of = |name: &str| match (self.format, mailbox) {
            (ExportFormat::Maildir, "INBOX") => self.to.clone(),
            (ExportFormat::Maildir, _) => self.to.join(format!(".{name}")),
            (ExportFormat::Mbox, _) => self.to.join(format!("{name}.mbox")),
        };
        // Two names may have become one.
        while self.boxes.values().any(|(place, _)| *place == of(&name)) {
            name.push('_');
        }
        let place = of(&name);
        if self.format == ExportFormat::Maildir {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(place.join(part)).map_err(io_error(WRITING))?;
            }
        }
        self.boxes.insert(mailbox.to_owned(), (place.clone(), Vec::new()));
        Ok(place)
    }

    /// The flags as Maildir has them, ascending; keywords have the letters a to z, named in the folder's
    /// `dovecot-keywords`.
    fn letters(&mut self, letter: &Letter<'_>) -> Result<String, StoreError> {
        let system = [
            ('D', Flags::DRAFT),
            ('F', Flags::FLAGGED),
            ('R', Flags::ANSWERED),
            ('S', Flags::SEEN),
            ('T', Flags::DELETED),
        ];
        let set = system.iter().filter(|(_, bit)| letter.flags.system & bit != 0);
        let mut letters: String = set.map(|(letter, _)| *letter).collect();
        let Some((place, known)) = self.boxes.get_mut(letter.mailbox) else { return Ok(letters) };
        let mut is_new = false;
        let mut bits: Vec<char> = Vec::new();
        for keyword in &letter.flags.keywords {
            let at = known.iter().position(|name| name.eq_ignore_ascii_case(keyword));
            let at = at.unwrap_or_else(|| {
                known.push(keyword.clone());
                is_new = true;
                known.len() - 1
            });
            bits.extend(('a'..='z').nth(at));
        }
        bits.sort_unstable();
        letters.extend(bits);
        if is_new {
            let lines: String = known
                .iter()
                .take(26)
                .enumerate()
                .map(|(n, name)| format!("{n} {name}\n"))
                .collect();
            fs::write(place.join("dovecot-keywords"), lines).map_err(io_error(WRITING))?;
        }
        Ok(letters)
    }
}

/// A mailbox's name as a file's: `.` between levels, nothing that a file system reads otherwise.
fn file_name(mailbox: &str) -> String {
    let safe = |c: char| if c == '.' || c == '\\' || c.is_control() { '_' } else { c };
    let mut name: String = mailbox.chars().map(|c| if c == '/' { '.' } else { safe(c) }).collect();
    // Most file systems take 255 bytes.
    while name.len() > 200 {
        name.pop();
    }
    name
}

fn copy_whole(file: &mut File, size: u64, read: &Read<'_>) -> Result<(), StoreError> {
    each_piece(size, read, &mut |piece| file.write_all(piece).map_err(io_error(WRITING)))
}

fn each_piece(
    size: u64,
    read: &Read<'_>,
    take: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut at = 0;
    while at < size {
        let piece = read(at, READ_MAX)?;
        if piece.is_empty() {
            return Err(StoreError::Damaged("the content is short".to_owned()));
        }
        at += piece.len() as u64;
        take(&piece)?;
    }
    Ok(())
}

/// The line between messages, flags as fields, and the message with LF and quoted `From `.
fn copy_mbox(
    file: &mut File,
    letter: &Letter<'_>,
    size: u64,
    read: &Read<'_>,
) -> Result<(), StoreError> {
    let mut out = BufWriter::new(file);
    let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(io_error(WRITING));
    let c = letter.internal_date.civil();
    let head = format!(
        "From MAILER-DAEMON {} {} {:2} {:02}:{:02}:{:02} {:04}\n",
        c.weekday_name(),
        c.month_name(),
        c.day,
        c.hour,
        c.minute,
        c.second,
        c.year
    );
    put(head.as_bytes())?;
    let has = |bit| letter.flags.system & bit != 0;
    let field = |name: &str, marks: &[(bool, &str)]| -> String {
        let value: String = marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
        format!("{name}: {value}\n")
    };
    put(field("Status", &[(has(Flags::SEEN), "R"), (true, "O")]).as_bytes())?;
    let marks = [
        (has(Flags::ANSWERED), "A"),
        (has(Flags::DELETED), "D"),
        (has(Flags::FLAGGED), "F"),
        (has(Flags::DRAFT), "T"),
    ];
    put(field("X-Status", &marks).as_bytes())?;
    if !letter.flags.keywords.is_empty() {
        put(format!("X-Keywords: {}\n", letter.flags.keywords.join(" ")).as_bytes())?;
    }
    let mut line: Vec<u8> = Vec::new();
    let mut end_line = |line: &mut Vec<u8>| -> Result<(), StoreError> {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let is_from = text
            .iter()
            .position(|b| *b != b'>')
            .is_some_and(|at| text.get(at..).is_some_and(|rest| rest.starts_with(b"From ")));
        if is_from {
            put(b">")?;
        }
        put(text)?;
        put(b"\n")?;
        line.clear();
        Ok(())
    };
    each_piece(size, read, &mut |piece| {
        for part in piece.split_inclusive(|b| *b == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(rest) => {
                    line.extend_from_slice(rest);
                    end_line(&mut line)?;
                }
                None => line.extend_from_slice(part),
            }
        }
        Ok(())
    })?;
    if !line.is_empty() {
        end_line(&mut line)?;
    }
    put(b"\n")?;
    out.flush().map_err(io_error(WRITING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        for (name, file) in [
            ("Archive/2026", "Archive.2026"),
            ("../../etc", "__.__.etc"),
            ("a.b", "a_b"),
            (".", "_"),
            ("Entwürfe", "Entwürfe"),
        ] {
            assert_eq!(file_name(name), file);
        }
        assert!(file_name(&"ü".repeat(255)).len() <= 200);
    }
}
