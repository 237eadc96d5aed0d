//! Hooks over a real store and a real server: answers that are none, hooks that want no more.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, DomainName, FixedClock, SystemClock, Timestamp};
use store::{Alias, OnFailure, Options, Origin, Store, StoreError, Via, Webhook, WebhookMode};
use testkit::callee::Callee;

use crate::{Hooks, Reason};

struct Office {
    store: Store,
    hooks: Hooks,
    callee: Callee,
    _dir: tempfile::TempDir,
}

impl Office {
    async fn new() -> Self {
        Self::with(Arc::new(SystemClock)).await
    }

    async fn with(clock: Arc<dyn Clock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Options::new(dir.path()), clock.clone()).unwrap();
        store.create_domain(DomainName::parse("office.test").unwrap()).await.unwrap();
        let hooks = Hooks::new(&store, clock, Arc::new(|_| Box::pin(async { None })), vec![443]);
        let callee = Callee::start([127, 0, 0, 1].into()).unwrap();
        Self { store, hooks, callee, _dir: dir }
    }

    async fn hook(&self, mode: WebhookMode) -> Webhook {
        let new = Webhook {
            name: "HR".to_owned(),
            url: self.callee.url("/"),
            events: vec!["alias".to_owned()],
            mode,
            enabled: true,
            ..Webhook::default()
        };
        self.store.create_webhook(new).await.unwrap()
    }

    async fn alias(&self, name: &str) -> Result<(), StoreError> {
        let address = |text: &str| base::Address::parse(text).unwrap();
        let targets = vec![address("x@elsewhere.test")];
        let address = address(&format!("{name}@office.test"));
        self.store.create_alias(Alias { address, targets }).await
    }
}

#[tokio::test]
async fn what_is_no_answer_is_what_the_hook_says_of_failures() {
    let office = Office::new().await;
    let hook = office.hook(WebhookMode::Before).await;
    let large = "x".repeat(64 * 1024);
    let answers = [
        "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{large}", large.len()),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ];
    for (n, answer) in answers.iter().enumerate() {
        office.callee.answer_raw(answer.clone());
        let refused = office.alias(&format!("a{n}")).await;
        let says = "the check \"HR\" does not answer, try again later";
        assert!(matches!(&refused, Err(StoreError::Vetoed(text)) if text == says), "{refused:?}");
    }
    let attempts = office.hooks.attempts(hook.id);
    assert_eq!(attempts.len(), answers.len(), "no redirect was followed");
    assert!(attempts.iter().all(|attempt| !attempt.is_ok));
    assert_eq!(attempts[1].error, Some(Reason::AnswerInvalid));
    let allow = Webhook { on_failure: OnFailure::Allow, ..hook.clone() };
    assert!(office.store.change_webhook(allow).await.unwrap());
    for (n, answer) in answers.iter().enumerate() {
        office.callee.answer_raw(answer.clone());
        office.alias(&format!("b{n}")).await.unwrap();
    }
    // A refusal is one whatever happens to failures; without words it has ours.
    office.callee.answer(400, "no JSON");
    let refused = office.alias("c").await;
    assert!(
        matches!(&refused, Err(StoreError::Vetoed(text)) if text == "refused by the check \"HR\"")
    );
    assert!(office.store.delete_webhook(hook.id).await.unwrap());
    office.alias("c").await.unwrap();
}

#[tokio::test]
async fn a_hook_that_is_gone_is_given_up_until_somebody_sets_it_again() {
    let office = Office::new().await;
    let hook = office.hook(WebhookMode::After).await;
    let running =
        tokio::spawn(office.hooks.clone().run(office.store.clone(), std::future::pending()));
    let callee = Arc::new(office.callee);
    let next = || {
        let callee = callee.clone();
        async move { tokio::task::spawn_blocking(move || callee.next()).await.unwrap().unwrap() }
    };
    callee.answer(410, "");
    let address = |text: &str| base::Address::parse(text).unwrap();
    let alias = |name: &str| Alias {
        address: address(&format!("{name}@office.test")),
        targets: vec![address("x@elsewhere.test")],
    };
    office.store.create_alias(alias("a")).await.unwrap();
    let first = next().await;
    // It is written down a moment after the answer.
    while office.store.webhook_state(hook.id).unwrap().unwrap().gave_up_at.is_none() {
        tokio::task::yield_now().await;
    }
    office.store.create_alias(alias("b")).await.unwrap();
    assert_eq!(callee.waiting(), 0);
    assert!(office.store.change_webhook(hook.clone()).await.unwrap());
    let again = next().await;
    assert_eq!(again.fields["webhook-id"], first.fields["webhook-id"]);
    assert!(next().await.body.contains("b@office.test"));
    running.abort();
}

