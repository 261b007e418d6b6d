//! A client's stream that tells what the connection is at, from what goes through it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::{Connection, Phase};

/// The answers of a connection that are not sent in full.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    connection: Arc<Connection>,
    under_way: Arc<AtomicUsize>,
    multiplexed: Arc<AtomicBool>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Answer(Answers);

impl Answers {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self {
            connection,
            under_way: Arc::default(),
            multiplexed: Arc::default(),
        }
    }

    /// Notes that not all that arrives belongs to a request, as with HTTP/2.
    pub(super) fn multiplex(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// Notes that a request has arrived.
    pub(super) fn begin(&self) -> Answer {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        self.connection.begin(Phase::Answering);
        Answer(self.clone())
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // What is left of it is in the buffers of the connection, until the stream is flushed.
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Answer {
    /// Returns the body, which keeps the answer under way until the connection has taken all of it.
    pub(super) fn until_sent<B>(self, body: B) -> Sent<B> {
        Sent {
            body,
            _answer: self,
        }
    }
}

/// A body with the answer that it belongs to.
#[derive(Debug)]
pub(super) struct Sent<B> {
    body: B,
    _answer: Answer,
}

impl<B: Body + Unpin> Body for Sent<B> {
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

/// A stream under watch.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    answers: Answers,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, answers: Answers) -> Self {
        Self { stream, answers }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() > before;
        if read && !self.answers.multiplexed.load(Ordering::Relaxed) {
            self.answers.connection.progress(Phase::Asking);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.answers.connection.progress(Phase::Answering);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, parts))?;
        self.answers.connection.progress(Phase::Answering);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        let Answers {
            connection,
            under_way,
            ..
        } = &self.answers;
        if under_way.load(Ordering::Relaxed) == 0 && connection.moment().phase == Phase::Answering {
            connection.begin(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
