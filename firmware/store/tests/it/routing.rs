//! Where mail goes by what entries say, and who may send with which address.

use base::{AccountId, DomainName};
use directory::{Attributes, Code, Dn, Modification};
use store::{
    AccountChange, Alias, DomainChange, Entry, Group, Resolution, SendAs, Store, StoreError,
};

use crate::fixture::{Fixture, address, new_account};

const OFFICE: &str = "dc=office,dc=test";

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).unwrap()
}

/// Where mail goes, as words: addresses of accounts and elsewhere, sorted; `nobody` and `not ours`.
fn goes(store: &Store, to: &str) -> String {
    match store.resolve(&address(to)).unwrap() {
        Resolution::NotLocal => "not ours".to_owned(),
        Resolution::Unknown => "nobody".to_owned(),
        Resolution::Known { accounts, remote } => {
            let name = |id: AccountId| store.account(id).unwrap().unwrap().address.to_string();
            let mut all: Vec<String> = accounts.into_iter().map(name).collect();
            all.extend(remote.iter().map(ToString::to_string));
            all.sort();
            all.join(" ")
        }
    }
}

/// Makes one change as LDAP does it.
async fn modify(store: &Store, dn: &str, name: &str, values: &[&str]) -> Result<Entry, Code> {
    let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    let change = Modification::Replace { name: name.to_owned(), values };
    let changed = store.modify_entry(Dn::parse(dn).unwrap(), vec![change], None, String::new());
    changed.await.map(|(_, after)| after).map_err(code)
}

async fn add(store: &Store, dn: &str, values: &[(&str, &str)]) -> Result<Entry, Code> {
    let mut attributes = Attributes::new();
    for (key, value) in values {
        attributes.entry((*key).to_owned()).or_default().push(value.as_bytes().to_vec());
    }
    store.add_entry(Dn::parse(dn).unwrap(), attributes, String::new()).await.map_err(code)
}

fn code(error: StoreError) -> Code {
    let StoreError::Refused(refusal) = error else { unreachable!("{error}") };
    refusal.code
}

async fn person(office: &Fixture, name: &str) -> AccountId {
    let new = new_account(&format!("{name}@office.test"));
    office.store.create_account(new).await.unwrap()
}

fn uid(name: &str) -> String {
    format!("uid={name},ou=people,{OFFICE}")
}

#[tokio::test]
async fn every_name_of_a_domain_leads_to_the_same_addresses() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    store.create_domain(domain("other.test")).await.unwrap();
    assert_eq!(goes(store, "anna@alias.test"), "not ours");
    modify(store, OFFICE, "postroomDomainAlias", &["alias.test", "Zweite.test"]).await.unwrap();
    for to in ["anna@alias.test", "ANNA+x@zweite.TEST", "postmaster@alias.test"] {
        assert_eq!(goes(store, to), "anna@office.test", "{to}");
    }
    assert_eq!(goes(store, "nobody@alias.test"), "nobody");
    let found = store.account_by_address(&address("anna@alias.test")).unwrap();
    assert_eq!(found.map(|account| account.id), Some(anna), "a login name");
    assert!(store.may_send_as(anna, &address("anna+x@alias.test")).unwrap());

    // A name is a domain or a further name of one.
    let taken = Err(Code::ConstraintViolation);
    for name in ["other.test", "office.test", "[127.0.0.1]", "no name"] {
        let refused = modify(store, OFFICE, "postroomDomainAlias", &[name]).await;
        assert_eq!(refused.map(drop), taken, "{name}");
    }
    let other = modify(store, "dc=other,dc=test", "postroomDomainAlias", &["ALIAS.test"]).await;
    assert_eq!(other.map(drop), taken);
    let typed = store.create_domain(domain("alias.test")).await;
    assert!(matches!(typed, Err(StoreError::DomainTaken(_))));
    let values = [("objectclass", "domain"), ("objectclass", "postroomDomain"), ("dc", "alias")];
    assert_eq!(add(store, "dc=alias,dc=test", &values).await.map(drop), taken);
    let change = DomainChange { further: Some(vec![domain("alias.test")]), ..Default::default() };
    let typed = store.update_domain(domain("other.test"), change.clone()).await;
    assert!(matches!(typed, Err(StoreError::DomainTaken(_))));

    // It is free again when the domain gives it up, or goes.
    let none = DomainChange { further: Some(Vec::new()), ..Default::default() };
    store.update_domain(domain("office.test"), none).await.unwrap();
    assert_eq!(goes(store, "anna@alias.test"), "not ours");
    store.update_domain(domain("other.test"), change).await.unwrap();
    assert_eq!(store.domains().unwrap()[1].further, [domain("alias.test")]);
    store.delete_domain(domain("other.test")).await.unwrap();
    store.create_domain(domain("alias.test")).await.unwrap();
    office.finish().await;
}

