//! What `bench` measured on this machine, as a file keeps it, and in words. Plain data; it reads and measures nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, BuildHasherDefault};

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

/// Less memory than this says nothing.
const MEBIBYTE: u64 = 1 << 20;
/// The form of the file. Another one is not understood.
const FORMAT: u32 = 1;

/// Measurements of one machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Profile {
    format: u32,
    /// By the id of the transform.
    pub transforms: BTreeMap<String, Measured>,
}

/// What was measured of one transform.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// The version of MLX.
    pub mlx: String,
    /// What MLX computed on.
    pub device: String,
    /// The day, as `2026-11-22`.
    pub date: String,
    /// Of the transform's file: another file is another transform.
    pub fingerprint: u64,
    /// Each size in each dtype.
    pub cases: Vec<Case>,
}

/// One size in one dtype.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Case {
    /// The size: `decode`.
    pub label: String,
    /// The dtype; empty where it makes no difference.
    pub dtype: String,
    /// The median of the time before, in microseconds.
    pub before: f64,
    /// The median of the time after.
    pub after: f64,
    /// The quartiles of time before by time after, in the middle the median.
    pub quotient: [f64; 3],
    /// The memory that each takes at most, in bytes.
    pub memory: [u64; 2],
    /// How often both were run in turns.
    pub rounds: u32,
}

impl Default for Profile {
    fn default() -> Self {
        Self { format: FORMAT, transforms: BTreeMap::new() }
    }
}

impl Profile {
    /// The profile in the bytes of a file, or why there is none in them.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let profile: Self = serde_json::from_slice(bytes).map_err(|e| format!("is no profile of mlxfix: {e}"))?;
        if profile.format != FORMAT {
            return Err(format!("has format {}, and this mlxfix reads {FORMAT}", profile.format));
        }
        Ok(profile)
    }

    /// The bytes of its file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text.into_bytes()
    }

    /// What was measured of the transform `id`, whose file holds `text`: nothing if that was another text.
    pub fn of(&self, id: &str, text: &str) -> Option<&Measured> {
        self.transforms.get(id).filter(|m| m.fingerprint == fingerprint(text))
    }

    /// Whether something was measured of the transform `id` when its file held another text.
    pub fn is_stale(&self, id: &str, text: &str) -> bool {
        self.transforms.get(id).is_some_and(|m| m.fingerprint != fingerprint(text))
    }
}

/// A number for the text of a transform's file, the same in every run.
pub fn fingerprint(text: &str) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(text)
}

impl Measured {
    /// All of it in a phrase: the range of the medians for each size.
    pub fn gain(&self) -> String {
        let mut labels: Vec<&str> = Vec::new();
        self.cases.iter().map(|c| &*c.label).for_each(|label| {
            if !labels.contains(&label) {
                labels.push(label);
            }
        });
        let parts = labels.iter().map(|&label| {
            let of_label = || self.cases.iter().filter(|c| c.label == label);
            let memory = range(of_label().filter(|c| c.memory[0] >= MEBIBYTE).map(|c| c.memory[1] as f64 / c.memory[0] as f64));
            let memory = memory.map_or(String::new(), |m| format!(" and {m} times the memory"));
            format!("{label}: {} times the speed{memory}", range(of_label().map(|c| c.quotient[1])).unwrap_or_default())
        });
        format!("{} ({}, MLX {}, {})", parts.collect::<Vec<_>>().join("; "), self.device, self.mlx, self.date)
    }

    /// All of it as a table.
    pub fn table(&self) -> String {
        let mut out = format!("Measured on {} with MLX {}, {}:\n", self.device, self.mlx, self.date);
        let width = self.cases.iter().map(|c| c.label.len()).max().unwrap_or(0);
        for case in &self.cases {
            let [low, median, high] = case.quotient;
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "  {:width$}  {:8}  {:>10.1} -> {:>10.1} us  {median:.2} times the speed (quartiles {low:.2} and {high:.2} of {} rounds)  {:.1} -> {:.1} MiB",
                case.label,
                case.dtype,
                case.before,
                case.after,
                case.rounds,
                mebibytes(case.memory[0]),
                mebibytes(case.memory[1])
            );
        }
        out
    }
}

/// `1.2`, or `1.2 to 3.4`; nothing of nothing.
fn range(values: impl Iterator<Item = f64>) -> Option<String> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = (format!("{low:.2}"), format!("{high:.2}"));
    match () {
        () if low == "inf" => None,
        () if low == high => Some(low),
        () => Some(format!("{low} to {high}")),
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / MEBIBYTE as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(label: &str, dtype: &str, median: f64, memory: [u64; 2]) -> Case {
        Case { label: label.into(), dtype: dtype.into(), before: 10.0 * median, after: 10.0, quotient: [0.9, median, 9.0], memory, rounds: 5 }
    }

    fn profile() -> Profile {
        let cases = vec![
            case("decode", "bfloat16", 5.0, [4 * MEBIBYTE, MEBIBYTE]),
            case("decode", "float32", 2.5, [4 * MEBIBYTE, MEBIBYTE]),
            case("prefill", "", 1.0, [9, 3]),
        ];
        let measured = Measured { mlx: "1.2".into(), device: "CPU".into(), date: "2026-11-22".into(), fingerprint: fingerprint("text"), cases };
        let mut profile = Profile::default();
        profile.transforms.insert("x".into(), measured);
        profile
    }

    #[test]
    fn a_profile_survives_its_file() {
        assert_eq!(Profile::read(&profile().bytes()), Ok(profile()));
    }

    #[test]
    fn what_is_no_profile_is_told() {
        assert!(Profile::read(b"[]").is_err_and(|e| e.starts_with("is no profile of mlxfix: ")));
        let other = String::from_utf8(profile().bytes()).expect("text").replace("\"format\": 1", "\"format\": 9");
        assert_eq!(Profile::read(other.as_bytes()), Err("has format 9, and this mlxfix reads 1".to_owned()));
    }

    #[test]
    fn figures_of_another_text_do_not_count() {
        let profile = profile();
        assert!(profile.of("x", "text").is_some() && !profile.is_stale("x", "text"));
        assert!(profile.of("x", "changed").is_none() && profile.is_stale("x", "changed"));
        assert!(profile.of("y", "text").is_none() && !profile.is_stale("y", "text"));
    }

    #[test]
    fn the_gain_is_the_range_of_the_medians() {
        let gain = profile().transforms["x"].gain();
        assert_eq!(gain, "decode: 2.50 to 5.00 times the speed and 0.25 times the memory; prefill: 1.00 times the speed (CPU, MLX 1.2, 2026-11-22)");
        assert!(profile().transforms["x"].table().contains("  decode   bfloat16        50.0 ->       10.0 us  5.00 times the speed"));
    }
}
