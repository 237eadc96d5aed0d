//! People and entries at once: all, those that can be, or none.

use std::sync::Arc;

use directory::{Dn, ldif};
use store::{
    AccountChange, AccountQuery, AccountState, ImportOptions, ImportRecord, Imported, Store,
    StoreError,
};

use crate::fixture::{Fixture, address};

fn person(at: &str, name: &str) -> ImportRecord {
    let change = AccountChange {
        name: Some(name.to_owned()),
        state: Some(AccountState::Disabled),
        ..AccountChange::default()
    };
    let attributes = [("telephonenumber".to_owned(), vec![b"+49 30 1".to_vec()])].into();
    ImportRecord::Person { address: address(at), change: Box::new(change), attributes }
}

fn entry(dn: &str, lines: &[(&str, &str)]) -> ImportRecord {
    let pairs = lines.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()));
    let attributes = ldif::attributes(&pairs.collect::<Vec<_>>()).unwrap();
    ImportRecord::Entry { dn: Dn::parse(dn).unwrap(), attributes }
}

fn group(name: &str, member: &str) -> ImportRecord {
    let dn = format!("cn={name},ou=groups,dc=office,dc=test");
    entry(&dn, &[("objectClass", "groupOfNames"), ("cn", name), ("member", member)])
}

async fn import(store: &Store, records: &[ImportRecord], options: ImportOptions) -> (String, bool) {
    let records = Arc::new(records.to_vec());
    let done = store.import(records, options, "cn=admin".to_owned()).await.unwrap();
    let words: Vec<&str> = done
        .outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Imported::Created(_)) => "created",
            Ok(Imported::Updated(_)) => "updated",
            Ok(Imported::Skipped) => "skipped",
            Err(StoreError::AddressTaken(_)) => "taken",
            Err(StoreError::NoSuchDomain) => "foreign",
            Err(StoreError::Refused(_)) => "refused",
            Err(_) => "failed",
        })
        .collect();
    (words.join(" "), done.is_written)
}

#[tokio::test]
async fn a_trial_says_what_the_import_does() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    let bert = "uid=bert,ou=people,dc=office,dc=test";
    let records = [
        group("all", "cn=sales,ou=groups,dc=office,dc=test"),
        group("sales", bert),
        person("bert@office.test", "Bert Cohn"),
        person("anna@office.test", "Other Name"),
        entry(
            "uid=carl,ou=people,dc=office,dc=test",
            &[
                ("objectClass", "inetOrgPerson"),
                ("cn", "Carl"),
                ("sn", "Carl"),
                ("mail", "carl@office.test"),
                ("carLicense", "B-X 1"),
            ],
        ),
    ];
    let trial = ImportOptions { is_trial: true, ..ImportOptions::default() };
    let all = "created created created skipped created";
    assert_eq!(import(store, &records, trial).await, (all.to_owned(), false));
    assert_eq!(store.accounts_len().unwrap(), 1);
    assert_eq!(import(store, &records, ImportOptions::default()).await, (all.to_owned(), true));
    let found = store.account_by_address(&address("bert@office.test")).unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.state), ("Bert Cohn", AccountState::Disabled));
    let entry = store.entry(bert).unwrap().unwrap();
    assert_eq!(entry.attributes["telephonenumber"], [b"+49 30 1".to_vec()]);
    assert_eq!(store.mailboxes(found.id).unwrap().len(), 6);
    let again = import(store, &records, ImportOptions::default()).await;
    assert_eq!(again, ("skipped skipped skipped skipped skipped".to_owned(), true));
    let over = ImportOptions { updates: true, ..ImportOptions::default() };
    let again = import(store, &records, over).await;
    assert_eq!(again, ("updated updated updated updated updated".to_owned(), true));
    let anna = store.account_by_address(&address("anna@office.test")).unwrap().unwrap();
    assert_eq!((anna.name.as_str(), anna.state), ("Other Name", AccountState::Disabled));
    office.finish().await;
}

#[tokio::test]
async fn with_an_error_nothing_or_the_rest_is_done() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    let records = [
        person("bert@office.test", "Bert"),
        person("x@far.test", "X"),
        group("empty", "cn=nobody,dc=office,dc=test"),
        group("carls", "uid=carl,ou=people,dc=office,dc=test"),
        person("carl@office.test", "Carl"),
    ];
    let told = "created foreign refused created created".to_owned();
    let whole = import(store, &records, ImportOptions::default()).await;
    assert_eq!(whole, (told.clone(), false));
    assert_eq!(store.accounts_len().unwrap(), 1);
    let partial = ImportOptions { is_partial: true, ..ImportOptions::default() };
    assert_eq!(import(store, &records, partial).await, (told, true));
    let office = office.reopen().await;
    let query = AccountQuery { limit: 10, ..AccountQuery::default() };
    assert_eq!(office.store.find_accounts(&query).unwrap().found, 3);
    office.finish().await;
}
