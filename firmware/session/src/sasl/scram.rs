//! SCRAM-SHA-256: its verifier and the server's side of its messages. RFC 5802, RFC 7677, RFC 5803.
//!
//! Never here: who a name is. A password is seen once, when its verifier is derived.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, pbkdf2};

use super::{decode_base64, encode_base64};

/// Rounds of PBKDF2. RFC 7677 §4 asks for 4096 or more; Cyrus SASL's client takes at most 65,536.
const ITERATIONS: u32 = 60_000;
const SALT_BYTES: usize = 16;
/// Random bytes of our half of the nonce.
const NONCE_BYTES: usize = 18;
/// Longest message taken from a client.
const MESSAGE_MAX: usize = 4 * 1024;
const SCHEME: &str = "SCRAM-SHA-256$";

type Key = [u8; 32];

/// What is kept of a password: enough to check a proof, not enough to make one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

fn mac(key: &[u8], text: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(byte, of_tag)| *byte = *of_tag);
    bytes
}

fn hash(bytes: &[u8]) -> Key {
    let mut hash = [0; 32];
    let digest = digest(&SHA256, bytes);
    hash.iter_mut().zip(digest.as_ref()).for_each(|(byte, of_digest)| *byte = *of_digest);
    hash
}

/// RFC 5802 §2.2 `Normalize`.
fn prepared(password: &[u8]) -> Option<Cow<'_, str>> {
    stringprep::saslprep(std::str::from_utf8(password).ok()?).ok()
}

fn key_of(base64: &str) -> Option<Key> {
    decode_base64(base64.as_bytes())?.try_into().ok()
}

impl Verifier {
    /// The verifier of a password; `None` where SCRAM cannot take it (no UTF-8, or what RFC 4013 forbids).
    /// `salt`: that of the account's other passwords, if it has any.
    pub(crate) fn derive(password: &[u8], salt: Option<&[u8]>) -> Option<Self> {
        if let Some(salt) = salt {
            return Self::derive_with(password, salt, ITERATIONS);
        }
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).ok()?;
        Self::derive_with(password, &salt, ITERATIONS)
    }

    /// Salt of the password.
    pub(crate) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// True if a client is asked the same for both.
    pub(crate) fn asks_as(&self, other: &Self) -> bool {
        self.salt == other.salt && self.iterations == other.iterations
    }

    fn derive_with(password: &[u8], salt: &[u8], iterations: u32) -> Option<Self> {
        let password = prepared(password)?;
        let mut salted = [0; 32];
        let rounds = NonZeroU32::new(iterations)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
        Some(Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: hash(&mac(&salted, b"Client Key")),
            server_key: mac(&salted, b"Server Key"),
        })
    }

    /// True if SCRAM can take the password at all: the question costs nothing.
    pub(crate) fn can_take(password: &[u8]) -> bool {
        prepared(password).is_some()
    }

    /// What an unknown name is told: no proof fits it.
    pub(crate) fn decoy(secret: &str, name: &str) -> Self {
        let of = |what: &str| mac(secret.as_bytes(), format!("{what} {name}").as_bytes());
        let salt = of("salt").into_iter().take(SALT_BYTES).collect();
        Self { iterations: ITERATIONS, salt, stored_key: of("stored"), server_key: of("server") }
    }

    /// RFC 5802 §3: whether `ClientProof` holds for `AuthMessage`.
    fn is_proved(&self, proof: &Key, message: &str) -> bool {
        let signature = mac(&self.stored_key, message.as_bytes());
        let mut client_key = [0; 32];
        for (byte, (one, other)) in client_key.iter_mut().zip(proof.iter().zip(&signature)) {
            *byte = one ^ other;
        }
        verify_slices_are_equal(&hash(&client_key), &self.stored_key).is_ok()
    }

    /// Reads what `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (info, keys) = text.strip_prefix(SCHEME)?.split_once('$')?;
        let (iterations, salt) = info.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(Self {
            iterations: iterations.parse().ok()?,
            salt: decode_base64(salt.as_bytes())?,
            stored_key: key_of(stored_key)?,
            server_key: key_of(server_key)?,
        })
    }
}

impl fmt::Display for Verifier {
    /// RFC 5803 §3: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [self.salt.as_slice(), &self.stored_key, &self.server_key].map(encode_base64);
        write!(f, "{SCHEME}{}:{salt}${stored}:{server}", self.iterations)
    }
}

/// What the client knows of channel bindings, by the head of its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    /// It has none.
    None,
    /// It could, and thinks that we cannot.
    Unoffered,
    /// `p=tls-exporter`.
    Exporter,
}

