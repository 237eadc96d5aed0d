//! The directory as LDAP writes it: entries that become accounts, aliases and groups, and the refusals.

use base::{AccountId, DomainName};
use directory::{Attributes, Code, Dn, Filter, Modification, Rdn};
use store::{AccountChange, Entry, Resolution, Store, StoreError};

use crate::fixture::{Fixture, address, new_account, text};

const ADMIN: &str = "cn=admin,dc=office,dc=test";
const PEOPLE: &str = "ou=people,dc=office,dc=test";

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

/// `name: value` lines.
fn attributes(lines: &[&str]) -> Attributes {
    let mut attributes = Attributes::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let key = directory::schema::key(name).unwrap();
        attributes.entry(key).or_default().push(value.as_bytes().to_vec());
    }
    attributes
}

async fn add(store: &Store, name: &str, lines: &[&str]) -> Result<Entry, StoreError> {
    store.add_entry(dn(name), attributes(lines), ADMIN.to_owned()).await
}

async fn change(
    store: &Store,
    name: &str,
    changes: Vec<Modification>,
) -> Result<(Entry, Entry), StoreError> {
    store.modify_entry(dn(name), changes, None, ADMIN.to_owned()).await
}

fn replace(name: &str, values: &[&str]) -> Modification {
    let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    Modification::Replace { name: name.to_owned(), values }
}

async fn rename(
    store: &Store,
    from: &str,
    to: &str,
    superior: Option<&str>,
) -> Result<(Entry, Entry), StoreError> {
    let (rdn, superior) = (Rdn::parse(to).unwrap(), superior.map(dn));
    store.rename_entry(dn(from), rdn, true, superior, None, ADMIN.to_owned()).await
}

/// The result code and what was matched.
fn code<V: std::fmt::Debug>(outcome: Result<V, StoreError>) -> (Code, Option<String>) {
    match outcome {
        Err(StoreError::Refused(refusal)) => (refusal.code, refusal.matched),
        other => unreachable!("{other:?}"),
    }
}

const ERIK: &[&str] = &[
    "objectClass: INETORGPERSON",
    "cn: Erik Roth",
    "cn: E. Roth",
    "displayName: Erik",
    "sn: Roth",
    "mail: erik@office.test",
    "mail: e.roth@elsewhere.test",
    "mail: roth@office.test",
    "userPassword: {ARGON2}$argon2id$x",
];

async fn with_erik() -> (Fixture, AccountId, AccountId) {
    let (office, anna) = Fixture::office().await;
    let made = add(&office.store, "cn=Erik Roth,ou=people,dc=office,dc=test", ERIK).await.unwrap();
    (office, anna, made.account.unwrap())
}

#[tokio::test]
async fn a_person_that_is_added_is_an_account() {
    let (office, _, erik) = with_erik().await;
    let store = &office.store;
    let found = store.account_by_address(&address("Erik@office.test")).unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str()), (erik, "Erik Roth"));
    assert_eq!(found.aliases, [address("roth@office.test")]);
    assert_eq!(found.password_hash.as_deref(), Some("$argon2id$x"));
    office.deliver(&[erik], &text(1)).await;
    assert_eq!(store.mailboxes(erik).unwrap().len(), 6);

    // What the web does to it keeps what LDAP wrote, and its schema.
    let changed = AccountChange {
        name: Some("Erik Roth-Berg".to_owned()),
        quota_bytes: Some(Some(7)),
        aliases: Some(vec![address("er@office.test")]),
        ..AccountChange::default()
    };
    store.update_account(erik, changed).await.unwrap();
    let name = format!("cn=Erik Roth,{PEOPLE}");
    let entry = store.entry(&name).unwrap().unwrap();
    assert_eq!(entry.attributes["mail"], [&b"erik@office.test"[..], b"e.roth@elsewhere.test"]);
    assert_eq!(entry.attributes["maillocaladdress"], [&b"er@office.test"[..]]);
    assert_eq!(entry.attributes["cn"], [&b"Erik Roth-Berg"[..], b"E. Roth", b"Erik Roth"]);
    assert_eq!(entry.attributes["displayname"], [b"Erik Roth-Berg"]);
    assert_eq!(store.resolve(&address("roth@office.test")).unwrap(), Resolution::Unknown);
    assert_eq!(store.account(erik).unwrap().unwrap().quota_bytes, Some(7));

    assert_eq!(entry.attributes["objectclass"][0], b"inetOrgPerson");

    // Removed, it can be restored with its mail.
    let gone = store.delete_entry(dn(&name), None).await.unwrap();
    assert_eq!(gone.account, Some(erik));
    assert!(store.account(erik).unwrap().is_none());
    assert_eq!(store.deleted_accounts(AccountId(0), 10).unwrap()[0].messages, 1);
    store.restore_account(erik).await.unwrap();
    let back = store.entry(&name).unwrap().unwrap();
    assert_eq!((back.uuid, back.creators_name.as_str()), (entry.uuid, ADMIN));
    office.finish().await;
}

