use super::*;
use crate::bench::html::made_up;

#[test]
fn the_first_sentences_are_figures_and_the_last_is_our_worst() {
    let headline = Headline::of(&made_up::report());
    assert_eq!(headline.sentences.len(), 4);
    let [first, second, third, last] = &headline.sentences[..] else {
        panic!("{:?}", headline.sentences);
    };
    assert_eq!(
        first,
        "Goodput of one TCP flow: 7.12 Gbit/s, 1.24 times kernel vxlan (1.24..1.31)."
    );
    assert!(
        second.contains("41.1 us to kernel vxlan's 51.5, 1.26 times better"),
        "{second}"
    );
    assert!(
        third.contains("24 points") && third.contains("worse in every round at 2"),
        "{third}"
    );
    assert_eq!(
        last,
        "Furthest behind: Goodput of one TCP flow, wire with all offloads, 3.56 against 5.60 Gbit/s, a ratio of 0.64."
    );
}

#[test]
fn standings_begin_with_the_furthest() {
    let headline = Headline::of(&made_up::report());
    let ratios = |standings: &[Standing]| {
        let ratios = standings
            .iter()
            .filter_map(|standing| standing.beside.ratio);
        ratios.map(|ratio| ratio.median).collect::<Vec<_>>()
    };
    assert!(ratios(&headline.ahead).is_sorted_by(|a, b| a >= b));
    assert!(ratios(&headline.behind).is_sorted());
    assert_eq!(headline.behind.len(), 2);
    let last = headline.ahead.last().unwrap();
    assert_eq!(last.figures, "0 against 14.9 segments");
    let delay = headline
        .ahead
        .iter()
        .find(|standing| standing.of == 5)
        .unwrap();
    assert_eq!(delay.points, 5);
}

#[test]
fn tallies_count_every_point_of_each_other() {
    let headline = Headline::of(&made_up::report());
    let names: Vec<&str> = headline
        .tallies
        .iter()
        .map(|tally| tally.contender.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "kernel vxlan",
            "host-gw",
            "flannel udp",
            "bare AF_XDP",
            "Open vSwitch"
        ]
    );
    assert!(headline.tallies.iter().all(|tally| tally.points() >= 22));
}

#[test]
fn few_rounds_are_said_to_be_few_and_an_absence_is_told() {
    let mut report = made_up::report();
    for cell in report
        .measures
        .iter_mut()
        .flat_map(|measure| &mut measure.cells)
    {
        cell.samples.truncate(1);
    }
    let text = Headline::of(&report).sentences.join(" ");
    assert!(text.contains("24 had too few rounds to say"), "{text}");
    assert!(
        text.contains("(1.24..1.24), too few rounds to say"),
        "{text}"
    );

    report.measures.clear();
    report.contenders[0].absent = Some("no engine".into());
    assert_eq!(
        Headline::of(&report).sentences,
        ["tweed took no part: no engine"]
    );
}

#[test]
fn what_users_measure_first_is_said_first() {
    let mut report = made_up::report();
    report.measures.reverse();
    let sentences = Headline::of(&report).sentences;
    assert!(
        sentences[0].starts_with("Goodput of one TCP flow: "),
        "{sentences:?}"
    );
    assert!(
        sentences[1].starts_with("Median round trip"),
        "{sentences:?}"
    );
    report
        .measures
        .retain(|measure| measure.group != "TCP goodput");
    let sentences = Headline::of(&report).sentences;
    assert!(
        sentences[1].starts_with("Encapsulated by one core"),
        "{sentences:?}"
    );
}
