//! When frames leave.
