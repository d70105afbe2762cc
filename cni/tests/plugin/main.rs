//! The program itself, run as a runtime runs it: with a shell script for a delegate.

mod delegation;
mod node;
mod support;
