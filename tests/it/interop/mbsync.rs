//! mbsync keeps a Maildir and the box the same, both ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Office, files, is_mail, office, run};

/// A Maildir tree that mbsync keeps like the box.
struct Mirror {
    maildir: PathBuf,
    config: PathBuf,
}

impl Mirror {
    fn new(office: &Office) -> Self {
        let maildir = office.scratch.path().join("mail");
        fs::create_dir(&maildir).unwrap();
        let config = office.scratch.path().join("mbsyncrc");
        let text = format!(
            "IMAPAccount box\nHost {}\nPort {}\nUser anna@office.test\nPass secret-anna\n\
             SSLType IMAPS\nCertificateFile {}\nAuthMechs LOGIN\n\nIMAPStore far\nAccount box\n\n\
             MaildirStore near\nPath {m}/\nInbox {m}/INBOX\nSubFolders Verbatim\n\nChannel all\n\
             Far :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\n\
             SyncState *\n",
            office.host(),
            office.port(993),
            office.certificate().display(),
            m = maildir.display()
        );
        fs::write(&config, text).unwrap();
        Self { maildir, config }
    }

    fn sync(&self) {
        run(Command::new("mbsync").arg("-c").arg(&self.config).arg("-a"));
    }

    /// Names and lengths of all files, without mbsync's own.
    fn state(&self) -> Vec<PathBuf> {
        let mut state = files(&self.maildir);
        state.retain(|file| is_mail(file));
        state.sort();
        state
    }

    fn mails(&self, folder: &str) -> Vec<PathBuf> {
        let mut mails = files(&self.maildir.join(folder));
        mails.retain(|file| is_mail(file));
        mails.sort();
        mails
    }

    /// Gives a message other flags, as a mail program does.
    fn mark(&self, mail: &Path, flags: &str) {
        let name = mail.file_name().unwrap().to_string_lossy().into_owned();
        let folder = mail.parent().unwrap().parent().unwrap();
        let bare = name.split(':').next().unwrap();
        fs::rename(mail, folder.join("cur").join(format!("{bare}:2,{flags}"))).unwrap();
    }
}

#[test]
fn swaks_sends_in_and_mbsync_reads_twice_the_same() {
    let office = office();
    run(&mut office.swaks("anna@office.test", "to anna"));
    run(&mut office.swaks("info@office.test", "to her alias"));
    let refused = office.swaks("nobody@office.test", "to nobody").output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stdout).contains("550 5.1.1"), "{refused:?}");

    let mirror = Mirror::new(&office);
    mirror.sync();
    assert_eq!(mirror.mails("INBOX").len(), 2);
    for folder in ["Drafts", "Sent", "Trash", "Junk", "Archive"] {
        assert!(mirror.maildir.join(folder).is_dir(), "{folder} was not made");
    }
    let before = mirror.state();
    mirror.sync();
    assert_eq!(mirror.state(), before, "the second run changes nothing");

    // Two ways: what is marked read and filed here is so there.
    mirror.mark(&mirror.mails("INBOX")[0], "S");
    mirror.sync();
    let mut imap = office.daemon.imap("anna").unwrap();
    let status = imap.imap("STATUS INBOX (MESSAGES UNSEEN)").unwrap();
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 2 UNSEEN 1)");
}

#[test]
fn mbsync_carries_flags_deletions_and_folders_both_ways() {
    let office = office();
    for n in 1..=4 {
        run(&mut office.swaks("anna@office.test", &format!("letter {n}")));
    }
    let mirror = Mirror::new(&office);
    mirror.sync();
    let mut imap = office.daemon.imap("anna").unwrap();

    // There: a flag, a deletion, a folder with a message. Here: a flag, a deletion, a folder.
    imap.imap("SELECT INBOX").unwrap();
    imap.imap("STORE 1 +FLAGS (\\Answered)").unwrap();
    imap.imap("STORE 2 +FLAGS (\\Deleted)").unwrap();
    imap.imap("EXPUNGE").unwrap();
    imap.imap("CREATE \"Projekte/Gr&APwA3w-e\"").unwrap();
    imap.imap("COPY 1 \"Projekte/Gr&APwA3w-e\"").unwrap();
    imap.imap("UNSELECT").unwrap();
    let mails = mirror.mails("INBOX");
    mirror.mark(&mails[2], "F");
    fs::remove_file(&mails[3]).unwrap();
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir_all(mirror.maildir.join("Local/Deep").join(folder)).unwrap();
        fs::create_dir_all(mirror.maildir.join("Local").join(folder)).unwrap();
    }
    fs::copy(&mails[0], mirror.maildir.join("Local/Deep/new/1.local")).unwrap();
    mirror.sync();

    assert_eq!(mirror.mails("INBOX").len(), 2);
    let names: Vec<String> =
        mirror.mails("INBOX").iter().map(|m| m.to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|name| name.ends_with(":2,R")), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with(":2,F")), "{names:?}");
    let far = imap.imap("LIST \"\" \"Local*\"").unwrap();
    assert_eq!(far.len(), 3, "Local, Local/Deep and the OK: {far:?}");
    let status = imap.imap("STATUS Local/Deep (MESSAGES)").unwrap();
    assert_eq!(status[0], "* STATUS Local/Deep (MESSAGES 1)");
    let near = files(&mirror.maildir.join("Projekte"));
    assert_eq!(near.iter().filter(|file| is_mail(file)).count(), 1, "{near:?}");
    imap.imap("EXAMINE INBOX").unwrap();
    let search = imap.imap("SEARCH FLAGGED").unwrap();
    assert!(search.iter().any(|line| line.starts_with("* SEARCH ")), "{search:?}");
    imap.imap("UNSELECT").unwrap();

    let before = mirror.state();
    mirror.sync();
    mirror.sync();
    assert_eq!(mirror.state(), before, "nothing more to do");
    let status = imap.imap("STATUS INBOX (MESSAGES)").unwrap();
    assert_eq!(status[0], "* STATUS INBOX (MESSAGES 2)");
}
