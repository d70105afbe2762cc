//! `tweed-perf serve`: metrics for Prometheus, a live page for people, probes for whoever restarts things.
//!
//! ```text
//!   stats segment ──┐            ┌─ watch: last second ──► /events  /api/stats  /healthz  /readyz
//!   control.json ───┴─► sampler ─┤
//!                       (thread) └─ watch: last scrape ──► /metrics
//! ```
//!
//! It reads shared memory and asks the engine nothing. All clients together cost one reading a second and at most one
//! CPU: the server runs on one thread beside the sampler.

mod accept;
mod assets;
mod exposure;
mod health;
mod message;
mod metrics;
mod point;
mod routes;
mod sampler;
mod tls;
mod token;
mod view;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use exposure::Guards;
use routes::Shared;
use sampler::Readings;
use token::Token;

/// Where to listen, and who may ask.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address and port to listen on; may be given several times.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9460")]
    pub listen: Vec<SocketAddr>,
    /// Speak TLS with this certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Ask for the bearer token in the first line of this file. /healthz and /readyz stay open, without details.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Listen beyond loopback with neither TLS nor a token, and answer to any host name.
    #[arg(long)]
    pub insecure: bool,
    /// node.run_dir of the engine's configuration.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/run/tweed",
        env = "TWEED_RUN_DIR"
    )]
    pub run_dir: PathBuf,
}

/// Serves until SIGTERM or SIGINT. There need be no engine: it is waited for, and found again when it was restarted.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let token = options.token_file.as_deref().map(Token::read).transpose()?;
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => Some(tls::acceptor(cert, key)?),
        _ => None,
    };
    let guards = Guards {
        tls: tls.is_some(),
        token: token.is_some(),
        insecure: options.insecure,
    };
    options
        .listen
        .iter()
        .try_for_each(|address| guards.allow(*address))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start tokio")?;
    runtime.block_on(serve(options, guards, token, tls))
}

async fn serve(
    options: &Options,
    guards: Guards,
    token: Option<Token>,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<()> {
    let mut listeners = Vec::new();
    for address in &options.listen {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.with_context(|| {
            format!("cannot listen on {address}; is another tweed-perf serve running?")
        })?);
    }
    let beat = || drop(sd_notify::notify(&[NotifyState::Watchdog]));
    let readings = Readings::start(&options.run_dir, beat).context("cannot start the sampler")?;
    let any_host = guards.token || guards.insecure;
    let router = routes::router(Shared::new(readings, token, any_host));
    let places = Arc::new(Semaphore::new(accept::CONNECTIONS));
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    for listener in listeners {
        let address = listener
            .local_addr()
            .context("a listener without an address")?;
        if let Some(caution) = guards.caution(address) {
            eprintln!("tweed-perf serve: caution: {caution}");
        }
        let scheme = if guards.tls { "https" } else { "http" };
        println!("tweed-perf serve: {scheme}://{address}/");
        tokio::spawn(accept::serve(
            listener,
            tls.clone(),
            router.clone(),
            places.clone(),
        ));
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    Ok(())
}
