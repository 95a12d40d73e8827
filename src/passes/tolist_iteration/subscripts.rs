//! What the body of a loop takes out of arrays under one index: `a[i]`, `a[i, 0]`, `a[0, i]`, and `h, w = a[i]` where `h` and `w` are read as numbers.

use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, Source, TextRange};

use super::Use;
use super::depth::{Depth, Layered};
use super::elements::is_read_only_at;
use super::reads::{Read, Reads, Way, number_read};
use super::rows::Assigned;

/// Builtins that leave their arguments as they are.
const HARMLESS: [&str; 12] = ["len", "enumerate", "zip", "sum", "min", "max", "list", "tuple", "print", "isinstance", "sorted", "float"];

/// `a[i + offset]`, read as a number.
#[derive(Clone)]
pub(super) struct Element<'x> {
    pub(super) taken: Taken<'x>,
    /// The reads of it, or of the names that it is unpacked into.
    pub(super) reads: Vec<Read>,
    /// The lines that do nothing but evaluate such a name.
    pub(super) evaluations: Vec<TextRange>,
}

/// What a subscript takes out of an array.
#[derive(Clone, Copy)]
pub(super) struct Taken<'x> {
    pub(super) array: &'x ast::ExprName,
    pub(super) offset: i64,
    pub(super) part: Part<'x>,
}

/// Which part of `a[i]` is taken, or of what it is one.
#[derive(Clone, Copy)]
pub(super) enum Part<'x> {
    /// The element itself, of an array with one axis.
    Whole,
    /// `a[i, 0]`.
    Column(Column),
    /// `h, w = a[i]`.
    Unpacked,
    /// `a[0, i]`: the row, and the text that goes.
    Of(&'x Expr, TextRange),
}

/// The second index of an element, a plain number.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) at: i64,
    /// The first index.
    pub(super) row: TextRange,
    /// What stands between the two where they share their brackets.
    pub(super) comma: Option<TextRange>,
    /// The text that goes with the second.
    pub(super) gone: TextRange,
}

impl Element<'_> {
    /// The column that it is read by.
    pub(super) fn column(&self) -> Option<Column> {
        match self.taken.part {
            Part::Column(column) => Some(column),
            _ => None,
        }
    }

    /// Whether it is a row that is taken apart.
    pub(super) fn is_unpacked(&self) -> bool {
        matches!(self.taken.part, Part::Unpacked)
    }
}

/// What a loop body does with arrays under one index.
pub(super) struct Indexed<'p, 'x> {
    place: &'p Place<'x>,
    index: &'p str,
    pub(super) elements: Vec<Element<'x>>,
    /// The index gets another value.
    pub(super) index_bound: bool,
    /// Names that are bound, written into, or given to code that may write into them.
    pub(super) touched: Vec<&'x str>,
    /// The assignments that give several names a value each.
    pub(super) assigned: Vec<Assigned<'x>>,
    depth: Depth,
}

impl<'p, 'x> Indexed<'p, 'x> {
    /// Nothing seen yet.
    pub(super) fn by(place: &'p Place<'x>, index: &'p str) -> Self {
        Self { place, index, elements: Vec::new(), index_bound: false, touched: Vec::new(), assigned: Vec::new(), depth: Depth::default() }
    }

    fn touch(&mut self, name: &'x str) {
        self.index_bound |= name == self.index;
        self.touched.push(name);
    }

    fn call(&mut self, expr: &'x Expr, call: &'x ast::ExprCall) {
        if self.depth.opaque == 0
            && let Some((Expr::Subscript(subscript), read)) = number_read(self.place, call)
            && let Some(taken) = taken(self.place.source(), subscript, self.index)
            && taken.array.range.start() == subscript.range.start()
            && (read.way != Way::List || self.depth.inner == 0)
        {
            self.elements.push(Element { taken, reads: vec![read], evaluations: Vec::new() });
            return;
        }
        let harmless =
            HARMLESS.iter().any(|name| self.place.calls_builtin(call, name)) || self.place.path(&call.func).is_some_and(|p| p.starts_with("mlx."));
        if !harmless {
            let arguments = call.arguments.args.iter().chain(call.arguments.keywords.iter().map(|k| &k.value));
            for argument in arguments {
                if let Expr::Name(name) = argument {
                    self.touched.push(&name.id);
                }
            }
        }
        source_order::walk_expr(self, expr);
    }
}

