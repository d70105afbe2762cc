//! Whole screens, so that a change of one is seen by whoever makes it.

use super::*;
use crate::top::key::Action;
use crate::top::once;

fn same(screen: &str, expected: &str) {
    // Escapes would be no help to whoever compares two screens.
    assert!(screen == expected, "it is\n{screen}\nand not\n{expected}");
}

#[test]
fn eighty_by_twenty_four() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..40);
    same(
        &screen(&mut app, 80, 24),
        r" engine   running, process 4711, up 1 h 1 min, heartbeat 12 ms ago
 tables   generation 7, unchanged for 39 s
 control  lease 10.244.1.0/24 held, 3 peers, 1 of them unreachable
 !        10.100.1.0/24 is not sent to: next hop does not answer ARP
── rates ─ last 2 min 24 s ─────────────────────────────────────────────────────
 out        1100/s 8.80 Mbit/s                           ██████████  max 1100/s
 in          275/s  220 kbit/s                           ██████████   max 275/s
 drops        11/s                                       ██████████    max 11/s
 busiest    62.2 %    worker 0                           ▄▄▄▄▄▄▄▄▄▄  max 62.2 %
━━ workers ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
  # cpu queue busy              rx/s bit/s  tx/s bit/s burst    p50    p99
  0   2     0 █████░░░  62.2 %  1250  200k  1240 8.00M  12.5      -      -
  1   3     1 ████░░░░  45.1 %   125 20.0k   124  800k  12.5      -      -
── ports ───────────────────────────────────────────────────────────────────────
  #  name             side      mode        rx/s  bit/s   tx/s  bit/s  drops/s
  0  eth0             underlay  copy         275   220k   1100  8.80M       11
  1  tweed0x          uplink    copy        1100      0    264      0        0
── drops ─ 1 at rest, 14 in all ────────────────────────────────────────────────
 port             reason              drops/s  total  meaning
!eth0             inner-source             11    429  The inner source lies out…
── peers ─ 1-1 of 3 ────────────────────────────────────────────────────────────
  slot  subnet              public ip         tx/s  bit/s   rx/s  bit/s
     2  10.100.2.0/24       192.168.77.2       300  2.40M    150   120k
 q quit  tab panel  s sort  r reverse  p freeze  h help  +/- every 1 s
",
    );
}

#[test]
fn a_hundred_and_twenty_by_forty() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..40);
    same(
        &screen(&mut app, 120, 40),
        r" engine   running, process 4711, up 1 h 1 min, heartbeat 12 ms ago
 tables   generation 7, unchanged for 39 s
 control  lease 10.244.1.0/24 held, 3 peers, 1 of them unreachable
 !        10.100.1.0/24 is not sent to: next hop does not answer ARP
── rates ─ last 2 min 32 s ─────────────────────────────────────────────────────────────────────────────────────────────
                                                                                       ████████████████████
 out        1100/s 8.80 Mbit/s                                                         ████████████████████  max 1100/s
                                                                                       ████████████████████
 in          275/s  220 kbit/s                                                         ████████████████████   max 275/s
                                                                                       ████████████████████
 drops        11/s                                                                     ████████████████████    max 11/s
                                                                                       ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
 busiest    62.2 %    worker 0                                                         ████████████████████  max 62.2 %
━━ workers ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
  #  cpu  queue  busy               rx/s  bit/s   tx/s  bit/s  burst     p50     p99   asleep  turns/s  generation
  0    2      0  █████░░░  62.2 %   1250   200k   1240  8.00M   12.5       -       -    0.0 %     1000           7
  1    3      1  ████░░░░  45.1 %    125  20.0k    124   800k   12.5       -       -    0.0 %      100           7
── ports ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
  #  name             side      mode        rx/s  bit/s   tx/s  bit/s  drops/s  dropped  ifindex
  0  eth0             underlay  copy         275   220k   1100  8.80M       11      429        7
  1  tweed0x          uplink    copy        1100      0    264      0        0       14        7
── drops ─ 1 at rest, 14 in all ────────────────────────────────────────────────────────────────────────────────────────
 port             reason              drops/s  total  meaning
!eth0             inner-source             11    429  The inner source lies outside the subnet leased to the outer sour…
── peers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
  slot  subnet              public ip         tx/s  bit/s   rx/s  bit/s  tx bytes  rx bytes
     2  10.100.2.0/24       192.168.77.2       300  2.40M    150   120k     11.7M      585k
!    1  10.100.1.0/24       192.168.77.1       200  1.60M    100  80.0k     7.80M      390k  next hop does not answer A…
     0  10.100.0.0/24       192.168.77.0       100   800k     50  40.0k     3.90M      195k










 q quit  tab panel  s sort  r reverse  p freeze  h help  +/- every 1 s
",
    );
}

