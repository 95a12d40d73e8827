//! Runs the transforms over one text, in catalog order and to a bounded fixpoint, and validates what they propose. Reads no file and prints nothing.

mod advise;
mod alone;
mod alternatives;
mod propose;
mod refuse;
mod replay;
mod validate;

pub use crate::graph::dtypes::table::{DtypeSource, Origin, Row, Table};
pub use crate::graph::dtypes::{flow::Known, spoken::Said, spoken::said};
pub use alone::Alone;
pub use refuse::{refusals, uses_mlx};

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::advice::Advice as Advisor;
use crate::catalog::{self, CATALOG, Kind, UserRule};
use crate::finding::{Applicability, Contract, Finding, MEASURED, Numerics, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::dtypes::table::table;
use crate::graph::value::Graph;
use crate::passes::Pass;
use crate::platform::{Platform, Version};
use crate::replay::{Key, Replay, Verdict, Verdicts};
use crate::rule::load::Rule;
use crate::syntax::{EditSet, Source, SyntaxError, TextRange};
use advise::Advice;
use alone::Own;
use propose::{propose, tell_file};

/// What to look for, and how far edits may go.
#[derive(Clone, Debug)]
pub struct Options {
    /// The transforms to run; `None` for all.
    pub select: Option<Vec<TransformId>>,
    /// Transforms left out, whatever `select` says.
    pub ignore: Vec<TransformId>,
    /// The least trusted edit that may be applied: `Safe`, `Narrowing` (and safe ones), or `Unsafe` (all).
    pub admit: Applicability,
    /// Whether only edits that keep every bit may be applied.
    pub exact: bool,
    /// What the code will run on: no edit brings in what its MLX lacks, or what is slower there.
    pub platform: Platform,
    /// What each transform was measured to gain where the user is, in place of the figures that it ships with.
    pub measured: BTreeMap<TransformId, String>,
    /// Rules of the user's own, which run after those of the catalog.
    pub rules: Vec<Arc<UserRule>>,
    /// Whether each finding tells what it changes by itself.
    pub alone: bool,
    /// What was seen where edits were run: an edit that is known not to hold is not applied, and of one that nothing is known of it is said what must be
    /// run. `None` where edits are not run.
    pub verdicts: Option<Arc<Verdicts>>,
}

impl Default for Options {
    fn default() -> Self {
        let (admit, platform) = (Applicability::Safe, Platform::default());
        Self {
            select: None,
            ignore: Vec::new(),
            admit,
            exact: false,
            platform,
            measured: BTreeMap::new(),
            rules: Vec::new(),
            alone: false,
            verdicts: None,
        }
    }
}

/// A finding as the user sees it: all positions are those of the original text.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The finding; its `range` and `edits` are in terms of the original text.
    pub finding: Finding,
    /// Whether its edits are part of [`Fixed::text`].
    pub applied: bool,
    /// Whether they would be, did it keep every bit.
    pub held_back: bool,
    /// What was seen where its code was run before and after its edits.
    pub verdict: Option<Verdict>,
    /// What it changes by itself, where that was asked for.
    pub alone: Option<Alone>,
}

/// What came of one text.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// The text with every admitted edit applied; equal to the input where there is none.
    pub text: String,
    /// The edits that lead there; the numbers are indices into `findings`, more than one where edits of several transforms met.
    pub edits: EditSet,
    /// All findings, applied or not, in the order of their place in the original text.
    pub findings: Vec<Reported>,
    /// Which promise of the engine was broken. The text is then left as it was, and nothing counts as applied.
    pub broken: Option<String>,
    /// The edits among them that nothing is known of, each with what is to be run, or why nothing can be.
    pub unknown: Vec<(Key, Result<Replay, String>)>,
}

/// Steps, each of which applies all that one transform finds, before a text counts as one that does not settle. Of edits inside each other a step applies one,
/// so that each match that the text has room for may need one more.
const MAX_STEPS: usize = 100;

/// No match is shorter than this many bytes: `x @ w + c`.
const SHORTEST_MATCH: usize = 8;

