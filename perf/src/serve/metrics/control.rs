//! Families of control's word: lease, generation, peers. There is none of them without `control.json`.

use prometheus_client::registry::Unit;

use super::super::view::View;
use super::family::{Family, Kind, Value};

pub fn families(view: &View) -> Vec<Family> {
    let gauge = |name, help| Family::new(Kind::Gauge, name, None, help);
    let seconds = |name, help| Family::new(Kind::Gauge, name, Some(Unit::Seconds), help);
    let mut up = gauge("control_up", "1 while control gives signs of life.");
    let mut age = seconds(
        "control_age",
        "Since control's last sign of life; there is one each ten seconds.",
    );
    let mut trouble = gauge(
        "control_trouble",
        "1 while control says that something is wrong.",
    );
    let mut held = gauge("control_lease_held", "1 while this node holds its lease.");
    let mut generation = gauge(
        "control_tables_generation",
        "Generation of the tables that control published last.",
    );
    let mut generation_age = seconds(
        "control_tables_generation_age",
        "Since that generation was first seen here: at least its age once this process is older.",
    );
    let mut peers = gauge("control_peers", "Other nodes with a lease.");
    let mut unreachable = gauge(
        "control_unreachable_peers",
        "Those of them that nothing is sent to.",
    );
    let mut skipped = gauge(
        "control_skipped_keys",
        "Keys of the lease source that are not used.",
    );
    if let Some(control) = &view.control {
        let flag = |truth: bool| Value::Whole(u64::from(truth));
        let count = |n: usize| Value::Whole(n as u64);
        up.push([], flag(control.is_alive()));
        age.push([], Value::Real(control.silent.as_secs_f64()));
        trouble.push([], flag(control.trouble.is_some()));
        held.push([], flag(control.own.is_held()));
        generation.push([], Value::Whole(control.generation));
        generation_age.push([], Value::Real(view.generation_age.as_secs_f64()));
        peers.push([], count(control.peers.len()));
        unreachable.push([], count(control.unreachable().count()));
        skipped.push([], count(control.skipped.len()));
    }
    vec![
        up,
        age,
        trouble,
        held,
        generation,
        generation_age,
        peers,
        unreachable,
        skipped,
    ]
}
