//! Compiles the XDP programs: every `bpf/NAME.bpf.c` becomes `OUT_DIR/NAME.bpf.o`. The objects are embedded in the
//! binary, so a machine under test needs no compiler and no file beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "bpf";
const PACKAGES: &str = "on Debian: apt install clang libbpf-dev linux-libc-dev";

fn main() {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-env-changed=CLANG");
    if let Err(problem) = compile_all() {
        println!("cargo::error={problem}");
    }
}

fn compile_all() -> Result<(), String> {
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|e| format!("OUT_DIR: {e}"))?);
    let entries = std::fs::read_dir(SOURCES).map_err(|e| format!("{SOURCES}: {e}"))?;
    for entry in entries {
        let source = entry.map_err(|e| format!("{SOURCES}: {e}"))?.path();
        let Some(name) = source.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if let Some(name) = name.strip_suffix(".bpf.c") {
            compile(&source, &out.join(format!("{name}.bpf.o")))?;
        }
    }
    Ok(())
}

fn compile(source: &Path, object: &Path) -> Result<(), String> {
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH")
        .map_err(|e| format!("CARGO_CFG_TARGET_ARCH: {e}"))?;
    let source = source.display();
    let output = Command::new(&clang)
        .args(["-target", "bpf", "-O2", "-g", "-Wall", "-Werror"])
        // Debian keeps asm/types.h in a directory per architecture, where the bpf target does not look.
        .arg(format!("-I/usr/include/{arch}-linux-gnu"))
        // Paths of the building machine have no place in the debug information that we embed.
        .arg(
            "-fdebug-prefix-map=".to_owned()
                + &std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default()
                + "=.",
        )
        .arg("-c")
        .arg(source.to_string())
        .arg("-o")
        .arg(object)
        .output()
        .map_err(|e| format!("cannot run {clang} to compile {source}: {e}; {PACKAGES}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{clang} cannot compile {source} ({PACKAGES}): {}",
        String::from_utf8_lossy(&output.stderr).replace('\n', " | ")
    ))
}