/// `client-first-message`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst {
    /// `gs2-header`, which the last message repeats.
    head: String,
    pub(crate) binding: Binding,
    pub(crate) authzid: String,
    pub(crate) login: String,
    bare: String,
    nonce: String,
}

/// `saslname`: `=2C` is a comma, `=3D` an equals sign.
fn sasl_name(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('=') {
        name.push_str(before);
        let (code, behind) = escape.split_at_checked(2)?;
        name.push(match code {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        rest = behind;
    }
    name.push_str(rest);
    Some(name)
}

fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

impl ClientFirst {
    /// RFC 5802 §7: `gs2-header [reserved-mext ","] username "," nonce ["," extensions]`.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok().filter(|text| text.len() <= MESSAGE_MAX)?;
        let (flag, rest) = text.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let binding = match flag {
            "n" => Binding::None,
            "y" => Binding::Unoffered,
            "p=tls-exporter" => Binding::Exporter,
            _ => return None,
        };
        let authzid_name = match authzid {
            "" => String::new(),
            authzid => sasl_name(authzid.strip_prefix("a=")?)?,
        };
        let mut fields = bare.split(',');
        // `m=`, an extension that must be understood, is none that we know.
        let login = sasl_name(fields.next()?.strip_prefix("n=")?)?;
        let nonce = fields.next()?.strip_prefix("r=")?;
        if login.is_empty() || !is_nonce(nonce) {
            return None;
        }
        Some(Self {
            head: format!("{flag},{authzid},"),
            binding,
            authzid: authzid_name,
            login: stringprep::saslprep(&login).map_or_else(|_| login.clone(), Into::into),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
    }
}

/// An exchange whose first message was answered.
#[derive(Debug)]
pub(crate) struct Waiting {
    first: ClientFirst,
    server_first: String,
    nonce: String,
    channel_binding: Option<[u8; 32]>,
}

impl Waiting {
    /// Answers the first message. `None`: there are no random numbers.
    pub(crate) fn new(
        first: ClientFirst,
        verifier: &Verifier,
        channel_binding: Option<[u8; 32]>,
    ) -> Option<Self> {
        let mut random = [0; NONCE_BYTES];
        getrandom::fill(&mut random).ok()?;
        Some(Self::with_nonce(first, verifier, channel_binding, &encode_base64(&random)))
    }

    fn with_nonce(
        first: ClientFirst,
        verifier: &Verifier,
        channel_binding: Option<[u8; 32]>,
        ours: &str,
    ) -> Self {
        let nonce = format!("{}{ours}", first.nonce);
        let salt = encode_base64(&verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations);
        Self { first, server_first, nonce, channel_binding }
    }

    /// `server-first-message`.
    pub(crate) fn challenge(&self) -> &str {
        &self.server_first
    }

    /// Whom the client wants to act as.
    pub(crate) fn authzid(&self) -> &str {
        &self.first.authzid
    }

    /// Checks `client-final-message`. `None`: it is none of this exchange. Else the place of the verifier that
    /// the proof belongs to, and `server-final-message`.
    pub(crate) fn finish(
        &self,
        verifiers: &[Verifier],
        message: &[u8],
    ) -> Option<(Option<usize>, String)> {
        let text = std::str::from_utf8(message).ok().filter(|text| text.len() <= MESSAGE_MAX)?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut fields = without_proof.split(',');
        let binding = decode_base64(fields.next()?.strip_prefix("c=")?.as_bytes())?;
        let nonce = fields.next()?.strip_prefix("r=")?;
        let mut wanted = self.first.head.clone().into_bytes();
        if self.first.binding == Binding::Exporter {
            wanted.extend_from_slice(&self.channel_binding?);
        }
        // A man in the middle changes one of these.
        if binding != wanted || nonce != self.nonce {
            return None;
        }
        let proof = key_of(proof)?;
        let all = format!("{},{},{without_proof}", self.first.bare, self.server_first);
        let proved = verifiers.iter().position(|verifier| verifier.is_proved(&proof, &all));
        let verifier = verifiers.get(proved.unwrap_or(0))?;
        let server = encode_base64(&mac(&verifier.server_key, all.as_bytes()));
        Some((proved, format!("v={server}")))
    }
}

/// The client's last message, for tests.
#[cfg(test)]
pub(crate) fn client_final(
    password: &str,
    head: &[u8],
    first_bare: &str,
    server_first: &str,
) -> String {
    let mut fields = server_first.split(',');
    let mut field = |name: &str| fields.next().unwrap().strip_prefix(name).unwrap().to_owned();
    let (nonce, salt, rounds) = (field("r="), field("s="), field("i="));
    let salt = decode_base64(salt.as_bytes()).unwrap();
    let rounds = NonZeroU32::new(rounds.parse().unwrap()).unwrap();
    let mut salted = [0; 32];
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, rounds, &salt, password.as_bytes(), &mut salted);
    let client_key = mac(&salted, b"Client Key");
    let without_proof = format!("c={},r={nonce}", encode_base64(head));
    let all = format!("{first_bare},{server_first},{without_proof}");
    let signature = mac(&hash(&client_key), all.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    format!("{without_proof},p={}", encode_base64(&proof))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &[u8] = b"W22ZaJ0SNY7soEsUEjb6gQ==";

    fn pencil() -> Verifier {
        Verifier::derive_with(b"pencil", &decode_base64(SALT).unwrap(), 4096).unwrap()
    }

    /// The example of RFC 7677 §3.
    #[test]
    fn the_example_of_the_rfc_holds() {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!((first.login.as_str(), first.binding), ("user", Binding::None));
        let ours = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let waiting = Waiting::with_nonce(first, &pencil(), None, ours);
        assert_eq!(
            waiting.challenge(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let (proved, answer) = waiting.finish(&[pencil()], last).unwrap();
        assert_eq!(proved, Some(0));
        assert_eq!(answer, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let other = Verifier::derive_with(b"pen", &decode_base64(SALT).unwrap(), 4096).unwrap();
        assert_eq!(waiting.finish(std::slice::from_ref(&other), last).unwrap().0, None);
        let (proved, its_answer) = waiting.finish(&[other, pencil()], last).unwrap();
        assert_eq!((proved, its_answer), (Some(1), answer));
    }

    #[test]
    fn what_was_changed_on_the_way_is_no_message_of_the_exchange() {
        let first = || ClientFirst::parse(b"p=tls-exporter,,n=a,r=x").unwrap();
        let bound = Waiting::with_nonce(first(), &pencil(), Some([7; 32]), "y");
        let mut wanted = b"p=tls-exporter,,".to_vec();
        wanted.extend_from_slice(&[7; 32]);
        let proof = encode_base64(&[0; 32]);
        let last = |binding: &[u8], nonce: &str| {
            format!("c={},r={nonce},p={proof}", encode_base64(binding)).into_bytes()
        };
        assert!(bound.finish(&[pencil()], &last(&wanted, "xy")).is_some());
        assert!(bound.finish(&[pencil()], &last(&wanted, "xz")).is_none(), "nonce");
        *wanted.last_mut().unwrap() = 8;
        assert!(bound.finish(&[pencil()], &last(&wanted, "xy")).is_none(), "another connection");
        assert!(bound.finish(&[pencil()], &last(b"n,,", "xy")).is_none(), "downgrade");
        let unbound = Waiting::with_nonce(first(), &pencil(), None, "y");
        assert!(unbound.finish(&[pencil()], &last(b"p=tls-exporter,,", "xy")).is_none());
    }

    #[test]
    fn first_messages_are_read_or_refused() {
        let first = ClientFirst::parse(b"y,a=o=2Cx,n=a=3Db@x.test,r=abc,ext=1").unwrap();
        assert_eq!((first.authzid.as_str(), first.login.as_str()), ("o,x", "a=b@x.test"));
        assert_eq!((first.binding, first.head.as_str()), (Binding::Unoffered, "y,a=o=2Cx,"));
        for bad in [
            "",
            "n,,",
            "n,n=a,r=b",
            "x,,n=a,r=b",
            "p=tls-unique,,n=a,r=b",
            "n,b=c,n=a,r=b",
            "n,,m=x,n=a,r=b",
            "n,,n=,r=b",
            "n,,n=a=2c,r=b",
            "n,,n=a,r=",
            "n,,n=a,r=b c",
            "n,,n=a",
        ] {
            assert_eq!(ClientFirst::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ClientFirst::parse(b"n,,n=\xff,r=b"), None);
    }

    #[test]
    fn verifiers_are_written_and_read() {
        let text = pencil().to_string();
        assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{text}");
        assert_eq!(Verifier::parse(&text), Some(pencil()));
        assert_eq!(Verifier::parse("SCRAM-SHA-1$1:$:"), None);
        // RFC 4013: compatibility forms are one.
        let of = |password: &str| Verifier::derive_with(password.as_bytes(), b"salt", 1);
        assert_eq!(of("\u{2168}"), of("IX"));
        assert_eq!(of("a\u{7}"), None);
        assert_eq!(Verifier::decoy("s", "a"), Verifier::decoy("s", "a"));
        assert_ne!(Verifier::decoy("s", "a"), Verifier::decoy("s", "b"));
    }
}