#[tokio::test]
async fn a_person_stays_one_account_when_renamed_moved_or_without_an_address_for_a_while() {
    let (office, anna, erik) = with_erik().await;
    let store = &office.store;
    office.deliver(&[erik], &text(1)).await;
    let group = "cn=All,ou=groups,dc=office,dc=test";
    let erik_dn = format!("CN=erik roth, {PEOPLE}");
    let members = ["objectClass: groupOfNames", "cn: All", &format!("member: {erik_dn}")];
    add(store, group, &members).await.unwrap();
    let members =
        || store.groups().unwrap().into_iter().flat_map(|g| g.members).collect::<Vec<_>>();
    assert_eq!(members(), [erik]);

    add(store, &format!("ou=Lab,{PEOPLE}"), &["objectClass: organizationalUnit", "ou: Lab"])
        .await
        .unwrap();
    let (_, after) =
        rename(store, &erik_dn, "uid=Erik", Some(&format!("ou=lab,{PEOPLE}"))).await.unwrap();
    assert_eq!(
        (after.account, after.dn.as_str()),
        (Some(erik), "uid=erik,ou=lab,ou=people,dc=office,dc=test")
    );
    assert_eq!(after.written_dn, "uid=Erik,ou=Lab,ou=people,dc=office,dc=test");
    assert_eq!(members(), [erik]);
    let (_, after) = rename(store, &format!("ou=lab,{PEOPLE}"), "OU=LAB", None).await.unwrap();
    assert_eq!(after.written_dn, "ou=LAB,ou=people,dc=office,dc=test");
    let shown = store.entry(&format!("uid=erik,ou=lab,{PEOPLE}")).unwrap().unwrap().written_dn;
    assert_eq!(shown, "uid=Erik,ou=LAB,ou=people,dc=office,dc=test");
    assert_eq!(members(), [erik]);
    // The container with all below it.
    rename(store, &format!("ou=lab,{PEOPLE}"), "ou=Works", None).await.unwrap();
    let name = format!("uid=erik,ou=works,{PEOPLE}");
    assert_eq!(store.entry(&name).unwrap().unwrap().account, Some(erik));
    assert_eq!(members(), [erik]);
    let entry = store.entry(group).unwrap().unwrap();
    assert_eq!(
        entry.attributes["member"],
        [b"uid=Erik,ou=Works,ou=people,dc=office,dc=test".to_vec()]
    );

    let (_, after) =
        change(store, &name, vec![replace("mail", &["e@elsewhere.test"])]).await.unwrap();
    assert_eq!((after.account, members().len()), (None, 0));
    assert!(store.account(erik).unwrap().is_none());
    assert_eq!(store.deleted_accounts(AccountId(0), 9).unwrap()[0].id, erik);
    let mail = ["erik@office.test"];
    let (_, after) = change(store, &name, vec![replace("mail", &mail)]).await.unwrap();
    assert_eq!((after.account, members()), (Some(erik), vec![erik]));
    assert!(store.deleted_accounts(AccountId(0), 9).unwrap().is_empty());
    assert_eq!(store.mailbox_by_name(erik, "INBOX").unwrap().unwrap().exists, 1);

    // A domain that comes later makes accounts of who was there before.
    let foreign = ["objectClass: inetOrgPerson", "cn: Ines", "sn: Ines", "mail: ines@later.test"];
    let made = add(store, &format!("cn=Ines,{PEOPLE}"), &foreign).await.unwrap();
    assert_eq!(made.account, None);
    store.create_domain(DomainName::parse("later.test").unwrap()).await.unwrap();
    assert!(store.account_by_address(&address("ines@later.test")).unwrap().is_some());
    assert!(store.account(anna).unwrap().is_some());
    office.finish().await;
}

