//! Loops over indices: `for i in range(len(a)): .. a[i].item() ..` becomes a list made before the loop and `.. a_list[i] ..` in it, and `a[i, 0]` becomes
//! `a_list[i][0]`. The array must be the same from the first round to the last, and every index must lie inside: MLX does not check, a list does.

use crate::finding::{Applicability, Proposal};
use crate::graph::facts::Facts;
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, is_builtin};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, Source, TextRange, TokenKind};

use super::origin::axes;
use super::reads::{Read, number_read};
use super::{Loops, Use, shorten};

/// Builtins that leave their arguments as they are.
const HARMLESS: [&str; 12] = ["len", "enumerate", "zip", "sum", "min", "max", "list", "tuple", "print", "isinstance", "sorted", "float"];

/// Rows of more elements than these are cut to what is read of them.
const NARROW: i64 = 16;

/// A loop that counts through the places of something.
struct Counter<'x> {
    name: &'x str,
    /// Its first value.
    start: i64,
    /// Below what it stays.
    bound: Bound,
    bound_text: String,
}

/// Below what an index stays.
enum Bound {
    /// A number.
    Number(ValueId),
    /// How many elements something has that is gone through beside it.
    LengthOf(Option<ValueId>),
}

/// `a[i + offset]`, read as a number.
#[derive(Clone, Copy)]
struct Element<'x> {
    array: &'x ast::ExprName,
    offset: i64,
    column: Option<Column>,
    read: Read,
}

/// The second index of an element, a plain number.
#[derive(Clone, Copy)]
struct Column {
    at: i64,
    /// What stands between the two where they share their brackets.
    comma: Option<TextRange>,
}

/// Where the new statement goes, and what it is for.
struct Site {
    /// The new list is made before this statement.
    statement: TextRange,
    /// Where the loop begins and ends.
    inner: TextRange,
}

/// The proposals for a loop over a range; `None` for other loops.
pub(super) fn in_loop(loops: &Loops<'_, '_>, s: &ast::StmtFor) -> Option<Vec<Proposal>> {
    let counter = counter(loops.place, &s.iter, &s.target)?;
    let mut seen = Indexed::by(loops.place, counter.name);
    seen.visit_body(&s.body);
    let site = Site { statement: s.range, inner: s.range };
    Some(proposals(loops, &counter, seen, &site, &s.iter))
}

/// The proposals for a comprehension over a range; `None` for other comprehensions.
pub(super) fn in_comprehension(
    loops: &Loops<'_, '_>,
    statement: &Stmt,
    whole: &Expr,
    elements: &[&Expr],
    generators: &[ast::Comprehension],
) -> Option<Vec<Proposal>> {
    let [generator] = generators else { return None };
    let counter = counter(loops.place, &generator.iter, &generator.target)?;
    let is_simple = matches!(statement, Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_) | Stmt::Return(_) | Stmt::Expr(_));
    let runs_now = !whole.is_generator_expr() || loops.consumed == Some(whole.range());
    let source = loops.place.source();
    let line = source.slice(TextRange::new(source.line_start(statement.start()), statement.start()));
    if generator.is_async || !is_simple || !runs_now || loops.conditional > 0 || !line.trim_matches([' ', '\t']).is_empty() {
        return Some(Vec::new());
    }
    let mut seen = Indexed::by(loops.place, counter.name);
    generator.ifs.iter().for_each(|e| seen.visit_expr(e));
    elements.iter().for_each(|e| seen.visit_expr(e));
    let site = Site { statement: statement.range(), inner: whole.range() };
    Some(proposals(loops, &counter, seen, &site, &generator.iter))
}

