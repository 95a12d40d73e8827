//! From a match back to text: the replacement is written in place of the root, and what only the match used is removed. Comments are kept. The result is
//! validated by the engine, so nothing here needs to be believed.

use rustc_hash::FxHashSet;

use super::load::Variant;
use super::spell::{Names, Speller};
use super::template::{Filled, Filling};
use crate::graph::Analysis;
use crate::graph::api;
use crate::graph::body::{Body, DefinitionId, Occurrence, StatementId, StatementKind};
use crate::graph::definitions::FunctionInfo;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::{Edit, Ranged, Source, TextRange, TextSize, Token, TokenKind};

/// Calls are broken over lines past this column, or past the longest line that they replace.
const LINE_WIDTH: usize = 88;

/// What is to be written where.
pub struct Plan<'x> {
    /// The file.
    pub analysis: &'x Analysis<'x>,
    /// The scope of the root.
    pub body: &'x Body,
    /// The root.
    pub root: Occurrence,
    /// The pattern that matched.
    pub variant: &'x Variant,
    /// For each parameter of the replacement: its value.
    pub arguments: &'x [(String, ValueId)],
    /// The values that the match accounts for.
    pub inner: &'x [ValueId],
}

/// The edits of one match.
pub struct Elaboration {
    /// Sorted, not overlapping.
    pub edits: Vec<Edit>,
    /// All text that takes part.
    pub range: TextRange,
    /// What stands in place of the root, on one line.
    pub text: String,
}

/// Why a match cannot be written.
pub type Obstacle = String;

