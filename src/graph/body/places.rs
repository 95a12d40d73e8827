//! Where things of one scope are: by value, by name, by statement and by their place in the text. The index is made on the first question, so that scopes in which
//! nothing is found cost nothing, and a question costs what its answer has and not what the scope has.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{BlockId, Body, DefinitionId, Occurrence, StatementId};
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::{TextRange, TextSize};

/// Where things are.
pub(in crate::graph) struct Places {
    /// The occurrences of each value.
    by_value: FxHashMap<ValueId, SmallVec<[u32; 2]>>,
    /// All occurrences, by where they start.
    by_start: Vec<u32>,
    /// The names that hold each value at some time, and from which offsets on.
    holders: FxHashMap<ValueId, Vec<(Symbol, Vec<TextSize>)>>,
    /// The definitions of each name.
    named: FxHashMap<Symbol, Vec<DefinitionId>>,
    /// The definitions that each statement makes.
    made: FxHashMap<StatementId, SmallVec<[DefinitionId; 1]>>,
    /// The joins that each definition feeds and that are read, perhaps through others. Where loop after loop binds a name anew, each feeds all joins behind it.
    fed: FxHashMap<DefinitionId, Vec<DefinitionId>>,
    /// What each place of a name reads, by where the name starts.
    reads: Vec<(TextRange, DefinitionId)>,
    /// How many statements stand directly in each block.
    sizes: Vec<u32>,
}

impl Places {
    fn of(body: &Body) -> Self {
        let mut by_value: FxHashMap<ValueId, SmallVec<[u32; 2]>> = FxHashMap::default();
        for (occurrence, n) in body.occurrences.iter().zip(0..) {
            by_value.entry(occurrence.value).or_default().push(n);
        }
        let mut by_start: Vec<u32> = (0..).zip(&body.occurrences).map(|(n, _)| n).collect();
        by_start.sort_by_key(|&n| body.occurrences[n as usize].range.start());
        let mut holders: FxHashMap<ValueId, Vec<(Symbol, Vec<TextSize>)>> = FxHashMap::default();
        for (&name, moments) in &body.timeline {
            for &(from, value) in moments {
                let names = holders.entry(value).or_default();
                match names.last_mut() {
                    // The moments of one name come one after the other.
                    Some((last, offsets)) if *last == name => offsets.push(from),
                    _ => names.push((name, vec![from])),
                }
            }
        }
        let is_read = are_read(body);
        let (mut named, mut made, mut fed, mut reads): (FxHashMap<_, Vec<_>>, FxHashMap<_, SmallVec<_>>, FxHashMap<_, Vec<_>>, Vec<_>) =
            Default::default();
        for (definition, id) in body.definitions.iter().zip(0..) {
            named.entry(definition.name).or_default().push(id);
            if let Some(statement) = definition.statement {
                made.entry(statement).or_default().push(id);
            }
            if is_read[id as usize] {
                definition.feeds.iter().for_each(|&feed| fed.entry(feed).or_default().push(id));
            }
            reads.extend(definition.uses.iter().map(|&used| (used, id)));
        }
        reads.sort_by_key(|(used, id)| (used.start(), *id));
        let mut sizes = vec![0; body.blocks.len()];
        body.statements.iter().for_each(|s| sizes[s.block as usize] += 1);
        Self { by_value, by_start, holders, named, made, fed, reads, sizes }
    }
}

/// Of each definition whether something reads what it assigns, through joins too.
fn are_read(body: &Body) -> Vec<bool> {
    let mut are_read = vec![false; body.definitions.len()];
    let mut waiting: Vec<DefinitionId> = (0..).zip(&body.definitions).filter(|(_, d)| !d.uses.is_empty()).map(|(id, _)| id).collect();
    while let Some(id) = waiting.pop() {
        if !std::mem::replace(&mut are_read[id as usize], true) {
            waiting.extend(&body.definitions[id as usize].feeds);
        }
    }
    are_read
}

