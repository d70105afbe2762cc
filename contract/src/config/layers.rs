//! A configuration in layers: values from a command line or an environment over those of the file over the defaults.
//!
//! What the layers come to is read exactly as the file alone is, with the same checks; only that an error names a value by the
//! flag or variable that it was typed in.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::raw::{Raw, SECTIONS};
use super::{Config, ConfigError};

/// A value from outside the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The key of `node.toml` that it stands for: `etcd.prefix`.
    pub key: &'static str,
    /// Of the type that the key has in the file.
    pub value: Value,
    /// What was typed: `--etcd-prefix`, `FLANNELD_ETCD_PREFIX`.
    pub source: String,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File,
    /// A flag or a variable, as typed.
    Override(String),
}

/// One key and what holds for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// `etcd`; `worker` for all workers at once.
    pub section: &'static str,
    /// `prefix`; for workers the whole list is the value, and this is empty.
    pub key: &'static str,
    /// As it would be typed in the file.
    pub value: Value,
    /// Who said so.
    pub origin: Origin,
}

/// What the layers come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Layered {
    /// Checked.
    pub config: Config,
    /// The same as typed, in the order of `configs/node.toml`.
    pub settings: Vec<Setting>,
}

/// Every key of `node.toml`: `node.run_dir`, ..., `worker.cpu`.
pub fn keys() -> impl Iterator<Item = String> {
    SECTIONS
        .iter()
        .flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{key}")))
}

impl Layered {
    /// The file, if there is one, with its path for errors; and what goes over it.
    pub fn new(file: Option<(&Path, &str)>, overrides: &[Override]) -> Result<Self, ConfigError> {
        let (path, text) = file.unwrap_or((Path::new("(no file)"), ""));
        let refused = |source| ConfigError::Parse {
            path: path.into(),
            source: Box::new(source),
        };
        // First by itself, for only then do errors have a line and a column.
        let alone: Raw = toml::from_str(text).map_err(refused)?;
        let typed: Table = toml::from_str(text).map_err(refused)?;
        if overrides.is_empty() {
            return settle(alone, &typed, overrides);
        }
        let mut all = typed.clone();
        for layer in overrides {
            // A key without a section does not exist, and is refused as unknown below.
            let (section, key) = layer.key.split_once('.').unwrap_or((layer.key, ""));
            let section = all
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(key.to_owned(), layer.value.clone());
            }
        }
        let raw = Raw::deserialize(all).map_err(refused)?;
        settle(raw, &typed, overrides).map_err(|error| as_typed(error, overrides))
    }
}

fn settle(raw: Raw, typed: &Table, overrides: &[Override]) -> Result<Layered, ConfigError> {
    let raw = raw.with_workers();
    let values = Table::try_from(&raw).expect("strings, numbers and lists are always TOML");
    let mut settings = Vec::new();
    for &(section, keys) in SECTIONS {
        let Some(value) = values.get(section) else {
            continue;
        };
        let Value::Table(values) = value else {
            settings.push(Setting {
                section,
                key: "",
                value: value.clone(),
                origin: match typed.contains_key(section) {
                    true => Origin::File,
                    false => Origin::Default,
                },
            });
            continue;
        };
        for &key in keys {
            let in_file = typed
                .get(section)
                .is_some_and(|section| section.get(key).is_some());
            let over = overrides
                .iter()
                .rfind(|layer| layer.key.split_once('.') == Some((section, key)));
            settings.push(Setting {
                section,
                key,
                value: values[key].clone(),
                origin: match over {
                    Some(layer) => Origin::Override(layer.source.clone()),
                    None if in_file => Origin::File,
                    None => Origin::Default,
                },
            });
        }
    }
    Ok(Layered {
        config: raw.try_into()?,
        settings,
    })
}

