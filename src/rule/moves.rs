//! Statements that give a name another value before the root reads the one it had: they are moved below the root where nothing in between needs them.
//! `qk = qk.astype(mx.float32)` goes below `w = mx.softmax(qk, axis=-1, precise=True)` when only a later `return` reads the cast.

use std::collections::BTreeMap;

use super::elaborate::Plan;
use super::removal::{Removal, is_pure, stands_alone};
use crate::graph::body::{StatementId, StatementKind};
use crate::graph::value::{Symbol, ValueId};
use crate::syntax::{Edit, TextRange, TextSize};

/// More than these are not moved for one match.
const MAX_MOVES: usize = 4;

/// The statements to move below that of the root so that each name of `meant` holds its value there; `None` where they may not be moved.
pub(super) fn in_the_way(plan: &Plan<'_>, meant: BTreeMap<Symbol, ValueId>, removal: &Removal) -> Option<Vec<StatementId>> {
    let body = plan.body;
    let end = |s: StatementId| body.statements[s as usize].range.end();
    let mut moved: Vec<StatementId> = Vec::new();
    for (name, value) in meant {
        loop {
            let gone = |offset: TextSize| removal.statements.iter().chain(&moved).any(|&s| end(s) == offset);
            if body.value_without(name, plan.place(), &gone) == Some(value) {
                break;
            }
            let last = body.definitions_of(name).iter().filter_map(|&d| body.definitions[d as usize].statement);
            let last = last.filter(|&s| end(s) <= plan.place() && !removal.statements.contains(&s) && !moved.contains(&s)).max()?;
            if moved.len() == MAX_MOVES || !may_move(plan, last, removal) {
                return None;
            }
            moved.push(last);
        }
    }
    moved.sort_unstable();
    Some(moved)
}

/// Whether statement `s` binds one name, does nothing else, and is read below the root's statement only, which goes on to the next.
fn may_move(plan: &Plan<'_>, s: StatementId, removal: &Removal) -> bool {
    let body = plan.body;
    let (statement, root) = (body.statements[s as usize], body.statements[plan.root.statement as usize]);
    let plain = statement.kind == StatementKind::Assignment && root.kind == StatementKind::Assignment && statement.block == root.block;
    let (&[made], true) = (body.definitions_by(s), plain) else { return false };
    let definition = &body.definitions[made as usize];
    let later = |used: TextRange| used.start() >= root.range.end() || plan.root.range.contains_range(used) || removal.covers(body, used);
    let source = plan.analysis.source;
    definition.uses.iter().all(|&used| later(used))
        && !definition.escapes
        && stands_alone(plan, statement.range)
        && stands_alone(plan, root.range)
        && is_pure(plan, statement.range)
        && source.slice(lines(plan, root.range)).ends_with('\n')
}

/// The edits that move `statements`, with the comments beside them, below the root's.
pub(super) fn edits(plan: &Plan<'_>, statements: &[StatementId]) -> Vec<Edit> {
    let source = plan.analysis.source;
    let moved = statements.iter().map(|&s| lines(plan, plan.body.statements[s as usize].range));
    let text: String = moved.clone().map(|range| source.slice(range)).collect();
    let below = lines(plan, plan.body.statements[plan.root.statement as usize].range).end();
    moved.map(Edit::delete).chain((!text.is_empty()).then(|| Edit::insert(below, text))).collect()
}

fn lines(plan: &Plan<'_>, range: TextRange) -> TextRange {
    let source = plan.analysis.source;
    TextRange::new(source.line_start(range.start()), source.full_line_end(range.end()))
}
