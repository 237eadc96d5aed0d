//! The signature of Standard Webhooks 1.0: `v1`, HMAC-SHA256 over `id.timestamp.body`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Bytes of a secret: the specification wants 24 to 64.
const SECRET_BYTES: usize = 32;

/// A new secret, and as it is shown: `whsec_…`. `None`: the system has no randomness.
#[must_use]
pub fn new_secret() -> Option<(Vec<u8>, String)> {
    let mut secret = vec![0; SECRET_BYTES];
    getrandom::fill(&mut secret).ok()?;
    let shown = format!("whsec_{}", BASE64.encode(&secret));
    Some((secret, shown))
}

/// The value of `webhook-signature`.
pub(crate) fn signature(secret: &[u8], id: &str, seconds: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    format!("v1,{}", BASE64.encode(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the specification's own libraries.
    #[test]
    fn the_known_vector_comes_out() {
        let secret = BASE64.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_as_the_specification_wants_them() {
        let (secret, shown) = new_secret().unwrap();
        assert_eq!(BASE64.decode(shown.strip_prefix("whsec_").unwrap()).unwrap(), secret);
        assert!((24..=64).contains(&secret.len()));
        assert_ne!(new_secret().unwrap().0, secret);
    }
}
