//! How a piece of text reads a name: as a number (`x.item()`, `int(x)`, `float(x)`), or in some other way.

use crate::graph::sees_names;
use crate::graph::statements::comprehension;
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::{self, SourceOrderVisitor};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

use super::depth::{Depth, Layered};

/// One place where an element is read as a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    /// The element.
    pub(super) element: TextRange,
    /// The call that reads it.
    pub(super) call: TextRange,
    /// How.
    pub(super) way: Way,
    /// The builtin that is given the number, or reads it itself.
    pub(super) converted: Option<Converted>,
}

/// A call of `int`, `float` or `bool` with an element, or with a number that is read of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Converted {
    pub(super) by: &'static str,
    pub(super) call: TextRange,
}

/// How an element is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// `.item()`, which goes away.
    Item,
    /// `int()`, `float()` or `bool()`, which stay and take the number as well as the array.
    Convert,
    /// `.tolist()`, which goes away. Of a row it gives a list, of an element a number.
    List,
}

impl Read {
    /// Whether the call goes away.
    pub(super) fn goes(&self) -> bool {
        self.way != Way::Convert
    }

    /// The call that goes away, if the numbers have the type `plain` already.
    pub(super) fn gone(&self, plain: Option<&str>) -> Option<TextRange> {
        let converted = self.converted.filter(|c| Some(c.by) == plain).map(|c| c.call);
        converted.or_else(|| self.goes().then_some(self.call))
    }
}

/// The builtin that makes a number of an array, if `call` calls one.
pub(super) fn conversion(place: &Place<'_>, call: &ast::ExprCall) -> Option<&'static str> {
    ["int", "float", "bool"].into_iter().find(|name| place.calls_builtin(call, name))
}

/// What `call` reads as a number, where it does that and nothing else, but to convert the number.
pub(super) fn number_read<'x>(place: &Place<'_>, call: &'x ast::ExprCall) -> Option<(&'x Expr, Read)> {
    let read = |element: &'x Expr, way| (element, Read { element: element.range(), call: call.range(), way, converted: None });
    match (&*call.func, &*call.arguments.args) {
        _ if !call.arguments.keywords.is_empty() => None,
        (Expr::Attribute(attribute), []) => {
            let way = match attribute.attr.as_str() {
                "item" => Way::Item,
                "tolist" => Way::List,
                _ => return None,
            };
            // Parentheses around the element, and comments behind it, would be left over.
            let plain = attribute.value.start() == call.range().start() && place.source().comments_in(call.range()).is_empty();
            plain.then(|| read(&attribute.value, way))
        }
        (Expr::Name(_), [element]) => {
            let by = conversion(place, call)?;
            let whole = Converted { by, call: call.range() };
            let converted = place.source().comments_in(call.range()).is_empty().then_some(whole);
            let inner = element.as_call_expr().and_then(|inner| number_read(place, inner));
            let (element, read) = inner.filter(|(_, inner)| inner.way == Way::Item).unwrap_or_else(|| read(element, Way::Convert));
            Some((element, Read { converted, ..read }))
        }
        _ => None,
    }
}

/// All that a piece of text does with one name.
pub(super) struct Reads<'p, 'x> {
    place: &'p Place<'x>,
    name: &'p str,
    /// Where it is read as a number, or once in a round as a list.
    pub(super) numbers: Vec<Read>,
    /// The statements, with their lines, that do nothing but evaluate it.
    pub(super) evaluations: Vec<TextRange>,
    /// It is read, bound or deleted in some other way.
    pub(super) otherwise: bool,
    /// It is made a list more than once.
    pub(super) many_lists: bool,
    /// Code that runs later mentions it.
    pub(super) later: bool,
    depth: Depth,
}

impl<'p, 'x> Reads<'p, 'x> {
    /// Nothing seen yet.
    pub(super) fn of(place: &'p Place<'x>, name: &'p str) -> Self {
        Self { place, name, numbers: Vec::new(), evaluations: Vec::new(), otherwise: false, many_lists: false, later: false, depth: Depth::default() }
    }

    /// Look through `statements` of a block in which `left` statements would be left if none of these went.
    pub(super) fn part_of_body(&mut self, statements: &'x [Stmt], mut left: usize) {
        for statement in statements {
            match self.evaluation(statement) {
                // A block must keep a statement.
                Some(lines) if left > 1 => {
                    left -= 1;
                    self.evaluations.push(lines);
                }
                _ => self.visit_stmt(statement),
            }
        }
    }

    fn mention(&mut self) {
        self.otherwise = true;
        self.later |= self.depth.opaque > 0;
    }

