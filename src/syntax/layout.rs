//! How a statement is laid out over lines where one is too short, in the way of the formatter that most Python is formatted with: operators and chains of
//! calls go into parentheses, a call opens its last brackets, and arguments stand together or one on a line. Text in, text out.

use super::ast::Stmt;
use super::{Ranged, Source, TextRange, TextSize, Token, TokenKind, on_one_line};

/// Lines are at most this long, or as long as the line that is replaced.
pub const LINE_WIDTH: usize = 88;
/// One level of indentation.
const INDENT: &str = "    ";
/// How closely a comma binds, the loosest of all.
const COMMA: u8 = 18;
/// How closely the dot of a method binds that is called on a call.
const DOT: u8 = 1;

/// `head` (`x = `, `return `, or nothing) and the expression `expr`, each on one line, over lines of at most `width` where that is possible. The first
/// line is indented by `indent`, and a comment of `comment` characters follows. `None` where `expr` needs a reader that knows more, as a lambda does.
fn lay_out(head: &str, expr: &str, indent: &str, comment: usize, width: usize) -> Option<Vec<String>> {
    let expr = without_own_parentheses(expr);
    let layout = Layout { width };
    if layout.fits(&[indent, head, expr, &" ".repeat(comment)]) {
        return Some(vec![format!("{indent}{head}{expr}")]);
    }
    let breaks = Breaks::of(expr)?;
    if head.is_empty() || breaks.opens_brackets(expr, indent.len() + INDENT.len(), width) {
        return layout.in_brackets(head, expr, "", indent, &breaks);
    }
    let mut lines = vec![format!("{indent}{head}(")];
    lines.extend(layout.inside(expr, "", &format!("{indent}{INDENT}")));
    lines.push(format!("{indent})"));
    Some(lines)
}

/// `statement`, a simple one that a comment of `comment` characters follows, laid out anew; `None` where comments or trailing commas of its own say how it should be.
pub fn lay_out_statement(statement: &str, indentation: &str, newline: &str, comment: usize, width: usize) -> Option<String> {
    let source = Source::parse(statement).ok()?;
    let [only] = &source.module().body[..] else { return None };
    let value = match only {
        Stmt::Assign(s) => &s.value,
        Stmt::AnnAssign(s) => s.value.as_ref()?,
        Stmt::AugAssign(s) => &s.value,
        Stmt::Return(s) => s.value.as_ref()?,
        Stmt::Expr(s) => &s.value,
        _ => return None,
    };
    if !source.comments().is_empty() || has_magic_comma(&source) {
        return None;
    }
    let solid = source.tokens().before(value.start()).iter().rev();
    let lead = solid.clone().find(|t| !matches!(t.kind(), TokenKind::NonLogicalNewline | TokenKind::Lpar));
    let start = lead.map_or(TextSize::new(0), Ranged::end);
    let head = source.slice(TextRange::up_to(start));
    let head = if head.is_empty() { String::new() } else { format!("{head} ") };
    let expr = on_one_line(&source, TextRange::new(start, only.end()))?;
    let lines = lay_out(&head, expr.trim(), indentation, comment, width)?;
    Some(lines.join(newline).trim_start().to_owned())
}

/// Whether a comma stands before a closing bracket on the next line: its author wants one argument a line.
fn has_magic_comma(source: &Source<'_>) -> bool {
    let closes = |t: &Token| matches!(t.kind(), TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace);
    let magic = |w: &[Token]| w[0].kind() == TokenKind::Comma && w[1].kind() == TokenKind::NonLogicalNewline && closes(&w[2]);
    source.tokens().windows(3).any(magic)
}

struct Layout {
    width: usize,
}

impl Layout {
    fn fits(&self, parts: &[&str]) -> bool {
        parts.iter().map(|p| p.chars().count()).sum::<usize>() <= self.width
    }

