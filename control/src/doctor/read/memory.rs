//! Huge pages, and what the engine's process may lock.

use super::super::facts::{Daemons, Memory};
use super::host::text;

/// linux: include/uapi/linux/capability.h
const CAP_IPC_LOCK: u32 = 14;

pub fn read(daemons: &Daemons) -> Memory {
    let free = text("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    let of = |process: &str| {
        let limits = text(format!("/proc/{process}/limits"))?;
        let status = text(format!("/proc/{process}/status"))?;
        Some((memlock(&limits)?, has_ipc_lock(&status)?))
    };
    let engine = match daemons.engine_runs() {
        true => of(&daemons.engine_pid.to_string()),
        false => None,
    };
    let of_engine = engine.is_some();
    let (memlock, locks_freely) = engine.or_else(|| of("self")).unwrap_or((None, true));
    Memory {
        free_huge_pages: free.and_then(|text| text.parse().ok()),
        memlock,
        locks_freely,
        of_engine,
    }
}

/// The soft limit of /proc/PID/limits in bytes, the inner `None` for no limit.
fn memlock(limits: &str) -> Option<Option<u64>> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(None),
        bytes => Some(Some(bytes.parse().ok()?)),
    }
}

fn has_ipc_lock(status: &str) -> Option<bool> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let capabilities = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(capabilities >> CAP_IPC_LOCK & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max cpu time              unlimited            unlimited            seconds   \n\
                      Max locked memory         8388608              8388608              bytes     \n";
        assert_eq!(memlock(limits), Some(Some(8_388_608)));
        assert_eq!(
            memlock(&limits.replace("8388608 ", "unlimited ")),
            Some(None)
        );
        assert_eq!(memlock("nothing"), None);
    }

    #[test]
    fn capabilities_as_the_kernel_writes_them() {
        assert_eq!(
            has_ipc_lock("Name:\tx\nCapEff:\t000001ffffffffff\n"),
            Some(true)
        );
        assert_eq!(has_ipc_lock("CapEff:\t0000000000003fff\n"), Some(false));
        assert_eq!(has_ipc_lock("Name:\tx\n"), None);
    }

    #[test]
    fn our_own_process_is_read() {
        let memory = read(&Daemons::default());
        assert!(!memory.of_engine);
    }
}
