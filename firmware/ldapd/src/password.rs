//! Passwords: the password modify operation (RFC 3062), and what a client writes into userPassword.
//!
//! A password that comes in the clear is hashed here, before the act; one that comes hashed from another
//! server stays as it is until its owner logs in.

use directory::{Attributes, Code, Modification};
use ldap3_lber::common::TagClass;
use ldap3_proto::proto::LdapOp;
use session::password::Holder;
use session::rules::{Role, Target};
use session::{LoginError, schemes};
use store::{Account, AccountChange, Store, StoreError};

use crate::ber::{self, Parts};
use crate::reply::{self, Fail, refused};
use crate::session::{Session, Who, dn};

const PASSWORD: &str = "userpassword";
const VERIFIER: &str = "authpassword";
/// Longest password, bytes: more is no login.
const MAX: usize = 1024;
/// Letters and digits that nobody takes for others.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 20 of 32 letters: 100 bits.
const GENERATED_LEN: usize = 20;

/// `PasswdModifyRequestValue`.
#[derive(Default)]
struct Change {
    identity: Option<Vec<u8>>,
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
}

fn read(value: Option<&[u8]>) -> Option<Change> {
    let Some(value) = value else { return Some(Change::default()) };
    let mut parts = Parts::of_value(value)?;
    let mut next = |id| parts.bytes(TagClass::Context, id);
    let change = Change { identity: next(0), old: next(1), new: next(2) };
    parts.is_over().then_some(change)
}

fn generated() -> Option<String> {
    let mut random = [0; GENERATED_LEN];
    getrandom::fill(&mut random).ok()?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte % 32)).map(|letter| char::from(*letter));
    random.iter().map(letter).collect()
}

/// A password in the clear, as text.
fn clear(password: &[u8]) -> Result<&str, Fail> {
    let text = std::str::from_utf8(password).ok().filter(|text| text.len() <= MAX);
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| refused(Code::ConstraintViolation, "a password is text of 1 to 1024 bytes"))
}

/// True for `{SCHEME}value`.
fn names_a_scheme(value: &str) -> bool {
    let scheme = value.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    scheme.is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
    })
}

impl Session {
    fn busy(&self, why: &LoginError) -> Fail {
        tracing::warn!(session = self.conn.session(), err = %why, "no password hash");
        refused(Code::Busy, "too busy, try again later")
    }

    async fn must_be_strong(&self, text: &str, holder: Holder, about: &[&str]) -> Result<(), Fail> {
        let judged = self.conn.ctx().auth.judge(text, holder, about).await;
        let judged = judged.map_err(|why| self.busy(&why))?;
        judged.map_err(|why| refused(Code::ConstraintViolation, why.detail))
    }

    /// The rules of `session::password` for the password of an account.
    async fn must_be_strong_for(&self, account: &Account, text: &str) -> Result<(), Fail> {
        let address = account.address.to_string();
        let about = [address.as_str(), &account.name];
        self.must_be_strong(text, Holder::of(account.is_admin), &about).await
    }

    /// What is stored of a password that a client wrote: the value of userPassword, and of authPassword if
    /// there is one.
    async fn stored(
        &self,
        value: &[u8],
        account: Option<&Account>,
        role: Role,
    ) -> Result<(String, Option<String>), Fail> {
        let text = clear(value)?;
        // Whose tools bring people from elsewhere brings their passwords as they are, hashed or not.
        let is_free = role == Role::Admin;
        if names_a_scheme(text) {
            // What hides in a hash nobody can judge: people give the password.
            if is_free && schemes::is_known(text) {
                return Ok((text.to_owned(), None));
            }
            let text = if is_free {
                format!("password: give it in clear, or hashed as {}", schemes::KNOWN)
            } else {
                "password: give it in clear; only the administrator brings hashes".to_owned()
            };
            return Err(refused(Code::ConstraintViolation, text));
        }
        let auth = &self.conn.ctx().auth;
        match account {
            _ if is_free => {}
            Some(account) => self.must_be_strong_for(account, text).await?,
            None => self.must_be_strong(text, Holder::Person, &[]).await?,
        }
        let record = match account {
            Some(account) => auth.hash_again(account, text).await,
            None => auth.hash(text).await,
        };
        let record = record.map_err(|why| self.busy(&why))?;
        let (hash, verifier) = match record.split_once(' ') {
            Some((hash, verifier)) => (hash, Some(verifier.to_owned())),
            None => (record.as_str(), None),
        };
        Ok((store::password_value(hash), verifier))
    }

