//! Atomics and cells as loom wants them, so that the ring under the model checker is the ring that runs.

#[cfg(loom)]
pub(super) use loom::{cell::UnsafeCell, sync::atomic::AtomicU32};

#[cfg(not(loom))]
pub(super) use cell::UnsafeCell;
#[cfg(not(loom))]
pub(super) use std::sync::atomic::AtomicU32;

#[cfg(not(loom))]
mod cell {
    /// `std`'s cell under the interface of loom's, whose closures let it see where each access begins and ends.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub(in crate::xsk) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(in crate::xsk) fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(in crate::xsk) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(in crate::xsk) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}
