//! DATA and BDAT: the message comes in, piece by piece into the store's staging, and is handed to
//! `delivery`. RFC 5321 §4.1.1.4, RFC 3030 §2, RFC 2033 §4.2.
//!
//! A message that cannot be taken is read to its end all the same, so that the reply stands where the
//! client looks for it; one that goes on far beyond the limit is cut off.

use base::Address;
use delivery::AcceptedMessage;
use session::ConnError;
use smtp::{ChunkCheck, DataReader, Fault, Protocol, Received, Reply, State};
use store::{Staging, Store, StoreError};
use tokio::time::{Instant, timeout_at};

use crate::head::{Completion, Head};
use crate::session::{Next, Session};
use crate::transaction::Transaction;
use crate::{Role, limits, replies};

/// After so many bytes of a message the free space is looked at again.
const DISK_CHECK_BYTES: u64 = 1024 * 1024;

/// A message on its way into the staging.
pub(crate) struct Incoming {
    /// `None` once something went wrong; what follows is thrown away.
    staging: Option<Staging>,
    /// What went wrong.
    refusal: Option<Reply>,
    head: Head,
    /// Bytes of the Return-Path field on top.
    skip: u32,
    /// Bytes that came.
    size: u64,
    check: ChunkCheck,
    pace: Pace,
    /// Its place in the budget.
    _transit: ::session::Transit,
}

impl Incoming {
    /// Takes the next bytes of the message.
    fn push(&mut self, bytes: &[u8], store: &Store) {
        let before = self.size;
        self.size = self.size.saturating_add(bytes.len() as u64);
        // Many large messages at once may fill the disk long before one of them is whole.
        let is_at_mark = before / DISK_CHECK_BYTES != self.size / DISK_CHECK_BYTES;
        if is_at_mark && store.disk_is_low() {
            self.refuse(replies::DISK_FULL);
        }
        if self.staging.is_some() {
            let passed = self.head.push(bytes);
            self.write(&passed);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(staging) = &mut self.staging else { return };
        if bytes.is_empty() {
            return;
        }
        if let Err(err) = staging.write(bytes) {
            self.fail(&err);
        }
    }

    fn fail(&mut self, err: &StoreError) {
        if !matches!(err, StoreError::TooLarge) {
            tracing::error!(%err, "a message could not be staged");
        }
        self.refuse(replies::of_store(err));
    }

    fn refuse(&mut self, reply: Reply) {
        self.staging = None;
        self.refusal.get_or_insert(reply);
    }

    fn blame(&mut self, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.refuse(replies::of_fault(fault));
        }
    }
}

/// Watches that a body makes progress, over all its chunks.
#[derive(Clone, Copy)]
struct Pace {
    span_ends: Instant,
    bytes: u64,
}

impl Pace {
    fn new() -> Self {
        Self { span_ends: Instant::now() + limits::BODY_SPAN, bytes: 0 }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes >= limits::BODY_SPAN_BYTES {
            *self = Self::new();
        }
    }
}

/// How the reading of a body ended.
#[derive(PartialEq, Eq)]
enum Reading {
    Whole,
    /// Something that only a sloppy reader takes for the end, see [`State::LookAlike`].
    LookAlike,
    /// Far beyond the limit.
    Endless,
}

impl Session {
    pub(crate) async fn data(&mut self) -> Result<Next, ConnError> {
        if let Some(refusal) = self.body_refusal() {
            return Ok(self.conclude(&refusal));
        }
        // RFC 3030 §2: DATA and BDAT do not mix.
        if self.transaction.as_ref().is_some_and(|transaction| transaction.chunks.is_some()) {
            return Ok(self.conclude(&replies::IN_BDAT));
        }
        let Some(transaction) = self.transaction.take() else {
            return Ok(self.conclude(&replies::MAIL_FIRST));
        };
        let mut incoming = match self.begin(&transaction) {
            Ok(incoming) => incoming,
            Err(err) => return Ok(self.conclude(&staging_refusal(&err))),
        };
        self.say(&replies::go_ahead());
        self.conn.flush().await?;
        let reading = self.read_data(&mut incoming).await?;
        if reading == Reading::Whole {
            return Ok(self.finish(transaction, incoming).await);
        }
        let refusal = incoming.refusal.unwrap_or(replies::TOO_LARGE);
        self.log_refusal(&refusal);
        self.say(&refusal);
        // The client waits for a reply or does not know when to stop. What it sends now may be commands
        // to it and data to others: nobody reads it.
        self.linger().await?;
        Ok(Next::Close)
    }

