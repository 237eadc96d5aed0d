//! Hooks before an act: the store's gate. All hooks that want to hear of an event are asked in turn; the first
//! refusal counts.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use store::{AuditEvent, Gate, OnFailure, Origin, Via, Webhook, WebhookMode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::http::{Answer, Call, plain};
use crate::{Shared, payload};

/// An answer is here within this time, or the hook counts as failed; the one who asked waits meanwhile.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(5);
/// Questions at once: what more wants to be asked waits, within its time.
pub(crate) const AT_ONCE_MAX: usize = 16;

/// A hook that did not answer is not asked again so soon about what comes by the thousand: a sync and a
/// provisioning file would wait for each of their people.
const REST: Duration = Duration::from_secs(60);

/// The gate.
#[derive(Debug)]
pub(crate) struct Porter {
    shared: Arc<Shared>,
    places: Semaphore,
    /// Hooks that did not answer, and until when they rest.
    resting: Mutex<BTreeMap<u32, Instant>>,
}

/// What a hook says beside its refusal.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Porter {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, places: Semaphore::new(AT_ONCE_MAX), resting: Mutex::default() }
    }

    fn resting(&self) -> MutexGuard<'_, BTreeMap<u32, Instant>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a hook; `None`: it does not answer, or did not a moment ago.
    async fn answer_of(
        &self,
        hook: &Webhook,
        event: &AuditEvent,
        origin: &Origin,
    ) -> Option<Answer> {
        let is_of_many = matches!(origin.via, Via::Sync | Via::Provisioning);
        if is_of_many && self.resting().get(&hook.id).is_some_and(|until| Instant::now() < *until) {
            return None;
        }
        let body = payload::question(event, Some(origin), self.shared.clock.now());
        let id = payload::random_id("ask");
        let begun = Instant::now();
        let place = timeout(TIME_MAX, self.places.acquire()).await.ok()?;
        let time_max = TIME_MAX.saturating_sub(begun.elapsed());
        let call = Call { id: &id, event, body, seq: None, attempt: 1, time_max };
        let answer = Box::pin(self.shared.call(hook, call)).await.1;
        drop(place);
        match answer {
            Some(_) => drop(self.resting().remove(&hook.id)),
            None => {
                let (now, mut resting) = (Instant::now(), self.resting());
                // Of one that was deleted meanwhile nothing stays.
                resting.retain(|_, until| now < *until);
                resting.insert(hook.id, now + REST);
            }
        }
        answer
    }

    fn asked(&self) -> Vec<Webhook> {
        let hooks = self.shared.hooks.borrow();
        hooks.iter().filter(|hook| is_asked(hook)).cloned().collect()
    }

    async fn ask_one(
        &self,
        hook: &Webhook,
        event: &AuditEvent,
        origin: &Origin,
    ) -> Result<(), String> {
        match self.answer_of(hook, event, origin).await {
            Some(answer) if answer.is_ok() => Ok(()),
            // Too late, too many: the hook did not say what it thinks of it.
            Some(answer) if is_refusal(answer.status) => Err(text_of(&answer, hook)),
            _ if hook.on_failure == OnFailure::Allow => {
                tracing::warn!(hook = hook.name, "a webhook does not answer; the act goes on");
                Ok(())
            }
            _ => {
                tracing::warn!(hook = hook.name, "a webhook does not answer; the act is refused");
                Err(format!("the check \"{}\" does not answer, try again later", hook.name))
            }
        }
    }
}

fn is_asked(hook: &Webhook) -> bool {
    hook.enabled && hook.mode == WebhookMode::Before
}

fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && status != 408 && status != 429
}

/// The text of a refusal, for people.
fn text_of(answer: &Answer, hook: &Webhook) -> String {
    let said = serde_json::from_slice::<Refusal>(&answer.body).ok();
    let said = said.map(|said| plain(said.message.as_bytes())).filter(|text| !text.is_empty());
    said.unwrap_or_else(|| format!("refused by the check \"{}\"", hook.name))
}

impl Gate for Porter {
    fn is_asked(&self) -> bool {
        self.shared.hooks.borrow().iter().any(is_asked)
    }

    fn wants(&self, event: &AuditEvent) -> bool {
        self.shared.hooks.borrow().iter().any(|hook| is_asked(hook) && hook.wants(event))
    }

    fn ask<'a>(
        &'a self,
        event: &'a AuditEvent,
        origin: &'a Origin,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            for hook in self.asked().iter().filter(|hook| hook.wants(event)) {
                self.ask_one(hook, event, origin).await?;
            }
            Ok(())
        })
    }
}
