//! What is answered where, and to whom.
//!
//! | path | with a token in force |
//! |---|---|
//! | `/` and its files | open: they hold no number |
//! | `/healthz`, `/readyz` | open, for probes cannot hold secrets; the words only for those with the token |
//! | `/metrics`, `/api/stats`, `/api/history`, `/events` | the token |

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::stream;
use serde_json::json;
use tokio::sync::Semaphore;

use super::assets;
use super::exposure::is_host_of_ours;
use super::health::Health;
use super::sampler::Readings;
use super::token::Token;

/// Pages that may be open at a time; the other connections are left for scrapes and probes.
const FOLLOWERS: usize = 64;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    readings: Readings,
    token: Option<Token>,
    followers: Arc<Semaphore>,
    any_host: bool,
}

impl Shared {
    /// `any_host`: names other than addresses and localhost are answered, because a token or the user's word guards.
    pub fn new(readings: Readings, token: Option<Token>, any_host: bool) -> Self {
        Shared {
            readings,
            token,
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            any_host,
        }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION);
        self.token.as_ref().is_none_or(|token| token.admits(shown))
    }
}

/// All routes.
pub fn router(shared: Shared) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/stats", get(stats))
        .route("/api/history", get(history))
        .route("/events", get(events))
        .layer(middleware::from_fn_with_state(shared.clone(), guard));
    let open = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz));
    let page = assets::ALL.iter().fold(Router::new(), |page, asset| {
        page.route(
            asset.0,
            get(move || async move { assets::response(*asset) }),
        )
    });
    page.merge(open)
        .merge(guarded)
        .layer(middleware::from_fn_with_state(shared.clone(), polish))
        .with_state(shared)
}

/// Turns away those without the token.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if shared.admits(request.headers()) {
        return next.run(request).await;
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"tweed-perf\"")];
    (
        StatusCode::UNAUTHORIZED,
        challenge,
        "this needs the token: Authorization: Bearer TOKEN\n",
    )
        .into_response()
}

/// Turns away strange hosts, and puts the common headers on.
async fn polish(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let mut response = match shared.any_host || host.is_none_or(is_host_of_ours) {
        true => next.run(request).await,
        false => {
            let text = "without a token or --insecure only addresses and localhost are answered: names can be rebound\n";
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
    };
    response.headers_mut().extend(assets::HEADERS);
    response
}

async fn metrics(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let scrape = shared.readings.scrape().await;
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    match accepted.is_some_and(|accepted| accepted.contains("application/openmetrics-text")) {
        true => ([(header::CONTENT_TYPE, OPENMETRICS)], scrape.openmetrics).into_response(),
        false => ([(header::CONTENT_TYPE, CLASSIC)], scrape.classic).into_response(),
    }
}

async fn stats(State(shared): State<Shared>) -> Response {
    let last = shared.readings.last();
    match last.stats() {
        Some(stats) => ([(header::CONTENT_TYPE, JSON)], stats).into_response(),
        None => {
            let error = json!({ "error": last.view.absence }).to_string();
            (
                StatusCode::SERVICE_UNAVAILABLE,
                [(header::CONTENT_TYPE, JSON)],
                error,
            )
                .into_response()
        }
    }
}

async fn history(State(shared): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, JSON)], shared.readings.history()).into_response()
}

/// One event a second. A client that reads slowly misses seconds; it is never queued for.
async fn events(State(shared): State<Shared>) -> Response {
    let Ok(place) = Arc::clone(&shared.followers).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response();
    };
    let seconds = stream::unfold(
        (shared.readings.follow(), place),
        |(mut seconds, place)| async move {
            seconds.changed().await.ok()?;
            let event = Event::default().data(seconds.borrow_and_update().event());
            Some((Ok::<_, Infallible>(event), (seconds, place)))
        },
    );
    Sse::new(seconds)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
        .into_response()
}

async fn healthz(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    probe(&shared, &headers, Health::is_live, |health| {
        health.dead.clone()
    })
}

async fn readyz(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let problems = |health: &Health| health.dead.iter().chain(&health.unready).cloned().collect();
    probe(&shared, &headers, Health::is_ready, problems)
}

fn probe(
    shared: &Shared,
    headers: &HeaderMap,
    good: fn(&Health) -> bool,
    problems: impl Fn(&Health) -> Vec<String>,
) -> Response {
    let last = shared.readings.last();
    let health = &last.view.health;
    let fresh = shared.readings.is_fresh();
    let good = fresh && good(health);
    let mut problems = problems(health);
    if !fresh {
        problems.push(
            "tweed-perf serve has not read the engine for seconds: it is stuck, or the machine is"
                .to_owned(),
        );
    }
    let mut body = json!({ "ok": good });
    if shared.admits(headers) {
        body["problems"] = json!(problems);
        body["warnings"] = json!(health.warnings);
    }
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(header::CONTENT_TYPE, JSON)], format!("{body}\n")).into_response()
}
