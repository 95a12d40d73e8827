//! From a match back to text: the replacement is written in place of the root, and what only the match used is removed. Comments are kept. The result is
//! validated by the engine, so nothing here needs to be believed.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::fold;
use super::import::NewImport;
use super::kernels::is_kernel;
use super::layout::{broken, grouped, without_parentheses};
use super::load::Variant;
use super::moves;
use super::removal::{Removal, stands_alone};
use super::spell::{Names, Speller};
use super::template::{Filled, Filling};
use crate::finding::Import;
use crate::graph::Analysis;
use crate::graph::api;
use crate::graph::body::{BlockId, Body, Occurrence, StatementId};
use crate::graph::value::{Graph, Op, Symbol, ValueId};
use crate::syntax::{Edit, LINE_WIDTH, TextRange, TextSize, lay_out_statement};

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
    /// The import among them.
    pub import: Option<Import>,
    /// All text that takes part.
    pub range: TextRange,
    /// What stands in place of the root, on one line.
    pub text: String,
    /// The values inside the match that are computed all the same, because something else needs them.
    pub kept: Vec<ValueId>,
}

impl Elaboration {
    /// Do not count what is kept for other matches alone, which `shared` holds; gives it.
    pub(super) fn leave_to_others(&mut self, shared: &FxHashSet<ValueId>) -> Vec<ValueId> {
        let (left, kept) = std::mem::take(&mut self.kept).into_iter().partition(|v| shared.contains(v));
        self.kept = kept;
        left
    }
}

/// What stands in place of the root.
struct Replacement {
    filled: Filled,
    /// The expressions before the root whose text it takes over.
    copied: Vec<TextRange>,
    /// Edits of the statements of its operands.
    edits: Vec<Edit>,
    /// The import that it needs.
    import: Option<NewImport>,
}

/// Why a match cannot be written.
pub type Obstacle = String;

