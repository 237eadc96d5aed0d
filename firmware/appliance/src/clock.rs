//! The clock: never before the day the image was built, then by the hardware clock, then by the
//! network (SNTP), which is asked again every hour.
//!
//! The servers are DHCP's (option 42), else the public pool. The first answer sets the clock
//! outright; later ones move it slowly, so that time does not jump under a running daemon, unless
//! it is off by more than half a minute.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use base::clock::Civil;
use base::{Clock as _, SystemClock};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::log::Log;
use crate::machine::Machine;
use crate::wait::pause;
use crate::{kernel_calls, root, sntp};

const POOL: &str = "pool.ntp.org";
const PORT: u16 = 123;
const REPLY_WAIT: Duration = Duration::from_secs(4);
const AGAIN_MS: u64 = 3_600_000;
/// Until the first answer: the network may come up late.
const RETRY_MS: [u64; 6] = [2_000, 5_000, 15_000, 60_000, 300_000, 900_000];
const STEP_ABOVE_US: i64 = 30_000_000;
/// The first release was built after this, 2026-11-01.
const BUILT_AFTER_SECS: i64 = 1_793_491_200;
/// No box runs one image longer than twenty years: a server that says so is wrong.
const LIFE_SECS: i64 = 20 * 366 * 86_400;

fn built_secs() -> i64 {
    let built = root::release("BUILT").and_then(|text| text.parse::<i64>().ok());
    let built = built.or_else(|| option_env!("SOURCE_DATE_EPOCH").and_then(|t| t.parse().ok()));
    built.unwrap_or(0).max(BUILT_AFTER_SECS)
}

/// A time before the build date or far behind it is wrong, whatever the server says of itself.
fn is_plausible(offset_us: i64, built: i64) -> bool {
    let to = now_us().saturating_add(offset_us).div_euclid(1_000_000);
    (built..built.saturating_add(LIFE_SECS)).contains(&to)
}

/// Sets the clock to the build date if it stands before it. What was done, for the log.
pub(crate) fn not_before_build() -> String {
    let built = built_secs();
    if SystemClock.now().secs() >= built {
        return format!("{} by the hardware clock", SystemClock.now().rfc3339());
    }
    match clock_settime(ClockId::Realtime, Timespec { tv_sec: built, tv_nsec: 0 }) {
        Ok(()) => format!("set to the build date {}", SystemClock.now().rfc3339()),
        Err(err) => format!("stands before the build date and can not be set: {err}"),
    }
}

/// Asks for the time for ever; runs on a thread of its own.
pub(crate) fn follow(machine: &Machine, log: &Log) {
    let mut tries = 0;
    let built = built_secs();
    loop {
        let servers = servers(machine);
        let answer = servers.iter().find_map(|server| {
            let offset = ask(*server).ok().filter(|offset| is_plausible(*offset, built))?;
            Some((server, offset))
        });
        match answer {
            Some((server, offset_us)) => {
                let is_first = !machine.facts().status.clock_synced;
                match correct(offset_us, is_first) {
                    Ok(how) if is_first => {
                        log.say(&format!("clock: {how} by {server}, {} ms off", offset_us / 1000));
                    }
                    Ok(_) => {}
                    Err(err) => log.say(&format!("clock: setting it failed: {err}")),
                }
                machine.change(|facts| facts.status.clock_synced = true);
                pause(AGAIN_MS);
            }
            None => {
                let last = RETRY_MS.len() - 1;
                if tries == last {
                    log.say("clock: no time server answers; going on by the hardware clock");
                }
                pause(RETRY_MS[tries.min(last)]);
                tries += 1;
            }
        }
    }
}

fn servers(machine: &Machine) -> Vec<IpAddr> {
    let (ntp, dns) = {
        let facts = machine.facts();
        (facts.ntp.clone(), facts.status.dns.clone())
    };
    if !ntp.is_empty() {
        return ntp;
    }
    let resolvers = dns.iter().filter_map(|text| text.parse::<Ipv4Addr>().ok());
    resolvers.take(3).find_map(|resolver| lookup(resolver, POOL).ok()).unwrap_or_default()
}

