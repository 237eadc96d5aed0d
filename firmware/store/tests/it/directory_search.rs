//! Searches of the directory: what the index finds is what looking at every entry finds.

use std::cell::Cell;

use directory::schema::{self, AttributeType};
use directory::{Attributes, Code, Dn, Filter};
use store::{
    DirectoryFound, DirectorySearch, DirectoryView, Entry, EntryId, Scope, SearchEnd, SortKey,
    Store, StoreError,
};

use crate::fixture::{Fixture, address, new_account};

const TOP: &str = "dc=office,dc=test";
const WORDS: [&str; 9] =
    ["Anna", "Bert", "Äpfel", "Weiß", "zu  zweit", "O'Hara", "x\\2a", "Ann", "berta"];

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap()
}

fn all_shown(_: &Entry) -> bool {
    true
}

fn nothing_hidden(_: &Entry, _: &AttributeType) -> bool {
    false
}

fn find(
    view: &DirectoryView,
    base: &str,
    scope: Scope,
    filter: &str,
) -> Result<DirectoryFound, StoreError> {
    view.search(&DirectorySearch {
        base: &dn(base),
        scope,
        filter: &Filter::parse(filter).unwrap(),
        size_limit: None,
        work_max: None,
        shows: &all_shown,
        hides: &nothing_hidden,
        goes_on: &|| true,
    })
}

fn names(view: &DirectoryView, ids: &[EntryId]) -> Vec<String> {
    ids.iter().map(|id| view.entry(*id).unwrap().unwrap().dn).collect()
}

fn found(view: &DirectoryView, filter: &str) -> Vec<String> {
    names(view, &find(view, TOP, Scope::Subtree, filter).unwrap().ids)
}

/// 60 people, some contacts and groups: chosen by small numbers, so that every value is there often.
async fn filled() -> Fixture {
    let (office, _) = Fixture::office().await;
    for n in 0..60usize {
        let (first, last) = (WORDS[n % 9].replace("\\2a", "*"), WORDS[n / 9].replace("\\2a", "*"));
        let place = if n % 7 == 0 { "contacts" } else { "people" };
        let mut attributes = Attributes::new();
        let mut put = |name: &str, value: &str| {
            let key = schema::key(name).unwrap();
            attributes.entry(key).or_default().push(value.as_bytes().to_vec());
        };
        put("objectClass", "inetOrgPerson");
        put("cn", &format!("{first} {last}"));
        put("sn", &last);
        put("uid", &format!("p{n}"));
        if n % 3 > 0 {
            put("givenName", &first);
            put("mail", &format!("p{n}@office.test"));
        }
        if n % 5 == 0 {
            put("telephoneNumber", &format!("+49 30 {n}-{n}"));
            put("cn", &"long ".repeat(40));
            put("cn;lang-de", &format!("Herr {last}"));
        }
        if n % 4 == 0 {
            put("title", "Boss");
        }
        let name = dn(&format!("uid=p{n},ou={place},{TOP}"));
        office.store.add_entry(name, attributes, String::new()).await.unwrap();
    }
    for (name, members) in [("odd", [1, 3]), ("even", [2, 4])] {
        let mut attributes = Attributes::new();
        attributes.insert("objectclass".to_owned(), vec![b"groupOfNames".to_vec()]);
        attributes.insert("cn".to_owned(), vec![name.as_bytes().to_vec()]);
        let members = members.map(|n| format!("uid=P{n}, ou=people, {TOP}").into_bytes());
        attributes.insert("member".to_owned(), members.to_vec());
        let name = dn(&format!("cn={name},ou=groups,{TOP}"));
        office.store.add_entry(name, attributes, String::new()).await.unwrap();
    }
    office
}

/// What looking at each entry by itself finds: a search of one entry asks no index.
fn slowly(view: &DirectoryView, filter: &str) -> Vec<String> {
    let all = find(view, TOP, Scope::Subtree, "(objectClass=*)").unwrap().ids;
    let is_found = |name: &String| !find(view, name, Scope::Base, filter).unwrap().ids.is_empty();
    names(view, &all).into_iter().filter(is_found).collect()
}