/// Look for everything that `options` selects in `text`, and apply what they admit.
pub fn fix(text: &str, options: &Options) -> Result<Fixed, SyntaxError> {
    let mut transforms = transforms(options);
    transforms.retain(|t| t.unfit(&options.platform).is_none());
    let mut run =
        Run { original: text, text: text.to_owned(), edits: EditSet::new(), findings: Vec::new(), unknown: Vec::new(), advice: None, options };
    let mut from = 0;
    let steps = MAX_STEPS + text.len() / SHORTEST_MATCH;
    let mut seen = FxHashSet::default();
    // A text that was there before will be there again.
    while seen.len() < steps && seen.insert((fingerprint(&run.text), from)) {
        match run.step(&transforms, from)? {
            Step::Applied(index) => from = index,
            Step::Settled(rest) if from == 0 => return Ok(run.finish(rest)),
            // What came first may find new work in what came after.
            Step::Settled(_) => from = 0,
        }
    }
    Ok(Fixed {
        text: text.to_owned(),
        edits: EditSet::new(),
        findings: Vec::new(),
        broken: Some(format!("the text did not settle after {} steps", seen.len())),
        unknown: Vec::new(),
    })
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Options {
    /// Whether the edits of `finding` may be applied.
    fn admits(&self, finding: &Finding) -> bool {
        finding.applicability <= self.admit && !self.holds_back(finding)
    }

    /// Whether `finding` may not be applied for what it does to the numbers.
    fn holds_back(&self, finding: &Finding) -> bool {
        self.exact && finding.numerics.is_some_and(|n| n != Numerics::Exact)
    }

    /// The file of the transform `id`, and whether it ships.
    fn rule_text(&self, id: &str) -> (&str, bool) {
        let own = self.rules.iter().find(|r| r.id() == id).map(|r| (&*r.text, false));
        own.or_else(|| CATALOG.iter().find(|e| e.id == id).map(|e| (e.text, true))).unwrap_or_default()
    }

    /// Let `finding` tell what was measured where the user is.
    fn quote(&self, finding: &mut Finding) {
        let Some(gain) = self.measured.get(&finding.transform).filter(|_| !finding.has_figure_of_its_own()) else { return };
        finding.rationale.retain(|line| !line.starts_with(MEASURED));
        finding.rationale.push(format!("{MEASURED} here: {gain}."));
    }

    fn selects(&self, id: &str) -> bool {
        self.select.as_ref().is_none_or(|s| s.iter().any(|t| t.as_str() == id)) && !self.ignore.iter().any(|t| t.as_str() == id)
    }
}

/// Something that makes findings.
#[derive(Clone, Copy)]
enum Transform<'o> {
    Rule(&'o Rule),
    Pass(&'static str, Pass),
    Advice(&'static str, Advisor),
}

/// What `options` select, in the order in which it runs.
fn transforms(options: &Options) -> Vec<Transform<'_>> {
    let rule = |id| catalog::rules().iter().find(|(i, _)| *i == id).and_then(|(_, rule)| rule.as_ref().ok()).map(Transform::Rule);
    let shipped = CATALOG.iter().filter(|e| options.selects(e.id)).filter_map(|e| match e.kind {
        Kind::Rule => rule(e.id),
        Kind::Pass(pass) => Some(Transform::Pass(e.id, pass)),
        Kind::Advice(advice) => Some(Transform::Advice(e.id, advice)),
    });
    let own = options.rules.iter().filter(|r| options.selects(r.id())).map(|r| Transform::Rule(&r.rule));
    shipped.chain(own).collect()
}

impl Transform<'_> {
    fn id(self) -> TransformId {
        match self {
            Self::Rule(rule) => rule.id.clone(),
            Self::Pass(id, _) | Self::Advice(id, _) => TransformId::from(id),
        }
    }

    /// Why nothing of it is for `platform`.
    fn unfit(self, platform: &Platform) -> Option<String> {
        match self {
            Self::Rule(_) => None,
            Self::Pass(id, _) | Self::Advice(id, _) => catalog::unfit(id, platform),
        }
    }
}

enum Step {
    /// The transform with this index changed the text.
    Applied(usize),
    /// No transform had an admitted edit; these were not admitted.
    Settled(Vec<Told>),
}

/// A finding, and what was seen where its code was run.
struct Told {
    finding: Finding,
    verdict: Option<Verdict>,
    /// What it changes in the text that it was found in, where that was asked for.
    own: Option<Own>,
}

struct Run<'t> {
    original: &'t str,
    text: String,
    edits: EditSet,
    findings: Vec<Told>,
    unknown: Vec<(Key, Result<Replay, String>)>,
    /// What is to be done by hand; `None` before the first step.
    advice: Option<Advice>,
    options: &'t Options,
}

