//! Which XDP program an interface has, by rtnetlink.

use std::io;

use futures::TryStreamExt;
use rtnetlink::packet_route::link::{LinkAttribute, LinkXdp, XdpAttached};

/// A program that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attached {
    /// Its id, as `bpftool prog` has it; of several the first.
    pub(super) id: u32,
    /// Whether it runs in the stack.
    pub(super) is_generic: bool,
}

/// The program on interface `name` of the calling thread's network namespace.
pub(super) fn find(name: &str) -> io::Result<Option<Attached>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        let connection = tokio::spawn(connection);
        let mut links = handle.link().get().match_name(name).execute();
        let link = links.try_next().await.map_err(io::Error::other)?;
        connection.abort();
        let attributes = link.map(|link| link.attributes).unwrap_or_default();
        Ok(attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Xdp(nested) => of(nested),
            _ => None,
        }))
    })
}

fn of(nested: &[LinkXdp]) -> Option<Attached> {
    let is_generic = nested.contains(&LinkXdp::Attached(XdpAttached::SocketBuffer));
    // With programs in two modes there is no plain id, but one for each.
    nested.iter().find_map(|part| match part {
        LinkXdp::ProgId(id)
        | LinkXdp::DrvProgId(id)
        | LinkXdp::SkbProgId(id)
        | LinkXdp::HwProgId(id) => Some(Attached {
            id: *id,
            is_generic,
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_is_none() {
        assert_eq!(of(&[LinkXdp::Attached(XdpAttached::None)]), None);
        assert_eq!(find("lo").unwrap(), None);
    }

    #[test]
    fn a_program_has_an_id_and_a_mode() {
        let native = [
            LinkXdp::Attached(XdpAttached::Driver),
            LinkXdp::ProgId(7),
            LinkXdp::DrvProgId(7),
        ];
        let generic = [
            LinkXdp::Attached(XdpAttached::SocketBuffer),
            LinkXdp::SkbProgId(8),
        ];
        let several = [
            LinkXdp::Attached(XdpAttached::Multiple),
            LinkXdp::DrvProgId(7),
            LinkXdp::HwProgId(9),
        ];
        let attached = |id, is_generic| Some(Attached { id, is_generic });
        assert_eq!(of(&native), attached(7, false));
        assert_eq!(of(&generic), attached(8, true));
        assert_eq!(of(&several), attached(7, false));
    }

    #[test]
    fn an_unknown_interface_is_an_error() {
        assert!(find("nosuchlink0").is_err());
    }
}