/// Time is not waited for: it goes on by itself while nothing else happens.
#[tokio::test(start_paused = true)]
async fn who_does_not_answer_before_an_act_is_waited_for_five_seconds() {
    let office = Office::new().await;
    let hook = office.hook(WebhookMode::Before).await;
    office.callee.answer_raw("");
    let refused = office.alias("a").await;
    let says = "the check \"HR\" does not answer, try again later";
    assert!(matches!(&refused, Err(StoreError::Vetoed(text)) if text == says), "{refused:?}");
    let [attempt] = &office.hooks.attempts(hook.id)[..] else { panic!("one attempt") };
    assert_eq!((attempt.error, attempt.is_ok), (Some(Reason::Timeout), false));
    assert!((5_000..5_100).contains(&attempt.ms), "{} ms", attempt.ms);
}

#[tokio::test(start_paused = true)]
async fn a_sync_does_not_wait_for_a_silent_hook_again_and_again() {
    let office = Office::new().await;
    let hook = office.hook(WebhookMode::Before).await;
    let by_sync = Office {
        store: office.store.by(Origin::new("source office.test", Via::Sync, None)),
        hooks: office.hooks.clone(),
        callee: Callee::start([127, 0, 0, 1].into()).unwrap(),
        _dir: tempfile::tempdir().unwrap(),
    };
    office.callee.answer_raw("");
    for name in ["a", "b", "c"] {
        let refused = by_sync.alias(name).await;
        assert!(matches!(refused, Err(StoreError::Vetoed(_))), "{refused:?}");
    }
    assert_eq!(office.hooks.attempts(hook.id).len(), 1, "it was asked once");
    tokio::time::resume();
    // What a person does is asked about all the same; once it answers, the sync is asked about again.
    office.alias("d").await.unwrap();
    by_sync.alias("a").await.unwrap();
    assert_eq!(office.hooks.attempts(hook.id).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_for_a_day_is_given_up() {
    let clock = Arc::new(FixedClock::new(Timestamp::from_secs(1_795_000_000)));
    let office = Office::with(clock.clone()).await;
    let hook = office.hook(WebhookMode::After).await;
    let running =
        tokio::spawn(office.hooks.clone().run(office.store.clone(), std::future::pending()));
    (0..100).for_each(|_| office.callee.answer_raw(""));
    office.alias("a").await.unwrap();
    let state = || office.store.webhook_state(hook.id).unwrap().unwrap();
    let until = async |is_so: &dyn Fn() -> bool| {
        while !is_so() {
            // The paused time goes on, and the waits of the hook with it.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    until(&|| state().failing_since.is_some()).await;
    let begun = clock.now().secs();
    clock.advance(24 * 3_600 - 1);
    let tried = office.hooks.attempts(hook.id).len();
    until(&|| office.hooks.attempts(hook.id).len() > tried + 1).await;
    assert_eq!(state().gave_up_at, None, "a second is left");
    clock.advance(1);
    until(&|| state().gave_up_at.is_some()).await;
    let last = state();
    assert_eq!(last.failing_since, Some(Timestamp::from_secs(begun)));
    assert_eq!(last.last_error.as_deref(), Some("no answer in time"));
    let tried = office.hooks.attempts(hook.id).len();
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    assert_eq!(office.hooks.attempts(hook.id).len(), tried, "it is left alone");
    running.abort();
}

#[tokio::test]
async fn the_last_attempts_outlive_a_restart() {
    let office = Office::new().await;
    let hook = office.hook(WebhookMode::Before).await;
    for n in 0..25 {
        office.alias(&format!("a{n}")).await.unwrap();
    }
    let before = office.hooks.attempts(hook.id);
    assert_eq!(before.len(), 25);
    // Stopping puts what is new into the store.
    office.hooks.clone().run(office.store.clone(), std::future::ready(())).await;
    let lookup: crate::Lookup = Arc::new(|_| Box::pin(async { None }));
    let again = Hooks::new(&office.store, Arc::new(SystemClock), lookup, vec![443]);
    assert_eq!(again.attempts(hook.id), before[..20]);
    assert!(office.store.delete_webhook(hook.id).await.unwrap());
    assert_eq!(office.store.webhook_attempts(hook.id).unwrap(), None);
}

#[tokio::test]
async fn groups_are_asked_about_however_they_come() {
    let office = Office::new().await;
    let hook = office.hook(WebhookMode::Before).await;
    let hook = Webhook { events: vec!["group".to_owned()], ..hook };
    assert!(office.store.change_webhook(hook).await.unwrap());
    let group = store::Group {
        name: "staff".to_owned(),
        domain: DomainName::parse("office.test").unwrap(),
        address: None,
        members: Vec::new(),
        groups: Vec::new(),
        outside: Vec::new(),
        description: String::new(),
    };
    office.callee.answer(403, r#"{"message":"no more groups"}"#);
    let refused = office.store.create_group(group.clone()).await;
    assert!(matches!(&refused, Err(StoreError::Vetoed(text)) if text == "no more groups"));
    office.store.create_group(group.clone()).await.unwrap();
    office.callee.answer(403, r#"{"message":"it stays"}"#);
    let change =
        store::GroupChange { description: Some("x".to_owned()), ..store::GroupChange::default() };
    let refused = office.store.update_group(group.name, group.domain, change).await;
    assert!(matches!(&refused, Err(StoreError::Vetoed(text)) if text == "it stays"));
}
