//! Hooks over a real store and a real server: answers that are none, hooks that want no more.

use std::sync::Arc;

use base::{DomainName, SystemClock};
use store::{Alias, OnFailure, Options, Store, StoreError, Webhook, WebhookMode};
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
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
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
