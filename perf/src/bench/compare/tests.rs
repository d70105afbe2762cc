use super::*;
use crate::bench::html::made_up;

fn row<'a>(text: &'a str, measure: &str, contender: &str) -> &'a str {
    let from = text
        .find(measure)
        .unwrap_or_else(|| panic!("no {measure} in {text}"));
    let mut rows = text[from..].lines();
    rows.find(|row| row.trim_start().starts_with(contender))
        .unwrap()
}

/// The same run, with our samples of one flow times `factor`.
fn changed(factor: f64) -> Report {
    let mut report = made_up::report();
    for sample in report.measures[0].cells[0].samples.iter_mut().flatten() {
        *sample *= factor;
    }
    report
}

#[test]
fn a_change_beyond_the_spread_is_named() {
    let before = made_up::report();
    let text = |factor| compare(&before, &changed(factor));
    let ours = |factor| row(&text(factor), "; pods.tcp1)", "tweed").to_owned();
    assert!(
        ours(1.2).contains("+20.0 %  better, beyond the spread"),
        "{}",
        ours(1.2)
    );
    assert!(
        ours(0.8).contains("-20.0 %  WORSE, beyond the spread"),
        "{}",
        ours(0.8)
    );
    assert!(
        ours(1.01).contains("+1.0 %  within the spread"),
        "{}",
        ours(1.01)
    );
    assert!(
        ours(1.0).contains("0 %  within the spread"),
        "{}",
        ours(1.0)
    );
    assert!(ours(1.2).contains("6.96..7.27"), "{}", ours(1.2));
}

#[test]
fn where_less_is_better_more_is_worse() {
    let before = made_up::report();
    let mut after = before.clone();
    let place = before
        .measures
        .iter()
        .position(|measure| measure.id == "pods.rr.p50")
        .unwrap();
    for sample in after.measures[place].cells[0].samples.iter_mut().flatten() {
        *sample *= 2.0;
    }
    let text = compare(&before, &after);
    let ours = row(&text, "; pods.rr.p50)", "tweed");
    assert!(ours.contains("+100.0 %  WORSE"), "{ours}");
}

#[test]
fn too_few_rounds_say_nothing() {
    let mut after = changed(2.0);
    after.measures[0].cells[0].samples.truncate(2);
    let text = compare(&made_up::report(), &after);
    assert!(row(&text, "; pods.tcp1)", "tweed").contains("too few rounds to say"));
}

#[test]
fn what_only_one_run_has_is_listed_and_other_machines_warned_of() {
    let (before, mut after) = (made_up::report(), made_up::report());
    let gone = after.measures.remove(0);
    after.measures[0].cells.remove(2);
    after.measures[1].unit = "bit/s".into();
    after.machine.kernel = "7.0".into();
    let text = compare(&before, &after);
    assert!(
        text.contains(&format!("only in the first: {}", gone.id)),
        "{text}"
    );
    assert!(
        text.contains("only in the first: pods.tcp1.gro host-gw"),
        "{text}"
    );
    assert!(
        text.contains("pods.tcp1.offloads: measured otherwise"),
        "{text}"
    );
    assert!(text.contains("warning: the machines differ"), "{text}");
    assert!(text.contains("warning: the first run: made up"), "{text}");
}
