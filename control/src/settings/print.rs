//! The settings as a `node.toml` that would come to the same, each line with where it comes from.

use contract::config::{Origin, Setting};
use toml::Value;

use super::{Settings, file_name};

/// In place of a password.
const SECRET: &str = "********";

/// The text; a password is not in it.
pub fn render(settings: &Settings) -> String {
    let mut text = format!("# {}\n", file_name(settings.file.as_deref()));
    let mut section = "";
    for setting in &settings.keys {
        let origin = origin(setting, settings);
        if setting.key.is_empty() {
            for entry in setting.value.as_array().into_iter().flatten() {
                text += &format!("\n[[{}]]  # {origin}\n", setting.section);
                for (key, value) in entry.as_table().into_iter().flatten() {
                    text += &format!("{key} = {value}\n");
                }
            }
            continue;
        }
        if setting.section != section {
            section = setting.section;
            text += &format!("\n[{section}]\n");
        }
        let line = format!("{} = {}", setting.key, shown(setting));
        text += &format!("{line:<50}  # {origin}\n");
    }
    text
}

fn shown(setting: &Setting) -> String {
    let secret = setting.key == "password" && setting.value.as_str() != Some("");
    match secret {
        true => Value::from(SECRET).to_string(),
        false => setting.value.to_string(),
    }
}

fn origin(setting: &Setting, settings: &Settings) -> String {
    match &setting.origin {
        Origin::Default => "default".into(),
        Origin::File => file_name(settings.file.as_deref()),
        Origin::Override(source) => source.clone(),
    }
}
