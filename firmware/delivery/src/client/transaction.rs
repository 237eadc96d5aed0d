//! One mail transaction: MAIL, RCPT, DATA, and what each recipient got. RFC 5321 §3.3.

use std::time::Duration;

use base::Address;
use smtp::{DotStuffer, xtext_encode};
use store::{Notify, Ret};

use crate::client::{COMMAND_TIMEOUT, Cause, Client, ClientError, Offer, Reply};
use crate::outbound::Stage;

/// RFC 5321 §4.5.3.2.4 to §4.5.3.2.6.
const DATA_TIMEOUT: Duration = Duration::from_secs(2 * 60);
const BLOCK_TIMEOUT: Duration = Duration::from_secs(3 * 60);
const END_OF_DATA_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Commands on the way at once with PIPELINING; their replies fit into any window (RFC 2920 §3.1).
const PIPELINED_MAX: usize = 50;
/// Bytes of content read at once.
const CHUNK: usize = 64 * 1024;

/// A recipient of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct To<'a> {
    pub(crate) address: &'a Address,
    pub(crate) orcpt: Option<&'a str>,
    pub(crate) notify: Notify,
}

/// Gives at most so many bytes of the content from an offset; none is the end.
pub(crate) type ReadContent<'a> = dyn Fn(u64, usize) -> Result<Vec<u8>, String> + Send + Sync + 'a;

/// What is to be sent.
pub(crate) struct Transaction<'a> {
    pub(crate) reverse_path: Option<&'a Address>,
    pub(crate) recipients: Vec<To<'a>>,
    /// Bytes, as far as known.
    pub(crate) size: u64,
    /// The submitter said BODY=8BITMIME.
    pub(crate) is_8bit: bool,
    /// It cannot go without SMTPUTF8 (RFC 6531 §3.3).
    pub(crate) needs_smtputf8: bool,
    pub(crate) ret: Option<Ret>,
    pub(crate) envid: Option<&'a str>,
    pub(crate) content: &'a ReadContent<'a>,
}

/// What one recipient got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The other side took the responsibility.
    Delivered {
        reply: String,
        /// It was asked to make the success report (RFC 3461 §5.2.1).
        dsn_passed: bool,
    },
    /// Try again.
    Temporary(Word),
    /// Give up.
    Permanent(Word),
}

/// Why a recipient did not get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// RFC 3463.
    pub(crate) status: String,
    /// The other side's reply, or our reason.
    pub(crate) text: String,
    pub(crate) is_smtp_reply: bool,
}

/// RFC 3463 §3.5: no answer from the host.
pub(crate) const NO_ANSWER: &str = "4.4.1";

impl Word {
    /// A reason of ours.
    pub(crate) fn ours(status: &str, text: impl Into<String>) -> Self {
        Self { status: status.to_owned(), text: text.into(), is_smtp_reply: false }
    }

    /// The same with a status of class 4.
    pub(crate) fn into_temporary(mut self) -> Self {
        if let Some(rest) = self.status.strip_prefix('5') {
            self.status = format!("4{rest}");
        }
        self
    }

    fn of(reply: &Reply) -> Self {
        Self { status: reply.status(), text: reply.to_string(), is_smtp_reply: true }
    }
}

impl Verdict {
    /// What a refusal means.
    pub(crate) fn refused(reply: &Reply) -> Self {
        // RFC 5321 §4.5.3.1.10: 552 to RCPT once meant "too many recipients".
        if reply.is_permanent() && reply.code() != 552 {
            return Self::Permanent(Word::of(reply));
        }
        Self::Temporary(Word::of(reply).into_temporary())
    }

    /// What a broken session means.
    pub(crate) fn broken(error: &ClientError) -> Self {
        match &error.cause {
            Cause::Refused(reply) => Self::Temporary(Word::of(reply).into_temporary()),
            cause if error.stage == Stage::Connect => {
                Self::Temporary(Word::ours(NO_ANSWER, cause.to_string()))
            }
            cause => Self::Temporary(Word::ours("4.4.2", cause.to_string())),
        }
    }
}

impl Client {
    /// Runs one transaction. The verdicts stand in the order of the recipients.
    ///
    /// # Errors
    /// Only where the session broke before the other side had said anything about it.
    pub(crate) async fn send(
        &mut self,
        mail: &Transaction<'_>,
    ) -> Result<Vec<Verdict>, ClientError> {
        if let Some(word) = cannot_go(&self.offer, mail) {
            return Ok(vec![Verdict::Permanent(word); mail.recipients.len()]);
        }
        let mut verdicts: Vec<Option<Verdict>> = Vec::new();
        match self.envelope(mail, &mut verdicts).await {
            Ok(()) => {}
            Err(err) if verdicts.is_empty() => return Err(err),
            Err(err) => return Ok(complete(verdicts, mail, &Verdict::broken(&err))),
        }
        if verdicts.iter().all(Option::is_some) {
            return Ok(complete(verdicts, mail, &Verdict::Temporary(Word::ours("4.5.0", ""))));
        }
        let outcome = match self.data(mail).await {
            Ok(reply) if reply.is_positive() => {
                Verdict::Delivered { reply: reply.to_string(), dsn_passed: self.offer.dsn }
            }
            Ok(reply) if reply.is_permanent() => Verdict::Permanent(Word::of(&reply)),
            Ok(reply) => Verdict::Temporary(Word::of(&reply)),
            Err(err) => Verdict::broken(&err),
        };
        Ok(complete(verdicts, mail, &outcome))
    }

