//! The network configuration on stdin.
//!
//! flannel's keys mean here what they mean there. Its decoder is Go's, which takes a key in any case of letters, so that
//! `subnetfile` has always worked; it does here.

use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::Object;
use crate::error::{CniError, Code};
use crate::request::is_name;
use crate::version::SpecVersion;

/// Most that is read. The only long part is GC's list of attachments, some 120 bytes for each; parsed, it takes up to
/// sixteen times this.
const STDIN_LEN: u64 = 4 << 20;

const SUBNET_FILE: &str = "/run/flannel/subnet.env";
const DATA_DIR: &str = "/var/lib/cni/flannel";

/// A configuration that can be worked with.
#[derive(Clone, Debug, PartialEq)]
pub struct NetConf {
    /// What the runtime speaks.
    pub version: SpecVersion,
    /// The network.
    pub name: String,
    /// The name that we are installed under, as far as the configuration tells.
    pub own_type: String,
    /// Where this node's subnet is told.
    pub subnet_file: PathBuf,
    /// Where delegates' configurations are kept.
    pub data_dir: PathBuf,
    /// Keys for the delegate.
    pub delegate: Object,
    /// Keys for the delegate's address plugin.
    pub ipam: Object,
    /// What the runtime wants of this container (port mappings, bandwidth).
    pub runtime_config: Option<Object>,
    /// The result of the plugin before, or of ADD.
    pub prev_result: Option<Object>,
    /// Keys of the protocol itself, `cni.dev/...`.
    pub protocol: Object,
}

/// All of stdin, if it is not too much.
pub fn read(stdin: impl Read) -> Result<Vec<u8>, CniError> {
    let mut bytes = Vec::new();
    stdin
        .take(STDIN_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            CniError::new(
                Code::Io,
                "cannot read the network configuration from stdin: the runtime must send it there",
            )
            .because(error)
        })?;
    if bytes.len() as u64 > STDIN_LEN {
        return Err(CniError::new(
            Code::Io,
            format!(
                "network configuration on stdin is longer than {STDIN_LEN} bytes: look for the file in /etc/cni/net.d that is none"
            ),
        ));
    }
    Ok(bytes)
}

/// The object that a text is.
pub fn object(bytes: &[u8]) -> Result<Object, CniError> {
    serde_json::from_slice(bytes).map_err(|error| {
        CniError::new(
            Code::Decode,
            "network configuration on stdin is not a JSON object: check the files in /etc/cni/net.d",
        )
        .because(error)
    })
}

impl NetConf {
    /// Checks every value that we use; those of the delegate are the delegate's to judge.
    pub fn parse(mut conf: Object) -> Result<Self, CniError> {
        let version = version(&conf)?;
        let name = text(&conf, "name")?.unwrap_or_default();
        if !is_name(&name) {
            return Err(invalid(
                "name",
                &Value::from(name),
                "a network name: letters, digits, '_', '.' and '-', the first a letter or digit",
            ));
        }
        let path = |key, default: &str| -> Result<PathBuf, CniError> {
            let path = text(&conf, key)?.filter(|path| !path.is_empty());
            Ok(path.unwrap_or_else(|| default.to_owned()).into())
        };
        Ok(NetConf {
            version,
            own_type: text(&conf, "type")?.unwrap_or_default(),
            subnet_file: path("subnetFile", SUBNET_FILE)?,
            data_dir: path("dataDir", DATA_DIR)?,
            delegate: nested(&conf, "delegate")?.unwrap_or_default(),
            ipam: nested(&conf, "ipam")?.unwrap_or_default(),
            runtime_config: nested(&conf, "runtimeConfig")?,
            prev_result: nested(&conf, "prevResult")?,
            protocol: {
                conf.retain(|key, _| key.starts_with("cni.dev/"));
                conf
            },
            name,
        })
    }

    /// Refuses a verb that the configuration's version does not have.
    pub fn require(&self, verb: &str, since: SpecVersion) -> Result<(), CniError> {
        if self.version >= since {
            return Ok(());
        }
        Err(CniError::new(
            Code::IncompatibleVersion,
            format!(
                "{verb} came with CNI {since}, and this network is configured for {}: raise cniVersion in its conflist",
                self.version
            ),
        ))
    }
}

/// The version that a configuration is written for.
pub fn version(conf: &Object) -> Result<SpecVersion, CniError> {
    let given = text(conf, "cniVersion")?.unwrap_or_default();
    SpecVersion::parse(&given).ok_or_else(|| {
        let problem = if given.is_empty() {
            "network configuration has no cniVersion, which means 0.1.0".to_owned()
        } else {
            format!("network configuration is of CNI {:?}", clip(&given))
        };
        let spoken = SpecVersion::ALL.map(SpecVersion::as_str).join(", ");
        CniError::new(
            Code::IncompatibleVersion,
            format!("{problem}: tweed-cni speaks {spoken}; 1.0.0 suits most plugins"),
        )
    })
}

