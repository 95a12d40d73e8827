"""Copies of syntax: what those who make code anew (`slice.py`, `rebuild.py`) do with a node that stays what it is. Its parts are theirs to copy."""

import ast

from harmless import CannotReplay


def load(name):
    return ast.Name(name, ast.Load())


class Copy:
    """Copies expressions of a file; whoever derives from it has `expr` and the file, as `self.file`."""

    def cannot(self, node, why):
        raise CannotReplay(f"`{self.file.source(node)}` {why}")

    def maybe(self, node):
        return None if node is None else self.expr(node)

    def all(self, nodes):
        return [self.maybe(node) for node in nodes]

    def on_Tuple(self, node):
        return type(node)(self.all(node.elts), ast.Load())

    on_List = on_Tuple

    def on_Starred(self, node):
        return ast.Starred(self.expr(node.value), ast.Load())

    def on_Slice(self, node):
        return ast.Slice(self.maybe(node.lower), self.maybe(node.upper), self.maybe(node.step))

    def on_UnaryOp(self, node):
        return ast.UnaryOp(node.op, self.expr(node.operand))

    def on_BoolOp(self, node):
        return ast.BoolOp(node.op, self.all(node.values))

    def on_IfExp(self, node):
        return ast.IfExp(self.expr(node.test), self.expr(node.body), self.expr(node.orelse))
