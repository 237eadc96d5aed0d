//! How mail goes out: what the API shows and takes of it. The password goes in and never comes out.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use base::{Address, DomainName};
use serde::{Deserialize, Deserializer, Serialize};
use store::{Outbound, SmarthostTls};

use crate::Web;
use crate::error::ApiError;
use crate::guard::Admitted;
use crate::input::Body;
use crate::rules::Problem;

/// Longest user name or password of a smarthost, bytes.
const SECRET_MAX: usize = 512;
/// A test ends within this time.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The settings as they are shown.
#[derive(Debug, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub(crate) enum OutboundView {
    Direct,
    Smarthost {
        host: String,
        port: u16,
        tls: SmarthostTls,
        user: Option<String>,
        password_set: bool,
    },
}

impl From<&Outbound> for OutboundView {
    fn from(outbound: &Outbound) -> Self {
        match outbound {
            Outbound::Direct => Self::Direct,
            Outbound::Smarthost { host, port, tls, user, password } => Self::Smarthost {
                host: host.clone(),
                port: *port,
                tls: *tls,
                user: user.clone(),
                password_set: password.is_some(),
            },
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Direct,
    Smarthost,
}

/// The settings as they are given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboundChange {
    mode: Mode,
    host: Option<String>,
    port: Option<u32>,
    #[serde(default)]
    tls: SmarthostTls,
    user: Option<String>,
    /// Outer `None`: not named, the stored one stays.
    #[serde(default, deserialize_with = "named")]
    password: Option<Option<String>>,
}

/// Tells `"key": null` from no key.
pub(crate) fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// The usual port.
pub(crate) fn default_port(tls: SmarthostTls) -> u16 {
    match tls {
        SmarthostTls::None => 25,
        SmarthostTls::Starttls => 587,
        SmarthostTls::Implicit => 465,
    }
}

/// A host name or an IP address, as it may stand for a smarthost.
pub(crate) fn smarthost_name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    match DomainName::parse(text) {
        Ok(name) if !name.as_str().starts_with('[') => Ok(name.as_str().to_owned()),
        _ => Err(Problem::new("host-invalid", format!("\"{text}\" is no host name or address"))),
    }
}

/// Checks what belongs together in a smarthost; the key that is wrong comes with the problem.
pub(crate) fn check(outbound: &Outbound) -> Result<(), (&'static str, Problem)> {
    let Outbound::Smarthost { host, port, tls, user, password } = outbound else { return Ok(()) };
    if *port == 0 {
        return Err(("port", Problem::new("port-invalid", "a port is 1 to 65535")));
    }
    let bad = |text: &Option<String>| {
        text.as_ref().is_some_and(|t| t.is_empty() || t.len() > SECRET_MAX || t.contains('\0'))
    };
    match (user, password) {
        (Some(_), None) => {
            let detail = "a user needs a password";
            return Err(("password", Problem::new("user-without-password", detail)));
        }
        (None, Some(_)) => {
            let detail = "a password needs a user";
            return Err(("user", Problem::new("password-without-user", detail)));
        }
        _ if bad(user) => {
            return Err(("user", Problem::new("user-invalid", "the user is empty or too long")));
        }
        _ if bad(password) => {
            let detail = "the password is empty or too long";
            return Err(("password", Problem::new("password-invalid", detail)));
        }
        _ => {}
    }
    if password.is_some() && *tls == SmarthostTls::None && !is_loopback(host) {
        let detail = "a password is not sent without TLS";
        return Err(("tls", Problem::new("password-needs-tls", detail)));
    }
    Ok(())
}

/// True for this very machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl OutboundChange {
    /// The settings this asks for. A password that is not named is the stored one, if it is for the same
    /// user on the same host: nobody can have it sent elsewhere.
    pub(crate) fn over(self, stored: &Outbound) -> Result<Outbound, ApiError> {
        if let Mode::Direct = self.mode {
            return Ok(Outbound::Direct);
        }
        let host = self.host.as_deref().unwrap_or_default();
        let host = smarthost_name(host).map_err(|problem| problem.at("host"))?;
        let port = self.port.unwrap_or_else(|| u32::from(default_port(self.tls)));
        let port = u16::try_from(port).unwrap_or(0);
        let user = self.user.filter(|user| !user.is_empty());
        let password = match self.password {
            Some(password) => password.filter(|password| !password.is_empty()),
            None => match stored {
                Outbound::Smarthost { host: there, user: who, password, .. }
                    if *there == host && *who == user && user.is_some() =>
                {
                    password.clone()
                }
                _ => None,
            },
        };
        let outbound = Outbound::Smarthost { host, port, tls: self.tls, user, password };
        check(&outbound).map_err(|(field, problem)| problem.at(field))?;
        Ok(outbound)
    }
}