/// Names what was typed in place of the keys that it stands for.
fn as_typed(error: ConfigError, overrides: &[Override]) -> ConfigError {
    let ConfigError::Value { key, problem } = error else {
        return error;
    };
    let name = |text: String| {
        overrides
            .iter()
            .fold(text, |text, layer| rename(&text, layer.key, &layer.source))
    };
    ConfigError::Value {
        key: name(key),
        problem: name(problem),
    }
}

/// Replaces a key by a name, but not where it is the beginning of a longer key.
fn rename(text: &str, key: &str, name: &str) -> String {
    let mut parts = text.split(key);
    let mut renamed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let longer = part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        renamed.push_str(if longer { key } else { name });
        renamed.push_str(part);
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(key: &'static str, value: impl Into<Value>, source: &str) -> Override {
        Override {
            key,
            value: value.into(),
            source: source.into(),
        }
    }

    fn layered(text: &str, overrides: &[Override]) -> Result<Layered, ConfigError> {
        Layered::new(Some((Path::new("node.toml"), text)), overrides)
    }

    fn origin(layered: &Layered, key: &str) -> Origin {
        let typed = |setting: &&Setting| format!("{}.{}", setting.section, setting.key) == key;
        layered.settings.iter().find(typed).unwrap().origin.clone()
    }

    #[test]
    fn what_is_typed_goes_over_the_file_and_the_file_over_the_default() {
        let text = "[etcd]\nprefix = \"/file\"\nusername = \"file\"\n";
        let overrides = [over("etcd.prefix", "/flag", "--etcd-prefix")];
        let layered = layered(text, &overrides).unwrap();
        let etcd = &layered.config.etcd;
        assert_eq!(etcd.prefix, "/flag");
        assert_eq!(etcd.user, Some(("file".into(), String::new())));
        assert_eq!(etcd.endpoints, ["http://127.0.0.1:2379"]);
        assert_eq!(
            origin(&layered, "etcd.prefix"),
            Origin::Override("--etcd-prefix".into())
        );
        assert_eq!(origin(&layered, "etcd.username"), Origin::File);
        assert_eq!(origin(&layered, "etcd.endpoints"), Origin::Default);
    }

    #[test]
    fn an_error_names_what_was_typed_and_leaves_longer_keys_alone() {
        let overrides = [over("underlay.interface", "a/b", "--iface")];
        let error = layered("", &overrides).unwrap_err().to_string();
        assert!(error.starts_with("--iface is \"a/b\""), "{error}");

        let overrides = [over("etcd.keyfile", "key.pem", "FLANNELD_ETCD_KEYFILE")];
        let error = layered("", &overrides).unwrap_err().to_string();
        assert_eq!(
            error,
            "etcd.certfile is empty while FLANNELD_ETCD_KEYFILE is set; set both or none"
        );

        let overrides = [over("underlay.interface", "eth0", "--iface")];
        let text = "[underlay]\ninterface_regex = \"(\"\n";
        let error = layered(text, &overrides).unwrap_err().to_string();
        assert!(
            error.starts_with("underlay.interface_regex holds"),
            "{error}"
        );
    }

    #[test]
    fn every_key_has_a_setting_and_the_settings_are_the_configuration() {
        let text =
            "[underlay]\ninterface = [\"eth1\", \"10.0.0.1\"]\n[[worker]]\nqueue = 3\ncpu = 1\n";
        let first = layered(text, &[]).unwrap();
        let mut again = Table::new();
        for Setting {
            section,
            key,
            value,
            ..
        } in &first.settings
        {
            match *key {
                "" => again.insert(section.to_string(), value.clone()),
                key => again
                    .entry(*section)
                    .or_insert_with(|| Table::new().into())
                    .as_table_mut()
                    .unwrap()
                    .insert(key.into(), value.clone()),
            };
        }
        let again = layered(&again.to_string(), &[]).unwrap();
        assert_eq!(again.config, first.config);
        let sections = first
            .settings
            .iter()
            .filter(|setting| !setting.key.is_empty());
        let named = keys().filter(|key| !key.starts_with("worker."));
        assert_eq!(sections.count(), named.count());
    }
}