/// `for name in range(bound)`, perhaps from another start or in steps, where no index is negative, or `for name, _ in enumerate(bound)`.
fn counter<'x>(place: &Place<'_>, iterable: &'x Expr, target: &'x Expr) -> Option<Counter<'x>> {
    if let Some(beside) = counted_by_enumerate(place, iterable)
        && let Expr::Tuple(ast::ExprTuple { elts, .. }) = target
        && let [Expr::Name(name), _] = &elts[..]
    {
        let bound_text = format!("len({})", shorten(place.source().slice(beside.range())));
        return Some(Counter { name: &name.id, start: 0, bound: Bound::LengthOf(place.value(beside)), bound_text });
    }
    let (Expr::Call(call), Expr::Name(name)) = (iterable, target) else { return None };
    if !place.calls_builtin(call, "range") || !call.arguments.keywords.is_empty() {
        return None;
    }
    let graph = &place.analysis.graph;
    let operands = graph.operands(place.value(iterable)?);
    let (bound, start, step) = match *operands {
        [_, bound] => (bound, None, None),
        [_, start, bound] => (bound, Some(start), None),
        [_, start, bound, step] => (bound, Some(start), Some(step)),
        _ => return None,
    };
    let bound_text = shorten(place.source().slice(call.arguments.args.get(usize::from(start.is_some()))?.range()));
    let start = start.map_or(Some(0), |v| graph.as_int(v))?;
    let step = step.map_or(Some(1), |v| graph.as_int(v))?;
    (start >= 0 && step >= 1).then_some(Counter { name: &name.id, start, bound: Bound::Number(bound), bound_text })
}

/// What `enumerate` counts from 0, if `iterable` calls it.
pub(super) fn counted_by_enumerate<'x>(place: &Place<'_>, iterable: &'x Expr) -> Option<&'x Expr> {
    let Expr::Call(call) = iterable else { return None };
    match &*call.arguments.args {
        [beside] if call.arguments.keywords.is_empty() && place.calls_builtin(call, "enumerate") => Some(beside),
        _ => None,
    }
}

fn proposals(loops: &Loops<'_, '_>, counter: &Counter<'_>, seen: Indexed<'_, '_>, site: &Site, iterable: &Expr) -> Vec<Proposal> {
    let Some(first) = seen.reads.first() else { return Vec::new() };
    let reads = [first.read];
    if seen.index_bound {
        let reason = || format!("`{}` gets another value in the loop", counter.name);
        return loops.left(site.inner, first.read.call, &reads, reason).into_iter().collect();
    }
    let Some(facts) = loops.place.facts(site.statement, iterable) else { return Vec::new() };
    let mut names: Vec<&str> = seen.reads.iter().map(|e| &*e.array.id).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| {
        let touched = seen.touched.contains(name);
        if touched {
            loops.left::<()>(site.inner, first.read.call, &reads, || format!("`{name}` may be changed in the loop that reads it"));
        }
        !touched
    });
    names.into_iter().filter_map(|name| propose(loops, counter, &seen, site, &facts, name)).collect()
}

fn propose(loops: &Loops<'_, '_>, counter: &Counter<'_>, seen: &Indexed<'_, '_>, site: &Site, facts: &Facts<'_>, array: &str) -> Option<Proposal> {
    let place = loops.place;
    let value = place.value_of(array, site.statement.start())?;
    // A list checks its bounds: every index must lie inside, or be the last element counted from the end.
    let slack = slack(place, facts, &counter.bound, value);
    let is_inside = |e: &&Element<'_>| counter.start + e.offset >= -1 && e.offset <= slack.unwrap_or(0);
    let own: Vec<Element<'_>> = seen.reads.iter().filter(|e| e.array.id.as_str() == array).filter(is_inside).copied().collect();
    // Whoever changes an array in place makes it another value from there on, under every name that holds it.
    let offsets = own.iter().map(|e| e.array.range.start()).chain([site.inner.end()]);
    let read = seen.reads.iter().find(|e| e.array.id.as_str() == array).map(|e| e.read)?;
    if own.is_empty() {
        return loops.left(site.inner, read.call, &[read], || format!("an index may lie outside of `{array}`, which a list would refuse"));
    }
    if !offsets.into_iter().all(|at| place.value_of(array, at) == Some(value)) {
        return loops.left(site.inner, read.call, &[read], || format!("`{array}` may be another array, or a changed one, in a later round"));
    }
    let columns: Vec<i64> = own.iter().filter_map(|e| Some(e.column?.at)).collect();
    if !columns.is_empty() && columns.len() < own.len() {
        return loops.left(site.inner, read.call, &[read], || format!("`{array}` is read by one index and by two"));
    }
    let use_ = Use { reads: own.iter().map(|e| e.read).collect(), each_round: columns.is_empty(), rebinding: None };
    let mut verdict = match loops.judge(value, facts, if columns.is_empty() { 1 } else { 2 }, array, &use_) {
        Ok(verdict) => verdict,
        Err(reason) => return loops.left(site.inner, read.call, &use_.reads, || reason),
    };
    if slack.is_none() {
        let what = if columns.is_empty() { "elements" } else { "rows" };
        verdict.assumptions.push(format!("`{array}` has at least `{}` {what}", counter.bound_text));
        verdict.applicability = Applicability::Unsafe;
    }
    let (part, assumed) = match part_of_rows(facts.length(value, 1).and_then(|length| place.analysis.graph.as_int(length)), array, &columns) {
        Ok(part) => part,
        Err(reason) => return loops.left(site.inner, read.call, &use_.reads, || reason),
    };
    if let Some(assumed) = assumed {
        verdict.assumptions.push(assumed);
        verdict.applicability = Applicability::Unsafe;
    }
    let fresh = fresh_name(place, array);
    let source = place.source();
    let (newline, indentation) = (source.newline(), source.indentation(site.statement.start()));
    let mut edits = vec![Edit::insert(site.statement.start(), format!("{fresh} = {array}{part}{}{newline}{indentation}", verdict.suffix))];
    for element in own {
        edits.push(Edit::replace(element.array.range, fresh.as_str()));
        edits.extend(element.column.and_then(|c| c.comma).map(|comma| Edit::replace(comma, "][")));
        edits.extend(element.read.is_item.then(|| loops.without_call(&element.read)));
    }
    let first = source.slice(use_.reads[0].call);
    let message = format!(
        "`{first}` takes one element out of `{array}` and waits for it, in every round: read all of them once, with `{}`",
        verdict.suffix.trim_start_matches('.')
    );
    let range = TextRange::new(site.statement.start(), site.inner.end());
    Some(loops.proposal(range, &verdict, message, &use_.reads, edits))
}