    /// MAIL and RCPT. A recipient that was refused gets its verdict, one that was taken `None`.
    async fn envelope(
        &mut self,
        mail: &Transaction<'_>,
        verdicts: &mut Vec<Option<Verdict>>,
    ) -> Result<(), ClientError> {
        let mut commands = vec![mail_command(&self.offer, mail)];
        commands.extend(mail.recipients.iter().map(|to| rcpt_command(&self.offer, to)));
        let at_once = if self.offer.pipelining { PIPELINED_MAX } else { 1 };
        let limit = self.patience.limit(COMMAND_TIMEOUT);
        let mut mail_refusal = None;
        let mut is_mail = true;
        self.wire.stage = Stage::Sender;
        for group in commands.chunks(at_once) {
            self.wire.send(group.concat().as_bytes(), limit).await?;
            for _ in group {
                let reply = self.wire.reply(limit).await?;
                if std::mem::take(&mut is_mail) {
                    if !reply.is_positive() {
                        mail_refusal = Some(Verdict::refused(&reply));
                    }
                } else if let Some(refusal) = &mail_refusal {
                    verdicts.push(Some(refusal.clone()));
                } else {
                    let is_taken = reply.is_positive();
                    verdicts.push((!is_taken).then(|| Verdict::refused(&reply)));
                }
            }
            if let Some(refusal) = mail_refusal {
                verdicts.resize(mail.recipients.len(), Some(refusal));
                return Ok(());
            }
        }
        Ok(())
    }

    /// DATA, the content and its end.
    async fn data(&mut self, mail: &Transaction<'_>) -> Result<Reply, ClientError> {
        self.wire.send(b"DATA\r\n", self.patience.limit(DATA_TIMEOUT)).await?;
        let reply = self.wire.reply(self.patience.limit(DATA_TIMEOUT)).await?;
        if reply.code() != 354 {
            // Nothing was sent yet: a 2yz here is out of step, never a success.
            if reply.code() >= 400 {
                return Ok(reply);
            }
            return Err(self.wire.failed(Cause::NotSmtp));
        }
        // RFC 5321 §4.5.2; a bare CR or LF of the content leaves as CRLF.
        let mut stuffer = DotStuffer::default();
        let mut offset = 0;
        let limit = self.patience.limit(BLOCK_TIMEOUT);
        loop {
            let chunk = (mail.content)(offset, CHUNK);
            // The connection is dropped without an end of data: the other side forgets it all.
            let chunk = chunk.map_err(|err| self.wire.failed(Cause::Content(err)))?;
            if chunk.is_empty() {
                break;
            }
            offset += chunk.len() as u64;
            let mut out = Vec::with_capacity(chunk.len() + 64);
            stuffer.push(&chunk, &mut out);
            self.wire.send(&out, limit).await?;
        }
        let mut out = Vec::new();
        stuffer.finish(&mut out);
        self.wire.send(&out, limit).await?;
        self.wire.reply(self.patience.limit(END_OF_DATA_TIMEOUT)).await
    }
}

/// Fills the gaps with what the whole transaction got.
fn complete(
    verdicts: Vec<Option<Verdict>>,
    mail: &Transaction<'_>,
    rest: &Verdict,
) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> =
        verdicts.into_iter().map(|v| v.unwrap_or_else(|| rest.clone())).collect();
    verdicts.resize(mail.recipients.len(), rest.clone());
    verdicts
}

/// What the other side's offer makes impossible.
fn cannot_go(offer: &Offer, mail: &Transaction<'_>) -> Option<Word> {
    // RFC 1870 §6.1: no need to send what will not be taken.
    if let Some(limit) = offer.size.filter(|&limit| limit > 0 && mail.size > limit) {
        let text = format!("the message has {} bytes, the server takes {limit}", mail.size);
        return Some(Word::ours("5.3.4", text));
    }
    // RFC 6531 §3.5.
    if mail.needs_smtputf8 && !offer.smtputf8 {
        let text = "the server does not take international addresses (SMTPUTF8)";
        return Some(Word::ours("5.6.7", text));
    }
    None
}

fn mail_command(offer: &Offer, mail: &Transaction<'_>) -> String {
    let mut line = match mail.reverse_path {
        Some(address) => format!("MAIL FROM:<{address}>"),
        None => "MAIL FROM:<>".to_owned(),
    };
    if offer.size.is_some() {
        line.push_str(&format!(" SIZE={}", mail.size));
    }
    // RFC 6152 §3 would have us bounce or re-encode where the other side lacks 8BITMIME. Hosts
    // without it that damage octets above 127 are gone for decades; re-encoding would break
    // signatures. So it is sent as it is.
    if mail.is_8bit && offer.eight_bit_mime {
        line.push_str(" BODY=8BITMIME");
    }
    if mail.needs_smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    if offer.dsn {
        match mail.ret {
            Some(Ret::Full) => line.push_str(" RET=FULL"),
            Some(Ret::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        if let Some(envid) = mail.envid {
            line.push_str(&format!(" ENVID={}", xtext_encode(envid)));
        }
    }
    line.push_str("\r\n");
    line
}

fn rcpt_command(offer: &Offer, to: &To<'_>) -> String {
    let mut line = format!("RCPT TO:<{}>", to.address);
    if offer.dsn {
        if to.notify != Notify::default() {
            let words = [
                (to.notify.success, "SUCCESS"),
                (to.notify.failure, "FAILURE"),
                (to.notify.delay, "DELAY"),
            ];
            let words: Vec<&str> = words.iter().filter(|w| w.0).map(|w| w.1).collect();
            let words = if words.is_empty() { "NEVER".to_owned() } else { words.join(",") };
            line.push_str(&format!(" NOTIFY={words}"));
        }
        if let Some((kind, address)) = to.orcpt.and_then(|o| o.split_once(';')) {
            line.push_str(&format!(" ORCPT={kind};{}", xtext_encode(address)));
        }
    }
    line.push_str("\r\n");
    line
}
