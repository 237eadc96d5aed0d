//! Whom we believe to be the directory: by the public roots, by a CA of the office, or by one certificate.

use std::sync::{Arc, Mutex, PoisonError};

use ::aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use store::SourceSettings;

/// The fingerprint that a server showed, whether it was believed or not.
pub(crate) type Shown = Arc<Mutex<Option<String>>>;

/// Roots of these certificates; `None` if none of them can be one.
pub(crate) fn roots_of(certificates: &[CertificateDer<'static>]) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    (added > 0).then_some(roots)
}

/// The client's side of TLS for these settings; what the server shows is put into `shown`.
pub(crate) fn config(
    settings: &SourceSettings,
    shown: Shown,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = match &settings.ca_pem {
        Some(pem) => {
            let all = CertificateDer::pem_slice_iter(pem.as_bytes());
            roots_of(&all.filter_map(Result::ok).collect::<Vec<_>>())
                .unwrap_or_else(RootCertStore::empty)
        }
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    if roots.is_empty() {
        return Err(rustls::Error::General("the certificates of the CA cannot be read".to_owned()));
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(|err| rustls::Error::General(err.to_string()))?;
    let verifier = Verifier { by_roots: verifier, pinned: settings.fingerprint.clone(), shown };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Checks as the standard says, or that it is the one certificate; the signatures of the handshake always.
#[derive(Debug)]
struct Verifier {
    by_roots: Arc<WebPkiServerVerifier>,
    pinned: Option<String>,
    shown: Shown,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = base::hex::encode(digest(&SHA256, end_entity).as_ref());
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint.clone());
        match &self.pinned {
            Some(pinned) if *pinned == fingerprint => Ok(ServerCertVerified::assertion()),
            Some(_) => {
                let refused = CertificateError::ApplicationVerificationFailure;
                Err(rustls::Error::InvalidCertificate(refused))
            }
            None => self.by_roots.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_roots.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_roots.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_roots.supported_verify_schemes()
    }
}
