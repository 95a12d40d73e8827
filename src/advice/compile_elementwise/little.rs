//! Functions that are given little data: single elements, tables of numbers, what a sum leaves, and attributes that hold one number, or one for each channel.
//! Their kernels read and write next to nothing, so that there is nothing to save.

use crate::finding::Notes;
use crate::graph::Analysis;
use crate::graph::body::Effect;
use crate::graph::calls;
use crate::graph::definitions::{ClassIndex, FunctionIndex};
use crate::graph::facts::{Facts, UNARY};
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::place::Place;

use crate::advice::compiled::body_of;

/// Values are followed so far.
const MAX_DEPTH: u32 = 12;

/// Whether some call in the file gives function number `index` one element of a table, or all give it little.
pub(super) fn is_given(analysis: &Analysis<'_>, index: FunctionIndex) -> bool {
    let calls = calls::of_function(analysis, index);
    let mut few = 0;
    for called in &calls {
        let (Some(body), Some(argument)) = (body_of(analysis, called.by), called.call.arguments.args.first()) else { return false };
        let notes = Notes::default();
        let Some(value) = Place::new(analysis, body, &notes).value(argument) else { return false };
        let mut little = Little { analysis, facts: Facts::at(analysis, body, 0, body.range.end()), attributes: Vec::new() };
        if little.is_element(value) {
            return true;
        }
        few += usize::from(little.is_it(value, 0));
    }
    few > 0 && few == calls.len()
}

struct Little<'x, 'a> {
    analysis: &'x Analysis<'a>,
    facts: Facts<'x>,
    /// The attributes that were asked for; one that is made of itself holds what else it is made of.
    attributes: Vec<(ClassIndex, Symbol)>,
}

impl Little<'_, '_> {
    /// Whether `value` is what a number picks that is computed: the first part of something has a plain one.
    fn is_element(&self, value: ValueId) -> bool {
        let graph = &self.analysis.graph;
        matches!(graph.get(value), (Op::Index(_), of) if !matches!(graph.op(of[1]), Op::Int(_)) && self.facts.kind(of[1]).is_number())
    }

    /// Whether `value` is made of `mx.arange`, of what a sum leaves, of attributes that hold little, and of numbers.
    fn is_it(&mut self, value: ValueId, depth: u32) -> bool {
        let graph = &self.analysis.graph;
        if depth > MAX_DEPTH {
            return false;
        }
        match graph.get(value) {
            (Op::Mlx("arange" | "linspace" | "array" | "sum" | "mean" | "logsumexp"), _) => true,
            (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg | Op::Mlx("maximum" | "minimum"), of) => self.are(of, depth),
            (Op::Mlx("clip"), of) => self.are(&of[..1], depth),
            (Op::Mlx(name), of) if UNARY.contains(&name) => self.are(&of[..1], depth),
            (Op::Index(_) | Op::Changed(_) | Op::Mlx("reshape" | "expand_dims" | "stop_gradient"), of) => self.are(&of[..1], depth),
            (Op::Attr(name, _), &[object]) => match self.analysis.classes.receiver(object) {
                Some(class) => self.is_attribute(class, name, depth),
                None => self.facts.kind(value).is_number(),
            },
            _ => self.facts.kind(value).is_number(),
        }
    }

    fn are(&mut self, values: &[ValueId], depth: u32) -> bool {
        values.iter().all(|&v| self.is_it(v, depth + 1))
    }

    /// Whether the attribute `name` of `class` is made by `__init__` as one number, or one for each of something, and all that methods assign to it is little.
    fn is_attribute(&mut self, class: ClassIndex, name: Symbol, depth: u32) -> bool {
        if self.attributes.contains(&(class, name)) {
            return true;
        }
        self.attributes.push((class, name));
        let (analysis, graph) = (self.analysis, &self.analysis.graph);
        let mut stored = Vec::new();
        for body in analysis.bodies.iter().filter(|b| b.class == Some(class)) {
            stored.extend(body.effects.iter().filter_map(|e| match *e {
                Effect::StoreAttribute(object, of, value) if of == name && analysis.classes.receiver(object) == Some(class) => Some(value),
                _ => None,
            }));
        }
        let is_made = stored.iter().any(|&v| is_vector(graph, v));
        !analysis.definitions.classes[class].dynamic
            && (is_made || !stored.is_empty() && stored.iter().all(|&v| self.facts.kind(v).is_number()))
            && stored.into_iter().all(|v| is_vector(graph, v) || self.is_it(v, depth + 1))
    }
}

/// Whether `value` is made with one axis or none.
fn is_vector(graph: &Graph, value: ValueId) -> bool {
    let (Op::Mlx("full" | "zeros" | "ones" | "array"), operands) = graph.get(value) else { return false };
    match graph.get(operands[0]) {
        (Op::Tuple | Op::List, of) => of.len() <= 1,
        (op, _) => matches!(op, Op::Int(_) | Op::Float(_)),
    }
}
