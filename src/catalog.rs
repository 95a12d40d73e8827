//! The ordered list of transforms: the one place that knows their order. `transforms/*.py` are embedded here.

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::advice::{self, Advice};
use crate::finding::TransformId;
use crate::passes::{self, Pass};
use crate::platform::Platform;
pub use crate::rule::about::About;
use crate::rule::about::{self, Slower};
use crate::rule::load::{self, Rule, RuleError};
pub use crate::rule::prelude::TEXT as PRELUDE;
use crate::syntax::Location;
use crate::syntax::Source;

/// One transform: its id, its kind, and the Python file that specifies it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The id users select by.
    pub id: &'static str,
    /// What makes its findings.
    pub kind: Kind,
    /// The text of `transforms/<id>.py`.
    pub text: &'static str,
}

/// What makes the findings of a transform.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// The Python file is the rule.
    Rule,
    /// Rust code over statements; the Python file is its specification.
    Pass(Pass),
    /// Rust code that says what to do by hand; the Python file is its worked example.
    Advice(Advice),
}

impl Kind {
    /// The word users read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Pass(_) => "pass",
            Self::Advice(_) => "advice",
        }
    }
}

macro_rules! transform {
    ($id:literal, $file:literal, $kind:expr) => {
        Entry { id: $id, kind: $kind, text: include_str!(concat!("../transforms/", $file, ".py")) }
    };
}

/// Every transform, in the order in which they run.
pub const CATALOG: &[Entry] = &[
    // An array that holds one number becomes a number before anything else looks at it: fast operations take numbers for a scale or an epsilon.
    transform!("scalar-promotion", "scalar_promotion", Kind::Rule),
    // Arrays of any shape that are made in float32, while the casts stand that say of others that they may be in half precision.
    transform!("float32-default", "float32_default", Kind::Pass(passes::float32_default::find)),
    // Fast operations next: they take in whole computations, parts of which later transforms would rewrite by themselves. A layer norm is an rms norm of
    // something centred, so it comes before rms-norm. Attention takes in its softmax with the casts around it.
    transform!("layer-norm", "layer_norm", Kind::Rule),
    transform!("rms-norm", "rms_norm", Kind::Rule),
    // The rotation of queries and keys is part of no other computation.
    transform!("rope", "rope", Kind::Rule),
    transform!("attention", "attention", Kind::Rule),
    // Of the fast operations above: the casts that a norm does not need once it is one operation.
    transform!("redundant-upcast", "redundant_upcast", Kind::Rule),
    // How weights come in, then what is done with them.
    transform!("load-file-handle", "load_file_handle", Kind::Pass(passes::load_file_handle::find)),
    // Before anything that would read weights: casts move ahead of the evaluation.
    transform!("astype-before-eval", "astype_before_eval", Kind::Pass(passes::astype_before_eval::find)),
    // What attention left.
    transform!("precise-softmax", "precise_softmax", Kind::Rule),
    // After the fast operations, whose products are no sums of products any more.
    transform!("addmm", "addmm", Kind::Rule),
    // Independent of all others.
    transform!("take-along-axis", "take_along_axis", Kind::Rule),
    transform!("put-along-axis", "put_along_axis", Kind::Rule),
    transform!("concat-repeat", "concat_repeat", Kind::Rule),
    transform!("deprecated-api", "deprecated_api", Kind::Pass(passes::deprecated_api::find)),
    transform!("positional-shift", "positional_shift", Kind::Pass(passes::positional_shift::find)),
    // Near the end: it changes what Python sees, and nothing above creates or removes a loop.
    transform!("tolist-iteration", "tolist_iteration", Kind::Pass(passes::tolist_iteration::find)),
    // What reads an array is settled by now.
    transform!("redundant-eval", "redundant_eval", Kind::Pass(passes::redundant_eval::find)),
    // Behind all edits: a deleted name makes no work for others, while what they write in place of unknown code may be known to hold nothing.
    transform!("release-temporaries", "release_temporaries", Kind::Pass(passes::release_temporaries::find)),
    // Advice changes nothing, so its order is that in which it is listed.
    transform!("mixed-half", "mixed_half", Kind::Advice(advice::mixed_half::find)),
    transform!("numpy-scalar-left", "numpy_scalar_left", Kind::Advice(advice::numpy_scalar_left::find)),
    transform!("transposed-matmul", "transposed_matmul", Kind::Advice(advice::transposed_matmul::find)),
    transform!("sync-in-loop", "sync_in_loop", Kind::Advice(advice::sync_in_loop::find)),
    transform!("eval-in-loop", "eval_in_loop", Kind::Advice(advice::eval_in_loop::find)),
    transform!("async-eval", "async_eval", Kind::Advice(advice::async_eval::find)),
    transform!("compile-elementwise", "compile_elementwise", Kind::Advice(advice::compile_elementwise::find)),
    transform!("compile-in-loop", "compile_in_loop", Kind::Advice(advice::compile_in_loop::find)),
    transform!("compile-scalar-args", "compile_scalar_args", Kind::Advice(advice::compile_scalar_args::find)),
    transform!("compile-captures", "compile_captures", Kind::Advice(advice::compile_captures::find)),
    transform!("compile-random-state", "compile_random_state", Kind::Advice(advice::compile_random_state::find)),
    transform!("eval-in-compiled", "eval_in_compiled", Kind::Advice(advice::eval_in_compiled::find)),
    transform!("shapeless-shape-logic", "shapeless_shape_logic", Kind::Advice(advice::shapeless_shape_logic::find)),
    transform!("separate-stream", "separate_stream", Kind::Advice(advice::separate_stream::find)),
    transform!("clear-cache", "clear_cache", Kind::Advice(advice::clear_cache::find)),
];

