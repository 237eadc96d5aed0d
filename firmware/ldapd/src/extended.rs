//! Extended operations: StartTLS (RFC 4511 §4.14), Who am I (RFC 4532), password modify (RFC 3062); Cancel
//! (RFC 3909) is read here and done where the operations are.

use directory::Code;
use ldap3_proto::proto::{LdapExtendedRequest, LdapExtendedResponse, LdapOp};

use crate::ber::{self, Parts};
use crate::controls::Controls;
use crate::message::Control;
use crate::reply::{self, Fail, Kind, refused};
use crate::session::{Session, Who};

pub(crate) const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
pub(crate) const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
pub(crate) const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
pub(crate) const CANCEL: &str = "1.3.6.1.1.8";

/// What the root says of them.
pub(crate) const ALL: [&str; 4] = [START_TLS, WHO_AM_I, PASSWORD_MODIFY, CANCEL];

/// RFC 3909 §2: the number of the operation to be cancelled.
pub(crate) fn cancelled(value: &[u8]) -> Option<i32> {
    let mut parts = Parts::of_value(value)?;
    i32::try_from(parts.number(ber::INTEGER)?).ok()
}

fn response(name: Option<&str>, value: Option<Vec<u8>>) -> LdapOp {
    LdapOp::ExtendedResponse(LdapExtendedResponse {
        res: reply::success(),
        name: name.map(str::to_owned),
        value,
    })
}

impl Session {
    pub(crate) async fn extended(
        &mut self,
        id: i32,
        request: LdapExtendedRequest,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        Controls::read(controls, Kind::Extended)?;
        match request.name.as_str() {
            START_TLS => self.start_tls(id).await,
            WHO_AM_I => {
                let name = match self.who.dn() {
                    "" => String::new(),
                    dn => format!("dn:{dn}"),
                };
                self.say(id, response(None, Some(name.into_bytes())), Vec::new());
                Ok(())
            }
            PASSWORD_MODIFY => self.password_modify(id, request.value).await,
            // RFC 4511 §4.12.
            _ => Err(refused(Code::ProtocolError, "this extended operation is not known here")),
        }
    }

    /// Answers, then shakes hands. Who was bound in the clear is not believed any more.
    async fn start_tls(&mut self, id: i32) -> Result<(), Fail> {
        if self.conn.is_tls() {
            return Err(refused(Code::OperationsError, "TLS is on already"));
        }
        if self.conn.peer_uid().is_some() {
            return Err(refused(Code::OperationsError, "nobody listens on a unix socket"));
        }
        if !self.waiting.is_empty() || self.exchange.is_some() {
            return Err(refused(Code::OperationsError, "other operations are not over yet"));
        }
        self.say(id, response(Some(START_TLS), None), Vec::new());
        self.conn.flush().await?;
        self.conn.start_tls().await?;
        self.who = Who::Anonymous;
        Ok(())
    }
}
