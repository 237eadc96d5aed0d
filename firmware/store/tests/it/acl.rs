//! Rights, groups, names of others' mailboxes, annotations.

use base::{AccountId, DomainName};
use store::{
    Access, AclOp, AnnotationScope, Group, NewPlace, OFFICE, Rights, SpecialUse, Store, StoreError,
};

use crate::fixture::{Fixture, new_account};

async fn give(
    store: &Store,
    office: &Fixture,
    owner: AccountId,
    name: &str,
    who: &str,
    what: &str,
) {
    let rights = Rights::parse(what).unwrap();
    let id = office.mailbox(owner, name);
    store.set_acl(id, who.to_owned(), AclOp::Replace, rights).await.unwrap();
}

fn shown(store: &Store, account: AccountId) -> Vec<String> {
    let tell = |found: store::Found| format!("{} {}", found.name, found.rights);
    store.shown_mailboxes(account).unwrap().into_iter().map(tell).collect()
}

fn team(members: &[AccountId]) -> Group {
    let domain = DomainName::parse("office.test").unwrap();
    Group {
        name: "Team".to_owned(),
        domain,
        members: members.to_vec(),
        address: None,
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    }
}

#[tokio::test]
async fn a_group_gives_its_members_rights_as_long_as_they_are_in_it() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    let cleo = store.create_account(new_account("cleo@office.test")).await.unwrap();
    store.put_group(team(&[bert, cleo])).await.unwrap();
    give(store, &office, anna, "Sent", "$team", "lr").await;
    give(store, &office, anna, "Sent", "group:TEAM@office.test", "lrs").await;
    give(store, &office, anna, "Sent", "-cleo@office.test", "s").await;
    give(store, &office, anna, "Drafts", "anyone", "l").await;
    give(store, &office, anna, "Drafts", "-group:team", "l").await;
    assert_eq!(shown(store, bert), ["Shared/anna/Sent lrs"]);
    assert_eq!(shown(store, cleo), ["Shared/anna/Sent lr"]);
    let list: Vec<String> =
        store.acl(office.mailbox(anna, "Sent")).unwrap().into_iter().map(|e| e.0).collect();
    assert_eq!(list, ["anna@office.test", "group:team", "-cleo@office.test"]);

    store.put_group(team(&[cleo])).await.unwrap();
    assert_eq!(shown(store, bert), ["Shared/anna/Drafts l"]);
    let office = office.reopen().await;
    let store = &office.store;
    assert_eq!(shown(store, cleo), ["Shared/anna/Sent lr"]);
    assert_eq!(store.groups().unwrap(), [team(&[cleo])]);

    // Who is deleted leaves his groups, and a group that is made again gets nothing.
    store.delete_account(cleo).await.unwrap();
    assert_eq!(store.groups().unwrap(), [team(&[])]);
    let domain = DomainName::parse("office.test").unwrap();
    assert!(matches!(store.delete_domain(domain.clone()).await, Err(StoreError::InUse)));
    store.delete_group("tEAM".to_owned(), domain).await.unwrap();
    store.put_group(team(&[bert])).await.unwrap();
    // What was taken from the old one stays taken.
    assert!(shown(store, bert).is_empty());
    assert!(office.finish().await.problems.is_empty());
}

#[tokio::test]
async fn names_of_others_stay_true() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    store.create_domain(DomainName::parse("other.test").unwrap()).await.unwrap();
    let second = store.create_account(new_account("anna@other.test")).await.unwrap();
    let odd = store.create_account(new_account("o/d@other.test")).await.unwrap();
    for owner in [anna, second, odd] {
        give(store, &office, owner, "INBOX", "bert", "lr").await;
    }
    let by_number = format!("Shared/#{odd}/INBOX lr");
    let mut expected =
        vec![by_number.as_str(), "Shared/anna/INBOX lr", "Shared/anna@other.test/INBOX lr"];
    expected.sort_unstable();
    assert_eq!(shown(store, bert), expected);
    let owner_of = |name: &str| match store.open_mailbox(bert, name, |_| true).unwrap() {
        Access::Granted(found) => Some((found.mailbox.account, found.name)),
        _ => None,
    };
    let first = Some((anna, "Shared/anna/INBOX".to_owned()));
    assert_eq!(owner_of("Shared/anna/inbox"), first);
    assert_eq!(owner_of("Shared/ANNA@office.test/INBOX"), first);
    assert_eq!(owner_of("Shared/anna@other.test/INBOX").unwrap().0, second);
    assert_eq!(owner_of(&format!("Shared/#{odd}/INBOX")).unwrap().0, odd);
    for nobody in ["Shared/#0/INBOX", "Shared/#99/INBOX", "Shared/x/INBOX", "Shared", "Shared/anna"]
    {
        assert_eq!(owner_of(nobody), None, "{nobody}");
    }
    // The owner's rights end with the owner.
    store.delete_account(second).await.unwrap();
    assert_eq!(owner_of("Shared/anna@other.test/INBOX"), None);
    assert_eq!(shown(store, bert).len(), 2);
    assert!(office.finish().await.problems.is_empty());
}

