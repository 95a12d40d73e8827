//! The reasons for a file's changes, as `# ` lines before its diff. Every line begins with `#`, so that neither `git apply` nor `patch` can take one for
//! part of the diff; nothing is ever put between hunks, which `git apply` refuses.

use std::collections::HashSet;

use crate::engine::Reported;
use crate::finding::{Applicability, Finding};

use super::verdict::sentence;
use super::{FileReport, readable};

/// What is said about the findings of `file`, each line ending in a line feed.
pub fn remarks(file: &FileReport<'_>) -> String {
    let mut out = String::new();
    let lines = file.lines();
    // What is true of a transform wherever it applies is said once a file.
    let mut said = HashSet::new();
    if !file.links.is_empty() && file.findings().next().is_some() {
        let names: Vec<_> = file.links.iter().map(|(link, _)| readable(link)).collect();
        line(&mut out, "", &format!("{}: also linked to as {}", readable(file.path), names.join(", ")));
    }
    for reported in file.findings() {
        let finding = &reported.finding;
        let row = file.span(&lines, finding.range).0.row;
        let (id, how) = (&finding.transform, finding.applicability.as_str());
        line(&mut out, "", &format!("{}:{row}: {id} [{how}]: {}", readable(file.path), finding.message));
        // The first line counts what this site costs, so it is never left out.
        for (_, reason) in finding.rationale.iter().enumerate().filter(|(n, r)| said.insert((id.as_str(), r.as_str())) || *n == 0) {
            line(&mut out, "  ", reason);
        }
        for assumption in &finding.assumptions {
            line(&mut out, "  assumes that ", assumption);
        }
        if let Some(numerics) = finding.numerics {
            line(&mut out, "  numerics: ", numerics.as_str());
        }
        if !finding.guide.is_empty() {
            line(&mut out, "  guide: ", &finding.guide);
        }
        if let Some(verdict) = &reported.verdict {
            line(&mut out, "  ", &sentence(verdict));
        }
        if let Some(way) = not_applied(reported) {
            line(&mut out, "  ", way);
        }
    }
    out
}

/// Why the edit of `reported` is not in the diff, and what would put it there. Advice without an edit speaks for itself.
fn not_applied(reported: &Reported) -> Option<&'static str> {
    let Finding { applicability, edits, .. } = &reported.finding;
    match applicability {
        _ if reported.applied || edits.is_empty() => None,
        _ if reported.verdict.as_ref().is_some_and(|v| !v.holds()) => Some("not applied: only what was verified is"),
        _ if reported.held_back => Some("not applied: it does not keep every bit, as --exact demands"),
        Applicability::Safe => Some("not applied: the file was left alone, or another edit is in the way"),
        Applicability::Narrowing => Some("not applied: apply with --narrow"),
        Applicability::Unsafe => Some("not applied: apply with --unsafe"),
        Applicability::Advice => Some("not applied: yours to decide"),
    }
}

/// One remark.
fn line(out: &mut String, lead: &str, text: &str) {
    out.push_str("# ");
    out.push_str(lead);
    single_line(out, text);
}

/// A line of its own. A line ending or another control character inside it would end it, so each is replaced by a blank.
pub(super) fn single_line(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }));
    out.push('\n');
}
