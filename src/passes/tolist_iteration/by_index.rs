//! Loops over indices: `for i in range(len(a)): .. a[i].item() ..` becomes a list made before the loop and `.. a_list[i] ..` in it. So do one column, `a[i, 0]`,
//! several of them, and `h, w = a[i]`, where `h` and `w` are read as numbers. The array must be the same from the first round to the last, and every index
//! must lie inside: MLX does not check, a list does.

use crate::finding::{Applicability, Proposal};
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, is_builtin};
use crate::syntax::ast::visitor::source_order::SourceOrderVisitor;
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Edit, Ranged, TextRange, TextSize, TokenKind};

use super::conditions::{Asked, may_be_none};
use super::reads::{Read, Way};
use super::rows::Unpacked;
use super::shared::Wanted;
use super::subscripts::{Element, Indexed, Part, Taken, plain_number};
use super::{Loops, Use, Verdict, batch, shorten};

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

/// What a list is made of.
struct Rows {
    /// The text that takes it out of the array.
    part: String,
    /// It has the elements of this column.
    column: Option<i64>,
    /// The rows that are unpacked.
    unpacked: Vec<Unpacked>,
}

impl Rows {
    /// What the list of `array` is called.
    fn name(&self, array: &str) -> String {
        match self.column {
            Some(-1) => format!("{array}_last"),
            Some(column) if column >= 0 => format!("{array}_{column}"),
            _ => format!("{array}_list"),
        }
    }
}

/// Where the new statement goes, and what it is for.
struct Site<'x> {
    /// The new list is made before this statement.
    statement: TextRange,
    /// Where the loop begins and ends.
    inner: TextRange,
    /// The names about which the loop asks.
    asked: Vec<&'x str>,
}

/// The proposals for a loop over a range; `None` for other loops.
pub(super) fn in_loop(loops: &Loops<'_, '_>, s: &ast::StmtFor) -> Option<Vec<Proposal>> {
    let counter = counter(loops.place, &s.iter, &s.target)?;
    let mut seen = Indexed::by(loops.place, counter.name);
    seen.visit_body(&s.body);
    let mut asked = Asked::default();
    asked.visit_body(&s.body);
    let site = Site { statement: s.range, inner: s.range, asked: asked.names };
    // An array that is itself gone through holds what there may be many of: images, segments.
    let is_read = |of: &ValueId| seen.elements.iter().any(|e| loops.place.value_of(&e.taken.array.id, s.start()) == Some(*of));
    let batch = match counter.bound {
        Bound::Number(bound) => loops.place.parameter_counted_by(bound),
        Bound::LengthOf(_) => None,
    };
    // Rows are, as a rule, the sequences of a batch.
    let are_rows = seen.elements.iter().flat_map(|e| &e.reads).all(|r| r.way == Way::List);
    let is_batch = are_rows || batch.is_some_and(|of| !is_read(&of));
    let found = proposals(loops, &counter, seen, &site, &s.iter);
    Some(if is_batch { batch::worthwhile(loops, &s.body, found) } else { found })
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
    let mut asked = Asked::default();
    generator.ifs.iter().for_each(|e| asked.condition(e));
    elements.iter().for_each(|e| asked.visit_expr(e));
    let site = Site { statement: statement.range(), inner: whole.range(), asked: asked.names };
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
    if !place.calls_builtin(call, "range") || !call.arguments.keywords.is_empty() || call.arguments.args.iter().any(Expr::is_starred_expr) {
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

fn proposals(loops: &Loops<'_, '_>, counter: &Counter<'_>, seen: Indexed<'_, '_>, site: &Site<'_>, iterable: &Expr) -> Vec<Proposal> {
    let Some(first) = seen.elements.first() else { return Vec::new() };
    let reads = &first.reads;
    if seen.index_bound {
        let reason = || format!("`{}` gets another value in the loop", counter.name);
        return loops.left(site.inner, reads[0].call, reads, reason).into_iter().collect();
    }
    let Some(facts) = loops.place.facts(site.statement, iterable) else { return Vec::new() };
    let source = loops.place.source();
    let row = |taken: &Taken<'_>| match taken.part {
        Part::Of(row, _) => Some(source.slice(row.range())),
        _ => None,
    };
    let mut groups: Vec<(&str, Option<&str>)> = seen.elements.iter().map(|e| (e.taken.array.id.as_str(), row(&e.taken))).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|(name, _)| {
        let touched = seen.touched.contains(name);
        if touched {
            loops.left::<()>(site.inner, reads[0].call, reads, || format!("`{name}` may be changed in the loop that reads it"));
        }
        !touched
    });
    let of = |group: (&str, Option<&str>)| -> Vec<Element<'_>> {
        seen.elements.iter().filter(|e| (e.taken.array.id.as_str(), row(&e.taken)) == group).cloned().collect()
    };
    loops.as_one(groups.into_iter().filter_map(|group| propose(loops, counter, &seen, &of(group), site, &facts)).collect())
}

