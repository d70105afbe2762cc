//! The program itself, run as a runtime runs it: with a shell script for a delegate, and with Debian's plugins.

mod delegation;
mod node;
mod pods;
mod support;
