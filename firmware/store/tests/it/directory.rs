//! Directory and settings.

use base::{AccountId, DomainName};
use store::{AccountChange, AccountState, Alias, NewAccount, Resolution, StoreError, TlsIdentity};

use crate::fixture::{Fixture, address, new_account, text};

fn known(accounts: &[AccountId], remote: &[&str]) -> Resolution {
    Resolution::Known {
        accounts: accounts.to_vec(),
        remote: remote.iter().map(|r| address(r)).collect(),
    }
}

#[tokio::test]
async fn accounts_are_made_changed_and_deleted() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let new = NewAccount {
        aliases: vec![address("info@office.test")],
        quota_bytes: Some(5),
        is_admin: true,
        ..new_account("Bert@office.test")
    };
    let bert = store.create_account(new.clone()).await.unwrap();
    let taken = store.create_account(new_account("INFO@office.test")).await;
    assert!(matches!(taken, Err(StoreError::AddressTaken(_))));
    let foreign = store.create_account(new_account("x@far.test")).await;
    assert!(matches!(foreign, Err(StoreError::NoSuchDomain)));
    let found = store.account_by_address(&address("info@OFFICE.test")).unwrap().unwrap();
    assert_eq!((found.id, found.quota_bytes, found.is_admin), (bert, Some(5), true));
    assert_eq!((found.password_hash, found.aliases), (new.password_hash, new.aliases));
    assert_eq!(store.accounts(AccountId(0), 10).unwrap().len(), 2);
    assert_eq!(store.accounts(anna, 10).unwrap()[0].id, bert);

    let change = AccountChange {
        name: Some("Bert Cohn".to_owned()),
        aliases: Some(vec![address("info@office.test"), address("sales@office.test")]),
        quota_bytes: Some(None),
        quota_messages: Some(Some(9)),
        state: Some(AccountState::Disabled),
        is_admin: Some(false),
        manages: Some(Vec::new()),
        language: Some(Some("de".to_owned())),
        password_hash: Some("$argon2id$new".to_owned()),
        ..AccountChange::default()
    };
    store.update_account(bert, change).await.unwrap();
    let office = office.reopen().await;
    let found = office.store.account(bert).unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.aliases.len()), ("Bert Cohn", 2));
    assert_eq!((found.quota_bytes, found.quota_messages), (None, Some(9)));
    assert_eq!(found.state, AccountState::Disabled);
    assert_eq!((found.is_admin, found.language.as_deref()), (false, Some("de")));
    let entry = office.store.entry("uid=bert,ou=people,dc=office,dc=test").unwrap().unwrap();
    assert_eq!(entry.attributes["sn"], [b"Cohn".to_vec()]);
    assert_eq!(entry.attributes["userpassword"], [b"{ARGON2}$argon2id$new".to_vec()]);

    office.deliver(&[bert], &text(1)).await;
    office.store.delete_account(bert).await.unwrap();
    assert!(office.store.account(bert).unwrap().is_none());
    assert_eq!(office.store.accounts_len().unwrap(), 1);
    assert!(office.store.entry("uid=bert,ou=people,dc=office,dc=test").unwrap().is_none());
    let gone = office.store.update_account(bert, AccountChange::default()).await;
    assert!(matches!(gone, Err(StoreError::NoSuchAccount)));
    // The address is free again, the id is not.
    let again = office.store.create_account(new_account("bert@office.test")).await.unwrap();
    assert!(again > bert);
    office.finish().await;
}

#[tokio::test]
async fn domains_cannot_go_while_used() {
    let (office, anna) = Fixture::office().await;
    let domain = DomainName::parse("office.test").unwrap();
    let store = &office.store;
    assert_eq!(store.domains().unwrap()[0].accounts, 1);
    assert!(matches!(store.create_domain(domain.clone()).await, Err(StoreError::Exists)));
    assert!(matches!(store.delete_domain(domain.clone()).await, Err(StoreError::InUse)));
    store.delete_account(anna).await.unwrap();
    store.delete_domain(domain.clone()).await.unwrap();
    assert!(matches!(store.delete_domain(domain).await, Err(StoreError::NoSuchDomain)));
    office.finish().await;
}