    /// Hashes the password of a new entry.
    pub(crate) async fn hash_in(
        &self,
        attributes: &mut Attributes,
        role: Role,
    ) -> Result<(), Fail> {
        if attributes.contains_key(VERIFIER) {
            return Err(refused(Code::UnwillingToPerform, "authPassword follows userPassword"));
        }
        let Some(values) = attributes.remove(PASSWORD) else { return Ok(()) };
        let [value] = values.as_slice() else {
            return Err(refused(Code::ConstraintViolation, "one password is enough"));
        };
        let (hash, verifier) = self.stored(value, None, role).await?;
        attributes.insert(PASSWORD.to_owned(), vec![hash.into_bytes()]);
        if let Some(verifier) = verifier {
            attributes.insert(VERIFIER.to_owned(), vec![verifier.into_bytes()]);
        }
        Ok(())
    }

    /// Who came in by an app password does not get at the password itself without showing it: what a printer
    /// knows opens neither the web pages nor the other protocols. `account`: whose it is, as in [`Self::must_be`].
    fn must_know(&self, account: Option<&Account>, is_shown: bool) -> Result<(), Fail> {
        let is_own = match &self.who {
            Who::Person(id, _) => account.is_some_and(|account| account.id == *id),
            Who::Admin(_) => account.is_none(),
            Who::Anonymous => false,
        };
        if is_own && !is_shown && self.conn.app_password().is_some() {
            let text = "this login is by an app password: show the old password as well";
            return Err(refused(Code::InsufficientAccessRights, text));
        }
        Ok(())
    }

    /// Puts hashes into the place of passwords among changes. `account` is the entry's, for who shows the old
    /// password by deleting it. True if the password changes.
    pub(crate) async fn hash_changes(
        &self,
        changes: &mut Vec<Modification>,
        account: Option<&Account>,
        role: Role,
    ) -> Result<bool, Fail> {
        let is = |name: &str, wanted: &str| {
            directory::schema::key(name).is_some_and(|key| key.split(';').next() == Some(wanted))
        };
        if changes.iter().any(|change| is(change.name(), VERIFIER)) {
            return Err(refused(Code::UnwillingToPerform, "authPassword follows userPassword"));
        }
        let shows = |change: &Modification| {
            matches!(change,
            Modification::Delete { name, values } if is(name, PASSWORD) && !values.is_empty())
        };
        if let Some(account) = account.filter(|_| changes.iter().any(|c| is(c.name(), PASSWORD))) {
            self.must_know(Some(account), changes.iter().any(shows))?;
        }
        let mut verifiers = None;
        for change in changes.iter_mut().filter(|change| is(change.name(), PASSWORD)) {
            match change {
                Modification::Delete { values, .. } => {
                    if let Some(shown) = values.first() {
                        let wrong = refused(Code::NoSuchAttribute, "this is not the password");
                        match account {
                            Some(account) => self.must_be(Some(account), shown, wrong).await?,
                            None => return Err(wrong),
                        }
                        values.clear();
                    }
                    verifiers = Some(Vec::new());
                }
                Modification::Add { values, .. } | Modification::Replace { values, .. } => {
                    verifiers = Some(Vec::new());
                    if values.len() > 1 {
                        let text = "one password is enough";
                        return Err(refused(Code::ConstraintViolation, text));
                    }
                    if let Some(value) = values.first_mut() {
                        let (hash, verifier) = self.stored(value, account, role).await?;
                        *value = hash.into_bytes();
                        verifiers = Some(verifier.into_iter().map(String::into_bytes).collect());
                    }
                }
                Modification::Increment { .. } => {}
            }
        }
        let is_changed = verifiers.is_some();
        if let Some(values) = verifiers {
            changes.push(Modification::Replace { name: "authPassword".to_owned(), values });
        }
        Ok(is_changed)
    }

    /// Checks a password that is shown, as a login would be; `wrong` is the answer if it is not the one. `None`
    /// is the owner of the box.
    async fn must_be(
        &self,
        whose: Option<&Account>,
        shown: &[u8],
        wrong: Fail,
    ) -> Result<(), Fail> {
        let (auth, peer) = (self.conn.ctx().auth.clone(), self.conn.peer());
        let settings = self.conn.ctx().store.settings();
        let (name, hash) = match whose {
            Some(account) => (account.address.key(), account.password_hash.as_deref()),
            None => (crate::bind::ADMIN.to_owned(), settings.admin_password_hash.as_deref()),
        };
        match auth.check(&name, hash, shown, peer).await {
            Ok(()) => Ok(()),
            Err(LoginError::Wrong) => Err(wrong),
            Err(LoginError::Throttled(_)) => {
                Err(refused(Code::Busy, "too many wrong tries, wait some minutes"))
            }
            Err(why) => Err(self.busy(&why)),
        }
    }

