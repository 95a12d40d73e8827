//! The dtypes of arrays, and what comes of two of them. Rules of promotion: `mlx_semantics`, section 1.

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

/// The dtype of an array combined with a Python number.
pub(super) fn weak(array: Dtype, float: bool) -> Dtype {
    match (array.is_floating(), float) {
        (false, true) => Dtype::Float32,
        (false, false) if array == Dtype::Bool => Dtype::Int32,
        _ => array,
    }
}
