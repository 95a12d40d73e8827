//! What only the match used is removed: assignments, an `if` that is empty then, a private helper. Comments stay where they were.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::elaborate::{Plan, words};
use crate::graph::body::{Body, DefinitionId, StatementId, StatementKind};
use crate::graph::definitions::FunctionInfo;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::{Edit, Ranged, TextRange, TextSize, TokenKind, on_one_line};

/// The statements and helpers that only the match used.
pub(super) struct Removal {
    pub(super) statements: Vec<StatementId>,
    /// Statements of which only `name := expression` inside is needed: the statement, and the whole of that.
    reduced: Vec<(StatementId, TextRange)>,
    /// Private methods and functions of the file without a caller, by their text.
    helpers: Vec<TextRange>,
}

impl Removal {
    /// Find what is dead once the root is replaced by `text`, in which the names of `kept` stand for these values.
    pub(super) fn find(plan: &Plan<'_>, text: &str, kept: &FxHashSet<(Symbol, ValueId)>) -> Self {
        let body = plan.body;
        let mut removal = Self { statements: Vec::new(), reduced: Vec::new(), helpers: Vec::new() };
        if body.function.is_none() {
            // What a module or class binds can be read from outside.
            return removal;
        }
        let mut asked = Asked::default();
        asked.makers_of_what_is_read(plan, plan.root.range);
        asked.makers_of_what_the_root_assigns(plan);
        loop {
            let statements = &asked.statements;
            let gone = if let Some(dead) = statements.iter().copied().find(|&s| !removal.statements.contains(&s) && removal.is_dead(plan, s, kept)) {
                removal.reduced.retain(|&(s, _)| s != dead);
                removal.statements.push(dead);
                dead
            } else if let Some(reduced) = statements.iter().find_map(|&s| removal.reducible(plan, s, kept)) {
                removal.reduced.push(reduced);
                reduced.0
            } else {
                break;
            };
            let statement = body.statements[gone as usize];
            asked.makers_of_what_is_read(plan, statement.range);
            asked.statements.extend(body.blocks[statement.block as usize].owner);
        }
        removal.keep_branches_whole(plan, kept);
        removal.helpers = unused_helpers(plan, text, &removal);
        removal
    }

    pub(super) fn covers(&self, body: &Body, range: TextRange) -> bool {
        let within = |s: StatementId| body.statements[s as usize].range.contains_range(range);
        self.statements.iter().any(|&s| within(s)) || self.reduced.iter().any(|&(s, needed)| within(s) && !needed.contains_range(range))
    }

    pub(super) fn ranges<'b>(&'b self, body: &'b Body) -> impl Iterator<Item = TextRange> + 'b {
        self.statements.iter().chain(self.reduced.iter().map(|(s, _)| s)).map(|&s| body.statements[s as usize].range)
    }

    /// Whether nothing that remains reads what statement `s` binds, and it does nothing else.
    fn is_dead(&self, plan: &Plan<'_>, s: StatementId, kept: &FxHashSet<(Symbol, ValueId)>) -> bool {
        let body = plan.body;
        let statement = body.statements[s as usize];
        match statement.kind {
            StatementKind::Assignment | StatementKind::Function => {}
            StatementKind::If => return self.is_empty_if(plan, s),
            StatementKind::Pass | StatementKind::Other => return false,
        }
        if s == plan.root.statement || !stands_alone(plan, statement.range) {
            return false;
        }
        let made = body.definitions_by(s);
        let mut mentioned = false;
        for &d in made {
            let definition = &body.definitions[d as usize];
            let read_anew = body.value_of(definition.name, statement.range.end()).is_some_and(|v| kept.contains(&(definition.name, v)));
            let escapes = definition.escapes && !(definition.only_to_lambdas && body.definitions_of(definition.name).len() == 1);
            if escapes || read_anew || !self.only_dead_uses(plan, d, Some(s), kept, &mut mentioned, 0) {
                return false;
            }
        }
        !made.is_empty() && mentioned && is_pure(plan, statement.range)
    }

