//! A client's stream that tracks the phase of its connection by the bytes it reads and writes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::{Connection, Phase};

/// The responses of a connection that are not fully sent.
#[derive(Debug, Clone)]
pub(super) struct PendingResponses {
    connection: Arc<Connection>,
    count: Arc<AtomicUsize>,
    multiplexed: Arc<AtomicBool>,
}

/// A response that counts as pending until it is dropped.
#[derive(Debug)]
pub(super) struct PendingResponse(PendingResponses);

impl PendingResponses {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            count: Arc::default(),
            multiplexed: Arc::default(),
        }
    }

    /// Records that incoming bytes need not belong to a request, as with HTTP/2.
    pub(super) fn multiplex(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// Records that a request has arrived.
    pub(super) fn begin(&self) -> PendingResponse {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.connection.begin(Phase::Sending);
        PendingResponse(self.clone())
    }
}

impl Drop for PendingResponse {
    fn drop(&mut self) {
        // Its last bytes may still be in the connection's buffers, until the stream is flushed.
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PendingResponse {
    /// Wraps the body, which keeps the response pending until the connection has taken all of it.
    pub(super) fn track<B>(self, body: B) -> TrackedBody<B> {
        TrackedBody {
            body,
            _pending: self,
        }
    }
}

/// A body that keeps its response pending.
#[derive(Debug)]
pub(super) struct TrackedBody<B> {
    body: B,
    _pending: PendingResponse,
}

impl<B: Body + Unpin> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that records its progress.
#[derive(Debug)]
pub(super) struct TrackedStream<S> {
    stream: S,
    pending: PendingResponses,
}

impl<S> TrackedStream<S> {
    pub(super) fn new(stream: S, pending: PendingResponses) -> Self {
        Self { stream, pending }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() > before;
        if read && !self.pending.multiplexed.load(Ordering::Relaxed) {
            self.pending.connection.progress(Phase::Receiving);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TrackedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.pending.connection.progress(Phase::Sending);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, parts))?;
        self.pending.connection.progress(Phase::Sending);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        let PendingResponses {
            connection, count, ..
        } = &self.pending;
        if count.load(Ordering::Relaxed) == 0 && connection.activity().phase == Phase::Sending {
            connection.begin(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
