//! One attempt to bring an entry to one destination: the hosts in turn, the transaction, the verdict
//! of each recipient.
//!
//! Limits: 100 recipients of one transaction (RFC 5321 §4.5.3.1.8 promises no more).

use store::{BodyType, Envelope, QueueEntry, QueueRecipient, READ_MAX};

use crate::Delivery;
use crate::client::{Client, ClientError, NO_ANSWER, Peer, TlsUse, To, Transaction, Verdict, Word};
use crate::outbound::Stage;
use crate::route::{Destination, NoRoute};

/// RFC 5321 §4.5.3.1.8.
const TRANSACTION_RCPT_MAX: usize = 100;
/// Of a header section this much is looked through for octets above 127.
const HEADER_LOOKED_AT: u64 = READ_MAX as u64;

/// What one recipient got, and from whom.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Index in the entry.
    pub(crate) index: usize,
    pub(crate) verdict: Verdict,
    /// The host that said it.
    pub(crate) host: Option<String>,
}

/// One verdict for all of `indices`.
fn all(indices: &[usize], verdict: &Verdict, host: Option<&str>) -> Vec<Outcome> {
    let host = host.map(str::to_owned);
    let outcome = |&index| Outcome { index, verdict: verdict.clone(), host: host.clone() };
    indices.iter().map(outcome).collect()
}

impl Delivery {
    /// Tries the recipients `indices` of `entry`, which all go to `destination`.
    pub(crate) async fn attempt(
        &self,
        entry: &QueueEntry,
        destination: &Destination,
        indices: &[usize],
    ) -> Vec<Outcome> {
        let Destination::Domain(domain) = destination else {
            let settings = self.store().settings();
            return self
                .attempt_route(entry, self.route_smarthost(&settings.outbound).await, indices)
                .await;
        };
        if let Some(word) = self.inner.resting.word(destination) {
            return all(indices, &Verdict::Temporary(word), None);
        }
        let outcomes = self.attempt_route(entry, self.route_domain(domain).await, indices).await;
        if let Some(Outcome { verdict: Verdict::Temporary(word), .. }) = outcomes.first()
            && !word.is_smtp_reply
            && word.status == NO_ANSWER
        {
            self.inner.resting.begin(destination.clone(), word.clone());
        }
        outcomes
    }

    async fn attempt_route(
        &self,
        entry: &QueueEntry,
        route: Result<Vec<Peer>, NoRoute>,
        indices: &[usize],
    ) -> Vec<Outcome> {
        match route {
            Ok(peers) => self.attempt_peers(entry, &peers, indices).await,
            Err(NoRoute { is_permanent: true, word, .. }) => {
                all(indices, &Verdict::Permanent(word), None)
            }
            Err(NoRoute { word, .. }) => all(indices, &Verdict::Temporary(word), None),
        }
    }

    /// The hosts in turn, until one of them says something about the recipients.
    pub(crate) async fn attempt_peers(
        &self,
        entry: &QueueEntry,
        peers: &[Peer],
        indices: &[usize],
    ) -> Vec<Outcome> {
        let mut last = (Verdict::Temporary(Word::ours("4.4.1", "no host to ask")), None);
        for peer in peers {
            match self.attempt_peer(entry, peer, indices).await {
                Ok(outcomes) => return outcomes,
                Err(err) => {
                    tracing::debug!(
                        queue_id = %entry.id,
                        host = %peer.host,
                        address = %peer.address,
                        err = %err,
                        "a host could not be used"
                    );
                    last = (Verdict::broken(&err), Some(peer.host.clone()));
                }
            }
        }
        all(indices, &last.0, last.1.as_deref())
    }

    /// A session that broke before it said anything about the recipients is an error: the next host
    /// may do better.
    async fn attempt_peer(
        &self,
        entry: &QueueEntry,
        peer: &Peer,
        indices: &[usize],
    ) -> Result<Vec<Outcome>, ClientError> {
        let mut outcomes = Vec::with_capacity(indices.len());
        for group in indices.chunks(TRANSACTION_RCPT_MAX) {
            match self.attempt_group(entry, peer, group).await {
                Ok(found) => outcomes.extend(found),
                Err(err) if outcomes.is_empty() => return Err(err),
                Err(err) => outcomes.extend(all(group, &Verdict::broken(&err), Some(&peer.host))),
            }
        }
        Ok(outcomes)
    }

