//! Where constants meet arrays that may be in half precision: everything that is made of them is followed up to there. What anybody else can see, or what
//! half precision does not hold, stands in the way.

use std::ops::ControlFlow::{Break, Continue};

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use crate::graph::body::Effect;
use crate::graph::constants::{Half, constant, in_half};
use crate::graph::dtypes::Dtype;
use crate::graph::dtypes::fate::MOVES;
use crate::graph::dtypes::flow::{DtypeFlow, Known};
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};
use crate::place::Place;
use crate::syntax::TextRange;

/// What becomes of a value that would be in half precision; what is gained comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It goes on as it is.
    Kept,
    /// Something else makes float32 of it.
    Widened,
    /// It is cast.
    Cast,
    /// Elements are compared or chosen among.
    Decided,
}

/// So many operations are followed.
const MAX_DEPTH: u32 = 6;

/// Where constants meet other arrays.
pub(super) struct Meeting {
    /// The arrays that are met.
    pub(super) others: SmallVec<[ValueId; 2]>,
    /// What comes of it.
    pub(super) at: ValueId,
    /// The arrays are stored into the constant, which must hold them.
    pub(super) stores: bool,
}

/// Constants that are made half together, and where they meet other arrays.
#[derive(Default)]
pub(super) struct Meetings {
    /// The constants.
    pub(super) members: Vec<ValueId>,
    /// All that is made of them alone, themselves included.
    pub(super) own: Vec<ValueId>,
    /// Where they meet others.
    pub(super) met: Vec<Meeting>,
    /// What is assumed of the numbers on the way.
    pub(super) assumptions: Vec<String>,
}

/// What is in the way: a value, and why.
#[derive(Clone, Copy)]
pub(super) struct InTheWay(pub(super) ValueId, pub(super) &'static str);

/// Follow `start`, one of `constants`, to where it meets other arrays.
pub(super) fn meetings(
    place: &Place<'_>,
    users: &Users,
    flow: &mut DtypeFlow<'_>,
    constants: &FxHashSet<ValueId>,
    start: ValueId,
) -> Result<Meetings, InTheWay> {
    let mut walk = Walk {
        joins: place.analysis.joins(place.body.name),
        place,
        users,
        flow,
        constants,
        own: FxHashSet::default(),
        filled: FxHashSet::default(),
        waiting: vec![start],
        found: Meetings::default(),
    };
    while let Some(value) = walk.waiting.pop() {
        if walk.own.insert(value) {
            walk.step(value)?;
        }
    }
    let Walk { own, mut found, .. } = walk;
    found.own = own.into_iter().collect();
    found.own.sort_unstable();
    Ok(found)
}

struct Walk<'w, 'f, 'x> {
    place: &'w Place<'x>,
    users: &'w Users,
    flow: &'w mut DtypeFlow<'f>,
    constants: &'w FxHashSet<ValueId>,
    /// The names of the scope where control flows together.
    joins: &'w [ValueId],
    /// What is made of the constants alone.
    own: FxHashSet<ValueId>,
    /// Buffers into which other arrays are stored: they are what was met.
    filled: FxHashSet<ValueId>,
    waiting: Vec<ValueId>,
    found: Meetings,
}

