//! A receiving worker.
