//! Offsets as rows and columns, for texts that need no tree: reports say where findings are without parsing a second time. It builds no text.

use ruff_source_file::{LineIndex, OneIndexed, PositionEncoding};
use ruff_text_size::{TextRange, TextSize};

use super::Location;

/// A text with its line starts.
pub struct Lines<'a> {
    text: &'a str,
    index: LineIndex,
}

impl<'a> Lines<'a> {
    /// Find the lines of `text`; they end in LF, CRLF or a lone CR, as for Python.
    pub fn of(text: &'a str) -> Self {
        Self { text, index: LineIndex::from_source_text(text) }
    }

    /// Where `offset` is, as users count it.
    pub fn location(&self, offset: TextSize) -> Location {
        let at = self.index.source_location(offset, self.text, PositionEncoding::Utf32);
        Location { row: at.line.get(), column: at.character_offset.get() }
    }

    /// Line number `row`, counted from 1, without its line ending; `None` past the end.
    pub fn line(&self, row: usize) -> Option<TextRange> {
        let line = OneIndexed::new(row).filter(|&l| l.get() <= self.index.line_count())?;
        let range = self.index.line_range(line, self.text);
        let text = self.text[range].trim_end_matches(['\n', '\r']);
        Some(TextRange::at(range.start(), TextSize::of(text)))
    }
}
