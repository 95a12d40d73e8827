//! Where `mx.addmm` is no gain in the place of a matrix product and a sum: the sum goes into a softmax or is fused by `mx.compile` already, what is added is
//! a float32 accumulator, cast to float32 or laid out in another way, the matrices have a few numbers, errors are summed up, or the text grows.

use std::iter;

use super::Candidate;
use super::elaborate::Plan;
use super::judge::chosen_operation;
use crate::graph::Analysis;
use crate::graph::body::{Body, Effect, Occurrence};
use crate::graph::dtypes;
use crate::graph::dtypes::Agreement;
use crate::graph::facts::{Facts, UNARY};
use crate::graph::users::Users;
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::{Edit, LINE_WIDTH};

/// Values further up are not asked for.
const MAX_DEPTH: u32 = 8;
/// A matrix of a module with no more numbers is so small that the kernel which is saved takes no time to speak of.
const FEW_NUMBERS: i64 = 64 * 64;
/// One kernel less is not worth so many more lines in code that may run once.
const MANY_LINES: usize = 2;
/// The product of a narrower matrix may have many times as many rows.
const NARROW: i64 = 16;

/// Why `addmm` is no gain in the place of the sum `root` of a product and something.
pub(super) fn no_gain(analysis: &Analysis<'_>, body: &Body, root: Occurrence, addmm: ValueId) -> Option<String> {
    is_better_apart(analysis, body, root.value, addmm)
        .or_else(|| few(analysis, body, root, addmm))
        .or_else(|| is_laid_out_otherwise(analysis, body, root, addmm))
        .or_else(|| is_error(analysis, body, root))
}

/// Why the sum `root` does better without `addmm` for what is added, or for what becomes of it.
fn is_better_apart(analysis: &Analysis<'_>, body: &Body, root: ValueId, addmm: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    if goes_into_softmax(graph, &Users::throughout(analysis, body), root, 0) {
        return Some("the sum goes into a softmax: a mask may be far larger than the product, which then loses digits".to_owned());
    }
    if accumulates_in_float32(analysis, body, root, addmm) {
        return Some("the products are summed up in float32, to which matrices in half precision would be copied".to_owned());
    }
    if is_cast_up(analysis, body, addmm) {
        return Some("what is added is cast to float32, to which matrices in half precision would be copied".to_owned());
    }
    let returned = body.effects.contains(&Effect::Return(root));
    (analysis.compiled().iter().any(|c| c.compiles(body)) && !returned)
        .then(|| "`mx.compile` fuses the sum with what surrounds it already".to_owned())
}

/// Whether the sum `root` goes back to where the array that is added comes from, which was made as float32, while nothing shows that a matrix of `addmm` is.
fn accumulates_in_float32(analysis: &Analysis<'_>, body: &Body, root: ValueId, addmm: ValueId) -> bool {
    let graph = &analysis.graph;
    let [c, a, b, ..] = *graph.operands(addmm) else { return false };
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let is_float32 = |v: ValueId| dtypes::is_float32(graph, &facts, v);
    let starts_in_float32 = match graph.get(c) {
        (Op::Attr(name, _), &[object]) if body.effects.contains(&Effect::StoreAttribute(object, name, root)) => {
            let class = analysis.classes.receiver(object);
            let is_start = |effect: &Effect| matches!(*effect, Effect::StoreAttribute(of, n, made) if n == name && analysis.classes.receiver(of) == class && is_float32(made));
            class.is_some() && analysis.bodies.iter().flat_map(|b| &b.effects).any(is_start)
        }
        (Op::Phi(..), &[start, ..]) => body.effects.contains(&Effect::Carry(c, root)) && is_float32(start),
        _ => false,
    };
    starts_in_float32 && !is_float32(a) && !is_float32(b)
}

/// Whether the array that is added is float32 because something is cast to it, while nothing shows that a matrix of `addmm` is: the cast says that what it
/// casts may be narrower, and then so are they.
fn is_cast_up(analysis: &Analysis<'_>, body: &Body, addmm: ValueId) -> bool {
    let graph = &analysis.graph;
    let [c, a, b, ..] = *graph.operands(addmm) else { return false };
    let facts = Facts::at(analysis, body, 0, body.range.end());
    let is_float32 = |v: ValueId| dtypes::is_float32(graph, &facts, v);
    // Of matrices that are known to be in half precision the guard says it.
    let is_refused = matches!(dtypes::promotes_into(graph, &facts, c, a), Agreement::Never(_));
    is_float32(c) && !is_float32(a) && !is_float32(b) && !is_refused && is_of_cast(graph, &facts, c, 0)
}

