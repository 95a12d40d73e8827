//! The softmaxes that half precision reaches: one that is not told to be precise adds up in the dtype of what it is given, and of a thousand numbers in bfloat16 it
//! loses a third. That is no matter of how much precision is enough; but it can be told, where its call is in sight.

use super::{Digits, text};
use crate::graph::Analysis;
use crate::graph::body::{Body, Occurrence, StatementId};
use crate::graph::users::Users;
use crate::graph::value::{Op, ValueId};
use crate::syntax::{TextRange, TextSize};

/// What tells a softmax to be precise, behind its last argument.
pub const PRECISE: &str = ", precise=True";
/// So many softmaxes of one value are told to be precise.
const MOST: usize = 3;
/// No softmax.
const NONE: u32 = u32::MAX;

/// The places of a few softmaxes, in their order; more than are told are one too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Few([u32; MOST + 1]);

impl Default for Few {
    fn default() -> Self {
        Self([NONE; MOST + 1])
    }
}

impl Few {
    pub(super) fn of(place: Option<u32>) -> Self {
        let mut few = Self::default();
        few.0[0] = place.unwrap_or(NONE);
        few
    }

    pub(super) fn with(self, other: Self) -> Self {
        let mut all: Vec<u32> = self.0.into_iter().chain(other.0).filter(|&place| place != NONE).collect();
        all.sort_unstable();
        all.dedup();
        let mut few = Self::default();
        few.0.iter_mut().zip(all).for_each(|(slot, place)| *slot = place);
        few
    }

    fn places(&self) -> impl Iterator<Item = u32> {
        self.0.into_iter().filter(|&place| place != NONE)
    }
}

/// A softmax that would add up in half precision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Softmax {
    /// It.
    pub value: ValueId,
    /// Its text on one line.
    pub text: String,
    /// Behind which argument of each of its calls it can be told to be precise, and in which statement.
    pub arguments: Vec<(TextSize, StatementId)>,
}

/// The softmaxes that would add up in half precision if `used` were computed in it; `Err` says of one that it cannot be told to be precise here.
pub fn half_sums(analysis: &Analysis<'_>, body: &Body, users: &Users, used: ValueId) -> Result<Vec<Softmax>, String> {
    let digits = users.digits.get_or_init(Digits::default);
    let ahead = digits.ahead(analysis, body, users, used);
    let refused = |text: &str, at: &str| format!("`{text}`{at} would add up in half precision; `mx.softmax` does not with `precise=True`");
    if let Some((scope, place)) = ahead.inner_softmax {
        let inner = &analysis.bodies[scope];
        return Err(refused(&text(analysis, inner, place), &format!(" in `{}`", analysis.graph.name(inner.name))));
    }
    let places: Vec<u32> = ahead.softmaxes.places().collect();
    let told = |place: u32| {
        let value = body.occurrences[place as usize].value;
        let arguments: Option<Vec<_>> = body.occurrences_of(value).map(|o| Some((last_argument(analysis, body, o)?, o.statement))).collect();
        let text = text(analysis, body, place);
        let is_understood = matches!(analysis.graph.op(value), Op::Mlx(_));
        match arguments.filter(|_| is_understood && places.len() <= MOST) {
            Some(arguments) => Ok(Softmax { value, text, arguments }),
            None => Err(refused(&text, "")),
        }
    };
    places.iter().map(|&place| told(place)).collect()
}

/// What is said of `softmaxes` that are told to be precise along with what is narrowed.
pub fn told_to_be_precise(softmaxes: &[Softmax]) -> Option<String> {
    let texts: Vec<String> = softmaxes.iter().map(|s| format!("`{}`", s.text)).collect();
    let (are, they) = if texts.len() == 1 { ("is", "it") } else { ("are", "they") };
    let told = || format!("{} {are} given `precise=True` along with it: in half precision {they} would add up in that.", texts.join(" and "));
    (!texts.is_empty()).then(told)
}

/// Where the last argument of the call of `mx.softmax` at `softmax` ends, if it is one that is written there.
fn last_argument(analysis: &Analysis<'_>, body: &Body, softmax: &Occurrence) -> Option<TextSize> {
    let (source, range) = (analysis.source, softmax.range);
    let is_callee = |o: &Occurrence| o.range.start() == range.start() && analysis.graph.path(o.value) == Some("mlx.core.softmax");
    let callee = body.occurrences_in(range).find(|o| is_callee(o))?.range;
    let arguments = source.slice(TextRange::new(callee.end(), range.end()));
    let inside = arguments.trim_start().starts_with('(').then(|| arguments.strip_suffix(')')).flatten()?.trim_end();
    let last = inside.strip_suffix(',').unwrap_or(inside).trim_end();
    // Behind a comment nothing can be written.
    (softmax.own && source.comments_in(range).is_empty()).then(|| callee.end() + TextSize::of(last))
}