impl<'x> Indexed<'_, 'x> {
    /// `h, w = a[i]` or `x = a[i]`, where `rest`, which follows it, reads all of them as numbers.
    fn unpacked(&self, statement: &'x Stmt, rest: &'x [Stmt]) -> Option<Element<'x>> {
        let Stmt::Assign(s) = statement else { return None };
        let ([target], Expr::Subscript(subscript), 0) = (&s.targets[..], &*s.value, self.depth.opaque) else { return None };
        let taken = taken(self.place.source(), subscript, self.index).filter(|t| matches!(t.part, Part::Whole))?;
        let (names, part) = match target {
            Expr::Name(name) => (vec![name.id.as_str()], Part::Whole),
            Expr::Tuple(ast::ExprTuple { elts, .. }) => {
                (elts.iter().map(|e| e.as_name_expr().map(|n| n.id.as_str())).collect::<Option<_>>()?, Part::Unpacked)
            }
            _ => return None,
        };
        let mut use_ = Use { reads: Vec::new(), each_round: false, is_of_row: false, rebinding: None, evaluations: Vec::new() };
        for (n, name) in names.iter().enumerate() {
            let mut reads = Reads::of(self.place, name);
            reads.visit_body(rest);
            if reads.otherwise || names[..n].contains(name) || *name == taken.array.id.as_str() {
                return None;
            }
            use_.reads.append(&mut reads.numbers);
            use_.evaluations.append(&mut reads.evaluations);
        }
        use_.reads.sort_by_key(|r| r.call.start());
        let is_number = !use_.reads.is_empty() && use_.reads.iter().all(|r| r.way != Way::List);
        let are_told = names.iter().all(|name| is_read_only_at(self.place, name, statement.range(), &use_));
        (is_number && are_told).then_some(Element { taken: Taken { part, ..taken }, reads: use_.reads, evaluations: use_.evaluations })
    }
}

impl<'x> Layered<'x> for Indexed<'_, 'x> {
    fn depth(&mut self) -> &mut Depth {
        &mut self.depth
    }
}

impl<'x> SourceOrderVisitor<'x> for Indexed<'_, 'x> {
    fn visit_body(&mut self, body: &'x [Stmt]) {
        for (at, statement) in body.iter().enumerate() {
            self.assigned.extend(Assigned::at_start_of(self.place, &body[at..]));
            let (Some(element), Stmt::Assign(s)) = (self.unpacked(statement, &body[at + 1..]), statement) else {
                self.visit_stmt(statement);
                continue;
            };
            s.targets.iter().for_each(|target| self.visit_expr(target));
            self.elements.push(element);
        }
    }

    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Call(call) => self.call(expr, call),
            Expr::Name(name) if !name.ctx.is_load() => self.touch(&name.id),
            Expr::Subscript(subscript) => {
                if let (Expr::Name(name), false) = (&*subscript.value, subscript.ctx.is_load()) {
                    self.touched.push(&name.id);
                }
                source_order::walk_expr(self, expr);
            }
            Expr::Attribute(attribute) => self.visit_expr(&attribute.value),
            Expr::Lambda(_) | Expr::Generator(_) => self.opaque(|r| source_order::walk_expr(r, expr)),
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) => self.inside(|r| source_order::walk_expr(r, expr)),
            _ => source_order::walk_expr(self, expr),
        }
    }

    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => self.opaque(|r| source_order::walk_stmt(r, statement)),
            Stmt::For(_) | Stmt::While(_) => self.inside(|r| source_order::walk_stmt(r, statement)),
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn visit_interpolated_string_element(&mut self, element: &'x ast::InterpolatedStringElement) {
        self.part_of_string(element);
    }

    fn visit_keyword(&mut self, keyword: &'x ast::Keyword) {
        self.visit_expr(&keyword.value);
    }

    fn visit_identifier(&mut self, identifier: &'x ast::Identifier) {
        self.touch(identifier.as_str());
    }
}

