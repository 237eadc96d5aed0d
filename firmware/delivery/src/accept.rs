//! The moment a message becomes ours: one transaction puts local copies into mailboxes and the rest
//! into the spool. RFC 5321 §4.2.5, §6.1.
//!
//! Limits: `rcpt_max` of the budget is kept by the server; an alias has at most 1,000 targets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::{AccountId, Address, BlobId, QueueId};
use store::{
    Delivered, Envelope, Flags, LocalTarget, NewQueueEntry, Notify, Resolution, Staged,
    TargetMailbox,
};

use message::dsn::{Action, Report};

use crate::notice::About;
use crate::{AcceptError, Delivery};

/// More `Received` fields than this are a loop (RFC 5321 §6.3 asks for at least 100).
const RECEIVED_MAX: u32 = 100;

/// One RCPT that was answered with 250.
#[derive(Clone, Debug)]
pub struct Rcpt {
    /// Forward-path.
    pub address: Address,
    /// ORCPT as given, decoded from xtext: `rfc822;…` (RFC 3461 §4.2).
    pub orcpt: Option<String>,
    /// NOTIFY (RFC 3461 §4.1).
    pub notify: Notify,
}

/// A whole message with its envelope.
#[derive(Clone, Debug)]
pub struct AcceptedMessage {
    /// MAIL FROM.
    pub envelope: Envelope,
    /// RCPT TO.
    pub recipients: Vec<Rcpt>,
    /// The message with our Return-Path and Received fields on top.
    pub staged: Staged,
    /// Bytes at its start that are for local copies only (the Return-Path field).
    pub skip: u32,
    /// The account that is logged in.
    pub authenticated: Option<AccountId>,
    /// The server session, for the log.
    pub session: String,
    /// The client, for the log.
    pub peer: IpAddr,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Accepted {
    /// The spool's entry, if there are recipients elsewhere.
    pub queue_id: Option<QueueId>,
    /// How many mailboxes have a copy.
    pub local_copies: usize,
}

/// Where the recipients of one message are.
#[derive(Debug, Default)]
struct Route {
    local: BTreeSet<AccountId>,
    /// By [`Address::key`], so that no address gets two copies.
    remote: BTreeMap<String, (Address, Option<String>, Notify)>,
    /// Recipients with a copy here whose sender wants to know that it arrived.
    to_confirm: Vec<Rcpt>,
}

impl Delivery {
    /// Takes responsibility for a message: when this returns `Ok`, all of it is durable; otherwise
    /// nothing was kept.
    ///
    /// # Errors
    /// See [`AcceptError`].
    pub async fn accept(&self, message: AcceptedMessage) -> Result<Accepted, AcceptError> {
        if message.staged.structure().received > RECEIVED_MAX {
            return Err(AcceptError::MailLoop);
        }
        if message.recipients.is_empty() {
            return Err(AcceptError::NoRecipient);
        }
        self.check_sender(&message)?;
        let route = self.route(&message.recipients)?;
        let remote = (!route.remote.is_empty()).then(|| NewQueueEntry {
            envelope: message.envelope.clone(),
            recipients: route.remote.into_values().collect(),
            skip: message.skip,
        });
        let local = route.local.into_iter().map(into_inbox).collect();
        let delivery = store::Delivery { message: message.staged.clone(), local, remote };
        let delivered = self.store().deliver(delivery).await?;
        log_accepted(&message, &delivered);
        if let Some(blob) = delivered.blob {
            self.confirm(&message, blob, &route.to_confirm).await;
        }
        Ok(Accepted { queue_id: delivered.queue, local_copies: delivered.local.len() })
    }

    /// The success reports of NOTIFY=SUCCESS (RFC 3461 §5.2.3). They are news about a mail that has
    /// arrived; that one cannot be made does not undo it.
    async fn confirm(&self, message: &AcceptedMessage, blob: BlobId, to_confirm: &[Rcpt]) {
        if to_confirm.is_empty() {
            return;
        }
        let now = self.clock().now();
        let reports: Vec<Report> = to_confirm
            .iter()
            .map(|rcpt| Report::delivered(rcpt.address.clone(), rcpt.orcpt.clone(), now))
            .collect();
        let about = About {
            envelope: &message.envelope,
            blob: &blob,
            size: message.staged.size(),
            skip: message.skip,
            arrived_at: now,
            unique: &message.session,
        };
        let sent = match self.notice(about, Action::Delivered, &reports) {
            Ok(Some(notice)) => self.store().deliver(notice).await.map(drop),
            Ok(None) => Ok(()),
            Err(err) => Err(err),
        };
        if let Err(err) = sent {
            tracing::warn!(session = %message.session, err = %err, "no success report was made");
        }
    }

    fn check_sender(&self, message: &AcceptedMessage) -> Result<(), AcceptError> {
        let (Some(id), Some(address)) = (message.authenticated, &message.envelope.reverse_path)
        else {
            return Ok(());
        };
        if self.store().may_send_as(id, address)? {
            return Ok(());
        }
        Err(AcceptError::SenderNotYours)
    }

    fn route(&self, recipients: &[Rcpt]) -> Result<Route, AcceptError> {
        let mut route = Route::default();
        for rcpt in recipients {
            match self.store().resolve(&rcpt.address)? {
                Resolution::Known { accounts, remote } => {
                    if rcpt.notify.success && !accounts.is_empty() {
                        route.to_confirm.push(rcpt.clone());
                    }
                    route.local.extend(accounts);
                    for target in remote {
                        // RFC 3461 §5.2.7: the alias stays the original recipient.
                        let orcpt = rcpt.orcpt.clone();
                        let orcpt = orcpt.or_else(|| Some(format!("rfc822;{}", rcpt.address)));
                        route.remote.entry(target.key()).or_insert((target, orcpt, rcpt.notify));
                    }
                }
                // Unknown now, though RCPT was answered with 250: the address went in between. The
                // queue finds that out too and bounces it, which the others need not suffer from.
                Resolution::NotLocal | Resolution::Unknown => {
                    let entry = (rcpt.address.clone(), rcpt.orcpt.clone(), rcpt.notify);
                    route.remote.entry(rcpt.address.key()).or_insert(entry);
                }
            }
        }
        Ok(route)
    }
}

pub(crate) fn into_inbox(account: AccountId) -> LocalTarget {
    LocalTarget { account, mailbox: TargetMailbox::Inbox, flags: Flags::default() }
}

fn log_accepted(message: &AcceptedMessage, delivered: &Delivered) {
    tracing::info!(
        session = %message.session,
        peer = %message.peer,
        account = message.authenticated.map(tracing::field::display),
        queue_id = delivered.queue.map(tracing::field::display),
        size = message.staged.size(),
        recipients = message.recipients.len(),
        "received"
    );
    for (account, mailbox, uid) in &delivered.local {
        tracing::info!(
            session = %message.session,
            account = %account,
            mailbox = %mailbox,
            uid = %uid,
            "delivered"
        );
    }
}
