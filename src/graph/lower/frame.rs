//! The names of one activation: a scope's own, or those of a helper that is being inlined. Changes are logged, so that a branch costs what it changes.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::graph::body::DefinitionId;
use crate::graph::definitions::ClassIndex;
use crate::graph::value::{Symbol, ValueId};

/// What a name holds, and the assignments that may have put it there.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) value: ValueId,
    pub(super) definitions: SmallVec<[DefinitionId; 2]>,
}

/// The names of one activation.
pub(super) struct Frame {
    /// The scope whose text it is.
    pub(super) scope: Symbol,
    /// Names that are local here.
    pub(super) locals: FxHashSet<Symbol>,
    /// The frame in which free names are looked up first, where an inner function is inlined into its outer one.
    pub(super) parent: Option<usize>,
    /// The class whose method it is.
    pub(super) class: Option<ClassIndex>,
    /// The frame runs later than the text around it (lambdas, generators): what its parent's names hold by then is not known here.
    pub(super) deferred: bool,
    names: FxHashMap<Symbol, Binding>,
    log: Vec<(Symbol, Option<Binding>)>,
}

/// A point to which a frame can be taken back.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize);

impl Frame {
    pub(super) fn new(scope: Symbol, locals: FxHashSet<Symbol>, parent: Option<usize>, class: Option<ClassIndex>) -> Self {
        Self { scope, locals, parent, class, deferred: false, names: FxHashMap::default(), log: Vec::new() }
    }

    pub(super) fn get(&self, name: Symbol) -> Option<&Binding> {
        self.names.get(&name)
    }

    pub(super) fn set(&mut self, name: Symbol, binding: Binding) {
        let old = self.names.insert(name, binding);
        self.log.push((name, old));
    }

    pub(super) fn remove(&mut self, name: Symbol) {
        let old = self.names.remove(&name);
        self.log.push((name, old));
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.log.len())
    }

    /// Undo everything since `mark`, and give what each changed name held just before (`None`: nothing).
    pub(super) fn rewind(&mut self, mark: Mark) -> Vec<(Symbol, Option<Binding>)> {
        let mut changed: Vec<(Symbol, Option<Binding>)> = Vec::new();
        let mut seen = FxHashSet::default();
        for &(name, _) in self.log[mark.0..].iter().rev() {
            if seen.insert(name) {
                changed.push((name, self.names.get(&name).cloned()));
            }
        }
        while self.log.len() > mark.0 {
            let Some((name, old)) = self.log.pop() else { break };
            match old {
                Some(binding) => self.names.insert(name, binding),
                None => self.names.remove(&name),
            };
        }
        // In the order of assignment, which does not depend on hashing.
        changed.reverse();
        changed
    }

    /// Every name that holds `value`.
    pub(super) fn holders(&self, value: ValueId) -> Vec<Symbol> {
        self.names_where(|held| held == value)
    }

    /// Every name that holds such a value.
    pub(super) fn names_where(&self, fits: impl Fn(ValueId) -> bool) -> Vec<Symbol> {
        let mut names: Vec<Symbol> = self.names.iter().filter(|(_, b)| fits(b.value)).map(|(&n, _)| n).collect();
        names.sort_unstable();
        names
    }
}
