//! The transforms that a run knows, the catalog's and the user's, and selectors of `--select` and `--ignore` to their ids. One that names nothing is an error:
//! a misspelt selector must not pass for a clean run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};

use crate::batch::{self, Places};
use crate::catalog::{CATALOG, UserRule};
use crate::engine::Options;
use crate::finding::{Applicability, TransformId};
use crate::syntax::decode;

/// The transforms of a run, in the order in which they run.
pub(super) struct Transforms {
    rules: Vec<Arc<UserRule>>,
}

/// What selects a transform.
pub(super) struct Selector {
    /// The id, or `all`.
    pub(super) text: String,
    /// Where it stands, if not on the command line.
    pub(super) place: Option<String>,
}

impl Transforms {
    /// Those of the catalog, and the rules in `files`.
    pub(super) fn with_rules<'f>(files: impl Iterator<Item = &'f PathBuf>) -> Result<Self> {
        let mut rules: Vec<Arc<UserRule>> = Vec::new();
        for file in files {
            let rule = batch::on_deep_stack(|| read_rule(file)).context("cannot start a thread")??;
            match rules.iter().find(|r| r.id() == rule.id()) {
                None => rules.push(Arc::new(rule)),
                // Named twice, by the configuration and by hand.
                Some(known) if known.file == rule.file => {}
                Some(known) => {
                    let (file, other) = (shown(&rule.file), shown(&known.file));
                    bail!("{file}:1:1: the rule {other} is called {:?} already", rule.id());
                }
            }
        }
        Ok(Self { rules })
    }

    /// The id and the file of each.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        CATALOG.iter().map(|e| (e.id, e.text)).chain(self.rules.iter().map(|r| (r.id(), &*r.text)))
    }

    /// The id and the file of the transform that `selector` names.
    pub(super) fn named(&self, selector: &str) -> Result<(&str, &str)> {
        if let Some(found) = self.all().find(|(id, _)| *id == selector) {
            return Ok(found);
        }
        match nearest(selector, self.all().map(|(id, _)| id)) {
            Some(id) => bail!("there is no transform {selector:?}; did you mean {id:?}?"),
            None => bail!("there is no transform {selector:?}; `mlxfix list` names them all"),
        }
    }

    /// The engine's options for what users select; `None` for all.
    pub(super) fn options(&self, select: Option<&[Selector]>, ignore: &[Selector], admit: Applicability) -> Result<Options> {
        let select = select.map(|select| self.ids(select)).transpose()?.flatten();
        // To ignore all is to select none.
        let (select, ignore) = match self.ids(ignore)? {
            Some(ignore) => (select, ignore),
            None => (Some(Vec::new()), Vec::new()),
        };
        Ok(Options { select, ignore, admit, rules: self.rules.clone(), ..Options::default() })
    }

    /// The engine's options for what a command line selects, all where it selects nothing.
    pub(super) fn selected(&self, select: &[String], admit: Applicability) -> Result<Options> {
        let selectors: Vec<Selector> = select.iter().map(|text| Selector { text: text.clone(), place: None }).collect();
        self.options((!selectors.is_empty()).then_some(&selectors), &[], admit)
    }

    /// Complain of the first of `selectors` that names nothing.
    pub(super) fn check(&self, selectors: &[Selector]) -> Result<()> {
        self.ids(selectors).map(drop)
    }

    /// The ids that `selectors` name; `None` if one of them is `all`.
    fn ids(&self, selectors: &[Selector]) -> Result<Option<Vec<TransformId>>> {
        let mut ids = Vec::new();
        let mut all = false;
        for selector in selectors {
            let text = selector.text.trim();
            if text.eq_ignore_ascii_case("all") {
                all = true;
                continue;
            }
            match (self.named(text), &selector.place) {
                (Ok((id, _)), _) => ids.push(TransformId::from(id)),
                (Err(error), Some(place)) => bail!("{place}: {error}"),
                (Err(error), None) => return Err(error),
            }
        }
        Ok((!all).then_some(ids))
    }
}

/// The rule in a file, which is parsed and never executed. An error begins with its place.
fn read_rule(file: &Path) -> Result<UserRule> {
    let full = file.canonicalize().with_context(|| format!("{}: cannot read this rule", file.display()))?;
    let shown = shown(&full);
    let bytes = batch::small_file(&full).with_context(|| format!("{shown}: cannot read this rule"))?;
    let (text, _) = decode(&bytes).map_err(|e| anyhow!("{shown}:{e}"))?;
    UserRule::read(full, text.into_owned()).map_err(|e| anyhow!("{shown}:{e}"))
}

/// How messages call the file with the full name `path`.
fn shown(path: &Path) -> String {
    Places::new().name(path).near.display().to_string()
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
