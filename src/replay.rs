//! What running a site shows: the data that goes to the process that runs the code of a match before and after its edit, and what comes back. Plain data:
//! rules say what they matched, the engine turns it into a [`Replay`], the proof runs it, and the reports tell the [`Verdict`].

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::graph::body::Occurrence;
use crate::graph::value::{Symbol, ValueId};
use crate::syntax::Edit;

/// How a parameter of a pattern follows from the value that the program has for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// It is that value.
    Same,
    /// It is one divided by it.
    Reciprocal,
    /// It is that value with its last two axes swapped.
    Swapped,
    /// It is the opposite of these truth values.
    Opposite,
    /// It is the square root of it.
    Root,
    /// It is one divided by the square root of it.
    InverseRoot,
    /// It is a part of a sum, of which nothing computes it alone.
    Part,
}

/// How many axes an edit assumes that a value has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axes {
    /// The value.
    pub of: ValueId,
    /// At least so many.
    pub least: u8,
    /// At most so many, if that is assumed.
    pub most: Option<u8>,
}

/// What a rule matched at a place.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name of the pattern's function.
    pub variant: String,
    /// The scope.
    pub scope: Symbol,
    /// What is replaced.
    pub root: Occurrence,
    /// What the result is compared at: the root itself, or the uses of it that the rule lists.
    pub places: Vec<Occurrence>,
    /// What each parameter of the pattern, and of its uses, stands for.
    pub bindings: Vec<(String, Form, ValueId)>,
    /// What is assumed of how many axes values have, each told of once.
    pub axes: Vec<Axes>,
    /// Whether a float32 result may become one in half precision.
    pub narrows: bool,
}

/// A value of the program that can be given to both programs in place of the code that computes it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Leaf {
    /// The parameters of the pattern that it is.
    pub bound: Vec<(String, Form)>,
    /// Those of which it is a part.
    pub feeds: Vec<String>,
    /// Nothing is known of how it is computed.
    pub opaque: bool,
    /// The parameter of the scope that it is, or the attribute of one: `self.eps`.
    pub name: Option<String>,
    /// What sort of thing it is known to be.
    pub kind: &'static str,
    /// The class of `mlx.nn` whose instance it is.
    pub module: Option<String>,
    /// How many axes it is known to have.
    pub rank: Option<u8>,
    /// For each axis: how long it is known to be.
    pub lengths: Vec<Option<i64>>,
    /// The dtypes that it can have, if it is known to be an array; empty where that is not known.
    pub dtypes: Vec<&'static str>,
    /// The axes of other values that it counts.
    pub counts: Vec<(usize, i64)>,
}

/// What a parameter of the pattern is without being given.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Constant {
    /// A number, as text: JSON has no infinity.
    Number(String),
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
    /// A dtype, by its name.
    Dtype(String),
    /// The dtype of another parameter.
    DtypeOf(String),
}

/// One text, and what of it stands for which leaf.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    /// The text of the file.
    pub text: String,
    /// For each place that is compared: where it is, in bytes.
    pub places: Vec<(usize, usize)>,
    /// Expressions, in bytes, and the leaf that each is.
    pub marks: Vec<(usize, usize, usize)>,
    /// Expressions, in bytes, and which of the numbers of axes that are assumed is that of each.
    pub axes: Vec<(usize, usize, usize)>,
}

/// What is to be run of one finding.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Replay {
    /// What a rule replaces.
    Values(Box<Values>),
    /// The code around what a pass changes.
    Statements(Box<Statements>),
}

impl Replay {
    /// The texts before and after.
    pub fn texts(&self) -> (&str, &str) {
        match self {
            Self::Values(values) => (&values.before.text, &values.after.text),
            Self::Statements(statements) => (&statements.before.text, &statements.after.text),
        }
    }

    /// The file of the rule.
    pub fn rule(&self) -> &str {
        match self {
            Self::Values(values) => &values.rule,
            Self::Statements(_) => "",
        }
    }
}