#[test]
fn on_paper() {
    let mut app = app();
    app.once = true;
    show(&mut app, &Node::new(), 0..2);
    same(
        &once::screen(&app, 100),
        r" engine   running, process 4711, up 1 h 1 min, heartbeat 12 ms ago
 tables   generation 7
 control  lease 10.244.1.0/24 held, 3 peers, 1 of them unreachable
 !        10.100.1.0/24 is not sent to: next hop does not answer ARP
── rates ───────────────────────────────────────────────────────────────────────────────────────────
 out        1100/s 8.80 Mbit/s
 in          275/s  220 kbit/s
 drops        11/s
 busiest    62.2 %    worker 0
── workers ─────────────────────────────────────────────────────────────────────────────────────────
  #  cpu  queue  busy               rx/s  bit/s   tx/s  bit/s  burst     p50     p99   asleep
  0    2      0  █████░░░  62.2 %   1250   200k   1240  8.00M   12.5       -       -    0.0 %
  1    3      1  ████░░░░  45.1 %    125  20.0k    124   800k   12.5       -       -    0.0 %
── ports ───────────────────────────────────────────────────────────────────────────────────────────
  #  name             side      mode        rx/s  bit/s   tx/s  bit/s  drops/s  dropped  ifindex
  0  eth0             underlay  copy         275   220k   1100  8.80M       11       11        7
  1  tweed0x          uplink    copy        1100      0    264      0        0       14        7
── drops ───────────────────────────────────────────────────────────────────────────────────────────
 port             reason              drops/s  total  meaning
!eth0             inner-source             11     11  The inner source lies outside the subnet leas…
 tweed0x          not-ip                    0     14  The Ethernet type is neither IPv4 nor IPv6: A…
── peers ───────────────────────────────────────────────────────────────────────────────────────────
  slot  subnet              public ip         tx/s  bit/s   rx/s  bit/s  tx bytes  rx bytes
     2  10.100.2.0/24       192.168.77.2       300  2.40M    150   120k      300k     15.0k
!    1  10.100.1.0/24       192.168.77.1       200  1.60M    100  80.0k      200k     10.0k
     0  10.100.0.0/24       192.168.77.0       100   800k     50  40.0k      100k      5000
",
    );
}

/// In ASCII, with the engine gone for twenty seconds of forty: last values, a gap, and what is wrong.
#[test]
fn an_engine_that_is_gone() {
    let mut app = app();
    app.theme.unicode = false;
    show(&mut app, &Node::new(), 0..39);
    let dead = Node {
        died: Some(39),
        ..Node::new()
    };
    show(&mut app, &dead, 39..60);
    let screen = screen(&mut app, 80, 24);
    assert!(screen.is_ascii());
    same(
        &screen,
        r" engine   down since 14:00:38 UTC (20 s): process 4711 is gone; last values
 tables   generation 7, unchanged for 39 s
 control  lease 10.244.1.0/24 held, 3 peers, 1 of them unreachable
 !        10.100.1.0/24 is not sent to: next hop does not answer ARP
-- rates - last 2 min 24 s -----------------------------------------------------
 out        1100/s 8.80 Mbit/s                      @@@@@@@@@@       max 1100/s
 in          275/s  220 kbit/s                      @@@@@@@@@@        max 275/s
 drops        11/s                                  @@@@@@@@@@         max 11/s
 busiest    62.2 %    worker 0                      ==========       max 62.2 %
== workers =====================================================================
  # cpu queue busy              rx/s bit/s  tx/s bit/s burst    p50    p99
  0   2     0 #####...  62.2 %  1250  200k  1240 8.00M  12.5      -      -
  1   3     1 ####....  45.1 %   125 20.0k   124  800k  12.5      -      -
-- ports -----------------------------------------------------------------------
  #  name             side      mode        rx/s  bit/s   tx/s  bit/s  drops/s
  0  eth0             underlay  copy         275   220k   1100  8.80M       11
  1  tweed0x          uplink    copy        1100      0    264      0        0
-- drops - 1 at rest, 14 in all ------------------------------------------------
 port             reason              drops/s  total  meaning
!eth0             inner-source             11    429  The inner source lies out~
-- peers - 1-1 of 3 ------------------------------------------------------------
  slot  subnet              public ip         tx/s  bit/s   rx/s  bit/s
     2  10.100.2.0/24       192.168.77.2       300  2.40M    150   120k
 q quit  tab panel  s sort  r reverse  p freeze  h help  +/- every 1 s
",
    );
}

