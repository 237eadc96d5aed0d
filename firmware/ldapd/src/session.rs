//! One LDAP session: messages in, the turn of operations, what waits, what is abandoned. RFC 4511 §3.1,
//! §4.11, RFC 3909.
//!
//! Operations are done one after the other, in the order in which they came. While a search runs, the
//! messages behind it are read: an Abandon or a Cancel among them ends it.
//!
//! Memory: between messages a session holds its connection and who is bound. What an operation needs lives
//! in a boxed future that ends with it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::AccountId;
use directory::{Code, Refusal};
use ldap3_proto::proto::{LdapOp, LdapResult};
use session::sasl::Exchange;
use session::{Conn, ConnError};
use tokio::sync::OwnedSemaphorePermit;

use crate::finding::Finding;
use crate::list::Lists;
use crate::message::{self, Bad, Message, Request};
use crate::reply::{self, Fail, Kind, refused};
use crate::{LARGE_UNIT, Large, Ldap, extended, frame, trace};

/// Silence that ends a connection somebody is bound on.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Operations that may wait; further ones are not read yet.
const WAITING_MAX: usize = 16;
/// Bytes that may wait to be sent before a flush.
pub(crate) const FLUSH_AT: usize = 16 * 1024;
/// Messages in a row that cannot be obeyed.
const BAD_MAX: u32 = 20;

/// Who is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Anonymous,
    /// Who owns the box, by this DN.
    Admin(String),
    /// Somebody with an account, by the DN of the entry.
    Person(AccountId, String),
}

impl Who {
    /// The DN, for the entries that are written; empty for nobody.
    pub(crate) fn dn(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::Admin(dn) | Self::Person(_, dn) => dn,
        }
    }
}

/// The operation that is being done.
#[derive(Debug)]
pub(crate) struct Running {
    id: i32,
    /// Set when nobody wants it any more; the work looks at it.
    pub(crate) stop: Arc<AtomicBool>,
    /// The number of the Cancel that is to be answered when it ended.
    pub(crate) cancelled_by: Option<i32>,
    is_abandoned: bool,
}

/// A session.
pub(crate) struct Session {
    pub(crate) conn: Conn,
    pub(crate) who: Who,
    /// A SASL bind that is not over, with its mechanism.
    pub(crate) exchange: Option<(String, Exchange)>,
    pub(crate) waiting: VecDeque<(Message, Option<OwnedSemaphorePermit>)>,
    running: Option<Running>,
    large: Large,
    /// The room of the large message that is on its way in.
    arriving: Option<OwnedSemaphorePermit>,
    /// Lists that the client reads in pages.
    pub(crate) lists: Lists,
    pub(crate) finding: Finding,
    bad: u32,
    /// The client has sent its last byte.
    is_over: bool,
}

impl Session {
    pub(crate) fn new(conn: Conn, service: &Ldap) -> Self {
        Self {
            conn,
            who: Who::Anonymous,
            exchange: None,
            waiting: VecDeque::new(),
            running: None,
            large: service.large.clone(),
            arriving: None,
            lists: Lists::new(service.finding.paged()),
            finding: service.finding.clone(),
            bad: 0,
            is_over: false,
        }
    }

    /// Speaks with the client until the end.
    pub(crate) async fn serve(mut self) {
        let fail = loop {
            if let Err(fail) = self.turn().await {
                break fail;
            }
        };
        Box::pin(self.farewell(fail)).await;
    }

    async fn farewell(mut self, fail: Fail) {
        let words = match &fail {
            Fail::Bye(code, text) => Some((*code, *text)),
            Fail::Conn(ConnError::Shutdown) => Some((Code::Unavailable, "the server is stopping")),
            Fail::Conn(ConnError::NoLogin) => Some((Code::Unavailable, "no bind in time")),
            Fail::Conn(ConnError::TimedOut) => Some((Code::Unavailable, "idle for too long")),
            Fail::Conn(ConnError::Revoked) => {
                Some((Code::StrongerAuthRequired, "this login was ended"))
            }
            _ => None,
        };
        if let Some((code, text)) = words {
            self.conn.write_content(&reply::notice(code, text));
        }
        tracing::debug!(session = self.conn.session(), ?fail, "ldap session over");
        self.conn.close().await;
    }

    /// One operation and its answer.
    async fn turn(&mut self) -> Result<(), Fail> {
        let (message, room) = self.next().await?;
        let (id, kind) = (message.id, kind_of(&message.request));
        let done = Box::pin(self.obey(message)).await;
        drop(room);
        match (done, kind) {
            (Err(Fail::Refused(refusal)), Some(kind)) => {
                self.answer(id, kind, reply::of_refusal(&refusal));
                Ok(())
            }
            (done, _) => done,
        }
    }

