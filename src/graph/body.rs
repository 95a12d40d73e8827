//! What lowering one scope (a function, a class body or the module) records besides values: where each is computed, which name holds it when, what has
//! effects, and what is proved where. Places are those of the scope's own text; code inlined from elsewhere leaves values and effects, no places.

mod places;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::definitions::{ClassIndex, FunctionIndex};
use super::digits::Marks;
use super::facts::ProvedFacts;
use super::users::Parts;
use super::value::{Graph, Symbol, ValueId};
use crate::syntax::{TextRange, TextSize};
pub(super) use places::Places;

/// Index into [`Body::statements`].
pub type StatementId = u32;
/// Index into [`Body::blocks`].
pub type BlockId = u32;
/// Index into [`Body::definitions`].
pub type DefinitionId = u32;

/// An expression of the text and the value it computes.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence {
    /// What is computed.
    pub value: ValueId,
    /// The expression, without parentheses around it.
    pub range: TextRange,
    /// The statement that holds it.
    pub statement: StatementId,
    /// The block in which it is evaluated; lambdas and comprehensions have blocks inside their statement.
    pub block: BlockId,
    /// The occurrence is a whole statement, `name op= expression` on an object that nobody else holds, or an `if` that gives a name one value or another: the
    /// name that gets the value.
    pub target: Option<Symbol>,
    /// The operation at its root is written here, not in a helper that was inlined.
    pub own: bool,
}

/// How a statement takes part in control flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatementKind {
    /// Binds plain names to the value of an expression and does nothing else; may be removed when the names are not used.
    Assignment,
    /// `if`, with what hangs on it.
    If,
    /// `pass`.
    Pass,
    /// `def`.
    Function,
    /// Anything else.
    Other,
}

/// A statement of the scope.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// Its text.
    pub range: TextRange,
    /// What it is.
    pub kind: StatementKind,
    /// The block that holds it.
    pub block: BlockId,
}

/// A run of statements entered and left together.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The block around it; the scope's outermost block has none.
    pub parent: Option<BlockId>,
    /// The statement whose part it is.
    pub owner: Option<StatementId>,
    /// Loops around it, its own included.
    pub loop_depth: u32,
    /// What an `if` has decided where it runs: a condition, and whether it holds.
    pub decided: Option<(ValueId, bool)>,
}

/// One assignment to a name.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The name.
    pub name: Symbol,
    /// The statement that assigns it; parameters and joins have none.
    pub statement: Option<StatementId>,
    /// For a join (loop, `try`): the definitions that may reach it.
    pub feeds: SmallVec<[DefinitionId; 2]>,
    /// The places that may read it, as ranges of names.
    pub uses: Vec<TextRange>,
    /// An inner function reads the name, or the scope is the module: never dead.
    pub escapes: bool,
    /// The inner functions that read the name are lambdas of this scope: where it has one definition, what they read of it is among its uses.
    pub only_to_lambdas: bool,
}

/// Something a scope does besides computing values, in the order of execution. Equal lists of effects mean equal behaviour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// `return v`.
    Return(ValueId),
    /// `yield v`, `await v`.
    Yield(ValueId),
    /// `raise v`.
    Raise(ValueId),
    /// `assert v`.
    Assert(ValueId),
    /// A call that may do anything; the node names callee and arguments.
    Call(ValueId),
    /// Waits for a value: `mx.eval`, `.item()`, `.tolist()`.
    Evaluate(ValueId),
    /// `object.name = v`.
    StoreAttribute(ValueId, Symbol, ValueId),
    /// `object[index] = v`.
    StoreItem(ValueId, ValueId, ValueId),
    /// A name that others can see gets a value: a module or class name, or one that an inner function reads.
    StoreName(Symbol, ValueId),
    /// An object that others may hold is changed in place: what it was, what it is then.
    Mutate(ValueId, ValueId),
    /// A value reaches a join that is not followed: the join's node, and what a name holds there.
    Carry(ValueId, ValueId),
    /// A local is read where nothing was assigned to it.
    ReadUnbound(ValueId),
    /// A name or part is deleted.
    Delete(ValueId),
    /// A branch, loop or handler is entered; the value is what decides.
    Enter(ValueId),
    /// A lambda is made; what it does when it is called follows, up to where it is left.
    Lambda(ValueId),
    /// The other branch is entered.
    Else,
    /// A branch, loop or handler is left.
    Leave,
    /// `break` or `continue`.
    Jump(bool),
}

