//! The signature of Standard Webhooks 1.0: `v1`, HMAC-SHA256 over `id.timestamp.body`.

use aws_lc_rs::hmac;
use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use store::Webhook;

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

/// The value of `webhook-signature`: while a new secret is learnt on the other side, one signature with each
/// of both and a space between them.
pub(crate) fn signatures(hook: &Webhook, id: &str, now: Timestamp, body: &[u8]) -> String {
    let new = signature(&hook.secret, id, now.secs(), body);
    match hook.old_secret(now) {
        Some(old) => format!("{new} {}", signature(&old.secret, id, now.secs(), body)),
        None => new,
    }
}

fn signature(secret: &[u8], id: &str, seconds: i64, body: &[u8]) -> String {
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
    fn the_secret_before_counts_until_its_time_is_over() {
        let until = Timestamp::from_secs(1_614_265_330);
        let old = store::OldSecret { secret: vec![1; 32], until };
        let hook = Webhook { secret: vec![2; 32], old_secret: Some(old), ..Webhook::default() };
        let signed = |at: i64| signatures(&hook, "x", Timestamp::from_secs(at), b"{}");
        let [new, old] = [2, 1].map(|n| signature(&[n; 32], "x", until.secs() - 1, b"{}"));
        assert_eq!(signed(until.secs() - 1), format!("{new} {old}"));
        assert_eq!(signed(until.secs()), signature(&[2; 32], "x", until.secs(), b"{}"));
    }

    #[test]
    fn secrets_are_as_the_specification_wants_them() {
        let (secret, shown) = new_secret().unwrap();
        assert_eq!(BASE64.decode(shown.strip_prefix("whsec_").unwrap()).unwrap(), secret);
        assert!((24..=64).contains(&secret.len()));
        assert_ne!(new_secret().unwrap().0, secret);
    }
}
