//! App passwords, the second factor and the list of logins, over the wires of all protocols.

mod scram;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::daemon::Daemon;

const ANNA: &str = "anna@office.test";

/// Somebody's browser.
struct Browser<'d> {
    daemon: &'d Daemon,
    cookie: String,
}

impl<'d> Browser<'d> {
    fn new(daemon: &'d Daemon) -> Self {
        Self { daemon, cookie: String::new() }
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut client = self.daemon.client(443)?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        client.send_raw(
            format!(
                "{method} /api{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 User-Agent: Firefox of the tests\r\nCookie: {}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                self.cookie,
                body.len()
            )
            .as_bytes(),
        )?;
        let status = client.read_line()?.context("a status line")?;
        let status = status.split(' ').nth(1).context("a status")?.parse()?;
        let mut length = 0;
        while let Some(line) = client.read_line()?.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").context("a field")?;
            match name {
                "content-length" => length = value.parse()?,
                "set-cookie" => {
                    value.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
                }
                _ => {}
            }
        }
        let body = client.read_exact(length)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    fn must(&mut self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.ask(method, path, body)?;
        ensure!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        Ok(answer)
    }

    fn sign_in(daemon: &'d Daemon, login: &str, password: &str) -> Result<Self> {
        let mut browser = Self::new(daemon);
        browser.must("POST", "/session", &json!({ "login": login, "password": password }))?;
        Ok(browser)
    }

    fn app_password(&mut self, name: &str, protocols: &[&str]) -> Result<String> {
        let input = json!({ "name": name, "protocols": protocols });
        let made = self.must("POST", "/me/app-passwords", &input)?;
        Ok(made["password"].as_str().context("a password")?.to_owned())
    }
}

fn unbase32(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String =
        text.chars().map(|c| format!("{:05b}", letters.find(c).unwrap_or_default())).collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0')))
        .collect()
}

fn code(secret: &str, steps: i64) -> String {
    let now = base::Clock::now(&base::SystemClock);
    session::code_of_now(&unbase32(secret), base::Timestamp(now.0 + steps * 30_000))
}

/// A greeted connection, and what LOGIN is answered.
fn imap(daemon: &Daemon, password: &str) -> Result<(Client, String)> {
    let mut client = daemon.client(993)?;
    client.read_line()?.context("a greeting")?;
    client.send("i ID (\"name\" \"Mail\" \"version\" \"5.1\")")?;
    while !client.read_line()?.context("an answer")?.starts_with("i ") {}
    client.send(&format!("a LOGIN {ANNA} {password}"))?;
    let answer = client.read_line()?.context("an answer")?;
    Ok((client, answer))
}

fn pop3(daemon: &Daemon, password: &str) -> Result<String> {
    let mut client = daemon.client(995)?;
    client.read_line()?.context("a greeting")?;
    client.send(&format!("USER {ANNA}"))?;
    client.read_line()?;
    client.send(&format!("PASS {password}"))?;
    client.read_line()?.context("an answer")
}

fn smtp(daemon: &Daemon, password: &str) -> Result<(Client, String)> {
    let mut client = daemon.client(465)?;
    client.smtp_reply()?;
    client.smtp("EHLO laptop.test", "250")?;
    let plain = session::sasl::encode_base64(format!("\0{ANNA}\0{password}").as_bytes());
    client.send(&format!("AUTH PLAIN {plain}"))?;
    let answer = client.smtp_reply()?;
    Ok((client, answer))
}

