//! Findings: what was found where, what to do about it, and why it may be done. Plain data, made by rules, passes and advice, read by the engine and
//! the reports.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::graph::value::ValueId;
use crate::replay::Site;
use crate::syntax::{Edit, TextRange};

/// The name by which a user selects a transform: kebab-case, equal to the file name in `transforms/` but for `_`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TransformId(Arc<str>);

impl TransformId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TransformId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for TransformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far an edit may be trusted at its site; ordered from the one applied most readily.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// Everything the edit relies on is proved in the file. Applied by `--write`.
    Safe,
    /// Safe but for one intended effect: a half-precision model stays in half precision. Applied with `--narrow`.
    Narrowing,
    /// Something is assumed, and the finding says what. Applied with `--unsafe`.
    Unsafe,
    /// Nothing to apply: the finding says what to do and why.
    Advice,
}

impl Applicability {
    /// The word users read and write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Narrowing => "narrowing",
            Self::Unsafe => "unsafe",
            Self::Advice => "advice",
        }
    }
}

/// What an edit does to the numbers, measured against a float64 oracle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub enum Numerics {
    /// The same bits.
    #[serde(rename = "exact")]
    Exact,
    /// The same formula in another rounding order.
    #[serde(rename = "rounding")]
    Rounding,
    /// The old result had the larger error.
    #[serde(rename = "more precise")]
    MorePrecise,
    /// An intermediate of higher precision is dropped. Never safe.
    #[serde(rename = "less precise")]
    LessPrecise,
}

impl Numerics {
    /// The words users read, and that rule files write.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Rounding => "rounding",
            Self::MorePrecise => "more precise",
            Self::LessPrecise => "less precise",
        }
    }

    /// The class named by `text`, if it names one.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Exact, Self::Rounding, Self::MorePrecise, Self::LessPrecise].into_iter().find(|n| n.as_str() == text)
    }
}

/// How the sentence of a rationale begins that says what was measured.
pub const MEASURED: &str = "Measured";

/// One place where a transform applies.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which transform found it.
    pub transform: TransformId,
    /// All the code that takes part, from the first statement to the last.
    pub range: TextRange,
    /// How far the edit may be trusted here.
    pub applicability: Applicability,
    /// What the edit does to the numbers; `None` where no number changes hands (advice, passes over statements).
    pub numerics: Option<Numerics>,
    /// One sentence: what is written here and what it becomes.
    pub message: String,
    /// Why it pays at this site, one sentence a line: mechanism, and numbers taken from the value graph.
    pub rationale: Vec<String>,
    /// What the edit relies on without proof, one sentence a line. Empty for safe edits.
    pub assumptions: Vec<String>,
    /// The section of MLX's performance guide, or of its documentation, that it comes from; the engine reads it from the file of a pass or advice.
    pub guide: String,
    /// The edits, sorted and not overlapping; all are applied or none.
    pub edits: Vec<Edit>,
    /// What other files decide: where they are known to show that nothing comes of it, it is not told.
    pub hinges: Hinges,
}

/// On what in other files it hinges whether a finding is worth telling.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub enum Hinges {
    /// On nothing.
    #[default]
    Nothing,
    /// On whether somebody takes one of the ways to its code, where nobody comes by default.
    Ways(Vec<Way>),
    /// On whether arrays in half precision come there.
    HalfPrecision,
}

/// A way to code that is not taken by default: somebody has to ask for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// The function on the way.
    pub function: String,
    /// Its parameters, one of which its callers have to pass.
    pub parameters: Vec<String>,
}

impl Finding {
    /// Whether the finding itself says what was measured of a case like its own: what its transform gains in general would mislead there.
    pub fn has_figure_of_its_own(&self) -> bool {
        self.rationale.iter().any(|line| line.strip_prefix(MEASURED).is_some_and(|rest| rest.starts_with(" of ")))
    }
}

/// What must hold between a text and the same text with a finding's edits applied.
#[derive(Clone, Debug)]
pub enum Contract {
    /// Every scope behaves as before, but that each first value is computed as the second, and that `mlx.core` may get a name that was free.
    Values {
        /// What becomes of which value.
        replaced: (ValueId, ValueId),
        /// The same of what would suffer from that, and is changed along with it.
        also: Vec<(ValueId, ValueId)>,
        /// What is matched on the way to it.
        parts: Vec<ValueId>,
        /// The name that `mlx.core` gets.
        import: Option<Import>,
        /// Findings of one transform with the same number here were judged as one: all of their edits are applied or none.
        unit: Option<usize>,
        /// Others need parts of what is matched, too: where they are applied, this one is asked for again, and takes those parts away.
        waits: bool,
        /// What can be run to see it.
        site: Box<Site>,
    },
    /// Statements change on purpose, and the pass itself proves that they may. The result is Python, and no comment and no definition is lost.
    Statements(Kept),
}

/// What a program computes and does as before where statements change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept {
    /// All that can be seen but for memory and time.
    Values,
    /// The same, but that a float32 result may become one in half precision.
    Narrowed,
    /// It is to do something else, for this reason.
    Nothing(&'static str),
}

impl Contract {
    /// The number that findings which are applied together share.
    pub fn unit(&self) -> Option<usize> {
        match self {
            Self::Values { unit, .. } => *unit,
            Self::Statements(_) => None,
        }
    }

    /// Whether others of the same transform are to be applied first.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Values { waits: true, .. })
    }
}

/// An import of `mlx.core` that an edit adds.
#[derive(Clone, Debug)]
pub struct Import {
    /// The name that the module gets.
    pub name: String,
    /// The text of the scope that binds it: the module, or a function.
    pub scope: TextRange,
}

/// A finding with what is needed to check it.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What the user is told.
    pub finding: Finding,
    /// What the edits must keep.
    pub contract: Contract,
}

/// A place where a transform nearly applies, and what stands in its way.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The code that would have been replaced.
    pub range: TextRange,
    /// What in it is in the way; `range` where nothing smaller is.
    pub at: TextRange,
    /// What stands in the way, as a sentence.
    pub reason: String,
    /// How much of what the transform looks for is there, in percent.
    pub likeness: u32,
}

impl Refusal {
    /// A place where everything is there, and the transform must not apply all the same.
    pub fn whole(range: TextRange, reason: String) -> Self {
        Self { range, at: range, reason, likeness: 100 }
    }
}

/// What a pass or advice looked at and left alone, and why: kept only where somebody asks.
#[derive(Default)]
pub struct Notes(Option<RefCell<Vec<Refusal>>>);

impl Notes {
    /// Notes that are kept.
    pub fn kept() -> Self {
        Self(Some(RefCell::default()))
    }

    /// What was noted.
    pub fn refusals(self) -> Vec<Refusal> {
        self.0.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Whether anybody asks.
    pub fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Note that `range` is left alone because of what stands `at` a place in it. `likeness` is as in [`Refusal`]. Always `None`, for `return`.
    pub fn left<T>(&self, range: TextRange, at: TextRange, likeness: u32, reason: impl FnOnce() -> String) -> Option<T> {
        if let Some(notes) = &self.0 {
            notes.borrow_mut().push(Refusal { range, at, reason: reason(), likeness });
        }
        None
    }

    /// Whether something inside `range` is noted.
    pub fn speak_of(&self, range: TextRange) -> bool {
        self.0.as_ref().is_some_and(|notes| notes.borrow().iter().any(|r| range.contains_range(r.range)))
    }
}
