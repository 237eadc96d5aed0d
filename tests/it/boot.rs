//! The image that ships, booted in QEMU and plugged into the virtual office.
//!
//! `POSTROOM_IMAGE` is the image; without it these tests are not run (they say so). What the box takes
//! (time to READY, memory) is printed, not judged: the machine is emulated and shared.

mod people;
mod rig;
pub(crate) mod web;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use testkit::daemon::office;
use testkit::{Client, Connector, Sink};

use people::{
    ADMIN_PASSWORD, FAR_HOST, deliver, imap, inbox_subjects, password_of, read_until, run_wizard,
    submit, user,
};
use rig::{Rig, image};
use web::Web;

/// A boot on a busy machine.
const BOOT_MAX: Duration = Duration::from_secs(420);

#[test]
fn first_mail_from_the_wizard_to_a_power_cut() {
    let Some(image) = image() else { return };
    first_mail(Rig::new(&image, |_| {}).unwrap()).unwrap();
}

fn first_mail(mut rig: Rig) -> Result<()> {
    let sink = Sink::on(rig.office.station(60).listen(25, 4)?);
    let boot = rig.boot("bios, virtio, 1024 MB")?;
    let lease = rig.office.wait_for_lease(BOOT_MAX)?;
    let code = boot.setup_code.context("no setup code on the console")?;
    let desk = rig.office.station(40).to(lease.ip);
    let outside = rig.office.station(50).to(lease.ip);
    let mut web = run_wizard(&*desk, &code, &[user("anna"), user("ben")])?;
    ensure!(web.get("/setup/progress")?.0 == 410, "the wizard is still there");
    unix_sockets_are_made(&mut web, "at the first start")?;

    let mut idle = idle_in_inbox(&*rig.office.station(41).to(lease.ip), "anna")?;
    let sent = Instant::now();
    deliver(&*outside, "far@far.test", &["anna@office.test"], "hello")?;
    read_until(&mut idle, "* 1 EXISTS")?;
    println!("mail from outside announced in IDLE after {} ms", sent.elapsed().as_millis());
    idle.send("DONE")?;
    read_until(&mut idle, "i OK")?;
    ensure!(inbox_subjects(&mut idle)? == ["hello"]);

    submit(&*desk, "anna", "far@far.test", "Re: hello")?;
    let reply = sink.wait_for(|message| message.content.contains("Subject: Re: hello"))?;
    ensure!(reply.from.contains("anna@office.test"), "{reply:?}");
    ensure!(reply.to == ["<far@far.test>"], "{reply:?}");

    let rebooted = rig.reboot_by(|| {
        let (status, body) = web.post("/admin/reboot", &json!({}))?;
        ensure!(status == 202, "reboot: {status} {body}");
        Ok(())
    })?;
    ensure!(rebooted.setup_code.is_none(), "a box that is set up shows no code");
    all_is_there(&*desk, "after the reboot")?;

    deliver(&*outside, "far@far.test", &["anna@office.test"], "second")?;
    rig.power_cut()?;
    rig.boot("after a power cut")?;
    let mut client = imap(&*desk, "anna")?;
    client.imap("SELECT INBOX")?;
    ensure!(inbox_subjects(&mut client)? == ["hello", "second"], "lost by the power cut");
    unix_sockets_are_made(&mut signed_in(&*desk)?, "beside those that a power cut left")?;
    rig.power_off().context("the power button")
}

fn all_is_there(to: &dyn Connector, when: &str) -> Result<()> {
    let mut client = imap(to, "anna")?;
    client.imap("SELECT INBOX")?;
    ensure!(inbox_subjects(&mut client)? == ["hello"], "{when}");
    imap(to, "ben")?;
    let mut web = signed_in(to).context(when.to_owned())?;
    let (_, outbound) = web.get("/admin/outbound")?;
    ensure!(outbound["host"] == FAR_HOST, "{when}: {outbound}");
    Ok(())
}

fn signed_in(to: &dyn Connector) -> Result<Web<'_>> {
    let mut web = Web::new(to);
    web.must("/session", &json!({"login": "admin", "password": ADMIN_PASSWORD}))?;
    Ok(web)
}

/// Nothing on the box could call them, so the daemon's log has to say that its sandbox let it make them.
fn unix_sockets_are_made(web: &mut Web<'_>, when: &str) -> Result<()> {
    let (status, log) = web.get("/admin/log?limit=2000")?;
    ensure!(status == 200, "{when}: {status} {log}");
    let texts = log["lines"].as_array().context("no lines")?;
    let texts: Vec<&str> = texts.iter().filter_map(|line| line["text"].as_str()).collect();
    let is_made = |name: &str| {
        texts.iter().any(|text| text.starts_with("unix socket for") && text.contains(name))
    };
    let is_refused = texts.iter().any(|text| text.starts_with("no unix socket"));
    ensure!(is_made("postroom.sock") && is_made("ldapi") && !is_refused, "{when}: {texts:#?}");
    Ok(())
}

/// Signs in, selects INBOX and idles.
fn idle_in_inbox(to: &dyn Connector, name: &str) -> Result<Client> {
    let mut client = imap(to, name)?;
    client.imap("SELECT INBOX")?;
    client.send("i IDLE")?;
    read_until(&mut client, "+ ")?;
    Ok(client)
}

