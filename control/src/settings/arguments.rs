//! The command line: ours and flanneld's flags, in either spelling.

use std::ffi::{OsStr, OsString};

use clap::builder::ArgAction;
use clap::{Arg, ArgMatches, Command};
use contract::config::file;

use crate::{doctor, status};

use super::flags::{FLAGS, Flag, Takes, find, switch};

const ABOUT: &str = "\
The control plane of a tweed node.

Takes a pod subnet for this node (from flannel's etcd keys, or from a file), keeps the lease, resolves the way to every other \
node, owns the uplink (tweed0: a veth pair or a TUN) and publishes it all as tables that tweed-dataplane reads. It may be \
stopped, killed and restarted at any time: the dataplane goes on with the last tables, and devices and routes stay.

Settings are node.toml's keys; flanneld's flags and variables go over them: flag, then variable, then file, then default. \
docs/settings.md has them all.";

const AFTER: &str = "\
Exit codes:
  0  stopped by SIGTERM or SIGINT, or the configuration is good (--check)
  1  failed while running
  2  bad usage or bad configuration
  3  the node lacks something: a privilege, an interface, an address

Log lines go to stderr; RUST_LOG=debug shows more. State is in <run_dir>/control.json.
Try it: tweed-control config -iface=eth0 -etcd-prefix=/blue/network";

const RELEASE: &str = "\
Gives the node back to flannel while its traffic flows. Stop tweed-control first; tweed-dataplane goes on until it is relieved.

Makes flannel.<VNI> as flanneld would (the VTEP MAC of our lease, <subnet>.0/32, MTU, UDP port, and for each other node its neighbour, \
forwarding entry and route) from the leases, or without etcd from the last tables, lets it have the tunnel's UDP port, has the \
engine close its devices, and removes the uplink and its routes. The lease stays as it is. Afterwards start flanneld, which finds \
lease and device, and stop tweed-dataplane, which has nothing to do any more. A release that failed may be done again; \
tweed-control, started again, takes the node over again. docs/migration.md has both ways step by step.

Exit codes: 0 given back; 1 failed on the way; 2 bad usage or configuration; 3 tweed-control still runs, or the node lacks something.";

const FLANNELD: &str = "flanneld's settings (-flag as well as --flag)";

/// As clap knows it.
pub fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("PATH")
        .env("TWEED_CONFIG")
        .default_value(file::USUAL)
        .value_parser(clap::value_parser!(std::path::PathBuf))
        .help("The node's configuration; configs/node.toml shows every key with its default");
    let check = Arg::new("check")
        .long("check")
        .action(ArgAction::SetTrue)
        .help("Check the configuration, say what is wrong with it, and exit");
    Command::new("tweed-control")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The control plane of a tweed node")
        .long_about(ABOUT)
        .after_help(AFTER)
        .args_override_self(true)
        .arg(config.global(true))
        .arg(check)
        .args(FLAGS.iter().map(argument))
        .subcommand(looking(
            "status",
            "Show this node's lease, configuration, peers, routes and engine; nothing is changed",
            status::command::AFTER,
        ))
        .subcommand(looking(
            "doctor",
            "Check what this node needs, and say for each finding what to type; nothing is changed",
            doctor::AFTER,
        ))
        .subcommand(Command::new("config").about(
            "Print the settings in force as TOML, each with where it comes from; nothing is changed",
        ))
        .subcommand(
            Command::new("release")
                .about("Give the node back to flannel: its kernel device carries the traffic again")
                .long_about(RELEASE),
        )
}

/// A command that looks at the node, for people or for programs.
fn looking(name: &'static str, about: &'static str, after: &'static str) -> Command {
    let json = Arg::new("json")
        .long("json")
        .action(ArgAction::SetTrue)
        .help("Print one JSON object, on one line");
    Command::new(name).about(about).after_help(after).arg(json)
}

fn argument(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .env(flag.variable)
        .hide_env(true)
        .global(true)
        .help_heading(FLANNELD)
        .help(flag.help);
    let arg = match flag.name {
        "v" => arg.short('v'),
        _ => arg,
    };
    match flag.takes {
        Takes::One(name) => arg.value_name(name),
        Takes::Many(name) => arg.value_name(name).action(ArgAction::Append),
        Takes::Switch => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

/// What the command line says of a flag, or else its variable; with the spelling by which to name it. Nothing if nobody says
/// anything. An empty variable says nothing, as to flanneld.
pub fn typed(matches: &ArgMatches, flag: &Flag) -> Option<(String, Vec<String>)> {
    use clap::parser::ValueSource;
    let values: Vec<String> = matches.get_many(flag.name)?.cloned().collect();
    match matches.value_source(flag.name)? {
        ValueSource::CommandLine => Some((format!("--{}", flag.name), values)),
        _ if values.iter().all(String::is_empty) => None,
        _ => Some((flag.variable.to_owned(), values)),
    }
}

/// Spells the arguments as clap reads them: Go's package `flag` takes `-name` for `--name`, and whatever follows a flag that
/// wants a value is its value.
pub fn from_go(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, String> {
    let mut arguments = arguments.into_iter().peekable();
    let mut spelled: Vec<OsString> = arguments.next().into_iter().collect();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            spelled.push(argument);
            spelled.extend(arguments);
            break;
        }
        let Some((name, value)) = split(&argument) else {
            spelled.push(argument);
            continue;
        };
        let mut whole = OsString::from(format!("--{name}"));
        if let Some(value) = value {
            whole.push("=");
            whole.push(value);
        } else if let Some(flag) = find(&name) {
            if flag.takes == Takes::Switch {
                let next = arguments.peek().and_then(|next| next.to_str());
                if next.is_some_and(|next| switch(next).is_some()) {
                    return Err(format!(
                        "a switch takes its value with an equals sign: --{name}=false (flanneld would stop reading there)"
                    ));
                }
            } else if let Some(value) = arguments.next() {
                whole.push("=");
                whole.push(value);
            }
        }
        spelled.push(whole);
    }
    Ok(spelled)
}

/// The name of a long flag, whatever its dashes, and the value that is tied to it.
fn split(argument: &OsStr) -> Option<(String, Option<OsString>)> {
    let text = argument.to_str()?;
    let bare = text.strip_prefix('-')?;
    let name = bare.strip_prefix('-').unwrap_or(bare);
    let (name, value) = match name.split_once('=') {
        Some((name, value)) => (name, Some(value.into())),
        None => (name, None),
    };
    // -h, -V: clap's own. Numbers are no flags.
    let ours = bare.starts_with('-') || name.len() > 1 || find(name).is_some();
    (ours && name.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| (name.to_owned(), value))
}
