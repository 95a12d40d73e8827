//! What stands in the way of a transform, for people and for machines.

use std::path::Path;

use serde::Serialize;

use crate::finding::{Refusal, TransformId};
use crate::syntax::Lines;

use super::json::Place;
use super::readable;

/// Lines are shown up to this length: a mark further to the right would be lost.
const MAX_LINE: usize = 160;

/// The reason, the line that it is about, and a mark below what is in the way.
pub fn refusal_text(path: &str, text: &str, lines: &Lines<'_>, id: &TransformId, refusal: &Refusal) -> String {
    let (first, last) = (lines.location(refusal.at.start()), lines.location(refusal.at.end()));
    let head = format!("{path}:{}:{}: {id}: would apply, but {}\n", first.row, first.column, refusal.reason);
    let Some(line) = lines.line(first.row).map(|range| &text[range]).filter(|line| line.chars().count() <= MAX_LINE) else { return head };
    let end = if last.row == first.row { last.column } else { line.chars().count() + 1 };
    // Tabs stay tabs, so that the mark stands below what it marks.
    let before: String = line.chars().take(first.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let number = first.row.to_string();
    let margin = " ".repeat(number.len());
    let mark = "^".repeat(end.saturating_sub(first.column).max(1));
    format!("{head}{number} | {line}\n{margin} | {before}{mark}\n")
}

#[derive(Serialize)]
struct Record<'a> {
    code: &'a str,
    name: &'a str,
    message: &'a str,
    filename: &'a str,
    location: Place,
    end_location: Place,
    likeness: u32,
}

/// The reason as one JSON object on a line, named as in the records of findings; `likeness` is in percent.
pub fn refusal_record(path: &Path, lines: &Lines<'_>, id: &TransformId, refusal: &Refusal) -> Vec<u8> {
    let record = Record {
        code: id.as_str(),
        name: id.as_str(),
        message: &refusal.reason,
        filename: &readable(path),
        location: lines.location(refusal.at.start()).into(),
        end_location: lines.location(refusal.at.end()).into(),
        likeness: refusal.likeness,
    };
    let mut out = serde_json::to_vec(&record).expect("invariant: strings and numbers always serialise");
    out.push(b'\n');
    out
}