/// Functions, or statements of the module, that a pass changes.
#[derive(Clone, Debug, Serialize)]
pub struct Statements {
    /// Whether a float32 result may become one in half precision.
    pub narrows: bool,
    /// Whether the edit rests on an assumption.
    pub assumes: bool,
    /// The text that the edit is made in; its places are what is changed.
    pub before: Version,
    /// The same text with this edit alone; its places are what is new.
    pub after: Version,
    /// What is known of what the code gets from outside.
    pub leaves: Vec<Leaf>,
}

/// The value that a rule replaces.
#[derive(Clone, Debug, Serialize)]
pub struct Values {
    /// The transform.
    pub id: String,
    /// The file of the rule.
    pub rule: String,
    /// Whether the rule ships with mlxfix. Others are run only as far as they are seen to be harmless.
    pub ships: bool,
    /// The name of the pattern's function.
    pub variant: String,
    /// What the edit claims of the numbers.
    pub numerics: &'static str,
    /// The parameters of the pattern, and of its uses, that stand for something here.
    pub parameters: Vec<String>,
    /// Whether a float32 result may become one in half precision.
    pub narrows: bool,
    /// Whether the edit rests on an assumption.
    pub assumes: bool,
    /// How many axes the edit assumes that values have: at least, and at most.
    pub axes: Vec<(u8, Option<u8>)>,
    /// The text that the edit is made in.
    pub before: Version,
    /// The same text with this edit alone.
    pub after: Version,
    /// What may be given to both.
    pub leaves: Vec<Leaf>,
    /// What parameters of the pattern are at this place, where they are constant or follow from others.
    pub constants: BTreeMap<String, Constant>,
    /// The arrays among the leaves, and the dtypes that they can have together; empty if that is not known.
    pub arrays: Vec<usize>,
    /// See there.
    pub dtypes: Vec<Vec<&'static str>>,
}

/// One edit in one text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key(u64);

impl Key {
    /// The key of `edits` by the transform `id` in `text`.
    pub fn of(text: &str, id: &str, edits: &[Edit]) -> Self {
        let mut hasher = DefaultHasher::new();
        (text, id).hash(&mut hasher);
        edits.iter().for_each(|e| (e.range, &e.content).hash(&mut hasher));
        Self(hasher.finish())
    }
}

/// What came of running a site.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Verdict {
    /// Both sides ran, and the new one keeps what its class of numerics promises.
    Verified(Evidence),
    /// They differ.
    Differs(Difference),
    /// Nothing could be run.
    NotReplayed {
        /// Why.
        reason: String,
    },
}

/// What was seen of a site that holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// How many inputs were run.
    pub runs: usize,
    /// How many gave the same bits.
    pub same_bits: usize,
    /// The shapes of the arrays that were given, the first few.
    pub shapes: Vec<String>,
    /// The dtypes of the arrays that were given.
    pub dtypes: Vec<String>,
    /// The largest error of the old and of the new form against float64, in units of the last place.
    pub largest_ulp: (f64, f64),
    /// The version of MLX.
    pub mlx: String,
    /// Where it ran.
    pub device: String,
}

/// What was seen of a site that differs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// What is wrong.
    pub problem: String,
    /// The input, by the text that it stands for.
    pub inputs: BTreeMap<String, String>,
    /// What the old form gave.
    pub before: String,
    /// What the new form gave.
    pub after: String,
    /// The version of MLX.
    pub mlx: String,
    /// Where it ran.
    pub device: String,
}

/// What is known of edits that were run.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    known: FxHashMap<Key, Verdict>,
    /// Nothing more will be run: what is not known does not hold.
    pub settled: bool,
}

impl Verdicts {
    /// What came of the edit with this key.
    pub fn get(&self, key: Key) -> Option<&Verdict> {
        self.known.get(&key)
    }

    /// Note what came of an edit.
    pub fn note(&mut self, key: Key, verdict: Verdict) {
        self.known.insert(key, verdict);
    }

    /// Whether the edit with this key may be applied, as far as is known.
    pub fn admit(&self, key: Key) -> bool {
        self.get(key).map_or(!self.settled, Verdict::holds)
    }
}

impl Verdict {
    /// Whether the edit was seen to hold.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Verified(_))
    }
}
