//! The unified diff of a file, in the bytes of the file, as git writes it: what `git apply` and `patch` make of it is byte for byte the new text. Each hunk
//! names, after its second `@@`, the transforms that caused it. It knows nothing of other files and does not decide what is applied.

use std::fmt::Write as _;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

use crate::engine::Fixed;

use super::{FileReport, quote, remarks};

/// Lines of context around a change, as in git.
const CONTEXT: usize = 3;

/// The remarks on `file` and then its diff; only remarks where nothing is to be changed, or was changed already.
pub fn diff(file: &FileReport<'_>) -> Vec<u8> {
    let mut out = remarks(file).into_bytes();
    if file.written || file.old == file.new {
        return out;
    }
    let (header, line) = (quote::in_header, quote::in_file_line);
    for part in [
        b"diff --git ",
        &header("a", file.path)[..],
        b" ",
        &header("b", file.path),
        b"\n--- ",
        &line("a", file.path),
        b"\n+++ ",
        &line("b", file.path),
    ] {
        out.extend(part);
    }
    out.push(b'\n');
    let owners = Owners::of(file);
    unified(&mut out, file.old, file.new, |changed| owners.tag(&changed));
    out
}

/// Append the hunks that turn `old` into `new`; `tag` is given the old lines (from 0) that a hunk changes, one range for each change in it.
pub fn unified(out: &mut Vec<u8>, old: &[u8], new: &[u8], tag: impl Fn(Vec<Range<usize>>) -> String) {
    let (old, new) = (lines(old), lines(new));
    for group in group_diff_ops(capture_diff_slices(Algorithm::Myers, &old, &new), CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let was = span(first.old_range().start, last.old_range().end);
        let is = span(first.new_range().start, last.new_range().end);
        let changed = group.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).map(DiffOp::old_range).collect();
        out.extend(format!("@@ -{was} +{is} @@{}\n", tag(changed)).bytes());
        for op in &group {
            if let DiffOp::Equal { .. } = op {
                old[op.old_range()].iter().for_each(|line| put(out, b' ', line));
            } else {
                old[op.old_range()].iter().for_each(|line| put(out, b'-', line));
                new[op.new_range()].iter().for_each(|line| put(out, b'+', line));
            }
        }
    }
}

/// The lines of `bytes` with their endings. Only LF ends a line here, for that is how the tools that read diffs count.
fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&b| b == b'\n').collect()
}

fn put(out: &mut Vec<u8>, sign: u8, line: &[u8]) {
    out.push(sign);
    out.extend(line);
    if !line.ends_with(b"\n") {
        out.extend(b"\n\\ No newline at end of file\n");
    }
}

/// Lines `start..end` (from 0) as a hunk header counts them: an empty range names the line before it, and a count of 1 is left out.
fn span(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

/// Which findings changed which lines of a file.
struct Owners<'a> {
    fixed: &'a Fixed,
    /// For each edit the first and the last old line it touches (from 0).
    touched: Vec<(usize, usize)>,
}

impl<'a> Owners<'a> {
    fn of(file: &FileReport<'a>) -> Self {
        let (mut at, mut row) = (0, 0);
        let bytes = file.text.as_bytes();
        // Edits are sorted, so the line feeds before each are counted once.
        let mut row_of = |offset: usize| {
            row += bytes[at..offset].iter().filter(|&&b| b == b'\n').count();
            at = offset;
            row
        };
        let touched = file.fixed.edits.iter().map(|(edit, _)| (row_of(edit.range.start().to_usize()), row_of(edit.range.end().to_usize()))).collect();
        Self { fixed: file.fixed, touched }
    }

    /// ` mlxfix: rms-norm [safe], addmm [unsafe]`: the transforms with an edit on the `changed` lines, in the order of their edits.
    fn tag(&self, changed: &[Range<usize>]) -> String {
        let mut names: Vec<(&str, &str)> = Vec::new();
        // An insertion changes no old line, and an edit that ends with a line feed ends on the line after: hence the line more on both sides.
        let meets = |&(first, last): &(usize, usize)| changed.iter().any(|lines| first <= lines.end && last >= lines.start);
        for (index, (_, findings)) in self.fixed.edits.iter().enumerate() {
            if !self.touched.get(index).is_some_and(meets) {
                continue;
            }
            for reported in findings.iter().filter_map(|&f| self.fixed.findings.get(f)) {
                let name = (reported.finding.transform.as_str(), reported.finding.applicability.as_str());
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let mut tag = String::new();
        for (at, (id, how)) in names.iter().enumerate() {
            let lead = if at == 0 { " mlxfix:" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(tag, "{lead} {id} [{how}]");
        }
        tag
    }
}
