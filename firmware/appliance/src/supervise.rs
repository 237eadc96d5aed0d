//! The event loop of PID 1: the daemon's life, its link, signals, the power button, the screen.
//!
//! One thread, one poll(2). The daemon is started again with back-off when it ends, fed nothing it
//! did not ask for, and stopped in order: SIGTERM, 20 seconds, SIGKILL, then [`crate::power`].

mod child;
mod events;
mod requests;

use mdns_sd::ServiceDaemon;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

use crate::backoff::Backoff;
use crate::console;
use crate::listeners::Listeners;
use crate::log::Log;
use crate::machine::{Daemon, Machine};
use crate::power::{self, End};
use crate::wait::uptime_ms;
use crate::watchdog::Watchdog;
use child::Child;
pub(crate) use events::Events;

/// How long the daemon may take to stop, ms.
const STOP_MAX_MS: u64 = 20_000;
/// The longest sleep: the watchdog and the screen are looked after this often.
const TICK_MS: u64 = 1_000;

/// A stop in progress.
#[derive(Debug)]
struct Stop {
    end: End,
    kill_at: u64,
}

/// PID 1 after the boot.
#[derive(Debug)]
pub(crate) struct Supervisor {
    log: Log,
    machine: Machine,
    events: Events,
    listeners: Listeners,
    provision: Option<&'static str>,
    /// Keeps the responder running.
    _mdns: Option<MdnsHandle>,
    child: Option<Child>,
    start_at: u64,
    backoff: Backoff,
    watchdog: Watchdog,
    stop: Option<Stop>,
    /// Version of the facts on the screen, and the screen.
    shown: (u64, String),
    has_served: bool,
}

/// The responder's handle, which has no `Debug` of its own.
struct MdnsHandle(#[expect(dead_code, reason = "dropping it ends the responder")] ServiceDaemon);

impl std::fmt::Debug for MdnsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MdnsHandle")
    }
}

impl Supervisor {
    /// All that the boot prepared; the daemon starts with the first turn of [`Supervisor::run`].
    pub(crate) fn new(
        log: &Log,
        machine: Machine,
        events: Events,
        listeners: Listeners,
        provision: Option<&'static str>,
        mdns: Option<ServiceDaemon>,
    ) -> Self {
        let watchdog = Watchdog::open(uptime_ms());
        if !watchdog.is_there() {
            log.say("no watchdog; a hang needs the power button");
        }
        // From here on Ctrl-Alt-Del is a signal to us and not the end.
        if let Err(err) = rustix::system::reboot(rustix::system::RebootCommand::CadOff) {
            log.say(&format!("Ctrl-Alt-Del restarts at once: {err}"));
        }
        Self {
            log: log.clone(),
            machine,
            events,
            listeners,
            provision,
            _mdns: mdns.map(MdnsHandle),
            child: None,
            start_at: 0,
            backoff: Backoff::new(),
            watchdog,
            stop: None,
            shown: (u64::MAX, String::new()),
            has_served: false,
        }
    }

