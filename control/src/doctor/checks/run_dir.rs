//! The directory in which the daemons meet.

use contract::config::Config;

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok, warn};

/// Write permission for group and others.
const WRITABLE: u32 = 0o022;

/// Whoever may write to the segments decides where packets go.
pub fn ownership(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "run-dir";
    let path = config.run_dir.display();
    let Some(directory) = &facts.run_dir.directory else {
        return vec![hint(
            SUBJECT,
            format!("{path} is not there: no daemon has run with this node.run_dir"),
            "systemctl start tweed-control",
        )];
    };
    let mut findings = Vec::new();
    for owned in std::iter::once(directory).chain(&facts.run_dir.files) {
        let name = owned.path.display();
        if owned.uid != 0 && owned.uid != facts.run_dir.uid {
            findings.push(warn(
                SUBJECT,
                format!("{name} belongs to user {}", owned.uid),
                format!("chown root {name}"),
            ));
        }
        if owned.mode & WRITABLE != 0 {
            findings.push(warn(
                SUBJECT,
                format!(
                    "{name} may be written by others (mode {:o}): so may the way of every packet",
                    owned.mode
                ),
                format!("chmod go-w {name}"),
            ));
        }
    }
    if !facts.run_dir.is_tmpfs {
        findings.push(hint(
            SUBJECT,
            format!("{path} is not on a tmpfs: each counter that the engine commits may be written to a disk"),
            "set node.run_dir to a directory below /run",
        ));
    }
    if findings.is_empty() {
        findings.push(ok(SUBJECT, format!("{path} is ours alone, and in memory")));
    }
    findings
}

/// Another version's, or mangled.
pub fn segments(facts: &Facts, _: &Config) -> Vec<Finding> {
    let unreadable = facts.run_dir.unreadable.iter();
    unreadable
        .map(|text| {
            let (seen, remedy) = text
                .rsplit_once("; ")
                .unwrap_or((text, "systemctl restart tweed-control tweed-dataplane"));
            error("segments", seen, remedy)
        })
        .collect()
}
