//! Literal configurations in, literal delegate configurations out.

use serde_json::{Value, json};

use super::*;

fn env(ipmasq: bool) -> SubnetEnv {
    SubnetEnv {
        networks: vec!["10.244.0.0/16".parse().unwrap()],
        subnets: vec!["10.244.1.0/24".parse().unwrap()],
        mtu: 1450,
        ipmasq,
    }
}

fn dual() -> SubnetEnv {
    let mut env = env(false);
    env.networks.push("fd00:244::/48".parse().unwrap());
    env.subnets.push("fd00:244:0:1::/64".parse().unwrap());
    env
}

fn rendered(conf: Value, env: &SubnetEnv) -> Result<Value, CniError> {
    let Value::Object(mut conf) = conf else {
        panic!("not an object")
    };
    conf.entry("cniVersion").or_insert("1.0.0".into());
    conf.entry("name").or_insert("cbr0".into());
    render(&NetConf::parse(conf)?, env).map(Value::Object)
}

#[test]
fn the_delegate_gets() {
    let ipam = json!({
        "type": "host-local",
        "ranges": [[{"subnet": "10.244.1.0/24"}]],
        "routes": [{"dst": "10.244.0.0/16"}],
    });
    let rows = [
        // Nothing said: a bridge with flannel's defaults.
        (
            json!({"type": "tweed-cni"}),
            env(true),
            json!({"type": "bridge", "name": "cbr0", "cniVersion": "1.0.0", "ipMasq": false, "mtu": 1450, "isGateway": true, "ipam": ipam}),
        ),
        // The conflist of flannel's manifests.
        (
            json!({"cniVersion": "0.3.1", "type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}}),
            env(false),
            json!({"type": "bridge", "name": "cbr0", "cniVersion": "0.3.1", "ipMasq": true, "mtu": 1450, "isGateway": true,
                   "hairpinMode": true, "isDefaultGateway": true, "ipam": ipam}),
        ),
        // What the operator says stands, and another delegate is no gateway.
        (
            json!({"delegate": {"type": "ptp", "ipMasq": false, "mtu": 9000}}),
            env(false),
            json!({"type": "ptp", "name": "cbr0", "cniVersion": "1.0.0", "ipMasq": false, "mtu": 9000, "ipam": ipam}),
        ),
        (
            json!({"delegate": {"isGateway": false}}),
            env(true),
            json!({"type": "bridge", "name": "cbr0", "cniVersion": "1.0.0", "ipMasq": false, "mtu": 1450, "isGateway": false, "ipam": ipam}),
        ),
        // Two families; routes of one's own come first, ranges of one's own are replaced.
        (
            json!({"ipam": {"dataDir": "/d", "ranges": "x", "routes": [{"dst": "0.0.0.0/0", "gw": "10.244.1.9"}]}}),
            dual(),
            json!({"type": "bridge", "name": "cbr0", "cniVersion": "1.0.0", "ipMasq": true, "mtu": 1450, "isGateway": true, "ipam": {
                "type": "host-local", "dataDir": "/d",
                "ranges": [[{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:244:0:1::/64"}]],
                "routes": [{"dst": "0.0.0.0/0", "gw": "10.244.1.9"}, {"dst": "10.244.0.0/16"}, {"dst": "fd00:244::/48"}],
            }}),
        ),
        // The runtime's wishes replace those in the file; ours and the protocol's keys do not travel.
        (
            json!({"runtimeConfig": {"bandwidth": 1}, "delegate": {"runtimeConfig": {"x": 1}}, "ipam": {"type": "static"},
                   "prevResult": {}, "subnetFile": "/x", "args": {}, "cni.dev/valid-attachments": []}),
            env(true),
            json!({"type": "bridge", "name": "cbr0", "cniVersion": "1.0.0", "ipMasq": false, "mtu": 1450, "isGateway": true,
                   "runtimeConfig": {"bandwidth": 1}, "ipam": {
                "type": "static", "ranges": [[{"subnet": "10.244.1.0/24"}]], "routes": [{"dst": "10.244.0.0/16"}],
            }}),
        ),
    ];
    for (conf, env, expected) in rows {
        let shown = conf.to_string();
        assert_eq!(rendered(conf, &env).unwrap(), expected, "{shown}");
    }
}

#[test]
fn refused() {
    use Code::*;
    for (conf, code, words) in [
        (
            json!({"delegate": {"name": "x"}}),
            UnsupportedField,
            "delegate.name = \"x\"",
        ),
        (
            json!({"delegate": {"ipam": {"a": 1}}}),
            UnsupportedField,
            "delegate.ipam = {\"a\":1}",
        ),
        (
            json!({"delegate": {"type": 7}}),
            InvalidConfig,
            "delegate.type = 7",
        ),
        (
            json!({"delegate": {"type": ""}}),
            InvalidConfig,
            "delegate.type",
        ),
        (
            json!({"delegate": {"type": null}}),
            InvalidConfig,
            "delegate.type",
        ),
        (
            json!({"delegate": {"type": "../../bin/sh"}}),
            InvalidConfig,
            "delegate.type",
        ),
        (
            json!({"delegate": {"type": ".."}}),
            InvalidConfig,
            "delegate.type",
        ),
        (
            json!({"type": "flannel", "delegate": {"type": "flannel"}}),
            InvalidConfig,
            "another plugin",
        ),
        (
            json!({"ipam": {"routes": {}}}),
            InvalidConfig,
            "ipam.routes",
        ),
        (
            json!({"ipam": {"routes": [{"gw": "10.0.0.1"}]}}),
            InvalidConfig,
            "ipam.routes",
        ),
        (
            json!({"ipam": {"routes": ["0.0.0.0/0"]}}),
            InvalidConfig,
            "ipam.routes",
        ),
        (
            json!({"ipam": {"routes": [{"dst": "0.0.0.0/0", "gw": "x"}]}}),
            InvalidConfig,
            "ipam.routes",
        ),
    ] {
        let shown = conf.to_string();
        let error = rendered(conf, &env(true)).unwrap_err();
        assert_eq!(error.code, code, "{shown}");
        assert!(error.msg.contains(words), "{shown}: {}", error.msg);
    }
}
