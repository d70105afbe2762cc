//! What keys and samples do to the state, seen on the screen.

use super::*;
use crate::top::key::Action;
use crate::top::panel::Panel;

/// The first column of the rows of the last panel.
fn slots(screen: &str) -> Vec<u16> {
    let rows = screen
        .lines()
        .skip_while(|line| !line.contains("public ip"))
        .skip(1);
    rows.map_while(|line| line.get(1..)?.split_whitespace().next()?.parse().ok())
        .collect()
}

#[test]
fn a_panel_is_chosen_round_and_round() {
    let mut app = app();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(app.chosen);
        app.act(Action::Next);
    }
    assert_eq!(seen, Panel::ALL);
    app.act(Action::Previous);
    assert_eq!(app.chosen, Panel::Peers);
}

#[test]
fn s_goes_through_the_columns_and_r_turns_round() {
    let mut app = app();
    app.chosen = Panel::Peers;
    show(&mut app, &Node::new(), 0..3);
    let mut order = |actions: &[Action]| {
        actions.iter().for_each(|action| app.act(*action));
        slots(&screen(&mut app, 120, 40))
    };
    // By traffic, by slot from the largest, by subnet.
    assert_eq!(order(&[]), [2, 1, 0]);
    assert_eq!(order(&[Action::Reverse]), [0, 1, 2]);
    assert_eq!(order(&[Action::Sort]), [2, 1, 0]);
    assert_eq!(order(&[Action::Reverse]), [0, 1, 2]);
    assert_eq!(order(&[Action::Sort]), [0, 1, 2]);
    // All the way round.
    let orders = Panel::Peers.orders();
    assert_eq!(order(&vec![Action::Sort; orders - 2]), [2, 1, 0]);
    assert!(!screen(&mut app, 120, 40).contains("by "));
}

#[test]
fn addresses_are_put_in_order_as_numbers() {
    let mut app = app();
    app.chosen = Panel::Peers;
    let node = Node {
        peers: 11,
        ..Node::new()
    };
    show(&mut app, &node, 0..3);
    (0..2).for_each(|_| app.act(Action::Sort));
    assert_eq!(
        slots(&screen(&mut app, 120, 60)),
        (0..11).collect::<Vec<_>>()
    );
}

#[test]
fn scrolling_ends_where_rows_end() {
    let mut app = app();
    app.chosen = Panel::Peers;
    let node = Node {
        peers: 1000,
        ..Node::new()
    };
    show(&mut app, &node, 0..3);
    let first = slots(&screen(&mut app, 80, 24));
    assert_eq!(first[0], 999);
    app.act(Action::Down(1));
    assert_eq!(slots(&screen(&mut app, 80, 24))[0], 998);
    app.act(Action::Last);
    let last = slots(&screen(&mut app, 80, 24));
    assert_eq!((last.len(), last.last()), (first.len(), Some(&0)));
    app.act(Action::Down(10));
    assert_eq!(slots(&screen(&mut app, 80, 24)), last);
    // One step back is one row, at once.
    app.act(Action::Up(1));
    assert_eq!(slots(&screen(&mut app, 80, 24))[0], last[0] + 1);
    app.act(Action::First);
    app.act(Action::Alone);
    let text = screen(&mut app, 80, 24);
    assert!(slots(&text).len() > first.len());
    assert!(text.contains("ports ─ 2 folded"), "{text}");
    app.act(Action::Back);
    assert_eq!(slots(&screen(&mut app, 80, 24)), first);
}

#[test]
fn a_frozen_screen_holds_its_numbers_and_history_has_no_hole() {
    let mut app = app();
    let node = Node::new();
    show(&mut app, &node, 0..5);
    app.act(Action::Freeze);
    let before = screen(&mut app, 80, 23);
    show(&mut app, &node, 5..30);
    let rows = |text: &str| {
        text.lines()
            .skip(4)
            .take(18)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let held = screen(&mut app, 80, 23);
    assert_eq!(rows(&before), rows(&held));
    assert!(held.contains("FROZEN 25 s ago"), "{held}");
    app.act(Action::Freeze);
    let after = screen(&mut app, 80, 23);
    // 29 seconds of history in cells of 4.
    let bars = after.lines().find(|line| line.contains(" out ")).unwrap();
    assert_eq!(bars.matches('█').count(), 8, "{after}");
}

#[test]
fn an_engine_that_dies_while_frozen_is_told() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..5);
    app.act(Action::Freeze);
    let dead = Node {
        died: Some(4),
        ..Node::new()
    };
    show(&mut app, &dead, 5..10);
    assert!(screen(&mut app, 80, 24).contains("down since 14:00:03 UTC"));
}

#[test]
fn its_successor_is_picked_up() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..5);
    let dead = Node {
        died: Some(4),
        ..Node::new()
    };
    show(&mut app, &dead, 5..30);
    assert!(
        app.trouble()
            .is_some_and(|trouble| trouble.contains("is gone"))
    );
    // Last values, not rates of nothing.
    assert!(screen(&mut app, 80, 24).contains("1100/s 8.80 Mbit/s"));
    let next = Node {
        pid: 4712,
        born: 30,
        ..Node::new()
    };
    show(&mut app, &next, 31..32);
    let text = screen(&mut app, 80, 24);
    assert!(
        !text.contains("down since") && text.contains("process 4712"),
        "{text}"
    );
    // Its counters began anew: a first sample has no rates, and never a negative or giant one.
    assert!(text.contains(" out             -"), "{text}");
    show(&mut app, &next, 32..34);
    assert!(app.trouble().is_none());
    assert!(screen(&mut app, 80, 24).contains("1100/s 8.80 Mbit/s"));
}

#[test]
fn reasons_that_rest_are_folded_and_come_back_alone() {
    let mut app = app();
    app.chosen = Panel::Drops;
    show(&mut app, &Node::new(), 0..3);
    assert!(!screen(&mut app, 80, 40).contains("not-ip"));
    app.act(Action::Alone);
    assert!(screen(&mut app, 80, 40).contains("not-ip"));
}

#[test]
fn the_interval_goes_by_steps_and_has_ends() {
    let mut app = app();
    let press = |app: &mut App, action, times| (0..times).for_each(|_| app.act(action));
    press(&mut app, Action::Longer, 1);
    assert_eq!(app.interval, Duration::from_secs(2));
    press(&mut app, Action::Longer, 20);
    assert_eq!(app.interval, Duration::from_secs(60));
    press(&mut app, Action::Shorter, 20);
    assert_eq!(app.interval, Duration::from_millis(100));
    app.interval = Duration::from_millis(1700);
    press(&mut app, Action::Shorter, 1);
    assert_eq!(app.interval, Duration::from_secs(1));
}
