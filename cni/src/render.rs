//! From a network configuration and the node's subnet to the delegate's configuration. A pure function.

use serde_json::{Value, json};

use crate::Object;
use crate::conf::{NetConf, clip, invalid};
use crate::error::{CniError, Code};
use crate::subnet_env::SubnetEnv;

/// The delegate's configuration, without `prevResult`.
///
/// What the operator gave stands; what is absent comes from the subnet, by the rules of flannel's plugin (`flannel_linux.go`,
/// `doCmdAdd` and `getDelegateIPAM`), which also give no `isDefaultGateway`: on a second network of a pod it would be wrong.
pub fn render(conf: &NetConf, env: &SubnetEnv) -> Result<Object, CniError> {
    let mut delegate = conf.delegate.clone();
    for key in ["name", "ipam"] {
        if let Some(value) = delegate.get(key) {
            return Err(CniError::new(
                Code::UnsupportedField,
                format!(
                    "network configuration has delegate.{key} = {}: remove it, {}",
                    clip(&value.to_string()),
                    match key {
                        "name" => "the delegate gets the network's name",
                        _ => "and put its keys into ipam beside delegate",
                    }
                ),
            ));
        }
    }
    let kind = delegate.entry("type").or_insert_with(|| "bridge".into());
    let is_bridge = kind == "bridge";
    let kind = delegate_type(kind)?;
    if kind == conf.own_type {
        return Err(invalid(
            "delegate.type",
            &kind.into(),
            "another plugin than this one, for example bridge",
        ));
    }
    delegate
        .entry("ipMasq")
        .or_insert_with(|| (!env.ipmasq).into());
    delegate.entry("mtu").or_insert_with(|| env.mtu.into());
    if is_bridge {
        delegate.entry("isGateway").or_insert(true.into());
    }
    if let Some(runtime_config) = &conf.runtime_config {
        delegate.insert("runtimeConfig".into(), runtime_config.clone().into());
    }
    delegate.insert("name".into(), conf.name.clone().into());
    delegate.insert("cniVersion".into(), conf.version.as_str().into());
    delegate.insert("ipam".into(), ipam(conf, env)?.into());
    Ok(delegate)
}

/// A plugin's name, which will be looked for in directories: no path.
pub fn delegate_type(value: &Value) -> Result<&str, CniError> {
    value
        .as_str()
        .filter(|kind| !kind.is_empty() && !kind.contains(['/', '\0']) && !kind.starts_with('.'))
        .ok_or_else(|| {
            invalid(
                "delegate.type",
                value,
                "the name of a plugin, for example bridge",
            )
        })
}

fn ipam(conf: &NetConf, env: &SubnetEnv) -> Result<Object, CniError> {
    let mut ipam = conf.ipam.clone();
    ipam.entry("type").or_insert_with(|| "host-local".into());
    let ranges = env.subnets.iter().map(|net| json!([{ "subnet": net }]));
    ipam.insert("ranges".into(), ranges.collect());
    let mut routes = match ipam.remove("routes") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(routes)) => routes,
        Some(other) => return Err(invalid("ipam.routes", &other, "a list of routes")),
    };
    if let Some(bad) = routes.iter().find(|route| !is_route(route)) {
        return Err(invalid(
            "ipam.routes",
            bad,
            "routes such as {\"dst\": \"192.168.0.0/16\"}",
        ));
    }
    routes.extend(env.networks.iter().map(|net| json!({ "dst": net })));
    ipam.insert("routes".into(), routes.into());
    Ok(ipam)
}

fn is_route(route: &Value) -> bool {
    let net = |text: &str| text.parse::<ipnet::IpNet>().is_ok();
    let address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    route["dst"].as_str().is_some_and(net)
        && (route["gw"].is_null() || route["gw"].as_str().is_some_and(address))
}

#[cfg(test)]
mod tests;
