//! Which reading of an array a statement does first, and whether anything before it could notice that the array is not evaluated yet.

use crate::graph::api::{self, Accepts};
use crate::graph::memo::Memo;
use crate::graph::statements::comprehension;
use crate::graph::value::{Op, ValueId};
use crate::place::{Place, expressions, is_builtin};
use crate::syntax::ast::{self, Expr, Stmt};
use crate::syntax::{Ranged, TextRange};

/// Builtins that call no code of others while they work on numbers, strings and arrays.
const QUIET_BUILTINS: [&str; 9] = ["abs", "bool", "float", "int", "isinstance", "len", "range", "round", "str"];

/// Chains of operations longer than this are not followed from the read to the array.
const MAX_DEPTH: u32 = 20;

/// A part of a statement that evaluates an array.
pub(super) struct Read {
    /// The call.
    pub(super) range: TextRange,
    /// What must be known of the array.
    pub(super) needs: Needs,
    /// What is read is computed from the array.
    pub(super) is_derived: bool,
}

/// What must be known of an array for its read to be an evaluation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Needs {
    /// Nothing: a tree of arrays would not be read like this, and of everything else `mx.eval` evaluates nothing.
    Nothing,
    /// That it is an array, and no list of arrays.
    Array,
}

/// Why a statement does not begin with a read.
#[derive(Clone, Copy)]
pub(super) enum Unread {
    /// It does not speak of the array.
    Elsewhere,
    /// What it reads can be computed without the array.
    NotNeeded,
    /// This comes first, and may notice whether the array is there.
    After(TextRange),
    /// It does more than to compute.
    Inside,
    /// Whether it reads the array depends on a condition, or on how often a loop runs.
    Perhaps,
}

/// How far a part of a statement is looked through.
enum Walk {
    /// Nothing so far can notice anything.
    Quiet,
    /// This may.
    Stop(TextRange),
    /// The rest need not be executed.
    Perhaps,
    /// The array is read.
    Found(Read),
}

/// The read of `array`, which is evaluated as `argument`, that `statement` begins with; else why there is none.
pub(super) fn first_read(place: &Place<'_>, statement: &Stmt, argument: &Expr, array: ValueId) -> Result<Read, Unread> {
    let search = Search { place, argument: place.source().slice(argument.range()), array };
    let walk = match statement {
        Stmt::Expr(s) => search.expr(&s.value),
        Stmt::Assign(s) => search.expr(&s.value),
        Stmt::AnnAssign(s) => search.all(s.value.as_deref()),
        Stmt::AugAssign(s) => search.all([&*s.target, &*s.value]),
        Stmt::Return(s) => search.all(s.value.as_deref()),
        Stmt::If(s) => search.expr(&s.test),
        Stmt::While(s) => search.expr(&s.test),
        Stmt::For(s) if !s.is_async => search.expr(&s.iter),
        _ => return Err(Unread::Inside),
    };
    let mut mentions = false;
    expressions::of_statement(statement, &mut |e| mentions |= place.source().slice(e.range()) == search.argument);
    match walk {
        Walk::Found(read) => Ok(read),
        _ if !mentions => Err(Unread::Elsewhere),
        Walk::Quiet => Err(Unread::NotNeeded),
        Walk::Stop(range) => Err(Unread::After(range)),
        Walk::Perhaps => Err(Unread::Perhaps),
    }
}

struct Search<'p, 'x> {
    place: &'p Place<'x>,
    /// How the array is written: what is computed twice is equal, and still two arrays.
    argument: &'p str,
    array: ValueId,
}

