//! The one thread that reads the engine: once a second, and when somebody scrapes and the last reading is not fresh.
//!
//! Invariant: however many clients there are and however often they ask, the segment is read at most a handful of
//! times a second, and what is printed of a reading is printed once: clients share the bytes.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::watch;

use super::message::Message;
use super::metrics;
use super::view::{Reading, View};
use crate::stats::Source;

/// Between two readings that nobody asked for.
const PERIOD: Duration = Duration::from_secs(1);
/// A scrape is answered from a reading no older than this.
const FRESH: Duration = Duration::from_millis(250);
/// Points that are kept for the charts: five minutes.
const HISTORY: usize = 300;
/// Longest wait for a reading. The thread is never that late unless the machine is; then the last one must do.
const PATIENCE: Duration = Duration::from_secs(2);

/// The two texts of `/metrics`.
#[derive(Clone)]
pub struct Scrape {
    taken: Instant,
    /// OpenMetrics.
    pub openmetrics: Bytes,
    /// Text format 0.0.4.
    pub classic: Bytes,
}

/// What clients are answered from. Clones share it.
#[derive(Clone)]
pub struct Readings {
    seconds: watch::Receiver<Arc<Message>>,
    scrapes: watch::Receiver<Scrape>,
    requests: SyncSender<()>,
    history: Arc<Mutex<VecDeque<String>>>,
}

impl Readings {
    /// Starts the thread; the first reading is made before this returns. `beat` is called once a second, from the
    /// thread.
    pub fn start(run_dir: &Path, beat: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let mut engine = Engine::new(run_dir.to_owned());
        let first = Arc::new(Message::new(View::new(engine.read(), None)));
        let (scrapes, scrapes_of) = watch::channel(scrape(&first.view));
        let (seconds, seconds_of) = watch::channel(first);
        let (requests, asked) = sync_channel(1);
        let history = Arc::new(Mutex::new(VecDeque::with_capacity(HISTORY)));
        let kept = Arc::clone(&history);
        std::thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(move || {
                Sampler {
                    engine,
                    asked,
                    seconds,
                    scrapes,
                    history: kept,
                }
                .run(beat);
            })?;
        Ok(Readings {
            seconds: seconds_of,
            scrapes: scrapes_of,
            requests,
            history,
        })
    }

    /// The last second.
    pub fn last(&self) -> Arc<Message> {
        self.seconds.borrow().clone()
    }

    /// Whether the thread still reads. If it hangs, what `last` says is not to be believed.
    pub fn is_fresh(&self) -> bool {
        self.last().view.taken.elapsed() < PERIOD * 5
    }

    /// This second and all that follow.
    pub fn follow(&self) -> watch::Receiver<Arc<Message>> {
        let mut seconds = self.seconds.clone();
        seconds.mark_changed();
        seconds
    }

    /// A reading made no more than a moment ago.
    pub async fn scrape(&self) -> Scrape {
        let mut scrapes = self.scrapes.clone();
        let last = scrapes.borrow_and_update().clone();
        if last.taken.elapsed() < FRESH {
            return last;
        }
        // Full: somebody has asked already, and the answer is for all.
        let _ = self.requests.try_send(());
        let _ = tokio::time::timeout(PATIENCE, scrapes.changed()).await;
        scrapes.borrow().clone()
    }

    /// The points of the last minutes, a JSON array, the oldest first.
    pub fn history(&self) -> String {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let points: Vec<&str> = history.iter().map(String::as_str).collect();
        format!("[{}]", points.join(","))
    }
}

struct Sampler {
    engine: Engine,
    asked: Receiver<()>,
    seconds: watch::Sender<Arc<Message>>,
    scrapes: watch::Sender<Scrape>,
    history: Arc<Mutex<VecDeque<String>>>,
}

impl Sampler {
    /// Until nobody can ask any more.
    fn run(mut self, beat: impl Fn()) {
        let mut last = self.seconds.borrow().clone();
        let mut next = Instant::now() + PERIOD;
        loop {
            match self
                .asked
                .recv_timeout(next.saturating_duration_since(Instant::now()))
            {
                Ok(()) if last.view.taken.elapsed() < FRESH => self.answer(&last.view),
                // It does not become the last second: rates are of whole ones.
                Ok(()) => {
                    let now = View::new(self.engine.read(), Some(&last.view));
                    self.answer(&now);
                }
                Err(RecvTimeoutError::Timeout) => {
                    last = Arc::new(Message::new(View::new(
                        self.engine.read(),
                        Some(&last.view),
                    )));
                    self.keep(&last.view);
                    self.seconds.send_replace(last.clone());
                    beat();
                    // After a pause of the machine seconds are not caught up with.
                    next = (next + PERIOD).max(Instant::now() + PERIOD / 2);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&self, view: &View) {
        self.scrapes.send_replace(scrape(view));
    }

    fn keep(&self, view: &View) {
        let Some(point) = &view.point else { return };
        let point = serde_json::to_string(point).expect("numbers and names are always JSON");
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(point);
    }
}

fn scrape(view: &View) -> Scrape {
    let openmetrics = metrics::openmetrics(view);
    Scrape {
        taken: view.taken,
        classic: metrics::classic(&openmetrics).into(),
        openmetrics: openmetrics.into(),
    }
}

/// The segment in a run directory, that may not be there yet.
struct Engine {
    /// Leaked once per process: the reader borrows it for as long as the thread lives.
    run_dir: &'static Path,
    source: Option<Source<'static>>,
}

impl Engine {
    fn new(run_dir: PathBuf) -> Self {
        Engine {
            run_dir: Box::leak(run_dir.into_boxed_path()),
            source: None,
        }
    }

    fn read(&mut self) -> Reading {
        match &mut self.source {
            Some(source) => Ok(source.read()),
            empty => Ok(empty.insert(Source::open(self.run_dir)?).read()),
        }
    }
}
