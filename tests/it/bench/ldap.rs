//! The directory against slapd, with the same 5,000 people: CPU of the server for a piece of work.
//!
//! `POSTROOM_BENCH_RUNS` (5) runs, of which the median counts. Both keep the admin's password as a hash,
//! slapd as {SSHA} and Postroom by argon2id, which is slow by intent: the bind has a row of its own.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use testkit::Loopback;
use testkit::client::PATIENCE;

use super::figures::{Took, median, print_table, ratio, row};
use super::{number, processes};
use crate::slapd::both;
use crate::slapd::server::{ADMIN, ADMIN_PASSWORD};

const PEOPLE: &str = "ou=people,dc=office,dc=test";
/// LDAP's operations, as tags.
const BIND_ANSWER: u8 = 0x61;
const ENTRY: u8 = 0x64;
const DONE: u8 = 0x65;

/// One BER element.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag, 0x84], &len[..], content].concat()
}

fn text(tag: u8, text: &str) -> Vec<u8> {
    element(tag, text.as_bytes())
}

/// A connection of one client.
struct Wire(TcpStream);

impl Wire {
    fn new(at: Loopback) -> Result<Self> {
        let stream = TcpStream::connect((at.address, 389 + at.port_offset))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    fn say(&mut self, operation: &[u8], controls: &[u8]) -> Result<()> {
        self.0.write_all(&element(0x30, &[&[2, 1, 1], operation, controls].concat()))?;
        Ok(())
    }

    /// Reads one message: the tag of its operation, and the operation.
    fn hear(&mut self) -> Result<(u8, Vec<u8>)> {
        let whole = self.element()?;
        // Behind the number, whose length is that of ours.
        let mut rest = whole.get(3..).context("no operation")?;
        let mut tag = [0];
        rest.read_exact(&mut tag)?;
        let len = length(&mut rest)?;
        Ok((tag[0], rest.get(..len).context("cut off")?.to_vec()))
    }

    fn element(&mut self) -> Result<Vec<u8>> {
        self.0.read_exact(&mut [0])?;
        let mut content = vec![0; length(&mut self.0)?];
        self.0.read_exact(&mut content)?;
        Ok(content)
    }

    fn bind(&mut self) -> Result<()> {
        let who = [&[2, 1, 3][..], &text(4, ADMIN), &text(0x80, ADMIN_PASSWORD)].concat();
        self.say(&element(0x60, &who), b"")?;
        let (tag, result) = self.hear()?;
        ensure!(tag == BIND_ANSWER && result.get(2) == Some(&0), "bind: {result:?}");
        Ok(())
    }

    /// A search of people; gives the number of entries.
    fn search(&mut self, filter: &[u8], controls: &[u8]) -> Result<usize> {
        let numbers = [0x0A, 1, 2, 0x0A, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
        let names = ["cn", "mail", "telephoneNumber"].map(|name| text(4, name)).concat();
        let parts = [&text(4, PEOPLE)[..], &numbers, filter, &element(0x30, &names)];
        self.say(&element(0x63, &parts.concat()), controls)?;
        let mut entries = 0;
        loop {
            match self.hear()? {
                (ENTRY, _) => entries += 1,
                (DONE, result) => {
                    ensure!(result.get(2) == Some(&0), "search: {result:?}");
                    return Ok(entries);
                }
                (tag, _) => anyhow::bail!("answer of kind {tag:#x}"),
            }
        }
    }
}

/// A length in BER.
fn length(from: &mut impl std::io::Read) -> Result<usize> {
    let mut first = [0];
    from.read_exact(&mut first)?;
    let count = usize::from(first[0] & 0x7f);
    if first[0] < 0x80 {
        return Ok(count);
    }
    let mut bytes = [0; 8];
    from.read_exact(bytes.get_mut(..count).context("a length of lengths")?)?;
    Ok(bytes[..count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// `(uid=u0042)`
fn uid(n: usize) -> Vec<u8> {
    element(0xA3, &[text(4, "uid"), text(4, &format!("u{:04}", n * 37 % 5_000))].concat())
}

/// `(mail=*)`, sorted by name, 20 of it from a place on.
fn page(wire: &mut Wire, n: usize) -> Result<usize> {
    let rule = text(0x80, "caseIgnoreOrderingMatch");
    let key = element(0x30, &[text(4, "cn"), rule].concat());
    let place = i16::try_from(1 + n * 97 % 4_000)?.to_be_bytes();
    let target = element(0xA0, &[&[2, 2][..], &place, &[2, 1, 0]].concat());
    let slice = element(0x30, &[&[2, 1, 0, 2, 1, 19][..], &target].concat());
    let control = |oid: &str, value: &[u8]| {
        element(0x30, &[text(4, oid), vec![1, 1, 0xff], element(4, value)].concat())
    };
    let controls = [
        control("1.2.840.113556.1.4.473", &element(0x30, &key)),
        control("2.16.840.1.113730.3.4.9", &slice),
    ];
    wire.search(&text(0x87, "mail"), &element(0xA0, &controls.concat()))
}

/// One kind of work: how often, and what is done.
struct Work {
    name: &'static str,
    times: usize,
    goal: &'static str,
    run: fn(at: Loopback, times: usize) -> Result<()>,
}

const WORKS: [Work; 4] = [
    Work { name: "connect + bind + search", times: 100, goal: "1x", run: sessions },
    Work { name: "bind alone (SSHA / argon2id)", times: 100, goal: "-", run: binds },
    Work { name: "search on one connection", times: 2_000, goal: "1x", run: searches },
    Work { name: "sorted VLV page of 20", times: 100, goal: "0.1x", run: pages },
];

fn sessions(at: Loopback, times: usize) -> Result<()> {
    for n in 0..times {
        let mut wire = Wire::new(at)?;
        wire.bind()?;
        ensure!(wire.search(&uid(n), b"")? <= 1);
        wire.say(&[0x42, 0], b"")?;
    }
    Ok(())
}

fn binds(at: Loopback, times: usize) -> Result<()> {
    let mut wire = Wire::new(at)?;
    (0..times).try_for_each(|_| wire.bind())
}

fn searches(at: Loopback, times: usize) -> Result<()> {
    let mut wire = Wire::new(at)?;
    wire.bind()?;
    for n in 0..times {
        ensure!(wire.search(&uid(n), b"")? == 1);
    }
    Ok(())
}

fn pages(at: Loopback, times: usize) -> Result<()> {
    let mut wire = Wire::new(at)?;
    wire.bind()?;
    for n in 0..times {
        ensure!(page(&mut wire, n)? == 20);
    }
    Ok(())
}

fn measure(work: &Work, at: Loopback, pid: u32) -> Result<Took> {
    let mut runs = Vec::new();
    for _ in 0..number("RUNS", 5) {
        let (begun, before) = (Instant::now(), processes::cpu(pid)?);
        (work.run)(at, work.times)?;
        let cpu = processes::cpu(pid)?.saturating_sub(before);
        runs.push(Took { wall: begun.elapsed(), cpu });
    }
    Ok(median(runs))
}

pub(super) fn run() -> Result<()> {
    let (daemon, slapd) = both();
    let mut rows = vec![row(["ms CPU each", "slapd", "Postroom", "ratio", "goal", "wall ms"])];
    for work in &WORKS {
        let theirs = measure(work, slapd.at, slapd.id())?;
        let ours = measure(work, daemon.at, daemon.id())?;
        let each = |seconds: f64| seconds * 1_000.0 / work.times as f64;
        let [peer, own] = [theirs.cpu, ours.cpu].map(|cpu| each(cpu.as_secs_f64()));
        let walls = [theirs.wall, ours.wall].map(|wall| each(wall.as_secs_f64()));
        rows.push(row([
            work.name,
            &format!("{peer:.3}"),
            &format!("{own:.3}"),
            &ratio(own, peer),
            work.goal,
            &format!("{:.2} / {:.2}", walls[0], walls[1]),
        ]));
    }
    print_table(&rows);
    Ok(())
}