impl Search<'_, '_> {
    /// Look through `parts` in the order in which they are evaluated.
    fn all<'e>(&self, parts: impl IntoIterator<Item = &'e Expr>) -> Walk {
        for part in parts {
            match self.expr(part) {
                Walk::Quiet => {}
                other => return other,
            }
        }
        Walk::Quiet
    }

    /// Look through `first`, after which not everything need be evaluated.
    fn only<'e>(&self, first: impl IntoIterator<Item = &'e Expr>) -> Walk {
        match self.all(first) {
            Walk::Quiet => Walk::Perhaps,
            other => other,
        }
    }

    fn expr(&self, expr: &Expr) -> Walk {
        match expr {
            Expr::Call(call) => self.call(expr, call),
            Expr::Attribute(e) => self.expr(&e.value),
            Expr::Subscript(e) => self.all([&*e.value, &*e.slice]),
            Expr::Slice(e) => self.all([&e.lower, &e.upper, &e.step].into_iter().flatten().map(|e| &**e)),
            Expr::BinOp(e) => self.all([&*e.left, &*e.right]),
            Expr::UnaryOp(e) => self.expr(&e.operand),
            Expr::Compare(e) if e.comparators.len() == 1 => self.all([&*e.left, &e.comparators[0]]),
            Expr::Compare(e) => self.only([&*e.left, &e.comparators[0]]),
            Expr::BoolOp(e) => self.only(e.values.first()),
            Expr::If(e) => self.only([&*e.test]),
            Expr::Tuple(e) => self.all(&e.elts),
            Expr::List(e) => self.all(&e.elts),
            Expr::Starred(e) => self.expr(&e.value),
            Expr::Named(e) => self.expr(&e.value),
            Expr::Yield(e) => self.only(e.value.as_deref()),
            Expr::FString(e) => self.only(e.value.elements().filter_map(|part| part.as_interpolation().map(|i| &*i.expression))),
            Expr::Name(_) | Expr::Lambda(_) => Walk::Quiet,
            _ if expr.is_literal_expr() => Walk::Quiet,
            _ => match comprehension(expr) {
                Some((_, generators)) => self.only(generators.first().map(|g| &g.iter)),
                None => Walk::Stop(expr.range()),
            },
        }
    }

    fn call(&self, expr: &Expr, call: &ast::ExprCall) -> Walk {
        let callee = match &*call.func {
            Expr::Attribute(attribute) => &*attribute.value,
            other => other,
        };
        let arguments = call.arguments.iter_source_order().map(ast::ArgOrKeyword::value);
        match self.all(std::iter::once(callee).chain(arguments)) {
            Walk::Quiet => {}
            other => return other,
        }
        match self.read(expr, call) {
            Some(read) => Walk::Found(read),
            None if self.is_quiet(expr) => Walk::Quiet,
            None => Walk::Stop(expr.range()),
        }
    }

    /// Whether nothing is done by the call `expr` but computing its value.
    fn is_quiet(&self, expr: &Expr) -> bool {
        let analysis = self.place.analysis;
        let graph = &analysis.graph;
        self.place.own_value(expr).is_some_and(|v| match graph.get(v) {
            (Op::Apply, operands) => {
                let is_function = graph.path(operands[0]).is_some_and(|p| p.starts_with("mlx.nn.") || p.starts_with("math."));
                is_function || QUIET_BUILTINS.iter().any(|name| is_builtin(analysis, operands[0], name))
            }
            _ => graph.is_arrayish(v) || matches!(graph.op(v), Op::Mlx("item" | "tolist")),
        })
    }

    /// The read that `call` is, if it is one of the array or of something that is computed from all of it.
    fn read(&self, expr: &Expr, call: &ast::ExprCall) -> Option<Read> {
        let (object, of_itself) = self.object(call)?;
        let value = self.place.value(object).filter(|_| self.mentions(object))?;
        let is_derived = self.present(value) != self.array;
        let needs = self.depends(value, &mut Memo::new(MAX_DEPTH, None))?;
        // An element of an array is one, and so is what operations of arrays make.
        let is_array = self.place.analysis.graph.is_arrayish(value) || self.is_element(value);
        if !is_derived {
            return Some(Read { range: expr.range(), needs: of_itself, is_derived });
        }
        is_array.then_some(Read { range: expr.range(), needs, is_derived })
    }

    /// What `call` reads, and what must be known of an array that is read so itself.
    fn object<'e>(&self, call: &'e ast::ExprCall) -> Option<(&'e Expr, Needs)> {
        let first = call.arguments.args.first();
        match &*call.func {
            Expr::Attribute(attribute) if call.arguments.is_empty() && matches!(attribute.attr.as_str(), "item" | "tolist") => {
                Some((&attribute.value, Needs::Nothing))
            }
            Expr::Attribute(_) | Expr::Name(_) if self.place.path(&call.func).is_some_and(|p| matches!(&*p, "numpy.array" | "numpy.asarray")) => {
                Some((first?, Needs::Array))
            }
            Expr::Name(_) if call.arguments.len() == 1 => {
                // `bool` of a list looks at its length only; `int` and `float` take no list.
                let is = |name| self.place.calls_builtin(call, name);
                let needs = if is("int") || is("float") { Needs::Nothing } else { Needs::Array };
                (needs == Needs::Nothing || is("bool")).then_some((first?, needs))
            }
            _ => None,
        }
    }

    /// `value` without what may have become of it in place: nothing has, since it was evaluated.
    fn present(&self, value: ValueId) -> ValueId {
        match self.place.analysis.graph.get(value) {
            (Op::Changed(_), operands) => operands[0],
            _ => value,
        }
    }

    /// Whether the array that was evaluated, and no equal one, is written in `expr`.
    fn mentions(&self, expr: &Expr) -> bool {
        let mut found = false;
        expressions::each(expr, &mut |e| found |= self.place.source().slice(e.range()) == self.argument);
        found
    }

    /// Whether `value` is an element of what was evaluated, by position.
    fn is_element(&self, value: ValueId) -> bool {
        match self.place.analysis.graph.get(value) {
            (Op::Index(_), operands) => self.present(operands[0]) == self.array || self.is_element(operands[0]),
            _ => false,
        }
    }

    /// Whether computing `value` needs the array evaluated, whatever else is the case, and what must be known of it for that.
    fn depends(&self, value: ValueId, known: &mut Memo<Option<Needs>>) -> Option<Needs> {
        known.of(value, |known| if self.present(value) == self.array { Some(Needs::Array) } else { self.passes_on(value, known) })
    }

    /// The same of an operation that is not the array itself.
    fn passes_on(&self, value: ValueId, known: &mut Memo<Option<Needs>>) -> Option<Needs> {
        let graph = &self.place.analysis.graph;
        let (op, operands) = graph.get(value);
        let operands = match op {
            // Only the shape of the argument counts.
            Op::Mlx("zeros_like" | "ones_like" | "full_like") => return None,
            // A dictionary has keys.
            Op::Index(_) if matches!(graph.op(operands[1]), Op::Str(_)) => return None,
            Op::Mlx(_) | Op::Index(_) | Op::MatMul | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::FloorDiv | Op::Mod | Op::Pow => operands,
            Op::Neg | Op::Invert | Op::Compare(_) | Op::Bits(_) => operands,
            Op::Permute | Op::Changed(_) => &operands[..1],
            _ => return None,
        };
        let found = operands.iter().enumerate().find_map(|(n, &v)| Some((n, v, self.depends(v, known)?)));
        // A list takes one index. A dictionary with such keys would be left with arrays that are computed later, and are the same.
        let is_of_axes = matches!(op, Op::Index(_)) && matches!(graph.op(operands[1]), Op::Tuple);
        found.map(|(n, v, needs)| match self.present(v) == self.array && (takes_no_list(op, n) || (n == 0 && is_of_axes)) {
            true => Needs::Nothing,
            false => needs,
        })
    }
}

/// Whether operand number `n` of `op` can be no list, tuple or dictionary of arrays: MLX would raise.
fn takes_no_list(op: Op, n: usize) -> bool {
    let Op::Mlx(name) = op else { return matches!(op, Op::MatMul | Op::Permute) };
    let accepts = api::function(name).and_then(|f| f.get().params.get(n)).map(|p| p.accepts);
    matches!(accepts, Some(Accepts::Array | Accepts::Scalar | Accepts::OptionalArray))
}
