//! Measures transforms under the user's MLX: how long `before` and `after` of a transform's file take, and how much memory. One after the other, for what runs
//! beside a measurement is in it.

use serde::Deserialize;
use serde_json::json;

use crate::profile::{Case, Measured, fingerprint};

use super::{Interpreter, MODULES};

/// What the program needs besides the modules of the proof.
const BENCH: [(&str, &str); 2] = [("workloads", include_str!("workloads.py")), ("bench", include_str!("bench.py"))];

/// What the program answers.
#[derive(Deserialize)]
struct Answer {
    mlx: String,
    device: String,
    date: String,
    cases: Vec<Case>,
}

/// Measure the transform `id`, whose file holds `text`, `seconds` for each size in each dtype. No cases: there is nothing to measure.
pub fn bench(id: &str, text: &str, interpreter: &Interpreter, seconds: f64) -> Result<Measured, String> {
    let modules: Vec<(&str, &str)> = MODULES.into_iter().chain(BENCH).collect();
    let answer = interpreter.run(&modules, &json!({ "id": id, "text": text, "budget": seconds }))?;
    let Answer { mlx, device, date, cases } = serde_json::from_slice(&answer).map_err(|e| format!("the measurement ended without an answer: {e}"))?;
    Ok(Measured { mlx, device, date, fingerprint: fingerprint(text), cases })
}