    /// The lines of what stands inside brackets, and of `tail` after it.
    fn inside(&self, text: &str, tail: &str, indent: &str) -> Vec<String> {
        let whole = || vec![format!("{indent}{text}{tail}")];
        if self.fits(&[indent, text, tail]) {
            return whole();
        }
        let Some(breaks) = Breaks::of(text) else { return whole() };
        if breaks.priority == 0 || breaks.priority == DOT && breaks.places.len() == 1 {
            return self.in_brackets("", text, tail, indent, &breaks).unwrap_or_else(whole);
        }
        let ends = breaks.places.iter().copied().chain([text.len()]);
        let starts = [0].into_iter().chain(breaks.places.iter().copied());
        let pieces: Vec<&str> = starts.zip(ends).map(|(from, to)| text[from..to].trim()).filter(|p| !p.is_empty()).collect();
        let last = pieces.len().saturating_sub(1);
        let mut lines = Vec::new();
        for (n, piece) in pieces.into_iter().enumerate() {
            let tail = match (breaks.priority, n == last) {
                (COMMA, _) => ",",
                (_, true) => tail,
                (_, false) => "",
            };
            lines.extend(self.inside(piece.strip_suffix(',').unwrap_or(piece), tail, indent));
        }
        lines
    }

    /// The lines where one pair of brackets is opened: the last one before which all fits the line.
    fn in_brackets(&self, head: &str, text: &str, tail: &str, indent: &str, breaks: &Breaks) -> Option<Vec<String>> {
        let fitting = breaks.brackets.iter().rev().find(|&&(open, _)| self.fits(&[indent, head, &text[..=open]]));
        let &(open, close) = fitting.or(breaks.brackets.first())?;
        let mut lines = vec![format!("{indent}{head}{}", &text[..=open])];
        lines.extend(self.inside(text[open + 1..close].trim(), "", &format!("{indent}{INDENT}")));
        // What follows may need brackets of its own.
        let (rest, after) = (&text[close..], breaks.brackets.iter().filter(|&&(next, _)| next > close));
        let brackets: Vec<(usize, usize)> = after.map(|&(next, end)| (next - close, end - close)).collect();
        if self.fits(&[indent, rest, tail]) || brackets.is_empty() {
            lines.push(format!("{indent}{rest}{tail}"));
        } else {
            lines.extend(self.in_brackets("", rest, tail, indent, &Breaks { priority: 0, places: Vec::new(), brackets })?);
        }
        Some(lines)
    }
}

/// Where an expression may be broken, outside of its brackets.
struct Breaks {
    /// How closely what is broken at binds, the loosest there is; 0 where there is nothing.
    priority: u8,
    /// Where lines may start.
    places: Vec<usize>,
    /// The brackets that hold something, by where they open and close.
    brackets: Vec<(usize, usize)>,
}