/// With a provisioning file that has a mistake: the box says so and comes up without it. Then it gets a
/// fixed address.
#[test]
fn uefi_with_ahci_and_e1000e_reaches_ready_without_a_refused_provisioning_file() {
    let Some(image) = image() else { return };
    let mut rig = Rig::new(&image, |board| {
        "uefi".clone_into(&mut board.firmware);
        "ahci".clone_into(&mut board.disk);
        "e1000e".clone_into(&mut board.nic);
    })
    .unwrap();
    rig.provision("hostname = \"mail.office.test\"\ncolour = \"blue\"\n").unwrap();
    let boot = rig.boot("uefi, ahci, e1000e, 1024 MB").unwrap();
    rig.wait_for("colour").unwrap();
    rig.wait_for("postroom.toml was refused").unwrap();
    let lease = rig.office.wait_for_lease(BOOT_MAX).unwrap();
    fix_address(&rig, lease.ip, &boot.setup_code.unwrap()).unwrap();
}

fn fix_address(rig: &Rig, ip: Ipv4Addr, code: &str) -> Result<()> {
    let fixed = Ipv4Addr::new(192, 168, 77, 99);
    let desk = rig.office.station(40);
    let before = desk.to(ip);
    let mut web = Web::new(&*before);
    web.must("/setup/code", &json!({"code": code}))?;
    web.must("/setup/password", &json!({"password": ADMIN_PASSWORD}))?;
    let network = |gateway: &str| {
        let dns = ["192.168.77.1"];
        json!({"mode": "static", "address": format!("{fixed}/24"), "gateway": gateway, "dns": dns})
    };
    let (status, refused) = web.post("/setup/network", &network("192.168.78.1"))?;
    ensure!(status == 422, "a gateway outside of the network was taken: {status} {refused}");
    web.must("/setup/network", &network("192.168.77.1"))?;
    rig.wait_for(&format!("eth0 is {fixed}/24"))?;
    let mut client = Client::connect(&*desk.to(fixed), 25)?;
    ensure!(client.smtp_reply()?.starts_with("220"));
    Ok(())
}

/// Then the same disk with its data partition wiped: it held data, so it is never formatted again.
#[test]
fn nvme_reaches_ready_and_a_wiped_data_partition_is_told_not_formatted() {
    let Some(image) = image() else { return };
    let mut rig = Rig::new(&image, |board| {
        "nvme".clone_into(&mut board.disk);
        board.disk_mb = 1100;
    })
    .unwrap();
    rig.provision(&office(&["anna"])).unwrap();
    rig.boot("bios, nvme, 1024 MB, provisioned").unwrap();
    let lease = rig.office.wait_for_lease(BOOT_MAX).unwrap();
    let station = rig.office.station(50).to(lease.ip);
    deliver(&*station, "far@far.test", &["anna@office.test"], "hello").unwrap();
    rig.power_cut().unwrap();
    rig.wipe_data().unwrap();
    let line = rig.boot_until("could not be mended", BOOT_MAX).unwrap();
    assert!(line.contains("data partition"), "{line}");
    rig.power_cut().unwrap();
    assert!(rig.data_is_blank().unwrap(), "something was written to it");
}

#[test]
fn a_disk_that_is_too_small_is_told() {
    let Some(image) = image() else { return };
    let bytes = std::fs::metadata(&image).unwrap().len();
    let mut rig = Rig::new(&image, |board| board.disk_mb = bytes.div_ceil(1 << 20) + 16).unwrap();
    let line = rig.boot_until("too small", BOOT_MAX).unwrap();
    assert!(line.contains("1 GB"), "says what is needed: {line}");
    rig.wait_for("Press the power button").unwrap();
    rig.power_off().unwrap();
}

#[test]
fn a_foreign_data_partition_is_told_and_left_alone() {
    let Some(image) = image() else { return };
    let mut rig = Rig::new(&image, |_| {}).unwrap();
    rig.fill_data_with(b"somebody's other file system").unwrap();
    rig.boot_until("it is not empty", BOOT_MAX).unwrap();
    rig.power_cut().unwrap();
    assert!(rig.data_begins_with(b"somebody's other file system").unwrap());
}

#[test]
fn a_box_with_128_mb_tells_64_idle_users_of_a_mail() {
    let Some(image) = image() else { return };
    small_box(Rig::new(&image, |board| board.ram_mb = 128).unwrap()).unwrap();
}

fn small_box(mut rig: Rig) -> Result<()> {
    const USERS: u8 = 64;
    let boot = rig.boot("bios, virtio, 128 MB")?;
    let lease = rig.office.wait_for_lease(BOOT_MAX)?;
    let code = boot.setup_code.context("no setup code on the console")?;
    let names: Vec<String> = (0..USERS).map(|n| format!("user{n}")).collect();
    let users: Vec<_> = names.iter().map(|name| user(name)).collect();
    let desk = rig.office.station(40).to(lease.ip);
    let mut web = run_wizard(&*desk, &code, &users)?;
    print_memory(&mut web, "without users")?;

    let mut idle = Vec::new();
    for (name, last) in names.iter().zip(100..) {
        let station = rig.office.station(last).to(lease.ip);
        idle.push(idle_in_inbox(&*station, name).with_context(|| name.clone())?);
    }
    print_memory(&mut web, "with 64 users over TLS in IDLE")?;
    let all: Vec<String> = names.iter().map(|name| format!("{name}@office.test")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    deliver(&*desk, "far@far.test", &all, "to all")?;
    for (client, name) in idle.iter_mut().zip(&names) {
        read_until(client, "* 1 EXISTS").with_context(|| name.clone())?;
    }
    print_memory(&mut web, "after the mail to 64")?;
    ensure!(!password_of("user0").is_empty());
    Ok(())
}

fn print_memory(web: &mut Web<'_>, when: &str) -> Result<()> {
    let (status, body) = web.get("/admin/status")?;
    ensure!(status == 200, "{status} {body}");
    let memory = &body["memory"];
    println!(
        "{when}: daemon {} KB resident, {} KB of the box available",
        memory["daemon_bytes"].as_u64().unwrap_or(0) / 1024,
        memory["box_available_bytes"].as_u64().unwrap_or(0) / 1024,
    );
    Ok(())
}
