//! The replacement as text: the expression that `after` returns, with gaps for its parameters and for what it names of `mlx.core`.

use crate::syntax::ast::Expr;
use crate::syntax::ast::visitor::source_order::{SourceOrderVisitor, walk_expr};
use crate::syntax::{Ranged, Source, TextRange};

/// A piece of the replacement.
#[derive(Clone, Debug)]
enum Piece {
    /// As it stands.
    Text(String),
    /// A parameter; the flag says that it must bind as tightly as a name.
    Parameter(String, bool),
    /// Something in `mlx.core`, by its full path.
    Path(String),
    /// An argument of a call, with its keyword.
    Argument(Option<String>, Vec<Piece>),
}

/// The replacement of a variant.
#[derive(Clone, Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What fills the gaps of a template at one site.
pub trait Filling {
    /// The text for a parameter; `tight` if it must bind as tightly as a name.
    fn parameter(&self, name: &str, tight: bool) -> String;
    /// Whether a keyword argument that is this one parameter may be left out.
    fn omits(&self, keyword: &str, parameter: &str) -> bool;
    /// Whether a parameter was cast to the dtype of this path, so that another cast to it may be left out.
    fn is_cast_to(&self, parameter: &str, path: &str) -> bool;
    /// How the file writes what has the full path `path`.
    fn path(&self, path: &str) -> String;
}

/// The text of a filled template, and where its outermost arguments are, so that they can be laid out over lines.
#[derive(Clone, Debug, Default)]
pub struct Filled {
    /// The expression on one line.
    pub text: String,
    /// The ranges of the arguments of the first call, in order.
    pub arguments: Vec<std::ops::Range<usize>>,
    /// The first call is complete.
    closed: bool,
}

impl Filled {
    /// Put `name = ` before the expression.
    pub fn assign_to(&mut self, name: &str) {
        let lead = format!("{name} = ");
        self.arguments.iter_mut().for_each(|a| *a = a.start + lead.len()..a.end + lead.len());
        self.text.insert_str(0, &lead);
    }
}

impl Template {
    /// Read the expression that `after` returns.
    pub(super) fn read(expr: &Expr, parameters: &[&str], source: &Source<'_>) -> Self {
        let mut pieces = Vec::new();
        read(expr, parameters, source, false, &mut pieces);
        Self { pieces }
    }

    /// Whether the parameter `name` is written more than once, so that what it stands for would be computed again.
    pub fn repeats(&self, name: &str) -> bool {
        occurrences(&self.pieces, name) > 1
    }

    /// The full paths of what it names of `mlx.core`.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let mut paths = Vec::new();
        paths_in(&self.pieces, &mut paths);
        paths.into_iter()
    }

    /// The text at a site.
    pub fn fill(&self, filling: &impl Filling) -> Filled {
        let mut filled = Filled::default();
        write(&self.pieces, filling, 0, &mut filled);
        filled
    }
}

fn paths_in<'p>(pieces: &'p [Piece], paths: &mut Vec<&'p str>) {
    for piece in pieces {
        match piece {
            Piece::Path(path) => paths.push(path),
            Piece::Argument(_, inner) => paths_in(inner, paths),
            Piece::Text(_) | Piece::Parameter(..) => {}
        }
    }
}

fn read(expr: &Expr, parameters: &[&str], source: &Source<'_>, tight: bool, pieces: &mut Vec<Piece>) {
    if let Some(path) = path_of(expr) {
        return pieces.push(Piece::Path(path));
    }
    match expr {
        Expr::Name(name) if parameters.contains(&name.id.as_str()) => pieces.push(Piece::Parameter(name.id.to_string(), tight)),
        Expr::Attribute(attribute) => {
            read(&attribute.value, parameters, source, true, pieces);
            pieces.push(Piece::Text(format!(".{}", attribute.attr)));
        }
        Expr::Call(call) => {
            read(&call.func, parameters, source, true, pieces);
            pieces.push(Piece::Text("(".to_owned()));
            for argument in &call.arguments.args {
                let mut inner = Vec::new();
                read(argument, parameters, source, false, &mut inner);
                pieces.push(Piece::Argument(None, inner));
            }
            for keyword in &call.arguments.keywords {
                let mut inner = Vec::new();
                read(&keyword.value, parameters, source, false, &mut inner);
                pieces.push(Piece::Argument(keyword.arg.as_ref().map(ToString::to_string), inner));
            }
            pieces.push(Piece::Text(")".to_owned()));
        }
        Expr::BinOp(binary) => {
            // Parentheses where the reader of the rule wrote them are kept by being part of neither operand: operators in rules are few and tight.
            let loose = |inner: &Expr| inner.is_bin_op_expr();
            for (n, side) in [&*binary.left, &*binary.right].into_iter().enumerate() {
                if n == 1 {
                    pieces.push(Piece::Text(format!(" {} ", binary.op.as_str())));
                }
                let parenthesised = loose(side);
                if parenthesised {
                    pieces.push(Piece::Text("(".to_owned()));
                }
                read(side, parameters, source, true, pieces);
                if parenthesised {
                    pieces.push(Piece::Text(")".to_owned()));
                }
            }
        }
        _ => read_other(expr, parameters, source, pieces),
    }
}

