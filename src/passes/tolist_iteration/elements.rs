//! Loops and comprehensions over the elements of an array: `for x in a: .. x.item() ..` becomes `for x in a.tolist(): .. x ..`, and so does one over its rows.

use crate::finding::Proposal;
use crate::graph::statements::asserts;
use crate::place::Place;
use crate::syntax::ast::visitor::source_order::SourceOrderVisitor;
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange};

use super::reads::{Read, Reads, Way, binds, is_always_read, number_read, read_each_round};
use super::shared::Wanted;
use super::{Loops, Rebinding, Use, Verdict, batch, by_index, may_read_elements, shorten};

/// What one name of a loop's target takes from which iterable.
struct Elements<'x> {
    iterable: &'x Expr,
    names: Vec<&'x str>,
    /// How many axes the iterable must have for a number to be read: two where its rows are unpacked.
    axes: u8,
}

impl<'x> Loops<'_, 'x> {
    /// What becomes of the loop `s`, which is `statement`.
    pub(super) fn for_loop(&mut self, statement: &'x Stmt, s: &'x ast::StmtFor) {
        if s.is_async || !may_read_elements(self.place.source().slice(s.range)) {
            return;
        }
        if s.body.iter().all(asserts) {
            self.place.notes.left::<()>(s.range, s.range, 60, || "the loop does nothing but assert, which no program waits for".to_owned());
            return;
        }
        if let Some(proposals) = by_index::in_loop(self, s) {
            self.found.extend(proposals);
            if by_index::counted_by_enumerate(self.place, &s.iter).is_none() {
                return;
            }
        }
        let mut found = Vec::new();
        for source in self.sources(&s.iter, &s.target) {
            let rebinding = self.rebinding(&source.names, &s.body);
            // From there on the name is a number's.
            let body = &s.body[..rebinding.as_ref().map_or(s.body.len(), |(at, _)| at + 1)];
            let visit = |r: &mut Reads<'_, 'x>| match (body, &rebinding) {
                ([before @ .., Stmt::Assign(last)], Some(_)) => {
                    r.part_of_body(before, s.body.len() - 1);
                    r.visit_expr(&last.value);
                }
                _ => r.visit_body(body),
            };
            let Some(mut use_) = self.reads_of(&source.names, s.range, visit) else { continue };
            use_.rebinding = rebinding.map(|(_, own)| own);
            use_.each_round = read_each_round(&s.body, &use_.reads);
            let are_rows = use_.reads_rows();
            let late = source.names.iter().find(|name| !is_read_only_at(self.place, name, s.range, &use_));
            let proposal = match late {
                Some(name) => {
                    self.left(s.range, s.target.range(), &use_.reads, || format!("something else may also read `{name}`, and would get a number"))
                }
                None => self.propose(&source, &use_, statement.range(), s.range),
            };
            // Rows are, as a rule, the sequences of a batch.
            let proposals = proposal.into_iter().collect();
            let proposals = if are_rows { batch::worthwhile(self, &s.body, proposals) } else { proposals };
            found.extend(proposals.into_iter().map(|p| (p, use_.reads.len())));
        }
        self.found.extend(self.as_one(found));
    }

    /// What becomes of the comprehension `whole`.
    pub(super) fn comprehension(&mut self, whole: &'x Expr, elements: &[&'x Expr], generators: &'x [ast::Comprehension]) {
        let Some(statement) = self.statement else { return };
        if !may_read_elements(self.place.source().slice(whole.range())) {
            return;
        }
        if let Some(proposals) = by_index::in_comprehension(self, statement, whole, elements, generators) {
            self.found.extend(proposals);
            if generators.first().is_none_or(|g| by_index::counted_by_enumerate(self.place, &g.iter).is_none()) {
                return;
            }
        }
        for (n, generator) in generators.iter().enumerate().filter(|(_, g)| !g.is_async) {
            let (own, later) = (&generator.ifs, &generators[n + 1..]);
            let mut found = Vec::new();
            for source in self.sources(&generator.iter, &generator.target) {
                let rebound = later.iter().any(|g| source.names.iter().any(|name| binds(&g.target, name)));
                let bound_inside =
                    |name: &ast::ExprName| self.inner_names.contains(&name.id.as_str()) || generators[..n].iter().any(|g| binds(&g.target, &name.id));
                if rebound || source.iterable.as_name_expr().is_some_and(bound_inside) {
                    continue;
                }
                let text = own.iter().chain(later.iter().flat_map(|g| std::iter::once(&g.iter).chain(&g.ifs))).chain(elements.iter().copied());
                let Some(mut use_) = self.reads_of(&source.names, whole.range(), |r| text.clone().for_each(|e| r.visit_expr(e))) else { continue };
                // What one round reads many times would be one list.
                if !later.is_empty() && use_.reads.iter().any(|r| r.way == Way::List) {
                    continue;
                }
                use_.each_round = match own.first() {
                    Some(condition) => is_always_read(condition, &use_.reads),
                    None => later.is_empty() && elements.iter().any(|e| is_always_read(e, &use_.reads)),
                };
                let proposal = self.propose(&source, &use_, statement.range(), whole.range());
                found.extend(proposal.map(|p| (p, use_.reads.len())));
            }
            self.found.extend(self.as_one(found));
        }
    }

    /// Which names of `target` take their values from which iterables: through `enumerate` and `zip`, and by unpacking rows.
    fn sources(&self, iterable: &'x Expr, target: &'x Expr) -> Vec<Elements<'x>> {
        let (Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. })) = target else {
            let Expr::Name(name) = target else { return Vec::new() };
            return vec![Elements { iterable, names: vec![&name.id], axes: 1 }];
        };
        if let Expr::Call(call) = iterable
            && !call.arguments.args.iter().any(Expr::is_starred_expr)
        {
            let args = &call.arguments.args;
            if let ([_, element], [inner, ..]) = (&elts[..], &args[..])
                && self.place.calls_builtin(call, "enumerate")
            {
                return self.sources(inner, element);
            }
            if elts.len() == args.len() && self.place.calls_builtin(call, "zip") {
                return elts.iter().zip(args).flat_map(|(target, inner)| self.sources(inner, target)).collect();
            }
        }
        let names: Option<Vec<&str>> = elts.iter().map(|e| e.as_name_expr().map(|n| n.id.as_str())).collect();
        names.map(|names| Elements { iterable, names, axes: 2 }).into_iter().collect()
    }

    /// The reads of `names` in the text of the loop `range` that `visit` shows, if they are all of numbers.
    fn reads_of(&self, names: &[&str], range: TextRange, visit: impl Fn(&mut Reads<'_, 'x>)) -> Option<Use> {
        let (mut all, mut evaluations) = (Vec::new(), Vec::new());
        for (n, name) in names.iter().enumerate() {
            let mut reads = Reads::of(self.place, name);
            visit(&mut reads);
            if reads.otherwise && !reads.numbers.is_empty() {
                return self.left(range, reads.numbers[0].call, &reads.numbers, || match reads.many_lists {
                    true => format!("each read of `{name}` makes a list of its own"),
                    false => format!("`{name}` is more than a number in this loop: it is also used as an array"),
                });
            }
            if reads.otherwise || names[..n].contains(name) {
                return None;
            }
            all.append(&mut reads.numbers);
            evaluations.append(&mut reads.evaluations);
        }
        all.sort_by_key(|r| r.call.start());
        (!all.is_empty()).then_some(Use { reads: all, each_round: false, is_of_row: false, rebinding: None, evaluations })
    }

    /// Where `body` gives all of `names` their own numbers: `x = x.item()`, or `x, y = int(x), int(y)`.
    fn rebinding(&self, names: &[&str], body: &[Stmt]) -> Option<(usize, Rebinding)> {
        let (at, rebinding) = body.iter().enumerate().find_map(|(at, s)| Some((at, self.rebinds(names, s)?)))?;
        // A block must keep a statement.
        (rebinding.lines.is_none() || body.len() > 1).then_some((at, rebinding))
    }

    fn rebinds(&self, names: &[&str], statement: &Stmt) -> Option<Rebinding> {
        fn own<'e>(place: &Place<'_>, target: &'e Expr, value: &'e Expr) -> Option<(&'e str, TextRange, Read)> {
            let (element, read) = number_read(place, value.as_call_expr()?)?;
            let (target, element) = (target.as_name_expr()?, element.as_name_expr()?);
            (target.id == element.id).then_some((target.id.as_str(), value.range(), read))
        }
        let Stmt::Assign(s) = statement else { return None };
        let parts: Vec<(&Expr, &Expr)> = match (&s.targets[..], &*s.value) {
            ([Expr::Tuple(targets)], Expr::Tuple(values)) if targets.len() == values.len() => targets.iter().zip(values).collect(),
            ([target], value) => vec![(target, value)],
            _ => return None,
        };
        let bound: Vec<_> = parts.iter().filter_map(|(target, value)| own(self.place, target, value)).collect();
        let is_once =
            |name: &&str| bound.iter().filter(|(n, ..)| n == name).count() == 1 && parts.iter().filter(|(t, _)| binds(t, name)).count() == 1;
        if !names.iter().all(is_once) {
            return None;
        }
        let values = bound.iter().filter(|(name, ..)| names.contains(name)).map(|&(_, value, _)| value).collect();
        if parts.len() > names.len() {
            // What is converted still does something once it is a number.
            return bound.iter().all(|(.., read)| read.converted.is_some()).then_some(Rebinding { lines: None, values });
        }
        let source = self.place.source();
        let lines = TextRange::new(source.line_start(statement.start()), source.full_line_end(statement.end()));
        (source.slice(lines).trim() == source.slice(statement.range())).then_some(Rebinding { lines: Some(lines), values })
    }

    /// The edits that take the calls away which read numbers. A statement that gives names what they hold by then goes as a whole, or stays as it is but for
    /// what reads.
    fn without_calls(&self, use_: &Use, plain: Option<&str>) -> Vec<Edit> {
        let Some(own) = &use_.rebinding else { return use_.reads.iter().flat_map(|r| self.without_call(r, plain)).collect() };
        let is_own = |r: &Read| own.values.iter().any(|value| value.contains_range(r.call));
        let is_gone = |value: &TextRange| use_.reads.iter().any(|r| r.gone(plain) == Some(*value));
        let lines = own.lines.filter(|_| own.values.iter().all(is_gone));
        let is_one = own.values.len() == 1 && own.lines.is_some();
        let edits = use_.reads.iter().flat_map(|r| match (is_own(r), lines) {
            (true, Some(_)) => Vec::new(),
            (true, None) if !is_one => self.without_call(r, None),
            _ => self.without_call(r, plain),
        });
        edits.chain(lines.map(Edit::delete)).collect()
    }

    fn propose(&self, source: &Elements<'x>, use_: &Use, statement: TextRange, range: TextRange) -> Option<Proposal> {
        let value = self.place.value(source.iterable)?;
        let facts = self.place.facts(statement, source.iterable)?;
        let text = self.place.source().slice(source.iterable.range());
        let at = source.iterable.range();
        let verdict = match self.judge(value, &facts, source.axes, text, use_) {
            Ok(verdict) => verdict,
            Err(reason) => return self.left(range, at, &use_.reads, || reason),
        };
        let list = format!("{text}{}", verdict.suffix);
        let mut edits = match source.iterable {
            // A loop may go through a list that another reads as well, where that holds numbers.
            Expr::Name(name) if self.place.is_function() && !use_.reads_rows() && range == statement => {
                let wanted = Wanted { statement, array: (&name.id, value), list: &list };
                let there = self.lists.made(self.place, &wanted, &[name.range.start()], range);
                if there.is_none() && self.lists.is_proposed(self.place, &wanted, verdict.applicability) {
                    return self
                        .left(range, at, &use_.reads, || format!("a list of `{text}` is about to be made, which is read here once it is there"));
                }
                there.map_or_else(|| wrap(source.iterable, verdict.suffix), |there| Some(vec![Edit::replace(name.range, there)]))?
            }
            iterable => wrap(iterable, verdict.suffix)?,
        };
        match self.around_whole_list(source, use_, &verdict, range) {
            // `[x.item() for x in a]` is `a.tolist()`.
            Some([head, tail]) => {
                edits.insert(0, Edit::delete(head));
                edits.push(Edit::delete(tail));
            }
            None => edits.extend(self.without_calls(use_, verdict.plain)),
        }
        edits.extend(use_.evaluations.iter().map(|&lines| Edit::delete(lines)));
        let (first, plain) = (self.place.source().slice(use_.reads[0].call), shorten(text));
        let message = format!(
            "`{first}` waits for one {} of `{plain}` at a time: read all of them once, with `{}`",
            use_.of_what(),
            verdict.suffix.trim_start_matches('.')
        );
        Some(self.proposal(range, &verdict, message, &use_.reads, edits))
    }

    /// The text of a list comprehension around its iterable, where the comprehension does nothing but read every element.
    fn around_whole_list(&self, source: &Elements<'x>, use_: &Use, verdict: &Verdict, range: TextRange) -> Option<[TextRange; 2]> {
        let text = self.place.source();
        let head = TextRange::new(range.start(), source.iterable.start());
        let tail = TextRange::new(source.iterable.end(), range.end());
        let [only] = &use_.reads[..] else { return None };
        let [name] = source.names[..] else { return None };
        let element = text.slice(only.gone(verdict.plain)?);
        // Brackets that go away must hold nothing together, and no comment.
        let is_plain = !text.slice(source.iterable.range()).contains(['\n', '\r']) && text.comments_in(range).is_empty();
        let reads_all = text.slice(head).split_whitespace().eq([&*format!("[{element}"), "for", name, "in"]) && text.slice(tail).trim() == "]";
        (is_plain && reads_all).then_some([head, tail])
    }
}