#[test]
fn with_a_second_factor_mail_programs_need_an_app_password_for_their_protocol() -> Result<()> {
    let daemon = Daemon::with_accounts(&["anna"])?;
    let mut anna = Browser::sign_in(&daemon, ANNA, "secret-anna")?;
    ensure!(imap(&daemon, "secret-anna")?.1.starts_with("a OK"));
    let begun = anna.must("POST", "/me/totp", &json!({ "password": "secret-anna" }))?;
    let secret = begun["secret"].as_str().context("a secret")?.to_owned();
    let on = anna.must("POST", "/me/totp/confirm", &json!({ "code": code(&secret, -1) }))?;

    let refused = imap(&daemon, "secret-anna")?.1;
    ensure!(refused.starts_with("a NO [ALERT] ") && refused.contains("app password"), "{refused}");
    let refused = pop3(&daemon, "secret-anna")?;
    ensure!(refused.starts_with("-ERR [AUTH] ") && refused.contains("app password"), "{refused}");
    let refused = smtp(&daemon, "secret-anna")?.1;
    ensure!(refused.starts_with("535 5.7.9 "), "{refused}");

    let password = anna.app_password("Phone", &["imap", "smtp"])?;
    ensure!(imap(&daemon, &password)?.1.starts_with("a OK"));
    ensure!(smtp(&daemon, &password)?.1.starts_with("235 "));
    let refused = pop3(&daemon, &password)?;
    ensure!(refused.starts_with("-ERR [AUTH] This app password"), "{refused}");

    let login = json!({ "login": ANNA, "password": "secret-anna" });
    let (status, answer) = Browser::new(&daemon).ask("POST", "/session", &login)?;
    ensure!(status == 401 && answer["error"] == "code-needed", "{status} {answer}");
    let with = |code: &str| json!({ "login": ANNA, "password": "secret-anna", "code": code });
    Browser::new(&daemon).must("POST", "/session", &with(&code(&secret, 0)))?;
    let recovery = on["recovery_codes"][0].as_str().context("a recovery code")?;
    Browser::new(&daemon).must("POST", "/session", &with(recovery))?;
    let (status, answer) = Browser::new(&daemon).ask("POST", "/session", &with(recovery))?;
    ensure!(status == 403 && answer["error"] == "wrong-code", "{status} {answer}");
    Ok(())
}

#[test]
fn a_login_is_ended_with_its_app_password_or_from_the_list() -> Result<()> {
    let daemon = Daemon::with_accounts(&["anna"])?;
    let mut anna = Browser::sign_in(&daemon, ANNA, "secret-anna")?;
    let password = anna.app_password("Phone", &["imap", "smtp"])?;
    let mut idle = imap(&daemon, &password)?.0;
    idle.imap("SELECT INBOX")?;
    idle.send("b IDLE")?;
    ensure!(idle.read_line()?.as_deref().is_some_and(|line| line.starts_with("+ ")));
    let mut sending = smtp(&daemon, &password)?.0;
    let mut desk = imap(&daemon, "secret-anna")?.0;
    desk.send("b IDLE")?;
    desk.read_line()?;

    let listed = anna.must("GET", "/me/sessions", &Value::Null)?;
    let items = listed["items"].as_array().context("items")?;
    ensure!(items.len() == 4, "{listed}");
    let phone = &items[0];
    ensure!(phone["protocol"] == "imap" && phone["client"] == "Mail 5.1", "{phone}");
    ensure!(phone["app_password"] == "Phone" && phone["tls"] == "TLSv1.3", "{phone}");
    ensure!(items[1]["protocol"] == "smtp" && items[1]["client"] == "laptop.test", "{listed}");
    ensure!(items[3]["protocol"] == "web" && items[3]["current"] == true, "{listed}");
    ensure!(items[3]["client"] == "Firefox of the tests", "{listed}");

    let desk_id = items[2]["id"].as_str().context("an id")?;
    anna.must("DELETE", &format!("/me/sessions/{desk_id}"), &Value::Null)?;
    ensure!(desk.read_line()?.as_deref() == Some("* BYE This login was ended"));
    anna.must("DELETE", "/me/app-passwords/1", &Value::Null)?;
    ensure!(idle.read_line()?.as_deref() == Some("* BYE This login was ended"));
    ensure!(idle.read_line()?.is_none(), "closed");
    ensure!(sending.smtp_reply()?.starts_with("421 4.7.0 "));
    ensure!(imap(&daemon, &password)?.1.starts_with("a NO [AUTHENTICATIONFAILED]"));
    let listed = anna.must("GET", "/me/sessions", &Value::Null)?;
    ensure!(listed["items"].as_array().is_some_and(|items| items.len() == 1), "{listed}");
    Ok(())
}