    async fn read_data(&mut self, incoming: &mut Incoming) -> Result<Reading, ConnError> {
        let most = self.conn.ctx().budget.message_bytes_max.saturating_mul(2);
        let mut reader = DataReader::new();
        let mut out = Vec::new();
        let reading = loop {
            let fill = timeout_at(incoming.pace.span_ends, self.conn.fill()).await;
            let bytes = fill.unwrap_or(Err(ConnError::TimedOut))?;
            if bytes.is_empty() {
                // RFC 5321 §4.1.1.10: without the end of data there is no message.
                return Err(ConnError::Closed);
            }
            out.clear();
            let progress = reader.push(bytes, &mut out);
            self.conn.consume(progress.consumed);
            incoming.pace.count(progress.consumed);
            incoming.push(&out, &self.conn.ctx().store);
            match progress.state {
                State::End => break Reading::Whole,
                State::LookAlike => break Reading::LookAlike,
                State::More if incoming.size > most => break Reading::Endless,
                State::More => {}
            }
            // After a fault nothing comes out any more; the length still counts.
            if reader.fault().is_some() {
                incoming.size = incoming.size.saturating_add(progress.consumed as u64);
            }
        };
        incoming.blame(reader.fault());
        Ok(reading)
    }

    pub(crate) async fn bdat(&mut self, size: u64, is_last: bool) -> Result<Next, ConnError> {
        let most = self.conn.ctx().budget.message_bytes_max.saturating_mul(2);
        if size > most {
            // Nobody will wait for that many octets; and commands cannot be found behind them.
            self.say(&replies::TOO_LARGE);
            self.linger().await?;
            return Ok(Next::Close);
        }
        let refusal = self.body_refusal();
        let mut incoming = match (&refusal, &mut self.transaction) {
            (None, Some(transaction)) => transaction.chunks.take(),
            _ => None,
        };
        let mut refusal = refusal;
        if refusal.is_none() && incoming.is_none() {
            let begun = self.transaction.as_ref().map(|transaction| self.begin(transaction));
            match begun {
                Some(Ok(begun)) => incoming = Some(Box::new(begun)),
                Some(Err(err)) => refusal = Some(staging_refusal(&err)),
                None => refusal = Some(replies::MAIL_FIRST),
            }
        }
        self.read_chunk(size, incoming.as_deref_mut()).await?;
        let Some(mut incoming) = incoming else {
            // RFC 3030 §2: the octets are read even though the command is refused.
            return Ok(self.conclude(&refusal.unwrap_or(replies::MAIL_FIRST)));
        };
        if incoming.size > most {
            incoming.refuse(replies::TOO_LARGE);
        }
        if is_last {
            incoming.blame(incoming.check.finish());
            let Some(transaction) = self.transaction.take() else {
                return Ok(self.conclude(&replies::MAIL_FIRST));
            };
            return Ok(self.finish(transaction, *incoming).await);
        }
        if let Some(refusal) = incoming.refusal {
            // RFC 3030 §2: a chunk that fails takes the transaction with it.
            self.transaction = None;
            self.log_refusal(&refusal);
            return Ok(self.conclude(&refusal));
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.chunks = Some(incoming);
        }
        Ok(self.conclude(&replies::OK))
    }

    async fn read_chunk(
        &mut self,
        size: u64,
        mut incoming: Option<&mut Incoming>,
    ) -> Result<(), ConnError> {
        let mut left = size;
        let mut pace = incoming.as_ref().map_or_else(Pace::new, |incoming| incoming.pace);
        while left > 0 {
            // RFC 2920 §3.2: before a wait, what is answered goes out.
            if self.conn.buffered().is_empty() {
                self.conn.flush().await?;
            }
            let fill = timeout_at(pace.span_ends, self.conn.fill()).await;
            let bytes = fill.unwrap_or(Err(ConnError::TimedOut))?;
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            if take == 0 {
                return Err(ConnError::Closed);
            }
            if let Some(incoming) = incoming.as_deref_mut() {
                let bytes = self.conn.buffered().get(..take).unwrap_or_default();
                incoming.check.push(bytes);
                incoming.push(bytes, &self.conn.ctx().store);
            }
            self.conn.consume(take);
            pace.count(take);
            left -= take as u64;
        }
        if let Some(incoming) = incoming {
            incoming.pace = pace;
        }
        Ok(())
    }

