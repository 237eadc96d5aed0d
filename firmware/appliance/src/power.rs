//! The end: what was written is on the disk, the data partition is clean, then reboot(2).

use rustix::mount::{UnmountFlags, unmount};
use rustix::system::{RebootCommand, reboot};

use crate::log::Log;
use crate::wait::{pause, uptime_ms};

const UNMOUNT_WAIT_MS: u64 = 5_000;

/// How the box ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Reboot,
    PowerOff,
}

impl End {
    fn command(self) -> RebootCommand {
        match self {
            Self::Reboot => RebootCommand::Restart,
            Self::PowerOff => RebootCommand::PowerOff,
        }
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Reboot => "starting again",
            Self::PowerOff => "switching off",
        }
    }
}

/// Unmounts and ends. The daemon is gone already.
pub(crate) fn end(end: End, log: &Log) -> ! {
    rustix::fs::sync();
    let until = uptime_ms() + UNMOUNT_WAIT_MS;
    while let Err(err) = unmount(crate::DATA, UnmountFlags::empty()) {
        let is_busy = err == rustix::io::Errno::BUSY;
        if !is_busy || uptime_ms() > until {
            if is_busy {
                log.say("the data partition is still in use; its journal keeps it whole");
            }
            break;
        }
        pause(100);
    }
    rustix::fs::sync();
    log.say(end.words());
    loop {
        if let Err(err) = reboot(end.command()) {
            log.say(&format!("the kernel does not obey: {err}"));
        }
        pause(10_000);
    }
}
