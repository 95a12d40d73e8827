//! The summary for people: sites per transform and applicability, files changed, skipped and failed. Built as text; the command line prints it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::engine::Fixed;
use crate::finding::{Applicability, TransformId};
use crate::replay::Verdict;

use super::{Problem, ProblemKind, readable};

/// What a run came to, added up file by file.
#[derive(Clone, Default, Debug)]
pub struct Summary {
    sites: BTreeMap<TransformId, [usize; 4]>,
    applied: usize,
    waiting: [usize; 4],
    held_back: usize,
    /// Edits that are not applied for want of a verification.
    unverified: usize,
    /// Edits that were seen to hold, that were seen not to, and that could not be run.
    verified: [usize; 3],
    changed_files: usize,
    problems: BTreeMap<ProblemKind, usize>,
}

/// The four applicabilities, in the order of their columns.
const COLUMNS: [Applicability; 4] = [Applicability::Safe, Applicability::Narrowing, Applicability::Unsafe, Applicability::Advice];

impl Summary {
    /// Count the findings of one file, and the file itself if it is changed.
    pub fn add(&mut self, fixed: &Fixed, changed: bool) {
        self.changed_files += usize::from(changed);
        for reported in &fixed.findings {
            let column = reported.finding.applicability as usize;
            self.sites.entry(reported.finding.transform.clone()).or_default()[column] += 1;
            match reported.verdict {
                Some(Verdict::Verified(_)) => self.verified[0] += 1,
                Some(Verdict::Differs(_)) => self.verified[1] += 1,
                Some(Verdict::NotReplayed { .. }) => self.verified[2] += 1,
                None => {}
            }
            if reported.applied {
                self.applied += 1;
            } else if reported.verdict.as_ref().is_some_and(|v| !v.holds()) {
                self.unverified += 1;
            } else if reported.held_back {
                self.held_back += 1;
            } else {
                self.waiting[if reported.finding.edits.is_empty() { Applicability::Advice as usize } else { column }] += 1;
            }
        }
    }

    /// Count one file in trouble.
    pub fn add_problem(&mut self, problem: &Problem) {
        *self.problems.entry(problem.kind).or_default() += 1;
    }

    /// Count what `other` counted.
    pub fn merge(&mut self, other: &Summary) {
        for (id, counts) in &other.sites {
            let sum = self.sites.entry(id.clone()).or_default();
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        self.applied += other.applied;
        self.held_back += other.held_back;
        self.unverified += other.unverified;
        self.verified.iter_mut().zip(other.verified).for_each(|(sum, count)| *sum += count);
        self.waiting.iter_mut().zip(other.waiting).for_each(|(sum, count)| *sum += count);
        self.changed_files += other.changed_files;
        for (kind, count) in &other.problems {
            *self.problems.entry(*kind).or_default() += count;
        }
    }

    /// Whether a finding is left that was not applied.
    pub fn findings_remain(&self) -> bool {
        self.held_back > 0 || self.unverified > 0 || self.waiting.iter().any(|&count| count > 0)
    }

    /// Whether an edit was run and seen not to hold.
    pub fn contradicted(&self) -> bool {
        self.verified[1] > 0
    }

    /// Whether every edit was run and seen to hold.
    pub fn is_verified(&self) -> bool {
        self.verified[1] + self.verified[2] == 0
    }

    /// Whether any edit was applied to the texts.
    pub fn changes_something(&self) -> bool {
        self.applied > 0 || self.changed_files > 0
    }

    /// The summary in words; `written` tells whether the changes are in the files.
    pub fn render(&self, written: bool) -> String {
        let mut out = String::new();
        let width = self.sites.keys().map(|id| id.as_str().len()).max().unwrap_or(0);
        for (id, counts) in &self.sites {
            let parts = COLUMNS.iter().zip(counts).filter(|&(_, &count)| count > 0).map(|(column, count)| format!("{count} {}", column.as_str()));
            put(&mut out, &format!("{:width$}  {}", id.as_str(), parts.collect::<Vec<_>>().join(", ")));
        }
        let verb = if written { "Changed" } else { "Would change" };
        match (self.changed_files, self.sites.is_empty()) {
            (0, true) => put(&mut out, "Nothing found; `mlxfix explain profiling` says how to find what is slow."),
            (0, false) => put(&mut out, if written { "Nothing changed." } else { "Nothing to change." }),
            (files, _) => put(&mut out, &format!("{verb} {} at {}.", counted(files, "file"), counted(self.applied, "site"))),
        }
        let [verified, differing, not_run] = self.verified;
        if verified + differing + not_run > 0 {
            put(&mut out, &format!("Run under MLX: {verified} verified, {differing} withdrawn, {not_run} not verified."));
        }
        if let Some(hint) = self.hint() {
            put(&mut out, &hint);
        }
        for (kind, &count) in &self.problems {
            put(&mut out, &format!("{} {}.", counted(count, "file"), told(*kind)));
        }
        out
    }

    /// What other options would also apply.
    fn hint(&self) -> Option<String> {
        let [safe, narrowing, unsafe_, advice] = self.waiting;
        let mut parts = Vec::new();
        if safe > 0 {
            parts.push(format!("{safe} safe, but not applied"));
        }
        if narrowing > 0 {
            parts.push(format!("{narrowing} more with --narrow"));
        }
        if unsafe_ > 0 {
            parts.push(format!("{unsafe_} more with --unsafe"));
        }
        if self.held_back > 0 {
            parts.push(format!("{} more without --exact", self.held_back));
        }
        if advice > 0 {
            parts.push(format!("{advice} to change by hand"));
        }
        (!parts.is_empty()).then(|| format!("{}.", parts.join(", ")))
    }
}

/// `path:line:column: what is wrong`, as editors and terminals link it.
pub fn problem_line(path: &Path, problem: &Problem) -> String {
    let place = problem.location.map_or(String::new(), |at| format!(":{}:{}", at.row, at.column));
    let line = format!("{}{place}: {}: {}", readable(path), problem.kind.as_str(), problem.message);
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn told(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Unreadable => "could not be read",
        ProblemKind::TooLarge => "skipped as too large",
        ProblemKind::Undecodable => "could not be decoded",
        ProblemKind::Syntax => "could not be parsed",
        ProblemKind::SelfCheck => "left alone, for the result failed a check",
        ProblemKind::Internal => "left alone after an internal error",
        ProblemKind::NotWritten => "could not be written",
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn put(out: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}
