//! A conversation with the kernel's rtnetlink, from inside an interface's namespace.
//!
//! rtnetlink is asynchronous, nothing else here is: a runtime of one thread is made for each conversation and ends
//! with it. That costs some tens of microseconds, and happens a few times before a run.

use rtnetlink::Handle;

use crate::error::{Failure, Result};
use crate::io::link::title;
use crate::io::{Interface, netns};

/// Holds it.
///
/// # Errors
/// As [`netns::inside`]; what `talk` says.
pub fn ask<T: Send>(
    interface: &Interface,
    talk: impl AsyncFnOnce(Handle) -> Result<T> + Send,
) -> Result<T> {
    netns::inside(interface.netns.as_deref(), || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::environment("a runtime for netlink", error))?;
        runtime.block_on(async {
            // The socket is made here, on the thread that is inside.
            let (connection, handle, _) = rtnetlink::new_connection()
                .map_err(|error| Failure::environment("a netlink socket", error))?;
            tokio::spawn(connection);
            talk(handle).await
        })
    })?
}

/// What the kernel said, as a failure that has to do with `interface`.
pub fn said(interface: &Interface) -> impl Fn(rtnetlink::Error) -> Failure {
    move |error| match errno(&error) {
        Some(errno) => {
            Failure::environment(title(interface), std::io::Error::from_raw_os_error(errno))
        }
        None => Failure::environment(title(interface), error),
    }
}

/// The error number in it, if the kernel refused.
pub fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(message.raw_code().saturating_abs()),
        _ => None,
    }
}
