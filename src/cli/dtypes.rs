//! `dtypes`: what is known of the dtypes of a file's named values.

use std::path::Path;

use anyhow::{Result, anyhow, bail};

use super::args::RecordFormat;
use super::graph::read;
use super::{CLEAN, print};
use crate::engine::dtypes as tables;
use crate::report;

/// Print the dtypes in `place`, a file or `FILE:FUNCTION`.
pub(super) fn dtypes(place: &str, format: RecordFormat) -> Result<u8> {
    let (path, function, text) = read(place)?;
    let tables = tables(&text, function).map_err(|e| anyhow!("{path}:{e}"))?;
    if tables.is_empty() {
        bail!("{path} has no function {:?}; methods are named with their class", function.unwrap_or_default());
    }
    let records = || report::dtype_records(Path::new(path), &text, &tables);
    match format {
        RecordFormat::Text => print(report::dtype_text(&text, &tables).as_bytes())?,
        RecordFormat::Json => print(&report::array(&records()))?,
        RecordFormat::JsonLines => print(&records())?,
    }
    Ok(CLEAN)
}
