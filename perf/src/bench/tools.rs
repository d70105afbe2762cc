//! The C ends of the benchmark (perf/bench), compiled when it starts and installed nowhere.
//!
//! They are C because what they stand for is: a bare AF_XDP forwarder by the kernel's own library shares no line with the
//! engine that it is compared to.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Result;
use crate::lab::{LabError, run};

/// Where the sources are.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench");

/// Libraries of the forwarder.
const FORWARD: &[&str] = &["-lxdp", "-lbpf"];

/// Paths of the compiled programs.
#[derive(Clone, Debug)]
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Compiles everything into `directory`. Takes about a second.
    pub fn build(directory: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&directory)
            .map_err(LabError::io(format!("create {}", directory.display())))?;
        let tools = Tools { directory };
        for name in ["generate", "count"] {
            tools.compile_bpf(name)?;
            tools.compile(name, &["-lbpf"])?;
        }
        tools.compile("forward", FORWARD)?;
        Ok(tools)
    }

    /// Compiles the bare AF_XDP forwarder alone.
    pub fn forward() -> Result<PathBuf> {
        Self::one("forward", FORWARD)
    }

    /// Compiles flannel's udp backend alone.
    pub fn tun_udp() -> Result<PathBuf> {
        Self::one("tun_udp", &[])
    }

    fn one(name: &str, libraries: &[&str]) -> Result<PathBuf> {
        let directory = Self::directory()?;
        std::fs::create_dir_all(&directory)
            .map_err(LabError::io(format!("create {}", directory.display())))?;
        let tools = Tools { directory };
        tools.compile(name, libraries)?;
        Ok(tools.program(name))
    }

    /// Where they are put: beside the running executable, as cargo's own build products are.
    pub fn directory() -> Result<PathBuf> {
        let own = std::env::current_exe().map_err(LabError::io("find the running executable"))?;
        Ok(own.with_file_name("bench-tools"))
    }

    /// A program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Its BPF side.
    pub fn object(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.bpf.o"))
    }

    fn compile(&self, name: &str, libraries: &[&str]) -> Result<()> {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-Wextra", "-o"])
            .arg(self.program(name));
        cc.arg(source(name, "c")).args(libraries);
        build(cc, name)
    }

    fn compile_bpf(&self, name: &str) -> Result<()> {
        let mut clang = Command::new("clang");
        clang.args(["-O2", "-g", "-Wall", "-Wextra", "-target", "bpf"]);
        // For BPF, clang looks for no headers of the machine; <asm/types.h> lies here on Debian and its kin.
        clang.arg(format!(
            "-I/usr/include/{}-linux-gnu",
            std::env::consts::ARCH
        ));
        clang
            .arg("-c")
            .arg(source(name, "bpf.c"))
            .arg("-o")
            .arg(self.object(name));
        build(clang, name)
    }
}

fn source(name: &str, extension: &str) -> PathBuf {
    Path::new(SOURCES).join(format!("{name}.{extension}"))
}

fn build(mut compiler: Command, name: &str) -> Result<()> {
    match run(&mut compiler) {
        Ok(_) => Ok(()),
        Err(error) => Err(LabError::Unexpected(format!(
            "cannot compile {name}: {error}\n`make deps` installs what it needs: a C compiler, clang, libbpf-dev, libxdp-dev"
        ))),
    }
}
