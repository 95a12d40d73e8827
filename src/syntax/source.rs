//! One parsed file: its text, tree and tokens. The text is never normalised, so that zero edits give identical bytes.

use std::fmt;

use ruff_python_ast::ModModule;
use ruff_python_ast::token::{TokenKind, Tokens};
use ruff_python_parser::{Parsed, parse_module};
use ruff_source_file::{LineIndex, PositionEncoding};
use ruff_text_size::{Ranged, TextRange, TextSize};

/// A place as users count it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Location {
    /// Line, from 1.
    pub row: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Why a text is not Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where the first error is.
    pub location: Location,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.location.row, self.location.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// The parser and every walk over its tree recurse, so a text is refused before its brackets nest deeper than any person writes.
const MAX_BRACKET_DEPTH: usize = 200;
/// The same for operators that recurse without brackets: `----x`, `not not x`, `x ** x ** x`, `lambda: lambda: x`, `a if b else c if ...`.
const MAX_PREFIX_RUN: usize = 200;

/// Blocks in blocks: what Python itself takes.
const MAX_INDENTATIONS: usize = 99;

/// Operators and blanks on one line without a comma: a chain of binary operators or attributes is a tree as deep as it is long.
const MAX_CHAIN: usize = 50_000;

/// A file's text with its tree, tokens and line starts.
pub struct Source<'a> {
    text: &'a str,
    parsed: Parsed<ModModule>,
    lines: LineIndex,
    comments: Vec<TextRange>,
}

impl<'a> Source<'a> {
    /// Parse `text`; an error names the first place that is not Python.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let lines = LineIndex::from_source_text(text);
        let error = |offset: TextSize, message: String| {
            let at = lines.source_location(offset, text, PositionEncoding::Utf32);
            SyntaxError { location: Location { row: at.line.get(), column: at.character_offset.get() }, message }
        };
        if let Some((offset, what)) = nests_too_deep(text) {
            return Err(error(offset, what));
        }
        let parsed = parse_module(text).map_err(|e| error(e.location.start(), e.error.to_string()))?;
        let comments = parsed.tokens().iter().filter(|t| t.kind() == TokenKind::Comment).map(Ranged::range).collect();
        Ok(Self { text, parsed, lines, comments })
    }

    /// The text, byte for byte as it was given.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The tree.
    pub fn module(&self) -> &ModModule {
        self.parsed.syntax()
    }

    /// The tokens, comments and line ends among them.
    pub fn tokens(&self) -> &Tokens {
        self.parsed.tokens()
    }

    /// The text of `range`.
    pub fn slice(&self, range: TextRange) -> &'a str {
        &self.text[range]
    }

    /// The text of `range` as a sentence quotes it: on one line.
    pub fn quote(&self, range: TextRange) -> String {
        self.slice(range).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Where `offset` is, as users count it.
    pub fn location(&self, offset: TextSize) -> Location {
        let at = self.lines.source_location(offset, self.text, PositionEncoding::Utf32);
        Location { row: at.line.get(), column: at.character_offset.get() }
    }

    /// Start of the line that holds `offset`.
    pub fn line_start(&self, offset: TextSize) -> TextSize {
        self.lines.line_start(self.lines.line_index(offset), self.text)
    }

    /// End of the line that holds `offset`, its line ending included.
    pub fn full_line_end(&self, offset: TextSize) -> TextSize {
        self.lines.line_range(self.lines.line_index(offset), self.text).end()
    }

    /// The white space before the first character of the line that holds `offset`.
    pub fn indentation(&self, offset: TextSize) -> &'a str {
        let line = &self.text[self.line_start(offset).to_usize()..];
        let width = line.find(|c| !matches!(c, ' ' | '\t' | '\x0c')).unwrap_or(line.len());
        &line[..width]
    }

    /// The line ending of this file, taken from its first line.
    pub fn newline(&self) -> &'static str {
        match self.text.find(['\n', '\r']) {
            Some(at) if self.text[at..].starts_with("\r\n") => "\r\n",
            Some(at) if self.text[at..].starts_with('\r') => "\r",
            _ => "\n",
        }
    }

    /// The comments inside `range`, in order.
    pub fn comments_in(&self, range: TextRange) -> &[TextRange] {
        let from = self.comments.partition_point(|c| c.start() < range.start());
        let to = self.comments.partition_point(|c| c.start() < range.end());
        &self.comments[from..to.max(from)]
    }

    /// Every comment of the file, in order.
    pub fn comments(&self) -> &[TextRange] {
        &self.comments
    }
}

