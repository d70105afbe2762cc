//! `tweed-control`: keeps this node's lease, follows everyone else's, and publishes the tables that the dataplane reads.
//!
//! From the command line to the loop and back to an exit code; what is decided is decided in the library.

#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use contract::config::Config;
use contract::tables::{Origin, Publisher};
use control::doctor;
use control::lease::{self, Identity, Source, View};
use control::masquerade;
use control::netlink::Netlink;
use control::netlink::events::Events;
use control::reconcile::{RESYNC, Reconciler};
use control::settings::{self, Settings, SettingsError, Task, print};
use control::state::State;
use control::status;
use control::subnet_env;
use control::takeover::{former, release};
use rustix::thread::{CapabilitySet, capabilities};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

/// How the program ends when it does not end well.
enum Failure {
    Config(anyhow::Error),
    Environment(anyhow::Error),
    Runtime(anyhow::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Runtime(_) => 1,
            Failure::Config(_) => 2,
            Failure::Environment(_) => 3,
        }
    }

    fn error(&self) -> &anyhow::Error {
        match self {
            Failure::Config(error) | Failure::Environment(error) | Failure::Runtime(error) => error,
        }
    }
}

fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args_os()) {
        Ok(settings) => settings,
        Err(SettingsError::Usage(error)) => error.exit(),
        Err(error) => return fail(&Failure::Config(error.into())),
    };
    match settings.task {
        Task::Status { json } => return status::command::run(&settings.config, json),
        Task::Doctor { json } => return doctor::run(&settings, json),
        _ => {}
    }
    match start(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("tweed-control: {}", report(failure.error()));
    ExitCode::from(failure.code())
}

