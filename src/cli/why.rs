//! `why`: where a transform nearly applies, and what stands in its way.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::args::{PlatformArgs, RecordFormat, SettingsArgs};
use super::{CLEAN, print, settings};
use crate::batch::{self, Packages};
use crate::config::Config;
use crate::engine::{Options, fix, refusals, uses_mlx};
use crate::finding::Applicability;
use crate::platform::Platform;
use crate::report;
use crate::syntax::{Lines, TextRange, decode};

/// Print the refusals in `place`, a file or `FILE:LINE`.
pub(super) fn why(place: &str, selected: &[String], from: &SettingsArgs, platform: &PlatformArgs, format: RecordFormat) -> Result<u8> {
    let (path, row) = match place.rsplit_once(':') {
        Some((path, row)) if !Path::new(place).exists() => (path, Some(row.parse::<usize>().with_context(|| format!("`{row}` is no line number"))?)),
        _ => (place, None),
    };
    let bytes = batch::small_file(Path::new(path)).with_context(|| format!("cannot read {path}"))?;
    let (text, _) = decode(&bytes).map_err(|e| anyhow::anyhow!("{path}:{e}"))?;
    let configurations = from.configurations();
    let configuration = settings::governing(&configurations, Some(Path::new(path)))?;
    let options = from.transforms(configuration.as_deref())?.selected(selected, Applicability::Safe)?;
    let config = configuration.as_ref().map_or_else(Config::default, |c| c.config.clone());
    let packages = Packages::default();
    let is_single = packages.lacks_half(Path::new(path), &text);
    let platform = Platform { is_single, ..platform.over(&config, settings::project_mlx(&configurations, Some(Path::new(path)))) };
    let options = Options { platform, ..options };
    let lines = Lines::of(&text);
    let line = match row {
        Some(row) => Some(lines.line(row).with_context(|| format!("{path} has no line {row}"))?),
        None => None,
    };
    let found = match refusals(&text, &options, line) {
        Ok(found) => found,
        Err(error) => bail!("{path}:{error}"),
    };
    let records = || found.iter().flat_map(|(id, refusal)| report::refusal_record(Path::new(path), &lines, id, refusal)).collect::<Vec<u8>>();
    match format {
        RecordFormat::Json => return Ok(print(&report::array(&records())).map(|()| CLEAN)?),
        RecordFormat::JsonLines => return Ok(print(&records()).map(|()| CLEAN)?),
        RecordFormat::Text => {}
    }
    let mut out: String = line.iter().flat_map(|&line| rewritten((path, &text), &packages, &options, line)).collect();
    for (id, refusal) in &found {
        out.push_str(&report::refusal_text(path, &text, &lines, id, refusal));
    }
    if let (Some(row), true) = (row, out.is_empty()) {
        let is_mlx = line.is_some_and(|line| uses_mlx(&text, line));
        let what = if is_mlx { "near to what a transform looks for" } else { "known to be computed by MLX" };
        out = format!("{path}:{row}: nothing on this line is {what}\n");
    }
    print(out.as_bytes())?;
    Ok(CLEAN)
}

/// That transforms do apply to `line`.
fn rewritten((path, text): (&str, &str), packages: &Packages, options: &Options, line: TextRange) -> Vec<String> {
    let lines = Lines::of(text);
    let row = lines.location(line.start()).row;
    let found = fix(text, options).map(|f| f.findings).unwrap_or_default();
    let here = found.into_iter().filter(|f| f.finding.range.intersect(line).is_some());
    here.map(|f| match f.finding.applicability {
        Applicability::Advice if let Some(reason) = packages.unasked(Path::new(path), &f.finding) => {
            format!("{path}:{row}: {} would say what to do about line {row}, but {reason}\n", f.finding.transform)
        }
        Applicability::Safe => format!("{path}:{row}: line {row} is rewritten by {}\n", f.finding.transform),
        Applicability::Advice => format!("{path}:{row}: {} says what to do about line {row}\n", f.finding.transform),
        other => format!("{path}:{row}: line {row} is rewritten by {} with --{}\n", f.finding.transform, other.as_str()),
    })
    .collect()
}
