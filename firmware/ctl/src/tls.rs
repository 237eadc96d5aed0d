//! TLS towards the server: its certificate is checked against the public authorities, a given one, or its
//! fingerprint (the box's own certificate; the console and the admin pages show it). Never unchecked.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::failure::Failure;

/// Trusts one certificate, whatever its names and dates; signatures are checked as with any other.
#[derive(Debug)]
struct Pinned {
    sha256: [u8; 32],
    by_roots: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if digest(&SHA256, end_entity).as_ref() == self.sha256 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::CertificateError::ApplicationVerificationFailure.into())
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

/// 64 hex digits, with or without colons.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| !b": ".contains(byte))
        .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).filter_map(|two| Some(two.first()? << 4 | two.get(1)?)).collect();
    (digits.len() == 64).then_some(bytes)?.try_into().ok()
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", ca.display()));
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|err| wrong(err.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|err| wrong(err.to_string()))?;
        roots.add(certificate).map_err(|err| wrong(err.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// What checks the server.
pub(crate) fn config(ca: Option<&Path>, pin: Option<&str>) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let wrong = |err: String| Failure::Usage(err);
    let by_roots =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca)?), provider.clone())
            .build()
            .map_err(|err| wrong(err.to_string()))?;
    let verifier: Arc<dyn ServerCertVerifier> = match pin {
        Some(pin) => {
            let sha256 = fingerprint(pin)
                .ok_or_else(|| wrong("a fingerprint has 64 hex digits (SHA-256)".to_owned()))?;
            Arc::new(Pinned { sha256, by_roots })
        }
        None => by_roots,
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|err| wrong(err.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(config)
}

/// Why there is no TLS, and what helps.
pub(crate) fn why(error: &std::io::Error) -> String {
    use rustls::{CertificateError, Error};
    let inner = error.get_ref().and_then(|err| err.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(wrong)) = inner else { return error.to_string() };
    match wrong {
        CertificateError::UnknownIssuer => "its certificate is from nobody that is known here: \
            --fingerprint SHA256 for one that it made itself (the console and the admin pages show it), \
            --ca FILE for an authority of your own"
            .to_owned(),
        CertificateError::ApplicationVerificationFailure => {
            "its certificate has another fingerprint".to_owned()
        }
        wrong => format!("its certificate: {wrong}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_shown() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(fingerprint(&plain), Some([0xab; 32]));
        assert_eq!(fingerprint(&colons), Some([0xab; 32]));
        for bad in ["", "ab", &"a".repeat(63), &format!("{plain}a"), "é"] {
            assert_eq!(fingerprint(bad), None, "{bad}");
        }
    }
}
