//! The CPUs that workers may be pinned to: those that this process may run on (sched_getaffinity(2), so taskset and cgroups
//! count). One that is not among them is refused before anything is opened, for a report that names a CPU must be true.

use super::plan::Place;
use crate::error::{Failure, Result};

/// Refuses places on CPUs that are not there, or not for us.
///
/// # Errors
/// Names the CPU, and those that there are.
pub fn check(places: &[Place]) -> Result<()> {
    let there: Vec<usize> = (core_affinity::get_core_ids().unwrap_or_default().iter())
        .map(|core| core.id)
        .collect();
    among(places, &there)
}

fn among(places: &[Place], there: &[usize]) -> Result<()> {
    let missing = (places.iter().filter_map(|place| place.core)).find(|core| !there.contains(core));
    let Some(core) = missing else {
        return Ok(());
    };
    let list: Vec<String> = there.iter().map(usize::to_string).collect();
    Err(Failure::Environment(format!(
        "CPU {core}: this process may run on {} only; name others with --cores (--tx-cores, --rx-cores), or see taskset(1) and \
         the cgroup's cpuset",
        list.join(",")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(core: Option<usize>) -> Place {
        Place { queue: 0, core }
    }

    #[test]
    fn only_cpus_that_are_there() {
        assert!(among(&[on(None), on(Some(1))], &[0, 1]).is_ok());
        let refused = among(&[on(Some(0)), on(Some(9))], &[0, 1]).unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("CPU 9: this process may run on 0,1 only"),
            "{refused}"
        );
    }

    #[test]
    fn nothing_is_pinned_where_no_cpu_is_known() {
        assert!(among(&[on(Some(0))], &[]).is_err());
        assert!(among(&[on(None)], &[]).is_ok());
    }
}