    /// A number is the same however often it is read, while each list that is made is another object.
    fn read(&mut self, read: Read) {
        let is_second = self.numbers.first().is_some_and(|first| first.way == Way::List || read.way == Way::List);
        self.many_lists |= is_second || (read.way == Way::List && self.depth.inner > 0);
        self.otherwise |= self.many_lists;
        self.numbers.push(read);
    }

    /// The lines of `statement`, where it evaluates the name alone and can go.
    fn evaluation(&self, statement: &Stmt) -> Option<TextRange> {
        let Stmt::Expr(s) = statement else { return None };
        let call = s.value.as_call_expr()?;
        let ([Expr::Name(only)], true) = (&*call.arguments.args, call.arguments.keywords.is_empty()) else { return None };
        let evaluates = only.id.as_str() == self.name && self.depth.opaque == 0 && self.place.path(&call.func).as_deref() == Some("mlx.core.eval");
        let source = self.place.source();
        let lines = TextRange::new(source.line_start(statement.start()), source.full_line_end(statement.end()));
        (evaluates && source.slice(lines).trim() == source.slice(statement.range())).then_some(lines)
    }

    fn comprehension(&mut self, expr: &'x Expr, elements: &[&'x Expr], generators: &'x [ast::Comprehension]) {
        if generators.iter().any(|g| binds(&g.target, self.name)) {
            // The first iterable is evaluated outside; everything else speaks of the inner name.
            generators.first().into_iter().for_each(|g| self.visit_expr(&g.iter));
        } else if expr.is_generator_expr() {
            self.opaque(|r| source_order::walk_expr(r, expr));
        } else if let Some(first) = generators.first() {
            // What the comprehension goes through is evaluated once.
            self.visit_expr(&first.iter);
            self.inside(|r| r.rounds_of(elements, generators));
        }
    }

    /// What a comprehension evaluates in its rounds.
    fn rounds_of(&mut self, elements: &[&'x Expr], generators: &'x [ast::Comprehension]) {
        for (n, generator) in generators.iter().enumerate() {
            if n > 0 {
                self.visit_expr(&generator.iter);
            }
            generator.ifs.iter().for_each(|test| self.visit_expr(test));
        }
        elements.iter().for_each(|element| self.visit_expr(element));
    }
}

impl<'x> Layered<'x> for Reads<'_, 'x> {
    fn depth(&mut self) -> &mut Depth {
        &mut self.depth
    }
}

impl<'x> SourceOrderVisitor<'x> for Reads<'_, 'x> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        match expr {
            Expr::Name(name) => {
                if name.id.as_str() == self.name {
                    self.mention();
                }
            }
            Expr::Call(call) => match number_read(self.place, call) {
                Some((Expr::Name(name), read)) if name.id.as_str() == self.name && self.depth.opaque == 0 => self.read(read),
                _ => {
                    self.later |= sees_names(call);
                    source_order::walk_expr(self, expr);
                }
            },
            Expr::Attribute(attribute) => self.visit_expr(&attribute.value),
            Expr::Lambda(lambda) => {
                let parameters = lambda.parameters.as_deref();
                if !parameters.is_some_and(|p| p.iter().any(|p| p.name().as_str() == self.name)) {
                    self.opaque(|r| source_order::walk_expr(r, expr));
                } else if let Some(parameters) = parameters {
                    // Defaults are evaluated outside.
                    parameters.iter_non_variadic_params().filter_map(|p| p.default.as_deref()).for_each(|e| self.visit_expr(e));
                }
            }
            _ => match comprehension(expr) {
                Some((elements, generators)) => self.comprehension(expr, &elements, generators),
                None => source_order::walk_expr(self, expr),
            },
        }
    }

    fn visit_stmt(&mut self, statement: &'x Stmt) {
        match statement {
            Stmt::FunctionDef(def) if def.name.as_str() != self.name && is_local(def, self.name) => {
                let defaults = def.parameters.iter_non_variadic_params().filter_map(|p| p.default.as_deref());
                let decorators = def.decorator_list.iter().map(|d| &d.expression);
                defaults.chain(decorators).for_each(|e| self.visit_expr(e));
            }
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => self.opaque(|r| source_order::walk_stmt(r, statement)),
            Stmt::For(s) => {
                self.visit_expr(&s.iter);
                self.inside(|r| {
                    r.visit_expr(&s.target);
                    r.visit_body(&s.body);
                    r.visit_body(&s.orelse);
                });
            }
            Stmt::While(_) => self.inside(|r| source_order::walk_stmt(r, statement)),
            _ => source_order::walk_stmt(self, statement),
        }
    }

    fn visit_body(&mut self, body: &'x [Stmt]) {
        self.part_of_body(body, body.len());
    }

    fn visit_interpolated_string_element(&mut self, element: &'x ast::InterpolatedStringElement) {
        self.part_of_string(element);
    }

    fn visit_keyword(&mut self, keyword: &'x ast::Keyword) {
        self.visit_expr(&keyword.value);
    }

    fn visit_alias(&mut self, alias: &'x ast::Alias) {
        let bound = alias.asname.as_ref().map_or_else(|| alias.name.split('.').next().unwrap_or_default(), |n| n.as_str());
        if bound == self.name {
            self.mention();
        }
    }

    fn visit_identifier(&mut self, identifier: &'x ast::Identifier) {
        if identifier.as_str() == self.name {
            self.mention();
        }
    }
}

