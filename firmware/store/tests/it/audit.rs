//! The audit log: each act of somebody leaves its row, in words, without secrets, and nothing takes it away.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use base::DomainName;
use directory::{Attributes, Dn, Modification, Rdn};
use store::{
    AccountChange, AccountState, Alias, AuditEvent, AuditFilter, AuditRow, Gate, Group, Origin,
    Store, StoreError, Via,
};

use crate::fixture::{Fixture, address, new_account};

const ADDRESS: &str = "192.0.2.7";

fn admin(store: &Store) -> Store {
    store.by(Origin::new("admin", Via::Web, ADDRESS.parse::<IpAddr>().ok()))
}

fn rows(store: &Store) -> Vec<AuditRow> {
    store.audit_after(0, 10_000, &AuditFilter::default()).unwrap().rows
}

/// `action target name:-before,+after …` of the rows behind `seq`.
fn told(store: &Store, seq: u64) -> Vec<String> {
    let rows = store.audit_after(seq, 10_000, &AuditFilter::default()).unwrap().rows;
    let line = |row: &AuditRow| {
        let mut line = format!("{} {}", row.event.action, row.event.target);
        for change in &row.event.changes {
            let signed = |sign: &str, values: &[String]| -> Vec<String> {
                values.iter().map(|value| format!("{sign}{value}")).collect()
            };
            let mut values = signed("-", &change.before);
            values.extend(signed("+", &change.after));
            line.push_str(&format!(" {}:{}", change.name, values.join(",")));
        }
        line
    };
    rows.iter().map(line).collect()
}

fn last(store: &Store) -> u64 {
    rows(store).last().map_or(0, |row| row.seq)
}

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

#[tokio::test]
async fn a_row_says_who_did_what_and_what_was_before() {
    let (office, anna) = Fixture::office().await;
    let store = admin(&office.store);
    let start = last(&office.store);
    let change = AccountChange {
        name: Some("Anna Kern".to_owned()),
        state: Some(AccountState::Disabled),
        password_hash: Some("$argon2id$v=19$m=1,t=1,p=1$bmV3$bmV3".to_owned()),
        ..Default::default()
    };
    store.update_account(anna, change).await.unwrap();
    assert_eq!(
        told(&store, start),
        [
            "account.change anna@office.test cn:-Anna Berg,+Anna Kern \
             postroomStatus:-active,+disabled sn:-Berg,+Kern",
            "account.password anna@office.test userPassword:-(secret),+(secret)",
        ]
    );
    let row = &rows(&store)[1];
    assert_eq!((row.origin.who.as_str(), row.origin.via), ("box", Via::Box));
    let row = rows(&store).pop().unwrap();
    assert_eq!((row.origin.who.as_str(), row.origin.via), ("admin", Via::Web));
    assert_eq!(row.origin.address, ADDRESS.parse().ok());
    // What changes nothing, and what is refused, leaves none.
    let seq = last(&store);
    store.update_settings(Box::new(|_| {})).await.unwrap();
    assert!(store.create_account(new_account("anna@office.test")).await.is_err());
    assert_eq!(told(&store, seq), [""; 0]);
    drop(store);
    let before = rows(&office.store);
    let office = office.reopen().await;
    assert_eq!(rows(&office.store), before);
    office.finish().await;
}

#[tokio::test]
async fn domains_aliases_groups_and_other_entries_have_words_of_their_own() {
    let (office, anna) = Fixture::office().await;
    let store = admin(&office.store);
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    let start = last(&store);
    store.create_domain(DomainName::parse("b.test").unwrap()).await.unwrap();
    store.delete_domain(DomainName::parse("b.test").unwrap()).await.unwrap();
    let mut alias =
        Alias { address: address("info@office.test"), targets: vec![address("a@x.test")] };
    store.create_alias(alias.clone()).await.unwrap();
    alias.targets.push(address("b@x.test"));
    store.update_alias(alias).await.unwrap();
    store.delete_alias(address("info@office.test")).await.unwrap();
    let domain = DomainName::parse("office.test").unwrap();
    let mut group = Group {
        name: "Sales".to_owned(),
        domain,
        members: vec![anna],
        address: None,
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    };
    store.put_group(group.clone()).await.unwrap();
    group.members.push(bert);
    store.put_group(group).await.unwrap();
    store.delete_account(bert).await.unwrap();
    store.restore_account(bert).await.unwrap();
    let told = told(&store, start);
    let begins = [
        "domain.create b.test associatedDomain:+b.test dc:+b objectClass:",
        "domain.delete b.test associatedDomain:-b.test dc:-b objectClass:",
        "alias.create info@office.test cn:+info mail:+info@office.test",
        "alias.change info@office.test rfc822MailMember:+b@x.test",
        "alias.delete info@office.test ",
        "group.create sales@office.test cn:+Sales member:+uid=anna,ou=people,",
        "group.change sales@office.test member:+uid=bert,ou=people,dc=office,dc=test",
        "account.delete bert@office.test ",
        "group.change sales@office.test member:-uid=bert,ou=people,dc=office,dc=test",
        "account.restore bert@office.test ",
    ];
    assert_eq!(told.len(), begins.len(), "{told:#?}");
    for (line, begin) in told.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}\n{begin}");
        assert!(!line.contains("argon2"), "{line}");
    }
    drop(store);
    office.finish().await;
}

