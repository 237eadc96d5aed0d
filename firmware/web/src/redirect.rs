//! Port 80: nothing but the way to HTTPS. No password ever crosses it.

use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::Web;
use crate::guard::{authority, host_of};

/// Longest path that is taken along, bytes.
const PATH_MAX: usize = 2_000;

/// 308 to the same place over HTTPS (RFC 9110 §15.4.9).
pub(crate) fn to_https(web: &Web, headers: &HeaderMap, uri: &Uri) -> Response {
    let asked = host_of(authority(headers, uri));
    let ours = web.ctx().hostname();
    // What is not plainly a host name or address is not sent back.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let fits = !asked.is_empty() && asked.len() <= 255 && asked.bytes().all(plain);
    let host = if fits { asked } else { ours.as_str() };
    let port = match web.https_port() {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let path = if path.len() <= PATH_MAX && path.starts_with('/') { path } else { "/" };
    match HeaderValue::from_str(&format!("https://{host}{port}{path}")) {
        Ok(there) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, there)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
