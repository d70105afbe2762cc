//! Anything at all may be in shared memory, at the keyboard and around the window.

use super::*;
use crate::top::key::Action;
use crate::top::once;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Key(Action),
    Sample(Box<Hostile>),
    Size(u16, u16),
}

/// A sample of anything.
#[derive(Clone, Debug)]
struct Hostile {
    engine: u8,
    taken_ns: u64,
    silent_ns: u64,
    tsc_hz: u64,
    seed: u64,
    workers: usize,
    ports: usize,
    peers: u16,
    name: String,
    control: bool,
}

impl Hostile {
    fn sample(&self) -> (Sample, Option<ControlStatus>) {
        let mut state = self.seed;
        // Numbers of all magnitudes; what they are matters less than that they have no order.
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state >> (state % 64)
        };
        let workers = (0..self.workers)
            .map(|index| {
                let mut counters = WorkerCounters::default();
                counters.counts.fill_with(&mut next);
                let ports = (0..self.ports)
                    .map(|port| {
                        let mut counters = PortCounters::default();
                        counters.counts.fill_with(&mut next);
                        counters.drops.fill_with(&mut next);
                        (port, counters)
                    })
                    .collect();
                WorkerSnapshot {
                    index,
                    counters,
                    ports,
                    residence: Residence::new(self.tsc_hz),
                }
            })
            .collect();
        let status = |index| {
            let mut status = port(&self.name, PortKind::Underlay);
            status.error = self.name.repeat(index % 3);
            (index, status)
        };
        let mut number = || PeerCounters {
            tx_packets: next(),
            tx_bytes: next(),
            rx_packets: next(),
            rx_bytes: next(),
        };
        let control = self.control.then(|| {
            let mut status = control(self.peers);
            status.trouble = Some(self.name.clone());
            status.own.state = self.name.clone();
            status
                .peers
                .iter_mut()
                .for_each(|peer| peer.subnets.push(self.name.clone()));
            status
        });
        let sample = Sample {
            snapshot: Snapshot {
                taken_ns: self.taken_ns,
                pid: u32::from(self.engine),
                started_ns: u64::from(self.engine),
                silent_ns: self.silent_ns,
                tsc_hz: self.tsc_hz,
                ports: (0..self.ports / 2).map(status).collect(),
                workers,
            },
            life: [Life::Running, Life::Silent, Life::Gone][(self.seed % 3) as usize],
            peers: (0..self.peers).map(|slot| (slot, number())).collect(),
        };
        (sample, control)
    }
}

fn hostile() -> impl Strategy<Value = Event> {
    let small_or_any = prop_oneof![0..10_000_000_000u64, any::<u64>()];
    let peers = prop_oneof![19 => 0..20u16, 1 => 2000..5000u16];
    (
        (
            0..2u8,
            small_or_any.clone(),
            small_or_any,
            any::<u64>(),
            any::<u64>(),
        ),
        (0..6usize, 0..64usize, peers, ".{0,20}", any::<bool>()),
    )
        .prop_map(
            |(
                (engine, taken_ns, silent_ns, tsc_hz, seed),
                (workers, ports, peers, name, control),
            )| {
                Event::Sample(Box::new(Hostile {
                    engine,
                    taken_ns,
                    silent_ns,
                    tsc_hz,
                    seed,
                    workers,
                    ports: ports % (1 + seed as usize % 64),
                    peers,
                    name,
                    control,
                }))
            },
        )
}

fn key() -> impl Strategy<Value = Event> {
    use Action::*;
    let all = vec![
        Next,
        Previous,
        Up(1),
        Up(10),
        Down(1),
        Down(10),
        First,
        Last,
        Alone,
        Sort,
        Reverse,
        Freeze,
        Longer,
        Shorter,
        Help,
        Back,
        Quit,
    ];
    proptest::sample::select(all).prop_map(Event::Key)
}

fn event() -> impl Strategy<Value = Event> {
    let size = prop_oneof![(0..200u16, 0..80u16), (0..45u16, 0..14u16)];
    prop_oneof![
        5 => key(),
        3 => hostile(),
        2 => size.prop_map(|(width, height)| Event::Size(width, height)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_it_panic_or_print_what_is_no_character(
        events in proptest::collection::vec(event(), 1..40), unicode: bool, unix_ns: u64,
    ) {
        let mut app = App::new(Theme { coloured: true, unicode }, Duration::from_secs(1));
        let (mut width, mut height) = (80, 24);
        for event in events {
            match event {
                Event::Key(action) => app.act(action),
                Event::Sample(hostile) => {
                    let (sample, control) = hostile.sample();
                    app.sample(sample, control, unix_ns);
                }
                Event::Size(w, h) => (width, height) = (w, h),
            }
            let text = screen(&mut app, width, height);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
            prop_assert!(unicode || text.is_ascii(), "{text}");
        }
        app.once = true;
        let text = once::screen(&app, width);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}
