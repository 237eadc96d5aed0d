//! What the people of the office do: the wizard, mail in, reading, mail out.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{Client, Connector};

use super::web::Web;

pub(super) const ADMIN_PASSWORD: &str = "correct horse battery";
/// The smarthost's name in the office's DNS.
pub(super) const FAR_HOST: &str = "smart.far.test";

pub(super) fn password_of(name: &str) -> String {
    format!("secret of {name}")
}

/// A new account for the wizard.
pub(super) fn user(name: &str) -> Value {
    json!({
        "address": format!("{name}@office.test"),
        "name": name,
        "password": password_of(name),
    })
}

/// Goes through the wizard as the browser does; the session that it ends with.
pub(super) fn run_wizard<'a>(
    to: &'a dyn Connector,
    code: &str,
    users: &[Value],
) -> Result<Web<'a>> {
    let mut web = Web::new(to);
    let (status, state) = web.get("/state")?;
    ensure!(status == 200 && state["setup_needed"] == true, "{status} {state}");
    let (status, _) = web.post("/setup/code", &json!({"code": "AAAAA-AAAAA"}))?;
    ensure!(status == 403, "a wrong code was taken: {status}");
    web.must("/setup/code", &json!({"code": code, "language": "de"}))?;
    web.must("/setup/password", &json!({"password": ADMIN_PASSWORD}))?;
    let names = json!({"hostname": "mail.office.test", "domain": "office.test"});
    web.must("/setup/domain", &names)?;
    let (status, network) = web.get("/setup/network")?;
    ensure!(status == 200, "{status} {network}");
    ensure!(network["network"]["mode"] == "dhcp", "{network}");
    let outbound = json!({"mode": "smarthost", "host": FAR_HOST, "port": 25, "tls": "none"});
    web.must("/setup/outbound", &outbound)?;
    web.must("/setup/users", &json!({"users": users}))?;
    let settings = web.must("/setup/finish", &json!({}))?;
    ensure!(settings["hostname"] == "mail.office.test", "{settings}");
    Ok(web)
}

/// Mail from a stranger on port 25.
pub(super) fn deliver(
    to: &dyn Connector,
    from: &str,
    recipients: &[&str],
    subject: &str,
) -> Result<()> {
    let mut client = Client::connect(to, 25)?;
    client.smtp_reply()?;
    client.smtp("EHLO mx.far.test", "250")?;
    send(&mut client, from, recipients, subject)
}

fn send(client: &mut Client, from: &str, recipients: &[&str], subject: &str) -> Result<()> {
    client.smtp(&format!("MAIL FROM:<{from}>"), "250")?;
    for recipient in recipients {
        client.smtp(&format!("RCPT TO:<{recipient}>"), "250")?;
    }
    client.smtp("DATA", "354")?;
    let to = recipients.first().context("no recipient")?;
    let head = format!("From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n");
    client.smtp(&format!("{head}\r\ntext\r\n."), "250")?;
    client.smtp("QUIT", "221")?;
    Ok(())
}

/// Mail of a user on port 465.
pub(super) fn submit(to: &dyn Connector, name: &str, recipient: &str, subject: &str) -> Result<()> {
    let mut client = Client::connect(to, 465)?;
    client.smtp_reply()?;
    client.smtp("EHLO desk.office.test", "250")?;
    client.smtp("AUTH LOGIN", "334")?;
    client.smtp(&base64(format!("{name}@office.test").as_bytes()), "334")?;
    client.smtp(&base64(password_of(name).as_bytes()), "235")?;
    send(&mut client, &format!("{name}@office.test"), &[recipient], subject)
}

/// RFC 4648 §4, for AUTH.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let at = (word >> (18 - 6 * n)) & 63;
            text.push(if n <= chunk.len() { char::from(LETTERS[at as usize]) } else { '=' });
        }
    }
    text
}

/// A signed-in session on port 993.
pub(super) fn imap(to: &dyn Connector, name: &str) -> Result<Client> {
    let mut client = Client::connect(to, 993)?;
    let greeting = client.read_line()?.context("no greeting")?;
    ensure!(greeting.starts_with("* OK"), "{greeting}");
    client.imap(&format!("LOGIN {name}@office.test \"{}\"", password_of(name)))?;
    Ok(client)
}

/// The subjects in the selected mailbox.
pub(super) fn inbox_subjects(client: &mut Client) -> Result<Vec<String>> {
    let lines = client.imap("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")?;
    let subjects = lines.iter().filter_map(|line| line.strip_prefix("Subject: "));
    Ok(subjects.map(str::to_owned).collect())
}

/// Reads lines up to one that begins with `start`.
pub(super) fn read_until(client: &mut Client, start: &str) -> Result<()> {
    loop {
        let line = client.read_line()?.with_context(|| format!("closed before {start:?}"))?;
        if line.starts_with(start) {
            return Ok(());
        }
    }
}

#[test]
fn base64_is_that_of_the_rfc() {
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
