//! What the arguments mean: one function for each subcommand.

use std::net::IpAddr;

use super::arguments::{
    LatencyArgs, NdrArgs, ReflectArgs, ReplayArgs, ReportArgs, RxArgs, Subcommands, TxArgs,
};
use super::ends::{Workers, interface, receiving, sending, usage};
use super::groups::{OutputArgs, QueueIo, SendIo, StampArgs, StampChoice, StreamArgs, TwoEnds};
use super::traffic::Traffic;
use crate::error::Result;
use crate::io::{Interface, Io};
use crate::profile::{Defaults, Profile, Rate, Stop};
use crate::run::plan::{
    Command, LatencyPlan, NdrPlan, Output, ReflectPlan, ReplayPlan, ReportPlan, RxPlan, RxSide,
    Stamp, Timing, TxIo, TxPlan, TxSide,
};

/// Asks an interface for its addresses.
pub type Addresses<'a> = &'a dyn Fn(&Interface) -> Result<Vec<IpAddr>>;

/// The plan behind a subcommand. `arguments` is the whole command line, for the report.
///
/// # Errors
/// A value is wrong, two of them exclude each other; what `addresses` fails with.
pub fn plan(
    command: Subcommands,
    arguments: Vec<String>,
    addresses: Addresses<'_>,
) -> Result<Command> {
    let output = |typed: OutputArgs| Output {
        json: typed.json,
        save: typed.save,
        quiet: typed.quiet,
        command: arguments.clone(),
    };
    Ok(match command {
        Subcommands::Tx(typed) => Command::Tx(tx(typed, addresses, output)?),
        Subcommands::Rx(typed) => Command::Rx(rx(typed, output)?),
        Subcommands::Latency(typed) => Command::Latency(latency(typed, addresses, output)?),
        Subcommands::Reflect(typed) => Command::Reflect(reflect(typed, output)?),
        Subcommands::Ndr(typed) => Command::Ndr(ndr(typed, addresses, output)?),
        Subcommands::Replay(typed) => Command::Replay(replay(typed, output)?),
        Subcommands::Report(ReportArgs { files, svg, json }) => {
            Command::Report(ReportPlan { files, svg, json })
        }
    })
}

fn tx(
    typed: TxArgs,
    addresses: Addresses<'_>,
    output: impl Fn(OutputArgs) -> Output,
) -> Result<TxPlan> {
    let workers = typed.io.places()?;
    let io = typed.io.io()?;
    let via = via(typed.sending.via, &typed.stream)?;
    let interface = typed.at.interface();
    let traffic = Traffic {
        run: &typed.run,
        stop: Some(&typed.stop),
        stream: &typed.stream,
    };
    Ok(TxPlan {
        profile: traffic.profile(Defaults::default(), &|| addresses(&interface))?,
        side: TxSide {
            interface,
            io,
            workers,
            via,
        },
        stamp: stamp(&typed.stamp),
        output: output(typed.output),
    })
}

fn rx(typed: RxArgs, output: impl Fn(OutputArgs) -> Output) -> Result<RxPlan> {
    let workers = typed.io.places()?;
    typed.io.io()?;
    let io = receiving(typed.io.io, typed.io.mode);
    Ok(RxPlan {
        side: (typed.receiving).side(typed.at.interface(), io, workers, None)?,
        stop_ns: typed.duration,
        idle_ns: typed.idle,
        run: typed.run,
        join: typed.join,
        loss: typed.loss,
        output: output(typed.output),
    })
}

fn latency(
    typed: LatencyArgs,
    addresses: Addresses<'_>,
    output: impl Fn(OutputArgs) -> Output,
) -> Result<LatencyPlan> {
    let defaults = Defaults {
        rate: Rate::Pps(10_000.0),
        stop: Stop::After(10_000_000_000),
        ..Defaults::default()
    };
    let traffic = Traffic {
        run: &typed.run,
        stop: Some(&typed.stop),
        stream: &typed.stream,
    };
    let via = via(typed.sending.via, &typed.stream)?;
    let profile = |tx: &Interface| traffic.profile(defaults, &|| addresses(tx));
    let (profile, tx, rx) = ends(typed.at, via, profile, |interface, io, workers, profile| {
        (typed.receiving).side(interface, io, workers, Some(profile))
    })?;
    Ok(LatencyPlan {
        profile,
        tx,
        rx,
        stamp: stamp(&typed.stamp),
        settle_ns: typed.settle,
        loss: typed.loss,
        output: output(typed.output),
    })
}