/// Whether assigning to `target` binds `name`.
pub(super) fn binds(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Name(n) => n.id.as_str() == name,
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => elts.iter().any(|t| binds(t, name)),
        Expr::Starred(starred) => binds(&starred.value, name),
        _ => false,
    }
}

/// Whether `name` is a local of `def`: then nothing inside speaks of an outer one.
fn is_local(def: &ast::StmtFunctionDef, name: &str) -> bool {
    struct Stores<'n> {
        name: &'n str,
        stored: bool,
        outer: bool,
    }
    impl<'x> SourceOrderVisitor<'x> for Stores<'_> {
        fn visit_expr(&mut self, expr: &'x Expr) {
            if let Expr::Name(name) = expr {
                self.stored |= name.id.as_str() == self.name && name.ctx.is_store();
            } else if !expr.is_lambda_expr() && comprehension(expr).is_none() {
                source_order::walk_expr(self, expr);
            }
        }
        fn visit_stmt(&mut self, statement: &'x Stmt) {
            match statement {
                Stmt::Global(_) | Stmt::Nonlocal(_) => self.outer = true,
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
                _ => source_order::walk_stmt(self, statement),
            }
        }
    }
    if def.parameters.iter().any(|p| p.name().as_str() == name) {
        return true;
    }
    let mut stores = Stores { name, stored: false, outer: false };
    stores.visit_body(&def.body);
    stores.stored && !stores.outer
}

/// Whether every round of a loop with this body reads one of `reads`, whatever else happens.
pub(super) fn read_each_round(body: &[Stmt], reads: &[Read]) -> bool {
    for statement in body {
        let head = match statement {
            Stmt::Expr(s) => vec![&*s.value],
            // The subscripts of what is written into are evaluated, too.
            Stmt::Assign(s) => std::iter::once(&*s.value).chain(&s.targets).collect(),
            Stmt::AnnAssign(s) => s.value.as_deref().into_iter().collect(),
            Stmt::AugAssign(s) => vec![&*s.target, &*s.value],
            Stmt::Delete(s) => s.targets.iter().collect(),
            Stmt::Return(s) => s.value.as_deref().into_iter().collect(),
            Stmt::With(s) => s.items.iter().map(|item| &item.context_expr).take(1).collect(),
            Stmt::If(s) => vec![&*s.test],
            Stmt::While(s) => vec![&*s.test],
            Stmt::For(s) => vec![&*s.iter],
            Stmt::Assert(s) => vec![&*s.test],
            _ => Vec::new(),
        };
        if head.into_iter().any(|h| is_always_read(h, reads)) {
            return true;
        }
        if may_jump(statement) {
            return false;
        }
    }
    false
}

/// Whether evaluating `expr` evaluates one of `reads`.
pub(super) fn is_always_read(expr: &Expr, reads: &[Read]) -> bool {
    let mut finder = Eager { reads, found: false };
    finder.visit_expr(expr);
    finder.found
}

struct Eager<'r> {
    reads: &'r [Read],
    found: bool,
}

impl<'x> SourceOrderVisitor<'x> for Eager<'_> {
    fn visit_expr(&mut self, expr: &'x Expr) {
        self.found |= self.reads.iter().any(|r| r.call == expr.range());
        match expr {
            _ if self.found => {}
            Expr::BoolOp(e) => e.values.first().into_iter().for_each(|v| self.visit_expr(v)),
            Expr::If(e) => self.visit_expr(&e.test),
            Expr::Compare(e) => [Some(&*e.left), e.comparators.first()].into_iter().flatten().for_each(|v| self.visit_expr(v)),
            Expr::Lambda(_) => {}
            _ => match comprehension(expr) {
                Some((_, generators)) => generators.first().into_iter().for_each(|g| self.visit_expr(&g.iter)),
                None => source_order::walk_expr(self, expr),
            },
        }
    }
}

