//! Programs made of the examples: one or two of their definitions with a few changes. What is changed was recognised, or nearly, so that the changed form
//! reaches deep into rules and passes.

use std::sync::LazyLock;

use mlxfix::syntax::ast::Stmt;
use mlxfix::syntax::{Ranged, Source, TextRange, TokenKind};

use super::ROOT;
use super::grammar::{self, Draw};

/// The definitions of the examples, each with the imports of its file.
static DEFINITIONS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let mut folders = vec![std::path::Path::new(ROOT).join("examples")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the examples can be listed") {
            let path = entry.expect("an entry").path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "py" && !path.ends_with("arguments.py") => files.push(path),
                _ => {}
            }
        }
    }
    // The same bytes give the same program on every machine.
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(file).expect("an example can be read");
        let source = Source::parse(&text).expect("an example is Python");
        let (mut head, mut pieces) = (String::new(), Vec::new());
        for statement in &source.module().body {
            let piece = source.slice(TextRange::new(source.line_start(statement.start()), source.full_line_end(statement.end())));
            match statement {
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => pieces.push(piece.to_owned()),
                _ => head.push_str(piece),
            }
        }
        all.extend(pieces.into_iter().map(|piece| (head.clone(), piece)));
    }
    all
});

/// Words that take the place of others.
const WORDS: &[&str] = &["x", "w", "b", "q", "mx", "None", "self", "axis", "mean", "astype", "float32", "float16", "transpose", "True", "out", "_"];
const NUMBERS: &[&str] = &["0", "1", "-1", "2", "1e-6", "0.5", "3", "-2", "1e39", "64"];
const SIGNS: &[&str] = &["+", "-", "*", "/", "@", "**", "//", "%", "==", "<", " is ", " in ", " and ", "|"];

/// A program.
pub fn program(draw: &mut Draw<'_>) -> String {
    let mut text = String::new();
    for n in 0..=draw.below(2) {
        let (head, definition) = &DEFINITIONS[(draw.below(256) * 256 + draw.below(256)) % DEFINITIONS.len()];
        if n == 0 || text.find(head.as_str()).is_none() {
            text.push_str(head);
        }
        text.push_str("\n\n");
        text.push_str(definition);
    }
    for _ in 0..draw.below(6) {
        text = changed(draw, text);
    }
    grammar::dressed(draw, text)
}

/// The text after one change, which need not leave it Python.
fn changed(draw: &mut Draw<'_>, text: String) -> String {
    match draw.below(8) {
        0..=2 => other_token(draw, &text),
        3 => other_lines(draw, &text, |lines, at, _| {
            let line = lines[at].clone();
            lines.insert(at, line);
        }),
        4 => other_lines(draw, &text, |lines, at, _| {
            lines.remove(at);
        }),
        5 => other_lines(draw, &text, |lines, at, draw| {
            let to = draw.below(lines.len().min(256));
            lines.swap(at, to);
        }),
        6 => other_lines(draw, &text, |lines, at, _| lines[at].push_str("  # remark")),
        _ => other_lines(draw, &text, |lines, at, draw| {
            let indent: String = lines[at].chars().take_while(|c| *c == ' ').collect();
            let drawn = grammar::statements(draw, &indent);
            lines.insert(at, drawn.trim_end().to_owned());
        }),
    }
}

fn other_lines(draw: &mut Draw<'_>, text: &str, change: impl Fn(&mut Vec<String>, usize, &mut Draw<'_>)) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = draw.below(lines.len().min(256));
    change(&mut lines, at, draw);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A word, a number or a sign for another of its sort, or an expression for a word.
fn other_token(draw: &mut Draw<'_>, text: &str) -> String {
    let Ok(source) = Source::parse(text) else { return text.to_owned() };
    let exchangeable = |kind: TokenKind| kind == TokenKind::Name || kind.is_arithmetic() || matches!(kind, TokenKind::Int | TokenKind::Float);
    let tokens: Vec<_> = source.tokens().iter().filter(|t| exchangeable(t.kind())).collect();
    if tokens.is_empty() {
        return text.to_owned();
    }
    let token = tokens[(draw.below(256) * 256 + draw.below(256)) % tokens.len()];
    let new = match token.kind() {
        TokenKind::Name if draw.once_in(4) => format!("({})", grammar::expression(draw)),
        // Another word of the same program, for names that are bound already.
        TokenKind::Name if draw.below(2) == 0 => source.slice(tokens[draw.below(256) % tokens.len()].range()).to_owned(),
        TokenKind::Name => draw.one(WORDS).to_owned(),
        TokenKind::Int | TokenKind::Float => draw.one(NUMBERS).to_owned(),
        _ => draw.one(SIGNS).to_owned(),
    };
    format!("{}{new}{}", &text[..token.start().to_usize()], &text[token.end().to_usize()..])
}
