//! What stands there and what becomes of it here: mapping, groups, the brake, and syncs of a real store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base::{Clock, DomainName, FixedClock, Tier, TierBudget, Timestamp};
use store::{AccountState, Options, SourcePreset, SourceSettings, SourceTls, Store};

use crate::client::Raw;
use crate::group;
use crate::person::{self, Unfit};
use crate::read::{self, Found};
use crate::settings::{self, Effective};
use crate::sync::{self, Report, Sync};
use crate::{Failure, Reason};

fn raw(dn: &str, attributes: &[(&str, &[&str])]) -> Raw {
    let attributes = attributes.iter().map(|(name, values)| {
        let values = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        (name.to_lowercase(), values)
    });
    Raw { dn: dn.to_owned(), attributes: attributes.collect() }
}

fn active_directory() -> Effective {
    let preset = SourcePreset::ActiveDirectory;
    Effective::of(&SourceSettings { preset, ..SourceSettings::default() })
}

fn office() -> DomainName {
    DomainName::parse("office.test").unwrap()
}

/// A person as Active Directory has one; `n` makes the id.
fn user(n: u8, name: &str, more: &[(&str, &[&str])]) -> Raw {
    let mail = format!("{name}@office.test");
    let mut user = raw(
        &format!("CN={name},CN=Users,DC=ad,DC=test"),
        &[
            ("sAMAccountName", &[name]),
            ("displayName", &[name]),
            ("mail", &[&mail]),
            ("userAccountControl", &["512"]),
        ],
    );
    user.attributes.extend(raw("", more).attributes);
    user.attributes.insert("objectguid".to_owned(), vec![vec![n; 16]]);
    user
}

#[test]
fn a_person_of_active_directory_comes_as_he_is() {
    let mut anna = user(
        1,
        "amuller",
        &[
            ("cn", &["Anna M\u{fc}ller"]),
            ("displayName", &["Anna M\u{fc}ller"]),
            ("sn", &["M\u{fc}ller"]),
            ("givenName", &["Anna"]),
            ("mail", &["a.mueller@office.test"]),
            (
                "proxyAddresses",
                &[
                    "smtp:anna@office.test",
                    "x500:/o=Office/cn=anna",
                    "SMTP:anna.mueller@office.test",
                    "sip:anna@office.test",
                    "smtp:anna@elsewhere.test",
                    "smtp:ANNA@office.test",
                ],
            ),
            ("userPrincipalName", &["amuller@office.test"]),
            ("telephoneNumber", &["+49 30 1234", "what?\u{1}"]),
            ("department", &["Sales"]),
        ],
    );
    let guid = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb];
    let guid = [&guid[..], &[0xcc, 0xdd, 0xee, 0xff]].concat();
    anna.attributes.insert("objectguid".to_owned(), vec![guid]);
    let effective = active_directory();
    let here = person::person(&anna, &effective, &office(), &[office()]).unwrap();
    assert_eq!(here.id, "00112233-4455-6677-8899-aabbccddeeff");
    assert_eq!((here.name.as_str(), &here.state), ("anna.mueller", &None));
    let texts = |key: &str| -> Vec<String> {
        let values = here.attributes[key].iter();
        values.map(|value| String::from_utf8(value.clone()).unwrap()).collect()
    };
    assert_eq!(texts("mail"), ["anna.mueller@office.test"]);
    let further = ["a.mueller@office.test", "anna@office.test", "amuller@office.test"];
    assert_eq!(texts("maillocaladdress"), further);
    assert_eq!(texts("cn"), ["Anna M\u{fc}ller"]);
    assert_eq!(texts("telephonenumber"), ["+49 30 1234"]);
    assert_eq!((texts("ou"), texts("uid")), (vec!["Sales".into()], vec!["amuller".into()]));
    assert!(texts("mobile").is_empty());

    let disabled = user(1, "bert", &[("userAccountControl", &["514"])]);
    let disabled = person::person(&disabled, &effective, &office(), &[office()]).unwrap();
    assert_eq!(disabled.state.as_deref(), Some("disabled"));
    let nobody = user(1, "krbtgt", &[("mail", &["krbtgt@elsewhere.test"])]);
    let nobody = person::person(&nobody, &effective, &office(), &[office()]);
    assert_eq!(nobody.unwrap_err(), Unfit::NoAddress);
    let mut nothing = user(1, "carl", &[]);
    nothing.attributes.remove("objectguid");
    let nothing = person::person(&nothing, &effective, &office(), &[office()]);
    assert_eq!(nothing.unwrap_err(), Unfit::NoId);
}