impl Plan<'_> {
    /// Write the match as edits. A statement that goes may have hidden the best name for a value, so the first try lets names hold what they held
    /// before, and checks that the statements in between do go.
    pub fn elaborate(&self) -> Result<Elaboration, Obstacle> {
        if let Ok(filled) = self.fill(Names::Earlier) {
            let removal = Removal::find(self, &filled.text, &self.earlier_names());
            if self.reads_as_meant(&filled.text, &removal)
                && let Ok(written) = self.write(filled, &removal)
            {
                return Ok(written);
            }
        }
        let filled = self.fill(Names::Present)?;
        let removal = Removal::find(self, &filled.text, &self.present_names());
        self.write(filled, &removal)
    }

    fn place(&self) -> TextSize {
        self.body.statements[self.root.statement as usize].range.start()
    }

    /// What each name holds at the root.
    fn present_names(&self) -> Vec<(Symbol, ValueId)> {
        self.body.held(self.place()).collect()
    }

    /// What each name that stands for an argument is to hold.
    fn earlier_names(&self) -> Vec<(Symbol, ValueId)> {
        let at = self.place();
        let mut names = self.present_names();
        for &(_, value) in self.arguments {
            if self.body.names_of(value, at).is_empty()
                && let Some(name) = self.body.name_before(value, at)
            {
                names.retain(|&(n, _)| n != name);
                names.push((name, value));
            }
        }
        names
    }

    /// Whether each name in the new text still holds what is meant once the dead statements are gone.
    fn reads_as_meant(&self, text: &str, removal: &Removal) -> bool {
        let gone = |offset: TextSize| removal.statements.iter().any(|&s| self.body.statements[s as usize].range.end() == offset);
        let words: FxHashSet<&str> = words(text).collect();
        let mut meant = self.earlier_names();
        meant.retain(|&(name, _)| words.contains(self.analysis.graph.name(name)));
        meant.into_iter().all(|(name, value)| self.body.value_without(name, self.place(), &gone) == Some(value))
    }

    fn write(&self, filled: Filled, removal: &Removal) -> Result<Elaboration, Obstacle> {
        self.refuse_work_done_twice(removal)?;
        let (root_edit, comments) = self.root_edit(&filled);
        let range = removal.ranges(self.body).fold(self.root.range, TextRange::cover);
        let mut edits = vec![root_edit];
        edits.extend(removal.edits(self, comments));
        Ok(Elaboration { edits: merged(edits), range, text: filled.text })
    }

    fn fill(&self, names: Names) -> Result<Filled, Obstacle> {
        let speller = Speller::new(self.analysis, self.body, self.root.range, self.place()).with(names);
        let mut arguments = Vec::new();
        for (name, value) in self.arguments {
            let value = *value;
            let (Some(loose), Some(tight)) = (speller.argument(value), speller.tight(value)) else {
                return Err(format!("`{name}` of the replacement has no name at this place"));
            };
            arguments.push((name.as_str(), loose, tight, value));
        }
        let Some(module) = speller.import("mlx.core") else {
            return Err("the file has no name for `mlx.core` at this place".to_owned());
        };
        let graph = &self.analysis.graph;
        let gaps = Gaps { arguments, module, callee: callee_of(self.variant), is_none: &|v| graph.op(v) == Op::None };
        Ok(self.variant.template.fill(&gaps))
    }

    /// If a heavy part of the match is still computed elsewhere, the replacement would add work instead of saving it.
    fn refuse_work_done_twice(&self, removal: &Removal) -> Result<(), Obstacle> {
        let graph = &self.analysis.graph;
        let heavy = |v: ValueId| match graph.op(v) {
            Op::MatMul | Op::Mlx("softmax" | "mean" | "sum") => true,
            Op::Mlx(name) => name.starts_with("fast."),
            _ => false,
        };
        for occurrence in &self.body.occurrences {
            // A call that was inlined computes its heavy parts out of sight.
            let computes = heavy(occurrence.value) || !occurrence.own;
            if !self.inner.contains(&occurrence.value) || !computes || self.root.range.contains_range(occurrence.range) {
                continue;
            }
            if !removal.covers(self.body, occurrence.range) {
                let text = self.analysis.source.slice(occurrence.range).split_whitespace().collect::<Vec<_>>().join(" ");
                return Err(format!("`{text}` is still needed elsewhere, so nothing would be saved"));
            }
        }
        Ok(())
    }

    /// The edit of the root, and the comments inside it, which must move.
    fn root_edit(&self, filled: &Filled) -> (Edit, Vec<TextRange>) {
        let source = self.analysis.source;
        let mut filled = filled.clone();
        let range = match self.root.target {
            Some(name) => {
                filled.assign_to(self.analysis.graph.name(name));
                self.root.range
            }
            None => without_parentheses(source, self.root.range),
        };
        let line = source.line_start(range.start());
        let prefix = source.slice(TextRange::new(line, range.start())).chars().count();
        let rest = source.slice(TextRange::new(range.end(), source.full_line_end(range.end()))).trim_end().chars().count();
        let widest = source.slice(TextRange::new(line, source.full_line_end(range.end()))).lines().map(|l| l.chars().count()).max().unwrap_or(0);
        let width = LINE_WIDTH.max(if source.slice(range).contains('\n') { 0 } else { widest });
        let text = if prefix + filled.text.chars().count() + rest <= width || filled.arguments.is_empty() {
            filled.text.clone()
        } else {
            broken(&filled, source.indentation(range.start()), source.newline())
        };
        (Edit::replace(range, text), source.comments_in(range).to_vec())
    }
}

/// `range` with the parentheses around it, if they only group: a call needs none.
fn without_parentheses(source: &Source<'_>, range: TextRange) -> TextRange {
    let tokens = source.tokens();
    let solid = |t: &&Token| !matches!(t.kind(), TokenKind::NonLogicalNewline | TokenKind::Comment);
    let mut before = tokens.before(range.start()).iter().rev().filter(solid);
    let (Some(open), Some(close)) = (before.next(), tokens.after(range.end()).iter().find(solid)) else { return range };
    if open.kind() != TokenKind::Lpar || close.kind() != TokenKind::Rpar {
        return range;
    }
    // After one of these a parenthesis opens a call, or a list of parameters.
    let calls = before.next().is_some_and(|t| {
        matches!(t.kind(), TokenKind::Name | TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::String) || is_soft(t.kind())
    });
    if calls { range } else { TextRange::new(open.start(), close.end()) }
}

/// Keywords that may also be names, and then be called.
fn is_soft(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Match | TokenKind::Case | TokenKind::Type)
}

