//! ADD's result on its way to the delegate's CHECK.

use serde_json::Value;

use crate::Object;

/// The result with a next hop in each route.
///
/// A route without `gw` goes by the `gateway` of the address of its family (specification, section 5), and our routes to the
/// cluster's networks are such. The bridge plugin adds them so, but its CHECK before version 1.3 (Debian 12 has 1.1.1) looks for
/// a route without next hop, finds none, and fails for every pod (containernetworking/plugins, pull request 887).
pub fn with_next_hops(mut result: Object) -> Object {
    let gateway = |is_v6: bool| -> Option<Value> {
        let ips = result.get("ips")?.as_array()?;
        let gateways = ips.iter().filter_map(|ip| ip["gateway"].as_str());
        let mut of_family = gateways.filter(|gateway| gateway.contains(':') == is_v6);
        of_family.next().map(Value::from)
    };
    let gateways = [gateway(false), gateway(true)];
    let routes = result.get_mut("routes").and_then(Value::as_array_mut);
    for route in routes.into_iter().flatten() {
        let dst = route["dst"].as_str().unwrap_or_default();
        let next_hop = &gateways[usize::from(dst.contains(':'))];
        if let (Some(route), Some(next_hop)) = (route.as_object_mut(), next_hop) {
            route.entry("gw").or_insert_with(|| next_hop.clone());
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_route_gets_the_gateway_of_its_family() {
        let Value::Object(result) = json!({
            "ips": [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}, {"gateway": "fd00::1"}, {"gateway": "10.9.9.9"}],
            "routes": [{"dst": "10.0.0.0/8"}, {"dst": "fd00::/48"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.7"}],
        }) else {
            unreachable!()
        };
        assert_eq!(
            with_next_hops(result)["routes"],
            json!([{"dst": "10.0.0.0/8", "gw": "10.1.0.1"}, {"dst": "fd00::/48", "gw": "fd00::1"}, {"dst": "0.0.0.0/0", "gw": "10.1.0.7"}])
        );
    }

    #[test]
    fn what_has_no_gateways_or_routes_stays() {
        for text in [
            r#"{"routes":[{"dst":"10.0.0.0/8"},7,null]}"#,
            r#"{"ips":{},"routes":{}}"#,
            r#"{"ips":[null,7,{"gateway":"10.0.0.1"}]}"#,
            "{}",
        ] {
            let result: Object = serde_json::from_str(text).unwrap();
            assert_eq!(with_next_hops(result.clone()), result);
        }
    }
}
