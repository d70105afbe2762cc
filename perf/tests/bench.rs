//! `tweed-perf bench` over real nodes: samples of both, in the file, whatever the machine does meanwhile.

use std::process::Command;

use perf::bench::load;
use perf::lab::binary;

#[test]
#[ignore = "needs root and network namespaces: make test runs it"]
fn tweed_and_the_kernel_take_turns_and_the_report_has_samples_of_both() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(binary("tweed-perf").unwrap())
        .args(["bench", "--rounds", "1", "--seconds", "0.5"])
        .args(["--only", "pods.tcp1,pods.flood", "--short"])
        .args(["--contenders", "tweed,kernel-vxlan", "--out"])
        .arg(directory.path())
        .output()
        .unwrap();
    let (text, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{text}\n{said}");
    let report = load(&directory.path().join("bench.json")).unwrap();
    let names: Vec<_> = report.contenders.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["tweed", "kernel vxlan"]);
    for id in ["pods.tcp1", "pods.flood"] {
        let measure = report.measures.iter().find(|m| m.id == id).unwrap();
        for cell in &measure.cells {
            let value = cell.samples[0].unwrap_or_default();
            assert!(value > 0.0, "{id}: {cell:?}\n{said}");
        }
    }
    // A flood for each contender and size; whatever was lost, a counter has it.
    assert_eq!(report.floods.len(), 4);
    for flood in &report.floods {
        let sent = flood.stations[0].packets;
        assert!(sent > 0, "{flood:?}");
        assert!(flood.stations.len() > 3, "{flood:?}");
        assert_eq!(flood.unaccounted(), 0, "{flood:#?}");
    }
    let last = text.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("report: ") && last.contains("bench.html"),
        "{text}"
    );
    assert!(directory.path().join("bench.html").is_file());
}
