//! See [`fuzz::pktgen`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::pktgen::check(input));