#[tokio::test]
async fn the_index_finds_what_is_there() {
    let office = filled().await;
    let view = office.store.directory().unwrap();
    let mut filters = Vec::new();
    for word in WORDS {
        for attribute in ["cn", "sn", "givenName", "name", "mail", "uid", "title", "cn;lang-de"] {
            for value in ["{}", "{}*", "*{}", "*{}*", "{}*e*", "* {}"] {
                filters.push(format!("({attribute}={})", value.replace("{}", word)));
            }
            filters.push(format!("({attribute}~={word})"));
            filters.push(format!("(!({attribute}={word}*))"));
        }
    }
    let uuid = {
        let id = view.find(&dn(&format!("uid=p7,ou=contacts,{TOP}"))).unwrap().unwrap();
        let entry = view.entry(id).unwrap().unwrap();
        view.operational(id, &entry).unwrap()["entryuuid"][0].clone()
    };
    let uuid = String::from_utf8(uuid).unwrap().to_uppercase();
    let member = format!("uid=p1,ou=people,{TOP}");
    let group = format!("CN=odd,ou=groups,{TOP}");
    for filter in [
        "(objectClass=*)",
        "(objectClass=person)",
        "(objectClass=2.5.6.6)",
        "(objectClass=groupOfNames)",
        "(objectClass=nothing)",
        "(mail=*)",
        "(telephoneNumber=+49305-5)",
        "(telephoneNumber=*30 5*)",
        "(title=*)",
        "(nothing=x)",
        "(!(nothing=x))",
        "(cn=long long*)",
        "(cn=long*g long)",
        "(uid>=p3)",
        "(hasSubordinates=TRUE)",
        "(ou:dn:=people)",
        "(&)",
        "(|)",
        "(memberOf=cn=none,dc=office,dc=test)",
        &format!("(entryUUID={uuid})"),
        &format!("(member={member})"),
        &format!("(memberOf={group})"),
        "(&(objectClass=person)(|(cn=ann*)(sn=ann*)(givenName=ann*)(mail=ann*))(!(title=boss)))",
        "(&(mail=*)(|(mail=p1*)(cn=*ert*)(displayName=ann*)))",
        "(|(sn=anna)(title=boss))",
    ] {
        filters.push(filter.to_owned());
    }
    let mut sum = 0;
    for filter in filters {
        let quick = found(&view, &filter);
        assert_eq!(quick, slowly(&view, &filter), "{filter}");
        sum += quick.len();
    }
    assert!(sum > 1_000, "{sum}");
    assert_eq!(found(&view, &format!("(entryUUID={uuid})")), [format!("uid=p7,ou=contacts,{TOP}")]);
    assert_eq!(found(&view, &format!("(memberOf={group})")).len(), 2);
    assert_eq!(found(&view, "(cn=long long*)").len(), 12);
    drop(view);
    office.finish().await;
}

#[tokio::test]
async fn scopes_limits_and_what_is_hidden() {
    let office = filled().await;
    let view = office.store.directory().unwrap();
    let count = |base: &str, scope| find(&view, base, scope, "(objectClass=*)").unwrap().ids.len();
    let people = format!("ou=People,{TOP}");
    assert_eq!(count(&people, Scope::Base), 1);
    assert_eq!(count(&people, Scope::OneLevel), 52);
    assert_eq!(count(&people, Scope::Subtree), 53);
    assert_eq!(count(&people, Scope::Children), 52);
    assert_eq!(count(TOP, Scope::OneLevel), 5);
    assert_eq!(count("", Scope::Subtree), 69);
    let in_one = find(&view, TOP, Scope::OneLevel, "(uid=p1)").unwrap();
    assert_eq!((in_one.ids.len(), in_one.end), (0, SearchEnd::Complete));
    match find(&view, &format!("cn=none,{people}"), Scope::Subtree, "(cn=*)") {
        Err(StoreError::Refused(refusal)) => {
            assert_eq!(refusal.code, Code::NoSuchObject);
            assert_eq!(refusal.matched.as_deref(), Some("ou=people,dc=office,dc=test"));
        }
        other => unreachable!("{other:?}"),
    }
    let left = Cell::new(4);
    let goes_on = || {
        left.set(left.get() - 1);
        left.get() > 0
    };
    let filter = Filter::parse("(uid=*)").unwrap();
    let base = dn(TOP);
    let mut search = DirectorySearch {
        base: &base,
        scope: Scope::Subtree,
        filter: &filter,
        size_limit: Some(5),
        work_max: None,
        shows: &all_shown,
        hides: &nothing_hidden,
        goes_on: &|| true,
    };
    let cut = view.search(&search).unwrap();
    assert_eq!((cut.ids.len(), cut.end), (5, SearchEnd::SizeLimit));
    search.size_limit = Some(61);
    assert_eq!(view.search(&search).unwrap().end, SearchEnd::Complete);
    search.shows = &|entry| entry.account.is_some();
    assert_eq!(view.search(&search).unwrap().ids.len(), 35);
    search.hides = &|_, attribute| attribute.key() == "uid";
    assert_eq!(view.search(&search).unwrap().ids.len(), 0);
    search.goes_on = &goes_on;
    assert_eq!(view.search(&search).unwrap().end, SearchEnd::Complete);
    left.set(1);
    assert_eq!(view.search(&search).unwrap().end, SearchEnd::Stopped);
    // Of many conditions that each name all entries, too: it is asked before each of them.
    let filter = Filter::parse(&format!("(|{})", "(objectClass=top)".repeat(1_000))).unwrap();
    search.filter = &filter;
    left.set(100);
    assert_eq!(view.search(&search).unwrap().end, SearchEnd::Stopped);
    // With little work only what an index answers is found.
    (search.goes_on, search.hides) = (&|| true, &nothing_hidden);
    search.work_max = Some(20);
    for (text, end) in [
        ("(mail=anna@office.test)", SearchEnd::Complete),
        ("(&(objectClass=inetOrgPerson)(mail=anna@office.test))", SearchEnd::Complete),
        ("(mail=nobody@office.test)", SearchEnd::Complete),
        ("(uid=*)", SearchEnd::TooMuch),
        ("(objectClass=inetOrgPerson)", SearchEnd::TooMuch),
        ("(description=x)", SearchEnd::TooMuch),
        ("(|(mail=anna@office.test)(cn=*a*))", SearchEnd::TooMuch),
    ] {
        let filter = Filter::parse(text).unwrap();
        let found = view.search(&DirectorySearch { filter: &filter, ..search }).unwrap();
        assert_eq!(found.end, end, "{text}: {found:?}");
    }
    drop(view);
    office.finish().await;
}