impl Plan<'_> {
    /// Write the match as edits. A statement that goes may have hidden the best name for a value, so the first try lets names hold what they held
    /// before, and checks that the statements in between do go, or may stand below the root.
    pub fn elaborate(&self) -> Result<Elaboration, Obstacle> {
        if let Ok((replacement, removal)) = self.replaced(Names::Earlier)
            && let Some(moved) = moves::in_the_way(self, self.meant(Names::Earlier, &replacement.filled.text), &removal)
            && let Ok(written) = self.write(replacement, &removal, &moved)
        {
            return Ok(written);
        }
        let (replacement, removal) = self.replaced(Names::Present)?;
        self.write(replacement, &removal, &[])
    }

    /// What stands in place of the root, and what is dead then.
    fn replaced(&self, names: Names) -> Result<(Replacement, Removal), Obstacle> {
        let mut replacement = self.fill(names, &[])?;
        let removal = Removal::find(self, &replacement.filled.text, &self.meant(names, &replacement.filled.text).into_iter().collect());
        let (folded, edits): (Vec<Symbol>, Vec<Edit>) = fold::folds(self, &replacement.filled.text, &removal).into_iter().unzip();
        if !folded.is_empty() {
            replacement = Replacement { edits, ..self.fill(names, &folded)? };
        }
        Ok((replacement, removal))
    }

    pub(super) fn place(&self) -> TextSize {
        self.body.statements[self.root.statement as usize].range.start()
    }

    /// What each name in the new `text` is to hold, by name: what it holds at the root, or an argument that only an earlier name stands for.
    fn meant(&self, names: Names, text: &str) -> BTreeMap<Symbol, ValueId> {
        let at = self.place();
        let named: FxHashSet<Symbol> = names_in(text).filter_map(|word| self.analysis.graph.known_symbol(word)).collect();
        let mut meant: BTreeMap<Symbol, ValueId> = named.iter().filter_map(|&name| Some((name, self.body.value_of(name, at)?))).collect();
        let unnamed = self.arguments.iter().filter(|&&(_, value)| names == Names::Earlier && self.body.names_of(value, at).is_empty());
        let earlier = unnamed.filter_map(|&(_, value)| Some((self.body.name_before(value, at)?, value)));
        meant.extend(earlier.filter(|(name, _)| named.contains(name)));
        meant
    }

    fn write(&self, replacement: Replacement, removal: &Removal, moved: &[StatementId]) -> Result<Elaboration, Obstacle> {
        self.refuse_work_done_twice(removal, &replacement.copied)?;
        self.refuse_lost_steps(removal)?;
        let Replacement { filled, import, edits: folds, .. } = replacement;
        let (root_edit, comments) = self.root_edit(&filled);
        let range = removal.ranges(self.body).fold(self.root.range, TextRange::cover);
        let mut edits = vec![root_edit];
        edits.extend(removal.edits(self, comments));
        edits.extend(moves::edits(self, moved));
        edits.extend(folds);
        let (import, insertion) = import.map(|new| (new.import, new.edit)).unzip();
        edits.extend(insertion);
        Ok(Elaboration { edits: merged(edits), import, range, text: filled.text, kept: self.kept(removal) })
    }

    fn fill(&self, names: Names, folded: &[Symbol]) -> Result<Replacement, Obstacle> {
        let speller = Speller::new(self.analysis, self.body, self.root.range, self.place()).with(names).folding(folded);
        let template = &self.variant.template;
        let nameless = |speller: &Speller<'_>| template.paths().any(|path| speller.import(path).is_none());
        let import = if nameless(&speller) { NewImport::find(self.analysis, self.body, self.root.range) } else { None };
        let speller = speller.importing(import.as_ref().map(|new| new.import.name.as_str()));
        if nameless(&speller) {
            return Err("the file has no name for `mlx.core` at this place".to_owned());
        }
        let mut arguments = Vec::new();
        for (name, value) in self.arguments {
            let value = *value;
            let (Some(loose), Some(tight)) = (speller.argument(value), speller.tight(value)) else {
                return Err(format!("`{name}` of the replacement has no name at this place"));
            };
            arguments.push((name.as_str(), loose, tight, value));
        }
        let graph = &self.analysis.graph;
        let gaps = Gaps { arguments, speller: &speller, callee: callee_of(self.variant), graph };
        let filled = template.fill(&gaps);
        Ok(Replacement { filled, copied: speller.copied(), edits: Vec::new(), import })
    }

    /// If a heavy part of the match is still computed elsewhere, or an operand where its text was, the replacement would add work instead of saving it.
    fn refuse_work_done_twice(&self, removal: &Removal, copied: &[TextRange]) -> Result<(), Obstacle> {
        let graph = &self.analysis.graph;
        let computes = |range: TextRange| self.body.occurrences_in(range).any(|o| is_kernel(graph, o.value));
        if let Some(&again) = copied.iter().find(|&&range| !removal.covers(self.body, range) && computes(range)) {
            return Err(format!("`{}` would be computed twice", self.analysis.source.quote(again)));
        }
        let heavy = |v: ValueId| match graph.op(v) {
            Op::MatMul | Op::Mlx("softmax" | "mean" | "sum") => true,
            Op::Mlx(name) => name.starts_with("fast."),
            _ => graph.calls_module(v),
        };
        for occurrence in self.staying(removal) {
            // A call that was inlined computes its heavy parts out of sight.
            if heavy(occurrence.value) || !occurrence.own && is_kernel(graph, occurrence.value) {
                return Err(format!("`{}` is still needed elsewhere, so nothing would be saved", self.analysis.source.quote(occurrence.range)));
            }
        }
        Ok(())
    }

    /// A sum that becomes part of its product saves one kernel: not worth it where several of the statements that go have comments behind them, which
    /// would be left far from the sum, of steps that are no more.
    fn refuse_lost_steps(&self, removal: &Removal) -> Result<(), Obstacle> {
        let strays = removal.stray_comments(self);
        if self.variant.callee.as_deref() != Some("addmm") || strays.len() < 2 {
            return Ok(());
        }
        let texts: Vec<String> = strays.iter().map(|&comment| format!("`{}`", self.analysis.source.slice(comment))).collect();
        Err(format!("the comments {} would be left without what they speak of", texts.join(" and ")))
    }

    /// The values inside the match that are computed all the same, where the root could read them.
    fn kept(&self, removal: &Removal) -> Vec<ValueId> {
        let parent = |&block: &BlockId| self.body.blocks[block as usize].parent;
        let around: Vec<BlockId> = std::iter::successors(Some(self.root.block), parent).collect();
        let mut kept: Vec<ValueId> = self.staying(removal).iter().filter(|o| around.contains(&o.block)).map(|o| o.value).collect();
        // What a helper gives along with other things is no expression of its own.
        let end = |s: StatementId| self.body.statements[s as usize].range.end();
        let gone = |offset: TextSize| removal.statements.iter().any(|&s| end(s) == offset);
        let stays = |name: Symbol, v: ValueId| self.body.value_without(name, self.place(), &gone) == Some(v);
        let inner = self.inner.iter().copied().filter(|&v| v != self.root.value && !kept.contains(&v));
        let held: Vec<ValueId> = inner.filter(|&v| self.body.names_of(v, self.place()).into_iter().any(|name| stays(name, v))).collect();
        kept.extend(held);
        kept
    }

    /// The expressions that compute parts of the match and stay. The root's own value is no part: where it is computed again, it is so before and after.
    fn staying(&self, removal: &Removal) -> Vec<&Occurrence> {
        let mut staying = self.body.occurrences_of_any(self.inner.iter().copied().filter(|&v| v != self.root.value));
        staying.retain(|o| !self.root.range.contains_range(o.range) && !removal.covers(self.body, o.range));
        staying
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
        let text = grouped(source, range, &filled.text);
        if text != filled.text {
            filled.arguments.iter_mut().for_each(|a| *a = a.start + 1..a.end + 1);
            filled.text = text;
        }
        let comments = source.comments_in(range).to_vec();
        let (indentation, newline) = (source.indentation(range.start()), source.newline());
        let whole = self.body.statements[self.root.statement as usize].range;
        let part = |from: TextSize, to: TextSize| source.slice(TextRange::new(from, to));
        let line = part(source.line_start(range.start()), source.full_line_end(range.end()));
        let widest = line.lines().map(|l| l.chars().count()).max().unwrap_or(0);
        let width = LINE_WIDTH.max(if source.slice(range).contains('\n') { 0 } else { widest });
        let comment = part(whole.end(), source.full_line_end(whole.end())).trim_end().chars().count();
        let lay_out = |text: &str| lay_out_statement(text, source.indentation(whole.start()), newline, comment, width);
        let anew = || lay_out(&[part(whole.start(), range.start()), &filled.text, part(range.end(), whole.end())].concat());
        let alone = stands_alone(self, whole);
        let old = source.slice(whole);
        // What is laid out well over lines stays so.
        if alone
            && old.contains('\n')
            && lay_out(old).is_some_and(|text| text == old)
            && let Some(text) = anew()
        {
            return (Edit::replace(whole, text), comments);
        }
        let before = part(source.line_start(range.start()), range.start());
        let after = part(range.end(), source.full_line_end(range.end())).trim_end();
        let length: usize = [before, &filled.text, after].iter().map(|t| t.chars().count()).sum();
        if length <= width {
            return (Edit::replace(range, filled.text), comments);
        }
        match anew().filter(|_| alone) {
            Some(text) => (Edit::replace(whole, text), comments),
            None if filled.arguments.is_empty() => (Edit::replace(range, filled.text), comments),
            None => (Edit::replace(range, broken(&filled, indentation, newline, width)), comments),
        }
    }
}

