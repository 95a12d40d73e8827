//! How the replacement is laid out: on its line where it fits, else the statement is laid out anew. Built on text alone, and deterministic.

use super::template::Filled;
use crate::syntax::{Ranged, Source, TextRange, Token, TokenKind, is_tight};

/// `range` with the parentheses around it, if they only group: a call needs none.
pub(super) fn without_parentheses(source: &Source<'_>, range: TextRange) -> TextRange {
    let tokens = source.tokens();
    let solid = |t: &&Token| !matches!(t.kind(), TokenKind::NonLogicalNewline | TokenKind::Comment);
    let mut before = tokens.before(range.start()).iter().rev().filter(solid);
    let (Some(open), Some(close)) = (before.next(), tokens.after(range.end()).iter().find(solid)) else { return range };
    if open.kind() != TokenKind::Lpar || close.kind() != TokenKind::Rpar {
        return range;
    }
    // After one of these a parenthesis opens a call, or a list of parameters.
    let calls = before.next().is_some_and(|t| {
        matches!(t.kind(), TokenKind::Name | TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::String) || is_soft(t.kind())
    });
    if calls { range } else { TextRange::new(open.start(), close.end()) }
}

/// `text` in place of `range`, in parentheses where an operator beside it would take a part of it.
pub(super) fn grouped(source: &Source<'_>, range: TextRange, text: &str) -> String {
    let tokens = source.tokens();
    let solid = |t: &&Token| !matches!(t.kind(), TokenKind::NonLogicalNewline | TokenKind::Comment);
    let before = tokens.before(range.start()).iter().rev().find(solid).map(Token::kind);
    let after = tokens.after(range.end()).iter().find(solid).map(Token::kind);
    let opens = matches!(
        before,
        None | Some(
            TokenKind::Lpar
                | TokenKind::Lsqb
                | TokenKind::Comma
                | TokenKind::Equal
                | TokenKind::Colon
                | TokenKind::ColonEqual
                | TokenKind::Return
                | TokenKind::Newline
                | TokenKind::Indent
                | TokenKind::Dedent
        )
    );
    let closes = matches!(
        after,
        None | Some(TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Comma | TokenKind::Colon | TokenKind::Newline | TokenKind::EndOfFile)
    );
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !matches!(after, Some(TokenKind::DoubleStar | TokenKind::Dot));
    if opens && closes || number || is_tight(text) { text.to_owned() } else { format!("({text})") }
}

/// Keywords that may also be names, and then be called.
fn is_soft(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Match | TokenKind::Case | TokenKind::Type)
}

/// The text with its arguments on lines of their own.
pub(super) fn broken(filled: &Filled, indentation: &str, newline: &str, width: usize) -> String {
    let (first, last) = (filled.arguments[0].start, filled.arguments[filled.arguments.len() - 1].end);
    let (head, tail) = (&filled.text[..first], &filled.text[last..]);
    let inner = format!("{indentation}    ");
    let arguments = &filled.text[first..last];
    if inner.chars().count() + arguments.chars().count() <= width {
        return format!("{head}{newline}{inner}{arguments}{newline}{indentation}{tail}");
    }
    let lines: String = filled.arguments.iter().map(|a| format!("{inner}{},{newline}", &filled.text[a.clone()])).collect();
    format!("{head}{newline}{lines}{indentation}{tail}")
}
