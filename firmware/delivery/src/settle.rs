//! What an attempt means for the spool: settled, tried again, given up; and who is told. All of it,
//! the notices included, is one transaction of the store.

use std::time::Duration;

use base::{Kind, Timestamp};
use message::dsn::{Action, Report};
use store::{
    Delivery as StoreDelivery, QueueEntry, QueueRecipient, RecipientState, RecipientUpdate,
    StoreError,
};

use crate::Delivery;
use crate::attempt::Outcome;
use crate::backoff::{DELAY_NOTICE_SECS, EXPIRY_ATTEMPTS_MIN, EXPIRY_SECS, next_attempt};
use crate::client::{Verdict, Word};
use crate::notice::About;

/// Between attempts to write what became of a message.
const SETTLE_PAUSE: Duration = Duration::from_secs(5);
/// Where a notice cannot be made now, its recipient waits this long.
const NOTICE_RETRY_SECS: i64 = 300;

/// The updates of an entry and the reports that go with them.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub(crate) updates: Vec<RecipientUpdate>,
    pub(crate) failed: Vec<Report>,
    pub(crate) delayed: Vec<Report>,
    pub(crate) relayed: Vec<Report>,
    pub(crate) delivered: Vec<Report>,
}

/// What happened to one recipient, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Relayed,
    Deferred,
    Bounced,
    Expired,
}

fn report(recipient: &QueueRecipient, word: &Word, now: Timestamp) -> Report {
    Report {
        recipient: recipient.address.clone(),
        orcpt: recipient.orcpt.clone(),
        status: word.status.clone(),
        remote_host: recipient.last_host.clone(),
        reply: Some(word.text.clone()).filter(|text| !text.is_empty()),
        is_smtp_reply: word.is_smtp_reply,
        last_attempt_at: now,
        will_retry_until: None,
    }
}

impl Decision {
    /// Weighs one outcome.
    fn weigh(&mut self, entry: &QueueEntry, outcome: &Outcome, now: Timestamp) {
        let Some(recipient) = entry.recipients.get(outcome.index) else { return };
        let mut recipient = recipient.clone();
        recipient.attempts = recipient.attempts.saturating_add(1);
        recipient.last_host.clone_from(&outcome.host);
        let change = match &outcome.verdict {
            Verdict::Delivered { reply, dsn_passed } => {
                recipient.state = RecipientState::Delivered;
                recipient.last_reply = Some(reply.clone());
                // RFC 3461 §5.2.2: where the other side makes no report, we say how far it came.
                if recipient.notify.success && !dsn_passed {
                    let word = Word {
                        status: "2.0.0".to_owned(),
                        text: reply.clone(),
                        is_smtp_reply: true,
                    };
                    self.relayed.push(report(&recipient, &word, now));
                }
                Change::Relayed
            }
            Verdict::Permanent(word) => {
                self.give_up(&mut recipient, word, now);
                Change::Bounced
            }
            Verdict::Temporary(word) => self.put_off(entry, &mut recipient, word, now),
        };
        log_change(entry, &recipient, change, now);
        self.updates.push(RecipientUpdate { index: outcome.index, recipient });
    }

    fn give_up(&mut self, recipient: &mut QueueRecipient, word: &Word, now: Timestamp) {
        recipient.state = RecipientState::Failed;
        recipient.last_reply = Some(word.text.clone());
        if recipient.notify.failure {
            self.failed.push(report(recipient, word, now));
        }
    }

    fn put_off(
        &mut self,
        entry: &QueueEntry,
        recipient: &mut QueueRecipient,
        word: &Word,
        now: Timestamp,
    ) -> Change {
        let age = now.secs() - entry.queued_at.secs();
        if age >= EXPIRY_SECS && recipient.attempts >= EXPIRY_ATTEMPTS_MIN {
            // RFC 3463 §3.5: X.4.7, delivery time expired.
            let expired = Word { status: "4.4.7".to_owned(), ..word.clone() };
            self.give_up(recipient, &expired, now);
            return Change::Expired;
        }
        recipient.last_reply = Some(word.text.clone());
        recipient.next_attempt_at =
            next_attempt(entry.id, recipient.attempts, entry.queued_at, now);
        if age >= DELAY_NOTICE_SECS && !recipient.delay_notified && recipient.notify.delay {
            recipient.delay_notified = true;
            let until = entry.queued_at.plus_secs(EXPIRY_SECS);
            let delayed = report(recipient, word, now);
            self.delayed.push(Report { will_retry_until: Some(until), ..delayed });
        }
        Change::Deferred
    }
}

/// Weighs all outcomes of an attempt.
pub(crate) fn decide(entry: &QueueEntry, outcomes: &[Outcome], now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    for outcome in outcomes {
        decision.weigh(entry, outcome, now);
    }
    decision
}

