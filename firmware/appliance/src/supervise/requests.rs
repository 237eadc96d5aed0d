//! What the daemon may ask (see [`base::box_link`]), each checked as if a stranger asked.

use std::fs::{self, File};
use std::io::{self, Write as _};

use base::box_link::{Console, Network, Reply, Request};

use super::Supervisor;
use crate::boot::{host_name_file, network_file};
use crate::link::Asked;
use crate::net;
use crate::power::End;
use crate::wait::uptime_ms;

/// RFC 1035 §2.3.4.
const NAME_BYTES_MAX: usize = 253;
/// Linux' own limit of a host name.
const LABEL_BYTES_MAX: usize = 63;

impl Supervisor {
    /// Does what was asked.
    pub(super) fn handle(&mut self, asked: Asked) -> Reply {
        let request = match asked {
            Ok(request) => request,
            Err(reason) => return Reply::Failed { reason },
        };
        let result = match request {
            Request::Status => {
                let status = self.machine.facts().status;
                return Reply::Status { status };
            }
            Request::Alive => {
                self.watchdog.rule.alive(uptime_ms());
                Ok(())
            }
            Request::SetNetwork { network } => self.set_network(network),
            Request::SetHostName { name } => self.set_host_name(&name),
            Request::SetConsole { console } => self.set_console(console),
            Request::Reboot => {
                self.begin_stop(End::Reboot);
                Ok(())
            }
            Request::PowerOff => {
                self.begin_stop(End::PowerOff);
                Ok(())
            }
        };
        match result {
            Ok(()) => Reply::Done,
            Err(reason) => Reply::Failed { reason },
        }
    }

    fn set_network(&mut self, network: Network) -> Result<(), String> {
        net::check(&network)?;
        let text = serde_json::to_string_pretty(&network).map_err(|err| err.to_string())?;
        keep(&network_file(), &text).map_err(|err| format!("keeping the network: {err}"))?;
        self.machine.change(|facts| facts.status.network = network);
        Ok(())
    }

    fn set_host_name(&mut self, name: &str) -> Result<(), String> {
        check_name(name)?;
        keep(&host_name_file(), name).map_err(|err| format!("keeping the name: {err}"))?;
        let label: Vec<u8> = name.bytes().take(LABEL_BYTES_MAX).collect();
        rustix::system::sethostname(&label).map_err(|err| err.to_string())?;
        self.machine.change(|facts| name.clone_into(&mut facts.console.host_name));
        Ok(())
    }

    /// The screen is a terminal: nothing but plain letters gets there.
    fn set_console(&mut self, console: Console) -> Result<(), String> {
        let is_plain = |text: &str, max: usize| {
            text.len() <= max && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        };
        if !is_plain(&console.fingerprint, 128)
            || !is_plain(&console.host_name, NAME_BYTES_MAX)
            || !console.setup_code.as_deref().is_none_or(|code| is_plain(code, 64))
        {
            return Err("not for a screen".to_owned());
        }
        self.machine.change_if(|facts| {
            let host_name = match console.host_name.is_empty() {
                true => facts.console.host_name.clone(),
                false => console.host_name.clone(),
            };
            let console = Console { host_name, ..console };
            let is_new = facts.console != console;
            facts.console = console;
            is_new
        });
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(format!("{name:?} is no host name"))
    }
}

/// Replaces a small file so that a power cut leaves the old or the new one.
fn keep(path: &str, text: &str) -> io::Result<()> {
    let new = format!("{path}.new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let directory = std::path::Path::new(path).parent().ok_or(io::ErrorKind::InvalidInput)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_checked() {
        for good in ["postroom", "mail.office.test", "a-1.b"] {
            check_name(good).unwrap();
        }
        for bad in ["", ".", "a..b", "-a", "a-", "a b", "a/b", "mail.office.test."] {
            check_name(bad).unwrap_err();
        }
        check_name(&"a".repeat(64)).unwrap_err();
    }

    #[test]
    fn a_kept_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        let path = path.to_str().unwrap();
        keep(path, "one").unwrap();
        keep(path, "two").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "two");
        assert!(!fs::exists(format!("{path}.new")).unwrap());
    }
}