/// Whether `value` is float32 because of a cast of what may be in half precision.
fn is_of_cast(graph: &Graph, facts: &Facts<'_>, value: ValueId, depth: u32) -> bool {
    if depth > MAX_DEPTH || !dtypes::is_float32(graph, facts, value) {
        return false;
    }
    let (op, operands) = graph.get(value);
    let may_be_half = |v: ValueId| !dtypes::is_float32(graph, facts, v) && !dtypes::is_integer(graph, facts, v);
    op == Op::Mlx("astype") && may_be_half(operands[0]) || operands.iter().any(|&v| is_of_cast(graph, facts, v, depth + 1))
}

/// Why `addmm` is no gain where what is added is a view with its axes in another order: a product whose second matrix is the same for a whole batch is computed as
/// one of many rows, but not where what is added lies in memory in another way.
fn is_laid_out_otherwise(analysis: &Analysis<'_>, body: &Body, root: Occurrence, addmm: ValueId) -> Option<String> {
    let [c, a, b, ..] = *analysis.graph.operands(addmm) else { return None };
    let facts = Facts::at(analysis, body, root.block, root.range.end());
    let rank = facts.rank(a).max(facts.rank(b)).max(facts.rank(c));
    let same = |axis: i64| facts.same_length((a, axis), (b, axis));
    let is_batch_of_both = facts.rank(a) == facts.rank(b) && rank.is_some_and(|n| (3..=i64::from(n)).all(|axis| same(-axis)));
    (analysis.graph.op(c) == Op::Permute && rank.is_none_or(|n| n > 2) && !is_batch_of_both).then(|| {
        "what is added is a view with its axes in another order: a product with one matrix for a whole batch is one of many rows only without it"
            .to_owned()
    })
}

/// Why `edits`, which write `addmm`, are too long for the one kernel that they save: nothing shows that the code runs more than once, or what is added is a column,
/// which some backends copy to the shape of the product first.
pub(super) fn too_long(plan: &Plan<'_>, edits: &[Edit], after: ValueId) -> Option<String> {
    let &Plan { analysis, body, root, .. } = plan;
    let (Op::Mlx("addmm"), &[c, a, b, ..]) = analysis.graph.get(chosen_operation(&analysis.graph, after, plan.arguments)) else { return None };
    let lines = |text: &str| text.matches('\n').count();
    let before: usize = edits.iter().map(|e| lines(analysis.source.slice(e.range))).sum();
    let more = edits.iter().map(|e| lines(&e.content)).sum::<usize>().checked_sub(before).filter(|&n| n > 0)?;
    let facts = Facts::at(analysis, body, root.block, root.range.end());
    if is_column(analysis, &facts, [c, a, b]) {
        return Some("what is added is a column, which is copied to the shape of the product first: not worth a longer text".to_owned());
    }
    let functions = &analysis.definitions.functions;
    let is_repeated = body.blocks[root.block as usize].loop_depth > 0
        || iter::successors(body.function, |&f| functions[f].parent).any(|f| functions[f].class.is_some());
    // What is much wider than a line is laid out over several whoever writes it.
    let is_line = body.statements[root.statement as usize].range.len().to_usize() <= 2 * LINE_WIDTH;
    (!is_repeated && is_line && more >= MANY_LINES)
        .then(|| format!("it would take {more} more lines for one kernel, where nothing shows that this runs more than once"))
}

/// Whether what is added is one number for each row: its last axis is known to have one element, or it is what is multiplied, reduced over one axis that stays, of
/// which only the last lets it be added.
fn is_column(analysis: &Analysis<'_>, facts: &Facts<'_>, [c, a, b]: [ValueId; 3]) -> bool {
    let graph = &analysis.graph;
    let parts = if graph.op(a) == Op::Mul { graph.operands(a) } else { &[a][..] };
    let is_of_rows = matches!(graph.get(c), (Op::Mlx("sum" | "mean" | "max" | "min"), &[of, axis, keeps, ..])
        if graph.op(keeps) == Op::Bool(true) && graph.as_int(axis).is_some() && parts.iter().any(|&part| reaches(graph, of, part, 0)));
    facts.rank(c) != Some(0) && (facts.is_one_long(c, -1) || is_of_rows) && !facts.is_one_long(b, -1)
}