    /// The one `name := expression` in statement `s`, if nothing remains that reads what else the statement binds.
    fn reducible(&self, plan: &Plan<'_>, s: StatementId, kept: &FxHashSet<(Symbol, ValueId)>) -> Option<(StatementId, TextRange)> {
        let (body, source) = (plan.body, plan.analysis.source);
        let statement = body.statements[s as usize];
        let done = self.statements.contains(&s) || self.reduced.iter().any(|&(r, _)| r == s);
        if done || statement.kind != StatementKind::Assignment || s == plan.root.statement {
            return None;
        }
        let tokens = source.tokens().in_range(statement.range);
        let mut walrus = tokens.windows(2).filter(|pair| pair[1].kind() == TokenKind::ColonEqual);
        let (Some([name, _]), None) = (walrus.next(), walrus.next()) else { return None };
        let mut inside = body.occurrences_in(statement.range);
        let named = inside.find(|o| o.statement == s && o.block == statement.block && o.range.start() == name.start())?;
        let made = body.definitions_by(s).iter().map(|&d| (d, &body.definitions[d as usize]));
        let mut others = made.filter(|(_, d)| plan.analysis.graph.name(d.name) != source.slice(name.range()));
        let mut mentioned = false;
        let dead = others.all(|(d, definition)| !definition.escapes && self.only_dead_uses(plan, d, None, kept, &mut mentioned, 0));
        (dead && mentioned && is_pure(plan, statement.range)).then_some((s, named.range))
    }

    /// Whether every use of definition `d`, also through joins, is in removed text, and the new text does not read the same. Notes whether there is any.
    /// What statement `dying` reads of itself is no use.
    fn only_dead_uses(
        &self,
        plan: &Plan<'_>,
        d: DefinitionId,
        dying: Option<StatementId>,
        kept: &FxHashSet<(Symbol, ValueId)>,
        mentioned: &mut bool,
        depth: u32,
    ) -> bool {
        if depth > 4 {
            return false;
        }
        let definition = &plan.body.definitions[d as usize];
        let dying_range = dying.map(|s| plan.body.statements[s as usize].range);
        for &used in definition.uses.iter().filter(|u| !dying_range.is_some_and(|r| r.contains_range(**u))) {
            if is_assigned_by_root(plan, d, used) {
                *mentioned = true;
                continue;
            }
            let read_again = plan.body.value_of(definition.name, used.start()).is_some_and(|v| kept.contains(&(definition.name, v)));
            if read_again || !plan.root.range.contains_range(used) && !self.covers(plan.body, used) {
                return false;
            }
            *mentioned = true;
        }
        let mut fed = plan.body.fed_by(d).iter();
        fed.all(|&join| join == d || self.only_dead_uses(plan, join, dying, kept, mentioned, depth + 1))
    }

    /// Whether all statements inside the `if` are removed and its tests do nothing.
    fn is_empty_if(&self, plan: &Plan<'_>, s: StatementId) -> bool {
        let statements = &plan.body.statements;
        let range = statements[s as usize].range;
        let mut any = false;
        for inner in plan.body.statements_in(range) {
            if inner == s || statements[inner as usize].kind == StatementKind::Pass {
                continue;
            }
            any = true;
            if !self.statements.contains(&inner) {
                return false;
            }
        }
        any && stands_alone(plan, range) && is_pure(plan, range)
    }

    /// A block must keep a statement: where all of one would go but not the `if` around it, they stay.
    fn keep_branches_whole(&mut self, plan: &Plan<'_>, kept: &FxHashSet<(Symbol, ValueId)>) {
        loop {
            let statements = &plan.body.statements;
            let emptied = self.statements.iter().position(|&s| {
                let block = statements[s as usize].block;
                let owner = plan.body.blocks[block as usize].owner;
                let removed = self.statements.iter().filter(|&&t| statements[t as usize].block == block).count();
                removed == plan.body.size_of(block) && owner.is_none_or(|o| !self.statements.contains(&o))
            });
            let Some(at) = emptied else { return };
            self.statements.remove(at);
            // What stays keeps what it reads.
            while let Some(needed) = self.statements.iter().position(|&s| !self.is_dead(plan, s, kept)) {
                self.statements.remove(needed);
            }
        }
    }

    /// The comments behind statements that go, on their last lines, where a statement that stays parts them from that of the root.
    pub(super) fn stray_comments(&self, plan: &Plan<'_>) -> Vec<TextRange> {
        let (source, statements) = (plan.analysis.source, &plan.body.statements);
        let stays = |range: TextRange| range.end() <= plan.place() && !self.covers(plan.body, range);
        let before = statements.partition_point(|s| s.range.start() < plan.place());
        let last = statements[..before].iter().rev().find(|s| stays(s.range)).map(|s| s.range.start());
        let ends = self.statements.iter().map(|&s| statements[s as usize].range.end()).filter(|&end| last.is_some_and(|start| end <= start));
        let mut comments: Vec<TextRange> = ends.flat_map(|end| source.comments_in(TextRange::new(end, source.full_line_end(end)))).copied().collect();
        comments.sort_by_key(|comment| comment.start());
        comments.dedup();
        comments
    }