/// The causes in one line. Ours already quote theirs; a cause that has been said is not said again.
fn report(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn start(settings: Settings) -> Result<(), Failure> {
    if matches!(settings.task, Task::Check | Task::Print) {
        for warning in &settings.warnings {
            eprintln!("tweed-control: {warning}");
        }
        match settings.task {
            Task::Print => print!("{}", print::render(&settings)),
            _ => println!("valid: {}", from(&settings)),
        }
        return Ok(());
    }
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        // netlink_proto warns of each overrun; we recover, and count on it.
        .unwrap_or_else(|_| match settings.task {
            Task::Release => "warn,netlink_proto=error".into(),
            _ => "info,netlink_proto=error".into(),
        });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    if settings.file.is_none() {
        tracing::info!("{}", from(&settings));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the tokio runtime")
        .map_err(Failure::Runtime)?;
    match settings.task {
        Task::Release => runtime.block_on(give_back(settings.config)),
        _ => runtime.block_on(run(settings.config)),
    }
}

fn from(settings: &Settings) -> String {
    settings::file_name(settings.file.as_deref())
}

async fn run(config: Config) -> Result<(), Failure> {
    let environment = |error: anyhow::Error| Failure::Environment(error);
    check_privilege().map_err(environment)?;
    masquerade::check(&config).map_err(|error| environment(error.into()))?;
    let events = Events::subscribe().map_err(|error| environment(error.into()))?;
    let netlink = Netlink::open().map_err(|error| environment(error.into()))?;
    let underlay = netlink
        .underlay(&config)
        .await
        .map_err(|error| environment(error.into()))?;
    let state = State::new(&config.state_dir);
    let _alone = state.lock().map_err(|error| environment(error.into()))?;
    let env = subnet_env::previous_subnet(&config.lease.subnet_env);
    let former = former::find(&netlink, &underlay, env)
        .await
        .map_err(|error| environment(error.into()))?;
    if let Some(former) = &former {
        tracing::info!(
            device = former.name,
            subnet = %former.subnet,
            "flanneld's device carries the pods of this node: taking its VTEP MAC over"
        );
        state
            .adopt_vtep_mac(former.mac)
            .map_err(|error| environment(error.into()))?;
    }
    let vtep_mac = state
        .vtep_mac()
        .map_err(|error| environment(error.into()))?;
    let publisher = open_tables(&config).map_err(environment)?;
    tracing::info!(
        device = underlay.name,
        address = %underlay.address,
        public_ip = %underlay.public_ip,
        vtep_mac = %vtep_mac,
        "this node"
    );

    let previous = former
        .map(|former| former.subnet)
        .or_else(|| state.previous_subnet())
        .or(env);
    let (identity, identity_now) = watch::channel(Identity {
        public_ip: underlay.public_ip,
        vtep_mac,
    });
    let (view_now, view) = watch::channel(View::default());
    let (stop_lease, lease_stops) = oneshot::channel::<()>();
    let source = Source::new(&config, previous);
    let gives_back = matches!(&source, Source::Etcd(etcd) if etcd.release_on_exit);
    let keeper = tokio::spawn(lease::run(source, identity_now, view_now, async {
        // An error is our own end without a word, which is a stop as well.
        let _ = lease_stops.await;
    }));

    let mut reconciler = Reconciler::new(
        config, netlink, events, publisher, state, underlay, identity, view,
    );
    let watchdog = sd_notify::watchdog_enabled();
    let resync = watchdog.map_or(RESYNC, |period| period / 2);
    let mut ready = false;
    let outcome = tokio::select! {
        outcome = reconciler.run(resync, |standing| {
            if standing && !ready {
                ready = true;
                tell_systemd(NotifyState::Ready);
            }
            tell_systemd(NotifyState::Watchdog);
        }) => outcome.map_err(|error| match error.is_environment() {
            true => Failure::Environment(error.into()),
            false => Failure::Runtime(error.into()),
        }),
        signal = stop_signal() => signal
            .map(|name| tracing::info!("{name}: stopping; the uplink and its routes stay"))
            .context("cannot wait for signals")
            .map_err(Failure::Runtime),
    };
    tell_systemd(NotifyState::Stopping);
    if gives_back && let Err(error) = reconciler.retire().await {
        tracing::error!(
            "the subnet is given back and the dataplane still serves it: {error}; stop it"
        );
    }
    // The keeper gives the lease back if so configured; if it is gone already there is nothing to wait for.
    let _ = stop_lease.send(());
    let _ = keeper.await;
    outcome
}

async fn give_back(config: Config) -> Result<(), Failure> {
    check_privilege().map_err(Failure::Environment)?;
    let netlink = Netlink::open().map_err(|error| Failure::Environment(error.into()))?;
    match release::run(&config, &netlink).await {
        Ok(told) => println!("{told}"),
        Err(error) if error.is_environment() => return Err(Failure::Environment(error.into())),
        Err(error) => return Err(Failure::Runtime(error.into())),
    }
    Ok(())
}

/// Asked before anything is changed, so that a lease is not taken by a node that cannot use it.
fn check_privilege() -> anyhow::Result<()> {
    let held = capabilities(None).context("cannot read this process's capabilities")?;
    anyhow::ensure!(
        held.effective.contains(CapabilitySet::NET_ADMIN),
        "permission denied: tweed-control needs CAP_NET_ADMIN; run it as root or grant the capability"
    );
    Ok(())
}

fn open_tables(config: &Config) -> anyhow::Result<Publisher> {
    let path = config.tables_path();
    std::fs::create_dir_all(&config.run_dir).with_context(|| {
        let directory = config.run_dir.display();
        format!("cannot create node.run_dir {directory}; create it for tweed-control")
    })?;
    let (publisher, origin) = Publisher::open_or_create(&path)?;
    match origin {
        Origin::Created => tracing::debug!(path = %path.display(), "new tables"),
        Origin::Continued { generation } => {
            tracing::info!(generation, "continuing the tables that stand");
        }
        Origin::Replaced { reason } => {
            tracing::warn!("{} was replaced: {reason}", path.display());
        }
    }
    Ok(publisher)
}

async fn stop_signal() -> std::io::Result<&'static str> {
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = term.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

fn tell_systemd(state: NotifyState<'_>) {
    // Without systemd there is no one to tell, which is no error.
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("sd_notify: {error}");
    }
}
