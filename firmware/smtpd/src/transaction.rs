//! MAIL and RCPT: the envelope comes together. RFC 5321 §3.3, §4.1.1.2, §4.1.1.3.

use base::Address;
use delivery::{RcptVerdict, SenderVerdict};
use smtp::{Body, ForwardPath, HelloKind, Mail, Rcpt, Reply, Return};
use store::{BodyType, Envelope, Notify, Ret};

use crate::body::Incoming;
use crate::session::{Next, Session};
use crate::{Role, limits, replies};

/// A mail transaction from MAIL to the end of its data.
pub(crate) struct Transaction {
    pub(crate) envelope: Envelope,
    pub(crate) recipients: Vec<delivery::Rcpt>,
    /// What SIZE= said, 0 if nothing.
    pub(crate) size: u64,
    /// The body, once BDAT has begun.
    pub(crate) chunks: Option<Box<Incoming>>,
}

impl Session {
    pub(crate) fn mail(&mut self, mail: Mail) -> Next {
        if self.counters.transactions >= limits::TRANSACTIONS_MAX {
            self.say(&replies::TOO_MANY_MESSAGES);
            return Next::Close;
        }
        if let Some(refusal) = self.mail_refusal(&mail) {
            return self.conclude(&refusal);
        }
        self.counters.transactions += 1;
        let size = mail.size.unwrap_or(0);
        let envelope = envelope(mail);
        self.transaction =
            Some(Transaction { envelope, recipients: Vec::new(), size, chunks: None });
        self.conclude(&replies::SENDER_OK)
    }

    fn mail_refusal(&self, mail: &Mail) -> Option<Reply> {
        if self.hello.is_none() {
            return Some(if self.role == Role::Lmtp {
                replies::LHLO_FIRST
            } else {
                replies::HELLO_FIRST
            });
        }
        if let Some(refusal) = self.login_refusal() {
            return Some(refusal);
        }
        if self.transaction.is_some() {
            return Some(replies::NESTED_MAIL);
        }
        let ctx = self.conn.ctx();
        // RFC 1870 §6.1.
        if mail.size.is_some_and(|size| size > ctx.budget.message_bytes_max) {
            return Some(replies::TOO_LARGE);
        }
        if ctx.store.disk_is_low() {
            return Some(replies::DISK_FULL);
        }
        let account = self.account.as_ref()?;
        match self.delivery.verify_sender(account, mail.reverse_path.as_ref()) {
            SenderVerdict::Allowed => None,
            SenderVerdict::NotYours => Some(replies::NOT_YOUR_ADDRESS),
            SenderVerdict::TryLater => Some(replies::LATER),
        }
    }

    pub(crate) async fn rcpt(&mut self, rcpt: Rcpt) -> Next {
        let (reply, address) = self.judge(&rcpt).await;
        if let Some(address) = address {
            if let Some(transaction) = &mut self.transaction {
                transaction.recipients.push(delivery::Rcpt {
                    address,
                    orcpt: rcpt.orcpt,
                    notify: rcpt.notify.map_or_else(Notify::default, |notify| Notify {
                        success: notify.success,
                        failure: notify.failure,
                        delay: notify.delay,
                    }),
                });
            }
            self.say(&reply);
            return Next::Command;
        }
        self.refuse_rcpt(&reply)
    }

    /// The reply, and the address if it is taken.
    async fn judge(&self, rcpt: &Rcpt) -> (Reply, Option<Address>) {
        if let Some(refusal) = self.login_refusal() {
            return (refusal, None);
        }
        let Some(transaction) = &self.transaction else { return (replies::MAIL_FIRST, None) };
        if transaction.chunks.is_some() {
            return (replies::IN_BDAT, None);
        }
        // RFC 5321 §4.5.3.1.10.
        let most = self.conn.ctx().budget.rcpt_max;
        if transaction.recipients.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return (replies::TOO_MANY_RCPT, None);
        }
        let Some(address) = self.address_of(&rcpt.path) else {
            return (replies::UNKNOWN_USER, None);
        };
        // RFC 6531 §3.4.
        if address.needs_smtputf8() && !transaction.envelope.smtputf8 {
            return (replies::RCPT_NEEDS_UTF8, None);
        }
        let account = self.account.as_ref();
        let verdict = self.delivery.verify_rcpt(&address, account, transaction.size).await;
        let taken = matches!(verdict, RcptVerdict::Local | RcptVerdict::Relay);
        (replies::of_verdict(verdict), taken.then_some(address))
    }

    /// The address of a path; `<postmaster>` is the postmaster of the first domain.
    fn address_of(&self, path: &ForwardPath) -> Option<Address> {
        match path {
            ForwardPath::Address(address) => Some(address.clone()),
            // RFC 5321 §4.5.1.
            ForwardPath::Postmaster => {
                let domains = self.conn.ctx().store.domain_names().ok()?;
                Address::new("postmaster", domains.into_iter().next()?).ok()
            }
        }
    }

    /// Refused recipients have a count of their own: a sender to a long list with some old addresses is
    /// no attacker, one that guesses names is.
    fn refuse_rcpt(&mut self, reply: &Reply) -> Next {
        self.say(reply);
        tracing::debug!(session = self.conn.session(), reply = reply.code(), "recipient refused");
        self.counters.refused_rcpt += 1;
        if self.counters.refused_rcpt < limits::REFUSED_RCPT_MAX {
            return Next::Command;
        }
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            "sent away after too many refused recipients"
        );
        self.say(&replies::TOO_MANY_ERRORS);
        Next::Close
    }

    /// What is in the way of DATA or BDAT.
    pub(crate) fn body_refusal(&self) -> Option<Reply> {
        if let Some(refusal) = self.login_refusal() {
            return Some(refusal);
        }
        match &self.transaction {
            None => Some(replies::MAIL_FIRST),
            // RFC 5321 §3.3, RFC 2033 §4.2.
            Some(transaction) if transaction.recipients.is_empty() => Some(replies::RCPT_FIRST),
            Some(_) => None,
        }
    }

    /// EHLO was said, or LHLO.
    pub(crate) fn is_extended(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.kind != HelloKind::Helo)
    }
}

fn envelope(mail: Mail) -> Envelope {
    Envelope {
        reverse_path: mail.reverse_path,
        smtputf8: mail.smtputf8,
        body: match mail.body {
            Body::SevenBit => BodyType::SevenBit,
            Body::EightBitMime => BodyType::EightBitMime,
        },
        ret: mail.ret.map(|ret| match ret {
            Return::Full => Ret::Full,
            Return::Headers => Ret::Headers,
        }),
        envid: mail.envid,
    }
}