/// What is taken of rows of `width` elements, if that is known, of which `columns` are read, and what that assumes.
fn part_of_rows(width: Option<i64>, array: &str, columns: &[i64]) -> Result<(String, Option<String>), String> {
    let needed = columns.iter().map(|&at| if at < 0 { -at } else { at + 1 }).max().unwrap_or(0);
    // The rows may be long, as those of logits are, and all their elements would be made Python numbers.
    let is_cut = needed > 0 && width.is_none_or(|width| width > NARROW);
    if is_cut && columns.iter().any(|&at| at < 0) {
        return Err(format!("the rows of `{array}` may be long, and few of their elements are read"));
    }
    let assumed = format!("`{array}` has at least {needed} column{}", if needed == 1 { "" } else { "s" });
    let part = if is_cut { format!("[:, :{needed}]") } else { String::new() };
    Ok((part, (needed > width.unwrap_or(0)).then_some(assumed)))
}

/// By how much `bound` is less than the number of elements of `array`, where it is known to be no more.
fn slack(place: &Place<'_>, facts: &Facts<'_>, bound: &Bound, array: ValueId) -> Option<i64> {
    let bound = match *bound {
        Bound::Number(bound) => bound,
        Bound::LengthOf(of) => return (of == Some(array)).then_some(0),
    };
    if is_length(place, facts, bound, array) {
        return Some(0);
    }
    let graph = &place.analysis.graph;
    let (Op::Sub, &[length, less]) = graph.get(bound) else { return None };
    let less = graph.as_int(less).filter(|&n| n >= 0)?;
    is_length(place, facts, length, array).then_some(less)
}

