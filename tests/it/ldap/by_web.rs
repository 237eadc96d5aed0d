//! The same entries by LDAP and by the admin API: what one writes the other keeps.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{ADMIN, Office, PEOPLE, modify, person};

impl Office {
    /// Asks the admin API over the socket in the data directory.
    pub(super) fn api(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let mut socket = UnixStream::connect(self.daemon.data.join("postroom.sock"))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            socket,
            "{method} /api{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
        let status = head.split(' ').nth(1).context("a status")?.parse()?;
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    fn change(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.api("PATCH", path, body)?;
        ensure!(status == 200, "{status} {answer}");
        Ok(answer)
    }
}

#[test]
fn what_others_write_survives_the_web_and_what_the_web_writes_survives_others() -> Result<()> {
    let office = Office::new();
    office.admin("ldapadd", &[], &person("carl", "userPassword: secret-carl\n")).must_be(0);
    let more = modify(
        "carl",
        "add: carLicense\ncarLicense: B-X 1\n-\nadd: roomNumber\nroomNumber: 12\n-\n\
         add: description;lang-fr\ndescription;lang-fr: le patron\n-\n\
         add: userCertificate;binary\nuserCertificate;binary:: MAMCAQE=",
    );
    let said = office.admin("ldapmodify", &[], &more);
    // A certificate that is none may be refused; the rest is what counts.
    let more = if said.code == 0 { String::new() } else { more };
    if !more.is_empty() {
        let plain = more.split("-\nadd: userCertificate").next().context("a part")?.to_owned();
        office.admin("ldapmodify", &[], &plain).must_be(0);
    }

    let (status, found) = office.api("GET", "/admin/accounts?search=carl", &Value::Null)?;
    ensure!(status == 200 && found["found"] == 1, "{status} {found}");
    let path = format!("/admin/accounts/{}", found["items"][0]["id"]);
    office.change(
        &path,
        &json!({ "name": "Carl Kern", "aliases": ["sales@office.test"], "quota_mb": 50,
                 "language": "fr", "state": "active" }),
    )?;
    let shown = |of: &[&str]| {
        let base = format!("uid=carl,{PEOPLE}");
        office.admin("ldapsearch", &[&["-LLL", "-b", &base], of].concat(), "")
    };
    let entry = shown(&["*"]);
    for (name, values) in [
        ("carLicense", ["B-X 1"]),
        ("roomNumber", ["12"]),
        ("description;lang-fr", ["le patron"]),
        ("mailLocalAddress", ["sales@office.test"]),
        ("postroomQuota", ["52428800"]),
    ] {
        ensure!(entry.values(name) == values, "{name}: {}", entry.out);
    }
    ensure!(entry.values("cn").contains(&"Carl Kern"), "{}", entry.out);

    let title =
        modify("carl", "replace: carLicense\ncarLicense: M-Y 2\n-\nadd: title\ntitle: Chef");
    office.admin("ldapmodify", &[], &title).must_be(0);
    let (_, now) = office.api("GET", &path, &Value::Null)?;
    ensure!(now["name"] == "Carl Kern" && now["quota_mb"] == 50, "{now}");
    ensure!(now["aliases"] == json!(["sales@office.test"]) && now["language"] == "fr", "{now}");
    ensure!(shown(&["title", "roomNumber"]).values("roomNumber") == ["12"]);
    office.person("carl", "secret-carl", "ldapwhoami", &[]).must_be(0);
    Ok(())
}

#[test]
fn who_does_not_bind_looks_people_up_only_if_the_admin_lets_the_office() -> Result<()> {
    let office = Office::new();
    let more = "telephoneNumber: +49 30 1\nmobile: +49 170 1\ntitle: Chef\nl: Berlin\n\
        userPassword: secret-carl\nemployeeNumber: 7\n";
    office.admin("ldapadd", &[], &person("carl", more)).must_be(0);
    let look = |what: &[&str]| {
        let all = [&["-LLL", "-b", PEOPLE, "(uid=carl)"], what].concat();
        office.run("ldapsearch", &["-x"], &all, "")
    };
    let (_, set) = office.api("GET", "/admin/directory", &Value::Null)?;
    ensure!(set["lan_lookup"] == false, "{set}");
    ensure!(look(&["mail"]).values("mail").is_empty());

    let on = json!({ "lan_lookup": true });
    let (status, set) = office.api("PUT", "/admin/directory", &on)?;
    ensure!(status == 200 && set["lan_lookup"] == true, "{status} {set}");
    let found = look(&["*", "+"]);
    found.must_be(0);
    let mut names: Vec<&str> =
        found.out.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let shown = [
        "cn",
        "dn",
        "entryDN",
        "hasSubordinates",
        "mail",
        "mobile",
        "objectClass",
        "sn",
        "structuralObjectClass",
        "subschemaSubentry",
        "telephoneNumber",
        "uid",
    ];
    ensure!(names == shown, "{names:?}");
    // What is not shown does not find anybody either.
    let hidden = office.run("ldapsearch", &["-x"], &["-LLL", "-b", PEOPLE, "(title=Chef)"], "");
    ensure!(hidden.values("dn").is_empty(), "{}", hidden.out);
    let change = modify("carl", "replace: telephoneNumber\ntelephoneNumber: 1");
    office.run("ldapmodify", &["-x"], &[], &change).must_be(50);
    office.run("ldapdelete", &["-x"], &[&format!("uid=carl,{PEOPLE}")], "").must_be(50);
    let password = office.run("ldappasswd", &["-x"], &["-s", "another-secret", ADMIN], "");
    ensure!(password.code != 0 && password.out.contains("bind first"), "{}", password.out);

    ensure!(office.api("PUT", "/admin/directory", &json!({ "lan_lookup": false }))?.0 == 200);
    ensure!(look(&["mail"]).values("mail").is_empty());
    Ok(())
}
