//! Leading columns that a loop reads into names: `h, w = a[i, 0].item(), a[i, 1].item()`, or a statement for each. Of a list of rows, a row is unpacked:
//! `h, w = a_list[i]`.

use crate::place::Place;
use crate::syntax::ast::{Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange, TextSize};

use super::reads::conversion;
use super::subscripts::Element;

/// More names than these are not looked for.
const MOST: usize = 8;

/// One assignment, or several of which one follows the other, that give names what `parts` are.
pub(super) struct Assigned<'x> {
    names: Vec<&'x str>,
    parts: Vec<&'x Expr>,
    /// Where the first begins.
    start: TextSize,
    /// Where each ends; of one that gives all of them, where that ends.
    ends: Vec<TextSize>,
}

/// What is written for the elements of one row.
pub(super) struct Unpacked {
    /// All of the text.
    pub(super) range: TextRange,
    names: String,
    /// The builtin that each element is given to.
    conversion: Option<&'static str>,
    row: TextRange,
}

impl Unpacked {
    /// The edit that reads the row out of `list`.
    pub(super) fn edit(&self, place: &Place<'_>, list: &str) -> Edit {
        let (names, row) = (&self.names, place.source().slice(self.row));
        let text = match self.conversion {
            Some(conversion) => format!("{names} = map({conversion}, {list}[{row}])"),
            None => format!("{names} = {list}[{row}]"),
        };
        Edit::replace(self.range, text)
    }
}

impl<'x> Assigned<'x> {
    /// What the statements at the start of `body` give to at least two names.
    pub(super) fn at_start_of(place: &Place<'_>, body: &'x [Stmt]) -> Option<Self> {
        let (first, target, value) = assignment(body.first()?)?;
        if let (Expr::Tuple(target), Expr::Tuple(value)) = (target, value) {
            let names: Vec<&str> = target.elts.iter().map(name).collect::<Option<_>>()?;
            let is_each = names.len() == value.elts.len();
            return is_each.then(|| Self { names, parts: value.elts.iter().collect(), start: first.start(), ends: vec![first.end()] });
        }
        let (mut names, mut parts, mut ends) = (vec![name(target)?], vec![value], vec![first.end()]);
        for (range, target, value) in body[1..].iter().take(MOST - 1).map_while(assignment) {
            let between = TextRange::new(*ends.last()?, range.start());
            let (Some(name), true) = (name(target), place.source().slice(between).trim().is_empty()) else { break };
            names.push(name);
            parts.push(value);
            ends.push(range.end());
        }
        (names.len() > 1).then(|| Self { names, parts, start: first.start(), ends })
    }

    /// What is written for the first `count` of them, where they take out of `elements` the columns of one row.
    /// The numbers have the type `plain` already.
    pub(super) fn unpacked(&self, place: &Place<'_>, elements: &[&Element<'x>], count: usize, plain: Option<&str>) -> Option<Unpacked> {
        // One assignment of many is taken as a whole.
        let is_whole = self.parts.len() == count;
        let end = *if is_whole { self.ends.last()? } else { self.ends.get(1..)?.get(count.checked_sub(2)?)? };
        let parts = self.parts.get(..count)?;
        let conversion = converted_by(place, parts.first()?);
        let found: Vec<&Element<'x>> = parts.iter().zip(0..).map(|(part, at)| taken_by(place, part, at, elements)).collect::<Option<_>>()?;
        let first = found.first()?;
        let is_one = found.iter().all(|e| e.taken.offset == first.taken.offset) && parts.iter().all(|p| converted_by(place, p) == conversion);
        let range = TextRange::new(self.start, end);
        let conversion = conversion.filter(|&by| Some(by) != plain);
        let is_free = place.source().comments_in(range).is_empty() && (conversion.is_none() || is_map_a_builtin(place));
        let row = first.column()?.row;
        (is_one && is_free).then(|| Unpacked { range, names: self.names[..count].join(", "), conversion, row })
    }
}

fn assignment(statement: &Stmt) -> Option<(TextRange, &Expr, &Expr)> {
    let Stmt::Assign(s) = statement else { return None };
    let [target] = &s.targets[..] else { return None };
    Some((s.range, target, &s.value))
}

fn name(expr: &Expr) -> Option<&str> {
    expr.as_name_expr().map(|n| n.id.as_str())
}