#[tokio::test]
async fn mail_for_nobody_is_caught_last() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    person(&office, "bert").await;
    modify(store, OFFICE, "postroomDomainAlias", &["alias.test"]).await.unwrap();
    modify(store, OFFICE, "postroomCatchAll", &["bert@office.test"]).await.unwrap();
    for (to, where_to) in [
        ("anna@office.test", "anna@office.test"),
        ("anna+x@office.test", "anna@office.test"),
        ("postmaster@office.test", "anna@office.test"),
        ("abuse@alias.test", "anna@office.test"),
        ("nobody@office.test", "bert@office.test"),
        ("nobody+x@alias.test", "bert@office.test"),
    ] {
        assert_eq!(goes(store, to), where_to, "{to}");
    }
    let bert = store.account_by_address(&address("bert@office.test")).unwrap().unwrap().id;
    assert!(!store.may_send_as(bert, &address("nobody@office.test")).unwrap());
    // Elsewhere, and two domains that mean each other.
    store.create_domain(domain("other.test")).await.unwrap();
    modify(store, OFFICE, "postroomCatchAll", &["x@far.test"]).await.unwrap();
    assert_eq!(goes(store, "nobody@office.test"), "x@far.test");
    modify(store, OFFICE, "postroomCatchAll", &["x@other.test"]).await.unwrap();
    modify(store, "dc=other,dc=test", "postroomCatchAll", &["y@office.test"]).await.unwrap();
    assert_eq!(goes(store, "nobody@office.test"), "nobody");
    let refused = modify(store, OFFICE, "postroomCatchAll", &["no address"]).await;
    assert_eq!(refused.map(drop), Err(Code::ConstraintViolation));
    office.finish().await;
}

#[tokio::test]
async fn forwarded_mail_is_never_lost() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let (bert, cleo) = (person(&office, "bert").await, person(&office, "cleo").await);
    let forward = async |who: AccountId, to: &[&str], keeps: bool| {
        let forward = Some(to.iter().map(|to| address(to)).collect());
        let change = AccountChange { forward, forward_keep: Some(keeps), ..Default::default() };
        store.update_account(who, change).await.unwrap();
    };
    forward(anna, &["bert@office.test", "x@far.test"], true).await;
    assert_eq!(goes(store, "anna@office.test"), "anna@office.test bert@office.test x@far.test");
    forward(anna, &["bert@office.test", "x@far.test"], false).await;
    assert_eq!(goes(store, "anna+d@office.test"), "bert@office.test x@far.test");
    assert!(!store.may_send_as(bert, &address("anna@office.test")).unwrap());
    // Chains go on, each with its own mind.
    forward(bert, &["cleo@office.test"], true).await;
    assert_eq!(goes(store, "anna@office.test"), "bert@office.test cleo@office.test x@far.test");
    // A circle keeps one copy, and so does a way to nowhere.
    forward(anna, &["bert@office.test"], false).await;
    forward(bert, &["cleo@office.test"], false).await;
    forward(cleo, &["anna+x@office.test"], false).await;
    assert_eq!(goes(store, "anna@office.test"), "cleo@office.test");
    assert_eq!(goes(store, "bert@office.test"), "anna@office.test");
    forward(anna, &["anna@office.test"], false).await;
    assert_eq!(goes(store, "anna@office.test"), "anna@office.test");
    forward(anna, &["gone@office.test"], false).await;
    assert_eq!(goes(store, "anna@office.test"), "anna@office.test");
    // By LDAP, at once; and what is no address is refused.
    modify(store, &uid("anna"), "postroomForward", &["y@far.test"]).await.unwrap();
    assert_eq!(goes(store, "anna@office.test"), "y@far.test");
    modify(store, &uid("anna"), "postroomForwardKeep", &["TRUE"]).await.unwrap();
    assert_eq!(goes(store, "anna@office.test"), "anna@office.test y@far.test");
    let refused = modify(store, &uid("anna"), "postroomForward", &["far.test"]).await;
    assert_eq!(refused.map(drop), Err(Code::ConstraintViolation));
    let many: Vec<String> = (0..21).map(|n| format!("x{n}@far.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = modify(store, &uid("anna"), "postroomForward", &many).await;
    assert_eq!(refused.map(drop), Err(Code::AdminLimitExceeded));
    office.finish().await;
}

#[tokio::test]
async fn a_group_with_an_address_is_a_list() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = person(&office, "bert").await;
    let group = |name: &str, address: Option<&str>, members: &[AccountId]| Group {
        name: name.to_owned(),
        domain: domain("office.test"),
        address: address.map(crate::fixture::address),
        members: members.to_vec(),
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    };
    store.put_group(group("Crew", None, &[bert])).await.unwrap();
    let team = Group {
        groups: vec!["crew@office.test".to_owned()],
        outside: vec![address("x@far.test")],
        description: "all of us".to_owned(),
        ..group("Team", Some("team@office.test"), &[anna])
    };
    store.put_group(team.clone()).await.unwrap();
    assert_eq!(store.group("TEAM", &domain("office.test")).unwrap(), Some(team.clone()));
    let all = "anna@office.test bert@office.test x@far.test";
    assert_eq!(goes(store, "team+d@office.test"), all);
    // Both contain each other, and a contact has no account.
    let card = format!("cn=c,ou=contacts,{OFFICE}");
    let values =
        [("objectclass", "inetOrgPerson"), ("cn", "c"), ("sn", "c"), ("mail", "c@far.test")];
    add(store, &card, &values).await.unwrap();
    let crew = format!("cn=crew,ou=groups,{OFFICE}");
    let members = [&uid("bert"), &card, &format!("cn=team,ou=groups,{OFFICE}")];
    modify(store, &crew, "member", &members.map(String::as_str)).await.unwrap();
    assert_eq!(
        goes(store, "team@office.test"),
        "anna@office.test bert@office.test c@far.test x@far.test"
    );
    // The typed change of a group leaves what it does not show.
    store.put_group(group("Crew", None, &[bert])).await.unwrap();
    assert_eq!(
        goes(store, "team@office.test"),
        "anna@office.test bert@office.test c@far.test x@far.test"
    );
    // An address is one entry's.
    let taken = store.put_group(group("More", Some("anna@office.test"), &[anna])).await;
    assert!(matches!(taken, Err(StoreError::AddressTaken(_))));
    let taken = store.create_account(new_account("team@office.test")).await;
    assert!(matches!(taken, Err(StoreError::AddressTaken(_))));
    let alias =
        Alias { address: address("team@office.test"), targets: vec![address("a@far.test")] };
    assert!(matches!(store.create_alias(alias).await, Err(StoreError::AddressTaken(_))));
    let refused =
        modify(store, &uid("bert"), "mail", &["bert@office.test", "team@office.test"]).await;
    assert_eq!(refused.map(drop), Err(Code::ConstraintViolation));
    // By LDAP a group needs the class for its address.
    let refused = modify(store, &crew, "mail", &["crew@office.test"]).await;
    assert_eq!(refused.map(drop), Err(Code::ObjectClassViolation));
    modify(store, &crew, "objectClass", &["groupOfNames", "postroomGroup"]).await.unwrap();
    modify(store, &crew, "mail", &["crew@office.test"]).await.unwrap();
    assert_eq!(goes(store, "crew@office.test"), "bert@office.test c@far.test");
    store.put_group(group("Team", None, &[anna])).await.unwrap();
    assert_eq!(goes(store, "team@office.test"), "nobody");
    store.delete_group("Crew".to_owned(), domain("office.test")).await.unwrap();
    assert_eq!(goes(store, "crew@office.test"), "nobody");
    office.finish().await;
}

