//! What `mx.load` takes for a path: a `str` or a `pathlib.Path`. `open` takes more: bytes, the number of an open file, whatever knows a path.

use super::Opened;
use crate::graph::facts::{Facts, Kind};
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, is_builtin};
use crate::syntax::ast::{Expr, Operator};
use crate::syntax::{Ranged, TokenKind};

/// Chains of values longer than this are of unknown kind.
const MAX_DEPTH: u32 = 20;

/// Methods of a path that give a path, or several.
const PATH_METHODS: [&str; 11] =
    ["absolute", "expanduser", "glob", "iterdir", "joinpath", "resolve", "rglob", "with_name", "with_stem", "with_suffix", "relative_to"];

/// What a value is, as a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Is {
    Str,
    Path,
    /// One of the two.
    Either,
    Unknown,
    Other,
}

/// What must be assumed for `opened` to be one; `None` where it evidently is something else.
pub(super) fn is_path(place: &Place<'_>, facts: &Facts<'_>, opened: &Opened<'_>) -> Option<Vec<String>> {
    let text = place.source().slice(opened.path.range());
    match (of_expr(place, facts, opened.path), opened.must_be_path) {
        (Is::Path, _) | (Is::Str | Is::Either, false) => Some(Vec::new()),
        (Is::Unknown, false) => Some(vec![format!("`{text}` is a `str` or a `pathlib.Path`")]),
        // Archives and stores have a method `open` too.
        _ => None,
    }
}

fn of_expr(place: &Place<'_>, facts: &Facts<'_>, expr: &Expr) -> Is {
    match expr {
        Expr::FString(_) | Expr::StringLiteral(_) => Is::Str,
        Expr::BytesLiteral(_) | Expr::NumberLiteral(_) | Expr::BooleanLiteral(_) | Expr::NoneLiteral(_) => Is::Other,
        _ => place.value(expr).map_or(Is::Unknown, |value| of(place, facts, value, 0)),
    }
}

fn of(place: &Place<'_>, facts: &Facts<'_>, value: ValueId, depth: u32) -> Is {
    let graph = &place.analysis.graph;
    let (op, operands) = graph.get(value);
    let part = |v: ValueId| if depth < MAX_DEPTH { of(place, facts, v, depth + 1) } else { Is::Unknown };
    let by_kind = || if facts.kind(value) == Kind::Unknown { Is::Unknown } else { Is::Other };
    match op {
        Op::Str(_) => Is::Str,
        Op::Param(scope, name) => place.analysis.definitions.annotation(scope, name, graph).map_or(Is::Unknown, |a| annotation(place, a)),
        Op::Gate => either(part(operands[1]), part(operands[2])),
        // A path with something behind it; `+` of strings.
        Op::Div if operands.iter().any(|&v| part(v) == Is::Path) => Is::Path,
        Op::Add if operands.iter().all(|&v| part(v) == Is::Str) => Is::Str,
        Op::Mod if part(operands[0]) == Is::Str => Is::Str,
        Op::Attr(name, _) if matches!(graph.name(name), "parent") => only_path(part(operands[0])),
        Op::Attr(name, _) if matches!(graph.name(name), "name" | "stem" | "suffix") && part(operands[0]) == Is::Path => Is::Str,
        Op::Element(..) => of_elements(place, facts, operands[0], depth),
        Op::Index(_) if depth < MAX_DEPTH => match of_elements(place, facts, operands[0], depth) {
            Is::Unknown => by_kind(),
            is => is,
        },
        Op::Apply if is_builtin(place.analysis, operands[0], "str") => Is::Str,
        Op::Call(..) => of_call(place, facts, operands, depth),
        Op::Opaque(..) if is_formatted(place, value) => Is::Str,
        _ => by_kind(),
    }
}