fn socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(REPLY_WAIT))?;
    Ok(socket)
}

fn now_us() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000)
}

fn ask(server: IpAddr) -> io::Result<i64> {
    let socket = socket(SocketAddr::new(server, PORT))?;
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let sent = now_us();
    socket.send(&sntp::request(nonce))?;
    let mut reply = [0; 128];
    let n = socket.recv(&mut reply)?;
    sntp::offset(reply.get(..n).unwrap_or_default(), nonce, sent, now_us())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn correct(offset_us: i64, is_first: bool) -> io::Result<&'static str> {
    if !is_first && offset_us.abs() <= STEP_ABOVE_US {
        kernel_calls::slew_clock(offset_us)?;
        return Ok("slewed");
    }
    let to = now_us().saturating_add(offset_us);
    let time =
        Timespec { tv_sec: to.div_euclid(1_000_000), tv_nsec: to.rem_euclid(1_000_000) * 1000 };
    clock_settime(ClockId::Realtime, time)?;
    if let Ok(rtc) = open_rtc() {
        kernel_calls::set_hardware_clock(&rtc, &Civil::from_secs(time.tv_sec))?;
    }
    Ok("set")
}

fn open_rtc() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/rtc0")
}

/// One A question to one resolver: the pool's name is all that PID 1 ever looks up, and the
/// daemon's resolver is on the other side of the fence.
fn lookup(resolver: Ipv4Addr, name: &str) -> io::Result<Vec<IpAddr>> {
    let socket = socket(SocketAddr::new(resolver.into(), 53))?;
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    socket.send(&question(id, name))?;
    let mut reply = [0; 1232];
    let n = socket.recv(&mut reply)?;
    answers(reply.get(..n).unwrap_or_default(), id).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// RFC 1035 §4.1: header with RD and one question, type A, class IN.
fn question(id: [u8; 2], name: &str) -> Vec<u8> {
    let mut packet = vec![id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len().min(63)).unwrap_or(0));
        packet.extend(label.bytes().take(63));
    }
    packet.extend([0, 0, 1, 0, 1]);
    packet
}

/// The end of the name that begins at `at` (RFC 1035 §4.1.4: a pointer ends it).
fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            n if n & 0xC0 == 0xC0 => return Some(at + 2),
            n => at += 1 + usize::from(n),
        }
    }
}

/// The first four addresses of an answer.
fn answers(packet: &[u8], id: [u8; 2]) -> Option<Vec<IpAddr>> {
    let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    if packet.get(..2)? != id || word(2)? & 0x800F != 0x8000 || word(4)? != 1 {
        return None;
    }
    let mut at = skip_name(packet, 12)? + 4;
    let mut found = Vec::new();
    for _ in 0..word(6)?.min(32) {
        at = skip_name(packet, at)?;
        let (kind, length) = (word(at)?, usize::from(word(at + 8)?));
        if kind == 1 && length == 4 && found.len() < 4 {
            let bytes: [u8; 4] = packet.get(at + 10..at + 14)?.try_into().ok()?;
            found.push(Ipv4Addr::from(bytes).into());
        }
        at += 10 + length;
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_answer_with_a_pointer_is_read() {
        let mut packet = question([1, 2], POOL);
        packet[2] = 0x81;
        packet[3] = 0x80;
        packet[7] = 2;
        // A CNAME of two bytes, then an address.
        packet.extend([0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xC0, 12]);
        packet.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
        assert_eq!(answers(&packet, [1, 2]), Some(vec![[192, 0, 2, 7].into()]));
        assert_eq!(answers(&packet, [1, 3]), None, "another question's");
        for n in 0..packet.len() {
            assert_eq!(answers(&packet[..n], [1, 2]), None, "cut at {n}");
        }
    }
}
