//! A connection whose bytes are counted, whatever is spoken over it. Where a limit is reached it says so, and stands still: the guest ends.

use crate::component::network::Network;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection of one guest.
pub(super) struct Metered {
    stream: TcpStream,
    network: Arc<Network>,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, network: Arc<Network>) -> Self {
        Self { stream, network }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let allowed = match self.network.traffic.may_receive(buffer.remaining()) {
            Ok(allowed) => allowed,
            Err(limit) => {
                // That the peer has ended is no byte.
                let next = ready!(self.stream.poll_peek(context, &mut ReadBuf::new(&mut [0])))?;
                if next > 0 {
                    self.network.traffic.end(limit);
                    return Poll::Pending;
                }
                return Poll::Ready(Ok(()));
            }
        };
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(allowed));
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let count = part.filled().len();
        buffer.advance(count);
        self.network.traffic.received(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = match self.network.traffic.may_send(bytes.len()) {
            Ok(allowed) => allowed,
            Err(limit) => {
                self.network.traffic.end(limit);
                return Poll::Pending;
            }
        };
        let count = ready!(Pin::new(&mut self.stream).poll_write(context, &bytes[..allowed]))?;
        self.network.traffic.sent(count);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
