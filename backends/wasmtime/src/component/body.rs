//! Bodies on their way through, and whoever looks at them: the one place where a body is wrapped. What is done with what is seen is the
//! business of those who look.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime_wasi_http::Error as HttpError;

/// What a body gives when it is asked.
pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, HttpError>>>;

/// Looks at a body.
pub(super) trait Look: Unpin {
    /// The body was asked and gives this: what is given on instead.
    fn polled(&mut self, polled: Polled, context: &mut Context<'_>) -> Polled;

    /// Nobody asks any more. `at_end`: the body had said that nothing was left.
    fn dropped(&mut self, at_end: bool) {
        let _ = at_end;
    }
}

/// A body that is looked at.
pub(super) struct Seen<B: Body + Unpin, L: Look> {
    body: B,
    look: L,
}

impl<B: Body + Unpin, L: Look> Seen<B, L> {
    pub(super) fn new(body: B, look: L) -> Self {
        Self { body, look }
    }
}

impl<B, L> Body for Seen<B, L>
where
    B: Body<Data = Bytes> + Unpin,
    HttpError: From<B::Error>,
    L: Look,
{
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.look.polled(polled.map_err(HttpError::from), context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body + Unpin, L: Look> Drop for Seen<B, L> {
    fn drop(&mut self) {
        self.look.dropped(self.body.is_end_stream());
    }
}

/// How many bytes a piece has.
pub(super) fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX))
}
