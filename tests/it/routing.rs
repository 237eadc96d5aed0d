//! Where mail goes and who may send as whom, as somebody with an LDAP tool says it: what was written holds
//! for the next command of a session that was open before.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use testkit::client::Client;
use testkit::daemon::{fresh_address, office_with_admins};
use testkit::sink::Sink;

use crate::ldap::Office;

const DOMAIN: &str = "dc=office,dc=test";

/// anna, ben and boss, with a smarthost that records what goes out.
fn office() -> Result<(Office, Sink)> {
    let sink = Sink::start(IpAddr::V4(fresh_address()))?;
    let provision = office_with_admins(&["anna", "ben", "boss"], &["boss"]);
    let smarthost = format!("smarthost = \"{}\"", sink.at);
    Ok((Office::with(provision.replace("smarthost = \"127.0.0.1:1\"", &smarthost)), sink))
}

fn uid(name: &str) -> String {
    format!("uid={name},ou=people,{DOMAIN}")
}

/// Gives an entry these values of an attribute, and no others.
fn set(office: &Office, dn: &str, name: &str, values: &[&str]) {
    let values: Vec<String> = values.iter().map(|value| format!("{name}: {value}\n")).collect();
    let change = format!("dn: {dn}\nchangetype: modify\nreplace: {name}\n{}", values.concat());
    office.admin("ldapmodify", &[], &change).must_be(0);
}

fn said(client: &mut Client, command: &str) -> Result<String> {
    client.send(command)?;
    client.smtp_reply()
}

/// Somebody elsewhere, who has said EHLO.
fn stranger(office: &Office) -> Result<Client> {
    let mut client = office.daemon.client(25)?;
    client.smtp_reply()?;
    client.smtp("EHLO far.test", "250")?;
    Ok(client)
}

/// Sends a message with this subject.
fn send(client: &mut Client, from: &str, to: &[&str], subject: &str) -> Result<()> {
    client.smtp(&format!("MAIL FROM:<{from}>"), "250")?;
    for to in to {
        client.smtp(&format!("RCPT TO:<{to}>"), "250")?;
    }
    client.smtp("DATA", "354")?;
    client.smtp(&format!("Subject: {subject}\r\n\r\ntext\r\n."), "250")?;
    Ok(())
}

/// How many messages with this subject are in somebody's INBOX.
fn copies(office: &Office, who: &str, subject: &str) -> Result<usize> {
    let mut client = office.daemon.imap(who)?;
    client.imap("SELECT INBOX")?;
    let found = client.imap(&format!("SEARCH SUBJECT \"{subject}\""))?;
    let line = found.iter().find(|line| line.starts_with("* SEARCH")).context("no answer")?;
    Ok(line.split_whitespace().skip(2).count())
}

fn finish(mut office: Office) -> Result<()> {
    office.daemon.stop()?;
    office.daemon.check()
}

#[test]
fn mail_comes_by_every_name_of_the_domain_and_what_is_for_nobody_is_caught() -> Result<()> {
    let (office, sink) = office()?;
    let mut client = stranger(&office)?;
    client.smtp("MAIL FROM:<x@far.test>", "250")?;
    ensure!(said(&mut client, "RCPT TO:<anna@alias.test>")?.starts_with("550 5.7.1"));
    set(&office, DOMAIN, "postroomDomainAlias", &["alias.test"]);
    for to in ["anna@alias.test", "ANNA+x@Alias.test", "postmaster@alias.test"] {
        client.smtp(&format!("RCPT TO:<{to}>"), "250")?;
    }
    ensure!(said(&mut client, "RCPT TO:<nobody@alias.test>")?.starts_with("550 5.1.1"));
    client.smtp("DATA", "354")?;
    client.smtp("Subject: names\r\n\r\ntext\r\n.", "250")?;
    ensure!(copies(&office, "anna", "names")? == 1, "one copy, however she is called");

    set(&office, DOMAIN, "postroomCatchAll", &["ben@office.test"]);
    send(&mut client, "x@far.test", &["nobody@alias.test", "anna+y@office.test"], "caught")?;
    ensure!(copies(&office, "ben", "caught")? == 1 && copies(&office, "anna", "caught")? == 1);
    set(&office, DOMAIN, "postroomCatchAll", &["all@else.test"]);
    send(&mut client, "x@far.test", &["nobody@office.test"], "elsewhere")?;
    let out = sink.wait_for(|m| m.content.contains("elsewhere"))?;
    ensure!(out.from.starts_with("<x@far.test>") && out.to[0].starts_with("<all@else.test>"));
    // Logging in by another name of the domain.
    let person = ["-x", "-D", "anna@alias.test", "-w", "secret-anna"];
    office.run("ldapwhoami", &person, &[], "").must_be(0);
    finish(office)
}

