//! Memory that the engine asks for.

use contract::config::{Config, Hugepages};

use super::super::facts::Facts;
use super::super::finding::{Finding, error, hint, ok, warn};
use super::over_af_xdp;

/// Bytes of a huge page.
const HUGE_PAGE: u64 = 2 << 20;

/// Bytes of all workers' UMEMs.
fn umem(config: &Config) -> u64 {
    let one = u64::from(config.dataplane.frames) * u64::from(config.dataplane.chunk_size);
    one.next_multiple_of(HUGE_PAGE) * config.workers.len() as u64
}

/// A running engine has its pages already, and those that are free now are nobody's concern.
pub fn hugepages(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "hugepages";
    if facts.daemons.engine_runs() {
        return Vec::new();
    }
    let Some(free) = facts.memory.free_huge_pages else {
        return Vec::new();
    };
    let wanted = umem(config) / HUGE_PAGE;
    let seen = format!(
        "{free} free huge pages of 2 MiB; the engine's {} workers want {wanted}",
        config.workers.len()
    );
    let remedy = format!("sysctl -w vm.nr_hugepages={wanted}");
    vec![match config.dataplane.hugepages {
        Hugepages::Off => ok(SUBJECT, "not used, as configured"),
        _ if free >= wanted => ok(SUBJECT, seen),
        Hugepages::On => error(
            SUBJECT,
            format!("{seen}, and dataplane.hugepages insists on them"),
            format!("{remedy}   # or set dataplane.hugepages = \"auto\""),
        ),
        Hugepages::Auto => hint(SUBJECT, seen, remedy),
    }]
}

/// The kernel charges a UMEM to RLIMIT_MEMLOCK, unless the process has CAP_IPC_LOCK (linux: net/xdp/xdp_umem.c).
pub fn memlock(facts: &Facts, config: &Config) -> Vec<Finding> {
    const SUBJECT: &str = "memlock";
    let memory = &facts.memory;
    if !over_af_xdp(config) {
        return Vec::new();
    }
    let whose = if memory.of_engine {
        "the engine"
    } else {
        "this shell"
    };
    let wanted = umem(config);
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    vec![match memory.memlock {
        _ if memory.locks_freely => ok(
            SUBJECT,
            format!("{whose} may lock memory without limit (CAP_IPC_LOCK)"),
        ),
        None => ok(SUBJECT, format!("{whose} may lock memory without limit")),
        Some(limit) if limit >= wanted => ok(
            SUBJECT,
            format!(
                "{whose} may lock {} MiB, {} are wanted",
                mib(limit),
                mib(wanted)
            ),
        ),
        Some(limit) => {
            let seen = format!(
                "{whose} may lock {} MiB, and the UMEMs of {} workers are {}",
                mib(limit),
                config.workers.len(),
                mib(wanted)
            );
            let remedy = "write LimitMEMLOCK=infinity into the [Service] of tweed-dataplane (systemctl edit tweed-dataplane), or in a shell: ulimit -l unlimited";
            match memory.of_engine {
                true => warn(SUBJECT, seen, remedy),
                // What this shell may is not what a service may.
                false => hint(SUBJECT, seen, remedy),
            }
        }
    }]
}
