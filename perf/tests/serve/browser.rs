//! A real Chromium without a screen, driven by its DevTools protocol over a pair of pipes.
//!
//! The pipes are named ones that a shell opens as descriptors 3 and 4, where `--remote-debugging-pipe` looks for
//! them; messages end with a zero byte. So the test needs no WebSocket, and Chromium no port.
//! <https://chromedevtools.github.io/devtools-protocol/>

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use perf::lab::{LabError, Namespace, Process, Result, expect, run};
use serde_json::{Value, json};

/// Chromium takes its time on a machine with more to do; only failures wait so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page open.
pub struct Browser {
    commands: File,
    messages: Receiver<Value>,
    session: String,
    last_id: u64,
    /// What the page asked for, in order.
    pub requests: Vec<String>,
    /// Errors and warnings on the console, exceptions, and what the browser itself complained of.
    pub complaints: Vec<String>,
    _process: Process,
}

fn failed(action: &str) -> impl FnOnce(std::io::Error) -> LabError {
    let action = action.to_owned();
    move |source| LabError::Io { action, source }
}

impl Browser {
    /// Starts it in a namespace; its files go below `directory`.
    pub fn start(ns: &Namespace, directory: &Path) -> Result<Self> {
        let home = directory.join("chromium");
        std::fs::create_dir(&home).map_err(failed("make a directory for chromium"))?;
        let (to, from) = (home.join("to"), home.join("from"));
        run(std::process::Command::new("mkfifo").args([&to, &from]))?;
        let mut command = ns.command("sh");
        command
            .env("HOME", &home)
            .args([
                "-c",
                "exec 3<>\"$0\" 4<>\"$1\"; shift; exec chromium \"$@\"",
            ])
            .args([&to, &from])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--force-color-profile=srgb", "--remote-debugging-pipe"])
            .arg(format!(
                "--user-data-dir={}",
                home.join("profile").display()
            ))
            .arg("about:blank");
        let process = Process::start("chromium", command, &directory.join("chromium.log"))?;
        // Read and write: to open either end of a pipe alone would wait for the other, also when Chromium never comes.
        let open = |path: &Path| {
            File::options()
                .read(true)
                .write(true)
                .open(path)
                .map_err(failed("open a pipe to chromium"))
        };
        let (commands, answers) = (open(&to)?, open(&from)?);
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers)
                .split(0)
                .map_while(std::io::Result::ok)
            {
                let message = serde_json::from_slice(&message).unwrap_or(Value::Null);
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Browser {
            commands,
            messages,
            session: String::new(),
            last_id: 0,
            requests: Vec::new(),
            complaints: Vec::new(),
            _process: process,
        };
        browser.attach()?;
        Ok(browser)
    }

    fn attach(&mut self) -> Result<()> {
        let targets = self.call("Target.getTargets", json!({}))?;
        let pages = targets["targetInfos"].as_array().into_iter().flatten();
        let page = pages
            .into_iter()
            .find(|target| target["type"] == "page")
            .cloned();
        let id = match page {
            Some(page) => page["targetId"].clone(),
            None => self.call("Target.createTarget", json!({ "url": "about:blank" }))?["targetId"]
                .clone(),
        };
        let attached = self.call(
            "Target.attachToTarget",
            json!({ "targetId": id, "flatten": true }),
        )?;
        self.session = attached["sessionId"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        for domain in ["Page", "Network", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    /// One command, and its result. What happens meanwhile is kept in `requests` and `complaints`.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        let line = format!("{command}\0");
        self.commands
            .write_all(line.as_bytes())
            .map_err(failed("write to chromium"))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match self
                .messages
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(message) if message["id"] == self.last_id => {
                    expect(message["error"].is_null(), || {
                        format!("chromium refuses {method}: {}", message["error"])
                    })?;
                    return Ok(message["result"].clone());
                }
                Ok(message) => self.note(&message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(LabError::Unexpected(format!(
                        "chromium does not answer {method}"
                    )));
                }
            }
        }
    }

    fn note(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                self.requests.push(
                    params["request"]["url"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned(),
                );
            }
            "Runtime.consoleAPICalled" if params["type"] != "log" => {
                self.complaints.push(params["args"].to_string())
            }
            "Runtime.exceptionThrown" => {
                self.complaints.push(params["exceptionDetails"].to_string())
            }
            "Log.entryAdded"
                if params["entry"]["level"] != "info" && params["entry"]["level"] != "verbose" =>
            {
                self.complaints.push(params["entry"].to_string());
            }
            _ => {}
        }
    }

    /// The window's size, and whether the system is dark.
    pub fn look(&mut self, width: u32, height: u32, dark: bool) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).map(drop)
    }

    /// Goes to a page.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.call("Page.navigate", json!({ "url": url })).map(drop)
    }

    /// What an expression is in the page; promises are waited for.
    pub fn eval(&mut self, expression: &str) -> Result<Value> {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", params)?;
        expect(result["exceptionDetails"].is_null(), || {
            format!("{expression}: {}", result["exceptionDetails"])
        })?;
        Ok(result["result"]["value"].clone())
    }

    /// The text of an element, by id.
    pub fn text(&mut self, id: &str) -> Result<String> {
        let text = self.eval(&format!(
            "document.getElementById({id:?})?.textContent ?? ''"
        ))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until an expression is true in the page.
    pub fn wait(&mut self, expression: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        // What the page does not have yet is not true yet.
        let tried =
            format!("(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()");
        while self.eval(&tried)? != true {
            let page = self.eval("document.body?.innerText")?;
            expect(Instant::now() < end, || {
                format!("{expression} never became true; the page reads:\n{page}")
            })?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The window as PNG.
    pub fn screenshot(&mut self, path: &Path) -> Result<()> {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }))?;
        let png = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().unwrap_or_default());
        let png =
            png.map_err(|_| LabError::Unexpected("chromium's picture is not base64".to_owned()))?;
        std::fs::write(path, png).map_err(failed("write a picture"))
    }
}