#[tokio::test]
async fn addresses_resolve() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    for (alias, targets) in [
        ("team@office.test", &["anna@office.test", "bert@office.test", "c@far.test"][..]),
        ("all@office.test", &["team@office.test", "BERT@office.test"]),
        ("loop@office.test", &["pool@office.test"]),
        ("pool@office.test", &["loop@office.test", "anna+x@office.test"]),
        ("dead@office.test", &["nobody@office.test"]),
    ] {
        let targets = targets.iter().map(|t| address(t)).collect();
        store.create_alias(Alias { address: address(alias), targets }).await.unwrap();
    }
    for (to, expected) in [
        ("Anna@office.TEST", known(&[anna], &[])),
        ("anna+news@office.test", known(&[anna], &[])),
        ("all@office.test", known(&[anna, bert], &["c@far.test"])),
        ("team+x@office.test", known(&[anna, bert], &["c@far.test"])),
        ("loop@office.test", known(&[anna], &[])),
        ("dead@office.test", Resolution::Unknown),
        ("nobody@office.test", Resolution::Unknown),
        ("anna@far.test", Resolution::NotLocal),
        ("Postmaster@office.test", known(&[anna], &[])),
    ] {
        assert_eq!(store.resolve(&address(to)).unwrap(), expected, "{to}");
    }
    let admin = AccountChange { is_admin: Some(true), ..AccountChange::default() };
    store.update_account(bert, admin).await.unwrap();
    assert_eq!(store.resolve(&address("abuse@office.test")).unwrap(), known(&[bert], &[]));

    let change =
        Alias { address: address("team@office.test"), targets: vec![address("d@far.test")] };
    store.update_alias(change).await.unwrap();
    store.delete_alias(address("dead@office.test")).await.unwrap();
    let gone = store.delete_alias(address("anna@office.test")).await;
    assert!(matches!(gone, Err(StoreError::NoSuchAlias)));
    assert_eq!(store.aliases().unwrap().len(), 4);
    assert_eq!(store.resolve(&address("team@office.test")).unwrap(), known(&[], &["d@far.test"]));
    office.finish().await;
}

#[tokio::test]
async fn a_chain_of_aliases_ends() {
    let (office, anna) = Fixture::office().await;
    let mut to = "anna@office.test".to_owned();
    for n in 0..12 {
        let name = format!("a{n}@office.test");
        let alias = Alias { address: address(&name), targets: vec![address(&to)] };
        office.store.create_alias(alias).await.unwrap();
        to = name;
    }
    let resolve = |text: &str| office.store.resolve(&address(text)).unwrap();
    assert_eq!(resolve("a9@office.test"), known(&[anna], &[]));
    assert_eq!(resolve("a10@office.test"), Resolution::Unknown);
    office.finish().await;
}

#[tokio::test]
async fn settings_and_certificate_stay() {
    let office = Fixture::empty();
    let mut watch = office.store.watch_settings();
    assert_eq!(office.store.settings().hostname, "");
    let change = Box::new(|s: &mut store::Settings| {
        s.hostname = "mail.office.test".to_owned();
        s.outbound = store::Outbound::Smarthost {
            host: "relay.test".to_owned(),
            port: 587,
            tls: store::SmarthostTls::Starttls,
            user: Some("u".to_owned()),
            password: None,
        };
    });
    let settings = office.store.update_settings(change).await.unwrap();
    watch.changed().await.unwrap();
    assert_eq!(*watch.borrow(), settings);
    let identity = TlsIdentity { chain_pem: "chain".to_owned(), key_pem: "key".to_owned() };
    office.store.set_tls_identity(identity.clone()).await.unwrap();
    let office = office.reopen().await;
    assert_eq!(office.store.settings(), settings);
    assert_eq!(office.store.tls_identity().unwrap(), Some(identity));
    office.finish().await;
}

