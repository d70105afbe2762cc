//! The commands: each reads from top to bottom what happens to a pod.
//!
//! The order in ADD is what keeps an address from being lost: the delegate's configuration is on disk before the delegate
//! runs, so whatever dies in between, DEL finds what to undo.

use std::ffi::OsString;
use std::io::Read;

use serde_json::{Value, json};

use crate::Object;
use crate::conf::{self, NetConf};
use crate::delegate::{Delegate, PluginPath};
use crate::error::{CniError, Code, Failure};
use crate::render::{delegate_type, render};
use crate::request::{Attachment, Request, Verb};
use crate::result::with_next_hops;
use crate::saved::{Found, Saved, SavedDir, remove};
use crate::subnet_env;
use crate::version::SpecVersion;

/// What the runtime gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// A result, an error object, or nothing.
    pub stdout: Vec<u8>,
    /// 0 when it went well.
    pub exit_code: u8,
}

/// Does what the environment and stdin ask.
pub fn answer(variable: impl Fn(&str) -> Option<OsString>, stdin: impl Read) -> Answer {
    let mut version = SpecVersion::NEWEST;
    let (stdout, exit_code) = match obey(variable, stdin, &mut version) {
        Ok(stdout) => (stdout, 0),
        Err(Failure::Own(error)) => (error.to_json(version), 1),
        Err(Failure::Delegate { stdout, exit_code }) => (stdout, exit_code),
    };
    Answer { stdout, exit_code }
}

/// `version` becomes the configuration's as soon as it is known, for errors are told in it.
fn obey(
    variable: impl Fn(&str) -> Option<OsString>,
    stdin: impl Read,
    version: &mut SpecVersion,
) -> Result<Vec<u8>, Failure> {
    let (verb, path) = match Request::read(variable)? {
        Request::Version => return Ok(versions(stdin)),
        Request::Network(verb, path) => (verb, path),
    };
    let object = conf::object(&conf::read(stdin)?)?;
    *version = conf::version(&object)?;
    let conf = NetConf::parse(object)?;
    let saved = SavedDir::new(&conf.data_dir);
    match verb {
        Verb::Add(attachment) => add(&conf, &attachment, &path, &saved),
        Verb::Del(attachment) => del(&conf, &attachment, &path, &saved),
        Verb::Check(attachment) => check(&conf, &attachment, &path, &saved),
        Verb::Status => status(&conf, &path),
        Verb::Gc => gc(&conf, &path, &saved),
    }
}

/// Answers anything, also what is no JSON: a runtime that probes versions has nothing else to ask yet.
fn versions(stdin: impl Read) -> Vec<u8> {
    let object = conf::read(stdin).and_then(|bytes| conf::object(&bytes));
    let given = object
        .ok()
        .and_then(|mut object| object.remove("cniVersion"));
    let given = given.filter(Value::is_string);
    let object = json!({
        "cniVersion": given.unwrap_or_else(|| SpecVersion::NEWEST.as_str().into()),
        "supportedVersions": SpecVersion::ALL.map(SpecVersion::as_str),
    });
    format!("{object}\n").into_bytes()
}

fn add(
    conf: &NetConf,
    attachment: &Attachment,
    path: &PluginPath,
    saved: &SavedDir,
) -> Result<Vec<u8>, Failure> {
    let told = render(conf, &subnet_env::read(&conf.subnet_file)?)?;
    let delegate = find(path, &told)?;
    let mut request = told.clone();
    if let Some(result) = &conf.prev_result {
        request.insert("prevResult".into(), result.clone().into());
    }
    // An ADD for what was added already is the delegate's to refuse, and then its pod must stay as it is: its configuration
    // is left alone, and nothing is undone.
    if let Found::Conf(_) = saved.find(attachment)? {
        let result = delegate.run_for_result(request)?;
        saved.save(attachment, &told)?;
        return Ok(result);
    }
    saved.save(attachment, &told)?;
    delegate.run_for_result(request).inspect_err(|_| {
        undo(&delegate, told, attachment, saved);
    })
}

/// After an ADD that failed half way (specification, section 4). If this fails, too, the file stays for the runtime's DEL.
fn undo(delegate: &Delegate, told: Object, attachment: &Attachment, saved: &SavedDir) {
    match (delegate.run(told, Some("DEL")), saved.find(attachment)) {
        (Ok(_), Ok(Found::Conf(saved))) => remove(&saved.path),
        (Err(failure), _) => eprintln!("tweed-cni: DEL after the failed ADD failed: {failure}"),
        _ => {}
    }
}

