//! What a worker is to the scheduler where it does not have its core to itself.
//!
//! It should run as soon as a packet is there, and give way as soon as none is. The second is `sched_yield` in the idle loop
//! (`run`); the first is a nice value, and a slice as short as the kernel gives (EEVDF, Linux 6.12: what asks for less at a time
//! is served sooner, and a worker that gave way waits less before it is served again).
//!
//! # Safety
//! sched_setattr(2) with a pointer to a struct of the size that its first field says, which outlives the call.
#![expect(unsafe_code, reason = "no crate here wraps sched_setattr")]

use std::io;

/// Nanoseconds that a worker asks for at a time: the least that the kernel takes.
const SLICE_NS: u64 = 100_000;

/// `struct sched_attr` up to Linux 5.2 (linux/sched/types.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Gives the calling thread this nice value, -20 (first) to 19 (last), and short slices. Kernels before 6.12 take the slice and
/// do nothing with it. A nice value below that of the process needs CAP_SYS_NICE.
pub fn set(nice: i32) -> io::Result<()> {
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        nice,
        runtime: SLICE_NS,
        ..Attributes::default()
    };
    // SAFETY: a struct of the size that it says, which outlives the call; 0 is the calling thread.
    let answer = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    match answer {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_may_become_nicer_and_the_kernel_says_so() {
        let nice = || {
            set(7).unwrap();
            rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap()
        };
        assert_eq!(std::thread::spawn(nice).join().unwrap(), 7);
    }
}