#[test]
fn groups_in_groups_are_taken_apart_and_circles_end() {
    let effective = Effective::of(&SourceSettings::default());
    let people: Vec<(String, Vec<String>)> =
        ["a", "b", "c"].map(|name| (format!("uid={name},dc=x"), vec![name.to_owned()])).into();
    let groups = [
        raw("cn=all,dc=x", &[("member", &["CN=Inner, DC=X", "UID=A,dc=x", "cn=gone,dc=x"])]),
        raw("cn=inner,dc=x", &[("uniqueMember", &["uid=b,dc=x#'01'B", "cn=all,dc=x"])]),
        raw("cn=posix,dc=x", &[("memberUid", &["C", "nobody"])]),
    ];
    let members = group::members(&groups, &people, &effective);
    let members: Vec<Vec<usize>> = members.into_iter().map(|m| m.into_iter().collect()).collect();
    assert_eq!(members, [vec![0, 1], vec![0, 1], vec![2]]);
}

#[test]
fn ranges_are_told_from_options() {
    assert_eq!(read::range_of("member;range=0-1499"), Some(("member", Some(1500))));
    assert_eq!(read::range_of("member;range=1500-*"), Some(("member", None)));
    assert_eq!(read::range_of("member;binary"), None);
    assert_eq!(read::range_of("member;range=0-x"), None);
}

#[test]
fn a_source_that_lost_most_of_its_people_is_not_believed() {
    for (known, left) in [(10, 4), (5_000, 0), (1, 0), (4, 1), (5, 2)] {
        assert!(sync::is_too_few(known, left), "{left} of {known}");
    }
    for (known, left) in [(0, 0), (10, 5), (10, 10), (3, 1), (4, 2)] {
        assert!(!sync::is_too_few(known, left), "{left} of {known}");
    }
}

fn good() -> SourceSettings {
    SourceSettings {
        host: "dc.office.test".to_owned(),
        port: 636,
        base: "dc=ad,dc=test".to_owned(),
        interval_minutes: 60,
        ..SourceSettings::default()
    }
}

