//! Every reason to drop, provoked once: a kernel frame that is accepted, one change, the reason it is then refused for.

mod support;

use contract::stats::{DropReason, TRACE_BYTES, TraceRecord, TraceVerdict};
use contract::wire::Sum;
use support::mend::{mend, mend_ip};
use support::{OWN_VTEP, POD, Rig, UNDERLAY, UPLINK, golden_tables, kernel_frames};

/// An ICMP echo reply from node 2's pod to ours, as the kernel sent it.
fn vxlan_frame() -> Vec<u8> {
    kernel_frames()
        .into_iter()
        .find(|frame| frame[29] == 2)
        .unwrap()
}

/// The echo request that went the other way, as the uplink saw it.
fn pod_frame() -> Vec<u8> {
    let frame = kernel_frames()
        .into_iter()
        .find(|frame| frame[29] == 1)
        .unwrap();
    [&[0x0a; 12], &frame[62..]].concat()
}

#[track_caller]
fn refused(port: u8, frame: &[u8], reason: DropReason) {
    let mut rig = Rig::new(&golden_tables());
    let sent = rig.pass(port, frame);
    assert_eq!(rig.drops(port), [(reason.name(), 1)]);
    // Whatever leaves is at most the ICMP error, which never exceeds 576 bytes inside its headers.
    assert!(
        sent.iter().all(|(_, bytes)| bytes.len() <= 64 + 576),
        "{sent:?}"
    );
    let [loss] = losses(&rig).try_into().unwrap();
    assert_eq!(loss.meta.verdict, TraceVerdict::Dropped(reason));
    assert_eq!((loss.meta.port_in, loss.meta.port_out), (Some(port), None));
    // As it came, whatever an ICMP error made of it afterwards.
    assert_eq!(usize::from(loss.meta.len), frame.len());
    assert_eq!(loss.bytes(), &frame[..frame.len().min(TRACE_BYTES)]);
}

/// The losses in the trace.
fn losses(rig: &Rig) -> Vec<TraceRecord> {
    let mut records = rig.trace();
    records.retain(|record| record.meta.verdict != TraceVerdict::Forwarded);
    records
}

#[track_caller]
fn from_underlay(reason: DropReason, change: impl Fn(&mut Vec<u8>)) {
    let mut frame = vxlan_frame();
    change(&mut frame);
    refused(UNDERLAY, &frame, reason);
}

#[track_caller]
fn from_uplink(reason: DropReason, change: impl Fn(&mut Vec<u8>)) {
    let mut frame = pod_frame();
    change(&mut frame);
    refused(UPLINK, &frame, reason);
}

#[test]
fn outer_headers_must_hold_together() {
    for len in [0, 1, 13, 14, 33, 34, 41, 49, 63] {
        from_underlay(DropReason::OuterHeader, |f| f.truncate(len));
    }
    from_underlay(DropReason::OuterHeader, |f| f[12] = 0x86);
    from_underlay(DropReason::OuterHeader, |f| f[14] = 0x46);
    from_underlay(DropReason::OuterHeader, |f| f[14] = 0x65);
    from_underlay(DropReason::OuterHeader, |f| f[23] = 6);
    from_underlay(DropReason::OuterHeader, |f| f[20] = 0x20);
    from_underlay(DropReason::OuterHeader, |f| f[21] = 1);
    from_underlay(DropReason::OuterHeader, |f| f[16] = 0xff);
    from_underlay(DropReason::OuterHeader, |f| f[38] = 0xff);
    from_underlay(DropReason::OuterHeader, |f| {
        f[38..40].copy_from_slice(&29u16.to_be_bytes());
        mend(f);
    });
    from_underlay(DropReason::OuterIpChecksum, |f| f[24] ^= 1);
    from_underlay(DropReason::OuterUdpChecksum, |f| f[41] ^= 1);
}

#[test]
fn the_outer_destination_must_be_ours() {
    from_underlay(DropReason::OuterDestination, |f| {
        f[33] = 9;
        mend(f);
    });
    from_underlay(DropReason::OuterDestination, |f| {
        f[37] ^= 1;
        mend(f);
    });
}

#[test]
fn vxlan_must_be_exactly_ours() {
    for byte in [42, 43, 44, 45, 49] {
        for bit in 0..8 {
            from_underlay(DropReason::VxlanHeader, |f| {
                f[byte] ^= 1 << bit;
                mend(f);
            });
        }
    }
    for byte in 46..49 {
        from_underlay(DropReason::Vni, |f| {
            f[byte] ^= 2;
            mend(f);
        });
    }
    from_underlay(DropReason::InnerMac, |f| {
        f[55] ^= 1;
        mend(f);
    });
    from_underlay(DropReason::InnerMac, |f| {
        f[50..56].fill(0xff);
        mend(f);
    });
    from_underlay(DropReason::InnerMacOwn, |f| {
        f[56..62].copy_from_slice(&OWN_VTEP.0);
        mend(f);
    });
    from_underlay(DropReason::NotIp, |f| {
        f[63] = 0x06;
        mend(f);
    });
}

