//! Runs the transforms over one text, in catalog order and to a bounded fixpoint, and validates what they propose. Reads no file and prints nothing.

mod validate;

use validate::Rejected;

use crate::catalog::{self, CATALOG, Entry, Kind};
use crate::finding::{Applicability, Contract, Finding, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::value::Graph;
use crate::rule::{self, Refusal};
use crate::syntax::{EditSet, Source, SyntaxError};

/// What to look for, and how far edits may go.
#[derive(Clone, Debug)]
pub struct Options {
    /// The transforms to run; `None` for all.
    pub select: Option<Vec<TransformId>>,
    /// Transforms left out, whatever `select` says.
    pub ignore: Vec<TransformId>,
    /// The least trusted edit that may be applied: `Safe`, `Narrowing` (and safe ones), or `Unsafe` (all).
    pub admit: Applicability,
}

impl Default for Options {
    fn default() -> Self {
        Self { select: None, ignore: Vec::new(), admit: Applicability::Safe }
    }
}

/// A finding as the user sees it: all positions are those of the original text.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The finding; its `range` and `edits` are in terms of the original text.
    pub finding: Finding,
    /// Whether its edits are part of [`Fixed::text`].
    pub applied: bool,
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
}

/// Steps, each of which applies all that one transform finds, before a text counts as one that does not settle.
const MAX_STEPS: usize = 100;

/// Look for everything that `options` selects in `text`, and apply what they admit.
pub fn fix(text: &str, options: &Options) -> Result<Fixed, SyntaxError> {
    let entries: Vec<&Entry> = CATALOG.iter().filter(|e| options.selects(e.id)).collect();
    let mut run = Run { original: text, text: text.to_owned(), edits: EditSet::new(), findings: Vec::new(), options };
    let mut from = 0;
    for _ in 0..MAX_STEPS {
        match run.step(&entries, from)? {
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
        broken: Some(format!("the text did not settle after {MAX_STEPS} steps")),
    })
}

impl Options {
    fn selects(&self, id: &str) -> bool {
        self.select.as_ref().is_none_or(|s| s.iter().any(|t| t.as_str() == id)) && !self.ignore.iter().any(|t| t.as_str() == id)
    }
}

enum Step {
    /// The transform with this index changed the text.
    Applied(usize),
    /// No transform had an admitted edit; these were not admitted.
    Settled(Vec<Proposal>),
}

struct Run<'t> {
    original: &'t str,
    text: String,
    edits: EditSet,
    findings: Vec<Finding>,
    options: &'t Options,
}

impl Run<'_> {
    /// Run the transforms from number `from` on, up to the first that changes the text.
    fn step(&mut self, entries: &[&Entry], from: usize) -> Result<Step, SyntaxError> {
        let text = std::mem::take(&mut self.text);
        let source = Source::parse(&text)?;
        let mut analysis = Analysis::new(&source, Graph::default());
        let mut rest = Vec::new();
        for (index, entry) in entries.iter().enumerate().skip(from) {
            let proposals = propose(entry, &mut analysis);
            let (admitted, others): (Vec<_>, Vec<_>) = proposals.into_iter().partition(|p| p.finding.applicability <= self.options.admit);
            if let Some((edits, applied)) = accept(&mut analysis, admitted) {
                self.apply(&text, &edits, applied);
                return Ok(Step::Applied(index));
            }
            rest.extend(others.into_iter().filter(|p| p.finding.edits.is_empty() || accept(&mut analysis, vec![p.clone()]).is_some()));
        }
        drop(analysis);
        drop(source);
        self.text = text;
        Ok(Step::Settled(rest))
    }

    /// Take over edits of the present text `text`.
    fn apply(&mut self, text: &str, edits: &EditSet, applied: Vec<Finding>) {
        let first = self.findings.len();
        for mut finding in applied {
            finding.range = self.edits.original_range(finding.range);
            self.findings.push(finding);
        }
        self.text = edits.apply(text);
        self.edits = self.edits.then(&edits.renumbered(|n| n + first), self.original);
    }

    /// Everything in terms of the original text.
    fn finish(self, rest: Vec<Proposal>) -> Fixed {
        let Self { original, text, edits, findings, .. } = self;
        let mut reported: Vec<(usize, Reported)> = Vec::new();
        for (n, mut finding) in findings.into_iter().enumerate() {
            finding.edits = edits.iter().filter(|(_, f)| f.contains(&n)).map(|(e, _)| e.clone()).collect();
            reported.push((n, Reported { finding, applied: true }));
        }
        for Proposal { mut finding, .. } in rest {
            let mut own = EditSet::new();
            own.try_add(&finding.edits, usize::MAX);
            finding.range = edits.original_range(finding.range);
            finding.edits = edits.then(&own, original).iter().filter(|(_, f)| f.contains(&usize::MAX)).map(|(e, _)| e.clone()).collect();
            reported.push((usize::MAX, Reported { finding, applied: false }));
        }
        reported.sort_by(|(_, a), (_, b)| {
            let key = |r: &Reported| (r.finding.range.start(), r.finding.range.end());
            key(a).cmp(&key(b)).then_with(|| a.finding.transform.cmp(&b.finding.transform))
        });
        let edits = edits.renumbered(|n| reported.iter().position(|(old, _)| *old == n).unwrap_or(n));
        Fixed { text, edits, findings: reported.into_iter().map(|(_, r)| r).collect(), broken: None }
    }
}

