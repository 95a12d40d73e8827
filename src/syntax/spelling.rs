//! Small questions about how a piece of Python binds and breaks over lines.

use ruff_python_ast::Expr;
use ruff_python_parser::parse_expression;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::{Source, TokenKind};

/// Whether `text` binds as tightly as a name: may be followed by `.attribute` or stand beside any operator.
pub fn is_tight(text: &str) -> bool {
    if is_identifier(text) {
        return true;
    }
    let Ok(parsed) = parse_expression(text) else { return false };
    let whole = parsed.expr().range() == TextRange::up_to(TextSize::of(text));
    let parenthesised = !whole && text.starts_with('(') && text.ends_with(')');
    parenthesised
        || match parsed.expr() {
            Expr::Name(_)
            | Expr::Attribute(_)
            | Expr::Call(_)
            | Expr::Subscript(_)
            | Expr::List(_)
            | Expr::Dict(_)
            | Expr::Set(_)
            | Expr::ListComp(_) => true,
            Expr::StringLiteral(_) | Expr::NoneLiteral(_) | Expr::BooleanLiteral(_) | Expr::EllipsisLiteral(_) => true,
            Expr::Tuple(tuple) => tuple.parenthesized,
            _ => false,
        }
}

/// Annotations in quotes that are longer are not read, so that asking for one again and again stays cheap.
const LONGEST_QUOTED: usize = 200;

/// The annotation that a string holds in which one is written: `"mx.array"`.
pub fn quoted_annotation(text: &str) -> Option<Expr> {
    let parsed = (text.len() <= LONGEST_QUOTED).then(|| parse_expression(text).ok())??;
    Some(parsed.into_expr())
}

/// Whether `text` may stand as an argument of a call as it is.
pub fn is_argument(text: &str) -> bool {
    if is_identifier(text) {
        return true;
    }
    let Ok(parsed) = parse_expression(text) else { return false };
    match parsed.expr() {
        Expr::Tuple(tuple) => tuple.parenthesized,
        Expr::Named(_) | Expr::Yield(_) | Expr::YieldFrom(_) | Expr::Starred(_) | Expr::Slice(_) => false,
        Expr::Generator(generator) => generator.parenthesized,
        _ => true,
    }
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !text.as_bytes()[0].is_ascii_digit()
}

/// The text of `range` on one line, without the comments in it; `None` where a string over several lines stands in the way.
pub fn on_one_line(source: &Source<'_>, range: TextRange) -> Option<String> {
    let text = source.slice(range);
    if !text.contains(['\n', '\r']) {
        return Some(text.to_owned());
    }
    let mut line = String::with_capacity(text.len());
    let mut end = range.start();
    let mut open = false;
    for token in source.tokens().in_range(range) {
        match token.kind() {
            TokenKind::Comment | TokenKind::NonLogicalNewline | TokenKind::Newline => continue,
            _ => {}
        }
        let token_text = source.slice(token.range());
        if token_text.contains(['\n', '\r']) {
            return None;
        }
        let gap = &source.text()[end.to_usize()..token.start().to_usize()];
        let closes = matches!(token.kind(), TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace);
        if gap.contains(['\n', '\r']) {
            if closes && line.ends_with(',') {
                line.pop();
            } else if !closes && !open && token.kind() != TokenKind::Dot {
                line.push(' ');
            }
        } else {
            line.push_str(gap);
        }
        line.push_str(token_text);
        open = matches!(token.kind(), TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace);
        end = token.end();
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_calls_and_parentheses_bind_tightly() {
        for tight in ["x", "f(x)", "self.weight", "x[0]", "(a + b)", "(a, b)"] {
            assert!(is_tight(tight), "{tight}");
        }
        for loose in ["a + b", "-x", "a if b else c", "(a) + (b)", "1", "lambda: 0", "a, b"] {
            assert!(!is_tight(loose), "{loose}");
        }
    }

    #[test]
    fn broken_lines_are_joined_as_a_formatter_would() {
        let text = "x = f(\n    a,\n    b * 2,\n).g(0,\n    1)\n";
        let source = Source::parse(text).expect("valid");
        assert_eq!(on_one_line(&source, TextRange::new(4.into(), 38.into())).as_deref(), Some("f(a, b * 2).g(0, 1)"));
    }
}
