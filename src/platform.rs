//! What the analysed code will run on: a version of MLX, one of its backends, and which arrays come to it. Knows neither what needs which version nor what is slow
//! where.

use std::fmt;
use std::str::FromStr;

use pep440_rs::Operator;
pub use pep440_rs::{Version, VersionSpecifiers};

/// What the code will run on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Platform {
    /// The backend.
    pub target: Target,
    /// The oldest MLX that must run the code; `None` if any present one will do.
    pub mlx: Option<Version>,
    /// Whether other files show that its arrays are in single precision.
    pub is_single: bool,
}

/// A backend of MLX.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Target {
    /// The GPU of Apple's chips.
    #[default]
    Metal,
    /// NVIDIA's GPUs.
    Cuda,
    /// No GPU.
    Cpu,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Metal, Self::Cuda, Self::Cpu];

    /// The word that users write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metal => "metal",
            Self::Cuda => "cuda",
            Self::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|target| target.as_str() == text);
        named.ok_or_else(|| format!("there is no target {text:?}; there are {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// The oldest MLX that `requirement` admits, if it is one on `mlx` and says so: 0.22 for `mlx[cuda]>=0.22,<1; sys_platform == "linux"`.
pub fn oldest_mlx(requirement: &str) -> Option<Version> {
    let requirement = requirement.split(';').next()?.trim();
    let name = requirement.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at(name);
    if !name.eq_ignore_ascii_case("mlx") {
        return None;
    }
    let rest = rest.trim_start();
    let versions = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let versions = versions.trim().trim_start_matches('(').trim_end_matches(')');
    let bounds = VersionSpecifiers::from_str(versions).ok()?;
    let is_least = |operator: &Operator| {
        matches!(
            operator,
            Operator::GreaterThanEqual | Operator::GreaterThan | Operator::TildeEqual | Operator::Equal | Operator::EqualStar | Operator::ExactEqual
        )
    };
    bounds.iter().filter(|bound| is_least(bound.operator())).map(|bound| bound.version().clone()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_version_of_a_requirement_is_its_highest_lower_bound() {
        for (requirement, expected) in [
            ("mlx>=0.22", Some("0.22")),
            ("mlx >= 0.18.1, < 1", Some("0.18.1")),
            ("mlx[cuda] >=0.26,!=0.26.2 ; sys_platform == 'linux'", Some("0.26")),
            ("MLX (>=0.9)", Some("0.9")),
            ("mlx~=0.24.1", Some("0.24.1")),
            ("mlx==0.24.*", Some("0.24")),
            ("mlx<1", None),
            ("mlx", None),
            ("mlx-lm>=0.20", None),
            ("mlx @ file:///mlx", None),
        ] {
            let expected = expected.map(|text| Version::from_str(text).expect("a version"));
            assert_eq!(oldest_mlx(requirement), expected, "{requirement}");
        }
    }

    #[test]
    fn a_target_is_named_by_its_word() {
        assert_eq!("cuda".parse(), Ok(Target::Cuda));
        assert!("rocm".parse::<Target>().expect_err("no backend of MLX").contains("metal, cuda, cpu"));
    }
}