#[tokio::test]
async fn the_office_owns_what_is_public() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let mut boss = new_account("boss@office.test");
    boss.is_admin = true;
    let boss = store.create_account(boss).await.unwrap();
    assert_eq!(store.new_place(anna, "Public/A/b").unwrap(), NewPlace::Refused);
    assert_eq!(store.new_place(anna, "Public").unwrap(), NewPlace::BadName);
    assert_eq!(store.new_place(anna, "Shared/boss/A").unwrap(), NewPlace::Refused);
    let granted = NewPlace::Granted(OFFICE, "A/b".to_owned());
    assert_eq!(store.new_place(boss, "Public/A/b").unwrap(), granted);
    store.create_mailbox_for(boss, OFFICE, "A/b".to_owned(), None).await.unwrap();
    assert_eq!(shown(store, boss), ["Public/A lrswipkxtecda", "Public/A/b lrswipkxtecda"]);
    give(store, &office, OFFICE, "A", "anna", "lrk").await;
    let granted = NewPlace::Granted(OFFICE, "A/c".to_owned());
    assert_eq!(store.new_place(anna, "Public/A/c").unwrap(), granted);
    store.create_mailbox_for(anna, OFFICE, "A/c".to_owned(), None).await.unwrap();
    assert_eq!(shown(store, anna), ["Public/A lrkc", "Public/A/c lrkc"]);
    assert_eq!(store.quota(OFFICE).unwrap().limit_bytes, None);
    let office = office.reopen().await;
    assert!(office.finish().await.problems.is_empty());
}

/// Restored in time it has what it had; when its time is over nothing names it, and `check` would tell.
#[tokio::test]
async fn an_account_that_ends_leaves_no_rights_and_no_annotations() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    for name in ["Sent", "Drafts", "INBOX"] {
        give(store, &office, anna, name, "bert@office.test", "lr").await;
    }
    give(store, &office, anna, "Drafts", "-bert@office.test", "r").await;
    give(store, &office, anna, "Trash", "-bert@office.test", "w").await;
    give(store, &office, anna, "Sent", "anyone", "l").await;
    let sent = AnnotationScope::Mailbox(office.mailbox(anna, "Sent"));
    let of = |by: &str| {
        let value = |name: &str| (name.to_owned(), Some(by.as_bytes().to_vec()));
        vec![value("/private/comment"), value("/private/order")]
    };
    for scope in [sent, AnnotationScope::Server] {
        store.set_annotations(scope, bert, of("bert"), None, None).await.unwrap();
        store.set_annotations(scope, anna, of("anna"), None, None).await.unwrap();
    }
    store.delete_account(bert).await.unwrap();
    let office = office.reopen().await;
    office.store.restore_account(bert).await.unwrap();
    assert_eq!(
        shown(&office.store, bert),
        ["Shared/anna/Drafts l", "Shared/anna/INBOX lr", "Shared/anna/Sent lr"]
    );
    office.store.delete_account(bert).await.unwrap();
    let mut passed = std::time::Duration::from_secs(20 * 24 * 3600);
    while office.store.keep_house(passed).await.unwrap() {
        passed = std::time::Duration::ZERO;
    }
    assert!(office.store.deleted_accounts(AccountId(0), 10).unwrap().is_empty());
    let office = office.reopen().await;
    for scope in [sent, AnnotationScope::Server] {
        assert!(office.store.annotations(scope, bert).unwrap().is_empty());
        assert_eq!(office.store.annotations(scope, anna).unwrap().len(), 2);
    }
    // A session of his that is still open writes nothing that nobody could take away.
    let late = office.store.set_annotations(sent, bert, of("bert"), None, None).await;
    assert!(matches!(late, Err(StoreError::NoSuchAccount)));
    let list = office.store.acl(office.mailbox(anna, "Sent")).unwrap();
    assert_eq!(
        list.iter().map(|e| e.0.as_str()).collect::<Vec<_>>(),
        ["anna@office.test", "anyone"]
    );
    assert!(office.finish().await.problems.is_empty());
}

#[tokio::test]
async fn annotations_are_private_or_shared_and_few() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    let id = office.mailbox(anna, "Archive");
    let scope = AnnotationScope::Mailbox(id);
    let set = |by, values: Vec<(String, Option<Vec<u8>>)>| {
        store.set_annotations(scope, by, values, None, None)
    };
    let value = |name: &str, text: &str| (name.to_owned(), Some(text.as_bytes().to_vec()));
    set(anna, vec![value("/private/comment", "mine"), value("/shared/comment", "ours")])
        .await
        .unwrap();
    set(bert, vec![value("/private/comment", "his")]).await.unwrap();
    let seen = |account| store.annotations(scope, account).unwrap();
    let told = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    assert_eq!(seen(anna), [told("/private/comment", "mine"), told("/shared/comment", "ours")]);
    assert_eq!(seen(bert), [told("/private/comment", "his"), told("/shared/comment", "ours")]);
    // All or none, and no more than a hundred.
    let many: Vec<_> = (0..100).map(|n| value(&format!("/private/n{n}"), "x")).collect();
    assert!(matches!(set(anna, many).await, Err(StoreError::LimitReached(_))));
    assert_eq!(seen(anna).len(), 2);
    let bad = set(anna, vec![value("/private/new", "x"), value("/other", "x")]).await;
    assert!(matches!(bad, Err(StoreError::BadName)));
    assert_eq!(seen(anna).len(), 2);
    let taken =
        store.set_annotations(scope, anna, Vec::new(), Some(Some(SpecialUse::Sent)), None).await;
    assert!(matches!(taken, Err(StoreError::Exists)));
    // They go with the mailbox.
    store.rename_mailbox(anna, "Archive".to_owned(), "Old".to_owned()).await.unwrap();
    assert_eq!(seen(anna).len(), 2);
    store.delete_mailbox(anna, "Old".to_owned()).await.unwrap();
    assert!(seen(anna).is_empty());
    assert!(office.finish().await.problems.is_empty());
}