/// The constant that is added to `index` in `slice`.
fn offset_from(slice: &Expr, index: &str) -> Option<i64> {
    let is_index = |e: &Expr| e.as_name_expr().is_some_and(|n| n.id.as_str() == index);
    let Expr::BinOp(e) = slice else { return is_index(slice).then_some(0) };
    let Expr::NumberLiteral(ast::ExprNumberLiteral { value: ast::Number::Int(n), .. }) = &*e.right else { return None };
    let n = i64::from(n.as_i32()?);
    match e.op {
        _ if !is_index(&e.left) => None,
        ast::Operator::Add => Some(n),
        ast::Operator::Sub => Some(-n),
        _ => None,
    }
}

/// What `subscript` takes out of which array, where it is one element under `index`: `a[i]`, `a[i, 0]`, `a[i][0]`, `a[0, i]`, `a[0][i]`.
fn taken<'x>(source: &Source<'_>, subscript: &'x ast::ExprSubscript, index: &str) -> Option<Taken<'x>> {
    match (&*subscript.value, &*subscript.slice) {
        (Expr::Name(array), Expr::Tuple(ast::ExprTuple { elts, parenthesized: false, .. })) => {
            let [first, second] = &elts[..] else { return None };
            let comma = TextRange::new(first.end(), second.start());
            if source.slice(comma).trim() != "," {
                return None;
            }
            match (offset_from(first, index), offset_from(second, index)) {
                (Some(offset), None) => {
                    let gone = TextRange::new(first.end(), second.end());
                    let column = Column { at: plain_number(second)?, row: first.range(), comma: Some(comma), gone };
                    Some(Taken { array, offset, part: Part::Column(column) })
                }
                (None, Some(offset)) if is_row(first) => {
                    Some(Taken { array, offset, part: Part::Of(first, TextRange::new(first.start(), second.start())) })
                }
                _ => None,
            }
        }
        (Expr::Name(array), row) => Some(Taken { array, offset: offset_from(row, index)?, part: Part::Whole }),
        (Expr::Subscript(inner), second) => {
            let Expr::Name(array) = &*inner.value else { return None };
            match (offset_from(&inner.slice, index), offset_from(second, index)) {
                (Some(offset), None) => {
                    let gone = TextRange::new(inner.end(), subscript.end());
                    let column = Column { at: plain_number(second)?, row: inner.slice.range(), comma: None, gone };
                    Some(Taken { array, offset, part: Part::Column(column) })
                }
                (None, Some(offset)) if is_row(&inner.slice) => {
                    Some(Taken { array, offset, part: Part::Of(&inner.slice, TextRange::new(array.end(), inner.end())) })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether `expr` may be the number of a row that a loop does not change.
fn is_row(expr: &Expr) -> bool {
    expr.is_name_expr() || plain_number(expr).is_some()
}

/// The number that `expr` is, if it is nothing else.
pub(super) fn plain_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::NumberLiteral(ast::ExprNumberLiteral { value: ast::Number::Int(n), .. }) => n.as_i64(),
        Expr::UnaryOp(e) if e.op == ast::UnaryOp::USub => plain_number(&e.operand).map(|n| -n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only_unsafe, safe, stays};

    #[test]
    fn columns_are_read_out_of_lists_of_rows() {
        let table = "t = mx.zeros((n, 2))\n";
        only_unsafe(
            &format!("{table}for i in range(n):\n    out(t[i, 0].item(), t[i, -1].item())\n"),
            &format!("{table}t_list = t.tolist()\nfor i in range(n):\n    out(t_list[i][0], t_list[i][-1])\n"),
        );
        assert_eq!(
            safe(&format!("{table}xs = [int(t[i][1]) for i in range(len(t))]\n")),
            format!("{table}t_1 = t[:, 1].tolist()\nxs = [int(t_1[i]) for i in range(len(t))]\n")
        );
        // One column is a list of numbers.
        only_unsafe(
            "for i in range(len(a)):\n    out(a[i, 0].item(), int(a[i][0]))\n",
            "a_0 = a[:, 0].tolist()\nfor i in range(len(a)):\n    out(a_0[i], int(a_0[i]))\n",
        );
        only_unsafe(
            "for i in range(len(a)):\n    out(a[i, -1].item())\n",
            "a_last = a[:, -1].tolist()\nfor i in range(len(a)):\n    out(a_last[i])\n",
        );
        // Rows of unknown length may be those of logits.
        only_unsafe(
            "for i in range(len(a)):\n    out(a[i, 0].item(), a[i, 2].item())\n",
            "a_list = a[:, :3].tolist()\nfor i in range(len(a)):\n    out(a_list[i][0], a_list[i][2])\n",
        );
        for body in [
            "for i in range(len(a)):\n    out(a[i, 0].item(), a[i, -1].item())\n",
            "t = mx.zeros((n, 2))\nfor i in range(n):\n    out(t[i, 2].item())\n",
            "for i in range(len(a)):\n    out(a[i, 0].item(), a[i].item())\n",
            "for i in range(len(a)):\n    out(a[i, n].item())\n",
            "for i in range(len(a)):\n    out(a[0, i].item())\n",
            "t = mx.zeros((n, 2, 2))\nfor i in range(n):\n    out(t[i, 0].item())\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn one_row_may_be_read_by_columns() {
        let table = "t = mx.zeros((2, n))\n";
        assert_eq!(
            safe(&format!("{table}for i in range(t.shape[1]):\n    out(t[0, i].item())\n")),
            format!("{table}t_row = t[0].tolist()\nfor i in range(t.shape[1]):\n    out(t_row[i])\n")
        );
        // Every element that is read has one number.
        assert_eq!(
            safe("for i in range(a.shape[1]):\n    out(a[n, i].item())\n"),
            "a_row = a[n].flatten().tolist()\nfor i in range(a.shape[1]):\n    out(a_row[i])\n"
        );
        only_unsafe(
            "try:\n    for i in range(a.shape[1]):\n        out(a[n, i].item())\nexcept ValueError:\n    pass\n",
            "try:\n    a_row = a[n].tolist()\n    for i in range(a.shape[1]):\n        out(a_row[i])\nexcept ValueError:\n    pass\n",
        );
        // The second pass over the text takes the rows together.
        assert_eq!(
            safe(&format!("{table}for b in range(2):\n    for i in range(t.shape[1]):\n        out(int(t[b, i]), float(t[b][i]))\n")),
            format!(
                "{table}t_list = t.tolist()\nfor b in range(2):\n    t_row = t_list[b]\n    for i in range(t.shape[1]):\n        out(int(t_row[i]), float(t_row[i]))\n"
            )
        );
        // Two rows have two names, also where one loop is inside the other.
        assert_eq!(
            safe(&format!("{table}for i in range(t.shape[1]):\n    out(t[0, i].item(), t[1, i].item())\n")),
            format!("{table}t_row = t[0].tolist()\nt_row2 = t[1].tolist()\nfor i in range(t.shape[1]):\n    out(t_row[i], t_row2[i])\n")
        );
        for body in [
            // The row may be one of logits, of which three are read.
            "t = mx.zeros((2, n))\nfor i in range(3):\n    out(t[0, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[1]):\n    xs += 1\n    out(t[xs, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[1]):\n    out(t[xs, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[1]):\n    out(t[0, i].item())\n    t[0, 1] = 3\n",
            "t = mx.zeros((2, n, 2))\nfor i in range(t.shape[1]):\n    out(t[0, i].item())\n",
            "t = mx.zeros((2, n))\nfor i in range(t.shape[0]):\n    out(t[0, i].item())\n",
        ] {
            stays(body);
        }
    }
}
