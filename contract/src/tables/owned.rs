//! A [`Fib`] without a segment.

use std::ops::Deref;

use memmap2::MmapMut;
use zerocopy::FromBytes;

use super::Tables;
use super::compile::{Compiled, TablesError};
use super::fib::Fib;
use super::layout::Bank;

/// Tables in private memory, for tests and benchmarks of what reads them.
pub struct OwnedFib(MmapMut);

impl OwnedFib {
    /// Compiles tables, as generation 1.
    pub fn new(tables: &Tables) -> Result<OwnedFib, TablesError> {
        let mut compiled = Compiled::new(tables)?;
        compiled.head.generation = 1;
        // Like the file, mostly never touched.
        let mut map = MmapMut::map_anon(size_of::<Bank>()).expect("address space for a bank");
        for (offset, part) in compiled.parts() {
            map[offset..offset + part.len()].copy_from_slice(part);
        }
        Ok(OwnedFib(map))
    }

    /// The bank's bytes, to be mangled: any are a [`Fib`].
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Deref for OwnedFib {
    type Target = Fib;

    fn deref(&self) -> &Fib {
        Fib::ref_from_bytes(&self.0).expect("a page-aligned mapping of the bank's size")
    }
}
