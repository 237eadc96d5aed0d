//! What an admin is shown of the certificate.

use std::net::IpAddr;

use base::Timestamp;
use serde::Serialize;
use session::CertificateInfo;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

/// The leaf.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateView {
    pub(crate) subject: String,
    pub(crate) names: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) self_signed: bool,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) fingerprint: String,
}

/// Reads the leaf; `None` if it cannot be read.
pub(crate) fn describe(info: &CertificateInfo) -> Option<CertificateView> {
    let pem = Pem::iter_from_buffer(info.chain_pem.as_bytes()).next()?.ok()?;
    let leaf = pem.parse_x509().ok()?;
    let time = |secs| Timestamp::from_secs(secs).rfc3339();
    Some(CertificateView {
        subject: leaf.subject().to_string(),
        names: names(&leaf),
        issuer: leaf.issuer().to_string(),
        self_signed: leaf.subject() == leaf.issuer(),
        not_before: time(leaf.validity().not_before.timestamp()),
        not_after: time(leaf.validity().not_after.timestamp()),
        fingerprint: info.fingerprint.clone(),
    })
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = leaf.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(IpAddr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| IpAddr::from(v6).to_string()),
        },
        _ => None,
    };
    alternative.value.general_names.iter().filter_map(name).collect()
}
