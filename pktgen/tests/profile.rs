//! Profiles as files: what is wrong is told by key and range, and the examples are complete and true.

use pktgen::profile::{Defaults, Flows, Ip, Order, Profile, Raw, Run, Size, Stop, Transport};

fn read(text: &str) -> Result<Profile, String> {
    Raw::parse(text)
        .and_then(|raw| raw.profile(Run::default(), Defaults::default()))
        .map_err(|error| error.to_string())
}

/// A stream with the least that it needs, and further lines.
fn stream(more: &str) -> String {
    format!("[[stream]]\nsrc = '10.0.0.1'\ndst = '10.0.0.2'\n{more}\n")
}

/// `stream`, with these lines in place of its addresses.
fn only(lines: &str) -> String {
    format!("[[stream]]\n{lines}\n")
}

#[test]
fn what_is_wrong_is_told_by_key_and_range() {
    let tunnel = |lines: &str| stream(&format!("[stream.vxlan]\n{lines}"));
    let run = |line: &str| format!("{line}\n{}", stream(""));
    for (text, error) in [
        // The run.
        (
            run("rate = 'quick'"),
            "rate: \"quick\" is not a rate; max; 100kpps",
        ),
        (run("rate = 1000"), "rate: 1000 is not a rate; max; 100kpps"),
        (run("rate = '2Gpps'"), "rate: 2Gpps; 0.001pps to 1Gpps"),
        (run("rate = '101%'"), "rate: 101%; 0.0001% to 100%"),
        (run("burst = 0"), "burst: 0; a whole number, 1 to 65535"),
        (
            run("burst = 65536"),
            "burst: 65536; a whole number, 1 to 65535",
        ),
        (run("burst = 1.5"), "burst: 1.5; a whole number, 1 to 65535"),
        (
            run("duration = '10'"),
            "duration: 10 is not a duration; a number with ns",
        ),
        (run("duration = '0s'"), "duration: 0s; 1ns to 720h"),
        (
            run("count = 0"),
            "count: 0; a whole number, 1 to 18446744073709551615",
        ),
        (
            run("count = 5\nduration = '1s'"),
            "count: 5; not together with duration (1s)",
        ),
        (
            run("payload = 'ones'"),
            "payload: \"ones\"; one of zeros, increment, random, or a byte, 0x00 to 0xff",
        ),
        (
            run("payload = '0x100'"),
            "payload: 0x100; a whole number, 0 to 255",
        ),
        (
            run("seed = -1"),
            "seed: -1; a whole number, 0 to 18446744073709551615",
        ),
        // Streams.
        (String::new(), "stream: 0; 1 to 16 tables [[stream]]"),
        (
            stream("").repeat(17),
            "stream: 17; 1 to 16 tables [[stream]]",
        ),
        (
            stream("name = ''"),
            "stream[0].name: \"\"; 1 to 64 characters",
        ),
        (
            stream("name = \"a\\u0007\""),
            "stream[0].name: \"a\\u{7}\"; 1 to 64 characters, none of them a control character",
        ),
        (
            stream("name = 'a'") + &stream("") + &stream("name = 'a'"),
            "stream[2].name: \"a\"; another one than that of stream[0]",
        ),
        (
            stream("") + &stream("weight = 0"),
            "stream[1].weight: 0; a whole number, 1 to 1000",
        ),
        (
            stream("weight = 1001"),
            "stream[0].weight: 1001; a whole number, 1 to 1000",
        ),
        (
            stream("proto = 'sctp'"),
            "stream[0].proto: \"sctp\"; one of udp, tcp, icmp",
        ),
        (
            only("src = '10.0.0.1'"),
            "stream[0].dst: missing; where packets go",
        ),
        (
            only("dst = '10.0.0.1'"),
            "stream[0].src: missing; the sending interface has no IPv4 address",
        ),
        (
            only("dst = '10.0.0.1'\nvxlan = { vni = 1, src = '10.0.0.1', dst = '10.0.0.2' }"),
            "stream[0].src: missing; a packet in a tunnel has a source of its own, an IPv4 address",
        ),
        (
            only("src = '::1'\ndst = '10.0.0.1'"),
            "stream[0].src: ::1; an IPv4 address, as stream[0].dst is one",
        ),
        (
            only("src = '10.0.0.1'\ndst = '::1'"),
            "stream[0].src: 10.0.0.1; an IPv6 address, as stream[0].dst is one",
        ),
        (
            only("src = '::1'\ndst = '::/64'"),
            "stream[0].dst: \"::/64\"; an IPv6 range has the upper 96 bits in common",
        ),
        (
            stream("sport = 65536"),
            "stream[0].sport: 65536; a whole number, 0 to 65535",
        ),
        (
            stream("dport = '9-8'"),
            "stream[0].dport: 9-8; the lower number comes first",
        ),
        (
            stream("id = 1"),
            "stream[0].id: 1; only icmp has an identifier, others have stream[0].sport",
        ),
        (
            stream("proto = 'icmp'\ndport = 1"),
            "stream[0].dport: 1; icmp has no ports, its stream[0].id varies instead",
        ),
        (
            stream("flows = 0"),
            "stream[0].flows: 0; a whole number, 1 to 1000000",
        ),
        (
            stream("flows = 1000001"),
            "stream[0].flows: 1000001; a whole number, 1 to 1000000",
        ),
        (
            stream("flows = 11\nsport = '1-10'"),
            "stream[0].flows: 11; 1 to 10, for stream[0].sport has 10, stream[0].dst has 1, stream[0].src has 1, \
             stream[0].dport has 1: widen stream[0].sport to 11 or more",
        ),
        (
            stream("flows = 100000"),
            "stream[0].flows: 100000; 1 to 64512, for stream[0].sport has 64512, stream[0].dst has 1, stream[0].src has 1, \
             stream[0].dport has 1: widen stream[0].dst to 2 or more",
        ),
        (
            only("proto = 'icmp'\nsrc = '::1'\ndst = '::1:0-::1:4'\nid = 3\nflows = 6"),
            "stream[0].flows: 6; 1 to 5, for stream[0].id has 1, stream[0].dst has 5, stream[0].src has 1: \
             widen stream[0].id to 2 or more",
        ),
        (
            only("src = '10.0.0.0/8'\ndst = '10.0.0.2'"),
            "stream[0].flows: missing; the ranges have 16777216 combinations, of which 1 to 1000000 can be used",
        ),
        (
            stream("order = 'shuffled'"),
            "stream[0].order: \"shuffled\"; one of round-robin, random",
        ),
        (
            stream("size = 63"),
            "stream[0].size: 63; a whole number, 64 to 3524; bytes with FCS, at least 64 for UDP over IPv4",
        ),
        (
            stream("size = 3525"),
            "stream[0].size: 3525; a whole number, 64 to 3524",
        ),
        (
            stream("proto = 'tcp'\nsize = 75"),
            "stream[0].size: 75; a whole number, 76 to 3524; bytes with FCS, at least 76 for TCP over IPv4",
        ),
        (
            only("proto = 'icmp'\nsrc = '::1'\ndst = '::2'\nsize = '64:7,594:4'"),
            "stream[0].size: 64; a whole number, 84 to 3524; bytes with FCS, at least 84 for ICMP over IPv6",
        ),
        (
            stream("ttl = 0"),
            "stream[0].ttl: 0; a whole number, 1 to 255",
        ),
        (
            stream("tos = 256"),
            "stream[0].tos: 256; a whole number, 0 to 255",
        ),
        (
            stream("src_mac = '01:00:00:00:00:00'"),
            "stream[0].src_mac: 01:00:00:00:00:00; a single station's address",
        ),
        (
            stream("dst_mac = 'here'"),
            "stream[0].dst_mac: \"here\" is not an Ethernet address; six bytes",
        ),
        // Tunnels.
        (
            tunnel(""),
            "stream[0].vxlan.vni: missing; the tunnel's network identifier, 0 to 16777215",
        ),
        (
            tunnel("vni = 16777216"),
            "stream[0].vxlan.vni: 16777216; a whole number, 0 to 16777215",
        ),
        (
            tunnel("vni = 1\ndst = '10.0.0.1'"),
            "stream[0].vxlan.src: missing; the sending interface has no IPv4 address",
        ),
        (
            tunnel("vni = 1"),
            "stream[0].vxlan.dst: missing; the IPv4 address of the VTEP",
        ),
        (
            tunnel("vni = 1\nsrc = '::1'"),
            "stream[0].vxlan.src: \"::1\" is not a VTEP's address; one IPv4 address",
        ),
        (
            tunnel("vni = 1\nport = 0"),
            "stream[0].vxlan.port: 0; a whole number, 1 to 65535",
        ),
        (
            tunnel("vni = 1\nchecksum = 'yes'"),
            "stream[0].vxlan.checksum: \"yes\"; one of false, true",
        ),
        (
            tunnel("inner_src_mac = 'ff:ff:ff:ff:ff:ff'"),
            "stream[0].vxlan.inner_src_mac: \"ff:ff:ff:ff:ff:ff\"; a single",
        ),
        (
            tunnel("vni = 1\nsrc = '10.0.0.1'\ndst = '10.0.0.2'")
                .replace("[stream.vxlan]", "size = 64\n[stream.vxlan]"),
            "stream[0].size: 64; a whole number, 114 to 3524; bytes with FCS, at least 114 for UDP over IPv4 in a tunnel",
        ),
        // What is no profile at all.
        ("rate = ".into(), "line 1: \"rate =\"; "),
        (
            run("speed = 1"),
            "line 1: \"speed = 1\"; unknown field `speed`, expected one of `rate`, `burst`",
        ),
        (
            stream("prot = 'udp'"),
            "line 4: \"prot = 'udp'\"; unknown field `prot`, expected one of `name`",
        ),
        (
            tunnel("vnid = 1"),
            "line 5: \"vnid = 1\"; unknown field `vnid`, expected one of `vni`",
        ),
        (
            stream("size = [64, 128]"),
            "line 4: \"size = [64, 128]\"; invalid type: sequence, expected a number, a text",
        ),
        (
            run("rate = 'max'\nrate = 'max'"),
            "line 2: \"rate = 'max'\"; duplicate key",
        ),
    ] {
        match read(&text) {
            Ok(profile) => panic!("read {profile:?} from {text}"),
            Err(got) => assert!(
                got.starts_with(error),
                "{text}\ngot:      {got}\nexpected: {error}"
            ),
        }
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let profile = read(&stream("")).expect("a profile");
    let stream = &profile.streams[0];
    assert_eq!((profile.burst, profile.stop), (1, Stop::Never));
    assert_eq!(profile.rate.to_string(), "max");
    assert_eq!(profile.payload.to_string(), "increment");
    assert_eq!(
        (stream.name.as_str(), stream.weight, stream.ttl, stream.tos),
        ("stream 0", 1, 64, 0)
    );
    let (sport, dport) = (1024..=1024, 9..=9);
    assert_eq!(stream.transport, Transport::Udp { sport, dport });
    assert_eq!(stream.size, Size::Fixed(64));
    let order = Order::RoundRobin;
    assert_eq!(stream.flows, Flows { count: 1, order });
    assert_eq!(
        (stream.src_mac, stream.dst_mac, &stream.vxlan),
        (None, None, &None)
    );
}

#[test]
fn ranges_that_were_given_are_used() {
    let flows = |more: &str| read(&stream(more)).expect("a profile").streams[0].clone();
    assert_eq!(flows("sport = '10-19'\ndport = '1-3'").flows.count, 30);
    assert_eq!(flows("sport = '10-19'\nflows = 4").flows.count, 4);
    let many = flows("flows = 500");
    assert_eq!(
        many.transport,
        Transport::Udp {
            sport: 1024..=65_535,
            dport: 9..=9
        }
    );
    let profile =
        read(&only("src = 'fd00::1'\ndst = 'fd00::/120'\nproto = 'icmp'")).expect("a profile");
    assert_eq!(profile.streams[0].flows.count, 256);
    assert!(matches!(profile.streams[0].ip, Ip::V6 { .. }));
}

/// IMIX's smallest size is raised to what the headers need, and the profile in effect shows it.
#[test]
fn imix_fits_every_kind_of_packet() {
    for (more, size) in [
        ("", "64:7,594:4,1518:1"),
        ("proto = 'tcp'", "76:7,594:4,1518:1"),
    ] {
        let profile = read(&stream(&format!("size = 'imix'\n{more}"))).expect("a profile");
        assert!(
            profile.to_toml().contains(&format!("size = \"{size}\"")),
            "{}",
            profile.to_toml()
        );
    }
}

const EXAMPLES: [(&str, &str); 3] = [
    (
        "udp-64.toml",
        include_str!("../../configs/pktgen/udp-64.toml"),
    ),
    ("imix.toml", include_str!("../../configs/pktgen/imix.toml")),
    (
        "vxlan-decap.toml",
        include_str!("../../configs/pktgen/vxlan-decap.toml"),
    ),
];

#[test]
fn the_examples_are_profiles_and_read_back() {
    for (name, text) in EXAMPLES {
        let profile = read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read(&profile.to_toml()).as_ref(), Ok(&profile), "{name}");
    }
}