#[tokio::test]
async fn aliases_and_groups_come_by_entries() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let known = Resolution::Known { accounts: vec![anna], remote: Vec::new() };
    let info = ["objectClass: nisMailAlias", "cn: Info", "rfc822MailMember: anna"];
    let name = "cn=Info,ou=aliases,dc=office,dc=test";
    add(store, name, &info).await.unwrap();
    assert_eq!(store.resolve(&address("info@office.test")).unwrap(), known);
    assert_eq!(store.aliases().unwrap()[0].targets, [address("anna@office.test")]);
    let taken = store.create_account(new_account("info@office.test")).await;
    assert!(matches!(taken, Err(StoreError::AddressTaken(_))));
    change(store, name, vec![replace("mail", &["sales@office.test", "x@far.test"])]).await.unwrap();
    assert_eq!(store.resolve(&address("info@office.test")).unwrap(), Resolution::Unknown);
    assert_eq!(store.resolve(&address("sales@office.test")).unwrap(), known);
    store.delete_alias(address("sales@office.test")).await.unwrap();
    store.delete_entry(dn(name), None).await.unwrap();

    let member = format!("member: uid=anna,{PEOPLE}");
    let team = "cn=Team,ou=groups,dc=office,dc=test";
    add(store, team, &["objectClass: groupOfNames", "cn: Team", &member]).await.unwrap();
    assert_eq!(store.groups().unwrap()[0].members, [anna]);
    let view = store.directory().unwrap();
    let id = view.find(&dn(&format!("uid=anna,{PEOPLE}"))).unwrap().unwrap();
    let operational = view.operational(id, &view.entry(id).unwrap().unwrap()).unwrap();
    assert_eq!(operational["memberof"], [team.as_bytes()]);
    assert_eq!(operational["postroomid"], [anna.to_string().as_bytes()]);
    assert_eq!(operational["structuralobjectclass"], [b"inetOrgPerson"]);
    assert_eq!(operational["createtimestamp"], [b"20261122090000Z"]);
    assert_eq!(operational["hassubordinates"], [b"FALSE"]);
    drop(view);
    rename(store, team, "cn=Crew", None).await.unwrap();
    assert_eq!(store.groups().unwrap()[0].name, "Crew");
    // The last member does not go by a change, but with its entry.
    let crew = "cn=crew,ou=groups,dc=office,dc=test";
    let last = change(store, crew, vec![replace("member", &[])]).await;
    assert_eq!(code(last).0, Code::ObjectClassViolation);
    store.delete_account(anna).await.unwrap();
    assert_eq!(store.groups().unwrap()[0].members, []);
    change(store, crew, vec![replace("description", &["empty"])]).await.unwrap();
    store.delete_entry(dn(crew), None).await.unwrap();
    office.finish().await;
}

#[tokio::test]
async fn domains_come_and_go_by_entries() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    let new = ["objectClass: domain", "objectClass: postroomDomain", "dc: new"];
    add(store, "dc=new,dc=test", &new).await.unwrap();
    assert_eq!(store.domains().unwrap().len(), 2);
    let person = ["objectClass: inetOrgPerson", "cn: N", "sn: N", "mail: n@new.test"];
    add(store, "cn=N,ou=people,dc=new,dc=test", &person).await.unwrap();
    let used = store.delete_entry(dn("dc=new,dc=test"), None).await;
    assert_eq!(code(used).0, Code::UnwillingToPerform);
    store.delete_entry(dn("cn=n,ou=people,dc=new,dc=test"), None).await.unwrap();
    store.delete_entry(dn("dc=new,dc=test"), None).await.unwrap();
    assert_eq!(store.domains().unwrap().len(), 1);
    let contexts = store.directory().unwrap().contexts().unwrap();
    assert_eq!(contexts, [dn("dc=office,dc=test")]);
    // A class by its number is the class; and a domain has but one name.
    let by_number = [
        "objectClass: domain",
        "objectClass: 2.25.293107374140241299908613545523455834333.2.2",
        "dc: new",
    ];
    for (name, dc) in [("dc=new.test", "dc: new.test"), ("dc=new,dc=test.", "dc: new")] {
        let lines = [by_number[0], by_number[1], dc];
        assert_eq!(code(add(store, name, &lines).await).0, Code::NamingViolation, "{name}");
    }
    add(store, "dc=new,dc=test", &by_number).await.unwrap();
    assert!(store.entry("ou=people,dc=new,dc=test").unwrap().is_some());
    office.finish().await;
}

