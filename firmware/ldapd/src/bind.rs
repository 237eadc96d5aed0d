//! Bind: by name and password, or by SASL. RFC 4511 §4.2, RFC 4513 §5.
//!
//! A name is a DN or a mail address. The owner of the box is `cn=admin` below the base of any mail domain
//! (or alone), with the password of the web's `admin`. Passwords are checked by `session::Auth`; what a
//! client hears tells nobody whether a name exists.

use directory::{Code, Dn};
use ldap3_proto::proto::{LdapBindResponse, LdapOp};
use session::sasl::{Exchange, Mechanism, Step, mechanisms};
use session::{Login, LoginError, Protocol};

use crate::controls::Controls;
use crate::message::{Bind, Control, Credentials};
use crate::reply::{self, Fail, Kind, refused};
use crate::session::{Session, Who, dn};

/// The mechanism of who has been told by other means than this protocol.
pub(crate) const EXTERNAL: &str = "EXTERNAL";
/// The login of whoever owns the box, and the account number that its connections count for.
pub(crate) const ADMIN: &str = "admin";
pub(crate) const ADMIN_ACCOUNT: base::AccountId = base::AccountId(0);

impl Session {
    pub(crate) async fn bind(
        &mut self,
        id: i32,
        bind: Bind,
        controls: Vec<Control>,
    ) -> Result<(), Fail> {
        // RFC 4513 §4: from here on nobody, whatever comes of it.
        self.who = Who::Anonymous;
        self.lists.clear();
        Controls::read(controls, Kind::Bind)?;
        if bind.version != 3 {
            return Err(refused(Code::ProtocolError, "only LDAP version 3 is spoken here"));
        }
        let exchange = self.exchange.take();
        match bind.with {
            Credentials::Simple(password) => {
                self.simple(bind.name.trim(), &password).await?;
                self.answer(id, Kind::Bind, reply::success());
                Ok(())
            }
            Credentials::Sasl { mechanism, response } => {
                self.sasl(id, exchange, mechanism, response).await
            }
            Credentials::Unknown => {
                Err(refused(Code::AuthMethodNotSupported, "bind by password or SASL"))
            }
        }
    }

    fn may_send_password(&self) -> Result<(), Fail> {
        if self.conn.may_send_password() {
            return Ok(());
        }
        Err(refused(Code::ConfidentialityRequired, "use StartTLS or port 636 first"))
    }

    async fn simple(&mut self, name: &str, password: &[u8]) -> Result<(), Fail> {
        match (name.is_empty(), password.is_empty()) {
            (true, true) => return Ok(()),
            (true, false) => return Err(refused(Code::InvalidCredentials, "")),
            // RFC 4513 §5.1.2: many applications take the answer for a right password.
            (false, true) => {
                return Err(refused(Code::UnwillingToPerform, "a name without a password"));
            }
            (false, false) => {}
        }
        self.may_send_password()?;
        let auth = self.conn.ctx().auth.clone();
        let peer = self.conn.peer();
        if let Some(dn) = self.admin_dn(name)? {
            return match auth.admin_login(password, peer, Protocol::Ldap).await {
                Ok(app) => self.bound(ADMIN_ACCOUNT, app, Who::Admin(dn)),
                Err(why) => Err(self.login_refused(name, &why)),
            };
        }
        let outcome = if name.contains('=') {
            let account = self.account_of(&dn(name)?)?;
            auth.login_as(account, name, password, peer, Protocol::Ldap).await
        } else {
            auth.login(name, password, peer, Protocol::Ldap).await
        };
        match outcome {
            Ok(login) => self.person(&login),
            Err(why) => Err(self.login_refused(name, &why)),
        }
    }

    /// The admin's DN, if `name` is one of the admin's names.
    pub(crate) fn admin_dn(&self, name: &str) -> Result<Option<String>, Fail> {
        let short = format!("cn={ADMIN}");
        let asked = match name.eq_ignore_ascii_case(ADMIN) {
            true => None,
            false if name.contains('=') => Some(dn(name)?),
            false => return Ok(None),
        };
        let is_cn = |asked: &Dn| {
            let rdn = asked.rdn().map(directory::Rdn::avas).unwrap_or_default();
            matches!(rdn, [ava] if ava.attribute().key() == "cn"
                && ava.value().eq_ignore_ascii_case(ADMIN.as_bytes()))
        };
        if asked.as_ref().is_some_and(|asked| !is_cn(asked)) {
            return Ok(None);
        }
        let domains = self.conn.ctx().store.domain_names();
        let domains = domains.map_err(|err| reply::of_store(self.conn.session(), &err))?;
        let mut names = domains.iter().map(|domain| {
            let labels = domain.as_str().split('.').map(|label| format!("dc={label}"));
            format!("{short},{}", labels.collect::<Vec<_>>().join(","))
        });
        let Some(asked) = asked else { return Ok(Some(names.next().unwrap_or(short))) };
        let asked = asked.normalised();
        let is_asked = |known: &String| Dn::parse(known).is_ok_and(|dn| dn.normalised() == asked);
        Ok(names.find(is_asked).or_else(|| is_asked(&short).then(|| short.clone())))
    }

    /// Enters an account.
    fn person(&mut self, login: &Login) -> Result<(), Fail> {
        let account = &login.account;
        let dn = self.dn_of(account)?;
        self.bound(account.id, login.app_password, Who::Person(account.id, dn))?;
        let session = self.conn.session();
        tracing::info!(session, peer = %self.conn.peer(), account = %account.address, "ldap bind");
        Ok(())
    }