fn del(
    conf: &NetConf,
    attachment: &Attachment,
    path: &PluginPath,
    saved: &SavedDir,
) -> Result<Vec<u8>, Failure> {
    match saved.find(attachment)? {
        Found::Nothing => Ok(Vec::new()),
        // Ours are written whole. flannel's are not, and one that is not whole belongs to an ADD that died before its delegate
        // ran: there is nothing to undo, and an error would keep the pod for ever.
        Found::Mangled(path) => {
            eprintln!(
                "tweed-cni: {} holds no configuration; it is removed, and nothing else",
                path.display()
            );
            remove(&path);
            Ok(Vec::new())
        }
        Found::Conf(Saved {
            path: file,
            conf: mut told,
            ..
        }) => {
            let delegate = find(path, &told)?;
            // A result is of its configuration's version. With an older one the delegate makes do, as it does for flannel.
            let same =
                told.get("cniVersion").and_then(Value::as_str) == Some(conf.version.as_str());
            if let Some(result) = &conf.prev_result
                && same
                && conf.version >= SpecVersion::V0_4_0
            {
                told.insert("prevResult".into(), result.clone().into());
            }
            let stdout = delegate.run(told, None)?;
            remove(&file);
            Ok(stdout)
        }
    }
}

fn check(
    conf: &NetConf,
    attachment: &Attachment,
    path: &PluginPath,
    saved: &SavedDir,
) -> Result<Vec<u8>, Failure> {
    conf.require("CHECK", SpecVersion::V0_4_0)?;
    let Some(result) = &conf.prev_result else {
        return Err(CniError::new(
            Code::InvalidConfig,
            "network configuration has no prevResult, and CHECK compares with it: the runtime must give ADD's result",
        )
        .into());
    };
    let Found::Conf(Saved { conf: mut told, .. }) = saved.find(attachment)? else {
        return Err(CniError::new(
            Code::UnknownContainer,
            format!(
                "{} has no configuration of container {}, interface {}: it was not added here, or its DEL is done",
                conf.data_dir.display(),
                attachment.container.as_str(),
                attachment.ifname.as_str()
            ),
        )
        .into());
    };
    told.insert("cniVersion".into(), conf.version.as_str().into());
    told.insert("prevResult".into(), with_next_hops(result.clone()).into());
    find(path, &told)?.run(told, None)
}

fn status(conf: &NetConf, path: &PluginPath) -> Result<Vec<u8>, Failure> {
    conf.require("STATUS", SpecVersion::V1_1_0)?;
    let env = subnet_env::read(&conf.subnet_file).map_err(|error| CniError {
        code: Code::Unavailable,
        ..error
    })?;
    let told = render(conf, &env)?;
    find(path, &told)?.run(told, None)
}

/// Hands the list of valid attachments on, then forgets the files of all others. Not the other way round: while the delegate
/// could not free their addresses, the files are what a late DEL needs.
fn gc(conf: &NetConf, path: &PluginPath, saved: &SavedDir) -> Result<Vec<u8>, Failure> {
    conf.require("GC", SpecVersion::V1_1_0)?;
    let valid = valid_attachments(&conf.protocol)?;
    // The directory may serve other networks, whose pods are not on the list.
    let mut ours = saved.list()?;
    ours.retain(|saved| saved.conf.get("name").and_then(Value::as_str) == Some(&conf.name));
    let now = subnet_env::read(&conf.subnet_file).and_then(|env| render(conf, &env));
    let mut told = match (now, ours.first()) {
        (Ok(told), _) => told,
        // Without a subnet the last one serves: what is to be freed was given from it.
        (Err(_), Some(saved)) => saved.conf.clone(),
        (Err(error), None) => return Err(error.into()),
    };
    told.extend(conf.protocol.clone());
    let stdout = find(path, &told)?.run(told, None)?;
    let is_valid = |saved: &Saved| {
        valid.iter().any(|(container, ifname)| {
            *container == saved.container.as_str()
                && saved.ifname.as_deref().is_none_or(|own| own == *ifname)
        })
    };
    ours.iter()
        .filter(|saved| !is_valid(saved))
        .for_each(|saved| remove(&saved.path));
    Ok(stdout)
}

/// Containers and interfaces that are to stay. The second key is what libcni 1.1 wrote beside the first. `null` is Go's empty
/// list; an absent list is refused, for it would free every address in use.
fn valid_attachments(protocol: &Object) -> Result<Vec<(&str, &str)>, CniError> {
    const KEYS: [&str; 2] = ["cni.dev/valid-attachments", "cni.dev/attachments"];
    let bad = |value: &Value| {
        conf::invalid(
            KEYS[0],
            value,
            "a list of {\"containerID\": ..., \"ifname\": ...}",
        )
    };
    let list = match KEYS.iter().find_map(|key| protocol.get(*key)) {
        Some(Value::Array(list)) => list,
        Some(Value::Null) => return Ok(Vec::new()),
        Some(other) => return Err(bad(other)),
        None => {
            return Err(CniError::new(
                Code::InvalidConfig,
                format!(
                    "network configuration has no {}: without it GC would free what is in use",
                    KEYS[0]
                ),
            ));
        }
    };
    list.iter()
        .map(|value| {
            let container = value["containerID"].as_str();
            container
                .zip(value["ifname"].as_str())
                .ok_or_else(|| bad(value))
        })
        .collect()
}

fn find(path: &PluginPath, told: &Object) -> Result<Delegate, CniError> {
    path.find(delegate_type(told.get("type").unwrap_or(&Value::Null))?)
}