/// Why the difference `root` of a product and something stays as it is: its squares are summed up.
fn is_error(analysis: &Analysis<'_>, body: &Body, root: Occurrence) -> Option<String> {
    let graph = &analysis.graph;
    let users = Users::around(analysis, body, root);
    let is_square = |&v: &ValueId| matches!(graph.get(v), (Op::Pow, &[_, exponent]) if graph.number(exponent) == Some(2.0));
    let is_sum = |&v: &ValueId| matches!(graph.op(v), Op::Mlx("sum" | "mean"));
    let only = |of: ValueId, are: &dyn Fn(&ValueId) -> bool| !users.is_seen(of) && !users.users(of).is_empty() && users.users(of).iter().all(are);
    let summed = graph.op(root.value) == Op::Sub && only(root.value, &is_square) && users.users(root.value).iter().all(|&v| only(v, &is_sum));
    summed.then(|| "it is an error of which the squares are summed up, which says so as it is written".to_owned())
}

/// What a caller that compiles the sum `root` is to know: where all that is made of it is computed element by element, `mx.compile` fuses the sum with that.
pub(super) fn in_compiled_caller(analysis: &Analysis<'_>, body: &Body, candidate: &Candidate) -> Option<String> {
    let (root, after) = (candidate.root, chosen_operation(&analysis.graph, candidate.after, &candidate.arguments));
    let graph = &analysis.graph;
    let users = Users::around(analysis, body, root);
    let is_fused = |&v: &ValueId| match graph.op(v) {
        Op::Mlx(name) => UNARY.contains(&name) || matches!(name, "astype" | "linalg.norm" | "maximum" | "minimum"),
        op => matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg),
    };
    let made = users.users(root.value);
    let is_sum = graph.op(after) == Op::Mlx("addmm") && !users.is_seen(root.value) && !made.is_empty() && made.iter().all(is_fused);
    is_sum.then(|| {
        "Where a caller compiles this, `mx.compile` has fused the sum with what is made of it, and it may be slower this way (0.93 to 0.96 of the speed where that is a norm, on a CPU)."
            .to_owned()
    })
}

/// Why the sum is nothing to notice where `__init__` shows that the matrix has a few numbers; in a loop a kernel less counts all the same.
fn few(analysis: &Analysis<'_>, body: &Body, root: Occurrence, addmm: ValueId) -> Option<String> {
    let graph = &analysis.graph;
    let [_, _, b, ..] = *graph.operands(addmm) else { return None };
    let facts = Facts::at(analysis, body, root.block, root.range.end());
    let matrix = if graph.op(b) == Op::Permute { graph.operands(b)[0] } else { b };
    if !matches!(graph.op(matrix), Op::Attr(..)) || facts.rank(matrix) != Some(2) || body.blocks[root.block as usize].loop_depth > 0 {
        return None;
    }
    let (rows, columns) = (facts.known_length(matrix, 0)?, facts.known_length(matrix, 1)?);
    (rows.min(columns) >= NARROW && rows.saturating_mul(columns) <= FEW_NUMBERS)
        .then(|| format!("the matrix has {rows} x {columns} numbers, so few that the sum is nothing to notice"))
}

/// Whether a softmax is taken of what is made of `value` element by element.
fn goes_into_softmax(graph: &Graph, users: &Users, value: ValueId, depth: u32) -> bool {
    users.users(value).iter().any(|&user| match graph.get(user) {
        (Op::Mlx("softmax"), operands) => operands[0] == value,
        (op, _) => depth < MAX_DEPTH && is_elementwise(op) && goes_into_softmax(graph, users, user, depth + 1),
    })
}

/// Whether `value` is made of `part` element by element.
fn reaches(graph: &Graph, value: ValueId, part: ValueId, depth: u32) -> bool {
    if value == part || depth > MAX_DEPTH {
        return value == part;
    }
    let (op, operands) = graph.get(value);
    is_elementwise(op) && operands.iter().any(|&v| reaches(graph, v, part, depth + 1))
}

fn is_elementwise(op: Op) -> bool {
    matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Gate | Op::Mlx("astype" | "where"))
}
