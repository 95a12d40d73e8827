//! Arguments by position in front of which a newer MLX has put a parameter: `mx.conv_transpose1d(x, w, 1, 0, 1, groups)` passes `groups` as the output padding.
//!
//! Nothing in a call shows which MLX it was written for. What is proposed rests on the argument itself: on its name, or on its being a truth value where a size
//! is expected, or a dtype where an array is. So it is never safe, and an argument that could be either stays.

use crate::finding::{Applicability, Contract, Finding, Hinges, Kept, Notes, Proposal, TransformId};
use crate::graph::Analysis;
use crate::graph::body::Effect;
use crate::graph::dtypes::Dtype;
use crate::place::{Place, expressions};
use crate::syntax::ast::{self, Expr, UnaryOp};
use crate::syntax::{Edit, Ranged};

/// Why its edits are not run.
const CHANGED: &str =
    "the call is to mean something else to this MLX than it does now: by keyword it means what it meant to the one it was written for";

/// A place in a list of parameters that was another parameter's.
struct Shift {
    /// The function or class.
    path: &'static str,
    /// Which argument by position, from 0.
    at: usize,
    /// The parameter that it used to be.
    was: &'static str,
    /// The parameter that it is.
    is: &'static str,
    /// The first MLX with the present order.
    since: &'static str,
    /// The pull request of MLX that changed it.
    pull: u32,
}

const fn shift(path: &'static str, at: usize, was: &'static str, is: &'static str, since: &'static str, pull: u32) -> Shift {
    Shift { path, at, was, is, since, pull }
}

/// From MLX's release notes and pull requests.
const TABLE: [Shift; 10] = [
    shift("mlx.core.conv_transpose1d", 5, "groups", "output_padding", "0.25.1", 2092),
    shift("mlx.core.conv_transpose2d", 5, "groups", "output_padding", "0.25.1", 2092),
    shift("mlx.core.conv_transpose3d", 5, "groups", "output_padding", "0.25.1", 2092),
    shift("mlx.nn.ConvTranspose1d", 6, "bias", "output_padding", "0.25.1", 2092),
    shift("mlx.nn.ConvTranspose2d", 6, "bias", "output_padding", "0.25.1", 2092),
    shift("mlx.nn.ConvTranspose3d", 6, "bias", "output_padding", "0.25.1", 2092),
    shift("mlx.nn.Conv2d", 6, "bias", "groups", "0.21.0", 1569),
    shift("mlx.nn.Conv3d", 5, "bias", "dilation", "0.22.1", 1802),
    shift("mlx.nn.ConvTranspose3d", 5, "bias", "dilation", "0.22.1", 1802),
    shift("mlx.core.dequantize", 6, "dtype", "global_scale", "0.31.0", 3022),
];

/// What every name of the table has one of.
const WORDS: [&str; 2] = ["onv", "dequantize"];