impl Run<'_> {
    /// Run the transforms from number `from` on, up to the first that changes the text.
    fn step(&mut self, transforms: &[Transform<'_>], from: usize) -> Result<Step, SyntaxError> {
        let text = std::mem::take(&mut self.text);
        let source = Source::parse(&text)?;
        let mut analysis = Analysis::new(&source, Graph::default());
        // The original text is the one that its user will read: advice quotes it and counts what is in it. What an edit then answers is taken out at the end.
        self.advice.get_or_insert_with(|| Advice::on(&analysis, transforms));
        let mut rest = Vec::new();
        let mlx = self.options.platform.mlx.as_ref();
        for (index, transform) in transforms.iter().enumerate().skip(from) {
            let proposals = propose(*transform, &mut analysis, &self.options.platform);
            let (admitted, others) = self.admitted(&text, proposals);
            let (waiting, first): (Vec<Unit>, Vec<Unit>) = units(admitted).into_iter().partition(|unit| unit.iter().any(|p| p.contract.waits()));
            if let Some((edits, applied)) = accept(&mut analysis, first, mlx).or_else(|| accept(&mut analysis, waiting, mlx)) {
                let applied = self.with_verdicts(&mut analysis, applied);
                self.apply(&text, &edits, applied);
                return Ok(Step::Applied(index));
            }
            // What lies inside an edit of an earlier transform would be another way to change the same lines.
            let taken: Vec<TextRange> = rest.iter().map(|p: &Proposal| p.finding.range).collect();
            let apart = others.into_iter().filter(|p| p.finding.edits.is_empty() || !taken.iter().any(|t| t.contains_range(p.finding.range)));
            rest.extend(valid(&mut analysis, units(alternatives::one_way_each(apart.collect())), mlx));
        }
        if let Some(advice) = self.advice.as_mut().filter(|_| from == 0) {
            advice.ask_again(&analysis, transforms, &self.edits);
        }
        let rest = self.with_verdicts(&mut analysis, rest);
        drop(analysis);
        drop(source);
        self.text = text;
        Ok(Step::Settled(rest))
    }

    /// Those of `proposals` that may be applied to the present text `text`, and of which nothing was seen that contradicts them; and the others.
    fn admitted(&self, text: &str, proposals: Vec<Proposal>) -> (Vec<Proposal>, Vec<Proposal>) {
        let holds = |p: &Proposal| self.options.verdicts.as_ref().is_none_or(|v| v.admit(key(text, &p.finding)));
        // What is applied together is withdrawn together.
        let withdrawn: FxHashSet<usize> = proposals.iter().filter(|p| !holds(p)).filter_map(|p| p.contract.unit()).collect();
        let stays = |p: &Proposal| holds(p) && p.contract.unit().is_none_or(|unit| !withdrawn.contains(&unit));
        proposals.into_iter().partition(|p| self.options.admits(&p.finding) && stays(p))
    }

    /// The findings of `proposals` with what is known of their edits.
    fn with_verdicts(&mut self, analysis: &mut Analysis<'_>, proposals: Vec<Proposal>) -> Vec<Told> {
        let own: Vec<Own> = if self.options.alone { Own::of(&proposals, self.edits.is_empty()) } else { Vec::new() };
        let known = self.verdicts(analysis, &proposals);
        let own = own.into_iter().map(Some).chain(std::iter::repeat(None));
        proposals.into_iter().zip(known).zip(own).map(|((p, verdict), own)| Told { finding: p.finding, verdict, own }).collect()
    }

    /// What is known of the edits of each of `proposals`. What is not known is noted.
    fn verdicts(&mut self, analysis: &mut Analysis<'_>, proposals: &[Proposal]) -> Vec<Option<Verdict>> {
        let Some(verdicts) = &self.options.verdicts else { return vec![None; proposals.len()] };
        let text = analysis.source.text();
        let mut known = Vec::with_capacity(proposals.len());
        for proposal in proposals {
            let key = key(text, &proposal.finding);
            let verdict = verdicts.get(key).cloned();
            if verdict.is_none() && !proposal.finding.edits.is_empty() {
                let unit = proposal.contract.unit();
                let others = proposals.iter().filter(|p| unit.is_some() && p.contract.unit() == unit);
                let together: Vec<&Proposal> = others.chain(unit.is_none().then_some(proposal)).collect();
                let rule = self.options.rule_text(proposal.finding.transform.as_str());
                self.unknown.push((key, replay::replay(analysis, proposal, &together, rule)));
            }
            known.push(verdict);
        }
        known
    }

    /// Take over edits of the present text `text`.
    fn apply(&mut self, text: &str, edits: &EditSet, applied: Vec<Told>) {
        let first = self.findings.len();
        for mut told in applied {
            told.finding.range = self.edits.original_range(told.finding.range);
            self.findings.push(told);
        }
        self.text = edits.apply(text);
        self.edits = self.edits.then(&edits.renumbered(|n| n + first), self.original);
    }

    /// Everything in terms of the original text.
    fn finish(self, rest: Vec<Told>) -> Fixed {
        let Self { original, text, edits, mut findings, unknown, advice, options } = self;
        let applied = findings.len();
        give_edits(&mut findings, &edits, 0);
        let mut waiting = rest;
        // Findings whose edits do not meet are told in terms of the original together.
        while !waiting.is_empty() {
            let (mut layer, mut told, mut left) = (EditSet::new(), Vec::new(), Vec::new());
            for mut one in waiting {
                if layer.try_add(&one.finding.edits, applied + told.len()) {
                    one.finding.range = edits.original_range(one.finding.range);
                    told.push(one);
                } else {
                    left.push(one);
                }
            }
            give_edits(&mut told, &edits.then(&layer, original), applied);
            findings.append(&mut told);
            waiting = left;
        }
        let (changed, proposed) = findings.split_at(applied);
        let ranges = |told: &[Told]| told.iter().flat_map(|t| &t.finding.edits).map(|e| e.range).collect();
        let advice = advice.unwrap_or_default().beside(ranges(changed), ranges(proposed));
        findings.extend(advice.into_iter().map(|finding| Told { finding, verdict: None, own: None }));
        let mut alone = if options.alone { alone::alone(original, options, &findings, applied) } else { Vec::new() };
        let mut order: Vec<usize> = (0..findings.len()).collect();
        let key = |&n: &usize| {
            let finding = &findings[n].finding;
            (finding.range.start(), finding.range.end(), finding.transform.clone(), n)
        };
        order.sort_by_key(key);
        let mut places = vec![0; findings.len()];
        order.iter().enumerate().for_each(|(place, &n)| places[n] = place);
        let edits = edits.renumbered(|n| places[n]);
        alone.iter_mut().flat_map(|a| &mut a.with).for_each(|n| *n = places[*n]);
        let mut findings: Vec<Option<Told>> = findings.into_iter().map(Some).collect();
        let reported = order.into_iter().filter_map(|n| {
            let Told { mut finding, verdict, .. } = findings[n].take()?;
            options.quote(&mut finding);
            let held_back = n >= applied && finding.applicability <= options.admit && options.holds_back(&finding);
            Some(Reported { finding, applied: n < applied, held_back, verdict, alone: alone.get_mut(n).map(std::mem::take) })
        });
        Fixed { text, findings: reported.collect(), edits, broken: None, unknown }
    }
}

