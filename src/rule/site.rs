//! What a match is, for those who run it: which value of the program each parameter of the pattern stands for, and where the result can be compared.

use super::Candidate;
use super::judge::assumed_axes;
use super::load::{Rule, Wildcard};
use super::matcher::Bound;
use crate::graph::Analysis;
use crate::graph::value::ValueId;
use crate::replay::{Form, Site};

/// A result is compared in so many of its uses.
const USES: usize = 4;

/// The site of `candidate`.
pub(super) fn site(rule: &Rule, analysis: &Analysis<'_>, candidate: &Candidate) -> Site {
    let variant = &rule.variants[candidate.variant];
    let mut bindings = bound(&variant.wildcards, &candidate.found.bindings);
    // What the replacement is made of may be what the pattern takes in another form: the keys as they were before they were turned.
    for (name, value) in &candidate.arguments {
        if !bindings.iter().any(|b| b.2 == *value && b.0 == *name) && candidate.root.value != *value {
            bindings.push((name.clone(), Form::Same, *value));
        }
    }
    let mut places = vec![candidate.root];
    if let (Some(Ok(uses)), Some(listed)) = (candidate.uses.as_deref(), &variant.uses) {
        places = uses.iter().take(USES).map(|used| used.place).collect();
        for used in uses.iter().take(USES) {
            for binding in bound(&listed.wildcards, &used.bindings) {
                // What is replaced is computed, not given.
                if binding.2 != candidate.root.value && !bindings.iter().any(|(.., value)| *value == binding.2) {
                    bindings.push(binding);
                }
            }
        }
    }
    Site {
        variant: variant.name.clone(),
        scope: analysis.bodies[candidate.body].name,
        root: candidate.root,
        places,
        axes: assumed_axes(rule, analysis, candidate),
        bindings,
        narrows: !rule.about.narrows.is_empty(),
    }
}

fn bound(wildcards: &[Wildcard], bindings: &[Option<Bound>]) -> Vec<(String, Form, ValueId)> {
    let pairs = wildcards.iter().zip(bindings).filter_map(|(wildcard, bound)| Some((wildcard.name.clone(), (*bound)?)));
    let named = pairs.map(|(name, bound)| match bound {
        Bound::Value(value) => (name, Form::Same, value),
        Bound::Reciprocal(value) => (name, Form::Reciprocal, value),
        Bound::Swapped(value) => (name, Form::Swapped, value),
        Bound::Opposite(value) => (name, Form::Opposite, value),
        Bound::Root { of, inverse } => (name, if inverse { Form::InverseRoot } else { Form::Root }, of),
        Bound::Term { sum, .. } => (name, Form::Part, sum),
    });
    named.collect()
}
