//! What PID 1 waits for: signals, the power button, the daemon's descriptors, time.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};

use crate::button::{self, Button};
use crate::power::End;
use crate::wait::timeout;

/// The sources.
#[derive(Debug)]
pub(crate) struct Events {
    signals: SignalFd,
    buttons: Vec<Button>,
}

/// What one wait brought.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// Somebody wants the box to end.
    pub(crate) end: Option<End>,
}

impl Events {
    /// Opens them. To be called on the main thread, after the other threads were started: they need
    /// no signal.
    pub(crate) fn open() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGPWR] {
            set.add(signal);
        }
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { signals, buttons: button::open_all() })
    }

    /// Does `work` with no signal blocked: what is started inherits the mask, and a daemon that
    /// blocks SIGTERM can not be stopped.
    pub(crate) fn unblocked<T>(work: impl FnOnce() -> T) -> io::Result<T> {
        let blocked = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let result = work();
        blocked.thread_set_mask()?;
        Ok(result)
    }

    /// Waits until something happens or `ms` are over.
    pub(crate) fn wait(&mut self, others: &[BorrowedFd<'_>], ms: Option<u64>) -> Happened {
        let mut fds: Vec<PollFd<'_>> = [self.signals.as_fd()]
            .into_iter()
            .chain(self.buttons.iter().map(|button| button.as_fd()))
            .chain(others.iter().copied())
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        let limit = ms.map(timeout);
        // An error here is an interruption or a lack of memory; the turn goes on and waits again.
        if poll(&mut fds, limit.as_ref()).is_err() {
            crate::wait::pause(10);
        }
        let mut happened = Happened::default();
        while let Ok(Some(signal)) = self.signals.read_signal() {
            let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
            match Signal::try_from(number) {
                // Ctrl-Alt-Del comes as SIGINT.
                Ok(Signal::SIGINT) => happened.end = Some(End::Reboot),
                Ok(Signal::SIGTERM | Signal::SIGPWR) => happened.end = Some(End::PowerOff),
                _ => {}
            }
        }
        if self.buttons.iter_mut().any(Button::was_pressed) {
            happened.end = Some(End::PowerOff);
        }
        happened
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_started_can_be_stopped() {
        // On a thread of its own: the mask of the test's thread stays.
        let stopped = std::thread::spawn(|| {
            let _events = Events::open().unwrap();
            let mut child =
                Events::unblocked(|| Command::new("sleep").arg("1000").spawn()).unwrap().unwrap();
            let pid = rustix::process::Pid::from_child(&child);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            child.wait().unwrap()
        });
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(stopped.join().unwrap().signal(), Some(15));
    }
}