/// Where brackets, prefix operators or chains of operators nest too deep for a recursive parser, found by a lexical scan. Strings and comments
/// are passed over.
fn nests_too_deep(text: &str) -> Option<(TextSize, String)> {
    let (mut depth, mut run, mut chain) = (0usize, 0usize, 0usize);
    let bytes = text.as_bytes();
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => run = 0,
            b'(' | b'[' | b'{' => (depth, run) = (depth + 1, 0),
            b')' | b']' | b'}' => (depth, run) = (depth.saturating_sub(1), 0),
            b'"' | b'\'' => {
                // Brackets in an f-string may hold expressions, so they count while they are open; other strings hold none.
                let end = string_end(bytes, at);
                let formatted = at > 0
                    && bytes[at - 1].is_ascii_alphabetic()
                    && bytes[at.saturating_sub(2)..at].iter().any(|b| matches!(b, b'f' | b'F' | b't' | b'T'));
                if formatted && nested(&bytes[at..end]) > MAX_BRACKET_DEPTH {
                    depth = MAX_BRACKET_DEPTH + 1;
                }
                at = end - 1;
                run = 0;
            }
            b'#' => at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len() - 1, |n| at + n - 1),
            b'\n' | b'\r' if depth == 0 => {
                chain = 0;
                indent(&bytes[..at], &bytes[at + 1..], &mut blocks);
            }
            b'\n' | b',' | b';' => chain = 0,
            b'-' | b'+' | b'~' => (run, chain) = (run + 1, chain + 1),
            b' ' => chain += 1,
            b'\t' | b'\\' | b'\r' => {}
            _ => (run, chain) = (0, chain + 1),
        }
        let what = if blocks.len() > MAX_INDENTATIONS {
            Some("too many levels of indentation".to_owned())
        } else if depth > MAX_BRACKET_DEPTH {
            Some(format!("brackets nested more than {MAX_BRACKET_DEPTH} deep are not analysed"))
        } else if run > MAX_PREFIX_RUN {
            Some(format!("more than {MAX_PREFIX_RUN} prefix operators in a row are not analysed"))
        } else if chain > MAX_CHAIN {
            Some("an expression of this length on one line is not analysed".to_owned())
        } else {
            None
        };
        if let Some(what) = what {
            return Some((TextSize::new(at as u32), what));
        }
        at += 1;
    }
    None
}

/// Close the blocks that end before the line with which `rest` begins, and open the one that it begins; `blocks` holds the indentation of each.
fn indent(before: &[u8], rest: &[u8], blocks: &mut Vec<usize>) {
    let width = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\x0c')).count();
    let goes_on = before.strip_suffix(b"\r").unwrap_or(before).ends_with(b"\\");
    if goes_on || matches!(rest.get(width), None | Some(b'\n' | b'\r' | b'#')) {
        return;
    }
    while blocks.last().is_some_and(|&open| open > width) {
        blocks.pop();
    }
    if width > blocks.last().copied().unwrap_or(0) {
        blocks.push(width);
    }
}

/// Where the string that starts at `at` ends. A string without an end ends with the text; the parser says so.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut i = at + if triple { 3 } else { 1 };
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'\\' => i += 1,
            b'\n' if !triple => return i,
            _ if byte == quote && (!triple || bytes[i..].starts_with(&[quote; 3])) => return i + if triple { 3 } else { 1 },
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

/// How deep brackets nest in `bytes`.
fn nested(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    for byte in bytes {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_line_and_column_in_characters() {
        let error = Source::parse("x = 'é' )\n").err().expect("a lone bracket is no Python");
        assert_eq!(error.location, Location { row: 1, column: 9 });
    }

    #[test]
    fn deep_brackets_are_an_error_and_no_stack_overflow() {
        let text = format!("x = {}1{}\n", "(".repeat(10_000), ")".repeat(10_000));
        assert!(Source::parse(&text).is_err());
    }

    #[test]
    fn brackets_and_signs_in_strings_and_comments_do_not_count() {
        let text = format!("x = [\n{}]\n", "    f(\"#ff0000\"), '(((((((((((((((((((((', # ((((((((((((((\n".repeat(300));
        assert!(Source::parse(&text).is_ok());
        assert!(Source::parse(&format!("x = f'{{{}1{}}}'\n", "(".repeat(10_000), ")".repeat(10_000))).is_err());
    }

    #[test]
    fn the_line_ending_is_that_of_the_first_line() {
        for (text, ending) in [("a = 1\r\nb = 2\n", "\r\n"), ("a = 1\n", "\n"), ("", "\n")] {
            assert_eq!(Source::parse(text).expect("valid").newline(), ending);
        }
    }
}
