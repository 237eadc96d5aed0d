//! Acts on the spool.

use super::{Answer, Entry, Model, Recipient, refuse};
use crate::act::{Delivery, Settled};

impl Model {
    /// A delivery was told this queue id, which acts of unknown outcome may have put off.
    pub(crate) fn learn_queue_id(&mut self, told: &str) {
        let id = told.rsplit_once("Some(").and_then(|(_, id)| id.strip_suffix(')')?.parse().ok());
        if let Some(ahead) = id.and_then(|id: u64| id.checked_sub(self.next_queue))
            && ahead <= self.queue_ids_in_doubt
        {
            self.next_queue += ahead;
            self.queue_ids_in_doubt -= ahead;
        }
    }

    pub(super) fn enqueue(&mut self, delivery: &Delivery, now: i64) -> Option<u64> {
        if delivery.remote.is_empty() {
            return None;
        }
        let id = self.next_queue;
        self.next_queue += 1;
        let recipient = |address: &String| Recipient {
            address: address.clone(),
            state: "Pending",
            next_attempt_at: now,
        };
        let entry = Entry {
            content: delivery.content,
            queued_at: now,
            hold: false,
            recipients: delivery.remote.iter().map(recipient).collect(),
        };
        self.queue.insert(id, entry);
        Some(id)
    }

    pub(super) fn settle(
        &mut self,
        id: u64,
        updates: &[(usize, String, Settled)],
        notice: Option<&Delivery>,
        now: i64,
    ) -> Answer {
        let Some(entry) = self.queue.get_mut(&id) else { return Ok("done".to_owned()) };
        for (index, _, settled) in updates {
            let Some(recipient) = entry.recipients.get_mut(*index) else {
                return refuse("Misuse");
            };
            (recipient.state, recipient.next_attempt_at) = match settled {
                Settled::Delivered => ("Delivered", 0),
                Settled::Failed => ("Failed", 0),
                Settled::Later(at) => ("Pending", *at),
            };
        }
        if entry.recipients.iter().all(|r| r.state != "Pending") {
            self.queue.remove(&id);
        }
        if let Some(notice) = notice {
            self.deliver(notice, now)?;
        }
        Ok("done".to_owned())
    }

    pub(super) fn hold(&mut self, id: u64, on: bool, now: i64) -> String {
        let Some(entry) = self.queue.get_mut(&id) else { return false.to_string() };
        entry.hold = on;
        self.note(now, if on { "queue.hold" } else { "queue.release" }, &id.to_string());
        true.to_string()
    }

    pub(super) fn retry(&mut self, id: u64, now: i64) -> String {
        let Some(entry) = self.queue.get_mut(&id) else { return false.to_string() };
        for recipient in entry.recipients.iter_mut().filter(|r| r.state == "Pending") {
            recipient.next_attempt_at = now;
        }
        self.note(now, "queue.retry", &id.to_string());
        true.to_string()
    }
}