/// The one of `elements` that `part` reads out of the column `at`, where it does nothing else but convert it.
fn taken_by<'e, 'x>(place: &Place<'_>, part: &Expr, at: i64, elements: &[&'e Element<'x>]) -> Option<&'e Element<'x>> {
    let element = *elements.iter().find(|e| part.range().contains_range(e.taken.array.range))?;
    let [read] = element.reads[..] else { return None };
    let argument = || part.as_call_expr()?.arguments.args.first().map(Expr::range);
    let is_converted = || read.goes() && converted_by(place, part).is_some() && argument() == Some(read.call);
    let is_whole = part.range() == read.call || is_converted();
    (is_whole && element.column()?.at == at).then_some(element)
}

/// The builtin of which `part` is a call.
fn converted_by(place: &Place<'_>, part: &Expr) -> Option<&'static str> {
    conversion(place, part.as_call_expr().filter(|call| call.arguments.len() == 1)?)
}

/// Whether nothing in the file can bind `map`: it is called, if it is mentioned at all.
fn is_map_a_builtin(place: &Place<'_>) -> bool {
    let source = place.source();
    let text = source.text();
    memchr::memmem::find_iter(text.as_bytes(), b"map").all(|at| {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let (before, after) = (&text[..at], &text[at + 3..]);
        let is_name = !word(before.chars().next_back()) && !word(after.chars().next()) && !before.ends_with('.');
        !is_name || (after.starts_with('(') && !before.trim_end().ends_with("def"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fixed, only_unsafe, safe};
    use crate::finding::Applicability;

    #[test]
    fn leading_columns_that_names_are_given_are_unpacked() {
        let head = "for i in range(len(a)):\n    ";
        let list = |n: u32| format!("a_list = a[:, :{n}].tolist()\n{head}");
        for (body, columns, after) in [
            ("h, w = a[i, 0].item(), a[i][1].item()\n    out(h, w)\n", 2, "h, w = a_list[i]\n    out(h, w)\n"),
            ("h, w = int(a[i, 0]), int(a[i, 1])\n    out(h, w)\n", 2, "h, w = map(int, a_list[i])\n    out(h, w)\n"),
            (
                "h = int(a[i, 0].item())\n    w = int(a[i, 1].item())\n    n = 3\n    out(h, w)\n",
                2,
                "h, w = map(int, a_list[i])\n    n = 3\n    out(h, w)\n",
            ),
            // A column more, another conversion or order, a comment, arithmetic.
            (
                "h, w = int(a[i, 0]), int(a[i, 1])\n    out(h, a[i, 2].item())\n",
                3,
                "h, w = int(a_list[i][0]), int(a_list[i][1])\n    out(h, a_list[i][2])\n",
            ),
            ("h, w = int(a[i, 0]), float(a[i, 1])\n    out(h)\n", 2, "h, w = int(a_list[i][0]), float(a_list[i][1])\n    out(h)\n"),
            (
                "h, w = float(int(a[i, 0])), float(int(a[i, 1]))\n    out(h)\n",
                2,
                "h, w = float(int(a_list[i][0])), float(int(a_list[i][1]))\n    out(h)\n",
            ),
            ("h, w = a[i, 1].item(), a[i, 0].item()\n    out(h)\n", 2, "h, w = a_list[i][1], a_list[i][0]\n    out(h)\n"),
            ("h = a[i, 0].item()  # rows\n    w = a[i, 1].item()\n    out(h)\n", 2, "h = a_list[i][0]  # rows\n    w = a_list[i][1]\n    out(h)\n"),
            ("h, w = a[i, 0].item() + 1, a[i, 1].item()\n    out(h)\n", 2, "h, w = a_list[i][0] + 1, a_list[i][1]\n    out(h)\n"),
        ] {
            only_unsafe(&format!("{head}{body}"), &format!("{}{after}", list(columns)));
        }
        let table = "t = mx.zeros((n, 2))\n";
        assert_eq!(
            safe(&format!("{table}for i in range(len(t)):\n    h, w = t[i, 0].item(), t[i, 1].item()\n    out(h, w)\n")),
            format!("{table}t_list = t.tolist()\nfor i in range(len(t)):\n    h, w = t_list[i]\n    out(h, w)\n")
        );
        let shadowed = format!("map = xs\n{head}h, w = int(a[i, 0]), int(a[i, 1])\n    out(h, w)\n");
        assert!(fixed(&shadowed, Applicability::Unsafe).contains("int(a_list[i][0]), int(a_list[i][1])"));
    }
}
