//! bfloat16 beside float16: neither holds the other, so MLX computes in float32, and so is all that follows.

use crate::finding::{Finding, Notes, TransformId};
use crate::graph::Analysis;
use crate::graph::body::Occurrence;
use crate::graph::dtypes::flow::DtypeFlow;
use crate::graph::dtypes::table::{listed, spelt};
use crate::graph::facts::Facts;
use crate::graph::users::Users;
use crate::graph::value::ValueId;

use super::Told;

/// Find every operation between the two half precisions.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Finding> {
    let text = analysis.source.text().as_bytes();
    if !["float16", "bfloat16"].iter().all(|word| memchr::memmem::find(text, word.as_bytes()).is_some()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let facts = Facts::at(analysis, body, 0, body.range.end());
        let mut flow = DtypeFlow::new(analysis, &facts);
        let users = Users::throughout(analysis, body);
        let mut seen: Vec<ValueId> = Vec::new();
        for place in body.occurrences.iter().filter(|o| o.own) {
            if seen.contains(&place.value) {
                continue;
            }
            let Some((narrow, brain)) = flow.mixed(place.value) else { continue };
            seen.push(place.value);
            let spelt = |v| spelt(analysis, body, v);
            let spoilt = listed(analysis, body, &flow.spoilt(std::iter::once(place.value), &users));
            found.push(told(analysis, place, [&spelt(narrow), &spelt(brain)], &spoilt).finding(id));
        }
        note(analysis, &mut flow, &body.occurrences, notes);
    }
    found
}

fn told(analysis: &Analysis<'_>, place: &Occurrence, [narrow, brain]: [&str; 2], spoilt: &str) -> Told {
    let text = analysis.source.quote(place.range);
    Told {
        range: place.range,
        message: format!("`{text}` is computed in float32: `{narrow}` is float16 and `{brain}` is bfloat16, and neither holds the other"),
        rationale: vec![
            format!("Float32 from here on, with a copy of each operand: {spoilt}."),
            format!(
                "Cast where one of them is made, not here: to bfloat16 where its range may be needed, for float16 ends at 65504; to float16 where its digits are, for bfloat16 keeps 8 of its 11 bits. Here that is `{narrow}.astype({brain}.dtype)` or `{brain}.astype({narrow}.dtype)`."
            ),
        ],
    }
}

/// Note operations in which a half precision meets something else.
fn note(analysis: &Analysis<'_>, flow: &mut DtypeFlow<'_>, occurrences: &[Occurrence], notes: &Notes) {
    if !notes.are_kept() {
        return;
    }
    for place in occurrences.iter().filter(|o| o.own) {
        let joined = flow.joined(place.value);
        if joined.len() > 1 && joined.iter().any(|&v| flow.half(v).is_some()) && flow.mixed(place.value).is_none() {
            let text = analysis.source.quote(place.range);
            notes.left::<()>(place.range, place.range, 60, || format!("not both half precisions are known to meet in `{text}`"));
        }
    }
    // A cast is the least that speaks of one.
    for place in occurrences.iter().filter(|o| o.own && flow.half(o.value).is_some()) {
        notes.left::<()>(place.range, place.range, 40, || "the other half precision does not meet it".to_owned());
    }
}
