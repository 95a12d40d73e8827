//! Advice: what is slow and cannot be changed by an edit that is sure to be right, with the cost at the place and what to write instead. None knows of rules,
//! passes, its order or other advice, and none makes an edit.

pub mod async_eval;
mod behind;
pub mod clear_cache;
pub mod compile_captures;
pub mod compile_elementwise;
pub mod compile_in_loop;
pub mod compile_random_state;
pub mod compile_scalar_args;
mod compiled;
mod defaults;
mod draws;
pub mod eval_in_compiled;
pub mod eval_in_loop;
mod handed_out;
pub mod mixed_half;
pub mod numpy_scalar_left;
mod origin;
mod reach;
mod reads;
mod rounds;
pub mod separate_stream;
pub mod shapeless_shape_logic;
mod steering;
pub mod sync_in_loop;
mod tokens;
pub mod transposed_matmul;
mod waits;
mod writes;

use crate::finding::{Applicability, Finding, Hinges, Notes, TransformId, Way};
use crate::graph::Analysis;
use crate::syntax::TextRange;

/// Advice on one file, under the id it is listed by. What was looked at and is as it should be goes to the notes.
pub type Advice = fn(&Analysis<'_>, &TransformId, &Notes) -> Vec<Finding>;

/// What is told of one place: what is there, and then, one sentence a line, what it costs and what to write.
struct Told {
    range: TextRange,
    message: String,
    rationale: Vec<String>,
}

impl Told {
    /// The finding of the transform `id` on code to which `ways` lead, none if there are others.
    fn hinging_on(self, ways: Vec<Way>, id: &TransformId) -> Finding {
        Finding { hinges: Hinges::Ways(ways), ..self.finding(id) }
    }

    /// The finding of the transform `id`.
    fn finding(self, id: &TransformId) -> Finding {
        let Self { range, message, rationale } = self;
        Finding {
            transform: id.clone(),
            range,
            applicability: Applicability::Advice,
            numerics: None,
            message,
            rationale,
            assumptions: Vec::new(),
            guide: String::new(),
            edits: Vec::new(),
            hinges: Hinges::default(),
        }
    }
}

/// `` `a`, `b` and `c` ``.
fn listed(parts: &[String]) -> String {
    let quoted: Vec<String> = parts.iter().map(|p| format!("`{p}`")).collect();
    match &quoted[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 wait`, `2 waits`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
