//! `tweed-perf top` on a real terminal beside a real engine. The terminal is tmux's: it shows what a person would see.

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{Trio, in_a_lab};
use perf::lab::traffic::Ping;
use perf::lab::{LabError, Result, TweedNode, binary, expect, run, wait_until};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A terminal of 110 by 40 with `tweed-perf top` in it, and a shell around that tells how it ended.
struct Screen {
    /// tmux's socket: a server of our own, with nobody else's sessions and configuration.
    socket: PathBuf,
    directory: PathBuf,
}

impl Screen {
    fn start(node: &TweedNode, words: &str) -> Result<Self> {
        // One of its own each time: a server that was told to end takes its time, and its socket with it.
        static SCREENS: AtomicU32 = AtomicU32::new(0);
        let number = SCREENS.fetch_add(1, Ordering::Relaxed);
        let directory = node.directory().join(format!("screen-{number}"));
        std::fs::create_dir(&directory).map_err(LabError::io("create a directory"))?;
        let socket = directory.join("tmux");
        let top = binary("tweed-perf")?;
        let script = format!(
            "stty -g > {directory}/before; {top} top --interval 0.2 {words} --run-dir {run}; \
             echo \"ended with $?\"; stty -g > {directory}/after; exec sleep 1000",
            directory = directory.display(),
            top = top.display(),
            run = node.run_dir().display(),
        );
        let screen = Screen { socket, directory };
        let start = ["new-session", "-d", "-x", "110", "-y", "40"];
        run(screen
            .tmux()
            .args(["-f", "/dev/null"])
            .args(start)
            .arg(script))?;
        Ok(screen)
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "xterm")
            .arg("-S")
            .arg(&self.socket);
        command
    }

    fn text(&self) -> String {
        run(self.tmux().args(["capture-pane", "-p"])).unwrap_or_default()
    }

    fn press(&self, key: &str) -> Result<()> {
        run(self.tmux().args(["send-keys", key])).map(drop)
    }

    fn resize(&self, width: u16, height: u16) -> Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        run(self
            .tmux()
            .args(["resize-window", "-x", &width, "-y", &height]))
        .map(drop)
    }

    fn ask(&self, what: &str) -> Result<String> {
        let answer = run(self.tmux().args(["display-message", "-p", what]))?;
        Ok(answer.trim().to_owned())
    }

    fn wait(&self, what: &str, seen: impl Fn(&str) -> bool) -> Result<String> {
        let mut text = String::new();
        wait_until(what, 20, || {
            text = self.text();
            seen(&text)
        })
        .inspect_err(|_| eprintln!("the screen is:\n{text}"))?;
        Ok(text)
    }

    fn wait_for(&self, words: &str) -> Result<String> {
        self.wait(&format!("{words:?} on the screen"), |text| {
            text.contains(words)
        })
    }

    /// The program in the shell.
    fn pid(&self) -> Result<Pid> {
        let shell = self.ask("#{pane_pid}")?;
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))
            .map_err(LabError::io("look for tweed-perf"))?;
        let pid = children
            .split_whitespace()
            .next()
            .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
        pid.ok_or_else(|| LabError::Unexpected(format!("the shell has no child: {children:?}")))
    }

    /// It ended with this code, and the terminal is as it was before.
    fn ended(&self, code: u8) -> Result<()> {
        self.wait_for(&format!("ended with {code}"))?;
        let settings =
            |name| std::fs::read_to_string(self.directory.join(name)).unwrap_or_default();
        wait_until("the shell to look at its terminal", 20, || {
            !settings("after").is_empty()
        })?;
        let shows = self.ask("#{alternate_on} #{cursor_flag}")?;
        expect(
            shows == "0 1" && settings("before") == settings("after"),
            || {
                format!(
                    "alternate screen and cursor are {shows}, settings {:?}, then {:?}",
                    settings("before"),
                    settings("after")
                )
            },
        )
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Ours alone: nobody else knows the socket.
        let _ = self.tmux().arg("kill-server").output();
    }
}

