//! The boot: a literal list of phases, each named and timed.
//!
//! A phase either does its work, or says on the console what is missing and the boot goes on, or
//! ends the boot ([`Halt`]): then the reason stands on the screen and the box waits for its power
//! button. It never tries the same thing again in a loop.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use base::TierBudget;
use base::box_link::Network;
use rustix::system::RebootCommand;

use crate::disk::{self, Disk};
use crate::kernel_line::KernelLine;
use crate::listeners::Listeners;
use crate::log::Log;
use crate::machine::Machine;
use crate::power::End;
use crate::supervise::{Events, Supervisor};
use crate::tuning::Measures;
use crate::wait::{pause, uptime_ms};
use crate::{clock, console, data, esp, mdns, mounts, net, root, swap, tuning};

/// Disks on USB show up late.
const DISK_WAIT_MS: u64 = 15_000;

/// Why the box can not run, in words for who stands before it.
#[derive(Debug)]
pub(crate) struct Halt(String);

/// The boot in progress.
struct Boot<'a> {
    log: &'a Log,
    machine: Machine,
    phases: Vec<(String, u64)>,
}

impl Boot<'_> {
    /// Runs one phase, notes when it was done. What it returns on success is what it found.
    fn phase<T>(
        &mut self,
        name: &str,
        work: impl FnOnce(&Log, &Machine) -> Result<T, String>,
    ) -> Result<T, String> {
        let result = work(self.log, &self.machine);
        let at = uptime_ms();
        self.phases.push((name.to_owned(), at));
        self.machine.change(|facts| facts.status.boot_phases.clone_from(&self.phases));
        if let Err(err) = &result {
            self.log.say(&format!("{name}: {err}"));
        }
        result
    }
}

/// Brings the box up to the running daemon.
pub(crate) fn boot(log: &Log) -> Result<Supervisor, Halt> {
    let mut boot = Boot { log, machine: Machine::default(), phases: Vec::new() };
    let told = |_: String| ();

    boot.phase("mounts", mount).map_err(Halt)?;
    boot.phase("root", |log, _| check_root(log)).map_err(Halt)?;
    let budget = boot.phase("tuning", tune).map_err(Halt)?;
    boot.phase("links", |_, _| net::raise_links().map_err(|err| err.to_string()))
        .map_err(told)
        .ok();
    let disk = boot.phase("disk", find_disk).map_err(Halt)?;
    boot.phase("data", |log, _| data::prepare(&disk, log).map_err(|err| err.to_string()))
        .map_err(Halt)?;
    boot.phase("settings", |log, machine| read_settings(log, machine, &disk)).map_err(told).ok();
    let provision = boot.phase("provisioning", |_, _| esp::provisioning(&disk)).ok().flatten();
    boot.phase("clock", |log, _| {
        log.say(&format!("clock: {}", clock::not_before_build()));
        Ok(())
    })
    .map_err(told)
    .ok();
    boot.phase("network", start_network).map_err(told).ok();
    let listeners = boot
        .phase("listeners", |_, _| Listeners::open(0).map_err(|err| err.to_string()))
        .map_err(Halt)?;
    let mdns = boot.phase("mdns", |log, _| Ok(mdns::start(log))).ok().flatten();
    let events =
        boot.phase("events", |_, _| Events::open().map_err(|err| err.to_string())).map_err(Halt)?;

    let summary: Vec<String> =
        boot.phases.iter().map(|(name, at)| format!("{name} {at}")).collect();
    log.say(&format!("boot phases, ms: {}", summary.join(", ")));
    log.say(&format!("{} connections budgeted; starting the daemon", budget.connections_max));
    Ok(Supervisor::new(log, boot.machine, events, listeners, provision, mdns))
}

fn mount(log: &Log, machine: &Machine) -> Result<(), String> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let mounted = mounts::mount_all();
    log.open_consoles(KernelLine::read().is_verbose());
    mounted.map_err(|missing| format!("could not mount {missing}"))?;
    // Inherited by all that is ever started: nothing on this box gains rights by running a file.
    rustix::thread::set_no_new_privs(true).map_err(|err| format!("no_new_privs: {err}"))?;
    let line = KernelLine::read();
    machine.change(|facts| facts.status.image_version = root::image_version());
    log.say(&format!("Postroom {}, slot {}", root::image_version(), line.slot()));
    if line.value("postroom.fallback").is_some() {
        log.say("the newer system in the other slot did not start; this is the one before it");
    }
    mounts::keep_crash_notes(log);
    Ok(())
}

