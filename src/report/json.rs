//! Findings as JSON, one object a line, in the shape of ruff's output with our own fields added, so that what reads ruff's reads ours. The array form is the
//! same objects between brackets.

use std::iter;
use std::path::Path;

use serde::Serialize;

use crate::engine::Reported;
use crate::finding::{Applicability, Numerics};
use crate::replay::Verdict;
use crate::syntax::{Lines, Location};

use super::{FileReport, Problem, readable};

#[derive(Serialize)]
struct Record<'a> {
    cell: Option<u32>,
    code: Option<&'a str>,
    name: &'a str,
    message: &'a str,
    url: Option<&'a str>,
    filename: &'a str,
    location: Place,
    end_location: Place,
    noqa_row: usize,
    severity: &'a str,
    fix: Option<Fix<'a>>,
    // From here on ours.
    file: &'a str,
    line: usize,
    end_line: usize,
    rule: &'a str,
    applicability: Option<Applicability>,
    applied: bool,
    numerics: Option<Numerics>,
    rationale: &'a [String],
    assumptions: &'a [String],
    guide: Option<&'a str>,
    /// The findings without which there is no `fix`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixed_with: Vec<Other<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<&'a Verdict>,
}

/// Another finding of the file.
#[derive(Serialize)]
struct Other<'a> {
    rule: &'a str,
    line: usize,
}

#[derive(Serialize)]
struct Fix<'a> {
    applicability: &'a str,
    message: &'a str,
    edits: Vec<FixEdit<'a>>,
}

#[derive(Serialize)]
struct FixEdit<'a> {
    content: &'a str,
    location: Place,
    end_location: Place,
}

/// A place, from row 1 and column 1.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Place {
    row: usize,
    column: usize,
}

impl From<Location> for Place {
    fn from(at: Location) -> Self {
        Self { row: at.row, column: at.column }
    }
}

/// The findings of `file`, one JSON object a line, under each name of the file.
pub fn records(file: &FileReport<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let lines = file.lines();
    let links = file.links.iter().map(|(shown, full)| (&**shown, &**full));
    for name in iter::once((file.path, file.full_path)).chain(links) {
        append_all(&mut out, file, &lines, name);
    }
    out
}

fn append_all(out: &mut Vec<u8>, file: &FileReport<'_>, lines: &Lines<'_>, name: (&Path, &Path)) {
    let (shown, full) = (readable(name.0), readable(name.1));
    for reported in file.findings() {
        let finding = &reported.finding;
        let (start, end) = file.span(lines, finding.range);
        let id = finding.transform.as_str();
        append(
            out,
            &Record {
                cell: None,
                code: Some(id),
                name: id,
                message: &finding.message,
                url: None,
                filename: &full,
                location: start.into(),
                end_location: end.into(),
                noqa_row: start.row,
                severity: if finding.applicability == Applicability::Advice { "info" } else { "warning" },
                fix: fix(file, lines, reported),
                file: &shown,
                line: start.row,
                end_line: last_row(start, end),
                rule: id,
                applicability: Some(finding.applicability),
                applied: reported.applied,
                numerics: finding.numerics,
                rationale: &finding.rationale,
                assumptions: &finding.assumptions,
                guide: Some(finding.guide.as_str()).filter(|guide| !guide.is_empty()),
                fixed_with: fixed_with(file, lines, reported),
                verification: reported.verdict.as_ref(),
            },
        );
    }
}

/// A file that was not analysed or not changed, as one JSON object on a line.
pub fn problem_record(path: &Path, full_path: &Path, problem: &Problem) -> Vec<u8> {
    let (shown, full) = (readable(path), readable(full_path));
    let place = Place::from(problem.location.unwrap_or(Location { row: 1, column: 1 }));
    let mut out = Vec::new();
    append(
        &mut out,
        &Record {
            cell: None,
            code: None,
            name: problem.kind.as_str(),
            message: &problem.message,
            url: None,
            filename: &full,
            location: place,
            end_location: place,
            noqa_row: place.row,
            severity: "error",
            fix: None,
            file: &shown,
            line: place.row,
            end_line: place.row,
            rule: problem.kind.as_str(),
            applicability: None,
            applied: false,
            numerics: None,
            rationale: &[],
            assumptions: &[],
            guide: None,
            fixed_with: Vec::new(),
            verification: None,
        },
    );
    out
}

/// The objects of `lines`, one a line, as a JSON array.
pub fn array(lines: &[u8]) -> Vec<u8> {
    let mut out = b"[".to_vec();
    // JSON escapes line feeds inside strings, so each one here ends an object.
    for (at, object) in lines.split(|&b| b == b'\n').filter(|object| !object.is_empty()).enumerate() {
        out.extend(if at == 0 { &b"\n  "[..] } else { b",\n  " });
        out.extend(object);
    }
    out.extend(if out.len() > 1 { &b"\n]\n"[..] } else { b"]\n" });
    out
}

/// What an editor applies for this finding and no other.
fn fix<'a>(file: &FileReport<'_>, lines: &Lines<'_>, reported: &'a Reported) -> Option<Fix<'a>> {
    let finding = &reported.finding;
    // In a file that was written the edits are told at their places in what was written.
    let edits = match &reported.alone {
        Some(alone) if file.written => &alone.result,
        Some(alone) => &alone.original,
        None => &finding.edits,
    };
    if edits.is_empty() {
        return None;
    }
    let place = |offset| Place::from(lines.location(offset));
    let edits = edits.iter().map(|e| FixEdit { content: &e.content, location: place(e.range.start()), end_location: place(e.range.end()) }).collect();
    let applicability = match finding.applicability {
        Applicability::Advice => "displayonly",
        other => other.as_str(),
    };
    Some(Fix { applicability, message: &finding.message, edits })
}

/// The findings without which this one is not applied.
fn fixed_with<'a>(file: &FileReport<'a>, lines: &Lines<'_>, reported: &Reported) -> Vec<Other<'a>> {
    let others = reported.alone.iter().filter(|_| !file.written).flat_map(|alone| &alone.with).map(|&n| &file.fixed.findings[n].finding);
    others.map(|other| Other { rule: other.transform.as_str(), line: file.span(lines, other.range).0.row }).collect()
}

/// The last row with a character of the range: one that ends with a line feed ends at column 1 of the row after.
fn last_row(start: Location, end: Location) -> usize {
    if end.column == 1 && end.row > start.row { end.row - 1 } else { end.row }
}

fn append(out: &mut Vec<u8>, record: &Record<'_>) {
    serde_json::to_writer(&mut *out, record).expect("invariant: strings, numbers and lists of them always serialise");
    out.push(b'\n');
}