#[tokio::test]
async fn what_ldap_writes_is_told_as_what_it_is() {
    let (office, _) = Fixture::office().await;
    let store = office.store.by(Origin::new("admin", Via::Ldap, None));
    let start = last(&store);
    let mut unit = Attributes::new();
    unit.insert("objectclass".into(), vec![b"organizationalUnit".to_vec()]);
    let base = "ou=people,dc=office,dc=test";
    store.add_entry(dn(&format!("ou=Berlin,{base}")), unit, String::new()).await.unwrap();
    let anna = dn(&format!("uid=anna,{base}"));
    let change = Modification::Add {
        name: "telephoneNumber".to_owned(),
        values: vec![b"+49 30 1".to_vec(), b"+49 30 2".to_vec()],
    };
    store.modify_entry(anna.clone(), vec![change], None, String::new()).await.unwrap();
    let above = Some(dn(&format!("ou=Berlin,{base}")));
    let rdn = Rdn::parse("uid=anna").unwrap();
    store.rename_entry(anna, rdn, true, above, None, String::new()).await.unwrap();
    // All below moves along, and is told only where it becomes something else.
    let (from, rdn) = (dn(&format!("ou=Berlin,{base}")), Rdn::parse("ou=Bonn").unwrap());
    store.rename_entry(from, rdn, true, None, None, String::new()).await.unwrap();
    let (from, rdn) = (dn(&format!("ou=Bonn,{base}")), Rdn::parse("ou=Bonn").unwrap());
    let above = Some(dn("ou=contacts,dc=office,dc=test"));
    store.rename_entry(from, rdn, true, above, None, String::new()).await.unwrap();
    let told = told(&store, start);
    let berlin = format!("ou=Berlin,{base}");
    let (from, to) = (format!("uid=anna,{base}"), format!("uid=anna,ou=Berlin,{base}"));
    let (bonn, gone) = (format!("ou=Bonn,{base}"), "ou=Bonn,ou=contacts,dc=office,dc=test");
    assert_eq!(
        told,
        [
            format!("entry.create {berlin} objectClass:+organizationalUnit ou:+Berlin"),
            "account.change anna@office.test telephoneNumber:+\"+49 30 1\",+\"+49 30 2\""
                .replace('"', ""),
            format!("account.change anna@office.test dn:-{from},+{to}"),
            format!("entry.rename {bonn} dn:-{berlin},+{bonn} ou:-Berlin,+Bonn"),
            format!("entry.rename {gone} dn:-{bonn},+{gone}"),
            format!("account.delete anna@office.test dn:-uid=anna,{bonn},+uid=anna,{gone}"),
        ]
    );
    drop(store);
    office.finish().await;
}

#[tokio::test]
async fn pages_and_filters_find_rows() {
    let office = Fixture::empty();
    for n in 0..700 {
        office.clock.advance(1);
        let who = if n % 7 == 0 { "admin" } else { "anna@office.test" };
        let store = office.store.by(Origin::new(who, Via::Web, None));
        let action = if n % 2 == 0 { "queue.retry" } else { "account.change" };
        store.audit(AuditEvent::new(action, format!("N{n}"))).await.unwrap();
    }
    let all = rows(&office.store);
    assert_eq!(all.len(), 700);
    let seqs = |filter: &AuditFilter, limit: usize| {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = office.store.audit_rows(before, limit, filter).unwrap();
            assert!(page.rows.len() <= limit);
            found.extend(page.rows.iter().map(|row| row.seq));
            match page.next {
                Some(next) => before = Some(next),
                None => return found,
            }
        }
    };
    let wanted = |keep: &dyn Fn(&AuditRow) -> bool| -> Vec<u64> {
        all.iter().rev().filter(|row| keep(row)).map(|row| row.seq).collect()
    };
    let filter = |change: &dyn Fn(&mut AuditFilter)| {
        let mut filter = AuditFilter::default();
        change(&mut filter);
        filter
    };
    for limit in [1, 50, 699, 700, 1000] {
        assert_eq!(seqs(&AuditFilter::default(), limit), wanted(&|_| true), "{limit}");
    }
    assert_eq!(
        seqs(&filter(&|f| f.who = "ADMIN".into()), 13),
        wanted(&|row| row.origin.who == "admin")
    );
    assert_eq!(
        seqs(&filter(&|f| f.action = "queue".into()), 50),
        wanted(&|row| row.event.action == "queue.retry")
    );
    assert_eq!(
        seqs(&filter(&|f| f.target = "n69".into()), 50),
        wanted(&|row| row.event.target.starts_with("N69"))
    );
    let (since, until) = (all[100].at, all[200].at);
    assert_eq!(
        seqs(&filter(&|f| (f.since, f.until) = (Some(since), Some(until))), 50),
        wanted(&|row| (101..=200).contains(&row.seq))
    );
    office.finish().await;
}

