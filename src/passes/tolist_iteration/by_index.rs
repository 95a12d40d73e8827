//! Loops over indices: `for i in range(len(a)): .. a[i].item() ..` becomes a list made before the loop and `.. a_list[i] ..` in it. The array must be the
//! same from the first round to the last, and every index must lie inside: MLX does not check, a list does.

use crate::finding::{Applicability, Proposal};
use crate::graph::facts::Facts;
use crate::graph::value::{Op, ValueId};
use crate::passes::place::{Place, is_builtin};
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange};

use super::origin::axes;
use super::reads::{Read, number_read};
use super::{Loops, Use, shorten};

/// Builtins that leave their arguments as they are.
const HARMLESS: [&str; 12] = ["len", "enumerate", "zip", "sum", "min", "max", "list", "tuple", "print", "isinstance", "sorted", "float"];

/// A loop that counts through the places of something.
struct Counter<'x> {
    name: &'x str,
    /// Below which number it stays.
    bound: ValueId,
    bound_text: TextRange,
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

/// `for name in range(bound)`, perhaps from another start or in steps, where no index is negative.
fn counter<'x>(place: &Place<'_>, iterable: &'x Expr, target: &'x Expr) -> Option<Counter<'x>> {
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
    let at_least = |value: Option<ValueId>, least: i64| value.is_none_or(|v| graph.as_int(v).is_some_and(|n| n >= least));
    let bound_text = call.arguments.args.get(usize::from(start.is_some()))?.range();
    (at_least(start, 0) && at_least(step, 1)).then_some(Counter { name: &name.id, bound, bound_text })
}

fn proposals(loops: &Loops<'_, '_>, counter: &Counter<'_>, seen: Indexed<'_, '_>, site: &Site, iterable: &Expr) -> Vec<Proposal> {
    if seen.index_bound || seen.reads.is_empty() {
        return Vec::new();
    }
    let Some(facts) = loops.place.facts(site.statement, iterable) else { return Vec::new() };
    let mut names: Vec<&str> = seen.reads.iter().map(|(array, _)| &*array.id).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !seen.touched.contains(name));
    names.into_iter().filter_map(|name| propose(loops, counter, &seen, site, &facts, name)).collect()
}

fn propose(loops: &Loops<'_, '_>, counter: &Counter<'_>, seen: &Indexed<'_, '_>, site: &Site, facts: &Facts<'_>, array: &str) -> Option<Proposal> {
    let place = loops.place;
    let value = place.value_of(array, site.statement.start())?;
    let own: Vec<&(&ast::ExprName, Read)> = seen.reads.iter().filter(|(name, _)| name.id.as_str() == array).collect();
    // Whoever changes an array in place makes it another value from there on, under every name that holds it.
    let offsets = own.iter().map(|(name, _)| name.range.start()).chain([site.inner.end()]);
    if !offsets.into_iter().all(|at| place.value_of(array, at) == Some(value)) {
        return None;
    }
    let use_ = Use { reads: own.iter().map(|&&(_, read)| read).collect(), each_round: true };
    let mut verdict = loops.judge(value, facts, 1, array, &use_)?;
    if !is_length(place, facts, counter.bound, value) {
        let bound = shorten(place.source().slice(counter.bound_text));
        verdict.assumptions.push(format!("assumes that `{array}` has at least `{bound}` elements"));
        verdict.applicability = Applicability::Unsafe;
    }
    let fresh = fresh_name(place, array);
    let source = place.source();
    let (newline, indentation) = (source.newline(), source.indentation(site.statement.start()));
    let mut edits = vec![Edit::insert(site.statement.start(), format!("{fresh} = {array}{}{newline}{indentation}", verdict.suffix))];
    for (name, read) in own {
        edits.push(Edit::replace(name.range, fresh.as_str()));
        edits.extend(read.is_item.then(|| loops.without_call(read)));
    }
    let first = source.slice(use_.reads[0].call);
    let message = format!(
        "`{first}` takes one element out of `{array}` and waits for it, in every round: read all of them once, with `{}`",
        verdict.suffix.trim_start_matches('.')
    );
    let range = TextRange::new(site.statement.start(), site.inner.end());
    Some(loops.proposal(range, &verdict, message, &use_.reads, edits))
}

/// Whether `bound` is the number of elements of `array`, or less.
fn is_length(place: &Place<'_>, facts: &Facts<'_>, bound: ValueId, array: ValueId) -> bool {
    let analysis = place.analysis;
    let one_axis = || axes(analysis, facts, array) == Some(1);
    match analysis.graph.get(bound) {
        (Op::Dim(0), &[of]) => of == array,
        (Op::Dim(-1), &[of]) => of == array && one_axis(),
        (Op::Attr(name, _), &[of]) => of == array && analysis.graph.name(name) == "size" && one_axis(),
        (Op::Mlx("size"), &[of, ..]) => of == array && one_axis(),
        (Op::Apply, &[callee, of]) => of == array && is_builtin(analysis, callee, "len"),
        _ => false,
    }
}

/// A name for the list that nothing in the file uses.
fn fresh_name(place: &Place<'_>, array: &str) -> String {
    let text = place.source().text();
    let mut name = format!("{array}_list");
    let mut n = 1;
    while memchr::memmem::find(text.as_bytes(), name.as_bytes()).is_some() {
        n += 1;
        name = format!("{array}_list{n}");
    }
    name
}

/// What a loop body does with arrays under one index.
struct Indexed<'p, 'x> {
    place: &'p Place<'x>,
    index: &'p str,
    /// `a[i]` read as a number: the name `a`, and the read.
    reads: Vec<(&'x ast::ExprName, Read)>,
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
            && let Some((Expr::Subscript(element), read)) = number_read(self.place, call)
            && let (Expr::Name(array), Expr::Name(index)) = (&*element.value, &*element.slice)
            && index.id.as_str() == self.index
            && array.range.start() == element.range.start()
        {
            self.reads.push((array, read));
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