impl Walk<'_, '_, '_> {
    fn step(&mut self, value: ValueId) -> Result<(), InTheWay> {
        if self.constants.contains(&value) {
            self.found.members.push(value);
        }
        self.enter_loops(value)?;
        let body = self.place.body;
        for effect in &body.effects {
            match *effect {
                Effect::StoreItem(object, index, stored) if object == value && index != value && stored != value => self.store(value, stored)?,
                _ if self.filled.contains(&value) => {}
                Effect::Carry(join, of) if of == value && self.is_buffer(join, value) => {}
                _ if effect.values().contains(&Some(value)) => {
                    return Err(InTheWay(value, "it is returned, kept or passed on as it is, so that others see its dtype"));
                }
                _ => {}
            }
        }
        for &user in self.users.users(value) {
            self.user(value, user)?;
        }
        Ok(())
    }

    /// Go on with the joins of the one name that holds the buffer `value`; where a loop stores arrays into it, it is filled after the loop.
    fn enter_loops(&mut self, value: ValueId) -> Result<(), InTheWay> {
        let joins: Vec<ValueId> = self.joins.iter().copied().filter(|&join| self.is_buffer(join, value)).collect();
        if joins.is_empty() {
            return Ok(());
        }
        let stores = self.place.body.effects.iter().filter_map(|e| match *e {
            Effect::StoreItem(object, index, stored) if joins.contains(&object) => Some((index, stored)),
            _ => None,
        });
        for (index, stored) in stores {
            if self.is_one_part(index) {
                return Err(InTheWay(value, "a loop fills it part by part, and the loop is what costs"));
            }
            if matches!(self.flow.of(stored), Known::Promotion(..)) {
                self.filled.extend(&joins);
            }
        }
        self.waiting.extend(joins);
        Ok(())
    }

    /// Whether `index` is made of numbers and slices alone, so that nothing is scattered.
    fn is_one_part(&mut self, index: ValueId) -> bool {
        let (graph, flow) = (&self.place.analysis.graph, &mut self.flow);
        !graph.finds(index, |v| match graph.get(v) {
            (Op::Tuple, parts) => Continue(parts),
            (Op::Slice | Op::Ellipsis | Op::None, _) => Continue(&[]),
            _ if matches!(flow.of(v), Known::Number(_)) => Continue(&[]),
            _ => Break(()),
        })
    }

    /// Whether `join` stands for the buffer `value` in or after a loop: its name holds it before its next assignment.
    fn is_buffer(&self, join: ValueId, value: ValueId) -> bool {
        let (body, graph) = (self.place.body, &self.place.analysis.graph);
        let Op::Phi(scope, _, name) = graph.op(join) else { return false };
        let statements = body.definitions.iter().filter(|d| d.name == name).filter_map(|d| Some(body.statements[d.statement? as usize].range));
        let given: Vec<TextRange> = statements.collect();
        let windows = given.iter().filter(|one| body.value_of(name, one.end()) == Some(value)).map(|one| {
            let next = given.iter().map(|other| other.start()).filter(|&start| start >= one.end()).min();
            TextRange::new(one.end(), next.unwrap_or(body.range.end()))
        });
        scope == body.name && windows.into_iter().any(|window| body.held_in(name, window).any(|held| held == join))
    }

    /// `stored` is written into the buffer `value`.
    fn store(&mut self, value: ValueId, stored: ValueId) -> Result<(), InTheWay> {
        match self.flow.of(stored) {
            Known::Number(_) => self.number(stored, value),
            Known::Promotion(_, None) => {
                self.found.met.push(Meeting { others: SmallVec::from_slice(&[stored]), at: value, stores: true });
                self.filled.insert(value);
                Ok(())
            }
            Known::Array(Dtype::Float32) if self.own.contains(&stored) => Ok(()),
            _ => Err(InTheWay(value, "something is stored in it that is float32, or of which the dtype is not known")),
        }
    }

    /// A number that the constants are combined with.
    fn number(&mut self, number: ValueId, at: ValueId) -> Result<(), InTheWay> {
        match constant(&self.place.analysis.graph, number).map(in_half) {
            Some(Half::Same) => {}
            Some(Half::Rounded) => {
                self.found.assumptions.push("a number that the constant is combined with may be rounded to half precision".to_owned())
            }
            Some(Half::OutOfRange) => return Err(InTheWay(at, "half precision does not hold a number that it is combined with")),
            None => return Err(InTheWay(at, "half precision may not hold the number that it is combined with")),
        }
        Ok(())
    }

    /// `user` is made of `value`.
    fn user(&mut self, value: ValueId, user: ValueId) -> Result<(), InTheWay> {
        let graph = &self.place.analysis.graph;
        let (op, operands) = graph.get(user);
        match op {
            Op::Shape | Op::Dim(_) | Op::Ndim => return Ok(()),
            Op::Stored if operands[0] == value && operands[2] != value => {
                self.store(user, operands[2])?;
                if self.filled.contains(&value) {
                    self.filled.insert(user);
                }
                self.waiting.push(user);
            }
            // What is made of a filled buffer is a result.
            _ if self.filled.contains(&value) => return Ok(()),
            Op::Neg | Op::Permute | Op::Index(_) if operands[0] == value && !operands[1..].contains(&value) => self.waiting.push(user),
            Op::Mlx(name) if MOVES.contains(&name) && operands[0] == value => self.waiting.push(user),
            Op::Gate if operands[0] != value => self.waiting.push(user),
            Op::Phi(..) if self.is_buffer(user, value) => self.waiting.push(user),
            Op::List | Op::Tuple => {
                if !self.is_joined(user) {
                    return Err(InTheWay(value, "it is kept in a list or tuple"));
                }
                for &join in self.users.users(user) {
                    self.meet(join, operands)?;
                }
            }
            Op::Add | Op::Sub | Op::Mul | Op::Div => self.meet(user, operands)?,
            Op::Mlx("maximum" | "minimum") => self.meet(user, operands)?,
            Op::Mlx("where") if operands[0] != value => self.meet(user, &operands[1..])?,
            _ => return Err(InTheWay(user, "it is used in a way that may need its digits or see its dtype")),
        }
        Ok(())
    }

    /// What becomes of `value`, which the constants make float32: other constants that make what follows float32 are made half together with them.
    fn fate(&mut self, value: ValueId, depth: u32) -> Fate {
        let graph = &self.place.analysis.graph;
        let users = self.users.users(value);
        if users.is_empty() || self.users.is_seen(value) || depth > MAX_DEPTH {
            return Fate::Kept;
        }
        let mut least = Fate::Decided;
        for &user in users {
            let fate = match graph.op(user) {
                Op::Shape | Op::Dim(_) | Op::Ndim => continue,
                Op::Mlx("astype") => Fate::Cast,
                Op::Compare(_) | Op::Mlx("argmax" | "argmin" | "argsort" | "argpartition") => Fate::Decided,
                Op::Mlx(name) if MOVES.contains(&name) => self.fate(user, depth + 1),
                Op::Index(_) if graph.operands(user)[0] == value => self.fate(user, depth + 1),
                Op::List | Op::Tuple if self.is_joined(user) => self.fate(user, depth + 1),
                Op::Mlx("concatenate" | "stack") => self.fate(user, depth + 1),
                Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Mlx("maximum" | "minimum") if self.is_widened(user, value) => Fate::Widened,
                Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Neg | Op::Permute | Op::Mlx("maximum" | "minimum") => self.fate(user, depth + 1),
                _ => Fate::Kept,
            };
            least = least.min(fate);
        }
        least
    }

    /// Whether the arrays of the list or tuple `parts` are joined, and nothing else is made of it.
    fn is_joined(&self, parts: ValueId) -> bool {
        let graph = &self.place.analysis.graph;
        let is_join = |&v: &ValueId| matches!(graph.get(v), (Op::Mlx("concatenate" | "stack"), operands) if operands[0] == parts);
        !self.users.is_seen(parts) && self.users.users(parts).iter().all(is_join)
    }

    /// Whether anything but `value` and the constants makes `user` float32, which is made of `value`.
    fn is_widened(&mut self, user: ValueId, value: ValueId) -> bool {
        for part in self.flow.joined(user).into_iter().filter(|&part| part != value) {
            if !self.flow.is_single(part) {
                continue;
            }
            let cause = self.flow.cause(part);
            if !self.constants.contains(&cause) {
                return true;
            }
            self.waiting.push(cause);
        }
        false
    }

    /// The constants and others are the `parts` of `at`.
    fn meet(&mut self, at: ValueId, parts: &[ValueId]) -> Result<(), InTheWay> {
        let mut others: SmallVec<[ValueId; 2]> = SmallVec::new();
        let met: SmallVec<[ValueId; 4]> = parts.iter().copied().filter(|p| !self.own.contains(p)).collect();
        for part in met {
            match self.flow.of(part) {
                Known::Number(_) => self.number(part, at)?,
                Known::Promotion(_, None) => others.push(part),
                // It is float32 for what was met before.
                _ if let Some(met) = self.found.met.iter().find(|m| m.at == part) => others.extend(met.others.iter().copied()),
                Known::Array(Dtype::Float32) => {
                    let cause = self.flow.cause(part);
                    if !self.constants.contains(&cause) {
                        return Err(InTheWay(at, "another array makes the result float32 all the same"));
                    }
                    self.waiting.push(cause);
                }
                _ => return Err(InTheWay(at, "it is combined with whole numbers, or with something of which the dtype is not known")),
            }
        }
        if others.is_empty() {
            self.waiting.push(at);
            return Ok(());
        }
        match self.fate(at, 0) {
            Fate::Kept => {}
            Fate::Widened => return Err(InTheWay(at, "another array makes the result float32 all the same")),
            Fate::Cast => return Err(InTheWay(at, "the result is cast afterwards")),
            Fate::Decided => return Err(InTheWay(at, "the result is only compared, or chosen by")),
        }
        if !self.found.met.iter().any(|m| m.at == at) {
            self.found.met.push(Meeting { others, at, stores: false });
        }
        Ok(())
    }
}