    /// RFC 3062.
    pub(crate) async fn password_modify(
        &mut self,
        id: i32,
        value: Option<Vec<u8>>,
    ) -> Result<(), Fail> {
        let asker = self.asker()?;
        if asker.is_nobody() {
            return Err(refused(Code::UnwillingToPerform, "bind first"));
        }
        if !self.conn.may_send_password() {
            return Err(refused(Code::ConfidentialityRequired, "use StartTLS or port 636 first"));
        }
        let Some(change) = read(value.as_deref()) else {
            return Err(refused(Code::ProtocolError, "this is no password change"));
        };
        let whose = self.whose(change.identity.as_deref())?;
        let whom = whose.as_ref().map(|account| account.id);
        let store = self.store_if(&asker, move |asker, state| {
            let may = match whom {
                // The owner of the box is no entry.
                None => asker.role == Role::Admin,
                Some(id) => {
                    let entry = state.account_entry(id)?;
                    let target = entry.map_or(Target::Other, |entry| asker.target(&entry));
                    session::rules::may_write(asker.role, target, PASSWORD)
                }
            };
            let forbidden = || StoreError::Forbidden("this is another's password".to_owned());
            may.then_some(()).ok_or_else(forbidden)
        })?;
        self.must_know(whose.as_ref(), change.old.is_some())?;
        if let Some(old) = &change.old {
            let wrong = refused(Code::UnwillingToPerform, "the old password is wrong");
            self.must_be(whose.as_ref(), old, wrong).await?;
        }
        let made = if change.new.is_none() { generated() } else { None };
        let new = made.as_deref().map(str::as_bytes).or(change.new.as_deref()).unwrap_or_default();
        let text = clear(new)?.to_owned();
        match &whose {
            _ if made.is_some() => {}
            Some(account) => self.must_be_strong_for(account, &text).await?,
            None => self.must_be_strong(&text, Holder::Admin, &[crate::bind::ADMIN]).await?,
        }
        let auth = &self.conn.ctx().auth;
        let record = match &whose {
            Some(account) => auth.hash_again(account, &text).await,
            None => auth.hash(&text).await,
        };
        let record = record.map_err(|why| self.busy(&why))?;
        self.store_password(&store, whose, record).await?;
        let value = made.map(|made| {
            let made = ber::leaf(TagClass::Context, 0, made);
            ber::encode(ber::sequence(vec![made]))
        });
        let response =
            ldap3_proto::proto::LdapExtendedResponse { res: reply::success(), name: None, value };
        self.say(id, LdapOp::ExtendedResponse(response), Vec::new());
        Ok(())
    }

    /// Whose password it is; `None` for the owner of the box.
    fn whose(&self, identity: Option<&[u8]>) -> Result<Option<Account>, Fail> {
        let unknown = || refused(Code::NoSuchObject, "nobody of that name");
        let Some(identity) = identity else {
            return match &self.who {
                Who::Person(id, _) => {
                    let account = self.conn.ctx().store.account(*id);
                    let account = account.map_err(|err| reply::of_store(self.conn.session(), &err));
                    account?.map(Some).ok_or_else(unknown)
                }
                _ => Ok(None),
            };
        };
        let text = std::str::from_utf8(identity).map_err(|_| unknown())?.trim();
        let text = text.strip_prefix("dn:").or_else(|| text.strip_prefix("u:")).unwrap_or(text);
        if self.admin_dn(text)?.is_some() {
            return Ok(None);
        }
        let account = if text.contains('=') {
            self.account_of(&dn(text)?)?
        } else {
            let address = base::Address::parse(text).map_err(|_| unknown())?;
            let account = self.conn.ctx().store.account_by_address(&address);
            account.map_err(|err| reply::of_store(self.conn.session(), &err))?
        };
        account.map(Some).ok_or_else(unknown)
    }

    async fn store_password(
        &mut self,
        store: &Store,
        whose: Option<Account>,
        record: String,
    ) -> Result<(), Fail> {
        let done = match &whose {
            Some(account) => {
                let change = AccountChange { password_hash: Some(record), ..Default::default() };
                store.update_account(account.id, change).await
            }
            None => {
                let change = move |settings: &mut store::Settings| {
                    settings.admin_password_hash = Some(record);
                };
                store.update_settings(Box::new(change)).await.map(|_| ())
            }
        };
        done.map_err(|err| reply::of_store(self.conn.session(), &err))?;
        self.log_out(whose.map(|account| account.id))
    }

    /// Ends the other connections of an account whose password or state is another now.
    pub(crate) fn log_out(&mut self, account: Option<base::AccountId>) -> Result<(), Fail> {
        let account = account.unwrap_or(crate::bind::ADMIN_ACCOUNT);
        self.conn.ctx().admission.close_account(account);
        let own = match &self.who {
            Who::Person(id, _) => Some(*id),
            Who::Admin(_) => Some(crate::bind::ADMIN_ACCOUNT),
            Who::Anonymous => None,
        };
        // This one goes on: who it is was just shown.
        let app_password = self.conn.app_password();
        if own == Some(account) && self.conn.renew_login(account, app_password).is_err() {
            return Err(Fail::End);
        }
        Ok(())
    }
}