/// The key of the edits of `finding` in `text`.
fn key(text: &str, finding: &Finding) -> Key {
    Key::of(text, finding.transform.as_str(), &finding.edits)
}

/// Give each finding the edits of `edits` that carry its number, which is its place in the slice plus `first`.
fn give_edits(findings: &mut [Told], edits: &EditSet, first: usize) {
    findings.iter_mut().for_each(|told| told.finding.edits.clear());
    for (edit, numbers) in edits.iter() {
        for n in numbers {
            if let Some(told) = n.checked_sub(first).and_then(|at| findings.get_mut(at)) {
                told.finding.edits.push(edit.clone());
            }
        }
    }
}

/// The value graph of every scope of `text`, or of those with the qualified name `scope`, as text.
pub fn graphs(text: &str, scope: Option<&str>) -> Result<Vec<String>, SyntaxError> {
    let source = Source::parse(text)?;
    let analysis = Analysis::new(&source, Graph::default());
    let wanted = analysis.bodies.iter().filter(|b| scope.is_none_or(|s| analysis.graph.name(b.name) == s));
    Ok(wanted.map(|b| crate::graph::print::print(&analysis, b)).collect())
}

/// What is known of the dtypes in every scope of `text`, or in those with the qualified name `scope`.
pub fn dtypes(text: &str, scope: Option<&str>) -> Result<Vec<Table>, SyntaxError> {
    let source = Source::parse(text)?;
    let analysis = Analysis::new(&source, Graph::default());
    let wanted = analysis.bodies.iter().filter(|b| scope.is_none_or(|s| analysis.graph.name(b.name) == s));
    Ok(wanted.map(|b| table(&analysis, b)).collect())
}