/// A value by its key: as it is written here, else in any case of letters. Absent and `null` are the same.
fn value<'a>(conf: &'a Object, key: &str) -> Option<&'a Value> {
    conf.get(key)
        .or_else(|| {
            conf.iter()
                .find(|(k, _)| k.eq_ignore_ascii_case(key))
                .map(|(_, v)| v)
        })
        .filter(|v| !v.is_null())
}

fn text(conf: &Object, key: &str) -> Result<Option<String>, CniError> {
    match value(conf, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(invalid(key, other, "a string")),
    }
}

fn nested(conf: &Object, key: &str) -> Result<Option<Object>, CniError> {
    match value(conf, key) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object.clone())),
        Some(other) => Err(invalid(key, other, "an object")),
    }
}

/// A value that is not what it should be.
pub fn invalid(key: &str, value: &Value, expected: &str) -> CniError {
    CniError::new(
        Code::InvalidConfig,
        format!(
            "network configuration has {key} = {}: expected {expected}",
            clip(&value.to_string())
        ),
    )
}

/// Enough of a text to find it again.
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NetConf, CniError> {
        object(text.as_bytes()).and_then(NetConf::parse)
    }

    #[test]
    fn what_is_absent_has_flannels_defaults() {
        let conf =
            parse(r#"{"cniVersion":"0.3.1","name":"cbr0","type":"flannel","delegate":null}"#)
                .unwrap();
        assert_eq!(conf.subnet_file, PathBuf::from("/run/flannel/subnet.env"));
        assert_eq!(conf.data_dir, PathBuf::from("/var/lib/cni/flannel"));
        assert_eq!(conf.own_type, "flannel");
        assert!(conf.delegate.is_empty() && conf.ipam.is_empty());
    }

    #[test]
    fn keys_are_found_in_any_case_and_the_exact_one_first() {
        let conf = parse(
            r#"{"cniVersion":"1.0.0","Name":"n","SUBNETFILE":"/a","dataDIR":"/c","dataDir":"/b","cni.dev/x":1}"#,
        )
        .unwrap();
        assert_eq!(conf.subnet_file, PathBuf::from("/a"));
        assert_eq!(conf.data_dir, PathBuf::from("/b"));
        assert_eq!(conf.protocol.len(), 1);
    }

    #[test]
    fn each_bad_configuration_has_its_code_and_names_its_key() {
        use Code::*;
        for (text, code, word) in [
            ("", Decode, "JSON"),
            ("[1]", Decode, "JSON"),
            (r#"{"cniVersion":"1.0.0""#, Decode, "JSON"),
            (r#"{"name":"n"}"#, IncompatibleVersion, "0.1.0"),
            (
                r#"{"cniVersion":"0.2.0","name":"n"}"#,
                IncompatibleVersion,
                "0.2.0",
            ),
            (
                r#"{"cniVersion":"2.0.0","name":"n"}"#,
                IncompatibleVersion,
                "2.0.0",
            ),
            (
                r#"{"cniVersion":1,"name":"n"}"#,
                InvalidConfig,
                "cniVersion",
            ),
            (r#"{"cniVersion":"1.0.0"}"#, InvalidConfig, "name"),
            (
                r#"{"cniVersion":"1.0.0","name":"../n"}"#,
                InvalidConfig,
                "../n",
            ),
            (
                r#"{"cniVersion":"1.0.0","name":"n","delegate":[]}"#,
                InvalidConfig,
                "delegate",
            ),
            (
                r#"{"cniVersion":"1.0.0","name":"n","ipam":"x"}"#,
                InvalidConfig,
                "ipam",
            ),
            (
                r#"{"cniVersion":"1.0.0","name":"n","dataDir":7}"#,
                InvalidConfig,
                "dataDir",
            ),
            (
                r#"{"cniVersion":"1.0.0","name":"n","prevResult":7}"#,
                InvalidConfig,
                "prevResult",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code, code, "{text}");
            assert!(error.msg.contains(word), "{text}: {}", error.msg);
        }
    }

    #[test]
    fn a_verb_needs_its_version() {
        let conf = parse(r#"{"cniVersion":"0.3.1","name":"n"}"#).unwrap();
        let error = conf.require("CHECK", SpecVersion::V0_4_0).unwrap_err();
        assert_eq!(error.code, Code::IncompatibleVersion);
        assert!(conf.require("ADD", SpecVersion::V0_3_0).is_ok());
    }

    #[test]
    fn stdin_is_bounded_and_so_is_depth() {
        assert_eq!(read(std::io::repeat(b' ')).unwrap_err().code, Code::Io);
        assert_eq!(read(&b"{}"[..]).unwrap(), b"{}");
        let deep = "[".repeat(100_000);
        assert_eq!(object(deep.as_bytes()).unwrap_err().code, Code::Decode);
    }
}