/// Of long names the index has the beginning only.
#[tokio::test]
async fn groups_are_told_by_the_whole_name_of_a_member() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    let long = "x".repeat(150);
    let [one, other] = ["a", "b"].map(|end| format!("cn={long}{end},{PEOPLE}"));
    for name in [&one, &other] {
        add(store, name, &["objectClass: inetOrgPerson", "sn: X"]).await.unwrap();
    }
    let member = format!("member: {}", one.to_uppercase().replace("CN=", "CN = "));
    let group = ["objectClass: groupOfNames", "cn: long", &member];
    add(store, "cn=long,ou=groups,dc=office,dc=test", &group).await.unwrap();
    let view = store.directory().unwrap();
    let groups = |name: &str| {
        let id = view.find(&dn(name)).unwrap().unwrap();
        let entry = view.entry(id).unwrap().unwrap();
        view.operational(id, &entry).unwrap().remove("memberof").unwrap_or_default()
    };
    assert_eq!(groups(&one), [b"cn=long,ou=groups,dc=office,dc=test"]);
    assert!(groups(&other).is_empty());
    office.finish().await;
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_with_its_code() {
    let (office, _, _) = with_erik().await;
    let store = &office.store;
    let person = |mail: &'static str| ["objectClass: inetOrgPerson", "cn: X", "sn: X", mail];
    let x = format!("cn=X,{PEOPLE}");
    let lists = "cn=L,ou=groups,dc=office,dc=test";
    let dangling = ["objectClass: groupOfNames", "cn: L", "member: cn=nobody,dc=office,dc=test"];
    let group = ["objectClass: groupOfNames", "cn: L", "member: ou=people,dc=office,dc=test"];
    let recipient = [
        "objectClass: inetOrgPerson",
        "objectClass: inetLocalMailRecipient",
        "cn: X",
        "sn: X",
        "mailLocalAddress: x@far.test",
    ];
    for (name, lines, expected) in [
        (x.as_str(), &person("mail: roth@OFFICE.test")[..], Code::ConstraintViolation),
        (&x, &person("entryUUID: 00000000-0000-4000-8000-000000000000"), Code::ConstraintViolation),
        (&x, &recipient, Code::ConstraintViolation),
        (&x, &["objectClass: inetOrgPerson", "cn: X"], Code::ObjectClassViolation),
        (
            &x,
            &["objectClass: person", "cn: X", "sn: X", "mail: a@b.test"],
            Code::ObjectClassViolation,
        ),
        (lists, &dangling, Code::ConstraintViolation),
        (&format!("cn=erik  ROTH,{PEOPLE}"), ERIK, Code::EntryAlreadyExists),
        ("cn=X,dc=far,dc=test", &person("mail: a@b.test"), Code::UnwillingToPerform),
    ] {
        assert_eq!(code(add(store, name, lines).await).0, expected, "{name} {lines:?}");
    }
    let lost =
        add(store, "cn=X,ou=none,ou=People,dc=office,dc=test", &person("mail: a@b.test")).await;
    assert_eq!(code(lost), (Code::NoSuchObject, Some(PEOPLE.to_owned())));
    add(store, lists, &group).await.unwrap();

    let erik = format!("cn=Erik Roth,{PEOPLE}");
    for (changes, expected) in [
        (replace("sn", &[]), Code::ObjectClassViolation),
        (replace("cn", &["Else"]), Code::NotAllowedOnRdn),
        (replace("mail", &["anna@office.test"]), Code::ConstraintViolation),
        (replace("postroomQuota", &["1"]), Code::ObjectClassViolation),
        (replace("postroomQuota", &["-1"]), Code::ConstraintViolation),
        (replace("postroomStatus", &["locked"]), Code::ConstraintViolation),
        (replace("postroomRole", &["Admin"]), Code::ConstraintViolation),
        (replace("postroomManages", &["office.test", "far.test"]), Code::ConstraintViolation),
        (replace("modifyTimestamp", &["20260101000000Z"]), Code::ConstraintViolation),
    ] {
        assert_eq!(
            code(change(store, &erik, vec![changes.clone()]).await).0,
            expected,
            "{changes:?}"
        );
    }
    office.finish().await;
}