#[test]
fn the_examples_are_what_their_comments_say() {
    let [smallest, imix, vxlan] = EXAMPLES.map(|(_, text)| read(text).expect("a profile"));
    assert_eq!(
        (
            smallest.streams[0].size.clone(),
            smallest.streams[0].flows.count
        ),
        (Size::Fixed(64), 1_000)
    );
    let weights: Vec<u16> = imix.streams.iter().map(|stream| stream.weight).collect();
    assert_eq!(weights, [16, 3, 1]);
    assert!(vxlan.streams.iter().all(|stream| stream.vxlan.is_some()));
}

/// Keys at a place of the file, as the parser itself lists them when it is given one that it does not know.
fn known_keys(table: &str) -> Vec<String> {
    let error = read(&format!("{table}no_such_key = 1")).expect_err("a key that there is not");
    let listed = error
        .split("expected one of ")
        .nth(1)
        .unwrap_or_else(|| panic!("{error}"));
    listed
        .split('`')
        .skip(1)
        .step_by(2)
        .map(Into::into)
        .collect()
}

/// Every key stands in udp-64.toml, in use or behind "# ", with a value that is valid there.
#[test]
fn one_example_has_every_key() {
    let (_, text) = EXAMPLES[0];
    let whole = text.lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split(" = ").next().unwrap_or_default();
        let is_key =
            bare.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if is_key || bare.starts_with('[') {
            bare
        } else {
            ""
        }
    });
    let whole: Vec<&str> = whole.collect();
    let (run, rest) = whole.split_at(
        whole
            .iter()
            .position(|line| *line == "[[stream]]")
            .expect("a stream"),
    );
    let (stream, tunnel) = rest.split_at(
        rest.iter()
            .position(|line| *line == "[stream.vxlan]")
            .expect("a tunnel"),
    );
    for (lines, table) in [
        (run, ""),
        (stream, "[[stream]]\n"),
        (tunnel, "[[stream]]\n[stream.vxlan]\n"),
    ] {
        for key in known_keys(table) {
            let found = lines
                .iter()
                .any(|line| line.starts_with(&format!("{key} = ")));
            assert!(
                found || key == "stream" || key == "vxlan",
                "{table}{key} is not in the example"
            );
        }
    }
    // All of it together is a profile, but for what excludes each other.
    let excluded = |line: &&&str| {
        !["count = ", "id = "]
            .iter()
            .any(|key| line.starts_with(key))
    };
    let together: Vec<&str> = whole.iter().filter(excluded).copied().collect();
    let text = together.join("\n").replace("size = 64", "size = 114");
    read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
}
