//! What was seen where the code of a finding was run, in words: a line for each finding, and a counterexample where it does not hold.

use super::preamble::single_line;
use super::{FileReport, readable};
use crate::replay::Verdict;

/// The verdict on each finding of `file` that has edits, as lines.
pub fn verdicts(file: &FileReport<'_>) -> Vec<u8> {
    let mut out = String::new();
    let lines = file.lines();
    for reported in &file.fixed.findings {
        let (finding, Some(verdict)) = (&reported.finding, &reported.verdict) else { continue };
        let row = file.span(&lines, finding.range).0.row;
        let lead = format!("{}:{row}: {} [{}]: ", readable(file.path), finding.transform, finding.applicability.as_str());
        single_line(&mut out, &format!("{lead}{}", sentence(verdict)));
        if let Verdict::Differs(seen) = verdict {
            let inputs = seen.inputs.iter().map(|(text, value)| format!("{text} = {value}"));
            let results = [format!("before gives {}", seen.before), format!("after gives {}", seen.after)];
            inputs.chain(results).for_each(|line| single_line(&mut out, &format!("    {line}")));
        }
    }
    out.into_bytes()
}

/// A verdict as one sentence.
pub(super) fn sentence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Verified(seen) => {
            let (before, after) = seen.largest_ulp;
            let errors =
                if seen.same_bits == seen.runs { "the same bits".to_owned() } else { format!("largest error {before:.2} -> {after:.2} ulp") };
            let inputs = if seen.runs == 1 { "input" } else { "inputs" };
            let (dtypes, shapes) = (seen.dtypes.join(", "), seen.shapes.join("; "));
            // Code that is given no array has neither.
            let arrays = if dtypes.is_empty() { String::new() } else { format!("; {dtypes}; shapes {shapes}") };
            format!("verified on {} {inputs}: {errors}{arrays} (MLX {}, {})", seen.runs, seen.mlx, seen.device)
        }
        Verdict::Differs(seen) => format!("withdrawn, for it was run and differs: {} (MLX {}, {})", seen.problem, seen.mlx, seen.device),
        Verdict::NotReplayed { reason } => format!("not verified: {reason}"),
    }
}
