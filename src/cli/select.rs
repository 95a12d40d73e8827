//! Selectors of `--select` and `--ignore` to transform ids. One that names nothing is an error: a misspelt selector must not pass for a clean run.

use anyhow::{Result, bail};

use crate::catalog::CATALOG;
use crate::engine::Options;
use crate::finding::{Applicability, TransformId};

/// The engine's options for what users select.
pub(super) fn options(select: &[String], ignore: &[String], admit: Applicability) -> Result<Options> {
    let select = if select.is_empty() { None } else { ids(select)? };
    // To ignore all is to select none.
    match ids(ignore)? {
        Some(ignore) => Ok(Options { select, ignore, admit }),
        None => Ok(Options { select: Some(Vec::new()), ignore: Vec::new(), admit }),
    }
}

/// The ids that `selectors` name; `None` if one of them is `all`.
fn ids(selectors: &[String]) -> Result<Option<Vec<TransformId>>> {
    let mut ids = Vec::new();
    let mut all = false;
    for selector in selectors.iter().map(|selector| selector.trim()) {
        if selector.eq_ignore_ascii_case("all") {
            all = true;
        } else {
            ids.push(TransformId::from(entry(selector)?.id));
        }
    }
    Ok((!all).then_some(ids))
}

/// The catalog entry that `selector` names.
pub(super) fn entry(selector: &str) -> Result<&'static crate::catalog::Entry> {
    if let Some(entry) = CATALOG.iter().find(|entry| entry.id == selector) {
        return Ok(entry);
    }
    match nearest(selector, CATALOG.iter().map(|entry| entry.id)) {
        Some(id) => bail!("there is no transform {selector:?}; did you mean {id:?}?"),
        None => bail!("there is no transform {selector:?}; `mlxfix list` names them all"),
    }
}

/// The name closest to `text`, if any is close enough to be meant.
fn nearest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let text = text.to_ascii_lowercase().replace('_', "-");
    let (distance, name) = names.map(|name| (distance(&text, name), name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

/// How many characters must be put in, left out or replaced to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised() {
        let names = ["rms-norm", "layer-norm", "addmm"];
        assert_eq!(nearest("rms_norm", names.into_iter()), Some("rms-norm"));
        assert_eq!(nearest("rmsnorm", names.into_iter()), Some("rms-norm"));
        assert_eq!(nearest("adm", names.into_iter()), Some("addmm"));
        assert_eq!(nearest("unused-import", names.into_iter()), None);
    }

    #[test]
    fn distances_count_single_changes() {
        for (a, b, expected) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