/// What becomes of `elements`, which are of one array, or all of one row of it, and how many are read.
fn propose(
    loops: &Loops<'_, '_>,
    counter: &Counter<'_>,
    seen: &Indexed<'_, '_>,
    elements: &[Element<'_>],
    site: &Site<'_>,
    facts: &Facts<'_>,
) -> Option<(Proposal, usize)> {
    let place = loops.place;
    let taken = elements.first()?.taken;
    let array = taken.array.id.as_str();
    let value = place.value_of(array, site.statement.start())?;
    let axis = u8::from(matches!(taken.part, Part::Of(..)));
    // A list checks its bounds: every index must lie inside, or be the last element counted from the end.
    let slack = slack(place, facts, &counter.bound, value, axis).or_else(|| is_size(place, &counter.bound, value, elements).then_some(0));
    let is_inside = |e: &&Element<'_>| counter.start + e.taken.offset >= -1 && slack.is_none_or(|slack| e.taken.offset <= slack);
    let own: Vec<&Element<'_>> = elements.iter().filter(is_inside).collect();
    let read = elements[0].reads[0];
    let left = |reason: String| loops.left::<(Proposal, usize)>(site.inner, read.call, &[read], || reason);
    if own.is_empty() {
        return left(format!("an index may lie outside of `{array}`, which a list would refuse"));
    }
    if let Err(reason) = is_one_array(place, facts, seen, &own, site, value) {
        return left(reason);
    }
    let reads: Vec<Read> = own.iter().flat_map(|e| e.reads.iter().copied()).collect();
    let rows = own.iter().any(|e| e.column().is_some() || e.is_unpacked()) || axis > 0;
    let evaluations = own.iter().flat_map(|e| e.evaluations.iter().copied()).collect();
    let use_ = Use { reads, each_round: !rows || axis > 0, is_of_row: axis > 0, rebinding: None, evaluations };
    let mut verdict = match loops.judge(value, facts, if rows { 2 } else { 1 }, array, &use_) {
        Ok(verdict) => verdict,
        Err(reason) => return left(reason),
    };
    if slack.is_none() {
        if let Some(reason) = why_not_whole(place, facts, array, value, axis) {
            return left(reason);
        }
        let what = if rows || use_.reads_rows() { "rows" } else { "elements" };
        let more = own.iter().map(|e| e.taken.offset).max().filter(|&offset| offset > 0);
        let more = more.map_or_else(String::new, |offset| format!(" + {offset}"));
        verdict.assume(format!("`{array}` has at least `{}{more}` {what}", counter.bound_text));
    }
    let list = match rows_of(place, seen, &own, facts.known_length(value, 1), &mut verdict) {
        Ok(list) => list,
        Err(reason) => return left(reason),
    };
    if !verdict.assumptions.is_empty() && site.asked.contains(&array) {
        return left(format!("the loop asks about `{array}` before it reads it, and a list made before the loop would not"));
    }
    let suffix = format!("{}{}", list.part, verdict.suffix);
    // Lists in a list may be changed by who takes them out.
    let is_shared = (!rows || list.column.is_some()) && !use_.reads_rows() && place.is_function();
    let there = match is_shared.then(|| list_there(loops, site, &own, value, &suffix, verdict.applicability)).transpose() {
        Ok(there) => there.flatten(),
        Err(reason) => return left(reason),
    };
    let edits = edits(loops, site, &own, &use_, (&list, &suffix, verdict.plain), there);
    let message = message(place, array, &use_, if list.part.is_empty() { verdict.suffix } else { &suffix });
    Some((loops.proposal(TextRange::new(site.statement.start(), site.inner.end()), &verdict, message, &use_.reads, edits), use_.reads.len()))
}

/// The list that there is already of all of `elements`, which are of the array `value`, if there is one; an error where the loop before is about to make it.
fn list_there(
    loops: &Loops<'_, '_>,
    site: &Site<'_>,
    elements: &[&Element<'_>],
    value: ValueId,
    suffix: &str,
    applicability: Applicability,
) -> Result<Option<String>, String> {
    let (place, array) = (loops.place, elements[0].taken.array.id.as_str());
    let list = format!("{array}{suffix}");
    let reads: Vec<TextSize> = elements.iter().map(|e| e.taken.array.range.start()).collect();
    let wanted = Wanted { statement: site.statement, array: (array, value), list: &list };
    let there = loops.lists.made(place, &wanted, &reads, site.inner);
    if there.is_none() && loops.lists.are_about_to_be_made(place, &wanted, applicability) {
        return Err(format!("a loop before it makes the same list of `{array}`, which is read here once it is there"));
    }
    Ok(there)
}

/// What is told of the loop.
fn message(place: &Place<'_>, array: &str, use_: &Use, suffix: &str) -> String {
    let first = place.source().slice(use_.reads[0].call);
    let what = use_.of_what();
    let list = suffix.strip_prefix('.').map_or_else(|| format!("{array}{suffix}"), str::to_owned);
    format!("`{first}` takes one {what} out of `{array}` and waits for it, in every round: read all of them once, with `{list}`")
}

/// Why not all of `array` may be read before a loop of which nobody knows how much of it the rounds read.
fn why_not_whole(place: &Place<'_>, facts: &Facts<'_>, array: &str, value: ValueId, axis: u8) -> Option<String> {
    if may_be_none(place, facts, value) {
        return Some(format!("`{array}` may be None where the list would be made"));
    }
    (axis > 0).then(|| format!("the rows of `{array}` may be long, and few of their elements read"))
}

/// Whether all of `elements` are of the array `value`, as it is before the loop, and are read in one way.
fn is_one_array(
    place: &Place<'_>,
    facts: &Facts<'_>,
    seen: &Indexed<'_, '_>,
    elements: &[&Element<'_>],
    site: &Site<'_>,
    value: ValueId,
) -> Result<(), String> {
    let array = elements[0].taken.array.id.as_str();
    // Whoever changes an array in place makes it another value from there on, under every name that holds it.
    let offsets = elements.iter().map(|e| e.taken.array.range.start()).chain([site.inner.end()]);
    if !offsets.into_iter().all(|at| place.value_of(array, at) == Some(value)) {
        return Err(format!("`{array}` may be another array, or a changed one, in a later round"));
    }
    if let Part::Of(row, _) = elements[0].taken.part
        && !is_one_row(place, facts, seen, row, site)
    {
        return Err(format!("`{array}` may be read by another row in a later round"));
    }
    let has_rows = |e: &Element<'_>| e.column().is_some() || e.is_unpacked();
    if elements.iter().any(|e| has_rows(e) != has_rows(elements[0])) {
        return Err(format!("`{array}` is read by one index and by two"));
    }
    if place.body.class.is_some() && !place.is_function() {
        return Err("the list would have a name in the class, which every instance shows".to_owned());
    }
    let mut reads = elements.iter().flat_map(|e| &e.reads);
    if reads.clone().any(|r| r.way == Way::List) && reads.nth(1).is_some() {
        return Err(format!("the rows of `{array}` are read in several places, each of which gets a list of its own"));
    }
    Ok(())
}

/// The edits that make a list of what `elements` are of, by what is appended to it, unless one is `there`, and read that.
fn edits(
    loops: &Loops<'_, '_>,
    site: &Site<'_>,
    elements: &[&Element<'_>],
    use_: &Use,
    (list, suffix, plain): (&Rows, &str, Option<&str>),
    there: Option<String>,
) -> Vec<Edit> {
    let source = loops.place.source();
    let (newline, indentation) = (source.newline(), source.indentation(site.statement.start()));
    let taken = elements[0].taken;
    let array = taken.array.id.as_str();
    let make = |list: &str, row: &str| Edit::insert(site.statement.start(), format!("{list} = {array}{row}{suffix}{newline}{indentation}"));
    let (fresh, made) = match (taken.part, there) {
        (_, Some(there)) => (there, None),
        // Loops inside one another may each have a row.
        (Part::Of(row, _), None) => {
            let fresh = fresh_name(loops, &format!("{array}_row"), true);
            let made = make(&fresh, &format!("[{}]", source.slice(row.range())));
            (fresh, Some(made))
        }
        _ => {
            let fresh = fresh_name(loops, &list.name(array), false);
            let made = make(&fresh, "");
            (fresh, Some(made))
        }
    };
    let mut edits: Vec<Edit> = made.into_iter().collect();
    edits.extend(list.unpacked.iter().map(|row| row.edit(loops.place, &fresh)));
    let is_unpacked = |element: &Element<'_>| list.unpacked.iter().any(|row| row.range.contains_range(element.taken.array.range));
    for element in elements.iter().filter(|e| !is_unpacked(e)) {
        edits.push(Edit::replace(element.taken.array.range, fresh.as_str()));
        edits.extend(element.column().and_then(|c| match list.column {
            Some(_) => Some(Edit::delete(c.gone)),
            None => c.comma.map(|comma| Edit::replace(comma, "][")),
        }));
        if let Part::Of(_, gone) = element.taken.part {
            edits.push(Edit::delete(gone));
        }
        edits.extend(element.reads.iter().flat_map(|r| loops.without_call(r, plain)));
    }
    edits.extend(use_.evaluations.iter().map(|&lines| Edit::delete(lines)));
    edits
}

/// Whether `row` is one number from the first round to the last.
fn is_one_row(place: &Place<'_>, facts: &Facts<'_>, seen: &Indexed<'_, '_>, row: &Expr, site: &Site<'_>) -> bool {
    let Expr::Name(name) = row else { return plain_number(row).is_some() };
    let before = place.value_of(&name.id, site.statement.start());
    let is_same = before.is_some() && before == place.value_of(&name.id, name.range.start());
    is_same && before.is_some_and(|v| facts.kind(v) == Kind::Int) && !seen.touched.contains(&name.id.as_str())
}

/// What list `elements` need, which are of one array with rows of `width` elements, if that is known; what that assumes goes to `verdict`.
fn rows_of<'x>(
    place: &Place<'_>,
    seen: &Indexed<'_, 'x>,
    elements: &[&Element<'x>],
    width: Option<i64>,
    verdict: &mut Verdict,
) -> Result<Rows, String> {
    let array = elements.first().map_or("", |e| e.taken.array.id.as_str());
    let columns: Vec<i64> = elements.iter().filter_map(|e| Some(e.column()?.at)).collect();
    let needed = columns.iter().map(|&at| if at < 0 { -at } else { at + 1 }).max().unwrap_or(0);
    if width.is_some_and(|width| needed > width) {
        return Err(format!("`{array}` has fewer columns than are read"));
    }
    let mut rows = Rows { part: String::new(), column: None, unpacked: Vec::new() };
    // What is unpacked has as many columns as there are names.
    if columns.len() < elements.len() || needed == 0 {
        return Ok(rows);
    }
    if width.is_none() {
        verdict.assume(format!("`{array}` has at least {needed} column{}", if needed == 1 { "" } else { "s" }));
    }
    rows.column = Some(columns[0]).filter(|column| columns.iter().all(|at| at == column));
    if let Some(column) = rows.column {
        rows.part = format!("[:, {column}]");
        return Ok(rows);
    }
    let plain = verdict.plain;
    rows.unpacked = seen.assigned.iter().filter_map(|a| a.unpacked(place, elements, usize::try_from(needed).ok()?, plain)).collect();
    // The rows may be long, as those of logits are, and all their elements would be made Python numbers.
    let is_long = width.is_none_or(|width| width > NARROW);
    if is_long && columns.iter().any(|&at| at < 0) {
        return Err(format!("the rows of `{array}` may be long, and few of their elements are read"));
    }
    if is_long || (!rows.unpacked.is_empty() && width != Some(needed)) {
        rows.part = format!("[:, :{needed}]");
    }
    Ok(rows)
}

/// By how much `bound` is less than the length of `axis` of `array`, where it is known to be no more.
fn slack(place: &Place<'_>, facts: &Facts<'_>, bound: &Bound, array: ValueId, axis: u8) -> Option<i64> {
    let bound = match *bound {
        Bound::Number(bound) => bound,
        Bound::LengthOf(of) => return (of == Some(array) && axis == 0).then_some(0),
    };
    if is_length(place, facts, bound, array, axis) {
        return Some(0);
    }
    let graph = &place.analysis.graph;
    if let (Some(bound), Some(length)) = (graph.as_int(bound), facts.known_length(array, axis)) {
        return (bound <= length).then_some(length - bound);
    }
    let (Op::Sub, &[length, less]) = graph.get(bound) else { return None };
    let less = graph.as_int(less).filter(|&n| n >= 0)?;
    is_length(place, facts, length, array, axis).then_some(less)
}

/// Whether `bound` is the number of elements of `array`, of which `elements` are read as numbers: then it has as many rows, or the first read raises.
fn is_size(place: &Place<'_>, bound: &Bound, array: ValueId, elements: &[Element<'_>]) -> bool {
    let graph = &place.analysis.graph;
    let Bound::Number(bound) = *bound else { return false };
    let is_number = |e: &Element<'_>| matches!(e.taken.part, Part::Whole) && e.reads.iter().all(|r| r.way != Way::List);
    elements.iter().all(is_number)
        && matches!(graph.get(bound), (Op::Attr(name, _), &[of]) if graph.name(name) == "size" && unchanged(place, of) == array)
}

/// The object that `value` was before calls in between, which leave it the same.
fn unchanged(place: &Place<'_>, mut value: ValueId) -> ValueId {
    while let (Op::Changed(_), &[before]) = place.analysis.graph.get(value) {
        value = before;
    }
    value
}

/// Whether `bound` is the length of `axis` of `array`, the first or the second.
fn is_length(place: &Place<'_>, facts: &Facts<'_>, bound: ValueId, array: ValueId, axis: u8) -> bool {
    let analysis = place.analysis;
    let graph = &analysis.graph;
    let is_last = || facts.rank(array) == Some(axis + 1);
    let is_array = |of: ValueId| unchanged(place, of) == array;
    match graph.get(bound) {
        (Op::Dim(at), &[of]) if at == i32::from(axis) => is_array(of),
        (Op::Dim(-1), &[of]) => is_array(of) && is_last(),
        (Op::Attr(name, _), &[of]) => is_array(of) && axis == 0 && graph.name(name) == "size" && is_last(),
        (Op::Apply, &[callee, of]) => is_array(of) && axis == 0 && is_builtin(analysis, callee, "len"),
        _ => false,
    }
}

/// A name that nothing in the scope uses, at any depth, `plain` if that is one; if it is to be `unique`, no other list of this run has it, either. In a module
/// it is a private one: others import what is there.
fn fresh_name(loops: &Loops<'_, '_>, plain: &str, unique: bool) -> String {
    let place = loops.place;
    let plain = if place.is_module() { format!("_{}", plain.trim_start_matches('_')) } else { plain.to_owned() };
    let source = place.source();
    let text = source.slice(place.body.range).as_bytes();
    let is_name =
        |name: &str| source.tokens().in_range(place.body.range).iter().any(|t| t.kind() == TokenKind::Name && source.slice(t.range()) == name);
    // The search for bytes spares nearly every walk over the tokens.
    let is_used = |name: &str| memchr::memmem::find(text, name.as_bytes()).is_some() && is_name(name);
    let is_given = |name: &str| unique && loops.given.borrow().iter().any(|n| n == name);
    let numbered = (2..).map(|n| format!("{plain}{n}"));
    let fresh = std::iter::once(plain.clone()).chain(numbered).find(|name| !is_used(name) && !is_given(name)).unwrap_or_default();
    loops.given.borrow_mut().push(fresh.clone());
    fresh
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::super::tests::{HEADER, only_unsafe, safe, stays};
    use crate::finding::Applicability;
    use crate::passes::testing::{applied, findings};

    #[test]
    fn loops_over_indices_read_a_list_made_before() {
        for (body, after) in [
            (
                "a = a.flatten()\nfor i in range(len(a)):\n    out(i, a[i].item(), float(a[i]))\n",
                "a = a.flatten()\na_list = a.tolist()\nfor i in range(len(a)):\n    out(i, a_list[i], float(a_list[i]))\n",
            ),
            (
                "n = a.shape[0]\nfor i in range(1, n):\n    out(a[i].item(), int(a[i - 1]), a[i + 1].item())\n",
                "n = a.shape[0]\na_list = a.flatten().tolist()\nfor i in range(1, n):\n    out(a_list[i], int(a_list[i - 1]), a[i + 1].item())\n",
            ),
            (
                "for i in range(len(a) - 1):\n    out(a[i + 1].item() - a[i].item(), a[i - 2].item())\n",
                "a_list = a.flatten().tolist()\nfor i in range(len(a) - 1):\n    out(a_list[i + 1] - a_list[i], a[i - 2].item())\n",
            ),
            ("xs = [a[i].item() for i in range(a.shape[0])]\n", "a_list = a.flatten().tolist()\nxs = [a_list[i] for i in range(a.shape[0])]\n"),
            (
                "return sum(a[i].item() * i for i in range(len(a)))\n",
                "a_list = a.flatten().tolist()\nreturn sum(a_list[i] * i for i in range(len(a)))\n",
            ),
            (
                "a_list = 1\nif n:\n    for i in range(len(a)):\n        out[i] = a[i].item()\n",
                "a_list = 1\nif n:\n    a_list2 = a.flatten().tolist()\n    for i in range(len(a)):\n        out[i] = a_list2[i]\n",
            ),
        ] {
            assert_eq!(safe(body), after);
        }
        only_unsafe("for i in range(n):\n    out(a[i].item())\n", "a_list = a.flatten().tolist()\nfor i in range(n):\n    out(a_list[i])\n");
        // As many as there are rows, or the first read raises.
        assert_eq!(
            safe("for i in range(a.size):\n    out(a[i].item())\n"),
            "a_list = a.flatten().tolist()\nfor i in range(a.size):\n    out(a_list[i])\n"
        );
        only_unsafe("for i in range(a.size):\n    out(a[i].tolist())\n", "a_list = a.tolist()\nfor i in range(a.size):\n    out(a_list[i])\n");
        // The file shows how many there are.
        assert_eq!(
            safe("c = mx.array([4, n, 6])\nfor i in range(2):\n    out(c[i + 1].item())\n"),
            "c = mx.array([4, n, 6])\nc_list = c.flatten().tolist()\nfor i in range(2):\n    out(c_list[i + 1])\n"
        );
        only_unsafe(
            "c = mx.array([4, *xs, 6])\nfor i in range(2):\n    out(c[i].item())\n",
            "c = mx.array([4, *xs, 6])\nc_list = c.flatten().tolist()\nfor i in range(2):\n    out(c_list[i])\n",
        );
        assert_eq!(
            safe("model(a)\nn = len(a)\nfor i in range(n):\n    out(a[i].item())\n"),
            "model(a)\nn = len(a)\na_list = a.flatten().tolist()\nfor i in range(n):\n    out(a_list[i])\n"
        );
    }

    #[test]
    fn a_list_of_a_module_has_a_private_name_and_a_class_gets_none() {
        let module = "import mlx.core as mx\n\na = mx.arange(9)\nfor i in range(len(a)):\n    print(a[i].item())\n";
        let listed = "import mlx.core as mx\n\na = mx.arange(9)\n_a_list = a.tolist()\nfor i in range(len(a)):\n    print(_a_list[i])\n";
        assert_eq!(applied(find, module, Applicability::Safe), listed);
        let class = "import mlx.core as mx\n\nclass A:\n    a = mx.arange(9)\n    for i in range(len(a)):\n        print(a[i].item())\n";
        assert_eq!(applied(find, class, Applicability::Unsafe), class);
    }

    #[test]
    fn where_it_is_assumed_how_many_there_are_an_element_more_is_assumed_too() {
        only_unsafe(
            "for i in range(n):\n    out(a[i].item(), a[i + 1].item())\n",
            "a_list = a.flatten().tolist()\nfor i in range(n):\n    out(a_list[i], a_list[i + 1])\n",
        );
        let text = format!("{HEADER}    for i in range(n):\n        out(a[i + 2].item(), a[i + 1].item())\n");
        assert_eq!(findings(find, &text)[0].assumptions, ["`a` has at least `n + 2` elements"]);
    }

    #[test]
    fn an_index_may_count_through_something_else() {
        only_unsafe(
            "for i, x in enumerate(xs):\n    out(x, a[i].item())\n",
            "a_list = a.flatten().tolist()\nfor i, x in enumerate(xs):\n    out(x, a_list[i])\n",
        );
        assert_eq!(
            safe("for i, x in enumerate(a):\n    out(model(x), a[i].item())\n"),
            "a_list = a.flatten().tolist()\nfor i, x in enumerate(a):\n    out(model(x), a_list[i])\n"
        );
        stays("for i, x in enumerate(xs, 1):\n    out(x, a[i].item())\n");
    }

    #[test]
    fn an_indexed_array_that_may_change_stays() {
        for body in [
            "for i in range(len(a)):\n    out(a[i].item())\n    a[i] = 0\n",
            "for i in range(len(a)):\n    out(a[i].item())\n    a += 1\n",
            "c = a\nfor i in range(len(a)):\n    out(a[i].item())\n    c[i] = 1\n",
            "for i in range(len(a)):\n    out(a[i].item())\n    a = a * 2\n",
            "for i in range(len(a)):\n    out(a[i].item())\n    model(a)\n",
            "for i in range(len(a)):\n    i = n\n    out(a[i].item())\n",
            "for i in range(-1, len(a)):\n    out(a[i].item())\n",
            "for i in range(n, len(a)):\n    out(a[i].item())\n",
            "for i in range(*xs):\n    out(a[i].item())\n",
            "for i in range(len(a)):\n    out(lambda: a[i].item())\n",
            "out(n and [a[i].item() for i in range(len(a))])\n",
            "g = (a[i].item() for i in range(len(a)))\n",
            "c = a.tolist()\nfor i in range(len(c)):\n    out(int(c[i]))\n",
            "c = np.asarray(a)\nfor i in range(len(c)):\n    out(c[i].item())\n",
        ] {
            stays(body);
        }
    }
}
