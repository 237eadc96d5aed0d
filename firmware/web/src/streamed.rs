//! Answers that are made while they are sent: a file with all rows of something never stands in memory whole.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::Frame;
use store::StoreError;
use tokio::sync::mpsc;

/// Pieces that wait for the client.
const WAITING_MAX: usize = 2;

/// Where the pieces go; false: the client has gone.
#[derive(Debug)]
pub(crate) struct Pieces(mpsc::Sender<Result<Bytes, StoreError>>);

impl Pieces {
    pub(crate) fn send(&self, piece: Vec<u8>) -> bool {
        self.0.blocking_send(Ok(piece.into())).is_ok()
    }
}

struct Arriving(mpsc::Receiver<Result<Bytes, StoreError>>);

impl hyper::body::Body for Arriving {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// A body made by `make` on a thread that may block. An error ends it in the middle, which the client sees:
/// there is no end of the last piece.
pub(crate) fn body<F>(make: F) -> Body
where
    F: FnOnce(&Pieces) -> Result<(), StoreError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let pieces = Pieces(sender);
        if let Err(err) = make(&pieces) {
            tracing::error!(%err, "an export ended early");
            let _gone = pieces.0.blocking_send(Err(err)).is_err();
        }
    });
    Body::new(Arriving(receiver))
}