/// Handlers of the wizard and of the admin pages: the routes say who may use them.
pub(crate) async fn show(State(web): State<Web>) -> impl IntoResponse {
    Json(OutboundView::from(&web.settings().outbound))
}

/// Stores the settings.
pub(crate) async fn set(
    State(web): State<Web>,
    Admitted(by): Admitted,
    Body(change): Body<OutboundChange>,
) -> Result<impl IntoResponse, ApiError> {
    let outbound = change.over(&web.settings().outbound)?;
    let view = OutboundView::from(&outbound);
    let change = move |settings: &mut store::Settings| settings.outbound = outbound;
    by.store(&web).update_settings(Box::new(change)).await?;
    tracing::info!(?view, by = by.login(), "outbound settings changed");
    Ok(Json(view))
}

/// Really tries the way out; one test at a time, so that the wizard is no port scanner's engine.
pub(crate) async fn test(
    State(web): State<Web>,
    Body(change): Body<OutboundChange>,
) -> Result<impl IntoResponse, ApiError> {
    let outbound = change.over(&web.settings().outbound)?;
    let _turn = web.outbound_test().try_acquire().map_err(|_| ApiError::busy())?;
    let domain = web.store().domains()?.into_iter().next();
    let sender = domain.and_then(|domain| Address::new("postmaster", domain.name).ok());
    let testing = Box::pin(web.delivery().test_outbound(&outbound, sender.as_ref(), None));
    let tested = tokio::time::timeout(TEST_TIMEOUT, testing).await;
    tested.map(Json).map_err(|_| ApiError::busy().detail("the test did not end within 60 s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> OutboundChange {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_smarthost_is_checked() {
        for (json, code) in [
            (r#"{"mode":"smarthost"}"#, "host-invalid"),
            (r#"{"mode":"smarthost","host":"a b"}"#, "host-invalid"),
            (r#"{"mode":"smarthost","host":"r.test","port":0}"#, "port-invalid"),
            (r#"{"mode":"smarthost","host":"r.test","port":70000}"#, "port-invalid"),
            (r#"{"mode":"smarthost","host":"r.test","user":"u"}"#, "user-without-password"),
            (r#"{"mode":"smarthost","host":"r.test","password":"p"}"#, "password-without-user"),
            (
                r#"{"mode":"smarthost","host":"r.test","tls":"none","user":"u","password":"p"}"#,
                "password-needs-tls",
            ),
        ] {
            assert_eq!(change(json).over(&Outbound::Direct).unwrap_err().code(), code, "{json}");
        }
        let json = r#"{"mode":"smarthost","host":"[::1]","tls":"none","user":"u","password":"p"}"#;
        let Outbound::Smarthost { host, port, .. } = change(json).over(&Outbound::Direct).unwrap()
        else {
            panic!("not a smarthost");
        };
        assert_eq!((host.as_str(), port), ("::1", 25));
    }

    #[test]
    fn the_stored_password_stays_with_its_host_and_user() {
        let stored =
            change(r#"{"mode":"smarthost","host":"r.test","user":"u","password":"secret"}"#)
                .over(&Outbound::Direct)
                .unwrap();
        let again = r#"{"mode":"smarthost","host":"R.test","user":"u","port":2525}"#;
        let Outbound::Smarthost { password, .. } = change(again).over(&stored).unwrap() else {
            panic!("not a smarthost");
        };
        assert_eq!(password.as_deref(), Some("secret"));
        for json in [
            r#"{"mode":"smarthost","host":"evil.test","user":"u"}"#,
            r#"{"mode":"smarthost","host":"r.test","user":"other"}"#,
            r#"{"mode":"smarthost","host":"r.test","user":"u","password":null}"#,
        ] {
            let refused = change(json).over(&stored).unwrap_err();
            assert_eq!(refused.code(), "user-without-password", "{json}");
        }
        let shown = serde_json::to_string(&OutboundView::from(&stored)).unwrap();
        assert!(!shown.contains("secret") && shown.contains("\"password_set\":true"), "{shown}");
    }
}
