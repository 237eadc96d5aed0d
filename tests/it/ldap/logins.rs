//! Who may bind with what, and what ends a bound connection.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Office, PEOPLE, Wire, element, message, search};
use crate::matrix::http::{send, session};
use crate::matrix::id_of;

const ANNA: &str = "anna@office.test";

fn admin(office: &Office, method: &str, path: &str, body: &Value) -> Result<Value> {
    crate::matrix::http::admin(&office.daemon, method, path, body)
}

fn app_password(office: &Office, id: u64, protocols: &[&str]) -> Result<String> {
    let path = format!("/admin/accounts/{id}/app-passwords");
    let made = admin(office, "POST", &path, &json!({ "name": "x", "protocols": protocols }))?;
    Ok(made["password"].as_str().context("a password")?.to_owned())
}

/// What a bind by each way is answered.
fn binds(office: &Office, password: &str) -> [i32; 3] {
    let dn = format!("uid=anna,{PEOPLE}");
    [
        vec!["-x", "-D", ANNA, "-w", password],
        vec!["-x", "-D", &dn, "-w", password],
        vec!["-Q", "-Y", "SCRAM-SHA-256", "-U", ANNA, "-w", password],
    ]
    .map(|login| office.run("ldapwhoami", &login, &[], "").code())
}

#[test]
fn an_app_password_binds_if_ldap_is_among_its_protocols() -> Result<()> {
    let office = Office::new();
    let id = id_of(&office.daemon, ANNA)?;
    let mail = app_password(&office, id, &["imap", "smtp", "pop3"])?;
    let ldap = app_password(&office, id, &["imap", "ldap"])?;
    assert_eq!(binds(&office, &ldap), [0, 0, 0]);
    assert_eq!(binds(&office, &mail), [49, 49, 49]);
    let said = office.run("ldapwhoami", &["-x", "-D", ANNA, "-w", &mail], &[], "");
    assert!(said.err().contains("app password"), "{}", said.err());
    // Who is bound by one is who is bound.
    let said = office.run("ldapwhoami", &["-x", "-D", ANNA, "-w", &ldap], &[], "");
    assert_eq!(said.out().trim(), format!("dn:uid=anna,{PEOPLE}"));
    admin(&office, "DELETE", &format!("/admin/accounts/{id}/app-passwords/2"), &Value::Null)?;
    assert_eq!(binds(&office, &ldap), [49, 49, 49]);
    Ok(())
}

impl Wire {
    fn bound_as(office: &Office, name: &str, password: &str) -> Result<Self> {
        let mut wire = Self::new(office)?;
        let with = [element(4, name.as_bytes()), element(0x80, password.as_bytes())].concat();
        wire.0.write_all(&message(1, &element(0x60, &[&[2, 1, 3], &with[..]].concat())))?;
        ensure!(wire.answer()? == (1, 0x61, 0));
        Ok(wire)
    }

    /// The server says that this login was ended (strongerAuthRequired), and closes.
    fn must_end(&mut self, why: &str) -> Result<()> {
        let said = self.answer().with_context(|| why.to_owned())?;
        ensure!(said == (0, 0x78, 8), "{why}: {said:?}");
        ensure!(self.element().is_err(), "{why}: it goes on");
        Ok(())
    }
}

/// The logins by LDAP that the list of the admin shows.
fn listed(office: &Office) -> Result<Vec<String>> {
    let list = admin(office, "GET", "/admin/sessions", &Value::Null)?;
    let items = list["items"].as_array().context("items")?;
    let by_ldap = items.iter().filter(|item| item["protocol"] == "ldap");
    Ok(by_ldap.filter_map(|item| item["id"].as_str().map(str::to_owned)).collect())
}

#[test]
fn what_ends_a_login_ends_its_connections() -> Result<()> {
    let office = Office::new();
    let id = id_of(&office.daemon, ANNA)?;
    let account = format!("/admin/accounts/{id}");
    let app = app_password(&office, id, &["ldap"])?;
    let mut ben = Wire::bound_as(&office, "ben@office.test", "secret-ben")?;

    // From the list.
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna")?;
    let ids = listed(&office)?;
    ensure!(ids.len() == 2, "{ids:?}");
    admin(&office, "DELETE", &format!("/admin/sessions/{}", ids[1]), &Value::Null)?;
    one.must_end("from the list")?;
    ensure!(listed(&office)?.len() == 1);

    // With its app password; a login by the password goes on.
    let mut by_app = Wire::bound_as(&office, ANNA, &app)?;
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna")?;
    admin(&office, "DELETE", &format!("{account}/app-passwords/1"), &Value::Null)?;
    by_app.must_end("the app password is revoked")?;
    ensure!(listed(&office)?.len() == 2);

    // By a password of her own, by one of the admin, by LDAP.
    let anna = session(&office.daemon, ANNA, "secret-anna")?;
    let own = json!({ "old": "secret-anna", "new": "secret-anna-2" }).to_string();
    let content = Some(("application/json", own.as_str()));
    let answer = send(&office.daemon, &anna, "POST", "/me/password", content)?;
    ensure!(answer.status < 300, "{answer:?}");
    one.must_end("she has another password")?;
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna-2")?;
    let password = json!({ "password": "secret-anna-3" });
    admin(&office, "POST", &format!("{account}/password"), &password)?;
    one.must_end("the admin gave her another password")?;
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna-3")?;
    let dn = format!("uid=anna,{PEOPLE}");
    office.admin("ldappasswd", &["-s", "secret-anna-4", &dn], "").must_be(0);
    one.must_end("another password by LDAP")?;

    // Suspended, and deleted, by the web and by LDAP.
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna-4")?;
    admin(&office, "PATCH", &account, &json!({ "state": "suspended" }))?;
    one.must_end("suspended")?;
    ensure!(Wire::bound_as(&office, ANNA, "secret-anna-4").is_err());
    admin(&office, "PATCH", &account, &json!({ "state": "active" }))?;
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna-4")?;
    let status = format!(
        "dn: {dn}\nchangetype: modify\nreplace: postroomStatus\npostroomStatus: disabled\n"
    );
    office.admin("ldapmodify", &[], &status).must_be(0);
    one.must_end("disabled by LDAP")?;
    office.admin("ldapmodify", &[], &status.replace("disabled", "active")).must_be(0);
    let mut one = Wire::bound_as(&office, ANNA, "secret-anna-4")?;
    admin(&office, "DELETE", &account, &Value::Null)?;
    one.must_end("deleted")?;
    ensure!(Wire::bound_as(&office, ANNA, "secret-anna-4").is_err());

    // Nobody else was sent away.
    ben.0.write_all(&search(2, &element(0x87, b"uid")))?;
    ensure!(ben.answer()? == (2, 0x65, 0));
    Ok(())
}