/// The result of a call: callee, then arguments.
fn of_call(place: &Place<'_>, facts: &Facts<'_>, operands: &[ValueId], depth: u32) -> Is {
    let graph = &place.analysis.graph;
    let part = |v: ValueId| if depth < MAX_DEPTH { of(place, facts, v, depth + 1) } else { Is::Unknown };
    if let Some(path) = graph.path(operands[0]) {
        return match path {
            "pathlib.Path" | "pathlib.PosixPath" => Is::Path,
            // Of bytes they make bytes.
            "os.path.join" if operands[1..].iter().any(|&v| part(v) == Is::Str) => Is::Str,
            "os.path.abspath" | "os.path.expanduser" | "os.path.realpath" | "os.path.dirname" | "os.path.normpath"
                if operands.get(1).is_some_and(|&v| matches!(part(v), Is::Str | Is::Path | Is::Either)) =>
            {
                Is::Str
            }
            _ => Is::Unknown,
        };
    }
    match graph.get(operands[0]) {
        (Op::Attr(name, _), object) if PATH_METHODS.contains(&graph.name(name)) => only_path(part(object[0])),
        (Op::Attr(name, _), object) if matches!(graph.name(name), "format" | "replace" | "strip") && part(object[0]) == Is::Str => Is::Str,
        (Op::Attr(name, _), _) if matches!(graph.name(name), "encode" | "fileno") => Is::Other,
        _ => Is::Unknown,
    }
}

/// What a loop over `iterable` gives.
fn of_elements(place: &Place<'_>, facts: &Facts<'_>, iterable: ValueId, depth: u32) -> Is {
    let graph = &place.analysis.graph;
    let (op, operands) = graph.get(iterable);
    match op {
        Op::Apply if ["sorted", "list", "reversed", "tuple"].iter().any(|name| is_builtin(place.analysis, operands[0], name)) => {
            operands.get(1).map_or(Is::Unknown, |&v| of_elements(place, facts, v, depth + 1))
        }
        Op::Call(..) if matches!(graph.path(operands[0]), Some("glob.glob" | "glob.iglob")) => {
            operands.get(1).map_or(Is::Unknown, |&v| if of(place, facts, v, depth + 1) == Is::Str { Is::Str } else { Is::Unknown })
        }
        Op::Call(..) => only_path(of_call(place, facts, operands, depth + 1)),
        _ => Is::Unknown,
    }
}

fn only_path(is: Is) -> Is {
    if is == Is::Path { Is::Path } else { Is::Unknown }
}

fn either(a: Is, b: Is) -> Is {
    match (a, b) {
        _ if a == b => a,
        (Is::Other, _) | (_, Is::Other) => Is::Other,
        (Is::Unknown, _) | (_, Is::Unknown) => Is::Unknown,
        _ => Is::Either,
    }
}

/// Whether an f-string makes `value`.
fn is_formatted(place: &Place<'_>, value: ValueId) -> bool {
    place
        .body
        .occurrences
        .iter()
        .find(|o| o.value == value)
        .is_some_and(|o| place.source().tokens().in_range(o.range).first().is_some_and(|t| t.kind() == TokenKind::FStringStart))
}

/// What an annotation says.
fn annotation(place: &Place<'_>, expr: &Expr) -> Is {
    match expr {
        Expr::Name(name) if name.id.as_str() == "str" => Is::Str,
        Expr::Name(name) if matches!(name.id.as_str(), "int" | "bytes") => Is::Other,
        Expr::StringLiteral(text) => match text.value.to_str() {
            "str" => Is::Str,
            "Path" | "pathlib.Path" => Is::Path,
            _ => Is::Unknown,
        },
        Expr::Name(_) | Expr::Attribute(_) if import_path(place, expr).as_deref() == Some("pathlib.Path") => Is::Path,
        Expr::BinOp(e) if e.op == Operator::BitOr => either(annotation(place, &e.left), annotation(place, &e.right)),
        Expr::Subscript(e) if import_path(place, &e.value).as_deref() == Some("typing.Union") => match &*e.slice {
            Expr::Tuple(tuple) => tuple.elts.iter().map(|a| annotation(place, a)).reduce(either).unwrap_or(Is::Unknown),
            only => annotation(place, only),
        },
        _ => Is::Unknown,
    }
}

fn import_path(place: &Place<'_>, expr: &Expr) -> Option<String> {
    place.analysis.definitions.import_path(expr, &place.analysis.graph)
}