/// A small window, a screen that is held, and an order that was chosen.
#[test]
fn small_frozen_and_sorted() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..40);
    app.act(Action::Freeze);
    show(&mut app, &Node::new(), 40..45);
    app.act(Action::Previous);
    app.act(Action::Sort);
    same(
        &screen(&mut app, 60, 16),
        r" engine   running, process 4711, up 1 h 1 min, heartbeat 12…
 tables   generation 7, unchanged for 39 s
 control  lease 10.244.1.0/24 held, 3 peers, 1 of them unre…
 !        10.100.1.0/24 is not sent to: next hop does not a…
── rates ─ last 2 min 8 s ──────────────────────────────────
 out        1100/s 8.80 Mbit/s            █████  max 1100/s
 in          275/s  220 kbit/s            █████   max 275/s
 drops        11/s                        █████    max 11/s
 busiest    62.2 %    worker 0            ▄▄▄▄▄  max 62.2 %
── workers ─ 2 folded ──────────────────────────────────────
── ports ─ 2 folded ────────────────────────────────────────
── drops ─ 1 folded ─ 1 at rest, 14 in all ─────────────────
━━ peers ━ 1-1 of 3 ━ by slot ▼ ━━━━━━━━━━━━━━━━━━━━━━━━━━━━
  slot subnet             public ip        tx/s bit/s  rx/s…
     2 10.100.2.0/24      192.168.77.2      300 2.40M   150…
 FROZEN 5 s ago: p goes on  q quit  tab panel  s sort  r re…
",
    );
}

#[test]
fn a_window_that_is_too_small_says_so() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..3);
    assert_eq!(
        screen(&mut app, 39, 2),
        "too small: 40 x 10 at least; q quits\n\n"
    );
    assert_eq!(screen(&mut app, 9, 1), "too smal…\n");
    assert!(screen(&mut app, 40, 10).contains("engine"));
}

#[test]
fn help_lies_over_everything_and_lists_every_key() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..3);
    app.act(Action::Help);
    let text = screen(&mut app, 80, 24);
    for (key, what) in crate::top::key::HELP {
        assert!(
            text.contains(key) && text.contains(what),
            "{key} is missing:\n{text}"
        );
    }
    app.act(Action::Help);
    assert!(!screen(&mut app, 80, 24).contains("this help"));
}

#[test]
fn what_is_wrong_is_said() {
    let mut app = app();
    let mut sample = Node::new().sample(5);
    let failed = &mut sample.snapshot.ports[0].1;
    failed.state = PortState::Failed;
    failed.error = "cannot bind eth0 queue 1: it has 1 queue\x1b[2J".into();
    sample.snapshot.workers[1]
        .counters
        .set(WorkerCounter::HeartbeatNs, 1);
    sample.snapshot.workers[0]
        .counters
        .set(WorkerCounter::Generation, 6);
    sample.snapshot.workers[0]
        .counters
        .set(WorkerCounter::Frames, 5);
    let mut status = control(3);
    status.silent = Duration::from_secs(90);
    status.trouble = Some("etcd does not answer".into());
    app.sample(sample, Some(status), FOURTEEN);
    let text = screen(&mut app, 160, 50);
    for words in [
        "does NOT hold",
        "worker 1 is silent",
        "eth0: cannot bind eth0 queue 1: it has 1 queue?[2J",
        "control was last heard of 1 min 30 s ago: start tweed-control",
        "worker 0 still has 6",
        "(and 1 more) etcd does not answer",
    ] {
        assert!(text.contains(words), "{words:?} is missing:\n{text}");
    }
    // Less room: what is left out is counted.
    assert!(screen(&mut app, 80, 24).contains("(and 4 more) worker 1 is silent"));
}

#[test]
fn colours_change_no_character_and_nothing_is_coloured_without_them() {
    let mut app = app();
    show(&mut app, &Node::new(), 0..9);
    let bare = screen(&mut app, 100, 30);
    let colours = |app: &App| {
        let area = ratatui::layout::Rect::new(0, 0, 100, 30);
        let mut buffer = ratatui::buffer::Buffer::empty(area);
        crate::top::render::draw(app, area, &mut buffer);
        let cells = buffer.content.iter();
        cells
            .filter(|cell| cell.fg != ratatui::style::Color::Reset)
            .count()
    };
    assert_eq!(colours(&app), 0);
    app.theme.coloured = true;
    assert_eq!(screen(&mut app, 100, 30), bare);
    assert!(colours(&app) > 0);
}
