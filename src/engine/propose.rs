//! What one transform proposes for one text, and which of that is for where the code runs.

use rustc_hash::FxHashSet;

use super::Transform;
use crate::catalog;
use crate::finding::{Finding, Hinges, MEASURED, Notes, Proposal, TransformId};
use crate::graph::Analysis;
use crate::platform::Platform;
use crate::rule;

/// Why what pays in half precision alone is left out.
pub(super) const IS_SINGLE: &str = "it pays in half precision alone, of which neither this file nor those of its package that import it speak";

/// What `transform` proposes on `platform`.
pub(super) fn propose(transform: Transform<'_>, analysis: &mut Analysis<'_>, platform: &Platform) -> Vec<Proposal> {
    let proposals = match transform {
        Transform::Rule(rule) => rule::find(rule, analysis, platform).proposals,
        Transform::Pass(id, pass) => {
            let mut proposals = pass(analysis, &TransformId::from(id), &Notes::default());
            proposals.iter_mut().for_each(|p| tell_file(id, &mut p.finding));
            proposals
        }
        Transform::Advice(..) => Vec::new(),
    };
    worthwhile(proposals, platform).0
}

/// Those of `proposals` of which something comes in the arrays that are known to come there, and the others. What is applied together is left out together.
pub(super) fn worthwhile(proposals: Vec<Proposal>, platform: &Platform) -> (Vec<Proposal>, Vec<Proposal>) {
    let is_vain = |p: &Proposal| platform.is_single && p.finding.hinges == Hinges::HalfPrecision;
    let units: FxHashSet<usize> = proposals.iter().filter(|p| is_vain(p)).filter_map(|p| p.contract.unit()).collect();
    proposals.into_iter().partition(|p| !is_vain(p) && p.contract.unit().is_none_or(|unit| !units.contains(&unit)))
}

/// Have the finding of the pass or advice `id` tell what stands in its file: where it comes from, and what it was measured to gain.
pub(super) fn tell_file(id: &str, finding: &mut Finding) {
    catalog::guide(id).clone_into(&mut finding.guide);
    let gain = catalog::measured(id).filter(|_| !finding.has_figure_of_its_own());
    finding.rationale.extend(gain.map(|gain| format!("{MEASURED}: {gain}.")));
}