#[tokio::test]
async fn what_cannot_be_renamed_or_removed_stays() {
    let (office, _, _) = with_erik().await;
    let store = &office.store;
    let erik = format!("cn=Erik Roth,{PEOPLE}");
    let taken = rename(store, &erik, "uid=anna", None).await;
    assert_eq!(code(taken).0, Code::EntryAlreadyExists);
    for fixed in [PEOPLE, "dc=office,dc=test"] {
        assert_eq!(code(rename(store, fixed, "ou=x", None).await).0, Code::UnwillingToPerform);
        assert_eq!(code(store.delete_entry(dn(fixed), None).await).0, Code::UnwillingToPerform);
    }
    add(store, &format!("ou=Lab,{PEOPLE}"), &["objectClass: organizationalUnit", "ou: Lab"])
        .await
        .unwrap();
    let inner = format!("ou=In,ou=Lab,{PEOPLE}");
    add(store, &inner, &["objectClass: organizationalUnit", "ou: In"]).await.unwrap();
    let lab = format!("ou=lab,{PEOPLE}");
    assert_eq!(code(store.delete_entry(dn(&lab), None).await).0, Code::NotAllowedOnNonLeaf);
    let under_itself = rename(store, &lab, "ou=lab", Some(&inner)).await;
    assert_eq!(code(under_itself).0, Code::UnwillingToPerform);
    let nowhere = rename(store, &erik, "uid=e", Some("ou=none,dc=office,dc=test")).await;
    assert_eq!(code(nowhere), (Code::NoSuchObject, None));
    let outside = store.delete_entry(dn("cn=x,dc=far,dc=test"), None).await;
    assert_eq!(code(outside).0, Code::UnwillingToPerform);
    let nobody = store.delete_entry(dn(&format!("cn=Nobody,{PEOPLE}")), None).await;
    assert_eq!(code(nobody), (Code::NoSuchObject, Some(PEOPLE.to_owned())));
    office.finish().await;
}

#[tokio::test]
async fn an_act_is_done_only_if_its_assertion_holds() {
    let (office, _, erik) = with_erik().await;
    let store = &office.store;
    let name = dn(&format!("cn=Erik Roth,{PEOPLE}"));
    let title = || vec![replace("title", &["Boss"])];
    let uuid = {
        let view = store.directory().unwrap();
        let id = view.find(&name).unwrap().unwrap();
        let entry = view.entry(id).unwrap().unwrap();
        let uuid = view.operational(id, &entry).unwrap()["entryuuid"][0].clone();
        String::from_utf8(uuid).unwrap()
    };
    for (filter, holds) in [
        ("(sn=roth)".to_owned(), true),
        (format!("(&(entryUUID={uuid})(hasSubordinates=FALSE)(!(memberOf=*)))"), true),
        (format!("(postroomId={erik})"), true),
        ("(sn=berg)".to_owned(), false),
        ("(userPassword=*)".to_owned(), false),
        ("(!(userPassword=*))".to_owned(), false),
    ] {
        let assertion = Some(Filter::parse(&filter).unwrap());
        let done = store.modify_entry(name.clone(), title(), assertion, ADMIN.to_owned()).await;
        match holds {
            true => assert_eq!(done.unwrap().1.modifiers_name, ADMIN),
            false => assert_eq!(code(done).0, Code::AssertionFailed, "{filter}"),
        }
    }
    let assertion = Some(Filter::parse("(title=clerk)").unwrap());
    assert_eq!(code(store.delete_entry(name, assertion).await).0, Code::AssertionFailed);
    office.finish().await;
}

/// What costs a look at all members for each of them would not end here.
#[tokio::test]
async fn a_large_group_changes_by_one_member() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let mut values = attributes(&["objectClass: groupOfNames", "cn: All"]);
    let mut members = Vec::new();
    for n in 0..300 {
        let name = format!("cn=n{n},ou=contacts,dc=office,dc=test");
        let lines = ["objectClass: person", &format!("cn: n{n}"), "sn: n"];
        let added = store.add_entry(dn(&name), attributes(&lines), String::new());
        members.push(name.clone().into_bytes());
        added.await.unwrap();
    }
    values.insert("member".to_owned(), members);
    let group = "cn=All,ou=groups,dc=office,dc=test";
    store.add_entry(dn(group), values, String::new()).await.unwrap();
    let one = vec![format!("uid=anna,{PEOPLE}").into_bytes()];
    let add = Modification::Add { name: "member".to_owned(), values: one.clone() };
    change(store, group, vec![add]).await.unwrap();
    assert_eq!(store.groups().unwrap()[0].members, [anna]);
    let delete = Modification::Delete { name: "member".to_owned(), values: one };
    let (before, after) = change(store, group, vec![delete]).await.unwrap();
    assert_eq!(before.attributes["member"].len(), 301);
    assert_eq!(after.attributes["member"].len(), 300);
    assert_eq!(store.groups().unwrap()[0].members, []);
    office.finish().await;
}
