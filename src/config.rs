//! Configuration files as data: `mlxfix.toml`, or `[tool.mlxfix]` of a `pyproject.toml`. Text in, settings out, each with its place, so that whoever finds one to
//! be wrong can say where. Reads no file and knows no transform.

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use crate::platform::{Target, Version, VersionSpecifiers};
use crate::syntax::{Lines, TextSize};

/// A word of a configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Where it stands: `mlxfix.toml:3:12`.
    pub place: String,
    /// The folder of the file, from which paths and patterns count.
    pub folder: PathBuf,
}

/// What a configuration file says, each setting absent where it says nothing.
#[derive(Clone, Default, Debug)]
pub struct Config {
    /// The file whose settings hold where this one says nothing.
    pub extend: Option<Word>,
    /// The transforms to run.
    pub select: Option<Vec<Word>>,
    /// Transforms to run besides.
    pub extend_select: Vec<Word>,
    /// Transforms left out.
    pub ignore: Option<Vec<Word>>,
    /// What is left out in place of the usual folders, as patterns of `.gitignore` form.
    pub exclude: Option<Vec<Word>>,
    /// What is left out besides.
    pub extend_exclude: Vec<Word>,
    /// Whether `.gitignore` counts.
    pub respect_gitignore: Option<bool>,
    /// Files with rules of the user's own.
    pub rules: Vec<Word>,
    /// Whether edits that rest on an assumption are admitted.
    pub unsafe_: Option<bool>,
    /// Whether edits that keep half precision are admitted.
    pub narrow: Option<bool>,
    /// How findings are shown.
    pub output_format: Option<Word>,
    /// The backend that the code is for.
    pub target: Option<Target>,
    /// The oldest MLX that must run the code.
    pub mlx_version: Option<Version>,
}

impl Config {
    /// These settings, and those of `base` where nothing is said here.
    pub fn over(mut self, base: Self) -> Self {
        let joined = |mut first: Vec<Word>, second: Vec<Word>| {
            first.extend(second);
            first
        };
        self.extend_select = joined(base.extend_select, self.extend_select);
        self.extend_exclude = joined(base.extend_exclude, self.extend_exclude);
        self.rules = joined(base.rules, self.rules);
        Self {
            extend: None,
            select: self.select.or(base.select),
            ignore: self.ignore.or(base.ignore),
            exclude: self.exclude.or(base.exclude),
            respect_gitignore: self.respect_gitignore.or(base.respect_gitignore),
            unsafe_: self.unsafe_.or(base.unsafe_),
            narrow: self.narrow.or(base.narrow),
            output_format: self.output_format.or(base.output_format),
            target: self.target.or(base.target),
            mlx_version: self.mlx_version.or(base.mlx_version),
            ..self
        }
    }
}

/// The keys as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    extend: Option<Spanned<String>>,
    select: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    extend_select: Vec<Spanned<String>>,
    ignore: Option<Vec<Spanned<String>>>,
    exclude: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    extend_exclude: Vec<Spanned<String>>,
    respect_gitignore: Option<bool>,
    #[serde(default)]
    rules: Vec<Spanned<String>>,
    #[serde(rename = "unsafe", alias = "unsafe-fixes")]
    unsafe_: Option<bool>,
    narrow: Option<bool>,
    output_format: Option<Spanned<String>>,
    target: Option<Spanned<String>>,
    mlx_version: Option<Spanned<String>>,
    required_version: Option<Spanned<String>>,
}

/// The part of a `pyproject.toml` that is ours; whose the others are is not our business.
#[derive(Deserialize)]
struct Project {
    tool: Option<Tool>,
}

#[derive(Deserialize)]
struct Tool {
    mlxfix: Option<Keys>,
}

/// Read the file `path` with the content `text`, which messages call `shown`. `None` for a `pyproject.toml` that has nothing for us; an error begins with its place.
pub fn read(text: &str, path: &Path, shown: &str) -> Result<Option<Config>, String> {
    let file = File { lines: Lines::of(text), path, shown };
    let keys = if path.file_name().is_some_and(|name| name == "pyproject.toml") {
        // One that never speaks of us may be as broken as it likes.
        if !text.contains("mlxfix") {
            return Ok(None);
        }
        toml::from_str::<Project>(text).map(|project| project.tool.and_then(|tool| tool.mlxfix))
    } else {
        toml::from_str(text).map(Some)
    };
    match keys {
        Ok(Some(keys)) => file.config(keys).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(format!("{}: {}", file.place(error.span().unwrap_or_default()), error.message())),
    }
}

