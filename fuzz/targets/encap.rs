//! See [`fuzz::encap`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::encap::check(input));