impl Body {
    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::of(self))
    }

    /// The expressions that compute `value`, in the order of evaluation.
    pub fn occurrences_of(&self, value: ValueId) -> impl DoubleEndedIterator<Item = &Occurrence> {
        let found = self.places().by_value.get(&value).map_or(&[][..], |found| found);
        found.iter().map(|&n| &self.occurrences[n as usize])
    }

    /// The expressions that compute one of `values`, in the order of evaluation.
    pub fn occurrences_of_any(&self, values: impl Iterator<Item = ValueId>) -> Vec<&Occurrence> {
        let places = self.places();
        let mut found: Vec<u32> = values.filter_map(|v| places.by_value.get(&v)).flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|n| &self.occurrences[n as usize]).collect()
    }

    /// The operations of `mx.fast` whose first argument is `subject`, in the order of evaluation.
    pub fn fast_operations_on(&self, graph: &Graph, subject: ValueId) -> impl Iterator<Item = &Occurrence> {
        let by_subject = self.fast.get_or_init(|| {
            let mut by_subject: FxHashMap<ValueId, SmallVec<[u32; 1]>> = FxHashMap::default();
            for (occurrence, n) in self.occurrences.iter().zip(0..) {
                if let (Op::Mlx(name), &[subject, ..]) = graph.get(occurrence.value)
                    && name.starts_with("fast.")
                {
                    by_subject.entry(subject).or_default().push(n);
                }
            }
            by_subject
        });
        by_subject.get(&subject).into_iter().flatten().map(|&n| &self.occurrences[n as usize])
    }

    /// The expressions inside `range`, in the order of the text.
    pub fn occurrences_in(&self, range: TextRange) -> impl Iterator<Item = &Occurrence> {
        let by_start = &self.places().by_start;
        let first = by_start.partition_point(|&n| self.occurrences[n as usize].range.start() < range.start());
        let inside = by_start[first..].iter().map(|&n| &self.occurrences[n as usize]).take_while(move |o| o.range.start() <= range.end());
        inside.filter(move |o| range.contains_range(o.range))
    }

    /// The statements that begin inside `range`.
    pub fn statements_in(&self, range: TextRange) -> impl Iterator<Item = StatementId> {
        let first = self.statements.partition_point(|s| s.range.start() < range.start());
        let inside = self.statements[first..].iter().take_while(move |s| s.range.start() < range.end());
        inside.zip(first as StatementId..).map(|(_, id)| id)
    }

    /// How many statements stand directly in `block`.
    pub fn size_of(&self, block: BlockId) -> usize {
        self.places().sizes[block as usize] as usize
    }

    /// The definitions of `name`, in order.
    pub fn definitions_of(&self, name: Symbol) -> &[DefinitionId] {
        self.places().named.get(&name).map_or(&[], |found| found)
    }

    /// The definitions that `statement` makes.
    pub fn definitions_by(&self, statement: StatementId) -> &[DefinitionId] {
        self.places().made.get(&statement).map_or(&[], |found| found)
    }

    /// The joins that `definition` feeds and that something reads.
    pub fn fed_by(&self, definition: DefinitionId) -> &[DefinitionId] {
        self.places().fed.get(&definition).map_or(&[], |found| found)
    }

    /// The definitions that the names inside `range` may read.
    pub fn read_in(&self, range: TextRange) -> impl Iterator<Item = DefinitionId> {
        let reads = &self.places().reads;
        let first = reads.partition_point(|(used, _)| used.start() < range.start());
        reads[first..].iter().take_while(move |(used, _)| used.start() < range.end()).map(|&(_, id)| id)
    }

    /// The names that hold `value` just before `offset`, the one assigned last first.
    pub fn names_of(&self, value: ValueId, offset: TextSize) -> Vec<Symbol> {
        let holders = self.places().holders.get(&value).map_or(&[][..], |holders| holders);
        let since = |name: Symbol, offsets: &[TextSize]| {
            let after = offsets.partition_point(|&from| from <= offset);
            (self.value_of(name, offset) == Some(value)).then(|| Some(offsets[after.checked_sub(1)?]))?
        };
        let mut names: Vec<(TextSize, Symbol)> = holders.iter().filter_map(|(name, offsets)| Some((since(*name, offsets)?, *name))).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// The names that hold `value` at some time.
    pub fn holders_of(&self, value: ValueId) -> impl Iterator<Item = Symbol> + '_ {
        self.places().holders.get(&value).into_iter().flatten().map(|&(name, _)| name)
    }

    /// The name that held `value` last at some time before `offset`, although it may hold something else by then.
    pub fn name_before(&self, value: ValueId, offset: TextSize) -> Option<Symbol> {
        let holders = self.places().holders.get(&value)?;
        let last = |offsets: &[TextSize]| offsets.partition_point(|&from| from <= offset).checked_sub(1).map(|at| offsets[at]);
        holders.iter().filter_map(|(name, offsets)| Some((last(offsets)?, *name))).max().map(|(_, name)| name)
    }
}
