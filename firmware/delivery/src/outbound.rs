//! The test of the way out for the wizard and the admin page: everything short of sending.
//!
//! The answer is codes; the plain words in five languages are the web UI's.

use base::{Address, DomainName};
use serde::Serialize;
use store::Outbound;

use crate::Delivery;

/// How far the test came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The settings themselves.
    Settings,
    /// Name to address.
    Resolve,
    /// TCP connection.
    Connect,
    /// The other side's 220.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS or TLS.
    Tls,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Sender,
    /// All of it.
    Done,
}

/// Why it did not come further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// All is well.
    Ok,
    /// A password and no TLS, outside the loopback: refused by us.
    PasswordNeedsTls,
    /// No such name.
    NameNotFound,
    /// The name servers did not answer.
    DnsFailed,
    /// The domain of the probe takes no mail (RFC 7505).
    DomainTakesNoMail,
    /// Nobody listens there.
    ConnectionRefused,
    /// No way there.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// What answered does not speak SMTP.
    NotSmtp,
    /// The other side sent us away at once (4yz, 5yz or closed the connection).
    Rejected,
    /// The other side offers no STARTTLS.
    TlsNotOffered,
    /// The TLS handshake failed.
    TlsFailed,
    /// The certificate is not trusted.
    CertificateNotTrusted,
    /// The other side offers no login that we know.
    AuthNotOffered,
    /// User name or password is wrong.
    WrongPassword,
    /// The other side wants a login.
    LoginRequired,
    /// The other side does not take mail from this sender.
    SenderRefused,
    /// The connection was lost.
    ConnectionLost,
}

/// What [`Delivery::test_outbound`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboundTest {
    /// Mail can go out.
    pub ok: bool,
    /// How far it came.
    pub stage: Stage,
    /// Why not further.
    pub reason: Reason,
    /// The other side's words or the system's, English, one line, without secrets.
    pub detail: String,
    /// Who was asked: `mail.example.net:587`.
    pub host: String,
}

impl Delivery {
    /// Connects as `outbound` says and does everything up to MAIL FROM and RSET; nothing is sent.
    ///
    /// `sender` stands in MAIL FROM (else `postmaster@` our host name). With [`Outbound::Direct`]
    /// the mail host of `probe` is asked, by default a large provider's.
    #[allow(clippy::unused_async, clippy::unimplemented, reason = "the face, before its body")]
    pub async fn test_outbound(
        &self,
        outbound: &Outbound,
        sender: Option<&Address>,
        probe: Option<&DomainName>,
    ) -> OutboundTest {
        let _ = (outbound, sender, probe);
        unimplemented!()
    }
}
