//! What users read: the diff with its reasons, the summary, and JSON. Everything here turns data into bytes; it reads no file, prints nothing and decides
//! nothing about exit codes.

mod diff;
mod dtypes;
mod json;
mod preamble;
mod quote;
mod refusal;
mod text;
mod verdict;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::engine::{Fixed, Reported};
use crate::syntax::{Lines, Location, TextRange, TextSize};

pub use diff::{diff, unified};
pub use dtypes::{dtype_records, dtype_text};
pub use json::{array, problem_record, records};
pub use preamble::remarks;
pub use refusal::{refusal_record, refusal_text};
pub use text::{Summary, problem_line};
pub use verdict::verdicts;

/// One analysed file, as the reports need it.
pub struct FileReport<'a> {
    /// The file's name in the diff and in JSON.
    pub path: &'a Path,
    /// The same file by its full name, which JSON also carries.
    pub full_path: &'a Path,
    /// Symbolic links to the file, by the same two names. The diff changes the file itself; who looks up a name in JSON finds it under each.
    pub links: &'a [(PathBuf, PathBuf)],
    /// The original text.
    pub text: &'a str,
    /// The bytes of the file.
    pub old: &'a [u8],
    /// The bytes it should have; equal to `old` where nothing is to be changed.
    pub new: &'a [u8],
    /// What the engine found.
    pub fixed: &'a Fixed,
    /// Whether `new` was written: then only what is left to do is told, at its place in the new text.
    pub written: bool,
}

impl FileReport<'_> {
    /// The findings to tell, in order.
    fn findings(&self) -> impl Iterator<Item = &Reported> {
        self.fixed.findings.iter().filter(|r| !(self.written && r.applied))
    }

    /// Where the told findings are counted: in the text the user has before them.
    fn lines(&self) -> Lines<'_> {
        Lines::of(if self.written { &self.fixed.text } else { self.text })
    }

    /// Where `range` of the original text begins and ends in [`Self::lines`].
    fn span(&self, lines: &Lines<'_>, range: TextRange) -> (Location, Location) {
        let place = |offset| lines.location(if self.written { self.moved(offset) } else { offset });
        (place(range.start()), place(range.end()))
    }

    /// Where `offset` of the original text is in the new one; inside an edit, where that edit begins.
    fn moved(&self, offset: TextSize) -> TextSize {
        let (mut added, mut removed) = (0u32, 0u32);
        for (edit, _) in self.fixed.edits.iter() {
            if edit.range.end() > offset {
                let inside = edit.range.start() < offset;
                return if inside {
                    TextSize::new(edit.range.start().to_u32() + added - removed)
                } else {
                    TextSize::new(offset.to_u32() + added - removed)
                };
            }
            added += edit.content.len() as u32;
            removed += edit.range.len().to_u32();
        }
        TextSize::new(offset.to_u32() + added - removed)
    }
}

/// Why a file was not analysed, or not changed although it should have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What kind of trouble it is.
    pub kind: ProblemKind,
    /// Where in the file, if at a place in it.
    pub location: Option<Location>,
    /// What is wrong, without the path.
    pub message: String,
}

/// The kinds of trouble, by what users must do about them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ProblemKind {
    /// It cannot be opened or read.
    Unreadable,
    /// It is larger than what is analysed.
    TooLarge,
    /// Its bytes are not text in the encoding it declares.
    Undecodable,
    /// It is not Python.
    Syntax,
    /// A promise of the engine was broken, so the file was left alone.
    SelfCheck,
    /// The analysis panicked, so the file was left alone.
    Internal,
    /// The new text could not be written; the file is as it was.
    NotWritten,
}

impl ProblemKind {
    /// The name under which machines find it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable-file",
            Self::TooLarge => "file-too-large",
            Self::Undecodable => "undecodable-file",
            Self::Syntax => "syntax-error",
            Self::SelfCheck => "self-check-failed",
            Self::Internal => "internal-error",
            Self::NotWritten => "file-not-written",
        }
    }

    /// Whether the tool itself failed, as against the file being unfit: such a failure is never hidden.
    pub fn is_failure_of_the_tool(self) -> bool {
        matches!(self, Self::SelfCheck | Self::Internal | Self::NotWritten)
    }
}

/// A path for text and JSON: with `/` on every system, and bytes that are no text replaced.
fn readable(path: &Path) -> Cow<'_, str> {
    let path = path.to_string_lossy();
    if cfg!(windows) { Cow::Owned(path.replace('\\', "/")) } else { path }
}
