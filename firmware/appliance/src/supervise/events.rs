//! What PID 1 waits for: signals, the power button, the daemon's descriptors, time.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
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
    /// Opens them. To be called on the main thread before the daemon is started: the mask is reset
    /// in what is started later, and other threads need no signal.
    pub(crate) fn open() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGPWR] {
            set.add(signal);
        }
        set.thread_block()?;
        let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { signals, buttons: button::open_all() })
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
