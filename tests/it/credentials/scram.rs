//! SCRAM-SHA-256 (RFC 5802, RFC 7677) with app passwords, as a mail program that knows it does: by IMAP and
//! SMTP submission here, by LDAP in `ldap::logins`. The server proves that it knows the password, too.

use std::num::NonZeroU32;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use testkit::client::Client;
use testkit::daemon::Daemon;

use super::{ANNA, Browser};

const NONCE: &str = "fyko+d2lbbFgONRv9qkxdawL";

fn first_bare() -> String {
    format!("n={ANNA},r={NONCE}")
}

fn first() -> String {
    BASE64.encode(format!("n,,{}", first_bare()))
}

fn field<'a>(message: &'a str, name: &str) -> Result<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name)).context(message.to_owned())
}

fn hash(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec()
}

/// The client's last message, and what the server must say to it.
fn last(challenge: &str, password: &str) -> Result<(String, String)> {
    let server = String::from_utf8(BASE64.decode(challenge.trim())?)?;
    let (nonce, salt) = (field(&server, "r=")?, BASE64.decode(field(&server, "s=")?)?);
    ensure!(nonce.starts_with(NONCE) && nonce.len() > NONCE.len(), "{server}");
    let rounds: NonZeroU32 = field(&server, "i=")?.parse()?;
    let mut salted = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
    let without_proof = format!("c=biws,r={nonce}");
    let signed = format!("{},{server},{without_proof}", first_bare());
    let client_key = hash(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let signature = hash(stored_key.as_ref(), signed.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    let of_server = hash(&hash(&salted, b"Server Key"), signed.as_bytes());
    let message = format!("{without_proof},p={}", BASE64.encode(proof));
    Ok((BASE64.encode(message), BASE64.encode(format!("v={}", BASE64.encode(of_server)))))
}

fn continued(client: &mut Client) -> Result<String> {
    let line = client.read_line()?.context("an answer")?;
    Ok(line.strip_prefix("+ ").with_context(|| line.clone())?.to_owned())
}

/// What IMAP says in the end.
fn imap(daemon: &Daemon, password: &str) -> Result<String> {
    let mut client = daemon.client(993)?;
    client.read_line()?.context("a greeting")?;
    client.send(&format!("a AUTHENTICATE SCRAM-SHA-256 {}", first()))?;
    let (message, expected) = last(&continued(&mut client)?, password)?;
    client.send(&message)?;
    let line = client.read_line()?.context("an answer")?;
    let Some(proof) = line.strip_prefix("+ ") else { return Ok(line) };
    ensure!(proof == expected, "the server does not know the password");
    client.send("")?;
    client.read_line()?.context("an answer")
}

/// What SMTP says in the end.
fn smtp(daemon: &Daemon, password: &str) -> Result<String> {
    let mut client = daemon.client(465)?;
    client.smtp_reply()?;
    client.smtp("EHLO laptop.test", "250")?;
    client.send(&format!("AUTH SCRAM-SHA-256 {}", first()))?;
    let challenge = client.smtp_reply()?;
    let challenge = challenge.strip_prefix("334 ").with_context(|| challenge.clone())?;
    let (message, expected) = last(challenge, password)?;
    client.send(&message)?;
    let reply = client.smtp_reply()?;
    let Some(proof) = reply.strip_prefix("334 ") else { return Ok(reply) };
    ensure!(proof.trim() == expected, "the server does not know the password");
    client.send("")?;
    client.smtp_reply()
}

#[test]
fn an_app_password_is_proved_for_its_protocols_and_no_other() -> Result<()> {
    let daemon = Daemon::with_accounts(&["anna"])?;
    let mut anna = Browser::sign_in(&daemon, ANNA, "secret-anna")?;
    let both = anna.app_password("Phone", &["imap", "smtp"])?;
    let reading = anna.app_password("Reader", &["imap"])?;
    let sending = anna.app_password("Printer", &["smtp"])?;
    for (name, password, reads, sends) in [
        ("both", both.as_str(), true, true),
        ("reading", &reading, true, false),
        ("sending", &sending, false, true),
        ("the password", "secret-anna", true, true),
        ("a wrong one", "secret-bert", false, false),
    ] {
        let said = imap(&daemon, password)?;
        ensure!(said.starts_with(if reads { "a OK" } else { "a NO [" }), "{name}: {said}");
        let said = smtp(&daemon, password)?;
        ensure!(said.starts_with(if sends { "235 " } else { "535 " }), "{name}: {said}");
    }
    // Revoked, it proves nothing any more; the others go on.
    anna.must("DELETE", "/me/app-passwords/1", &serde_json::Value::Null)?;
    let said = imap(&daemon, &both)?;
    ensure!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
    ensure!(imap(&daemon, &reading)?.starts_with("a OK"));
    Ok(())
}