/// The text with its arguments on lines of their own.
fn broken(filled: &Filled, indentation: &str, newline: &str) -> String {
    let (first, last) = (filled.arguments[0].start, filled.arguments[filled.arguments.len() - 1].end);
    let (head, tail) = (&filled.text[..first], &filled.text[last..]);
    let inner = format!("{indentation}    ");
    let arguments = &filled.text[first..last];
    if inner.chars().count() + arguments.chars().count() <= LINE_WIDTH {
        return format!("{head}{newline}{inner}{arguments}{newline}{indentation}{tail}");
    }
    let lines: String = filled.arguments.iter().map(|a| format!("{inner}{},{newline}", &filled.text[a.clone()])).collect();
    format!("{head}{newline}{lines}{indentation}{tail}")
}

/// The function of `mlx.core` that the replacement calls at its root.
fn callee_of(variant: &Variant) -> Option<&'static api::Function> {
    variant.callee.as_deref().and_then(api::function).map(api::FunctionId::get)
}

struct Gaps<'x> {
    arguments: Vec<(&'x str, String, String, ValueId)>,
    module: String,
    callee: Option<&'static api::Function>,
    is_none: &'x dyn Fn(ValueId) -> bool,
}

impl Filling for Gaps<'_> {
    fn parameter(&self, name: &str, tight: bool) -> String {
        match self.arguments.iter().find(|a| a.0 == name) {
            Some((_, loose, close, _)) => if tight { close } else { loose }.clone(),
            None => name.to_owned(),
        }
    }

    fn omits(&self, keyword: &str, parameter: &str) -> bool {
        let same_default = || self.callee.is_some_and(|f| f.params.iter().any(|p| p.name == keyword && p.default == Some("None")));
        match self.arguments.iter().find(|a| a.0 == parameter) {
            Some(&(.., value)) => (self.is_none)(value) && same_default(),
            None => false,
        }
    }

    fn module(&self) -> String {
        self.module.clone()
    }
}

/// The statements and helpers that only the match used.
struct Removal {
    statements: Vec<StatementId>,
    /// Private methods and functions of the file without a caller, by their text.
    helpers: Vec<TextRange>,
}

impl Removal {
    /// Find what is dead once the root is replaced by `text`.
    fn find(plan: &Plan<'_>, text: &str, names: &[(Symbol, ValueId)]) -> Self {
        let body = plan.body;
        let words: FxHashSet<&str> = words(text).collect();
        let kept: FxHashSet<(Symbol, ValueId)> = names.iter().copied().filter(|&(n, _)| words.contains(plan.analysis.graph.name(n))).collect();
        let mut removal = Self { statements: Vec::new(), helpers: Vec::new() };
        if body.function.is_none() {
            // What a module or class binds can be read from outside.
            return removal;
        }
        loop {
            let dead = (0..body.statements.len() as StatementId).find(|&s| !removal.statements.contains(&s) && removal.is_dead(plan, s, &kept));
            let Some(dead) = dead else { break };
            removal.statements.push(dead);
        }
        removal.keep_branches_whole(plan, &kept);
        removal.helpers = unused_helpers(plan, &removal);
        removal
    }

    fn covers(&self, body: &Body, range: TextRange) -> bool {
        self.statements.iter().any(|&s| body.statements[s as usize].range.contains_range(range))
    }

    fn ranges<'b>(&'b self, body: &'b Body) -> impl Iterator<Item = TextRange> + 'b {
        self.statements.iter().map(|&s| body.statements[s as usize].range)
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
        let made: Vec<DefinitionId> =
            (0..body.definitions.len() as DefinitionId).filter(|&d| body.definitions[d as usize].statement == Some(s)).collect();
        let mut mentioned = false;
        for &d in &made {
            let definition = &body.definitions[d as usize];
            if definition.escapes || !self.only_dead_uses(plan, d, kept, &mut mentioned, 0) {
                return false;
            }
        }
        !made.is_empty() && mentioned && is_pure(plan, statement.range)
    }

