//! What each finding changes by itself: an editor applies one finding and not the others. Edits that were made of several findings' are right together only, so
//! that a finding whose edits met others' is given the ones that it makes of the original text alone.

use rustc_hash::FxHashMap;

use super::{Options, Told, Transform, propose, transforms, units, valid};
use crate::finding::{Finding, Proposal};
use crate::graph::Analysis;
use crate::graph::value::Graph;
use crate::platform::Platform;
use crate::syntax::{Edit, EditSet, Source};

/// What a finding changes by itself.
#[derive(Clone, Default, Debug)]
pub struct Alone {
    /// The edits of the original text; none where others must be applied with them.
    pub original: Vec<Edit>,
    /// The edits of the text that all admitted edits lead to, of a finding that is left to do there.
    pub result: Vec<Edit>,
    /// The findings that it goes with, as indices into those of the file, where it cannot be applied by itself.
    pub with: Vec<usize>,
}

/// What a proposal changes in the text that it was made for.
#[derive(Clone)]
pub(super) struct Own {
    /// Its edits, with those of all that are applied together with it.
    edits: Vec<Edit>,
    /// Whether the text is the original.
    is_first: bool,
}

impl Own {
    /// What each of `proposals` for a text changes there; `is_first` says that nothing was applied before.
    pub(super) fn of(proposals: &[Proposal], is_first: bool) -> Vec<Self> {
        let mut together: FxHashMap<usize, EditSet> = FxHashMap::default();
        for (unit, proposal) in proposals.iter().filter_map(|p| Some((p.contract.unit()?, p))) {
            together.entry(unit).or_default().try_add(&proposal.finding.edits, 0);
        }
        let own = |p: &Proposal| match p.contract.unit().and_then(|unit| together.get(&unit)) {
            Some(all) => all.iter().map(|(edit, _)| edit.clone()).collect(),
            None => p.finding.edits.clone(),
        };
        proposals.iter().map(|p| Self { edits: own(p), is_first }).collect()
    }
}

/// What each of `findings`, the first `applied` of which are applied, changes by itself. Their ranges and edits are those of the text `original`.
pub(super) fn alone(original: &str, options: &Options, findings: &[Told], applied: usize) -> Vec<Alone> {
    let transforms = transforms(options);
    let mut again = Again { original, platform: &options.platform, known: FxHashMap::default() };
    let all = findings.iter().enumerate().map(|(n, told)| {
        let Some(own) = &told.own else { return Alone::default() };
        let result = if n < applied { Vec::new() } else { own.edits.clone() };
        if own.is_first {
            return Alone { original: own.edits.clone(), result, with: Vec::new() };
        }
        let transform = transforms.iter().copied().find(|t| t.id() == told.finding.transform);
        let original = transform.and_then(|t| again.edits(t, told));
        let with = if original.is_none() { needed(findings, applied, n) } else { Vec::new() };
        Alone { original: original.unwrap_or_default(), result, with }
    });
    all.collect()
}

/// Those that finding number `n` cannot do without: those whose edits met its own, else all that were applied before it.
fn needed(findings: &[Told], applied: usize, n: usize) -> Vec<usize> {
    let before = || (0..findings.len().min(applied)).filter(|&other| other != n && !findings[other].finding.edits.is_empty());
    let own = &findings[n].finding.edits;
    let meets = |&other: &usize| findings[other].finding.edits.iter().any(|edit| own.iter().any(|o| o.range.intersect(edit.range).is_some()));
    let met: Vec<usize> = before().filter(meets).collect();
    if met.is_empty() { before().take_while(|&other| other < n).collect() } else { met }
}

/// Transforms asked what they find in the original text, each of them once.
struct Again<'r> {
    original: &'r str,
    platform: &'r Platform,
    known: FxHashMap<String, Vec<(Finding, Vec<Edit>)>>,
}

impl Again<'_> {
    /// The edits with which `transform` by itself does in the original text what `told` tells. A finding about what another one wrote has none: what meets it
    /// there is that other one, and may rest on more than it says itself.
    fn edits(&mut self, transform: Transform<'_>, told: &Told) -> Option<Vec<Edit>> {
        let (original, platform) = (self.original, self.platform);
        let id = told.finding.transform.as_str();
        if !self.known.contains_key(id) {
            self.known.insert(id.to_owned(), found(original, transform, platform));
        }
        let told = &told.finding;
        let likeness = |(own, edits): &(Finding, Vec<Edit>)| (*edits == told.edits, own.range == told.range, own.message == told.message);
        let is_it = |known: &&(Finding, Vec<Edit>)| {
            let own = &known.0;
            let meets = own.range.intersect(told.range).is_some_and(|both| !both.is_empty());
            meets && own.applicability <= told.applicability && likeness(known) != (false, false, false)
        };
        let best = self.known[id].iter().filter(is_it).max_by_key(|known| (likeness(known), std::cmp::Reverse(known.0.range.start())));
        best.map(|(_, edits)| edits.clone())
    }
}

/// What `transform` finds in `text`, and what each finding changes.
fn found(text: &str, transform: Transform<'_>, platform: &Platform) -> Vec<(Finding, Vec<Edit>)> {
    let Ok(source) = Source::parse(text) else { return Vec::new() };
    let mut analysis = Analysis::new(&source, Graph::default());
    let proposals = propose(transform, &mut analysis, platform);
    let proposals = valid(&mut analysis, units(proposals), platform.mlx.as_ref());
    let own = Own::of(&proposals, true);
    proposals.into_iter().zip(own).map(|(p, own)| (p.finding, own.edits)).collect()
}