/// A rule that a user brings along; it runs after those of the catalog.
pub struct UserRule {
    /// The rule.
    pub rule: Rule,
    /// Its file.
    pub file: PathBuf,
    /// The text of its file.
    pub text: String,
}

impl UserRule {
    /// Read the rule in `text`, which is the content of `file`; the name of the file is the rule's id.
    pub fn read(file: PathBuf, text: String) -> Result<Self, RuleError> {
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let mistake = |message: String| RuleError { location: Location { row: 1, column: 1 }, message };
        let id = stem.replace('_', "-");
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(is_word) {
            return Err(mistake(format!("the file's name is the rule's id, and {stem:?} is no lower-case word or words joined by `_`")));
        }
        if RESERVED.contains(&&*id) || CATALOG.iter().any(|e| e.id == id) {
            return Err(mistake(format!("{id:?} is taken by mlxfix itself; the file's name is the rule's id, so give it another")));
        }
        let rule = load::load(&TransformId::from(&*id), &text)?;
        Ok(Self { rule, file, text })
    }

    /// The id users select by.
    pub fn id(&self) -> &str {
        self.rule.id.as_str()
    }
}

impl std::fmt::Debug for UserRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserRule({})", self.rule.id)
    }
}

/// Words that select or name something else: every transform, the module that rules import, and a page of `explain`.
const RESERVED: [&str; 3] = ["all", "prelude", "profiling"];

/// The entry with this id.
pub fn entry(id: &TransformId) -> Option<&'static Entry> {
    CATALOG.iter().find(|e| e.id == id.as_str())
}

/// What the transform file `text` says of itself; nothing where it is no Python, which a test excludes of ours.
pub fn about(text: &str) -> About {
    Source::parse(text).map_or_else(|_| About::default(), |source| about::about(&source))
}

/// Why the pass or advice `id` is nothing for `platform`: it was measured not to pay there, or that MLX lacks what it takes. A rule decides it at each match,
/// and of what an edit brings in the engine looks at each name; what advice tells to call must be there altogether.
pub fn unfit(id: &str, platform: &Platform) -> Option<String> {
    let about = about_other(id)?;
    let is_advice = CATALOG.iter().any(|e| e.id == id && matches!(e.kind, Kind::Advice(_)));
    let slower = about.slower.iter().find(|s| s.target == platform.target).map(Slower::reason);
    slower.or_else(|| about.lacks(platform.mlx.as_ref()?, is_advice))
}

/// The section of the guide that the pass or advice `id` comes from. A rule tells its own.
pub fn guide(id: &str) -> &'static str {
    about_other(id).map_or("", |about| &about.guide)
}

/// What the pass or advice `id` was measured to gain. A rule says it of each match.
pub fn measured(id: &str) -> Option<&'static str> {
    about_other(id)?.measured()
}

/// What the file of a pass or advice says of itself; each is read once.
fn about_other(id: &str) -> Option<&'static About> {
    static OTHERS: LazyLock<Vec<(&'static str, About)>> = LazyLock::new(|| {
        let others = CATALOG.iter().filter(|e| !matches!(e.kind, Kind::Rule));
        others.map(|e| (e.id, about(e.text))).collect()
    });
    OTHERS.iter().find(|(other, _)| *other == id).map(|(_, about)| about)
}

/// The rules of the catalog, read once; a rule that cannot be read is an error of this program, which a test excludes.
pub fn rules() -> &'static [(&'static str, Result<Rule, RuleError>)] {
    static RULES: LazyLock<Vec<(&'static str, Result<Rule, RuleError>)>> = LazyLock::new(|| {
        let rules = CATALOG.iter().filter(|e| matches!(e.kind, Kind::Rule));
        rules.map(|e| (e.id, load::load(&TransformId::from(e.id), e.text))).collect()
    });
    &RULES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_catalog_can_be_read() {
        for (id, rule) in rules() {
            assert!(rule.is_ok(), "{id}: {}", rule.as_ref().err().map_or_else(String::new, ToString::to_string));
        }
    }
}