    /// A refusal, told in the log with its reason.
    fn login_refused(&self, login: &str, why: &LoginError) -> Fail {
        let (session, peer) = (self.conn.session(), self.conn.peer());
        tracing::info!(session, %peer, account = login, err = %why, "ldap bind refused");
        match why {
            LoginError::Wrong | LoginError::CodeNeeded | LoginError::WrongCode => {
                refused(Code::InvalidCredentials, "")
            }
            LoginError::AppPasswordNeeded | LoginError::OtherProtocol => {
                refused(Code::InvalidCredentials, why.advice().unwrap_or_default())
            }
            LoginError::Malformed => {
                refused(Code::InvalidCredentials, "this is not a message of the mechanism")
            }
            LoginError::Throttled(_) => {
                refused(Code::Busy, "too many wrong tries, wait some minutes")
            }
            LoginError::Disabled => {
                refused(Code::UnwillingToPerform, "this account may not log in")
            }
            LoginError::Busy => refused(Code::Busy, "too busy, try again later"),
            LoginError::Unavailable => {
                refused(Code::Unavailable, "the external directory does not answer")
            }
            LoginError::NotAllowed => {
                refused(Code::InsufficientAccessRights, "acting as another is not allowed")
            }
            LoginError::Store(err) => reply::of_store(session, err),
        }
    }

    /// RFC 4513 §5.2. A message of another mechanism begins anew.
    async fn sasl(
        &mut self,
        id: i32,
        exchange: Option<(String, Exchange)>,
        mechanism: String,
        response: Option<Vec<u8>>,
    ) -> Result<(), Fail> {
        if mechanism.eq_ignore_ascii_case(EXTERNAL) && self.conn.peer_uid().is_some() {
            return self.external(id, response);
        }
        let same = exchange.filter(|(running, _)| running.eq_ignore_ascii_case(&mechanism));
        let is_new = same.is_none();
        let mut exchange = match same {
            Some((_, exchange)) => exchange,
            None => self.begin_exchange(&mechanism)?,
        };
        let response = match response {
            // RFC 4513 §5.2.1.1: a client may begin without a response.
            None if is_new => {
                self.challenge(id, b"");
                self.exchange = Some((mechanism, exchange));
                return Ok(());
            }
            response => response.unwrap_or_default(),
        };
        let mut said = None;
        let mut step = exchange.step(&response).await;
        // RFC 4422 §3.6: the last challenge goes along with the yes.
        if exchange.is_proved()
            && let Ok(Step::Challenge(proof)) = step
        {
            said = Some(proof);
            step = exchange.step(b"").await;
        }
        match step {
            Ok(Step::Challenge(challenge)) => {
                self.challenge(id, &challenge);
                self.exchange = Some((mechanism, exchange));
                Ok(())
            }
            Ok(Step::Done(login)) => {
                self.person(&login)?;
                let response = LdapBindResponse { res: reply::success(), saslcreds: said };
                self.say(id, LdapOp::BindResponse(response), Vec::new());
                Ok(())
            }
            Err(why) => Err(self.login_refused(exchange.login(), &why)),
        }
    }

    /// RFC 4422 appendix A, RFC 4513 §5.2.3: the kernel has said who it is, the admin. One may ask to be
    /// oneself by any of one's names, and nobody else.
    fn external(&mut self, id: i32, response: Option<Vec<u8>>) -> Result<(), Fail> {
        let asked = response.unwrap_or_default();
        let asked = std::str::from_utf8(&asked).unwrap_or("u:");
        let name = match asked.strip_prefix("dn:").or_else(|| asked.strip_prefix("u:")) {
            None if asked.is_empty() => ADMIN,
            Some(name) => name,
            None => {
                return Err(refused(Code::InvalidCredentials, "an authzId begins with dn: or u:"));
            }
        };
        let Some(dn) = self.admin_dn(name)? else {
            return Err(self.login_refused(name, &LoginError::NotAllowed));
        };
        self.bound(ADMIN_ACCOUNT, None, Who::Admin(dn))?;
        tracing::info!(session = self.conn.session(), uid = self.conn.peer_uid(), "ldap bind");
        self.answer(id, Kind::Bind, reply::success());
        Ok(())
    }

    fn begin_exchange(&self, mechanism: &str) -> Result<Exchange, Fail> {
        let is_offered =
            offered(&self.conn).any(|offered| offered.name().eq_ignore_ascii_case(mechanism));
        if !is_offered {
            self.may_send_password()?;
            let text = "this SASL mechanism is not offered";
            return Err(refused(Code::AuthMethodNotSupported, text));
        }
        let exchange = Exchange::new(mechanism, &self.conn, Protocol::Ldap);
        exchange.ok_or_else(|| refused(Code::AuthMethodNotSupported, ""))
    }

    fn challenge(&mut self, id: i32, challenge: &[u8]) {
        let response = LdapBindResponse {
            res: reply::result(Code::SaslBindInProgress, ""),
            saslcreds: Some(challenge.to_vec()),
        };
        self.say(id, LdapOp::BindResponse(response), Vec::new());
    }
}

/// The mechanisms of this protocol: LOGIN is of mail alone.
pub(crate) fn offered(conn: &session::Conn) -> impl Iterator<Item = Mechanism> {
    mechanisms(conn).into_iter().filter(|mechanism| *mechanism != Mechanism::Login)
}
