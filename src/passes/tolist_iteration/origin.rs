//! Where an iterable comes from: an `mx.array`, perhaps one, or evidently something else. Generators, lists of arrays and NumPy arrays look the same in a
//! loop with `.item()`, so a value may be an array only if nothing about its origin speaks against it.

use std::ops::ControlFlow::{Break, Continue};

use crate::graph::Analysis;
use crate::graph::facts::{Facts, Kind};
use crate::graph::memo::Memo;
use crate::graph::value::{Op, Symbol, ValueId};
use crate::syntax::ast::Expr;

/// What an iterable is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// An `mx.array`, proved.
    Array,
    /// Nothing speaks against an `mx.array`.
    Perhaps,
    /// Something else, or of unknown origin.
    Other,
}

/// Chains of values longer than this are of unknown origin.
const MAX_DEPTH: u32 = 40;

/// What `value` is.
pub(super) fn origin(analysis: &Analysis<'_>, facts: &Facts<'_>, value: ValueId) -> Origin {
    match facts.kind(value) {
        Kind::Array => Origin::Array,
        Kind::OptionalArray => Origin::Perhaps,
        Kind::Unknown if may_be_array(analysis, facts, value, &mut Memo::new(MAX_DEPTH, false)) => Origin::Perhaps,
        _ => Origin::Other,
    }
}