struct File<'a> {
    lines: Lines<'a>,
    path: &'a Path,
    shown: &'a str,
}

impl File<'_> {
    fn place(&self, span: Range<usize>) -> String {
        let at = self.lines.location(TextSize::try_from(span.start).unwrap_or_default());
        format!("{}:{}:{}", self.shown, at.row, at.column)
    }

    fn word(&self, word: Spanned<String>) -> Word {
        let place = self.place(word.span());
        Word { text: word.into_inner(), place, folder: self.path.parent().unwrap_or(self.path).to_path_buf() }
    }

    /// What `word` says; an error begins with its place.
    fn parsed<T: FromStr<Err: Display>>(&self, word: Spanned<String>) -> Result<T, String> {
        let word = self.word(word);
        word.text.parse().map_err(|e| format!("{}: {e}", word.place))
    }

    fn config(&self, keys: Keys) -> Result<Config, String> {
        if let Some(version) = keys.required_version.map(|v| self.word(v)) {
            require(&version)?;
        }
        let words = |words: Vec<Spanned<String>>| words.into_iter().map(|word| self.word(word)).collect::<Vec<_>>();
        Ok(Config {
            extend: keys.extend.map(|w| self.word(w)),
            select: keys.select.map(words),
            extend_select: words(keys.extend_select),
            ignore: keys.ignore.map(words),
            exclude: keys.exclude.map(words),
            extend_exclude: words(keys.extend_exclude),
            respect_gitignore: keys.respect_gitignore,
            rules: words(keys.rules),
            unsafe_: keys.unsafe_,
            narrow: keys.narrow,
            output_format: keys.output_format.map(|w| self.word(w)),
            target: keys.target.map(|w| self.parsed(w)).transpose()?,
            mlx_version: keys.mlx_version.map(|w| self.parsed(w)).transpose()?,
        })
    }
}

/// Whether this program has a version that `wanted` admits.
fn require(wanted: &Word) -> Result<(), String> {
    let own = env!("CARGO_PKG_VERSION");
    match admits(&wanted.text, own) {
        Some(true) => Ok(()),
        Some(false) => Err(format!("{}: this project wants mlxfix {}, and this is {own}", wanted.place, wanted.text)),
        None => Err(format!("{}: a version is written as \"0.1.0\" or \">=0.1, <0.3\"", wanted.place)),
    }
}

/// Whether the version `own` meets every condition of `wanted`; `None` if that is not understood.
fn admits(wanted: &str, own: &str) -> Option<bool> {
    let own = Version::from_str(own).ok()?;
    // A version alone asks for itself.
    let conditions = VersionSpecifiers::from_str(wanted).or_else(|_| VersionSpecifiers::from_str(&format!("=={wanted}"))).ok()?;
    (!conditions.is_empty()).then(|| conditions.contains(&own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_numbers() {
        for (wanted, expected) in [
            ("0.1.0", Some(true)),
            ("0.1", Some(true)),
            ("==0.10.0", Some(false)),
            (">=0.1, <0.3", Some(true)),
            (">=0.0.9,!=0.1.0", Some(false)),
            ("~=0.1", Some(true)),
            ("", None),
            ("new", None),
        ] {
            assert_eq!(admits(wanted, "0.1.0"), expected, "{wanted}");
        }
    }

    #[test]
    fn a_project_that_has_nothing_for_us_is_none() {
        let read = |text| read(text, Path::new("/p/pyproject.toml"), "pyproject.toml").map(|config| config.is_some());
        assert_eq!(read("[tool.other]\nx = 1\n"), Ok(false));
        assert_eq!(read("no toml ["), Ok(false));
        assert_eq!(read("[tool.mlxfix]\nselect = []\n"), Ok(true));
        assert!(read("[tool.mlxfix\n").is_err());
    }
}
