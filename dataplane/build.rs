//! Compiles the XDP programs. The object is embedded in the binary, so a node needs no compiler and no file beside it.

use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "bpf/steer.bpf.c";
const PACKAGES: &str = "on Debian: apt install clang libbpf-dev linux-libc-dev";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=CLANG");
    if let Err(problem) = compile() {
        println!("cargo::error={problem}");
    }
}

fn compile() -> Result<(), String> {
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let out = PathBuf::from(std::env::var("OUT_DIR").map_err(|e| format!("OUT_DIR: {e}"))?)
        .join("steer.bpf.o");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH")
        .map_err(|e| format!("CARGO_CFG_TARGET_ARCH: {e}"))?;
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
        .args(["-c", SOURCE, "-o"])
        .arg(&out)
        .output()
        .map_err(|e| format!("cannot run {clang} to compile {SOURCE}: {e}; {PACKAGES}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{clang} cannot compile {SOURCE} ({PACKAGES}): {}",
        String::from_utf8_lossy(&output.stderr).replace('\n', " | ")
    ))
}