/// A property of a value that holds because an operation that demands it has run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proved {
    /// It is an `mx.array`, because an operation took it that takes nothing else.
    Array,
    /// It is an `mx.array`, because a function made it, whatever it made it of.
    Made,
    /// It is not `None`: a condition says so, or an operation took it that `None` does not survive.
    Present,
    /// It is not `None` if this value, which stood beside it in arithmetic, is an array or a number.
    Beside(ValueId),
    /// It is the first of these values where the one branch was taken, and the second where the other was, each with what was known at the branch's end.
    Chosen([(ValueId, BlockId); 2]),
    /// It is a Python `int`.
    Int,
    /// It is a list, or what a list makes with `*` and `+`; never an `mx.array`.
    List,
    /// It is a Python `int`, if this value that has it for the length of an axis is an array: `x.reshape(2, n)` of MLX takes nothing else.
    Counts(ValueId),
    /// It has so many axes.
    Rank(u8),
    /// It has so many axes or more: an operation took the last of them by its number.
    AtLeast(u8),
    /// It is an `mx.Dtype`, if this value that was cast to it is an array: MLX casts to nothing else, NumPy casts to its own.
    DtypeOfCast(ValueId),
}

/// A proof and where it holds: in its block and the blocks inside, from its place on.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Of what.
    pub value: ValueId,
    /// What is proved.
    pub proved: Proved,
    /// Where the operation runs.
    pub block: BlockId,
    /// Start of the operation in the text.
    pub offset: TextSize,
}

/// One lowered scope.
pub struct Body {
    /// The qualified name; `<module>` for the module.
    pub name: Symbol,
    /// The function, if the scope is one.
    pub function: Option<FunctionIndex>,
    /// The class whose method it is.
    pub class: Option<ClassIndex>,
    /// Where the scope's text is.
    pub range: TextRange,
    /// Expressions in order of evaluation.
    pub occurrences: Vec<Occurrence>,
    /// Statements in the order of the text.
    pub statements: Vec<Statement>,
    /// Blocks; the first is the outermost.
    pub blocks: Vec<Block>,
    /// Assignments.
    pub definitions: Vec<Definition>,
    /// Effects in order.
    pub effects: Vec<Effect>,
    /// Proofs in order.
    pub proofs: Vec<Proof>,
    /// What they prove, by value; worked out when it is first asked for.
    pub(super) proved: OnceCell<ProvedFacts>,
    /// What is made of what in each of its parts.
    pub(super) users: OnceCell<Parts>,
    /// What speaks against half precision.
    pub(super) marks: OnceCell<Marks>,
    /// Where its parts are.
    pub(super) places: OnceCell<Places>,
    /// Where it calls operations of `mx.fast`, by their first argument.
    pub(super) fast: OnceCell<FxHashMap<ValueId, SmallVec<[u32; 1]>>>,
    /// What the calls give that were lowered in place, in the order of evaluation, with the functions.
    pub inlined: Vec<(FunctionIndex, ValueId)>,
    /// The same of calls of lambdas, with the expressions that those compute.
    pub inlined_lambdas: Vec<(TextRange, ValueId)>,
    /// The locals that inner functions read.
    pub captured: FxHashSet<Symbol>,
    /// For each name: from which offset on it holds which value, in the order of the text.
    pub(super) timeline: FxHashMap<Symbol, Vec<(TextSize, ValueId)>>,
}

impl Body {
    /// The value that `name` holds just before `offset`.
    pub fn value_of(&self, name: Symbol, offset: TextSize) -> Option<ValueId> {
        let moments = self.timeline.get(&name)?;
        let after = moments.partition_point(|&(from, _)| from <= offset);
        after.checked_sub(1).map(|i| moments[i].1)
    }

