//! Arguments of a call, and how they meet the parameters of an MLX function.

use super::Lowerer;
use crate::graph::api::{Accepts, Function, Param, ParamKind};
use crate::graph::value::{Op, Operands, Symbol, ValueId};
use crate::syntax::ast;

/// The lowered arguments of one call.
pub(super) struct Arguments {
    pub(super) positional: Vec<ValueId>,
    pub(super) keywords: Vec<(Symbol, ValueId)>,
    /// There are `*args` or `**kwargs`, so nothing is known of what meets which parameter.
    pub(super) spread: bool,
}

impl Arguments {
    /// All of them as operands of a call node.
    pub(super) fn operands(&self, graph: &mut crate::graph::value::Graph) -> Operands {
        let keywords: Vec<ValueId> = self.keywords.iter().map(|&(name, value)| graph.value(Op::Keyword(name), &[value])).collect();
        self.positional.iter().copied().chain(keywords).collect()
    }
}

impl<'g> Lowerer<'_, 'g> {
    /// Lower the arguments of `call`, in the order of evaluation.
    pub(super) fn arguments(&mut self, call: &'g ast::ExprCall) -> Arguments {
        let mut arguments = Arguments { positional: Vec::new(), keywords: Vec::new(), spread: false };
        for argument in call.arguments.iter_source_order() {
            match argument {
                ast::ArgOrKeyword::Arg(expr) => {
                    arguments.spread |= expr.is_starred_expr();
                    let value = self.expr(expr);
                    arguments.positional.push(value);
                }
                ast::ArgOrKeyword::Keyword(keyword) => {
                    let value = self.expr(&keyword.value);
                    match &keyword.arg {
                        Some(name) => {
                            let name = self.graph.symbol(name);
                            arguments.keywords.push((name, value));
                        }
                        None => {
                            arguments.spread = true;
                            let star = self.graph.value(Op::Star, &[value]);
                            arguments.positional.push(star);
                        }
                    }
                }
            }
        }
        for (value, expr) in arguments.positional.iter_mut().zip(&call.arguments.args) {
            *value = self.by_now(expr, *value);
        }
        arguments
    }

    /// One value for each parameter of `function` but `stream`, defaults filled in; `None` where the call does not fit, or names a stream.
    pub(super) fn bind_arguments(&mut self, function: &'static Function, arguments: &Arguments) -> Option<Operands> {
        if arguments.spread {
            return None;
        }
        let mut positional = arguments.positional.iter().copied();
        let mut used = 0;
        let mut operands = Operands::new();
        for param in &function.params {
            let by_name = match param.kind {
                ParamKind::Any | ParamKind::KeywordOnly => {
                    arguments.keywords.iter().find(|(name, _)| self.graph.name(*name) == param.name).map(|&(_, v)| v)
                }
                ParamKind::PositionalOnly | ParamKind::Star => None,
            };
            used += usize::from(by_name.is_some());
            if param.kind == ParamKind::Star {
                operands.push(self.star(positional.by_ref().collect()));
                continue;
            }
            let by_position = if param.kind == ParamKind::KeywordOnly { None } else { positional.next() };
            let value = match (by_name, by_position) {
                (Some(_), Some(_)) => return None,
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => self.default(param)?,
            };
            if param.accepts == Accepts::Stream {
                if self.graph.op(value) != Op::None {
                    return None;
                }
                continue;
            }
            self.prove_argument(param, value);
            operands.push(value);
        }
        (positional.next().is_none() && used == arguments.keywords.len()).then_some(operands)
    }

    /// `x.reshape(2, 3)` and `x.reshape((2, 3))` are the same. A single argument may be one number or all of them, unless it is seen to be a number.
    fn star(&mut self, values: Vec<ValueId>) -> ValueId {
        match values[..] {
            [] => self.graph.leaf(Op::None),
            [only] if !self.is_plain_number(only, 0) && self.graph.op(only) != Op::Star => only,
            _ => self.graph.value(Op::Tuple, &values),
        }
    }

    fn default(&mut self, param: &Param) -> Option<ValueId> {
        let text = param.default?;
        Some(match text {
            "None" => self.graph.leaf(Op::None),
            "True" => self.graph.leaf(Op::Bool(true)),
            "False" => self.graph.leaf(Op::Bool(false)),
            _ => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(n), _) => self.graph.int(n),
                (_, Ok(x)) => self.graph.float(x),
                _ => {
                    let symbol = self.graph.symbol(text);
                    self.graph.leaf(Op::Literal(symbol))
                }
            },
        })
    }
}
