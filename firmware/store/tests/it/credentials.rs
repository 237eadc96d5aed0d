//! App passwords and second factors.

use base::AccountId;
use store::{StoreError, Totp};

use crate::fixture::{Fixture, new_account};

fn totp() -> Totp {
    Totp { secret: vec![7; 20], last_step: 10, recovery_codes: vec![[1; 32], [2; 32]] }
}

#[tokio::test]
async fn credentials_last_and_go_with_their_account() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    let bert = store.create_account(new_account("bert@office.test")).await.unwrap();
    let add = |account, name: &str| {
        store.add_app_password(account, name.to_owned(), 3, format!("verifier of {name}"))
    };
    assert_eq!(add(anna, "phone").await.unwrap(), 1);
    assert_eq!(add(anna, "desk").await.unwrap(), 2);
    assert_eq!(add(bert, "phone").await.unwrap(), 1);
    assert_eq!(add(AccountId(0), "scripts").await.unwrap(), 1);
    assert!(matches!(add(AccountId(99), "x").await, Err(StoreError::NoSuchAccount)));
    store.set_totp(bert, totp()).await.unwrap();
    assert!(matches!(store.set_totp(bert, totp()).await, Err(StoreError::Exists)));
    assert!(!format!("{:?}", store.credentials(bert).unwrap()).contains("verifier"));

    let office = office.reopen().await;
    let store = &office.store;
    let names = |account| {
        let known = store.credentials(account).unwrap().app_passwords;
        known.into_iter().map(|app| (app.id, app.name)).collect::<Vec<_>>()
    };
    assert_eq!(names(anna), [(1, "phone".to_owned()), (2, "desk".to_owned())]);
    assert_eq!(store.remove_app_password(anna, 1).await.unwrap().as_deref(), Some("phone"));
    assert_eq!(store.remove_app_password(anna, 1).await.unwrap(), None);
    assert_eq!(store.remove_app_password(bert, 0).await.unwrap(), None, "no way to end TOTP");
    assert_eq!(names(anna), [(2, "desk".to_owned())]);

    store.delete_account(bert).await.unwrap();
    store.restore_account(bert).await.unwrap();
    assert!(store.credentials(bert).unwrap().totp.is_some(), "restored in time it has all");
    store.delete_account(bert).await.unwrap();
    let mut passed = std::time::Duration::from_secs(20 * 24 * 3600);
    while store.keep_house(passed).await.unwrap() {
        passed = std::time::Duration::ZERO;
    }
    assert_eq!(store.credentials(bert).unwrap(), store::Credentials::default());
    // The fixture's end checks the store.
    office.reopen().await;
}

#[tokio::test]
async fn no_code_is_good_twice() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    assert!(!store.take_totp_step(anna, 11).await.unwrap(), "it is not on");
    store.set_totp(anna, totp()).await.unwrap();
    assert!(!store.take_totp_step(anna, 10).await.unwrap());
    let (one, other) = tokio::join!(store.take_totp_step(anna, 12), store.take_totp_step(anna, 12));
    assert_ne!(one.unwrap(), other.unwrap(), "two at once: one of them");
    assert!(!store.take_totp_step(anna, 11).await.unwrap(), "an older one neither");
    assert!(store.take_recovery_code(anna, [2; 32]).await.unwrap());
    assert!(!store.take_recovery_code(anna, [2; 32]).await.unwrap());
    assert_eq!(store.credentials(anna).unwrap().totp.unwrap().recovery_codes, [[1; 32]]);
    assert!(store.remove_totp(anna).await.unwrap());
    assert!(!store.remove_totp(anna).await.unwrap());
}

#[tokio::test]
async fn a_use_is_written_once_an_hour_and_there_are_limits() {
    let (office, anna) = Fixture::office().await;
    let store = &office.store;
    for n in 0..50 {
        store.add_app_password(anna, n.to_string(), 1, "v".to_owned()).await.unwrap();
    }
    let more = store.add_app_password(anna, "x".to_owned(), 1, "v".to_owned()).await;
    assert!(matches!(more, Err(StoreError::LimitReached(_))));
    let app = || store.credentials(anna).unwrap().app_passwords.remove(0);
    let now = base::Clock::now(&base::SystemClock);
    let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    store.note_app_password_use(anna, &app(), here, now).await.unwrap();
    let used = app();
    assert_eq!(used.last_address, Some(here));
    store.note_app_password_use(anna, &used, there, now).await.unwrap();
    assert_eq!(app(), used);
}

#[tokio::test]
async fn the_audit_log_has_who_did_it_and_no_secret() {
    let (office, anna) = Fixture::office().await;
    let store = office.store.by(store::Origin::new("admin", store::Via::Web, None));
    let verifier = "verifier-of-hers".to_owned();
    store.add_app_password(anna, "phone".to_owned(), 3, verifier).await.unwrap();
    store.set_totp(anna, totp()).await.unwrap();
    store.remove_totp(anna).await.unwrap();
    store.remove_app_password(anna, 1).await.unwrap();
    let filter = store::AuditFilter { action: "credential".to_owned(), ..Default::default() };
    let rows = store.audit_rows(None, 10, &filter).unwrap().rows;
    let told: Vec<String> = rows.iter().map(|row| format!("{:?}", row.event)).collect();
    assert_eq!(rows.len(), 4, "{told:?}");
    assert!(rows.iter().all(|row| row.origin.who == "admin"), "{rows:?}");
    assert!(told[0].contains("phone") && !told.concat().contains("verifier"), "{told:?}");
}