#[test]
fn what_may_not_be_set_is_refused_by_its_key() {
    assert_eq!(settings::check(&good()), Ok(()));
    let text = |text: &str| Some(text.to_owned());
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    for (settings, field, code) in [
        (SourceSettings { base: "office".into(), ..good() }, "base", "dn-invalid"),
        (SourceSettings { bind_dn: "cn=x".into(), ..good() }, "bind_password", "password-missing"),
        (SourceSettings { filter: text("(cn=x"), ..good() }, "filter", "filter-invalid"),
        (SourceSettings { filter: text(""), ..good() }, "filter", "filter-invalid"),
        (
            SourceSettings { attributes: map("nose", "x"), ..good() },
            "attributes.nose",
            "attribute-invalid",
        ),
        (
            SourceSettings { attributes: map("id", "x)y"), ..good() },
            "attributes.id",
            "attribute-invalid",
        ),
        (SourceSettings { ca_pem: text("none"), ..good() }, "ca_pem", "ca-invalid"),
        (
            SourceSettings { fingerprint: text("ab"), ..good() },
            "fingerprint",
            "fingerprint-invalid",
        ),
        (SourceSettings { interval_minutes: 1, ..good() }, "interval_minutes", "interval-invalid"),
        (SourceSettings { cache_days: 91, ..good() }, "cache_days", "cache-days-invalid"),
        (
            SourceSettings { tls: SourceTls::None, host: "192.0.2.1".into(), ..good() },
            "tls",
            "plain-not-allowed",
        ),
    ] {
        let problem = settings::check(&settings).unwrap_err();
        assert_eq!((problem.field.as_str(), problem.code), (field, code));
    }
    assert_eq!(settings::check(&SourceSettings { group_filter: text(""), ..good() }), Ok(()));
    let parse = |url: &str| settings::parse_url(url).ok();
    assert_eq!(parse("LDAPS://DC1.office.test"), Some(("dc1.office.test".into(), 636, true)));
    assert_eq!(parse("ldap://[::1]:1389/"), Some(("::1".into(), 1389, false)));
    for bad in
        ["", "dc1", "http://x", "ldap://", "ldap://a b", "ldap://x:0", "ldap://x:y", "ldap://u@x"]
    {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

/// A box with `local@office.test` and a clock that is set.
struct Scene {
    store: Store,
    clock: Arc<FixedClock>,
    locked_out: Mutex<usize>,
    _dir: tempfile::TempDir,
}

impl Scene {
    /// All sources, of which none is found.
    fn sources(&self) -> crate::Sources {
        let hooks = crate::Hooks {
            lookup: Arc::new(|_| Box::pin(async { Err(crate::LookupFailure::NoSuchName) })),
            lock_out: Arc::new(|_| {}),
        };
        let budget = Arc::new(TierBudget::of(Tier::OneGb));
        crate::Sources::new(self.store.clone(), budget, self.clock.clone(), hooks)
    }

    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_000_000)));
        let store = Store::open(Options::new(dir.path()), clock.clone()).unwrap();
        store.create_domain(office()).await.unwrap();
        let local = store::NewAccount {
            address: base::Address::parse("local@office.test").unwrap(),
            name: "Local".to_owned(),
            aliases: Vec::new(),
            quota_bytes: None,
            is_admin: false,
            password_hash: None,
        };
        store.create_account(local).await.unwrap();
        Self { store, clock, locked_out: Mutex::new(0), _dir: dir }
    }

    async fn sync(&self, people: &[Raw], groups: &[Raw]) -> Result<Report, Failure> {
        let found = Found { people: people.to_vec(), groups: groups.to_vec() };
        let lock_out = |_| *self.locked_out.lock().unwrap() += 1;
        let (domain, effective, now) = (office(), active_directory(), self.clock.now());
        let sync = Sync {
            store: &self.store,
            domain: &domain,
            effective: &effective,
            now,
            is_forced: false,
            lock_out: &lock_out,
        };
        sync.run(&found).await
    }

    fn state(&self, address: &str) -> Option<AccountState> {
        let address = base::Address::parse(address).unwrap();
        self.store.account_by_address(&address).unwrap().map(|account| account.state)
    }
}

