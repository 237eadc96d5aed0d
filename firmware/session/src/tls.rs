//! The box's certificate and the TLS settings of every port: TLS 1.2 and 1.3, ECDHE with AEAD (rustls
//! offers nothing weaker), aws-lc-rs, tickets instead of a session cache.
//!
//! The identity lives in the store; a change is used by the next handshake without a restart.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::hex;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use store::{Store, StoreError, TlsIdentity};
use tokio_rustls::TlsAcceptor;

/// How long our own certificate lasts, days; Apple refuses more than 825.
const SELF_SIGNED_DAYS: i64 = 820;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// It could not be read from or put into the store.
    #[error("the certificate cannot be stored")]
    Store(#[from] StoreError),
    /// It could not be made.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// It or its key is not valid.
    #[error("the certificate or its key is not valid: {0}")]
    Invalid(String),
    /// rustls said no.
    #[error("TLS set-up failed")]
    Rustls(#[from] rustls::Error),
}

/// What an admin is shown of the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// SHA-256 of the leaf, `AB:CD:…`.
    pub fingerprint: String,
    /// PEM of the chain.
    pub chain_pem: String,
}

/// The certificate in use. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    store: Store,
    current: Arc<Current>,
    mail: Arc<rustls::ServerConfig>,
    web: Arc<rustls::ServerConfig>,
}

struct Current {
    key: ArcSwap<CertifiedKey>,
    chain_pem: ArcSwap<String>,
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

fn certified(identity: &TlsIdentity) -> Result<CertifiedKey, TlsError> {
    let invalid = |err: rustls::pki_types::pem::Error| TlsError::Invalid(err.to_string());
    let chain = CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    if chain.is_empty() {
        return Err(TlsError::Invalid("there is no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(invalid)?;
    let key = aws_lc_rs::sign::any_supported_type(&key)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match()?;
    Ok(certified)
}

/// A self-signed certificate for `names` (DNS names or addresses).
fn self_signed(names: &[String], now: base::Timestamp) -> Result<TlsIdentity, TlsError> {
    let mut params = CertificateParams::new(names.to_vec())?;
    let name = names.first().map_or("postroom.local", String::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Postroom");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A day back: the clock of a client need not agree to the minute.
    let (from, to) =
        (now.plus_secs(-86_400).civil(), now.plus_secs(SELF_SIGNED_DAYS * 86_400).civil());
    let date = |c: base::clock::Civil| {
        rcgen::date_time_ymd(i32::try_from(c.year).unwrap_or(2026), c.month, c.day)
    };
    (params.not_before, params.not_after) = (date(from), date(to));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(TlsIdentity { chain_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

fn config(current: &Arc<Current>, alpn: &[&[u8]]) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current.clone());
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    // A cache of sessions would be memory per client; a ticket is the client's memory.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

impl Tls {
    /// The stored identity, or a new self-signed one for `names`, stored.
    ///
    /// # Errors
    /// [`TlsError`].
    pub async fn open(
        store: Store,
        names: &[String],
        now: base::Timestamp,
    ) -> Result<Self, TlsError> {
        let identity = match store.tls_identity()? {
            Some(identity) => identity,
            None => {
                let fresh = self_signed(names, now)?;
                store.set_tls_identity(fresh.clone()).await?;
                fresh
            }
        };
        let current = Arc::new(Current {
            key: ArcSwap::from_pointee(certified(&identity)?),
            chain_pem: ArcSwap::from_pointee(identity.chain_pem),
        });
        let mail = config(&current, &[])?;
        let web = config(&current, &[b"h2", b"http/1.1"])?;
        Ok(Self { store, current, mail, web })
    }

    /// Makes, stores and uses a new self-signed certificate for `names`.
    ///
    /// # Errors
    /// [`TlsError`]; the old one stays in use then.
    pub async fn regenerate(&self, names: &[String], now: base::Timestamp) -> Result<(), TlsError> {
        self.set_identity(self_signed(names, now)?).await
    }

    /// Stores and uses another identity.
    ///
    /// # Errors
    /// [`TlsError`]; the old one stays in use then.
    pub async fn set_identity(&self, identity: TlsIdentity) -> Result<(), TlsError> {
        let key = certified(&identity)?;
        let chain_pem = identity.chain_pem.clone();
        self.store.set_tls_identity(identity).await?;
        self.current.key.store(Arc::new(key));
        self.current.chain_pem.store(Arc::new(chain_pem));
        Ok(())
    }

    /// What an admin is shown.
    #[must_use]
    pub fn info(&self) -> CertificateInfo {
        let key = self.current.key.load();
        let leaf = key.cert.first().map(CertificateDer::as_ref).unwrap_or_default();
        let mut context = aws_lc_digest(leaf);
        let fingerprint: Vec<String> =
            context.drain(..).map(|byte| hex::encode(&[byte]).to_uppercase()).collect();
        CertificateInfo {
            fingerprint: fingerprint.join(":"),
            chain_pem: self.current.chain_pem.load().to_string(),
        }
    }

    /// For mail protocols: no ALPN.
    #[must_use]
    pub fn mail_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.mail.clone())
    }

    /// For HTTPS: ALPN h2 and http/1.1.
    #[must_use]
    pub fn web_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.web.clone())
    }
}

/// SHA-256, through the provider that TLS uses anyway.
fn aws_lc_digest(bytes: &[u8]) -> Vec<u8> {
    let suite = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    suite
        .tls13()
        .map(|tls13| tls13.common.hash_provider.hash(bytes).as_ref().to_vec())
        .unwrap_or_default()
}
