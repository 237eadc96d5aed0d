//! Tokens of the API as they are shown: `Authorization: Bearer postroom_ID_SECRET` (RFC 6750).
//!
//! The secret is 256 random bits, kept is its BLAKE3. Wrong ones are counted for the network they come from.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use base::hex;
use store::Token;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use crate::Web;
use crate::error::ApiError;
use crate::guard::Peer;

/// What a token begins with, so that one that was lost can be found by who scans for such.
const PREFIX: &str = "postroom_";
/// How exact the time of the last use is.
const USED_EVERY: Duration = Duration::from_secs(3600);

/// Wrong tokens that a network may show before it waits, and how long it waits after the last one.
const FREE_TRIES: u32 = 10;
const WAIT: Duration = Duration::from_secs(60);
/// Networks kept; above it the oldest goes.
const NETWORKS_MAX: usize = 1_000;

/// The count of wrong tokens.
#[derive(Debug, Default)]
pub(crate) struct TokenThrottle {
    wrong: Mutex<BTreeMap<IpAddr, (u32, Instant)>>,
}

impl TokenThrottle {
    fn wrong(&self) -> MutexGuard<'_, BTreeMap<IpAddr, (u32, Instant)>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds to wait before one may be tried from there; `None` if now.
    fn wait_secs(&self, network: IpAddr) -> Option<u64> {
        let mut all = self.wrong();
        let (count, last) = all.get(&network).copied()?;
        match WAIT.checked_sub(last.elapsed()) {
            None => {
                all.remove(&network);
                None
            }
            Some(left) => (count >= FREE_TRIES).then(|| left.as_secs() + 1),
        }
    }

    fn failed(&self, network: IpAddr) {
        let now = Instant::now();
        let mut all = self.wrong();
        if all.len() >= NETWORKS_MAX && !all.contains_key(&network) {
            let oldest = all.iter().min_by_key(|(_, (_, last))| *last).map(|(network, _)| *network);
            oldest.map(|oldest| all.remove(&oldest));
        }
        let (count, _) = all.get(&network).copied().unwrap_or((0, now));
        all.insert(network, (count.saturating_add(1), now));
    }
}

/// A new secret and its hash; `None` when there is no randomness to be had.
pub(crate) fn secret() -> Option<(String, [u8; 32])> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).ok()?;
    let secret = hex::encode(&random);
    let hash = *blake3::hash(secret.as_bytes()).as_bytes();
    Some((secret, hash))
}

/// The token as its holder gets it.
pub(crate) fn text(id: u32, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

fn shown(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// True if the request comes with a token.
pub(crate) fn is_shown(request: &Request) -> bool {
    shown(request.headers()).is_some()
}

/// The token of a request that shows one.
///
/// # Errors
/// 401 `token-invalid`, also for one that is over; 429 after too many wrong ones.
pub(crate) fn check(web: &Web, request: &Request) -> Result<Token, ApiError> {
    let wrong = || ApiError::new(StatusCode::UNAUTHORIZED, "token-invalid");
    let peer = request.extensions().get::<Peer>();
    let network = peer.map_or_else(|| IpAddr::from([0; 4]), |peer| session::network_of(peer.0));
    let now = web.ctx().clock.now();
    let found = match shown(request.headers()).and_then(taken_apart) {
        Some((id, secret)) => web.store().token(id)?.filter(|token| {
            let hash = blake3::hash(secret.as_bytes());
            bool::from(hash.as_bytes().ct_eq(&token.hash))
        }),
        None => None,
    };
    // Nobody guesses 256 bits; the wait is for who makes the box look. A right token is let in at once,
    // whatever others behind the same address do.
    let Some(token) = found else {
        if let Some(secs) = web.token_throttle().wait_secs(network) {
            return Err(ApiError::throttled(secs));
        }
        web.token_throttle().failed(network);
        return Err(wrong());
    };
    if token.expires_at.is_some_and(|until| until <= now) {
        return Err(wrong());
    }
    let since = token.last_used_at.map(|at| now.0.saturating_sub(at.0));
    if since.is_none_or(|ms| i64::try_from(USED_EVERY.as_millis()).is_ok_and(|each| ms >= each)) {
        let (store, id) = (web.store().clone(), token.id);
        // Nobody waits for it: it promises nothing.
        tokio::spawn(async move {
            if let Err(err) = store.touch_token(id, now).await {
                tracing::warn!(%err, "the use of a token was not noted");
            }
        });
    }
    Ok(token)
}

fn taken_apart(text: &str) -> Option<(u32, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    Some((id.parse().ok()?, secret))
}
