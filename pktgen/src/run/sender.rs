//! A sending worker.