    /// One transaction in a session of its own: one that was refused or broke half-way leaves the
    /// other side in a state (nested MAIL, late replies) that the next must not meet.
    async fn attempt_group(
        &self,
        entry: &QueueEntry,
        peer: &Peer,
        group: &[usize],
    ) -> Result<Vec<Outcome>, ClientError> {
        let mut client = self.open(peer).await?;
        let is_exchanger = peer.tls == TlsUse::Opportunistic;
        // RFC 5321 §6.3: we have come to ourselves.
        if is_exchanger && client.greeted_as == self.hostname().to_ascii_lowercase() {
            client.quit().await;
            let word = Word::ours("5.4.6", "mail for this domain comes back to this server");
            return Ok(all(group, &Verdict::Permanent(word), Some(&peer.host)));
        }
        let verdicts = self.transact(&mut client, entry, group).await?;
        client.quit().await;
        let host = Some(peer.host.clone());
        let outcome = |(&index, verdict)| Outcome { index, verdict, host: host.clone() };
        Ok(group.iter().zip(verdicts).map(outcome).collect())
    }

    /// Opens a session; where opportunistic TLS fails, another one without (RFC 7435 §3).
    async fn open(&self, peer: &Peer) -> Result<Client, ClientError> {
        let Some(tls) = self.tls() else {
            return Err(ClientError {
                stage: Stage::Tls,
                cause: crate::client::Cause::TlsNotOffered,
            });
        };
        match Box::pin(Client::open(peer, tls)).await {
            Err(err) if err.stage == Stage::Tls && peer.tls == TlsUse::Opportunistic => {
                tracing::debug!(host = %peer.host, err = %err, "TLS failed, going on without");
                let plain = Peer { tls: TlsUse::Never, ..peer.clone() };
                Box::pin(Client::open(&plain, tls)).await
            }
            outcome => outcome,
        }
    }

    async fn transact(
        &self,
        client: &mut Client,
        entry: &QueueEntry,
        group: &[usize],
    ) -> Result<Vec<Verdict>, ClientError> {
        let recipients: Vec<&QueueRecipient> =
            group.iter().filter_map(|&index| entry.recipients.get(index)).collect();
        let skip = u64::from(entry.skip);
        let content = |offset: u64, len: usize| {
            let bytes = self.store().read(&entry.blob, skip + offset, len.min(READ_MAX));
            bytes.map_err(|err| err.to_string())
        };
        let Envelope { reverse_path, body, ret, envid, .. } = &entry.envelope;
        let mail = Transaction {
            reverse_path: reverse_path.as_ref(),
            recipients: recipients.iter().map(|r| to(r)).collect(),
            size: entry.size.saturating_sub(skip),
            is_8bit: *body == BodyType::EightBitMime,
            needs_smtputf8: self.needs_smtputf8(entry, &recipients),
            ret: *ret,
            envid: envid.as_deref(),
            content: &content,
        };
        Box::pin(client.send(&mail)).await
    }

    /// RFC 6531 §3.3: SMTPUTF8 is needed for addresses beyond US-ASCII, and where the submitter asked
    /// for it and the header has such text. Asked for without need, it does not stop the mail.
    fn needs_smtputf8(&self, entry: &QueueEntry, recipients: &[&QueueRecipient]) -> bool {
        let sender = entry.envelope.reverse_path.iter();
        if recipients.iter().map(|r| &r.address).chain(sender).any(|a| a.needs_smtputf8()) {
            return true;
        }
        if !entry.envelope.smtputf8 {
            return false;
        }
        let skip = u64::from(entry.skip);
        let Ok(structure) = self.store().structure(&entry.blob) else { return true };
        let len = structure.root.body_start.saturating_sub(skip).min(HEADER_LOOKED_AT);
        let len = usize::try_from(len).unwrap_or(READ_MAX);
        self.store().read(&entry.blob, skip, len).map_or(true, |header| !header.is_ascii())
    }
}

fn to(recipient: &QueueRecipient) -> To<'_> {
    To { address: &recipient.address, orcpt: recipient.orcpt.as_deref(), notify: recipient.notify }
}
