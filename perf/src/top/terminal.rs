//! The terminal: taken, drawn on, and given back as it was.
//!
//! Invariant: once taken it is given back on every way out: the end, an error, a panic (the hook runs before an abort),
//! a signal that can be caught. The segment is read once per interval, whatever happens at the keyboard meanwhile.

use std::io::stdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use super::app::App;
use super::key::action;
use super::render::render;
use crate::stats::Source;

/// Longest wait for a key: a signal is noticed as late.
const PATIENCE: Duration = Duration::from_millis(100);

/// The exit status of a program ended by SIGHUP, by the shell's convention.
const HUNG_UP: i32 = 129;

/// A terminal that is ours.
struct Taken;

impl Taken {
    fn take() -> std::io::Result<Self> {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            hook(panic);
        }));
        let taken = Taken;
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// A terminal that is gone cannot be given back, and then nobody misses it.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
}

/// A terminal that hangs up ends the process, from a thread of its own: crossterm goes on reading a terminal that is gone for
/// ever, inside one call, and looks at no flag.
fn end_with_the_terminal() -> std::io::Result<()> {
    let mut hangups = Signals::new([SIGHUP])?;
    std::thread::spawn(move || {
        if hangups.forever().next().is_some() {
            give_back();
            std::process::exit(HUNG_UP);
        }
    });
    Ok(())
}

/// Shows the dashboard until the user or a signal ends it.
pub fn run(app: &mut App, source: &mut Source) -> std::io::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGQUIT] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    end_with_the_terminal()?;
    let _taken = Taken::take()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
    let mut looked = Instant::now();
    super::look(app, source);
    while !app.quit && !stop.load(Ordering::Relaxed) {
        app.height = terminal.size()?.height;
        terminal.draw(|frame| render(app, frame))?;
        // Several keys at once, as a paste or a slow terminal brings them, are one drawing.
        let mut changed = false;
        while !changed && !stop.load(Ordering::Relaxed) {
            let left = app.interval.saturating_sub(looked.elapsed());
            if left.is_zero() {
                looked = Instant::now();
                super::look(app, source);
                break;
            }
            let mut wait = left.min(PATIENCE);
            while event::poll(wait)? {
                changed = true;
                wait = Duration::ZERO;
                if let Event::Key(key) = event::read()?
                    && let Some(action) = action(key)
                {
                    app.act(action);
                }
            }
        }
    }
    Ok(())
}
