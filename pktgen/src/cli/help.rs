//! What stands below the flags of `--help`: examples, units, exit codes. A test reads every example as a command line.

/// Of the program.
pub const TOP: &str = "\
Interfaces are NAME or NAME@NETNS: a pod's interface needs no `ip netns exec`.

Units:
  sizes      bytes of a frame with its 4 bytes of FCS, as RFC 2544 counts: 64 is the smallest
  rates      100kpps, 1.2Mpps       frames a second
             1Gbit, 1Gbit-l2        bits a second of frames with FCS
             1Gbit-wire             with preamble and gap too, 20 bytes a frame, as a link counts
             50%                    of the link's speed, on the wire
             max                    as fast as it goes
  times      10s, 500ms, 100us, 2m, 1h
  loss       0.001%                 always with the sign

Examples:
  tweed-pktgen latency --tx eth1 --rx eth2 --dst 198.19.0.1 --rate 100kpps
  tweed-pktgen ndr --tx eth1 --rx eth2 --dst 198.19.0.1 --size 64
  tweed-pktgen tx -i eth0@pod-a --dst 10.244.2.2 --flows 1000 --size 64-1468 --rate 1Gbit-wire

Exit codes:
  0  done, and within the bound if there was one
  1  more was lost than --loss allows, or no rate was found
  2  a flag or a profile is wrong: the text names it and its range
  3  this machine cannot do it as it stands: the text has the remedy";

/// Of `tx`.
pub const TX: &str = "\
Sends at maximum until Ctrl-C unless told otherwise. Either a --profile or the flags of one stream.

Examples:
  tweed-pktgen tx -i eth1 --dst 198.19.0.1 --rate 100kpps --duration 10s
      one flow of 64-byte frames, evenly spread
  tweed-pktgen tx -i eth1 --dst 10.0.0.0/16 --flows 65536 --order random --sport 1024 --size imix
      a flow for each of 65,536 destinations
  tweed-pktgen tx -i eth1 --proto tcp --dst fd00::2 --dport 443 --flows 1000 --burst 32 --rate 1Mpps
      TCP-shaped segments in bursts
  tweed-pktgen tx -i eth1 --dst 10.244.2.2 --src 10.244.1.2 --vxlan 1 --vtep-dst 192.168.64.3
      inside VXLAN, to load what decapsulates
  tweed-pktgen tx -i eth1 --io xdp-live --profile imix.toml --count 1000000
      a million frames, made by the kernel";

/// Of `rx`.
pub const RX: &str = "\
Counts what bears our signature, of the run that comes first, until Ctrl-C. Loss is known up to the
highest sequence number seen: `report TX.json RX.json` joins both ends and knows the tail too.

Examples:
  tweed-pktgen rx -i eth2
      until Ctrl-C
  tweed-pktgen rx -i eth2 --idle 2s --loss 0.01% --save rx.json
      until 2 s after the last packet, with a verdict
  tweed-pktgen rx -i eth0@pod-b --workers 2 --cores 2,3 --busy
      two queues, a CPU for each, never asleep
  tweed-pktgen rx -i wlan0 --io packet --join
      an interface without XDP; the sender was there before";

/// Of `latency`.
pub const LATENCY: &str = "\
10 kpps for 10 s unless told otherwise. Latencies are from the time a packet was due (--stamp).

Examples:
  tweed-pktgen latency --tx eth1 --rx eth2 --dst 198.19.0.1 --rate 100kpps
      through a device that forwards from eth1 to eth2
  tweed-pktgen latency --tx eth0@pod-a --rx eth0@pod-b --dst 10.244.2.2 --size 64-1468 --loss 0%
      from pod to pod, up to a pod's MTU of 1450; any loss is exit code 1
  tweed-pktgen latency --tx eth1 --rx eth1 --dst 198.19.0.1
      there and back: `tweed-pktgen reflect` runs at the far end
  tweed-pktgen latency --tx eth1 --rx eth2 --profile imix.toml --tx-cores 2 --rx-cores 3 --busy
      streams from a file, CPUs of their own";

/// Of `reflect`.
pub const REFLECT: &str = "\
Frames leave by the queue they came in by. Ends at Ctrl-C unless told otherwise.

Examples:
  tweed-pktgen reflect -i eth2
  tweed-pktgen reflect -i eth0@pod-b --busy --cores 3";

/// Of `ndr`.
pub const NDR: &str = "\
RFC 2544 section 26.1: sends at --rate first (max: as fast as the sender can), then halves the
distance between what passed and what failed, and confirms the result. A profile's duration and
count are not used.

Examples:
  tweed-pktgen ndr --tx eth1 --rx eth2 --dst 198.19.0.1 --size 64
      the highest rate of smallest frames
  tweed-pktgen ndr --tx eth1 --rx eth2 --dst 198.19.0.1 --loss 0% --trial 60s --confirm 60s
      as the RFC has it: no loss at all, in 60 s
  tweed-pktgen ndr --tx eth0@a --rx eth0@b --dst 10.244.2.2 --loss 0.1% --resolution 3% --trial 1s
      quick and coarse, for machines that do other things as well";

/// Of `replay`.
pub const REPLAY: &str = "\
Frames go out as captured, Ethernet addresses included.

Examples:
  tweed-pktgen replay trace.pcap -i eth1
      as it was timed
  tweed-pktgen replay trace.pcapng -i eth1 --timing 10x --loops 5
  tweed-pktgen replay trace.pcap -i eth1 --rate 100kpps --loops forever";

/// Of `report`.
pub const REPORT: &str = "\
Examples:
  tweed-pktgen report run.json
  tweed-pktgen report tx.json rx.json
      both ends of one run are joined: loss is exact then
  tweed-pktgen report before.json after.json --svg compare.svg
      side by side, and as curves

Exit codes: 1 if a joined run lost more than its bound, 2 for a file that is no report.";
