"""What code of others may consist of to be run: nothing that reads or writes a file of the user, reaches into Python, or runs other code.

A program has no names but those that it is given, and no attribute whose name does not stand here: so no object leads anywhere else.
"""

import ast
import builtins
import math

import mlx.core as mx
import mlx.nn as nn
import prelude

PURE_BUILTINS = ("abs", "bool", "divmod", "enumerate", "float", "int", "isinstance", "len", "list", "map", "max", "min", "pow", "range")
PURE_BUILTINS += ("reversed", "round", "sorted", "sum", "tuple", "zip")
CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")
DTYPES = ("bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "complex64")
KINDS = ("floating", "integer", "inexact", "number", "generic", "array", "Dtype")
PROPERTIES = ("shape", "dtype", "ndim", "size", "T", "mT", "real", "imag", "at")
AT = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
ACTIVATIONS = ("celu", "elu", "gelu", "gelu_approx", "gelu_fast_approx", "hard_swish", "hardswish", "leaky_relu", "log_sigmoid", "log_softmax", "mish")
ACTIVATIONS += ("relu", "relu2", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "step", "tanh")
NORMS = ("LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm", "Linear", "set_dtype", "parameters")
LISTS = ("append", "extend", "insert", "reverse")
# What a function may consist of: whatever else Python has, or will have, is refused.
STATEMENTS = (ast.FunctionDef, ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.While, ast.If, ast.Raise, ast.Assert, ast.Expr, ast.Pass)
STATEMENTS += (ast.Break, ast.Continue)
EXPRESSIONS = (ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Lambda, ast.IfExp, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
EXPRESSIONS += (ast.Yield, ast.YieldFrom, ast.Compare, ast.Call, ast.Constant, ast.Attribute, ast.Subscript, ast.Starred, ast.Name, ast.List, ast.Tuple)
EXPRESSIONS += (ast.Slice, ast.NamedExpr)
PARTS = (ast.arguments, ast.arg, ast.keyword, ast.comprehension, ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)


class CannotReplay(Exception):
    """Why something cannot be made into a program."""


def namespace(**modules):
    """What a program sees: what it is given, and builtins that only compute."""
    known = {name: getattr(builtins, name) for name in (*PURE_BUILTINS, "ValueError")}
    return modules | {"__builtins__": known}


def attributes(functions):
    """The names that may stand behind a dot, given the functions of `mlx.core` that only compute."""
    parts = {part for name in functions for part in name.split(".")} | set(dir(math))
    return (parts | {*CONSTANTS, *DTYPES, *KINDS, *PROPERTIES, *AT, *ACTIVATIONS, *NORMS, *LISTS}) - {"array.at"}


def check(function, allowed):
    """Complains of the first thing in a function that is not harmless for sure."""
    for node in ast.walk(function):
        if not isinstance(node, (*STATEMENTS, *EXPRESSIONS, *PARTS)) or getattr(node, "decorator_list", None):
            raise CannotReplay(f"`{function.name}` of the rule holds more than computations")
        if isinstance(node, ast.Attribute) and (node.attr.startswith("_") or node.attr not in allowed):
            raise CannotReplay(f"`{function.name}` of the rule reads `.{node.attr}`, which is not known to be harmless")


def functions_of(tree, functions):
    """The functions of a rule file that may be run, in a namespace of their own: its imports and all else at its top are not."""
    allowed = attributes(functions)
    names = {name: value for name, value in vars(prelude).items() if callable(value) and not name.startswith("_")}
    made = namespace(mx=mx, nn=nn, math=math, **names)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            try:
                check(node, allowed)
            except CannotReplay:
                if node.name == "inputs":  # Others are drawn.
                    continue
                raise
            exec(compile(ast.Module([node], []), "<rule>", "exec"), made)
    return made
