//! The judge of an act is asked inside it, whatever act it is, of what the acts before it have done.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};

use base::{AccountId, DomainName};
use directory::{Attributes, Dn, Modification, Rdn};
use store::{
    Account, AccountChange, Alias, AuditEvent, DirectoryState, DomainChange, Gate, ImportOptions,
    ImportRecord, Judge, Origin, Store, StoreError,
};

use crate::fixture::{Fixture, address, new_account};

/// Lets an act be done as long as this account administers something.
fn while_manages(id: AccountId) -> Arc<Judge> {
    Arc::new(move |state: &DirectoryState<'_>| {
        let account: Option<Account> = state.account(id)?;
        match account.is_some_and(|account| !account.manages.is_empty()) {
            true => Ok(()),
            false => Err(StoreError::Forbidden("manages".to_owned())),
        }
    })
}

fn manages(domains: &[&str]) -> AccountChange {
    let names = domains.iter().map(|name| DomainName::parse(name).unwrap()).collect();
    AccountChange { manages: Some(names), ..Default::default() }
}

fn named(name: &str) -> AccountChange {
    AccountChange { name: Some(name.to_owned()), ..Default::default() }
}

fn dn(uid: &str) -> Dn {
    Dn::parse(&format!("uid={uid},ou=people,dc=office,dc=test")).unwrap()
}

fn is_forbidden<T: std::fmt::Debug>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::Forbidden(what)) if what == "manages")
}

/// Holds the writer until it is dropped.
struct Held {
    _release: mpsc::Sender<()>,
    act: tokio::task::JoinHandle<()>,
}

impl Held {
    /// Returns when the writer stands.
    async fn begin(store: &Store) -> Self {
        let (release, wait) = mpsc::channel::<()>();
        let (standing, stands) = tokio::sync::oneshot::channel();
        let store = store.clone();
        let act = tokio::spawn(async move {
            let change = move |_: &mut store::Settings| {
                standing.send(()).unwrap();
                let _dropped = wait.recv().is_err();
            };
            store.update_settings(Box::new(change)).await.unwrap();
        });
        stands.await.unwrap();
        Self { _release: release, act }
    }
}

#[tokio::test]
async fn an_act_sees_what_was_taken_before_it_in_the_same_group() {
    let (office, anna) = Fixture::office().await;
    let store = office.store.clone();
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    store.update_account(bert, manages(&["office.test"])).await.unwrap();
    let judged = store.judged(while_manages(bert));
    judged.update_account(anna, named("By Bert")).await.unwrap();

    let held = Held::begin(&store).await;
    let Held { _release: release, act } = held;
    // All are in the queue before the writer goes on; the first of them takes the right of the others.
    let (taken, changed, alias, domain, added, ()) = tokio::join!(
        biased;
        store.update_account(bert, manages(&[])),
        judged.update_account(anna, named("Too late")),
        judged.create_alias(Alias {
            address: address("info@office.test"),
            targets: vec![address("a@x.test")],
        }),
        judged.update_domain(
            DomainName::parse("office.test").unwrap(),
            DomainChange { catch_all: Some(Some(address("anna@office.test"))), ..Default::default() },
        ),
        judged.add_app_password(anna, "phone".to_owned(), 1, "x".to_owned()),
        async move { drop(release) },
    );
    act.await.unwrap();
    taken.unwrap();
    assert!(is_forbidden(&changed), "{changed:?}");
    assert!(is_forbidden(&alias) && is_forbidden(&domain) && is_forbidden(&added));
    assert_eq!(store.account(anna).unwrap().unwrap().name, "By Bert");

    // Each kind of act, of the entries by LDAP and of the rest.
    let by = String::new;
    let change = || Modification::Replace { name: "sn".to_owned(), values: vec![b"x".to_vec()] };
    assert!(is_forbidden(&judged.modify_entry(dn("anna"), vec![change()], None, by()).await));
    assert!(is_forbidden(&judged.delete_entry(dn("anna"), None).await));
    assert!(is_forbidden(&judged.add_entry(dn("carl"), Attributes::new(), by()).await));
    let rdn = Rdn::parse("uid=new").unwrap();
    let renamed = judged.rename_entry(dn("anna"), rdn, true, None, None, by()).await;
    assert!(is_forbidden(&renamed), "{renamed:?}");
    assert!(is_forbidden(&judged.delete_account(anna).await));
    assert!(is_forbidden(&judged.update_settings(Box::new(|_| panic!("not done"))).await));
    let record = ImportRecord::Person {
        address: address("anna@office.test"),
        change: Box::new(named("x")),
        attributes: Attributes::new(),
    };
    let options = ImportOptions { updates: true, ..Default::default() };
    assert!(is_forbidden(&judged.import(Arc::new(vec![record]), options, by()).await));
    // What happened is told all the same.
    judged.audit(AuditEvent::new("session.end", "x")).await.unwrap();
    drop((judged, store));
    office.finish().await;
}

/// A gate in whose question something else happens.
#[derive(Debug)]
struct Meanwhile {
    store: Store,
    bert: AccountId,
    asked: Mutex<Vec<String>>,
}

impl Gate for Meanwhile {
    fn is_asked(&self) -> bool {
        true
    }

    fn wants(&self, event: &AuditEvent) -> bool {
        event.target == "anna@office.test"
    }

    fn ask<'a>(
        &'a self,
        event: &'a AuditEvent,
        _: &'a Origin,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        self.asked.lock().unwrap().push(event.action.clone());
        Box::pin(async move {
            self.store.update_account(self.bert, manages(&[])).await.unwrap();
            Ok(())
        })
    }
}

#[tokio::test]
async fn an_act_is_judged_before_the_gate_is_asked_and_again_behind_it() {
    let (office, anna) = Fixture::office().await;
    let store = office.store.clone();
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    store.update_account(bert, manages(&["office.test"])).await.unwrap();
    let gate = Arc::new(Meanwhile { store: store.clone(), bert, asked: Mutex::default() });
    store.set_gate(gate.clone());
    let judged = store.judged(while_manages(bert));
    let asked = || std::mem::take(&mut *gate.asked.lock().unwrap());
    assert!(is_forbidden(&judged.update_account(anna, named("Too late")).await));
    assert_eq!(asked(), ["account.change"]);
    assert!(is_forbidden(&judged.update_account(anna, named("Too late")).await));
    assert_eq!(asked(), [""; 0], "who may not is not asked about");
    assert_eq!(store.account(anna).unwrap().unwrap().name, "Anna Berg");
    drop((judged, gate, store));
    office.finish().await;
}