    /// The edits that remove. Comments of a removed statement stay where it was; those of the root go above its statement.
    pub(super) fn edits(&self, plan: &Plan<'_>, mut comments: Vec<TextRange>) -> Vec<Edit> {
        let source = plan.analysis.source;
        let outermost = |r: &TextRange, all: &[TextRange]| !all.iter().any(|o| o != r && o.contains_range(*r));
        let own_lines = |comments: &[TextRange], at: TextSize| -> String {
            let indentation = source.indentation(at);
            comments.iter().map(|&c| format!("{indentation}{}{}", source.slice(c), source.newline())).collect()
        };
        let all: Vec<TextRange> = self.statements.iter().map(|&s| plan.body.statements[s as usize].range).collect();
        let mut lines: Vec<TextRange> = Vec::new();
        let mut edits: Vec<Edit> = self.reduced.iter().filter_map(|&(s, needed)| as_statement(plan, s, needed)).collect();
        for range in all.iter().filter(|r| outermost(r, &all)) {
            let line = TextRange::new(source.line_start(range.start()), source.full_line_end(range.end()));
            match source.comments_in(line) {
                [] => lines.push(line),
                kept => edits.push(Edit::replace(line, own_lines(kept, range.start()))),
            }
        }
        lines.extend(&self.helpers);
        lines.sort_by_key(|r| r.start());
        edits.extend(lines.iter().map(|&l| Edit::delete(with_blank_line(plan, l, &lines))));
        comments.sort_by_key(|c| c.start());
        if !comments.is_empty() {
            let start = plan.body.statements[plan.root.statement as usize].range.start();
            edits.push(Edit::insert(source.line_start(start), own_lines(&comments, start)));
        }
        edits
    }
}

/// The statements that may be dead: others bind nothing that goes.
#[derive(Default)]
struct Asked {
    /// In the order of the text.
    statements: BTreeSet<StatementId>,
    seen: FxHashSet<DefinitionId>,
}

impl Asked {
    /// The statements that make what is read in `range`, also through joins.
    fn makers_of_what_is_read(&mut self, plan: &Plan<'_>, range: TextRange) {
        let mut stack: Vec<DefinitionId> = plan.body.read_in(range).collect();
        while let Some(d) = stack.pop() {
            if self.seen.insert(d) {
                let definition = &plan.body.definitions[d as usize];
                self.statements.extend(definition.statement);
                stack.extend(&definition.feeds);
            }
        }
    }

    /// The statements that give the name of the root, an `if`, its value on some path.
    fn makers_of_what_the_root_assigns(&mut self, plan: &Plan<'_>) {
        let body = plan.body;
        if let (Some(name), StatementKind::If) = (plan.root.target, body.statements[plan.root.statement as usize].kind) {
            self.statements.extend(body.definitions_of(name).iter().filter_map(|&d| body.definitions[d as usize].statement));
        }
    }
}

/// Whether what is read at `used` is what the root, an `if`, assigns, once it does so on every path: in the block of the root and of definition `d`, after the root.
fn is_assigned_by_root(plan: &Plan<'_>, d: DefinitionId, used: TextRange) -> bool {
    let (body, root) = (plan.body, plan.root);
    let definition = &body.definitions[d as usize];
    let block = definition.statement.map(|s| body.statements[s as usize].block);
    body.statements[root.statement as usize].kind == StatementKind::If
        && root.target == Some(definition.name)
        && block == Some(root.block)
        && used.start() >= root.range.end()
        && body.statements.iter().any(|s| s.block == root.block && s.range.contains_range(used))
}

/// Statement `s` as the assignment that `name := expression` inside it makes.
fn as_statement(plan: &Plan<'_>, s: StatementId, named: TextRange) -> Option<Edit> {
    let text = on_one_line(plan.analysis.source, named)?;
    let (name, value) = text.split_once(":=")?;
    Some(Edit::replace(plan.body.statements[s as usize].range, format!("{} = {}", name.trim_end(), value.trim_start())))
}

/// Two blank lines where one was on either side read as a gap: take the one after the removed lines along.
fn with_blank_line(plan: &Plan<'_>, line: TextRange, all: &[TextRange]) -> TextRange {
    let source = plan.analysis.source;
    let blank = |at: TextSize| source.slice(TextRange::new(source.line_start(at), source.full_line_end(at))).trim().is_empty();
    if line.start() == TextSize::new(0) || line.end().to_usize() >= source.text().len() || all.iter().any(|l| l.start() == line.end()) {
        return line;
    }
    let mut first = line.start();
    // Lines removed just above count as gone.
    while let Some(above) = all.iter().find(|l| l.end() == first) {
        first = above.start();
    }
    let before_is_blank = first > TextSize::new(0) && blank(first - TextSize::new(1));
    if before_is_blank && blank(line.end()) { TextRange::new(line.start(), source.full_line_end(line.end())) } else { line }
}

