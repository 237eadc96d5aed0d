//! Who may still stop an act on accounts, aliases and groups: asked before the act goes to the writer, so
//! that nobody waits for the answer but the one who asks for the act.
//!
//! What the act would do is found out by doing it and giving it up. After the gate let it go on it is done
//! for good, if it still does the same; otherwise the gate is asked again, [`ROUNDS_MAX`] times.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use crate::audit::the_box;
use crate::mandate::Mandate;
use crate::writer::{Job, Order, Tx};
use crate::{AuditEvent, Origin, Store, StoreError};

/// How often an act is tried when others change the same things meanwhile.
const ROUNDS_MAX: usize = 4;
/// Events of one act that the gate is asked about: an import of more is refused.
const EVENTS_MAX: usize = 1_000;

/// Who is asked.
pub trait Gate: std::fmt::Debug + Send + Sync {
    /// True if there is anything to be asked about at all. Called before each act: it must be cheap.
    fn is_asked(&self) -> bool;

    /// True if [`Gate::ask`] wants to hear of an event like this.
    fn wants(&self, event: &AuditEvent) -> bool;

    /// Lets the act go on, or refuses it with a text for whoever asked for it. It has a time limit of its own.
    fn ask<'a>(
        &'a self,
        event: &'a AuditEvent,
        origin: &'a Origin,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;
}

/// An act that is done and given up.
struct Trial<F> {
    apply: F,
    mandate: Mandate,
    events: Option<Vec<AuditEvent>>,
    reply: Option<oneshot::Sender<Result<Vec<AuditEvent>, StoreError>>>,
}

impl<V, F> Job for Trial<F>
where
    F: FnMut(&mut Tx<'_, '_>) -> Result<V, StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> Result<(), StoreError> {
        tx.begin(&self.mandate)?;
        tx.noted = Some(Vec::new());
        (self.apply)(tx)?;
        self.events = tx.noted.take();
        // The writer gives up what an act that fails has written.
        Err(StoreError::Misuse("a trial"))
    }

    fn answer(&mut self, outcome: Result<(), StoreError>) {
        let answer = match self.events.take() {
            Some(events) => Ok(events),
            None => Err(outcome.err().unwrap_or(StoreError::Closed)),
        };
        if let Some(reply) = self.reply.take() {
            // Who asked may have gone.
            drop(reply.send(answer));
        }
    }
}

impl Store {
    /// Sets who is asked before acts on accounts, aliases and groups, until the store is closed. A gate that
    /// holds the store keeps it open until then.
    pub fn set_gate(&self, gate: Arc<dyn Gate>) {
        *self.inner.gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
    }

    /// Who is asked now, if there is anything to be asked about.
    pub(crate) fn gate(&self) -> Option<Arc<dyn Gate>> {
        let gate = self.inner.gate.lock().unwrap_or_else(PoisonError::into_inner).clone();
        gate.filter(|gate| gate.is_asked())
    }

    /// In whose name acts are done.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.mandate.origin.as_deref().cloned().unwrap_or_else(the_box)
    }

    /// As [`Store::act`], for an act that somebody may refuse.
    pub(crate) async fn act_asked<V, F>(&self, apply: F) -> Result<V, StoreError>
    where
        V: Send + 'static,
        F: FnMut(&mut Tx<'_, '_>) -> Result<V, StoreError> + Clone + Send + 'static,
    {
        let Some(gate) = self.gate() else {
            return self.act(apply).await;
        };
        for _ in 0..ROUNDS_MAX {
            let events = self.ask(&*gate, apply.clone()).await?;
            let is_other = Arc::new(AtomicBool::new(false));
            let (mut apply, tells) = (apply.clone(), Arc::clone(&is_other));
            let done = self.act(move |tx| {
                tx.noted = Some(Vec::new());
                let value = apply(tx)?;
                if tx.noted.take().as_ref() == Some(&events) {
                    return Ok(value);
                }
                tells.store(true, Ordering::Relaxed);
                Err(StoreError::Misuse("another act than the gate was asked about"))
            });
            let done = done.await;
            if !is_other.load(Ordering::Relaxed) {
                return done;
            }
        }
        Err(StoreError::Vetoed("this is being changed by somebody else, try again".to_owned()))
    }

    /// What an act would do, if the gate lets it go on.
    pub(crate) async fn ask<V, F>(
        &self,
        gate: &dyn Gate,
        apply: F,
    ) -> Result<Vec<AuditEvent>, StoreError>
    where
        V: 'static,
        F: FnMut(&mut Tx<'_, '_>) -> Result<V, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let mandate = self.mandate.clone();
        let trial = Trial { apply, mandate, events: None, reply: Some(reply) };
        let events = self.order(Order::Alone(Box::new(trial)), answer).await?;
        let wanted: Vec<&AuditEvent> = events.iter().filter(|event| gate.wants(event)).collect();
        if wanted.len() > EVENTS_MAX {
            return Err(StoreError::LimitReached("events that a webhook is asked about"));
        }
        let origin = self.origin();
        for event in wanted {
            if let Err(text) = gate.ask(event, &origin).await {
                let refused = AuditEvent::new("webhook.refused", event.target.clone())
                    .with("action", "", event.action.clone())
                    .with("reason", "", text.clone());
                self.audit(refused).await?;
                return Err(StoreError::Vetoed(text));
            }
        }
        Ok(events)
    }
}