/// The function of `mlx.core` that the replacement calls at its root.
fn callee_of(variant: &Variant) -> Option<&'static api::Function> {
    variant.callee.as_deref().and_then(api::function).map(api::FunctionId::get)
}

struct Gaps<'x, 's> {
    arguments: Vec<(&'x str, String, String, ValueId)>,
    speller: &'x Speller<'s>,
    callee: Option<&'static api::Function>,
    graph: &'x Graph,
}

impl Filling for Gaps<'_, '_> {
    fn parameter(&self, name: &str, tight: bool) -> String {
        match self.arguments.iter().find(|a| a.0 == name) {
            Some((_, loose, close, _)) => if tight { close } else { loose }.clone(),
            None => name.to_owned(),
        }
    }

    fn omits(&self, keyword: &str, parameter: &str) -> bool {
        let default = || self.callee.and_then(|f| f.params.iter().find(|p| p.name == keyword)?.default);
        let Some(&(.., value)) = self.arguments.iter().find(|a| a.0 == parameter) else { return false };
        match self.graph.number(value) {
            Some(number) => default().is_some_and(|text| text.parse() == Ok(number)),
            None => self.graph.op(value) == Op::None && default() == Some("None"),
        }
    }

    fn is_cast_to(&self, parameter: &str, path: &str) -> bool {
        let value = self.arguments.iter().find(|a| a.0 == parameter).map(|a| self.graph.get(a.3));
        matches!(value, Some((Op::Mlx("astype"), operands)) if self.graph.path(operands[1]) == Some(path))
    }

    fn path(&self, path: &str) -> String {
        self.speller.import(path).unwrap_or_else(|| path.to_owned())
    }
}

/// The words of the expression `text` that may be names: neither attributes nor what keyword arguments are called.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let is_keyword = |after: &str| after.trim_start().strip_prefix('=').is_some_and(|rest| !rest.starts_with('='));
    words(text).filter(move |word| {
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        !text[..at].ends_with('.') && !is_keyword(&text[at + word.len()..])
    })
}

/// The names and other words in `text`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
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