/// Where rules nearly apply to `text`, and why they do not: what each of the selected rules refuses.
pub fn refusals(text: &str, options: &Options) -> Result<Vec<(TransformId, Refusal)>, SyntaxError> {
    let source = Source::parse(text)?;
    let mut analysis = Analysis::new(&source, Graph::default());
    let mut all = Vec::new();
    for (id, rule) in catalog::rules() {
        let (true, Ok(rule)) = (options.selects(id), rule) else { continue };
        let outcome = rule::find(rule, &mut analysis);
        all.extend(outcome.refusals.into_iter().map(|r| (TransformId::from(*id), r)));
        for Proposal { finding, contract } in outcome.proposals {
            let mut edits = EditSet::new();
            edits.try_add(&finding.edits, 0);
            if let Err(Rejected(reason)) = validate::validate(&mut analysis, &edits.apply(text), &edits, &[&contract]) {
                all.push((finding.transform, Refusal { range: finding.range, reason: format!("the edit was withdrawn: {reason}") }));
            }
        }
    }
    all.sort_by(|(a, r), (b, s)| (r.range.start(), r.range.end(), a).cmp(&(s.range.start(), s.range.end(), b)));
    Ok(all)
}

/// What one transform proposes.
fn propose(entry: &Entry, analysis: &mut Analysis<'_>) -> Vec<Proposal> {
    match entry.kind {
        Kind::Rule => match catalog::rules().iter().find(|(id, _)| *id == entry.id) {
            Some((_, Ok(rule))) => rule::find(rule, analysis).proposals,
            _ => Vec::new(),
        },
        Kind::Pass(pass) => pass(analysis, &TransformId::from(entry.id)),
    }
}

/// The edits of those `proposals` that do not collide and are valid, with their findings; `None` if there is none.
fn accept(analysis: &mut Analysis<'_>, proposals: Vec<Proposal>) -> Option<(EditSet, Vec<Finding>)> {
    let text = analysis.source.text();
    let mut edits = EditSet::new();
    let mut chosen: Vec<Proposal> = Vec::new();
    for proposal in proposals {
        if !proposal.finding.edits.is_empty() && edits.try_add(&proposal.finding.edits, chosen.len()) {
            chosen.push(proposal);
        }
    }
    if chosen.is_empty() {
        return None;
    }
    let contracts: Vec<&Contract> = chosen.iter().map(|p| &p.contract).collect();
    if validate::validate(analysis, &edits.apply(text), &edits, &contracts).is_ok() {
        return Some((edits, chosen.into_iter().map(|p| p.finding).collect()));
    }
    if chosen.len() == 1 {
        return None;
    }
    // One of them is to blame: take the first that stands by itself; the others get their turn in the next step.
    chosen.into_iter().find_map(|p| accept(analysis, vec![p]))
}