#[tokio::test]
async fn people_come_change_are_disabled_and_go() {
    let scene = Scene::new().await;
    let mut people: Vec<Raw> = (1..=6).map(|n| user(n, &format!("p{n}"), &[])).collect();
    // Taken by the local person: told, and the rest goes on.
    people.push(user(7, "local", &[]));
    let members = ["CN=p1,CN=Users,DC=ad,DC=test", "CN=local,CN=Users,DC=ad,DC=test"];
    let mut sales = raw("CN=Sales,DC=ad,DC=test", &[("cn", &["Sales"]), ("member", &members)]);
    sales.attributes.insert("objectguid".to_owned(), vec![vec![99; 16]]);
    let groups = [sales];
    let report = scene.sync(&people, &groups).await.unwrap();
    assert_eq!((report.people, report.created, report.errors.len()), (7, 7, 1), "{report:?}");
    assert_eq!(report.errors[0].error, crate::Problem::AddressTaken);
    let entry = scene.store.entry("cn=sales,ou=groups,dc=office,dc=test").unwrap().unwrap();
    assert_eq!(entry.attributes["member"], [b"uid=p1,ou=people,dc=office,dc=test"]);

    let before = scene.store.source_entries(&office()).unwrap();
    scene.clock.advance(3600);
    let again = scene.sync(&people, &groups).await.unwrap();
    assert_eq!((again.created, again.changed, again.disabled, again.deleted), (0, 0, 0, 0));
    let after = scene.store.source_entries(&office()).unwrap();
    assert!(before.iter().zip(&after).all(|(old, new)| old.entry == new.entry));

    // One is renamed, one is disabled, one is gone, and one has the address of him.
    people[0] = user(1, "p1", &[("displayName", &["Paula"]), ("mail", &["paula@office.test"])]);
    people[1] = user(2, "p2", &[("userAccountControl", &["514"])]);
    people[3] = user(4, "p4", &[("proxyAddresses", &["smtp:p3@office.test"])]);
    people.remove(2);
    let report = scene.sync(&people, &groups).await.unwrap();
    assert_eq!((report.changed, report.disabled, report.deleted), (2, 2, 0), "{report:?}");
    assert_eq!(*scene.locked_out.lock().unwrap(), 2);
    assert_eq!(scene.state("paula@office.test"), Some(AccountState::Active));
    assert_eq!(scene.state("p1@office.test"), None);
    assert_eq!(scene.state("p2@office.test"), Some(AccountState::Disabled));
    assert_eq!(scene.state("p3@office.test"), Some(AccountState::Disabled));
    assert_eq!(scene.state("local@office.test"), Some(AccountState::Active));

    // Most are gone: nothing happens.
    let failure = scene.sync(&people[..1], &groups).await.unwrap_err();
    assert_eq!(failure.reason, Reason::TooFewPeople);
    assert_eq!(scene.state("p5@office.test"), Some(AccountState::Active));

    // Who stays away is deleted after the grace time, and gets his mail again when he comes back.
    let p3 = base::Address::parse("p3@office.test").unwrap();
    let id = scene.store.account_by_address(&p3).unwrap().unwrap().id;
    scene.clock.advance(sync::GRACE_DAYS * 86_400 + 60);
    let report = scene.sync(&people, &[]).await.unwrap();
    assert_eq!(report.deleted, 2, "he and the group: {report:?}");
    people[1] = user(2, "p2", &[]);
    people.push(user(3, "p3back", &[]));
    scene.sync(&people, &[]).await.unwrap();
    assert_eq!(scene.state("p2@office.test"), Some(AccountState::Active));
    let back = base::Address::parse("p3back@office.test").unwrap();
    assert_eq!(scene.store.account_by_address(&back).unwrap().unwrap().id, id);
}

#[tokio::test]
async fn how_the_last_sync_went_is_known_after_a_restart() {
    let scene = Scene::new().await;
    let settings = SourceSettings { enabled: true, ..good() };
    scene.store.set_source(office(), settings.clone()).await.unwrap();
    let sources = scene.sources();
    assert_eq!(sources.status(&office()).unwrap().outcome, None);
    Box::pin(sources.look_at(&office(), &settings)).await;
    let before = sources.status(&office()).unwrap();
    let why = before.outcome.clone().unwrap().unwrap_err();
    assert_eq!((why.reason, before.ended), (Reason::HostUnknown, 1));
    let after = scene.sources().status(&office()).unwrap();
    assert_eq!((after.last_sync_at, after.outcome), (before.last_sync_at, before.outcome));
    assert_eq!((after.ended, after.is_running), (0, false));

    // A report is kept with all that it says.
    let mut people: Vec<Raw> = (1..=3).map(|n| user(n, &format!("p{n}"), &[])).collect();
    people.push(user(4, "local", &[]));
    let report = scene.sync(&people, &[]).await.unwrap();
    assert_eq!(report.errors.len(), 1);
    let kept = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&kept).unwrap(), report);

    // With the source it is gone.
    sources.release(&scene.store, &office()).await.unwrap();
    scene.store.set_source(office(), settings).await.unwrap();
    assert_eq!(scene.sources().status(&office()).unwrap().outcome, None);
}

