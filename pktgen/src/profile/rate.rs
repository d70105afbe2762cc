//! How fast.

/// A rate, all streams and workers together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as it goes.
    Max,
    /// Frames a second.
    Pps(f64),
    /// Bits a second of layer 2: frames with FCS.
    Layer2(f64),
    /// Bits a second of the wire: frames with FCS, preamble and gap.
    Wire(f64),
    /// A fraction (0 to 1) of the link's speed, on the wire.
    Link(f64),
}

impl Rate {
    /// Frames a second for frames of `mean_size` bytes (with FCS) on a link of `speed` bits a second; `None` for [`Rate::Max`].
    ///
    /// # Errors
    /// A fraction of a link whose speed is not known.
    pub fn pps(self, mean_size: f64, speed: Option<f64>) -> crate::error::Result<Option<f64>> {
        let _ = (mean_size, speed);
        todo!()
    }
}