/// Proposals that are applied together or not at all.
type Unit = Vec<Proposal>;

/// `proposals`, those of one unit together. A unit whose edits are in each other's way is left out.
fn units(proposals: Vec<Proposal>) -> Vec<Unit> {
    let (mut units, mut places): (Vec<Unit>, FxHashMap<usize, usize>) = Default::default();
    for proposal in proposals {
        let known = match proposal.contract {
            Contract::Values { unit: Some(unit), .. } => *places.entry(unit).or_insert(units.len()),
            _ => units.len(),
        };
        match units.get_mut(known) {
            Some(unit) => unit.push(proposal),
            None => units.push(vec![proposal]),
        }
    }
    units.retain(|unit| {
        let mut edits = EditSet::new();
        unit.iter().all(|p| edits.try_add(&p.finding.edits, 0))
    });
    units
}

/// The edits of those units that do not collide and are valid, with the proposals; `None` if there is none.
fn accept(analysis: &mut Analysis<'_>, units: Vec<Unit>, mlx: Option<&Version>) -> Option<(EditSet, Vec<Proposal>)> {
    let (edits, mut chosen, left) = apart(units);
    if chosen.is_empty() {
        return None;
    }
    if holds(analysis, &edits, &chosen, mlx) {
        return Some((edits, chosen.into_iter().flatten().collect()));
    }
    // One of them is to blame. A half without it is taken now; the others get their turn in the next step. What met one of them does so where none is right.
    let second = chosen.split_off(chosen.len().div_ceil(2));
    let halves = if second.is_empty() { None } else { accept(analysis, chosen, mlx).or_else(|| accept(analysis, second, mlx)) };
    halves.or_else(|| accept(analysis, left, mlx))
}

/// The proposals of those units that are valid, each by itself; ones that do not collide are checked together.
fn valid(analysis: &mut Analysis<'_>, units: Vec<Unit>, mlx: Option<&Version>) -> Vec<Proposal> {
    let (edits, mut chosen, mut left) = apart(units);
    let mut kept = if chosen.is_empty() || holds(analysis, &edits, &chosen, mlx) {
        chosen.into_iter().flatten().collect()
    } else if chosen.len() == 1 {
        Vec::new()
    } else {
        let second = chosen.split_off(chosen.len() / 2);
        let mut kept = valid(analysis, chosen, mlx);
        kept.extend(valid(analysis, second, mlx));
        kept
    };
    if !left.is_empty() {
        kept.extend(valid(analysis, std::mem::take(&mut left), mlx));
    }
    kept
}

/// The units that do not collide with those before them, with their edits, which bear the number of their proposal; and the others.
fn apart(units: Vec<Unit>) -> (EditSet, Vec<Unit>, Vec<Unit>) {
    let (mut edits, mut chosen, mut left) = (EditSet::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for unit in units {
        if unit.iter().all(|p| edits.has_room_for(&p.finding.edits)) {
            for proposal in &unit {
                edits.try_add(&proposal.finding.edits, number);
                number += 1;
            }
            chosen.push(unit);
        } else {
            left.push(unit);
        }
    }
    (edits, chosen, left)
}

fn holds(analysis: &mut Analysis<'_>, edits: &EditSet, units: &[Unit], mlx: Option<&Version>) -> bool {
    let contracts: Vec<&Contract> = units.iter().flatten().map(|p| &p.contract).collect();
    let text = edits.apply(analysis.source.text());
    edits.is_empty() || validate::validate(analysis, &text, edits, &contracts, mlx).is_ok()
}