/// Refuses whatever is done with one person.
#[derive(Debug)]
struct Payroll(&'static str);

impl store::Gate for Payroll {
    fn is_asked(&self) -> bool {
        true
    }

    fn wants(&self, event: &store::AuditEvent) -> bool {
        event.target == self.0
    }

    fn ask<'a>(
        &'a self,
        _: &'a store::AuditEvent,
        _: &'a store::Origin,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(std::future::ready(Err("not on the payroll".to_owned())))
    }
}

#[tokio::test]
async fn whom_a_webhook_refuses_does_not_come_and_the_rest_does() {
    let scene = Scene::new().await;
    scene.store.set_gate(Arc::new(Payroll("p2@office.test")));
    let people: Vec<Raw> = (1..=3).map(|n| user(n, &format!("p{n}"), &[])).collect();
    let report = scene.sync(&people, &[]).await.unwrap();
    assert_eq!((report.created, report.errors.len()), (2, 1), "{report:?}");
    let error = &report.errors[0];
    assert_eq!(error.error, crate::Problem::RefusedByWebhook);
    assert_eq!((error.dn.as_str(), error.detail.as_str()), (&*people[1].dn, "not on the payroll"));
    assert_eq!(scene.state("p2@office.test"), None);
    // Who is there and goes may not log in, whatever a webhook says; he is not deleted against it.
    scene.store.set_gate(Arc::new(Payroll("p3@office.test")));
    scene.sync(&people[..2], &[]).await.unwrap();
    assert_eq!(scene.state("p3@office.test"), Some(AccountState::Disabled));
    scene.clock.advance((sync::GRACE_DAYS + 1) * 24 * 3_600);
    let report = scene.sync(&people[..2], &[]).await.unwrap();
    assert_eq!((report.deleted, report.errors.len()), (0, 1), "{report:?}");
    assert_eq!(scene.state("p3@office.test"), Some(AccountState::Disabled));
}

#[test]
fn an_id_is_asked_for_as_it_stands_there() {
    let guid: [u8; 16] = std::array::from_fn(|n| u8::try_from(n * 17).unwrap());
    let text = person::guid_text(guid);
    assert_eq!(person::id_value("ObjectGUID", &text), guid);
    assert_eq!(person::id_value("entryUUID", &text), text.as_bytes());
    assert_eq!(person::id_value("objectGUID", "\u{e4}-1"), "\u{e4}-1".as_bytes());
}

#[tokio::test]
async fn without_the_source_its_people_are_local_and_with_it_they_are_its_again() {
    let scene = Scene::new().await;
    let mut people: Vec<Raw> = (1..=4).map(|n| user(n, &format!("p{n}"), &[])).collect();
    people[1] = user(2, "p2", &[("userAccountControl", &["514"])]);
    scene.sync(&people, &[]).await.unwrap();
    let p1 = base::Address::parse("p1@office.test").unwrap();
    let p1 = || scene.store.account_by_address(&p1).unwrap().unwrap();
    let id = p1().id;
    let change = || store::AccountChange {
        password_hash: Some("$argon2id$own".to_owned()),
        ..Default::default()
    };
    assert!(scene.store.update_account(id, change()).await.is_err(), "it is kept there");
    scene.store.cache_password(id, Some("$argon2id$kept".to_owned())).await.unwrap();

    let sources = scene.sources();
    scene.store.set_source(office(), good()).await.unwrap();
    sources.release(&scene.store, &office()).await.unwrap();
    assert_eq!(scene.store.source(&office()).unwrap(), None);
    assert!(scene.store.source_entries(&office()).unwrap().is_empty());
    assert_eq!((p1().source, p1().password_hash.as_deref()), (None, Some("$argon2id$kept")));
    assert_eq!(scene.state("p2@office.test"), Some(AccountState::Disabled));
    scene.store.update_account(id, change()).await.unwrap();

    // The same ids are the same people, also under another address.
    people[0] = user(1, "paula", &[]);
    scene.sync(&people, &[]).await.unwrap();
    let paula = base::Address::parse("paula@office.test").unwrap();
    let paula = scene.store.account_by_address(&paula).unwrap().unwrap();
    assert_eq!((paula.id, paula.source.is_some()), (id, true));
}