#[test]
fn a_source_must_stay_in_its_lease() {
    // Node 2 sends from node 3's subnet; a stranger sends from node 2's.
    from_underlay(DropReason::InnerSource, |f| {
        f[78] = 3;
        mend(f);
    });
    from_underlay(DropReason::InnerSource, |f| {
        f[76..80].copy_from_slice(&[8, 8, 8, 8]);
        mend(f);
    });
    from_underlay(DropReason::OuterSource, |f| {
        f[29] = 200;
        mend(f);
    });
    // Our own addresses from outside, in either place.
    from_underlay(DropReason::InnerSource, |f| {
        f[78] = 1;
        mend(f);
    });
    from_underlay(DropReason::OuterSource, |f| {
        f[29] = 1;
        mend(f);
    });
}

#[test]
fn a_destination_must_be_ours() {
    from_underlay(DropReason::InnerDestination, |f| {
        f[82] = 3;
        mend(f);
    });
    from_underlay(DropReason::InnerDestination, |f| {
        f[80..84].copy_from_slice(&[224, 0, 0, 1]);
        mend(f);
    });
}

#[test]
fn inner_headers_must_hold_together_on_both_sides() {
    from_underlay(DropReason::IpHeader, |f| {
        f[64] = 0x44;
        mend(f);
    });
    from_underlay(DropReason::IpHeader, |f| {
        f[66..68].copy_from_slice(&19u16.to_be_bytes());
        mend(f);
    });
    from_underlay(DropReason::Truncated, |f| {
        f[66] = 1;
        mend(f);
    });
    from_underlay(DropReason::IpChecksum, |f| f[75] ^= 1);
    from_underlay(DropReason::TtlExceeded, |f| {
        f[72] = 0;
        mend(f);
    });

    for len in [0, 13, 14, 33] {
        from_uplink(DropReason::Truncated, |f| f.truncate(len));
    }
    from_uplink(DropReason::Truncated, |f| {
        let short = f.len() - 1;
        f.truncate(short);
    });
    from_uplink(DropReason::NotIp, |f| f[13] = 0x06);
    from_uplink(DropReason::NotIp, |f| f[12] = 0x86);
    from_uplink(DropReason::IpHeader, |f| {
        f[12..14].copy_from_slice(&[0x86, 0xdd]);
    });
    from_uplink(DropReason::IpHeader, |f| {
        f[14] = 0x55;
        mend_ip(&mut f[14..]);
    });
    from_uplink(DropReason::IpChecksum, |f| f[25] ^= 1);
    from_uplink(DropReason::TtlExceeded, |f| {
        f[22] = 0;
        mend_ip(&mut f[14..]);
    });
}

#[test]
fn a_packet_needs_a_way_to_its_destination() {
    let to = |octets: [u8; 4]| {
        move |f: &mut Vec<u8>| {
            f[30..34].copy_from_slice(&octets);
            mend_ip(&mut f[14..]);
        }
    };
    from_uplink(DropReason::NoRoute, to([10, 244, 9, 9]));
    from_uplink(DropReason::NoRoute, to([255, 255, 255, 255]));
    from_uplink(DropReason::NoRoute, to([224, 0, 0, 251]));
    from_uplink(DropReason::Unresolved, to([10, 244, 3, 3]));
    from_uplink(DropReason::Hairpin, to([10, 244, 1, 10]));
}

#[test]
fn a_packet_must_fit_its_path() {
    let large = |len: usize, flags: u8| {
        let mut frame = pod_frame();
        frame.resize(14 + len, 0);
        frame[16..18].copy_from_slice(&(len as u16).to_be_bytes());
        frame[20] = flags;
        frame[32] = 4; // node 4: 1350 bytes
        mend_ip(&mut frame[14..]);
        frame
    };
    refused(UPLINK, &large(1351, 0x40), DropReason::TooBig);
    // It may be fragmented on the way, so it goes out whole; but not beyond our own device.
    let mut rig = Rig::new(&golden_tables());
    assert_eq!(rig.pass(UPLINK, &large(1351, 0))[0].1.len(), 1351 + 64);
    assert_eq!(rig.pass(UPLINK, &large(1350, 0x40))[0].1.len(), 1350 + 64);
    assert_eq!(rig.drops(UPLINK), []);
    refused(UPLINK, &large(1451, 0), DropReason::TooBig);
}

