//! The limit that scrapes are measured against: a hyper server that only sends the same bytes from memory.
//! Arguments: the file for clients without gzip, and the file for clients with gzip. Prints its address.

#![expect(clippy::print_stdout, reason = "its address is its output")]

use std::convert::Infallible;
use std::env::args;
use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// The bytes to send, plain and compressed.
struct Files {
    identity: Bytes,
    gzip: Bytes,
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = |index| -> Result<Bytes, Box<dyn Error>> {
        let path = args().nth(index).ok_or("two files are needed")?;
        Ok(std::fs::read(path)?.into())
    };
    let files = Arc::new(Files {
        identity: file(1)?,
        gzip: file(2)?,
    });
    // As many threads as the exporter has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, files.clone()));
        }
    })
}

async fn serve(stream: TcpStream, files: Arc<Files>) {
    let answer = service_fn(move |request| {
        let files = files.clone();
        async move { Ok::<_, Infallible>(respond(&request, &files)) }
    });
    let _ = stream.set_nodelay(true);
    // A client that disconnects does not end this program.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

fn respond(request: &Request<Incoming>, files: &Files) -> Response<Full<Bytes>> {
    if request.headers().contains_key(ACCEPT_ENCODING) {
        let mut response = Response::new(Full::new(files.gzip.clone()));
        let gzip = HeaderValue::from_static("gzip");
        response.headers_mut().insert(CONTENT_ENCODING, gzip);
        response
    } else {
        Response::new(Full::new(files.identity.clone()))
    }
}
