//! Connections: accepted within bounds, and ended when they take too long.
//!
//! Invariant: at most [`CONNECTIONS`] exist; more wait in the kernel's backlog. A client that sends slowly, does not
//! read, or never ends holds its place for a bounded time, and memory of a bounded size. HTTP/1.1 only: it is all
//! that scrapers and an open page need, and has the least to get wrong.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// At a time, over all addresses.
pub const CONNECTIONS: usize = 128;
/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// For the headers of a request, and between two requests. Prometheus asks each 15 seconds by default.
const HEADERS: Duration = Duration::from_secs(60);
/// Bytes of a request's head, and of what is buffered.
const HEAD_BYTES: usize = 16 * 1024;
/// For a peer that does not acknowledge or does not read: the kernel ends the connection then.
const UNREAD_MS: u32 = 20_000;
/// The whole life of a connection; pages connect again by themselves.
const LIFE: Duration = Duration::from_secs(3600);
/// After accept(2) failed: out of descriptors passes, and must not become a busy loop.
const RETRY: Duration = Duration::from_millis(100);

/// Serves a listener for ever.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    places: Arc<Semaphore>,
) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                sleep(RETRY).await;
                continue;
            }
        };
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            // That a client went away or spoke nonsense is its own affair.
            let _ = timeout(LIFE, connection(stream, tls, router)).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNREAD_MS);
    match tls {
        None => speak(stream, router).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                speak(stream, router).await;
            }
        }
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}