#[tokio::test]
async fn people_send_with_their_own_addresses_and_those_they_are_lent() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = person(&office, "bert").await;
    store.create_domain(domain("other.test")).await.unwrap();
    let alias =
        Alias { address: address("info@office.test"), targets: vec![address("bert@office.test")] };
    store.create_alias(alias).await.unwrap();
    let group = Group {
        name: "Team".to_owned(),
        domain: domain("office.test"),
        address: Some(address("team@office.test")),
        members: vec![bert],
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    };
    store.put_group(group).await.unwrap();
    modify(store, OFFICE, "postroomDomainAlias", &["alias.test"]).await.unwrap();
    let may = |who, text: &str| store.may_send_as(who, &address(text)).unwrap();
    for (text, anna_may, bert_may) in [
        ("anna+x@office.test", true, false),
        ("info@alias.test", false, true),
        ("team@office.test", false, false),
        ("postmaster@office.test", true, false),
        ("x@other.test", false, false),
        ("x@far.test", false, false),
    ] {
        assert_eq!((may(anna, text), may(bert, text)), (anna_may, bert_may), "{text}");
    }
    let listed = ["team@alias.test", "@other.test", "x@far.test"];
    modify(store, &uid("bert"), "postroomSendAs", &listed).await.unwrap();
    for text in ["team+x@office.test", "any@other.test", "x@far.test"] {
        assert!(may(bert, text) && !may(anna, text), "{text}");
    }
    assert!(!may(bert, "y@far.test"));
    let send_as = Some(vec![SendAs::Domain(domain("office.test"))]);
    let change = AccountChange { send_as, ..Default::default() };
    store.update_account(bert, change).await.unwrap();
    assert!(may(bert, "anna@alias.test") && !may(bert, "x@far.test"));
    let refused = modify(store, &uid("bert"), "postroomSendAs", &["@no name"]).await;
    assert_eq!(refused.map(drop), Err(Code::ConstraintViolation));
    office.finish().await;
}

#[tokio::test]
async fn a_domain_has_a_default_quota_of_its_own() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let limit = || store.quota(anna).unwrap().limit_bytes;
    store.update_settings(Box::new(|s| s.default_quota_bytes = Some(9))).await.unwrap();
    assert_eq!(limit(), Some(9));
    let set = async |quota| {
        let change = DomainChange { quota_bytes: Some(quota), ..Default::default() };
        store.update_domain(domain("office.test"), change).await.unwrap();
    };
    set(Some(7)).await;
    assert_eq!(limit(), Some(7));
    set(Some(0)).await;
    assert_eq!(limit(), None);
    let change = AccountChange { quota_bytes: Some(Some(5)), ..Default::default() };
    store.update_account(anna, change).await.unwrap();
    assert_eq!(limit(), Some(5));
    office.finish().await;
}