    /// The next message: one that waits, or what the client sends.
    async fn next(&mut self) -> Result<(Message, Option<OwnedSemaphorePermit>), Fail> {
        loop {
            self.take_arrived()?;
            if let Some(next) = self.waiting.pop_front() {
                if self.conn.pending_out() > FLUSH_AT {
                    self.conn.flush().await?;
                }
                return Ok(next);
            }
            self.conn.flush().await?;
            if self.is_over || self.conn.more().await? == 0 {
                return Err(Fail::End);
            }
        }
    }

    /// False: the client waits until we have done more of what it asked.
    fn has_room(&self) -> bool {
        self.conn.pending_out() <= FLUSH_AT && self.waiting.len() < WAITING_MAX
    }

    /// Takes whole messages out of the connection's buffer until there is none, or enough wait.
    pub(crate) fn take_arrived(&mut self) -> Result<(), Fail> {
        while self.has_room() {
            let may_be_large = self.who != Who::Anonymous;
            let max = if may_be_large { self.large.max } else { LARGE_UNIT };
            let len = match frame::length(self.conn.buffered(), max) {
                Ok(Some(len)) => len,
                Ok(None) => return Ok(()),
                Err(frame::FrameError::Malformed) => {
                    return Err(Fail::Bye(Code::ProtocolError, "this is no LDAP message"));
                }
                Err(frame::FrameError::TooLarge) => {
                    return Err(Fail::Bye(Code::ProtocolError, "the message is too large"));
                }
            };
            if len > LARGE_UNIT && self.arriving.is_none() {
                let room = self.large.room.clone().try_acquire_many_owned(Large::units(len));
                let Ok(room) = room else {
                    return Err(Fail::Bye(Code::Busy, "too many large messages, try again later"));
                };
                self.arriving = Some(room);
            }
            let Some(bytes) = self.conn.buffered().get(..len) else { return Ok(()) };
            let message = message::parse(bytes);
            self.conn.consume(len);
            let room = self.arriving.take();
            match message {
                Ok(message) => {
                    self.bad = 0;
                    self.conn.trace_client(|| trace::request(&message));
                    self.arrived(message, room)?;
                }
                Err(Bad::Message) => {
                    return Err(Fail::Bye(Code::ProtocolError, "this is no LDAP message"));
                }
                Err(Bad::Operation(id, tag)) => self.refuse_bad(id, tag)?,
            }
        }
        Ok(())
    }

    fn refuse_bad(&mut self, id: i32, tag: u64) -> Result<(), Fail> {
        self.bad += 1;
        if self.bad > BAD_MAX {
            return Err(Fail::Bye(Code::ProtocolError, "too many bad messages"));
        }
        // What has no answer has none when it is bad.
        if let Some(kind) = Kind::of_request(tag) {
            self.answer(id, kind, reply::result(Code::ProtocolError, "this cannot be read"));
        }
        Ok(())
    }

