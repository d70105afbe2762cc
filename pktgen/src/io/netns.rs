//! Network namespaces.

use crate::error::Result;

/// Runs `f` on a thread inside the namespace `netns` (a name under /run/netns); without one, right here. Sockets made inside
/// stay there.
///
/// # Errors
/// No such namespace, or no permission.
pub fn inside<T: Send>(netns: Option<&str>, f: impl FnOnce() -> T + Send) -> Result<T> {
    let _ = (netns, f);
    todo!()
}
