//! What command lines mean.