    /// Opens the staging and writes our trace fields.
    fn begin(&self, transaction: &Transaction) -> Result<Incoming, StoreError> {
        let ctx = self.conn.ctx();
        let transit = ctx.admission.begin_message(self.conn.peer()).ok_or(StoreError::QueueFull)?;
        let now = ctx.clock.now();
        let envelope = &transaction.envelope;
        // RFC 5321 §4.4: final delivery puts Return-Path on top; what is relayed goes without it.
        let return_path = smtp::return_path(envelope.reverse_path.as_ref());
        let only = match transaction.recipients.as_slice() {
            [only] => Some(&only.address),
            _ => None,
        };
        let tls = self.conn.tls_description().map(|names| tls_names(&names));
        let id = self.transaction_id();
        let received = Received {
            hello: self.hello.as_ref().map_or("unknown", |hello| hello.name.as_str()),
            peer: self.conn.peer(),
            by: &self.hostname,
            protocol: Protocol {
                lmtp: self.role == Role::Lmtp,
                extended: self.is_extended(),
                tls: tls.is_some(),
                authenticated: self.account.is_some(),
                utf8: envelope.smtputf8,
            },
            tls: tls.as_deref(),
            id: &id,
            only_recipient: only.filter(|address| may_show(address, envelope.smtputf8)),
            at: now,
        };
        let completion = self.account.as_ref().map(|account| Completion {
            at: now,
            message_id: format!("{:x}.{id}@{}", now.0, self.hostname),
            from: envelope.reverse_path.clone().unwrap_or_else(|| account.address.clone()),
        });
        let mut staging = ctx.store.stage()?;
        staging.write(return_path.as_bytes())?;
        staging.write(received.emit().as_bytes())?;
        Ok(Incoming {
            staging: Some(staging),
            refusal: None,
            head: Head::new(completion),
            skip: u32::try_from(return_path.len()).unwrap_or(0),
            size: 0,
            check: ChunkCheck::default(),
            pace: Pace::new(),
            _transit: transit,
        })
    }

    /// Our name for the transaction, in the Received field and in the reply.
    fn transaction_id(&self) -> String {
        format!("{}.{}", self.conn.session(), self.counters.transactions)
    }

    /// The message is whole: hands it over and says what became of it.
    async fn finish(&mut self, transaction: Transaction, mut incoming: Incoming) -> Next {
        let recipients = transaction.recipients.len();
        let rest = incoming.head.finish();
        incoming.write(&rest);
        let size = incoming.size;
        let reply = self.hand_over(transaction, incoming).await;
        if reply.is_refusal() {
            self.log_refusal(&reply);
        } else {
            self.counters.idle = 0;
            tracing::debug!(session = self.conn.session(), size, "taken");
        }
        // RFC 2033 §4.2: one reply for each recipient that was taken, in order.
        let times = if self.role == Role::Lmtp { recipients } else { 1 };
        for _ in 1..times {
            self.say(&reply);
        }
        self.conclude(&reply)
    }

    async fn hand_over(&self, transaction: Transaction, incoming: Incoming) -> Reply {
        let staging = match (incoming.refusal, incoming.staging) {
            (None, Some(staging)) => staging,
            (refusal, _) => return refusal.unwrap_or(replies::LATER),
        };
        let staged = match staging.finish() {
            Ok(staged) => staged,
            Err(err) => return staging_refusal(&err),
        };
        let accepted = self
            .delivery
            .accept(AcceptedMessage {
                envelope: transaction.envelope,
                recipients: transaction.recipients,
                staged,
                skip: incoming.skip,
                authenticated: self.account.as_ref().map(|account| account.id),
                session: self.conn.session().to_owned(),
                peer: self.conn.peer(),
            })
            .await;
        match accepted {
            // RFC 5321 §6.1: this reply makes the message ours. It is durable.
            Ok(_) => Reply::new(
                250,
                smtp::Enhanced(2, 0, 0),
                format!("Ok, taken as {}", self.transaction_id()),
            ),
            Err(err) => {
                tracing::warn!(session = self.conn.session(), %err, "not accepted");
                replies::of_accept(&err)
            }
        }
    }

    fn log_refusal(&self, reply: &Reply) {
        tracing::info!(
            session = self.conn.session(),
            peer = %self.conn.peer(),
            reply = reply.code(),
            "message refused"
        );
    }
}

/// rustls' names in the form in which the registries write them.
fn tls_names(names: &str) -> String {
    names.replace("TLSv1_", "TLSv1.").replace("TLS13_", "TLS_")
}

/// RFC 6531 §3.7.3: an address beyond ASCII stands in a trace field only if the message may hold it.
fn may_show(address: &Address, smtputf8: bool) -> bool {
    smtputf8 || !address.needs_smtputf8()
}

fn staging_refusal(err: &StoreError) -> Reply {
    if !matches!(err, StoreError::TooLarge) {
        tracing::error!(%err, "a message could not be staged");
    }
    replies::of_store(err)
}
