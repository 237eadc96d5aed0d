//! Accounts in pages: who is found, in which order, and what is counted.

use std::time::Instant;

use base::DomainName;
use directory::{Dn, Modification};
use store::{AccountChange, AccountQuery, AccountSort, AccountState, NewAccount, Store};

use crate::fixture::{Fixture, address, text};

/// The local parts of a page, with a bar behind.
fn page(store: &Store, query: &AccountQuery) -> String {
    let page = store.find_accounts(query).unwrap();
    let names: Vec<&str> = page.accounts.iter().map(|account| account.address.local()).collect();
    format!("{} of {}/{}", names.join(" "), page.found, page.total)
}

fn all() -> AccountQuery {
    AccountQuery { limit: 100, ..AccountQuery::default() }
}

async fn office() -> Fixture {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    store.create_domain(DomainName::parse("branch.test").unwrap()).await.unwrap();
    for (at, name, quota) in [
        ("bert@office.test", "Émile Zola", Some(5_000)),
        ("carl@branch.test", "Carl Müller-Weiß", Some(0)),
        ("dora@office.test", "dora Ångström", None),
    ] {
        let aliases =
            if at.starts_with("dora") { vec![address("sales@office.test")] } else { vec![] };
        let new = NewAccount {
            address: address(at),
            name: name.to_owned(),
            aliases,
            quota_bytes: quota,
            is_admin: false,
            password_hash: None,
        };
        store.create_account(new).await.unwrap();
    }
    let name = AccountChange { name: Some("Anna Berg".to_owned()), ..AccountChange::default() };
    store.update_account(anna, name).await.unwrap();
    office.deliver(&[anna], &text(1)).await;
    office
}

#[tokio::test]
async fn accounts_are_found_by_parts_of_their_words() {
    let office = office().await;
    let store = &office.store;
    let dora = Dn::parse("uid=dora,ou=people,dc=office,dc=test").unwrap();
    let values = vec![b"+49 30 1234-56".to_vec()];
    let phone = Modification::Add { name: "telephoneNumber".to_owned(), values };
    store.modify_entry(dora, vec![phone], None, String::new()).await.unwrap();
    for (search, found) in [
        ("", "anna carl dora bert of 4/4"),
        ("muller", "carl of 1/4"),
        ("MÜLLER", "carl of 1/4"),
        ("weiss", "carl of 1/4"),
        ("emile", "bert of 1/4"),
        ("angstrom sales", "dora of 1/4"),
        ("sales emile", " of 0/4"),
        ("office.test", "anna dora bert of 3/4"),
        ("123456", "dora of 1/4"),
        ("+49 30 12", "dora of 1/4"),
        ("nobody", " of 0/4"),
        ("%", " of 0/4"),
    ] {
        let query = AccountQuery { search: search.to_owned(), ..all() };
        assert_eq!(page(store, &query), found, "{search}");
    }
    office.finish().await;
}

#[tokio::test]
async fn accounts_are_sorted_and_filtered() {
    let office = office().await;
    let store = &office.store;
    let domain = |name: &str| DomainName::parse(name).unwrap();
    let carl = store.account_by_address(&address("carl@branch.test")).unwrap().unwrap().id;
    let off = AccountChange { state: Some(AccountState::Suspended), ..AccountChange::default() };
    store.update_account(carl, off).await.unwrap();
    let gone = store.account_by_address(&address("bert@office.test")).unwrap().unwrap().id;
    for (sort, up, down) in [
        (AccountSort::Name, "anna carl dora bert", "bert dora carl anna"),
        (AccountSort::Address, "anna bert carl dora", "dora carl bert anna"),
        (AccountSort::Used, "bert carl dora anna", "anna dora carl bert"),
        (AccountSort::Quota, "bert anna carl dora", "dora carl anna bert"),
        (AccountSort::State, "anna bert dora carl", "carl dora bert anna"),
    ] {
        for (is_descending, order) in [(false, up), (true, down)] {
            let query = AccountQuery { sort, is_descending, ..all() };
            assert_eq!(page(store, &query), format!("{order} of 4/4"), "{sort:?}");
        }
    }
    let state = |state| AccountQuery { state: Some(state), ..all() };
    assert_eq!(page(store, &state(AccountState::Suspended)), "carl of 1/4");
    assert_eq!(page(store, &state(AccountState::Disabled)), " of 0/4");
    let of = |name| AccountQuery { domain: Some(domain(name)), ..all() };
    assert_eq!(page(store, &of("office.test")), "anna dora bert of 3/4");
    assert_eq!(page(store, &of("fice.test")), " of 0/4");
    let seen = |names: &[&str]| Some(names.iter().map(|name| domain(name)).collect::<Vec<_>>());
    let few = AccountQuery { seen: seen(&["branch.test", "branch.test"]), ..all() };
    assert_eq!(page(store, &few), "carl of 1/1");
    assert_eq!(page(store, &AccountQuery { seen: seen(&[]), ..all() }), " of 0/0");
    let external = |is_external| AccountQuery { is_external: Some(is_external), ..all() };
    assert_eq!(page(store, &external(true)), " of 0/4");
    assert_eq!(page(store, &external(false)), "anna carl dora bert of 4/4");
    let part = |offset, limit| AccountQuery { offset, limit, ..all() };
    assert_eq!(page(store, &part(1, 2)), "carl dora of 4/4");
    assert_eq!(page(store, &part(3, 2)), "bert of 4/4");
    assert_eq!(page(store, &part(usize::MAX, 2)), " of 4/4");
    store.delete_account(gone).await.unwrap();
    assert_eq!(page(store, &all()), "anna carl dora of 3/3");
    office.finish().await;
}

/// Prints how long pages of many accounts take.
#[tokio::test]
#[ignore = "a measurement"]
async fn pages_of_many_accounts() {
    let (office, _) = Fixture::office().await;
    let store = &office.store;
    for n in 0..5_000 {
        let new = NewAccount {
            address: address(&format!("p{n:05}@office.test")),
            name: format!("Person {:05} Müller", n * 7 % 5_000),
            aliases: Vec::new(),
            quota_bytes: None,
            is_admin: false,
            password_hash: None,
        };
        store.create_account(new).await.unwrap();
    }
    for (what, query) in [
        ("by name", AccountQuery { limit: 50, ..AccountQuery::default() }),
        ("by use", AccountQuery { limit: 50, sort: AccountSort::Used, ..AccountQuery::default() }),
        ("by state", AccountQuery { limit: 50, sort: AccountSort::State, ..all() }),
        ("a word", AccountQuery { limit: 50, search: "muller 0042".to_owned(), ..all() }),
    ] {
        let begin = Instant::now();
        let page = store.find_accounts(&query).unwrap();
        println!("{what}: {} found, {:?}", page.found, begin.elapsed());
    }
}
