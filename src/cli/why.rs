//! `why`: where a rule nearly applies, and what stands in its way.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::args::SettingsArgs;
use super::{CLEAN, print};
use crate::batch;
use crate::engine::refusals;
use crate::finding::Applicability;
use crate::syntax::{Lines, decode};

/// Print the refusals in `place`, a file or `FILE:LINE`.
pub(super) fn why(place: &str, selected: &[String], settings: &SettingsArgs) -> Result<u8> {
    let (path, line) = match place.rsplit_once(':') {
        Some((path, line)) if !Path::new(place).exists() => {
            (path, Some(line.parse::<usize>().with_context(|| format!("`{line}` is no line number"))?))
        }
        _ => (place, None),
    };
    let bytes = batch::whole(Path::new(path)).with_context(|| format!("cannot read {path}"))?;
    let (text, _) = decode(&bytes).map_err(|e| anyhow::anyhow!("{path}:{e}"))?;
    let options = settings.transforms_for(Path::new(path))?.selected(selected, Applicability::Unsafe)?;
    let found = match refusals(&text, &options) {
        Ok(found) => found,
        Err(error) => bail!("{path}:{error}"),
    };
    let lines = Lines::of(&text);
    let mut out = String::new();
    for (id, refusal) in found {
        let (first, last) = (lines.location(refusal.range.start()), lines.location(refusal.range.end()));
        if line.is_none_or(|l| (first.row..=last.row).contains(&l)) {
            let _ = writeln!(out, "{path}:{}:{}: {id}: {}", first.row, first.column, refusal.reason);
        }
    }
    print(out.as_bytes())?;
    Ok(CLEAN)
}
