//! The daemon as a child: started unprivileged with its sockets, heard line by line.
//!
//! It gets its own user and group and no other, no capability and (by PID 1's own setting) no way to
//! gain one, an empty environment but for the names of its descriptors. Its lines are bounded.

use std::fs;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use base::box_link::Reply;
use command_fds::CommandFdExt as _;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Pid;

use crate::link::{Asked, Link};
use crate::listeners::Listeners;
use crate::wait::uptime_ms;

const LINE_BYTES_MAX: usize = 4096;
/// Read of one pipe in one turn.
const TURN_BYTES_MAX: usize = 64 * 1024;
/// Should memory ever run out, the tools of a boot phase go before the mail service.
const OOM_SCORE: &str = "-500";

/// A pipe as lines.
#[derive(Debug)]
struct Lines {
    pipe: PipeReader,
    partial: Vec<u8>,
}

impl Lines {
    fn new(pipe: PipeReader) -> io::Result<Self> {
        let flags = fcntl_getfl(&pipe)?;
        fcntl_setfl(&pipe, flags | OFlags::NONBLOCK)?;
        Ok(Self { pipe, partial: Vec::new() })
    }

    /// The whole lines that have come. A line that is too long is cut into several.
    fn read(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut chunk = [0; 8192];
        let mut read = 0;
        while read < TURN_BYTES_MAX {
            let Ok(n) = self.pipe.read(&mut chunk) else { break };
            if n == 0 {
                break;
            }
            read += n;
            for byte in chunk.get(..n).unwrap_or_default() {
                if *byte != b'\n' {
                    self.partial.push(*byte);
                }
                if *byte == b'\n' || self.partial.len() >= LINE_BYTES_MAX {
                    lines.push(String::from_utf8_lossy(&self.partial).into_owned());
                    self.partial.clear();
                }
            }
        }
        lines
    }
}

/// The running daemon.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    started_ms: u64,
    link: Option<Link>,
    output: Lines,
    log: Lines,
}

impl Child {
    /// Starts it.
    pub(crate) fn start(listeners: &Listeners, provision: Option<&str>) -> io::Result<Self> {
        let (link, theirs) = Link::pair()?;
        let (output, stdout) = io::pipe()?;
        let (log, stderr) = io::pipe()?;
        let (mappings, variables) = listeners.pass(theirs)?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("postroomd")
            .args(["serve", "--data", crate::STORE, "--tier", "auto"])
            .args(provision.into_iter().flat_map(|path| ["--provision", path]))
            .env_clear()
            .envs(variables)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .uid(crate::DAEMON_ID)
            .gid(crate::DAEMON_ID)
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
        fs::write(format!("/proc/{}/oom_score_adj", child.id()), OOM_SCORE)?;
        let (output, log) = (Lines::new(output)?, Lines::new(log)?);
        Ok(Self { pid, started_ms: uptime_ms(), link: Some(link), output, log })
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    pub(crate) fn started_ms(&self) -> u64 {
        self.started_ms
    }

    /// What to wait for.
    pub(crate) fn fds(&self) -> Vec<BorrowedFd<'_>> {
        let link = self.link.as_ref().map(|link| link.as_fd());
        [Some(self.output.pipe.as_fd()), Some(self.log.pipe.as_fd()), link]
            .into_iter()
            .flatten()
            .collect()
    }

    /// True if a request was read and not yet handled.
    pub(crate) fn has_more(&self) -> bool {
        self.link.as_ref().is_some_and(Link::has_more)
    }

    /// Lines of stderr.
    pub(crate) fn log_lines(&mut self) -> Vec<String> {
        self.log.read()
    }

    /// Lines of stdout.
    pub(crate) fn output_lines(&mut self) -> Vec<String> {
        self.output.read()
    }

    /// Requests, and why the link ended if it did.
    pub(crate) fn requests(&mut self) -> (Vec<Asked>, Option<io::Error>) {
        let Some(link) = &mut self.link else { return (Vec::new(), None) };
        match link.read() {
            Ok(asked) => (asked, None),
            Err(err) => {
                self.link = None;
                (Vec::new(), Some(err))
            }
        }
    }

    /// Answers a request. A daemon that does not read loses the link.
    pub(crate) fn answer(&mut self, reply: &Reply) {
        if self.link.as_mut().is_some_and(|link| link.answer(reply).is_err()) {
            self.link = None;
        }
    }

    /// Resident memory, KB.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero()));
        status
            .ok()
            .and_then(|text| {
                let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
                line.split_ascii_whitespace().next()?.parse().ok()
            })
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_whole_and_long_ones_in_pieces() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut lines = Lines::new(reader).unwrap();
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.read(), ["one"]);
        writer.write_all(b"o\n").unwrap();
        assert_eq!(lines.read(), ["two"]);
        assert!(lines.read().is_empty());
        writer.write_all(&[b'x'; LINE_BYTES_MAX + 10]).unwrap();
        let read = lines.read();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].len(), LINE_BYTES_MAX);
    }
}