fn may_jump(statement: &Stmt) -> bool {
    struct Jumps(bool);
    impl<'x> SourceOrderVisitor<'x> for Jumps {
        fn visit_stmt(&mut self, statement: &'x Stmt) {
            self.0 |= matches!(statement, Stmt::Break(_) | Stmt::Continue(_) | Stmt::Return(_) | Stmt::Raise(_));
            if !self.0 {
                source_order::walk_stmt(self, statement);
            }
        }
        fn visit_expr(&mut self, _: &'x Expr) {}
    }
    let mut jumps = Jumps(false);
    jumps.visit_stmt(statement);
    jumps.0
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only_unsafe, safe, stays};

    #[test]
    fn what_a_row_is_unpacked_into_may_be_read_later() {
        assert_eq!(
            safe("g = a.reshape(-1, 2)\nfor i in range(len(g)):\n    h, w = g[i]\n    out(int(h) * w.item())\n"),
            "g = a.reshape(-1, 2)\ng_list = g.tolist()\nfor i in range(len(g)):\n    h, w = g_list[i]\n    out(int(h) * w)\n"
        );
        assert_eq!(
            safe("a = a.flatten()\nfor i in range(a.size):\n    x = a[i]\n    mx.eval(x)\n    if n:\n        out(x.item())\n"),
            "a = a.flatten()\na_list = a.tolist()\nfor i in range(a.size):\n    x = a_list[i]\n    if n:\n        out(x)\n"
        );
        only_unsafe(
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h))\n",
            "a_list = a.tolist()\nfor i in range(len(a)):\n    h, w = a_list[i]\n    out(int(h))\n",
        );
        for body in [
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h), w)\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h))\nout(w)\n",
            "for i in range(len(a)):\n    if i:\n        out(int(h))\n    h, w = a[i]\n    out(int(w))\n",
            "for i in range(len(a)):\n    h, h = a[i]\n    out(int(h))\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    out(lambda: int(h))\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    h = h + 1\n    out(int(h))\n",
            "for i in range(len(a)):\n    h, w = a[i]\n    out(int(h))\n    a[i] = 0\n",
            "for i in range(len(a)):\n    h, w = c = a[i]\n    out(int(h), c)\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn an_evaluation_of_an_element_goes_with_the_reads() {
        assert_eq!(safe("for x in a.flatten():\n    mx.eval(x)\n    out(x.item())\n"), "for x in a.flatten().tolist():\n    out(x)\n");
        for body in [
            "for x in a.flatten():\n    mx.eval(x, b)\n    out(x.item())\n",
            "for x in a.flatten():\n    mx.eval(x)  # now\n    out(x.item())\n",
            "for x in a.flatten():\n    if n:\n        mx.eval(x)\n    out(x.item())\n",
            "for x in a.flatten():\n    mx.async_eval(x)\n    out(x.item())\n",
        ] {
            stays(body);
        }
    }

    #[test]
    fn rows_that_are_read_as_lists_are_read_together() {
        for (body, after) in [
            ("for row in a:\n    out(row.tolist())\n", "for row in a.tolist():\n    out(row)\n"),
            ("for row in a:\n    h, w = row.tolist()\n    out(h)\n", "for row in a.tolist():\n    h, w = row\n    out(h)\n"),
            ("return [row.tolist() for row in a]\n", "return a.tolist()\n"),
            (
                "for i in range(len(a)):\n    h, w = a[i].tolist()\n    out(h)\n",
                "a_list = a.tolist()\nfor i in range(len(a)):\n    h, w = a_list[i]\n    out(h)\n",
            ),
            ("for row in a:\n    row = row.tolist()\n    out(row)\n", "for row in a.tolist():\n    out(row)\n"),
        ] {
            assert_eq!(safe(body), after);
        }
        for body in [
            // Each call makes a list of its own.
            "for row in a:\n    out(row.tolist(), row.tolist())\n",
            "for row in a:\n    for x in xs:\n        out(x, row.tolist())\n",
            "for row in a:\n    out([row.tolist() for x in xs])\n",
            "out([row.tolist() for row in a for x in xs])\n",
            "for i in range(len(a)):\n    out(a[i].tolist(), a[i].tolist())\n",
            "for i in range(len(a)):\n    for x in xs:\n        out(x, a[i].tolist())\n",
            // Many things have rows that have `tolist`.
            "for row in xs:\n    out(row.tolist())\n",
            "for row in np.asarray(xs):\n    out(row.tolist())\n",
        ] {
            stays(body);
        }
    }
}
