//! What the processor must have: the features that `.cargo/config.toml` lets the compiler use.

use std::arch::x86_64::__cpuid;

/// Feature bits of x86-64-v2 in ECX of CPUID leaf 1, with their names (Intel SDM, volume 2, CPUID).
const NEEDED: [(u32, &str); 5] = [
    (0, "SSE3"),
    (9, "SSSE3"),
    (19, "SSE4.1"),
    (20, "SSE4.2"),
    (23, "POPCNT"),
];

/// Names of the features that are missing. Asked of the processor itself: `is_x86_feature_detected!` answers for what the
/// compiler was told, not for what is there.
pub fn missing() -> Vec<&'static str> {
    let features = __cpuid(1).ecx;
    NEEDED
        .iter()
        .filter(|(bit, _)| features >> bit & 1 == 0)
        .map(|(_, name)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_which_runs_the_tests_lacks_nothing() {
        assert_eq!(super::missing(), [""; 0]);
    }
}