#[test]
fn congestion_may_only_be_marked_on_those_who_understand_it() {
    let marked = |inner: u8| {
        let mut frame = vxlan_frame();
        frame[15] |= 3;
        frame[65] = inner;
        mend(&mut frame);
        frame
    };
    refused(UNDERLAY, &marked(0), DropReason::EcnNotCapable);
    for inner in [1, 2, 3] {
        let mut rig = Rig::new(&golden_tables());
        let sent = rig.pass(UNDERLAY, &marked(inner));
        assert_eq!(sent[0].1[15] & 3, 3, "CE is passed inwards");
        assert!(Sum::of(&sent[0].1[14..34]).is_valid());
    }
}

#[test]
fn short_of_congestion_the_severer_mark_goes_on() {
    for (outer, inner, expected) in [
        (1, 2, 1),
        (2, 1, 1),
        (2, 2, 2),
        (1, 3, 3),
        (1, 0, 0),
        (2, 0, 0),
    ] {
        let mut frame = vxlan_frame();
        frame[15] = outer;
        frame[65] = 0xb8 | inner;
        mend(&mut frame);
        let mut rig = Rig::new(&golden_tables());
        let sent = rig.pass(UNDERLAY, &frame);
        assert_eq!(sent[0].1[15], 0xb8 | expected, "{outer} over {inner}");
        assert!(Sum::of(&sent[0].1[14..34]).is_valid());
    }
}

#[test]
fn ecn_is_copied_outwards_and_ce_becomes_ect0() {
    for (inner, outer) in [(0, 0), (1, 1), (2, 2), (3, 2), (0xb8 | 1, 1)] {
        let mut frame = pod_frame();
        frame[15] = inner;
        mend_ip(&mut frame[14..]);
        let mut rig = Rig::new(&golden_tables());
        let sent = rig.pass(UPLINK, &frame);
        assert_eq!(sent[0].1[15], outer, "inner {inner:#x}: DSCP stays inside");
    }
}

#[test]
fn a_full_transmit_ring_is_counted_and_loses_no_chunk() {
    let mut rig = Rig::with_rings(&golden_tables(), 1024, 64);
    for _ in 0..3 {
        for _ in 0..50 {
            rig.deliver(UPLINK, &pod_frame());
        }
        rig.settle();
    }
    // Nobody took the frames out of the 64 places of the underlay's transmit ring.
    assert_eq!(rig.drops(UPLINK), [(DropReason::TxFull.name(), 150 - 64)]);
    assert_eq!(rig.sent(UNDERLAY).len(), 64);
    assert_eq!(rig.pass(UPLINK, &pod_frame()).len(), 1);
}

#[test]
fn a_port_that_is_not_open_is_a_reason() {
    let mut rig = Rig::new(&golden_tables());
    rig.close(UNDERLAY);
    assert!(rig.pass(UPLINK, &pod_frame()).is_empty());
    assert_eq!(rig.drops(UPLINK), [(DropReason::PortDown.name(), 1)]);
}

#[test]
fn what_a_tun_cannot_have_meant_is_lost_and_counted_as_received() {
    let mut rig = Rig::new(&golden_tables());
    let host = rig.open_tun(UPLINK);
    // Segments are asked for, of no bytes each.
    let vnet = [1, 1, 40, 0, 0, 0, 20, 0, 16, 0];
    host.send(&[&vnet, &pod_frame()[14..]].concat()).unwrap();
    rig.settle();
    assert_eq!(rig.drops(UPLINK), [(DropReason::Offload.name(), 1)]);
}

#[test]
fn each_reason_but_one_is_provoked() {
    // NoHeadroom cannot be: every frame that a ring hands over starts behind the headroom that its UMEM was made with.
    let source = concat!(
        include_str!("drops.rs"),
        include_str!("drops6.rs"),
        include_str!("backends.rs")
    );
    for reason in DropReason::ALL {
        let name = format!("DropReason::{reason:?}");
        assert!(
            *reason == DropReason::NoHeadroom || source.contains(&name),
            "{name} has no test here"
        );
    }
}

#[test]
fn an_engine_attached_pod_is_one_hop_from_the_overlay() {
    let mut frame = pod_frame();
    frame[26..30].copy_from_slice(&[10, 244, 1, 99]);
    mend_ip(&mut frame[14..]);
    let mut rig = Rig::new(&golden_tables());
    let sent = rig.pass(POD, &frame);
    assert_eq!(sent[0].1[72], frame[22] - 1);
    assert!(Sum::of(&sent[0].1[64..84]).is_valid());
    frame[22] = 1;
    mend_ip(&mut frame[14..]);
    refused(POD, &frame, DropReason::TtlExceeded);
}
