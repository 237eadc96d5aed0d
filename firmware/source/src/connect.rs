//! The way to a directory: name, connection, TLS, StartTLS, bind.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use rustls::CertificateError;
use rustls_pki_types::ServerName;
use store::{SourceSettings, SourceTls};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::client::Client;
use crate::failure::{Failure, Reason, Stage};
use crate::sources::Lookup;
use crate::tls::{self, Shown};

/// One address must answer within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The handshake must be over within this time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupFailure {
    /// There is none.
    NoSuchName,
    /// Nobody could be asked.
    Silent(String),
}

/// True for this machine and for networks that are not the open one: RFC 1918, 4193, 3927, 4291.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// A connection with TLS as it is set, on which nobody is bound.
pub(crate) async fn open(
    settings: &SourceSettings,
    lookup: &Lookup,
    shown: &Shown,
) -> Result<Client, Failure> {
    let addresses = addresses(settings, lookup).await?;
    let stream = connect(settings, &addresses).await?;
    // What is sent is a whole message.
    if let Err(err) = stream.set_nodelay(true) {
        tracing::debug!(%err, "small packets wait");
    }
    match settings.tls {
        SourceTls::None => Ok(Client::new(Box::new(stream))),
        SourceTls::Tls => handshake(settings, stream, shown).await,
        SourceTls::Starttls => {
            let mut client = Client::new(Box::new(stream));
            client.start_tls().await?;
            handshake(settings, client.into_stream(), shown).await
        }
    }
}

async fn addresses(settings: &SourceSettings, lookup: &Lookup) -> Result<Vec<IpAddr>, Failure> {
    let host = settings.host.clone();
    let found = match host.parse() {
        Ok(address) => Ok(vec![address]),
        Err(_) => lookup(host.clone()).await,
    };
    let stage = Stage::Lookup;
    let mut found = match found {
        Ok(found) => found,
        Err(LookupFailure::NoSuchName) => {
            let detail = format!("{host} has no address");
            return Err(Failure::new(stage, Reason::HostUnknown, detail));
        }
        Err(LookupFailure::Silent(why)) => {
            let detail = format!("{host} cannot be looked up: {why}");
            return Err(Failure::new(stage, Reason::NameServerSilent, detail));
        }
    };
    if settings.tls == SourceTls::None {
        found.retain(|address| is_private(*address));
        if found.is_empty() {
            let detail = format!("{host} is out in the open network, and TLS is off");
            return Err(Failure::new(stage, Reason::PlainNotAllowed, detail));
        }
    }
    found.truncate(ADDRESSES_MAX);
    Ok(found)
}

async fn connect(settings: &SourceSettings, addresses: &[IpAddr]) -> Result<TcpStream, Failure> {
    let mut last = Failure::new(Stage::Lookup, Reason::HostUnknown, "there is no address");
    for address in addresses {
        let to = SocketAddr::new(*address, settings.port);
        let (reason, why) = match timeout(CONNECT_TIMEOUT, TcpStream::connect(to)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(err)) if err.kind() == io::ErrorKind::ConnectionRefused => {
                (Reason::ConnectionRefused, "nobody listens there".to_owned())
            }
            Ok(Err(err)) if err.kind() == io::ErrorKind::TimedOut => {
                (Reason::Timeout, err.to_string())
            }
            Ok(Err(err)) => (Reason::Unreachable, err.to_string()),
            Err(_) => (Reason::Timeout, "no answer within 5 seconds".to_owned()),
        };
        last = Failure::new(Stage::Connect, reason, format!("{to}: {why}"));
    }
    Err(last)
}

async fn handshake<S: crate::client::Io + 'static>(
    settings: &SourceSettings,
    stream: S,
    shown: &Shown,
) -> Result<Client, Failure> {
    let failed = |why: String| Failure::new(Stage::Tls, Reason::TlsFailed, why);
    let config = tls::config(settings, shown.clone()).map_err(|err| failed(err.to_string()))?;
    let name = ServerName::try_from(settings.host.clone());
    let name = name.map_err(|_| failed(format!("{} is no host name", settings.host)))?;
    let connecting = TlsConnector::from(config).connect(name, stream);
    match timeout(HANDSHAKE_TIMEOUT, connecting).await {
        Ok(Ok(stream)) => Ok(Client::new(Box::new(stream))),
        Ok(Err(err)) => {
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Err(of_tls(&err, settings, shown.as_deref()))
        }
        Err(_) => Err(Failure::new(Stage::Tls, Reason::Timeout, "the handshake took too long")),
    }
}

/// What a handshake's error means to the one who set it up.
fn of_tls(error: &io::Error, settings: &SourceSettings, shown: Option<&str>) -> Failure {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    let reason = match inner {
        Some(rustls::Error::InvalidCertificate(why)) => match why {
            CertificateError::ApplicationVerificationFailure => Reason::CertificateNotPinned,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Reason::CertificateExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Reason::CertificateWrongName
            }
            _ => Reason::CertificateUnknownIssuer,
        },
        Some(_) => Reason::TlsFailed,
        None if error.kind() == io::ErrorKind::UnexpectedEof => Reason::ConnectionLost,
        None => Reason::TlsFailed,
    };
    let mut detail = format!("{}: {error}", settings.host);
    if let Some(shown) = shown {
        detail = format!("{detail}; the certificate's SHA-256 is {shown}");
    }
    Failure::new(Stage::Tls, reason, detail)
}