#[test]
fn forwarded_mail_goes_on_with_its_sender_and_leaves_a_copy() -> Result<()> {
    let (office, sink) = office()?;
    set(&office, &uid("anna"), "postroomForward", &["ben@office.test", "anna@else.test"]);
    let mut client = stranger(&office)?;
    send(&mut client, "x@far.test", &["anna@office.test"], "first")?;
    let out = sink.wait_for(|m| m.content.contains("Subject: first"))?;
    ensure!(out.from.starts_with("<x@far.test>"), "the sender stays: {}", out.from);
    ensure!(out.to.len() == 1 && out.to[0].starts_with("<anna@else.test>"), "{:?}", out.to);
    ensure!(!out.content.contains("Return-Path"), "{}", out.content);
    ensure!(copies(&office, "anna", "first")? == 1 && copies(&office, "ben", "first")? == 1);

    set(&office, &uid("anna"), "postroomForwardKeep", &["FALSE"]);
    // A bounce stays one: its null sender goes on.
    send(&mut client, "", &["anna@office.test"], "second")?;
    let out = sink.wait_for(|m| m.content.contains("Subject: second"))?;
    ensure!(out.from.starts_with("<>"), "{}", out.from);
    ensure!(copies(&office, "anna", "second")? == 0 && copies(&office, "ben", "second")? == 1);

    // A circle ends, with a copy.
    set(&office, &uid("anna"), "postroomForward", &["ben@office.test"]);
    set(&office, &uid("ben"), "postroomForward", &["anna@office.test"]);
    set(&office, &uid("ben"), "postroomForwardKeep", &["FALSE"]);
    send(&mut client, "x@far.test", &["anna@office.test"], "third")?;
    ensure!(copies(&office, "anna", "third")? + copies(&office, "ben", "third")? == 1);
    finish(office)
}

#[test]
fn a_group_with_an_address_is_a_distribution_list() -> Result<()> {
    let (office, sink) = office()?;
    let mut client = stranger(&office)?;
    client.smtp("MAIL FROM:<x@far.test>", "250")?;
    ensure!(said(&mut client, "RCPT TO:<team@office.test>")?.starts_with("550 5.1.1"));
    client.smtp("RSET", "250")?;
    let groups = format!(
        "dn: cn=crew,ou=groups,{DOMAIN}\nobjectClass: groupOfNames\ncn: crew\nmember: {}\nmember: {}\n\n\
         dn: cn=team,ou=groups,{DOMAIN}\nobjectClass: groupOfNames\nobjectClass: postroomGroup\ncn: team\n\
         member: cn=crew,ou=groups,{DOMAIN}\nmember: {}\nmail: team@office.test\n\
         rfc822MailMember: x@else.test\n",
        uid("ben"),
        uid("boss"),
        uid("boss"),
    );
    office.admin("ldapadd", &[], &groups).must_be(0);
    send(&mut client, "x@far.test", &["team@office.test"], "to all")?;
    sink.wait_for(|m| m.to.iter().any(|to| to.starts_with("<x@else.test>")))?;
    for (who, count) in [("anna", 0), ("ben", 1), ("boss", 1)] {
        ensure!(copies(&office, who, "to all")? == count, "{who}");
    }
    let taken = format!(
        "dn: cn=x,ou=aliases,{DOMAIN}\nobjectClass: nisMailAlias\ncn: team\nrfc822MailMember: a@b.test\n"
    );
    office.admin("ldapadd", &[], &taken).must_be(19);
    finish(office)
}

