//! The dtypes of arrays, and what comes of two of them. The rules are MLX's; `tests/dtypes.rs` holds what follows from them against it.

/// The dtypes that matter to promotion.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Dtype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Float16,
    Bfloat16,
    Float32,
    Float64,
    Complex64,
}

impl Dtype {
    /// The dtype with this name in `mlx.core`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool_" => Self::Bool,
            "uint8" => Self::Uint8,
            "uint16" => Self::Uint16,
            "uint32" => Self::Uint32,
            "uint64" => Self::Uint64,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float16" => Self::Float16,
            "bfloat16" => Self::Bfloat16,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "complex64" => Self::Complex64,
            _ => return None,
        })
    }

    /// The name in `mlx.core`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool_",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float16 => "float16",
            Self::Bfloat16 => "bfloat16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex64 => "complex64",
        }
    }

    pub(super) fn is_floating(self) -> bool {
        self >= Self::Float16
    }

    /// The dtype of `a + b`.
    pub fn promote(a: Self, b: Self) -> Self {
        let (low, high) = (a.min(b), a.max(b));
        match (low, high) {
            (Self::Float16, Self::Bfloat16) => Self::Float32,
            (Self::Uint8, Self::Int8) => Self::Int16,
            (Self::Uint16, Self::Int8 | Self::Int16) => Self::Int32,
            (Self::Uint32, Self::Int8 | Self::Int16 | Self::Int32) => Self::Int64,
            (Self::Uint64, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64) => Self::Float32,
            _ => high,
        }
    }
}

/// The dtype of an array: one that is known, or the promotion of those of values of which it is not, perhaps with float16 or bfloat16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Promoted {
    known: Option<Dtype>,
    /// A bit for each value of which it is not known. Such values are floating, and at most float32.
    open: u64,
}

impl From<Dtype> for Promoted {
    fn from(dtype: Dtype) -> Self {
        Self { known: Some(dtype), open: 0 }
    }
}

impl Promoted {
    /// The dtype of the value with this number, if it is not too large.
    pub(super) fn open(number: usize) -> Option<Self> {
        (number < 64).then(|| Self { known: None, open: 1 << number })
    }

    /// The dtype, where it hangs on nothing.
    pub(super) fn known(self) -> Option<Dtype> {
        self.known.filter(|_| self.open == 0)
    }

    /// The half precision that it is at least.
    pub(super) fn least(self) -> Option<Dtype> {
        self.known
    }

    /// The numbers of the values that it hangs on.
    pub(super) fn sources(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |n| self.open >> n & 1 == 1)
    }

    /// The dtype of a sum of arrays of both.
    pub(super) fn with(self, other: Self) -> Self {
        let known = match (self.known, other.known) {
            (Some(a), Some(b)) => Some(Dtype::promote(a, b)),
            (a, b) => a.or(b),
        };
        let open = self.open | other.open;
        match known {
            // Integers promote no floating point array, and nothing open promotes single precision.
            Some(dtype) if open != 0 && dtype < Dtype::Float16 => Self { known: None, open },
            Some(dtype) if dtype >= Dtype::Float32 => Self { known, open: 0 },
            _ => Self { known, open },
        }
    }

    pub(super) fn is_floating(self) -> bool {
        self.open != 0 || self.known.is_some_and(Dtype::is_floating)
    }

    /// The dtype combined with a Python number.
    pub(super) fn weak(self, float: bool) -> Self {
        match self.known() {
            Some(dtype) if !dtype.is_floating() && float => Dtype::Float32.into(),
            Some(Dtype::Bool) => Dtype::Int32.into(),
            _ => self,
        }
    }
}