/// What speaks against `value` being an array.
pub(super) fn no_array(analysis: &Analysis<'_>, value: ValueId) -> &'static str {
    match analysis.graph.op(value) {
        Op::Mlx("tolist") => "is a list of numbers already",
        Op::List | Op::Tuple | Op::Comprehension(_) => "is a Python list of single arrays, which has no `tolist`",
        _ if is_foreign(analysis, value) => "comes from another library, whose elements need not wait for a device",
        Op::Call(..) | Op::Apply => "may be a generator or a list: nothing shows that it is an `mx.array`",
        _ => "is not known to be an `mx.array`: generators and lists are read in the same way",
    }
}

fn may_be_array(analysis: &Analysis<'_>, facts: &Facts<'_>, value: ValueId, known: &mut Memo<bool>) -> bool {
    known.of(value, |known| {
        let (op, operands) = analysis.graph.get(value);
        let mut part = |v: ValueId| match facts.kind(v) {
            Kind::Array => true,
            Kind::Unknown => may_be_array(analysis, facts, v, known),
            _ => false,
        };
        match op {
            Op::Param(scope, name) => analysis.classes.receiver(value).is_none() && annotation_allows(analysis, scope, name),
            Op::Attr(name, _) => is_state(analysis, operands[0]) && !holds_other(analysis, facts, operands[0], name),
            Op::Index(_) | Op::Permute | Op::Neg => part(operands[0]),
            Op::Mlx("item" | "tolist" | "split" | "meshgrid" | "broadcast_arrays" | "array_split") => false,
            // A method of arrays, called on something unknown: neither lists nor generators have it, NumPy arrays do.
            Op::Mlx(_) => !operands.iter().any(|&v| is_foreign(analysis, v)),
            Op::Gate => operands[1..].iter().all(|&v| part(v)),
            // `+` and `*` join and repeat lists as well.
            Op::Sub | Op::Div | Op::Pow | Op::MatMul => operands.iter().any(|&v| part(v)) && !operands.iter().any(|&v| is_foreign(analysis, v)),
            _ => false,
        }
    })
}

/// Whether the annotation of a parameter leaves room for an array: there is none, or it says so in a way that facts do not read.
fn annotation_allows(analysis: &Analysis<'_>, scope: Symbol, name: Symbol) -> bool {
    let Some(parameter) = analysis.definitions.parameter(scope, name, &analysis.graph) else { return false };
    match parameter.parameter.annotation.as_deref() {
        None => true,
        Some(Expr::Name(name)) => name.id.as_str() == "Any",
        Some(Expr::Attribute(attribute)) => attribute.attr.as_str() == "Any",
        Some(_) => false,
    }
}

/// Whether `value` is an object that came from outside, or a part of one: its attributes may be arrays.
fn is_state(analysis: &Analysis<'_>, value: ValueId) -> bool {
    let mut value = value;
    for _ in 0..MAX_DEPTH {
        match analysis.graph.get(value) {
            (Op::Param(..), _) => return true,
            (Op::Attr(..), operands) => value = operands[0],
            _ => return false,
        }
    }
    false
}

/// Whether `__init__` stores something in the attribute that is no array.
fn holds_other(analysis: &Analysis<'_>, facts: &Facts<'_>, object: ValueId, name: Symbol) -> bool {
    let Some(class) = analysis.classes.receiver(object) else { return false };
    analysis.classes.attribute(class, name).iter().any(|&v| !matches!(facts.kind(v), Kind::Array | Kind::OptionalArray | Kind::None | Kind::Unknown))
}

/// Whether another library than MLX made `value`, or took part in making it.
fn is_foreign(analysis: &Analysis<'_>, value: ValueId) -> bool {
    let graph = &analysis.graph;
    graph.finds(value, |v| match graph.get(v) {
        (Op::Global(path), _) if !graph.name(path).starts_with("mlx.") => Break(()),
        // `astype(int)` is NumPy's: MLX takes its own dtypes only.
        (Op::Builtin(name), _) if matches!(graph.name(name), "int" | "float" | "bool" | "str" | "list" | "tuple" | "dict" | "sorted") => Break(()),
        (Op::Str(_), _) => Break(()),
        (Op::Apply | Op::Call(..) | Op::Attr(..) | Op::Index(_) | Op::Item(_) | Op::Element(..) | Op::Permute | Op::Pow | Op::Neg, operands) => {
            Continue(operands.get(..1).unwrap_or_default())
        }
        (Op::Mlx(_) | Op::Gate | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::MatMul, operands) => Continue(operands),
        _ => Continue(&[]),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only_unsafe, safe, stays};

    #[test]
    fn an_origin_that_nothing_shows_is_an_assumption() {
        only_unsafe("for x in xs:\n    out(x.item())\n", "for x in xs.tolist():\n    out(x)\n");
        only_unsafe("for x in model.tokens:\n    out(x.item())\n", "for x in model.tokens.tolist():\n    out(x)\n");
        only_unsafe("for x in model(xs).flatten():\n    out(x.item())\n", "for x in model(xs).flatten().tolist():\n    out(x)\n");
        only_unsafe("out([k[x.item()][y.item()] for x, y in model.heads])\n", "out([k[x][y] for x, y in model.heads.tolist()])\n");
        // `float` takes anything.
        stays("for x in xs:\n    out(float(x))\n");
    }

    #[test]
    fn what_a_loop_fills_is_what_it_was() {
        for fill in [
            "for i in range(n):\n    c[i] = i\n",
            "for i in range(n):\n    if xs[i]:\n        c[i] = xs[n]\n        n += 1\n",
            "d = c\nfor i in range(n):\n    d[i] = i\n",
            "d = c\nwhile n:\n    d += xs\n    n = model(n)\n",
        ] {
            let read = |made: &str| format!("c = {made}\n{fill}for i in range(len(c)):\n    out(c[i].item())\n");
            let array = read("mx.zeros((n,))");
            assert!(safe(&array).contains("c_list = c.flatten().tolist()\nfor i in range(len(c)):\n    out(c_list[i])\n"), "{array}");
            for other in ["np.zeros((n,))", "[a] * n", "{}", "xs or mx.zeros((n,))", "mx.zeros((n,)) if n else xs"] {
                assert_eq!(safe(&read(other)), read(other));
            }
        }
    }

    #[test]
    fn what_is_evidently_something_else_stays() {
        for iterable in [
            "[a, b]",
            "model(a)",
            "model.steps(a)",
            "list(a)",
            "sorted(a)",
            "xs.items()",
            "xs.split(',')",
            "np.asarray(xs)",
            "np.array(xs).flatten()",
            "mx.split(a, 3)",
            "a.tolist()",
            "(y for y in a)",
            "[mx.sum(y) for y in xs]",
            "xs + [a]",
            "xs.astype(np.int32)",
            "xs.astype(int)",
            "out if n else []",
            "reversed(xs)",
        ] {
            stays(&format!("for x in {iterable}:\n    out(x.item())\n"));
        }
        stays("tokens = []\nfor y in model(a):\n    tokens.append(y)\nout([t.item() for t in tokens])\n");
        stays("for row in xs:\n    for x in row:\n        out(x.item())\n");
        stays("out([x.item() for row in xs for x in row])\n");
    }
}
