//! A directory with everything in it, written down as format 2 had it, then taken over. (The fixtures have
//! no groups.)

use std::path::Path;
use std::sync::Arc;

use base::{Address, DomainName, FixedClock};

use super::*;
use crate::codec::Out;
use crate::directory::address_index;
use crate::index;
use crate::{Alias, Group, NewAccount, Options, Store, disk};

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::new(Timestamp::from_secs(1_795_338_000)))
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

async fn fill(data: &Path) {
    let store = Store::open(Options::new(data), clock()).unwrap();
    let domain = DomainName::parse("x.test").unwrap();
    store.create_domain(domain.clone()).await.unwrap();
    store.create_domain(DomainName::parse("sub.x.test").unwrap()).await.unwrap();
    let mut ids = Vec::new();
    for text in ["anna@x.test", "\"a+b = c, d\"@x.test", "bert@sub.x.test", "gone@x.test"] {
        let new = NewAccount {
            address: address(text),
            name: text.to_owned(),
            aliases: vec![address(&format!("{}@sub.x.test", ids.len()))],
            quota_bytes: Some(7),
            is_admin: ids.is_empty(),
            password_hash: Some("$argon2id$x".to_owned()),
        };
        ids.push(store.create_account(new).await.unwrap());
    }
    let alias = Alias { address: address("Info@x.test"), targets: vec![address("a@b.test")] };
    store.create_alias(alias).await.unwrap();
    for (name, members) in [("All", &ids[..3]), ("None", &[])] {
        let members = members.to_vec();
        let group = Group {
            name: name.to_owned(),
            domain: domain.clone(),
            members,
            address: None,
            groups: Vec::new(),
            outside: Vec::new(),
            description: String::new(),
        };
        store.put_group(group).await.unwrap();
    }
    store.delete_account(ids[3]).await.unwrap();
    store.close().await.unwrap();
}

/// All that is shown of the directory.
fn shown(store: &Store) -> String {
    let accounts: Vec<_> = store.accounts(AccountId(0), 10).unwrap();
    let accounts: Vec<_> = accounts
        .into_iter()
        .map(|a| (a.id, a.address, a.name, a.aliases, a.quota_bytes, a.is_admin, a.password_hash))
        .collect();
    let deleted = store.deleted_accounts(AccountId(0), 10).unwrap();
    let (aliases, groups) = (store.aliases().unwrap(), store.groups().unwrap());
    format!("{accounts:#?} {deleted:#?} {aliases:#?} {groups:#?} {:#?}", store.domains().unwrap())
}

/// Rewrites the directory as format 2 had it.
fn write_down(tables: &mut Tables<'_>) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    tables.scan(T::Entry, &[], &[], &mut |_, row| {
        entries.push(entry::decode(row)?);
        Ok(true)
    })?;
    let rows_of = |tables: &Tables<'_>, table| {
        let mut rows = Vec::new();
        tables.scan(table, &[], &[], &mut |key, row| {
            rows.push((key.to_vec(), row.to_vec()));
            Ok(true)
        })?;
        Ok::<_, StoreError>(rows)
    };
    for (table, what) in [(T::Domain, "domain row"), (T::Group, "group row")] {
        for (key, row) in rows_of(tables, table)? {
            let entry = tree::existing(tables, tree::decode_link(&row, what)?)?.entry;
            tables.put(table, &key, &Out::versioned().bytes(entry.written_dn.as_bytes()).0)?;
        }
    }
    for (key, row) in rows_of(tables, T::Address)? {
        if let address_index::Owner::Alias(_) = address_index::decode(&row)? {
            let old = address_index::encode(address_index::Owner::Alias(EntryId(0)));
            tables.put(T::Address, &key, &old)?;
        }
    }
    for (key, row) in rows_of(tables, T::Account)? {
        let row = AccountRow::decode(&row)?;
        let dn = tree::load(tables, row.entry)?.map(|entry| entry.written_dn);
        let dn = dn.unwrap_or_else(|| "uid=gone,ou=people,dc=x,dc=test".to_owned());
        let at = row.deleted_at.unwrap_or_default().0.cast_unsigned();
        let old = Out::versioned().u8(row.deleted_at.is_some().into()).u64(at);
        tables.put(T::Account, &key, &old.bytes(dn.as_bytes()).0)?;
    }
    for (key, row) in rows_of(tables, T::DeletedAccount)? {
        let (age, entry) = row.split_at(9);
        let old = entry::encode_old(&entry::decode(entry)?)?;
        tables.put(T::DeletedAccount, &key, &[age, &old].concat())?;
    }
    for table in [T::Entry, T::EntryDn, T::EntryIndex] {
        tables.remove_prefix(table, &[])?;
    }
    tables.remove_prefix(T::Meta, b"next_entry")?;
    for entry in entries.iter().filter(|entry| !entry.has_class("organizationalUnit")) {
        tables.put(T::Entry, entry.written_dn.as_bytes(), &entry::encode_old(entry)?)?;
    }
    tables.put(T::Meta, b"format", &Out::versioned().u64(2).0)
}

#[tokio::test]
async fn groups_aliases_and_deleted_accounts_of_format_2_are_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fill(&data).await;
    let store = Store::open(Options::new(&data), clock()).unwrap();
    let before = shown(&store);
    store.close().await.unwrap();
    let file = Options::new(&data).disk.open(&disk::index_path(&data), false).unwrap();
    let database = index::open(file, 1 << 20).unwrap();
    let mut transaction = index::begin(&database).unwrap();
    index::make_durable(&mut transaction).unwrap();
    let mut tables = Tables::open(&transaction);
    write_down(&mut tables).unwrap();
    tables.flush().unwrap();
    drop(tables);
    transaction.commit().unwrap();
    drop(database);

    assert!(matches!(Store::check(&data), Err(StoreError::Open(_))), "check must not upgrade");
    for _ in 0..2 {
        let store = Store::open(Options::new(&data), clock()).unwrap();
        assert_eq!(shown(&store), before);
        store.close().await.unwrap();
        assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new());
    }
    assert!(data.join("index.v2").exists());
    let store = Store::open(Options::new(&data), clock()).unwrap();
    let deleted = store.deleted_accounts(AccountId(0), 1).unwrap();
    assert_eq!(store.restore_account(deleted[0].id).await.unwrap(), []);
    assert!(store.entry("ou=people,dc=sub,dc=x,dc=test").unwrap().is_some());
    store.close().await.unwrap();
    assert_eq!(Store::check(&data).unwrap().problems, Vec::<String>::new());
}
