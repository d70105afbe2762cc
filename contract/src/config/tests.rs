use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path)
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let message = parse(text).unwrap_err().to_string();
    assert!(
        message.contains(expected),
        "{text:?} gave {message:?}, which lacks {expected:?}"
    );
}

#[test]
fn node_toml_spells_out_the_defaults() {
    let shipped = Config::load(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../configs/node.toml"
    )))
    .unwrap();
    assert_eq!(shipped, Config::default());
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn node_toml_names_every_key() {
    let text = include_str!("../../../configs/node.toml");
    for name in keys() {
        let (section, key) = name.split_once('.').unwrap();
        let section = text.split(&format!("[{section}]")).nth(1);
        let section = section.unwrap().split("\n[").next().unwrap();
        assert!(
            section.contains(&format!("\n{key} = ")),
            "configs/node.toml lacks {name}"
        );
    }
}

#[test]
fn an_interface_is_one_or_several_by_name_or_address() {
    let interfaces = |text: &str| parse(text).unwrap().underlay.interfaces;
    let name = |name: &str| DeviceRef::Name(name.into());
    assert_eq!(interfaces("[underlay]\ninterface = \"\"\n"), []);
    assert_eq!(
        interfaces("[underlay]\ninterface = \"eth0\"\n"),
        [name("eth0")]
    );
    assert_eq!(
        interfaces("[underlay]\ninterface = [\"10.0.0.7\", \"eth1\"]\n"),
        [DeviceRef::Address([10, 0, 0, 7].into()), name("eth1")]
    );
    refused(
        "[underlay]\ninterface = 7\n",
        "a string or a list of strings",
    );
    refused(
        "[underlay]\ninterface = \"fd00::1\"\n",
        "the underlay is IPv4",
    );
    refused(
        "[underlay]\ninterface_regex = [\"eth\", \"(\"]\n",
        "underlay.interface_regex holds \"(\"",
    );
    refused(
        "[underlay]\ninterface_can_reach = \"gateway\"\n",
        "underlay.interface_can_reach",
    );
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    refused("[dataplane]\nring_sise = 64\n", "ring_sise");
    refused("[dataplan]\n", "dataplan");
}

#[test]
fn values_out_of_range_name_key_and_range() {
    refused(
        "[dataplane]\nring_size = 100\n",
        "dataplane.ring_size is 100; it must be a power of two",
    );
    refused("[dataplane]\nring_size = 32\n", "from 64 to 32768");
    refused(
        "[dataplane]\nframes = 10\n",
        "dataplane.frames is 10; it must be from 8192",
    );
    refused("[dataplane]\nchunk_size = 1000\n", "2048 or 4096");
    refused(
        "[dataplane]\nchunk_size = 4096\nframes = 1048576\n",
        "dataplane.frames is 1048576; it must be from 8192 to 1048575",
    );
    refused(
        "[dataplane]\nnice = -21\n",
        "dataplane.nice is -21; it must be from -20 to 19",
    );
    refused("[dataplane]\nidle = \"nap\"\n", "\"adaptive\", \"spin\"");
    refused(
        "[overlay]\nmtu = 99\n",
        "overlay.mtu is 99; it must be from 576",
    );
    refused("[overlay]\nkind = \"tap\"\n", "\"veth\", \"tun\"");
    refused("[overlay]\ndevice = \"fifteen-letters\"\n", "1 to 14 bytes");
    refused("[underlay]\nmode = \"fast\"\n", "\"zero-copy\"");
    refused("[underlay]\nmode = \"tun\"\n", "\"udp\"");
    refused("[underlay]\npublic_ip = \"224.0.0.1\"\n", "unicast IPv4");
    refused("[underlay]\ninterface = \"a/b\"\n", "underlay.interface");
    refused(
        "[underlay]\ninterface = \"a\\u0000b\"\n",
        "underlay.interface",
    );
    refused("[firewall]\nresync_s = 0\n", "from 1 to 3600");
    refused("[lease]\nrenew_margin_s = 86400\n", "from 1 to 86399");
    refused("[etcd]\nendpoints = []\n", "at least one URL");
    refused("[etcd]\nendpoints = [\"127.0.0.1\"]\n", "http://");
    refused("[etcd]\ncertfile = \"c.pem\"\n", "set both or none");
    refused("[etcd]\npassword = \"x\"\n", "etcd.username");
    refused("worker = []\n", "0 entries");
    refused(
        "[[worker]]\nqueue = 0\ncpu = 0\n[[worker]]\nqueue = 0\ncpu = 1\n",
        "queue 0 twice",
    );
}

#[test]
fn an_endpoint_without_a_scheme_takes_it_from_the_certificate() {
    let endpoints = |text: &str| parse(&format!("[etcd]\n{text}")).unwrap().etcd.endpoints;
    let plain = "endpoints = [\"etcd-0:2379\", \"https://etcd-1:2379\"]\n";
    assert_eq!(
        endpoints(plain),
        ["http://etcd-0:2379", "https://etcd-1:2379"]
    );
    let tls = format!("{plain}certfile = \"c.pem\"\nkeyfile = \"k.pem\"\n");
    assert_eq!(
        endpoints(&tls),
        ["https://etcd-0:2379", "https://etcd-1:2379"]
    );
    refused("[etcd]\nendpoints = [\"ftp://etcd:21\"]\n", "http://");
}

#[test]
fn a_prefix_names_a_directory_with_a_slash_at_its_front_or_without() {
    let prefix = |text: &str| parse(&format!("[etcd]\nprefix = {text:?}\n")).unwrap();
    assert_eq!(prefix("vxlan/network/").etcd.prefix, "vxlan/network");
    refused("[etcd]\nprefix = \"/\"\n", "must name a directory");
}

#[test]
fn a_missing_file_names_itself_and_the_flag() {
    let message = Config::load(Path::new("/nonexistent/node.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("/nonexistent/node.toml") && message.contains("--config"),
        "{message}"
    );
}

#[test]
fn the_password_is_not_printed() {
    let config = parse("[etcd]\nusername = \"root\"\npassword = \"s3cret\"\n").unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
}