    /// A message is there: what ends others does so now, the rest waits for its turn.
    fn arrived(
        &mut self,
        message: Message,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Fail> {
        match &message.request {
            Request::Abandon(id) => self.abandon(*id),
            Request::Unbind if self.running.is_some() && self.waiting.is_empty() => {
                return Err(Fail::End);
            }
            Request::Extended(request) if request.name == extended::CANCEL => {
                self.cancel(message.id, request.value.as_deref());
            }
            _ => self.waiting.push_back((message, room)),
        }
        Ok(())
    }

    /// RFC 4511 §4.11: no answer, and nothing wrong if there is no such operation.
    fn abandon(&mut self, id: i32) {
        match &mut self.running {
            Some(running) if running.id == id => {
                running.is_abandoned = true;
                running.stop.store(true, Ordering::Relaxed);
            }
            _ => self.waiting.retain(|(message, _)| {
                message.id != id || matches!(message.request, Request::Bind(_) | Request::Unbind)
            }),
        }
    }

    /// RFC 3909: as Abandon, and both are answered.
    fn cancel(&mut self, id: i32, value: Option<&[u8]>) {
        let Some(target) = value.and_then(extended::cancelled) else {
            let text = "which operation?";
            return self.answer(id, Kind::Extended, reply::result(Code::ProtocolError, text));
        };
        if let Some(running) = self.running.as_mut().filter(|running| running.id == target) {
            running.stop.store(true, Ordering::Relaxed);
            running.cancelled_by = Some(id);
            return;
        }
        let at = self.waiting.iter().position(|(message, _)| message.id == target);
        let found = at.and_then(|at| self.waiting.get(at)).map(|(message, _)| &message.request);
        let result = match found.map(|request| (request, kind_of(request))) {
            // RFC 3909 §2.2: what changes who is bound cannot be cancelled.
            Some((Request::Bind(_) | Request::Extended(_) | Request::Unbind, _)) => {
                reply::result(Code::CannotCancel, "this operation cannot be cancelled")
            }
            Some((_, Some(kind))) => {
                self.waiting.retain(|(message, _)| message.id != target);
                self.answer(target, kind, reply::result(Code::Canceled, ""));
                reply::success()
            }
            _ => reply::result(Code::NoSuchOperation, "there is no such operation"),
        };
        self.answer(id, Kind::Extended, result);
    }

    /// Puts an answer into the write buffer.
    pub(crate) fn answer(&mut self, id: i32, kind: Kind, result: LdapResult) {
        self.say(id, kind.says(result), Vec::new());
    }

    pub(crate) fn say(
        &mut self,
        id: i32,
        op: LdapOp,
        controls: Vec<ldap3_proto::control::LdapControl>,
    ) {
        self.conn.trace_server(|| trace::answer(id, &op));
        self.conn.write_content(&reply::encode(id, op, controls));
    }

    /// Marks an operation as the one that can be abandoned from now on.
    pub(crate) fn begin(&mut self, id: i32) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(false));
        self.running =
            Some(Running { id, stop: stop.clone(), cancelled_by: None, is_abandoned: false });
        stop
    }

    /// The end of what [`Session::begin`] began: its result is told unless it was abandoned.
    pub(crate) fn finish(
        &mut self,
        id: i32,
        result: LdapResult,
        controls: Vec<ldap3_proto::control::LdapControl>,
    ) {
        let Some(running) = self.running.take() else { return };
        if let Some(by) = running.cancelled_by {
            self.answer(id, Kind::Search, reply::result(Code::Canceled, ""));
            self.answer(by, Kind::Extended, reply::success());
        } else if !running.is_abandoned {
            self.say(id, Kind::Search.says(result), controls);
        }
    }

    /// Waits for work off the runtime's threads and reads what the client sends meanwhile.
    pub(crate) async fn wait_for<T: Send + 'static>(
        &mut self,
        mut work: tokio::task::JoinHandle<Option<T>>,
    ) -> Result<T, Fail> {
        loop {
            let may_read = !self.is_over && self.has_room();
            tokio::select! {
                biased;
                done = &mut work => {
                    let broken = || refused(Code::Other, "the search broke down");
                    return done.ok().flatten().ok_or_else(broken);
                }
                more = self.conn.more(), if may_read => {
                    self.is_over = more? == 0;
                    if let Err(fail) = self.take_arrived() {
                        if let Some(running) = &self.running {
                            running.stop.store(true, Ordering::Relaxed);
                        }
                        return Err(fail);
                    }
                }
            }
        }
    }

    /// Sends what waits and looks, without waiting, at what the client sent: it may have abandoned what is
    /// running.
    pub(crate) async fn flush_and_look(&mut self) -> Result<(), Fail> {
        self.conn.flush().await?;
        if !self.is_over && self.has_room() {
            tokio::select! {
                biased;
                more = self.conn.more() => self.is_over = more? == 0,
                () = std::future::ready(()) => {}
            }
        }
        self.take_arrived()
    }

    /// Counts the connection for who is bound now.
    pub(crate) fn bound(
        &mut self,
        account: AccountId,
        app_password: Option<u32>,
        who: Who,
    ) -> Result<(), Fail> {
        if self.conn.set_login(account, app_password).is_err() {
            return Err(refused(Code::Busy, "too many connections, try again later"));
        }
        self.conn.set_timeout(IDLE);
        self.who = who;
        Ok(())
    }

    async fn obey(&mut self, message: Message) -> Result<(), Fail> {
        let Message { id, request, controls } = message;
        match request {
            Request::Bind(bind) => self.bind(id, bind, controls).await,
            Request::Unbind => Err(Fail::End),
            Request::Extended(request) => self.extended(id, request, controls).await,
            // Done when it arrived.
            Request::Abandon(_) => Ok(()),
            Request::Search(search) => self.search(id, *search, controls).await,
            Request::Compare(request) => self.compare(id, request, controls),
            Request::Add(request) => self.add(id, request, controls).await,
            Request::Modify(request) => self.modify(id, request, controls).await,
            Request::Delete(name) => self.delete(id, &name, controls).await,
            Request::ModifyDn(request) => self.rename(id, request, controls).await,
        }
    }
}

/// The kind of answer that a request gets.
fn kind_of(request: &Request) -> Option<Kind> {
    Some(match request {
        Request::Bind(_) => Kind::Bind,
        Request::Search(_) => Kind::Search,
        Request::Modify(_) => Kind::Modify,
        Request::Add(_) => Kind::Add,
        Request::Delete(_) => Kind::Delete,
        Request::ModifyDn(_) => Kind::ModifyDn,
        Request::Compare(_) => Kind::Compare,
        Request::Extended(_) => Kind::Extended,
        Request::Unbind | Request::Abandon(_) => return None,
    })
}

/// A DN that a client sent.
pub(crate) fn dn(text: &str) -> Result<directory::Dn, Refusal> {
    directory::Dn::parse(text)
}
