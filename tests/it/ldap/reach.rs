//! How far rights reach by LDAP: those of a domain admin as far as his domains, those of a guest as far as what
//! he is shown, and no name makes them longer.

use anyhow::{Result, ensure};
use serde_json::json;
use testkit::daemon::office_with_admins;

use super::{Office, modify};

/// bert administers office.test; carla lives in sub.office.test, a domain of its own below it.
fn office() -> Office {
    let sub = "[[domain]]\nname = \"sub.office.test\"\n[[user]]\naddress = \"carla@sub.office.test\"\n\
               name = \"carla\"\npassword = \"secret-carla\"\n";
    let office = Office::with(format!("{}{sub}", office_with_admins(&["anna", "bert"], &[])));
    manages(&office, "uid=bert,ou=people,dc=office,dc=test", "office.test");
    office
}

fn manages(office: &Office, dn: &str, domain: &str) {
    let change = format!("dn: {dn}\nchangetype: modify\nreplace: postroomManages\n");
    office.admin("ldapmodify", &[], &format!("{change}postroomManages: {domain}\n")).must_be(0);
}

/// What somebody of any domain says of an attribute.
fn replaces(office: &Office, who: &str, dn: &str, attribute: &str, value: &str) -> i32 {
    let name = who.split('@').next().unwrap_or_default();
    let login = ["-x", "-D", who, "-w", &format!("secret-{name}")];
    let change = format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n");
    office.run("ldapmodify", &login, &[], &format!("{change}{attribute}: {value}\n")).code()
}

#[test]
fn a_domain_below_another_is_a_domain_of_its_own() {
    let office = office();
    let anna = "uid=anna,ou=people,dc=office,dc=test";
    let bert = "uid=bert,ou=people,dc=office,dc=test";
    let carla = "uid=carla,ou=people,dc=sub,dc=office,dc=test";
    let by_bert =
        |dn: &str, name: &str, value: &str| replaces(&office, "bert@office.test", dn, name, value);
    assert_eq!(by_bert(anna, "description", "mine"), 0);
    assert_eq!(by_bert(carla, "description", "mine"), 50);
    assert_eq!(by_bert(carla, "userPassword", "taken over by bert 9"), 50);
    assert_eq!(by_bert(bert, "mailLocalAddress", "boss@sub.office.test"), 50);
    let base = "dc=sub,dc=office,dc=test";
    assert_eq!(by_bert(base, "postroomCatchAll", "bert@office.test"), 50);
    // And who administers it does so there, and not above.
    manages(&office, carla, "sub.office.test");
    let by_carla = |dn: &str| replaces(&office, "carla@sub.office.test", dn, "title", "mine");
    assert_eq!(by_carla(carla), 0);
    assert_eq!(by_carla(anna), 50);
}

/// `l` is a kind of `name`: who is not shown it does not get to it by that.
#[test]
fn a_guest_learns_nothing_by_the_name_of_a_supertype() -> Result<()> {
    let office = office();
    let (status, _) = office.api("PUT", "/admin/directory", &json!({ "lan_lookup": true }))?;
    ensure!(status == 200);
    office.admin("ldapmodify", &[], &modify("anna", "replace: l\nl: Berlin\n")).must_be(0);
    let guest = |tool: &str, arguments: &[&str]| office.run(tool, &["-x"], arguments, "").code();
    let anna = "uid=anna,ou=people,dc=office,dc=test";
    for (asked, answer) in [("cn:anna", 6), ("name:anna", 6), ("name:Berlin", 5), ("l:Berlin", 50)]
    {
        assert_eq!(guest("ldapcompare", &[anna, asked]), answer, "{asked}");
    }
    for (filter, answer) in [("(cn=anna)", 0), ("(name=anna)", 0), ("(name=Berlin)", 122)] {
        let assertion = format!("!assert={filter}");
        let base = ["-e", &assertion, "-b", anna, "-s", "base"];
        assert_eq!(guest("ldapsearch", &base), answer, "{filter}");
    }
    // Who is bound may: the town stands in the address book.
    let login = ["-x", "-D", "bert@office.test", "-w", "secret-bert"];
    assert_eq!(office.run("ldapcompare", &login, &[anna, "name:Berlin"], "").code(), 6);
    Ok(())
}

/// Who has more rights may stand below: a domain admin moves nothing that something stands below.
#[test]
fn what_something_stands_below_is_not_a_domain_admins_to_name() {
    let office = office();
    let people = "ou=people,dc=office,dc=test";
    let unit = format!("dn: ou=sales,{people}\nobjectClass: organizationalUnit\nou: sales\n\n");
    office.admin("ldapadd", &[], &unit).must_be(0);
    let sales = format!("ou=sales,{people}");
    let login = ["-x", "-D", "bert@office.test", "-w", "secret-bert"];
    let by_bert = |from: &str, name: &str, to: &str| {
        office.run("ldapmodrdn", &login, &["-r", "-s", to, from, name], "").code()
    };
    // anna administers the box.
    let anna = format!("uid=anna,{people}");
    office.admin("ldapmodrdn", &["-s", &sales, &anna, "uid=anna"], "").must_be(0);
    assert_eq!(by_bert(&sales, "ou=sold", people), 50);
    assert_eq!(by_bert(&sales, "ou=sales", "ou=contacts,dc=office,dc=test"), 50);
    let below = format!("uid=anna,{sales}");
    office.admin("ldapmodrdn", &["-s", people, &below, "uid=anna"], "").must_be(0);
    assert_eq!(by_bert(&sales, "ou=sold", people), 0, "empty it is his");
}
