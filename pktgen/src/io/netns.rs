//! Network namespaces by the names that iproute2 gives them: files under /run/netns that hold a namespace open.
//!
//! Only a thread moves, never the process: it is made for the purpose and ends with it, so nothing else of the
//! program finds itself elsewhere. What a socket belongs to is decided when it is made, so sockets made inside stay
//! inside whichever thread uses them later (network_namespaces(7), ip-netns(8)).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Failure, Result};

/// Where iproute2 keeps a file per namespace.
const DIRECTORY: &str = "/run/netns";

/// Most names that an error lists.
const LISTED: usize = 20;

/// Runs `f` on a thread inside the namespace `netns` (a name under /run/netns); without one, right here. Sockets made
/// inside stay there.
///
/// # Errors
/// [`Failure::Usage`]: not a name (empty, or with a slash). [`Failure::Environment`]: no such namespace, with those
/// that there are; or no permission.
pub fn inside<T: Send>(netns: Option<&str>, f: impl FnOnce() -> T + Send) -> Result<T> {
    let Some(name) = netns else {
        return Ok(f());
    };
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(Failure::Usage(format!(
            "network namespace {name:?}: a name as `ip netns list` shows it, not a path"
        )));
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            enter(name).map_err(|error| explain(name, &error))?;
            Ok(f())
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Moves this thread.
fn enter(name: &str) -> io::Result<()> {
    let file = File::open(Path::new(DIRECTORY).join(name))?;
    Ok(move_into_link_name_space(
        file.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

fn explain(name: &str, error: &io::Error) -> Failure {
    let text = match error.kind() {
        io::ErrorKind::NotFound => format!("there is none of this name; {}", known()),
        io::ErrorKind::PermissionDenied => {
            format!("{error}; entering one takes root (CAP_SYS_ADMIN)")
        }
        // setns(2): the file is not a namespace. `ip netns add` makes an empty file and mounts the namespace over it,
        // and a machine that was set up again without its mounts shows just the file.
        io::ErrorKind::InvalidInput => format!(
            "{DIRECTORY}/{name} is not a network namespace: a leftover; remove it with `ip netns del {name}`"
        ),
        _ => error.to_string(),
    };
    Failure::environment(format!("network namespace {name}"), text)
}

/// The namespaces that there are, as a sentence.
fn known() -> String {
    let entries = std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    if names.is_empty() {
        return "there are none at all; `ip netns add NAME` makes one".into();
    }
    names.sort();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let and = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("there are {}{and}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_it_runs_right_here() {
        let here = std::thread::current().id();
        assert_eq!(inside(None, || std::thread::current().id()).unwrap(), here);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let failure = inside(Some("tweed-nonesuch"), || ()).unwrap_err();
        assert!(matches!(failure, Failure::Environment(_)));
        let text = failure.to_string();
        assert!(
            text.contains("tweed-nonesuch: there is none of this name; there are "),
            "{text}"
        );
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for name in ["", ".", "..", "../../etc/passwd", "/proc/1/ns/net", "a\0b"] {
            let failure = inside(Some(name), || panic!("entered {name:?}")).unwrap_err();
            assert!(matches!(failure, Failure::Usage(_)), "{name:?}: {failure}");
        }
    }
}