/// Refuses whom it is asked about where the name of somebody has "Mallory" in it.
#[derive(Debug, Default)]
struct Porter(Mutex<Vec<String>>);

impl Gate for Porter {
    fn is_asked(&self) -> bool {
        true
    }
    fn wants(&self, event: &AuditEvent) -> bool {
        event.is_of("account") || event.is_of("group.change")
    }
    fn ask<'a>(
        &'a self,
        event: &'a AuditEvent,
        origin: &'a Origin,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            let line = format!("{} {} by {}", event.action, event.target, origin.who);
            self.0.lock().unwrap().push(line);
            let text = format!("{:?}", event.changes);
            if text.contains("Mallory") { Err("no Mallory here".to_owned()) } else { Ok(()) }
        })
    }
}

#[tokio::test]
async fn the_gate_is_asked_before_an_act_and_can_refuse_it() {
    let (office, anna) = Fixture::office().await;
    let porter = Arc::new(Porter::default());
    office.store.set_gate(porter.clone());
    let store = admin(&office.store);
    let asked = || std::mem::take(&mut *porter.0.lock().unwrap());
    let named = |name: &str| AccountChange { name: Some(name.to_owned()), ..Default::default() };
    store.update_account(anna, named("Anna Kern")).await.unwrap();
    assert_eq!(asked(), ["account.change anna@office.test by admin"]);
    let start = last(&store);
    let refused = store.update_account(anna, named("Anna Mallory")).await;
    assert!(matches!(&refused, Err(StoreError::Vetoed(text)) if text == "no Mallory here"));
    assert_eq!(asked().len(), 1);
    assert_eq!(store.account(anna).unwrap().unwrap().name, "Anna Kern");
    let refusal = "webhook.refused anna@office.test action:+account.change reason:+no Mallory here";
    assert_eq!(told(&store, start), [refusal]);
    // What the store itself refuses nobody is asked about; nor what nobody wants to hear of.
    assert!(store.create_account(new_account("anna@office.test")).await.is_err());
    let alias = Alias { address: address("info@office.test"), targets: vec![address("a@x.test")] };
    store.create_alias(alias).await.unwrap();
    assert_eq!(asked(), [""; 0]);
    // By LDAP too, and what follows from an act is no question of its own.
    let base = "ou=people,dc=office,dc=test";
    let change =
        Modification::Replace { name: "displayName".to_owned(), values: vec![b"Mallory".to_vec()] };
    let by = String::new();
    let refused = store.modify_entry(dn(&format!("uid=anna,{base}")), vec![change], None, by).await;
    assert!(matches!(refused, Err(StoreError::Vetoed(_))), "{refused:?}");
    assert_eq!(asked(), ["account.change anna@office.test by admin"]);
    let domain = DomainName::parse("office.test").unwrap();
    let group = Group {
        name: "all".to_owned(),
        domain,
        members: vec![anna],
        address: None,
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    };
    store.put_group(group).await.unwrap();
    store.delete_account(anna).await.unwrap();
    assert_eq!(asked(), ["account.delete anna@office.test by admin"]);
    // Two at once, of which each changes what the other was asked about: both are done, one after the other.
    store.restore_account(anna).await.unwrap();
    asked();
    let (one, two) = (named("One"), named("Two"));
    let both = tokio::join!(store.update_account(anna, one), store.update_account(anna, two));
    assert!(both.0.is_ok() && both.1.is_ok());
    assert_eq!(asked().len(), 3, "the second is asked about again, for it does something else now");
    drop(store);
    office.finish().await;
}
