//! Passwords by LDAP: where they may stand, and who may set one.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Office, modify, person};

fn set(attribute: &str, password: &str) -> String {
    modify("anna", &format!("add: {attribute}\n{attribute}: {password}\n"))
}

#[test]
fn a_password_is_one_and_stands_where_it_is_hashed() {
    let office = Office::new();
    office.admin("ldapadd", &[], &person("carl", "userPassword;x-a: secret-carl\n")).must_be(19);
    let named = "dn: userPassword=secret-carl,ou=people,dc=office,dc=test\n\
                 objectClass: inetOrgPerson\nuid: carl\ncn: Carl\nsn: Tal\n";
    office.admin("ldapadd", &[], named).must_be(64);
    let rename = "uid=anna,ou=people,dc=office,dc=test\nuserPassword=secret-carl\n";
    office.admin("ldapmodrdn", &[], rename).must_be(64);
    // A second one would be taken by some mechanisms and not by others.
    let by_anna = |input: &str| office.person_says("anna", "secret-anna", "ldapmodify", &[], input);
    by_anna(&set("userPassword", "slate otter dune")).must_be(19);
    by_anna(&set("userPassword;x-a", "slate otter dune")).must_be(19);
    let scram = ["-Q", "-Y", "SCRAM-SHA-256", "-U", "anna@office.test", "-w", "secret-anna"];
    office.run("ldapwhoami", &scram, &[], "").must_be(0);
}

#[test]
fn an_app_password_does_not_set_the_password_of_its_owner() -> Result<()> {
    let office = Office::new();
    let (_, found) = office.api("GET", "/admin/accounts?search=anna", &Value::Null)?;
    let id = found["items"][0]["id"].as_u64().context("an account")?;
    let wanted = json!({ "name": "printer", "protocols": ["ldap"] });
    let path = format!("/admin/accounts/{id}/app-passwords");
    let (status, made) = office.api("POST", &path, &wanted)?;
    ensure!(status == 201, "{status} {made}");
    let app = made["password"].as_str().context("a password")?;
    // This tool says the code in words.
    let passwd = |more: &[&str]| {
        let said = office.person("anna", app, "ldappasswd", more);
        let words = format!("{}{}", said.out(), said.err());
        let code = words.split_once("Result: ").and_then(|(_, words)| words.split_once('('));
        let code = code.and_then(|(_, words)| words.split(')').next()?.parse().ok());
        code.unwrap_or_else(|| said.code())
    };
    let changes = |text: &str| office.person_says("anna", app, "ldapmodify", &[], text).code();
    let replaces = modify("anna", "replace: userPassword\nuserPassword: slate otter dune\n");
    let deletes = modify("anna", "delete: userPassword\n");
    ensure!(passwd(&["-s", "slate otter dune"]) == 50 && passwd(&[]) == 50);
    ensure!(changes(&replaces) == 50 && changes(&deletes) == 50);
    ensure!(passwd(&["-a", "no", "-s", "slate otter dune"]) == 53);
    ensure!(changes(&modify("anna", "replace: mobile\nmobile: 1\n")) == 0);
    // Who knows the password itself may, and who administers others may set theirs.
    ensure!(passwd(&["-a", "secret-anna", "-s", "slate otter dune"]) == 0);
    let shown = "delete: userPassword\nuserPassword: slate otter dune\n-\n\
                 add: userPassword\nuserPassword: dune slate otter\n";
    ensure!(changes(&modify("anna", shown)) == 0);
    office.person("anna", "dune slate otter", "ldapwhoami", &[]).must_be(0);
    let path = "/admin/accounts?search=boss";
    let boss = office.api("GET", path, &Value::Null)?.1["items"][0]["id"].clone();
    let made = office.api("POST", &format!("/admin/accounts/{boss}/app-passwords"), &wanted)?.1;
    let app = made["password"].as_str().context("a password")?;
    let ben = "uid=ben,ou=people,dc=office,dc=test";
    office.person("boss", app, "ldappasswd", &["-s", "otter dune slate", ben]).must_be(0);
    Ok(())
}

/// RFC 4513 §5.2.1.8: by either kind of name one may ask to be oneself, and nobody else.
#[test]
fn a_client_may_ask_to_act_as_itself() {
    let office = Office::new();
    let scram = ["-Q", "-Y", "SCRAM-SHA-256", "-U", "anna@office.test", "-w", "secret-anna"];
    let code = |name: &str| office.run("ldapwhoami", &scram, &["-X", name], "").code();
    assert_eq!(code("u:anna@office.test"), 0);
    assert_eq!(code("dn:UID=Anna, OU=people, DC=office, DC=test"), 0);
    for other in ["u:ben@office.test", "dn:uid=ben,ou=people,dc=office,dc=test", "dn:", "u:"] {
        assert_ne!(code(other), 0, "{other}");
    }
}