impl Breaks {
    /// Read `text` from left to right; `None` for lambdas, comprehensions without brackets, and strings that say so.
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut breaks = Self { priority: 0, places: Vec::new(), brackets: Vec::new() };
        let (mut at, mut opened, mut operand) = (0, Vec::new(), false);
        while let Some(&byte) = bytes.get(at) {
            let outside = opened.is_empty();
            let mut next = at + 1;
            match byte {
                b'(' | b'[' | b'{' => opened.push(at),
                b')' | b']' | b'}' => {
                    let open = opened.pop()?;
                    if opened.is_empty() && !text[open + 1..at].trim().is_empty() {
                        breaks.brackets.push((open, at));
                    }
                }
                b'"' | b'\'' => next = string_end(bytes, at)?,
                b'.' if outside && at > 0 && matches!(bytes[at - 1], b')' | b']' | b'}') => breaks.note(DOT, at),
                b',' if outside => breaks.note(COMMA, next),
                _ if byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii() => {
                    next = word_end(bytes, at);
                    let word = &text[at..next];
                    if outside && matches!(word, "lambda" | "for" | "await" | "yield") {
                        return None;
                    }
                    let priority = keyword(word, text[..at].trim_end(), text[next..].trim_start());
                    if outside && priority > 0 {
                        breaks.note(priority, at);
                    }
                    operand = priority == 0 && word != "not";
                }
                b':' if outside => return None,
                _ if outside && operand => {
                    if let Some((priority, length)) = operator(&bytes[at..]) {
                        breaks.note(priority, at);
                        next = at + length;
                    }
                }
                _ => {}
            }
            match byte {
                b')' | b']' | b'}' | b'"' | b'\'' => operand = true,
                b' ' => {}
                _ if byte.is_ascii_punctuation() && byte != b'_' => operand = false,
                _ => {}
            }
            at = next;
        }
        opened.is_empty().then_some(breaks)
    }

    fn note(&mut self, priority: u8, place: usize) {
        // A piece that an `else` begins was broken there before.
        if place == 0 {
            return;
        }
        if priority > self.priority {
            (self.priority, self.places) = (priority, Vec::new());
        }
        if priority == self.priority {
            self.places.push(place);
        }
    }

    /// Whether `text` reads well with one of its own brackets opened, so that it needs no parentheses around it.
    fn opens_brackets(&self, text: &str, indent: usize, width: usize) -> bool {
        if self.places.len() > 1 || self.brackets.is_empty() {
            return false;
        }
        if self.priority <= DOT {
            return true;
        }
        let last = self.brackets.last().filter(|&&(_, close)| close + 1 == text.len() && text.ends_with([')', '}']));
        last.is_some_and(|&(open, _)| text[..open].contains(['(', '[', '{']) || indent + open < width)
    }
}

/// The priority of `word` between two texts, if it is an operator.
fn keyword(word: &str, before: &str, after: &str) -> u8 {
    match word {
        "if" | "else" => 16,
        "or" | "and" => 14,
        "is" => 10,
        "not" if after.starts_with("in ") => 10,
        "in" if !before.ends_with(" not") => 10,
        _ => 0,
    }
}

/// The priority and length of the binary operator at the start of `bytes`. `=` is none: it names an argument.
fn operator(bytes: &[u8]) -> Option<(u8, usize)> {
    let second = bytes.get(1).copied().unwrap_or(b' ');
    Some(match (bytes[0], second) {
        (b'=' | b'!' | b'<' | b'>', b'=') => (10, 2),
        (b'<', b'<') | (b'>', b'>') => (6, 2),
        (b'<' | b'>', _) => (10, 1),
        (b'|', _) => (9, 1),
        (b'^', _) => (8, 1),
        (b'&', _) => (7, 1),
        (b'+' | b'-', _) => (5, 1),
        (b'*', b'*') => (2, 2),
        (b'/', b'/') => (4, 2),
        (b'*' | b'/' | b'%' | b'@', _) => (4, 1),
        _ => return None,
    })
}

/// Where the name or number that starts at `at` ends; `1e-5` is one.
fn word_end(bytes: &[u8], at: usize) -> usize {
    let number = bytes[at].is_ascii_digit();
    let mut end = at;
    while let Some(&byte) = bytes.get(end) {
        let exponent = number && matches!(byte, b'+' | b'-') && matches!(bytes[end - 1], b'e' | b'E');
        let part = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii() || number && byte == b'.' || exponent;
        if !part {
            break;
        }
        end += 1;
    }
    end
}

/// Where the string that starts at `at` ends.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = bytes[at];
    if bytes[at..].starts_with(&[quote; 3]) {
        return None;
    }
    let mut end = at + 1;
    while *bytes.get(end)? != quote {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    Some(end + 1)
}

