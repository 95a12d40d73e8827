//! `why`: where a transform nearly applies, and what stands in its way.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::args::SettingsArgs;
use super::{CLEAN, print};
use crate::batch;
use crate::engine::{Options, fix, refusals};
use crate::finding::{Applicability, Refusal, TransformId};
use crate::syntax::{Lines, TextRange, decode};

/// Print the refusals in `place`, a file or `FILE:LINE`.
pub(super) fn why(place: &str, selected: &[String], settings: &SettingsArgs) -> Result<u8> {
    let (path, row) = match place.rsplit_once(':') {
        Some((path, row)) if !Path::new(place).exists() => (path, Some(row.parse::<usize>().with_context(|| format!("`{row}` is no line number"))?)),
        _ => (place, None),
    };
    let bytes = batch::whole(Path::new(path)).with_context(|| format!("cannot read {path}"))?;
    let (text, _) = decode(&bytes).map_err(|e| anyhow::anyhow!("{path}:{e}"))?;
    let options = settings.transforms_for(Path::new(path))?.selected(selected, Applicability::Safe)?;
    let lines = Lines::of(&text);
    let line = match row {
        Some(row) => Some(lines.line(row).with_context(|| format!("{path} has no line {row}"))?),
        None => None,
    };
    let found = match refusals(&text, &options, line) {
        Ok(found) => found,
        Err(error) => bail!("{path}:{error}"),
    };
    let mut out: String = line.iter().flat_map(|&line| rewritten(path, &text, &options, line)).collect();
    for (id, refusal) in &found {
        out.push_str(&told(path, &text, &lines, id, refusal));
    }
    if let (Some(row), true) = (row, out.is_empty()) {
        out = format!("{path}:{row}: nothing on this line is near to what a transform looks for\n");
    }
    print(out.as_bytes())?;
    Ok(CLEAN)
}

/// That transforms do apply to `line`.
fn rewritten(path: &str, text: &str, options: &Options, line: TextRange) -> Vec<String> {
    let lines = Lines::of(text);
    let row = lines.location(line.start()).row;
    let found = fix(text, options).map(|f| f.findings).unwrap_or_default();
    let here = found.into_iter().filter(|f| f.finding.range.intersect(line).is_some());
    here.map(|f| match f.finding.applicability {
        Applicability::Safe => format!("{path}:{row}: line {row} is rewritten by {}\n", f.finding.transform),
        other => format!("{path}:{row}: line {row} is rewritten by {} with --{}\n", f.finding.transform, other.as_str()),
    })
    .collect()
}

/// A refusal with the line that it is about, and a mark below what is in the way.
fn told(path: &str, text: &str, lines: &Lines<'_>, id: &TransformId, refusal: &Refusal) -> String {
    let (first, last) = (lines.location(refusal.at.start()), lines.location(refusal.at.end()));
    let mut out = format!("{path}:{}:{}: {id}: {}\n", first.row, first.column, refusal.reason);
    let Some(line) = lines.line(first.row) else { return out };
    let line = &text[line];
    let end = if last.row == first.row { last.column } else { line.chars().count() + 1 };
    // Tabs stay tabs, so that the mark stands below what it marks.
    let before: String = line.chars().take(first.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let number = first.row.to_string();
    let margin = " ".repeat(number.len());
    let _ = writeln!(out, "{number} | {line}\n{margin} | {before}{}", "^".repeat(end.saturating_sub(first.column).max(1)));
    out
}