/// Find every argument that was meant for the parameter that used to stand in its place.
pub fn find(analysis: &Analysis<'_>, id: &TransformId, notes: &Notes) -> Vec<Proposal> {
    let text = analysis.source.text().as_bytes();
    if !WORDS.iter().any(|word| memchr::memmem::find(text, word.as_bytes()).is_some()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for body in &analysis.bodies {
        let place = Place::new(analysis, body, notes);
        let mut calls = Calls { place: &place, id, found: Vec::new() };
        expressions::of_scope(place.own_statements(), &mut |expr| {
            if let Expr::Call(call) = expr {
                calls.call(call);
            }
        });
        found.append(&mut calls.found);
    }
    found.sort_by_key(|p| (p.finding.range.start(), p.finding.range.end()));
    found
}

/// Looks through one scope.
struct Calls<'p, 'x> {
    place: &'p Place<'x>,
    id: &'p TransformId,
    found: Vec<Proposal>,
}

impl<'x> Calls<'_, 'x> {
    fn call(&mut self, call: &'x ast::ExprCall) {
        let arguments = &call.arguments;
        let Some(path) = self.place.path(&call.func).filter(|path| WORDS.iter().any(|word| path.contains(word))) else { return };
        let left = |likeness, reason: String| self.place.notes.left(call.range(), call.range(), likeness, || reason).unwrap_or_default();
        let shifts = || TABLE.iter().filter(|s| s.path == path);
        let Some(shift) = shifts().find(|s| s.at + 1 == arguments.args.len()).or_else(|| shifts().next()) else {
            return left(40, "nothing was put in front of the parameters of this function".to_owned());
        };
        if arguments.args.iter().any(Expr::is_starred_expr) {
            return left(80, "arguments that come out of a list have no place of their own".to_owned());
        }
        let named = |name: &str| arguments.keywords.iter().any(|k| k.arg.as_ref().is_none_or(|keyword| keyword == name));
        if named(shift.was) || named(shift.is) {
            return left(80, format!("the keywords say what `{}` is", shift.was));
        }
        let Some(argument) = arguments.args.get(shift.at) else { return };
        if arguments.args.len() > shift.at + 1 {
            return left(80, format!("with another argument behind it, argument {} is in its place", shift.at + 1));
        }
        let text = self.place.source().slice(argument.range());
        let is_meant = match shift.was {
            "bias" => is_truth_value(argument),
            "dtype" => self.is_dtype(argument),
            _ => false,
        };
        if !(is_meant || speaks_of(argument, shift.was)) {
            return left(80, format!("nothing says that `{text}` is meant as `{}` and not as `{}`", shift.was, shift.is));
        }
        let name = shift.path.replacen("mlx.core", "mx", 1).replacen("mlx.nn", "nn", 1);
        let finding = Finding {
            transform: self.id.clone(),
            range: call.range(),
            applicability: Applicability::Unsafe,
            numerics: None,
            message: format!("`{name}` reads `{text}` as `{}`", shift.is),
            rationale: self.rationale(shift, argument),
            assumptions: vec![format!("`{text}` is meant as `{}`", shift.was)],
            guide: String::new(),
            edits: vec![Edit::insert(argument.start(), format!("{}=", shift.was))],
            hinges: Hinges::default(),
        };
        self.found.push(Proposal { finding, contract: Contract::Statements(Kept::Nothing(CHANGED)) });
    }

    fn rationale(&self, shift: &Shift, argument: &Expr) -> Vec<String> {
        let Shift { was, is, since, pull, .. } = shift;
        let mut rationale = vec![
            format!("Argument {} was `{was}`, and has been `{is}` since MLX {since} (ml-explore/mlx#{pull}).", shift.at + 1),
            "By keyword it means the same to every version.".to_owned(),
        ];
        if *is == "output_padding" {
            rationale.push("As `output_padding` it makes each result longer by so many elements: with the edit lengths change.".to_owned());
        }
        rationale.extend(self.kept(shift, argument).map(|kept| {
            format!("The class keeps `{kept}`, which this call does not pass: it may have to, as `{is}={kept}`, or lengths are wrong in another way.")
        }));
        rationale
    }

    /// The attribute beside `argument` that is called like the parameter in whose place it stands, if the class stores one.
    fn kept(&self, shift: &Shift, argument: &Expr) -> Option<String> {
        let object = argument.as_attribute_expr()?.value.as_name_expr()?;
        let analysis = self.place.analysis;
        let (name, receiver) = (analysis.graph.known_symbol(shift.is)?, self.place.value(&Expr::Name(object.clone()))?);
        let class = analysis.classes.receiver(receiver)?;
        let stores =
            |effect: &Effect| matches!(*effect, Effect::StoreAttribute(of, n, _) if n == name && analysis.classes.receiver(of) == Some(class));
        let is_stored = analysis.bodies.iter().flat_map(|b| &b.effects).any(stores);
        is_stored.then(|| format!("{}.{}", object.id, shift.is))
    }

    /// Whether `expr` is a dtype of MLX by name.
    fn is_dtype(&self, expr: &Expr) -> bool {
        self.place.path(expr).and_then(|path| Dtype::named(path.strip_prefix("mlx.core.")?)).is_some()
    }
}

/// Whether the name of `expr` is that of `parameter`: `groups`, `self.num_groups`, `config["groups"]`.
fn speaks_of(expr: &Expr, parameter: &str) -> bool {
    let name = match expr {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Subscript(subscript) => match &*subscript.slice {
            Expr::StringLiteral(text) => text.value.to_str(),
            _ => return false,
        },
        _ => return false,
    };
    name.rsplit('_').next() == Some(parameter)
}

/// Whether `expr` can be nothing but true or false.
fn is_truth_value(expr: &Expr) -> bool {
    match expr {
        Expr::BooleanLiteral(_) | Expr::Compare(_) => true,
        Expr::UnaryOp(unary) => unary.op == UnaryOp::Not,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::api;

    #[test]
    fn every_shifted_parameter_stands_where_the_table_says() {
        for shift in TABLE.iter().filter(|s| s.path.starts_with("mlx.core")) {
            let function = shift.path.strip_prefix("mlx.core.").and_then(api::function).expect("MLX has it").get();
            assert_eq!(function.params[shift.at].name, shift.is, "{}", shift.path);
            assert_eq!(function.params[shift.at + 1].name, shift.was, "{}", shift.path);
        }
    }
}