    /// Whether every use of definition `d`, also through joins, is in removed text, and the new text does not read the same. Notes whether there is any.
    fn only_dead_uses(&self, plan: &Plan<'_>, d: DefinitionId, kept: &FxHashSet<(Symbol, ValueId)>, mentioned: &mut bool, depth: u32) -> bool {
        if depth > 4 {
            return false;
        }
        let definition = &plan.body.definitions[d as usize];
        for &used in &definition.uses {
            let read_again = plan.body.value_of(definition.name, used.start()).is_some_and(|v| kept.contains(&(definition.name, v)));
            if read_again || !plan.root.range.contains_range(used) && !self.covers(plan.body, used) {
                return false;
            }
            *mentioned = true;
        }
        let fed = plan.body.definitions.iter().enumerate().filter(|(_, j)| j.feeds.contains(&d));
        fed.into_iter().all(|(j, _)| j as DefinitionId == d || self.only_dead_uses(plan, j as DefinitionId, kept, mentioned, depth + 1))
    }

    /// Whether all statements inside the `if` are removed and its tests do nothing.
    fn is_empty_if(&self, plan: &Plan<'_>, s: StatementId) -> bool {
        let statements = &plan.body.statements;
        let range = statements[s as usize].range;
        let mut any = false;
        for (n, inner) in statements.iter().enumerate() {
            if n as StatementId == s || !range.contains_range(inner.range) {
                continue;
            }
            if inner.kind == StatementKind::Pass {
                continue;
            }
            any = true;
            if !self.statements.contains(&(n as StatementId)) {
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
                let all = statements.iter().enumerate().filter(|(_, t)| t.block == block).all(|(n, _)| self.statements.contains(&(n as StatementId)));
                all && owner.is_none_or(|o| !self.statements.contains(&o))
            });
            let Some(at) = emptied else { return };
            self.statements.remove(at);
            // What stays keeps what it reads.
            while let Some(needed) = self.statements.iter().position(|&s| !self.is_dead(plan, s, kept)) {
                self.statements.remove(needed);
            }
        }
    }

    /// The edits that remove. Comments of a removed statement stay where it was; those of the root go above its statement.
    fn edits(&self, plan: &Plan<'_>, mut comments: Vec<TextRange>) -> Vec<Edit> {
        let source = plan.analysis.source;
        let outermost = |r: &TextRange, all: &[TextRange]| !all.iter().any(|o| o != r && o.contains_range(*r));
        let own_lines = |comments: &[TextRange], at: TextSize| -> String {
            let indentation = source.indentation(at);
            comments.iter().map(|&c| format!("{indentation}{}{}", source.slice(c), source.newline())).collect()
        };
        let all: Vec<TextRange> = self.ranges(plan.body).collect();
        let mut lines: Vec<TextRange> = Vec::new();
        let mut edits = Vec::new();
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

/// The names and other words in `text`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether the statement has its lines to itself.
fn stands_alone(plan: &Plan<'_>, range: TextRange) -> bool {
    let source = plan.analysis.source;
    let before = source.slice(TextRange::new(source.line_start(range.start()), range.start()));
    let after = source.slice(TextRange::new(range.end(), source.full_line_end(range.end()))).trim();
    before.trim().is_empty() && (after.is_empty() || after.starts_with('#'))
}

/// Whether nothing in `range` calls what may have effects or waits for a value.
fn is_pure(plan: &Plan<'_>, range: TextRange) -> bool {
    let graph = &plan.analysis.graph;
    let from = plan.body.occurrences.iter().filter(|o| range.contains_range(o.range));
    from.into_iter().all(|o| !matches!(graph.op(o.value), Op::Call(..) | Op::Mlx("item" | "tolist") | Op::Opaque(..) | Op::Comprehension(_)))
}

/// Private helpers that are mentioned in what goes and nowhere else: their whole lines, decorators and the blank lines above included.
fn unused_helpers(plan: &Plan<'_>, removal: &Removal) -> Vec<TextRange> {
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

/// Sorted, and with edits that touch made one.
fn merged(mut edits: Vec<Edit>) -> Vec<Edit> {
    // An insertion comes before what is replaced at the same place.
    edits.sort_by_key(|e| (e.range.start(), e.range.end()));
    let mut result: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match result.last_mut() {
            Some(last) if last.range.end() >= edit.range.start() => {
                last.range = last.range.cover(edit.range);
                last.content.push_str(&edit.content);
            }
            _ => result.push(edit),
        }
    }
    result
}