/// Whether the statement has its lines to itself.
pub(super) fn stands_alone(plan: &Plan<'_>, range: TextRange) -> bool {
    let source = plan.analysis.source;
    let before = source.slice(TextRange::new(source.line_start(range.start()), range.start()));
    let after = source.slice(TextRange::new(range.end(), source.full_line_end(range.end()))).trim();
    before.trim().is_empty() && (after.is_empty() || after.starts_with('#'))
}

/// Whether nothing in `range` calls what may have effects or waits for a value.
pub(super) fn is_pure(plan: &Plan<'_>, range: TextRange) -> bool {
    let graph = &plan.analysis.graph;
    plan.body
        .occurrences_in(range)
        .all(|o| !matches!(graph.op(o.value), Op::Call(..) | Op::Mlx("item" | "tolist") | Op::Opaque(..) | Op::Comprehension(_)))
}

/// Private helpers that are mentioned in what goes and nowhere else, nor in the `text` that comes for it: their whole lines, decorators and the blank lines above included.
fn unused_helpers(plan: &Plan<'_>, text: &str, removal: &Removal) -> Vec<TextRange> {
    let source = plan.analysis.source;
    let private = |r: TextRange| words(source.slice(r)).any(|w| w.starts_with('_'));
    if !private(plan.root.range) && !removal.ranges(plan.body).any(private) {
        return Vec::new();
    }
    let gone = |r: TextRange| plan.root.range.contains_range(r) || removal.covers(plan.body, r);
    let mut lines = Vec::new();
    for info in &plan.analysis.definitions.functions {
        let name = info.ast.name.as_str();
        let private = name.starts_with('_') && !name.ends_with("__");
        let reachable = info.class.is_some() && info.class == plan.body.class || info.class.is_none() && info.parent.is_none();
        if !private || !reachable || info.ast.range.contains_range(plan.root.range) || !info.ast.decorator_list.is_empty() {
            continue;
        }
        let mut mentions = source.tokens().iter().filter(|t| t.kind() == TokenKind::Name && source.slice(t.range()) == name).map(Ranged::range);
        let elsewhere = mentions.clone().any(|m| m != info.ast.name.range() && !gone(m) && !means_another(plan, info, m));
        let text_mentions = source.tokens().iter().any(|t| t.kind() == TokenKind::String && words(source.slice(t.range())).any(|w| w == name));
        if elsewhere
            || words(text).any(|w| w == name)
            || text_mentions
            || !mentions.any(gone)
            || !source.comments_in(helper_lines(plan, info.ast.range)).is_empty()
            || !stands_alone(plan, info.ast.range)
        {
            continue;
        }
        let siblings = match info.class {
            Some(class) => plan.analysis.definitions.classes[class].ast.body.len(),
            None => source.module().body.len(),
        };
        if siblings > 1 {
            lines.push(helper_lines(plan, info.ast.range));
        }
    }
    lines
}

/// Whether `mention` stands in another class that defines a method of that name itself.
fn means_another(plan: &Plan<'_>, method: &FunctionInfo<'_>, mention: TextRange) -> bool {
    let definitions = &plan.analysis.definitions;
    let Some(class) = method.class else { return false };
    let name = definitions.classes[class].ast.name.as_str();
    definitions.classes.iter().enumerate().any(|(n, other)| {
        let defines = plan.analysis.graph.known_symbol(&method.ast.name).is_some_and(|m| other.methods.contains_key(&m));
        let related = other.ast.bases().iter().any(|b| plan.analysis.source.slice(b.range()).contains(name));
        n != class && defines && !related && other.ast.range.contains_range(mention)
    })
}

/// The lines of a definition with the blank lines above it, which set it apart from what stands before.
fn helper_lines(plan: &Plan<'_>, range: TextRange) -> TextRange {
    let source = plan.analysis.source;
    let mut start = source.line_start(range.start());
    while start > TextSize::new(0) {
        let above = source.line_start(start - TextSize::new(1));
        if !source.slice(TextRange::new(above, start)).trim().is_empty() {
            break;
        }
        start = above;
    }
    TextRange::new(start, source.full_line_end(range.end()))
}
