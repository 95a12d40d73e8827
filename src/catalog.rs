//! The ordered list of transforms. `transforms/*.py` are embedded here, and this is the one place that knows their order.

/// One transform: its id and the Python file that specifies it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The id users select by.
    pub id: &'static str,
    /// The text of `transforms/<id>.py`.
    pub text: &'static str,
}

/// Every transform, in the order in which they run.
pub const CATALOG: &[Entry] = &[];
