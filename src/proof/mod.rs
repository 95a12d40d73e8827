//! Proves rules by running them: `before` and `after` of a rule's file under the user's MLX, held against a float64 computation. `verify` does the same with
//! the code of a site. The program that does so is Python, in the files beside this one; it, the rule, and the computations of a match made anew are all that
//! is executed, in a process of its own, never the code that is analysed.

mod bench;
mod run;
mod table;
mod verify;

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::rule::prelude;

pub use bench::bench;
pub use run::Interpreter;
pub use table::{text, verdict};
pub use verify::verify;

/// The modules of the proof, each after those that it imports.
const MODULES: [(&str, &str); 6] = [
    ("prelude", prelude::TEXT),
    ("double", include_str!("double.py")),
    ("oracle", include_str!("oracle.py")),
    ("readings", include_str!("readings.py")),
    ("stress", include_str!("stress.py")),
    ("prove", include_str!("prove.py")),
];
/// Those that come on top of them where sites are run.
const SITES: [(&str, &str); 9] = [
    ("harmless", include_str!("harmless.py")),
    ("tree", include_str!("tree.py")),
    ("copies", include_str!("copies.py")),
    ("slice", include_str!("slice.py")),
    ("standin", include_str!("standin.py")),
    ("world", include_str!("world.py")),
    ("rebuild", include_str!("rebuild.py")),
    ("whole", include_str!("whole.py")),
    ("replay", include_str!("replay.py")),
];

/// What a rule was seen to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof {
    /// The rule.
    pub id: String,
    /// The version of MLX.
    pub mlx: String,
    /// Where MLX ran.
    pub device: String,
    /// Its patterns.
    pub variants: Vec<Variant>,
}

/// What one pattern and its replacement were seen to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Variant {
    /// The name of the pattern's function.
    pub name: String,
    /// What the rule claims of the numbers.
    pub numerics: String,
    /// One for each dtype, and one for all others and for mixed ones.
    pub rows: Vec<Row>,
    /// The same inside `mx.compile`, `mx.vmap` and `mx.grad`.
    pub contexts: Contexts,
    /// How often each condition of the guard was the only one to refuse.
    pub refusals: Vec<Refusals>,
    /// Conditions that refused only inputs on which nothing differs, with or without a reason.
    pub too_strict: Vec<String>,
    /// The smallest counterexample of each kind.
    pub failures: Vec<Failure>,
}

/// What was seen of a pattern in one dtype.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The dtype; `other` for all but the usual ones, and mixed ones.
    pub dtype: String,
    /// Inputs that the guard admits and both sides took.
    pub ran: usize,
    /// Those on which both gave the same bits.
    pub same_bits: usize,
    /// Inputs on which `before` raises.
    pub raised: usize,
    /// Inputs that the guard refuses.
    pub refused: usize,
    /// Those on which the rewrite would differ.
    pub needed: usize,
    /// Inputs of mixed dtypes on which the result would have another dtype; mlxfix compares dtypes itself.
    pub other_dtype: usize,
    /// The largest mean error of `before` and of `after`, in units of the last place.
    pub mean: (f64, f64),
    /// The largest error of both.
    pub largest: (f64, f64),
    /// The largest error of both on zeros, and on very large and very small numbers.
    pub extreme: (f64, f64),
}

/// What was seen inside the transformations of functions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contexts {
    /// `mx.compile`.
    pub compile: Context,
    /// `mx.vmap`.
    pub vmap: Context,
    /// `mx.grad`.
    pub grad: Context,
}

/// What was seen inside one of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Context {
    /// How often both sides ran.
    pub ran: usize,
    /// How often `after` was wrong or raised.
    pub failed: usize,
    /// Why it may be; empty if the rule does not say.
    pub why: String,
}

/// How often a condition of the guard was the only one to refuse.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusals {
    /// Its text.
    pub condition: String,
    /// How often.
    pub alone: usize,
    /// How often the rewrite would have differed.
    pub needed: usize,
    /// Why the condition is asked where it makes no difference; empty if the rule does not say.
    pub why: String,
}

/// An input on which a rule is wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of wrong.
    pub kind: String,
    /// How the input was made.
    pub inputs: String,
    /// The pattern as it was read: one alternative of each.
    pub reading: String,
    /// The input.
    pub arguments: serde_json::Map<String, Value>,
    /// What is wrong.
    pub problem: String,
    /// What the pattern gave.
    pub before: String,
    /// What the replacement gave.
    pub after: String,
}

impl Proof {
    /// Whether nothing was seen that contradicts the rule.
    pub fn holds(&self) -> bool {
        self.variants.iter().all(|v| v.failures.is_empty())
    }
}

/// Prove each of `rules`, an id and the text of a file, `jobs` at a time; in their order, each proof or why there is none.
pub fn prove(rules: &[(&str, &str)], interpreter: &Interpreter, jobs: NonZero<usize>) -> Vec<Result<Proof, String>> {
    let next = Mutex::new(0..rules.len());
    let proofs: Mutex<Vec<Option<Result<Proof, String>>>> = Mutex::new(rules.iter().map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..jobs.get().min(rules.len()) {
            scope.spawn(|| {
                loop {
                    let Some(index) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
                    let proof = prove_one(rules[index], interpreter);
                    proofs.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(proof);
                }
            });
        }
    });
    let proofs = proofs.into_inner().unwrap_or_else(PoisonError::into_inner);
    proofs.into_iter().map(|proof| proof.expect("invariant: each index is taken once, and its proof stored")).collect()
}

fn prove_one((id, text): (&str, &str), interpreter: &Interpreter) -> Result<Proof, String> {
    let answer = interpreter.run(&MODULES, &json!({ "id": id, "text": text }))?;
    serde_json::from_slice(&answer).map_err(|e| format!("the proof ended without an answer: {e}"))
}
