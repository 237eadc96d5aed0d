//! What a person types into a mail program.

use serde::Serialize;

use crate::Web;
use crate::guard::host_of;

/// One server of a mail program's account.
#[derive(Debug, Serialize)]
pub(crate) struct ClientServer {
    protocol: &'static str,
    host: String,
    port: u16,
    security: &'static str,
}

/// The account settings, the best first. TLS from the first byte comes before STARTTLS (RFC 8314 §3).
#[derive(Debug, Serialize)]
pub(crate) struct ClientSettings {
    user: Option<String>,
    host: String,
    incoming: Vec<ClientServer>,
    outgoing: Vec<ClientServer>,
    fingerprint: String,
}

impl ClientSettings {
    /// The settings for `user`. A box without a name is called what the browser called it.
    pub(crate) fn new(web: &Web, user: Option<String>, request_host: &str) -> Self {
        let settings = web.settings();
        let host = match (settings.hostname.as_str(), host_of(request_host)) {
            ("", "") => web.ctx().hostname(),
            ("", reached) => reached.to_owned(),
            (name, _) => name.to_owned(),
        };
        let server = |protocol, port, security| ClientServer {
            protocol,
            host: host.clone(),
            port: web.port(port),
            security,
        };
        Self {
            user,
            incoming: vec![
                server("imap", 993, "tls"),
                server("imap", 143, "starttls"),
                server("pop3", 995, "tls"),
            ],
            outgoing: vec![server("smtp", 465, "tls"), server("smtp", 587, "starttls")],
            fingerprint: web.ctx().tls.info().fingerprint,
            host,
        }
    }
}