    /// The values that `name` comes to hold inside `range`.
    pub fn held_in(&self, name: Symbol, range: TextRange) -> impl Iterator<Item = ValueId> + '_ {
        let moments = self.timeline.get(&name).map_or(&[][..], |moments| moments);
        moments.iter().filter(move |(from, _)| range.start() < *from && *from < range.end()).map(|&(_, value)| value)
    }

    /// The value that `name` would hold just before `offset` without the assignments that take effect where `gone` says.
    pub fn value_without(&self, name: Symbol, offset: TextSize, gone: &dyn Fn(TextSize) -> bool) -> Option<ValueId> {
        let moments = self.timeline.get(&name)?;
        let before = &moments[..moments.partition_point(|&(from, _)| from <= offset)];
        before.iter().rev().find(|&&(from, _)| !gone(from)).map(|&(_, value)| value)
    }

    /// Every value that an effect reads, also through joins that are read.
    pub fn read(&self, graph: &Graph) -> FxHashSet<ValueId> {
        read_values(&self.effects, graph)
    }

    /// Every name and what it holds just before `offset`.
    pub fn held(&self, offset: TextSize) -> impl Iterator<Item = (Symbol, ValueId)> + '_ {
        self.timeline.keys().filter_map(move |&name| Some((name, self.value_of(name, offset)?)))
    }

    /// The effects without branches that do nothing, and without what is carried to joins and what lambdas do that nothing reads: equal lists mean equal
    /// behaviour.
    pub fn behaviour(&self, graph: &Graph) -> Vec<Effect> {
        let effects = self.without_unread_lambdas(graph);
        let carries = effects.iter().any(|e| matches!(e, Effect::Carry(..)));
        let read = if carries { read_values(&effects, graph) } else { FxHashSet::default() };
        let mut kept: Vec<Effect> = Vec::with_capacity(effects.len());
        let alive = |e: &&Effect| !matches!(e, Effect::Carry(join, _) if !read.contains(join));
        for &effect in effects.iter().filter(alive) {
            if effect == Effect::Leave {
                while kept.last() == Some(&Effect::Else) {
                    kept.pop();
                }
                if matches!(kept.last(), Some(Effect::Enter(_))) {
                    kept.pop();
                    continue;
                }
            }
            kept.push(effect);
        }
        kept
    }

    /// The effects without those of lambdas that nothing can call: none of the others reads them.
    fn without_unread_lambdas(&self, graph: &Graph) -> Cow<'_, [Effect]> {
        let mut effects = Cow::Borrowed(&self.effects[..]);
        while let Some(unread) = unread_lambda(&effects, graph) {
            effects.to_mut().drain(unread);
        }
        effects
    }
}

/// Where a lambda stands, its body included, of which nothing outside reads that it is there.
fn unread_lambda(effects: &[Effect], graph: &Graph) -> Option<Range<usize>> {
    let starts = effects.iter().enumerate().filter_map(|(at, e)| matches!(e, Effect::Lambda(_)).then_some(at));
    starts.into_iter().find_map(|start| {
        let Effect::Lambda(function) = effects[start] else { return None };
        let mut depth = 0usize;
        let length = effects[start..].iter().position(|e| {
            match e {
                Effect::Enter(_) | Effect::Lambda(_) => depth += 1,
                Effect::Leave => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        let outside = [&effects[..start], &effects[start + length + 1..]].concat();
        (!read_values(&outside, graph).contains(&function)).then_some(start..start + length + 1)
    })
}

/// Every value that `effects` read, also through joins that are read.
fn read_values(effects: &[Effect], graph: &Graph) -> FxHashSet<ValueId> {
    let mut seen: FxHashSet<ValueId> = FxHashSet::default();
    let mut stack: Vec<ValueId> = Vec::new();
    let mut carried: FxHashMap<ValueId, Vec<ValueId>> = FxHashMap::default();
    for &effect in effects {
        match effect {
            Effect::Carry(join, value) => carried.entry(join).or_default().push(value),
            _ => stack.extend(effect.values().into_iter().flatten()),
        }
    }
    while let Some(value) = stack.pop() {
        if seen.insert(value) {
            stack.extend(graph.operands(value));
            stack.extend(carried.get(&value).into_iter().flatten());
        }
    }
    seen
}

impl Effect {
    /// The values it reads.
    pub fn values(self) -> [Option<ValueId>; 3] {
        match self {
            Self::Return(v) | Self::Yield(v) | Self::Raise(v) | Self::Assert(v) | Self::Call(v) | Self::Evaluate(v) | Self::Delete(v) => {
                [Some(v), None, None]
            }
            Self::Enter(v) | Self::StoreName(_, v) | Self::ReadUnbound(v) => [Some(v), None, None],
            // Nobody calls a lambda by making it.
            Self::Lambda(_) => [None; 3],
            Self::StoreAttribute(object, _, v) => [Some(object), Some(v), None],
            Self::StoreItem(object, index, v) => [Some(object), Some(index), Some(v)],
            Self::Mutate(a, b) | Self::Carry(a, b) => [Some(a), Some(b), None],
            Self::Else | Self::Leave | Self::Jump(_) => [None; 3],
        }
    }
}
