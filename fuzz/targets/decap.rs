//! See [`fuzz::decap`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::decap::check(input));
