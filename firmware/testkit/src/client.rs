//! A blocking, line-minded client for any text protocol, plain or TLS, over anything that reads and writes.
//!
//! Certificates are not checked: the box under test signs its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// How long a read may wait before a test fails. Generous: the machines are shared, the box may be emulated.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes both ways.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// Opens connections to the box under test, wherever it is.
pub trait Connector: Send + Sync {
    /// Connects to a standard port of the box (25, 143, 993, …).
    ///
    /// # Errors
    /// Nobody answers there.
    fn connect(&self, port: u16) -> Result<Box<dyn Wire>>;
}

/// A daemon on a loopback address.
#[derive(Clone, Copy, Debug)]
pub struct Loopback {
    /// Its address.
    pub address: std::net::IpAddr,
    /// What is added to the standard ports.
    pub port_offset: u16,
}

impl Connector for Loopback {
    fn connect(&self, port: u16) -> Result<Box<dyn Wire>> {
        let to = SocketAddr::new(self.address, port + self.port_offset);
        let tcp = TcpStream::connect_timeout(&to, PATIENCE).with_context(|| format!("{to}"))?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        Ok(Box::new(tcp))
    }
}

/// Takes any certificate; signatures are checked all the same.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS settings of a client that takes any certificate.
///
/// # Errors
/// The provider lacks the protocol versions (it does not).
pub fn tls_config() -> Result<Arc<ClientConfig>> {
    let provider = aws_lc_rs::default_provider();
    let verifier = Arc::new(AnyCertificate(provider.clone()));
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Puts TLS over a wire.
///
/// # Errors
/// The name is no name.
pub fn over_tls(wire: Box<dyn Wire>) -> Result<Box<dyn Wire>> {
    let name = ServerName::try_from("mail.office.test")?.to_owned();
    let session = ClientConnection::new(tls_config()?, name)?;
    Ok(Box::new(StreamOwned::new(session, wire)))
}

/// The certificate (DER) that a port with TLS from the first byte shows.
///
/// # Errors
/// Nobody answers there, or not with TLS.
pub fn peer_certificate(to: &dyn Connector, port: u16) -> Result<Vec<u8>> {
    let name = ServerName::try_from("mail.office.test")?.to_owned();
    let mut session = ClientConnection::new(tls_config()?, name)?;
    let mut wire = to.connect(port)?;
    while session.is_handshaking() {
        session.complete_io(&mut wire)?;
    }
    let leaf = session.peer_certificates().and_then(<[_]>::first).context("no certificate")?;
    Ok(leaf.as_ref().to_vec())
}

/// One connection that speaks lines.
pub struct Client {
    wire: Option<Box<dyn Wire>>,
    unread: Vec<u8>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client over a wire.
    #[must_use]
    pub fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire: Some(wire), unread: Vec::new() }
    }

    /// Connects to a standard port; with TLS from the first byte on 465, 993 and 443.
    ///
    /// # Errors
    /// Nobody answers there.
    pub fn connect(to: &dyn Connector, port: u16) -> Result<Self> {
        let wire = to.connect(port)?;
        let wire = if matches!(port, 443 | 465 | 993 | 995) { over_tls(wire)? } else { wire };
        Ok(Self::new(wire))
    }

    fn wire(&mut self) -> Result<&mut Box<dyn Wire>> {
        self.wire.as_mut().context("the connection is closed")
    }

    /// Puts TLS over the connection, after STARTTLS was answered.
    ///
    /// # Errors
    /// The connection is closed.
    pub fn start_tls(&mut self) -> Result<()> {
        let wire = self.wire.take().context("the connection is closed")?;
        self.wire = Some(over_tls(wire)?);
        Ok(())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is over.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        let wire = self.wire()?;
        wire.write_all(bytes)?;
        wire.flush()?;
        Ok(())
    }

    /// Sends a line with CRLF.
    ///
    /// # Errors
    /// The connection is over.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.send_raw(format!("{line}\r\n").as_bytes())
    }

    /// Reads a line, without its CRLF; `None` at the end of the stream.
    ///
    /// # Errors
    /// The connection broke or kept silent for longer than [`PATIENCE`].
    pub fn read_line(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(at) = self.unread.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=at).collect();
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                return Ok(Some(String::from_utf8_lossy(line).into_owned()));
            }
            if self.read_more()? == 0 {
                return Ok(None);
            }
        }
    }

    fn read_more(&mut self) -> Result<usize> {
        let mut bytes = [0u8; 16 * 1024];
        match self.wire()?.read(&mut bytes) {
            Ok(n) => {
                self.unread.extend_from_slice(bytes.get(..n).unwrap_or_default());
                Ok(n)
            }
            // What a server that just closes looks like under TLS or TCP.
            Err(err)
                if matches!(
                    err.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(0)
            }
            Err(err) => Err(err).context("waiting for the server"),
        }
    }

    /// Reads exactly `n` bytes.
    ///
    /// # Errors
    /// The stream ended before.
    pub fn read_exact(&mut self, n: usize) -> Result<Vec<u8>> {
        while self.unread.len() < n {
            if self.read_more()? == 0 {
                bail!("the stream ended {} bytes short", n - self.unread.len());
            }
        }
        Ok(self.unread.drain(..n).collect())
    }

    /// Reads an SMTP reply, also one of several lines; its last line first word is the code.
    ///
    /// # Errors
    /// The connection is over.
    pub fn smtp_reply(&mut self) -> Result<String> {
        let mut reply = String::new();
        loop {
            let line = self.read_line()?.context("closed in the middle of a reply")?;
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(reply);
            }
            reply.push('\n');
        }
    }

    /// Sends an SMTP command and expects a reply that begins with `code`.
    ///
    /// # Errors
    /// Another reply came, or none.
    pub fn smtp(&mut self, command: &str, code: &str) -> Result<String> {
        self.send(command)?;
        let reply = self.smtp_reply()?;
        let last = reply.lines().last().unwrap_or_default();
        if !last.starts_with(code) {
            bail!("{command:?} was answered {reply:?}, not {code}");
        }
        Ok(reply)
    }

    /// Sends a POP3 command and expects `+OK`; gives the line.
    ///
    /// # Errors
    /// Another reply came, or none.
    pub fn pop3(&mut self, command: &str) -> Result<String> {
        self.send(command)?;
        let reply = self.read_line()?.context("closed before a reply")?;
        if !reply.starts_with("+OK") {
            bail!("{command:?} was answered {reply:?}");
        }
        Ok(reply)
    }

    /// Sends an IMAP command with tag `t` and gives all lines up to its OK.
    /// A literal in the response comes as lines.
    ///
    /// # Errors
    /// The tagged answer is not OK.
    pub fn imap(&mut self, command: &str) -> Result<Vec<String>> {
        self.send(&format!("t {command}"))?;
        let mut lines = Vec::new();
        loop {
            let line = self.read_line()?.context("closed in the middle of a response")?;
            if let Some(rest) = line.strip_prefix("t ") {
                if !rest.starts_with("OK") {
                    bail!("{command:?} was answered {line:?}");
                }
                lines.push(line);
                return Ok(lines);
            }
            lines.push(line);
        }
    }
}