/// Whether `bound` is the number of elements of `array`.
fn is_length(place: &Place<'_>, facts: &Facts<'_>, bound: ValueId, array: ValueId) -> bool {
    let analysis = place.analysis;
    let one_axis = || axes(analysis, facts, array) == Some(1);
    match analysis.graph.get(bound) {
        (Op::Dim(0), &[of]) => of == array,
        (Op::Dim(-1), &[of]) => of == array && one_axis(),
        (Op::Attr(name, _), &[of]) => of == array && analysis.graph.name(name) == "size" && one_axis(),
        (Op::Apply, &[callee, of]) => of == array && is_builtin(analysis, callee, "len"),
        _ => false,
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

/// What `subscript` takes out of which array, where it is one element under `index`: `a[i]`, `a[i, 0]`, `a[i][0]`.
fn element<'x>(source: &Source<'_>, subscript: &'x ast::ExprSubscript, index: &str) -> Option<(&'x ast::ExprName, i64, Option<Column>)> {
    match (&*subscript.value, &*subscript.slice) {
        (Expr::Name(array), Expr::Tuple(ast::ExprTuple { elts, parenthesized: false, .. })) => {
            let [row, column] = &elts[..] else { return None };
            let comma = TextRange::new(row.end(), column.start());
            let column = Column { at: plain_number(column)?, comma: Some(comma).filter(|&c| source.slice(c).trim() == ",") };
            column.comma.and(Some((array, offset_from(row, index)?, Some(column))))
        }
        (Expr::Name(array), row) => Some((array, offset_from(row, index)?, None)),
        (Expr::Subscript(inner), column) => {
            let Expr::Name(array) = &*inner.value else { return None };
            Some((array, offset_from(&inner.slice, index)?, Some(Column { at: plain_number(column)?, comma: None })))
        }
        _ => None,
    }
}

/// The number that `expr` is, if it is nothing else.
fn plain_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::NumberLiteral(ast::ExprNumberLiteral { value: ast::Number::Int(n), .. }) => n.as_i64(),
        Expr::UnaryOp(e) if e.op == ast::UnaryOp::USub => plain_number(&e.operand).map(|n| -n),
        _ => None,
    }
}

/// A name for the list that nothing in the scope uses, at any depth.
fn fresh_name(place: &Place<'_>, array: &str) -> String {
    let source = place.source();
    let text = source.slice(place.body.range).as_bytes();
    let is_name =
        |name: &str| source.tokens().in_range(place.body.range).iter().any(|t| t.kind() == TokenKind::Name && source.slice(t.range()) == name);
    // The search for bytes spares nearly every walk over the tokens.
    let is_used = |name: &str| memchr::memmem::find(text, name.as_bytes()).is_some() && is_name(name);
    let plain = format!("{array}_list");
    let numbered = (2..).map(|n| format!("{array}_list{n}"));
    std::iter::once(plain).chain(numbered).find(|name| !is_used(name)).unwrap_or_default()
}

/// What a loop body does with arrays under one index.
struct Indexed<'p, 'x> {
    place: &'p Place<'x>,
    index: &'p str,
    reads: Vec<Element<'x>>,
    /// The index gets another value.
    index_bound: bool,
    /// Names that are bound, written into, or given to code that may write into them.
    touched: Vec<&'x str>,
    opaque: u32,
}

impl<'p, 'x> Indexed<'p, 'x> {
    fn by(place: &'p Place<'x>, index: &'p str) -> Self {
        Self { place, index, reads: Vec::new(), index_bound: false, touched: Vec::new(), opaque: 0 }
    }

    fn touch(&mut self, name: &'x str) {
        self.index_bound |= name == self.index;
        self.touched.push(name);
    }

    fn opaque(&mut self, walk: impl FnOnce(&mut Self)) {
        self.opaque += 1;
        walk(self);
        self.opaque -= 1;
    }

    fn call(&mut self, expr: &'x Expr, call: &'x ast::ExprCall) {
        if self.opaque == 0
            && let Some((Expr::Subscript(subscript), read)) = number_read(self.place, call)
            && let Some((array, offset, column)) = element(self.place.source(), subscript, self.index)
            && array.range.start() == subscript.range.start()
        {
            self.reads.push(Element { array, offset, column, read });
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

impl<'x> SourceOrderVisitor<'x> for Indexed<'_, 'x> {
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
            _ => source_order::walk_expr(self, expr),
        }
    }

    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => self.opaque(|r| source_order::walk_stmt(r, statement)),
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn visit_interpolated_string_element(&mut self, element: &'x ast::InterpolatedStringElement) {
        match element {
            ast::InterpolatedStringElement::Interpolation(e) if e.debug_text.is_some() => {
                self.opaque(|r| source_order::walk_interpolated_string_element(r, element))
            }
            _ => source_order::walk_interpolated_string_element(self, element),
        }
    }

    fn visit_keyword(&mut self, keyword: &'x ast::Keyword) {
        self.visit_expr(&keyword.value);
    }

    fn visit_identifier(&mut self, identifier: &'x ast::Identifier) {
        self.touch(identifier.as_str());
    }
}