fn by(name: &str, is_reversed: bool) -> SortKey {
    SortKey { attribute: schema::attribute(name).unwrap(), rule: None, is_reversed }
}

#[tokio::test]
async fn entries_are_sorted_by_the_index_or_without() {
    let office = filled().await;
    let view = office.store.directory().unwrap();
    let ids = find(&view, TOP, Scope::Subtree, "(uid=p*)").unwrap().ids;
    let first = |id: &EntryId, name: &str| {
        let entry = view.entry(*id).unwrap().unwrap();
        let values = entry.attributes.get(name).cloned().unwrap_or_default();
        let attribute = schema::attribute(name).unwrap();
        let normal = |v: &Vec<u8>| directory::matching::normalise(attribute, v).unwrap();
        values.iter().map(normal).min()
    };
    for (name, other) in [("sn", "title"), ("givenname", "cn"), ("title", "uid")] {
        let sorted = view.sorted(&ids, &[by(name, false), by(other, true)]).unwrap();
        assert_eq!(sorted.ids.len(), ids.len());
        let values: Vec<_> =
            sorted.ids.iter().map(|id| (first(id, name), first(id, other))).collect();
        let is_before = |a: &Option<Vec<u8>>, b: &Option<Vec<u8>>| match (a, b) {
            (Some(a), Some(b)) => a < b,
            (Some(_), None) => true,
            (None, _) => false,
        };
        for two in values.windows(2) {
            assert!(!is_before(&two[1].0, &two[0].0), "{name}: {two:?}");
            assert!(two[0].0 != two[1].0 || !is_before(&two[0].1, &two[1].1), "{other}: {two:?}");
        }
    }
    // Where a list is opened that somebody types into.
    let sorted = view.sorted(&ids, &[by("sn", false)]).unwrap();
    let at = sorted.position(b"bert").unwrap();
    assert_eq!(first(&sorted.ids[at], "sn"), Some(b"bert".to_vec()));
    assert!(first(&sorted.ids[at - 1], "sn").unwrap() < b"bert".to_vec());
    assert_eq!(sorted.position("жж".as_bytes()).unwrap(), ids.len());
    // Times are computed, not stored as values.
    let by_time = view.sorted(&ids, &[by("createTimestamp", false)]).unwrap();
    assert_eq!(by_time.ids, ids);
    drop(view);
    office.finish().await;
}

/// The address book of a large office; what it costs is measured elsewhere.
#[tokio::test]
async fn what_the_web_makes_is_found_too() {
    let (office, _) = Fixture::office().await;
    let store: &Store = &office.store;
    let new =
        store::NewAccount { name: "Zoë Žižek".to_owned(), ..new_account("zoe@office.test") };
    let id = store.create_account(new).await.unwrap();
    let alias = store::Alias {
        address: address("info@office.test"),
        targets: vec![address("zoe@office.test")],
    };
    store.create_alias(alias).await.unwrap();
    let view = store.directory().unwrap();
    assert_eq!(found(&view, "(cn=zoë ž*)"), [format!("uid=zoe,ou=people,{TOP}")]);
    assert_eq!(found(&view, "(mail=info@OFFICE.test)"), [format!("cn=info,ou=aliases,{TOP}")]);
    assert_eq!(found(&view, &format!("(postroomId={id})")).len(), 1);
    drop(view);
    office.finish().await;
}