fn reflect(typed: ReflectArgs, output: impl Fn(OutputArgs) -> Output) -> Result<ReflectPlan> {
    let workers = typed.io.places()?;
    typed.io.io()?;
    let io = receiving(typed.io.io, typed.io.mode);
    Ok(ReflectPlan {
        side: (typed.receiving).side(typed.at.interface(), io, workers, None)?,
        stop_ns: typed.duration,
        output: output(typed.output),
    })
}

fn ndr(
    typed: NdrArgs,
    addresses: Addresses<'_>,
    output: impl Fn(OutputArgs) -> Output,
) -> Result<NdrPlan> {
    let traffic = Traffic {
        run: &typed.run,
        stop: None,
        stream: &typed.stream,
    };
    let via = via(typed.sending.via, &typed.stream)?;
    let profile = |tx: &Interface| traffic.profile(Defaults::default(), &|| addresses(tx));
    let (profile, tx, rx) = ends(typed.at, via, profile, |interface, io, workers, profile| {
        (typed.receiving).side(interface, io, workers, Some(profile))
    })?;
    Ok(NdrPlan {
        profile,
        tx,
        rx,
        loss: typed.loss,
        trial_ns: typed.trial,
        confirm_ns: typed.confirm,
        confirmations: typed.confirmations,
        resolution: typed.resolution,
        settle_ns: typed.settle,
        output: output(typed.output),
    })
}

fn replay(typed: ReplayArgs, output: impl Fn(OutputArgs) -> Output) -> Result<ReplayPlan> {
    let timing = typed.rate.map(Timing::Rate).or(typed.timing);
    Ok(ReplayPlan {
        file: typed.file,
        side: TxSide {
            workers: typed.io.places()?,
            io: typed.io.io()?,
            interface: typed.at.interface(),
            via: None,
        },
        timing: timing.unwrap_or(Timing::Captured(1.0)),
        loops: typed.loops.0,
        output: output(typed.output),
    })
}

/// Both ends, and the profile between them: it comes from the sending interface's addresses, and the receiver has to
/// know its tunnels.
fn ends(
    typed: TwoEnds,
    via: Option<IpAddr>,
    profile: impl FnOnce(&Interface) -> Result<Profile>,
    receiver: impl FnOnce(Interface, Io, Vec<crate::run::plan::Place>, &Profile) -> Result<RxSide>,
) -> Result<(Profile, TxSide, RxSide)> {
    if typed.mode.is_some() && typed.tx_io != SendIo::Xdp && typed.rx_io != QueueIo::Xdp {
        return Err(usage(
            "--mode: only with --tx-io xdp or --rx-io xdp; others have no modes".into(),
        ));
    }
    let tx_workers = Workers {
        prefix: "--tx-",
        count: typed.tx_workers,
        queues: &typed.tx_queues,
        cores: &typed.tx_cores,
        xdp: typed.tx_io == SendIo::Xdp,
    };
    let rx_workers = Workers {
        prefix: "--rx-",
        count: typed.rx_workers,
        queues: &typed.rx_queues,
        cores: &typed.rx_cores,
        xdp: typed.rx_io == QueueIo::Xdp,
    };
    let (tx_workers, rx_workers) = (tx_workers.places()?, rx_workers.places()?);
    let tx: TxIo = sending(typed.tx_io, typed.mode);
    let rx = receiving(typed.rx_io, typed.mode);
    let sender = interface(typed.tx, typed.netns.as_deref());
    let profile = profile(&sender)?;
    let netns = typed.netns.as_deref();
    let rx = receiver(interface(typed.rx, netns), rx, rx_workers, &profile)?;
    let tx = TxSide {
        interface: sender,
        io: tx,
        workers: tx_workers,
        via,
    };
    Ok((profile, tx, rx))
}

fn stamp(typed: &StampArgs) -> Stamp {
    match typed.stamp {
        StampChoice::Intended => Stamp::Intended,
        StampChoice::Departure => Stamp::Departure,
    }
}

/// A gateway is asked for its Ethernet address, which must not be known already.
fn via(via: Option<IpAddr>, stream: &StreamArgs) -> Result<Option<IpAddr>> {
    if via.is_some() && stream.dst_mac.is_some() {
        return Err(usage(
            "--via: not together with --dst-mac, which is the gateway's Ethernet address already"
                .into(),
        ));
    }
    Ok(via)
}
