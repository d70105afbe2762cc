//! The profile as it is written: TOML keys and flags.
