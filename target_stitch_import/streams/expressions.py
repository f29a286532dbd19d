"""The expressions of a stream map: compiled once, and with exact numbers in JSON.

The SDK lets ``simpleeval`` walk through an expression's tree for each record. Here the tree becomes
Python functions once, for the kinds of nodes that most expressions consist of. ``simpleeval`` itself
evaluates the others, and its functions and operators are used throughout.
"""

from __future__ import annotations

import ast
from functools import partial, reduce
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import simpleeval
import simplejson
from singer_sdk.exceptions import MapExpressionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk.mapper import CustomStreamMap

    Evaluate = Callable[[dict[str, Any]], Any]
    """Evaluates an expression, or a part of it, with the columns of a record."""

__all__ = ["compile_expression", "names_in", "use_exact_json"]

WHOLE_RECORD = frozenset({"record", "_"})
"""The names by which an expression asks for all columns."""


def use_exact_json(stream_map: CustomStreamMap) -> None:
    """Let the expressions of a stream map read and write JSON with exact numbers.

    Numbers of a record are decimals, which ``json.dumps`` can't write and ``json.loads`` does not
    read.
    """
    stream_map.expr_evaluator.functions["json"] = SimpleNamespace(
        dumps=simplejson.dumps, loads=partial(simplejson.loads, use_decimal=True)
    )


def names_in(parsed: ast.AST) -> set[str]:
    """Return the names whose values an expression asks for."""
    called = {id(node.func) for node in ast.walk(parsed) if isinstance(node, ast.Call)}
    return {
        node.id
        for node in ast.walk(parsed)
        if isinstance(node, ast.Name) and id(node) not in called  # those are functions
    }


def compile_expression(
    stream_map: CustomStreamMap, expr: str, parsed: ast.AST, property_name: str | None
) -> Evaluate:
    """Return a function that evaluates an expression for a record, as the stream map does it.

    Args:
        stream_map: Has the functions, and the names that are no columns.
        expr: The expression's text, for error messages.
        parsed: The same, parsed.
        property_name: The column that is ``self``.

    The function raises ``MapExpressionError``, and what the expression's functions raise.
    """
    constants = {
        "config": stream_map.map_config,
        "__stream_name__": stream_map.stream_alias,
        "__original_stream_name__": stream_map.stream_name,
    }
    if stream_map.fake:
        constants["fake"] = stream_map.fake
    compiled = _Compiler(stream_map.expr_evaluator, expr, constants).compile_whole(parsed)
    used = names_in(parsed)
    with_record = not used.isdisjoint(WHOLE_RECORD)
    self_name = property_name if "self" in used else None

    def evaluate(record: dict[str, Any]) -> Any:
        names = record
        if with_record:
            names = {**record, "_": record, "record": record}
        if self_name and self_name in record:
            names = {**names, "self": record[self_name]}
        try:
            return compiled(names)
        except (simpleeval.InvalidExpression, SyntaxError) as error:
            raise MapExpressionError(
                f"Failed to evaluate simpleeval expressions {expr}."
            ) from error

    return evaluate


class _Evaluated(ast.expr):
    """A node whose value is known."""

    def __init__(self, value: Any) -> None:
        self.value = value