/// What the box makes are entries in a tree; what no address said before becomes an account with its domain.
#[tokio::test]
async fn entries_follow_what_is_done_to_accounts() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let entry = |dn: &str| store.entry(dn).unwrap();
    for container in ["people", "groups", "resources", "contacts", "aliases"] {
        assert!(entry(&format!("OU={container}, dc=Office,dc=test")).is_some(), "{container}");
    }
    assert!(entry("not a name").is_none());
    let found = entry("UID=Anna,ou=people,dc=office,dc=test").unwrap();
    assert_eq!(
        (found.account, found.dn.as_str()),
        (Some(anna), "uid=anna,ou=people,dc=office,dc=test")
    );

    let domain = DomainName::parse("office.test").unwrap();
    let group = |members: &[AccountId]| store::Group {
        name: "Sales".to_owned(),
        domain: domain.clone(),
        members: members.to_vec(),
        address: None,
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    };
    store.put_group(group(&[anna])).await.unwrap();
    let members =
        entry("cn=sales,ou=groups,dc=office,dc=test").unwrap().attributes["member"].clone();
    assert_eq!(members, [found.dn.as_bytes().to_vec()]);
    store.delete_account(anna).await.unwrap();
    assert_eq!(store.groups().unwrap(), [group(&[])]);
    store.restore_account(anna).await.unwrap();
    assert_eq!(entry(&found.dn).unwrap().uuid, found.uuid);
    store.delete_group("sales".to_owned(), domain.clone()).await.unwrap();
    assert!(entry("cn=sales,ou=groups,dc=office,dc=test").is_none());

    // A domain below another one stands by itself.
    let inner = DomainName::parse("sub.office.test").unwrap();
    store.create_domain(inner.clone()).await.unwrap();
    let bert = store.create_account(new_account("bert@sub.office.test")).await.unwrap();
    store.delete_account(anna).await.unwrap();
    store.delete_domain(domain).await.unwrap();
    assert!(entry("ou=people,dc=office,dc=test").is_none());
    assert_eq!(entry("uid=bert,ou=people,dc=sub,dc=office,dc=test").unwrap().account, Some(bert));
    assert!(matches!(store.delete_domain(inner).await, Err(StoreError::InUse)));
    office.finish().await;
}

#[tokio::test]
async fn who_manages_a_domain_does_so_as_long_as_it_is_there() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let name = |text: &str| DomainName::parse(text).unwrap();
    let manages = |names: &[&str]| AccountChange {
        manages: Some(names.iter().map(|text| name(text)).collect()),
        state: Some(AccountState::Suspended),
        ..AccountChange::default()
    };
    let unknown = store.update_account(anna, manages(&["branch.test"])).await;
    assert!(matches!(unknown, Err(StoreError::NoSuchDomain)));
    store.create_domain(name("branch.test")).await.unwrap();
    store.update_account(anna, manages(&["office.test", "branch.test"])).await.unwrap();
    let of = || store.account(anna).unwrap().unwrap();
    assert_eq!(of().manages, [name("branch.test"), name("office.test")]);
    assert_eq!(of().state, AccountState::Suspended);
    let other = store.create_account(new_account("bert@office.test")).await.unwrap();
    store.update_account(other, manages(&["branch.test"])).await.unwrap();
    store.delete_account(other).await.unwrap();
    store.delete_domain(name("branch.test")).await.unwrap();
    assert_eq!(of().manages, [name("office.test")], "not of a later domain of that name");
    store.create_domain(name("branch.test")).await.unwrap();
    store.restore_account(other).await.unwrap();
    assert_eq!(store.account(other).unwrap().unwrap().manages, []);
    store.update_account(anna, manages(&[])).await.unwrap();
    assert_eq!(of().manages, []);
    office.finish().await;
}
