//! What one process's end does to the others: readers and writers of a tables segment killed with SIGKILL.
//!
//! No libtest here: each role is this same executable, started again with `TWEED_ROLE` set.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use contract::tables::{
    Adjacency, Busy, Encap, Fib, Node, Origin, PublishError, Publisher, Route, SegmentError,
    Tables, TablesReader,
};

fn main() {
    // Asked for by `cargo test -- --ignored` and by those who list: nothing here is ignored.
    if std::env::args().any(|arg| arg == "--ignored" || arg == "--list") {
        return;
    }
    if let Ok(role) = std::env::var("TWEED_ROLE") {
        let path = std::env::args().nth(1).expect("the segment's path");
        match role.as_str() {
            "reader" => stuck_reader(Path::new(&path)),
            "writer" => busy_writer(Path::new(&path)),
            "filler" => filling_writer(Path::new(&path)),
            other => panic!("no role {other}"),
        }
    }
    let mut passed = 0;
    for (name, test) in [
        (
            "a_killed_reader_lets_go",
            a_killed_reader_lets_go as fn(&Path),
        ),
        (
            "a_killed_writer_leaves_whole_tables",
            a_killed_writer_leaves_whole_tables,
        ),
        (
            "a_killed_writer_can_be_followed",
            a_killed_writer_can_be_followed,
        ),
        (
            "a_full_tmpfs_is_an_error_and_readers_go_on",
            a_full_tmpfs_is_an_error_and_readers_go_on,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        test(&dir.path().join("tables"));
        println!("test {name} ... ok");
        passed += 1;
    }
    // As libtest says it, for those who add up; a test that fails panics, and then this is not said.
    println!("\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}

/// A process that is killed when the test ends, in whatever way.
struct Process {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, path: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(path)
            .env("TWEED_ROLE", role)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Process { child, says }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().into()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Tables whose every part says the same number.
fn numbered(number: u16) -> Tables {
    let port = contract::tables::Port {
        name: "p".into(),
        kind: contract::tables::PortKind::Pod,
        mode: contract::config::BindMode::Auto,
        mtu: number,
        mac: Default::default(),
        peer_mac: Default::default(),
    };
    let peers = 1 + number % 100;
    let peer = |_| Adjacency::Peer {
        port: 0,
        mtu: number,
        next_hop: Default::default(),
        own: Default::default(),
        src: [10, 0, 0, 1].into(),
        peer: [10, 0, 0, 2].into(),
        encap: Encap::Vxlan {
            peer_vtep: Default::default(),
            own_vtep: Default::default(),
        },
    };
    Tables {
        node: Node {
            vni: number.into(),
            ..Node::default()
        },
        ports: vec![port],
        adjacencies: std::iter::once(Adjacency::Empty)
            .chain((0..peers).map(peer))
            .collect(),
        routes: (0..4000u16)
            .map(|n| Route {
                prefix: [10, (n >> 8) as u8, n as u8, 0].into(),
                len: 24,
                adjacency: 1 + n % peers,
            })
            .collect(),
    }
}

/// Panics when the tables are not those of one number.
fn check(fib: &Fib) {
    if fib.generation() == 0 {
        return;
    }
    let [_, a, b] = fib.node().vni;
    let number = u16::from_be_bytes([a, b]);
    assert_eq!(fib.port(0).mtu, number);
    let peers = 1 + number % 100;
    for n in (0..4000u16).step_by(7) {
        let adjacency = fib.lookup4([10, (n >> 8) as u8, n as u8, 9]);
        assert_eq!(
            adjacency,
            1 + n % peers,
            "of generation {}",
            fib.generation()
        );
        assert_eq!(fib.meta(adjacency).mtu, number);
        let vni = fib.rewrite4(adjacency).vxlan.vni;
        assert_eq!(vni, [0, a, b]);
    }
}

fn stuck_reader(path: &Path) -> ! {
    let reader = TablesReader::open(path).unwrap();
    let mut worker = reader.worker().unwrap();
    println!("{}", worker.snapshot().generation());
    loop {
        std::thread::park();
    }
}

fn busy_writer(path: &Path) -> ! {
    let (mut publisher, origin) = Publisher::open_or_create(path).unwrap();
    println!("{origin:?}");
    let mut number = 0;
    loop {
        number += 1;
        match publisher.publish(&numbered(number)) {
            Ok(_) | Err(PublishError::Busy(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Reader 0 is the publisher's own view, 1 is the other process's main thread, 2 its worker.
fn a_killed_reader_lets_go(path: &Path) {
    let (mut publisher, _) = Publisher::open_or_create(path).unwrap();
    publisher.publish(&numbered(1)).unwrap();
    let mut reader = Process::start("reader", path);
    assert_eq!(reader.line(), "1");
    publisher.publish(&numbered(2)).unwrap();
    for _ in 0..3 {
        match publisher.publish(&numbered(3)) {
            Err(PublishError::Busy(busy)) => assert_eq!(busy, Busy { reader: 2, held: 1 }),
            other => panic!("{other:?}"),
        }
    }
    reader.kill();
    assert_eq!(publisher.publish(&numbered(3)).unwrap().generation, 3);
    // Its lines are free: the next process gets the same ones.
    let mut next = Process::start("reader", path);
    assert_eq!(next.line(), "3");
    publisher.publish(&numbered(4)).unwrap();
    match publisher.publish(&numbered(5)) {
        Err(PublishError::Busy(busy)) => assert_eq!(busy, Busy { reader: 2, held: 3 }),
        other => panic!("{other:?}"),
    }
}

fn a_killed_writer_leaves_whole_tables(path: &Path) {
    // Before any writer's time, so that it outlives them all.
    drop(Publisher::open_or_create(path).unwrap());
    let mut worker = TablesReader::open(path).unwrap().worker().unwrap();
    let mut seen = 0;
    for round in 0..30 {
        let mut writer = Process::start("writer", path);
        let origin = writer.line();
        assert!(origin.starts_with("Continued"), "{origin}");
        // Not the same moment each time, and in the midst of its work: it has published at least once.
        let before = worker.snapshot().generation();
        let mut turns = 0;
        while worker.snapshot().generation() < before + 1 + round % 5 || turns < 100 + round * 37 {
            check(worker.snapshot());
            turns += 1;
        }
        writer.kill();
        let fib = worker.snapshot();
        assert!(fib.generation() >= seen);
        seen = fib.generation();
        for _ in 0..10 {
            check(worker.snapshot());
        }
        worker.quiesce();
    }
    assert!(seen >= 30);
}

fn a_killed_writer_can_be_followed(path: &Path) {
    let mut writer = Process::start("writer", path);
    assert_eq!(writer.line(), "Created");
    assert!(matches!(
        Publisher::open_or_create(path),
        Err(SegmentError::Taken { .. })
    ));
    let reader = TablesReader::open(path).unwrap();
    while reader.generation() < 3 {
        std::thread::yield_now();
    }
    writer.kill();
    let latest = reader.generation();
    let (mut publisher, origin) = Publisher::open_or_create(path).unwrap();
    assert_eq!(origin, Origin::Continued { generation: latest });
    // The writer's own line died with it too.
    for n in 1..4 {
        assert_eq!(
            publisher.publish(&numbered(7)).unwrap().generation,
            latest + n
        );
    }
}

/// On a tmpfs of 4 MiB: small tables fit into both banks, then large ones do not.
fn filling_writer(path: &Path) -> ! {
    let (mut publisher, _) = Publisher::open_or_create(path).unwrap();
    let mut worker = TablesReader::open(path).unwrap().worker().unwrap();
    publisher.publish(&numbered(1)).unwrap();
    worker.snapshot();
    let mut large = numbered(2);
    large.routes.extend((0..200_000u32).map(|n| Route {
        prefix: n.wrapping_mul(0x9e37_79b1).to_be_bytes().into(),
        len: 26,
        adjacency: 1,
    }));
    let error = publisher.publish(&large).expect_err("no room for this");
    println!("{error}");
    check(worker.snapshot());
    println!("{}", worker.snapshot().generation());
    publisher.publish(&numbered(3)).unwrap();
    check(worker.snapshot());
    println!("{}", worker.snapshot().generation());
    std::process::exit(0)
}

/// A mapping would end with SIGBUS where a `pwrite` fails. The mount is in a namespace that ends with its process.
fn a_full_tmpfs_is_an_error_and_readers_go_on(path: &Path) {
    let dir = path.parent().expect("a directory");
    let script = r#"mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" "$1/tables""#;
    // Root needs no user namespace, and may not be given one.
    let user: &[&str] = if rustix::process::geteuid().is_root() {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let output = Command::new("unshare")
        .args(user)
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([dir, &std::env::current_exe().unwrap()])
        .env("TWEED_ROLE", "filler")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    let [error, held, after] = lines[..] else {
        panic!("{output:?}");
    };
    assert!(
        error.contains("No space left") && error.contains("its tmpfs must have room"),
        "{error}"
    );
    assert_eq!((held, after), ("1", "2"));
}