fn check_root(log: &Log) -> Result<(), String> {
    let found = root::check().map_err(|err| {
        format!("the system on the disk is damaged ({err}). Write the image to it anew")
    })?;
    log.say(&format!("root: {found}"));
    Ok(())
}

fn tune(log: &Log, machine: &Machine) -> Result<TierBudget, String> {
    let measures = Measures::take();
    let budget = TierBudget::for_ram(measures.ram_mb);
    machine.change(|facts| {
        facts.status.ram_mb = measures.ram_mb;
        facts.status.cores = measures.cores;
        budget.name.name().clone_into(&mut facts.status.tier);
    });
    tuning::apply(&measures, &budget, log)?;
    match swap::start(measures.ram_mb) {
        Ok(Some(mb)) => log.say(&format!("{mb} MB of compressed swap in memory")),
        Ok(None) => {}
        Err(err) => log.say(&format!("no compressed swap: {err}")),
    }
    Ok(budget)
}

fn find_disk(log: &Log, machine: &Machine) -> Result<Disk, String> {
    let root_device = std::fs::metadata("/")
        .map(|meta| {
            let dev = meta.dev();
            format!("{}:{}", rustix::fs::major(dev), rustix::fs::minor(dev))
        })
        .map_err(|err| err.to_string())?;
    let until = uptime_ms() + DISK_WAIT_MS;
    let disk = loop {
        match disk::find(Path::new("/sys"), &root_device) {
            Ok(disk) => break disk,
            Err(disk::DiskError::None) if uptime_ms() < until => pause(200),
            Err(err) => return Err(err.to_string()),
        }
    };
    log.say(&format!("disk: {} {} ({} MB)", disk.name, disk.model, disk.bytes >> 20));
    machine.change(|facts| facts.status.disk = format!("{} {}", disk.name, disk.model));
    Ok(disk)
}

/// The box's own settings on the data partition, and the latency of its disk.
fn read_settings(log: &Log, machine: &Machine, disk: &Disk) -> Result<(), String> {
    let network = read_network();
    let name = std::fs::read_to_string(host_name_file())
        .map_or_else(|_| "postroom".to_owned(), |text| text.trim().to_owned());
    rustix::system::sethostname(name.as_bytes()).map_err(|err| format!("host name: {err}"))?;
    let fsync_us = tuning::fsync_us(&disk.model).map_err(|err| format!("fsync probe: {err}"))?;
    log.say(&format!("data: a write is durable after {fsync_us} us"));
    machine.change(|facts| {
        facts.status.fsync_us = fsync_us;
        facts.console.host_name = name;
        match network {
            Ok(network) => facts.status.network = network,
            Err(err) => log.say(&format!("network settings: {err}; using DHCP")),
        }
    });
    Ok(())
}

/// Where the network settings are kept.
pub(crate) fn network_file() -> String {
    format!("{}/network.json", crate::BOX)
}

/// Where the host name is kept.
pub(crate) fn host_name_file() -> String {
    format!("{}/hostname", crate::BOX)
}

fn read_network() -> Result<Network, String> {
    let text = match std::fs::read_to_string(network_file()) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Network::Dhcp),
        Err(err) => return Err(err.to_string()),
    };
    let network = serde_json::from_str(&text).map_err(|err| err.to_string())?;
    net::check(&network)?;
    Ok(network)
}

fn start_network(log: &Log, machine: &Machine) -> Result<(), String> {
    let spawn = |name: &str, work: fn(&Machine, &Log)| {
        let (log, machine) = (log.clone(), machine.clone());
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(256 * 1024)
            .spawn(move || work(&machine, &log))
            .map(drop)
            .map_err(|err| format!("thread {name}: {err}"))
    };
    spawn("network", net::follow)?;
    spawn("clock", clock::follow)
}

/// Shows why the box can not run and waits for the power button or Ctrl-Alt-Del.
pub(crate) fn halted(log: &Log, halt: &Halt) -> ! {
    log.say(&format!("stopped: {}", halt.0));
    if let Err(err) = rustix::system::reboot(RebootCommand::CadOff) {
        log.say(&format!("Ctrl-Alt-Del restarts at once: {err}"));
    }
    let events = Events::open();
    // Only now: what the screen promises works.
    log.show(&console::render_halt(&root::image_version(), &halt.0));
    let end = match events {
        Ok(mut events) => loop {
            if let Some(end) = events.wait(&[], None).end {
                break end;
            }
        },
        Err(err) => {
            log.say(&format!("no events: {err}; starting again in ten minutes"));
            pause(600_000);
            End::Reboot
        }
    };
    crate::power::end(end, log)
}