fn occurrences(pieces: &[Piece], name: &str) -> usize {
    let count = |piece: &Piece| match piece {
        Piece::Parameter(n, _) => usize::from(n == name),
        Piece::Argument(_, inner) => occurrences(inner, name),
        Piece::Text(_) | Piece::Path(_) => 0,
    };
    pieces.iter().map(count).sum()
}

/// The full path of `mx` or of something in it.
fn path_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => (name.id.as_str() == "mx").then(|| "mlx.core".to_owned()),
        Expr::Attribute(attribute) => Some(format!("{}.{}", path_of(&attribute.value)?, attribute.attr)),
        _ => None,
    }
}

/// Any other expression: its text as it stands, with gaps where it names a parameter or the module.
fn read_other(expr: &Expr, parameters: &[&str], source: &Source<'_>, pieces: &mut Vec<Piece>) {
    let mut names = Vec::new();
    Names { names: &mut names }.visit_expr(expr);
    let mut copied = expr.start();
    for name in names {
        let gap = match (path_of(name), name) {
            (Some(path), _) => Piece::Path(path),
            (None, Expr::Name(name)) if parameters.contains(&name.id.as_str()) => Piece::Parameter(name.id.to_string(), true),
            _ => continue,
        };
        pieces.push(Piece::Text(source.slice(TextRange::new(copied, name.start())).to_owned()));
        pieces.push(gap);
        copied = name.end();
    }
    pieces.push(Piece::Text(source.slice(TextRange::new(copied, expr.end())).to_owned()));
}

/// Collects the names that an expression reads, with the attributes of `mx`, in the order of the text.
struct Names<'n, 'a> {
    names: &'n mut Vec<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for Names<'_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if expr.is_name_expr() || path_of(expr).is_some() {
            self.names.push(expr);
        } else {
            walk_expr(self, expr);
        }
    }
}

/// What follows `piece`; a cast to the dtype that it has already is passed over.
fn without_cast<'p>(piece: &Piece, rest: &'p [Piece], filling: &impl Filling) -> &'p [Piece] {
    match (piece, rest) {
        (Piece::Parameter(name, _), [Piece::Text(method), Piece::Text(_), Piece::Argument(None, dtype), Piece::Text(_), after @ ..])
            if method == ".astype" && matches!(&dtype[..], [Piece::Path(path)] if filling.is_cast_to(name, path)) =>
        {
            after
        }
        _ => rest,
    }
}

fn write(pieces: &[Piece], filling: &impl Filling, depth: u32, filled: &mut Filled) {
    let mut first = true;
    let mut pieces = pieces;
    while let [piece, rest @ ..] = pieces {
        pieces = without_cast(piece, rest, filling);
        match piece {
            Piece::Text(text) => {
                if text == "(" {
                    first = true;
                }
                filled.closed |= depth == 0 && text == ")";
                filled.text.push_str(text);
            }
            Piece::Parameter(name, tight) => filled.text.push_str(&filling.parameter(name, *tight)),
            Piece::Path(path) => filled.text.push_str(&filling.path(path)),
            Piece::Argument(keyword, inner) => {
                if let (Some(keyword), [Piece::Parameter(name, _)]) = (keyword, &inner[..])
                    && filling.omits(keyword, name)
                {
                    continue;
                }
                if !first {
                    filled.text.push_str(", ");
                }
                first = false;
                let start = filled.text.len();
                if let Some(keyword) = keyword {
                    filled.text.push_str(keyword);
                    filled.text.push('=');
                }
                write(inner, filling, depth + 1, filled);
                if depth == 0 && !filled.closed {
                    filled.arguments.push(start..filled.text.len());
                }
            }
        }
    }
}