/// `text` without parentheses around the whole of it, if they only group.
fn without_own_parentheses(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else { return text };
    match Breaks::of(inner) {
        Some(breaks) if breaks.priority != COMMA && !inner.trim().is_empty() => inner.trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn laid_out(head: &str, expr: &str, lines: &[&str]) {
        let got = lay_out(head, expr, "    ", 0, 40).map(|lines| lines.join("\n"));
        assert_eq!(got, Some(lines.join("\n")));
    }

    #[test]
    fn what_fits_stays_on_one_line_without_parentheses() {
        laid_out("x = ", "(a + b)", &["    x = a + b"]);
        laid_out("x = ", "(a + b).f(c)", &["    x = (a + b).f(c)"]);
    }

    #[test]
    fn a_call_opens_its_brackets() {
        laid_out("x = ", "long_name(argument, argument, argument)", &["    x = long_name(", "        argument, argument, argument", "    )"]);
        laid_out(
            "x = ",
            "f(argument, argument, argument, 'a, (b', k=1)",
            &["    x = f(", "        argument,", "        argument,", "        argument,", "        'a, (b',", "        k=1,", "    )"],
        );
    }

    #[test]
    fn a_condition_in_parentheses_behind_an_else_is_broken_inside_them() {
        laid_out(
            "x = ",
            "aaaaaaaa if bbbbbbbb else (cccccccc if dddddddd else eeeeeeee)",
            &[
                "    x = (",
                "        aaaaaaaa",
                "        if bbbbbbbb",
                "        else (",
                "            cccccccc",
                "            if dddddddd",
                "            else eeeeeeee",
                "        )",
                "    )",
            ],
        );
    }

    #[test]
    fn one_method_behind_a_call_opens_the_last_brackets() {
        laid_out("return ", "norm(x, weight, eps).astype(x.dtype)", &["    return norm(x, weight, eps).astype(", "        x.dtype", "    )"]);
        laid_out(
            "return ",
            "norm(xxxxxxxx, weight, epsilon).astype(x)",
            &["    return norm(", "        xxxxxxxx, weight, epsilon", "    ).astype(x)"],
        );
    }

    #[test]
    fn two_calls_open_one_after_the_other() {
        laid_out(
            "return ",
            "first(argument, argument, ones).a(1) - second(argument)",
            &["    return first(", "        argument, argument, ones", "    ).a(1) - second(argument)"],
        );
        laid_out(
            "return ",
            "first(argument, argument, ones).a(1) - second(argument, argument, ones)",
            &["    return first(", "        argument, argument, ones", "    ).a(1) - second(", "        argument, argument, ones", "    )"],
        );
    }

    #[test]
    fn a_chain_of_calls_goes_one_on_a_line_in_parentheses() {
        laid_out(
            "x = ",
            "mx.fast.attend(q, k, v).transpose(0, 2).reshape(b, -1)",
            &["    x = (", "        mx.fast.attend(q, k, v)", "        .transpose(0, 2)", "        .reshape(b, -1)", "    )"],
        );
    }

    #[test]
    fn operators_go_into_parentheses() {
        laid_out("scores = ", "addmm(c, a, alpha=1e-5) * scale", &["    scores = (", "        addmm(c, a, alpha=1e-5) * scale", "    )"]);
        laid_out(
            "x = ",
            "mx.addmm(c, aaaa, bbbb, alpha=1) + mask[1:]",
            &["    x = (", "        mx.addmm(c, aaaa, bbbb, alpha=1)", "        + mask[1:]", "    )"],
        );
    }

    #[test]
    fn calls_in_calls_open_from_the_outside() {
        laid_out("", "outputs.append(mx.addmm(c, alpha, beta))", &["    outputs.append(", "        mx.addmm(c, alpha, beta)", "    )"]);
        assert_eq!(lay_out("x = ", "lambda argument, another: call(argument, another)", "", 0, 20), None);
        let commented = lay_out("x = ", "f(argument)", "", 20, 30);
        assert_eq!(commented, Some(vec!["x = f(".to_owned(), "    argument".to_owned(), ")".to_owned()]));
    }
}