/// The row of the peer, whichever the panel: what stands behind its address.
fn rates(text: &str, address: &str) -> Vec<String> {
    let row = text
        .lines()
        .find(|line| line.contains(address) && !line.contains("not sent to"));
    let behind = row
        .and_then(|row| row.split_once(address))
        .map_or("", |(_, behind)| behind);
    behind.split_whitespace().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn traffic_shows_and_keys_do_what_they_say() {
    in_a_lab(|lab| {
        let trio = Trio::build(lab)?;
        let screen = Screen::start(&trio.t1, "")?;
        screen.wait_for("engine   running, process")?;
        let address = trio.t2.address().to_string();
        let ping = Ping {
            count: 10,
            ..Ping::default()
        };
        screen.wait("packets to the peer and back", |text| {
            let rates = rates(text, &address);
            ping.all(&trio.x, trio.y.ip).is_ok()
                && [0, 2].iter().all(|at| {
                    rates
                        .get(*at)
                        .is_some_and(|rate| rate != "0" && rate != "-")
                })
        })?;
        for name in ["eth0", "tweed0x", "generation", "lease 10.244."] {
            screen.wait_for(name)?;
        }
        screen.press("p")?;
        screen.wait_for("FROZEN")?;
        screen.press("p")?;
        screen.wait("it to go on", |text| !text.contains("FROZEN"))?;
        screen.press("BTab")?;
        screen.press("s")?;
        screen.wait_for("by slot ▼")?;
        screen.press("r")?;
        screen.wait_for("by slot ▲")?;
        screen.press("?")?;
        screen.wait_for("look less often, more often")?;
        screen.press("h")?;
        screen.press("+")?;
        screen.wait("a longer interval", |text| {
            text.contains("every 0.5 s") && !text.contains("look less often")
        })?;
        screen.resize(30, 6)?;
        screen.wait_for("too small")?;
        screen.resize(80, 24)?;
        let text = screen.wait_for("workers")?;
        expect(text.lines().count() == 24, || {
            format!("24 lines are\n{text}")
        })?;
        screen.press("q")?;
        screen.ended(0)
    })
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn a_killed_engine_is_told_and_the_next_one_picked_up() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let screen = Screen::start(&trio.t1, "--ascii")?;
        let text = screen.wait_for("engine   running, process")?;
        expect(text.is_ascii(), || format!("not in ASCII:\n{text}"))?;
        trio.t1.kill_dataplane()?;
        let text = screen.wait_for("down since")?;
        expect(
            text.contains("is gone; last values") && text.contains("eth0"),
            || text.clone(),
        )?;
        trio.t1.start_dataplane()?;
        screen.wait("the next engine", |text| {
            text.contains("engine   running, process") && !text.contains("down since")
        })?;
        lab.wait_reach(&trio.x, trio.y.ip)?;
        // A signal leaves the terminal as it was as well.
        kill_process(screen.pid()?, Signal::TERM)
            .map_err(|errno| LabError::io("end it")(errno.into()))?;
        screen.ended(0)?;

        let screen = Screen::start(&trio.t1, "")?;
        screen.wait_for("engine   running, process")?;
        trio.t1.kill_dataplane()?;
        screen.wait_for("down since")?;
        screen.press("C-c")?;
        screen.ended(3)?;

        // A terminal that goes away takes it along.
        let screen = Screen::start(&trio.t1, "")?;
        screen.wait_for("down since")?;
        let pid = screen.pid()?;
        drop(screen);
        wait_until("top to end with its terminal", 20, || {
            test_kill_process(pid) == Err(Errno::SRCH)
        })
    })
}

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn once_prints_a_plain_screen_and_its_code_says_whether_there_is_an_engine() {
    in_a_lab(|lab| {
        let mut trio = Trio::build(lab)?;
        let once = |node: &TweedNode| -> Result<(Option<i32>, String)> {
            let output = Command::new(binary("tweed-perf")?)
                .args(["top", "--once", "--interval", "0.2", "--run-dir"])
                .arg(node.run_dir())
                .env("COLUMNS", "90")
                .output()
                .map_err(LabError::io("run tweed-perf"))?;
            Ok((
                output.status.code(),
                String::from_utf8_lossy(&output.stdout).into_owned(),
            ))
        };
        let (code, text) = once(&trio.t1)?;
        let (subnet, address) = ("10.244.", trio.t2.address().to_string());
        expect(
            code == Some(0)
                && text
                    .lines()
                    .any(|line| line.contains(subnet) && line.contains(&address))
                && !text.contains('\x1b')
                && text.lines().all(|line| line.chars().count() <= 90),
            || format!("code {code:?}:\n{text}"),
        )?;
        trio.t1.kill_dataplane()?;
        wait_until("code 3 and the reason", 20, || {
            once(&trio.t1).is_ok_and(|(code, text)| code == Some(3) && text.contains("down since"))
        })?;
        std::fs::remove_file(trio.t1.run_dir().join("stats"))
            .map_err(LabError::io("remove the segment"))?;
        let (code, _) = once(&trio.t1)?;
        expect(code == Some(3), || {
            format!("code {code:?} without a segment")
        })
    })
}