/// Whether what the statement `range` assigns to `name` is read as `use_` says only, during the loop and after it.
pub(super) fn is_read_only_at(place: &Place<'_>, name: &str, range: TextRange, use_: &Use) -> bool {
    let (Some(symbol), Some(statement)) = (place.analysis.graph.known_symbol(name), place.statement(range)) else { return false };
    let own: Vec<_> = place.definitions_by(symbol, statement).collect();
    let is_told = |read: &TextRange| use_.reads.iter().any(|r| r.element == *read) || use_.evaluations.iter().any(|e| e.contains_range(*read));
    if own.is_empty() || !place.reads_reached(&own).iter().all(is_told) {
        return false;
    }
    if !own.iter().any(|&id| place.body.definitions[id as usize].escapes) {
        return true;
    }
    if place.is_module() {
        // No function of the file reads it as a global.
        return !place.is_read_by_functions(symbol);
    }
    let mut inner = Reads::of(place, name);
    inner.visit_body(place.own_statements());
    place.is_function() && !inner.later
}

/// The edits that append `suffix` to `iterable`, in parentheses where the dot would bind to a part of it.
fn wrap(iterable: &Expr, suffix: &str) -> Option<Vec<Edit>> {
    match iterable {
        Expr::Name(_) | Expr::Attribute(_) | Expr::Call(_) | Expr::Subscript(_) => Some(vec![Edit::insert(iterable.end(), suffix)]),
        Expr::BinOp(_) | Expr::UnaryOp(_) | Expr::Compare(_) | Expr::If(_) => {
            Some(vec![Edit::insert(iterable.start(), "("), Edit::insert(iterable.end(), format!("){suffix}"))])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::super::tests::{HEADER, only_unsafe, safe, stays};
    use crate::passes::testing::findings;

    #[test]
    fn the_forms_of_a_loop_over_elements() {
        for (body, after) in [
            ("for x in a.flatten():\n    out(x.item(), x.item() + 1)\n", "for x in a.flatten().tolist():\n    out(x, x + 1)\n"),
            (
                "for i, x in enumerate(a.reshape(-1), 1):\n    out(i, x.item())\n",
                "for i, x in enumerate(a.reshape(-1).tolist(), 1):\n    out(i, x)\n",
            ),
            ("for x, y in zip(a.flatten(), xs):\n    out(x.item(), y)\n", "for x, y in zip(a.flatten().tolist(), xs):\n    out(x, y)\n"),
            (
                "for i, (x, y) in enumerate(zip(a.flatten(), b.flatten())):\n    out(i, x.item(), int(y))\n",
                "for i, (x, y) in enumerate(zip(a.flatten().tolist(), b.flatten().tolist())):\n    out(i, x, int(y))\n",
            ),
            ("out({x.item() for x in a.flatten() if x.item() > 2})\n", "out({x for x in a.flatten().tolist() if x > 2})\n"),
            ("out(any(x.item() > 2 for x in a.flatten()))\n", "out(any(x > 2 for x in a.flatten().tolist()))\n"),
            ("out([f'{x.item():.2f}' for x in a.flatten()])\n", "out([f'{x:.2f}' for x in a.flatten().tolist()])\n"),
            ("out([x.item()if x.item()else 1 for x in a.reshape(-1) + 1])\n", "out([x if x else 1 for x in (a.reshape(-1) + 1).tolist()])\n"),
            ("for s, e in a.reshape(n, 2):\n    out(s.item(), e.item())\n", "for s, e in a.reshape(n, 2).tolist():\n    out(s, e)\n"),
            (
                "a = a.reshape(3, 4)\nfor row in a:\n    for x in row:\n        out(x.item())\n",
                "a = a.reshape(3, 4)\nfor row in a.tolist():\n    for x in row:\n        out(x)\n",
            ),
            // What a loop inside goes through is asked for once.
            ("a = a.reshape(3, 4)\nfor row in a:\n    out([x.item() for x in row])\n", "a = a.reshape(3, 4)\nfor row in a.tolist():\n    out(row)\n"),
            ("for x in a:\n    out[: int(x)] = 1\n", "for x in a.flatten().tolist():\n    out[: int(x)] = 1\n"),
            ("for x in a:\n    out[x.item()] += 1\n", "for x in a.flatten().tolist():\n    out[x] += 1\n"),
            ("return [x.item() for x in a.flatten()]\n", "return a.flatten().tolist()\n"),
            ("return [\n    x.item()  # why\n    for x in a.flatten()\n]\n", "return [\n    x  # why\n    for x in a.flatten().tolist()\n]\n"),
        ] {
            assert_eq!(safe(body), after);
        }
    }

    #[test]
    fn rows_of_one_element_are_flattened_if_every_round_reads() {
        assert_eq!(safe("for x in a:\n    out(x.item())\n"), "for x in a.flatten().tolist():\n    out(x)\n");
        only_unsafe(
            "for x in a:\n    if n:\n        continue\n    out(x.item())\n",
            "for x in a.tolist():\n    if n:\n        continue\n    out(x)\n",
        );
        only_unsafe(
            "try:\n    for x in a:\n        out(x.item())\nexcept ValueError:\n    pass\n",
            "try:\n    for x in a.tolist():\n        out(x)\nexcept ValueError:\n    pass\n",
        );
        only_unsafe("with model(n):\n    for x in a:\n        out(x.item())\n", "with model(n):\n    for x in a.tolist():\n        out(x)\n");
        for passed_on in ["with mx.stream(mx.cpu):", "s = mx.stream(mx.cpu)\nwith s:", "with mx.stream(mx.cpu), open(n):"] {
            let text = format!("{passed_on}\n    for x in a:\n        out(x.item())\n");
            assert_ne!(safe(&text), text);
        }
        only_unsafe("for x in a:\n    n and out(x.item())\n", "for x in a.tolist():\n    n and out(x)\n");
        stays("for x in a.reshape(2, 3):\n    if n:\n        out(x.item())\n");
    }

    #[test]
    fn what_makes_of_a_number_what_it_is_goes_as_well() {
        for (body, after) in [
            (
                "c = a.astype(mx.int32).flatten()\nout([int(x)if n else 1 for x in c])\n",
                "c = a.astype(mx.int32).flatten()\nout([x if n else 1 for x in c.tolist()])\n",
            ),
            (
                "for x in a.astype(mx.uint8):\n    out(int(x.item()), float(x))\n",
                "for x in a.astype(mx.uint8).flatten().tolist():\n    out(x, float(x))\n",
            ),
            ("for x in a > 2:\n    out(bool(x), int(x))\n", "for x in (a > 2).flatten().tolist():\n    out(x, int(x))\n"),
            ("return [int(x) for x in mx.argsort(a).flatten()]\n", "return mx.argsort(a).flatten().tolist()\n"),
            ("for x in a.astype(mx.float16):\n    out(float(x))\n", "for x in a.astype(mx.float16).flatten().tolist():\n    out(float(x))\n"),
            ("for x in a:\n    out(float(x), int(x))\n", "for x in a.flatten().tolist():\n    out(float(x), int(x))\n"),
            (
                "c = a.astype(mx.int32)\nfor x in c:\n    out(int(  # why\n        x))\n",
                "c = a.astype(mx.int32)\nfor x in c.flatten().tolist():\n    out(int(  # why\n        x))\n",
            ),
        ] {
            assert_eq!(safe(body), after);
        }
    }

    #[test]
    fn an_element_that_is_more_than_a_number_stays() {
        for body in [
            "for x in a.flatten():\n    out(x.item(), x)\n",
            "for x in a.flatten():\n    out(x.item() + x.sum())\n",
            "for x in a.flatten():\n    out(x.item())\nreturn x\n",
            "for x in a.flatten():\n    out(x.item())\nelse:\n    out(x)\n",
            "for x in a.flatten():\n    x = x * 2\n    out(x.item())\n",
            "for x in a.flatten():\n    out(lambda: x.item())\n",
            "for x in a.flatten():\n    out(x.item(), lambda x=x: x)\n",
            "for x in a.flatten():\n    def later():\n        return x.item()\n    out(later)\n",
            "for x in a.flatten():\n    out(x.item())\n    out(y + x.item() for y in model)\n",
            "for x in a.flatten():\n    out(x.item())\ndef later():\n    return x\nout(later)\n",
            "for x in a.flatten():\n    out(f'{x.item()=}')\n",
            "for x in a.flatten():\n    out((x).item(  # why\n    ))\n",
            "for x in a.flatten():\n    import x\n    out(x.item())\n",
            "for n in model:\n    for x in a.flatten():\n        out(x.item())\n    out(x)\n",
            "def int(v):\n    return v\nfor x in a.flatten():\n    out(int(x))\n",
        ] {
            stays(body);
        }
        let shadowed = "for x in a.flatten():\n    out(x.item(), key=lambda x: x, also=[x for x in xs])\n";
        assert_eq!(safe(shadowed), shadowed.replace("x.item()", "x").replace("flatten()", "flatten().tolist()"));
        let bound_again = "for x in a.flatten():\n    out(x.item())\nfor x in xs:\n    out(x)\n";
        assert_eq!(safe(bound_again), bound_again.replace("x.item()", "x").replace("flatten()", "flatten().tolist()"));
    }

    #[test]
    fn a_name_that_becomes_its_own_number_has_it_from_the_start() {
        assert_eq!(
            safe("a = a.flatten()\nfor x in a:\n    mx.eval(x)\n    x = x.item()\n    out(x, x + 1)\n"),
            "a = a.flatten()\nfor x in a.tolist():\n    out(x, x + 1)\n"
        );
        assert_eq!(
            safe("a = a.flatten()\nfor x in a:\n    x = x.item()\n    out(x, x + 1)\n"),
            "a = a.flatten()\nfor x in a.tolist():\n    out(x, x + 1)\n"
        );
        // A conversion stays where it changes anything.
        for (body, after) in [
            ("for x in a:\n    x = int(x)\n    out(x)\n", "for x in a.flatten().tolist():\n    x = int(x)\n    out(x)\n"),
            ("for x in a:\n    x = int(x.item())\n    out(x)\n", "for x in a.flatten().tolist():\n    x = int(x)\n    out(x)\n"),
            ("for x in a.astype(mx.int32):\n    x = int(x.item())\n    out(x)\n", "for x in a.astype(mx.int32).flatten().tolist():\n    out(x)\n"),
        ] {
            assert_eq!(safe(body), after);
        }
        // Of several names each may be another array's.
        let rows = "a = mx.zeros((4, 2))\nfor x, y in a:\n    x, y = x.item(), y.item()\n    out(x * y)\n";
        assert_eq!(safe(rows), "a = mx.zeros((4, 2))\nfor x, y in a.tolist():\n    out(x * y)\n");
        let counts = "a = mx.zeros((4, 2), dtype=mx.int32)\nfor x, y in a:\n    x, y = int(x.item()), y.item()\n    out(x * y)\n";
        assert_eq!(safe(counts), "a = mx.zeros((4, 2), dtype=mx.int32)\nfor x, y in a.tolist():\n    out(x * y)\n");
        assert_eq!(
            safe("b = a + 1\nfor x, y in zip(a, b):\n    x, y = int(x.item()), int(y.item())\n    out(x * y)\n"),
            "b = a + 1\nfor x, y in zip(a.flatten().tolist(), b.flatten().tolist()):\n    x, y = int(x), int(y)\n    out(x * y)\n"
        );
        let both = findings(find, &format!("{HEADER}    c = a + 1\n    for x, y in zip(c, a):\n        out(x.item(), y.item())\n"));
        let [one] = &both[..] else { panic!("{both:?}") };
        assert_eq!((one.edits.len(), one.rationale[0].starts_with("2 waits for the device less")), (4, true), "{one:?}");
        let indexed = "    for i in range(len(a)):\n        out(a[i].item(), b[i].item())\n";
        let both = findings(find, &format!("{HEADER}    a, b = mx.zeros((4,)), mx.zeros((4,))\n{indexed}"));
        let [one] = &both[..] else { panic!("{both:?}") };
        let made = "a_list = a.tolist()\n    b_list = b.tolist()\n    ";
        assert_eq!((one.edits.len(), &*one.edits[0].content), (5, made), "{one:?}");
        stays("for x in a.flatten():\n    assert x.item() > 0\n");
        stays("for x in a.flatten():\n    n.assertLess(x.item(), 3)\n    assert n\n");
        for body in [
            "for x in a:\n    model(x)\n    x = x.item()\n    out(x)\n",
            "for x in a:\n    if n:\n        x = x.item()\n    out(x)\n",
            "for x in a:\n    x = x.item()  # once\n",
            "for x, y in zip(a, a):\n    x, y = x.item(), y.item()\n    out(x, y)\n",
            "for x, y in zip(a, a):\n    x, x = int(x), int(x)\n    out(x, y)\n",
        ] {
            stays(body);
        }
    }
}
