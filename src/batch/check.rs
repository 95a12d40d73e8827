//! One file's bytes through decoding, analysis and encoding, without touching the file system: what comes out is either what to tell about it or why there
//! is nothing to tell. It never lets a panic out.

use std::borrow::Cow;

use crate::engine::{self, Fixed, Options};
use crate::report::{Problem, ProblemKind};
use crate::syntax::{self, EncodingError};

use super::guard::guarded;

/// A file's texts and what was found in it.
pub struct Checked<'b> {
    /// The original text.
    pub text: Cow<'b, str>,
    /// The bytes the file should have; equal to the original ones where nothing is to be changed.
    pub bytes: Vec<u8>,
    /// What was found.
    pub fixed: Fixed,
    /// Why the edits are not to be trusted; `bytes` are then the original ones.
    pub problem: Option<Problem>,
}

/// Look for everything that `options` select in the file that holds `bytes`.
pub fn check<'b>(bytes: &'b [u8], options: &Options) -> Result<Checked<'b>, Problem> {
    let (text, encoding) = syntax::decode(bytes).map_err(|e| encoding_problem(ProblemKind::Undecodable, e))?;
    let fixed = match guarded(|| engine::fix(&text, options)) {
        Ok(Ok(fixed)) => fixed,
        Ok(Err(error)) => return Err(Problem { kind: ProblemKind::Syntax, location: Some(error.location), message: error.message }),
        Err(panic) => {
            let message = format!("the analysis stopped ({panic}); this is a bug in mlxfix, please report it");
            return Err(Problem { kind: ProblemKind::Internal, location: None, message });
        }
    };
    let mut checked = Checked { text, bytes: Vec::new(), fixed, problem: None };
    match encoding.encode(&checked.fixed.text) {
        Ok(encoded) if checked.fixed.broken.is_none() => checked.bytes = encoded.into_owned(),
        Ok(_) => {
            let message = checked.fixed.broken.take().unwrap_or_default();
            checked.withdraw(bytes, Problem { kind: ProblemKind::SelfCheck, location: None, message });
        }
        Err(error) => checked.withdraw(bytes, encoding_problem(ProblemKind::SelfCheck, error)),
    }
    Ok(checked)
}

impl Checked<'_> {
    /// Take back every edit: the file stays as it is, and `problem` says why.
    pub(super) fn withdraw(&mut self, original: &[u8], problem: Problem) {
        self.bytes = original.to_vec();
        self.fixed.text = self.text.clone().into_owned();
        self.fixed.edits = syntax::EditSet::new();
        self.fixed.findings.iter_mut().for_each(|reported| reported.applied = false);
        self.problem = Some(problem);
    }
}

fn encoding_problem(kind: ProblemKind, error: EncodingError) -> Problem {
    Problem { kind, location: Some(error.location), message: error.message }
}