#[test]
fn people_send_with_what_is_theirs_or_lent_to_them() -> Result<()> {
    let (office, _sink) = office()?;
    let mut anna = office.daemon.client(587)?;
    anna.smtp_reply()?;
    anna.smtp("EHLO pc.test", "250")?;
    anna.smtp("STARTTLS", "220")?;
    anna.start_tls()?;
    anna.smtp("EHLO pc.test", "250")?;
    // \0anna@office.test\0secret-anna
    anna.smtp("AUTH PLAIN AGFubmFAb2ZmaWNlLnRlc3QAc2VjcmV0LWFubmE=", "235")?;
    let mut may = |sender: &str| -> Result<bool> {
        let reply = said(&mut anna, &format!("MAIL FROM:<{sender}>"))?;
        if reply.starts_with("250") {
            anna.smtp("RSET", "250")?;
            return Ok(true);
        }
        ensure!(reply.starts_with("553 5.7.1 You may not send with this address"), "{reply}");
        Ok(false)
    };
    ensure!(may("anna+x@office.test")? && may("")?);
    ensure!(!may("ben@office.test")? && !may("team@office.test")? && !may("x@else.test")?);
    // What brings mail does not lend the address.
    set(&office, &uid("ben"), "postroomForward", &["anna@office.test"]);
    set(&office, DOMAIN, "postroomCatchAll", &["anna@office.test"]);
    ensure!(!may("ben@office.test")? && !may("nobody@office.test")?);
    set(&office, DOMAIN, "postroomDomainAlias", &["alias.test"]);
    ensure!(may("anna@alias.test")? && !may("ben@alias.test")?);
    set(&office, &uid("anna"), "postroomSendAs", &["ben@office.test", "@else.test"]);
    ensure!(may("ben+x@alias.test")? && may("any@else.test")? && !may("boss@office.test")?);
    set(&office, &uid("anna"), "postroomSendAs", &[]);
    ensure!(!may("ben@office.test")?);
    finish(office)
}

#[test]
fn who_is_suspended_gets_mail_later_but_for_lists() -> Result<()> {
    let (office, _sink) = office()?;
    let group = format!(
        "dn: cn=team,ou=groups,{DOMAIN}\nobjectClass: groupOfNames\nobjectClass: postroomGroup\n\
         cn: team\nmember: {}\nmember: {}\nmail: team@office.test\n",
        uid("anna"),
        uid("ben"),
    );
    office.admin("ldapadd", &[], &group).must_be(0);
    set(&office, &uid("ben"), "postroomForward", &["boss@office.test"]);
    set(&office, &uid("ben"), "postroomStatus", &["suspended"]);
    let mut client = stranger(&office)?;
    client.smtp("MAIL FROM:<x@far.test>", "250")?;
    let later = said(&mut client, "RCPT TO:<ben+x@office.test>")?;
    ensure!(later.starts_with("450 4.2.1"), "{later}");
    client.smtp("RSET", "250")?;
    send(&mut client, "x@far.test", &["team@office.test"], "list")?;
    let mut lmtp = office.daemon.client(24)?;
    lmtp.smtp_reply()?;
    lmtp.smtp("LHLO filter.test", "250")?;
    lmtp.smtp("MAIL FROM:<x@far.test>", "250")?;
    lmtp.smtp("RCPT TO:<anna@office.test>", "250")?;
    lmtp.smtp("RCPT TO:<ben@office.test>", "450")?;
    set(&office, &uid("anna"), "postroomStatus", &["suspended"]);
    lmtp.smtp("RCPT TO:<team@office.test>", "450")?;
    for who in ["anna", "ben"] {
        set(&office, &uid(who), "postroomStatus", &["active"]);
        ensure!(copies(&office, who, "list")? == 1, "{who} lost what was taken");
    }
    ensure!(copies(&office, "boss", "list")? == 0, "no mail goes on from who is suspended");
    ensure!(office.rcpt("ben@office.test")?.starts_with("250"));
    finish(office)
}
