//! The web UI's files, compiled in compressed. Without a built UI: a plain page that says so.
//!
//! Files below /assets/ carry a hash in their name and are kept by browsers for ever; the rest is asked for
//! again. A path that names no file and has no dot, or is one of the administration's (where domains have dots),
//! is one of the UI's own pages: it gets index.html.

use std::io::Read;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// One file.
pub(crate) struct Asset {
    path: &'static str,
    /// The body is compressed.
    gzip: bool,
    /// Length of the file, uncompressed.
    len: usize,
    body: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

const NO_UI: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <title>Postroom</title></head><body><h1>Postroom</h1>\
    <p>This server was built without its web pages. The API is at \
    <a href=\"/api/openapi.yaml\">/api/openapi.yaml</a>.</p></body></html>\n";

fn find(path: &str) -> Option<&'static Asset> {
    FILES.iter().find(|asset| asset.path == path)
}

/// Serves whatever is not the API.
pub(crate) async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
        return (StatusCode::METHOD_NOT_ALLOWED, allow).into_response();
    }
    let path = request.uri().path();
    let has_dot = path.rsplit('/').next().unwrap_or_default().contains('.');
    let is_page = !has_dot || path.starts_with("/admin/");
    match find(path).or_else(|| is_page.then(|| find("/index.html")).flatten()) {
        Some(asset) => answer(asset, request.headers()),
        None if is_page && FILES.is_empty() => axum::response::Html(NO_UI).into_response(),
        None => (StatusCode::NOT_FOUND, "not found\n").into_response(),
    }
}

fn answer(asset: &'static Asset, asked: &HeaderMap) -> Response {
    let immutable = asset.path.starts_with("/assets/");
    let etag = format!("\"{}\"", blake3::hash(asset.body).to_hex());
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(asset.path)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let kept = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    // RFC 9110 §13.1.2
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    if asset.gzip && takes_gzip(asked) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        *response.body_mut() = Body::from(asset.body);
    } else if asset.gzip {
        *response.body_mut() = Body::from(unpack(asset));
    } else {
        *response.body_mut() = Body::from(asset.body);
    }
    response
}

/// For a client that cannot unpack; the length is our own file's, so it is bounded.
fn unpack(asset: &Asset) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(asset.len);
    let mut decoder = flate2::read::GzDecoder::new(asset.body);
    if let Err(err) = decoder.read_to_end(&mut bytes) {
        tracing::error!(%err, path = asset.path, "a compiled-in file is damaged");
    }
    bytes
}

/// RFC 9110 §12.5.3: named, and not with q=0.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let codings = asked.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    codings.unwrap_or_default().split(',').any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let refused = parts.any(|q| matches!(q, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        named && !refused
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
