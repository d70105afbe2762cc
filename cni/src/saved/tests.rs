//! A directory of saved configurations, ours and flannel's, whole and mangled.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::*;

fn at(container: &str, ifname: &str) -> Attachment {
    Attachment {
        container: ContainerId::parse(container).unwrap(),
        ifname: IfName::parse(ifname).unwrap(),
    }
}

fn conf(mark: u32) -> Object {
    let Value::Object(conf) = json!({"type": "bridge", "name": "n", "mark": mark}) else {
        unreachable!()
    };
    conf
}

fn fresh() -> (TempDir, SavedDir) {
    let dir = tempdir().unwrap();
    let saved = SavedDir::new(&dir.path().join("a/b"));
    (dir, saved)
}

fn found(dir: &SavedDir, attachment: &Attachment) -> Option<Object> {
    match dir.find(attachment).unwrap() {
        Found::Conf(saved) => Some(saved.conf),
        _ => None,
    }
}

#[test]
fn what_is_saved_is_found_in_flannels_place_and_private() {
    let (_keep, dir) = fresh();
    assert_eq!(dir.find(&at("c", "eth0")).unwrap(), Found::Nothing);
    dir.save(&at("c", "eth0"), &conf(1)).unwrap();
    assert_eq!(found(&dir, &at("c", "eth0")), Some(conf(1)));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&dir.0.join("c")), 0o600);
    assert_eq!(mode(&dir.0), 0o700);
    dir.save(&at("c", "eth0"), &conf(2)).unwrap();
    assert_eq!(found(&dir, &at("c", "eth0")), Some(conf(2)));
    assert_eq!(
        fs::read_dir(&dir.0).unwrap().count(),
        1,
        "something was left beside the file"
    );
}

#[test]
fn two_interfaces_of_a_container_do_not_overwrite_each_other() {
    let (_keep, dir) = fresh();
    let (one, two) = (at("c", "eth0"), at("c", "net1"));
    dir.save(&one, &conf(1)).unwrap();
    assert_eq!(found(&dir, &two), None);
    dir.save(&two, &conf(2)).unwrap();
    assert_eq!(found(&dir, &one), Some(conf(1)));
    assert_eq!(found(&dir, &two), Some(conf(2)));
    remove(&dir.0.join("c"));
    assert_eq!(found(&dir, &one), None);
    assert_eq!(found(&dir, &two), Some(conf(2)));
    let list = dir.list().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].container.as_str(), "c");
    assert_eq!(list[0].ifname.as_deref(), Some("net1"));
}

#[test]
fn flannels_file_is_any_interfaces() {
    let (_keep, dir) = fresh();
    fs::create_dir_all(&dir.0).unwrap();
    fs::write(dir.0.join("c"), r#"{"type":"bridge","name":"n","mark":7}"#).unwrap();
    assert_eq!(found(&dir, &at("c", "eth0")), Some(conf(7)));
    // It may be another interface's, so it is not overwritten.
    dir.save(&at("c", "net1"), &conf(8)).unwrap();
    assert_eq!(found(&dir, &at("c", "eth0")), Some(conf(7)));
    assert_eq!(found(&dir, &at("c", "net1")), Some(conf(8)));
}

#[test]
fn mangled_files_are_found_not_listed_and_overwritten() {
    let (_keep, dir) = fresh();
    fs::create_dir_all(&dir.0).unwrap();
    let junk: [&[u8]; 6] = [
        b"",
        b"{\"type\":\"bri",
        b"[]",
        &[0xff; 9],
        b"{}",
        b"{\"type\":\"../sh\"}",
    ];
    for junk in junk {
        fs::write(dir.0.join("c"), junk).unwrap();
        let path = dir.0.join("c");
        assert_eq!(dir.find(&at("c", "eth0")).unwrap(), Found::Mangled(path));
        assert_eq!(dir.list().unwrap(), []);
    }
    dir.save(&at("c", "eth0"), &conf(1)).unwrap();
    for name in [".c.12", "c:a/b", "c:", "c:sixteen-letters-", "ä"] {
        let _ = fs::write(dir.0.join(name), "{}");
    }
    fs::create_dir(dir.0.join("directory")).unwrap();
    assert_eq!(dir.list().unwrap().len(), 1);
}

#[test]
fn a_directory_that_cannot_be_is_told_by_save_only() {
    let (keep, _) = fresh();
    let file = keep.path().join("file");
    fs::write(&file, "").unwrap();
    let dir = SavedDir::new(&file);
    assert_eq!(dir.find(&at("c", "eth0")).unwrap(), Found::Nothing);
    assert_eq!(dir.list().unwrap(), []);
    let error = dir.save(&at("c", "eth0"), &conf(1)).unwrap_err();
    assert_eq!(error.code, Code::Io);
    assert!(error.msg.contains("dataDir"), "{}", error.msg);
}
