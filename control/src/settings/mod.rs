//! What the command line, the environment and `node.toml` come to.
//!
//! A flag goes over a variable, a variable over the file, the file over the default, each key by itself: flanneld's order with
//! the file below it. What flanneld has and tweed has not is told, never passed over in silence.

// The command line.
pub mod arguments;
// flanneld's flags.
pub mod flags;
// The configuration as text.
pub mod print;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use contract::config::{self, Config, ConfigError, Layered, LeaseSource, Override, Setting};
use thiserror::Error;

use flags::{Effect, FLAGS, Flag, Takes};

/// What to do with the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Run the control plane.
    Run,
    /// Say that they are good.
    Check,
    /// Print them.
    Print,
    /// Show how the node is.
    Status {
        /// For programs.
        json: bool,
    },
    /// Look for what is wrong with the node.
    Doctor {
        /// For programs.
        json: bool,
    },
    /// Give the node back to flanneld's kernel device.
    Release,
}

/// The settings in force.
#[derive(Debug)]
pub struct Settings {
    /// What to do with them.
    pub task: Task,
    /// Checked.
    pub config: Config,
    /// Each key with its value and where that comes from.
    pub keys: Vec<Setting>,
    /// The file; `None`: there is none at the usual place, and nobody named one.
    pub file: Option<PathBuf>,
    /// What was typed and has no effect, a line each, with the reason.
    pub warnings: Vec<String>,
}

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The command line is none, or asks for help: clap's text and exit code.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// A flag or a variable holds what it cannot.
    #[error("{typed} is {value:?}; {problem}")]
    Value {
        /// The flag or variable.
        typed: String,
        /// What it holds.
        value: String,
        /// What would be right.
        problem: String,
    },
    /// A flag or a variable asks for what tweed does not do.
    #[error("{typed}: {why}")]
    Refused {
        /// The flag or variable.
        typed: String,
        /// And what to do instead.
        why: &'static str,
    },
    /// The configuration that comes of it is not good.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Settings {
    /// From the arguments, the first of which is the program's name, and the process's environment.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, SettingsError> {
        let mut command = arguments::command();
        let arguments = arguments::from_go(arguments)
            .map_err(|problem| command.error(ErrorKind::InvalidValue, problem))?;
        let matches = command.try_get_matches_from(arguments)?;
        let task = match matches.subcommand() {
            Some(("status", typed)) => Task::Status {
                json: typed.get_flag("json"),
            },
            Some(("doctor", typed)) => Task::Doctor {
                json: typed.get_flag("json"),
            },
            Some(("release", _)) => Task::Release,
            Some(_) => Task::Print,
            None if matches.get_flag("check") => Task::Check,
            None => Task::Run,
        };
        // What stands behind the subcommand has been joined with what stands before it.
        let typed = match matches.subcommand() {
            Some((_, behind)) => behind,
            None => &matches,
        };
        let mut warnings = unknown_variables();
        let overrides = overrides(typed, &mut warnings)?;
        let file = read_file(typed)?;
        let layered = Layered::new(
            file.as_ref()
                .map(|(path, text)| (path.as_path(), text.as_str())),
            &overrides,
        )?;
        if let LeaseSource::File(_) = layered.config.lease.source {
            let idle = |key: &str| key.starts_with("etcd.") || key == "lease.renew_margin_s";
            let idle = overrides.iter().filter(|layer| idle(layer.key));
            warnings.extend(idle.map(|layer| {
                let typed = &layer.source;
                format!("{typed} has no effect: lease.source is \"file\", and etcd is not asked")
            }));
        }
        Ok(Settings {
            task,
            config: layered.config,
            keys: layered.settings,
            file: file.map(|(path, _)| path),
            warnings,
        })
    }
}

/// What was typed of flanneld's settings, as values of our keys; what is not ours to do is refused or warned of.
fn overrides(
    matches: &ArgMatches,
    warnings: &mut Vec<String>,
) -> Result<Vec<Override>, SettingsError> {
    let mut overrides = Vec::new();
    for flag in FLAGS {
        let Some((typed, values)) = arguments::typed(matches, flag) else {
            continue;
        };
        let value = values.last().cloned().unwrap_or_default();
        let asks = asks(flag, &typed, &value)?;
        match flag.effect {
            Effect::Key(key, reading) => {
                let value = reading(&values).map_err(|problem| SettingsError::Value {
                    typed: typed.clone(),
                    value,
                    problem,
                })?;
                overrides.push(Override {
                    key,
                    value,
                    source: typed,
                });
            }
            Effect::Refused { inert, why } if asks != inert => {
                return Err(SettingsError::Refused { typed, why });
            }
            Effect::Ignored { inert, why } if asks != inert => {
                warnings.push(format!("{typed} is ignored: {why}"));
            }
            Effect::Refused { .. } | Effect::Ignored { .. } => {}
        }
    }
    Ok(overrides)
}

/// The value in one spelling.
fn asks(flag: &Flag, typed: &str, value: &str) -> Result<String, SettingsError> {
    if flag.takes != Takes::Switch {
        return Ok(value.to_owned());
    }
    match flags::switch(value) {
        Some(on) => Ok(on.to_string()),
        None => Err(SettingsError::Value {
            typed: typed.to_owned(),
            value: value.to_owned(),
            problem: "it must be true or false".into(),
        }),
    }
}

/// flanneld needs no file, so the usual one may be missing; but not one that was named.
fn read_file(matches: &ArgMatches) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let named = matches.value_source("config") != Some(ValueSource::DefaultValue);
    let path = matches.get_one::<PathBuf>("config").filter(|_| named);
    config::file::read(path.map(PathBuf::as_path))
}

/// flanneld passes over a variable that it does not know; nearly always that is a typing error.
fn unknown_variables() -> Vec<String> {
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let ours = variables.filter(|name| name.starts_with("FLANNELD_"));
    ours.filter(|name| FLAGS.iter().all(|flag| flag.variable != name))
        .map(|name| format!("{name} is ignored: flanneld has no such setting"))
        .collect()
}

/// What comes before the settings in words: the file, or that there is none.
pub fn file_name(file: Option<&Path>) -> String {
    match file {
        Some(path) => path.display().to_string(),
        None => format!(
            "flags and defaults, for there is no {}",
            config::file::USUAL
        ),
    }
}

#[cfg(test)]
mod tests;
