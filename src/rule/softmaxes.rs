//! Softmaxes that would add up in half precision where a rule narrows what they are given: the same edit tells them to be precise, which is nothing to those
//! of a float32 model.

use rustc_hash::FxHashMap;

use super::elaborate::{Elaboration, Obstacle, Plan};
use super::judge::Judgement;
use super::removal::stands_alone;
use crate::graph::body::StatementId;
use crate::graph::digits::{PRECISE, Softmax};
use crate::graph::value::{Graph, Op, ValueId};
use crate::syntax::{Edit, LINE_WIDTH, TextRange, TextSize, lay_out_statement};

/// What softmaxes become, and how many matches have each in sight.
#[derive(Default)]
pub(super) struct Told(FxHashMap<ValueId, (ValueId, usize)>);

impl Told {
    /// The softmaxes of all `judgements`.
    pub(super) fn of<'j>(graph: &mut Graph, judgements: impl Iterator<Item = &'j Judgement>) -> Self {
        let mut told: FxHashMap<ValueId, (ValueId, usize)> = FxHashMap::default();
        for softmax in judgements.flat_map(|j| &j.softmaxes) {
            let (Op::Mlx("softmax"), &[array, axis, _]) = graph.get(softmax.value) else { continue };
            let precise = graph.leaf(Op::Bool(true));
            let becomes = graph.value(Op::Mlx("softmax"), &[array, axis, precise]);
            told.entry(softmax.value).or_insert((becomes, 0)).1 += 1;
        }
        Self(told)
    }

    /// What becomes of `softmaxes`.
    pub(super) fn replaced(&self, softmaxes: &[Softmax]) -> Vec<(ValueId, ValueId)> {
        softmaxes.iter().filter_map(|s| Some((s.value, self.0.get(&s.value)?.0))).collect()
    }

    /// `written` with the edits that tell `softmaxes`.
    pub(super) fn write(&self, plan: &Plan<'_>, mut written: Elaboration, softmaxes: &[Softmax]) -> Result<Elaboration, Obstacle> {
        for softmax in softmaxes {
            let is_shared = self.0.get(&softmax.value).is_none_or(|told| told.1 > 1);
            for &(at, statement) in &softmax.arguments {
                if written.edits.iter().any(|e| e.range.start() <= at && at <= e.range.end()) {
                    return Err(format!("`{}` would add up in half precision; write `precise=True` there first", softmax.text));
                }
                // What several matches write must be the same, and no more than an insertion.
                let laid_out = if is_shared { None } else { laid_out(plan, &written, at, statement) };
                written.edits.push(laid_out.unwrap_or_else(|| Edit::insert(at, PRECISE)));
                written.edits.sort_by_key(|e| (e.range.start(), e.range.end()));
            }
        }
        Ok(written)
    }
}

/// `statement` laid out anew with what is written at `at`, where its line would be too long.
fn laid_out(plan: &Plan<'_>, written: &Elaboration, at: TextSize, statement: StatementId) -> Option<Edit> {
    let source = plan.analysis.source;
    let part = |from: TextSize, to: TextSize| source.slice(TextRange::new(from, to));
    let line = part(source.line_start(at), source.full_line_end(at)).trim_end();
    if line.chars().count() + PRECISE.len() <= LINE_WIDTH {
        return None;
    }
    let whole = plan.body.statements[statement as usize].range;
    let is_touched = written.edits.iter().any(|e| e.range.intersect(whole).is_some());
    if is_touched || !stands_alone(plan, whole) {
        return None;
    }
    let text = [part(whole.start(), at), PRECISE, part(at, whole.end())].concat();
    let comment = part(whole.end(), source.full_line_end(whole.end())).trim_end().chars().count();
    let text = lay_out_statement(&text, source.indentation(whole.start()), source.newline(), comment, LINE_WIDTH)?;
    Some(Edit::replace(whole, text))
}