    /// Turns for ever.
    pub(crate) fn run(mut self) -> ! {
        loop {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let now = uptime_ms();
        if self.child.is_none() && self.stop.is_none() && now >= self.start_at {
            self.start();
        }
        self.watchdog.feed(now);
        self.draw();
        let fds = self.child.as_ref().map(Child::fds).unwrap_or_default();
        let busy = self.child.as_ref().is_some_and(Child::has_more);
        let wait = if busy { 0 } else { TICK_MS };
        let happened = self.events.wait(&fds, Some(wait));
        if let Some(end) = happened.end {
            self.begin_stop(end);
        }
        self.hear();
        self.reap();
        self.go_on_stopping();
    }

    fn start(&mut self) {
        self.machine.change(|facts| facts.daemon = Daemon::Starting);
        let started = Events::unblocked(|| Child::start(&self.listeners, self.provision));
        match started.and_then(|child| child) {
            Ok(child) => self.child = Some(child),
            Err(err) => {
                self.log.say(&format!("the daemon can not be started: {err}"));
                self.start_at = uptime_ms() + self.backoff.after(0);
            }
        }
    }

    /// Reads what the daemon says: its log, READY, its requests.
    fn hear(&mut self) {
        let Some(child) = &mut self.child else { return };
        for line in child.log_lines() {
            self.log.daemon(&line);
            if !self.has_served && line.contains("provisioning: ") {
                self.watchdog.rule.starts(uptime_ms());
            }
        }
        let said_ready = child.output_lines().into_iter().find(|line| line.starts_with("READY "));
        let (asked, link_error) = child.requests();
        if let Some(line) = said_ready {
            // It may hold the setup code: for who stands before the box, never for the log.
            self.log.console_only(&line);
            self.ready();
        }
        if let Some(err) = link_error {
            self.log.say(&format!("the link to the daemon is closed: {err}"));
        }
        for request in asked {
            let reply = self.handle(request);
            if let Some(child) = &mut self.child {
                child.answer(&reply);
            }
        }
    }

    fn ready(&mut self) {
        let at = uptime_ms();
        self.watchdog.rule.alive(at);
        let rss = self.child.as_ref().map(Child::resident_kb).unwrap_or_default();
        self.log.say(&format!("READY after {at} ms, the daemon has {rss} KB resident"));
        let is_first = !std::mem::replace(&mut self.has_served, true);
        if is_first {
            self.check_root();
        }
        self.machine.change(|facts| {
            facts.daemon = Daemon::Ready;
            if is_first {
                facts.status.boot_phases.push(("ready".to_owned(), at));
            }
        });
    }

    /// Reads the system's files whole, beside the daemon's work; a damaged one is told.
    fn check_root(&self) {
        let (log, machine) = (self.log.clone(), self.machine.clone());
        let spawned = std::thread::Builder::new().name("root".to_owned()).spawn(move || {
            match crate::root::check_content() {
                Ok(found) => log.note(&format!("root: {found}")),
                Err(err) => {
                    log.say(&format!("root: the system on the disk is damaged: {err}"));
                    machine.change(|facts| {
                        "The disk is damaged: see the log".clone_into(&mut facts.notice);
                    });
                }
            }
        });
        if let Err(err) = spawned {
            self.log.say(&format!("root: not read whole: {err}"));
        }
    }

    /// Takes the dead: the daemon's end is news, everything else only has to go.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if self.child.as_ref().is_some_and(|child| child.pid() == pid) {
                self.child_ended(status);
            }
        }
    }

    fn child_ended(&mut self, status: rustix::process::WaitStatus) {
        let Some(mut child) = self.child.take() else { return };
        for line in child.log_lines() {
            self.log.daemon(&line);
        }
        let how = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("with status {code}"),
            (_, Some(signal)) => format!("by signal {signal}"),
            _ => "somehow".to_owned(),
        };
        if self.stop.is_some() {
            self.log.say(&format!("the daemon ended {how}"));
            return;
        }
        self.doubt_provision(&status);
        let wait = self.backoff.after(uptime_ms().saturating_sub(child.started_ms()));
        self.log.say(&format!("the daemon ended {how}; it starts again in {wait} ms"));
        self.start_at = uptime_ms() + wait;
        self.machine.change(|facts| {
            facts.daemon = Daemon::Waiting;
            facts.status.daemon_restarts += 1;
        });
    }

    /// A daemon that refuses its provisioning file ends before it ever served. The box then comes up
    /// without the file, so that somebody can be told; the reasons are in the log above.
    fn doubt_provision(&mut self, status: &rustix::process::WaitStatus) {
        if self.has_served || status.exit_status().is_none_or(|code| code == 0) {
            return;
        }
        if self.provision.take().is_some() {
            self.log.say("the provisioning file postroom.toml was refused; going on without it");
            self.machine.change(|facts| {
                "postroom.toml was refused: see the log".clone_into(&mut facts.notice);
            });
        }
    }

    fn begin_stop(&mut self, end: End) {
        if self.stop.is_some() {
            return;
        }
        self.log.say(&format!("stopping: {}", end.words()));
        self.stop = Some(Stop { end, kill_at: uptime_ms() + STOP_MAX_MS });
        self.machine.change(|facts| facts.daemon = Daemon::Stopping);
        if let Some(child) = &self.child {
            self.signal(child.pid(), Signal::TERM);
        }
    }

    fn signal(&self, pid: Pid, signal: Signal) {
        if let Err(err) = kill_process(pid, signal) {
            self.log.say(&format!("signaling the daemon: {err}"));
        }
    }

    fn go_on_stopping(&mut self) {
        let Some(stop) = &mut self.stop else { return };
        let end = stop.end;
        match &self.child {
            None => power::end(end, &self.log),
            Some(child) if uptime_ms() >= stop.kill_at => {
                let pid = child.pid();
                stop.kill_at = u64::MAX;
                self.log.say("the daemon does not stop; ending it");
                self.signal(pid, Signal::KILL);
            }
            Some(_) => {}
        }
    }

    fn draw(&mut self) {
        let version = self.machine.version();
        if version == self.shown.0 {
            return;
        }
        self.shown.0 = version;
        let screen = console::render(&self.machine.facts());
        if screen != self.shown.1 {
            self.log.show(&screen);
            self.shown.1 = screen;
        }
    }
}
