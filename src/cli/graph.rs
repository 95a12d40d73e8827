//! `graph`: the value graph of a file or one of its functions, as text.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use super::{CLEAN, print};
use crate::batch;
use crate::engine::graphs;
use crate::syntax::decode;

/// Print the graph of `place`, a file or `FILE:FUNCTION`.
pub(super) fn graph(place: &str) -> Result<u8> {
    let (path, function, text) = read(place)?;
    let shown = graphs(&text, function).map_err(|e| anyhow!("{path}:{e}"))?;
    if shown.is_empty() {
        bail!("{path} has no function {:?}; methods are named with their class", function.unwrap_or_default());
    }
    print(shown.join("\n").as_bytes())?;
    Ok(CLEAN)
}

/// The file of `place`, the function that it names with the class or function around it (`Attention.__call__`), and the file's text.
pub(super) fn read(place: &str) -> Result<(&str, Option<&str>, String)> {
    let (path, function) = match place.rsplit_once(':') {
        Some((path, function)) if !Path::new(place).exists() => (path, Some(function)),
        _ => (place, None),
    };
    let bytes = batch::small_file(Path::new(path)).with_context(|| format!("cannot read {path}"))?;
    let (text, _) = decode(&bytes).map_err(|e| anyhow!("{path}:{e}"))?;
    Ok((path, function, text.to_string()))
}