impl Delivery {
    /// Writes what an attempt gave; comes back when it is durable, or when the store is closed.
    ///
    /// A message that was handed over and not written down would be sent again: so this does not
    /// give up while the disk is full.
    pub(crate) async fn settle(
        &self,
        entry: &QueueEntry,
        mut decision: Decision,
        further: Vec<StoreDelivery>,
    ) {
        let mut notices = self.notices(entry, &mut decision);
        notices.extend(further);
        loop {
            let done =
                self.store().queue_settle(entry.id, decision.updates.clone(), notices.clone());
            match done.await {
                Ok(()) => return,
                Err(StoreError::Closed) => return,
                Err(err) => {
                    tracing::error!(queue_id = %entry.id, err = %err, "the queue cannot be written");
                    if err.kind() != Kind::Temporary {
                        // A target of a notice or a copy went meanwhile: all but what was handed
                        // over is thought over again.
                        notices.clear();
                        put_back(&mut decision.updates, self.clock().now());
                    }
                }
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
            // An admin may have deleted the entry meanwhile.
            if matches!(self.store().queue_entry(entry.id), Ok(None)) {
                return;
            }
        }
    }

    /// The notices of a decision. Where one cannot be made (disk full), recipients that were given
    /// up stay in the queue for another while: a bounce is owed to the sender.
    fn notices(&self, entry: &QueueEntry, decision: &mut Decision) -> Vec<StoreDelivery> {
        let unique = format!("{}.{}", entry.id, entry.queued_at.0);
        let about = About {
            envelope: &entry.envelope,
            blob: &entry.blob,
            size: entry.size,
            skip: entry.skip,
            arrived_at: entry.queued_at,
            unique: &unique,
        };
        let mut notices = Vec::new();
        for (action, reports) in [
            (Action::Failed, &decision.failed),
            (Action::Delayed, &decision.delayed),
            (Action::Relayed, &decision.relayed),
            (Action::Delivered, &decision.delivered),
        ] {
            match self.notice(about, action, reports) {
                Ok(notice) => notices.extend(notice),
                Err(err) => {
                    tracing::error!(queue_id = %entry.id, err = %err, "a notice could not be made");
                    if action == Action::Failed {
                        put_back(&mut decision.updates, self.clock().now());
                    }
                }
            }
        }
        notices
    }
}

/// Makes recipients pending again that were given up, and whose sender wants to know, and those whose
/// copy was to be local. What another host has taken stays settled.
fn put_back(updates: &mut [RecipientUpdate], now: Timestamp) {
    for update in updates {
        let recipient = &mut update.recipient;
        let was_failed = recipient.state == RecipientState::Failed && recipient.notify.failure;
        let was_local =
            recipient.state == RecipientState::Delivered && recipient.last_host.is_none();
        if was_failed || was_local {
            recipient.state = RecipientState::Pending;
            recipient.next_attempt_at = now.plus_secs(NOTICE_RETRY_SECS);
        }
    }
}

fn log_change(entry: &QueueEntry, recipient: &QueueRecipient, change: Change, now: Timestamp) {
    let word = match change {
        Change::Relayed => "relayed",
        Change::Deferred => "deferred",
        Change::Bounced => "bounced",
        Change::Expired => "expired",
    };
    tracing::info!(
        queue_id = %entry.id,
        to = %recipient.address,
        host = recipient.last_host.as_deref(),
        reply = recipient.last_reply.as_deref(),
        attempts = recipient.attempts,
        delay_ms = now.0.saturating_sub(entry.queued_at.0),
        "{word}"
    );
}

#[cfg(test)]
mod tests {
    use base::{Address, BlobId, QueueId};
    use store::{Envelope, Notify};

    use super::*;

    fn entry(notify: Notify) -> QueueEntry {
        let recipient = QueueRecipient {
            address: Address::parse("b@x.test").unwrap(),
            orcpt: None,
            notify,
            state: RecipientState::Pending,
            next_attempt_at: Timestamp::from_secs(0),
            attempts: 0,
            last_reply: None,
            last_host: None,
            delay_notified: false,
        };
        QueueEntry {
            id: QueueId(1),
            envelope: Envelope::default(),
            blob: BlobId(1),
            size: 10,
            skip: 0,
            queued_at: Timestamp::from_secs(0),
            hold: false,
            recipients: vec![recipient],
        }
    }

    fn outcome(verdict: Verdict) -> Outcome {
        Outcome { index: 0, verdict, host: Some("mx.x.test".to_owned()) }
    }

    #[test]
    fn a_busy_host_is_tried_until_the_mail_expires() {
        let mut entry = entry(Notify::default());
        let busy = outcome(Verdict::Temporary(Word::ours("4.4.1", "busy")));
        let (mut now, mut attempts, mut delays) = (Timestamp::from_secs(0), 0, Vec::new());
        loop {
            let decision = decide(&entry, std::slice::from_ref(&busy), now);
            attempts += 1;
            delays.extend(decision.delayed.iter().map(|_| now.secs()));
            entry.recipients[0] = decision.updates[0].recipient.clone();
            let recipient = &entry.recipients[0];
            assert_eq!(recipient.attempts, attempts);
            if recipient.state == RecipientState::Failed {
                assert_eq!(decision.failed[0].status, "4.4.7");
                break;
            }
            assert!(recipient.next_attempt_at > now && decision.failed.is_empty());
            now = recipient.next_attempt_at;
        }
        assert_eq!(now.secs(), EXPIRY_SECS);
        assert!((20..60).contains(&attempts), "{attempts}");
        assert!(delays.len() == 1 && delays[0] >= DELAY_NOTICE_SECS, "one notice: {delays:?}");
    }

    #[test]
    fn the_sender_hears_what_it_asked_for() {
        let no = outcome(Verdict::Permanent(Word::ours("5.1.1", "no")));
        let yes = |dsn_passed| outcome(Verdict::Delivered { reply: "250".to_owned(), dsn_passed });
        let never = Notify { success: false, failure: false, delay: false };
        let success = Notify { success: true, ..never };
        let reports = |notify, outcome: &Outcome| {
            let now = Timestamp::from_secs(EXPIRY_SECS);
            let decision = decide(&entry(notify), std::slice::from_ref(outcome), now);
            (decision.failed.len(), decision.relayed.len(), decision.delayed.len())
        };
        assert_eq!(reports(Notify::default(), &no), (1, 0, 0));
        assert_eq!(reports(never, &no), (0, 0, 0));
        assert_eq!(reports(success, &yes(false)), (0, 1, 0));
        assert_eq!(reports(success, &yes(true)), (0, 0, 0), "the next host reports");
        assert_eq!(reports(Notify::default(), &yes(false)), (0, 0, 0));
    }
}