class _Compiler:
    """Compiles the nodes of one expression, each to what ``SimpleEval`` does with it."""

    def __init__(
        self,
        evaluator: simpleeval.EvalWithCompoundTypes,
        expr: str,
        constants: Mapping[str, Any],
    ) -> None:
        self._evaluator = evaluator
        self._expr = expr
        self._constants = constants
        evaluator.nodes[_Evaluated] = lambda node: node.value
        self._compilers: dict[type, Callable[[Any], Evaluate | None]] = {
            ast.Attribute: self._attribute,
            ast.BinOp: self._binary,
            ast.BoolOp: self._boolean,
            ast.Call: self._call,
            ast.Compare: self._compare,
            ast.Constant: self._constant,
            ast.Expr: lambda node: self.compile(node.value),
            ast.IfExp: self._condition,
            ast.List: partial(self._sequence, list),
            ast.Name: self._name,
            ast.Slice: self._slice,
            ast.Subscript: self._subscript,
            ast.Tuple: partial(self._sequence, tuple),
            ast.UnaryOp: self._unary,
        }

    def compile_whole(self, parsed: ast.AST) -> Evaluate:
        """Return a function that evaluates a parsed expression."""
        if any(isinstance(node, ast.comprehension) for node in ast.walk(parsed)):
            return self._interpreted(parsed)  # it has names of its own
        return self.compile(parsed)

    def compile(self, node: ast.AST) -> Evaluate:
        """Return a function that evaluates a node."""
        compiler = self._compilers.get(type(node))
        compiled = compiler(node) if compiler else None
        return compiled or self._interpreted(node)

    def _interpreted(self, node: ast.AST) -> Evaluate:
        def evaluate(names: dict[str, Any]) -> Any:
            self._evaluator.names = {**names, **self._constants}
            return self._evaluator.eval(self._expr, node)

        return evaluate

    def _constant(self, node: ast.Constant) -> Evaluate | None:
        value = node.value
        if isinstance(value, (str, bytes)) and len(value) > simpleeval.MAX_STRING_LENGTH:
            return None
        return lambda _: value

    def _name(self, node: ast.Name) -> Evaluate:
        name = node.id
        if name in self._constants:
            value = self._constants[name]
            return lambda _: value
        interpreted = self._interpreted(node)

        def evaluate(names: dict[str, Any]) -> Any:
            try:
                return names[name]
            except KeyError:
                return interpreted(names)  # a function, or an error

        return evaluate

    def _unary(self, node: ast.UnaryOp) -> Evaluate | None:
        operator = self._evaluator.operators.get(type(node.op))
        operand = self.compile(node.operand)
        return operator and (lambda names: operator(operand(names)))

    def _binary(self, node: ast.BinOp) -> Evaluate | None:
        operator = self._evaluator.operators.get(type(node.op))
        left, right = self.compile(node.left), self.compile(node.right)
        return operator and (lambda names: operator(left(names), right(names)))

    def _compare(self, node: ast.Compare) -> Evaluate | None:
        if len(node.ops) > 1:
            return None
        operator = self._evaluator.operators[type(node.ops[0])]
        left, right = self.compile(node.left), self.compile(node.comparators[0])
        return lambda names: operator(left(names), right(names))

    def _boolean(self, node: ast.BoolOp) -> Evaluate:
        def both(left: Evaluate, right: Evaluate) -> Evaluate:
            return lambda names: left(names) and right(names)

        def either(left: Evaluate, right: Evaluate) -> Evaluate:
            return lambda names: left(names) or right(names)

        joined = both if isinstance(node.op, ast.And) else either
        return reduce(joined, map(self.compile, node.values))

    def _condition(self, node: ast.IfExp) -> Evaluate:
        test, body, orelse = map(self.compile, (node.test, node.body, node.orelse))
        return lambda names: body(names) if test(names) else orelse(names)

    def _subscript(self, node: ast.Subscript) -> Evaluate:
        container, key = self.compile(node.value), self.compile(node.slice)
        return lambda names: container(names)[key(names)]

    def _slice(self, node: ast.Slice) -> Evaluate:
        nothing = ast.Constant(None)
        lower, upper, step = (
            self.compile(part or nothing) for part in (node.lower, node.upper, node.step)
        )
        return lambda names: slice(lower(names), upper(names), step(names))

    def _sequence(self, kind: type, node: ast.List | ast.Tuple) -> Evaluate | None:
        if any(isinstance(part, ast.Starred) for part in node.elts):
            return None
        parts = [self.compile(part) for part in node.elts]
        return lambda names: kind([part(names) for part in parts])

    def _attribute(self, node: ast.Attribute) -> Evaluate | None:
        name = node.attr
        if name in simpleeval.DISALLOW_METHODS or name.startswith(
            tuple(simpleeval.DISALLOW_PREFIXES)
        ):
            return None
        owner = self.compile(node.value)
        is_of_text = hasattr(str, name)

        def evaluate(names: dict[str, Any]) -> Any:
            value = owner(names)
            if is_of_text and type(value) is str:
                return getattr(value, name)
            known = ast.Attribute(_Evaluated(value), name, ast.Load())
            return self._evaluator.eval(self._expr, known)

        return evaluate

    def _call(self, node: ast.Call) -> Evaluate | None:
        if node.keywords:
            return None
        arguments = [self.compile(argument) for argument in node.args]
        if isinstance(node.func, ast.Attribute):
            method = self.compile(node.func)
            return lambda names: method(names)(*[argument(names) for argument in arguments])
        name = node.func.id if isinstance(node.func, ast.Name) else None
        function = self._evaluator.functions.get(name)
        if not callable(function) or function in simpleeval.DISALLOW_FUNCTIONS:
            return None
        if len(arguments) == 1:
            only = arguments[0]
            return lambda names: function(only(names))
        return lambda names: function(*[argument(names) for argument in arguments])
