//! The packets of a burst put together.

use dataplane::offload::{Gro, Packet, VnetHeader};
use zerocopy::{FromBytes, IntoBytes};

use crate::packets::Recipe;

#[test]
fn a_packet_alone_is_written_as_it_is() {
    let packet = Recipe::tcp().packet();
    for (verified, flags) in [(true, VnetHeader::DATA_VALID), (false, 0)] {
        let burst = [Packet {
            bytes: &packet,
            verified,
        }];
        let mut gro = Gro::new(true);
        let groups: Vec<_> = gro.gather(&burst).collect();
        assert_eq!(groups.len(), 1);
        let head = VnetHeader::read_from_bytes(&groups[0].head()).unwrap();
        let expected = VnetHeader {
            flags,
            ..VnetHeader::default()
        };
        assert_eq!(head.as_bytes(), expected.as_bytes());
        let parts: Vec<_> = groups[0].parts().map(|p| (p.index, p.bytes)).collect();
        assert_eq!(parts, [(0, &packet[..])]);
    }
}
